//! `proxdiff tune`: the criterion minimised over hyperparameters, and the model at the best point.

use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;
use rayon::prelude::*;

use super::fit::model;
use super::kept::KeptStore;
use crate::cli::arguments::tune::{Arguments, Assignment, CriterionRule};
use crate::cli::arguments::{PenaltyName, Strengths};
use crate::cli::configuration::{
    Described, Parts, Prepared, SINGLE_SHARE, Study, read_test, single, single_ridge, study_of,
};
use crate::cli::failure::Failure;
use crate::cli::numbers::{short, significant};
use crate::cli::origin::Origin;
use crate::cli::output::{Known, Rendered, ReportFolder, Scores, TunedReport, range_text};
use crate::cli::output_guard;
use crate::cli::progress::Progress;
use crate::cli::runtime::Runtime;
use crate::cli::whole::write_whole;
use crate::data::missing::fill;
use crate::engine::products::predictors;
use crate::error::Error;
use crate::hypergrad::{Evaluator, Information, Outcome, Settings};
use crate::kinds::{Method, Status};
use crate::problem::{Point, Problem, Rows};
use crate::sweep::folds::Fold;
use crate::sweep::stages::Stages;
use crate::sweep::study::{Filled, FoldProblem, Study as SweepStudy};
use crate::tune::{Hyperparameter, Start, Sure, Tuned, Tuner, Variable, with_vectors};

/// Runs the command that `words` make, whose flags and matches these are.
pub fn run(given: &Arguments, matches: &ArgMatches, words: &[OsString]) -> Result<(), Failure> {
    let described = Described::of(given, matches, words)?;
    let parts = described.studies.iter().map(|study| &study.matches);
    output_guard::check_configured("tune", parts)?;
    let [request] = described.studies.as_slice() else {
        return Err(Failure::usage(
            "tune takes one study; write its settings at the top of the configuration file",
        ));
    };
    if let Some(path) = &request.arguments.configuration.write_config {
        write_whole(path, described.configuration.as_bytes())
            .map_err(|source| Failure::unwritable("--write-config", path, &source))?;
    }
    tune(
        &request.arguments,
        &described.configuration,
        &Origin::of(words),
    )
    .map_err(|failure| failure.in_configuration(&request.place))
}

fn tune(arguments: &Arguments, configuration: &str, origin: &Origin) -> Result<(), Failure> {
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let mut variables = variables(arguments)?;
    let (mut study, names, test) = read(arguments)?;
    let Filled {
        specification,
        values,
    } = refitted(&study, test)?;
    let whole = Problem::new(specification)?;
    if let Some(file) = &arguments.tuning.ties {
        let ties = names.ties(file, whole.penalized())?;
        let tied = variables.iter_mut().filter(|v| can_tie(v.hyperparameter));
        tied.for_each(|variable| variable.ties = Some(ties.clone().into()));
    }
    let whole = with_vectors(whole, &variables)?;
    let rest = rest(arguments, &variables, &whole)?;
    study.settings.method = Some(Method::AidCg);
    study.settings.device =
        runtime.choose_device(&whole, std::slice::from_ref(&rest), &study.settings)?;
    let named: Vec<Hyperparameter> = variables.iter().map(|v| v.hyperparameter).collect();
    let mut tuner = Tuner::of_study(&study);
    if let Some(sure) = sure(arguments)? {
        tuner = tuner.sure(sure);
    }
    let tuner = tuner
        .variables(variables.clone())
        .at(rest)
        .max_evaluations(arguments.tuning.max_evaluations)
        .guard(arguments.tuning.guard.0)
        .control(runtime.control());
    let store = KeptStore::open(arguments.store.as_deref(), || {
        Ok(tuner.plan(configuration.into())?)
    })?;
    let tuner = match store.place() {
        None => tuner,
        Some(place) => tuner.store(place),
    };
    store.interruption().answer();
    let tuned = {
        let _progress = progress(&tuner, arguments.tuning.max_evaluations);
        runtime.pool().install(|| tuner.run())
    };
    let released = store.release();
    let tuned = tuned?;
    let starts = informed_starts(&tuned, &whole, &study, &runtime)?;
    let whole = FoldProblem::plain(tuned.restated(whole)?).filled_with(values);
    let refit = Refit::of(&study, names, whole, &tuned.point, &runtime)?;
    // The model first: the reader of the report may close its pipe early.
    let saved = match &arguments.model {
        Some(directory) => refit.save(directory),
        None => Ok(()),
    };
    let report = TunedReport {
        study: &refit.names,
        prepared: &refit.prepared,
        tuned: &tuned,
        named: &named,
        folds: study.folds.len(),
        refit: &refit.outcome,
        information: Information::of(&refit.prepared.problem.problem, &refit.outcome),
        starts: &starts,
        test: refit.test.as_ref(),
        coefficients: arguments.coefficients,
        model: arguments.model.as_deref().filter(|_| saved.is_ok()),
    };
    // A report that cannot be written must not keep the rest from being said.
    let folder = ReportFolder::of(arguments.report.as_deref(), origin);
    let places = tuner.progress().places();
    let reported = folder.map_or(Ok(()), |folder| report.write_page(&places, &folder));
    report.write(&arguments.output)?;
    saved?;
    reported?;
    released?;
    store.check_place("tuning")?;
    conclude(arguments, &store, &runtime, &tuned, &refit.outcome)
}

