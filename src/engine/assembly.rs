//! The outcomes of a batch: diagnostics, warnings and contraction of every point.

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::{Executor, Recording, Scope, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Status};
use crate::linalg::vector::norm;
use crate::map::FixedPointMap;
use crate::map::spectrum::Step;
use crate::path::Uniqueness;
use crate::problem::{Point, Problem};
use crate::real::{convert, widen};

use super::diagnose::{DualityGap, Evidence};
use super::kinks::Kinks;
use super::outcome::{Engines, Hypergradient, Outcome, Warning, WarningKind};
use super::recorded::batch::Batch;
use super::recorded::workspace::Workspace;
use super::request::Request;
use super::separation::is_separated;
use super::settings::Settings;
use super::sizes::Sizes;
use super::solved::{Differentiated, Solved};

/// The outcomes of a request, from a batch in f64 that is linearised at the solutions.
pub(super) fn diagnose<R: Twinned, S: Twinned>(
    batch: &mut Batch<'_, S>,
    request: &Request<'_>,
    engines: Engines,
    solved: &[Solved<R>],
    differentiated: &[Differentiated],
) -> Result<Vec<Outcome>> {
    let settings = request.settings;
    let losses = batch.losses()?;
    let workspace = &mut batch.workspace;
    let residuals = workspace.residuals()?;
    let (members, points) = (batch.members, batch.points);
    let workspace = &batch.workspace;
    let (map, criteria) = (&workspace.map, &workspace.criteria);
    let z = workspace.vectors(map.rows.z)?;
    let gradients = workspace.vectors(map.gradient)?;
    let u = workspace.vectors(map.u)?;
    // The derivative was formed in the solver's arithmetic.
    let epsilon = <R as num_traits::Float>::epsilon().to_f64();
    let outcomes = (0..solved.len()).into_par_iter().map(|at| {
        let point = &points[at];
        let step = members.step(point);
        let sizes = members.sizes(point);
        let regularizer = members.base().regularizer(point);
        let evidence = Evidence {
            problem: members.problem(point),
            regularizer: &regularizer,
            point,
            w: &solved[at].w,
            z: &z[at],
            gradient: &gradients[at],
            u: &u[at],
            gamma: step.gamma,
            loss: losses[at],
        };
        let measured = Measured {
            evidence,
            sizes,
            uniqueness: solved[at].uniqueness,
            epsilon,
            engines,
            step,
            criterion: criteria[at],
            residual: residuals[at],
        };
        let d = &differentiated[at];
        let mut outcome = outcome(&measured, solved[at].progress, d, settings);
        let has_ended = matches!(outcome.status, Status::Converged | Status::Stalled);
        if has_ended && is_separated(&measured.evidence, sizes) {
            outcome.status = Status::Diverged;
            outcome.hypergradient = None;
            outcome.certified = false;
        }
        outcome
    });
    let mut outcomes: Vec<Outcome> = outcomes.collect();
    if settings.contraction {
        add_contractions(batch, outcomes.iter_mut())?;
    }
    Ok(outcomes)
}

/// Adds the contraction on the support, and the estimate that needs it, to outcomes at whose solutions a batch is
/// linearised.
pub(super) fn add_contractions<'a, S: Twinned>(
    batch: &mut Batch<'_, S>,
    outcomes: impl Iterator<Item = &'a mut Outcome>,
) -> Result<()> {
    let norms = widen(&batch.workspace.criterion_norms()?);
    let contractions = contractions(batch)?;
    for ((outcome, q), norm) in outcomes.zip(contractions).zip(norms) {
        outcome.contraction = Some(q);
        outcome.adjoint_error_estimate = outcome
            .linear_residual
            .map(|residual| residual * norm * (2.0 - q) / (1.0 - q).max(0.0));
    }
    Ok(())
}

/// A relative duality gap that is one of rounding.
const CLOSED: f64 = 1e-12;

/// The measurements that an outcome is made from.
pub(super) struct Measured<'a> {
    pub(super) evidence: Evidence<'a>,
    pub(super) sizes: &'a Sizes,
    /// How far the minimum is known to determine the coefficients.
    pub(super) uniqueness: Uniqueness,
    /// The rounding of the arithmetic that solved and differentiated.
    pub(super) epsilon: f64,
    pub(super) engines: Engines,
    pub(super) step: Step,
    /// E(w).
    pub(super) criterion: f64,
    /// ‖Φ(w) − w‖/γ.
    pub(super) residual: f64,
}

