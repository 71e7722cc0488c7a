//! Columns of text as they fill: the codes of their levels, and at the end one feature per level.

use std::collections::{HashMap, HashSet};

use super::cell::{Cell, has_thousands};
use crate::data::factor::{Factor, in_order};
use crate::data::labels::{list, quote};
use crate::data::readers::access;
use crate::data::readers::columns::{Columns, Purpose, Role};
use crate::data::readers::options::{Categorical, MAX_LEVELS, ReadOptions, UnknownLevels};
use crate::data::readers::part::{Kind, bad};

/// Rows from which on a text column without a text twice is taken for an identifier.
const MANY_ROWS: usize = 10;

/// The code of a level that is none of those known.
const UNKNOWN: f64 = -1.0;

/// The remedy for text where a number should be.
pub(super) const ENCODE: &str = "encode the column as numbers, leave it out (--drop), or take its values as levels \
                                 (--categorical)";

/// The kinds of cells that a column may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed<'a> {
    /// Numbers, or True and False for 1 and 0.
    Flags,
    /// The same, as training had it.
    KnownFlags,
    /// Numbers, or else text: a factor.
    Texts,
    /// A factor, whatever is in it.
    Levels,
    /// A factor with these levels.
    Known(&'a Factor, UnknownLevels),
}

impl Allowed<'_> {
    /// True where a model or other rows say what the column holds.
    pub(super) fn is_of_training(&self) -> bool {
        matches!(self, Self::KnownFlags | Self::Known(..))
    }
}

/// The kinds of cells that feature columns may hold.
///
/// # Errors
/// [`crate::Error::Data`] when a column that is named as a factor is no feature.
pub(super) fn allowed<'a>(
    columns: &Columns,
    roles: &[Role],
    purpose: Purpose<'a>,
    options: &'a ReadOptions,
    source: &str,
) -> crate::error::Result<Vec<Allowed<'a>>> {
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

/// The kind of cells that a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing yet.
    Nothing,
    Numbers,
    Levels,
}

/// A column as it fills.
pub(super) struct Filling<'a> {
    pub(super) content: Content,
    allowed: Allowed<'a>,
    codes: HashMap<String, f64>,
    /// The levels by their codes.
    levels: Vec<String>,
}

/// A fault of a cell or a column.
pub(in crate::data::readers) struct Fault {
    pub(in crate::data::readers) what: String,
    pub(in crate::data::readers) remedy: String,
}

impl<'a> Filling<'a> {
    pub(super) fn new(allowed: Allowed<'a>) -> Self {
        let levels = match allowed {
            Allowed::Known(factor, _) => factor.levels.clone(),
            _ => Vec::new(),
        };
        let number = |(code, level): (usize, &String)| (level.clone(), code as f64);
        Self {
            content: match allowed {
                Allowed::Levels | Allowed::Known(..) => Content::Levels,
                Allowed::Flags | Allowed::KnownFlags | Allowed::Texts => Content::Nothing,
            },
            allowed,
            codes: levels.iter().enumerate().map(number).collect(),
            levels,
        }
    }

    /// The kind of its cells, which the first cell decides.
    pub(super) fn begins_with(&mut self, cell: Cell<'_>, is_missing: bool) -> Content {
        if self.content == Content::Nothing {
            let is_number =
                |text: &str| is_missing || text.parse::<f64>().is_ok() || has_thousands(text);
            let is_text = match (cell, self.allowed) {
                (Cell::Field(text), Allowed::Texts) => !is_number(text),
                (Cell::Text(_), Allowed::Texts) => true,
                (Cell::Field(text) | Cell::Text(text), _) => is_flag(text),
                _ => false,
            };
            self.content = if is_text {
                Content::Levels
            } else {
                Content::Numbers
            };
        }
        self.content
    }

