//! The outcome of meta-learning.

use super::guard::MetaGuarded;
use crate::problem::Point;
use crate::tune::TuningStatus;

/// Errors on held-out rows: shares of wrong labels, or mean squared errors where targets are numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetaErrors {
    /// Fits around the prior that was learned.
    pub meta: f64,
    /// Fits of each task alone, at the strengths that are best for such fits.
    pub alone: f64,
    /// One model of all tasks' rows, where there is one.
    pub pooled: Option<f64>,
    /// The mean of the tasks' own solutions, as one model.
    pub mean_of_solutions: f64,
    /// Fits around the mean of the tasks' own solutions, where a prior is learned.
    pub around_mean: Option<f64>,
}

impl MetaErrors {
    /// The means of some, of which all have the same ways.
    ///
    /// # Panics
    /// Where there are none.
    #[must_use]
    pub fn mean(all: &[Self]) -> Self {
        let count = all.len() as f64;
        let of = |value: &dyn Fn(&Self) -> f64| all.iter().map(value).sum::<f64>() / count;
        let optional = |value: &dyn Fn(&Self) -> Option<f64>| {
            value(&all[0]).map(|_| of(&|one| value(one).unwrap_or(f64::NAN)))
        };
        Self {
            meta: of(&|one| one.meta),
            alone: of(&|one| one.alone),
            pooled: optional(&|one| one.pooled),
            mean_of_solutions: of(&|one| one.mean_of_solutions),
            around_mean: optional(&|one| one.around_mean),
        }
    }
}

/// The outcome of meta-learning.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MetaLearned {
    /// The end of the best start.
    pub status: TuningStatus,
    /// The prior mean c, one entry per coefficient, in units of the tasks' scaled columns.
    pub prior: Vec<f64>,
    /// The factor l1.
    pub l1: f64,
    /// The ridge strength λ₂.
    pub l2: f64,
    /// The mean criterion of the tasks.
    pub criterion: f64,
    /// The largest entry of the slope of its logarithm over what no bound holds: in log λ, and in the prior
    /// in units of the largest coefficient.
    pub projected_slope: f64,
    /// Points on all tasks.
    pub evaluations: usize,
    /// The best point of each task alone.
    pub alone: Point,
    /// The mean of the solutions there, in the prior's units.
    pub mean_of_solutions: Vec<f64>,
    /// The mean of the tasks' intercepts around the prior, in the data's units: with the prior it is a model
    /// for tasks without rows.
    pub intercept: Vec<f64>,
    /// The choice of the guard, where there was one.
    pub nested: Option<MetaGuarded>,
    /// The errors on held-out tasks, where there are some: means over tasks.
    pub error: Option<MetaErrors>,
    /// The errors of each of them.
    pub test: Vec<MetaErrors>,
    /// Remarks for the user, one sentence each.
    pub remarks: Vec<String>,
}

impl MetaLearned {
    /// Takes the errors of the ways that there are, one entry per held-out task.
    pub(super) fn compare(
        &mut self,
        meta: &[f64],
        alone: &[f64],
        pooled: Option<&[f64]>,
        mean: &[f64],
        around: Option<&[f64]>,
    ) {
        let count = meta.len();
        let task = |at: usize| MetaErrors {
            meta: meta[at],
            alone: alone[at],
            pooled: pooled.map(|errors| errors[at]),
            mean_of_solutions: mean[at],
            around_mean: around.map(|errors| errors[at]),
        };
        self.test = (0..count).map(task).collect();
        self.error = Some(MetaErrors::mean(&self.test));
    }
}
