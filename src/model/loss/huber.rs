//! ½e² for |e| ≤ δ, δ|e| − ½δ² beyond; e = z − y.
//!
//! ```text
//! residual clip(e, −δ, δ)      curvature 1 for |e| ≤ δ, else 0      majorant min(1, δ/|e|)
//! conjugate ½t² + ty for |t| ≤ δ      kinks |e| = δ
//! ```

use super::RowLoss;
use crate::real::Real;

/// The row of the Huber loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    /// δ, in units of the target.
    pub delta: f64,
}

impl RowLoss for Huber {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        let (e, delta) = (num_traits::Float::abs(z - y), R::of(self.delta));
        if e <= delta {
            R::of(0.5) * e * e
        } else {
            delta * e - R::of(0.5) * delta * delta
        }
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        let (e, delta) = (z - y, R::of(self.delta));
        if e > delta {
            delta
        } else if e < -delta {
            -delta
        } else {
            e
        }
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, y: R) -> R {
        if num_traits::Float::abs(z - y) <= R::of(self.delta) {
            R::one()
        } else {
            R::zero()
        }
    }

    #[inline(always)]
    fn majorant<R: Real>(self, z: R, y: R) -> R {
        let ratio = R::of(self.delta) / num_traits::Float::abs(z - y);
        num_traits::Float::min(ratio, R::one())
    }

    #[inline(always)]
    fn kink_distance<R: Real>(self, z: R, y: R) -> R {
        num_traits::Float::abs(num_traits::Float::abs(z - y) - R::of(self.delta))
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        R::of(0.5) * t * t + t * y
    }
}
