//! The flags of `proxdiff meta`.

use std::path::PathBuf;

use clap::Args;

use super::values;
use super::{DataArguments, OutputArguments, ProblemArguments, RuntimeArguments, SolverArguments};
use crate::tune::{Guard, MAX_META_EVALUATIONS, MetaVariable};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff meta schools.csv --target score --task school
  proxdiff meta schools/ --target score
  proxdiff meta data.csv --target y --task hospital --loss logistic --tune prior,l1,l2
  proxdiff meta data.csv --target y --task sensor --test-tasks 0.3 --seed 1 --model prior --format json
  proxdiff meta data.csv --target y --task sensor --curve --store meta.db

Every task is fitted to its own rows, around a prior mean that all tasks have in common; the prior and the \
strengths are those under which the fits do best on rows of the tasks that they have not seen \
(--val-fraction of each task's rows). Tasks that nothing is learned from show what it is worth.";

/// The flags of `meta`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub meta: MetaArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// Keep every evaluation in this file; the same command goes on from there where it was ended, to the same
    /// result, and several processes may share it.
    #[arg(long, value_name = "FILE", help_heading = "Store")]
    pub store: Option<PathBuf>,

    /// Save the prior as a model to this directory; predict reads it.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub model: Option<PathBuf>,

    /// Write report.html and its charts (SVG and PNG) into this folder.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// The flags of what is learned, and from which tasks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tasks")]
pub struct MetaArguments {
    /// The task of each row: the name of a column, which is then no feature, or a file with one value per
    /// row [default: each file of the folder DATA is a task].
    #[arg(long, value_name = "COLUMN|FILE")]
    pub task: Option<String>,

    /// What is learned, separated by commas: prior, l1, l2; --l1 and --l2 give the others.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "prior,l2",
          value_parser = variable)]
    pub tune: Vec<MetaVariable>,

    /// The share of tasks that nothing is learned from, drawn by --seed.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = values::fraction,
          allow_hyphen_values = true)]
    pub test_tasks: f64,

    /// Times that the rows of each task are split at random into those that it is fitted to and a share of
    /// --val-fraction that judges the fit.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count,
          allow_hyphen_values = true)]
    pub splits: usize,

    /// The guard against a prior that fits few tasks by chance: auto returns the mean of the tasks' own solutions,
    /// or no prior, where the learned one is not better on tasks that nothing was learned from; none.
    #[arg(long, value_name = "auto|none", default_value = "auto", value_parser = guard)]
    pub guard: Guard,

    /// Learn from 2, 4, 8, … of the tasks too, and show the errors: a learning curve.
    #[arg(long)]
    pub curve: bool,

    /// The most evaluations, each a point on all tasks.
    #[arg(long, value_name = "N", default_value_t = MAX_META_EVALUATIONS,
          value_parser = values::count, allow_hyphen_values = true)]
    pub max_evaluations: usize,
}

/// A variable by its name.
fn variable(text: &str) -> Result<MetaVariable, String> {
    let named = text.trim().parse();
    named.map_err(|_| "name prior, l1 or l2, with commas between several".into())
}

/// A guard by its name.
fn guard(text: &str) -> Result<Guard, String> {
    match text.trim() {
        "auto" => Ok(Guard::Auto),
        "none" => Ok(Guard::None),
        _ => Err("give auto or none".into()),
    }
}
