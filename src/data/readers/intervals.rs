//! Files of intervals: a lower and an upper bound a line, and before them a name, where there are three fields.

use std::path::Path;

use ::csv::{ReaderBuilder, Trim};

use super::access::{bytes_of, name_of};
use super::part::{bad, empty};
use crate::error::Result;

/// An interval of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedInterval {
    /// The name of what it bounds; `None` where the order of the lines says it.
    pub name: Option<String>,
    /// −∞ for none.
    pub lower: f64,
    /// ∞ for none.
    pub upper: f64,
}

/// The remedy of most faults.
const FORM: &str =
    "give lines LOWER,UPPER or NAME,LOWER,UPPER; -inf, inf or nothing stand for no bound";

/// Reads the intervals of a text file: fields separated by commas, semicolons or tabs, an optional first line of
/// titles. An empty field, -inf and inf are no bounds.
///
/// # Errors
/// [`crate::Error::Io`]; [`crate::Error::Data`] for lines that are none, and for intervals without a number.
pub fn read_intervals(path: &Path) -> Result<Vec<NamedInterval>> {
    parse_intervals(&bytes_of(path)?, &name_of(path))
}

/// The intervals in the bytes of a text; `source` names them in messages.
///
/// # Errors
/// Those of [`read_intervals`].
pub fn parse_intervals(bytes: &[u8], source: &str) -> Result<Vec<NamedInterval>> {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let delimiter = [b'\t', b';'].into_iter().find(|d| first.contains(d));
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .delimiter(delimiter.unwrap_or(b','))
        .from_reader(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut intervals = Vec::new();
    let mut width = None;
    for (at, record) in reader.records().enumerate() {
        let line = record
            .as_ref()
            .ok()
            .and_then(|r| r.position())
            .map(|p| p.line());
        let fault = |what: String| bad(source, line, None, what, FORM);
        let record = record.map_err(|error| fault(format!("it cannot be read: {error}")))?;
        let fields: Vec<&str> = record.iter().collect();
        let (name, lower, upper) = match fields[..] {
            [lower, upper] => (None, lower, upper),
            [name, lower, upper] => (Some(name), lower, upper),
            _ => return Err(fault(format!("a line of {} fields", fields.len()))),
        };
        if *width.get_or_insert(fields.len()) != fields.len() {
            return Err(fault("some lines have a name, and some have none".into()));
        }
        let (found, none) = ([bound(lower, true), bound(upper, false)], f64::INFINITY);
        let [Some(lower), Some(upper)] = found else {
            // Titles, which have no digits; numbers that are spelled otherwise have.
            let is_title = |field: &str| !field.contains(|c: char| c.is_ascii_digit());
            if at == 0 && is_title(lower) && is_title(upper) && found == [None; 2] {
                continue;
            }
            let wrong = if found[0].is_none() { lower } else { upper };
            return Err(fault(format!(
                "\"{wrong}\" is no number (with a decimal point)"
            )));
        };
        if lower > upper || lower == none || upper == -none {
            return Err(fault(format!("no number lies between {lower} and {upper}")));
        }
        intervals.push(NamedInterval {
            name: name.map(str::to_owned),
            lower,
            upper,
        });
    }
    if intervals.is_empty() {
        return Err(empty(source, FORM));
    }
    Ok(intervals)
}

/// A bound; `None` for what is no number.
fn bound(text: &str, is_lower: bool) -> Option<f64> {
    if text.is_empty() {
        return Some(if is_lower {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    text.parse().ok().filter(|value: &f64| !value.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(Option<String>, f64, f64)> {
        let found = parse_intervals(text.as_bytes(), "b.csv").unwrap();
        found
            .into_iter()
            .map(|i| (i.name, i.lower, i.upper))
            .collect()
    }

    #[test]
    fn lines_are_read_by_name_or_in_order() {
        let none = f64::INFINITY;
        assert_eq!(
            all("0,1\n-inf,2.5\n,\n"),
            [(None, 0.0, 1.0), (None, -none, 2.5), (None, -none, none)]
        );
        let named = [
            (Some("a b".into()), 0.0, none),
            (Some("c".into()), -1.0, 0.0),
        ];
        assert_eq!(all("feature;lower;upper\n\"a b\";0;inf\nc;-1;0\n"), named);
        assert_eq!(all("a b\t0\t\nc\t-1\t0"), named);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        for (text, fault) in [
            ("", "the file is empty"),
            ("lower,upper\n", "the file is empty"),
            ("0,1\nx,2\n", "line 2"),
            ("0,1\nx,2\n", "\"x\" is no number"),
            ("0.O5,1.S\n", "\"0.O5\" is no number"),
            ("a,0.O5,1.S\nb,0,1\n", "\"0.O5\" is no number"),
            ("1,0\n", "no number lies between 1 and 0"),
            ("0,nan\n", "\"nan\" is no number"),
            ("inf,inf\n", "no number lies between"),
            ("0\n", "a line of 1 fields"),
            ("a,0,1\n0,1\n", "some lines have a name"),
        ] {
            let error = parse_intervals(text.as_bytes(), "b.csv")
                .unwrap_err()
                .to_string();
            assert!(error.contains(fault), "{text:?}: {error}");
        }
    }
}
