//! Honest diagnostics of one point, in f64: objective, duality gap, support.

use super::kinks::Sizes;
use crate::loss::{Loss, softmax};
use crate::penalty::{self, Penalty};
use crate::problem::{Point, Problem};
use crate::real::{largest_of, smallest_of, sum_of};

/// What one point's diagnostics are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The point.
    pub point: Point,
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
}

impl DualityGap {
    fn new(gap: f64, objective: f64, at_zero: f64) -> Option<Self> {
        let size = |floor: f64| {
            let floored = objective.abs().max(floor * at_zero.abs());
            floored.max(f64::MIN_POSITIVE)
        };
        let relative = gap / size(1e-12);
        // Rounding may bring it below zero; a NaN must not pass as zero.
        relative.is_finite().then(|| Self {
            relative: relative.max(0.0),
            is_open: gap > 1e-6 * size(1e-6),
        })
    }
}

impl Evidence<'_> {
    pub(super) fn prior(&self, j: usize) -> f64 {
        self.problem.prior.as_ref().map_or(0.0, |prior| prior[j])
    }

    /// Loss, ridge and penalty.
    #[must_use]
    pub fn objective(&self) -> f64 {
        let penalized = self.problem.penalized();
        let ridge = sum_of(penalized, |j| (self.w[j] - self.prior(j)).powi(2));
        self.loss + 0.5 * self.point.l2 * ridge + self.penalty()
    }

    fn penalty(&self) -> f64 {
        let strengths = self.problem.effective_strengths(self.point.l1);
        let penalized = self.problem.penalized();
        match &self.problem.penalty {
            Penalty::Group { groups, .. } => (0..groups.len())
                .map(|g| strengths[g] * norm(groups.members(g), self.w))
                .sum(),
            Penalty::Box { .. } => 0.0,
            _ => sum_of(penalized, |j| strengths[j] * self.w[j].abs()),
        }
    }

    /// Penalised coordinates that are not zero; for the box those strictly inside.
    #[must_use]
    pub fn support(&self) -> usize {
        let w = &self.w[..self.problem.penalized()];
        match self.problem.penalty {
            Penalty::Box { lower, upper } => {
                w.iter().filter(|w| lower < **w && **w < upper).count()
            }
            _ => w.iter().filter(|w| **w != 0.0).count(),
        }
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
            let shrink = self.feasible_factor(&correlation);
            if shrink < 1.0 {
                t.iter_mut().for_each(|t| *t *= shrink);
                correlation.iter_mut().for_each(|a| *a *= shrink);
            }
            (self.conjugate(&t)?, correlation)
        };
        let gap = objective + conjugate + self.penalty_conjugate(&correlation)?;
        DualityGap::new(gap, objective, self.objective_at_zero())
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
        let (c, penalized) = (self.problem.classes, self.problem.penalized());
        let bound = self.problem.loss.curvature_bound();
        let size = |j: usize| sizes.columns[j / c];
        let curvature = |j: usize| {
            let ridge = if j < penalized { self.point.l2 } else { 0.0 };
            match self.problem.loss {
                Loss::Quadratic => size(j) + ridge,
                _ => bound * size(j) * size(j) + ridge,
            }
        };
        let pull = |j: usize| {
            let ridge = if j < penalized {
                self.point.l2 * (self.w[j] - self.prior(j))
            } else {
                0.0
            };
            self.gradient[j] + ridge
        };
        let (mut moved, mut largest) = (0.0f64, 0.0f64);
        let mut visit = |j: usize, after: f64| {
            moved = moved.max((after - self.w[j]).abs() * size(j));
            largest = largest.max(self.w[j].abs() * size(j));
        };
        let strengths = self.problem.effective_strengths(self.point.l1);
        let mut first = 0;
        if let Penalty::Group { groups, .. } = &self.problem.penalty {
            first = penalized;
            for (g, &strength) in strengths.iter().enumerate() {
                let members = groups.members(g);
                let a: f64 = members.iter().map(|&j| curvature(j as usize)).sum();
                let u = |j: u32| a * self.w[j as usize] - pull(j as usize);
                let square: f64 = members.iter().map(|&j| u(j).powi(2)).sum();
                let length = square.sqrt();
                let share = if length > strength {
                    (1.0 - strength / length) / a
                } else {
                    0.0
                };
                if a > 0.0 {
                    members
                        .iter()
                        .for_each(|&j| visit(j as usize, share * u(j)));
                }
            }
        }
        for j in first..self.w.len() {
            let a = curvature(j);
            if a == 0.0 {
                continue;
            }
            let u = a * self.w[j] - pull(j);
            let after = match &self.problem.penalty {
                _ if j >= penalized => u / a,
                Penalty::Box { lower, upper } => penalty::clip(u / a, *lower, *upper),
                Penalty::NonNegative => penalty::positive_threshold(u, strengths[j]) / a,
                _ => penalty::soft_threshold(u, strengths[j]) / a,
            };
            visit(j, after);
        }
        (moved, largest)
    }

    /// The training objective at w = 0; with an intercept, of squared and Huber loss, at the mean
    /// of the targets. A distant origin of the targets makes no misfit small.
    fn objective_at_zero(&self) -> f64 {
        let sample = &self.problem.train;
        let y = &sample.targets[self.point.target];
        let n = sample.rows() as f64;
        let loss: f64 = match self.problem.loss {
            Loss::Quadratic => return 1.0,
            Loss::Multinomial => (self.problem.classes as f64).ln(),
            loss => {
                let is_regression = matches!(loss, Loss::Squared | Loss::Huber { .. });
                let intercept = if sample.design.intercept && is_regression {
                    sum_of(y.len(), |i| sample.weights[i] * y[i]) / n
                } else {
                    0.0
                };
                let of_row = |i: usize| sample.weights[i] * loss.value(intercept, y[i]);
                sum_of(y.len(), of_row) / n
            }
        };
        let prior = sum_of(self.problem.penalized(), |j| self.prior(j).powi(2));
        loss + 0.5 * self.point.l2 * prior
    }

    /// t = r(z), row by row.
    fn dual_residuals(&self) -> Vec<f64> {
        let (c, y) = (
            self.problem.classes,
            &self.problem.train.targets[self.point.target],
        );
        let mut t = self.z.to_vec();
        if self.problem.loss == Loss::Multinomial {
            for (row, &class) in t.chunks_exact_mut(c).zip(y) {
                softmax::softmax_in_place(row);
                row[class as usize] -= 1.0;
            }
        } else {
            t.iter_mut()
                .zip(y)
                .for_each(|(t, &y)| *t = self.problem.loss.residual(*t, y));
        }
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
                // t has the sign of −y: the heavier side is scaled down.
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

    /// The factor ≤ 1 that brings X̂ᵀθ into the dual ball, which only λ₂ = 0 demands.
    fn feasible_factor(&self, correlation: &[f64]) -> f64 {
        if self.point.l2 > 0.0 {
            return 1.0;
        }
        let strengths = self.problem.effective_strengths(self.point.l1);
        let penalized = self.problem.penalized();
        // An unpenalised coordinate demands a = 0, which no factor brings about.
        let ratio = |a: f64, l1: f64| if a > l1 && l1 > 0.0 { l1 / a } else { 1.0 };
        match &self.problem.penalty {
            Penalty::Group { groups, .. } => (0..groups.len())
                .map(|g| ratio(norm(groups.members(g), correlation), strengths[g]))
                .fold(1.0, f64::min),
            Penalty::Box { .. } => 1.0,
            Penalty::NonNegative => {
                smallest_of(penalized, |j| ratio(-correlation[j], strengths[j])).min(1.0)
            }
            _ => smallest_of(penalized, |j| ratio(correlation[j].abs(), strengths[j])).min(1.0),
        }
    }

    /// Σ (s_i/n) ℓ*(t_i).
    fn conjugate(&self, t: &[f64]) -> Option<f64> {
        let sample = &self.problem.train;
        let (c, y) = (self.problem.classes, &sample.targets[self.point.target]);
        let entropy = |p: f64| if p > 0.0 { p * p.ln() } else { 0.0 };
        let total = match self.problem.loss {
            Loss::Squared | Loss::Huber { .. } | Loss::SquaredHinge => sum_of(t.len(), |i| {
                sample.weights[i] * (0.5 * t[i] * t[i] + t[i] * y[i])
            }),
            Loss::Logistic => sum_of(t.len(), |i| {
                sample.weights[i] * (entropy(-t[i] * y[i]) + entropy(1.0 + t[i] * y[i]))
            }),
            Loss::Multinomial => sum_of(sample.rows(), |i| {
                let row = t[i * c..(i + 1) * c].iter().enumerate();
                let probability =
                    |(k, t): (usize, &f64)| t + f64::from(u8::from(y[i] as usize == k));
                sample.weights[i] * row.map(|at| entropy(probability(at))).sum::<f64>()
            }),
            Loss::Quadratic => return None,
        };
        Some(total / sample.rows() as f64)
    }

    /// Σ_j [ sup_w (a_j w − ½λ₂w² − penalty(w)) − ½λ₂c_j² ], a = λ₂c − correlation.
    fn penalty_conjugate(&self, correlation: &[f64]) -> Option<f64> {
        let (l2, penalized) = (self.point.l2, self.problem.penalized());
        let strengths = self.problem.effective_strengths(self.point.l1);
        let a: Vec<f64> = (0..penalized)
            .map(|j| l2 * self.prior(j) - correlation[j])
            .collect();
        // Rounding of a value that is exactly on the ball.
        let slack = 1e-12 * largest_of(penalized, |j| a[j].abs()).max(f64::MIN_POSITIVE);
        let beyond = |a: f64, l1: f64| {
            let excess = (a - l1).max(0.0);
            if l2 > 0.0 {
                excess * excess / (2.0 * l2)
            } else if excess <= slack {
                0.0
            } else {
                f64::INFINITY
            }
        };
        let total: f64 = match &self.problem.penalty {
            Penalty::Group { groups, .. } => (0..groups.len())
                .map(|g| beyond(norm(groups.members(g), &a), strengths[g]))
                .sum(),
            Penalty::Box { lower, upper } => a
                .iter()
                .map(|&a| {
                    let best = if l2 > 0.0 {
                        (a / l2).clamp(*lower, *upper)
                    } else if a > 0.0 {
                        *upper
                    } else if a < 0.0 {
                        *lower
                    } else {
                        0.0f64.clamp(*lower, *upper)
                    };
                    a * best - 0.5 * l2 * best * best
                })
                .sum(),
            Penalty::NonNegative => sum_of(penalized, |j| beyond(a[j], strengths[j])),
            _ => sum_of(penalized, |j| beyond(a[j].abs(), strengths[j])),
        };
        let prior = sum_of(penalized, |j| self.prior(j).powi(2));
        total.is_finite().then_some(total - 0.5 * l2 * prior)
    }
}

/// ‖x_g‖.
pub(super) fn norm(members: &[u32], x: &[f64]) -> f64 {
    members
        .iter()
        .map(|&j| x[j as usize].powi(2))
        .sum::<f64>()
        .sqrt()
}