impl Measured<'_> {
    /// The evidence against convergence to rounding.
    fn contradiction(&self, gap: Option<DualityGap>) -> Option<Warning> {
        let is_single = self.epsilon > f64::EPSILON;
        let remedy = if is_single {
            "use --precision f64"
        } else {
            remedy_of_rounding(self.evidence.problem)
        };
        if let Some(gap) = gap.filter(|gap| gap.is_open) {
            return Some(Warning {
                kind: WarningKind::OpenGap,
                message: format!(
                    "rounding allows no further step although the duality gap is {:.1e} of the objective; {remedy}",
                    gap.relative
                ),
            });
        }
        if let Some(ratio) = self.evidence.above_zero() {
            return Some(Warning {
                kind: WarningKind::Imprecise,
                message: format!(
                    "rounding allows no further step although the objective is {ratio:.1e} times that without any \
                     coefficient; {remedy}"
                ),
            });
        }
        let limit = if is_single { 1e-3 } else { 1e-6 };
        let known = self.evidence.move_above(limit, self.sizes)?;
        Some(Warning {
            kind: WarningKind::Imprecise,
            message: format!(
                "rounding allows no further step although a coefficient would move by {known:.1e} of the largest; {remedy}"
            ),
        })
    }
}

/// The outcome of a point.
pub(super) fn outcome(
    measured: &Measured<'_>,
    progress: Progress,
    differentiated: &Differentiated,
    settings: &Settings,
) -> Outcome {
    let evidence = &measured.evidence;
    let gap = evidence.duality_gap();
    let figures = Figures {
        problem: evidence.problem,
        point: evidence.point,
        engines: measured.engines,
        step: measured.step,
        objective: evidence.objective(),
        criterion: measured.criterion,
        residual: measured.residual,
        gap,
        kinks: Kinks::of(evidence, measured.sizes, measured.epsilon, settings),
        support: evidence.support(),
        uniqueness: measured.uniqueness,
        has_prior: evidence.regularizer.has_prior(),
        solution: evidence.w.to_vec(),
    };
    let contradiction = || measured.contradiction(gap);
    conclude(figures, progress, differentiated, settings, contradiction)
}

/// The figures of a point, whoever took them.
pub(super) struct Figures<'a> {
    pub(super) problem: &'a Problem,
    pub(super) point: &'a Point,
    pub(super) engines: Engines,
    pub(super) step: Step,
    /// Training loss with ridge and penalty.
    pub(super) objective: f64,
    /// E(w).
    pub(super) criterion: f64,
    /// ‖Φ(w) − w‖/γ.
    pub(super) residual: f64,
    pub(super) gap: Option<DualityGap>,
    pub(super) kinks: Kinks,
    pub(super) support: usize,
    /// How far the minimum is known to determine the coefficients.
    pub(super) uniqueness: Uniqueness,
    /// The ridge pulls towards a prior.
    pub(super) has_prior: bool,
    /// Scaled coefficients, p entries, or none where they were not asked for.
    pub(super) solution: Vec<f64>,
}

impl Figures<'_> {
    /// The hypergradient, where it exists: without penalty the least ‖w‖₁ among many solutions, which
    /// a small l1 chooses, is not the least norm, which a small ridge does.
    fn hypergradient(&self, differentiated: &Differentiated) -> Option<Hypergradient> {
        let mut found = differentiated.hypergradient.clone()?;
        let is_unique = self.uniqueness == Uniqueness::Unique;
        if is_unique || self.point.l1 > 0.0 || found.l1.is_none() {
            return Some(found);
        }
        found.l1 = None;
        let has_parts = found.parts().next().is_some();
        has_parts.then_some(found)
    }
}

