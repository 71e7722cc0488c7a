//! Products of many columns with a vector or with each other, their sums in registers.
//!
//! Every sum is one register of lanes, folded at the end, and then the rows that do not fill one: its
//! bits depend on its own two columns alone.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Simd, WithSimd};

use crate::real::Real;

use super::vector::{dot, in_f64, in_f64_mut, positions, vectorized};

/// Xᵀv for a column-major matrix whose columns are zero from a height on, in registers: what
/// [`inner`] does column by column costs as much again for the sums' last steps.
pub(crate) struct TransposedProduct<'a, C> {
    pub(crate) values: &'a [f64],
    pub(crate) rows: usize,
    pub(crate) heights: &'a [usize],
    pub(crate) v: &'a [f64],
    /// The column of every entry of `out`.
    pub(crate) column: C,
    pub(crate) out: &'a mut [f64],
}

impl<C: Fn(usize) -> usize> WithSimd for TransposedProduct<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let whole = self.out.len() / 8 * 8;
        for first in (0..whole).step_by(8) {
            self.columns::<S, 8>(simd, first)
                .iter()
                .zip(&mut self.out[first..])
                .for_each(|(sum, out)| *out = *sum);
        }
        for at in whole..self.out.len() {
            self.out[at] = self.columns::<S, 1>(simd, at)[0];
        }
    }
}

impl<C: Fn(usize) -> usize> TransposedProduct<'_, C> {
    /// `COUNT` sums side by side: each the same bits whatever the others.
    #[inline(always)]
    fn columns<S: Simd, const COUNT: usize>(&self, simd: S, first: usize) -> [f64; COUNT] {
        let mut starts = [0; COUNT];
        let mut height = 0;
        for k in 0..COUNT {
            let j = (self.column)(first + k);
            starts[k] = j * self.rows;
            height = height.max(self.heights[j]);
        }
        let (v, v_rest) = S::as_simd_f64s(&self.v[..height]);
        let mut columns: [(&[S::f64s], &[f64]); COUNT] = [(&[], &[]); COUNT];
        for k in 0..COUNT {
            columns[k] = S::as_simd_f64s(&self.values[starts[k]..starts[k] + height]);
        }
        let mut sums = [simd.splat_f64s(0.0); COUNT];
        for i in 0..v.len() {
            for k in 0..COUNT {
                sums[k] = simd.mul_add_e_f64s(columns[k].0[i], v[i], sums[k]);
            }
        }
        let mut totals = [0.0; COUNT];
        for k in 0..COUNT {
            totals[k] = simd.reduce_sum_f64s(sums[k]);
            for i in 0..v_rest.len() {
                totals[k] += columns[k].1[i] * v_rest[i];
            }
        }
        totals
    }
}

/// y ← y + Σ_k x_k a_k over some columns a of a column-major matrix, which are zero from a height on.
///
/// Four columns at a time, so that y is read and written once for four of them.
pub(crate) struct WeightedColumns<'a, H> {
    pub(crate) values: &'a [f64],
    pub(crate) rows: usize,
    /// Which columns.
    pub(crate) columns: &'a [u32],
    /// One weight per column of these.
    pub(crate) weights: &'a [f64],
    /// The height of a column of the matrix.
    pub(crate) height: H,
    pub(crate) out: &'a mut [f64],
}

impl<H: Fn(usize) -> usize> WithSimd for WeightedColumns<'_, H> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let whole = self.columns.len() / 4 * 4;
        for first in (0..whole).step_by(4) {
            self.add::<S, 4>(simd, first);
        }
        for at in whole..self.columns.len() {
            self.add::<S, 1>(simd, at);
        }
    }
}

