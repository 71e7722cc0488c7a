//! ½max(0, 1 − yz)², y ∈ {−1, 1}.
//!
//! ```text
//! residual −y max(0, 1 − yz)      curvature 1 where yz < 1, else 0
//! conjugate ½t² + ty for ty ≤ 0      kink yz = 1
//! ```

use super::RowLoss;
use crate::real::Real;

/// The row of the squared hinge loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SquaredHinge;

impl RowLoss for SquaredHinge {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        let slack = R::one() - y * z;
        if slack <= R::zero() {
            R::zero()
        } else {
            R::of(0.5) * slack * slack
        }
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        let slack = R::one() - y * z;
        if slack <= R::zero() {
            R::zero()
        } else {
            -y * slack
        }
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, y: R) -> R {
        if y * z < R::one() {
            R::one()
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn majorant<R: Real>(self, _z: R, _y: R) -> R {
        R::one()
    }

    #[inline(always)]
    fn kink_distance<R: Real>(self, z: R, y: R) -> R {
        num_traits::Float::abs(R::one() - y * z)
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        R::of(0.5) * t * t + t * y
    }
}
