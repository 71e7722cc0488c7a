//! Whether the first row of a table is a header, where the options do not say.
//!
//! Text above numbers is one. Numbers may be names too (0, 1, 2, …, years, wavelengths), and then the
//! other rows are the evidence: how likely would this row be among them?

use super::record::{Kind, Record};
use crate::data::align::Expected;
use crate::data::readers::columns::{Columns, Purpose};

/// Rows below the first that are looked at, of `columns` columns each.
pub(super) fn sample(columns: usize) -> usize {
    const FIELDS: usize = 200_000;
    (FIELDS / columns.max(1)).clamp(2, 100)
}

/// The likelihood as data below which a first row is taken as a header.
const LIKELY: f64 = 0.02;
/// Below this a first row of numbers is a header without a word, and one that counts from zero.
const CERTAIN: f64 = 1e-3;
const CERTAIN_COUNT: f64 = 0.01;
/// Up to this chance of an error the choice is reported.
const DOUBTFUL: f64 = 0.1;

/// The first rows of a table.
pub(super) struct Rows<'a> {
    pub first: &'a Record<'a>,
    /// The rows below it, or the first of them.
    pub below: &'a [Record<'a>],
}

/// True for a header; says so where the choice is not clear.
pub(super) fn is_header(
    rows: &Rows<'_>,
    purpose: Purpose<'_>,
    expected: Option<&Expected>,
    source: &str,
) -> bool {
    if names_what_is_expected(rows.first, purpose, expected) || is_quoted(rows) {
        return true;
    }
    let kinds: Vec<Kind> = rows.first.kinds().collect();
    let has = |wanted: Kind| kinds.contains(&wanted);
    if has(Kind::Text) && !has(Kind::Number) {
        return true;
    }
    if has(Kind::Text) && changes(rows) {
        return true;
    }
    if !has(Kind::Number) {
        return false;
    }
    // A nameless column of row numbers before the names; as a value it would be missing.
    if kinds[0] == Kind::Missing && !kinds[1..].contains(&Kind::Missing) {
        return !rows.below.is_empty() && are_distinct(rows.first);
    }
    if rows.below.is_empty() || !are_distinct(rows.first) {
        return false;
    }
    if misses_all_names(rows.first, purpose, expected) {
        return false;
    }
    let Judgement {
        chance,
        counts,
        looks_named,
    } = judge(rows, &kinds);
    let taken = chance < LIKELY;
    let is_clear = if taken {
        looks_named && (chance < CERTAIN || (counts && chance < CERTAIN_COUNT))
    } else {
        chance > DOUBTFUL
    };
    let labels_recur = has(Kind::Text) && label_recurs(rows, &kinds);
    if labels_recur && !counts {
        return false;
    }
    if !is_clear || (has(Kind::Text) && !taken) {
        let (as_what, other) = if taken {
            ("a header", "no")
        } else {
            ("data", "yes")
        };
        log::warn!(
            "{source}: the first row ({}) may be a header or data; it is taken as {as_what}, and \
             --header {other} says the other",
            start_of(rows.first)
        );
    }
    taken
}

/// True where the row holds all the names that the file should have.
fn names_what_is_expected(
    first: &Record<'_>,
    purpose: Purpose<'_>,
    expected: Option<&Expected>,
) -> bool {
    let Some((names, named)) = expected_names(purpose, expected) else {
        return false;
    };
    let fields: std::collections::HashSet<&[u8]> = first.fields.iter().collect();
    named && !names.is_empty() && names.iter().all(|name| fields.contains(name.as_bytes()))
}

/// True where the file should have names and the row has none of them: it is a row of data.
fn misses_all_names(first: &Record<'_>, purpose: Purpose<'_>, expected: Option<&Expected>) -> bool {
    let Some((names, true)) = expected_names(purpose, expected) else {
        return false;
    };
    !names.is_empty()
        && first.kinds().all(|kind| kind == Kind::Number)
        && !first
            .fields
            .iter()
            .any(|field| names.iter().any(|name| name.as_bytes() == field))
}

