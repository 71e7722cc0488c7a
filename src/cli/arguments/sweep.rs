//! The flags of `proxdiff sweep`: spaces, folds, stores.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{self, Strengths};
use super::{
    DataArguments, HypergradientArguments, OutputArguments, ProblemArguments, RuntimeArguments,
    SolverArguments, StageArguments,
};
use crate::sweep::ordered::Scheme;
use crate::sweep::record::Shard;
use crate::sweep::resamples::Drawing;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff sweep                         the embedded data on the default grid
  proxdiff sweep data.csv --l1 log:1e-3:1:20 --l2 0,0.01,0.1 --best 5
  proxdiff sweep digits.svm --loss multinomial --val-fraction 0.2 --seed 7
  proxdiff sweep data.csv --format csv --out grid.csv
  proxdiff sweep data.csv --cv 5 --alpha frac:1e-3:1:100 --l1-ratio 0.1,0.9 \\
      --store sweep.db
  proxdiff sweep data.csv --cv expanding:5 --gap 5 --method none
  proxdiff sweep data.csv --subsamples 100 --complementary --l2 0 --method none
  proxdiff sweep --factors part-1.factors part-2.factors --l1 frac:1:1e-3:50
  proxdiff sweep --config sweep.toml --store part-3.db --shard 3/8

A sweep is planned as cells, a point on a fold each; without --cv and --folds there is one hold-out split. \
With folds the table shows means, the best point by its mean, and the one with the smallest support within one \
standard error of it. With --format csv there is one row a cell. \
An interrupted sweep with a store goes on with the same command.

Points are ranked by the criterion, the loss on held-out rows. At a minimum inside the grid the \
hypergradient is near zero; its sign says where to look for better strengths.";

/// The flags of `sweep`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,

    /// Files of 'proxdiff compress' in place of data and folds: those of all parts of a data set, whose columns and
    /// folds are the same. For the squared loss.
    #[arg(long, value_name = "FILES", num_args = 1.., value_delimiter = ',', help_heading = "Data", conflicts_with_all = [
        "data", "x", "y", "x_val", "example", "data_format", "header", "keep_index", "delimiter", "decimal", "na",
        "unknown_levels", "target", "drop", "only", "id", "categorical", "missing", "sample_weights", "offset",
        "class_weights", "val_fraction", "cv", "folds", "group_column", "stratified", "repeats", "gap", "bootstrap",
        "subsamples",
    ])]
    pub factors: Vec<PathBuf>,

    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub stages: StageArguments,
    #[command(flatten)]
    pub space: SpaceArguments,
    #[command(flatten)]
    pub folds: FoldArguments,
    #[command(flatten)]
    pub resamples: ResampleArguments,
    #[command(flatten)]
    pub hypergradient: HypergradientArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub store: StoreArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// Number of the best points that a table shows, for every target; JSON and CSV hold all points.
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Output",
          value_parser = values::whole, allow_hyphen_values = true)]
    pub best: usize,

    /// Descend from the best points of every target by hypergradients, as 'proxdiff tune' does, and show
    /// where that leads.
    #[arg(long)]
    pub polish: bool,

    /// Fit every point to all rows too, and show AIC, BIC, GCV and approximate leave-one-out of that fit: the
    /// points where each is smallest in a table, all in JSON and as last columns in CSV.
    #[arg(long, help_heading = "Output")]
    pub information: bool,

    /// Show the coefficients: in a table of the best points, in JSON and CSV of all.
    #[arg(long, help_heading = "Output")]
    pub coefficients: bool,
}

/// The ways to choose points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchName {
    /// All pairs.
    Grid,
    /// Independent points, uniform over the axes.
    Random,
    /// A Sobol sequence: points that fill the axes evenly.
    Sobol,
}

/// The space beside --l1 and --l2.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Space")]
pub struct SpaceArguments {
    /// Overall strengths alpha, in place of --l1 and --l2: l1 = alpha·ratio, l2 = alpha·(1 − ratio).
    /// A list or grid like --l1, frac: in units of l1_max / ratio [default with --l1-ratio:
    /// frac:1:1e-3:12].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, conflicts_with_all = ["l1", "l2"])]
    pub alpha: Option<Strengths>,

    /// Shares of l1 in alpha, greater than 0 and at most 1 [default with --alpha: 0.5].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, conflicts_with_all = ["l1", "l2"])]
    pub l1_ratio: Option<Strengths>,

    /// Choice of the points; random and sobol take --samples points: anywhere between the ends of a
    /// range, but of listed numbers only these.
    #[arg(long, value_name = "SEARCH", default_value = "grid")]
    pub search: SearchName,

