//! Matching the features of one data set with those that a model or another data set has.

use std::collections::HashMap;

use super::dataset::{Dataset, Named};
use super::factor::{Factor, columns_of};
use super::labels::{list, quote};
use super::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

/// The names of columns that have none: `x0`, `x1`, ….
pub(super) fn generic_names(count: usize) -> Vec<String> {
    (0..count).map(|j| format!("x{j}")).collect()
}

/// True for names such as a reader makes for columns without a name. Only for models that do not say
/// where their names are from.
pub fn is_generic(names: &[String]) -> bool {
    // Arrays count from 0, LIBSVM's files from 1, images have pixels.
    [("x", 0), ("x", 1), ("pixel", 0)]
        .iter()
        .any(|&(prefix, start)| {
            names.iter().enumerate().all(|(j, name)| {
                name.strip_prefix(prefix).and_then(|n| n.parse().ok()) == Some(start + j)
            })
        })
}

/// The columns that a model or the training data have, which another file is to match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// The features, in their order.
    pub features: Vec<String>,
    /// The columns of text that some of them stand for, in their order.
    pub factors: Vec<Factor>,
    /// The targets, in theirs; empty where the other file needs none.
    pub targets: Vec<String>,
    /// The names among these that a file has given.
    pub named: Named,
}

impl Expected {
    /// The names of the columns that the features come from: a factor is one.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        columns_of(&self.features, &self.factors)
    }
}

impl Dataset {
    /// The columns that validation and test data are to match.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected {
            features: self.feature_names.clone(),
            factors: self.factors.clone(),
            targets: self.targets.iter().map(|t| t.name.clone()).collect(),
            named: self.named,
        }
    }

    /// The same rows with the expected features and targets, in that order: validation data, or data
    /// to predict, for a model that was trained with those columns.
    ///
    /// Columns are matched by name where both have names, and else by position. A sparse matrix
    /// may have fewer columns, as a file has that does not use the last features.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of columns differs, [`Error::Value`] when a named feature or
    /// target is not there.
    pub fn align(mut self, expected: &Expected) -> Result<Self> {
        let names = &expected.features;
        let count = self.matrix.columns();
        let order = if self.named.features && self.feature_names != *names {
            positions(&self.feature_names, names)
        } else {
            Ok((0..count).collect())
        };
        match (&mut self.matrix, order) {
            (Matrix::Dense(matrix), Ok(order)) if order.len() == names.len() => {
                let in_place = order.len() == matrix.columns && order.is_sorted();
                if !in_place {
                    *matrix = select_columns(matrix, &order);
                }
            }
            (Matrix::Dense(_), Err(missing)) if expected.named.features || count != names.len() => {
                return Err(Error::value(
                    self.source,
                    format!("the feature {} is not among the columns", quote(missing)),
                    format!("give the features {}; the order is free", list(names)),
                ));
            }
            (Matrix::Sparse(matrix), _) if !self.named.features && count <= names.len() => {
                matrix.columns = names.len();
            }
            _ if count == names.len() => {}
            _ => {
                return Err(Error::shape(
                    self.source,
                    format!("{} features as in training", names.len()),
                    count.to_string(),
                    format!("give the features {}", list(names)),
                ));
            }
        }
        self.feature_names.clone_from(names);
        self.factors.clone_from(&expected.factors);
        if self.named.targets && expected.named.targets && !self.targets.is_empty() {
            let own: Vec<String> = self.targets.iter().map(|t| t.name.clone()).collect();
            let order = positions(&own, &expected.targets).map_err(|missing| {
                Error::value(
                    self.source.clone(),
                    format!("the target {} is not among the columns", quote(missing)),
                    format!(
                        "give the targets {}; the order is free",
                        list(&expected.targets)
                    ),
                )
            })?;
            self.targets = order.iter().map(|&t| self.targets[t].clone()).collect();
        } else if self.targets.len() == expected.targets.len() {
            for (target, name) in self.targets.iter_mut().zip(&expected.targets) {
                target.name.clone_from(name);
            }
        }
        Ok(self)
    }
}

/// The position of each wanted name, or the first that is not there.
fn positions<'a>(
    names: &[String],
    wanted: &'a [String],
) -> std::result::Result<Vec<usize>, &'a str> {
    let places: HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(j, name)| (name.as_str(), j))
        .collect();
    wanted
        .iter()
        .map(|name| places.get(name.as_str()).copied().ok_or(name.as_str()))
        .collect()
}

