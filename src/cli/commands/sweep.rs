//! `proxdiff sweep`: a grid of strengths on a hold-out split, the best points shown.

use clap::Args;

use crate::cli::arguments::{
    DataArguments, HypergradientArguments, OutputArguments, ProblemArguments, RuntimeArguments,
    SolverArguments,
};
use crate::cli::configuration::{Defaults, Rows, Study, points, settings};
use crate::cli::failure::Failure;
use crate::cli::output::{Report, by_criterion};
use crate::cli::runtime::Runtime;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff sweep                         the embedded diabetes data on the default grid
  proxdiff sweep data.csv --l1 log:1e-3:1:20 --l2 0,0.01,0.1 --best 5
  proxdiff sweep digits.svm --loss multinomial --val-fraction 0.2 --seed 7
  proxdiff sweep data.csv --format csv --out grid.csv

Points are ranked by the criterion, the loss on held-out rows. At a minimum inside the grid the
hypergradient is near zero; its sign says where to look for better strengths.";

/// The flags of `sweep`.
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

    /// How many of the best points a table shows, for every target; JSON and CSV hold all points.
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Output")]
    best: usize,

    /// Show the coefficients: in a table of the best points, in JSON and CSV of all.
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
    let study = Study::read(&arguments.data, &arguments.problem, true)?;
    let prepared = study.prepare(Rows::HeldOut)?;
    let points = points(&arguments.problem, &prepared.problem, Defaults::Grid)?;
    let outcomes = runtime.evaluate(&prepared.problem, &points, &settings)?;

    let ranked = by_criterion(&outcomes);
    let best: Vec<usize> = (0..prepared.problem.train.targets.len())
        .flat_map(|target| {
            let outcomes = &outcomes;
            let of_target = move |&at: &usize| outcomes[at].point.target == target;
            ranked
                .iter()
                .copied()
                .filter(of_target)
                .take(arguments.best)
        })
        .collect();
    Report {
        study: &study,
        prepared: &prepared,
        settings: &settings,
        runtime: &runtime,
        outcomes: &outcomes,
        best: Some(&best),
        coefficients: arguments.coefficients,
        diagnostics: arguments.hypergradient.diagnostics,
    }
    .write(&arguments.output)?;
    runtime.conclude(&outcomes, arguments.solver.strict)
}
