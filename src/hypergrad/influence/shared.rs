//! Refits without one row each that share the factor of the fit with all rows, many at once.
//!
//! On the support of ŵ the solution without row i is ŵ + Δ with
//!
//! ```text
//! F_i'(ŵ + Δ) = Σ_{j≠i} s_j r_j x_j + (S − s_i)(λ₂Δ − g) = 0          r_j at x_j·(ŵ + Δ)
//! ```
//!
//! since the slope of the penalty does not change there. Newton's method with the curvatures of ŵ solves it:
//! its steps have one factor in common, and predictors and gradients of many refits are products of matrices.
//! Its end is checked against the optimality of the whole problem, off the support too. A refit that
//! does not get there is left to the engines.

use faer::MatRef;
use rayon::prelude::*;

use crate::control::Control;
use crate::hypergrad::Outcome;
use crate::hypergrad::support::{FittedRows, LeftOut};
use crate::linalg::products::{by_rows, multiply};
use crate::linalg::vector::{dot, exceeds, norm};
use crate::model::criterion::{residuals_in_place, value};
use crate::problem::Problem;

/// Refits of one product.
const TOGETHER: usize = 64;
/// The most steps of a refit.
const MOST_STEPS: usize = 25;
/// The largest ratio of a step to the one before it.
const MOST_RATE: f64 = 0.8;
/// The size of an error, relative to the solution, at which a refit ends.
const ROUNDING: f64 = 1e-13;
/// The least subgradient at a solution, relative to the gradient at zero.
const OPTIMAL: f64 = 1e-9;
/// The most numbers of the rows on the support.
const MOST_NUMBERS: usize = 1 << 25;

/// The changes of a refit that keeps the support.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// Of the criterion.
    pub influence: f64,
    /// Of the loss on the row itself.
    pub own: f64,
}

/// The parts of all refits.
struct Shared<'a> {
    problem: &'a Problem,
    full: &'a Outcome,
    rows: &'a FittedRows<'a>,
    steps: &'a LeftOut<'a>,
    /// The training rows on the support, n × m.
    x: Vec<f64>,
    /// The rows of the criterion on the support.
    x_criterion: Vec<f64>,
    z_criterion: Vec<f64>,
    /// The criterion at ŵ.
    criterion: f64,
    /// The size of the gradient at w = 0.
    scale: f64,
    /// Whether a coefficient can enter or leave the support.
    may_leave: bool,
}

/// The refits without each row of some, `None` for those that are left to the engines.
pub(super) fn refits(
    problem: &Problem,
    full: &Outcome,
    steps: &LeftOut<'_>,
    left_out: &[usize],
    control: &Control,
) -> Vec<Option<Kept>> {
    let shared = (!left_out.is_empty())
        .then(|| Shared::of(problem, full, steps))
        .flatten();
    let Some(shared) = shared else {
        return vec![None; left_out.len()];
    };
    let solve = |part: &[usize]| {
        if control.should_stop() {
            return vec![None; part.len()];
        }
        let kept = shared.solve(part);
        control.report_finished(kept.iter().flatten().count());
        kept
    };
    left_out.par_chunks(TOGETHER).flat_map_iter(solve).collect()
}

