//! From the flags of `sweep` to studies and their plan.

use clap::ValueEnum;

use super::data::read_labels;
use super::described::Described;
use super::points::GRID_RIDGES;
use super::settings::settings;
use super::study::Study;
use crate::cli::arguments::{FoldArguments, LossName, PenaltyName, SearchName, Strengths};
use crate::cli::commands::sweep::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output::printable;
use crate::data::dataset::Labels;
use crate::data::readers;
use crate::error::{Error, Result};
use crate::l1_max::AtZero;
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::store::{Plan, Study as StudyRecord};
use crate::sweep::compress::Compression;
use crate::sweep::folds::{Dealing, Fold, given_folds, k_folds};
use crate::sweep::plan::{plan, plan_study};
use crate::sweep::space::{Axes, Search, Space};
use crate::sweep::study::Study as SweepStudy;

/// The share of rows held out when no flag says otherwise.
const HELD_OUT: f64 = 0.25;
/// Points of a random or Sobol search when no flag says otherwise.
const SAMPLES: usize = 64;
/// The most cells of a study: their results would fill 200 GB.
const MOST_CELLS: usize = 1_000_000_000;
/// The l1 or alpha of a grid when no flag says otherwise.
const GRID: &str = "frac:1:1e-3:12";
/// The share of l1 in alpha when no flag says otherwise.
const RATIO: f64 = 0.5;

/// A plan with what it is run with.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its studies.
    pub studies: Vec<SweepStudy>,
    /// Per study the factors of its folds, where they pay.
    pub compressions: Vec<Option<Compression>>,
}

/// The plan of the studies that flags and configuration file describe.
pub fn planned(described: &Described) -> std::result::Result<Planned, Failure> {
    let count = described.studies.len();
    let mut records = Vec::with_capacity(count);
    let mut planned = Planned {
        plan: plan(Vec::new(), described.configuration.clone()),
        studies: Vec::with_capacity(count),
        compressions: Vec::with_capacity(count),
    };
    for (arguments, place) in described.studies.iter().zip(&described.places) {
        let record = add_study(&mut planned, arguments)
            .map_err(|failure| failure.in_configuration(place))?;
        records.push(record);
    }
    planned.plan.studies = records;
    Ok(planned)
}

/// Adds one study with its factors; returns its part of the plan.
fn add_study(
    planned: &mut Planned,
    arguments: &Arguments,
) -> std::result::Result<StudyRecord, Failure> {
    let mut study = study(arguments)?;
    let others = &planned.studies;
    if others.iter().any(|other| other.name == study.name) {
        study.name = format!("{} ({})", study.name, others.len() + 1);
    }
    study.check()?;
    warn_of_constant_targets(&study);
    let space = space(arguments)?;
    let targets = study.specification.train.targets.len();
    // The number of points does not depend on l1_max.
    let count = space.points(&|_| 1.0)?.len() * targets;
    let folds = study.folds.len();
    if count > MOST_CELLS / folds.max(1) {
        return Err(Error::value(
            "sweep",
            format!("{count} points on {folds} folds are too many"),
            format!("plan at most {MOST_CELLS} cells, points times folds: fewer points, or fewer --repeats"),
        )
        .into());
    }
    let compression = Compression::of(&study, count);
    let whole = relative_to(&study, &space, compression.as_ref())?;
    let at_zero: Vec<AtZero<'_>> = whole
        .iter()
        .flat_map(|problem| (0..targets).map(|target| problem.at_zero(target)))
        .collect();
    let l1_max = |target: usize, l2: f64| at_zero.get(target).map_or(0.0, |at| at.l1_max(l2));
    let record = plan_study(&study, &space, &l1_max)?;
    planned.studies.push(study);
    planned.compressions.push(compression);
    Ok(record)
}

/// Says which targets do not vary, so that a sweep of nothing is noticed.
fn warn_of_constant_targets(study: &SweepStudy) {
    let specification = &study.specification;
    let is_regression = matches!(specification.loss, Loss::Squared | Loss::Huber { .. });
    for (name, y) in study.targets.iter().zip(&specification.train.targets) {
        if is_regression && y.iter().all(|value| *value == y[0]) {
            log::warn!(
                "the target {} does not vary, so that nothing is learned from it; choose another target",
                printable(name)
            );
        }
    }
}

