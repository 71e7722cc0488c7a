//! Influences without refits.
//!
//! # First order
//!
//! With weights u_i in the user's units and dE/du_i as a hypergradient has it, which knows that the loss is a
//! mean, E without row i is E − u_i dE/du_i. It adds up over groups.
//!
//! # Newton's step
//!
//! Where the system on the support is at hand, Δ_i of `support` leads from ŵ to the solution without the row,
//! and with the criterion's gradient c and Hessian C on the support E changes by c·Δ_i + ½ Δ_iᵀ C Δ_i. The
//! second order counts where c is small: on the training rows it nearly vanishes.

use faer::{Mat, Scale};
use rayon::prelude::*;

use crate::hypergrad::Outcome;
use crate::hypergrad::support::{LeftOut, Support, Work};
use crate::linalg::vector::dot;
use crate::model::criterion::{curvatures_in_place, residuals_in_place};
use crate::model::loss::RowLoss;
use crate::problem::Problem;

/// The most work on groups of several rows, groups times the cube of the support.
const MOST_GROUP_WORK: usize = 20_000_000_000;

/// The way in which influences were estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EstimateKind {
    /// One step of Newton's method on the support without the row, which knows the row's leverage, and
    /// the criterion to second order there.
    Newton,
    /// First order: minus the derivative in the row's weight, times the weight.
    Adjoint,
}

impl EstimateKind {
    /// The name that tables and JSON show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Newton => "newton",
            Self::Adjoint => "adjoint",
        }
    }
}

/// Estimates of all groups, and of every row what explains them.
pub(super) struct Estimates {
    pub kind: EstimateKind,
    pub influence: Vec<f64>,
    pub own: Option<Vec<f64>>,
    pub leverage: Option<Vec<f64>>,
    pub residuals: Option<Vec<f64>>,
}

impl Estimates {
    /// Those at an outcome with its derivative in the sample weights; `steps` are those without a row, where
    /// there are some.
    pub(super) fn of(
        problem: &Problem,
        outcome: &Outcome,
        groups: &[Vec<usize>],
        steps: Option<&LeftOut<'_>>,
    ) -> Self {
        let first_order = first_order(problem, outcome, groups);
        let by_newton =
            steps.and_then(|steps| by_newton(problem, outcome, groups, &first_order, steps));
        by_newton.unwrap_or(Self {
            kind: EstimateKind::Adjoint,
            influence: first_order,
            own: None,
            leverage: None,
            residuals: None,
        })
    }
}

fn first_order(problem: &Problem, outcome: &Outcome, groups: &[Vec<usize>]) -> Vec<f64> {
    let gradient = outcome.hypergradient.as_ref();
    let Some(slopes) = gradient.and_then(|gradient| gradient.sample_weights.as_ref()) else {
        return vec![f64::NAN; groups.len()];
    };
    let weights = &problem.train.weights;
    let of_row = |&i: &usize| {
        let factor = problem.weight_factors.as_ref().map_or(1.0, |f| f[i]);
        if weights[i] == 0.0 {
            0.0
        } else {
            -weights[i] * problem.weight_unit / factor * slopes[i]
        }
    };
    let of_group = |group: &Vec<usize>| group.iter().map(of_row).sum();
    groups.iter().map(of_group).collect()
}

/// The criterion near the solution, to second order on the support.
struct Change {
    gradient: Vec<f64>,
    hessian: Mat<f64>,
}

