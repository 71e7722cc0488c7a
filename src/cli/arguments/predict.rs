//! The flags of `proxdiff predict`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::Resettable;

use super::{OutputArguments, TableFileArguments};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff predict new.csv --model model
  proxdiff predict --x X.npy --format csv --out predictions.csv
  proxdiff predict new.csv --proba --format json
  proxdiff predict test.csv --target price

Columns of a file with a header are matched to the model's features by name, and other columns are \
ignored; without a header they must be the model's features in their order.";

/// The flags of `predict`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// File with the features of the rows to predict.
    #[arg(
        value_name = "DATA",
        conflicts_with = "x",
        required_unless_present = "x",
        help_heading = Resettable::Reset
    )]
    pub data: Option<PathBuf>,

    /// The same as DATA, by name as in the other commands.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub x: Option<PathBuf>,

    /// Columns with the values of the model's targets, by name or index: their scores are shown.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Data"
    )]
    pub target: Vec<String>,

    /// File with the values of the model's target: its scores are shown.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "target",
        help_heading = "Data"
    )]
    pub y: Option<PathBuf>,

    /// Column that names the rows in the output, by name or index.
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub id: Option<String>,

    /// Column with the offsets of the rows, where the model has been fitted with some [default: the column of
    /// that name].
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub offset: Option<String>,

    #[command(flatten)]
    pub file: TableFileArguments,

    /// Directory of the model that fit has saved.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "model",
        help_heading = "Model"
    )]
    pub model: PathBuf,

    /// Show the probability of every class (logistic and multinomial models).
    #[arg(long, help_heading = "Output")]
    pub proba: bool,

    #[command(flatten)]
    pub output: OutputArguments,
}
