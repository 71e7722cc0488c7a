//! Inputs: the forms in which callers may hand over rows of data and targets.
//!
//! | form | rows of data | targets |
//! | --- | --- | --- |
//! | own types | [`Matrix`], [`Dense`], [`Sparse`] | |
//! | slices | [`RowMajor`], `[[f64; D]]`, `[Vec<f64>]` | `[f64]`, `[Vec<f64>]` (one vector a target) |
//! | sparse entries | [`Triplets`] | |
//! | `ndarray` (feature `ndarray`) | two dimensions | one dimension; two: one column a target |
//! | faer (feature `faer-inputs`) | `MatRef`, `Mat` | `ColRef`, `Col` |

use super::matrix::{Dense, Matrix, Sparse};
use crate::error::{Error, Result};

/// Rows of data, n × d, one row a sample.
pub trait ToMatrix {
    /// The matrix.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Value`] when rows differ in length or entries lie outside.
    fn to_matrix(&self) -> Result<Matrix>;
}

/// Targets, n values each: numbers; −1 and 1; or class indices.
pub trait ToTargets {
    /// The targets.
    fn to_targets(&self) -> Vec<Vec<f64>>;
}

/// A row-major slice with its shape.
#[derive(Debug, Clone, Copy)]
pub struct RowMajor<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `values[i * columns + j]`.
    pub values: &'a [f64],
}

/// Entries of a sparse matrix as (row, column, value) in any order; those of the same place are added.
#[derive(Debug, Clone, Copy)]
pub struct Triplets<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// The entries, rows and columns from 0.
    pub entries: &'a [(usize, usize, f64)],
}

impl ToMatrix for Matrix {
    fn to_matrix(&self) -> Result<Matrix> {
        Ok(self.clone())
    }
}

impl ToMatrix for Dense {
    fn to_matrix(&self) -> Result<Matrix> {
        dense(self.rows, self.columns, self.values.clone())
    }
}

impl ToMatrix for Sparse {
    fn to_matrix(&self) -> Result<Matrix> {
        Ok(Matrix::Sparse(self.clone()))
    }
}

impl ToMatrix for RowMajor<'_> {
    fn to_matrix(&self) -> Result<Matrix> {
        dense(self.rows, self.columns, self.values.to_vec())
    }
}

impl<const D: usize> ToMatrix for [[f64; D]] {
    fn to_matrix(&self) -> Result<Matrix> {
        dense(self.len(), D, self.concat())
    }
}

impl<const N: usize, const D: usize> ToMatrix for [[f64; D]; N] {
    fn to_matrix(&self) -> Result<Matrix> {
        self.as_slice().to_matrix()
    }
}

impl ToMatrix for [Vec<f64>] {
    fn to_matrix(&self) -> Result<Matrix> {
        let columns = self.first().map_or(0, Vec::len);
        if let Some(at) = self.iter().position(|row| row.len() != columns) {
            return Err(Error::shape(
                format!("row {at} of the data"),
                format!("{columns} values as in the first"),
                self[at].len().to_string(),
                "give every row the same columns",
            ));
        }
        dense(self.len(), columns, self.concat())
    }
}

impl ToMatrix for Vec<Vec<f64>> {
    fn to_matrix(&self) -> Result<Matrix> {
        self.as_slice().to_matrix()
    }
}

impl ToMatrix for Triplets<'_> {
    fn to_matrix(&self) -> Result<Matrix> {
        let outside = |&&(i, j, _): &&(usize, usize, f64)| i >= self.rows || j >= self.columns;
        if let Some(&(i, j, _)) = self.entries.iter().find(outside) {
            return Err(Error::value(
                "sparse entries",
                format!(
                    "one at ({i}, {j}) of a {} × {} matrix",
                    self.rows, self.columns
                ),
                "count rows and columns from 0",
            ));
        }
        if u32::try_from(self.columns).is_err() {
            return Err(Error::value(
                "sparse entries",
                format!("{} columns", self.columns),
                "give at most 4 294 967 295",
            ));
        }
        let mut entries = self.entries.to_vec();
        entries.sort_by_key(|&(i, j, _)| (i, j));
        entries.dedup_by(|next, kept| {
            let is_same = (next.0, next.1) == (kept.0, kept.1);
            if is_same {
                kept.2 += next.2;
            }
            is_same
        });
        let starts = (0..=self.rows).map(|row| entries.partition_point(|&(i, ..)| i < row));
        Ok(Matrix::Sparse(Sparse {
            rows: self.rows,
            columns: self.columns,
            row_starts: starts.collect(),
            column_indices: entries.iter().map(|&(_, j, _)| j as u32).collect(),
            values: entries.iter().map(|&(.., value)| value).collect(),
        }))
    }
}

fn dense(rows: usize, columns: usize, values: Vec<f64>) -> Result<Matrix> {
    Ok(Matrix::Dense(Dense::new(rows, columns, values)?))
}

impl ToTargets for [f64] {
    fn to_targets(&self) -> Vec<Vec<f64>> {
        vec![self.to_vec()]
    }
}

