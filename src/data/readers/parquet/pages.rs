//! The sizes that the headers of pages declare, before a decoder takes memory for them.
//!
//! A header is a structure of Thrift's compact protocol, which the crate `parquet` reads only together with its page.

use ::parquet::basic::Compression;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

/// Bytes by which a small page may be larger than its compression can explain.
const SLACK: i64 = 1024;

/// Bytes that are looked at for a header; statistics may make it longer.
const HEADER: usize = 256;

/// Deepest nesting of structures in a header.
const DEEPEST: usize = 16;

/// Refuses a column in which a page is declared larger than the column, or than its compression can make of the
/// bytes that are there.
///
/// # Errors
/// [`ParquetError`] when a page is, or a header is damaged.
pub(super) fn check(file: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<()> {
    let (start, length) = column.byte_range();
    let end = start.saturating_add(length).min(file.len());
    let expansion = most_expansion(column.compression());
    let mut at = start;
    while at < end {
        let (header, length) = header_at(file, at, end)?;
        let most = header.compressed.saturating_mul(expansion);
        let is_possible = (0..=column.uncompressed_size()).contains(&header.uncompressed)
            && header.uncompressed <= most.saturating_add(SLACK);
        if !is_possible {
            return Err(ParquetError::General(format!(
                "a page of {} bytes declares {} bytes of {} in its column",
                header.compressed,
                header.uncompressed,
                column.uncompressed_size()
            )));
        }
        let page = u64::try_from(header.compressed).map_err(|_| damaged())?;
        at = at.saturating_add(length as u64).saturating_add(page);
    }
    Ok(())
}

/// Bytes that one compressed byte may stand for.
fn most_expansion(compression: Compression) -> i64 {
    match compression {
        Compression::UNCOMPRESSED => 1,
        // 64 bytes are copied by three.
        Compression::SNAPPY => 22,
        // A length grows by 255 with each byte.
        Compression::LZ4 | Compression::LZ4_RAW => 255,
        // 258 bytes by two bits.
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB by four bytes.
        _ => 32_768,
    }
}

/// The sizes of a page in bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sizes {
    uncompressed: i64,
    compressed: i64,
}

/// The sizes that the header at a place declares, and its own length.
fn header_at(file: &impl ChunkReader, at: u64, end: u64) -> Result<(Sizes, usize)> {
    let most = usize::try_from(end - at).map_err(|_| damaged())?;
    let mut count = HEADER.min(most);
    loop {
        let bytes = file.get_bytes(at, count)?;
        let mut left = bytes.as_ref();
        match sizes(&mut left) {
            Some(found) => return Ok((found, count - left.len())),
            None if count < most => count = count.saturating_mul(8).min(most),
            None => return Err(damaged()),
        }
    }
}

fn damaged() -> ParquetError {
    ParquetError::General("the header of a page is damaged".into())
}

/// The sizes in a header, which is taken from the bytes; none where it does not end in them.
fn sizes(bytes: &mut &[u8]) -> Option<Sizes> {
    let mut found = Sizes::default();
    let mut number = 0;
    while let Some(kind) = field(bytes, &mut number)? {
        match (number, kind) {
            (2, I32) => found.uncompressed = whole(bytes)?,
            (3, I32) => found.compressed = whole(bytes)?,
            _ => skip(bytes, kind, 0)?,
        }
    }
    Some(found)
}

const I32: u8 = 5;

/// The kind of the next field, whose number follows the last one; within, none at the end of the structure.
fn field(bytes: &mut &[u8], number: &mut i64) -> Option<Option<u8>> {
    let byte = next(bytes)?;
    if byte == 0 {
        return Some(None);
    }
    *number = match byte >> 4 {
        0 => whole(bytes)?,
        step => number.checked_add(i64::from(step))?,
    };
    Some(Some(byte & 15))
}

fn skip(bytes: &mut &[u8], kind: u8, depth: usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match kind {
        // True and False as fields are their kind.
        1 | 2 => Some(()),
        3 => next(bytes).map(|_| ()),
        4..=6 => variable(bytes).map(|_| ()),
        7 => skip_bytes(bytes, 8),
        8 => {
            let length = variable(bytes)?;
            skip_bytes(bytes, usize::try_from(length).ok()?)
        }
        9 | 10 => {
            let byte = next(bytes)?;
            let count = match byte >> 4 {
                15 => variable(bytes)?,
                count => u64::from(count),
            };
            (0..count).try_for_each(|_| skip_element(bytes, byte & 15, depth + 1))
        }
        11 => {
            let count = variable(bytes)?;
            let kinds = if count == 0 { 0 } else { next(bytes)? };
            (0..count).try_for_each(|_| {
                skip_element(bytes, kinds >> 4, depth + 1)?;
                skip_element(bytes, kinds & 15, depth + 1)
            })
        }
        12 => {
            let mut number = 0;
            while let Some(kind) = field(bytes, &mut number)? {
                skip(bytes, kind, depth + 1)?;
            }
            Some(())
        }
        _ => None,
    }
}

/// An element of a list, where True and False take a byte.
fn skip_element(bytes: &mut &[u8], kind: u8, depth: usize) -> Option<()> {
    match kind {
        1 | 2 => next(bytes).map(|_| ()),
        _ => skip(bytes, kind, depth),
    }
}

fn next(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

fn skip_bytes(bytes: &mut &[u8], count: usize) -> Option<()> {
    *bytes = bytes.get(count..)?;
    Some(())
}

/// A number of seven bits a byte.
fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = next(bytes)?;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

/// A number whose sign is its last bit.
fn whole(bytes: &mut &[u8]) -> Option<i64> {
    let value = variable(bytes)?;
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_their_structures_do() {
        // A page of data of 300 bytes, 150 compressed, with statistics of a text and a flag, and a list at the end.
        let statistics = [0x18, 2, b'a', b'b', 0x11, 0];
        let mut header = vec![0x15, 0, 0x15, 0xd8, 4, 0x15, 0xac, 2, 0x2c, 0x15, 6, 0x2c];
        header.extend(statistics);
        header.extend([0, 0x49, 0x21, 1, 2, 0, 7, 7]);
        let mut left = header.as_slice();
        let expected = Sizes {
            uncompressed: 300,
            compressed: 150,
        };
        assert_eq!(sizes(&mut left), Some(expected));
        assert_eq!(left, [7, 7]);
        for count in 0..header.len() - 2 {
            assert_eq!(sizes(&mut &header[..count]), None, "{count}");
        }
    }
}