impl Change {
    /// `None` where the criterion has too many rows.
    fn of(problem: &Problem, outcome: &Outcome, support: &Support<'_>) -> Option<Self> {
        let criterion = problem.criterion();
        let sample = &criterion.sample;
        let of_criterion = support.in_design(&sample.design);
        if !of_criterion.has_affordable_gram() {
            return None;
        }
        let y = &sample.targets[outcome.point.target];
        let weight = |i: usize| sample.weights[i] / sample.rows() as f64;
        let sign = criterion.sign.factor();
        let z = sample.design.apply(&outcome.solution);
        let mut residuals = z.clone();
        residuals_in_place(criterion.loss, &mut residuals, y, |i| sign * weight(i));
        let mut curvatures = z;
        curvatures_in_place(criterion.loss, &mut curvatures, y);
        let all = curvatures.iter_mut().enumerate();
        all.for_each(|(i, curvature)| *curvature *= weight(i));
        Some(Self {
            gradient: support.restricted(&sample.design.apply_transposed(&residuals)),
            hessian: of_criterion.gram(&curvatures) * Scale(sign),
        })
    }

    /// That of a step.
    fn along(&self, step: &[f64]) -> f64 {
        let columns = step.iter().enumerate();
        let second: f64 = columns
            .map(|(j, own)| own * dot(self.hessian.col_as_slice(j), step))
            .sum();
        dot(&self.gradient, step) + 0.5 * second
    }
}

/// The effects of leaving one row out.
#[derive(Debug, Clone, Copy)]
struct WithoutRow {
    influence: f64,
    own: f64,
    residual: f64,
}

/// `None` where that takes too much work.
fn by_newton(
    problem: &Problem,
    outcome: &Outcome,
    groups: &[Vec<usize>],
    first_order: &[f64],
    steps: &LeftOut<'_>,
) -> Option<Estimates> {
    let row_loss = problem.loss().scalar()?;
    let rows = steps.rows();
    let size = rows.support.len();
    let wide = groups.iter().filter(|group| group.len() > 1).count();
    if wide.saturating_mul(size.pow(3)) > MOST_GROUP_WORK {
        return None;
    }
    let y = &problem.train().targets[outcome.point.target];
    let change = Change::of(problem, outcome, &rows.support)?;
    let has_singles = wide < groups.len();

    let loss_moves = |i: usize, along: f64| {
        row_loss.value(rows.z[i] + along, y[i]) - row_loss.value(rows.z[i], y[i])
    };
    let of_row = |work: &mut Work, i: usize| match steps.step(i, work) {
        None => None,
        Some(along) => Some(WithoutRow {
            influence: if has_singles {
                change.along(&work.step)
            } else {
                f64::NAN
            },
            own: loss_moves(i, along),
            // Minus the slope of the row's loss at its predictor without itself.
            residual: -row_loss.residual(rows.z[i] + along, y[i]),
        }),
    };
    let alone: Vec<Option<WithoutRow>> = (0..y.len())
        .into_par_iter()
        .map_init(|| steps.work(), of_row)
        .collect();

    // A row that the rest cannot be fitted without keeps its estimate of first order.
    let of_group = |work: &mut Work, at: usize| -> (f64, f64) {
        let group = groups[at].as_slice();
        let weight: f64 = group.iter().map(|&i| rows.weights[i]).sum();
        if weight == 0.0 {
            return (0.0, 0.0);
        }
        if let &[i] = group {
            return alone[i].map_or((first_order[at], f64::NAN), |row| (row.influence, row.own));
        }
        if rows.step_without(group, work).is_none() {
            return (first_order[at], f64::NAN);
        }
        let own = |&i: &usize| rows.weights[i] * loss_moves(i, rows.support.along(i, &work.step));
        (
            change.along(&work.step),
            group.iter().map(own).sum::<f64>() / weight,
        )
    };
    let found: Vec<(f64, f64)> = (0..groups.len())
        .into_par_iter()
        .map_init(|| steps.work(), of_group)
        .collect();
    let (influence, own) = found.into_iter().unzip();
    let residual = |row: &Option<WithoutRow>| row.map_or(f64::NAN, |row| row.residual);
    Some(Estimates {
        kind: EstimateKind::Newton,
        influence,
        own: Some(own),
        leverage: rows.leverages(),
        residuals: Some(alone.iter().map(residual).collect()),
    })
}
