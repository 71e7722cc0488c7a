//! The flags of `proxdiff tune`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::values::{self, Interval};
use super::{
    ConfigurationArguments, DataArguments, FoldArguments, OutputArguments, ProblemArguments,
    RuntimeArguments, SolverArguments, TestArguments,
};
use crate::kinds::tag;
use crate::tune::{Guard, Hyperparameter, MAX_EVALUATIONS};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff tune data.csv --target price --cv 5
  proxdiff tune --x X.npy --y y.npy --x-val Xval.npy --y-val yval.npy --loss logistic --tune l1 --l2 0
  proxdiff tune data.csv --bounds l1=1e-3:1,l2=1e-4:10 --test-fraction 0.2 --model model
  proxdiff tune --example --format json
  proxdiff tune data.csv --cv 10 --tune 'l1[]' --store tuning.db --report report

The criterion, a loss on held-out rows or its mean over folds, is minimised by hypergradients: a coarse \
grid along warm paths, then descents from its local minima. With --cv and --folds, --x-val holds test \
rows. An evaluation is one point on all folds.";

/// The flags of `tune`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub test: TestArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub tuning: TuningArguments,
    #[command(flatten)]
    pub folds: FoldArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten, next_help_heading = "Configuration")]
    pub configuration: ConfigurationArguments,

    /// Keep every evaluation in this file; the same command goes on from there where it was ended, to the same
    /// result, and several processes may share it.
    #[arg(long, value_name = "FILE", help_heading = "Store")]
    pub store: Option<PathBuf>,

    /// Write report.html and its charts (SVG and PNG) into this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Store")]
    pub report: Option<PathBuf>,

    #[command(flatten)]
    pub output: OutputArguments,

    /// Save the model, fitted to all rows at the best point, to this directory; predict reads it.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub model: Option<PathBuf>,

    /// Show the coefficients in the table too; JSON always has them.
    #[arg(long, help_heading = "Output")]
    pub coefficients: bool,
}

/// The flags of what is tuned, and how far.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tuning")]
pub struct TuningArguments {
    /// Hyperparameters to tune, separated by commas: l1, l2, l1[] and l2[] (one strength for each
    /// coefficient), l1[group] and l2[group] (one for each group), l2[class] (one for each class of the
    /// multinomial loss), huber-delta (of the fit; the criterion keeps that of --huber-delta), class-weights
    /// (that of the first class is 1; they multiply those of --class-weights), prior (one prior mean for each
    /// coefficient, from that of --prior or zero); --l1 and --l2 give those that are not tuned [default: l1,l2;
    /// for the box penalty l2].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = hyperparameter)]
    pub tune: Vec<Hyperparameter>,

    /// Bounds, as in l1=1e-3:1,l2=1e-4:10 [default: l1 from 1e-4 to 0.999 of the strength that makes all
    /// coefficients zero, l2 from 1e-6 to 1000 in units of the loss's mean curvature, huber-delta
    /// from 0.01 to 10 of the spread of the targets, class-weights from 1e-3 to 1e3, prior ±10 times the largest coefficient that a feature has
    /// alone].
    #[arg(long = "bounds", value_name = "NAME=LO:HI", value_delimiter = ',')]
    pub variable_bounds: Vec<Assignment<Interval>>,

    /// The only start, as in l1=0.1,l2=0.01 [default: the local minima of a coarse grid].
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    pub start: Vec<Assignment<Start>>,

    /// File with one number per coefficient: coefficients with equal numbers share a strength of l1[] or l2[].
    #[arg(long, value_name = "FILE")]
    pub ties: Option<PathBuf>,

    /// The rule that the criterion follows: the loss on held-out rows, or of the squared loss Stein's unbiased
    /// risk estimate by finite differences, which holds no rows out.
    #[arg(long, value_name = "NAME", default_value = "held-out")]
    pub criterion_rule: CriterionRule,

    /// Standard deviation of the noise for --criterion-rule sure [default: estimated by least squares on all
    /// features, which needs four rows for every three coefficients].
    #[arg(long, value_name = "SIGMA", value_parser = values::positive)]
    pub noise: Option<f64>,

    /// The most evaluations, those of the coarse grid among them.
    #[arg(long, value_name = "N", default_value_t = MAX_EVALUATIONS, value_parser = values::count,
          allow_hyphen_values = true)]
    pub max_evaluations: usize,

    /// The guard against more than five strengths that fit the criterion's rows by chance: auto keeps them
    /// together by a penalty whose strength nested folds choose, and returns the best common strength
    /// where the vector is not better on rows that nothing was tuned on; a number is that penalty's
    /// strength; none.
    #[arg(long, value_name = "auto|none|RHO", default_value = "auto")]
    pub guard: GuardName,
}

tag! {
    /// A rule that the criterion follows.
    pub enum CriterionRule {
        /// The loss on held-out rows.
        HeldOut = "held-out", "the loss on held-out rows";
        /// Stein's unbiased risk estimate.
        Sure = "sure", "Stein's unbiased risk estimate";
    }
}

/// A guard by its name or number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuardName(pub Guard);

impl FromStr for GuardName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Self(Guard::Auto)),
            "none" => Ok(Self(Guard::None)),
            number => match values::positive(number) {
                Ok(rho) => Ok(Self(Guard::Rho(rho))),
                Err(_) => Err("give auto, none, or a number greater than zero".into()),
            },
        }
    }
}

/// A value for a hyperparameter, as NAME=VALUE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assignment<T> {
    /// The hyperparameter.
    pub name: Hyperparameter,
    /// The value.
    pub value: T,
}

/// A value of a hyperparameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start(pub f64);

/// A type that is assigned to hyperparameters.
trait Assigned: Sized {
    /// The value of a hyperparameter from its text.
    fn parse(name: Hyperparameter, text: &str) -> Result<Self, String>;
}

impl Assigned for Start {
    fn parse(name: Hyperparameter, text: &str) -> Result<Self, String> {
        let value = if name.is_positive() {
            values::positive(text)
        } else {
            values::finite(text)
        };
        value.map(Self)
    }
}

impl Assigned for Interval {
    fn parse(_: Hyperparameter, text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl<T: Assigned> FromStr for Assignment<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or("write NAME=VALUE, with commas between several, as in l1=0.1,l2=0.01")?;
        let name = hyperparameter(name)?;
        Ok(Self {
            name,
            value: T::parse(name, value)?,
        })
    }
}

/// A hyperparameter by its name.
fn hyperparameter(text: &str) -> Result<Hyperparameter, String> {
    text.trim().parse()
}