impl<const N: usize> ToTargets for [f64; N] {
    fn to_targets(&self) -> Vec<Vec<f64>> {
        vec![self.to_vec()]
    }
}

impl ToTargets for Vec<f64> {
    fn to_targets(&self) -> Vec<Vec<f64>> {
        vec![self.clone()]
    }
}

impl ToTargets for [Vec<f64>] {
    fn to_targets(&self) -> Vec<Vec<f64>> {
        self.to_vec()
    }
}

impl ToTargets for Vec<Vec<f64>> {
    fn to_targets(&self) -> Vec<Vec<f64>> {
        self.clone()
    }
}

#[cfg(feature = "ndarray")]
mod of_ndarray {
    use super::{Matrix, Result, ToMatrix, ToTargets, dense};
    use ndarray::{ArrayBase, Data, Ix1, Ix2};

    impl<S: Data<Elem = f64>> ToMatrix for ArrayBase<S, Ix2> {
        fn to_matrix(&self) -> Result<Matrix> {
            dense(self.nrows(), self.ncols(), self.iter().copied().collect())
        }
    }

    impl<S: Data<Elem = f64>> ToTargets for ArrayBase<S, Ix1> {
        fn to_targets(&self) -> Vec<Vec<f64>> {
            vec![self.to_vec()]
        }
    }

    impl<S: Data<Elem = f64>> ToTargets for ArrayBase<S, Ix2> {
        fn to_targets(&self) -> Vec<Vec<f64>> {
            self.columns().into_iter().map(|y| y.to_vec()).collect()
        }
    }
}

#[cfg(feature = "faer-inputs")]
mod of_faer {
    use super::{Matrix, Result, ToMatrix, ToTargets, dense};
    use faer::{Col, ColRef, Mat, MatRef};

    impl ToMatrix for MatRef<'_, f64> {
        fn to_matrix(&self) -> Result<Matrix> {
            let (n, d) = (self.nrows(), self.ncols());
            let values = (0..n * d).map(|at| self[(at / d, at % d)]).collect();
            dense(n, d, values)
        }
    }

    impl ToMatrix for Mat<f64> {
        fn to_matrix(&self) -> Result<Matrix> {
            self.as_ref().to_matrix()
        }
    }

    impl ToTargets for ColRef<'_, f64> {
        fn to_targets(&self) -> Vec<Vec<f64>> {
            vec![self.iter().copied().collect()]
        }
    }

    impl ToTargets for Col<f64> {
        fn to_targets(&self) -> Vec<Vec<f64>> {
            self.as_ref().to_targets()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_the_same_rows_are_the_same_matrix() {
        let values = [1.0, 0.0, 2.0, 0.0, 3.0, 4.0];
        let shaped = RowMajor {
            rows: 3,
            columns: 2,
            values: &values,
        };
        let expected = shaped.to_matrix().unwrap();
        let arrays = [[1.0, 0.0], [2.0, 0.0], [3.0, 4.0]];
        assert_eq!(arrays.to_matrix().unwrap(), expected);
        let rows: Vec<Vec<f64>> = arrays.iter().map(|row| row.to_vec()).collect();
        assert_eq!(rows.to_matrix().unwrap(), expected);
        let ragged = vec![vec![1.0, 2.0], vec![3.0]];
        assert!(matches!(ragged.to_matrix(), Err(Error::Shape { .. })));
    }

    #[test]
    fn triplets_are_sorted_added_and_checked() {
        let entries = [
            (2, 1, 4.0),
            (0, 0, 0.5),
            (2, 0, 3.0),
            (0, 0, 0.5),
            (1, 0, 2.0),
        ];
        let mut triplets = Triplets {
            rows: 4,
            columns: 2,
            entries: &entries,
        };
        let Matrix::Sparse(found) = triplets.to_matrix().unwrap() else {
            panic!("triplets are sparse");
        };
        assert_eq!(found.row_starts, [0, 1, 2, 4, 4]);
        assert_eq!(found.column_indices, [0, 0, 0, 1]);
        assert_eq!(found.values, [1.0, 2.0, 3.0, 4.0]);
        triplets.columns = 1;
        assert!(matches!(triplets.to_matrix(), Err(Error::Value { .. })));
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn arrays_of_any_order_are_read_by_rows() {
        let x = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let Matrix::Dense(found) = x.t().to_matrix().unwrap() else {
            panic!("arrays are dense");
        };
        assert_eq!(found.values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(x.to_targets(), [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        assert_eq!(x.row(1).to_targets(), [[4.0, 5.0, 6.0]]);
    }

    #[cfg(feature = "faer-inputs")]
    #[test]
    fn faer_matrices_are_read_by_rows() {
        let x = faer::mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let Matrix::Dense(found) = x.transpose().to_matrix().unwrap() else {
            panic!("matrices are dense");
        };
        assert_eq!(found.values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(x.col(1).to_targets(), [[2.0, 5.0]]);
    }
}
