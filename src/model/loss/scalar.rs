//! The losses with one predictor per row, as one type.

use super::gamma::Gamma;
use super::huber::Huber;
use super::logistic::Logistic;
use super::poisson::Poisson;
use super::row::RowLoss;
use super::squared::Squared;
use super::squared_hinge::SquaredHinge;
use super::tweedie::Tweedie;
use crate::real::Real;

/// A loss with one predictor per row: a row of the table with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalarLoss {
    /// The row [`Squared`].
    Squared(Squared),
    /// The row [`Logistic`].
    Logistic(Logistic),
    /// The row [`Huber`].
    Huber(Huber),
    /// The row [`SquaredHinge`].
    SquaredHinge(SquaredHinge),
    /// The row [`Poisson`].
    Poisson(Poisson),
    /// The row [`Gamma`].
    Gamma(Gamma),
    /// The row [`Tweedie`].
    Tweedie(Tweedie),
}

macro_rules! each_row {
    ($loss:expr, $row:ident => $body:expr) => {
        match $loss {
            ScalarLoss::Squared($row) => $body,
            ScalarLoss::Logistic($row) => $body,
            ScalarLoss::Huber($row) => $body,
            ScalarLoss::SquaredHinge($row) => $body,
            ScalarLoss::Poisson($row) => $body,
            ScalarLoss::Gamma($row) => $body,
            ScalarLoss::Tweedie($row) => $body,
        }
    };
}

impl ScalarLoss {
    /// The name of the row in shaders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Squared(_) => "squared",
            Self::Logistic(_) => "logistic",
            Self::Huber(_) => "huber",
            Self::SquaredHinge(_) => "squared_hinge",
            Self::Poisson(_) => "poisson",
            Self::Gamma(_) => "gamma",
            Self::Tweedie(_) => "tweedie",
        }
    }

    /// The functions of the row in WGSL, each with the name of the row in front.
    #[must_use]
    pub fn shader(self) -> &'static str {
        match self {
            Self::Squared(_) => include_str!("../../../shaders/loss/squared.wgsl"),
            Self::Logistic(_) => include_str!("../../../shaders/loss/logistic.wgsl"),
            Self::Huber(_) => include_str!("../../../shaders/loss/huber.wgsl"),
            Self::SquaredHinge(_) => include_str!("../../../shaders/loss/squared_hinge.wgsl"),
            Self::Poisson(_) => include_str!("../../../shaders/loss/poisson.wgsl"),
            Self::Gamma(_) => include_str!("../../../shaders/loss/gamma.wgsl"),
            Self::Tweedie(_) => include_str!("../../../shaders/loss/tweedie.wgsl"),
        }
    }
}

impl RowLoss for ScalarLoss {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.value(z, y))
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.residual(z, y))
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.curvature(z, y))
    }

    #[inline(always)]
    fn curvature_slope<R: Real>(self, z: R, y: R) -> Option<R> {
        each_row!(self, row => row.curvature_slope(z, y))
    }

    #[inline(always)]
    fn target_pull<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.target_pull(z, y))
    }

    #[inline(always)]
    fn majorant<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.majorant(z, y))
    }

    #[inline(always)]
    fn curvature_at_best<R: Real>(self, y: R) -> R {
        each_row!(self, row => row.curvature_at_best(y))
    }

    fn curvature_beyond(self, a: f64) -> f64 {
        each_row!(self, row => row.curvature_beyond(a))
    }

    #[inline(always)]
    fn kink_distance<R: Real>(self, z: R, y: R) -> R {
        each_row!(self, row => row.kink_distance(z, y))
    }

    #[inline(always)]
    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        each_row!(self, row => row.conjugate(t, y))
    }
}
