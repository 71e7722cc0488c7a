//! τw with w ≥ 0.
//!
//! ```text
//! prox  max(u − γτ, 0)      D  1 where u > γτ      ∂prox/∂τ  −γ there
//! pull  a      kink of the prox  u = γτ
//! ```

use super::term::{CoordinatePenalty, Face, Term};
use crate::real::Real;

/// The row of non-negative coordinates with a slope.
#[derive(Debug, Clone, Copy)]
pub struct NonNegative;

impl CoordinatePenalty for NonNegative {
    #[inline(always)]
    fn value<R: Real>(term: &Term<R>, w: R) -> R {
        term.strength * w
    }

    #[inline(always)]
    fn prox<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        let shifted = u - gamma * term.strength;
        shifted - super::clip(shifted, R::neg_infinity(), R::zero())
    }

    #[inline(always)]
    fn keeps<R: Real>(term: &Term<R>, u: R, gamma: R) -> bool {
        u > gamma * term.strength
    }

    #[inline(always)]
    fn strength_slope<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        if u > gamma * term.strength {
            -R::one()
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn minimizer<R: Real>(term: &Term<R>, a: R, w: R, g: R) -> R {
        let u = a * w - g - term.strength;
        // A NaN fails the comparison and survives.
        if u <= R::zero() { R::zero() } else { u / a }
    }

    #[inline(always)]
    fn face<R: Real>(_term: &Term<R>, w: R) -> Face {
        Face::from(w > R::zero())
    }

    #[inline(always)]
    fn face_slope<R: Real>(term: &Term<R>, _face: Face) -> R {
        term.strength
    }

    #[inline(always)]
    fn project<R: Real>(term: &Term<R>, _face: Face, w: R) -> R {
        Self::feasible(term, w)
    }

    #[inline(always)]
    fn distance<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        // At zero only a descent direction into the positive side counts.
        if w > R::zero() || g + term.strength < R::zero() || g.is_nan() {
            g + term.strength
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn pull<R: Real>(_term: &Term<R>, a: R) -> R {
        a
    }

    #[inline(always)]
    fn feasible<R: Real>(_term: &Term<R>, w: R) -> R {
        if w < R::zero() { R::zero() } else { w }
    }
}
