//! Matching the features of one data set with those that a model or another data set has.

use super::dataset::Dataset;
use super::labels::list;
use super::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

/// The names of columns that have none: `x0`, `x1`, ….
pub(super) fn generic_names(count: usize) -> Vec<String> {
    (0..count).map(|j| format!("x{j}")).collect()
}

/// True for names that a reader made for columns without a name.
pub(super) fn is_generic(names: &[String]) -> bool {
    // Arrays count from 0, LIBSVM's files from 1, images have pixels.
    [("x", 0), ("x", 1), ("pixel", 0)]
        .iter()
        .any(|&(prefix, start)| {
            names.iter().enumerate().all(|(j, name)| {
                name.strip_prefix(prefix).and_then(|n| n.parse().ok()) == Some(start + j)
            })
        })
}

impl Dataset {
    /// The same rows with the features `names`, in that order: validation data, or data to predict,
    /// for a model that was trained with those features.
    ///
    /// Columns are matched by name where both have names, and else by position. A sparse matrix
    /// may have fewer columns, as a file has that does not use the last features.
    ///
    /// # Errors
    /// [`Error::Shape`] when the number of columns differs, [`Error::Value`] when a named feature
    /// is not there.
    pub fn align(mut self, names: &[String]) -> Result<Self> {
        let count = self.matrix.columns();
        let generic = is_generic(&self.feature_names);
        match &mut self.matrix {
            Matrix::Sparse(matrix) if generic && count <= names.len() => {
                matrix.columns = names.len();
            }
            Matrix::Dense(matrix) if !generic && self.feature_names != names => {
                let positions: std::collections::HashMap<&str, usize> = self
                    .feature_names
                    .iter()
                    .enumerate()
                    .map(|(j, name)| (name.as_str(), j))
                    .collect();
                let order: Option<Vec<usize>> = names
                    .iter()
                    .map(|name| positions.get(name.as_str()).copied())
                    .collect();
                match order {
                    Some(order) => *matrix = select_columns(matrix, &order),
                    None if is_generic(names) && count == names.len() => {}
                    None => {
                        let missing = names
                            .iter()
                            .find(|name| !positions.contains_key(name.as_str()));
                        return Err(Error::value(
                            self.source,
                            format!(
                                "the feature {} is not among the columns",
                                list(missing.map(std::slice::from_ref).unwrap_or_default())
                            ),
                            format!("give the features {}; the order is free", list(names)),
                        ));
                    }
                }
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
        self.feature_names = names.to_vec();
        Ok(self)
    }
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
    use crate::data::Sparse;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    fn dense(feature_names: &str) -> Dataset {
        let feature_names = names(feature_names);
        let columns = feature_names.len();
        Dataset {
            matrix: Matrix::Dense(Dense {
                rows: 2,
                columns,
                values: (0..2 * columns).map(|v| v as f64).collect(),
            }),
            feature_names,
            targets: Vec::new(),
            weights: None,
            source: "val.csv".into(),
        }
    }

    fn values(data: Dataset) -> Vec<f64> {
        match data.matrix {
            Matrix::Dense(matrix) => matrix.values,
            Matrix::Sparse(_) => panic!("dense data expected"),
        }
    }

    #[test]
    fn named_columns_are_matched_by_name_and_others_by_position() {
        let aligned = dense("c a b").align(&names("a b")).unwrap();
        assert_eq!(aligned.feature_names, names("a b"));
        assert_eq!(values(aligned), [1., 2., 4., 5.]);
        let by_position = dense("x0 x1").align(&names("a b")).unwrap();
        assert_eq!(by_position.feature_names, names("a b"));
        assert_eq!(values(by_position), [0., 1., 2., 3.]);
        let to_generic = dense("a b").align(&names("x0 x1")).unwrap();
        assert_eq!(values(to_generic), [0., 1., 2., 3.]);
    }

    #[test]
    fn columns_that_do_not_match_are_errors() {
        let missing = dense("a b").align(&names("a z")).unwrap_err().to_string();
        for part in ["val.csv", "\"z\"", "\"a\", \"z\""] {
            assert!(missing.contains(part), "{missing}");
        }
        for (data, model) in [("x0 x1 x2", "x0 x1"), ("x0 x1 x2", "a b"), ("x0", "a b")] {
            let message = dense(data).align(&names(model)).unwrap_err().to_string();
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
            ..dense("x0")
        };
        let wide = sparse.clone().align(&names("x1 x2 x3")).unwrap();
        assert_eq!((wide.matrix.columns(), wide.feature_names.len()), (3, 3));
        let message = sparse.align(&names("x1")).unwrap_err().to_string();
        assert!(message.contains("1 features as in training"), "{message}");
    }
}
