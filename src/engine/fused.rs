//! Outcomes where the path arrives: for small problems of the squared loss, everything that is asked
//! of a point is computed while its factor and its vectors are in the cache.
//!
//! The formulas are those of the recordings, with D the mask of the penalty at u = T(w), z = Dv from
//! the restricted system, and A the Hessian with λ₂:
//!
//! ```text
//! v = z on the range of D ,  ∂₁E + (I − γA)z elsewhere       ρ = v − (I − γA)z − ∂₁E
//! l1: −γ sign(u_j) v_j on the support       λ₂: −γ (w − c)·z       c: γ λ₂ z
//! ```

use crate::control::Control;
use crate::error::Result;
use crate::exec::Twinned;
use crate::iterate::Progress;
use crate::kinds::{Method, Precision, Wrt};
use crate::loss::Loss;
use crate::map::spectrum::Step;
use crate::path::{self, Arrival, CriterionColumns, RestrictedMethod};
use crate::penalty::{self, Penalty};
use crate::problem::Problem;
use crate::real::sum_of;

use super::accumulator::RawSums;
use super::assembly::{Measured, outcome};
use super::diagnose::Evidence;
use super::interface::Engine;
use super::kinks::Sizes;
use super::outcome::{EngineName, Engines, Outcome};
use super::path::{limits, starts};
use super::request::{Reason, Request, Task, holds};
use super::settings::Settings;
use super::solved::Differentiated;

/// Entries of a design up to which its products are fast for one point at a time: half a megabyte.
const LARGEST_DESIGN: usize = 1 << 16;

/// The path with everything that is asked of a point computed where it arrives.
pub(super) struct Fused;

impl<R: Twinned> Engine<R> for Fused {
    fn name(&self) -> EngineName {
        EngineName::FusedPath
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        let (problem, settings) = (request.problem, request.settings);
        let entries = |rows: usize| rows * problem.coordinates();
        let has_formulas = matches!(
            problem.penalty,
            Penalty::ElasticNet | Penalty::Weighted { .. } | Penalty::NonNegative
        );
        let is_implicit = matches!(settings.method, None | Some(Method::AidCg | Method::Direct));
        let of_coordinates = |wrt: &Wrt| matches!(wrt, Wrt::L1 | Wrt::L2 | Wrt::Prior);
        let is_small = entries(problem.train.rows()) <= LARGEST_DESIGN
            && entries(problem.criterion.sample.rows()) <= LARGEST_DESIGN;
        holds(request.task == Task::Whole, Reason::Task)?;
        holds(
            settings.device.is_cpu() && request.coarse.is_none(),
            Reason::Device,
        )?;
        holds(R::PRECISION == Precision::F64, Reason::Precision)?;
        holds(problem.loss == Loss::Squared, Reason::Loss)?;
        holds(has_formulas, Reason::Penalty)?;
        holds(is_implicit, Reason::Method)?;
        holds(request.is_on_a_path(), Reason::Solver)?;
        holds(!settings.contraction, Reason::Contraction)?;
        holds(settings.wrt.iter().all(of_coordinates), Reason::Derivatives)?;
        holds(is_small, Reason::Size)
    }

    fn evaluate(&self, request: &Request<'_>) -> Result<Vec<Outcome>> {
        let (problem, prepared) = (request.problem, request.prepared);
        let starts = starts(request);
        let spectrum = prepared.spectrum(problem);
        let criterion = prepared.criterion(problem);
        let sizes = prepared.sizes(problem);
        path::visit_along(
            problem,
            prepared.path(problem),
            (request.points, request.paths),
            starts.as_deref(),
            (&limits(request), request.control),
            |arrival| {
                At {
                    problem,
                    arrival,
                    step: spectrum.step(arrival.point.l2),
                    sizes,
                    settings: request.settings,
                    control: request.control,
                }
                .outcome(criterion)
            },
        )
    }
}

/// One point that the path has arrived at.
struct At<'a> {
    problem: &'a Problem,
    arrival: &'a Arrival<'a, f64>,
    step: Step,
    sizes: &'a Sizes,
    settings: &'a Settings,
    control: &'a Control,
}

/// Φ at the solution.
struct Forward {
    /// u = T(w).
    u: Vec<f64>,
    /// γ·l1 of every penalised coordinate.
    thresholds: Vec<f64>,
    /// D at u.
    mask: Vec<bool>,
    /// ‖Φ(w) − w‖/γ.
    residual: f64,
}

