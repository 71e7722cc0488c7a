//! The design by columns, in the precision of the computation.
//!
//! Dense designs are stored column-major. Sparse ones keep their entries by columns, and the
//! centre and scale of every column beside them: `x̂_j = (x_j − m_j 1)/σ_j`.

use std::sync::Arc;

use faer::MatRef;
use rayon::prelude::*;

use crate::data::design::Design;
use crate::data::matrix::Matrix;
use crate::problem::Sample;
use crate::real::Real;

use crate::linalg::products::{TransposedProduct, WeightedColumns, by_rows, multiply};
use crate::linalg::vector::{WIDTH, axpy_wide, in_f64, inner, positions, vectorized};

/// Rows that are turned into columns together.
const TILE: usize = 16;
/// Rows and columns of a product of several predictors at once: blocks do not depend on the threads.
const ROWS_AT_ONCE: usize = 1024;
const COLUMNS_AT_ONCE: usize = 64;
/// Multiplications from which on such a product is formed by blocks.
const LEAST_FOR_BLOCKS: usize = 1 << 17;
/// Fewer than one in so many coefficients that are not zero make it cheaper to leave the others out.
const SPARSE_SHARE: usize = 4;

/// The columns of a design, shared by the problems and criteria on it.
#[derive(Debug, Clone)]
pub struct DesignColumns<R> {
    design: Arc<Design>,
    columns: Arc<Columns<R>>,
}

impl<R: Real> DesignColumns<R> {
    /// Those of the design of a sample.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        Self {
            design: Arc::clone(&sample.design),
            columns: Arc::new(Columns::new(&sample.design)),
        }
    }

    /// Those of a sample: these where it has the same design, else its own.
    pub(super) fn for_sample(&self, sample: &Sample) -> Arc<Columns<R>> {
        if Arc::ptr_eq(&self.design, &sample.design) {
            Arc::clone(&self.columns)
        } else {
            Arc::new(Columns::new(&sample.design))
        }
    }
}

/// n × columns design X̂.
#[derive(Debug, Clone)]
pub(super) struct Columns<R> {
    pub(super) rows: usize,
    pub(super) count: usize,
    storage: Storage<R>,
}

#[derive(Debug, Clone)]
enum Storage<R> {
    Dense(DenseColumns<R>),
    Sparse(SparseColumns<R>),
}

#[derive(Debug, Clone)]
struct DenseColumns<R> {
    /// `[j * rows + i]`.
    values: Vec<R>,
    /// Per column a row past its last entry that is not zero, rounded up to whole registers: a
    /// triangular factor of the rows costs half of a full design.
    heights: Vec<usize>,
}

impl<R: Real> DenseColumns<R> {
    fn new(values: Vec<R>, rows: usize, count: usize) -> Self {
        let height = |j: usize| {
            let column = &values[j * rows..(j + 1) * rows];
            let last = column.iter().rposition(|&x| x != R::zero());
            last.map_or(0, |last| (last + 1).next_multiple_of(WIDTH).min(rows))
        };
        let heights = (0..count).map(height).collect();
        Self { values, heights }
    }

    /// Column j down to its height.
    #[inline(always)]
    fn column(&self, j: usize, rows: usize) -> &[R] {
        &self.values[j * rows..j * rows + self.heights[j]]
    }
}

