//! The rows of a table as fields of text.

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use super::layout;
use crate::data::readers::columns::Columns;
use crate::data::readers::part::bad;
use crate::data::readers::table::{Cell, Position, Row, is_usually_missing};
use crate::error::Result;

/// One row of fields, as UTF-8.
pub(super) struct Record<'a> {
    pub(super) fields: ByteRecord,
    /// The whole text, and where in it the search for this record began.
    text: &'a [u8],
    start: usize,
    separator: u8,
}

impl Record<'_> {
    /// The line that the record starts on, from 1; only errors ask.
    pub(super) fn line(&self) -> u64 {
        layout::line_of(self.text, self.begin())
    }

    /// The line on which the record begins, after blank lines.
    fn begin(&self) -> usize {
        let blank = |&&byte: &&u8| matches!(byte, b'\r' | b'\n');
        self.start + self.text[self.start..].iter().take_while(blank).count()
    }

    /// Whether a field is in quotes, field by field.
    pub(super) fn quoted(&self) -> Vec<bool> {
        let mut quoted = Vec::with_capacity(self.len());
        let (mut at_start, mut inside) = (true, false);
        for &byte in &self.text[self.begin()..] {
            if at_start {
                quoted.push(byte == b'"');
                if quoted.len() > self.len() {
                    break;
                }
            }
            inside ^= byte == b'"';
            at_start = byte == self.separator && !inside;
            if matches!(byte, b'\r' | b'\n') && !inside {
                break;
            }
        }
        quoted.resize(self.len(), false);
        quoted
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Field j, or the error that it is not UTF-8.
    pub(super) fn text<'a>(&'a self, j: usize, columns: &Columns, source: &str) -> Result<&'a str> {
        std::str::from_utf8(&self.fields[j]).map_err(|_| {
            bad(
                source,
                Some(self.line()),
                Some(columns.label(j)),
                "the text is not encoded as UTF-8",
                "save the file as UTF-8",
            )
        })
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.fields.iter().map(Kind::of)
    }
}

impl Row for Record<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn cell(&self, j: usize, columns: &Columns, source: &str) -> Result<Cell<'_>> {
        self.text(j, columns, source).map(Cell::Field)
    }

    fn position(&self) -> Position {
        Position::Line(self.line())
    }
}

/// The records with the lines that they start at.
pub(super) struct Lines<'a> {
    reader: ::csv::Reader<&'a [u8]>,
    text: &'a [u8],
    separator: u8,
    source: &'a str,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8], separator: u8, source: &'a str) -> Self {
        Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(separator)
                .trim(Trim::All)
                .from_reader(text),
            text,
            separator,
            source,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Record<'a>>> {
        let mut fields = ByteRecord::new();
        let found = self.reader.read_byte_record(&mut fields).map_err(|e| {
            bad(
                self.source,
                e.position().map(::csv::Position::line),
                None,
                e.to_string(),
                "check the quotes and separators of that line",
            )
        })?;
        let start = fields.position().map_or(0, ::csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(0).min(self.text.len());
        Ok(found.then_some(Record {
            fields,
            text: self.text,
            start,
            separator: self.separator,
        }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Missing,
    Text,
}

impl Kind {
    pub(super) fn of(field: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(field) else {
            return Self::Text;
        };
        if is_usually_missing(text) {
            Self::Missing
        } else if text.parse::<f64>().is_ok() {
            Self::Number
        } else {
            Self::Text
        }
    }
}
