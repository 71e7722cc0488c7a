//! The design by columns, in the precision of the computation.
//!
//! Dense designs are stored column-major. Sparse ones keep their entries by columns, and the
//! centre and scale of every column beside them: `x̂_j = (x_j − m_j 1)/σ_j`.

use crate::data::design::Design;
use crate::data::matrix::Matrix;
use crate::real::Real;

use super::vector::{axpy_wide, inner, vectorized};

/// n × columns design X̂.
pub(super) struct Columns<R> {
    pub(super) rows: usize,
    pub(super) count: usize,
    storage: Storage<R>,
}

enum Storage<R> {
    /// `[j * rows + i]`.
    Dense(Vec<R>),
    Sparse(SparseColumns<R>),
}

struct SparseColumns<R> {
    starts: Vec<usize>,
    indices: Vec<u32>,
    /// Entries over σ_j.
    values: Vec<R>,
    /// m_j/σ_j.
    shift: Vec<f64>,
}

impl<R: Real> Columns<R> {
    pub(super) fn new(design: &Design) -> Self {
        let (rows, count) = (design.rows(), design.columns());
        let storage = match &design.matrix {
            Matrix::Dense(m) => {
                let mut values = vec![R::zero(); rows * count];
                for i in 0..rows {
                    for (j, &x) in m.row(i).iter().enumerate() {
                        values[j * rows + i] = R::of(x);
                    }
                }
                Storage::Dense(values)
            }
            Matrix::Sparse(m) => {
                let by_columns = m.transposed();
                let mut values = Vec::with_capacity(by_columns.values.len());
                let mut shift = vec![0.0; count];
                for j in 0..count {
                    let inverse = design.rank_one.as_ref().map_or(1.0, |r| r.inverse_scale[j]);
                    values.extend(by_columns.row(j).map(|(_, x)| R::of(x * inverse)));
                    if let Some(r) = &design.rank_one {
                        shift[j] = r.center[j] * inverse;
                    }
                }
                Storage::Sparse(SparseColumns {
                    starts: by_columns.row_starts,
                    indices: by_columns.column_indices,
                    values,
                    shift,
                })
            }
        };
        Self {
            rows,
            count,
            storage,
        }
    }

    /// All entries of a dense design, column-major.
    pub(super) fn dense(&self) -> Option<&[R]> {
        match &self.storage {
            Storage::Dense(values) => Some(values),
            Storage::Sparse(_) => None,
        }
    }

    /// m_j/σ_j: what the stored column lacks of x̂_j. Zero for dense designs.
    pub(super) fn shift(&self, j: usize) -> f64 {
        match &self.storage {
            Storage::Dense(_) => 0.0,
            Storage::Sparse(s) => s.shift[j],
        }
    }

    /// The stored entries of column j, without its centre: `visit(row, value)`.
    #[inline(always)]
    pub(super) fn for_each_stored(&self, j: usize, mut visit: impl FnMut(usize, f64)) {
        match &self.storage {
            Storage::Dense(values) => values[j * self.rows..(j + 1) * self.rows]
                .iter()
                .enumerate()
                .for_each(|(i, &x)| visit(i, x.to_f64())),
            Storage::Sparse(s) => {
                let range = s.starts[j]..s.starts[j + 1];
                for (&i, &x) in s.indices[range.clone()].iter().zip(&s.values[range]) {
                    visit(i as usize, x.to_f64());
                }
            }
        }
    }

    /// x̂_jᵀ v, where `total` is Σ v_i.
    pub(super) fn dot(&self, j: usize, v: &[f64], total: f64) -> f64 {
        match &self.storage {
            Storage::Dense(values) => {
                let column = &values[j * self.rows..(j + 1) * self.rows];
                vectorized(
                    #[inline(always)]
                    || inner(column, v),
                )
            }
            Storage::Sparse(s) => {
                let mut sum = 0.0;
                self.for_each_stored(j, |i, x| sum += x * v[i]);
                sum - s.shift[j] * total
            }
        }
    }

    /// The stored column's product with v, without its centre.
    pub(super) fn stored_dot(&self, j: usize, v: &[f64]) -> f64 {
        self.dot(j, v, 0.0)
    }

    /// v ← v + α x̂_j.
    pub(super) fn add_scaled(&self, j: usize, alpha: f64, v: &mut [f64]) {
        match &self.storage {
            Storage::Dense(values) => {
                let column = &values[j * self.rows..(j + 1) * self.rows];
                vectorized(
                    #[inline(always)]
                    || axpy_wide(alpha, column, v),
                );
            }
            Storage::Sparse(s) => {
                self.for_each_stored(j, |i, x| v[i] += alpha * x);
                let offset = alpha * s.shift[j];
                if offset != 0.0 {
                    v.iter_mut().for_each(|v| *v -= offset);
                }
            }
        }
    }

    /// X̂ w for one predictor; entries of w that are zero cost nothing.
    pub(super) fn apply(&self, w: impl Fn(usize) -> f64, out: &mut [f64]) {
        out.fill(0.0);
        match &self.storage {
            Storage::Dense(values) => {
                let rows = self.rows;
                let used: Vec<usize> = (0..self.count).filter(|&j| w(j) != 0.0).collect();
                vectorized(
                    #[inline(always)]
                    || {
                        let mut four = used.chunks_exact(4);
                        for js in &mut four {
                            let [a, b, c, d] = [0, 1, 2, 3].map(
                                #[inline(always)]
                                |k: usize| &values[js[k] * rows..(js[k] + 1) * rows],
                            );
                            let (wa, wb, wc, wd) = (w(js[0]), w(js[1]), w(js[2]), w(js[3]));
                            for (i, out) in out.iter_mut().enumerate().take(rows) {
                                *out += (a[i].to_f64() * wa + b[i].to_f64() * wb)
                                    + (c[i].to_f64() * wc + d[i].to_f64() * wd);
                            }
                        }
                        for &j in four.remainder() {
                            axpy_wide(w(j), &values[j * rows..(j + 1) * rows], out);
                        }
                    },
                );
            }
            Storage::Sparse(s) => {
                let mut offset = 0.0;
                for j in 0..self.count {
                    let alpha = w(j);
                    if alpha != 0.0 {
                        self.for_each_stored(j, |i, x| out[i] += alpha * x);
                        offset += alpha * s.shift[j];
                    }
                }
                if offset != 0.0 {
                    out.iter_mut().for_each(|v| *v -= offset);
                }
            }
        }
    }

    /// X̂ᵀ v for one predictor: `visit(column, value)`.
    pub(super) fn transposed(&self, v: &[f64], mut visit: impl FnMut(usize, f64)) {
        match &self.storage {
            Storage::Dense(values) => {
                let rows = self.rows;
                vectorized(
                    #[inline(always)]
                    || {
                        for (j, column) in values.chunks_exact(rows).enumerate() {
                            visit(j, inner(column, v));
                        }
                    },
                );
            }
            Storage::Sparse(_) => {
                let total: f64 = v.iter().sum();
                for j in 0..self.count {
                    visit(j, self.dot(j, v, total));
                }
            }
        }
    }

    /// Σ_i ω_i x̂_ij².
    pub(super) fn square(&self, j: usize, weight: &[f64], total: f64) -> f64 {
        let shift = self.shift(j);
        let (mut squares, mut products) = (0.0, 0.0);
        self.for_each_stored(j, |i, x| {
            squares += weight[i] * x * x;
            products += weight[i] * x;
        });
        (squares - 2.0 * shift * products + shift * shift * total).max(0.0)
    }
}
