//! Arrays of f64 in NumPy's format, one a file: a program's own results.

use std::io::{self, Write};
use std::path::Path;

use super::dataset::Labels;
use super::readers::npy;
use crate::error::{Error, Place, Result};

/// An array of f64 in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The extents.
    pub shape: Vec<usize>,
    /// The entries: as many as the product of the extents.
    pub values: Vec<f64>,
}

/// Reads a file with an array of finite numbers, of any number type and either order.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Data`] when it is no such array.
pub fn read(path: &Path) -> Result<Array> {
    let array = npy::read(path)?;
    match array.values {
        Labels::Numbers(values) => Ok(Array {
            shape: array.shape,
            values,
        }),
        Labels::Text(_) => Err(Error::Data {
            place: Place {
                source: path.display().to_string(),
                ..Place::default()
            },
            what: "the entries are text".into(),
            remedy: "give an array of numbers".into(),
        }),
    }
}

/// Magic number, version and header together fill a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Writes f64 values in C order, with their header.
///
/// # Errors
/// Those of the writer.
pub fn write<'a>(
    writer: &mut impl Write,
    shape: &[usize],
    values: impl IntoIterator<Item = &'a f64>,
) -> io::Result<()> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({extents}), }}").into_bytes();
    let bytes = (npy::MAGIC.len() + 4 + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.resize(bytes - npy::MAGIC.len() - 4 - 1, b' ');
    header.push(b'\n');
    let length = u16::try_from(header.len()).map_err(io::Error::other)?;
    writer.write_all(npy::MAGIC)?;
    writer.write_all(&[1, 0])?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(&header)?;
    for value in values {
        writer.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_reads_what_is_written() {
        for shape in [&[][..], &[3], &[2, 3], &[2, 3, 4], &[0, 5]] {
            let count = shape.iter().product();
            let values: Vec<f64> = (0..count).map(|at| 0.1 * at as f64 - 1.0).collect();
            let mut bytes = Vec::new();
            write(&mut bytes, shape, &values).unwrap();
            let array = npyz::NpyFile::new(&bytes[..]).unwrap();
            let extents: Vec<usize> = array.shape().iter().map(|&n| n as usize).collect();
            assert_eq!(extents, shape);
            assert_eq!(array.into_vec::<f64>().unwrap(), values);
            assert_eq!((bytes.len() - 8 * count) % ALIGNMENT, 0);
        }
    }

    #[test]
    fn arrays_are_read_in_c_order_whatever_their_own_is() {
        use npyz::WriterBuilder;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        // As numpy.arange(12).reshape(2, 3, 2).flatten(order="F").
        let turned = [0., 6., 2., 8., 4., 10., 1., 7., 3., 9., 5., 11.];
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[2, 3, 2])
            .order(npyz::Order::Fortran)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(turned).unwrap();
        writer.finish().unwrap();
        std::fs::write(&path, bytes).unwrap();
        let array = read(&path).unwrap();
        assert_eq!(array.shape, [2, 3, 2]);
        assert_eq!(array.values, (0..12).map(f64::from).collect::<Vec<f64>>());
    }
}
