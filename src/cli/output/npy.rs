//! NumPy files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use npyz::WriterBuilder;

use crate::cli::failure::Failure;

/// Writes f64 values in C order.
pub fn write_npy(path: &Path, shape: &[u64], values: &[f64]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(&mut file)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()?;
        file.flush()
    };
    write().map_err(|source| Failure::unwritable(path, source))
}
