//! Cholesky factorisation A = LLᵀ of the small symmetric systems on a support.
//!
//! Matrices are column-major, every column [`stride`] apart, so that columns begin with whole
//! registers. A pivot `L_jj²` that is no larger than the rounding of the subtraction it is left from,
//! `m ε A_jj`, says that the matrix is singular to working precision. Like the factorisation itself,
//! the test does not depend on the scale of single coordinates.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, Par};
use pulp::{Simd, WithSimd};

use crate::real::Real;

use super::vector::{WIDTH, dot_four, exceeds, in_f64, in_f64_mut, vectorized};

/// Sizes up to which registers serve a factorisation better than the blocks of a large one: by a
/// third to a half.
const LARGEST_LEFT_LOOKING: usize = 384;

/// Entries from one column of an m × m matrix to the next.
pub(crate) fn stride(m: usize) -> usize {
    m.next_multiple_of(WIDTH)
}

/// Factors the lower triangle of an m × m matrix in place: below the diagonal stands L, on it 1/L_jj,
/// because triangular solves wait for every division.
///
/// Returns false when the matrix is singular to working precision (or holds a NaN).
pub(crate) fn factor<R: Real>(matrix: &mut [R], m: usize) -> bool {
    let stride = stride(m);
    let rounding = R::of(m as f64) * <R as num_traits::Float>::epsilon();
    // A pivot must exceed this.
    let least = |j: usize| num_traits::Float::max(rounding * matrix[j * stride + j], R::zero());
    let least: Vec<R> = (0..m).map(least).collect();
    if m <= LARGEST_LEFT_LOOKING
        && let Some(least) = in_f64(&least)
        && let Some(matrix) = in_f64_mut(matrix)
    {
        return pulp::Arch::new().dispatch(LeftLooking {
            matrix,
            stride,
            least,
        });
    }
    let mut scratch = MemBuffer::new(cholesky_in_place_scratch::<R>(
        m,
        Par::Seq,
        Default::default(),
    ));
    let factored = cholesky_in_place(
        MatMut::from_column_major_slice_with_stride_mut(matrix, m, m, stride),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut scratch),
        Default::default(),
    );
    let mut is_regular = factored.is_ok();
    for (j, &least) in least.iter().enumerate() {
        let pivot = &mut matrix[j * stride + j];
        is_regular &= exceeds(*pivot * *pivot, least);
        *pivot = num_traits::Float::recip(*pivot);
    }
    is_regular
}

/// The smallest share of its own diagonal entry that a pivot has left, 1 for no columns: from what
/// [`factor`] leaves.
pub(crate) fn least_share<R: Real>(factor: &[R], m: usize) -> f64 {
    let stride = stride(m);
    // Σ_k L_jk² for k < j.
    let mut taken = vec![0.0; m];
    let mut least = 1.0f64;
    for (j, column) in factor.chunks(stride.max(1)).take(m).enumerate() {
        let pivot = column[j].to_f64().powi(-2);
        least = least.min(pivot / (pivot + taken[j]));
        for (taken, &l) in taken.iter_mut().zip(column).skip(j + 1) {
            *taken += l.to_f64().powi(2);
        }
    }
    least
}

/// Four columns at a time, from left to right: what the columns before them take away is summed in
/// registers, tile by tile of their rows.
///
/// Above the diagonal and in the rows that fill a column up stands anything; it stays in its rows.
struct LeftLooking<'a> {
    matrix: &'a mut [f64],
    stride: usize,
    /// The number that the pivot of each column must exceed.
    least: &'a [f64],
}

impl WithSimd for LeftLooking<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let (m, stride) = (self.least.len(), self.stride);
        let whole = m / 4 * 4;
        for j in (0..whole).step_by(4) {
            let (done, columns) = self.matrix.split_at_mut(j * stride);
            take_away::<S, 4>(simd, done, columns, stride, j);
            if !finish::<S, 4>(simd, columns, stride, j, &self.least[j..]) {
                return false;
            }
        }
        for j in whole..m {
            let (done, columns) = self.matrix.split_at_mut(j * stride);
            take_away::<S, 1>(simd, done, columns, stride, j);
            if !finish::<S, 1>(simd, columns, stride, j, &self.least[j..]) {
                return false;
            }
        }
        true
    }
}

