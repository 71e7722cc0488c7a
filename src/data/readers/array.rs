//! Arrays without names, as npy, npz and IDX hold them, and what their columns are for.

use super::columns::{Columns, Purpose, Role, generic_target_names};
use super::options::ReadOptions;
use super::part::{Part, bad};
use crate::data::align::generic_names;
use crate::data::dataset::{Labels, Named, Target};
use crate::data::labels::numbers;
use crate::data::matrix::{Dense, Matrix, all_finite};
use crate::error::Result;

/// From here on f64 does not hold every whole number.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// An array in C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub values: Labels,
    /// The values as text, where they are whole numbers that f64 does not tell apart: as labels they
    /// are text.
    pub exact: Option<Vec<String>>,
}

impl Array {
    /// Checks that no number is infinite, or NaN unless missing ones are kept.
    pub fn check_finite(&self, source: &str, keep_missing: bool) -> Result<()> {
        let Labels::Numbers(values) = &self.values else {
            return Ok(());
        };
        if all_finite(values) {
            return Ok(());
        }
        let is_good = |value: &f64| value.is_finite() || (keep_missing && value.is_nan());
        let Some(at) = values.iter().position(|value| !is_good(value)) else {
            return Ok(());
        };
        let columns = self
            .shape
            .iter()
            .skip(1)
            .fold(1, |product: usize, &extent| product.saturating_mul(extent));
        let columns = columns.max(1);
        let column = (self.shape.len() > 1).then(|| (at % columns + 1).to_string());
        Err(bad(
            source,
            None,
            column,
            format!("row {} is {}", at / columns + 1, values[at]),
            "replace or drop missing and infinite values",
        ))
    }

    /// (rows, columns): a vector is one column; images, with `flatten`, are rows of pixels.
    fn table_shape(&self, flatten: bool, source: &str) -> Result<(usize, usize)> {
        let (rows, columns) = match self.shape.as_slice() {
            [] => (1, 1),
            [rows] => (*rows, 1),
            [rows, columns] => (*rows, *columns),
            // Where an extent is zero the others may be of any size.
            [rows, rest @ ..] if flatten && self.shape.contains(&0) => {
                (*rows, usize::from(!rest.contains(&0)))
            }
            [rows, rest @ ..] if flatten => (*rows, rest.iter().product()),
            shape => {
                return Err(bad(
                    source,
                    None,
                    None,
                    format!("the array has {} dimensions, {shape:?}", shape.len()),
                    "reshape it to rows × features",
                ));
            }
        };
        if rows == 0 || columns == 0 {
            return Err(bad(
                source,
                None,
                None,
                format!("the array is empty: {rows} rows and {columns} columns"),
                "give at least one row and one column",
            ));
        }
        Ok((rows, columns))
    }

    /// The array as data: all of it features or targets, or columns of both.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when features are text, there are more than two dimensions and not
    /// `flatten`, or the columns do not serve the purpose.
    pub fn into_part(
        self,
        source: &str,
        purpose: Purpose<'_>,
        options: &ReadOptions,
        flatten: bool,
    ) -> Result<Part> {
        let (rows, count) = self.table_shape(flatten, source)?;
        let columns = Columns {
            count,
            names: None,
            may_be_text: false,
            index: 0,
        };
        let roles = columns.roles(purpose, options, source)?;
        let features: Vec<usize> = (0..count).filter(|&j| roles[j] == Role::Feature).collect();
        if options.keep_missing {
            self.check_known(&roles, source)?;
        }
        let target_names =
            generic_target_names(roles.iter().filter(|&&r| r == Role::Target).count());
        let targets = (0..count)
            .filter(|&j| roles[j] == Role::Target)
            .zip(target_names)
            .map(|(j, name)| Target {
                name,
                values: self.column(j, rows, count),
            })
            .collect();
        let weights = match roles.iter().position(|&role| role == Role::Weight) {
            None => None,
            Some(j) => {
                let name = "of weights".to_string();
                let values = self.column(j, rows, count);
                Some(numbers(&Target { name, values }).map_err(|_| text_features(source))?)
            }
        };
        let matrix = if features.is_empty() {
            None
        } else {
            let Labels::Numbers(values) = self.values else {
                return Err(text_features(source));
            };
            let values = if features.len() == count {
                values
            } else {
                (0..rows)
                    .flat_map(|i| features.iter().map(move |&j| i * count + j))
                    .map(|at| values[at])
                    .collect()
            };
            Some(Matrix::Dense(Dense {
                rows,
                columns: features.len(),
                values,
            }))
        };
        let feature_names = if flatten {
            (0..features.len()).map(|j| format!("pixel{j}")).collect()
        } else {
            generic_names(features.len())
        };
        Ok(Part {
            matrix,
            factors: Vec::new(),
            kinds: Vec::new(),
            feature_names,
            targets,
            weights,
            named: Named::default(),
        })
    }

    /// Refuses missing values in columns that are no features.
    fn check_known(&self, roles: &[Role], source: &str) -> Result<()> {
        let Labels::Numbers(values) = &self.values else {
            return Ok(());
        };
        let is_used = |j: usize| matches!(roles[j], Role::Target | Role::Weight);
        let is_bad = |(at, value): (usize, &f64)| value.is_nan() && is_used(at % roles.len());
        match values.iter().enumerate().position(is_bad) {
            None => Ok(()),
            Some(at) => Err(bad(
                source,
                None,
                (roles.len() > 1).then(|| (at % roles.len() + 1).to_string()),
                format!("row {} is NaN", at / roles.len() + 1),
                "--missing is for features: fill in targets and weights, or remove these rows",
            )),
        }
    }

    /// Column j of a target: text where its numbers are not told apart by f64.
    fn column(&self, j: usize, rows: usize, count: usize) -> Labels {
        let at: Vec<usize> = (0..rows).map(|i| i * count + j).collect();
        let values = self.values.select(&at);
        match (&self.exact, &values) {
            (Some(exact), Labels::Numbers(numbers)) if numbers.iter().any(|v| v.abs() >= EXACT) => {
                Labels::Text(at.iter().map(|&at| exact[at].clone()).collect())
            }
            _ => values,
        }
    }

    /// The entries of a vector: a one-dimensional array, or a single row or column.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when it is a matrix, empty, or text.
    pub fn into_vector(self, source: &str) -> Result<Vec<f64>> {
        let (rows, columns) = self.table_shape(false, source)?;
        if rows > 1 && columns > 1 {
            return Err(bad(
                source,
                None,
                None,
                format!("a vector is expected, and this is {rows} × {columns}"),
                "give one column, one row, or a one-dimensional array",
            ));
        }
        match self.values {
            Labels::Numbers(values) => Ok(values),
            Labels::Text(_) => Err(text_features(source)),
        }
    }
}

/// The error that numbers are needed and the array has text.
pub(super) fn text_features(source: &str) -> crate::Error {
    bad(
        source,
        None,
        None,
        "the array holds text where numbers are needed",
        "encode it as numbers; text is for class labels only",
    )
}
