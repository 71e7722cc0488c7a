//! Tables of text: one row per line, columns separated by commas, semicolons or tabs.
//!
//! The first row is a header, if the options do not say, when it holds text where the second row
//! has a number, or nothing but text. `5.1,3.5,setosa` above `4.9,3.0,setosa` is therefore data.

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use super::columns::{Columns, Purpose, Role, generic_target_names};
use super::{Part, ReadOptions, bad};
use crate::data::align::generic_names;
use crate::data::dataset::{Labels, Target};
use crate::data::labels::quote;
use crate::data::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

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
    let bytes = checked_text(bytes, source)?;
    let separator = separator_of(bytes);
    let mut lines = Lines {
        reader: ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .trim(Trim::All)
            .from_reader(bytes),
        text: bytes,
        source,
    };
    let Some(first) = lines.next()? else {
        return Err(empty(source));
    };
    let second = lines.next()?;
    let header = options
        .header
        .unwrap_or_else(|| is_header(&first, second.as_ref(), source));
    let columns = Columns {
        count: first.len(),
        names: if header {
            Some(header_names(&first, source)?)
        } else {
            None
        },
    };
    let roles = columns.roles(purpose, options, source)?;
    let mut table = Table::new(&columns, &roles, source);
    if !header {
        table.push(&first)?;
    }
    if let Some(second) = second {
        table.push(&second)?;
        while let Some(record) = lines.next()? {
            table.push(&record)?;
        }
    } else if header {
        return Err(bad(
            source,
            None,
            None,
            "the file has a header and no row of data",
            "give at least one row below the header, or say that the first row is data",
        ));
    }
    Ok(table.finish())
}

/// The text without its byte order mark; rejects what is no text in UTF-8 at first sight.
fn checked_text<'a>(bytes: &'a [u8], source: &str) -> Result<&'a [u8]> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(bad(
            source,
            None,
            None,
            "the text is encoded as UTF-16",
            "save it as UTF-8",
        ));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(empty(source));
    }
    Ok(text)
}

fn empty(source: &str) -> Error {
    bad(
        source,
        None,
        None,
        "the file is empty",
        "give a file with at least one row of data",
    )
}

/// The separator of the first line: the most frequent candidate outside quotes, the comma if none.
fn separator_of(text: &[u8]) -> u8 {
    const CANDIDATES: [u8; 3] = [b',', b';', b'\t'];
    let mut counts = [0usize; 3];
    let mut quoted = false;
    for &byte in text.trim_ascii_start() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                if let Some(at) = CANDIDATES.iter().position(|&c| c == byte) {
                    counts[at] += 1;
                }
            }
            _ => {}
        }
    }
    // On equal counts the first candidate.
    let mut best = 0;
    for at in 1..CANDIDATES.len() {
        if counts[at] > counts[best] {
            best = at;
        }
    }
    CANDIDATES[best]
}

/// One row of fields, as UTF-8.
struct Record<'a> {
    fields: ByteRecord,
    /// The whole text, and where in it the search for this record began.
    text: &'a [u8],
    start: usize,
}

impl Record<'_> {
    /// The line that the record starts on, from 1; only errors ask.
    fn line(&self) -> u64 {
        let blank = |&&byte: &&u8| matches!(byte, b'\r' | b'\n');
        let skipped = self.text[self.start..].iter().take_while(blank).count();
        let before = &self.text[..self.start + skipped];
        let ends = before.iter().enumerate().filter(|&(at, &byte)| {
            // A line may end in \n, \r\n or \r.
            byte == b'\n' || (byte == b'\r' && self.text.get(at + 1) != Some(&b'\n'))
        });
        ends.count() as u64 + 1
    }

    fn len(&self) -> usize {
        self.fields.len()
    }

    /// Field j, or the error that it is not UTF-8.
    fn text<'a>(&'a self, j: usize, columns: &Columns, source: &str) -> Result<&'a str> {
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

    fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.fields.iter().map(Kind::of)
    }
}

/// The records with the lines that they start at.
struct Lines<'a> {
    reader: ::csv::Reader<&'a [u8]>,
    text: &'a [u8],
    source: &'a str,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<Record<'a>>> {
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
        }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Missing,
    Text,
}

impl Kind {
    fn of(field: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(field) else {
            return Self::Text;
        };
        if is_missing(text) {
            Self::Missing
        } else if text.parse::<f64>().is_ok() {
            Self::Number
        } else {
            Self::Text
        }
    }
}

/// The ways of writing that a value is not known.
fn is_missing(field: &str) -> bool {
    ["", "NA", "N/A", "NaN", "null", "?"]
        .iter()
        .any(|missing| field.eq_ignore_ascii_case(missing))
}

/// See the head of this file.
fn is_header(first: &Record<'_>, second: Option<&Record<'_>>, source: &str) -> bool {
    if !first.kinds().any(|kind| kind == Kind::Text) {
        return false;
    }
    if !first.kinds().any(|kind| kind == Kind::Number) {
        return true;
    }
    let changes = second.is_some_and(|second| {
        first
            .kinds()
            .zip(second.kinds())
            .any(|(first, second)| first == Kind::Text && second == Kind::Number)
    });
    if !changes {
        log::warn!(
            "{source}: the first row holds numbers and text like the second and is taken as data; \
             say so if it is a header"
        );
    }
    changes
}

