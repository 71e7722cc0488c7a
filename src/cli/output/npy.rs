//! NumPy files.

use std::io;
use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::whole::Whole;
use crate::data::npy;

/// Writes f64 values in C order to a file of its own.
///
/// # Errors
/// [`Failure::Unwritable`] when there is no place for it.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f64]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = Whole::create(path)?;
        npy::write(&mut file, shape, values)?;
        file.finish()
    };
    write().map_err(|source| Failure::unwritable("--out", path, &source))
}
