//! Faults of a text as a whole: a quote without an end, a title above the table.

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use crate::data::labels::quote;
use crate::data::readers::bad;
use crate::error::{Error, Result};

/// The number of the line that a byte is on, from 1. A line may end in \n, \r\n or \r.
pub(super) fn line_of(text: &[u8], at: usize) -> u64 {
    let ends = text[..at].iter().enumerate().filter(|&(at, &byte)| {
        byte == b'\n' || (byte == b'\r' && text.get(at + 1) != Some(&b'\n'))
    });
    ends.count() as u64 + 1
}

/// Checks that every quote that opens a field is closed where a field may end.
///
/// # Errors
/// [`Error::Data`] with the line where the quote opens.
pub(super) fn check_quotes(text: &[u8], separator: u8, columns: usize, source: &str) -> Result<()> {
    if !text.contains(&b'"') {
        return Ok(());
    }
    let unclosed = |open: usize, what: &str| {
        Err(bad(
            source,
            Some(line_of(text, open)),
            None,
            format!("a quote opens here and {what}"),
            "close the quote, or write a quote inside a field twice and the field in quotes",
        ))
    };
    let mut at = 0;
    let mut at_start = true;
    while at < text.len() {
        let byte = text[at];
        if !(byte == b'"' && at_start) {
            at_start = byte == separator || byte == b'\n' || byte == b'\r';
            at += 1;
            continue;
        }
        let open = at;
        // A quote that is doubled belongs to the field.
        let close = loop {
            at += 1;
            match text[at..].iter().position(|&byte| byte == b'"') {
                None => return unclosed(open, "is not closed"),
                Some(step) => at += step,
            }
            if text.get(at + 1) != Some(&b'"') {
                break at;
            }
            at += 1;
        };
        let field = &text[open + 1..close];
        if field.contains(&b'\n') || field.contains(&b'\r') {
            let rest = text[close + 1..]
                .iter()
                .find(|&&byte| !matches!(byte, b' ' | b'\t'));
            let ends = rest.is_none_or(|&byte| byte == separator || byte == b'\n' || byte == b'\r')
                || separator == b'\t';
            if !ends {
                return unclosed(open, "is closed inside a field of a later line");
            }
            if has_row(field, separator, columns) {
                return unclosed(open, "takes whole rows into one field");
            }
        }
        at = close + 1;
        at_start = false;
    }
    Ok(())
}

/// True where a line of a field, after its first, is a row of the table: as many fields, and numbers
/// among them.
fn has_row(field: &[u8], separator: u8, columns: usize) -> bool {
    let lines = field.split(|&byte| byte == b'\n' || byte == b'\r').skip(1);
    lines.into_iter().any(|line| {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == separator).collect();
        let is_number = |field: &&&[u8]| {
            std::str::from_utf8(field).is_ok_and(|text| text.trim().parse::<f64>().is_ok())
        };
        columns > 1
            && fields.len() == columns
            && 2 * fields.iter().filter(is_number).count() >= columns
    })
}

/// The obstacle to a table with these first rows; `None` without one.
pub(super) fn obstacle(text: &[u8], separator: u8, source: &str) -> Option<Error> {
    const LOOKED_AT: usize = 8;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(Trim::All)
        .from_reader(text);
    let rows: Vec<ByteRecord> = reader
        .byte_records()
        .take(LOOKED_AT)
        .filter_map(std::result::Result::ok)
        .collect();
    // The reader passes over blank lines.
    let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let start = blank.count();
    let mut lines = text[start..].split(|&byte| matches!(byte, b'\n' | b'\r'));
    let first_line = lines.next().unwrap_or_default();
    let first_line = String::from_utf8_lossy(first_line.trim_ascii()).into_owned();
    let error =
        |line: u64, what: String, remedy: &str| Some(bad(source, Some(line), None, what, remedy));
    let is_comment = first_line.starts_with(['#', '%']);
    let name = if is_comment { "comment" } else { "title" };
    let (first, below) = rows.split_first()?;
    let (second, _) = below.split_first()?;
    let others = second.len();
    let alike = below.len() >= 2 && below.iter().all(|row| row.len() == others);
    // The separator was chosen by the first line; a title may have none.
    if first.len() < others && alike {
        return error(
            line_of(text, start),
            format!(
                "the first line, {}, looks like a {name}: it has {} field(s), and the lines below have \
                 {others}",
                quote(&first_line),
                first.len()
            ),
            "remove the lines above the table",
        );
    }
    None
}
