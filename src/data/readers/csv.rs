//! Tables of text: one row per line, columns separated by commas, semicolons, tabs, pipes or blanks.
//!
//! The first row is a header, if the options do not say, when it holds text where the second row
//! has a number, or nothing but text. `5.1,3.5,setosa` above `4.9,3.0,setosa` is therefore data. For
//! names that are numbers see [`header`].

use super::columns::{Columns, Purpose, Role};
use super::options::{Categorical, ReadOptions};
use super::part::{Part, bad, empty};
use crate::data::labels::quote;
use crate::error::Result;

pub(super) mod factors;
mod header;
mod layout;
mod prepare;
mod record;
mod table;

use factors::Allowed;
use record::{Lines, Record};
use table::Table;

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
    };
    let roles = columns.roles(purpose, options, source)?;
    // A first column that is asked for is kept, whatever it holds.
    let is_asked_for = |name: &String| match (purpose, &options.expected) {
        (Purpose::Model(model), _) => model.columns().contains(name),
        (_, Some(expected)) => expected.columns().contains(name),
        _ => false,
    };
    let is_left_over = match roles[0] {
        Role::Feature => !columns.names.iter().any(|names| is_asked_for(&names[0])),
        Role::Target => matches!(purpose, Purpose::Targets) && columns.targets(options).is_empty(),
        _ => false,
    };
    let counts_rows = header && is_nameless(&first) && columns.count > 1;
    let counts_rows = counts_rows && is_left_over && !options.keep_index;
    let allowed = allowed(&columns, &roles, purpose, options, source)?;
    let (mut lines, first) = match prepared.instead(&roles, source) {
        None => (lines, Some(first)),
        Some(text) => {
            let mut lines = Lines::new(text, separator, source);
            let first = lines.next()?;
            (lines, first)
        }
    };
    let mut table = Table::new(&columns, roles, allowed, options, source);
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
    if counts_rows {
        table.drop_row_numbers();
    }
    table.finish(needs_columns)
}

/// The kinds of cells that feature columns may hold.
///
/// # Errors
/// [`Error::Data`] when a column that is named as a factor is no feature.
fn allowed<'a>(
    columns: &Columns,
    roles: &[Role],
    purpose: Purpose<'a>,
    options: &'a ReadOptions,
    source: &str,
) -> Result<Vec<Allowed<'a>>> {
    let features: Vec<usize> = (0..columns.count)
        .filter(|&j| roles[j] == Role::Feature)
        .collect();
    let expected = match purpose {
        Purpose::Model(model) => Some(model),
        Purpose::Targets => None,
        _ => options.expected.as_ref(),
    };
    if let Some(expected) = expected {
        let of_model = expected.columns();
        let by_name = columns.names.as_ref().filter(|_| expected.named.features);
        let name = |(at, &j): (usize, &usize)| match by_name {
            Some(names) => Some(&names[j]),
            None => of_model.get(at),
        };
        let of_name = |name: Option<&String>| {
            let factor = expected.factors.iter().find(|f| Some(&f.name) == name);
            factor.map_or(Allowed::KnownFlags, |factor| {
                Allowed::Known(factor, options.unknown_levels)
            })
        };
        return Ok(features.iter().enumerate().map(name).map(of_name).collect());
    }
    Ok(match &options.categorical {
        Categorical::Never => vec![Allowed::Flags; features.len()],
        Categorical::Auto => vec![Allowed::Texts; features.len()],
        Categorical::Named(names) => {
            let mut allowed = vec![Allowed::Flags; features.len()];
            if matches!(purpose, Purpose::Targets) {
                return Ok(allowed);
            }
            for name in names {
                let column = columns.find(name, "a factor", source)?;
                let Some(at) = features.iter().position(|&j| j == column) else {
                    return Err(bad(
                        source,
                        None,
                        Some(columns.label(column)),
                        "the column is named as a factor, and is no feature",
                        "name feature columns in --categorical",
                    ));
                };
                allowed[at] = Allowed::Levels;
            }
            allowed
        }
    })
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

/// The names in a header; a column without one is called `column` and its number.
fn header_names(first: &Record<'_>, source: &str) -> Result<Vec<String>> {
    let nameless = Columns {
        count: first.len(),
        names: None,
        may_be_text: true,
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
