//! The multinomial loss of one row: cross-entropy of softmax(z) at class y, z ∈ Rᶜ.
//!
//! ```text
//! value log Σ exp(z) − z_y      residual p − e_y, p = softmax(z)      curvature diag(p) − ppᵀ ≤ ½I
//! conjugate Σ q log q at t = q − e_y
//! ```

use super::logistic::entropy;
use crate::real::Real;

/// Writes softmax(z) over z and returns log Σ exp(z), both without overflow.
pub fn softmax_in_place<R: Real>(z: &mut [R]) -> R {
    let mut largest = R::neg_infinity();
    for &value in z.iter() {
        // A comparison that NaN fails leaves `largest`; the exponentials below keep the NaN.
        if value > largest {
            largest = value;
        }
    }
    let mut total = R::zero();
    for value in z.iter_mut() {
        *value = num_traits::Float::exp(*value - largest);
        total += *value;
    }
    for value in z.iter_mut() {
        *value /= total;
    }
    largest + num_traits::Float::ln(total)
}

/// Cross-entropy log Σ exp(z) − z_y.
pub fn cross_entropy<R: Real>(z: &[R], class: usize) -> R {
    let mut probabilities = z.to_vec();
    softmax_in_place(&mut probabilities) - z[class]
}

/// q ← p∘q − p(p·q): the curvature diag(p) − ppᵀ applied to q.
pub fn apply_curvature<R: Real>(probabilities: &[R], q: &mut [R]) {
    let mean: R = probabilities
        .iter()
        .zip(q.iter())
        .map(|(&p, &q)| p * q)
        .sum();
    for (q, &p) in q.iter_mut().zip(probabilities) {
        *q = p * (*q - mean);
    }
}

/// The derivative of the curvature along q, row by row into `out`: diag(a) − apᵀ − paᵀ with
/// a = p∘q − p(p·q), the change of p.
pub fn curvature_along(probabilities: &[f64], q: &[f64], out: &mut [f64]) {
    let p = probabilities;
    let mut a = q.to_vec();
    apply_curvature(p, &mut a);
    for (k, row) in out.chunks_exact_mut(p.len()).enumerate() {
        for (l, out) in row.iter_mut().enumerate() {
            *out = -(a[k] * p[l] + p[k] * a[l]);
        }
        row[k] += a[k];
    }
}

/// The curvature diag(p) − ppᵀ itself, row by row into `out`.
pub fn curvature(probabilities: &[f64], out: &mut [f64]) {
    let p = probabilities;
    for (k, row) in out.chunks_exact_mut(p.len()).enumerate() {
        for (l, out) in row.iter_mut().enumerate() {
            *out = -p[k] * p[l];
        }
        row[k] += p[k];
    }
}

/// z ← softmax(z) − e_y: the residual of a row.
pub fn residual_in_place<R: Real>(z: &mut [R], class: usize) {
    softmax_in_place(z);
    z[class] -= R::one();
}

/// ℓ*(t) at t = p − e_y: Σ p log p.
pub fn conjugate<R: Real>(t: &[R], class: usize) -> R {
    let own = |k: usize| if k == class { R::one() } else { R::zero() };
    (0..t.len()).map(|k| entropy(t[k] + own(k))).sum()
}

/// The entry (k, l) of the majorant: ½ on the diagonal, so that diag(p) − ppᵀ ≤ ½I (Böhning 1992).
pub const MAJORANT: f64 = 0.5;
