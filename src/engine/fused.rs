//! Outcomes where the path arrives: for small problems of the squared loss, everything that is asked
//! of a point is computed while its factor and its vectors are in the cache.
//!
//! The formulas are those of [`linearization`](crate::model::linearization).

use crate::control::Control;
use crate::error::Result;
use crate::exec::Twinned;
use crate::iterate::Progress;
use crate::kinds::{Method, Precision, Wrt};
use crate::linalg::refine::Limits;
use crate::map::spectrum::Step;
use crate::model::linearization::{OuterDerivative, inner_derivative, inner_map};
use crate::model::loss::Loss;
use crate::path::{self, Arrival, CriterionColumns, PathRequest, RestrictedMethod};
use crate::problem::Problem;
use crate::real::sum_of;

use super::accumulator::Accumulator;
use super::assembly::{Measured, outcome};
use super::diagnose::Evidence;
use super::interface::Engine;
use super::outcome::{EngineName, Engines, Outcome};
use super::path::{limits, starts};
use super::request::{Reason, Request, Task, holds};
use super::settings::Settings;
use super::sizes::Sizes;
use super::solved::Differentiated;

/// Entries of a design up to which products of one point at a time, while its vectors are in the cache,
/// are as fast as those of many points together: sixteen megabytes.
const LARGEST_DESIGN: usize = 1 << 21;

/// The path with everything that is asked of a point computed where it arrives.
pub(super) struct Fused;

impl<R: Twinned> Engine<R> for Fused {
    fn name(&self) -> EngineName {
        EngineName::FusedPath
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        let (problem, settings) = (request.problem, request.settings);
        let entries = |rows: usize| rows * problem.coordinates();
        let has_formulas = problem.penalty.groups().is_none() && problem.penalty.has_strength();
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

    fn evaluate(&self, request: &Request<'_>) -> Result<Vec<Option<Outcome>>> {
        let (members, starts) = (request.members, starts(request));
        path::visit_along(
            members.problems(),
            |place| members.path(place),
            &PathRequest {
                points: request.points,
                paths: request.paths,
                warm: starts.as_deref(),
                settings: &limits(request),
                control: request.control,
            },
            |arrival| {
                let point = arrival.point;
                At {
                    problem: members.problem(point),
                    arrival,
                    step: members.step(point),
                    sizes: members.sizes(point),
                    settings: request.settings,
                    control: request.control,
                }
                .outcome(members.criterion(point))
                .into()
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

impl At<'_> {
    fn outcome(&self, criterion: &CriterionColumns) -> Outcome {
        let (point, w) = (self.arrival.point, self.arrival.solution());
        let (gamma, gradient) = (self.step.gamma, self.arrival.gradient());
        let regularizer = self.arrival.regularizer();
        let u = inner_map(regularizer, gamma, w, |j| gradient[j]);
        let outer = OuterDerivative::at(regularizer, gamma, u);
        let image = outer.image();
        let square = sum_of(w.len(), |j| (image[j] - w[j]).powi(2));
        let (value, criterion_gradient) = criterion.evaluate(self.problem, w, point.target);
        let differentiated = self.differentiate(&outer, &criterion_gradient);
        let evidence = Evidence {
            problem: self.problem,
            regularizer,
            point,
            w,
            z: self.arrival.predictors(),
            gradient,
            u: &outer.u,
            gamma,
            loss: self.arrival.loss(),
        };
        let progress = Progress {
            status: self.arrival.status(),
            steps: self.arrival.steps(),
        };
        let measured = Measured {
            evidence,
            sizes: self.sizes,
            uniqueness: self.arrival.uniqueness(),
            epsilon: f64::EPSILON,
            engines: Engines {
                solve: EngineName::FusedPath,
                adjoint: self.settings.method.map(|_| EngineName::FusedPath),
            },
            step: self.step,
            criterion: value,
            residual: square.sqrt() / gamma,
        };
        outcome(&measured, progress, &differentiated, self.settings)
    }

    fn differentiate(
        &self,
        outer: &OuterDerivative<'_, '_>,
        criterion_gradient: &[f64],
    ) -> Differentiated {
        let mut differentiated = Differentiated::without_adjoint();
        let method = match self.settings.method {
            None => return differentiated,
            Some(Method::Direct) => RestrictedMethod::Direct,
            Some(_) => RestrictedMethod::cg(self.settings.preconditioner),
        };
        let gamma = self.step.gamma;
        let limits = Limits {
            tolerance: self.settings.tolerance,
            max_steps: self.settings.max_steps,
            control: self.control,
        };
        let (solved, image) =
            self.arrival
                .adjoint(&outer.keeps, criterion_gradient, gamma, method, &limits);
        differentiated.singular = solved.singular;
        if solved.singular {
            return differentiated;
        }
        differentiated.progress = Progress {
            status: solved.status,
            steps: solved.steps,
        };
        if !differentiated.progress.has_begun() {
            return differentiated;
        }
        let z = solved.z;
        let inner: Vec<f64> = (0..z.len())
            .map(|j| inner_derivative(z[j], gamma, image[j], 0.0))
            .collect();
        let v = outer.lift(&z, criterion_gradient, &inner);
        differentiated.linear_residual = Some(OuterDerivative::relative_residual(
            &v,
            criterion_gradient,
            &inner,
        ));
        let w = self.arrival.solution();
        let mut sums = Accumulator::zeros(self.problem, &self.settings.wrt);
        outer.add_outer(w, &v, &z, 1.0, sums.outer_parts());
        let target = self.arrival.point.target;
        differentiated.hypergradient =
            Some(sums.finish(self.problem, &self.settings.wrt, target, Some(w)));
        differentiated.v = v;
        differentiated
    }
}
