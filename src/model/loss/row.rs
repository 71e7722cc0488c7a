//! The table of losses with one linear predictor per row.

use crate::real::Real;

/// A row of the table: a loss ℓ(z, y) as functions of one linear predictor z and its target y.
pub trait RowLoss: Copy {
    /// ℓ(z, y).
    fn value<R: Real>(self, z: R, y: R) -> R;

    /// r = ∂ℓ/∂z.
    fn residual<R: Real>(self, z: R, y: R) -> R;

    /// h = ∂²ℓ/∂z²: an element of the Clarke Jacobian where the residual has a kink.
    fn curvature<R: Real>(self, z: R, y: R) -> R;

    /// ∂h/∂z, the derivative of the curvature; `None` where it is not stated, or the residual has kinks.
    #[inline(always)]
    fn curvature_slope<R: Real>(self, _z: R, _y: R) -> Option<R> {
        None
    }

    /// −∂r/∂y, the pull of the target on the predictor: the curvature, for a loss of z − y.
    #[inline(always)]
    fn target_pull<R: Real>(self, z: R, y: R) -> R {
        self.curvature(z, y)
    }

    /// A curvature of a parabola that touches ℓ at z and lies above it everywhere; where the curvature of ℓ
    /// has no bound, the largest curvature between z and the row's minimum.
    fn majorant<R: Real>(self, z: R, y: R) -> R;

    /// b(y), the curvature at the row's minimum. Only asked where the curvature has no bound.
    #[inline(always)]
    fn curvature_at_best<R: Real>(self, _y: R) -> R {
        R::one()
    }

    /// k(a) such that for a > 1 the curvature is at most aℓ(z, y) + k(a) b(y) for every z: on rows whose loss
    /// is bounded the curvature is. Only asked where the curvature itself has no bound.
    #[inline(always)]
    fn curvature_beyond(self, _a: f64) -> f64 {
        1.0
    }

    /// The distance of z to the residual's nearest kink; infinite for smooth losses.
    #[inline(always)]
    fn kink_distance<R: Real>(self, _z: R, _y: R) -> R {
        R::infinity()
    }

    /// ℓ*(t, y) = sup over z of tz − ℓ(z, y), for t in its domain.
    fn conjugate<R: Real>(self, t: R, y: R) -> R;
}
