//! The loss on rows, as inner problem and criterion use it: E = sign·Σ (s_i/n) ℓ(z_i, y_i), and the
//! residuals from which ∂E = X̂ᵀR comes. math.md §2, §5.
//!
//! Predictors are row by row, c a row.

use super::loss::{Loss, RowLoss, multinomial};
use crate::real::{Real, sum_of};

/// Σ weight_i ℓ(z_i, y_i) over rows; `None` for the quadratic form, which has none.
#[must_use]
pub fn value(loss: Loss, z: &[f64], y: &[f64], weight: impl Fn(usize) -> f64) -> Option<f64> {
    match loss.scalar() {
        Some(row) => Some(sum_of(y.len(), |i| weight(i) * row.value(z[i], y[i]))),
        None if loss == Loss::Multinomial => {
            let c = z.len() / y.len().max(1);
            let of_row =
                |i: usize| multinomial::cross_entropy(&z[i * c..(i + 1) * c], y[i] as usize);
            Some(sum_of(y.len(), |i| weight(i) * of_row(i)))
        }
        None => None,
    }
}

/// z ← weight_i·r_i, row by row.
pub fn residuals_in_place<R: Real>(
    loss: Loss,
    z: &mut [R],
    y: &[f64],
    weight: impl Fn(usize) -> R,
) {
    let c = z.len() / y.len().max(1);
    for (i, (z, &y)) in z.chunks_exact_mut(c.max(1)).zip(y).enumerate() {
        loss.residual_in_place(z, R::of(y));
        let weight = weight(i);
        z.iter_mut().for_each(|z| *z *= weight);
    }
}

/// Row curvatures without weights from predictors: one per row, or softmax(z) of the multinomial loss,
/// in the memory of z.
pub fn curvatures_in_place<R: Real>(loss: Loss, z: &mut [R], y: &[f64]) {
    match loss.scalar() {
        Some(row) => {
            for (z, &y) in z.iter_mut().zip(y) {
                *z = row.curvature(*z, R::of(y));
            }
        }
        None if loss == Loss::Multinomial => {
            let c = z.len() / y.len().max(1);
            for z in z.chunks_exact_mut(c.max(1)) {
                multinomial::softmax_in_place(z);
            }
        }
        None => z.fill(R::one()),
    }
}
