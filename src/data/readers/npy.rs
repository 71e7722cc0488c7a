//! NumPy's array format: a magic number, a header that is the literal of a Python dictionary, and
//! the raw entries.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::array::{Array, EXACT};
use super::options::Format;
use super::part::check_length;
use super::{access, foreign};
use crate::data::dataset::Labels;
use crate::error::Result;

mod header;

use header::{Header, Kind, MAGIC, malformed, parse_header};

pub(super) use header::LONGEST_HEADER;

/// The array in `bytes`, in C order.
///
/// # Errors
/// [`crate::Error::Data`] when the bytes are not one array of finite numbers, or of text.
pub(super) fn parse(bytes: &[u8], source: &str, keep_missing: bool) -> Result<Array> {
    let header = parse_header(bytes, source)?;
    let remedy = if bytes.len() < header.length {
        "the file is cut off: copy or write it again"
    } else {
        "give a file with one array: the rest is not read"
    };
    check_length(source, bytes.len(), header.length, remedy)?;
    let entries = &bytes[header.start..];
    let mut values = decode(entries, &header, source)?;
    let mut exact = exact(entries, &header, &values);
    if header.fortran_order {
        values = match values {
            Labels::Numbers(values) => Labels::Numbers(in_c_order(&values, &header.shape)),
            Labels::Text(values) => Labels::Text(in_c_order(&values, &header.shape)),
        };
        exact = exact.map(|texts| in_c_order(&texts, &header.shape));
    }
    let array = Array {
        shape: header.shape,
        values,
        exact,
    };
    array.check_finite(source, keep_missing)?;
    Ok(array)
}

/// The array in a file, in C order.
///
/// # Errors
/// [`crate::Error::Io`], and those of [`parse`].
pub(super) fn read(path: &Path, keep_missing: bool) -> Result<Array> {
    let source = path.display().to_string();
    let unreadable = |e| access::unreadable(path, e);
    access::check_memory(path)?;
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let start = (LONGEST_HEADER + 12) as u64;
    (&mut file)
        .take(start)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    foreign::check(&bytes, Format::Npy, &source)?;
    let header = parse_header(&bytes, &source)?;
    let is_native = (header.kind, header.size) == (Kind::Float, 8)
        && header.big_endian == cfg!(target_endian = "big")
        && !header.fortran_order;
    let length = file.metadata().map_err(unreadable)?.len();
    if !is_native || length != header.length as u64 {
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        return parse(&bytes, &source, keep_missing);
    }
    let count = (header.length - header.start) / size_of::<f64>();
    // Memory that the system does not give is an error here, and would end the program below.
    Vec::<f64>::new()
        .try_reserve_exact(count)
        .map_err(|e| unreadable(std::io::Error::new(std::io::ErrorKind::OutOfMemory, e)))?;
    // Into its place at once: memory that is new costs more than reading.
    let mut values = vec![0.0f64; count];
    let place: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
    let (first, rest) = place.split_at_mut(bytes.len() - header.start);
    first.copy_from_slice(&bytes[header.start..]);
    read_in_parts(&file, bytes.len() as u64, rest).map_err(unreadable)?;
    let array = Array {
        shape: header.shape,
        values: Labels::Numbers(values),
        exact: None,
    };
    array.check_finite(&source, keep_missing)?;
    Ok(array)
}

/// Bytes from which a second reader pays.
const LARGE: usize = 4 << 20;

/// Fills `place` from `position` of a file on; a large one by two threads, since copying is most of
/// the work. Both read from one handle: another file that takes its name meanwhile is not mixed in.
fn read_in_parts(file: &File, position: u64, place: &mut [u8]) -> std::io::Result<()> {
    if place.len() < LARGE {
        return read_at(file, position, place);
    }
    let middle = place.len() / 2;
    let (low, high) = place.split_at_mut(middle);
    let (own, other) = rayon::join(
        || read_at(file, position, low),
        || read_at(file, position + middle as u64, high),
    );
    own.and(other)
}

#[cfg(unix)]
fn read_at(file: &File, position: u64, place: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, place, position)
}

#[cfg(windows)]
fn read_at(file: &File, mut position: u64, mut place: &mut [u8]) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !place.is_empty() {
        match file.seek_read(place, position)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                position += count as u64;
                place = &mut place[count..];
            }
        }
    }
    Ok(())
}

