//! τ|w|: the elastic net and the weighted lasso.
//!
//! ```text
//! prox  S(u, γτ) = sign(u)·max(|u| − γτ, 0)
//! D     1 where |u| > γτ, or τ = 0      ∂prox/∂τ  −γ sign(u) where |u| > γτ
//! pull  |a|      kinks of the prox  |u| = γτ
//! ```
//!
//! The comparison is strict, so that the selection at a kink is the same in w and in τ; at τ = 0
//! the derivative in τ is the right one.

use super::term::{CoordinatePenalty, Face, Term};
use crate::real::Real;

/// The row of the absolute value.
#[derive(Debug, Clone, Copy)]
pub struct SoftThreshold;

/// S(u, τ) = sign(u)·max(|u| − τ, 0), written so that a NaN survives.
#[inline(always)]
pub fn soft_threshold<R: Real>(u: R, threshold: R) -> R {
    u - super::clip(u, -threshold, threshold)
}

#[inline(always)]
pub(super) fn sign<R: Real>(w: R) -> Face {
    if w > R::zero() {
        1
    } else if w < R::zero() {
        -1
    } else {
        0
    }
}

impl CoordinatePenalty for SoftThreshold {
    #[inline(always)]
    fn value<R: Real>(term: &Term<R>, w: R) -> R {
        term.strength * num_traits::Float::abs(w)
    }

    #[inline(always)]
    fn prox<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        soft_threshold(u, gamma * term.strength)
    }

    #[inline(always)]
    fn keeps<R: Real>(term: &Term<R>, u: R, gamma: R) -> bool {
        let threshold = gamma * term.strength;
        num_traits::Float::abs(u) > threshold || threshold == R::zero()
    }

    #[inline(always)]
    fn strength_slope<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        let threshold = gamma * term.strength;
        if u > threshold {
            -R::one()
        } else if u < -threshold {
            R::one()
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn minimizer<R: Real>(term: &Term<R>, a: R, w: R, g: R) -> R {
        soft_threshold(a * w - g, term.strength) / a
    }

    #[inline(always)]
    fn face<R: Real>(_term: &Term<R>, w: R) -> Face {
        sign(w)
    }

    #[inline(always)]
    fn face_slope<R: Real>(term: &Term<R>, face: Face) -> R {
        if face > 0 {
            term.strength
        } else {
            -term.strength
        }
    }

    #[inline(always)]
    fn project<R: Real>(_term: &Term<R>, face: Face, w: R) -> R {
        if sign(w) == -face { R::zero() } else { w }
    }

    #[inline(always)]
    fn distance<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        if w > R::zero() {
            g + term.strength
        } else if w < R::zero() {
            g - term.strength
        } else {
            soft_threshold(g, term.strength)
        }
    }

    #[inline(always)]
    fn pull<R: Real>(_term: &Term<R>, a: R) -> R {
        num_traits::Float::abs(a)
    }
}
