//! `proxdiff meta`: a prior mean and strengths that serve many tasks.

use crate::cli::arguments::meta::Arguments;
use crate::cli::arguments::{PenaltyName, ProblemArguments, Strengths};
use crate::cli::commands::fit::described;
use crate::cli::commands::kept::KeptStore;
use crate::cli::configuration::{
    Study, Taken, TaskChoice, Tasks, column_of, settings, single, single_ridge,
};
use crate::cli::failure::Failure;
use crate::cli::model::{MissingCells, Model, TargetModel};
use crate::cli::numbers::counted;
use crate::cli::origin::Origin;
use crate::cli::output::{CurvePoint, MetaReport, Rendered, ReportFolder};
use crate::cli::runtime::Runtime;
use crate::hypergrad::Settings;
use crate::kinds::{Precision, Status};
use crate::problem::{Point, Problem};
use crate::sweep::record::Plan;
use crate::sweep::study::fingerprint_of;
use crate::tune::{MetaLearned, MetaLearning, MetaVariable};

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    let settings = settings(&arguments.problem, &arguments.data, &arguments.solver, None)?;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    if runtime.precision != Precision::F64 {
        return Err(Failure::usage(
            "meta computes in f64; leave --precision out, and give --refine beside the device of a GPU",
        ));
    }
    if arguments.problem.prior.is_some() {
        return Err(Failure::usage("meta learns the prior; leave --prior out"));
    }
    let task = arguments.meta.task.as_deref();
    let taken = Taken {
        group: task.and_then(column_of),
        folder: true,
        fall_back: false,
    };
    let study = Study::read_taken(&arguments.data, &arguments.problem, taken)?;
    if study.target_names().len() > 1 {
        return Err(Failure::usage(
            "meta takes one target at a time; name one with --target",
        ));
    }
    let tasks = study.tasks(&TaskChoice {
        flag: "--task",
        name: task,
        splits: arguments.meta.splits,
        set_aside: arguments.meta.test_tasks,
    })?;
    let point = point(&arguments.problem, &arguments.meta.tune, &tasks.pooled)?;
    let settings = Settings {
        threads: runtime.threads(),
        device: runtime.choose_device(&tasks.pooled, std::slice::from_ref(&point), &settings)?,
        ..settings
    };
    let of_tasks = |count: usize| {
        let pooled = (count == tasks.learned()).then_some(&tasks.pooled);
        MetaLearning::new(&tasks.training[..count * tasks.splits])
            .test_tasks(&tasks.test)
            .pooled(pooled)
            .variables(arguments.meta.tune.clone())
            .at(point.clone())
            .max_evaluations(arguments.meta.max_evaluations)
            .splits(tasks.splits)
            .guard(arguments.meta.guard)
            .settings(&settings)
    };
    let store = KeptStore::open(arguments.store.as_deref(), || {
        let plan = of_tasks(tasks.learned()).plan(origin.as_configuration())?;
        Ok(described_plan(plan, &study, arguments)?)
    })?;
    let learn = |count: usize, control: &crate::control::Control| {
        let mut learning = of_tasks(count).control(control);
        if let Some(place) = store.place() {
            learning = learning.store(place);
            if count < tasks.learned() {
                learning = learning.store_part(counted(count, "task"));
            }
        }
        learning.run()
    };
    let counts = curve(
        arguments.meta.curve && !tasks.test.is_empty(),
        tasks.learned(),
    );
    let total = arguments.meta.max_evaluations * (1 + counts.len());
    let found = runtime.run_answering(store.interruption(), total, |control| {
        let learned = learn(tasks.learned(), control)?;
        let mut points = Vec::new();
        for tasks in counts.into_iter().filter(|_| !control.should_stop()) {
            let error = learn(tasks, control)?.error;
            points.extend(error.map(|error| CurvePoint { tasks, error }));
        }
        Ok((learned, points))
    });
    let released = store.release();
    let (learned, curve) = found?;
    let prior = in_data_units(&learned.prior, &tasks, study.predictors);
    // The model first: the reader of the report may close its pipe early.
    let saved = match &arguments.model {
        Some(directory) => {
            let named = study.target_names().first().map(ToString::to_string);
            let target = target(&study, named.unwrap_or_default(), &learned);
            let model = described(
                &study,
                &tasks.pooled,
                tasks.pooled.train().rows(),
                vec![prior.clone()],
                vec![target],
            );
            Model {
                missing: MissingCells::of(tasks.filled.as_deref(), &study.tables().indicators),
                ..model
            }
            .save(directory, "--model")
        }
        None => Ok(()),
    };
    let report = MetaReport {
        study: &study,
        tasks: &tasks,
        learned: &learned,
        prior: &prior,
        learns: &arguments.meta.tune,
        curve: &curve,
        model: arguments.model.as_deref().filter(|_| saved.is_ok()),
    };
    // A page that cannot be written must not keep the rest from being said.
    let folder = ReportFolder::of(arguments.report.as_deref(), origin);
    let paged = folder.map_or(Ok(()), |folder| report.write_page(&folder));
    report.write(&arguments.output)?;
    paged?;
    saved?;
    released?;
    store.check_place("meta-learning")?;
    if runtime.is_interrupted() {
        return Err(Failure::Outcome(format!(
            "interrupted after {} evaluations: the best so far is printed{}",
            learned.evaluations,
            store.how_to_go_on()
        )));
    }
    Ok(())
}