/// Bytes of the file that starts with `prefix`, as its header declares them.
///
/// # Errors
/// As [`parse`].
pub(super) fn declared_length(prefix: &[u8], source: &str) -> Result<usize> {
    Ok(parse_header(prefix, source)?.length)
}

/// The entries in the order of the file.
fn decode(bytes: &[u8], header: &Header, source: &str) -> Result<Labels> {
    /// All entries of one type in the file's byte order.
    macro_rules! numbers {
        ($type:ty) => {{
            const SIZE: usize = size_of::<$type>();
            let (entries, _) = bytes.as_chunks::<SIZE>();
            // Two loops, so that neither calls a function per entry.
            let numbers: Vec<f64> = if header.big_endian {
                entries
                    .iter()
                    .map(|entry| <$type>::from_be_bytes(*entry) as f64)
                    .collect()
            } else {
                entries
                    .iter()
                    .map(|entry| <$type>::from_le_bytes(*entry) as f64)
                    .collect()
            };
            Labels::Numbers(numbers)
        }};
    }
    Ok(match (header.kind, header.size) {
        (Kind::Bool, _) => {
            Labels::Numbers(bytes.iter().map(|&b| f64::from(u8::from(b != 0))).collect())
        }
        (Kind::Signed, 1) => numbers!(i8),
        (Kind::Signed, 2) => numbers!(i16),
        (Kind::Signed, 4) => numbers!(i32),
        (Kind::Signed, _) => numbers!(i64),
        (Kind::Unsigned, 1) => numbers!(u8),
        (Kind::Unsigned, 2) => numbers!(u16),
        (Kind::Unsigned, 4) => numbers!(u32),
        (Kind::Unsigned, _) => numbers!(u64),
        (Kind::Float, 4) => numbers!(f32),
        (Kind::Float, _) => numbers!(f64),
        (Kind::Unicode | Kind::Bytes, _) => {
            let texts = bytes
                .chunks_exact(header.size)
                .enumerate()
                .map(|(i, entry)| {
                    text_of(entry, header).ok_or_else(|| {
                        malformed(source, format!("entry {} is not valid text", i + 1))
                    })
                })
                .collect::<Result<_>>()?;
            Labels::Text(texts)
        }
    })
}

/// The text of a fixed-width entry, without the zeros that fill it.
fn text_of(entry: &[u8], header: &Header) -> Option<String> {
    let text = if header.kind == Kind::Bytes {
        std::str::from_utf8(entry).ok()?.to_string()
    } else {
        entry
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&code| {
                char::from_u32(if header.big_endian {
                    u32::from_be_bytes(code)
                } else {
                    u32::from_le_bytes(code)
                })
            })
            .collect::<Option<String>>()?
    };
    Some(text.trim_end_matches('\0').to_string())
}

/// The entries as text, where they are whole numbers and one is too large for f64 to be exact.
fn exact(bytes: &[u8], header: &Header, values: &Labels) -> Option<Vec<String>> {
    let Labels::Numbers(values) = values else {
        return None;
    };
    if header.size < 8 || values.iter().all(|value| value.abs() < EXACT) {
        return None;
    }
    let whole = |entry: &[u8; 8]| match (header.kind, header.big_endian) {
        (Kind::Signed, false) => Some(i64::from_le_bytes(*entry).to_string()),
        (Kind::Signed, true) => Some(i64::from_be_bytes(*entry).to_string()),
        (Kind::Unsigned, false) => Some(u64::from_le_bytes(*entry).to_string()),
        (Kind::Unsigned, true) => Some(u64::from_be_bytes(*entry).to_string()),
        _ => None,
    };
    bytes.as_chunks::<8>().0.iter().map(whole).collect()
}

/// Values whose first index runs fastest, as values whose last one does.
fn in_c_order<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
    if let &[rows, columns] = shape {
        let row = |i: usize| (0..columns).map(move |j| values[j * rows + i].clone());
        return (0..rows).flat_map(row).collect();
    }
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &extent in shape {
        strides.push(stride);
        stride *= extent;
    }
    let place = |mut at: usize| {
        let mut place = 0;
        for (&extent, stride) in shape.iter().zip(&strides).rev() {
            place += at % extent * stride;
            at /= extent;
        }
        place
    };
    (0..values.len())
        .map(|at| values[place(at)].clone())
        .collect()
}

