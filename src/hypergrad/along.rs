//! Outcomes where the path arrives: for small problems of the squared loss, everything that is asked
//! of a point is computed while its factor and its vectors are in the cache.
//!
//! The formulas are those of [`linearization`](crate::model::linearization).

use crate::control::Control;
use crate::error::Result;
use crate::iterate::Progress;
use crate::kinds::{Method, Solver, Status, Wrt};
use crate::map::spectrum::Step;
use crate::model::linearization::{OuterDerivative, inner_derivative, inner_map};
use crate::model::loss::Loss;
use crate::path::{self, Arrival, CriterionColumns, PathSettings, RestrictedMethod};
use crate::problem::{Point, Problem};
use crate::real::sum_of;

use super::diagnose::Evidence;
use super::evaluate::{Differentiated, WarmStart};
use super::kinks::Sizes;
use super::outcome::Outcome;
use super::prepared::Prepared;
use super::report::{Measured, outcome};
use super::settings::Settings;
use super::sums::RawSums;

/// Entries of a design up to which its products are fast for one point at a time: half a megabyte.
const LARGEST_DESIGN: usize = 1 << 16;

/// Whether outcomes can be computed along the path.
pub(super) fn serves(problem: &Problem, settings: &Settings) -> bool {
    let entries = |rows: usize| rows * problem.coordinates();
    let is_implicit = matches!(settings.method, None | Some(Method::AidCg | Method::Direct));
    problem.loss == Loss::Squared
        && problem.penalty.groups().is_none()
        && problem.penalty.has_strength()
        && is_implicit
        && matches!(settings.solver, Solver::Auto | Solver::Path)
        && !settings.contraction
        && settings
            .wrt
            .iter()
            .all(|wrt| matches!(wrt, Wrt::L1 | Wrt::L2 | Wrt::Prior))
        && entries(problem.train.rows()) <= LARGEST_DESIGN
        && entries(problem.criterion.sample.rows()) <= LARGEST_DESIGN
}

/// Evaluates points along paths, in the order of the points.
///
/// # Errors
/// Those of [`path::visit_along`].
pub(super) fn evaluate(
    problem: &Problem,
    prepared: &Prepared,
    along: (&[Point], Option<&[Vec<usize>]>),
    settings: &Settings,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Outcome>> {
    let starts: Option<Vec<Vec<f64>>> =
        warm.map(|warm| warm.iter().map(|start| start.w.clone()).collect());
    let limits = PathSettings {
        tolerance: settings.tolerance,
        max_steps: settings.max_steps,
    };
    let spectrum = prepared.spectrum(problem);
    let criterion = prepared.criterion(problem);
    let sizes = prepared.sizes(problem);
    path::visit_along(
        problem,
        prepared.path(problem),
        along,
        starts.as_deref(),
        (&limits, control),
        |arrival| {
            At {
                problem,
                arrival,
                step: spectrum.step(arrival.point.l2),
                sizes,
                settings,
                control,
            }
            .outcome(criterion)
        },
    )
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
            epsilon: f64::EPSILON,
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
        let mut differentiated = Differentiated {
            hypergradient: None,
            progress: Progress {
                status: Status::Converged,
                steps: 0,
            },
            linear_residual: None,
            singular: false,
            v: Vec::new(),
        };
        let method = match self.settings.method {
            None => return differentiated,
            Some(Method::Direct) => RestrictedMethod::Direct,
            Some(_) => RestrictedMethod::cg(self.settings.preconditioner),
        };
        let gamma = self.step.gamma;
        let limits = (self.settings.tolerance, self.settings.max_steps);
        let right = (&outer.keeps[..], criterion_gradient);
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
        let mut sums = RawSums::zeros(self.problem, &self.settings.wrt);
        outer.add_outer(w, &v, &z, 1.0, sums.outer_parts());
        let target = self.arrival.point.target;
        differentiated.hypergradient = Some(sums.finish(self.problem, target, w));
        differentiated.v = v;
        differentiated
    }
}
