//! The header of an array: what it holds, in which order, and where its entries begin.
//!
//! It is parsed strictly: it has three keys, and nothing in it is trusted before it has been compared
//! with the number of bytes that follow.

use super::super::part::{bad, empty};
use crate::data::labels::quote;
use crate::error::Result;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// UTF-32.
    Unicode,
    /// ASCII or UTF-8.
    Bytes,
}

/// The header of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes per entry.
    pub(super) size: usize,
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
    /// The start of the entries.
    pub(super) start: usize,
    /// Bytes of the whole file.
    pub(super) length: usize,
}

/// The error of an array that is not what the format says.
pub(super) fn malformed(source: &str, what: impl Into<String>) -> crate::Error {
    bad(
        source,
        None,
        None,
        what,
        "write the array again with numpy.save",
    )
}

/// The longest header that is read; NumPy's own default limit is smaller.
pub(in super::super) const LONGEST_HEADER: usize = 64 * 1024;

/// The header at the start of `bytes`; what follows it is not looked at.
///
/// # Errors
/// [`crate::Error::Data`] when the bytes do not begin with the header of an array that can be read.
pub(super) fn parse_header(bytes: &[u8], source: &str) -> Result<Header> {
    if bytes.is_empty() {
        return Err(empty(source, "give a file that numpy.save wrote"));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(bad(
            source,
            None,
            None,
            "this is not an .npy file: its magic number is missing",
            "write it with numpy.save, or name its format (--data-format)",
        ));
    }
    let cut = || malformed(source, "the file ends inside its header");
    let version = *bytes.get(MAGIC.len()).ok_or_else(cut)?;
    let (text_start, text_length) = match version {
        1 => {
            let length = bytes.get(8..10).ok_or_else(cut)?;
            (10, usize::from(u16::from_le_bytes([length[0], length[1]])))
        }
        2 | 3 => {
            let length = bytes.get(8..12).ok_or_else(cut)?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            (12, length as usize)
        }
        _ => {
            return Err(malformed(
                source,
                format!("version {version} of the format is not known"),
            ));
        }
    };
    if text_length > LONGEST_HEADER {
        return Err(malformed(
            source,
            format!("its header declares {text_length} bytes of itself"),
        ));
    }
    let start = text_start + text_length;
    let text = bytes.get(text_start..start).ok_or_else(cut)?;
    let text = std::str::from_utf8(text)
        .map_err(|_| malformed(source, "the header is not text in UTF-8"))?;
    let fields = Fields::parse(text).ok_or_else(|| {
        malformed(
            source,
            "the header is not a dictionary of descr, fortran_order and shape",
        )
    })?;
    let (kind, size, big_endian) = parse_type(&fields.descr, source)?;
    let length = fields
        .shape
        .iter()
        .try_fold(size, |bytes, &extent| bytes.checked_mul(extent))
        .and_then(|bytes| bytes.checked_add(start))
        .ok_or_else(|| {
            malformed(
                source,
                format!("the shape {:?} is larger than any memory", fields.shape),
            )
        })?;
    Ok(Header {
        kind,
        size,
        big_endian,
        fortran_order: fields.fortran_order,
        shape: fields.shape,
        start,
        length,
    })
}

