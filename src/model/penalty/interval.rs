//! lower ≤ w ≤ upper: the box. It has no strength; l1 plays no part.
//!
//! ```text
//! prox  clip(u, lower, upper)      D  1 where lower < u < upper
//! ∂prox/∂upper  1 where u ≥ upper      ∂prox/∂lower  1 where u ≤ lower      kinks  u = lower, u = upper
//! ```

use super::clip;
use super::term::{CoordinatePenalty, FREE, Face, Side, Term};
use crate::real::Real;

/// The row of coordinates between bounds.
#[derive(Debug, Clone, Copy)]
pub struct Interval;

impl CoordinatePenalty for Interval {
    #[inline(always)]
    fn value<R: Real>(_term: &Term<R>, _w: R) -> R {
        R::zero()
    }

    #[inline(always)]
    fn prox<R: Real>(term: &Term<R>, u: R, _gamma: R) -> R {
        clip(u, term.lower, term.upper)
    }

    #[inline(always)]
    fn keeps<R: Real>(term: &Term<R>, u: R, _gamma: R) -> bool {
        term.lower < u && u < term.upper
    }

    #[inline(always)]
    fn side<R: Real>(term: &Term<R>, u: R, _gamma: R) -> Side {
        if u >= term.upper {
            Side::Upper
        } else if u <= term.lower {
            Side::Lower
        } else {
            Side::Inside
        }
    }

    #[inline(always)]
    fn minimizer<R: Real>(term: &Term<R>, a: R, w: R, g: R) -> R {
        clip(w - g / a, term.lower, term.upper)
    }

    #[inline(always)]
    fn flat_minimizer<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        let is_finite = |bound: R| num_traits::Float::is_finite(bound);
        if g > R::zero() && is_finite(term.lower) {
            term.lower
        } else if g < R::zero() && is_finite(term.upper) {
            term.upper
        } else {
            w
        }
    }

    #[inline(always)]
    fn face<R: Real>(term: &Term<R>, w: R) -> Face {
        if Self::is_in_support(term, w) {
            FREE
        } else {
            0
        }
    }

    #[inline(always)]
    fn project<R: Real>(term: &Term<R>, _face: Face, w: R) -> R {
        clip(w, term.lower, term.upper)
    }

    #[inline(always)]
    fn distance<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        let (zero, Term { lower, upper, .. }) = (R::zero(), *term);
        if lower >= upper || (w <= lower && g >= zero) || (w >= upper && g <= zero) {
            zero
        } else {
            g
        }
    }

    #[inline(always)]
    fn pull<R: Real>(_term: &Term<R>, _a: R) -> R {
        R::zero()
    }

    #[inline(always)]
    fn conjugate<R: Real>(term: &Term<R>, a: R, l2: R, _slack: R) -> R {
        let zero = R::zero();
        let best = if l2 > zero {
            clip(a / l2, term.lower, term.upper)
        } else if a > zero {
            term.upper
        } else if a < zero {
            term.lower
        } else {
            clip(zero, term.lower, term.upper)
        };
        if l2 > zero {
            a * best - R::of(0.5) * l2 * best * best
        } else if a == zero {
            zero
        } else {
            a * best
        }
    }

    #[inline(always)]
    fn kink_distance<R: Real>(term: &Term<R>, u: R, _gamma: R) -> R {
        let distance = |bound: R| num_traits::Float::abs(u - bound);
        num_traits::Float::min(distance(term.lower), distance(term.upper))
    }

    #[inline(always)]
    fn is_in_support<R: Real>(term: &Term<R>, w: R) -> bool {
        term.lower < w && w < term.upper
    }

    #[inline(always)]
    fn feasible<R: Real>(term: &Term<R>, w: R) -> R {
        clip(w, term.lower, term.upper)
    }
}