/// The plan with the names of the data, and with what decides how rows are dealt into tasks and splits.
fn described_plan(mut plan: Plan, study: &Study<'_>, arguments: &Arguments) -> crate::Result<Plan> {
    let rows = study.rows(&study.tables().all)?;
    // infallible: the plan of one learning has one study
    let own = plan.studies.first_mut().expect("a study");
    own.name = study.source().to_string();
    own.source = study.source().to_string();
    own.targets = study
        .target_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    own.rows = study.tables().all.rows();
    own.features = study.feature_names().to_vec();
    // The hash of the tasks says how rows are dealt; that of the rows says whether they are others.
    own.folds_digest = std::mem::replace(&mut own.fingerprint, fingerprint_of(&rows));
    let lines = [
        format!("seed = {}", arguments.data.seed),
        format!("val-fraction = {}", study.share()),
        format!("test-tasks = {}", arguments.meta.test_tasks),
    ];
    own.settings = format!("{}\n{}", own.settings, lines.join("\n"));
    Ok(plan)
}

/// Numbers of tasks for the learning curve, all of them not among these.
fn curve(is_wanted: bool, tasks: usize) -> Vec<usize> {
    let powers = (1..usize::BITS).map(|power| 1usize << power);
    powers
        .take_while(|&count| is_wanted && count < tasks)
        .collect()
}

/// The strengths that are not learned.
fn point(
    arguments: &ProblemArguments,
    learned: &[MetaVariable],
    pooled: &Problem,
) -> Result<Point, Failure> {
    let one = |flag: &str, axis: &Strengths, l2: f64| {
        let takes = "meta takes one; give one value, or learn it with --tune";
        single(flag, axis, takes, || pooled.l1_max(0, l2))
    };
    for (name, flag) in [
        (MetaVariable::L1, &arguments.l1),
        (MetaVariable::L2, &arguments.l2),
    ] {
        if flag.is_some() && learned.contains(&name) {
            let name = name.name();
            return Err(Failure::usage(format!(
                "--{name} fixes what is learned; leave it out, or name the others with --tune"
            )));
        }
    }
    let l2 = match &arguments.l2 {
        Some(axis) => one("--l2", axis, 0.0)?,
        None => single_ridge(arguments),
    };
    let l1 = match &arguments.l1 {
        _ if arguments.penalty == PenaltyName::Box => 0.0,
        Some(axis) => one("--l1", axis, l2)?,
        None if arguments.l1_file.is_some() => 1.0,
        None => 0.0,
    };
    Ok(Point::new(l1, l2))
}

/// A prior in the data's units.
fn in_data_units(prior: &[f64], tasks: &Tasks, classes: usize) -> Vec<f64> {
    let entries = prior.iter().enumerate();
    entries
        .map(|(at, c)| c / tasks.scale[at / classes])
        .collect()
}

/// The prior as the model of a target.
fn target(study: &Study<'_>, name: String, learned: &MetaLearned) -> TargetModel {
    let classes = study.classes.first().and_then(Option::as_ref);
    TargetModel {
        name,
        classes: classes.map(|classes| classes.names.clone()),
        l1: learned.l1,
        l2: learned.l2,
        relax: None,
        intercept: learned.intercept.clone(),
        objective: None,
        support: learned.prior.iter().filter(|c| **c != 0.0).count(),
        residual: None,
        duality_gap: None,
        status: Status::Converged.name().into(),
    }
}
