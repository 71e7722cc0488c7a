//! NumPy files.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::whole::Whole;
use crate::data::readers;

/// Writes f64 values in C order to a file of its own.
///
/// # Errors
/// [`Failure::Unwritable`] when there is no place for it.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f64]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = Whole::create(path)?;
        readers::write_npy(&mut file, shape, values)?;
        file.finish()
    };
    write().map_err(|source| Failure::unwritable("--out", path, &source))
}
