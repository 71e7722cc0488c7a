//! τ|w| with lower ≤ w ≤ upper: the lasso with bounds or signs of its coefficients.
//!
//! A convex function of one number has its minimum over an interval where the minimum over all numbers,
//! brought into the interval, is; with s = S(u, γτ) therefore
//!
//! ```text
//! prox  clip(s, lower, upper)      D  1 where lower < s < upper, and |u| > γτ or τ = 0
//! ∂prox/∂τ  −γ sign(u) where D is 1      ∂prox/∂upper  1 where s ≥ upper      ∂prox/∂lower  1 where s ≤ lower
//! kinks  u = ±γτ, and where s meets a bound: u = bound + γτ sign(bound)
//! ```
//!
//! Zero need not lie between the bounds: then the coordinate rests at the bound next to zero, where the
//! slope of the penalty is that of this sign. Where τ holds a coordinate at a bound of zero, the
//! derivative in this bound is that of a bound that moves outwards: 0.

use super::soft_threshold::{SoftThreshold, sign};
use super::term::{CoordinatePenalty, FREE, Face, Side, Term};
use super::{clip, soft_threshold};
use crate::real::Real;

/// The row of the absolute value between bounds.
#[derive(Debug, Clone, Copy)]
pub struct Bounded;

/// True where the slope holds u at zero.
#[inline(always)]
fn is_held<R: Real>(u: R, threshold: R) -> bool {
    threshold > R::zero() && num_traits::Float::abs(u) <= threshold
}

/// True where a value lies strictly between the bounds.
#[inline(always)]
fn is_inside<R: Real>(term: &Term<R>, w: R) -> bool {
    term.lower < w && w < term.upper
}

impl CoordinatePenalty for Bounded {
    #[inline(always)]
    fn value<R: Real>(term: &Term<R>, w: R) -> R {
        term.strength * num_traits::Float::abs(w)
    }

    #[inline(always)]
    fn prox<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        let s = soft_threshold(u, gamma * term.strength);
        clip(s, term.lower, term.upper)
    }

    #[inline(always)]
    fn keeps<R: Real>(term: &Term<R>, u: R, gamma: R) -> bool {
        let threshold = gamma * term.strength;
        is_inside(term, soft_threshold(u, threshold)) && !is_held(u, threshold)
    }

    #[inline(always)]
    fn strength_slope<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        if is_inside(term, SoftThreshold::prox(term, u, gamma)) {
            SoftThreshold::strength_slope(term, u, gamma)
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn side<R: Real>(term: &Term<R>, u: R, gamma: R) -> Side {
        let threshold = gamma * term.strength;
        let s = soft_threshold(u, threshold);
        let binds = |bound: R| bound != R::zero() || !is_held(u, threshold);
        if s >= term.upper && binds(term.upper) {
            Side::Upper
        } else if s <= term.lower && binds(term.lower) {
            Side::Lower
        } else {
            Side::Inside
        }
    }

    #[inline(always)]
    fn minimizer<R: Real>(term: &Term<R>, a: R, w: R, g: R) -> R {
        let free = soft_threshold(a * w - g, term.strength) / a;
        clip(free, term.lower, term.upper)
    }

    #[inline(always)]
    fn flat_minimizer<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        let Term {
            strength,
            lower,
            upper,
            ..
        } = *term;
        let or_here = |bound: R| {
            if num_traits::Float::is_finite(bound) {
                bound
            } else {
                w
            }
        };
        if g + strength < R::zero() {
            or_here(upper)
        } else if g - strength > R::zero() {
            or_here(lower)
        } else if num_traits::Float::abs(g) < strength {
            clip(R::zero(), lower, upper)
        } else {
            w
        }
    }

    #[inline(always)]
    fn face<R: Real>(term: &Term<R>, w: R) -> Face {
        if !is_inside(term, w) {
            0
        } else if term.strength == R::zero() {
            FREE
        } else {
            sign(w)
        }
    }

    #[inline(always)]
    fn face_slope<R: Real>(term: &Term<R>, face: Face) -> R {
        match face {
            1 => term.strength,
            -1 => -term.strength,
            _ => R::zero(),
        }
    }

    #[inline(always)]
    fn project<R: Real>(term: &Term<R>, face: Face, w: R) -> R {
        let zero = R::zero();
        let w = match face {
            1 if w < zero => zero,
            -1 if w > zero => zero,
            _ => w,
        };
        clip(w, term.lower, term.upper)
    }

    #[inline(always)]
    fn distance<R: Real>(term: &Term<R>, w: R, g: R) -> R {
        let zero = R::zero();
        let Term {
            strength,
            lower,
            upper,
            ..
        } = *term;
        // The slopes to the right and to the left of w; none leads out of the bounds.
        let right = if w < zero { g - strength } else { g + strength };
        let left = if w > zero { g + strength } else { g - strength };
        if g.is_nan() || (w < upper && right < zero) {
            right
        } else if w > lower && left > zero {
            left
        } else {
            zero
        }
    }

    #[inline(always)]
    fn pull<R: Real>(term: &Term<R>, a: R) -> R {
        let zero = R::zero();
        if term.lower >= term.upper {
            zero
        } else if term.lower >= zero {
            a
        } else if term.upper <= zero {
            -a
        } else {
            num_traits::Float::abs(a)
        }
    }

    #[inline(always)]
    fn unbounded<R: Real>(term: &Term<R>, a: R) -> R {
        let bound = if a < R::zero() {
            term.lower
        } else {
            term.upper
        };
        if num_traits::Float::is_finite(bound) {
            R::zero()
        } else {
            a
        }
    }

    #[inline(always)]
    fn conjugate<R: Real>(term: &Term<R>, a: R, l2: R, slack: R) -> R {
        let zero = R::zero();
        let excess = soft_threshold(a, term.strength);
        let towards = if excess < zero {
            term.lower
        } else {
            term.upper
        };
        let best = if l2 > zero {
            clip(excess / l2, term.lower, term.upper)
        } else if excess == zero {
            clip(zero, term.lower, term.upper)
        } else if num_traits::Float::is_finite(towards) {
            towards
        } else if num_traits::Float::abs(excess) > slack {
            return R::infinity();
        } else {
            clip(zero, term.lower, term.upper)
        };
        a * best - R::of(0.5) * l2 * best * best - Self::value(term, best)
    }

    #[inline(always)]
    fn kink_distance<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        let (zero, threshold) = (R::zero(), gamma * term.strength);
        let Term { lower, upper, .. } = *term;
        let mut nearest = R::infinity();
        if lower >= upper {
            return nearest;
        }
        let mut visit = |exists: bool, kink: R| {
            if exists {
                nearest = num_traits::Float::min(nearest, num_traits::Float::abs(u - kink));
            }
        };
        let has_slope = threshold > zero;
        visit(has_slope && lower <= zero && upper > zero, threshold);
        visit(has_slope && lower < zero && upper >= zero, -threshold);
        let shifted = |bound: R| {
            if bound > zero {
                bound + threshold
            } else if bound < zero {
                bound - threshold
            } else {
                bound
            }
        };
        let is_kink = |bound: R| bound != zero || !has_slope;
        visit(is_kink(lower), shifted(lower));
        visit(is_kink(upper), shifted(upper));
        if u.is_nan() { u } else { nearest }
    }

    #[inline(always)]
    fn feasible<R: Real>(term: &Term<R>, w: R) -> R {
        clip(w, term.lower, term.upper)
    }
}
