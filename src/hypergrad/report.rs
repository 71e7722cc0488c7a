//! The outcomes of a batch: diagnostics, warnings and contraction of every point.

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::{Executor, Recording, Scope, Twinned};
use crate::iterate::Progress;
use crate::kernel::step::DISTANCE;
use crate::map::FixedPointMap;
use crate::map::spectrum::Step;
use crate::problem::Problem;
use crate::real::{convert, widen};

use super::diagnose::Evidence;
use super::evaluate::{Differentiated, Solved};
use super::outcome::{Outcome, Warning, WarningKind};
use super::settings::Settings;
use super::stage::{Stage, norms};

/// The outcomes, from a stage in f64 that is linearised at w.
pub(super) fn diagnose<R: Twinned, S: Twinned>(
    stage: &mut Stage<'_, S>,
    solved: &[Solved<R>],
    differentiated: &[Differentiated],
    criteria: &[f64],
    settings: &Settings,
) -> Result<Vec<Outcome>> {
    let p = stage.map.coordinates;
    let value = stage.executor.allocate(Scope::PerProblem, 1);
    let residual = stage.executor.allocate(Scope::PerProblem, 1);
    let mut recording = Recording::new();
    stage.map.rows.value(&mut recording, stage.w, value);
    stage.map.value(&mut recording, stage.next);
    let inputs = [stage.next.into(), stage.w.into(), stage.map.gamma.into()];
    recording.dispatch(&DISTANCE, &inputs, &[residual.into()], &[p]);
    stage.executor.run(&recording, 1)?;
    let contractions = if settings.contraction {
        Some(contractions(stage)?)
    } else {
        None
    };
    let losses = widen(&stage.executor.download(value)?);
    let residuals = widen(&stage.executor.download(residual)?);
    let z = widen(&stage.executor.download(stage.map.rows.z)?);
    let gradients = widen(&stage.executor.download(stage.map.gradient)?);
    let u = widen(&stage.executor.download(stage.map.u)?);
    let criterion_norms = widen(&norms(
        &stage.executor.download(stage.criterion_gradient)?,
        p,
    ));
    let predictors = stage.map.rows.z.rows();
    let outcomes = (0..solved.len()).into_par_iter().map(|at| {
        let point = stage.points[at];
        let step = stage.spectrum.step(point.l2);
        let evidence = Evidence {
            problem: stage.problem,
            point,
            w: &solved[at].w,
            z: &z[at * predictors..(at + 1) * predictors],
            gradient: &gradients[at * p..(at + 1) * p],
            u: &u[at * p..(at + 1) * p],
            gamma: step.gamma,
            loss: losses[at],
        };
        let measured = (criteria[at], residuals[at]);
        let d = &differentiated[at];
        let mut outcome = outcome(&evidence, &step, solved[at].progress, d, measured, settings);
        outcome.contraction = contractions.as_ref().map(|contractions| contractions[at]);
        outcome.adjoint_error_bound = outcome
            .contraction
            .zip(d.linear_residual)
            .map(|(q, residual)| residual * criterion_norms[at] * (2.0 - q) / (1.0 - q).max(0.0));
        outcome
    });
    Ok(outcomes.collect())
}

/// The outcome of a point from the evidence; `measured` are its criterion and its residual
/// ‖Φ(w) − w‖/γ.
pub(super) fn outcome(
    evidence: &Evidence<'_>,
    step: &Step,
    progress: Progress,
    differentiated: &Differentiated,
    (criterion, residual): (f64, f64),
    settings: &Settings,
) -> Outcome {
    let d = differentiated;
    let margin = evidence.kink_margin();
    let certified = margin.is_infinite()
        || (step.contraction < 1.0
            && margin > residual * step.contraction / (1.0 - step.contraction));
    Outcome {
        point: evidence.point,
        status: progress.status.worse(d.progress.status),
        steps: progress.steps,
        linear_steps: d.progress.steps,
        objective: evidence.objective(),
        criterion,
        hypergradient: d.hypergradient.clone(),
        support: evidence.support(),
        residual,
        duality_gap: evidence.duality_gap().filter(|gap| gap.is_finite()),
        linear_residual: d.linear_residual,
        kink_margin: margin.is_finite().then_some(margin),
        certified,
        contraction: None,
        adjoint_error_bound: None,
        warnings: warnings(
            evidence.problem,
            (d.singular, certified, margin),
            step.contraction,
            settings,
        ),
        solution: evidence.w.to_vec(),
        adjoint: d.v.clone(),
    }
}

