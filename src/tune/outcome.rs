//! The outcome of a tuning: the best start's place and criterion, and what every start went through.

use super::box_bounds::is_held;
use super::chosen::Chosen;
use super::hyperparameter::Hyperparameter;
use crate::error::Result;
use crate::kinds::tag;
use crate::problem::{Point, Problem};

tag! {
    /// The end of a start, and of the whole tuning.
    #[non_exhaustive]
    pub enum TuningStatus {
        /// The slope is zero.
        Stationary = "stationary";
        /// At a kink: zero is in the convex hull of the slopes around it.
        StationaryKink = "stationary-kink";
        /// The slope is zero but for variables that it presses against a bound.
        AtBound = "at-bound";
        /// Evaluations, time or patience with a start far behind the best one have ended.
        BudgetSpent = "budget-spent";
        /// The criterion does not change here with any variable.
        Flat = "flat";
    }
}

/// A place that a start went to, with the best criterion so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Visited {
    /// The number of the start's own evaluations until then.
    pub evaluation: usize,
    /// The variables: strengths of a [`Tuner`](super::Tuner), places of a [`Search`](super::Search).
    pub variables: Vec<f64>,
    /// The criterion there.
    pub criterion: f64,
}

/// A start and its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The status at its end.
    pub status: TuningStatus,
    /// Its evaluations, its place on the coarse grid not among them.
    pub evaluations: usize,
    /// The best criterion.
    pub criterion: f64,
    /// The number of entries of each variable of a [`Tuner`](super::Tuner); `None` for one number.
    pub entries: Vec<Option<usize>>,
    /// The places with a better criterion than all before, in order.
    pub trajectory: Vec<Visited>,
    /// The best point of a [`Tuner`](super::Tuner).
    pub(super) best: Option<Chosen>,
}

impl Start {
    /// The point at its best place, and the problem that it is a point of: another one with what was tuned of
    /// it beside the point. `None` for starts of a [`Search`](super::Search), and for one without a best place.
    ///
    /// # Errors
    /// Those of [`Tuned::restated`].
    pub fn best_point(&self, problem: &Problem) -> Result<Option<(Point, Problem)>> {
        let Some(chosen) = &self.best else {
            return Ok(None);
        };
        let own = chosen.restated(problem)?;
        let own = own.unwrap_or_else(|| problem.clone());
        Ok(Some((chosen.point.clone(), own)))
    }
}

/// A variable at the best point.
#[derive(Debug, Clone, PartialEq)]
pub struct TunedVariable {
    /// The hyperparameter.
    pub hyperparameter: Hyperparameter,
    /// The lower bound, in the units of the values.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// The strength λ, or those of a vector: l1 in the units of ∂ loss/∂w, λ₂ in those of its curvature; the
    /// entries of a prior, in units of the scaled columns; the weights of all classes, the first being 1.
    pub values: Vec<f64>,
    /// ∂ log Ē/∂ log λ for each of them, without the guard's penalty; of a quadratic form, which has any
    /// sign, ∂Ē/∂ log λ in units of the first |Ē|. Of a prior the derivative is in c as a multiple of the
    /// largest coefficient that a feature has alone.
    pub slope: Vec<f64>,
}

impl TunedVariable {
    /// Its slopes, 0 for entries that a bound holds.
    pub fn projected_slopes(&self) -> impl Iterator<Item = f64> {
        let bounds = [self.lower, self.upper];
        let slopes = self.values.iter().zip(&self.slope);
        slopes.map(move |(&value, &slope)| {
            if is_held(bounds, value, slope) {
                0.0
            } else {
                slope
            }
        })
    }
}

/// The choice of a guard: means over outer folds, on whose rows nothing was tuned. The scalar is the best
/// common strength, or where no vector of strengths is tuned the best point without the vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded {
    /// The ρ of the penalty on the spread of the strengths' logarithms.
    pub rho: f64,
    /// The criterion of the vector.
    pub nested: f64,
    /// The criterion of the best common strength.
    pub nested_scalar: f64,
    /// The standard error of the difference between the two.
    pub standard_error: f64,
    /// Whether the common strength is returned.
    pub returns_scalar: bool,
}

/// The outcome of a tuning.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// The end of the best start.
    pub status: TuningStatus,
    /// Evaluations: points on all folds, those of the coarse grid among them.
    pub evaluations: usize,
    /// Evaluations of the coarse grid, and of sections through the best place.
    pub coarse_evaluations: usize,
    /// The best point.
    pub point: Point,
    /// δ of the Huber loss of the fit there, where it was to be tuned.
    pub huber_delta: Option<f64>,
    /// The weights of the classes there, that of the first one being 1, where they were to be tuned.
    pub class_weights: Option<Vec<f64>>,
    /// The standard deviation of the noise in Stein's estimate, where this is the criterion.
    pub noise: Option<f64>,
    /// The criterion there: the mean over folds, or Stein's estimate of the squared loss on new targets of the
    /// same rows.
    pub criterion: f64,
    /// The criterion there of every fold.
    pub fold_criteria: Vec<f64>,
    /// The variables with their values there.
    pub variables: Vec<TunedVariable>,
    /// The largest entry of the slope over the variables that no bound holds; at a kink without a guard's
    /// penalty, that of the smallest vector in the hull of the slopes around it.
    pub projected_slope: f64,
    /// The projected slope of log Ē with the guard's penalty, which descents bring to zero: at a kink, that
    /// of the hull. `None` without a penalty.
    pub penalized_slope: Option<f64>,
    /// The smallest distance to a kink over folds, where there is one.
    pub kink_margin: Option<f64>,
    /// All starts, the best first: by the criterion with the guard's penalty, where there is one.
    pub starts: Vec<Start>,
    /// The estimate of the criterion on rows that nothing was tuned on, by nested folds.
    pub nested_criterion: Option<f64>,
    /// The criterion of the best strength that all have in common, where a vector of strengths was to be
    /// tuned, and without other vectors where these were.
    pub scalar_criterion: Option<f64>,
    /// The choice of the guard, where there was one.
    pub guarded: Option<Guarded>,
    /// Remarks for the user, one sentence each with its remedy.
    pub remarks: Vec<String>,
}

impl Tuned {
    /// A problem with what was tuned of it beside the point: the one that the best point is a point of.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) and [`Error::Shape`](crate::Error::Shape) for a problem of another loss, or
    /// other classes, than those of what was tuned.
    pub fn restated(&self, problem: Problem) -> Result<Problem> {
        let problem = match self.huber_delta {
            Some(delta) => problem.with_huber_delta(delta)?,
            None => problem,
        };
        match &self.class_weights {
            Some(weights) => problem.with_class_weights(weights, self.point.target),
            None => Ok(problem),
        }
    }
}
