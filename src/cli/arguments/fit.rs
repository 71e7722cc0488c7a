//! The flags of `proxdiff fit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    DataArguments, FoldArguments, Format, ProblemArguments, RuntimeArguments, SolverArguments,
    SpaceArguments, StageArguments, TestArguments,
};
use crate::sweep::record::Number;
use crate::sweep::select::Rule;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff fit data.csv --target price --l1 0.1 --l2 0.01 --out model
  proxdiff fit spam.csv --loss logistic --l1 log:1e-3:1:20 --class-weights balanced
  proxdiff fit --example --coefficients
  proxdiff fit data.csv --cv 10 --choice one-se --test-fraction 0.2
  proxdiff fit spam.csv --loss logistic --cv 5 --stratified --by auc --alpha frac:1e-3:1:50
  proxdiff fit data.csv --cv expanding:5 --gap 5 --adaptive
  proxdiff fit --from sweep.db --choice one-se

A model is a directory with model.json and coefficients.npy; predict reads it. With --cv or --folds the \
points of a sweep are evaluated over folds, one of them is chosen, and the model is then fitted to all \
rows there; strengths that no flag gives are those of a sweep's grid. With lists of strengths alone the \
choice is made on held-out rows (or validation files). A fit that did not converge is not saved, unless \
with --force.";

/// The rules by which a point is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChoiceName {
    /// The best mean.
    Best,
    /// The sparsest within one standard error of the best, as sweep shows it.
    OneSe,
    /// The strongest within one standard error of the best on its path (its l1 ratio, or its l2), as
    /// glmnet's lambda.1se.
    #[value(name = "glmnet-1se")]
    Glmnet1Se,
}

impl ChoiceName {
    /// The library's rule.
    pub fn rule(self) -> Rule {
        match self {
            Self::Best => Rule::Best,
            Self::OneSe => Rule::OneStandardError,
            Self::Glmnet1Se => Rule::GlmnetOneStandardError,
        }
    }

    /// The word of the flag.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::OneSe => "one-se",
            Self::Glmnet1Se => "glmnet-1se",
        }
    }
}

/// The numbers on held-out rows by which a point is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricName {
    /// The criterion: the loss, or that of --criterion.
    Criterion,
    /// Mean deviance: the mean square of the squared loss, twice the mean log loss of classes.
    Deviance,
    /// Mean squared error.
    Mse,
    /// Mean absolute error.
    Mae,
    /// Coefficient of determination.
    R2,
    /// Share of correct labels.
    Accuracy,
    /// Mean over classes of the share of correct labels.
    BalancedAccuracy,
    /// F1 of the second class, or its mean over classes.
    F1,
    /// Area under the ROC curve, or its mean over classes against the rest.
    Auc,
}

impl MetricName {
    /// The number of a cell.
    pub fn number(self) -> Number {
        match self {
            // Twice the criterion.
            Self::Criterion | Self::Deviance => Number::Criterion,
            Self::Mse => Number::Mse,
            Self::Mae => Number::Mae,
            Self::R2 => Number::R2,
            Self::Accuracy => Number::Accuracy,
            Self::BalancedAccuracy => Number::BalancedAccuracy,
            Self::F1 => Number::F1,
            Self::Auc => Number::Auc,
        }
    }
}

/// The choice among several points.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Choice")]
pub struct ChoiceArguments {
    /// Rule by which a point is chosen among several, of each target its own [default: best].
    #[arg(long, value_name = "RULE")]
    pub choice: Option<ChoiceName>,

    /// Number on the held-out rows by which it is chosen [default: criterion].
    #[arg(long, value_name = "METRIC")]
    pub by: Option<MetricName>,

    /// Fit at the point that is chosen in this store of a sweep, with the data and the problem of its
    /// study; DATA names them where they have been moved.
    #[arg(long, value_name = "STORE")]
    pub from: Option<PathBuf>,

    /// Study of the store, by its name [default: the only one].
    #[arg(long, value_name = "NAME", requires = "from")]
    pub study: Option<String>,
}

/// The flags of `fit`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub stages: StageArguments,
    #[command(flatten)]
    pub space: SpaceArguments,
    #[command(flatten)]
    pub folds: FoldArguments,
    #[command(flatten)]
    pub choosing: ChoiceArguments,
    #[command(flatten)]
    pub test: TestArguments,
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

    /// Write report.html and its charts (SVG and PNG) into this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub report: Option<PathBuf>,
}
