//! The flags of `proxdiff compress`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArguments, FoldArguments};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff compress part-1.csv --target price --cv 5 --out part-1.factors
  proxdiff compress part-2.csv --target price --folds folds-2.csv --out part-2.factors
  proxdiff sweep --factors *.factors --l1 frac:1:1e-3:50

What the squared loss asks of the rows are sums of squares, fold by fold: a file has a few rows of the same sums in \
place of all, one more than there are columns for each fold. Parts of a data set are compressed one by one, \
wherever they lie; 'sweep --factors' takes them together, and finds what it would find with all rows. Strengths, \
penalty, intercept and standardisation are said there.";

/// The flags of `compress`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub folds: FoldArguments,

    /// Write the sums of squares to this file.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: PathBuf,
}