/// The outcome of a point from its figures; `contradiction` is the evidence against convergence to rounding.
pub(super) fn conclude(
    figures: Figures<'_>,
    progress: Progress,
    differentiated: &Differentiated,
    settings: &Settings,
    contradiction: impl FnOnce() -> Option<Warning>,
) -> Outcome {
    let Figures {
        step,
        objective,
        criterion,
        residual,
        gap,
        kinks,
        ..
    } = figures;
    let d = differentiated;
    let is_finite = [objective, criterion, residual]
        .iter()
        .chain(&figures.solution)
        .all(|number| number.is_finite())
        && d.hypergradient
            .as_ref()
            .is_none_or(Hypergradient::is_finite);
    let mut solver = progress.status;
    if !is_finite && solver != Status::Diverged {
        solver = Status::NonFinite;
    }
    let mut all = Vec::new();
    // A stop rule that saw no progress may have seen the minimum.
    let is_unrolled = matches!(
        settings.method,
        Some(Method::ItdForward | Method::ItdReverse)
    );
    let is_closed = gap.is_some_and(|gap| gap.relative <= CLOSED);
    if solver == Status::Stalled && is_closed && !is_unrolled {
        solver = Status::Converged;
    }
    if solver == Status::Converged && settings.tolerance.is_none() {
        all.extend(contradiction());
        if !all.is_empty() {
            solver = Status::Stalled;
        }
    }
    let status = solver.worse(d.progress.status);
    if solver == Status::Converged && status != solver && d.hypergradient.is_some() {
        all.push(rough_hypergradient(settings, d.linear_residual));
    }
    let margin = kinks.margin;
    let excess = gap.map_or(f64::INFINITY, |gap| gap.excess);
    let certified = is_finite && kinks.certify(&step, residual, excess);
    let findings = Findings {
        singular: d.singular,
        uniqueness: figures.uniqueness,
        has_prior: figures.has_prior,
        certified,
        margin,
        may_certify: kinks.may_certify(&step),
    };
    let Figures { problem, point, .. } = figures;
    all.extend(warnings(problem, point.target, &findings, settings));
    Outcome {
        point: point.clone(),
        engines: figures.engines,
        status,
        steps: progress.steps,
        linear_steps: d.progress.steps,
        objective,
        criterion,
        hypergradient: figures.hypergradient(d),
        support: figures.support,
        residual,
        duality_gap: gap.map(|gap| gap.relative),
        linear_residual: d.linear_residual,
        kink_margin: margin.is_finite().then_some(margin),
        certified,
        contraction: None,
        adjoint_error_estimate: None,
        warnings: all,
        solution: figures.solution,
        adjoint: d.v.clone(),
    }
}

/// Findings about a point that a user may have to act on.
struct Findings {
    /// The Hessian restricted to the support is singular.
    singular: bool,
    /// How far the minimum determines the coefficients.
    uniqueness: Uniqueness,
    /// The ridge pulls towards a prior.
    has_prior: bool,
    certified: bool,
    /// The distance to the nearest kink, infinite where there is none.
    margin: f64,
    /// A tighter tolerance, or a point further off the kink, would be certified.
    may_certify: bool,
}

/// The warnings of a point.
fn warnings(
    problem: &Problem,
    target: usize,
    findings: &Findings,
    settings: &Settings,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if findings.singular {
        warnings.push(Warning {
            kind: WarningKind::SingularHessian,
            message: "the Hessian restricted to the support is singular and the criterion not flat along its null \
                      space, so that there is no hypergradient; choose l2 > 0, or drop duplicate columns"
                .into(),
        });
    }
    let reported = match findings.uniqueness {
        Uniqueness::Unique => None,
        Uniqueness::LeastNorm if findings.has_prior => {
            Some("those nearest to the prior are reported")
        }
        Uniqueness::LeastNorm => Some("those of least norm are reported"),
        Uniqueness::Undetermined => {
            Some("some of them are reported, which need not be those of least norm")
        }
    };
    if let Some(reported) = reported {
        warnings.push(Warning {
            kind: WarningKind::NotUnique,
            message: format!(
                "the coefficients are not unique, because columns depend on each other: {reported}, and at l1 = 0 \
                 no derivative in l1; choose l2 > 0, or drop dependent columns"
            ),
        });
    }
    if !findings.certified && settings.method.is_some() {
        let message = if findings.may_certify {
            format!(
                "the support is not certified (distance to the nearest kink {:.1e}): the hypergradient may \
                 belong to a neighbouring piece; tighten the tolerance, or move off the kink",
                findings.margin
            )
        } else {
            let remedy = if problem.train.design.intercept && problem.loss.kinks().is_some() {
                "no ridge holds the intercept, and with it the rows' kinks; choose l2 > 0 and --no-intercept"
            } else {
                "no ridge holds the coefficients; choose l2 > 0"
            };
            format!("the support cannot be certified: {remedy}")
        };
        warnings.push(Warning {
            kind: WarningKind::NotCertified,
            message,
        });
    }
    if problem.target_origins[target].is_all {
        warnings.push(Warning {
            kind: WarningKind::ConstantTarget,
            message: "the target does not vary over the training rows, so that nothing is learned from them; \
                      choose another target, or other rows"
                .into(),
        });
    }
    if problem.train.design.intercept && !problem.features.constant.is_empty() {
        warnings.push(Warning {
            kind: WarningKind::ConstantColumn,
            message: constant_columns(problem, |column| (column + 1).to_string()),
        });
    }
    warnings
}

