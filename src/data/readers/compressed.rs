//! Text files that are compressed by gzip or Zstandard.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::access;
use super::options::Format;
use super::part::bad;
use crate::error::{Error, Result};

/// The first bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of a Zstandard frame.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

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
    if bytes.starts_with(&GZIP) {
        return text_of(MultiGzDecoder::new(bytes.as_slice()), "gzip", source);
    }
    if !bytes.starts_with(&ZSTANDARD) {
        return Ok(bytes);
    }
    let mut rest = bytes.as_slice();
    let mut text = Vec::new();
    // One frame after the other.
    while !rest.is_empty() {
        let frame = StreamingDecoder::new(&mut rest)
            .map_err(|error| damaged("Zstandard", source, &error.to_string()))?;
        let of_frame = text_of(frame, "Zstandard", source)?;
        if text.is_empty() {
            text = of_frame;
        } else {
            text.extend_from_slice(&of_frame);
        }
    }
    Ok(text)
}

fn text_of(stream: impl Read, name: &str, source: &str) -> Result<Vec<u8>> {
    let most = access::memory().unwrap_or(u64::MAX - 1);
    let mut text = Vec::new();
    stream
        .take(most.saturating_add(1))
        .read_to_end(&mut text)
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
    Ok(text)
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