/// The criteria from their own rows of fits to all rows at the best points of all starts; `None` where there is
/// no such point.
fn informed_starts(
    tuned: &Tuned,
    whole: &Problem,
    study: &SweepStudy,
    runtime: &Runtime,
) -> Result<Vec<Option<Information>>, Failure> {
    let settings = Settings {
        method: None,
        threads: 0,
        ..study.settings.clone()
    };
    let of_start = |start: &Start| -> Result<Option<Information>, Error> {
        let Some((point, problem)) = start.best_point(whole)? else {
            return Ok(None);
        };
        // What was stopped is printed at once.
        if runtime.control().should_stop() {
            return Ok(None);
        }
        let evaluator = Evaluator::new(&problem)
            .settings(&settings)
            .control(runtime.control());
        let outcomes = evaluator.run(std::slice::from_ref(&point))?;
        Ok(outcomes.first().map(|o| Information::of(&problem, o)))
    };
    let starts = tuned.starts.par_iter().map(of_start);
    let found: Result<Vec<_>, Error> = runtime.pool().install(|| starts.collect());
    Ok(found?)
}

/// The exit status that an outcome asks for that has been printed.
fn conclude(
    arguments: &Arguments,
    store: &KeptStore<'_>,
    runtime: &Runtime,
    tuned: &Tuned,
    refit: &Outcome,
) -> Result<(), Failure> {
    if runtime.is_interrupted() {
        return Err(Failure::Outcome(format!(
            "interrupted after {} evaluations: the best point so far is printed{}",
            tuned.evaluations,
            store.how_to_go_on()
        )));
    }
    runtime.conclude(std::slice::from_ref(refit), arguments.solver.strict)
}

/// The variables with their bounds and starts.
fn variables(arguments: &Arguments) -> Result<Vec<Variable>, Failure> {
    let own = &arguments.tuning;
    let is_box = arguments.problem.penalty == PenaltyName::Box;
    let names = match own.tune.as_slice() {
        [] if is_box => vec![Hyperparameter::L2],
        [] => vec![Hyperparameter::L1, Hyperparameter::L2],
        names => names.to_vec(),
    };
    check_names(
        "--bounds",
        own.variable_bounds.iter().map(|bounds| bounds.name),
        &names,
    )?;
    check_names("--start", own.start.iter().map(|start| start.name), &names)?;
    let problem = &arguments.problem;
    for (name, flag) in [
        (Hyperparameter::L1, &problem.l1),
        (Hyperparameter::L2, &problem.l2),
    ] {
        let is_own = |other: &&Hyperparameter| other.in_common() == name;
        if flag.is_some()
            && let Some(tuned) = names.iter().find(is_own)
        {
            let (name, tuned) = (name.name(), tuned.name());
            return Err(Failure::usage(format!(
                "--{name} fixes what is tuned; leave it out, start there by --start {tuned}=VALUE, or name \
                 the others with --tune"
            )));
        }
    }
    for (common, file, is_given) in [
        (Hyperparameter::L1, "--l1-file", problem.l1_file.is_some()),
        (Hyperparameter::L2, "--l2-file", problem.l2_file.is_some()),
    ] {
        let is_own = |name: &&Hyperparameter| name.is_vector() && name.in_common() == common;
        if let Some(vector) = names.iter().find(is_own).filter(|_| is_given) {
            let (vector, common) = (vector.name(), common.name());
            return Err(Failure::usage(format!(
                "{file} fixes what is tuned as {vector}; leave it out and start all strengths at one by \
                 --start {vector}=VALUE, or tune {common}, which the strengths of the file multiply"
            )));
        }
    }
    if own.ties.is_some() && !names.iter().any(|&name| can_tie(name)) {
        return Err(Failure::usage(
            "--ties is for one strength of each coefficient; tune l1[] or l2[]",
        ));
    }
    let variable = |name: Hyperparameter| {
        let mut variable = Variable::new(name);
        variable.bounds =
            given(&own.variable_bounds, name).map(|bounds| (bounds.lower, bounds.upper));
        variable.start = given(&own.start, name).map(|start| start.0);
        variable
    };
    Ok(names.into_iter().map(variable).collect())
}

