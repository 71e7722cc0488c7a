//! `proxdiff hypergrad`: solutions and hypergradients at all pairs of strengths.

use clap::Args;

use crate::cli::arguments::{
    DataArguments, HypergradientArguments, OutputArguments, ProblemArguments, RuntimeArguments,
    SolverArguments,
};
use crate::cli::configuration::{Defaults, Rows, Study, points, settings};
use crate::cli::failure::Failure;
use crate::cli::output::Report;
use crate::cli::runtime::Runtime;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff hypergrad data.csv --target price --l1 0.1 --l2 0.01
  proxdiff hypergrad --example --l1 1,2,5 --l2 0.1 --method itd-reverse
  proxdiff hypergrad --x X.npy --y y.npy --x-val Xval.npy --y-val yval.npy \\
      --loss logistic --l1 log:1e-3:1e-1:5 --l2 0.01 --format json --coefficients
  proxdiff hypergrad train.svm --penalty group --group-size 5 --diagnostics

The hypergradient is the derivative of the criterion, a loss on held-out rows, with respect to the \
strengths themselves, not their logarithms. Coefficients are in the data's units.";

/// The flags of `hypergrad`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    problem: ProblemArguments,
    #[command(flatten)]
    hypergradient: HypergradientArguments,
    #[command(flatten)]
    solver: SolverArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
    #[command(flatten)]
    output: OutputArguments,

    /// Show the coefficients of every point.
    #[arg(long, help_heading = "Output")]
    coefficients: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(
        &arguments.problem,
        &arguments.data,
        &arguments.solver,
        Some(&arguments.hypergradient),
    )?;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let study = Study::read(&arguments.data, &arguments.problem, false)?;
    let prepared = study.prepare(Rows::HeldOut)?;
    let points = points(&arguments.problem, &prepared.problem, Defaults::Single)?;
    let outcomes = runtime.evaluate(&prepared.problem, &points, &settings)?;
    Report {
        study: &study,
        prepared: &prepared,
        settings: &settings,
        runtime: &runtime,
        outcomes: &outcomes,
        best: None,
        coefficients: arguments.coefficients,
        diagnostics: arguments.hypergradient.diagnostics,
    }
    .write(&arguments.output)?;
    runtime.conclude(&outcomes, arguments.solver.strict)
}