/// A_·c ← A_·c − Σ_k L_·k L_ck for the columns c from j on and the columns k that are `done`.
#[inline(always)]
fn take_away<S: Simd, const COLUMNS: usize>(
    simd: S,
    done: &[f64],
    columns: &mut [f64],
    stride: usize,
    j: usize,
) {
    let lanes = S::F64_LANES;
    let mut row = j / WIDTH * WIDTH;
    while row + 2 * lanes <= stride {
        tile::<S, COLUMNS, 2>(simd, done, columns, stride, j, row);
        row += 2 * lanes;
    }
    while row < stride {
        tile::<S, COLUMNS, 1>(simd, done, columns, stride, j, row);
        row += lanes;
    }
}

#[inline(always)]
fn tile<S: Simd, const COLUMNS: usize, const REGISTERS: usize>(
    simd: S,
    done: &[f64],
    columns: &mut [f64],
    stride: usize,
    j: usize,
    row: usize,
) {
    let rows = row..row + REGISTERS * S::F64_LANES;
    let mut sums = [[simd.splat_f64s(0.0); REGISTERS]; COLUMNS];
    for column in done.chunks_exact(stride) {
        let (x, _) = S::as_simd_f64s(&column[rows.clone()]);
        let factors = &column[j..j + COLUMNS];
        for c in 0..COLUMNS {
            let factor = simd.splat_f64s(factors[c]);
            for r in 0..REGISTERS {
                sums[c][r] = simd.mul_add_e_f64s(factor, x[r], sums[c][r]);
            }
        }
    }
    for c in 0..COLUMNS {
        let column = &mut columns[c * stride..(c + 1) * stride];
        let (x, _) = S::as_mut_simd_f64s(&mut column[rows.clone()]);
        for r in 0..REGISTERS {
            x[r] = simd.sub_f64s(x[r], sums[c][r]);
        }
    }
}

/// The columns from j on, from which only they themselves have not been taken away.
#[inline(always)]
fn finish<S: Simd, const COLUMNS: usize>(
    simd: S,
    columns: &mut [f64],
    stride: usize,
    j: usize,
    least: &[f64],
) -> bool {
    let first = j / WIDTH * WIDTH;
    for c in 0..COLUMNS {
        let (before, column) = columns.split_at_mut(c * stride);
        let column = &mut column[..stride];
        for other in before.chunks_exact(stride) {
            let factor = simd.splat_f64s(-other[j + c]);
            let (x, _) = S::as_simd_f64s(&other[first..]);
            let (y, _) = S::as_mut_simd_f64s(&mut column[first..]);
            for (y, x) in y.iter_mut().zip(x) {
                *y = simd.mul_add_e_f64s(factor, *x, *y);
            }
        }
        let pivot = column[j + c];
        if !exceeds(pivot, least[c]) {
            return false;
        }
        let inverse = 1.0 / pivot.sqrt();
        let factor = simd.splat_f64s(inverse);
        let (y, _) = S::as_mut_simd_f64s(&mut column[first..]);
        for y in y {
            *y = simd.mul_f64s(*y, factor);
        }
        column[j + c] = inverse;
    }
    true
}

