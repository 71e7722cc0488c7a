//! The flags of `proxdiff influence`.

use std::path::PathBuf;

use clap::Args;

use super::values;
use super::{DataArguments, OutputArguments, ProblemArguments, RuntimeArguments, SolverArguments};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff influence data.csv --target price --l1 0.1 --l2 0.01
  proxdiff influence --x X.npy --y y.npy --x-val Xval.npy --y-val yval.npy --loss logistic \\
      --l1 0 --l2 0.01 --exact --format json
  proxdiff influence data.csv --row-groups hospital --self --top 5
  proxdiff influence --example --exact --out influence.csv

The influence of a row is the criterion of the fit without it minus that of the fit with all rows: \
positive where the row helps. Strengths, centre and scale of the columns stay. --l1 and --l2 take one \
value each.";

/// The flags of `influence`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub influence: InfluenceArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// Rows that the table shows of each end: those that help most, and those that harm most.
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = values::count,
          allow_hyphen_values = true, help_heading = "Output")]
    pub top: usize,

    /// Write report.html and its charts (SVG and PNG) into this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// The flags of what is left out, and how its influence is found.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Influence")]
pub struct InfluenceArguments {
    /// Fit anew without each row too, from the fit with all rows, and show the rank correlation with the
    /// estimates and the rows whose removal changes the support.
    #[arg(long)]
    pub exact: bool,

    /// Also the change of the loss on what is left out itself.
    #[arg(long = "self")]
    pub own: bool,

    /// Leave groups of rows out, each as a whole: a file with one value per row, or the name of a column
    /// that is then no feature.
    #[arg(long, value_name = "COLUMN|FILE")]
    pub row_groups: Option<String>,
}