/// The warning of a hypergradient whose adjoint has not converged where the solution has.
fn rough_hypergradient(settings: &Settings, linear_residual: Option<f64>) -> Warning {
    let remedy = match settings.method {
        Some(Method::Nsid | Method::Sid) => "give --tol, or more --stochastic-steps",
        _ => "give --tol, or more --max-steps",
    };
    let left = linear_residual.map_or(String::new(), |residual| {
        format!(" (its linear residual is {residual:.1e})")
    });
    Warning {
        kind: WarningKind::RoughHypergradient,
        message: format!("the hypergradient is an estimate{left}; {remedy}"),
    }
}

/// The remedy for a problem whose terms are so unequal that rounding hides the minimum.
fn remedy_of_rounding(problem: &Problem) -> &'static str {
    if !problem.train.design.intercept {
        "fit an intercept, which centres the columns, or centre and scale them first"
    } else {
        "choose a larger l2, standardise the columns where they are not, or give a tolerance (--tol)"
    }
}

/// The message about features that do not vary: how many, and the first of them as `name` calls
/// them.
pub fn constant_columns(problem: &Problem, name: impl Fn(usize) -> String) -> String {
    const SHOWN: usize = 5;
    let columns = &problem.features.constant;
    let names: Vec<String> = columns
        .iter()
        .take(SHOWN)
        .map(|&column| name(column))
        .collect();
    let names = names.join(", ");
    let held = match problem.prior {
        Some(_) => "held by the prior alone",
        None => "zero",
    };
    match columns.len() {
        1 => format!(
            "feature {names} does not vary: its coefficient is {held}; drop it, or fit without an intercept"
        ),
        count => format!(
            "{count} features do not vary ({names}{}): their coefficients are {held}; drop them, or fit \
             without an intercept",
            if count > SHOWN { ", …" } else { "" }
        ),
    }
}

/// The contraction on the support, q_S = ‖D^½(I − γA)D^½‖, by power iterations with ∂₁Φ, which has
/// the same eigenvalues. The common shift of multinomial intercepts is no direction of the problem
/// and is left out.
fn contractions<S: Twinned>(batch: &mut Batch<'_, S>) -> Result<Vec<f64>> {
    let (problem, problems) = (batch.problem, batch.points.len());
    let Workspace { executor, map, .. } = &mut batch.workspace;
    let p = map.coordinates;
    let a = executor.allocate(Scope::PerProblem, p);
    let b = executor.allocate(Scope::PerProblem, p);
    let shared = match (problem.classes, problem.penalized()) {
        (c, penalized) if c > 1 && penalized < p => penalized..p,
        _ => p..p,
    };
    let drop_shift = |x: &mut [f64]| {
        let intercepts = &mut x[shared.clone()];
        let mean = intercepts.iter().sum::<f64>() / intercepts.len().max(1) as f64;
        intercepts.iter_mut().for_each(|b| *b -= mean);
    };
    let mut start: Vec<f64> = (0..p)
        .map(|j| 1.0 + (j as f64 * 0.754_877_666).fract())
        .collect();
    drop_shift(&mut start);
    let all: Vec<f64> = (0..problems).flat_map(|_| start.iter().copied()).collect();
    executor.upload(a, &convert::<S>(&all));
    let mut recording = Recording::new();
    map.jvp_w(&mut recording, a, b);
    let mut estimates = vec![0.0f64; problems];
    for _ in 0..3000 {
        executor.run(&recording, 1)?;
        let mut image = widen(&executor.download(b)?);
        let mut settled = true;
        for (estimate, image) in estimates.iter_mut().zip(image.chunks_exact_mut(p)) {
            drop_shift(image);
            let length = norm(image);
            settled &= (length - *estimate).abs() <= 1e-9 * length;
            *estimate = length;
            if length > 0.0 {
                image.iter_mut().for_each(|x| *x /= length);
            }
        }
        if settled {
            break;
        }
        executor.upload(a, &convert::<S>(&image));
    }
    Ok(estimates)
}
