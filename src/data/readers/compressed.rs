//! Text files that are compressed by gzip or Zstandard.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use xxhash_rust::xxh64::xxh64;

use super::access;
use super::options::Format;
use super::part::bad;
use crate::error::{Error, Result};

/// The first bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of a Zstandard frame.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The second to the fourth byte of a Zstandard frame that holds no text; the first is 0x50 to 0x5f.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The format of a text file that the name says is compressed: `data.csv.gz`.
pub(super) fn format_of(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !matches!(extension.as_str(), "gz" | "zst") {
        return None;
    }
    let inner = Path::new(path.file_stem()?).extension()?.to_str()?;
    inner.parse().ok().filter(|&format| is_text(format))
}

fn is_text(format: Format) -> bool {
    matches!(format, Format::Csv | Format::Libsvm)
}

/// The text of a file, whatever its name says about compression.
///
/// # Errors
/// [`Error::Data`] for a stream that is damaged, or whose text is larger than the machine's memory.
pub(super) fn decompressed(bytes: Vec<u8>, format: Format, source: &str) -> Result<Vec<u8>> {
    if !is_text(format) {
        return Ok(bytes);
    }
    let most = access::memory().unwrap_or(u64::MAX - 1);
    if bytes.starts_with(&GZIP) {
        let mut text = Vec::new();
        let stream = MultiGzDecoder::new(bytes.as_slice());
        append(&mut text, stream, most, "gzip", source)?;
        return Ok(text);
    }
    if bytes.starts_with(&ZSTANDARD) || is_skippable(&bytes) {
        return of_frames(&bytes, most, source);
    }
    Ok(bytes)
}

/// The text of Zstandard frames, one after the other.
fn of_frames(bytes: &[u8], most: u64, source: &str) -> Result<Vec<u8>> {
    let mut rest = bytes;
    let mut text = Vec::new();
    let fault = |why: &str| damaged("Zstandard", source, why);
    while !rest.is_empty() {
        if is_skippable(rest) {
            rest = after_skippable(rest).ok_or_else(|| fault("a frame is cut off"))?;
            continue;
        }
        let frame = StreamingDecoder::new(&mut rest);
        let mut frame = frame.map_err(|error| fault(&error.to_string()))?;
        let start = text.len();
        append(&mut text, &mut frame, most, "Zstandard", source)?;
        // A frame may have one: the last four bytes of the hash.
        let of_text = || xxh64(&text[start..], 0) as u32;
        let written = frame.decoder.get_checksum_from_data();
        if written.is_some_and(|written| written != of_text()) {
            return Err(fault("its checksum is that of another text"));
        }
    }
    Ok(text)
}

fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, rest @ ..] if rest.starts_with(&SKIPPABLE))
}

/// The bytes that follow a frame without text, whose length stands behind its first four bytes.
fn after_skippable(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.get(4..)?.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

/// Appends what a stream holds to a text of at most so many bytes.
fn append(
    text: &mut Vec<u8>,
    stream: impl Read,
    most: u64,
    name: &str,
    source: &str,
) -> Result<()> {
    let left = most.saturating_sub(text.len() as u64);
    stream
        .take(left.saturating_add(1))
        .read_to_end(text)
        .map_err(|error| damaged(name, source, &error.to_string()))?;
    if text.len() as u64 > most {
        return Err(bad(
            source,
            None,
            None,
            "the text is larger than the memory of the machine",
            "give fewer rows or columns, or use a larger machine",
        ));
    }
    Ok(())
}

fn damaged(name: &str, source: &str, why: &str) -> Error {
    bad(
        source,
        None,
        None,
        format!("the {name} stream cannot be decompressed: {why}"),
        "copy the file again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_share_one_limit() {
        let text = b"a,y\n1,2\n3,4\n".as_slice();
        let level = ruzstd::encoding::CompressionLevel::Uncompressed;
        let frames = ruzstd::encoding::compress_to_vec(text, level).repeat(2);
        let of = |most: u64| of_frames(&frames, most, "d.csv");
        assert_eq!(of(24).unwrap(), text.repeat(2));
        let message = of(23).unwrap_err().to_string();
        assert!(message.contains("larger than the memory"), "{message}");
    }
}
