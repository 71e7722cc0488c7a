//! `proxdiff fit`: solves the inner problem and saves the model.

use clap::ArgMatches;
use serde_json::json;

use crate::cli::arguments::fit::Arguments;
use crate::cli::arguments::{
    DataArguments, Format, LossName, OutputArguments, ProblemArguments, RuntimeArguments, Shapes,
    SolverArguments,
};
use crate::cli::configuration::{
    Prepared, Study, check_adaptive, in_ratio, points, points_of, read_test, settings,
};
use crate::cli::failure::Failure;
use crate::cli::model::{MissingCells, Model, TargetModel};
use crate::cli::origin::Origin;
use crate::cli::output::{
    Beside, Chosen, FitPage, Rendered, Report, ReportFolder, Tested, choices_table, write_text,
};
use crate::cli::runtime::Runtime;
use crate::data::dataset::Dataset;
use crate::hypergrad::Outcome;
use crate::kinds::Status;
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::sweep::stages::Stages;

mod choice;
#[cfg(feature = "store")]
mod stored;
#[cfg(not(feature = "store"))]
#[path = "fit/no_store.rs"]
mod stored;
mod subject;

use stored::Stored;
use subject::Subject;

/// The flags of the data, the problem and its solution: those of the command, or of the sweep in a store.
struct Flags<'a> {
    data: &'a DataArguments,
    problem: &'a ProblemArguments,
    solver: &'a SolverArguments,
    runtime: &'a RuntimeArguments,
}

/// Runs the command whose flags and matches these are.
pub fn run(arguments: &Arguments, matches: &ArgMatches, origin: &Origin) -> Result<(), Failure> {
    let stored = Stored::read(arguments, matches)?;
    let flags = match &stored {
        Some(Stored {
            arguments: swept, ..
        }) => Flags {
            data: &swept.data,
            problem: &swept.problem,
            solver: &swept.solver,
            runtime: &swept.runtime,
        },
        None => Flags {
            data: &arguments.data,
            problem: &arguments.problem,
            solver: &arguments.solver,
            runtime: &arguments.runtime,
        },
    };
    let settings = settings(flags.problem, flags.data, flags.solver, None)?;
    check_test(arguments, flags.problem)?;
    let wanted = match stored {
        Some(_) => None,
        None => choice::wanted(arguments)?,
    };
    let runtime = Runtime::new(flags.runtime, flags.solver.time_budget)?;
    let subject = match (&stored, wanted) {
        (Some(stored), _) => stored.chosen(arguments, &runtime)?,
        (None, Some(wanted)) => choice::chosen(arguments, wanted, &runtime)?,
        (None, None) => single(arguments)?,
    };
    let Subject {
        study,
        prepared,
        points,
        chosen,
        shares,
        held_out,
        set_aside,
    } = &subject;
    let files = read_test(
        flags.data,
        study.tables(),
        arguments.test.x_test.as_deref(),
        arguments.test.y_test.as_deref(),
    )?;
    let problem = &prepared.problem.problem;
    let outcomes = runtime.evaluate(problem, points, &settings)?;
    let outcomes = runtime.relaxed(&prepared.problem, &settings, outcomes, shares)?;
    let model = model(study, prepared, &outcomes, shares);
    let rows = files.as_ref().or(set_aside.as_ref());
    let rows = rows.map(|rows| model.filled(rows.clone()));
    let test = match &rows {
        Some(rows) => Some(Tested::of(&model, rows)?),
        None => None,
    };
    // The model first: the reader of the report may close its pipe early.
    let saved = save(&model, study, &outcomes, &runtime, arguments);

    // A page that cannot be written must not keep the rest from being said.
    let paged = match ReportFolder::of(arguments.report.as_deref(), origin) {
        Some(folder) => {
            let predicted = match &rows {
                Some(rows) => Tested::predicted(&model, rows)?,
                None => Vec::new(),
            };
            let page = FitPage {
                study,
                prepared,
                outcomes: &outcomes,
                chosen: chosen.as_deref(),
                held_out,
                tested: test.as_deref().unwrap_or_default(),
                predicted: &predicted,
                set_aside: set_aside.as_ref().map_or(0, Dataset::rows),
                not_saved: saved.as_ref().err().map(Failure::message),
            };
            page.write(&folder)
        }
        None => Ok(()),
    };
    let output = OutputArguments {
        format: Some(arguments.format),
        out: None,
    };
    Report {
        study,
        prepared,
        settings: &settings,
        runtime: &runtime,
        outcomes: &Vec::from_iter(&outcomes),
        best: None,
        coefficients: arguments.coefficients,
        diagnostics: false,
        beside: Some(&beside(chosen.as_deref(), test.as_deref())),
    }
    .write(&output)?;
    paged.and(saved)?;
    if arguments.format == Format::Table {
        let note = format!("Model saved to {}\n", arguments.out.display());
        write_text(&note, None)?;
    }
    runtime.conclude(&outcomes, flags.solver.strict)
}