impl<H: Fn(usize) -> usize> WeightedColumns<'_, H> {
    #[inline(always)]
    fn add<S: Simd, const COUNT: usize>(&mut self, simd: S, first: usize) {
        let mut weights = [simd.splat_f64s(0.0); COUNT];
        let mut starts = [0; COUNT];
        let mut height = 0;
        for k in 0..COUNT {
            let j = self.columns[first + k] as usize;
            weights[k] = simd.splat_f64s(self.weights[first + k]);
            starts[k] = j * self.rows;
            height = height.max((self.height)(j));
        }
        let mut columns: [(&[S::f64s], &[f64]); COUNT] = [(&[], &[]); COUNT];
        for k in 0..COUNT {
            columns[k] = S::as_simd_f64s(&self.values[starts[k]..starts[k] + height]);
        }
        let (out, out_rest) = S::as_mut_simd_f64s(&mut self.out[..height]);
        let columns = columns.map(
            #[inline(always)]
            |(whole, rest)| (&whole[..out.len()], rest),
        );
        for i in 0..out.len() {
            let mut sum = out[i];
            for k in 0..COUNT {
                sum = simd.mul_add_e_f64s(columns[k].0[i], weights[k], sum);
            }
            out[i] = sum;
        }
        if !out_rest.is_empty() {
            let mut sum = simd.partial_load_f64s(out_rest);
            for k in 0..COUNT {
                let column = simd.partial_load_f64s(columns[k].1);
                sum = simd.mul_add_e_f64s(column, weights[k], sum);
            }
            simd.partial_store_f64s(out_rest, sum);
        }
    }
}

/// y ← y + A x for a symmetric matrix stored in full; entries of x that are zero cost nothing.
///
/// Like [`add_columns_of`].
pub(crate) fn add_columns(matrix: &[f64], x: &[f64], y: &mut [f64]) {
    let mut used = Vec::new();
    positions(x.len(), |j| x[j] != 0.0, &mut used);
    let packed: Vec<f64> = used.iter().map(|&j| x[j as usize]).collect();
    add_columns_of(matrix, &used, &packed, y);
}

/// y ← y + Σ_k x_k A_{·j_k} for some columns j of a symmetric matrix stored in full.
pub(crate) fn add_columns_of(matrix: &[f64], columns: &[u32], x: &[f64], y: &mut [f64]) {
    let rows = y.len();
    pulp::Arch::new().dispatch(WeightedColumns {
        values: matrix,
        rows,
        columns,
        weights: x,
        height: |_| rows,
        out: y,
    });
}

/// Lower triangle of H ← H + α XᵀX for column-major n × m X.
pub(crate) fn add_gram<R: Real>(x: &[R], n: usize, m: usize, alpha: R, h: &mut [R]) {
    if m == 0 {
        return;
    }
    let x = MatRef::from_column_major_slice(x, n, m);
    triangular::matmul(
        MatMut::from_column_major_slice_mut(h, m, m),
        BlockStructure::TriangularLower,
        Accum::Add,
        x.transpose(),
        BlockStructure::Rectangular,
        x,
        BlockStructure::Rectangular,
        alpha,
        Par::Seq,
    );
}

/// The products of the `wanted` columns of a column-major matrix with all m of them, into the rows
/// and columns of an m × m matrix that are theirs.
pub(crate) fn cross_products<R: Real>(values: &[R], rows: usize, wanted: &[usize], out: &mut [R]) {
    let m = values.len() / rows.max(1);
    if let Some(values) = in_f64(values)
        && let Some(out) = in_f64_mut(out)
    {
        pulp::Arch::new().dispatch(CrossProducts {
            values,
            rows,
            wanted,
            out,
        });
        return;
    }
    vectorized(
        #[inline(always)]
        || {
            for &a in wanted {
                let column = &values[a * rows..(a + 1) * rows];
                for b in 0..m {
                    let product = dot(column, &values[b * rows..(b + 1) * rows]);
                    out[a * m + b] = product;
                    out[b * m + a] = product;
                }
            }
        },
    );
}

/// [`cross_products`] in `f64`.
///
/// Every product is a sum of its own, whatever it is computed beside.
struct CrossProducts<'a> {
    values: &'a [f64],
    rows: usize,
    wanted: &'a [usize],
    out: &'a mut [f64],
}

/// Columns on either side of a tile of products: sixteen sums stay in registers.
const TILE: usize = 4;

impl WithSimd for CrossProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let m = self.values.len() / self.rows;
        for wanted in self.wanted.chunks(TILE) {
            // A short side repeats its last column.
            let left: [usize; TILE] = std::array::from_fn(|k| wanted[k.min(wanted.len() - 1)]);
            for first in (0..m).step_by(TILE) {
                let right: [usize; TILE] = std::array::from_fn(|k| (first + k).min(m - 1));
                let tile = self.tile(simd, left, right);
                for (&a, sums) in left.iter().zip(tile) {
                    for (&b, sum) in right.iter().zip(sums) {
                        self.out[a * m + b] = sum;
                        self.out[b * m + a] = sum;
                    }
                }
            }
        }
    }
}

