//! `proxdiff reproduce`: the published experiments, with figures and numbers.

use std::path::Path;

use crate::cli::arguments::reproduce::{
    Arguments, Deterministic, Experiment, Poisoning, Stochastic,
};
use crate::cli::failure::Failure;
use crate::cli::numbers::short;
use crate::cli::origin::Origin;
use crate::cli::output::write_text;
use crate::cli::runtime::Runtime;
use crate::cli::whole::write_whole;
use crate::error::Error;
use crate::hypergrad::Settings;
use crate::kinds::Precision;
use crate::paper::digits::Digits;
use crate::paper::{Record, Setting, deterministic, figures, poisoning, stochastic};
use crate::report::{Theme, png};

/// Whether an experiment may write a file of this name into the directory of --out.
pub fn has_file(name: &str) -> bool {
    let is_of = |experiment: &str| name.starts_with(experiment);
    let ends = [".json", ".svg", ".png", ".html"];
    ["deterministic", "stochastic", "poisoning"]
        .into_iter()
        .any(is_of)
        && ends.iter().any(|end| name.ends_with(end))
}

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    match &arguments.experiment {
        Experiment::Deterministic(arguments) => deterministic(arguments, origin),
        Experiment::Stochastic(arguments) => stochastic(arguments, origin),
        Experiment::Poisoning(arguments) => poisoning(arguments, origin),
    }
}

fn deterministic(arguments: &Deterministic, origin: &Origin) -> Result<(), Failure> {
    if arguments.runtime.precision == Some(Precision::F32) {
        return Err(Failure::usage(
            "the deterministic experiment resolves errors down to 1e-12, in f64 alone; drop --precision",
        ));
    }
    let runtime = Runtime::new(&arguments.runtime, None)?;
    if arguments.runtime.asks_for_gpu() {
        return Err(Error::unsupported(
            "the deterministic experiment on a GPU, which has no f64",
            "use --device cpu",
        )
        .into());
    }
    let options = deterministic::Options {
        seed: arguments.seed,
        ..deterministic::Options::default()
    };
    let curves = options.settings.len() * deterministic::METHODS.len();
    let record = runtime.run(curves, |control| deterministic::run(&options, control))?;
    let saved = save(&record, &arguments.place.out, origin);
    let levels = [1e-2, 1e-4, 1e-6, 1e-8];
    let mut text = String::new();
    for setting in &record.settings {
        text += &format!(
            "l1 = {}, l2 = {}: support of {} identified at {}\n",
            setting.l1,
            setting.l2,
            setting.support,
            setting
                .support_identified_at
                .map_or("no step taken".into(), |t| format!("t = {t}")),
        );
        text += &first_steps(setting, &levels);
    }
    conclude(&record, &arguments.place.out, text, saved)
}

fn stochastic(arguments: &Stochastic, origin: &Origin) -> Result<(), Failure> {
    let runtime = Runtime::new(&arguments.runtime, None)?;
    let options = stochastic::Options {
        seed: arguments.seed,
        runs: arguments.runs,
        samples: arguments.samples,
        checkpoints: stochastic::checkpoints(arguments.steps),
        independent: arguments.independent,
        // The fast path is the CPU's; recordings run anywhere.
        recorded: arguments.runtime.asks_for_gpu().then(|| Settings {
            device: runtime.devices().swap_remove(0),
            ..Settings::default()
        }),
        ..stochastic::Options::default()
    };
    let total = options.runs * options.checkpoints.len() * options.methods.len();
    let work = |control: &_| stochastic::run(&options, runtime.precision, control);
    let record = runtime.run(total, work)?;
    let saved = save(&record, &arguments.place.out, origin);
    let text = record.settings.iter().map(last_errors).collect();
    conclude(&record, &arguments.place.out, text, saved)
}

