//! The flags of `proxdiff poison`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{self, Interval};
use super::{DataArguments, Format, ProblemArguments, RuntimeArguments, Strengths, TestArguments};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff poison --example --budget 0.5,1,2 --share 0.1
  proxdiff poison data.csv --loss logistic --budget 0.1 --norm l2 --rows influence
  proxdiff poison data.csv --target price --tune --defence trim,clean --format json
  proxdiff poison --x train-images-idx3-ubyte --y train-labels-idx1-ubyte --loss multinomial \\
    --l1 2.5 --l2 1600 --no-standardize --budget 16 --range 0:255 --share 0.3 --image-width 28

What is it for: measuring how robust a model of your own is. A share of its training rows is moved \
within a budget, at random and along the hypergradient, so as to raise the loss on held-out \
rows; the model is trained anew on the result, and its error there and on test rows is reported. Do \
not use it on data or models of others without their consent.

The directory of --out receives poison.json, a figure of the error against the budget, poison.html, and \
for the largest budget the perturbed training data: X.npy, y.npy, rows.npy, perturbation.npy.";

/// Norms by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormName {
    /// Every value of a row moves by at most the budget.
    Linf,
    /// A row moves by at most the budget, in Euclidean length.
    L2,
}

/// Methods that serve here, by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Implicit, conjugate gradient or Cholesky on the support.
    AidCg,
    /// Implicit, stochastic: minibatches.
    Nsid,
}

/// The flags of `poison`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub test: TestArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub attack: Attack,
    #[command(flatten)]
    pub defence: Defence,
    #[command(flatten)]
    pub runtime: RuntimeArguments,

    /// Stop this many seconds after the start and report the budgets that are measured [default: no limit].
    #[arg(long, value_name = "SECONDS", value_parser = values::positive, allow_hyphen_values = true,
          help_heading = "Machine")]
    pub time_budget: Option<f64>,

    /// Directory that receives numbers, figures and perturbed data; it is made if need be.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "poison",
        help_heading = "Output"
    )]
    pub out: PathBuf,

    /// Form of what is printed: a table, or the object of poison.json [default: table].
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<Format>,

    /// Draw rows as pictures of this many pixels per row of the picture.
    #[arg(long, value_name = "PIXELS", value_parser = values::count, allow_hyphen_values = true,
          help_heading = "Output")]
    pub image_width: Option<usize>,
}

/// Defences by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DefenceName {
    /// As many rows left out as moved: those that fit worst (TRIM).
    Trim,
    /// Rows weighted by what the validation rows, which are trusted, say of them, as `clean` does.
    Clean,
}

/// The flags of the defender.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Defence")]
pub struct Defence {
    /// Also tune the strengths that are not zero, or l2 where both are, anew on clean, random and poisoned
    /// data, on the validation rows: a fixed strength overstates an attack.
    #[arg(long)]
    pub tune: bool,

    /// Also fit with these defences, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub defence: Vec<DefenceName>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Attack")]
pub struct Attack {
    /// How far a row may move, in the data's units: a list, or log:LO:HI:N.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "0.1",
        allow_hyphen_values = true
    )]
    pub budget: Strengths,

    /// Norm of the budget.
    #[arg(long, value_name = "NORM", default_value = "linf")]
    pub norm: NormName,

    /// Values that rows may take, as in 0:255 [default: any].
    #[arg(long, value_name = "LO:HI", allow_hyphen_values = true)]
    pub range: Option<Interval>,

    /// Which training rows move: random, influence (those whose move changes the loss fastest), or a
    /// file with their numbers, from 0.
    #[arg(long, value_name = "random|influence|FILE", default_value = "random")]
    pub rows: String,

    /// Share of the training rows that move.
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = values::positive,
          allow_hyphen_values = true)]
    pub share: f64,

    /// Steps of the ascent.
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = values::count,
          allow_hyphen_values = true)]
    pub steps: usize,

    /// Attacks from different starts, and random perturbations of the whole budget to compare with;
    /// the worst of each counts.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count,
          allow_hyphen_values = true)]
    pub restarts: usize,

    /// Tolerance of the fits along the ascent, as --tol of other commands; those that are reported are
    /// fitted to 1e-9.
    #[arg(long, value_name = "T", default_value_t = 1e-6, value_parser = values::positive,
          allow_hyphen_values = true)]
    pub tol: f64,

    /// Method of the hypergradient.
    #[arg(long, value_name = "METHOD", default_value = "aid-cg")]
    pub method: MethodName,

    /// Steps of nsid for each hypergradient.
    #[arg(long, value_name = "K", default_value_t = 2000, value_parser = values::count,
          allow_hyphen_values = true)]
    pub stochastic_steps: usize,

    /// Rows of a minibatch of nsid.
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = values::count,
          allow_hyphen_values = true)]
    pub minibatch: usize,
}