/// x ← (LLᵀ)⁻¹ x with the factor that [`factor`] left in the lower triangle.
///
/// Four columns at a time, so that x is read and written once for four of them.
pub(crate) fn solve<R: Real>(factor: &[R], x: &mut [R]) {
    let (m, stride) = (x.len(), stride(x.len()));
    let whole = m / 4 * 4;
    vectorized(
        #[inline(always)]
        || {
            for first in (0..whole).step_by(4) {
                for j in first..first + 4 {
                    x[j] *= factor[j * stride + j];
                    for i in j + 1..first + 4 {
                        let step = x[j] * factor[j * stride + i];
                        x[i] -= step;
                    }
                }
                let [a, b, c, d] = [0, 1, 2, 3].map(
                    #[inline(always)]
                    |k: usize| &factor[(first + k) * stride + first + 4..(first + k) * stride + m],
                );
                let (head, tail) = x.split_at_mut(first + 4);
                let [xa, xb, xc, xd] = [0, 1, 2, 3].map(
                    #[inline(always)]
                    |k: usize| head[first + k],
                );
                let length = tail.len();
                let (a, b, c, d) = (&a[..length], &b[..length], &c[..length], &d[..length]);
                for i in 0..length {
                    tail[i] -= (a[i] * xa + b[i] * xb) + (c[i] * xc + d[i] * xd);
                }
            }
            for j in whole..m {
                x[j] *= factor[j * stride + j];
                for i in j + 1..m {
                    let step = x[j] * factor[j * stride + i];
                    x[i] -= step;
                }
            }
            for j in (whole..m).rev() {
                for i in j + 1..m {
                    let step = x[i] * factor[j * stride + i];
                    x[j] -= step;
                }
                x[j] *= factor[j * stride + j];
            }
            for first in (0..whole).step_by(4).rev() {
                let columns = [0, 1, 2, 3].map(
                    #[inline(always)]
                    |k: usize| &factor[(first + k) * stride + first + 4..(first + k) * stride + m],
                );
                let (head, tail) = x.split_at_mut(first + 4);
                let products = dot_four(columns, tail);
                for j in (first..first + 4).rev() {
                    let mut value = head[j] - products[j - first];
                    for i in j + 1..first + 4 {
                        value -= head[i] * factor[j * stride + i];
                    }
                    head[j] = value * factor[j * stride + j];
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symmetric matrix with a dominant diagonal, in columns a stride apart, with rubbish in the
    /// places that do not count.
    fn matrix<R: Real>(m: usize) -> Vec<R> {
        let stride = stride(m);
        let entry = |at: usize| {
            let (j, i) = (at / stride, at % stride);
            let number = ((i * j * 31 + i + j) % 13) as f64 / 13.0;
            if i == j {
                m as f64 + number
            } else if i > j {
                number
            } else {
                f64::NAN
            }
        };
        (0..stride * m)
            .map(|at| {
                if at % stride < m {
                    R::of(entry(at))
                } else {
                    R::infinity()
                }
            })
            .collect()
    }

    #[test]
    fn the_smallest_share_of_a_pivot_is_what_other_columns_leave() {
        for m in [1, 2, 5, 9] {
            let stride = stride(m);
            // A = 4I but for the entry of the last two.
            let mut a = vec![0.0; stride * m];
            (0..m).for_each(|j| a[j * stride + j] = 4.0);
            let mut expected = 1.0;
            if m > 1 {
                a[(m - 2) * stride + m - 1] = 4.0 * 0.999;
                expected -= 0.999 * 0.999;
            }
            assert!(factor(&mut a, m));
            let share = least_share(&a, m);
            assert!((share - expected).abs() < 1e-14, "{m}: {share}");
        }
        assert_eq!(least_share::<f64>(&[], 0), 1.0);
    }

    fn check_solution<R: Real>(m: usize, tolerance: f64) {
        let (a, stride) = (matrix::<R>(m), stride(m));
        let mut l = a.clone();
        assert!(factor(&mut l, m), "{m}");
        let x: Vec<f64> = (0..m).map(|i| 1.0 - (i % 7) as f64 / 3.0).collect();
        let entry = |i: usize, j: usize| Real::to_f64(a[i.min(j) * stride + i.max(j)]);
        let product = |i: usize| (0..m).map(|j| entry(i, j) * x[j]).sum::<f64>();
        let mut b: Vec<R> = (0..m).map(|i| R::of(product(i))).collect();
        solve(&l, &mut b);
        for (&found, &x) in b.iter().zip(&x) {
            let found = Real::to_f64(found);
            assert!((found - x).abs() < tolerance, "{m}: {found} {x}");
        }
    }

    #[test]
    fn a_factor_solves_its_system_whatever_stands_above_the_diagonal() {
        for m in [
            1,
            2,
            3,
            4,
            5,
            7,
            8,
            9,
            12,
            16,
            17,
            31,
            40,
            101,
            LARGEST_LEFT_LOOKING + 5,
        ] {
            check_solution::<f64>(m, 1e-13);
            check_solution::<f32>(m, 1e-4);
        }
    }

    #[test]
    fn a_singular_system_is_seen_at_every_place() {
        for m in [2usize, 5, 9, 20] {
            for at in 1..m {
                let (mut a, stride) = (matrix::<f64>(m), stride(m));
                // Row and column `at` repeat the ones before.
                let entry = |i: usize, j: usize| a[i.min(j) * stride + i.max(j)];
                let repeated: Vec<f64> = (0..m)
                    .map(|i| entry(if i == at { at - 1 } else { i }, at - 1))
                    .collect();
                for (i, &value) in repeated.iter().enumerate() {
                    a[i.min(at) * stride + i.max(at)] = value;
                }
                assert!(!factor(&mut a, m), "{m} {at}");
                let mut a = matrix::<f64>(m);
                a[at] = f64::NAN;
                assert!(!factor(&mut a, m), "{m} {at}");
            }
        }
    }
}
