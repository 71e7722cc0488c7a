//! The command line: flags → checked configuration → command → output.
//!
//! Exit status 0: done. 1: an error, an interruption, a fit that did not converge, or with `--strict` a
//! point that did not. 2: flags that cannot be understood or do not fit together.

mod arguments;
mod commands;
mod configuration;
mod device_choice;
mod failure;
mod model;
mod numbers;
mod origin;
mod output;
mod output_guard;
mod printable;
mod progress;
mod runtime;
mod usage;
mod whole;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::exec::gpu;
use arguments::{Command, command, parse};
#[cfg(feature = "paper")]
use commands::reproduce;
#[cfg(feature = "store")]
use commands::runs;
use commands::{
    clean, completions, compress, devices, fit, hypergrad, influence, meta, poison, predict, sweep,
    tune,
};
use failure::Failure;
use origin::Origin;

/// Parses the words of a command line, the program's name first, runs the command and returns the exit status.
#[must_use]
pub fn run(words: Vec<OsString>) -> u8 {
    let (cli, matches) = match parse(&words) {
        Ok(parsed) => parsed,
        Err(error) => return explain(&error, &words),
    };
    // A configuration file may name outputs too: its command looks at all of them itself.
    let is_configured = matches!(&cli.command, Command::Sweep(_) | Command::Tune(_));
    if !is_configured && let Err(failure) = output_guard::check(&command(), &matches) {
        return failure.report();
    }
    let environment = env_logger::Env::default().default_filter_or("warn");
    let mut log = env_logger::Builder::from_env(environment);
    log
        // Messages of drivers and their loader are not for the user; failures come as errors.
        .filter_module(gpu::DRIVER_LOG, log::LevelFilter::Off)
        .format(said_once());
    // The second command of a process, such as an interpreter, keeps the log of the first.
    let _ = log.try_init();
    let origin = Origin::of(&words);
    let result = match &cli.command {
        Command::Fit(arguments) => fit::run(arguments, &matches, &origin),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Hypergrad(arguments) => hypergrad::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments, &matches, &words),
        Command::Tune(arguments) => tune::run(arguments, &matches, &words),
        Command::Influence(arguments) => influence::run(arguments, &origin),
        Command::Clean(arguments) => clean::run(arguments, &origin),
        Command::Meta(arguments) => meta::run(arguments, &origin),
        Command::Compress(arguments) => compress::run(arguments),
        #[cfg(feature = "store")]
        Command::Runs(arguments) => runs::run(arguments, &origin),
        Command::Poison(arguments) => poison::run(arguments, &origin),
        #[cfg(feature = "paper")]
        Command::Reproduce(arguments) => reproduce::run(arguments, &origin),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
    };
    match result {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}

/// The report of the sweep in a store, written into a folder, as `runs report` does; or why it cannot be.
///
/// # Errors
/// The sentence of the failure.
#[cfg(feature = "store")]
pub fn report(store: &Path, folder: &Path) -> Result<(), String> {
    let folder = output::ReportFolder {
        place: folder,
        flag: "--out",
        origin: &Origin::default(),
    };
    output::report_so_far(store, &folder).map_err(|failure| failure.message())
}

/// A model that `fit --out` has saved.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SavedModel {
    /// The text of its `model.json`.
    pub head: String,
    /// Per target the coefficients in the data's units, (features, predictors) in C order.
    pub coefficients: Vec<Vec<f64>>,
}

/// Reads a model from its folder, or from the path of its `model.json`, as `predict` does.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) when a file cannot be read, [`Error::Data`](crate::Error::Data) when one is no part of a
/// model or the two are not of one, [`Error::Value`](crate::Error::Value) when a newer program wrote the model.
pub fn read_model(path: &Path) -> crate::error::Result<SavedModel> {
    let model = model::Model::load(path)?;
    // infallible: a record with string keys
    let head = serde_json::to_string(&model).expect("a record of numbers and strings");
    Ok(SavedModel {
        head,
        coefficients: model.coefficients,
    })
}

/// The format of the log: a level and one line that cannot steer a terminal; a warning that has been
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
        writeln!(
            out,
            "[{:<5}] {}",
            record.level(),
            printable::printable(&text)
        )
    }
}

/// Help and version as they are; usage errors in one line.
fn explain(error: &clap::Error, words: &[OsString]) -> u8 {
    if error.use_stderr() {
        return Failure::usage(usage::line(error, words)).report();
    }
    // A closed output leaves nobody to tell.
    let _ = error.print();
    0
}