impl<'a> Shared<'a> {
    fn of(problem: &'a Problem, full: &'a Outcome, steps: &'a LeftOut<'a>) -> Option<Self> {
        let rows = steps.rows();
        let criterion = problem.criterion();
        let m = rows.support.len();
        let all = rows.z.len() + criterion.sample.rows();
        if all.saturating_mul(m) > MOST_NUMBERS {
            return None;
        }
        let gathered = |support: &crate::hypergrad::support::Support<'_>, n: usize| {
            let mut x = vec![0.0; n * m];
            let rows = x.chunks_exact_mut(m).enumerate();
            rows.for_each(|(i, row)| support.row(i, row));
            x
        };
        let of_criterion = rows.support.in_design(&criterion.sample.design);
        let z_criterion = criterion.sample.design.apply(&full.solution);
        let mut shared = Self {
            x: gathered(&rows.support, rows.z.len()),
            x_criterion: gathered(&of_criterion, criterion.sample.rows()),
            criterion: 0.0,
            scale: scale(problem, full),
            may_leave: m < problem.coordinates() || problem.regularizer(&full.point).has_slope(),
            z_criterion,
            problem,
            full,
            rows,
            steps,
        };
        shared.criterion = shared.criterion_at(&shared.z_criterion);
        Some(shared)
    }

    fn criterion_at(&self, z: &[f64]) -> f64 {
        let criterion = self.problem.criterion();
        let sample = &criterion.sample;
        let y = &sample.targets[self.full.point.target];
        let share = criterion.sign.factor() / y.len() as f64;
        let weight = |i: usize| share * sample.weights[i];
        value(criterion.loss, z, y, weight).unwrap_or(f64::NAN)
    }

    /// The refits without each row of a part.
    fn solve(&self, part: &[usize]) -> Vec<Option<Kept>> {
        let (m, n, k) = (self.rows.support.len(), self.rows.z.len(), part.len());
        let y = &self.problem.train().targets[self.full.point.target];
        let rows: MatRef<'_, f64> = by_rows(&self.x, m);
        let without: Vec<Option<Without>> = part.iter().map(|&i| self.without(i)).collect();
        let mut moved = vec![0.0; k * m];
        let mut z = vec![0.0; k * n];
        let mut gradients = vec![0.0; k * m];
        let mut ends: Vec<End> = vec![End::Open(f64::INFINITY); k];
        for (end, _) in ends
            .iter_mut()
            .zip(&without)
            .filter(|(_, own)| own.is_none())
        {
            *end = End::Failed;
        }
        let base = norm(&self.full.solution).max(f64::MIN_POSITIVE);
        // The refits that still move: products are of these alone.
        let mut open: Vec<usize> = (0..k).collect();
        for _ in 0..MOST_STEPS {
            open.retain(|&at| matches!(ends[at], End::Open(_)));
            if open.is_empty() {
                break;
            }
            let of_open = open.iter().flat_map(|&at| &moved[at * m..(at + 1) * m]);
            let current: Vec<f64> = of_open.copied().collect();
            let (z, gradients) = (&mut z[..open.len() * n], &mut gradients[..current.len()]);
            multiply(by_rows(&current, m), rows.transpose(), z);
            for (z, &at) in z.chunks_exact_mut(n).zip(&open) {
                z.iter_mut().zip(&self.rows.z).for_each(|(z, at)| *z += at);
                residuals_in_place(self.problem.loss(), z, y, |j| {
                    if j == part[at] {
                        0.0
                    } else {
                        self.rows.weights[j]
                    }
                });
            }
            multiply(by_rows(z, n), rows, gradients);
            for (gradient, &at) in gradients.chunks_exact_mut(m).zip(&open) {
                let (End::Open(last), Some(own)) = (ends[at], &without[at]) else {
                    continue;
                };
                let moved = &mut moved[at * m..(at + 1) * m];
                let rest = self.rows.total - self.rows.weights[part[at]];
                for (j, gradient) in gradient.iter_mut().enumerate() {
                    let ridge = self.rows.support.ridges().get(j).copied().unwrap_or(0.0);
                    *gradient += rest * (ridge * moved[j] - self.rows.gradient()[j]);
                }
                own.solve(self.steps, gradient);
                moved.iter_mut().zip(&*gradient).for_each(|(w, s)| *w -= s);
                ends[at] = End::after(norm(gradient) / base, last);
            }
        }
        let moved = moved.chunks_exact(m).zip(part).zip(&ends);
        moved
            .map(|((moved, &i), end)| match end {
                End::Solved => self.kept(i, moved),
                _ => None,
            })
            .collect()
    }

    /// The system without a row; `None` where it is singular.
    fn without(&self, i: usize) -> Option<Without> {
        let m = self.rows.support.len();
        let x = &self.x[i * m..(i + 1) * m];
        let mut solved = x.to_vec();
        self.steps.solve(&mut solved);
        let curvature = self.rows.curvatures[i];
        let rest = 1.0 - curvature * dot(x, &solved);
        exceeds(rest, 1e-6).then(|| Without {
            x: x.to_vec(),
            solved,
            share: curvature / rest,
        })
    }

    /// The changes at ŵ + Δ, where that solves the whole problem.
    fn kept(&self, i: usize, moved: &[f64]) -> Option<Kept> {
        let (problem, point) = (self.problem, &self.full.point);
        let y = &problem.train().targets[point.target];
        let along = dot(&self.x[i * moved.len()..(i + 1) * moved.len()], moved);
        let own = problem.loss().row_value(&[self.rows.z[i] + along], y[i])?;
        let own_before = problem.loss().row_value(&[self.rows.z[i]], y[i])?;
        if self.may_leave && !self.solves(i, moved) {
            return None;
        }
        let rows = self.x_criterion.chunks_exact(moved.len());
        let z: Vec<f64> = rows
            .zip(&self.z_criterion)
            .map(|(x, z)| z + dot(x, moved))
            .collect();
        Some(Kept {
            influence: self.criterion_at(&z) - self.criterion,
            own: own - own_before,
        })
    }

    /// Whether ŵ + Δ solves the problem without row i, on the support of ŵ.
    fn solves(&self, i: usize, moved: &[f64]) -> bool {
        let problem = self.problem;
        let sample = problem.train();
        let mut w = self.full.solution.clone();
        self.rows.support.add(moved, &mut w);
        let mut z = sample.design.apply(&w);
        let y = &sample.targets[self.full.point.target];
        let rest = self.rows.total - self.rows.weights[i];
        residuals_in_place(problem.loss(), &mut z, y, |j| {
            if j == i {
                0.0
            } else {
                self.rows.weights[j] / rest
            }
        });
        let gradient = sample.design.apply_transposed(&z);
        let regularizer = problem.regularizer(&self.full.point);
        if regularizer.make_feasible(&mut w.clone()) {
            return false;
        }
        w.iter().zip(&gradient).enumerate().all(|(j, (&w, &g))| {
            let distance = if j < problem.penalized() {
                let penalty = &regularizer.of(j).coordinate;
                penalty.distance(w, g + regularizer.ridge_gradient(j, w))
            } else {
                g
            };
            exceeds(OPTIMAL * self.scale, distance.abs())
        })
    }
}