fn select_columns(matrix: &Dense, order: &[usize]) -> Dense {
    let values = (0..matrix.rows)
        .flat_map(|i| {
            let row = matrix.row(i);
            order.iter().map(move |&j| row[j])
        })
        .collect();
    Dense {
        rows: matrix.rows,
        columns: order.len(),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Labels, Sparse, Target};

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    /// Two rows of the features, and one target per name.
    fn dense(feature_names: &str, named: bool) -> Dataset {
        let feature_names = names(feature_names);
        let columns = feature_names.len();
        Dataset {
            matrix: Matrix::Dense(Dense {
                rows: 2,
                columns,
                values: (0..2 * columns).map(|v| v as f64).collect(),
            }),
            feature_names,
            factors: Vec::new(),
            targets: Vec::new(),
            weights: None,
            offset: None,
            named: Named {
                features: named,
                targets: named,
            },
            source: "val.csv".into(),
        }
    }

    fn expected(features: &str, named: bool) -> Expected {
        dense(features, named).expected()
    }

    fn values(data: Dataset) -> Vec<f64> {
        match data.matrix {
            Matrix::Dense(matrix) => matrix.values,
            Matrix::Sparse(_) => panic!("dense data expected"),
        }
    }

    #[test]
    fn named_columns_are_matched_by_name_and_others_by_position() {
        let aligned = dense("c a b", true).align(&expected("a b", true)).unwrap();
        assert_eq!(aligned.feature_names, names("a b"));
        assert_eq!(values(aligned), [1., 2., 4., 5.]);
        let by_position = dense("x0 x1", false).align(&expected("a b", true)).unwrap();
        assert_eq!(by_position.feature_names, names("a b"));
        assert_eq!(values(by_position), [0., 1., 2., 3.]);
        let to_generic = dense("a b", true).align(&expected("x0 x1", false)).unwrap();
        assert_eq!(values(to_generic), [0., 1., 2., 3.]);
        // Names that look like a reader's are names where a file has given them.
        let swapped = dense("x1 x0", true)
            .align(&expected("x0 x1", true))
            .unwrap();
        assert_eq!(values(swapped), [1., 0., 3., 2.]);
        let lacking = dense("x0 x1 price", true).align(&expected("x0 x1 x2", true));
        assert!(lacking.unwrap_err().to_string().contains("\"x2\""));
    }

    #[test]
    fn targets_are_matched_by_name() {
        let target = |name: &str, value: f64| Target {
            name: name.into(),
            values: Labels::Numbers(vec![value; 2]),
        };
        let with = |targets: &[(&str, f64)]| Dataset {
            targets: targets
                .iter()
                .map(|&(name, value)| target(name, value))
                .collect(),
            ..dense("a", true)
        };
        let training = with(&[("y", 0.0), ("z", 0.0)]).expected();
        let aligned = with(&[("z", 1.0), ("w", 2.0), ("y", 3.0)])
            .align(&training)
            .unwrap();
        assert_eq!(aligned.targets, [target("y", 3.0), target("z", 1.0)]);
        let message = with(&[("z", 1.0)])
            .align(&training)
            .unwrap_err()
            .to_string();
        assert!(message.contains("the target \"y\""), "{message}");
    }

    #[test]
    fn columns_that_do_not_match_are_errors() {
        let missing = dense("a b", true)
            .align(&expected("a z", true))
            .unwrap_err();
        let missing = missing.to_string();
        for part in ["val.csv", "\"z\"", "\"a\", \"z\""] {
            assert!(missing.contains(part), "{missing}");
        }
        for (data, model) in [("x0 x1 x2", "x0 x1"), ("x0 x1 x2", "a b"), ("x0", "a b")] {
            let found = dense(data, false).align(&expected(model, model.starts_with('a')));
            let message = found.unwrap_err().to_string();
            assert!(message.contains("2 features as in training"), "{message}");
        }
    }

    #[test]
    fn a_sparse_matrix_may_lack_the_last_columns() {
        let sparse = Dataset {
            matrix: Matrix::Sparse(Sparse {
                rows: 1,
                columns: 2,
                row_starts: vec![0, 1],
                column_indices: vec![1],
                values: vec![3.0],
            }),
            feature_names: names("x1 x2"),
            ..dense("x0", false)
        };
        let wide = sparse.clone().align(&expected("x1 x2 x3", false)).unwrap();
        assert_eq!((wide.matrix.columns(), wide.feature_names.len()), (3, 3));
        let message = sparse
            .align(&expected("x1", false))
            .unwrap_err()
            .to_string();
        assert!(message.contains("1 features as in training"), "{message}");
    }
}
