//! Tables of text: one row per line, columns separated by commas, semicolons or tabs.
//!
//! The first row is a header, if the options do not say, when it holds text where the second row
//! has a number, or nothing but text. `5.1,3.5,setosa` above `4.9,3.0,setosa` is therefore data. For
//! names that are numbers see [`header`].

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use super::columns::{Columns, Purpose, Role, generic_target_names};
use super::options::ReadOptions;
use super::part::{Part, bad, empty};
use crate::data::align::generic_names;
use crate::data::dataset::{Named, Target};
use crate::data::labels::{labels_of, quote};
use crate::data::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

mod header;
mod layout;

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
    let needs_columns = !matches!(purpose, Purpose::Targets);
    if let Some(obstacle) = layout::obstacle(bytes, separator, needs_columns, source) {
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
    let second = lines.next()?;
    let columns = Columns {
        count: first.len(),
        names: if header {
            Some(header_names(&first, source)?)
        } else {
            None
        },
    };
    let roles = columns.roles(purpose, options, source)?;
    // A first column that is asked for is kept, whatever it holds.
    let is_asked_for = |name: &String| match (purpose, &options.expected) {
        (Purpose::Model(model), _) => model.features.contains(name),
        (_, Some(expected)) => expected.features.contains(name),
        _ => false,
    };
    let is_left_over = match roles[0] {
        Role::Feature => !columns.names.iter().any(|names| is_asked_for(&names[0])),
        Role::Target => matches!(purpose, Purpose::Targets) && columns.targets(options).is_empty(),
        _ => false,
    };
    let counts_rows = header && is_nameless(&first) && columns.count > 1;
    let counts_rows = counts_rows && is_left_over && !options.keep_index;
    let mut table = Table::new(&columns, roles, source);
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
    if counts_rows {
        table.drop_row_numbers();
    }
    table.finish(source, needs_columns)
}

/// True where the first column has no name, or the one that pandas gives such a column.
fn is_nameless(header: &Record<'_>) -> bool {
    let first = header.fields.get(0).unwrap_or_default();
    first.is_empty() || first == b"Unnamed: 0"
}

/// The text without its byte order mark; rejects an empty one.
fn checked_text<'a>(bytes: &'a [u8], source: &str) -> Result<&'a [u8]> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(empty(source, "give a file with at least one row of data"));
    }
    Ok(text)
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
    separator: u8,
}

impl Record<'_> {
    /// The line that the record starts on, from 1; only errors ask.
    fn line(&self) -> u64 {
        layout::line_of(self.text, self.begin())
    }

    /// The line on which the record begins, after blank lines.
    fn begin(&self) -> usize {
        let blank = |&&byte: &&u8| matches!(byte, b'\r' | b'\n');
        self.start + self.text[self.start..].iter().take_while(blank).count()
    }

    /// Whether a field is in quotes, field by field.
    fn quoted(&self) -> Vec<bool> {
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
    separator: u8,
    source: &'a str,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], separator: u8, source: &'a str) -> Self {
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
            separator: self.separator,
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
    roles: Vec<Role>,
    source: &'a str,
    rows: usize,
    features: Vec<f64>,
    targets: Vec<Vec<String>>,
    weights: Vec<f64>,
}

impl<'a> Table<'a> {
    fn new(columns: &'a Columns, roles: Vec<Role>, source: &'a str) -> Self {
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
                let thousands = text.contains(',') && text.replace(',', "").parse::<f64>().is_ok();
                let remedy = if text.contains('\n') {
                    "close the quotes of that field"
                } else if decimal_comma || thousands {
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

    /// Leaves the first column out if it holds row numbers, with a warning.
    fn drop_row_numbers(&mut self) {
        let role = self.roles[0];
        let width = self.roles.iter().filter(|&&r| r == Role::Feature).count();
        let numbers: Vec<f64> = match role {
            Role::Feature => self.features.iter().step_by(width).copied().collect(),
            Role::Target => {
                let texts = self.targets.first().map_or(&[][..], Vec::as_slice);
                texts.iter().filter_map(|text| text.parse().ok()).collect()
            }
            _ => return,
        };
        if numbers.len() != self.rows || !are_row_numbers(&numbers) {
            return;
        }
        log::warn!(
            "{}: column 1 has no name and holds row numbers: it is left out; --keep-index keeps it \
             as \"{}\"",
            self.source,
            self.columns
                .names
                .as_ref()
                .map_or("", |names| names[0].as_str())
        );
        if role == Role::Feature {
            let mut at = 0;
            self.features.retain(|_| {
                at += 1;
                (at - 1) % width != 0
            });
        } else {
            self.targets.remove(0);
        }
        self.roles[0] = Role::Ignored;
    }

    fn finish(self, source: &str, needs_features: bool) -> Result<Part> {
        let roles = &self.roles;
        let of_role = |role: Role| (0..self.columns.count).filter(move |&j| roles[j] == role);
        let has = |role: Role| roles.contains(&role);
        if !has(Role::Feature) && (needs_features || !has(Role::Target)) {
            return Err(bad(
                source,
                None,
                None,
                "no column is left for a feature beside the row numbers",
                "give a file with more columns, or keep the row numbers as one (--keep-index)",
            ));
        }
        let names_of = |role: Role, generic: fn(usize) -> Vec<String>| match &self.columns.names {
            Some(names) => of_role(role).map(|j| names[j].clone()).collect(),
            None => generic(of_role(role).count()),
        };
        let feature_names: Vec<String> = names_of(Role::Feature, generic_names);
        let weights = has(Role::Weight).then_some(self.weights);
        let targets = names_of(Role::Target, generic_target_names)
            .into_iter()
            .zip(self.targets)
            .map(|(name, texts)| Target {
                name,
                values: labels_of(texts),
            })
            .collect();
        let is_named = self.columns.names.is_some();
        Ok(Part {
            matrix: (!feature_names.is_empty()).then_some(Matrix::Dense(Dense {
                rows: self.rows,
                columns: feature_names.len(),
                values: self.features,
            })),
            feature_names,
            targets,
            weights,
            named: Named {
                features: is_named,
                targets: is_named,
            },
        })
    }
}

/// True for whole numbers that hardly repeat, as those of the rows of one table or of several joined.
fn are_row_numbers(numbers: &[f64]) -> bool {
    let is_count = |v: &f64| *v >= 0.0 && v.fract() == 0.0 && *v < 2f64.powi(53);
    let different: std::collections::HashSet<u64> = numbers.iter().map(|v| v.to_bits()).collect();
    numbers.iter().all(is_count)
        && different.len() >= (numbers.len() / 10).max(numbers.len().min(3))
}
