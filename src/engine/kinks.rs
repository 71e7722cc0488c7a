//! How far a point is from where the derivative jumps, and how much of that distance rounding hides.
//!
//! A fixed point w* lies within γ·residual/(1 − q) of w, and u = T(w) within q times that of w*. The
//! piece of the derivative is that of w* where
//!
//! ```text
//! kinks of the prox:  |u − kink|/γ > r q/(1 − q)      kinks of rows, and of l1 at 0:  |w − kink|/γ > r/(1 − q)
//! ```
//!
//! with r the residual, and both distances and r are known but for the rounding of the arithmetic.
//!
//! A duality gap g says the same where Φ is no contraction, as with an intercept, which has no ridge. The
//! smooth part f of the objective has gradients that change by at most hi times the way, and the objective
//! grows by ½λ₂‖w − w*‖² over the penalised coordinates, whatever the intercept, so that
//!
//! ```text
//! ‖∇f(w) − ∇f(w*)‖² ≤ 2 hi g      ‖w − w*‖² ≤ 2 g/λ₂
//! kinks of the prox:  |u − kink|/γ > √(2g/λ₂)/γ + √(2 hi g)      others:  |w − kink|/γ > √(2g/λ₂)/γ
//! ```
//!
//! Kinks of rows move with the intercept too, which it does not bound.

use crate::kinds::Wrt;
use crate::linalg::vector::norm;
use crate::map::spectrum::Step;
use crate::model::loss::Loss;
use crate::model::loss::RowLoss;
use crate::model::penalty::{Row, Term};
use crate::model::regularizer::group_norm;

use super::diagnose::Evidence;
use super::settings::Settings;
use super::sizes::Sizes;

/// The error bound of a sum, in units of the rounding of its terms. Norms stand for sums of magnitudes,
/// which they exceed, so that few units are enough.
const ROUNDINGS: f64 = 8.0;

/// Distances to the nearest kinks, over γ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kinks {
    /// To the nearest of all; infinite where there is none.
    pub(super) margin: f64,
    /// Of u to those of the prox, less the rounding of u.
    prox: f64,
    /// Of w to those of rows and of l1 at zero, less the rounding of rows and of w.
    solution: f64,
    /// Rounding of the residual.
    rounding: f64,
    /// The least ridge of the coordinates that have kinks; 0 where some have none.
    ridge: f64,
}

impl Kinks {
    /// The distances at a point. `sizes` are the problem's; `epsilon` is the rounding of the
    /// arithmetic that the derivative was formed in; `settings` say what it is in.
    pub(super) fn of(
        evidence: &Evidence<'_>,
        sizes: &Sizes,
        epsilon: f64,
        settings: &Settings,
    ) -> Self {
        let in_strengths = settings.differentiates(Wrt::L1);
        let in_bounds = settings.differentiates(Wrt::BoxBounds);
        let terms = evidence.terms(sizes);
        let problem = evidence.problem;
        let rows_move_freely = problem.loss.kinks().is_some() && problem.train.design.intercept;
        // A box without zero may hold w where hi is no bound.
        let is_bounded = problem.loss.curvature_bound().is_some() || problem.penalty.allows_zero();
        let mut kinks = Self {
            margin: f64::INFINITY,
            prox: f64::INFINITY,
            solution: f64::INFINITY,
            rounding: Self::rounding(f64::EPSILON, norm(&terms)),
            ridge: match rows_move_freely || !is_bounded {
                true => 0.0,
                false => evidence.regularizer.ridge_range().least,
            },
        };
        let unit = ROUNDINGS * epsilon;
        let Evidence {
            w,
            u,
            gamma,
            regularizer,
            ..
        } = *evidence;
        for (b, penalty) in regularizer.penalties.iter().enumerate() {
            let members = regularizer.blocks.members(b);
            let is_penalized = (members[0] as usize) < regularizer.penalized();
            let rounding = unit * group_norm(members, &terms);
            let mut moves = true;
            if penalty.is_group() {
                let group = penalty.shrink(members.iter().map(|&j| u[j as usize]), gamma);
                let distance = (group.norm - gamma * penalty.norm).abs();
                kinks.add_of_prox(distance / gamma, rounding);
                moves = group.is_active;
            }
            // Within a group at rest no coordinate's kink is felt.
            for &j in members.iter().filter(|_| moves) {
                let j = j as usize;
                let distance = penalty.coordinate.kink_distance(u[j], gamma);
                kinks.add_of_prox(distance / gamma, unit * terms[j]);
                if in_bounds && has_kink_in_bound(&penalty.coordinate, u[j], gamma) {
                    kinks.add_of_solution(0.0, 0.0);
                }
            }
            if !(is_penalized && in_strengths) {
                continue;
            }
            // A strength that is zero has a kink at w = 0.
            let movable = members.iter().filter(|&&j| evidence.moves(j, sizes));
            if regularizer.row != Row::Free && has_kink_at_zero(&penalty.coordinate) && moves {
                for &j in movable.clone() {
                    let j = j as usize;
                    kinks.add_of_solution(w[j].abs() / gamma, unit * terms[j]);
                }
            }
            if !regularizer.blocks.separable && !penalty.is_group() && movable.count() > 0 {
                kinks.add_of_solution(group_norm(members, w) / gamma, rounding);
            }
        }
        kinks.add_rows(evidence, sizes, unit);
        kinks
    }