/// The choice and the scores beside the fit.
fn beside(chosen: Option<&[Chosen]>, test: Option<&[Tested]>) -> Beside {
    let mut beside = Beside::default();
    if let Some(chosen) = chosen {
        beside.above = choices_table(chosen);
        beside.fields.insert("choice".into(), json!(chosen));
    }
    if let Some(test) = test {
        beside.below = test.iter().map(Tested::table).collect();
        beside.fields.insert("test".into(), json!(test));
    }
    beside
}

/// The fit at the only point.
fn single(arguments: &Arguments) -> Result<Subject<'_>, Failure> {
    let mut study = Study::read(&arguments.data, &arguments.problem, false)?;
    let set_aside = match arguments.test.test_fraction {
        Some(share) if share > 0.0 => Some(study.set_aside(share)?),
        _ => None,
    };
    let stages = match arguments.stages.each().as_slice() {
        [stages] => *stages,
        // Several are chosen among.
        _ => Stages::default(),
    };
    let prepared = study.take(stages)?;
    let problem = &prepared.problem.problem;
    let settings = settings(&arguments.problem, &arguments.data, &arguments.solver, None)?;
    let relaxed = Stages {
        adaptive: None,
        ..stages
    };
    relaxed.check(problem.penalty(), problem.train().targets.len(), &settings)?;
    let points = if in_ratio(&arguments.space) {
        points_of(&choice::space(arguments)?, problem)?
    } else {
        points(&arguments.problem, problem)?
    };
    check_adaptive(stages, points.iter().map(|point| point.l1))?;
    Ok(Subject {
        study,
        prepared,
        shares: vec![stages.relax; points.len()],
        points,
        chosen: None,
        held_out: Vec::new(),
        set_aside,
    })
}

