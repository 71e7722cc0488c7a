//! Missing cells of features: NaN in a dense matrix, filled by values of the training rows.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::matrix::Matrix;

/// The value of a column that its missing cells are filled with: of the cells of the training rows that are
/// there, each with the weight of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// The mean.
    Mean,
    /// The median; between two values, the middle of them.
    Median,
}

impl Filling {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }

    /// The value of every column of a dense matrix, from some of its rows; `weights` has one for each row
    /// of the matrix, or is none. NaN for a column that has no cell with a weight; nothing of a sparse
    /// matrix, whose cells are all there.
    ///
    /// # Panics
    /// When a row is not one of the matrix.
    #[must_use]
    pub fn values(self, matrix: &Matrix, rows: &[usize], weights: Option<&[f64]>) -> Vec<f64> {
        let Matrix::Dense(matrix) = matrix else {
            return Vec::new();
        };
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        match self {
            Self::Mean => {
                let mut sums = vec![(0.0, 0.0); matrix.columns];
                for &row in rows {
                    let weight = weight(row);
                    for ((sum, total), &x) in sums.iter_mut().zip(matrix.row(row)) {
                        if !x.is_nan() {
                            *sum += weight * x;
                            *total += weight;
                        }
                    }
                }
                sums.iter().map(|(sum, total)| sum / total).collect()
            }
            Self::Median => (0..matrix.columns)
                .map(|j| {
                    let cells = rows.iter().map(|&row| Cell {
                        value: matrix.row(row)[j],
                        weight: weight(row),
                    });
                    let there = |cell: &Cell| !cell.value.is_nan() && cell.weight > 0.0;
                    median(cells.filter(there).collect())
                })
                .collect(),
        }
    }
}

/// A cell that is there.
struct Cell {
    value: f64,
    weight: f64,
}

/// The weighted median; NaN of no cells.
fn median(mut cells: Vec<Cell>) -> f64 {
    cells.sort_by(|a, b| a.value.total_cmp(&b.value));
    let half = 0.5 * cells.iter().map(|cell| cell.weight).sum::<f64>();
    // Sums of weights such as 0.1 are not exact: a half to their rounding is a half.
    let rounding = cells.len() as f64 * f64::EPSILON * half;
    let mut below = 0.0;
    for (at, cell) in cells.iter().enumerate() {
        below += cell.weight;
        match cells.get(at + 1) {
            Some(next) if (below - half).abs() <= rounding => {
                return cell.value + 0.5 * (next.value - cell.value);
            }
            _ if below >= half => return cell.value,
            _ => {}
        }
    }
    cells.last().map_or(f64::NAN, |cell| cell.value)
}

/// Fills the missing cells of a dense matrix with the values of their columns.
pub fn fill(matrix: &mut Matrix, values: &[f64]) {
    let Matrix::Dense(matrix) = matrix else {
        return;
    };
    for row in matrix.values.chunks_exact_mut(matrix.columns.max(1)) {
        for (x, value) in row.iter_mut().zip(values) {
            if x.is_nan() {
                *x = *value;
            }
        }
    }
}

/// The rows without a missing cell, ascending.
#[must_use]
pub fn whole_rows(matrix: &Matrix) -> Vec<usize> {
    let Matrix::Dense(matrix) = matrix else {
        return (0..matrix.rows()).collect();
    };
    (0..matrix.rows)
        .filter(|&row| matrix.row(row).iter().all(|x| !x.is_nan()))
        .collect()
}

/// The first column of a matrix without a single cell that is there.
#[must_use]
pub fn empty_column(matrix: &Matrix) -> Option<usize> {
    let Matrix::Dense(matrix) = matrix else {
        return None;
    };
    let mut empty = vec![true; matrix.columns];
    for row in 0..matrix.rows {
        for (empty, x) in empty.iter_mut().zip(matrix.row(row)) {
            *empty &= x.is_nan();
        }
    }
    empty
        .iter()
        .position(|&empty| empty)
        .filter(|_| matrix.rows > 0)
}

/// A feature that is 1 in the rows in which a column is missing, and 0 in the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// Its name, that of the column with `=missing`.
    pub name: String,
    /// The place of the feature that is missing there, of a factor the first of its features.
    pub feature: usize,
}