/// Whether coefficients may share a strength of a vector.
fn can_tie(name: Hyperparameter) -> bool {
    matches!(name, Hyperparameter::L1Each | Hyperparameter::L2Each)
}

/// The value that is assigned to a hyperparameter, if one is.
fn given<T: Copy>(all: &[Assignment<T>], name: Hyperparameter) -> Option<T> {
    all.iter().find(|one| one.name == name).map(|one| one.value)
}

/// Refuses what is given twice, or for something that is not tuned.
fn check_names(
    flag: &str,
    given: impl Iterator<Item = Hyperparameter>,
    tuned: &[Hyperparameter],
) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for hyperparameter in given {
        let name = hyperparameter.name();
        if seen.contains(&hyperparameter) {
            return Err(Failure::usage(format!(
                "{flag} names {name} twice; keep one of them"
            )));
        }
        if !tuned.contains(&hyperparameter) {
            let relative = tuned
                .iter()
                .find(|other| other.in_common() == hyperparameter)
                .map_or(String::new(), |other| format!("write {}=…, ", other.name()));
            return Err(Failure::usage(format!(
                "{flag} names {name}, which is not tuned; {relative}add it to --tune or leave it out"
            )));
        }
        seen.push(hyperparameter);
    }
    Ok(())
}

/// The data: what is tuned on, its names, and the test rows.
fn read(arguments: &Arguments) -> Result<(SweepStudy, Study<'_>, Option<Rows>), Failure> {
    let share = arguments.test.test_fraction.unwrap_or(0.0);
    let own = &arguments.folds;
    let made = study_of(Parts {
        data: &arguments.data,
        problem: &arguments.problem,
        solver: &arguments.solver,
        hypergradient: None,
        folds: own,
        precision: arguments.runtime.result_precision(),
        name: None,
        keep_solutions: false,
        stages: Stages::default(),
        resamples: None,
        set_aside: share,
        fall_back: true,
        factors: &[],
    })?;
    let (mut study, names) = (made.study, made.names);
    if study.targets.len() != 1 {
        return Err(Failure::usage(
            "tune takes one target at a time; name one with --target",
        ));
    }
    let has_folds = own.cv.is_some() || own.folds.is_some();
    let files = read_test(
        &arguments.data,
        names.tables(),
        arguments.test.x_test.as_deref(),
        arguments.test.y_test.as_deref(),
    )?;
    let holds_out = sure(arguments)?.is_none();
    let test = match (files.or(made.set_aside), &study.specification.validation) {
        (Some(test), _) => Some(names.rows(&test)?),
        (None, Some(rows)) if has_folds || !holds_out => Some(rows.clone()),
        (None, _) => None,
    };
    if !holds_out {
        study.folds = vec![Fold::of_all_rows()];
        study.specification.validation = None;
    }
    Ok((study, names, test))
}

/// Stein's estimate, where the criterion follows it.
fn sure(arguments: &Arguments) -> Result<Option<Sure>, Failure> {
    let (own, folds) = (&arguments.tuning, &arguments.folds);
    if own.criterion_rule != CriterionRule::Sure {
        return match own.noise {
            None => Ok(None),
            Some(_) => Err(Failure::usage(
                "--noise is for Stein's estimate; add --criterion-rule sure",
            )),
        };
    }
    let holding_out = [
        ("--cv", folds.cv.is_some()),
        ("--folds", folds.folds.is_some()),
        ("--val-fraction", arguments.data.val_fraction.is_some()),
    ];
    if let Some((flag, _)) = holding_out.iter().find(|(_, is_given)| *is_given) {
        return Err(Failure::usage(format!(
            "{flag} holds rows out, and --criterion-rule sure holds out none; leave one of them out"
        )));
    }
    Ok(Some(Sure {
        noise: own.noise,
        seed: arguments.data.seed,
    }))
}

