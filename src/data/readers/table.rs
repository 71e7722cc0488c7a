//! The columns of a table as they fill, row by row, whatever the format that the rows are from.

#[cfg(feature = "parquet")]
use super::access;
use super::columns::{Columns, Purpose, Role, generic_target_names};
use super::options::ReadOptions;
use super::part::{Part, bad};
use crate::data::align::generic_names;
use crate::data::dataset::{Named, Target};
use crate::data::labels::quote;
use crate::data::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

mod cell;
pub(super) mod factors;
mod labels;

use factors::{Content, ENCODE, Filling};
use labels::Labelling;

pub(super) use cell::{Cell, Position, Row, has_thousands};

/// True for the name of a column that has none, also for that which pandas gives it.
pub(super) fn is_nameless(name: &[u8]) -> bool {
    name.is_empty() || name == b"Unnamed: 0"
}

/// The columns as they fill.
pub(super) struct Table<'a> {
    columns: &'a Columns,
    roles: Vec<Role>,
    options: &'a ReadOptions,
    source: &'a str,
    purpose: Purpose<'a>,
    /// Whether the features are chosen, and are not those of a model.
    chooses: bool,
    /// Whether the first column is left out where it holds row numbers.
    may_count_rows: bool,
    rows: usize,
    /// The features row by row; of a factor the code of its level.
    features: Vec<f64>,
    /// The kinds of cells, feature by feature.
    contents: Vec<Filling<'a>>,
    targets: Vec<Labelling>,
    weights: Vec<f64>,
}

impl<'a> Table<'a> {
    /// An empty table; `is_nameless` says that the first of the columns that have names has none.
    ///
    /// # Errors
    /// [`Error::Data`] when the columns do not serve the purpose, or are not as the options say.
    pub(super) fn new(
        columns: &'a Columns,
        is_nameless: bool,
        purpose: Purpose<'a>,
        options: &'a ReadOptions,
        source: &'a str,
    ) -> Result<Self> {
        let roles = columns.roles(purpose, options, source)?;
        // A first column that is asked for is kept, whatever it holds.
        let is_asked_for = |name: &String| match (purpose, &options.expected) {
            (Purpose::Model(model), _) => model.columns().contains(name),
            (_, Some(expected)) => expected.columns().contains(name),
            _ => false,
        };
        let is_left_over = match roles[0] {
            Role::Feature => !columns.names.iter().any(|names| is_asked_for(&names[0])),
            Role::Target => {
                matches!(purpose, Purpose::Targets) && columns.targets(options).is_empty()
            }
            _ => false,
        };
        let allowed = factors::allowed(columns, &roles, purpose, options, source)?;
        let targets = roles.iter().filter(|&&role| role == Role::Target).count();
        Ok(Self {
            may_count_rows: is_nameless && columns.count > 1 && is_left_over && !options.keep_index,
            columns,
            roles,
            options,
            source,
            purpose,
            chooses: !allowed.iter().any(|a| a.is_of_training()),
            rows: 0,
            features: Vec::new(),
            contents: allowed.into_iter().map(Filling::new).collect(),
            targets: (0..targets).map(|_| Labelling::new()).collect(),
            weights: Vec::new(),
        })
    }