    /// The code of a level; a field may be a number, which a factor that nobody has named has not.
    pub(super) fn code(&mut self, text: &str, is_field: bool) -> Result<f64, Fault> {
        if let Some(&code) = self.codes.get(text) {
            return Ok(code);
        }
        let fault = |what: String, remedy: &str| {
            Err(Fault {
                what,
                remedy: remedy.into(),
            })
        };
        match self.allowed {
            Allowed::Known(_, UnknownLevels::Zeros) => return Ok(UNKNOWN),
            Allowed::Known(factor, UnknownLevels::Error) => {
                return fault(
                    format!(
                        "{} is a level that training has not seen; it has {}",
                        quote(text),
                        list(&factor.levels)
                    ),
                    "drop those rows, or take it as none of the levels (--unknown-levels zeros)",
                );
            }
            Allowed::Flags | Allowed::KnownFlags if !is_flag(text) => {
                return fault(
                    format!("{} is neither True nor False as above", quote(text)),
                    "write True or False, or numbers",
                );
            }
            Allowed::Texts if is_field && (text.parse::<f64>().is_ok() || has_thousands(text)) => {
                return fault(
                    format!("{} is a number in a column of text", quote(text)),
                    ENCODE,
                );
            }
            Allowed::Texts if self.levels.len() == MAX_LEVELS => return Err(too_many_levels()),
            _ => {}
        }
        let code = self.levels.len() as f64;
        self.levels.push(text.to_string());
        self.codes.insert(text.to_string(), code);
        Ok(code)
    }

    /// The fault of a column that is full.
    pub(super) fn fault(&self, rows: usize) -> Option<Fault> {
        self.is_found()
            .then(|| fault_of_levels(&self.levels, rows))
            .flatten()
    }

    /// True for a factor that nobody has named.
    fn is_found(&self) -> bool {
        self.content == Content::Levels
            && matches!(self.allowed, Allowed::Texts)
            && !self.are_flags()
    }

    fn are_flags(&self) -> bool {
        matches!(
            self.allowed,
            Allowed::Texts | Allowed::Flags | Allowed::KnownFlags
        ) && self.content == Content::Levels
            && self.levels.iter().all(|level| is_flag(level))
    }
}

/// The fault of levels that nobody has named as such, among the rows of all that is read.
pub(in crate::data::readers) fn fault_of_levels(levels: &[String], rows: usize) -> Option<Fault> {
    if levels.len() > MAX_LEVELS {
        return Some(too_many_levels());
    }
    let is_identifier = rows >= MANY_ROWS && levels.len() == rows;
    is_identifier.then(|| Fault {
        what: format!(
            "every row has a text of its own, such as {}",
            quote(&levels[0])
        ),
        remedy:
            "leave the column out (--drop, or --id), or take its values as levels (--categorical)"
                .into(),
    })
}

fn too_many_levels() -> Fault {
    Fault {
        what: format!("the column has more than {MAX_LEVELS} different texts"),
        remedy: "leave it out (--drop), or take them all as levels (--categorical)".into(),
    }
}

/// The number that True or False is.
pub(in crate::data::readers) fn flag(level: &str) -> f64 {
    f64::from(u8::from(level.eq_ignore_ascii_case("true")))
}

