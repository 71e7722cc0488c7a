//! The criterion over folds: its mean, or another combination, and the slope of that, for a batch of points at
//! once.

use std::sync::Arc;

use rayon::prelude::*;

use super::chosen::{self, Chosen};
use super::sure::Combination;
use super::variables::Space;
use crate::control::Control;
use crate::engine::prepared::Prepared;
use crate::error::Result;
use crate::hypergrad::{Outcome, Settings, WarmStart, WarningKind};
use crate::problem::Problem;
use crate::real::sum_of;

/// A fold with what is prepared for its problem.
#[derive(Debug)]
pub(super) struct Fold<'a> {
    pub(super) problem: &'a Problem,
    pub(super) prepared: Arc<Prepared>,
}

/// The criterion over folds.
#[derive(Debug)]
pub(super) struct Criterion<'a> {
    pub(super) folds: Vec<Fold<'a>>,
    /// The combination of their criteria; `None` takes the mean.
    pub(super) combination: Option<Combination>,
    pub(super) settings: Settings,
    pub(super) control: Control,
}

/// A point on all folds.
#[derive(Debug, Clone)]
pub(super) struct Evaluated {
    /// The mean criterion, or another combination; NaN where a fold has no solution.
    pub(super) criterion: f64,
    /// The criterion of every fold; of another combination that alone.
    pub(super) by_fold: Vec<f64>,
    /// dĒ/d log λ of every variable; `None` where a fold has no derivative.
    pub(super) slope: Option<Vec<f64>>,
    /// The start of a point near by, on every fold.
    pub(super) warm: Vec<WarmStart>,
    /// The smallest kink margin of all folds.
    pub(super) kink_margin: Option<f64>,
    /// The warning of coefficients that are not unique on some fold.
    pub(super) not_unique: Option<String>,
}

impl Criterion<'_> {
    /// Evaluates points: along paths of falling l1, or each from a start of its own.
    ///
    /// # Errors
    /// Those of [`chosen::evaluate`].
    pub(super) fn evaluate(
        &self,
        space: &Space,
        points: &[Chosen],
        warm: Option<&[&[WarmStart]]>,
    ) -> Result<Vec<Evaluated>> {
        let of_fold = |(number, fold): (usize, &Fold<'_>)| {
            let warm = warm.map(|warm| warm.iter().map(|w| w[number].clone()).collect());
            let own = (fold.problem, &fold.prepared);
            chosen::evaluate(own, &self.settings, &self.control, points, warm)
        };
        let folds: Vec<Vec<Outcome>> = self
            .folds
            .par_iter()
            .enumerate()
            .map(of_fold)
            .collect::<Result<_>>()?;
        Ok((0..points.len())
            .map(|at| {
                let outcomes: Vec<&Outcome> = folds.iter().map(|fold| &fold[at]).collect();
                self.mean(space, &points[at], &outcomes)
            })
            .collect())
    }

    /// The mean, or another combination, of the outcomes of one point.
    fn mean(&self, space: &Space, point: &Chosen, outcomes: &[&Outcome]) -> Evaluated {
        let count = outcomes.len();
        let is_solved = outcomes.iter().all(|outcome| outcome.is_solved());
        let criterion = if is_solved {
            let of = |fold: usize| outcomes[fold].criterion;
            match &self.combination {
                None => sum_of(count, of) / count as f64,
                Some(combination) => combination.value(of),
            }
        } else {
            f64::NAN
        };
        let slopes: Option<Vec<Vec<f64>>> = outcomes
            .iter()
            .zip(&self.folds)
            .map(|(outcome, fold)| {
                space.slope(point, outcome.hypergradient.as_ref()?, fold.problem)
            })
            .collect();
        let slope = slopes.map(|slopes| {
            let of = |at: usize| match &self.combination {
                None => sum_of(count, |fold| slopes[fold][at]) / count as f64,
                Some(combination) => combination.slope(|fold| slopes[fold][at]),
            };
            (0..slopes[0].len()).map(of).collect()
        });
        let margins = outcomes.iter().filter_map(|outcome| outcome.kink_margin);
        Evaluated {
            criterion,
            by_fold: match &self.combination {
                None => outcomes.iter().map(|outcome| outcome.criterion).collect(),
                Some(_) => vec![criterion],
            },
            slope,
            warm: outcomes
                .iter()
                .map(|outcome| outcome.warm_start())
                .collect(),
            kink_margin: margins.min_by(f64::total_cmp),
            not_unique: outcomes
                .iter()
                .flat_map(|outcome| &outcome.warnings)
                .find(|warning| warning.kind == WarningKind::NotUnique)
                .map(|warning| warning.message.clone()),
        }
    }
}