    /// The role of every column.
    pub(super) fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Takes memory for that many rows, where a file says how many it has.
    ///
    /// # Errors
    /// [`Error::Data`] when it is not there.
    #[cfg(feature = "parquet")]
    pub(super) fn reserve(&mut self, rows: usize) -> Result<()> {
        let width = self.contents.len();
        if access::reserve(&mut self.features, rows.saturating_mul(width)) {
            return Ok(());
        }
        Err(bad(
            self.source,
            None,
            None,
            format!("{rows} rows of {width} columns are larger than the memory"),
            "give fewer rows or columns, or use a larger machine",
        ))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Data`] with the place of a cell that its column does not take.
    pub(super) fn push(&mut self, row: &impl Row) -> Result<()> {
        if row.len() != self.columns.count {
            let what = format!(
                "the row has {} fields where the first has {}",
                row.len(),
                self.columns.count
            );
            return Err(self.fault(
                row,
                None,
                what,
                "give every row the same columns; quote a field that contains the separator, \
                 and close every quote",
            ));
        }
        let (mut target, mut feature) = (0, 0);
        for j in 0..self.roles.len() {
            match self.roles[j] {
                Role::Ignored => {}
                Role::Feature => {
                    let value = self.feature(row, j, feature)?;
                    self.features.push(value);
                    feature += 1;
                }
                Role::Weight => {
                    let weight = self.number(row, j, self.cell(row, j)?)?;
                    self.weights.push(weight);
                }
                Role::Target => {
                    self.label(row, j, target)?;
                    target += 1;
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn cell<'r>(&self, row: &'r impl Row, j: usize) -> Result<Cell<'r>> {
        row.cell(j, self.columns, self.source)
    }

    fn fault(&self, row: &impl Row, column: Option<String>, what: String, remedy: &str) -> Error {
        match row.position() {
            Position::Line(line) => bad(self.source, Some(line), column, what, remedy),
            Position::Row(row) => bad(
                self.source,
                None,
                column,
                format!("row {row}: {what}"),
                remedy,
            ),
        }
    }

    fn error(&self, row: &impl Row, j: usize, what: String, remedy: &str) -> Error {
        self.fault(row, Some(self.columns.label(j)), what, remedy)
    }

    fn missing(&self, row: &impl Row, j: usize, text: &str) -> Error {
        let what = if text.is_empty() {
            "the value is missing".to_string()
        } else {
            format!("the value is missing ({})", quote(text))
        };
        let remedy = if self.chooses && self.roles[j] == Role::Feature {
            "fill it in, remove the row or the column, or say with --missing how it is filled"
        } else {
            "fill it in, or remove the row or the column"
        };
        self.error(row, j, what, remedy)
    }

    /// True for a text that says that the cell is missing: of a field the usual ones, of a typed text those alone
    /// that the options list.
    fn says_missing(&self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Field(text) => is_missing(text, self.options),
            Cell::Text(text) => self.options.na.is_some() && is_missing(text, self.options),
            Cell::Missing => true,
            Cell::Number(value) => value.is_nan(),
            Cell::Narrow(..) | Cell::Whole(_) | Cell::Flag(_) => false,
        }
    }

    /// A feature's number, or the code of its level.
    fn feature(&mut self, row: &impl Row, j: usize, feature: usize) -> Result<f64> {
        let cell = self.cell(row, j)?;
        let keeps = self.options.keep_missing;
        // The common cases first.
        match cell {
            Cell::Field(_) if !keeps && self.contents[feature].content == Content::Numbers => {
                return self.number(row, j, cell);
            }
            Cell::Number(value) | Cell::Narrow(value, _)
                if value.is_finite() && self.contents[feature].content != Content::Levels =>
            {
                return Ok(value);
            }
            _ => {}
        }
        let is_missing = self.says_missing(cell);
        if is_missing && keeps {
            return Ok(f64::NAN);
        }
        if self.contents[feature].begins_with(cell, is_missing) != Content::Levels {
            let is_not_known =
                |text: &str| is_missing_number(text) || text.parse::<f64>().is_ok_and(f64::is_nan);
            return match cell {
                Cell::Field(text) if keeps && is_not_known(text) => Ok(f64::NAN),
                _ => self.number(row, j, cell),
            };
        }
        let code = match cell {
            Cell::Field(text) | Cell::Text(text) if is_missing => {
                return Err(self.missing(row, j, text));
            }
            _ if is_missing => return Err(self.missing(row, j, "")),
            Cell::Field(text) => self.contents[feature].code(text, true),
            Cell::Text(text) => self.contents[feature].code(text, false),
            _ => self.contents[feature].code(&cell.text(), false),
        };
        code.map_err(|fault| self.error(row, j, fault.what, &fault.remedy))
    }

    fn number(&self, row: &impl Row, j: usize, cell: Cell<'_>) -> Result<f64> {
        match cell {
            Cell::Field(text) | Cell::Text(text) => self.parsed(row, j, text, cell),
            Cell::Missing => Err(self.missing(row, j, "")),
            Cell::Number(value) if value.is_nan() => Err(self.missing(row, j, "NaN")),
            Cell::Number(value) if value.is_infinite() => Err(self.infinite(row, j, cell)),
            Cell::Number(value) | Cell::Narrow(value, _) => Ok(value),
            Cell::Whole(value) => Ok(value as f64),
            Cell::Flag(value) => Ok(f64::from(u8::from(value))),
        }
    }

    fn infinite(&self, row: &impl Row, j: usize, cell: Cell<'_>) -> Error {
        self.error(
            row,
            j,
            format!(
                "{} is infinite or too large for a number",
                quote(&cell.text())
            ),
            "replace it by a finite number, or remove the row",
        )
    }

    fn parsed(&self, row: &impl Row, j: usize, text: &str, cell: Cell<'_>) -> Result<f64> {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ if is_missing(text, self.options) || is_missing_number(text) => {
                Err(self.missing(row, j, text))
            }
            Ok(value) if value.is_nan() => Err(self.missing(row, j, text)),
            Ok(_) => Err(self.infinite(row, j, cell)),
            Err(_) => {
                let decimal_comma = text.replacen(',', ".", 1).parse::<f64>().is_ok();
                let remedy = if text.contains('\n') {
                    "close the quotes of that field"
                } else if decimal_comma || has_thousands(text) {
                    "write decimals with a point, without separators of thousands, or say what a comma \
                     is by --decimal"
                } else {
                    if self.chooses {
                        ENCODE
                    } else {
                        "encode the column as numbers, as in training"
                    }
                };
                Err(self.error(row, j, format!("{} is not a number", quote(text)), remedy))
            }
        }
    }

    fn label(&mut self, row: &impl Row, j: usize, target: usize) -> Result<()> {
        let cell = self.cell(row, j)?;
        let text = match cell {
            Cell::Field(text) | Cell::Text(text) => text,
            Cell::Missing | Cell::Number(_) => {
                let value = self.number(row, j, cell)?;
                self.targets[target].push_number(value);
                return Ok(());
            }
            // A label is what its text would be.
            Cell::Narrow(value, short) => {
                self.targets[target].push_number(short(value));
                return Ok(());
            }
            Cell::Whole(_) | Cell::Flag(_) => {
                self.targets[target].push_text(cell.text());
                return Ok(());
            }
        };
        if self.says_missing(cell) {
            let remedy = "fill it in, or remove the row or the column; where it is a label, \
                          --na lists what is missing instead";
            let what = format!("the value is missing ({})", quote(text));
            return Err(if text.is_empty() {
                self.missing(row, j, text)
            } else {
                self.error(row, j, what, remedy)
            });
        }
        // Infinities are caught here while the line is known; text labels parse to nothing, and typed text is text.
        let is_label = matches!(cell, Cell::Text(_))
            || self.options.na.is_some() && text.eq_ignore_ascii_case("nan");
        if !is_label && text.parse::<f64>().is_ok_and(|value| !value.is_finite()) {
            self.number(row, j, cell)?;
        }
        self.targets[target].push_text(text.to_string());
        Ok(())
    }

    /// Leaves the first column out if it holds row numbers, with a warning.
    fn drop_row_numbers(&mut self) {
        let role = self.roles[0];
        let width = self.contents.len();
        let numbers: Vec<f64> = match role {
            Role::Feature if self.contents[0].content == Content::Levels => return,
            Role::Feature => self.features.iter().step_by(width).copied().collect(),
            Role::Target => self.targets.first().map_or(Vec::new(), Labelling::numbers),
            _ => return,
        };
        if numbers.len() != self.rows || !are_row_numbers(&numbers) {
            return;
        }
        let is_said = self.options.part.is_some_and(|number| number > 0);
        let level = if is_said {
            log::Level::Debug
        } else {
            log::Level::Warn
        };
        log::log!(
            level,
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
            self.contents.remove(0);
        } else {
            self.targets.remove(0);
        }
        self.roles[0] = Role::Ignored;
    }

    /// The contents of the table.
    ///
    /// # Errors
    /// [`Error::Data`] when nothing is left for the purpose, or the levels make no features.
    pub(super) fn finish(mut self) -> Result<Part> {
        if self.may_count_rows {
            self.drop_row_numbers();
        }
        let needs_features = !matches!(self.purpose, Purpose::Targets);
        let (roles, source) = (&self.roles, self.source);
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
        let column_names: Vec<String> = names_of(Role::Feature, generic_names);
        for (filling, j) in self.contents.iter().zip(of_role(Role::Feature)) {
            if let Some(fault) = filling.fault(self.rows)
                && self.options.part.is_none()
            {
                let column = Some(self.columns.label(j));
                return Err(bad(source, None, column, fault.what, fault.remedy));
            }
        }
        let weights = has(Role::Weight).then_some(self.weights);
        let targets = names_of(Role::Target, generic_target_names)
            .into_iter()
            .zip(self.targets)
            .map(|(name, labels)| Target {
                name,
                values: match self.options.part {
                    Some(_) => labels.written(),
                    None => labels.finish(),
                },
            })
            .collect();
        let is_named = self.columns.names.is_some();
        let wide = factors::widen(
            self.features,
            self.contents,
            column_names,
            self.options.part.is_some(),
        );
        let wide = wide.map_err(|fault| bad(source, None, None, fault.what, fault.remedy))?;
        if self.options.part.is_none() {
            factors::tell(&wide.found(), source);
        }
        Ok(Part {
            matrix: (!wide.names.is_empty()).then_some(Matrix::Dense(Dense {
                rows: self.rows,
                columns: wide.names.len(),
                values: wide.values,
            })),
            feature_names: wide.names,
            factors: wide.factors,
            kinds: wide.kinds,
            targets,
            weights,
            named: Named {
                features: is_named,
                targets: is_named,
            },
        })
    }
}

/// True for the ways of writing that a value is not known.
pub(super) fn is_missing(field: &str, options: &ReadOptions) -> bool {
    match &options.na {
        None => is_usually_missing(field),
        Some(texts) => field.is_empty() || texts.iter().any(|text| text == field),
    }
}

/// The same where the options list none.
pub(super) fn is_usually_missing(field: &str) -> bool {
    ["", "NA", "N/A", "NaN", "null", "?"]
        .iter()
        .any(|missing| field.eq_ignore_ascii_case(missing))
}

/// The ways of writing that a number is not known, where a label of that text would be one.
fn is_missing_number(field: &str) -> bool {
    ["None", "<NA>", "#N/A", "-", "."].contains(&field)
}

/// True for whole numbers that hardly repeat, as those of the rows of one table or of several joined.
fn are_row_numbers(numbers: &[f64]) -> bool {
    let is_count = |v: &f64| *v >= 0.0 && v.fract() == 0.0 && *v < 2f64.powi(53);
    let different: std::collections::HashSet<u64> = numbers.iter().map(|v| v.to_bits()).collect();
    numbers.iter().all(is_count)
        && different.len() >= (numbers.len() / 10).max(numbers.len().min(3))
}
