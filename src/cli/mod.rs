//! The command line: flags → checked configuration → command → output.
//!
//! Exit status 0: done. 1: an error, an interruption, or with `--strict` a point that did not
//! converge. 2: flags that cannot be understood or do not fit together.

mod arguments;
mod commands;
mod configuration;
mod failure;
mod model;
mod output;
mod place;
mod progress;
mod runtime;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use commands::{completions, devices, fit, hypergrad, poison, predict, reproduce, runs, sweep};
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

Exit status: 0 done; 1 an error, an interruption, or with --strict a point that did not converge;
2 flags that cannot be understood. RUST_LOG=info shows what the program does.";

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
    /// Look into the stores of sweeps: list, show, compare, export, verify, merge.
    #[command(after_help = runs::EXAMPLES)]
    Runs(runs::Arguments),
    /// Measure how robust a model of one's own is against perturbed training rows.
    #[command(after_help = poison::EXAMPLES)]
    Poison(Box<poison::Arguments>),
    /// Run a published experiment: numbers, figures, a page.
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let environment = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(environment)
        // What drivers and their loader say is not for the user; failures come as errors.
        .filter_module("wgpu_hal", log::LevelFilter::Off)
        .filter_module("wgpu_core", log::LevelFilter::Error)
        .format_timestamp(None)
        .format_target(false)
        .init();
    let result = match &cli.command {
        Command::Fit(arguments) => fit::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Hypergrad(arguments) => hypergrad::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Poison(arguments) => poison::run(arguments),
        Command::Reproduce(arguments) => reproduce::run(arguments),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Help and version as they are; a bad value in one line; other usage errors with their usage.
fn explain(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::ValueValidation {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        let message = line.strip_prefix("error: ").unwrap_or(line);
        return Failure::usage(message).report();
    }
    // A closed output leaves nobody to tell.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}