/// Refuses test rows of what has no rows.
fn check_test(arguments: &Arguments, problem: &ProblemArguments) -> Result<(), Failure> {
    let own = &arguments.test;
    let has_test = own.x_test.is_some() || own.test_fraction.is_some_and(|share| share > 0.0);
    let message = match problem.criterion {
        _ if !has_test => return Ok(()),
        _ if problem.loss == LossName::Quadratic => {
            "a quadratic form has no rows to test on; leave --x-test and --test-fraction out"
        }
        Some(criterion) if of_classes(criterion) != of_classes(problem.loss) => {
            "test rows have scores of numbers or of classes, and --loss and --criterion differ in that; leave \
             --x-test and --test-fraction out"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(message))
}

/// Whether a loss has classes.
fn of_classes(loss: LossName) -> bool {
    loss.loss(Shapes::default()).is_classification()
}

/// Saves a model that is worth it: with --force a fit need not have converged, but there must be
/// numbers.
fn save(
    model: &Model,
    study: &Study<'_>,
    outcomes: &[Outcome],
    runtime: &Runtime,
    arguments: &Arguments,
) -> Result<(), Failure> {
    if runtime.is_interrupted() {
        return Err(Failure::Outcome("interrupted: no model was saved".into()));
    }
    let all_finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    for (target, coefficients) in model.targets.iter().zip(&model.coefficients) {
        if !(all_finite(coefficients) && all_finite(&target.intercept)) {
            return Err(Failure::Outcome(format!(
                "the fit of {} ended {} without finite coefficients: no model was saved; raise \
                 --l2 or --l1, or check the scale of the data",
                target.name, target.status
            )));
        }
    }
    let converged = |outcome: &&Outcome| outcome.status == Status::Converged;
    if let Some(outcome) = outcomes.iter().find(|outcome| !converged(outcome))
        && !arguments.force
    {
        return Err(Failure::Outcome(not_converged(study, outcome)));
    }
    model.save(&arguments.out, "--out")
}

/// The message for a fit that did not converge: its status, and what helps.
fn not_converged(study: &Study<'_>, outcome: &Outcome) -> String {
    let names = study.target_names();
    let name = names.get(outcome.point.target).copied().unwrap_or_default();
    let remedy = match outcome.status {
        Status::BudgetSpent | Status::Running => "raise --max-steps, --time-budget or --tol",
        Status::Stalled => "use --precision f64 if it is f32, raise --l2, or give --tol",
        _ => "raise --l2 or --l1, or check the scale of the data",
    };
    format!(
        "the fit of {name} ended {}: no model was saved; {remedy}, or save it as it is with --force",
        outcome.status.name()
    )
}

/// The model of outcomes, one per target.
///
/// `shares` are those of the lasso in each, where it is relaxed.
pub(super) fn model(
    study: &Study<'_>,
    prepared: &Prepared,
    outcomes: &[Outcome],
    shares: &[Option<f64>],
) -> Model {
    let names = study.target_names();
    let problem = &prepared.problem.problem;
    let finite = |value: f64| value.is_finite().then_some(value);
    let (mut coefficients, mut targets) = (Vec::new(), Vec::new());
    for (number, outcome) in outcomes.iter().enumerate() {
        let at = outcome.point.target;
        let (values, intercept) = prepared.problem.in_data_units(&outcome.solution, at);
        let classes = study.classes.get(at).and_then(Option::as_ref);
        coefficients.push(values);
        targets.push(TargetModel {
            name: names.get(at).map(ToString::to_string).unwrap_or_default(),
            classes: classes.map(|classes| classes.names.clone()),
            l1: outcome.point.l1,
            l2: outcome.point.l2,
            relax: shares.get(number).copied().flatten(),
            intercept,
            objective: finite(outcome.objective),
            support: outcome.support,
            residual: finite(outcome.residual),
            duality_gap: outcome.duality_gap.and_then(finite),
            status: outcome.status.name().into(),
        });
    }
    let values = prepared.problem.filled();
    Model {
        missing: MissingCells::of(values, &study.tables().indicators),
        ..described(study, problem, prepared.rows, coefficients, targets)
    }
}

/// A model of these fits, with the names of the data.
pub(super) fn described(
    study: &Study<'_>,
    problem: &Problem,
    rows: usize,
    coefficients: Vec<Vec<f64>>,
    targets: Vec<TargetModel>,
) -> Model {
    let scaling = study.scaling();
    Model {
        schema: Model::schema_of(problem.loss, study.offset_column().is_some()),
        version: env!("CARGO_PKG_VERSION").into(),
        source: study.source().into(),
        loss: problem.loss.name().into(),
        penalty: problem.penalty.name().into(),
        huber_delta: match problem.loss {
            Loss::Huber { delta } => Some(delta),
            _ => None,
        },
        tweedie_power: match problem.loss {
            Loss::Tweedie { power } => Some(power),
            _ => None,
        },
        intercept: scaling.intercept,
        standardize: scaling.standardize,
        rows,
        feature_names: study.feature_names().to_vec(),
        features_are_named: Some(study.tables().all.named.features),
        factors: study.tables().all.factors.clone(),
        offset: study.offset_column().map(str::to_owned),
        missing: None,
        // That of the file, which does not exist yet.
        coefficients_digest: None,
        targets,
        coefficients,
    }
}
