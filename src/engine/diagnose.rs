//! Honest diagnostics of one point, in f64: objective, duality gap, support.

use super::sizes::Sizes;
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::model::penalty::Shrink;
use crate::model::regularizer::Regularizer;
use crate::problem::{Offset, Point, Problem};
use crate::real::sum_of;

/// The data that one point's diagnostics are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The point.
    pub point: &'a Point,
    /// Penalty, ridge and prior there.
    pub regularizer: &'a Regularizer<'a>,
    /// Scaled coefficients, p.
    pub w: &'a [f64],
    /// Linear predictors, n·c (quadratic form: Qw).
    pub z: &'a [f64],
    /// ∇loss(w), p.
    pub gradient: &'a [f64],
    /// u = T(w), p.
    pub u: &'a [f64],
    /// γ.
    pub gamma: f64,
    /// loss(w).
    pub loss: f64,
}

/// A duality gap, which bounds how far the objective is from its minimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualityGap {
    /// The gap over the objective, floored at 1e-12 of the objective at w = 0 (with an intercept, at
    /// the mean of the targets).
    pub relative: f64,
    /// True when the gap contradicts convergence: it is above 1e-6 of the objective, floored at
    /// 1e-6 of the objective at w = 0, where a low-noise fit has an objective of rounding.
    pub is_open: bool,
    /// The most by which the objective is above its minimum, rounding included; infinite where it is not
    /// known.
    pub excess: f64,
}

/// The error bound of a gap, in units of the rounding of its terms.
const ROUNDINGS: f64 = 64.0;

impl DualityGap {
    /// The gap against the objective and that at w = 0; `None` where it is not finite.
    pub(super) fn new(gap: f64, objective: f64, at_zero: f64) -> Option<Self> {
        let size = |floor: f64| {
            let floored = objective.abs().max(floor * at_zero.abs());
            floored.max(f64::MIN_POSITIVE)
        };
        let relative = gap / size(1e-12);
        // Rounding may bring it below zero; a NaN must not pass as zero.
        relative.is_finite().then(|| Self {
            relative: relative.max(0.0),
            is_open: gap > 1e-6 * size(1e-6),
            excess: f64::INFINITY,
        })
    }

    /// The same with a bound of the excess, the gap being a difference of terms of this size.
    fn with_excess(self, gap: f64, terms: f64) -> Self {
        Self {
            excess: gap.max(0.0) + ROUNDINGS * f64::EPSILON * terms,
            ..self
        }
    }
}