/// The size of the loss's gradient at w = 0.
fn scale(problem: &Problem, full: &Outcome) -> f64 {
    let sample = problem.train();
    let y = &sample.targets[full.point.target];
    let mut z = vec![0.0; y.len()];
    residuals_in_place(problem.loss(), &mut z, y, |i| {
        sample.weights[i] / y.len() as f64
    });
    norm(&sample.design.apply_transposed(&z)).max(f64::MIN_POSITIVE)
}

/// The state of a refit.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Its last step, relative to the solution.
    Open(f64),
    Solved,
    Failed,
}

impl End {
    /// The state after a step of this size, and one before it.
    fn after(size: f64, last: f64) -> Self {
        // The first step has none before it.
        let rate = if last.is_finite() {
            size / last
        } else {
            MOST_RATE
        };
        if size <= ROUNDING || (rate < 0.5 && size * rate <= ROUNDING) {
            Self::Solved
        } else if exceeds(rate, MOST_RATE) || rate.is_nan() {
            Self::Failed
        } else {
            Self::Open(size)
        }
    }
}

/// A row that is left out, in the system of all.
struct Without {
    x: Vec<f64>,
    /// A⁻¹x.
    solved: Vec<f64>,
    /// s h/(1 − s h x·A⁻¹x).
    share: f64,
}

impl Without {
    /// v ← (A − s h x xᵀ)⁻¹ v, by Sherman and Morrison's formula.
    fn solve(&self, steps: &LeftOut<'_>, v: &mut [f64]) {
        steps.solve(v);
        let along = self.share * dot(&self.x, v);
        v.iter_mut()
            .zip(&self.solved)
            .for_each(|(v, a)| *v += along * a);
    }
}
