//! Plain numeric matrices as data files hold them: dense row-major, or sparse by rows.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// A dense matrix, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `values[i * columns + j]`.
    pub values: Vec<f64>,
}

impl Dense {
    /// Checks that `values` fills `rows × columns`.
    ///
    /// # Errors
    /// [`Error::Shape`] when it does not.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self> {
        if values.len() != rows * columns {
            return Err(Error::shape(
                "matrix",
                format!("{rows} × {columns} = {} values", rows * columns),
                values.len().to_string(),
                "give one value per entry",
            ));
        }
        Ok(Self {
            rows,
            columns,
            values,
        })
    }

    /// Row i.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }
}

/// A sparse matrix by rows (CSR). Columns ascend within a row, without duplicates.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Entries of row i are at `row_starts[i]..row_starts[i + 1]`.
    pub row_starts: Vec<usize>,
    /// The column of every entry.
    pub column_indices: Vec<u32>,
    /// The value of every entry.
    pub values: Vec<f64>,
}

impl Sparse {
    /// The entries of row i as (column, value).
    pub fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.row_starts[i]..self.row_starts[i + 1];
        self.column_indices[range.clone()]
            .iter()
            .map(|&j| j as usize)
            .zip(self.values[range].iter().copied())
    }

    /// The same entries by columns: the CSR form of the transpose.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut row_starts = vec![0; self.columns + 1];
        for &j in &self.column_indices {
            row_starts[j as usize + 1] += 1;
        }
        for j in 0..self.columns {
            row_starts[j + 1] += row_starts[j];
        }
        let mut next = row_starts.clone();
        let mut column_indices = vec![0; self.values.len()];
        let mut values = vec![0.0; self.values.len()];
        for i in 0..self.rows {
            for (j, value) in self.row(i) {
                column_indices[next[j]] = i as u32;
                values[next[j]] = value;
                next[j] += 1;
            }
        }
        Self {
            rows: self.columns,
            columns: self.rows,
            row_starts,
            column_indices,
            values,
        }
    }
}

/// A matrix of data: n rows (samples) by d columns (features).
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Every entry stored.
    Dense(Dense),
    /// Only the entries that are not zero stored; never densified.
    Sparse(Sparse),
}

impl Matrix {
    /// Number of rows, the samples.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense(m) => m.rows,
            Self::Sparse(m) => m.rows,
        }
    }

    /// Number of columns, the features.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Dense(m) => m.columns,
            Self::Sparse(m) => m.columns,
        }
    }

    /// Calls `visit(row, column, value)` for every stored entry, row by row.
    pub fn for_each_entry(&self, mut visit: impl FnMut(usize, usize, f64)) {
        match self {
            Self::Dense(m) => {
                for (i, row) in m.values.chunks_exact(m.columns.max(1)).enumerate() {
                    for (j, &value) in row.iter().enumerate() {
                        visit(i, j, value);
                    }
                }
            }
            Self::Sparse(m) => {
                for i in 0..m.rows {
                    for (j, value) in m.row(i) {
                        visit(i, j, value);
                    }
                }
            }
        }
    }

    /// Multiplies every column by a number.
    pub fn multiply_columns(&mut self, by: &[f64]) {
        match self {
            Self::Dense(m) => {
                let rows = m.values.chunks_exact_mut(m.columns.max(1));
                rows.for_each(|row| row.iter_mut().zip(by).for_each(|(x, b)| *x *= b));
            }
            Self::Sparse(m) => {
                let entries = m.values.iter_mut().zip(&m.column_indices);
                entries.for_each(|(x, &j)| *x *= by[j as usize]);
            }
        }
    }

    /// The rows in the given order.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Dense(m) => {
                let values = rows
                    .iter()
                    .flat_map(|&i| m.row(i).iter().copied())
                    .collect();
                Self::Dense(Dense {
                    rows: rows.len(),
                    columns: m.columns,
                    values,
                })
            }
            Self::Sparse(m) => {
                let mut row_starts = vec![0];
                let (mut column_indices, mut values) = (Vec::new(), Vec::new());
                for &i in rows {
                    let range = m.row_starts[i]..m.row_starts[i + 1];
                    column_indices.extend_from_slice(&m.column_indices[range.clone()]);
                    values.extend_from_slice(&m.values[range]);
                    row_starts.push(values.len());
                }
                Self::Sparse(Sparse {
                    rows: rows.len(),
                    columns: m.columns,
                    row_starts,
                    column_indices,
                    values,
                })
            }
        }
    }

    /// Checks that every stored value is finite.
    ///
    /// # Errors
    /// [`Error::Value`] naming the first entry that is not.
    pub fn check_finite(&self, name: &str) -> Result<()> {
        self.check_cells(name, |value| value.is_finite())
    }

    /// The same where NaN is a missing cell.
    ///
    /// # Errors
    /// [`Error::Value`] for an infinite value.
    pub fn check_finite_or_missing(&self, name: &str) -> Result<()> {
        self.check_cells(name, |value| !value.is_infinite())
    }

    fn check_cells(&self, name: &str, is_good: impl Fn(f64) -> bool) -> Result<()> {
        let stored = match self {
            Self::Dense(m) => &m.values,
            Self::Sparse(m) => &m.values,
        };
        if all_finite(stored) {
            return Ok(());
        }
        let mut bad = None;
        self.for_each_entry(|i, j, value| {
            if bad.is_none() && !is_good(value) {
                bad = Some((i, j, value));
            }
        });
        bad.map_or(Ok(()), |(i, j, value)| {
            Err(Error::value(
                name,
                format!("row {}, column {} is {value}", i + 1, j + 1),
                "replace or drop missing and infinite values",
            ))
        })
    }
}

/// True when no value is NaN or infinite.
#[must_use]
pub fn all_finite(values: &[f64]) -> bool {
    // Without a way out inside a chunk its comparisons are made many at a time.
    let is_finite = |chunk: &[f64]| chunk.iter().fold(true, |all, v| all & v.is_finite());
    if values.len() < LARGE {
        return values.chunks(1024).all(is_finite);
    }
    values.par_chunks(1024).with_min_len(64).all(is_finite)
}

/// Values from which more than one thread looks at them.
const LARGE: usize = 1 << 18;