fn is_flag(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// The features of a table.
pub(super) struct Wide {
    /// Row by row.
    pub(super) values: Vec<f64>,
    pub(super) names: Vec<String>,
    pub(super) factors: Vec<Factor>,
    /// The kind of every column.
    pub(super) kinds: Vec<Kind>,
    /// The factors that nobody has named.
    found: Vec<usize>,
}

impl Wide {
    /// The factors that nobody has named.
    pub(super) fn found(&self) -> Vec<&Factor> {
        self.found.iter().map(|&at| &self.factors[at]).collect()
    }
}

/// Where a column's cells go.
enum Place {
    /// To a column of their own.
    Numbers,
    /// To 0 or 1, by their code.
    Flags(Vec<f64>),
    /// To one of several columns, by their code.
    Levels(Vec<usize>),
}

/// The features of columns: the columns of numbers, and one for each level of the others; `is_part` keeps True and
/// False as levels, because other files may have further ones.
///
/// # Errors
/// [`Fault`] when two features have one name, or the features are larger than the memory.
pub(super) fn widen(
    values: Vec<f64>,
    contents: Vec<Filling<'_>>,
    columns: Vec<String>,
    is_part: bool,
) -> Result<Wide, Fault> {
    let mut wide = Wide {
        values: Vec::new(),
        names: Vec::new(),
        factors: Vec::new(),
        kinds: Vec::with_capacity(contents.len()),
        found: Vec::new(),
    };
    let count = columns.len();
    let mut places = Vec::with_capacity(count);
    for (filling, name) in contents.into_iter().zip(columns) {
        if filling.content != Content::Levels {
            places.push(Place::Numbers);
            wide.kinds.push(Kind::Numbers);
            wide.names.push(name);
        } else if filling.are_flags() && !is_part {
            wide.kinds.push(Kind::Flags);
            let value = |level: &String| flag(level);
            places.push(Place::Flags(filling.levels.iter().map(value).collect()));
            wide.names.push(name);
        } else {
            wide.kinds.push(match filling.are_flags() {
                true => Kind::Flags,
                false => Kind::Factor,
            });
            let order = match filling.allowed {
                Allowed::Known(..) => (0..filling.levels.len()).collect(),
                _ => in_order(&filling.levels),
            };
            let mut place = vec![0; order.len()];
            for (at, &code) in order.iter().enumerate() {
                place[code] = at;
            }
            if filling.is_found() {
                wide.found.push(wide.factors.len());
            }
            let factor = Factor {
                name,
                levels: order
                    .iter()
                    .map(|&code| filling.levels[code].clone())
                    .collect(),
            };
            let features = factor.levels.iter().map(|level| factor.feature(level));
            wide.names.extend(features);
            wide.factors.push(factor);
            places.push(Place::Levels(place));
        }
    }
    if places.iter().all(|place| matches!(place, Place::Numbers)) {
        wide.values = values;
        return Ok(wide);
    }
    check_names(&wide.names)?;
    let rows = values.len() / count.max(1);
    wide.values = memory_for(rows, wide.names.len())?;
    for row in values.chunks_exact(count) {
        for (&value, place) in row.iter().zip(&places) {
            match place {
                // A missing cell: a factor has it in the features of all levels.
                Place::Levels(order) if value.is_nan() => {
                    let end = wide.values.len() + order.len();
                    wide.values.resize(end, f64::NAN);
                }
                Place::Flags(_) if value.is_nan() => wide.values.push(value),
                Place::Numbers => wide.values.push(value),
                Place::Flags(flags) => wide.values.push(flags[value as usize]),
                Place::Levels(order) => {
                    let start = wide.values.len();
                    wide.values.resize(start + order.len(), 0.0);
                    if value != UNKNOWN {
                        wide.values[start + order[value as usize]] = 1.0;
                    }
                }
            }
        }
    }
    Ok(wide)
}

/// Refuses a level whose feature has the name of another one.
pub(in crate::data::readers) fn check_names(names: &[String]) -> Result<(), Fault> {
    let mut seen = HashSet::with_capacity(names.len());
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Fault {
            what: format!("two features have the name {}", quote(name)),
            remedy:
                "rename the column that has the name of a level's feature, or leave it out (--drop)"
                    .into(),
        }),
    }
}

/// Memory for all features, as far as it is there.
pub(in crate::data::readers) fn memory_for(
    rows: usize,
    features: usize,
) -> Result<Vec<f64>, Fault> {
    let mut values = Vec::new();
    if access::reserve(&mut values, rows.saturating_mul(features)) {
        return Ok(values);
    }
    Err(Fault {
        what: format!(
            "{rows} rows of {features} features, one for each level, are larger than the memory"
        ),
        remedy: "leave columns of many levels out (--drop), or give the data as a sparse matrix"
            .into(),
    })
}

/// Says in one line which columns are taken as factors that nobody has named.
pub(in crate::data::readers) fn tell(found: &[&Factor], source: &str) {
    const SHOWN: usize = 12;
    if found.is_empty() {
        return;
    }
    let told = found.iter().take(SHOWN);
    let told = told.map(|one| format!("{} ({} levels)", quote(&one.name), one.levels.len()));
    let mut told = told.collect::<Vec<_>>().join(", ");
    if found.len() > SHOWN {
        told.push_str(&format!(" and {} more", found.len() - SHOWN));
    }
    log::warn!(
        "{source}: columns of text are taken as factors, with a feature per level: {told}; \
         --categorical none refuses them, --drop leaves them out"
    );
}
