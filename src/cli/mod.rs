//! The command line: flags → checked configuration → command → output.
//!
//! Exit status 0: done. 1: an error, an interruption, a fit that did not converge, or with `--strict` a
//! point that did not. 2: flags that cannot be understood or do not fit together.

mod arguments;
mod commands;
mod configuration;
mod failure;
mod model;
mod output;
mod overwriting;
mod place;
mod progress;
mod runtime;
mod usage;
mod whole;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exec::gpu;
#[cfg(feature = "paper")]
use commands::reproduce;
use commands::{completions, devices, fit, hypergrad, poison, predict, runs, sweep};
use failure::Failure;

/// Solutions and hypergradients of sparse linear models.
///
/// proxdiff fits penalised linear models in batches, by fixed-point iteration, and differentiates a
/// criterion on held-out rows with respect to the strengths of the penalties and other
/// hyperparameters: through the nonsmooth fixed point, by several methods that check each other.
#[derive(Debug, Parser)]
#[command(name = "proxdiff", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  proxdiff sweep                                           the embedded data, nothing needed
  proxdiff hypergrad data.csv --target price --l1 0.1 --l2 0.01
  proxdiff fit data.csv --target price --l1 0.1 --out model
  proxdiff predict new.csv --model model

Exit status: 0 done; 1 an error, an interruption, a fit that did not converge, or with --strict a point \
that did not; 2 flags that cannot be understood. RUST_LOG=info shows what the program does.";

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Look into the stores of sweeps: list, show, compare, export, report, verify, merge.
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

/// Parses the process's arguments, runs the command and returns the exit status.
#[must_use]
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (cli, matches) = match parse(&words) {
        Ok(parsed) => parsed,
        Err(error) => return explain(&error, &words),
    };
    // Where a sweep is planned, its configuration may have a word in it.
    let is_planned = matches!(&cli.command, Command::Sweep(sweep) if sweep.is_planned());
    if !is_planned && let Err(failure) = overwriting::check(&command(), &matches) {
        return failure.report();
    }
    let environment = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(environment)
        // What drivers and their loader say is not for the user; failures come as errors.
        .filter_module(gpu::DRIVER_LOG, log::LevelFilter::Off)
        .format(said_once())
        .init();
    let result = match &cli.command {
        Command::Fit(arguments) => fit::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Hypergrad(arguments) => hypergrad::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Poison(arguments) => poison::run(arguments),
        #[cfg(feature = "paper")]
        Command::Reproduce(arguments) => reproduce::run(arguments),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// All commands and their flags.
///
/// A switch of `sweep` takes `=false`, so that the command line can turn off what a configuration
/// file turns on.
fn command() -> clap::Command {
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
    Cli::command().mut_subcommand("sweep", |sweep| sweep.mut_args(with_values))
}

/// How the log is written: a level and one line that cannot steer a terminal; a warning that has been
/// said, as when a file is read twice, is not repeated.
fn said_once()
-> impl Fn(&mut env_logger::fmt::Formatter, &log::Record<'_>) -> std::io::Result<()> + Send + Sync {
    let said = Mutex::new(HashSet::new());
    move |out, record| {
        let text = record.args().to_string();
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if record.level() <= log::Level::Warn && !said.insert(text.clone()) {
            return Ok(());
        }
        writeln!(out, "[{:<5}] {}", record.level(), output::printable(&text))
    }
}

fn parse(words: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let error = match command().try_get_matches_from(words) {
        Ok(matches) => return Ok((Cli::from_arg_matches(&matches)?, matches)),
        Err(error) => error,
    };
    // What a flag of a sweep needs may stand in the configuration file, with which the words are
    // read again.
    if error.kind() == ErrorKind::MissingRequiredArgument {
        let lenient = command().ignore_errors(true).try_get_matches_from(words)?;
        let cli = Cli::from_arg_matches(&lenient);
        if let Ok(cli) = cli
            && matches!(&cli.command, Command::Sweep(sweep) if sweep.config_file().is_some())
        {
            return Ok((cli, lenient));
        }
    }
    Err(error)
}

/// Help and version as they are; usage errors in one line.
fn explain(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if error.use_stderr() {
        return Failure::usage(usage::line(error, words)).report();
    }
    // A closed output leaves nobody to tell.
    let _ = error.print();
    ExitCode::SUCCESS
}