impl CrossProducts<'_> {
    #[inline(always)]
    fn tile<S: Simd>(
        &self,
        simd: S,
        left: [usize; TILE],
        right: [usize; TILE],
    ) -> [[f64; TILE]; TILE] {
        let column = |j: usize| S::as_simd_f64s(&self.values[j * self.rows..(j + 1) * self.rows]);
        let (left, right) = (left.map(column), right.map(column));
        let (whole, rest) = (left[0].0.len(), left[0].1.len());
        let mut sums = [[simd.splat_f64s(0.0); TILE]; TILE];
        for i in 0..whole {
            for a in 0..TILE {
                for b in 0..TILE {
                    sums[a][b] = simd.mul_add_e_f64s(left[a].0[i], right[b].0[i], sums[a][b]);
                }
            }
        }
        let mut totals = [[0.0; TILE]; TILE];
        for a in 0..TILE {
            for b in 0..TILE {
                totals[a][b] = simd.reduce_sum_f64s(sums[a][b]);
                for i in 0..rest {
                    totals[a][b] += left[a].1[i] * right[b].1[i];
                }
            }
        }
        totals
    }
}

/// A row-major slice of rows of `columns` values as a matrix.
pub fn by_rows<R: Real>(values: &[R], columns: usize) -> MatRef<'_, R> {
    MatRef::from_row_major_slice(values, values.len() / columns, columns)
}

/// `out` = A·B, row-major.
pub fn multiply<R: Real>(a: MatRef<'_, R>, b: MatRef<'_, R>, out: &mut [R]) {
    multiply_into(a, b, out, Accum::Replace);
}

/// `out` = A·B, or added to it, row-major.
pub fn multiply_into<R: Real>(a: MatRef<'_, R>, b: MatRef<'_, R>, out: &mut [R], accum: Accum) {
    let (m, n) = (a.nrows(), b.ncols());
    let out = MatMut::from_row_major_slice_mut(&mut out[..m * n], m, n);
    matmul(out, accum, a, b, R::one(), Par::Seq);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_columns_are_plain_sums_down_to_their_heights() {
        let number = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        for (rows, count) in [(1, 1), (5, 3), (16, 4), (37, 9), (100, 14)] {
            let height = |j: usize| (3 * j + 1).min(rows);
            let entry = |at: usize| {
                let (j, i) = (at / rows, at % rows);
                if i < height(j) { number(at) } else { 0.0 }
            };
            let values: Vec<f64> = (0..rows * count).map(entry).collect();
            let columns: Vec<u32> = (0..count as u32).filter(|j| j % 4 != 2).collect();
            let weights: Vec<f64> = columns.iter().map(|&j| number(j as usize + 77)).collect();
            let start: Vec<f64> = (0..rows).map(|i| number(i + 5)).collect();
            let mut out = start.clone();
            pulp::Arch::new().dispatch(WeightedColumns {
                values: &values,
                rows,
                columns: &columns,
                weights: &weights,
                height,
                out: &mut out,
            });
            for i in 0..rows {
                let terms = columns.iter().zip(&weights);
                let sum: f64 = terms.map(|(&j, x)| x * values[j as usize * rows + i]).sum();
                assert!((out[i] - start[i] - sum).abs() < 1e-13 * count as f64);
            }
        }
    }

    #[test]
    fn cross_products_are_plain_sums_and_the_same_bits_in_any_company() {
        let number = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        for (rows, m) in [(1, 1), (5, 3), (16, 4), (37, 9), (100, 14)] {
            let values: Vec<f64> = (0..rows * m).map(number).collect();
            let products = |wanted: &[usize]| {
                let mut out = vec![f64::NAN; m * m];
                pulp::Arch::new().dispatch(CrossProducts {
                    values: &values,
                    rows,
                    wanted,
                    out: &mut out,
                });
                out
            };
            let all = products(&(0..m).collect::<Vec<_>>());
            for a in 0..m {
                for b in 0..m {
                    let plain: f64 = (0..rows)
                        .map(|i| values[a * rows + i] * values[b * rows + i])
                        .sum();
                    assert!((all[a * m + b] - plain).abs() < 1e-12 * rows as f64);
                    assert_eq!(products(&[b])[a * m + b], all[a * m + b]);
                }
            }
        }
    }
}
