//! Cholesky factorisation A = LLᵀ of the small symmetric systems on a support.
//!
//! A pivot `L_jj²` that is no larger than the rounding of the subtraction it is left from,
//! `m ε A_jj`, says that the matrix is singular to working precision. Like the factorisation itself,
//! the test does not depend on the scale of single coordinates.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, Par};

use crate::real::Real;

use super::vector::{exceeds, vectorized};

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
pub(super) fn solve<R: Real>(factor: &[R], x: &mut [R]) {
    let m = x.len();
    vectorized(
        #[inline(always)]
        || {
            for j in 0..m {
                let column = &factor[j * m + j..(j + 1) * m];
                let (head, tail) = x[j..].split_at_mut(1);
                head[0] /= column[0];
                super::vector::axpy(-head[0], &column[1..], tail);
            }
            for j in (0..m).rev() {
                let column = &factor[j * m + j..(j + 1) * m];
                let (head, tail) = x[j..].split_at_mut(1);
                head[0] = (head[0] - super::vector::dot(&column[1..], tail)) / column[0];
            }
        },
    );
}