    /// Number of random or Sobol points [default: 64].
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub samples: Option<usize>,
}

/// Rows that the criterion is measured on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Folds")]
pub struct FoldArguments {
    /// K-fold cross-validation: K deals rows at random by --seed; contiguous:K holds out blocks of
    /// consecutive rows. Folds in time, rows being in their order: expanding:K holds out the last K of
    /// K + 1 blocks and learns from all rows before each, rolling:K:WIDTH from the last WIDTH of these.
    #[arg(long, value_name = "K|SCHEME", allow_hyphen_values = true,
          conflicts_with_all = ["val_fraction", "x_val", "folds"])]
    pub cv: Option<Scheme>,

    /// Rows between those that a fold in time learns from and those that it holds out, which it leaves
    /// out [default: 0].
    #[arg(long, value_name = "N", value_parser = values::whole, allow_hyphen_values = true)]
    pub gap: Option<usize>,

    /// Give every fold its share of each class of the target.
    #[arg(long, conflicts_with = "group_column")]
    pub stratified: bool,

    /// Repeat the cross-validation with other shuffles.
    #[arg(long, value_name = "R", value_parser = values::count, allow_hyphen_values = true)]
    pub repeats: Option<usize>,

    /// Keep rows of one group in one fold: a column of the data, which is then no feature, or a file
    /// with one number or name per row (.csv, .txt, .npy).
    #[arg(long, value_name = "COLUMN|FILE")]
    pub group_column: Option<String>,

    /// File with the fold number of every row (.csv with or without a header, .txt with a number per
    /// line, .npy); rows with a negative number are never held out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["val_fraction", "x_val"])]
    pub folds: Option<PathBuf>,
}

/// Resamples of the rows, for stability selection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Folds")]
pub struct ResampleArguments {
    /// Stability selection: fit to B draws of as many rows as there are, with replacement, and count how
    /// often each feature is chosen; the criterion is on the rows that are not drawn.
    #[arg(long, value_name = "B", value_parser = values::count, allow_hyphen_values = true,
          conflicts_with_all = ["subsamples", "cv", "folds", "val_fraction", "x_val"])]
    pub bootstrap: Option<usize>,

    /// The same with B halves of the rows, drawn without replacement.
    #[arg(long, value_name = "B", value_parser = values::count, allow_hyphen_values = true,
          conflicts_with_all = ["cv", "folds", "val_fraction", "x_val"])]
    pub subsamples: Option<usize>,

    /// Take the halves in pairs that have no row in common.
    #[arg(long, requires = "subsamples", conflicts_with = "bootstrap")]
    pub complementary: bool,
}

/// The number of resamples and how they are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// Their number.
    pub count: usize,
    /// The way in which rows are drawn.
    pub drawing: Drawing,
}

impl ResampleArguments {
    /// The resamples that are drawn, if any.
    pub fn drawn(&self) -> Option<Drawn> {
        let of = |count, drawing| Drawn { count, drawing };
        match (self.bootstrap, self.subsamples) {
            (Some(count), _) => Some(of(count, Drawing::Bootstrap)),
            (None, Some(count)) if self.complementary => {
                Some(of(count, Drawing::ComplementaryPairs))
            }
            (None, Some(count)) => Some(of(count, Drawing::Subsamples)),
            (None, None) => None,
        }
    }
}

/// A description of the command in a file.
#[derive(Debug, Clone, Args)]
pub struct ConfigurationArguments {
    /// File with flags: `name = value` lines in TOML; for a sweep also [[study]] tables for several
    /// problems in one plan. Flags on the command line win: what cannot stand beside them is left out of
    /// the file, and `--SWITCH=false` turns off what it turns on. Relative paths in the file are those
    /// of the working folder.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Write the effective configuration, defaults included, to this file.
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
}

/// Description of a sweep, and the place that keeps it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArguments {
    #[command(flatten)]
    pub configuration: ConfigurationArguments,

    /// Keep plan and results in this file; the same command resumes what was interrupted, and
    /// several processes may share it.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,

    /// Do only this part of the plan, i/N, for job arrays; join the stores by `runs merge`. Arrays
    /// may count from 0 to N − 1 or from 1 to N: N/N is the same part as 0/N.
    #[arg(long, value_name = "i/N", value_parser = values::shard)]
    pub shard: Option<Shard>,

    /// Also keep the coefficients of every cell.
    #[arg(long)]
    pub keep_solutions: bool,

    /// Write report.html and its charts (SVG and PNG) into this folder, also while the sweep runs.
    #[arg(long, value_name = "FOLDER")]
    pub report: Option<PathBuf>,

    /// Name of the study in outputs [default: the data's source].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}