/// What the user should know about a point.
fn warnings(
    problem: &Problem,
    (singular, certified, margin): (bool, bool, f64),
    contraction: f64,
    settings: &Settings,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if singular {
        warnings.push(Warning {
            kind: WarningKind::SingularHessian,
            message: "the Hessian restricted to the support is singular, so that there is no hypergradient; \
                      choose l2 > 0, or drop duplicate columns"
                .into(),
        });
    }
    if !certified && settings.method.is_some() {
        let message = if contraction >= 1.0 {
            let remedy = if problem.train.design.intercept && !problem.loss.is_quadratic() {
                "the intercept has no ridge; --no-intercept with l2 > 0 makes it one"
            } else {
                "l2 > 0 makes it one"
            };
            format!(
                "the support cannot be certified, because the map is not a global contraction: {remedy}"
            )
        } else {
            format!(
                "the support is not certified (distance to the nearest kink {margin:.1e}): the hypergradient may \
                 belong to a neighbouring piece; tighten the tolerance, or move off the kink"
            )
        };
        warnings.push(Warning {
            kind: WarningKind::NotCertified,
            message,
        });
    }
    if problem.train.design.intercept {
        let columns = &problem.features.constant;
        if !columns.is_empty() {
            warnings.push(Warning {
                kind: WarningKind::ConstantColumn,
                message: constant_columns(columns, |column| (column + 1).to_string()),
            });
        }
    }
    warnings
}

/// What is said of the features that do not vary: how many, and the first of them as `name` calls
/// them.
pub fn constant_columns(columns: &[usize], name: impl Fn(usize) -> String) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = columns
        .iter()
        .take(SHOWN)
        .map(|&column| name(column))
        .collect();
    let names = names.join(", ");
    match columns.len() {
        1 => format!(
            "feature {names} does not vary: its coefficient is zero; drop it, or fit without an intercept"
        ),
        count => format!(
            "{count} features do not vary ({names}{}): their coefficients are zero; drop them, or fit \
             without an intercept",
            if count > SHOWN { ", …" } else { "" }
        ),
    }
}

/// The contraction on the support, q_S = ‖D^½(I − γA)D^½‖, by power iterations with ∂₁Φ, which has
/// the same eigenvalues.
fn contractions<S: Twinned>(stage: &mut Stage<'_, S>) -> Result<Vec<f64>> {
    let p = stage.map.coordinates;
    let a = stage.executor.allocate(Scope::PerProblem, p);
    let b = stage.executor.allocate(Scope::PerProblem, p);
    let start: Vec<f64> = (0..p)
        .map(|j| 1.0 + (j as f64 * 0.754_877_666).fract())
        .collect();
    let all: Vec<f64> = (0..stage.points.len())
        .flat_map(|_| start.iter().copied())
        .collect();
    stage.executor.upload(a, &convert::<S>(&all));
    let mut recording = Recording::new();
    stage.map.jvp_w(&mut recording, a, b);
    let mut estimates = vec![0.0f64; stage.points.len()];
    for _ in 0..3000 {
        stage.executor.run(&recording, 1)?;
        let mut image = widen(&stage.executor.download(b)?);
        let mut settled = true;
        for (estimate, image) in estimates.iter_mut().zip(image.chunks_exact_mut(p)) {
            let norm = image.iter().map(|x| x * x).sum::<f64>().sqrt();
            settled &= (norm - *estimate).abs() <= 1e-9 * norm;
            *estimate = norm;
            if norm > 0.0 {
                image.iter_mut().for_each(|x| *x /= norm);
            }
        }
        if settled {
            break;
        }
        stage.executor.upload(a, &convert::<S>(&image));
    }
    Ok(estimates)
}
