//! NumPy files.

use std::io::{self, Write};
use std::path::Path;

use npyz::WriterBuilder;

use crate::cli::failure::Failure;
use crate::cli::whole::Whole;

/// Writes f64 values in C order to a file of its own.
///
/// # Errors
/// [`Failure::Unwritable`] when there is no place for it.
pub fn write_npy(path: &Path, shape: &[u64], values: &[f64]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = Whole::create(path)?;
        put_npy(&mut file, shape, values)?;
        file.finish()
    };
    write().map_err(|source| Failure::unwritable("--out", path, &source))
}

/// Puts f64 values in C order, with their header.
///
/// # Errors
/// Those of the writer.
pub fn put_npy<'a>(
    writer: &mut impl Write,
    shape: &[u64],
    values: impl IntoIterator<Item = &'a f64>,
) -> io::Result<()> {
    let mut array = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(writer)
        .begin_nd()?;
    array.extend(values)?;
    array.finish()
}