fn poisoning(arguments: &Poisoning, origin: &Origin) -> Result<(), Failure> {
    if arguments.runtime.asks_for_gpu() {
        return Err(Error::unsupported(
            "the poisoning experiment on a GPU",
            "use --device cpu, where a minibatch costs what its rows cost",
        )
        .into());
    }
    let runtime = Runtime::new(&arguments.runtime, None)?;
    let (digits, steps, batch) = match (&arguments.images, &arguments.labels) {
        (Some(images), Some(labels)) => (Digits::read(images, labels)?, 20_000, 300),
        _ => (Digits::draw(1200, 12, arguments.seed), 2000, 60),
    };
    let options = poisoning::Options {
        seed: arguments.seed,
        runs: arguments.runs,
        batch: arguments.minibatch.unwrap_or(batch),
        checkpoints: poisoning::checkpoints_to(arguments.steps.unwrap_or(steps)),
        ..poisoning::Options::default()
    };
    let total = options.runs * options.checkpoints.len() * options.methods.len();
    let work = |control: &_| poisoning::run(&digits, &options, runtime.precision, control);
    let record = runtime.run(total, work)?;
    let saved = save(&record, &arguments.place.out, origin);
    let text = record.settings.iter().map(last_errors).collect();
    conclude(&record, &arguments.place.out, text, saved)
}

/// The error at the end of every curve.
fn last_errors(setting: &Setting) -> String {
    let mut text = format!(
        "l1 = {}, l2 = {}: median error at the end (10 % to 90 % of the runs)\n",
        setting.l1, setting.l2
    );
    for curve in &setting.curves {
        let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
        text += &format!(
            "  {:<34} {:.2e}  ({:.2e} to {:.2e}) after {} samples\n",
            curve.method.label(),
            last(&curve.error),
            last(&curve.low),
            last(&curve.high),
            last(&curve.x)
        );
    }
    text
}

/// The first x of every curve at or below each level.
fn first_steps(setting: &Setting, levels: &[f64]) -> String {
    let mut text = String::new();
    for curve in &setting.curves {
        let first: Vec<String> = levels
            .iter()
            .map(|&level| {
                let at = curve.first_at(level).map_or("never".into(), short);
                format!("{level:.0e} at {at}")
            })
            .collect();
        text += &format!("  {:<34} {}\n", curve.method.label(), first.join(", "));
    }
    text
}

/// Writes numbers, figures and page.
fn save(record: &Record, directory: &Path, origin: &Origin) -> Result<(), Failure> {
    let name = record.experiment;
    let put = |file: String, bytes: &[u8]| {
        let path = directory.join(file);
        write_whole(&path, bytes).map_err(|source| Failure::unwritable("--out", &path, &source))
    };
    std::fs::create_dir_all(directory)
        .map_err(|source| Failure::unwritable("--out", directory, &source))?;
    let json = serde_json::to_string(record)
        .map_err(|error| Failure::unwritable("--out", directory, &error.into()))?;
    put(format!("{name}.json"), json.as_bytes())?;
    for (at, setting) in record.settings.iter().enumerate() {
        let plot = figures::plot(record, setting);
        let name = match record.settings.len() {
            1 => name.to_string(),
            _ => format!("{name}-{}", at + 1),
        };
        put(format!("{name}.svg"), plot.svg(Theme::Auto).as_bytes())?;
        put(
            format!("{name}.png"),
            &png::from_svg(&plot.svg(Theme::Light), 2.0)?,
        )?;
    }
    let mut page = figures::page(record);
    page.head = origin.head(page.head.title, Vec::new())?;
    put(format!("{name}.html"), page.html().as_bytes())
}

/// Prints what was found, also where it could not be saved.
fn conclude(
    record: &Record,
    directory: &Path,
    summary: String,
    saved: Result<(), Failure>,
) -> Result<(), Failure> {
    let place = match saved {
        Ok(()) => format!("; numbers and figures are in {}", directory.display()),
        Err(_) => String::new(),
    };
    write_text(&format!("{summary}{:.2} s{place}\n", record.seconds), None)?;
    saved
}