/// The extents and the numbers, in C order, of a file with one array.
///
/// # Errors
/// [`crate::Error::Io`], and [`crate::Error::Data`] when the file is not one array of finite numbers.
pub fn read_npy(path: &Path) -> Result<(Vec<usize>, Vec<f64>)> {
    let Array { shape, values, .. } = read(path, false)?;
    match values {
        Labels::Numbers(values) => Ok((shape, values)),
        Labels::Text(_) => {
            let source = path.display().to_string();
            Err(malformed(&source, "the array holds texts"))
        }
    }
}

/// Writes numbers in C order, with their header.
///
/// # Errors
/// Those of the writer.
pub fn write_npy<'a>(
    out: &mut impl Write,
    shape: &[usize],
    values: impl IntoIterator<Item = &'a f64>,
) -> std::io::Result<()> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    // A tuple of one has a comma, of several none is needed at the end.
    let extents = extents.strip_suffix(if shape.len() > 1 { ", " } else { " " });
    let extents = extents.unwrap_or_default();
    let dictionary = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic number, version and length take ten bytes; the entries begin at a multiple of 64.
    let length = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&(length as u16).to_le_bytes())?;
    writeln!(out, "{dictionary:<width$}", width = length - 1)?;
    let mut part = Vec::with_capacity(8 * PART);
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        part.clear();
        part.extend(
            values
                .by_ref()
                .take(PART)
                .flat_map(|value| value.to_le_bytes()),
        );
        out.write_all(&part)?;
    }
    Ok(())
}

/// Numbers that are written at once.
const PART: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_any_order_of_the_axes() {
        let values: Vec<f64> = (0..12).map(|v| f64::from(v) / 7.0).collect();
        for shape in [&[12][..], &[3, 4], &[2, 3, 2], &[12, 1]] {
            let mut bytes = Vec::new();
            write_npy(&mut bytes, shape, &values).unwrap();
            assert_eq!((bytes.len() - 12 * 8) % 64, 0);
            let array = parse(&bytes, "a", false).unwrap();
            assert_eq!(array.shape, shape);
            assert_eq!(array.values, Labels::Numbers(values.clone()));
        }
        // numpy.arange(8).reshape(2, 2, 2).flatten(order="F")
        let turned = [0, 4, 2, 6, 1, 5, 3, 7];
        assert_eq!(in_c_order(&turned, &[2, 2, 2]), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_file_that_another_one_replaces_is_read_from_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("X.npy");
        let other = folder.path().join("other.npy");
        let count = LARGE / 8 + 5;
        let write = |path: &Path, value: f64| {
            let bytes: Vec<u8> = (0..count).flat_map(|_| value.to_le_bytes()).collect();
            std::fs::write(path, bytes).unwrap();
        };
        write(&path, 1.0);
        write(&other, 2.0);
        let file = File::open(&path).unwrap();
        std::fs::rename(&other, &path).unwrap();
        let mut values = vec![0.0f64; count];
        read_in_parts(&file, 0, bytemuck::cast_slice_mut(&mut values)).unwrap();
        assert!(values.iter().all(|&value| value == 1.0));
    }

    #[test]
    fn large_files_are_read_whole_by_two_readers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.npy");
        // An odd number of entries, so that the middle falls inside one.
        let count = LARGE / 4 + 4097;
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},), }}");
        let write = |values: &[f64], bytes: usize| {
            let mut text = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes()[..]].concat();
            text.extend_from_slice(header.as_bytes());
            text.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            text.truncate(text.len() - bytes);
            std::fs::write(&path, text).unwrap();
        };
        let mut values: Vec<f64> = (0..count).map(|at| at as f64).collect();
        write(&values, 0);
        assert_eq!(
            read(&path, false).unwrap().values,
            Labels::Numbers(values.clone())
        );
        write(&values, 8);
        assert!(
            read(&path, false)
                .unwrap_err()
                .to_string()
                .contains("cut off")
        );
        values[count - 2] = f64::NAN;
        write(&values, 0);
        let message = read(&path, false).unwrap_err().to_string();
        assert!(
            message.contains(&format!("row {} is NaN", count - 1)),
            "{message}"
        );
    }
}
