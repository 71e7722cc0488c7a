//! The sparse text format of LIBSVM and SVMlight: `label index:value index:value … # comment`.
//!
//! Indices count from 1 and ascend within a line. `qid:…` is ignored, and so are blank lines.

use super::part::{Part, bad};
use super::sparse::check_width;
use crate::data::dataset::{Named, Target};
use crate::data::labels::{labels_of, quote};
use crate::data::matrix::{Matrix, Sparse};
use crate::error::{Error, Result};

/// The rows in `bytes` as a sparse matrix, with the labels as the target `y`.
///
/// # Errors
/// [`Error::Data`] with line and remedy.
pub(super) fn parse(bytes: &[u8], source: &str) -> Result<Part> {
    let mut rows = Rows {
        labels: Vec::new(),
        row_starts: vec![0],
        column_indices: Vec::new(),
        values: Vec::new(),
        width: 0,
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let place = Line {
            source,
            number: at as u64 + 1,
        };
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| {
            place.error(
                "the text is not encoded as UTF-8".to_string(),
                "write label index:value index:value …",
            )
        })?;
        rows.push(line, &place)?;
    }
    rows.finish(source)
}

struct Line<'a> {
    source: &'a str,
    number: u64,
}

impl Line<'_> {
    fn error(&self, what: String, remedy: &str) -> Error {
        bad(self.source, Some(self.number), None, what, remedy)
    }
}

/// The rows read so far.
struct Rows {
    labels: Vec<String>,
    row_starts: Vec<usize>,
    column_indices: Vec<u32>,
    values: Vec<f64>,
    /// The largest index.
    width: usize,
}

impl Rows {
    fn push(&mut self, line: &str, place: &Line<'_>) -> Result<()> {
        let mut tokens = line.split_ascii_whitespace();
        let Some(label) = tokens.next() else {
            return Ok(());
        };
        check_label(label, place)?;
        self.labels.push(label.to_string());
        let mut last = 0;
        for (at, token) in tokens.enumerate() {
            if at == 0 && token.starts_with("qid:") {
                continue;
            }
            let (index, value) = parse_entry(token, place)?;
            if index == last {
                return Err(place.error(
                    format!("index {index} occurs twice"),
                    "give every index of a line once",
                ));
            }
            if index < last {
                return Err(place.error(
                    format!("index {index} follows {last}"),
                    "sort the indices of every line",
                ));
            }
            last = index;
            self.width = self.width.max(index as usize);
            if value != 0.0 {
                self.column_indices.push(index - 1);
                self.values.push(value);
            }
        }
        self.row_starts.push(self.values.len());
        Ok(())
    }

    fn finish(self, source: &str) -> Result<Part> {
        if self.labels.is_empty() || self.width == 0 {
            let what = if self.labels.is_empty() {
                "the file has no rows"
            } else {
                "no row has a feature"
            };
            return Err(bad(
                source,
                None,
                None,
                what,
                "give at least one line of label index:value",
            ));
        }
        check_width(self.width, self.values.len(), source)?;
        Ok(Part {
            matrix: Some(Matrix::Sparse(Sparse {
                rows: self.labels.len(),
                columns: self.width,
                row_starts: self.row_starts,
                column_indices: self.column_indices,
                values: self.values,
            })),
            factors: Vec::new(),
            kinds: Vec::new(),
            feature_names: feature_names(self.width),
            targets: vec![Target {
                name: "y".to_string(),
                values: labels_of(self.labels),
            }],
            weights: None,
            named: Named::default(),
        })
    }
}

/// `x1`, `x2`, …: the file's own numbers.
pub(super) fn feature_names(count: usize) -> Vec<String> {
    (1..=count).map(|j| format!("x{j}")).collect()
}

fn check_label(token: &str, place: &Line<'_>) -> Result<()> {
    match token.parse::<f64>() {
        Ok(label) if label.is_finite() => Ok(()),
        Ok(label) => Err(place.error(
            format!("the label is {label}"),
            "replace it by a finite number, or remove the line",
        )),
        Err(_) if token.contains(':') => Err(place.error(
            format!(
                "the line starts with {} where its label should be",
                quote(token)
            ),
            "start every line with a label; any number will do for data without targets",
        )),
        Err(_) if token.contains(',') => Err(place.error(
            format!("{} is more than one label", quote(token)),
            "give one label per line: multi-label data are not supported",
        )),
        Err(_) => Err(place.error(
            format!("the label {} is not a number", quote(token)),
            "number the classes",
        )),
    }
}

fn parse_entry(token: &str, place: &Line<'_>) -> Result<(u32, f64)> {
    let malformed = || {
        place.error(
            format!("{} is not index:value", quote(token)),
            "write every entry as a whole number, a colon and a number, without spaces",
        )
    };
    let (index, value) = token.split_once(':').ok_or_else(malformed)?;
    if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let index: u32 = index.parse().map_err(|_| {
        place.error(
            format!("index {} is too large", quote(index)),
            "renumber the features from 1",
        )
    })?;
    if index == 0 {
        return Err(place.error(
            "index 0: indices of this format count from 1".to_string(),
            "add 1 to every index of the file",
        ));
    }
    let value: f64 = value.parse().map_err(|_| malformed())?;
    if !value.is_finite() {
        return Err(place.error(
            format!("the value of index {index} is {value}"),
            "replace or drop missing and infinite values",
        ));
    }
    Ok((index, value))
}
