//! log(1 + exp(−yz)), y ∈ {−1, 1}.
//!
//! ```text
//! residual −yσ(−yz)      curvature σ(z)σ(−z) ≤ ¼      conjugate H(−ty) + H(1 + ty), H(p) = p log p
//! ```

use super::RowLoss;
use crate::real::Real;

/// The row of the logistic loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic;

/// σ(t) = 1/(1 + exp(−t)), without overflow.
#[inline(always)]
pub fn sigmoid<R: Real>(t: R) -> R {
    let tail = num_traits::Float::exp(-num_traits::Float::abs(t));
    if t >= R::zero() {
        R::one() / (R::one() + tail)
    } else {
        tail / (R::one() + tail)
    }
}

/// log(1 + exp(t)), without overflow and without cancellation.
#[inline(always)]
pub fn softplus<R: Real>(t: R) -> R {
    let positive = if t > R::zero() { t } else { R::zero() };
    // The comparison turns a NaN into 0; the exponential keeps it.
    positive + num_traits::Float::ln_1p(num_traits::Float::exp(-num_traits::Float::abs(t)))
}

/// p log p, 0 at 0.
#[inline(always)]
pub(super) fn entropy<R: Real>(p: R) -> R {
    if p > R::zero() {
        p * num_traits::Float::ln(p)
    } else {
        R::zero()
    }
}

impl RowLoss for Logistic {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        softplus(-y * z)
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        -y * sigmoid(-y * z)
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, _y: R) -> R {
        // σ(z)σ(−z) = e/(1 + e)², e = exp(−|z|): one exponential, no overflow.
        let tail = num_traits::Float::exp(-num_traits::Float::abs(z));
        tail / ((R::one() + tail) * (R::one() + tail))
    }

    #[inline(always)]
    fn curvature_slope<R: Real>(self, z: R, y: R) -> Option<R> {
        // σ(−z) − σ(z) = 1 − 2σ(z)
        Some(self.curvature(z, y) * (sigmoid(-z) - sigmoid(z)))
    }

    #[inline(always)]
    fn majorant<R: Real>(self, _z: R, _y: R) -> R {
        R::of(0.25)
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        entropy(-t * y) + entropy(R::one() + t * y)
    }
}
