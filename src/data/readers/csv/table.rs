//! The columns of a table as they fill, row by row.

use super::factors::{Allowed, Content, ENCODE, Filling, has_thousands};
use super::record::{Record, is_missing};
use crate::data::align::generic_names;
use crate::data::dataset::{Named, Target};
use crate::data::labels::{labels_of, quote};
use crate::data::matrix::{Dense, Matrix};
use crate::data::readers::columns::{Columns, Role, generic_target_names};
use crate::data::readers::options::ReadOptions;
use crate::data::readers::part::{Part, bad};
use crate::error::{Error, Result};

/// The columns as they fill.
pub(super) struct Table<'a> {
    columns: &'a Columns,
    roles: Vec<Role>,
    options: &'a ReadOptions,
    source: &'a str,
    /// Whether the features are chosen, and are not those of a model.
    chooses: bool,
    rows: usize,
    /// The features row by row; of a factor the code of its level.
    features: Vec<f64>,
    /// The kinds of cells, feature by feature.
    contents: Vec<Filling<'a>>,
    targets: Vec<Vec<String>>,
    weights: Vec<f64>,
}

impl<'a> Table<'a> {
    /// An empty table; `allowed` says what each feature may hold.
    pub(super) fn new(
        columns: &'a Columns,
        roles: Vec<Role>,
        allowed: Vec<Allowed<'a>>,
        options: &'a ReadOptions,
        source: &'a str,
    ) -> Self {
        let targets = roles.iter().filter(|&&role| role == Role::Target).count();
        Self {
            columns,
            roles,
            options,
            source,
            chooses: !allowed.iter().any(|a| a.is_of_training()),
            rows: 0,
            features: Vec::new(),
            contents: allowed.into_iter().map(Filling::new).collect(),
            targets: vec![Vec::new(); targets],
            weights: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<()> {
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
        let (mut target, mut feature) = (0, 0);
        for j in 0..self.roles.len() {
            match self.roles[j] {
                Role::Ignored => {}
                Role::Feature => {
                    let value = self.feature(record, j, feature)?;
                    self.features.push(value);
                    feature += 1;
                }
                Role::Weight => {
                    let weight = self.number(record, j)?;
                    self.weights.push(weight);
                }
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
        let remedy = if self.chooses && self.roles[j] == Role::Feature {
            "fill it in, remove the row or the column, or say with --missing how it is filled"
        } else {
            "fill it in, or remove the row or the column"
        };
        self.error(record, j, what, remedy)
    }

    /// A feature's number, or the code of its level.
    fn feature(&mut self, record: &Record<'_>, j: usize, feature: usize) -> Result<f64> {
        let keeps = self.options.keep_missing;
        // The common case first.
        if self.contents[feature].content == Content::Numbers && !keeps {
            return self.number(record, j);
        }
        let text = record.text(j, self.columns, self.source)?;
        let is_missing = is_missing(text, self.options);
        if is_missing && keeps {
            return Ok(f64::NAN);
        }
        if self.contents[feature].begins_with(text, is_missing) == Content::Numbers {
            let is_nan = || text.parse::<f64>().is_ok_and(f64::is_nan);
            if keeps && (is_missing_number(text) || is_nan()) {
                return Ok(f64::NAN);
            }
            return self.number(record, j);
        }
        if is_missing {
            return Err(self.missing(record, j, text));
        }
        match self.contents[feature].code(text) {
            Ok(code) => Ok(code),
            Err(fault) => Err(self.error(record, j, fault.what, &fault.remedy)),
        }
    }

    fn number(&self, record: &Record<'_>, j: usize) -> Result<f64> {
        let text = record.text(j, self.columns, self.source)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ if is_missing(text, self.options) || is_missing_number(text) => {
                Err(self.missing(record, j, text))
            }
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
        if is_missing(text, self.options) {
            let remedy = "fill it in, or remove the row or the column; where it is a label, \
                          --na lists what is missing instead";
            let what = format!("the value is missing ({})", quote(text));
            return Err(if text.is_empty() {
                self.missing(record, j, text)
            } else {
                self.error(record, j, what, remedy)
            });
        }
        // Infinities are caught here while the line is known; text labels parse to nothing.
        let is_label = self.options.na.is_some() && text.eq_ignore_ascii_case("nan");
        if !is_label && text.parse::<f64>().is_ok_and(|value| !value.is_finite()) {
            self.number(record, j)?;
        }
        Ok(text.to_string())
    }

    /// Leaves the first column out if it holds row numbers, with a warning.
    pub(super) fn drop_row_numbers(&mut self) {
        let role = self.roles[0];
        let width = self.contents.len();
        let numbers: Vec<f64> = match role {
            Role::Feature if self.contents[0].content != Content::Numbers => return,
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

    pub(super) fn finish(self, needs_features: bool) -> Result<Part> {
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
            .map(|(name, texts)| Target {
                name,
                values: labels_of(texts),
            })
            .collect();
        let is_named = self.columns.names.is_some();
        let wide = super::factors::widen(self.features, self.contents, column_names);
        let wide = wide.map_err(|fault| bad(source, None, None, fault.what, fault.remedy))?;
        if self.options.part.is_none() {
            super::factors::tell(&wide.found(), source);
        }
        Ok(Part {
            matrix: (!wide.names.is_empty()).then_some(Matrix::Dense(Dense {
                rows: self.rows,
                columns: wide.names.len(),
                values: wide.values,
            })),
            feature_names: wide.names,
            factors: wide.factors,
            targets,
            weights,
            named: Named {
                features: is_named,
                targets: is_named,
            },
        })
    }
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
