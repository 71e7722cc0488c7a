//! Half the Gamma deviance: y exp(−z) − 1 + z − log y, y > 0, of the mean exp(z).
//!
//! With u = z − log y this is exp(−u) − 1 + u.
//!
//! ```text
//! residual 1 − y exp(−z)      curvature y exp(−z) ≤ aℓ + a log(a/(a − 1))      majorant max(y exp(−z), 1)
//! conjugate (1 − t) log(1 − t) + t(1 + log y) for t ≤ 1
//! ```

use super::RowLoss;
use super::log_link::{beyond, mean, over, relative_entropy};
use crate::real::Real;

/// The row of the Gamma loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gamma;

impl RowLoss for Gamma {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        let u = over(z, y);
        num_traits::Float::exp_m1(-u) + u
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        R::one() - self.curvature(z, y)
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, y: R) -> R {
        y * mean(-z)
    }

    #[inline(always)]
    fn curvature_slope<R: Real>(self, z: R, y: R) -> Option<R> {
        Some(-self.curvature(z, y))
    }

    #[inline(always)]
    fn target_pull<R: Real>(self, z: R, _y: R) -> R {
        mean(-z)
    }

    #[inline(always)]
    fn majorant<R: Real>(self, z: R, y: R) -> R {
        let curvature = self.curvature(z, y);
        if curvature < R::one() {
            R::one()
        } else {
            curvature
        }
    }

    fn curvature_beyond(self, a: f64) -> f64 {
        beyond(a)
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        relative_entropy(R::one() - t, R::one()) + t * (R::one() + num_traits::Float::ln(y))
    }
}