    /// Those that an engine took itself: `prox` and `solution` less rounding. The gap says nothing of them.
    pub(super) fn measured(margin: f64, prox: f64, solution: f64, rounding: f64) -> Self {
        Self {
            margin,
            prox,
            solution,
            rounding,
            ridge: 0.0,
        }
    }

    /// The rounding of a residual that was formed in arithmetic of this rounding, from the norm of its
    /// terms.
    pub(super) fn rounding(epsilon: f64, terms: f64) -> f64 {
        ROUNDINGS * epsilon * terms
    }

    /// Whether the derivative is surely that of the solution's own piece. The objective is above its minimum
    /// by no more than `excess`.
    pub(super) fn certify(&self, step: &Step, residual: f64, excess: f64) -> bool {
        let by_contraction = || {
            let moved = (residual + self.rounding) / (1.0 - step.contraction);
            step.contraction < 1.0 && self.prox > moved * step.contraction && self.solution > moved
        };
        let by_gap = || {
            let moved = (2.0 * excess / self.ridge).sqrt() / step.gamma;
            let turned = (2.0 * excess * step.largest).sqrt();
            self.ridge > 0.0 && self.prox > moved + turned && self.solution > moved
        };
        residual.is_finite() && (self.margin.is_infinite() || by_contraction() || by_gap())
    }

    /// Whether a smaller residual, or a larger distance, would give a certificate.
    pub(super) fn may_certify(&self, step: &Step) -> bool {
        step.contraction < 1.0 || self.ridge > 0.0
    }

    fn add_of_prox(&mut self, distance: f64, rounding: f64) {
        self.margin = self.margin.min(distance);
        self.prox = self.prox.min(distance - rounding);
    }

    fn add_of_solution(&mut self, distance: f64, rounding: f64) {
        self.margin = self.margin.min(distance);
        self.solution = self.solution.min(distance - rounding);
    }

    /// The kinks of Huber and hinge rows, in units of w.
    fn add_rows(&mut self, evidence: &Evidence<'_>, sizes: &Sizes, unit: f64) {
        let Some((loss, reach)) = evidence.problem.loss.kinks() else {
            return;
        };
        let sample = &evidence.problem.train;
        let y = &sample.targets[evidence.point.target];
        let length = norm(evidence.w);
        // The offset that a sparse design subtracts from every row is not in the rows' sizes.
        let offset = match sample.design.rank_one {
            Some(_) => evidence.products(sizes),
            None => 0.0,
        };
        for (i, &size) in sizes.rows.iter().enumerate() {
            if size == 0.0 || sample.weights[i] == 0.0 {
                continue;
            }
            let distance = loss.kink_distance(evidence.z[i], y[i]);
            let terms = y[i].abs() + reach + size * length + offset;
            let scale = size * evidence.gamma;
            self.add_of_solution(distance / scale, unit * terms / scale);
        }
    }
}

/// True where the derivative in a strength that is zero jumps as the coordinate passes zero.
fn has_kink_at_zero(term: &Term<f64>) -> bool {
    let is_flat = term.row == Row::Bounded && term.strength == 0.0;
    term.row == Row::Free || is_flat && term.lower < 0.0 && term.upper > 0.0
}

/// True where a bound of zero that moves inwards takes along a coordinate that the slope alone holds, and one that
/// moves outwards does not.
fn has_kink_in_bound(term: &Term<f64>, u: f64, gamma: f64) -> bool {
    let is_held = term.strength > 0.0 && u.abs() <= gamma * term.strength;
    let has_zero = (term.lower == 0.0) != (term.upper == 0.0);
    term.row == Row::Bounded && is_held && has_zero
}

impl Evidence<'_> {
    /// Σ_k ‖x̂_k‖ |w_k|: the size of the terms of the linear predictors.
    fn products(&self, sizes: &Sizes) -> f64 {
        let c = self.problem.classes;
        let terms = self.w.iter().enumerate();
        terms.map(|(j, w)| sizes.columns[j / c] * w.abs()).sum()
    }

    /// The size of the terms of u_j/γ, coordinate by coordinate.
    fn terms(&self, sizes: &Sizes) -> Vec<f64> {
        let c = self.problem.classes;
        let target = self.point.target;
        let is_form = self.problem.loss == Loss::Quadratic;
        let within = if is_form {
            norm(self.w)
        } else {
            // Residuals feel the rounding of predictors by the curvature, which else is at most 1.
            let felt = match self.problem.loss.curvature_bound() {
                Some(_) => 1.0,
                None => self.largest_curvature(),
            };
            felt * self.products(sizes) + sizes.targets[target]
        };
        let linear = |j: usize| {
            if is_form {
                self.problem.train.targets[target][j].abs()
            } else {
                0.0
            }
        };
        let term = |(j, w): (usize, &f64)| {
            w.abs() / self.gamma
                + self.regularizer.ridge_size(j, *w)
                + sizes.columns[j / c] * within
                + linear(j)
        };
        self.w.iter().enumerate().map(term).collect()
    }

    /// False for a coordinate whose column is zero: it stays where it is, whatever l1.
    fn moves(&self, j: u32, sizes: &Sizes) -> bool {
        sizes.columns[j as usize / self.problem.classes] > 0.0
    }
}
