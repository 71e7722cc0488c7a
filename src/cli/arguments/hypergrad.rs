//! The flags of `proxdiff hypergrad`.

use clap::Args;

use super::{
    DataArguments, HypergradientArguments, OutputArguments, ProblemArguments, RuntimeArguments,
    SolverArguments, SpaceArguments,
};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff hypergrad data.csv --target price --l1 0.1 --l2 0.01
  proxdiff hypergrad --example --l1 1,2,5 --l2 0.1 --method itd-reverse
  proxdiff hypergrad --example --alpha frac:0.1:0.01:5 --l1-ratio 0.5,0.9
  proxdiff hypergrad --x X.npy --y y.npy --x-val Xval.npy --y-val yval.npy \\
      --loss logistic --l1 log:1e-3:1e-1:5 --l2 0.01 --format json --coefficients
  proxdiff hypergrad train.svm --penalty group --group-size 5 --diagnostics

The hypergradient is the derivative of the criterion, a loss on held-out rows, with respect to the \
strengths themselves, not their logarithms. Coefficients are in the data's units.";

/// The flags of `hypergrad`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub space: SpaceArguments,
    #[command(flatten)]
    pub hypergradient: HypergradientArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// Show the coefficients of every point.
    #[arg(long, help_heading = "Output")]
    pub coefficients: bool,
}