impl Dataset {
    /// An indicator for every column that has missing cells.
    #[must_use]
    pub fn indicators(&self) -> Vec<Indicator> {
        let Matrix::Dense(matrix) = &self.matrix else {
            return Vec::new();
        };
        let mut lacks = vec![false; matrix.columns];
        for row in 0..matrix.rows {
            for (lacks, x) in lacks.iter_mut().zip(matrix.row(row)) {
                *lacks |= x.is_nan();
            }
        }
        let mut indicators = Vec::new();
        let mut feature = 0;
        for column in self.expected().columns() {
            let factor = self.factors.iter().find(|factor| {
                let first = factor.levels.first();
                first.is_some_and(|level| factor.feature(level) == self.feature_names[feature])
            });
            if lacks[feature] {
                indicators.push(Indicator {
                    name: format!("{column}=missing"),
                    feature,
                });
            }
            feature += factor.map_or(1, |factor| factor.levels.len());
        }
        indicators
    }

    /// The same rows with indicators as their last features.
    #[must_use]
    pub fn with_indicators(mut self, indicators: &[Indicator]) -> Self {
        let Matrix::Dense(matrix) = &mut self.matrix else {
            return self;
        };
        if indicators.is_empty() {
            return self;
        }
        let columns = matrix.columns + indicators.len();
        let mut values = Vec::with_capacity(matrix.rows * columns);
        for row in 0..matrix.rows {
            let own = matrix.row(row);
            values.extend_from_slice(own);
            let is_missing = |one: &Indicator| f64::from(u8::from(own[one.feature].is_nan()));
            values.extend(indicators.iter().map(is_missing));
        }
        (matrix.values, matrix.columns) = (values, columns);
        let names = indicators.iter().map(|one| one.name.clone());
        self.feature_names.extend(names);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_of_any_size_are_no_weights() {
        let cells = |weight: f64| {
            let of = |value: f64| Cell { value, weight };
            (0..12).map(|i| of(f64::from(i * i))).collect::<Vec<Cell>>()
        };
        for weight in [0.1, 1.0 / 3.0, 7e-9] {
            assert_eq!(median(cells(weight)), median(cells(1.0)), "{weight}");
        }
        assert_eq!(median(cells(1.0)), 30.5);
    }
    use crate::data::matrix::Dense;

    const NONE: f64 = f64::NAN;

    fn matrix() -> Matrix {
        let values = vec![
            1.0, NONE, 5.0, //
            NONE, NONE, 7.0, //
            4.0, NONE, 6.0, //
            2.0, NONE, NONE, //
            9.0, NONE, 5.0,
        ];
        Matrix::Dense(Dense::new(5, 3, values).unwrap())
    }

    #[test]
    fn values_are_those_of_the_rows_that_are_asked_for() {
        let all: Vec<usize> = (0..5).collect();
        let mean = Filling::Mean.values(&matrix(), &all, None);
        assert_eq!((mean[0], mean[2]), (4.0, 5.75));
        assert!(mean[1].is_nan());
        // 1 2 | 4 9, and 5 5 | 6 7.
        let median = Filling::Median.values(&matrix(), &all, None);
        assert_eq!((median[0], median[2]), (3.0, 5.5));
        assert!(median[1].is_nan());
        let some = [0, 1, 2];
        assert_eq!(Filling::Mean.values(&matrix(), &some, None)[0], 2.5);
        assert_eq!(Filling::Median.values(&matrix(), &some, None)[2], 6.0);
    }

    #[test]
    fn a_weight_of_two_is_a_row_twice_and_one_of_zero_none() {
        let weights = [2.0, 1.0, 1.0, 0.0, 2.0];
        let (all, twice) = ([0, 1, 2, 3, 4], [0, 0, 1, 2, 4, 4]);
        for filling in [Filling::Mean, Filling::Median] {
            let weighted = filling.values(&matrix(), &all, Some(&weights));
            let repeated = filling.values(&matrix(), &twice, None);
            assert_eq!((weighted[0], weighted[2]), (repeated[0], repeated[2]));
        }
    }

    #[test]
    fn cells_are_filled_by_column_and_whole_rows_are_kept() {
        let mut filled = matrix();
        fill(&mut filled, &[10.0, 20.0, 30.0]);
        let Matrix::Dense(found) = &filled else {
            panic!("dense stays dense");
        };
        assert_eq!(found.row(1), [10.0, 20.0, 7.0]);
        assert_eq!(found.row(3), [2.0, 20.0, 30.0]);
        assert_eq!(whole_rows(&filled), [0, 1, 2, 3, 4]);
        assert!(whole_rows(&matrix()).is_empty());
        assert_eq!(empty_column(&matrix()), Some(1));
        assert_eq!(empty_column(&filled), None);
    }
}
