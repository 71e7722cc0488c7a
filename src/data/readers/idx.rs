//! IDX, the format of MNIST: two zero bytes, the type, the number of dimensions, the extents as
//! 32-bit big-endian numbers, and the entries, big-endian. Also compressed by gzip.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::array::Array;
use super::part::{bad, check_length};
use crate::data::dataset::Labels;
use crate::error::{Error, Result};

/// The first two bytes of a gzip stream.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// No header is longer: 4 bytes, and 4 for each of at most 255 extents.
const LONGEST_HEADER: usize = 4 + 4 * 255;

/// True for the first bytes of an IDX file.
pub(super) fn is_magic(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 0x08 | 0x09 | 0x0b..=0x0e, extents, ..] if *extents > 0)
}

/// The array in `bytes`.
///
/// # Errors
/// [`Error::Data`] when the bytes are not one array of finite numbers.
pub(super) fn parse(bytes: &[u8], source: &str) -> Result<Array> {
    let bytes = if bytes.starts_with(&GZIP) {
        Cow::Owned(decompress(bytes, source)?)
    } else {
        Cow::Borrowed(bytes)
    };
    let header = Header::parse(&bytes, source)?;
    let remedy = if bytes.len() < header.length {
        "the file is cut off: copy it again"
    } else {
        "check that it is the right file"
    };
    check_length(source, bytes.len(), header.length, remedy)?;
    let array = Array {
        values: Labels::Numbers(decode(&bytes[header.start..], header.kind)),
        shape: header.shape,
        exact: None,
    };
    array.check_finite(source, false)?;
    Ok(array)
}

/// The contents of a gzip stream, never more than one byte past what their own header declares.
fn decompress(bytes: &[u8], source: &str) -> Result<Vec<u8>> {
    let corrupt = |e: std::io::Error| {
        bad(
            source,
            None,
            None,
            format!("the gzip stream cannot be decompressed: {e}"),
            "copy the file again",
        )
    };
    let mut stream = MultiGzDecoder::new(bytes);
    let mut contents = Vec::new();
    stream
        .by_ref()
        .take(LONGEST_HEADER as u64)
        .read_to_end(&mut contents)
        .map_err(corrupt)?;
    let declared = Header::parse(&contents, source)?.length;
    let rest = declared.saturating_sub(contents.len()) as u64;
    stream
        .take(rest.saturating_add(1))
        .read_to_end(&mut contents)
        .map_err(corrupt)?;
    Ok(contents)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

struct Header {
    kind: Kind,
    shape: Vec<usize>,
    /// The start of the entries.
    start: usize,
    /// Bytes of the whole file.
    length: usize,
}

impl Header {
    fn parse(bytes: &[u8], source: &str) -> Result<Self> {
        let malformed = |what: String| -> Error {
            bad(
                source,
                None,
                None,
                what,
                "give an IDX file, or name the format (--data-format)",
            )
        };
        if bytes.is_empty() {
            return Err(malformed("the file is empty".to_string()));
        }
        let &[0, 0, code, dimensions, ..] = bytes else {
            return Err(malformed(
                "this is not an IDX file: its magic number is missing".to_string(),
            ));
        };
        let (kind, size) = match code {
            0x08 => (Kind::U8, 1),
            0x09 => (Kind::I8, 1),
            0x0b => (Kind::I16, 2),
            0x0c => (Kind::I32, 4),
            0x0d => (Kind::F32, 4),
            0x0e => (Kind::F64, 8),
            _ => return Err(malformed(format!("IDX has no type 0x{code:02x}"))),
        };
        if dimensions == 0 {
            return Err(malformed("the array has no dimensions".to_string()));
        }
        let start = 4 + 4 * usize::from(dimensions);
        let extents = bytes
            .get(4..start)
            .ok_or_else(|| malformed("the file ends inside its header".to_string()))?;
        let shape: Vec<usize> = extents
            .chunks_exact(4)
            .map(|e| u32::from_be_bytes([e[0], e[1], e[2], e[3]]) as usize)
            .collect();
        let length = shape
            .iter()
            .try_fold(size, |bytes: usize, &extent| bytes.checked_mul(extent))
            .and_then(|bytes| bytes.checked_add(start))
            .ok_or_else(|| malformed(format!("the shape {shape:?} is larger than any memory")))?;
        Ok(Self {
            kind,
            shape,
            start,
            length,
        })
    }
}

fn decode(bytes: &[u8], kind: Kind) -> Vec<f64> {
    match kind {
        Kind::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
        Kind::I8 => bytes
            .iter()
            .map(|&b| f64::from(i8::from_be_bytes([b])))
            .collect(),
        Kind::I16 => numbers(bytes, |b| f64::from(i16::from_be_bytes(b))),
        Kind::I32 => numbers(bytes, |b| f64::from(i32::from_be_bytes(b))),
        Kind::F32 => numbers(bytes, |b| f64::from(f32::from_be_bytes(b))),
        Kind::F64 => numbers(bytes, f64::from_be_bytes),
    }
}

fn numbers<const SIZE: usize>(bytes: &[u8], from: impl Fn([u8; SIZE]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&b| from(b)).collect()
}