/// The names in a header; a column without one is called `column` and its number.
fn header_names(first: &Record<'_>, source: &str) -> Result<Vec<String>> {
    let nameless = Columns {
        count: first.len(),
        names: None,
    };
    let mut names: Vec<String> = Vec::with_capacity(first.len());
    let mut seen = std::collections::HashMap::new();
    for j in 0..first.len() {
        let text = first.text(j, &nameless, source)?;
        let name = if text.is_empty() {
            format!("column{}", j + 1)
        } else {
            text.to_string()
        };
        if let Some(earlier) = seen.insert(name.clone(), j) {
            return Err(bad(
                source,
                Some(first.line()),
                Some(format!("{} ({})", j + 1, quote(&name))),
                format!("column {} has the same name", earlier + 1),
                "give every column a name of its own",
            ));
        }
        names.push(name);
    }
    Ok(names)
}

/// The columns as they fill, row by row.
struct Table<'a> {
    columns: &'a Columns,
    roles: &'a [Role],
    source: &'a str,
    rows: usize,
    features: Vec<f64>,
    targets: Vec<Vec<String>>,
    weights: Vec<f64>,
}

impl<'a> Table<'a> {
    fn new(columns: &'a Columns, roles: &'a [Role], source: &'a str) -> Self {
        let targets = roles.iter().filter(|&&role| role == Role::Target).count();
        Self {
            columns,
            roles,
            source,
            rows: 0,
            features: Vec::new(),
            targets: vec![Vec::new(); targets],
            weights: Vec::new(),
        }
    }

    fn push(&mut self, record: &Record<'_>) -> Result<()> {
        if record.len() != self.columns.count {
            return Err(bad(
                self.source,
                Some(record.line()),
                None,
                format!(
                    "the row has {} fields where the first has {}",
                    record.len(),
                    self.columns.count
                ),
                "give every row the same columns; quote a field that contains the separator, \
                 and close every quote",
            ));
        }
        let mut target = 0;
        for (j, role) in self.roles.iter().enumerate() {
            match role {
                Role::Ignored => {}
                Role::Feature => self.features.push(self.number(record, j)?),
                Role::Weight => self.weights.push(self.number(record, j)?),
                Role::Target => {
                    let label = self.label(record, j)?;
                    self.targets[target].push(label);
                    target += 1;
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn error(&self, record: &Record<'_>, j: usize, what: String, remedy: &str) -> Error {
        bad(
            self.source,
            Some(record.line()),
            Some(self.columns.label(j)),
            what,
            remedy,
        )
    }

    fn missing(&self, record: &Record<'_>, j: usize, text: &str) -> Error {
        let what = if text.is_empty() {
            "the value is missing".to_string()
        } else {
            format!("the value is missing ({})", quote(text))
        };
        self.error(
            record,
            j,
            what,
            "fill it in, or remove the row or the column",
        )
    }

    fn number(&self, record: &Record<'_>, j: usize) -> Result<f64> {
        let text = record.text(j, self.columns, self.source)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ if is_missing(text) => Err(self.missing(record, j, text)),
            Ok(value) if value.is_nan() => Err(self.missing(record, j, text)),
            Ok(_) => Err(self.error(
                record,
                j,
                format!("{} is infinite or too large for a number", quote(text)),
                "replace it by a finite number, or remove the row",
            )),
            Err(_) => {
                let decimal_comma = text.replacen(',', ".", 1).parse::<f64>().is_ok();
                let remedy = if text.contains('\n') {
                    "close the quotes of that field"
                } else if decimal_comma {
                    "write decimals with a point, without separators of thousands"
                } else {
                    "encode the column as numbers, or remove it"
                };
                Err(self.error(
                    record,
                    j,
                    format!("{} is not a number", quote(text)),
                    remedy,
                ))
            }
        }
    }

    fn label(&self, record: &Record<'_>, j: usize) -> Result<String> {
        let text = record.text(j, self.columns, self.source)?;
        if is_missing(text) {
            return Err(self.missing(record, j, text));
        }
        // Infinities are caught here while the line is known; text labels parse to nothing.
        if text.parse::<f64>().is_ok_and(|value| !value.is_finite()) {
            self.number(record, j)?;
        }
        Ok(text.to_string())
    }

    fn finish(self) -> Part {
        let of_role = |role: Role| (0..self.columns.count).filter(move |&j| self.roles[j] == role);
        let names_of = |role: Role, generic: fn(usize) -> Vec<String>| match &self.columns.names {
            Some(names) => of_role(role).map(|j| names[j].clone()).collect(),
            None => generic(of_role(role).count()),
        };
        let feature_names: Vec<String> = names_of(Role::Feature, generic_names);
        let targets = names_of(Role::Target, generic_target_names)
            .into_iter()
            .zip(self.targets)
            .map(|(name, texts)| Target {
                name,
                values: labels_of(texts),
            })
            .collect();
        Part {
            matrix: (!feature_names.is_empty()).then_some(Matrix::Dense(Dense {
                rows: self.rows,
                columns: feature_names.len(),
                values: self.features,
            })),
            feature_names,
            targets,
            weights: self.roles.contains(&Role::Weight).then_some(self.weights),
        }
    }
}

/// Numbers where all of the texts are.
fn labels_of(texts: Vec<String>) -> Labels {
    let numbers: std::result::Result<Vec<f64>, _> = texts.iter().map(|t| t.parse()).collect();
    match numbers {
        Ok(numbers) => Labels::Numbers(numbers),
        Err(_) => Labels::Text(texts),
    }
}
