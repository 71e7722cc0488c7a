//! Flags → the library's settings.

use crate::cli::arguments::{
    DataArguments, HypergradientArguments, LossName, PenaltyName, ProblemArguments, SolverArguments,
};
use crate::cli::failure::Failure;
use crate::hypergrad::{MinibatchSteps, Settings, StochasticSettings};
use crate::kinds::Wrt;

/// The settings; without `hypergradient` points are only solved.
pub fn settings(
    problem: &ProblemArguments,
    data: &DataArguments,
    solver: &SolverArguments,
    hypergradient: Option<&HypergradientArguments>,
) -> Result<Settings, Failure> {
    let defaults = Settings::default();
    let mut settings = Settings {
        solver: solver.solver,
        method: None,
        tolerance: solver.tol,
        max_steps: solver.max_steps,
        stochastic: StochasticSettings {
            batch: solver.minibatch,
            seed: data.seed,
            independent: solver.independent,
            ..defaults.stochastic
        },
        ..defaults
    };
    if let Some(flags) = hypergradient {
        settings.method = flags.method.0;
        settings.wrt = with_respect_to(&flags.wrt, problem)?;
        settings.truncate = flags.truncate;
        settings.preconditioner = flags.preconditioner;
        settings.contraction = flags.diagnostics;
        settings.stochastic.steps = flags.stochastic_steps;
        settings.stochastic.freeze = flags.freeze;
        settings.stochastic.schedule = schedule(flags);
    }
    settings.validate()?;
    Ok(settings)
}

fn schedule(flags: &HypergradientArguments) -> MinibatchSteps {
    if let Some(eta) = flags.eta {
        return MinibatchSteps::Constant { eta };
    }
    let multiplier = flags.multiplier.unwrap_or(1.0);
    MinibatchSteps::Decreasing {
        multiplier,
        shift: flags.shift.unwrap_or(2.0 * multiplier),
    }
}

fn with_respect_to(wanted: &[Wrt], problem: &ProblemArguments) -> Result<Vec<Wrt>, Failure> {
    let has_box = problem.penalty == PenaltyName::Box;
    let has_bounds = has_box || problem.has_coefficient_bounds();
    let has_perturbation = problem.perturbation.is_some();
    if wanted.is_empty() {
        return Ok(differentiated(problem));
    }
    let mut wrt: Vec<Wrt> = Vec::new();
    for &one in wanted {
        let message = match one {
            Wrt::BoxBounds if !has_bounds => {
                "--wrt box needs bounds: --penalty box with --box, or --coefficient-bounds or --positive"
            }
            Wrt::HuberDelta if problem.loss != LossName::Huber => {
                "--wrt huber-delta is for --loss huber; add it"
            }
            Wrt::ClassWeights if !problem.loss_of_fit().is_classification() => {
                "--wrt class-weights needs classes; choose --loss logistic, multinomial or squared-hinge"
            }
            Wrt::Perturbation if !has_perturbation => {
                "--wrt perturbation needs --perturbation and --perturbed-rows"
            }
            Wrt::L1 if has_box => "--wrt l1 is not defined for --penalty box, which has no l1",
            _ => {
                if !wrt.contains(&one) {
                    wrt.push(one);
                }
                continue;
            }
        };
        return Err(Failure::usage(message));
    }
    Ok(wrt)
}

/// The hyperparameters to differentiate with respect to when no flag says otherwise.
pub fn differentiated(problem: &ProblemArguments) -> Vec<Wrt> {
    let mut wrt = if problem.penalty == PenaltyName::Box {
        vec![Wrt::L2, Wrt::BoxBounds]
    } else {
        vec![Wrt::L1, Wrt::L2]
    };
    if problem.perturbation.is_some() {
        wrt.push(Wrt::Perturbation);
    }
    wrt
}
