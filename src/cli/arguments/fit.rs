//! The flags of `proxdiff fit`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArguments, Format, ProblemArguments, RuntimeArguments, SolverArguments};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff fit data.csv --target price --l1 0.1 --l2 0.01 --out model
  proxdiff fit spam.csv --loss logistic --l1 log:1e-3:1:20 --class-weights balanced
  proxdiff fit --example --coefficients

A model is a directory with model.json and coefficients.npy; predict reads it. With lists of \
strengths the pair with the smallest criterion on the held-out rows (or validation files) is chosen, \
and the model is then fitted to all training rows. A fit that did not converge is not saved, unless with \
--force.";

/// The flags of `fit`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,

    /// Directory that the model is saved to; it is made if need be.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "model",
        help_heading = "Output"
    )]
    pub out: PathBuf,

    /// Save the model also where a fit did not converge; the model tells its status.
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Form of the report on standard output.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Output"
    )]
    pub format: Format,

    /// Show the coefficients too.
    #[arg(long, help_heading = "Output")]
    pub coefficients: bool,
}