#[derive(Debug, Clone)]
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
                // Tiles of a few rows keep both sides in the nearest cache.
                for first in (0..rows).step_by(TILE) {
                    for j in 0..count {
                        for i in first..(first + TILE).min(rows) {
                            values[j * rows + i] = R::of(m.values[i * count + j]);
                        }
                    }
                }
                Storage::Dense(DenseColumns::new(values, rows, count))
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
            Storage::Dense(dense) => Some(&dense.values),
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
            Storage::Dense(dense) => dense
                .column(j, self.rows)
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

    /// Column j of a dense design down to its height: the rows below it are zero.
    pub(super) fn dense_column(&self, j: usize) -> Option<&[R]> {
        match &self.storage {
            Storage::Dense(dense) => Some(dense.column(j, self.rows)),
            Storage::Sparse(_) => None,
        }
    }

    /// x̂_jᵀ v, where `total` is Σ v_i.
    pub(super) fn dot(&self, j: usize, v: &[f64], total: f64) -> f64 {
        match &self.storage {
            Storage::Dense(dense) => {
                let mut product = [0.0];
                self.dense_products(dense, v, |_| j, &mut product);
                product[0]
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
            Storage::Dense(dense) => {
                let column = dense.column(j, self.rows);
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
            Storage::Dense(dense) => {
                let rows = self.rows;
                let mut used = Vec::new();
                positions(self.count, |j| w(j) != 0.0, &mut used);
                if let Some(values) = in_f64(&dense.values) {
                    let weights: Vec<f64> = used.iter().map(|&j| w(j as usize)).collect();
                    pulp::Arch::new().dispatch(WeightedColumns {
                        values,
                        rows,
                        columns: &used,
                        weights: &weights,
                        height: |j| dense.heights[j],
                        out,
                    });
                    return;
                }
                vectorized(
                    #[inline(always)]
                    || {
                        let mut at = 0;
                        while at + 4 <= used.len() {
                            let js = [0, 1, 2, 3].map(
                                #[inline(always)]
                                |k: usize| used[at + k] as usize,
                            );
                            let mut height = 0;
                            for j in js {
                                height = height.max(dense.heights[j]);
                            }
                            let [a, b, c, d] = js.map(
                                #[inline(always)]
                                |j| &dense.values[j * rows..][..height],
                            );
                            let (wa, wb, wc, wd) = (w(js[0]), w(js[1]), w(js[2]), w(js[3]));
                            let out = &mut out[..height];
                            for i in 0..height {
                                out[i] += (a[i].to_f64() * wa + b[i].to_f64() * wb)
                                    + (c[i].to_f64() * wc + d[i].to_f64() * wd);
                            }
                            at += 4;
                        }
                        for &j in &used[at..] {
                            let j = j as usize;
                            axpy_wide(w(j), dense.column(j, rows), out);
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

    /// X̂ W for several predictors at once, `w[j·c + k]` and `out[k·n + i]`, by products of blocks of rows;
    /// false, and nothing is done, where one predictor after the other costs less.
    pub(super) fn apply_all(&self, w: &[f64], classes: usize, out: &mut [f64]) -> bool {
        let Some(values) = self.in_blocks(classes) else {
            return false;
        };
        let used = w[..self.count * classes].iter().filter(|w| **w != 0.0);
        if used.count() * SPARSE_SHARE < self.count * classes {
            return false;
        }
        let design = MatRef::from_column_major_slice(values, self.rows, self.count);
        let mut of_rows = vec![0.0; self.rows * classes];
        let blocks = of_rows.par_chunks_mut(ROWS_AT_ONCE * classes);
        blocks.enumerate().for_each(|(at, out)| {
            let rows = out.len() / classes;
            let block = design.subrows(at * ROWS_AT_ONCE, rows);
            multiply(block, by_rows(&w[..self.count * classes], classes), out);
        });
        for (k, out) in out.chunks_exact_mut(self.rows).enumerate() {
            let of_class = of_rows.iter().skip(k).step_by(classes);
            out.iter_mut().zip(of_class).for_each(|(out, &z)| *out = z);
        }
        true
    }

    /// X̂ᵀ V for several predictors at once, `v[k·n + i]` and `out[j·c + k]`, by products of blocks of
    /// columns; false, and nothing is done, where one predictor after the other costs less.
    pub(super) fn transposed_all(&self, v: &[f64], classes: usize, out: &mut [f64]) -> bool {
        let Some(values) = self.in_blocks(classes) else {
            return false;
        };
        let v = MatRef::from_column_major_slice(v, self.rows, classes);
        let columns = values.par_chunks(COLUMNS_AT_ONCE * self.rows);
        let blocks = out.par_chunks_mut(COLUMNS_AT_ONCE * classes).zip(columns);
        blocks.for_each(|(out, values)| {
            let count = values.len() / self.rows;
            let block = MatRef::from_column_major_slice(values, self.rows, count);
            multiply(block.transpose(), v, out);
        });
        true
    }

    /// The values of a design that products of blocks are worth their overhead for.
    fn in_blocks(&self, classes: usize) -> Option<&[f64]> {
        if classes == 1 || self.rows * self.count * classes < LEAST_FOR_BLOCKS {
            return None;
        }
        in_f64(self.dense()?)
    }

    /// X̂ᵀ v for one predictor: `visit(column, value)`.
    pub(super) fn transposed(&self, v: &[f64], mut visit: impl FnMut(usize, f64)) {
        match &self.storage {
            Storage::Dense(dense) => {
                let mut out = vec![0.0; self.count];
                self.dense_products(dense, v, |j| j, &mut out);
                out.iter().enumerate().for_each(|(j, &out)| visit(j, out));
            }
            Storage::Sparse(_) => {
                let total: f64 = v.iter().sum();
                for j in 0..self.count {
                    visit(j, self.dot(j, v, total));
                }
            }
        }
    }

    /// The entries of X̂ᵀ v in some columns, the same bits as all of them; the other entries of `out`
    /// stay.
    pub(super) fn transposed_in(&self, columns: &[u32], v: &[f64], out: &mut [f64]) {
        match &self.storage {
            Storage::Dense(dense) => {
                let mut products = vec![0.0; columns.len()];
                self.dense_products(dense, v, |at| columns[at] as usize, &mut products);
                for (&j, &product) in columns.iter().zip(&products) {
                    out[j as usize] = product;
                }
            }
            Storage::Sparse(_) => {
                let total = v.iter().sum();
                for &j in columns {
                    out[j as usize] = self.dot(j as usize, v, total);
                }
            }
        }
    }

    /// x̂ᵀv of the column that `column` says, for every entry of `out`.
    fn dense_products(
        &self,
        dense: &DenseColumns<R>,
        v: &[f64],
        column: impl Fn(usize) -> usize,
        out: &mut [f64],
    ) {
        match in_f64(&dense.values) {
            Some(values) => pulp::Arch::new().dispatch(TransposedProduct {
                values,
                rows: self.rows,
                heights: &dense.heights,
                v,
                column,
                out,
            }),
            None => vectorized(
                #[inline(always)]
                || {
                    for (at, out) in out.iter_mut().enumerate() {
                        let column = dense.column(column(at), self.rows);
                        *out = inner(column, &v[..column.len()]);
                    }
                },
            ),
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
