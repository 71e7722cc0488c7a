//! Nothing: intercepts, coordinates of zero strength, members of a group lasso's groups.
//!
//! ```text
//! value 0      prox u      D = 1      distance g      pull |a|
//! ```

use super::term::{CoordinatePenalty, FREE, Face, Term};
use crate::real::Real;

/// The row of coordinates that pay nothing.
#[derive(Debug, Clone, Copy)]
pub struct Free;

impl CoordinatePenalty for Free {
    #[inline(always)]
    fn value<R: Real>(_term: &Term<R>, _w: R) -> R {
        R::zero()
    }

    #[inline(always)]
    fn prox<R: Real>(_term: &Term<R>, u: R, _gamma: R) -> R {
        u
    }

    #[inline(always)]
    fn keeps<R: Real>(_term: &Term<R>, _u: R, _gamma: R) -> bool {
        true
    }

    #[inline(always)]
    fn minimizer<R: Real>(_term: &Term<R>, a: R, w: R, g: R) -> R {
        w - g / a
    }

    #[inline(always)]
    fn face<R: Real>(_term: &Term<R>, _w: R) -> Face {
        FREE
    }

    #[inline(always)]
    fn distance<R: Real>(_term: &Term<R>, _w: R, g: R) -> R {
        g
    }

    #[inline(always)]
    fn pull<R: Real>(_term: &Term<R>, a: R) -> R {
        num_traits::Float::abs(a)
    }

    #[inline(always)]
    fn kink_distance<R: Real>(_term: &Term<R>, _u: R, _gamma: R) -> R {
        R::infinity()
    }
}
