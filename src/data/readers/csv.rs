//! Tables of text: one row per line, columns separated by commas, semicolons, tabs, pipes or blanks.
//!
//! The first row is a header, if the options do not say, when it holds text where the second row
//! has a number, or nothing but text. `5.1,3.5,setosa` above `4.9,3.0,setosa` is therefore data. For
//! names that are numbers see [`header`].

use super::columns::{Columns, Purpose, distinct_names};
use super::options::ReadOptions;
use super::part::{Part, bad, empty};
use super::table::{Table, is_nameless};
use crate::error::Result;

mod header;
mod layout;
mod prepare;
mod record;

use record::{Lines, Record};

/// Reads the table in `bytes` for the purpose.
///
/// # Errors
/// [`Error::Data`] with line, column and remedy.
pub(super) fn parse(
    bytes: &[u8],
    source: &str,
    purpose: Purpose<'_>,
    options: &ReadOptions,
) -> Result<Part> {
    let needs_columns = !matches!(purpose, Purpose::Targets);
    let text = checked_text(bytes, source)?;
    // A file of labels alone may have any text in its only column.
    let is_table = needs_columns || !options.targets.is_empty();
    let prepared = prepare::prepare(text, options, is_table, source);
    let (bytes, separator) = (prepared.supposed(), prepared.separator);
    if let Some(obstacle) = layout::obstacle(bytes, separator, source) {
        return Err(obstacle);
    }
    let mut lines = Lines::new(bytes, separator, source);
    let Some(first) = lines.next()? else {
        return Err(empty(source, "give a file with at least one row of data"));
    };
    layout::check_quotes(bytes, separator, first.len(), source)?;
    let header = match options.header {
        Some(said) => said,
        None => {
            let mut sample = Lines::new(bytes, separator, source);
            sample.next()?;
            let mut below = Vec::new();
            while below.len() < header::sample(first.len())
                && let Ok(Some(record)) = sample.next()
            {
                below.push(record);
            }
            let rows = header::Rows {
                first: &first,
                below: &below,
            };
            header::is_header(&rows, purpose, options.expected.as_ref(), source)
        }
    };
    let columns = Columns {
        count: first.len(),
        names: if header {
            Some(header_names(&first, source)?)
        } else {
            None
        },
        may_be_text: true,
        index: 0,
    };
    let is_nameless = header && is_nameless(first.fields.get(0).unwrap_or_default());
    let mut table = Table::new(&columns, is_nameless, purpose, options, source)?;
    let (mut lines, first) = match prepared.instead(table.roles(), source) {
        None => (lines, Some(first)),
        Some(text) => {
            let mut lines = Lines::new(text, separator, source);
            let first = lines.next()?;
            (lines, first)
        }
    };
    if let (Some(first), false) = (&first, header) {
        table.push(first)?;
    }
    let mut is_empty = header;
    while let Some(record) = lines.next()? {
        table.push(&record)?;
        is_empty = false;
    }
    if is_empty {
        return Err(bad(
            source,
            None,
            None,
            "the file has a header and no row of data",
            "give at least one row below the header, or say that the first row is data",
        ));
    }
    table.finish()
}

/// The text without its byte order mark; rejects an empty one.
fn checked_text<'a>(bytes: &'a [u8], source: &str) -> Result<&'a [u8]> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(empty(source, "give a file with at least one row of data"));
    }
    Ok(text)
}

/// The names in a header.
fn header_names(first: &Record<'_>, source: &str) -> Result<Vec<String>> {
    let nameless = Columns {
        count: first.len(),
        names: None,
        may_be_text: true,
        index: 0,
    };
    let texts: Result<Vec<&str>> = (0..first.len())
        .map(|j| first.text(j, &nameless, source))
        .collect();
    distinct_names(&texts?, Some(first.line()), source)
}
