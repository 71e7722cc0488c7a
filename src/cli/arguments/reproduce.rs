//! The flags of `proxdiff reproduce`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{RuntimeArguments, values};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff reproduce deterministic --out results
  proxdiff reproduce deterministic --seed 7 --out results   a new design, drawn alike
  proxdiff reproduce stochastic --runs 10 --out results
  proxdiff reproduce poisoning --images train-images-idx3-ubyte --labels train-labels-idx1-ubyte \\
    --precision f32 --out results

The poisoning experiment reads MNIST (examples/mnist.sh obtains it); without files it draws small \
digits of its own.

The directory receives NAME.json with the numbers, a figure per setting as SVG and PNG, and NAME.html \
with everything on one page. The experiments are those of R. Grazzi, M. Pontil and S. Salzo, \
Nonsmooth Implicit Differentiation, ICML 2024.";

/// The flags of `reproduce`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub experiment: Experiment,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Experiment {
    /// Errors of ITD and AID by the step t.
    Deterministic(Deterministic),
    /// Errors of NSID and SID by the samples used.
    Stochastic(Stochastic),
    /// The same methods for a perturbation of thousands of training pictures.
    Poisoning(Poisoning),
}

/// The place of the results.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Directory that receives numbers and figures; it is made if need be.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct Deterministic {
    #[command(flatten)]
    pub place: Place,

    /// Draw a new design with this seed [default: the published design].
    #[arg(long, value_name = "N", value_parser = values::seed, allow_hyphen_values = true)]
    pub seed: Option<u64>,

    #[command(flatten)]
    pub runtime: RuntimeArguments,
}

#[derive(Debug, Clone, Args)]
pub struct Stochastic {
    #[command(flatten)]
    pub place: Place,

    /// Seed of the design; run r draws with the seed N + r.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = values::seed,
          allow_hyphen_values = true)]
    pub seed: u64,

    /// Runs with draws of their own; curves are their medians.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = values::count,
          allow_hyphen_values = true)]
    pub runs: usize,

    /// Steps k of the longest run.
    #[arg(long, value_name = "K", default_value_t = 8000, value_parser = values::count,
          allow_hyphen_values = true)]
    pub steps: usize,

    /// Samples of the design, of which 20 % train.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = values::count,
          allow_hyphen_values = true)]
    pub samples: usize,

    /// Draw every minibatch independently instead of without replacement within an epoch.
    #[arg(long)]
    pub independent: bool,

    #[command(flatten)]
    pub runtime: RuntimeArguments,
}

#[derive(Debug, Clone, Args)]
pub struct Poisoning {
    #[command(flatten)]
    pub place: Place,

    /// IDX file of pictures, half of which train [default: 1200 drawn digits of 12 × 12 pixels].
    #[arg(long, value_name = "FILE", requires = "labels")]
    pub images: Option<PathBuf>,

    /// IDX file of their labels.
    #[arg(long, value_name = "FILE", requires = "images")]
    pub labels: Option<PathBuf>,

    /// Seed of split, perturbed rows and perturbation; run r draws with the seed N + r.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = values::seed,
          allow_hyphen_values = true)]
    pub seed: u64,

    /// Runs with draws of their own; curves are their medians.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::count,
          allow_hyphen_values = true)]
    pub runs: usize,

    /// Steps k of the longest run [default: 20000 with files, 2000 without].
    #[arg(long, value_name = "K", value_parser = values::count, allow_hyphen_values = true)]
    pub steps: Option<usize>,

    /// Rows of a minibatch [default: 300 with files, 60 without].
    #[arg(long, value_name = "ROWS", value_parser = values::count, allow_hyphen_values = true)]
    pub minibatch: Option<usize>,

    #[command(flatten)]
    pub runtime: RuntimeArguments,
}
