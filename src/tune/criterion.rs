//! The criterion over folds: its mean, or another combination, and the slope of that, for a batch of points at
//! once.

use rayon::prelude::*;

use super::chosen::{Chosen, Fold};
use super::kept::{Kept, OnFold, Request, Starts};
use super::sure::Combination;
use super::variables::Space;
use crate::control::Control;
use crate::error::Result;
use crate::hypergrad::{Outcome, Settings, WarmStart, WarningKind};
use crate::real::sum_of;

/// The criterion over folds.
#[derive(Debug)]
pub(super) struct Criterion<'a> {
    pub(super) folds: Vec<Fold<'a>>,
    /// The combination of their criteria; `None` takes the mean.
    pub(super) combination: Option<Combination>,
    pub(super) settings: Settings,
    pub(super) control: Control,
    /// The place that keeps its evaluations, where there is one.
    pub(super) kept: Option<Kept<'a>>,
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

/// The mean of the criteria of all folds.
#[must_use]
pub(crate) fn mean_of(criteria: &[f64]) -> f64 {
    sum_of(criteria.len(), |fold| criteria[fold]) / criteria.len() as f64
}

impl Criterion<'_> {
    /// Evaluates points: along paths of falling l1, or each from a start of its own.
    ///
    /// # Errors
    /// Those of [`Fold::evaluate`], and of the place that keeps evaluations.
    pub(super) fn evaluate(
        &self,
        space: &Space,
        points: &[Chosen],
        warm: Option<&[&[WarmStart]]>,
    ) -> Result<Vec<Evaluated>> {
        let on_fold = |number: usize| self.on_fold(space, points, warm, number);
        let count = self.folds.len();
        let folds: Vec<Vec<OnFold>> = match &self.kept {
            None => (0..count)
                .into_par_iter()
                .map(on_fold)
                .collect::<Result<_>>()?,
            Some(kept) => {
                let request = Request {
                    variables: &space.signature(),
                    points,
                    starts: Starts::of_points(warm),
                    tasks: None,
                };
                kept.results(request, count, &self.control, on_fold)?
            }
        };
        Ok((0..points.len())
            .map(|at| {
                let results: Vec<&OnFold> = folds.iter().map(|fold| &fold[at]).collect();
                self.mean(&results)
            })
            .collect())
    }

    /// The results of points on one fold.
    fn on_fold(
        &self,
        space: &Space,
        points: &[Chosen],
        warm: Option<&[&[WarmStart]]>,
        number: usize,
    ) -> Result<Vec<OnFold>> {
        let fold = &self.folds[number];
        let warm = warm.map(|warm| warm.iter().map(|w| w[number].clone()).collect());
        let outcomes = fold.evaluate(&self.settings, &self.control, points, warm)?;
        let result = |(point, outcome): (&Chosen, Outcome)| {
            let hypergradient = outcome.hypergradient.as_ref();
            let mut warnings = outcome.warnings.iter();
            OnFold {
                is_solved: outcome.is_solved(),
                criterion: outcome.criterion,
                slope: hypergradient.and_then(|h| space.slope(point, h, fold.problem)),
                warm: outcome.warm_start(),
                kink_margin: outcome.kink_margin,
                not_unique: warnings
                    .find(|warning| warning.kind == WarningKind::NotUnique)
                    .map(|warning| warning.message.clone()),
            }
        };
        Ok(points.iter().zip(outcomes).map(result).collect())
    }

    /// The mean, or another combination, of the results of one point.
    fn mean(&self, results: &[&OnFold]) -> Evaluated {
        let count = results.len();
        let is_solved = results.iter().all(|result| result.is_solved);
        let criterion = if is_solved {
            let of = |fold: usize| results[fold].criterion;
            match &self.combination {
                None => mean_of(&(0..count).map(of).collect::<Vec<_>>()),
                Some(combination) => combination.value(of),
            }
        } else {
            f64::NAN
        };
        let slopes = results.iter().map(|result| result.slope.as_ref());
        let slopes: Option<Vec<&Vec<f64>>> = slopes.collect();
        let slope = slopes.map(|slopes| {
            let of = |at: usize| match &self.combination {
                None => sum_of(count, |fold| slopes[fold][at]) / count as f64,
                Some(combination) => combination.slope(|fold| slopes[fold][at]),
            };
            (0..slopes[0].len()).map(of).collect()
        });
        let margins = results.iter().filter_map(|result| result.kink_margin);
        Evaluated {
            criterion,
            by_fold: match &self.combination {
                None => results.iter().map(|result| result.criterion).collect(),
                Some(_) => vec![criterion],
            },
            slope,
            warm: results.iter().map(|result| result.warm.clone()).collect(),
            kink_margin: margins.min_by(f64::total_cmp),
            not_unique: results.iter().find_map(|result| result.not_unique.clone()),
        }
    }
}