/// The names that the file should have, and whether a file has given them.
fn expected_names(
    purpose: Purpose<'_>,
    expected: Option<&Expected>,
) -> Option<(Vec<String>, bool)> {
    match (purpose, expected) {
        (Purpose::Model(model), _) => Some((model.columns(), model.named.features)),
        (Purpose::Targets, Some(e)) => Some((e.targets.clone(), e.named.targets)),
        (_, Some(e)) => Some((e.columns(), e.named.features)),
        (_, None) => None,
    }
}

/// True where the names are in quotes and numbers below are not.
fn is_quoted(rows: &Rows<'_>) -> bool {
    let names = rows.first.quoted();
    if rows.below.is_empty() || !names.iter().all(|&quoted| quoted) {
        return false;
    }
    let plain = |row: &Record<'_>| -> Vec<bool> {
        let quoted = row.quoted();
        let kinds = row.kinds().map(|kind| kind == Kind::Number);
        kinds
            .zip(quoted)
            .map(|(number, quoted)| number && !quoted)
            .collect()
    };
    let below: Vec<Vec<bool>> = rows.below.iter().map(plain).collect();
    (0..names.len()).any(|j| below.iter().all(|row| row.get(j) == Some(&true)))
}

/// True where a text stands above a number.
fn changes(rows: &Rows<'_>) -> bool {
    rows.below.first().is_some_and(|second| {
        let pairs = rows.first.kinds().zip(second.kinds());
        pairs
            .into_iter()
            .any(|pair| pair == (Kind::Text, Kind::Number))
    })
}

fn are_distinct(first: &Record<'_>) -> bool {
    let mut seen = std::collections::HashSet::new();
    first.fields.iter().all(|field| seen.insert(field))
}

/// True where a text of the first row stands below in its column: it is a label, and no name.
fn label_recurs(rows: &Rows<'_>, kinds: &[Kind]) -> bool {
    let texts = (0..kinds.len()).filter(|&j| kinds[j] == Kind::Text);
    texts.into_iter().any(|j| {
        let own = rows.first.fields.get(j);
        rows.below.iter().any(|row| row.fields.get(j) == own)
    })
}

/// The judgement of a first row of numbers.
struct Judgement {
    /// Its likelihood among the rows below.
    chance: f64,
    /// It counts from zero.
    counts: bool,
    /// It has several numbers in order, as names have: fewer, or others, are as likely a row that
    /// was rounded or a measurement that begins at zero.
    looks_named: bool,
}

/// Fewest numbers in order that look like names.
const SEVERAL: usize = 4;

