//! The problem at a point: what the point's own strengths, prior and row weights make of it.

use super::check::{check_prior, check_trained, check_weights, mean};
use super::{Offset, Point, Problem, Strengths};
use crate::error::{Error, Result};
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::model::regularizer::{Regularizer, RidgeRange};
use crate::real::sum_of;

impl Problem {
    /// Penalty, ridge and prior at a point.
    #[must_use]
    pub fn regularizer<'p>(&'p self, point: &'p Point) -> Regularizer<'p> {
        self.regularizer_at(point, point.l1)
    }

    /// Penalty, ridge and prior at a point with another factor of its strengths.
    #[must_use]
    pub fn regularizer_at<'p>(&'p self, point: &'p Point, l1: f64) -> Regularizer<'p> {
        let prior = point.prior().or(self.prior.as_deref());
        let ridges = self.ridges(point);
        let of = |penalty: &Penalty| Regularizer::new(penalty, &self.blocks, prior, l1, ridges);
        match point.strengths() {
            None => of(&self.penalty),
            Some(own) => of(&self.penalty.clone().with_strengths(own.to_vec())),
        }
    }

    /// The derivative in the factor l2, from that in λ₂ itself as a hypergradient of this problem has it:
    /// one number, or one for each ridge strength.
    #[must_use]
    pub(crate) fn along_l2(&self, point: &Point, slopes: &Strengths) -> f64 {
        match (slopes, &self.ridge) {
            (Strengths::Each(slopes), Some(ridge)) => {
                let strengths = point.ridge().unwrap_or(ridge.strengths());
                sum_of(slopes.len().min(strengths.len()), |at| {
                    slopes[at] * strengths[at]
                })
            }
            (slopes, _) => slopes.iter().sum(),
        }
    }

    /// The derivative in log l1, from that in l1 as a hypergradient of this problem has it: one number, or one
    /// for each effective strength.
    #[must_use]
    pub(crate) fn along_log_l1(&self, point: &Point, slopes: &Strengths) -> f64 {
        match slopes {
            Strengths::Common(slope) => point.l1 * slope,
            Strengths::Each(slopes) => {
                let strengths = match point.strengths() {
                    Some(own) => own.iter().map(|s| point.l1 * s).collect(),
                    None => self.effective_strengths(point.l1),
                };
                sum_of(slopes.len().min(strengths.len()), |at| {
                    slopes[at] * strengths[at]
                })
            }
        }
    }

    /// The problem with the row weights that a checked point has of its own.
    pub(crate) fn with_rows_of(&self, point: &Point) -> Self {
        let mut problem = self.clone();
        let normalized = |weights: &[f64]| -> (Vec<f64>, f64) {
            let unit = mean(weights);
            (weights.iter().map(|w| w / unit).collect(), unit)
        };
        if let Some(weights) = point.weights() {
            let (weights, unit) = normalized(weights);
            problem.train.weights = Offset::weighted(problem.train.offset.as_deref(), weights);
            problem.weight_unit = unit;
            problem.weight_factors = None;
            problem.centered = false;
        }
        let criterion = &mut problem.criterion;
        match point.criterion_weights() {
            Some(weights) => {
                let offset = criterion.sample.offset.as_deref();
                criterion.sample.weights = Offset::weighted(offset, normalized(weights).0);
                criterion.on_training_rows = false;
            }
            None if criterion.on_training_rows => {
                criterion.sample.weights.clone_from(&problem.train.weights);
            }
            None => {}
        }
        problem
    }

    /// The least and the largest λ₂ of a point, and what their term is at w = 0.
    #[must_use]
    pub fn ridge_range(&self, point: &Point) -> RidgeRange {
        let ridges = self.ridges(point);
        let range = RidgeRange::of(&ridges);
        match point.prior().or(self.prior.as_deref()) {
            None => range,
            Some(prior) => {
                let term = |j: usize| 0.5 * ridges.at(j) * prior[j] * prior[j];
                range.with_value_at_zero(sum_of(prior.len(), term))
            }
        }
    }

    /// λ₂ of a point: one in common, or one for each penalised coordinate.
    #[must_use]
    pub fn ridges(&self, point: &Point) -> Strengths {
        match &self.ridge {
            None => Strengths::Common(point.l2),
            Some(ridge) => ridge.ridges(point.l2, point.ridge()),
        }
    }

    /// Checks hyperparameters, and what points have of their own, against this problem.
    ///
    /// # Errors
    /// [`Error::Value`] when one is negative, NaN or infinite, or names a target that is not there;
    /// [`Error::Shape`] for vectors of another length; [`Error::Unsupported`] for strengths of their
    /// own where the penalty, or the ridge, has no vector of them.
    pub fn check_points(&self, points: &[Point]) -> Result<()> {
        points.iter().try_for_each(|point| check_point(self, point))
    }
}

/// Checks a point, with what it has of its own, against a problem.
fn check_point(problem: &Problem, point: &Point) -> Result<()> {
    for (name, value) in [("l1", point.l1), ("l2", point.l2)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::value(
                name,
                format!("{value} is not a strength"),
                "give a finite number, zero or more",
            ));
        }
    }
    if point.target >= problem.train.targets.len() {
        return Err(Error::value(
            "target",
            format!("number {} of {}", point.target, problem.train.targets.len()),
            "count targets from 0",
        ));
    }
    if let Some(strengths) = point.strengths() {
        if !problem.penalty.has_strength_vector() {
            return Err(Error::unsupported(
                format!(
                    "strengths of a point's own for the penalty {}",
                    problem.penalty.name()
                ),
                "state the problem with the weighted penalty, or with a group penalty that has strengths",
            ));
        }
        let penalty = problem.penalty.clone().with_strengths(strengths.to_vec());
        penalty.validate(problem.penalized())?;
    }
    match (point.ridge(), &problem.ridge) {
        (Some(own), Some(ridge)) => ridge.check_strengths(own)?,
        (Some(_), None) => {
            return Err(Error::unsupported(
                "ridge strengths of a point's own for a problem with one in common",
                "state the problem with ridge strengths",
            ));
        }
        (None, _) => {}
    }
    let ridges = problem.ridges(point);
    if let Some(at) = ridges.iter().position(|l2| !l2.is_finite()) {
        return Err(Error::value(
            "ridge strengths",
            format!(
                "λ₂ of coefficient {} overflows at l2 = {}",
                at + 1,
                point.l2
            ),
            "give smaller strengths, or a smaller factor",
        ));
    }
    if let Some(prior) = point.prior() {
        check_prior(prior, problem.penalized())?;
    }
    if point.has_own_rows() && problem.loss == Loss::Quadratic {
        return Err(Error::unsupported(
            "row weights of a point for a quadratic form, which has no rows",
            "leave them out",
        ));
    }
    if let Some(weights) = point.weights() {
        check_weights(weights, problem.train.rows(), "sample weights of a point")?;
        if problem.train.design.intercept {
            let target = &problem.train.targets[point.target..=point.target];
            check_trained(target, weights, problem.loss, problem.classes)?;
        }
    }
    if let Some(weights) = point.criterion_weights() {
        let rows = problem.criterion.sample.rows();
        check_weights(weights, rows, "criterion weights of a point")?;
    }
    Ok(())
}