/// The problem on the whole training data, where the space is relative to its l1_max.
fn relative_to(
    study: &SweepStudy,
    space: &Space,
    compression: Option<&Compression>,
) -> Result<Option<Problem>> {
    let (Axes::Strengths { l1: slow, l2: fast }
    | Axes::Ratio {
        alpha: slow,
        l1_ratio: fast,
    }) = &space.axes;
    if !slow.needs_l1_max() && !fast.needs_l1_max() {
        return Ok(None);
    }
    match compression {
        Some(compression) => Ok(Some(compression.whole(study))),
        None => study.whole().map(Some),
    }
}

/// The settings that `arguments` leave to defaults, by their flags: with them given, the plan is the
/// same. Left out is what has no value by default, such as a tolerance.
pub fn defaults(arguments: &Arguments) -> Vec<(&'static str, String)> {
    let Arguments {
        data,
        problem,
        space,
        folds,
        hypergradient,
        ..
    } = arguments;
    let mut values = Vec::new();
    let mut unless = |given: bool, name: &'static str, value: String| {
        if !given {
            values.push((name, value));
        }
    };
    if data.target.is_empty() {
        let named = data.data.is_some() || data.x.is_some() || data.x_val.is_some();
        unless(named || data.example, "example", "true".into());
    }
    let is_box = problem.penalty == PenaltyName::Box;
    let list = |values: &[f64]| {
        let texts: Vec<String> = values.iter().map(f64::to_string).collect();
        texts.join(",")
    };
    if space.alpha.is_some() || space.l1_ratio.is_some() {
        unless(space.alpha.is_some(), "alpha", GRID.into());
        unless(space.l1_ratio.is_some(), "l1-ratio", list(&[RATIO]));
    } else {
        let strengths = if is_box { "0" } else { GRID };
        unless(problem.l1.is_some(), "l1", strengths.into());
        unless(problem.l2.is_some(), "l2", list(&GRID_RIDGES));
    }
    let is_grid = space.search == SearchName::Grid;
    unless(
        space.samples.is_some() || is_grid,
        "samples",
        SAMPLES.to_string(),
    );
    let splits = folds.cv.is_none()
        && folds.folds.is_none()
        && data.x_val.is_none()
        && problem.loss != LossName::Quadratic;
    unless(
        !splits || data.val_fraction.is_some(),
        "val-fraction",
        HELD_OUT.to_string(),
    );
    unless(
        folds.cv.is_none() || folds.repeats.is_some(),
        "repeats",
        "1".into(),
    );
    let precision = arguments.runtime.result_precision();
    unless(
        arguments.runtime.precision.is_some(),
        "precision",
        precision.name().into(),
    );
    let name_of = |value: LossName| {
        let value = value.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_string())
    };
    unless(
        problem.criterion.is_some(),
        "criterion",
        name_of(problem.loss),
    );
    if hypergradient.wrt.is_empty() {
        let with_perturbation = problem.perturbation.is_some();
        let wrt = if is_box { "l2,box" } else { "l1,l2" };
        let more = if with_perturbation {
            ",perturbation"
        } else {
            ""
        };
        values.push(("wrt", format!("{wrt}{more}")));
    }
    values
}

fn study(arguments: &Arguments) -> std::result::Result<SweepStudy, Failure> {
    let settings = settings(
        &arguments.problem,
        &arguments.data,
        &arguments.solver,
        Some(&arguments.hypergradient),
    )?;
    let own = &arguments.folds;
    if own.cv.is_none() && (own.stratified || own.repeats.is_some() || own.group_column.is_some()) {
        return Err(Failure::usage(
            "--stratified, --repeats and --group-column say how --cv deals rows; add --cv K",
        ));
    }
    let group = arguments.folds.group_column.as_deref();
    // A file of groups is no column.
    let ignore = group.filter(|name| !std::path::Path::new(name).is_file());
    let read = Study::read_without(&arguments.data, &arguments.problem, true, ignore)?;
    let folds = folds(arguments, &read)?;
    let source = read.source().to_string();
    let targets = read
        .target_names()
        .into_iter()
        .map(str::to_string)
        .collect();
    let (specification, class_weights) = read.into_unsplit()?;
    Ok(SweepStudy {
        name: arguments
            .store
            .name
            .clone()
            .unwrap_or_else(|| source.clone()),
        source,
        specification,
        class_weights,
        folds,
        settings,
        precision: arguments.runtime.result_precision(),
        targets,
        keep_solutions: arguments.store.keep_solutions,
    })
}

