//! `proxdiff clean`: weights of the training rows under which a fit does best on trusted rows.

use super::fit::model;
use crate::cli::arguments::clean::Arguments;
use crate::cli::arguments::{PenaltyName, ProblemArguments, Strengths};
use crate::cli::configuration::{
    Prepared, Rows, Study, column_of, read_labels, settings, single, single_ridge,
};
use crate::cli::failure::Failure;
use crate::cli::origin::Origin;
use crate::cli::output::{CleanedReport, Rendered, ReportFolder};
use crate::cli::runtime::Runtime;
use crate::data::labels::names_of;
use crate::hypergrad::Settings;
use crate::kinds::Status;
use crate::problem::{Point, Problem};
use crate::tune::Cleaning;

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    let settings = settings(&arguments.problem, &arguments.data, &arguments.solver, None)?;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let corrupted = arguments.cleaning.corrupted.as_deref();
    let column = corrupted.and_then(column_of);
    let study = Study::read_without(&arguments.data, &arguments.problem, false, column)?;
    if study.target_names().len() > 1 {
        return Err(Failure::usage(
            "clean takes one target at a time; name one with --target",
        ));
    }
    let row_names = match arguments.report {
        Some(_) => study.row_names()?,
        None => None,
    };
    let prepared = study.prepare(Rows::HeldOut)?;
    let corrupted = corrupted
        .map(|name| corruption(arguments, name, &study, &prepared))
        .transpose()?;
    let problem = &prepared.problem.problem;
    let (point, tunes_ridge) = point(&arguments.problem, problem)?;
    let settings = Settings {
        threads: runtime.threads(),
        device: runtime.choose_device(problem, std::slice::from_ref(&point), &settings)?,
        precision: runtime.precision,
        ..settings
    };
    let found = runtime.run(arguments.cleaning.max_evaluations, |control| {
        Cleaning::new(problem, point.clone())
            .tune_ridge(tunes_ridge)
            .judging(arguments.cleaning.judging_share, arguments.data.seed)
            .max_evaluations(arguments.cleaning.max_evaluations)
            .settings(&settings)
            .control(control)
            .run()
    })?;
    // The model first: the reader of the report may close its pipe early.
    let saved = match &arguments.model {
        Some(_) if found.outcome.status != Status::Converged => Err(Failure::Outcome(format!(
            "the fit with the weights ended {}: no model was saved; raise --max-steps, --time-budget or --tol",
            found.outcome.status.name()
        ))),
        Some(directory) => model(&study, &prepared, std::slice::from_ref(&found.outcome), &[])
            .save(directory, "--model"),
        None => Ok(()),
    };
    let report = CleanedReport {
        study: &study,
        prepared: &prepared,
        found: &found,
        row_names: row_names.as_deref(),
        corrupted: corrupted.as_deref(),
        detection: corrupted
            .as_deref()
            .map(|rows| found.detection(rows))
            .transpose()?,
        top: arguments.top,
        model: arguments.model.as_deref().filter(|_| saved.is_ok()),
    };
    // A page that cannot be written must not keep the rest from being said.
    let folder = ReportFolder::of(arguments.report.as_deref(), origin);
    let paged = folder.map_or(Ok(()), |folder| report.write_page(&folder));
    report.write(&arguments.output)?;
    paged?;
    saved?;
    if runtime.is_interrupted() {
        return Err(Failure::Outcome(format!(
            "interrupted after {} fits: the best weights so far are printed",
            found.evaluations
        )));
    }
    runtime.conclude(
        std::slice::from_ref(&found.outcome),
        arguments.solver.strict,
    )
}

/// The point to start at, and whether λ₂ is to be tuned from there.
fn point(arguments: &ProblemArguments, problem: &Problem) -> Result<(Point, bool), Failure> {
    let one = |flag: &str, axis: &Strengths, l2: f64| {
        single(flag, axis, "clean takes one; give one value", || {
            problem.l1_max(0, l2)
        })
    };
    let given = arguments
        .l2
        .as_ref()
        .filter(|axis| !axis.values(1.0).is_empty());
    let l2 = given.map(|axis| one("--l2", axis, 0.0)).transpose()?;
    let start = l2.unwrap_or_else(|| single_ridge(arguments));
    let l1 = match &arguments.l1 {
        _ if arguments.penalty == PenaltyName::Box => 0.0,
        Some(axis) => one("--l1", axis, start)?,
        None if arguments.l1_file.is_some() => 1.0,
        None => 0.0,
    };
    Ok((Point::new(l1, start), l2.is_none()))
}

/// Whether each training row is known to be wrong.
fn corruption(
    arguments: &Arguments,
    name: &str,
    study: &Study<'_>,
    prepared: &Prepared,
) -> Result<Vec<bool>, Failure> {
    let all = &study.tables().all;
    let labels = names_of(&read_labels(&arguments.data, "--corrupted", name, all)?);
    let wrong = |row: usize| -> Result<bool, Failure> {
        let of_data = prepared.row_in_data(row);
        match labels[of_data].to_ascii_lowercase().as_str() {
            "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            other => Err(Failure::usage(format!(
                "--corrupted {name}: row {of_data} has {other}; give 0 or false for a row that is right, 1 or \
                 true for one that is wrong"
            ))),
        }
    };
    (0..prepared.rows).map(wrong).collect()
}