/// `<f8` and the like as (kind, bytes, big endian).
fn parse_type(descr: &str, source: &str) -> Result<(Kind, usize, bool)> {
    let unsupported = |what: &str, remedy: &str| {
        bad(
            source,
            None,
            None,
            format!("the entries are {what} (dtype {})", quote(descr)),
            remedy,
        )
    };
    let convert = "convert the array with astype(float) and save it again";
    let mut characters = descr.chars();
    let big_endian = match characters.next() {
        Some('<' | '|' | '=') => false,
        Some('>') => true,
        _ => return Err(unsupported("of no known type", convert)),
    };
    let letter = characters.next();
    let size = characters.as_str();
    let kind = match (letter, size) {
        (Some('b'), "1") => Kind::Bool,
        (Some('i'), "1" | "2" | "4" | "8") => Kind::Signed,
        (Some('u'), "1" | "2" | "4" | "8") => Kind::Unsigned,
        (Some('f'), "4" | "8") => Kind::Float,
        (Some('U'), _) => Kind::Unicode,
        (Some('S' | 'a'), _) => Kind::Bytes,
        (Some('O'), _) => {
            return Err(unsupported(
                "Python objects, which only Python can read",
                "convert the array with astype(float), or astype(str) for labels, and save it again",
            ));
        }
        (Some('c'), _) => return Err(unsupported("complex numbers", "save the real part")),
        (Some('f'), _) => {
            return Err(unsupported("floats of another width than 4 or 8", convert));
        }
        (Some('m' | 'M'), _) => return Err(unsupported("dates or times", convert)),
        (Some('V'), _) => return Err(unsupported("structures", convert)),
        _ => return Err(unsupported("of no known type", convert)),
    };
    let width = if kind == Kind::Unicode { 4 } else { 1 };
    let size = size
        .parse::<usize>()
        .ok()
        .filter(|&size| size > 0)
        .and_then(|size| size.checked_mul(width))
        .ok_or_else(|| unsupported("of no known size", convert))?;
    Ok((kind, size, big_endian))
}

/// The header's dictionary.
#[derive(Debug, Default, PartialEq)]
struct Fields {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Fields {
    /// Parses `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`; keys in any order.
    fn parse(text: &str) -> Option<Self> {
        let mut at = Cursor(text.trim());
        at.take('{')?;
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while at.take('}').is_none() {
            let key = at.string()?;
            at.take(':')?;
            match key {
                "descr" => descr = Some(at.description()?),
                "fortran_order" => fortran_order = Some(at.boolean()?),
                "shape" => shape = Some(at.tuple()?),
                _ => return None,
            }
            if at.take(',').is_none() {
                at.take('}')?;
                break;
            }
        }
        at.0.is_empty().then_some(())?;
        Some(Self {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }
}

/// The rest of a header's text; spaces between tokens are skipped.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, token: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?.trim_start();
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = self.0.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = self.0[1..].split_once(quote)?;
        self.0 = rest.trim_start();
        Some(text)
    }

    /// The type as text; a structured type, which is a list, as `|V`.
    fn description(&mut self) -> Option<String> {
        if !self.0.starts_with('[') {
            return self.string().map(str::to_string);
        }
        let end = self.0.rfind(']')?;
        self.0 = self.0[end + 1..].trim_start();
        Some("|V".to_string())
    }

    fn boolean(&mut self) -> Option<bool> {
        for (text, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(text) {
                self.0 = rest.trim_start();
                return Some(value);
            }
        }
        None
    }

    /// `()`, `(3,)`, `(3, 4)`; Python 2 wrote `3L`.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        self.take('(')?;
        let mut extents = Vec::new();
        while self.take(')').is_none() {
            let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
            extents.push(self.0[..digits].parse().ok()?);
            let rest = &self.0[digits..];
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if self.take(',').is_none() {
                self.take(')')?;
                break;
            }
        }
        Some(extents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_dictionaries_are_parsed_strictly() {
        let parse = |text: &str| Fields::parse(text).map(|f| (f.descr, f.fortran_order, f.shape));
        let expected = Some(("<f8".to_string(), true, vec![3, 4]));
        for text in [
            "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }   \n",
            "{\"shape\":(3L,4L),\"fortran_order\":True,\"descr\":\"<f8\"}",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for (shape, extents) in [("()", vec![]), ("(7,)", vec![7])] {
            let text = format!("{{'descr': '|b1', 'fortran_order': False, 'shape': {shape}}}");
            assert_eq!(parse(&text).unwrap().2, extents);
        }
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f8', 'fortran_order': True}",
            "{'descr': '<f8', 'fortran_order': 1, 'shape': ()}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (-1,)}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (1,), 'more': 1}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (1,)} {}",
            "{'descr': '<f8, 'fortran_order': True, 'shape': (1,)}",
            "{'descr' '<f8'}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
