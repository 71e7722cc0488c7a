//! The command line as a whole: the commands, and how words become one.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::{EnumValueParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::MissingName;
#[cfg(feature = "paper")]
use super::reproduce;
#[cfg(feature = "store")]
use super::runs;
use super::{
    clean, completions, compress, devices, fit, hypergrad, influence, meta, poison, predict, sweep,
    tune,
};

/// Sparse linear models: lasso, elastic net, logistic and other regressions, fitted and tuned.
///
/// proxdiff fits many penalised models at once, chooses their strengths by cross-validation, and says for
/// every fit in which direction the strengths should change: the hypergradient, the derivative of the
/// error on held-out rows with respect to strengths, sample weights, a prior, or the rows.
#[derive(Debug, Parser)]
#[command(name = "proxdiff", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  proxdiff sweep                                           the embedded data, nothing needed
  proxdiff hypergrad data.csv --target price --l1 0.1 --l2 0.01
  proxdiff tune data.csv --target price --cv 5
  proxdiff fit data.csv --target price --l1 0.1 --out model
  proxdiff predict new.csv --model model

Exit status: 0 done; 1 an error, an interruption, a fit that did not converge, or with --strict a point \
that did not; 2 flags that cannot be understood. RUST_LOG=info shows what the program does.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a model and save it.
    #[command(after_help = fit::EXAMPLES)]
    Fit(Box<fit::Arguments>),
    /// Apply a saved model to new rows.
    #[command(after_help = predict::EXAMPLES)]
    Predict(predict::Arguments),
    /// Solve at given strengths and differentiate the criterion.
    #[command(after_help = hypergrad::EXAMPLES)]
    Hypergrad(Box<hypergrad::Arguments>),
    /// Evaluate a space of strengths on held-out rows or folds and show the best points.
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(Box<sweep::Arguments>),
    /// Minimise the criterion over strengths by hypergradients, and fit the best model.
    #[command(after_help = tune::EXAMPLES)]
    Tune(Box<tune::Arguments>),
    /// Show what the criterion changes by when rows are left out of the fit.
    #[command(after_help = influence::EXAMPLES)]
    Influence(Box<influence::Arguments>),
    /// Learn weights of the training rows from rows that are trusted, and rank the suspect ones.
    #[command(after_help = clean::EXAMPLES)]
    Clean(Box<clean::Arguments>),
    /// Learn a prior mean that many tasks have in common.
    #[command(after_help = meta::EXAMPLES)]
    Meta(Box<meta::Arguments>),
    /// Put sums of squares in place of the rows of a part of a data set, for sweeps of the squared loss.
    #[command(after_help = compress::EXAMPLES)]
    Compress(Box<compress::Arguments>),
    /// Look into the stores of sweeps: list, show, compare, export, report, verify, merge.
    #[cfg(feature = "store")]
    #[command(after_help = runs::EXAMPLES)]
    Runs(runs::Arguments),
    /// Measure how robust a model of one's own is against perturbed training rows.
    #[command(after_help = poison::EXAMPLES)]
    Poison(Box<poison::Arguments>),
    /// Run a published experiment: numbers, figures, a page.
    #[cfg(feature = "paper")]
    #[command(after_help = reproduce::EXAMPLES)]
    Reproduce(Box<reproduce::Arguments>),
    /// Show what this build can compute on.
    #[command(after_help = devices::EXAMPLES)]
    Devices(devices::Arguments),
    /// Print a completion script for a shell.
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Arguments),
}

impl Command {
    /// The configuration file that the command names.
    pub fn config(&self) -> Option<&Path> {
        match self {
            Self::Sweep(sweep) => sweep.store.configuration.config.as_deref(),
            Self::Tune(tune) => tune.configuration.config.as_deref(),
            _ => None,
        }
    }
}

/// All commands and their flags.
///
/// A switch of `sweep` and `tune` takes `=false`, so that the command line can turn off what a configuration
/// file turns on.
pub fn command() -> clap::Command {
    let with_values = |argument: Arg| {
        if !matches!(argument.get_action(), ArgAction::SetTrue) {
            return argument;
        }
        argument
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("true|false")
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true)
    };
    // With folds, validation files hold test rows.
    let beside_files = |tune: clap::Command| {
        let one = |argument: Arg| {
            let free = argument.conflicts_with(Resettable::Reset);
            free.conflicts_with("val_fraction")
        };
        tune.mut_arg("cv", |cv| one(cv).conflicts_with("folds"))
            .mut_arg("folds", one)
    };
    let mut whole = Cli::command();
    // Numbers of rows or columns in these are those of the file.
    for name in ["influence", "clean", "meta", "poison"] {
        whole = whole.mut_subcommand(name, with_missing);
    }
    whole
        .mut_subcommand("sweep", |sweep| sweep.mut_args(with_values))
        .mut_subcommand("tune", |tune| beside_files(tune).mut_args(with_values))
}

/// The command with the treatments of missing cells that it has: errors and values.
fn with_missing(command: clap::Command) -> clap::Command {
    let parser = EnumValueParser::<MissingName>::new().try_map(|name| match name {
        MissingName::Drop => Err(
            "rows are called by their numbers in the file here; fill the cells \
             (mean, median, indicator), or leave the rows out of the file",
        ),
        _ => Ok(name),
    });
    command.mut_arg("missing", |missing| missing.value_parser(parser))
}

/// Parses a command line, the name of the program first.
///
/// Flags that another flag needs may stand in its configuration file: then nothing is missed here, and
/// the words are read again with those of the file.
pub fn parse(words: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let error = match command().try_get_matches_from(words) {
        Ok(matches) => return Ok((Cli::from_arg_matches(&matches)?, matches)),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument {
        let lenient = command().ignore_errors(true).try_get_matches_from(words)?;
        let cli = Cli::from_arg_matches(&lenient);
        if let Ok(cli) = cli
            && cli.command.config().is_some()
        {
            return Ok((cli, lenient));
        }
    }
    Err(error)
}
