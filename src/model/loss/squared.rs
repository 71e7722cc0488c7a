//! ½(z − y)².
//!
//! ```text
//! residual z − y      curvature 1      conjugate ½t² + ty
//! ```

use super::RowLoss;
use crate::real::Real;

/// The row of the squared loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Squared;

impl RowLoss for Squared {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        R::of(0.5) * (z - y) * (z - y)
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        z - y
    }

    #[inline(always)]
    fn curvature<R: Real>(self, _z: R, _y: R) -> R {
        R::one()
    }

    #[inline(always)]
    fn curvature_slope<R: Real>(self, _z: R, _y: R) -> Option<R> {
        Some(R::zero())
    }

    #[inline(always)]
    fn majorant<R: Real>(self, _z: R, _y: R) -> R {
        R::one()
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        R::of(0.5) * t * t + t * y
    }
}
