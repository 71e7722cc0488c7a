//! Cholesky factorisation of the small symmetric systems on a support.
//!
//! Left-looking by columns: with `A = LLᵀ`,
//!
//! ```text
//! L_jj² = A_jj − Σ_k<j L_jk² ,    L_ij = (A_ij − Σ_k<j L_ik L_jk) / L_jj     (i > j)
//! ```
//!
//! four earlier columns at a time. A pivot `L_jj²` that is no larger than the rounding of the
//! subtraction, `m ε A_jj`, says that the matrix is singular to working precision. Like
//! the factorisation itself, the test does not depend on the scale of single coordinates.

use crate::real::Real;

use super::vector::{exceeds, vectorized};

/// Factors the lower triangle of a column-major m × m matrix in place.
///
/// Returns false when the matrix is singular to working precision (or holds a NaN).
pub(super) fn factor<R: Real>(matrix: &mut [R], m: usize) -> bool {
    let rounding = R::of(m as f64) * <R as num_traits::Float>::epsilon();
    vectorized(
        #[inline(always)]
        || factor_columns(matrix, m, rounding),
    )
}

#[inline(always)]
fn factor_columns<R: Real>(matrix: &mut [R], m: usize, rounding: R) -> bool {
    for j in 0..m {
        let (before, rest) = matrix.split_at_mut(j * m);
        let column = &mut rest[j..m];
        let length = column.len();
        let smallest = num_traits::Float::max(rounding * column[0], R::zero());
        let mut k = 0;
        while k + 4 <= j {
            let tail = |k: usize| &before[k * m + j..k * m + m];
            let (c0, c1, c2, c3) = (tail(k), tail(k + 1), tail(k + 2), tail(k + 3));
            let (c0, c1) = (&c0[..length], &c1[..length]);
            let (c2, c3) = (&c2[..length], &c3[..length]);
            let (l0, l1, l2, l3) = (c0[0], c1[0], c2[0], c3[0]);
            for i in 0..length {
                column[i] -= (c0[i] * l0 + c1[i] * l1) + (c2[i] * l2 + c3[i] * l3);
            }
            k += 4;
        }
        while k < j {
            let c = &before[k * m + j..k * m + m];
            let l = c[0];
            for (x, &c) in column.iter_mut().zip(c) {
                *x -= c * l;
            }
            k += 1;
        }
        if !exceeds(column[0], smallest) {
            return false;
        }
        let pivot = num_traits::Float::sqrt(column[0]);
        let inverse = R::one() / pivot;
        column[0] = pivot;
        for x in &mut column[1..] {
            *x *= inverse;
        }
    }
    true
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
