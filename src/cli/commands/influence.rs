//! `proxdiff influence`: what the criterion changes by when rows are left out.

use crate::cli::arguments::influence::Arguments;
use crate::cli::configuration::{Prepared, Rows, Study, column_of, points, settings};
use crate::cli::failure::Failure;
use crate::cli::origin::Origin;
use crate::cli::output::{InfluenceReport, Rendered, ReportFolder, RowGroups};
use crate::cli::runtime::Runtime;
use crate::hypergrad::{Influence, Influences, Settings};
use crate::kinds::Precision;

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    let settings = settings(&arguments.problem, &arguments.data, &arguments.solver, None)?;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let labels = arguments.influence.row_groups.as_deref();
    let column = labels.and_then(column_of);
    let study = Study::read_without(&arguments.data, &arguments.problem, false, column)?;
    if study.target_names().len() > 1 {
        return Err(Failure::usage(
            "influence takes one target at a time; name one with --target",
        ));
    }
    let row_names = match arguments.report {
        Some(_) => study.row_names()?,
        None => None,
    };
    let prepared = study.prepare(Rows::HeldOut)?;
    let groups = labels
        .map(|labels| groups(labels, &study, &prepared))
        .transpose()?;
    let problem = &prepared.problem.problem;
    let points = points(&arguments.problem, problem)?;
    let [point] = points.as_slice() else {
        return Err(Failure::usage(format!(
            "--l1 and --l2 make {} pairs where influence takes one; give one value each",
            points.len()
        )));
    };
    let settings = Settings {
        threads: runtime.threads(),
        device: runtime.choose_device(problem, &points, &settings)?,
        precision: runtime.precision,
        ..settings
    };
    if arguments.influence.exact && settings.precision != Precision::F64 {
        return Err(Failure::usage(
            "--exact takes differences that f32 has no digits for; leave --precision f32 out",
        ));
    }
    let total = match (arguments.influence.exact, &groups) {
        (false, _) => 1,
        (true, None) => 1 + prepared.rows,
        (true, Some(groups)) => 1 + groups.rows.len(),
    };
    let found = runtime.run(total, |control| {
        Influence::new(problem, point.clone())
            .settings(&settings)
            .control(control)
            .groups(groups.as_ref().map(|groups| groups.rows.clone()))
            .exact(arguments.influence.exact)
            .run()
    })?;
    let report = InfluenceReport {
        study: &study,
        prepared: &prepared,
        found: &found,
        row_names: row_names.as_deref(),
        groups: groups.as_ref(),
        own: arguments.influence.own,
        top: arguments.top,
    };
    // A page that cannot be written must not keep the rest from being said.
    let folder = ReportFolder::of(arguments.report.as_deref(), origin);
    let paged = folder.map_or(Ok(()), |folder| report.write_page(&folder));
    report.write(&arguments.output)?;
    paged?;
    conclude(&runtime, &found, arguments.solver.strict)
}

/// The training rows by their values in a column or file, in the order in which these appear.
fn groups(column: &str, study: &Study<'_>, prepared: &Prepared) -> Result<RowGroups, Failure> {
    let mut places = vec![None; study.tables().all.rows()];
    for row in 0..prepared.rows {
        places[prepared.row_in_data(row)] = Some(row);
    }
    let mut groups = RowGroups::default();
    for (name, rows) in study.by_label("--row-groups", column)? {
        let training: Vec<usize> = rows.iter().filter_map(|&row| places[row]).collect();
        if !training.is_empty() {
            groups.names.push(name);
            groups.rows.push(training);
        }
    }
    if groups.rows.len() == 1 {
        return Err(Failure::usage(format!(
            "--row-groups {column}: all rows are in one group, and without it none is left; name another column"
        )));
    }
    Ok(groups)
}

/// The exit status that an outcome asks for that has been printed.
fn conclude(runtime: &Runtime, found: &Influences, strict: bool) -> Result<(), Failure> {
    let missing = found.exact.as_ref().map_or(0, |exact| exact.missing);
    let all = found.influence.len();
    if runtime.is_interrupted() {
        return Err(Failure::Outcome(match &found.exact {
            Some(_) => format!("interrupted: {missing} of {all} refits are missing"),
            None => "interrupted before the fit with all rows was done; repeat the command".into(),
        }));
    }
    if strict && missing > 0 {
        return Err(Failure::Outcome(format!(
            "{missing} of {all} refits are missing; raise --max-steps or --time-budget, add ridge with --l2, \
             or drop --strict"
        )));
    }
    runtime.conclude(std::slice::from_ref(&found.outcome), strict)
}