impl At<'_> {
    fn outcome(&self, criterion: &CriterionColumns) -> Outcome {
        let (point, w) = (self.arrival.point, self.arrival.solution());
        let forward = self.forward();
        let (value, criterion_gradient) = criterion.evaluate(self.problem, w, point.target);
        let differentiated = self.differentiate(&forward, &criterion_gradient);
        let evidence = Evidence {
            problem: self.problem,
            point,
            w,
            z: self.arrival.predictors(),
            gradient: self.arrival.gradient(),
            u: &forward.u,
            gamma: self.step.gamma,
            loss: self.arrival.loss(),
        };
        let progress = Progress {
            status: self.arrival.status(),
            steps: self.arrival.steps(),
        };
        let measured = Measured {
            evidence,
            sizes: self.sizes,
            epsilon: f64::EPSILON,
            engines: Engines {
                solve: EngineName::FusedPath,
                adjoint: self.settings.method.map(|_| EngineName::FusedPath),
            },
            step: self.step,
            criterion: value,
            residual: forward.residual,
        };
        outcome(&measured, progress, &differentiated, self.settings)
    }

    /// c, zero without a prior.
    fn center(&self, j: usize) -> f64 {
        self.problem.prior.as_ref().map_or(0.0, |prior| prior[j])
    }

    /// γ·l1 of every penalised coordinate.
    fn thresholds(&self) -> Vec<f64> {
        let unit = self.step.gamma * self.arrival.point.l1;
        match &self.problem.penalty {
            Penalty::Weighted { strengths } => strengths.iter().map(|s| unit * s).collect(),
            _ => vec![unit; self.problem.penalized()],
        }
    }

    fn forward(&self) -> Forward {
        let (gamma, l2) = (self.step.gamma, self.arrival.point.l2);
        let (w, gradient) = (self.arrival.solution(), self.arrival.gradient());
        let thresholds = self.thresholds();
        let mut u: Vec<f64> = w.iter().zip(gradient).map(|(w, g)| w - gamma * g).collect();
        for (j, u) in u.iter_mut().enumerate().take(thresholds.len()) {
            *u -= gamma * l2 * (w[j] - self.center(j));
        }
        let mut mask = vec![true; u.len()];
        let is_non_negative = self.problem.penalty == Penalty::NonNegative;
        // Φ(w), which is u where nothing is penalised.
        let mut image = u.clone();
        for (j, &t) in thresholds.iter().enumerate() {
            image[j] = if is_non_negative {
                mask[j] = u[j] > t;
                penalty::positive_threshold(u[j], t)
            } else {
                mask[j] = penalty::soft_threshold_derivative(u[j], t);
                penalty::soft_threshold(u[j], t)
            };
        }
        let square = sum_of(w.len(), |j| (image[j] - w[j]).powi(2));
        Forward {
            u,
            thresholds,
            mask,
            residual: square.sqrt() / gamma,
        }
    }

    fn differentiate(&self, forward: &Forward, criterion_gradient: &[f64]) -> Differentiated {
        let mut differentiated = Differentiated::without_adjoint();
        let method = match self.settings.method {
            None => return differentiated,
            Some(Method::Direct) => RestrictedMethod::Direct,
            Some(_) => RestrictedMethod::cg(self.settings.preconditioner),
        };
        let gamma = self.step.gamma;
        let limits = (self.settings.tolerance, self.settings.max_steps);
        let right = (&forward.mask[..], criterion_gradient);
        let (solved, image) = self
            .arrival
            .adjoint(right, gamma, method, limits, self.control);
        differentiated.singular = solved.singular;
        if solved.singular {
            return differentiated;
        }
        differentiated.progress = Progress {
            status: solved.status,
            steps: solved.steps,
        };
        let (z, mask) = (solved.z, &forward.mask);
        let v: Vec<f64> = (0..z.len())
            .map(|j| {
                if mask[j] {
                    z[j]
                } else {
                    criterion_gradient[j] + z[j] - gamma * image[j]
                }
            })
            .collect();
        let rho = sum_of(z.len(), |j| {
            let through = if mask[j] { v[j] } else { 0.0 };
            (v[j] - (through - gamma * image[j]) - criterion_gradient[j]).powi(2)
        })
        .sqrt();
        let scale = sum_of(z.len(), |j| criterion_gradient[j].powi(2)).sqrt();
        differentiated.linear_residual = Some(if rho == 0.0 { 0.0 } else { rho / scale });
        let sums = self.sums(forward, &v);
        differentiated.hypergradient = Some(sums.finish(
            self.problem,
            self.arrival.point.target,
            self.arrival.solution(),
        ));
        differentiated.v = v;
        differentiated
    }

    /// ∂₂Φᵀv.
    fn sums(&self, forward: &Forward, v: &[f64]) -> RawSums {
        let penalized = self.problem.penalized();
        let (gamma, point, w) = (self.step.gamma, self.arrival.point, self.arrival.solution());
        let z = |j: usize| if forward.mask[j] { v[j] } else { 0.0 };
        let mut sums = RawSums::zeros(self.problem, &self.settings.wrt);
        if let Some(l1) = sums.part_mut(Wrt::L1) {
            let slope = |j: usize| match self.problem.penalty {
                Penalty::NonNegative => -1.0,
                _ => {
                    let t = forward.thresholds[j];
                    penalty::soft_threshold_strength_derivative(forward.u[j], t)
                }
            };
            let part = |j: usize| gamma * slope(j) * z(j);
            match self.problem.penalty {
                Penalty::Weighted { .. } => {
                    l1.iter_mut().enumerate().for_each(|(j, l1)| *l1 = part(j));
                }
                _ => l1[0] = sum_of(penalized, part),
            }
        }
        if let Some(l2) = sums.part_mut(Wrt::L2) {
            l2[0] = -gamma * sum_of(penalized, |j| (w[j] - self.center(j)) * z(j));
        }
        if let Some(prior) = sums.part_mut(Wrt::Prior) {
            for (j, prior) in prior.iter_mut().enumerate() {
                *prior = gamma * point.l2 * z(j);
            }
        }
        sums
    }
}
