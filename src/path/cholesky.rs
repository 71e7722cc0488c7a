//! Cholesky factorisation A = LLᵀ of the small symmetric systems on a support.
//!
//! A pivot `L_jj²` that is no larger than the rounding of the subtraction it is left from,
//! `m ε A_jj`, says that the matrix is singular to working precision. Like the factorisation itself,
//! the test does not depend on the scale of single coordinates.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, Par};

use crate::real::Real;

use super::vector::{dot_four, exceeds, vectorized};

/// Factors the lower triangle of a column-major m × m matrix in place.
///
/// Returns false when the matrix is singular to working precision (or holds a NaN).
pub(super) fn factor<R: Real>(matrix: &mut [R], m: usize) -> bool {
    let diagonal: Vec<R> = (0..m).map(|j| matrix[j * m + j]).collect();
    let mut scratch = MemBuffer::new(cholesky_in_place_scratch::<R>(
        m,
        Par::Seq,
        Default::default(),
    ));
    let factored = cholesky_in_place(
        MatMut::from_column_major_slice_mut(matrix, m, m),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut scratch),
        Default::default(),
    );
    let rounding = R::of(m as f64) * <R as num_traits::Float>::epsilon();
    let is_regular = |j: usize| {
        let pivot = matrix[j * m + j];
        let smallest = num_traits::Float::max(rounding * diagonal[j], R::zero());
        exceeds(pivot * pivot, smallest)
    };
    factored.is_ok() && (0..m).all(is_regular)
}

/// x ← (LLᵀ)⁻¹ x with the factor that [`factor`] left in the lower triangle.
///
/// Four columns at a time, so that x is read and written once for four of them.
pub(super) fn solve<R: Real>(factor: &[R], x: &mut [R]) {
    let m = x.len();
    let whole = m / 4 * 4;
    vectorized(
        #[inline(always)]
        || {
            for first in (0..whole).step_by(4) {
                for j in first..first + 4 {
                    x[j] /= factor[j * m + j];
                    for i in j + 1..first + 4 {
                        let step = x[j] * factor[j * m + i];
                        x[i] -= step;
                    }
                }
                let [a, b, c, d] = [0, 1, 2, 3].map(
                    #[inline(always)]
                    |k: usize| &factor[(first + k) * m + first + 4..(first + k + 1) * m],
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
                x[j] /= factor[j * m + j];
                for i in j + 1..m {
                    let step = x[j] * factor[j * m + i];
                    x[i] -= step;
                }
            }
            for j in (whole..m).rev() {
                for i in j + 1..m {
                    let step = x[i] * factor[j * m + i];
                    x[j] -= step;
                }
                x[j] /= factor[j * m + j];
            }
            for first in (0..whole).step_by(4).rev() {
                let columns = [0, 1, 2, 3].map(
                    #[inline(always)]
                    |k: usize| &factor[(first + k) * m + first + 4..(first + k + 1) * m],
                );
                let (head, tail) = x.split_at_mut(first + 4);
                let products = dot_four(columns, tail);
                for j in (first..first + 4).rev() {
                    let mut value = head[j] - products[j - first];
                    for i in j + 1..first + 4 {
                        value -= head[i] * factor[j * m + i];
                    }
                    head[j] = value / factor[j * m + j];
                }
            }
        },
    );
}
