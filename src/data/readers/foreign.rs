//! Files of foreign formats, recognised by their first bytes, so that the message can say
//! what a file is.

use super::idx;
use super::options::Format;
use super::part::bad;
use crate::error::{Error, Result};

/// First bytes that tell what a file is.
pub(super) const ENOUGH: u64 = 4096;

const EXPORT: &str = "export the table as CSV, or save it with numpy.save";

/// (first bytes, what the file is, remedy), of files that are not text.
const MAGIC: [(&[u8], &str, &str); 16] = [
    (
        PARQUET,
        "a Parquet file",
        "name its format: --data-format parquet",
    ),
    (
        b"PARE",
        "an encrypted Parquet file",
        "write it without encryption",
    ),
    (b"ARROW1", "an Arrow or Feather file", EXPORT),
    (b"FEA1", "a Feather file", EXPORT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"MATLAB 5.0", "a MATLAB file", EXPORT),
    (b"%PDF", "a PDF document", EXPORT),
    (
        b"\xd0\xcf\x11\xe0",
        "a workbook or document of old Office programs (.xls)",
        EXPORT,
    ),
    (
        b"RDX",
        "a file of R objects",
        "write the table with write.csv",
    ),
    (b"BZh", "compressed by bzip2", "decompress the file first"),
    (
        b"\xfd7zXZ\0",
        "compressed by xz",
        "decompress the file first",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed by Zstandard",
        "decompress the file first",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7-Zip archive",
        "extract the file first",
    ),
    (b"Rar!", "a RAR archive", "extract the file first"),
    (b"\x7fELF", "a program", "check the path"),
];

/// First bytes of Parquet files.
pub(super) const PARQUET: &[u8] = b"PAR1";
const NPY: &[u8] = b"\x93NUMPY";
const ZIP: &[u8] = b"PK\x03\x04";

/// Refuses bytes that are known not to be of the format.
///
/// # Errors
/// [`Error::Data`] that says what they are.
pub(super) fn check(bytes: &[u8], format: Format, source: &str) -> Result<()> {
    let own = match format {
        Format::Csv | Format::Libsvm => false,
        Format::Npy => bytes.starts_with(NPY),
        // A workbook is a zip archive too.
        Format::Npz => bytes.starts_with(ZIP) && !is_workbook(bytes),
        Format::Idx => bytes.starts_with(&idx::GZIP) || idx::is_magic(bytes),
        Format::Parquet => bytes.starts_with(PARQUET),
    };
    if own {
        return Ok(());
    }
    let start = &bytes[..bytes.len().min(ENOUGH as usize)];
    if let Some(error) = recognised(if format == Format::Npz { bytes } else { start }, source) {
        return Err(error);
    }
    let is_text = matches!(format, Format::Csv | Format::Libsvm);
    let known = match is_text {
        _ if start.starts_with(&idx::GZIP) => {
            Some(("compressed by gzip", "decompress the file first"))
        }
        true if start.starts_with(NPY) => {
            Some(("a NumPy array", "name its format: --data-format npy"))
        }
        true if start.starts_with(ZIP) && start.windows(4).any(|w| w == b".npy") => Some((
            "an archive of NumPy arrays",
            "name its format: --data-format npz",
        )),
        true if start.starts_with(ZIP) => Some(("a zip archive", "extract the file first")),
        true if idx::is_magic(start) => Some(("an IDX file", "name its format: --data-format idx")),
        _ if format == Format::Parquet => Some((
            "no Parquet file, which begins with the letters PAR1",
            "name its format (--data-format)",
        )),
        true if start.contains(&0) => Some(("binary data, and not text", EXPORT)),
        _ => None,
    };
    known.map_or(Ok(()), |(what, remedy)| Err(refused(source, what, remedy)))
}

/// The error that says what the bytes are, where they are of no format that is read.
pub(super) fn recognised(start: &[u8], source: &str) -> Option<Error> {
    let refuse = |what: &str, remedy: &str| Some(refused(source, what, remedy));
    if start.starts_with(b"version https://git-lfs") {
        return refuse(
            "a pointer of Git LFS, and not the file itself",
            "fetch the file with git lfs pull",
        );
    }
    // A table may begin with the same letters.
    let is_binary = start.iter().any(|&byte| byte < b'\t' || byte == 0x7f);
    let is_meant = |(magic, ..): &&(&[u8], &str, &str)| {
        start.starts_with(magic) && (is_binary || !magic.is_ascii())
    };
    if let Some((_, what, remedy)) = MAGIC.iter().find(is_meant) {
        return refuse(what, remedy);
    }
    if is_workbook(start) {
        return refuse("an Excel or OpenDocument workbook", EXPORT);
    }
    // The pickle protocols 2 to 5.
    if matches!(start, [0x80, 2..=5, ..]) {
        return refuse("a pickle of Python, which only Python can read", EXPORT);
    }
    if is_utf16(start) {
        return Some(bad(
            source,
            None,
            None,
            "the text is encoded as UTF-16",
            "save it as UTF-8",
        ));
    }
    let text = start
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(start)
        .trim_ascii_start();
    let begins = |tag: &str| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    };
    if ["<!doctype html", "<html", "<head", "<body", "<table"]
        .iter()
        .any(|tag| begins(tag))
    {
        return refuse(
            "a web page (HTML), and not a data file",
            "download the file itself and not the page that shows it",
        );
    }
    if begins("<?xml") {
        return refuse("an XML document", EXPORT);
    }
    if ["{\"", "{\n", "[{", "[["].iter().any(|start| begins(start)) {
        return refuse("JSON", EXPORT);
    }
    None
}

fn refused(source: &str, what: &str, remedy: &str) -> Error {
    bad(source, None, None, format!("the file is {what}"), remedy)
}

/// True for the zip archives of Excel and OpenDocument.
fn is_workbook(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(ENOUGH as usize)];
    let names: [&[u8]; 4] = [
        b"[Content_Types].xml",
        b"xl/workbook",
        b"xl/worksheets",
        b"mimetypeapplication/vnd.oasis",
    ];
    start.starts_with(ZIP)
        && names
            .iter()
            .any(|name| start.windows(name.len()).any(|w| w == *name))
}

/// True for text with a mark of UTF-16, or with zeros in every other byte.
fn is_utf16(start: &[u8]) -> bool {
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let looked_at = &start[..start.len().min(64) & !1];
    let is_text = |zero: usize| {
        let is_letter = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
        let mut pairs = looked_at.chunks_exact(2);
        pairs.all(|pair| pair[zero] == 0 && is_letter(pair[1 - zero]))
    };
    looked_at.len() >= 8 && (is_text(0) || is_text(1))
}
