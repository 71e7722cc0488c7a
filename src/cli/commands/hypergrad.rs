//! `proxdiff hypergrad`: solutions and hypergradients at all pairs of strengths.

use crate::cli::arguments::hypergrad::Arguments;
use crate::cli::configuration::{Rows, Study, points, settings};
use crate::cli::failure::Failure;
use crate::cli::output::{Rendered, Report};
use crate::cli::runtime::Runtime;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut settings = settings(
        &arguments.problem,
        &arguments.data,
        &arguments.solver,
        Some(&arguments.hypergradient),
    )?;
    settings.solutions = arguments.coefficients;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let study = Study::read(&arguments.data, &arguments.problem, false)?;
    let prepared = study.prepare(Rows::HeldOut)?;
    let problem = &prepared.problem.problem;
    let points = points(&arguments.problem, problem)?;
    let outcomes = runtime.evaluate(problem, &points, &settings)?;
    Report {
        study: &study,
        prepared: &prepared,
        settings: &settings,
        runtime: &runtime,
        outcomes: &Vec::from_iter(&outcomes),
        best: None,
        coefficients: arguments.coefficients,
        diagnostics: arguments.hypergradient.diagnostics,
        beside: None,
    }
    .write(&arguments.output)?;
    runtime.conclude(&outcomes, arguments.solver.strict)
}
