//! The common part of the losses of a positive mean: the mean is exp(z), and ℓ is half the unit deviance,
//! which does not change where z moves by log c, and y by the factor c, but for the factor c²⁻ᵖ.

use crate::kinds::Precision;
use crate::real::Real;

/// z within the range in which exp(±z), and its product with a target, are finite: a row without weight, or
/// a step that is too long, has large values and no infinite ones, whose product with 0 would be NaN. In f64
/// no minimum lies beyond that range; in f32 it holds means between 4e-18 and 2e17. A NaN stays.
#[inline(always)]
pub(super) fn held<R: Real>(z: R) -> R {
    let limit = R::of(match R::PRECISION {
        Precision::F32 => 40.0,
        Precision::F64 => 300.0,
    });
    if z > limit {
        limit
    } else if z < -limit {
        -limit
    } else {
        z
    }
}

/// exp(z) of a z that is held.
#[inline(always)]
pub(super) fn mean<R: Real>(z: R) -> R {
    num_traits::Float::exp(held(z))
}

/// z − log y of a z that is held.
#[inline(always)]
pub(super) fn over<R: Real>(z: R, y: R) -> R {
    held(z) - num_traits::Float::ln(y)
}

/// a log(a/(a − 1)): the largest value of q − a(q − 1 − log q) over q > 0, that of q = a/(a − 1).
pub(super) fn beyond(a: f64) -> f64 {
    a * (a / (a - 1.0)).ln()
}

/// t log(t/y), 0 at t = 0.
#[inline(always)]
pub(super) fn relative_entropy<R: Real>(t: R, y: R) -> R {
    if t > R::zero() {
        t * num_traits::Float::ln(t / y)
    } else {
        R::zero()
    }
}