fn folds(arguments: &Arguments, study: &Study<'_>) -> Result<Vec<Fold>> {
    let FoldArguments {
        cv,
        stratified,
        repeats,
        group_column,
        folds,
    } = &arguments.folds;
    let tables = study.tables();
    let rows = tables.all.rows();
    let seed = arguments.data.seed;
    if let Some(file) = folds {
        let header = arguments.data.file.header.as_option();
        return match readers::read_labels(file, rows, header)? {
            Labels::Numbers(numbers) => given_folds(&numbers, rows),
            Labels::Text(texts) => {
                let is_text = |text: &&String| text.trim().parse::<f64>().is_err();
                let first = texts.iter().find(is_text);
                Err(Error::value(
                    "--folds",
                    format!(
                        "{} holds the text '{}'",
                        file.display(),
                        first.map_or("", String::as_str)
                    ),
                    "give a whole number per row, or keep rows of one name together with \
                     --cv K --group-column FILE",
                ))
            }
        };
    }
    if let Some(cv) = *cv {
        let groups = match group_column {
            Some(name) => Some(read_labels(&arguments.data, name, &tables.all)?),
            None => None,
        };
        let dealing = match (&groups, stratified) {
            (Some(groups), _) => Dealing::Grouped(groups),
            (None, true) => Dealing::Stratified(&tables.all.targets[0].values),
            (None, false) => Dealing::Plain,
        };
        return k_folds(rows, cv, repeats.unwrap_or(1), dealing, seed);
    }
    let fraction = arguments.data.val_fraction.unwrap_or(HELD_OUT);
    let splits = tables.validation.is_none()
        && arguments.problem.loss != LossName::Quadratic
        && fraction > 0.0;
    if !splits {
        return Ok(vec![Fold::of_all_rows()]);
    }
    let every: Vec<usize> = (0..rows).collect();
    let (_, held_out) = study.hold_out(&every, fraction, seed)?;
    Ok(vec![Fold {
        held_out: Some(held_out),
        ..Fold::of_all_rows()
    }])
}

fn space(arguments: &Arguments) -> std::result::Result<Space, Failure> {
    let own = &arguments.space;
    // infallible: a constant of this file
    let grid = || GRID.parse::<Strengths>().expect("an axis");
    let axes = if own.alpha.is_some() || own.l1_ratio.is_some() {
        if arguments.problem.penalty == PenaltyName::Box {
            return Err(Failure::usage(
                "--alpha and --l1-ratio are not defined for --penalty box, which has no l1; use --l2",
            ));
        }
        Axes::Ratio {
            alpha: own.alpha.clone().unwrap_or_else(grid),
            l1_ratio: own
                .l1_ratio
                .clone()
                .unwrap_or_else(|| Strengths::of_values(&[RATIO])),
        }
    } else {
        let none = || Strengths::of_values(&[0.0]);
        let is_box = arguments.problem.penalty == PenaltyName::Box;
        let default = if is_box { none } else { grid };
        Axes::Strengths {
            l1: arguments.problem.l1.clone().unwrap_or_else(default),
            l2: arguments
                .problem
                .l2
                .clone()
                .unwrap_or_else(|| Strengths::of_values(&GRID_RIDGES)),
        }
    };
    let samples = own.samples.unwrap_or(SAMPLES);
    let search = match own.search {
        SearchName::Grid if own.samples.is_some() => {
            return Err(Failure::usage(
                "--samples is for --search random and sobol; a grid has the points of its axes",
            ));
        }
        SearchName::Grid => Search::Grid,
        SearchName::Random => Search::Random { samples },
        SearchName::Sobol => Search::Sobol { samples },
    };
    Ok(Space {
        axes,
        search,
        seed: arguments.data.seed,
    })
}