impl Evidence<'_> {
    /// Loss, ridge and penalty.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.loss + self.regularizer.value(self.w)
    }

    /// Penalised coordinates that are not zero; for the box those strictly inside.
    #[must_use]
    pub fn support(&self) -> usize {
        self.regularizer.support(self.w)
    }

    /// The duality gap, where a dual feasible point is at hand and the gap is finite.
    ///
    /// With θ_i = s_i t_i/n, t a dual residual made feasible, and a = λ₂c − X̂ᵀθ,
    ///
    /// ```text
    /// gap = objective + Σ (s_i/n) ℓ*(t_i) + Σ_j [ sup_w (a_j w − ½λ₂w² − penalty(w)) − ½λ₂c_j² ]
    /// ```
    #[must_use]
    pub fn duality_gap(&self) -> Option<DualityGap> {
        let objective = self.objective();
        let regularizer = self.regularizer.without_distant_bounds(self.w);
        let (conjugate, correlation) = if self.problem.loss == Loss::Quadratic {
            // f*(∇f(w)) = ½wᵀQw.
            let value = 0.5 * self.w.iter().zip(self.z).map(|(w, z)| w * z).sum::<f64>();
            (value, self.gradient.to_vec())
        } else {
            let mut t = self.dual_residuals();
            let mut correlation = if self.center(&mut t)? {
                self.problem
                    .train
                    .design_adjoint(&self.weighted(&t), self.problem.classes)
            } else {
                self.gradient.to_vec()
            };
            let shrink = regularizer.feasible_factor(&correlation);
            if shrink < 1.0 {
                t.iter_mut().for_each(|t| *t *= shrink);
                correlation.iter_mut().for_each(|a| *a *= shrink);
            }
            (self.conjugate(&t)?, correlation)
        };
        let of_penalty = regularizer.conjugate(&correlation);
        let gap = objective + conjugate + of_penalty;
        let at_zero = self.objective_at_zero();
        // Beside the sum's own, the rounding of predictors as large as the targets: |r||z| of every row.
        let of_rows = (objective * at_zero).abs().sqrt();
        let terms = objective.abs() + conjugate.abs() + of_penalty.abs() + of_rows;
        Some(DualityGap::new(gap, objective, at_zero)?.with_excess(gap, terms))
    }

    /// The largest move of a coefficient that a step of coordinate descent would make from w, relative
    /// to the largest coefficient, both in units of the predictors, where it exceeds `limit`.
    ///
    /// It bounds from below how far w is from the minimum: arithmetic that hides such a step does
    /// not know the coefficients better.
    pub(super) fn move_above(&self, limit: f64, sizes: &Sizes) -> Option<f64> {
        let (moved, largest) = self.largest_move(sizes);
        // Beside coefficients that are nothing in units of the targets, nothing is small.
        let is_above =
            moved > limit * largest && moved > limit * 1e-6 * self.objective_at_zero().abs().sqrt();
        is_above.then(|| moved / largest.max(f64::MIN_POSITIVE))
    }

    /// The largest move and the largest coefficient.
    fn largest_move(&self, sizes: &Sizes) -> (f64, f64) {
        let c = self.problem.classes;
        let bound = self.largest_curvature();
        let size = |j: usize| sizes.columns[j / c];
        let curvature = |j: usize| {
            let ridge = self.regularizer.ridge(j);
            match self.problem.loss {
                Loss::Quadratic => size(j) + ridge,
                _ => bound * size(j) * size(j) + ridge,
            }
        };
        let pull = |j: usize| self.gradient[j] + self.regularizer.ridge_gradient(j, self.w[j]);
        let (mut moved, mut largest) = (0.0f64, 0.0f64);
        let mut visit = |j: usize, after: f64| {
            moved = moved.max((after - self.w[j]).abs() * size(j));
            largest = largest.max(self.w[j].abs() * size(j));
        };
        let Regularizer {
            blocks, penalties, ..
        } = self.regularizer;
        for (b, penalty) in penalties.iter().enumerate() {
            let members = blocks.members(b).iter().map(|&j| j as usize);
            if !penalty.is_group() {
                for j in members.filter(|&j| curvature(j) > 0.0) {
                    let term = &penalty.coordinate;
                    visit(j, term.minimizer(curvature(j), self.w[j], pull(j)));
                }
                continue;
            }
            let a: f64 = members.clone().map(curvature).sum();
            let s = |j: usize| penalty.coordinate.prox(a * self.w[j] - pull(j), 1.0);
            let group = Shrink::new(members.clone().map(|j| s(j).powi(2)).sum(), penalty.norm);
            if a > 0.0 {
                members.for_each(|j| visit(j, group.prox(s(j)) / a));
            }
        }
        (moved, largest)
    }

    /// A bound on the row curvatures; where there is none, the largest of them at w.
    pub(super) fn largest_curvature(&self) -> f64 {
        let loss = self.problem.loss;
        loss.curvature_bound().unwrap_or_else(|| {
            let sample = &self.problem.train;
            let mut h = self.z.to_vec();
            criterion::curvatures_in_place(loss, &mut h, &sample.targets[self.point.target]);
            let weighted = h.iter().zip(&sample.weights).filter(|(_, s)| **s > 0.0);
            weighted.fold(0.0, |most, (h, _)| most.max(*h))
        })
    }

    /// The objective over that at w = 0, where it is larger than this: then w is no minimum, whatever the
    /// size of its rounding.
    pub(super) fn above_zero(&self) -> Option<f64> {
        if !self.problem.penalty.allows_zero() || self.problem.loss == Loss::Quadratic {
            return None;
        }
        let (objective, at_zero) = (self.objective(), self.objective_at_zero());
        let is_above = objective - at_zero > 1e-6 * at_zero.abs();
        is_above.then(|| objective / at_zero.max(f64::MIN_POSITIVE))
    }

    /// The training objective at w = 0; with an intercept, of losses of numbers, where the mean of the
    /// targets is predicted. A distant origin of the targets makes no misfit small.
    fn objective_at_zero(&self) -> f64 {
        let sample = &self.problem.train;
        let y = &sample.targets[self.point.target];
        let n = sample.rows() as f64;
        let loss = self.problem.loss;
        let intercept = if sample.design.intercept && loss.predicts_numbers() {
            let total = match Offset::factors_of(sample.offset.as_deref()) {
                None => n,
                Some(_) => sum_of(y.len(), |i| sample.weights[i]),
            };
            loss.predictor_of_mean(sum_of(y.len(), |i| sample.weights[i] * y[i]) / total)
        } else {
            0.0
        };
        let z = vec![intercept; self.z.len()];
        let Some(loss) = criterion::value(loss, &z, y, |i| sample.weights[i] / n) else {
            return 1.0;
        };
        loss + self.regularizer.ridge_at_zero()
    }

    /// t = r(z), row by row.
    fn dual_residuals(&self) -> Vec<f64> {
        let mut t = self.z.to_vec();
        let y = &self.problem.train.targets[self.point.target];
        criterion::residuals_in_place(self.problem.loss, &mut t, y, |_| 1.0);
        t
    }

    fn weighted(&self, t: &[f64]) -> Vec<f64> {
        let sample = &self.problem.train;
        let n = sample.rows() as f64;
        let c = self.problem.classes;
        t.iter()
            .enumerate()
            .map(|(at, t)| sample.weights[at / c] * t / n)
            .collect()
    }

    /// Makes Σ s_i t_i = 0, as the free intercept demands, without leaving the conjugate's domain.
    /// Says whether t changed.
    fn center(&self, t: &mut [f64]) -> Option<bool> {
        if !self.problem.train.design.intercept {
            return Some(false);
        }
        let weights = &self.problem.train.weights;
        let n = weights.len() as f64;
        match self.problem.loss {
            Loss::Squared | Loss::Huber { .. } => {
                let mean = t.iter().zip(weights).map(|(t, s)| t * s).sum::<f64>() / n;
                t.iter_mut().for_each(|t| *t -= mean);
                if let Loss::Huber { delta } = self.problem.loss {
                    let largest = t.iter().fold(0.0f64, |largest, t| largest.max(t.abs()));
                    if largest > delta {
                        t.iter_mut().for_each(|t| *t *= delta / largest);
                    }
                }
            }
            Loss::Multinomial => self.balance_classes(t)?,
            _ => {
                // Of classes t has the sign of −y. The domain of the conjugate is an interval that holds 0,
                // so that the heavier side may be scaled down.
                let side = |sign: f64| {
                    t.iter()
                        .zip(weights)
                        .map(|(t, s)| (sign * t).max(0.0) * s)
                        .sum::<f64>()
                };
                let (positive, negative) = (side(1.0), side(-1.0));
                let (up, down) = (negative / positive, positive / negative);
                t.iter_mut().for_each(|t| {
                    let factor = if *t > 0.0 { up } else { down };
                    // NaN where both sides are empty: nothing to scale.
                    if factor < 1.0 {
                        *t *= factor;
                    }
                });
            }
        }
        Some(true)
    }

    /// p ← (1 − τ)p + τπ with one π for all rows, such that every class has its mass: t = p − e_y.
    fn balance_classes(&self, t: &mut [f64]) -> Option<()> {
        let (c, y) = (
            self.problem.classes,
            &self.problem.train.targets[self.point.target],
        );
        let weights = &self.problem.train.weights;
        let n = weights.len() as f64;
        let (mut excess, mut mass) = (vec![0.0; c], vec![0.0; c]);
        for (i, row) in t.chunks_exact(c).enumerate() {
            mass[y[i] as usize] += weights[i] / n;
            row.iter()
                .zip(&mut excess)
                .for_each(|(t, excess)| *excess += weights[i] * t / n);
        }
        let tau = excess
            .iter()
            .zip(&mass)
            .filter(|(excess, _)| **excess > 0.0)
            .map(|(excess, mass)| excess / (mass + excess))
            .fold(0.0, f64::max);
        if tau == 0.0 {
            return Some(());
        }
        if tau >= 1.0 {
            return None;
        }
        let common: Vec<f64> = excess
            .iter()
            .zip(&mass)
            .map(|(excess, mass)| (mass - (1.0 - tau) / tau * excess).max(0.0))
            .collect();
        for (i, row) in t.chunks_exact_mut(c).enumerate() {
            for (k, t) in row.iter_mut().enumerate() {
                let label = f64::from(u8::from(y[i] as usize == k));
                *t = (1.0 - tau) * (*t + label) + tau * common[k] - label;
            }
        }
        Some(())
    }

    /// Σ (s_i/n) ℓ*(t_i).
    fn conjugate(&self, t: &[f64]) -> Option<f64> {
        let sample = &self.problem.train;
        let y = &sample.targets[self.point.target];
        let total = self.problem.loss.conjugate(t, y, &sample.weights)?;
        Some(total / sample.rows() as f64)
    }
}
