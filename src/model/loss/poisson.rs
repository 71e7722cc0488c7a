//! Half the Poisson deviance: exp(z) − y − y(z − log y), y ≥ 0, of the mean exp(z).
//!
//! With u = z − log y this is y(exp(u) − 1 − u), without cancellation of large terms.
//!
//! ```text
//! residual exp(z) − y      curvature exp(z) ≤ aℓ + y a log(a/(a − 1))      majorant max(exp(z), y)
//! conjugate (t + y) log((t + y)/y) + t(log y − 1) for t ≥ −y      (y = 0: t log t − t)
//! ```

use super::RowLoss;
use super::log_link::{beyond, mean, over, relative_entropy};
use crate::real::Real;

/// The row of the Poisson loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poisson;

impl RowLoss for Poisson {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        if y > R::zero() {
            let u = over(z, y);
            y * (num_traits::Float::exp_m1(u) - u)
        } else {
            mean(z)
        }
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        mean(z) - y
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, _y: R) -> R {
        mean(z)
    }

    #[inline(always)]
    fn curvature_slope<R: Real>(self, z: R, y: R) -> Option<R> {
        Some(self.curvature(z, y))
    }

    #[inline(always)]
    fn target_pull<R: Real>(self, _z: R, _y: R) -> R {
        R::one()
    }

    #[inline(always)]
    fn majorant<R: Real>(self, z: R, y: R) -> R {
        let mean = mean(z);
        if mean < y { y } else { mean }
    }

    #[inline(always)]
    fn curvature_at_best<R: Real>(self, y: R) -> R {
        y
    }

    fn curvature_beyond(self, a: f64) -> f64 {
        beyond(a)
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        let unit = if y > R::zero() { y } else { R::one() };
        relative_entropy(t + y, unit) + t * (num_traits::Float::ln(unit) - R::one())
    }
}