/// The problem of the refit: on all rows, with its criterion on the test rows where there are any.
fn refitted(study: &SweepStudy, test: Option<Rows>) -> Result<Filled, Failure> {
    study.check()?;
    let mut filled = study.whole_specification()?;
    filled.specification.validation = test.map(|mut rows| {
        if let Some(values) = &filled.values {
            fill(&mut rows.matrix, values);
        }
        rows
    });
    Ok(filled)
}

/// The strengths that are not tuned.
fn rest(arguments: &Arguments, variables: &[Variable], whole: &Problem) -> Result<Point, Failure> {
    let is_tuned = |name: Hyperparameter| {
        let mut tuned = variables.iter().map(|v| v.hyperparameter.in_common());
        tuned.any(|other| other == name)
    };
    let at_zero = whole.at_zero(0);
    let one = |flag: &str, axis: &Strengths, l2: f64| {
        let takes = "tune holds one fixed; give one, or tune it";
        single(flag, axis, takes, || at_zero.l1_max(l2))
    };
    let problem = &arguments.problem;
    let l2 = match &problem.l2 {
        _ if is_tuned(Hyperparameter::L2) => 0.0,
        Some(axis) => one("--l2", axis, 0.0)?,
        None => single_ridge(problem),
    };
    let l1 = match &problem.l1 {
        _ if is_tuned(Hyperparameter::L1) || !whole.penalty().has_strength() => 0.0,
        Some(axis) => one("--l1", axis, l2)?,
        None if problem.l1_file.is_some() => 1.0,
        None => SINGLE_SHARE * at_zero.l1_max(l2),
    };
    Ok(Point::new(l1, l2))
}

/// The model at the best point.
struct Refit<'a> {
    names: Study<'a>,
    prepared: Prepared,
    outcome: Outcome,
    /// Criterion and scores on the test rows.
    test: Option<(f64, Scores)>,
}

impl<'a> Refit<'a> {
    fn of(
        study: &SweepStudy,
        names: Study<'a>,
        whole: FoldProblem,
        point: &Point,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let mut settings = study.settings.clone();
        settings.method = None;
        let has_test = !whole.problem.criterion().on_training_rows;
        let outcome = runtime.evaluate_last(&whole.problem, point.clone(), &settings)?;
        let prepared = Prepared::of(whole, None);
        let test = if has_test {
            let problem = &prepared.problem.problem;
            let sample = &problem.criterion().sample;
            let classes = names.classes.get(point.target).and_then(Option::as_ref);
            let before = sample.before_offset(point.target, &sample.weights);
            let (y, weights, offset) = match &before {
                None => (&sample.targets[point.target], &sample.weights, None),
                Some([y, weights, offset]) => (y, weights, Some(offset.as_slice())),
            };
            let scores = Scores::of_rows(&Known {
                loss: problem.loss(),
                classes: classes.map_or(&[], |classes| classes.names.as_slice()),
                z: &predictors(&sample.design, &outcome.solution, problem.classes()),
                y,
                weights: Some(weights),
                offset,
            })?;
            Some((outcome.criterion, scores))
        } else {
            None
        };
        Ok(Self {
            names,
            prepared,
            outcome,
            test,
        })
    }

    /// Saves the model, if the fit has converged.
    fn save(&self, directory: &Path) -> Result<(), Failure> {
        if self.outcome.status != Status::Converged {
            return Err(Failure::Outcome(format!(
                "the fit at the best point ended {}: no model was saved; raise --max-steps, --time-budget \
                 or --tol, or the lower bounds of what is tuned",
                self.outcome.status.name()
            )));
        }
        model(
            &self.names,
            &self.prepared,
            std::slice::from_ref(&self.outcome),
            &[],
        )
        .save(directory, "--model")
    }
}

/// A strength in words: one number, or the range of a vector.
fn strengths(name: &str, own: Option<&[f64]>, common: f64) -> String {
    match own {
        Some(own) => format!("{name} {}", range_text(own)),
        None => format!("{name} {}", short(common)),
    }
}

/// A progress bar on a terminal, with the best so far.
fn progress(tuner: &Tuner<'_>, total: usize) -> Progress {
    let progress = tuner.progress();
    Progress::bar(total, "{bar:12} {pos}/{len}, {wide_msg}", move |bar| {
        bar.set_position(progress.evaluations() as u64);
        if let Some((criterion, point)) = progress.best() {
            bar.set_message(format!(
                "best {} at {} {}",
                significant(criterion),
                strengths("l1", point.strengths(), point.l1),
                strengths("l2", point.ridge(), point.l2)
            ));
        }
    })
}
