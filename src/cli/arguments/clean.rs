//! The flags of `proxdiff clean`.

use std::path::PathBuf;

use clap::Args;

use super::values::{self, Strengths};
use super::{DataArguments, OutputArguments, ProblemArguments, RuntimeArguments, SolverArguments};
use crate::tune::MAX_CLEANING_EVALUATIONS;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff clean --x X.npy --y y.npy --x-val Xtrusted.npy --y-val ytrusted.npy --loss multinomial
  proxdiff clean data.csv --target label --loss logistic --l2 0.1 --model model
  proxdiff clean data.csv --target price --format csv --out rows.csv

Weights of the training rows, from 0 to 1, are chosen under which the fit does best on rows that are \
trusted: those of --x-val, or a share held out. --l2 is tuned with them unless it is given; --l1 is 0 \
unless it is given.";

/// The flags of `clean`.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("l2", |l2| {
    l2.value_name("STRENGTH|tune")
        .value_parser(tunable)
        .help("Ridge strength, or tune: chosen together with the weights [default: tune]")
}))]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub cleaning: CleaningArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// Rows that the table shows, the most suspect first.
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = values::count,
          allow_hyphen_values = true, help_heading = "Output")]
    pub top: usize,

    /// Save the model that is fitted with the weights to this directory; predict reads it.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub model: Option<PathBuf>,

    /// Write report.html and its charts (SVG and PNG) into this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// The flags of the search for weights.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cleaning")]
pub struct CleaningArguments {
    /// Rows that are known to be wrong, to measure the ranking and the weights by: a file with one value
    /// per row, or the name of a column that is then no feature; 0 and false are right, 1 and true wrong.
    #[arg(long, value_name = "COLUMN|FILE")]
    pub corrupted: Option<String>,

    /// The share of the trusted rows that judges, drawn by --seed; the others rank the training rows.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = values::fraction,
          allow_hyphen_values = true)]
    pub judging_share: f64,

    /// The most fits with derivatives, those that tune the ridge alone at first and
    /// the last one not among them.
    #[arg(long, value_name = "N", default_value_t = MAX_CLEANING_EVALUATIONS,
          value_parser = values::count, allow_hyphen_values = true)]
    pub max_evaluations: usize,
}

/// Strengths, or none for `tune`.
fn tunable(text: &str) -> Result<Strengths, String> {
    match text.trim() {
        "tune" => Ok(Strengths::of_values(&[])),
        text => text.parse(),
    }
}
