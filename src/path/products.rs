//! Products of many columns with a vector or with each other, their sums in registers.
//!
//! Every sum is one register of lanes, folded at the end, and then the rows that do not fill one: its
//! bits depend on its own two columns alone.

use pulp::{Simd, WithSimd};

use crate::real::Real;

use super::vector::{dot, in_f64, vectorized};

/// Xᵀv for a column-major matrix whose columns are zero from a height on, in registers: what
/// [`inner`] does column by column costs as much again for the sums' last steps.
pub(super) struct TransposedProduct<'a, C> {
    pub(super) values: &'a [f64],
    pub(super) rows: usize,
    pub(super) heights: &'a [usize],
    pub(super) v: &'a [f64],
    /// The column of every entry of `out`.
    pub(super) column: C,
    pub(super) out: &'a mut [f64],
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

/// The products of the `wanted` columns of a column-major matrix with all m of them, into the rows
/// and columns of an m × m matrix that are theirs.
#[allow(clippy::ptr_arg)] // only a sized type can be asked what it is
pub(super) fn cross_products<R: Real>(
    values: &Vec<R>,
    rows: usize,
    wanted: &[usize],
    out: &mut Vec<R>,
) {
    let m = values.len() / rows.max(1);
    let any: &mut dyn std::any::Any = out;
    if let (Some(values), Some(out)) = (in_f64(values), any.downcast_mut::<Vec<f64>>()) {
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

/// What [`cross_products`] does in `f64`.
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

#[cfg(test)]
mod tests {
    use super::*;

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