/// The likelihood of the first row's numbers among the rows below.
fn judge(rows: &Rows<'_>, kinds: &[Kind]) -> Judgement {
    let columns: Vec<usize> = (0..kinds.len())
        .filter(|&j| kinds[j] == Kind::Number)
        .collect();
    let text = |row: &Record<'_>, j: usize| -> Option<String> {
        let field = row.fields.get(j)?;
        std::str::from_utf8(field).ok().map(str::to_string)
    };
    let number = |row: &Record<'_>, j: usize| text(row, j)?.parse::<f64>().ok();
    let names: Vec<f64> = columns
        .iter()
        .filter_map(|&j| number(rows.first, j))
        .collect();
    let forms: Vec<Option<Form>> = columns
        .iter()
        .map(|&j| text(rows.first, j).map(|text| Form::of(&text)))
        .collect();
    let form = forms.first().copied().flatten();
    let is_one_form = forms.iter().all(|&own| own == form);
    let count = rows.below.len() as f64;
    // Per column: (by being written as the others are not, by lying far outside of the others).
    let parts: Vec<(f64, f64)> = columns
        .iter()
        .zip(&names)
        .map(|(&j, &name)| {
            let texts: Vec<String> = rows.below.iter().filter_map(|row| text(row, j)).collect();
            let alike = texts
                .iter()
                .filter(|text| Some(Form::of(text)) == form)
                .count() as f64;
            let by_form = if is_one_form && alike < count {
                (alike + 1.0) / (count + 2.0)
            } else {
                1.0
            };
            let values = texts.iter().filter_map(|text| text.parse::<f64>().ok());
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
            let span = high - low;
            let is_far = span > 0.0 && (name < low - 5.0 * span || name > high + 5.0 * span);
            let by_size = if is_far { 1.0 / (count + 2.0) } else { 1.0 };
            (by_form, by_size)
        })
        .collect();
    // An outlier in one column is no name; names lie outside in all of them.
    let all_outside = parts.iter().all(|&(form, size)| form.min(size) < 1.0);
    let of_values: f64 = parts
        .iter()
        .map(|&(form, size)| if all_outside { form.min(size) } else { form })
        .product();
    let d = names.len();
    if names.iter().any(|&name| name < 0.0) {
        return Judgement {
            chance: 1.0,
            counts: false,
            looks_named: false,
        };
    }
    let counts = form == Some(Form::Whole)
        && is_one_form
        && names.iter().enumerate().all(|(j, &name)| name == j as f64);
    // How likely an order is by chance, or how often the rows below have it.
    let of_order = |has: &dyn Fn(&[f64]) -> bool, by_chance: f64| -> f64 {
        let of_row = |row: &Record<'_>| -> Vec<f64> {
            columns.iter().filter_map(|&j| number(row, j)).collect()
        };
        match rows.below.iter().filter(|row| has(&of_row(row))).count() {
            _ if !has(&names) => 1.0,
            0 => by_chance,
            below => (below as f64 + 1.0) / (count + 2.0),
        }
    };
    let power = |exponent: usize| 10f64.powi(-(exponent.min(300) as i32));
    let of_order = if counts {
        if d == 1 { 0.2 } else { power(d) }
    } else if d >= 3 {
        // Columns of different sizes are often in order, so that this counts for less.
        let any_order = 6.0 / (1..=d.min(150)).map(|k| k as f64).product::<f64>();
        of_order(&is_even, power(d - 2)).min(of_order(&is_monotone, any_order))
    } else {
        1.0
    };
    Judgement {
        chance: of_values * of_order,
        counts,
        looks_named: d >= SEVERAL && is_monotone(&names),
    }
}

/// The notation of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Decimal,
    Exponent,
}

impl Form {
    fn of(text: &str) -> Self {
        if text.contains(['e', 'E']) {
            Self::Exponent
        } else if text.contains('.') {
            Self::Decimal
        } else {
            Self::Whole
        }
    }
}

/// True for numbers each of which is above the one before, or each below.
fn is_monotone(values: &[f64]) -> bool {
    values.is_sorted_by(|a, b| a < b) || values.is_sorted_by(|a, b| a > b)
}

/// True for numbers that ascend or descend by equal steps.
fn is_even(values: &[f64]) -> bool {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
        return false;
    };
    let step = (last - first) / (values.len().max(2) - 1) as f64;
    step != 0.0
        && values.windows(2).all(|pair| {
            let rounding = 4.0 * f64::EPSILON * pair[0].abs().max(pair[1].abs());
            ((pair[1] - pair[0]) - step).abs() <= 1e-6 * step.abs() + rounding
        })
}

/// The first fields, for a message.
fn start_of(first: &Record<'_>) -> String {
    const SHOWN: usize = 4;
    let columns = Columns {
        count: first.len(),
        names: None,
        may_be_text: true,
        index: 0,
    };
    let fields: Vec<&str> = (0..first.len().min(SHOWN))
        .filter_map(|j| first.text(j, &columns, "").ok())
        .collect();
    let more = if first.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", fields.join(", "))
}
