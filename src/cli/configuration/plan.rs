//! From the flags of `sweep` to studies and their plan.

use std::path::PathBuf;
use std::sync::Arc;

use super::data::{Tables, group_column};
use super::dealing::{check_dealing, folds};
use super::defaults::{SAMPLES, axes, single_axes};
use super::file::Described;
use super::points::check_count;
use super::prepared::Prepared;
use super::settings::settings;
use super::study::Study;
use crate::cli::arguments::sweep::Arguments;
use crate::cli::arguments::{
    DataArguments, Drawn, FoldArguments, HypergradientArguments, LossName, MissingName,
    PenaltyName, ProblemArguments, ResampleArguments, SearchName, SolverArguments, SpaceArguments,
};
use crate::cli::failure::Failure;
use crate::cli::printable::printable;
use crate::data::dataset::{Dataset, Labels, Named, Target};
use crate::error::{Error, Result};
use crate::kinds::Precision;
use crate::l1_max::AtZero;
use crate::sweep::compress::{Compression, fold_problem};
use crate::sweep::factors::Joined;
use crate::sweep::folds::{Fold, given_folds};
use crate::sweep::ordered::Scheme;
use crate::sweep::plan::{plan, plan_study};
use crate::sweep::record::Plan;
use crate::sweep::resamples::{Resampling, resampled_folds};
use crate::sweep::space::{Axes, Search, Space};
use crate::sweep::stages::Stages;
use crate::sweep::study::{FoldProblem, Study as SweepStudy};

/// The most cells of a study: their results would fill 200 GB.
const MOST_CELLS: usize = 1_000_000_000;

/// A plan and the data that it is run on.
pub struct Planned<'a> {
    /// The plan.
    pub plan: Plan,
    /// Its studies.
    pub studies: Vec<SweepStudy>,
    /// Per study the factors of its folds, where they pay.
    pub compressions: Vec<Option<Compression>>,
    /// Per study the problem of its only fold, where it has been made.
    pub problems: Vec<Option<Arc<FoldProblem>>>,
    /// The names and classes of data.
    names: Vec<Study<'a>>,
}

/// The plan of the studies that flags and configuration file describe.
pub fn planned(described: &Described<Arguments>) -> std::result::Result<Planned<'_>, Failure> {
    let mut planned = Planned::of_none(described.configuration.clone());
    let is_only = described.studies.len() == 1;
    for request in &described.studies {
        let (arguments, place) = (&request.arguments, &request.place);
        let mut add = || {
            let (study, names) = study(arguments)?;
            let space = space(
                axes(&arguments.problem, &arguments.space),
                SpaceFlags {
                    problem: &arguments.problem,
                    space: &arguments.space,
                    seed: arguments.data.seed,
                },
            )?;
            let shares = arguments.stages.each();
            let is_single = shares.len() == 1;
            if !is_single && !is_only {
                return Err(Failure::usage(
                    "several shares of --relax make a study of each; give one share in each [[study]]",
                ));
            }
            let named = |mut study: SweepStudy, stages: Stages| {
                study.stages = stages;
                if let Some(share) = stages.relax.filter(|_| !is_single) {
                    study.name = format!("{} (relax {share})", study.name);
                }
                study
            };
            let addition = |study: SweepStudy, names| Addition {
                keeps_outcomes: is_only && is_single && keeps_outcomes(arguments, &study.folds),
                is_stored: arguments.store.store.is_some(),
                unit: Unit::Fold,
                space: space.clone(),
                study,
                names,
            };
            // infallible: there is one at least
            let (last, others) = shares.split_last().expect("a share");
            for &stages in others {
                planned.add(addition(named(study.clone(), stages), None))?;
            }
            planned.add(addition(named(study, *last), Some(names)))
        };
        add().map_err(|failure: Failure| failure.in_configuration(place))?;
    }
    Ok(planned)
}

/// The plan of one study in memory, for a fit that chooses among the points of a space: over folds that of
/// a sweep, on held-out rows with l1_max of all rows, and a single value of what no flag gives.
pub fn planned_fit<'a>(
    made: Made<'a>,
    flags: SpaceFlags<'_>,
    over_folds: bool,
) -> std::result::Result<Planned<'a>, Failure> {
    let mut planned = Planned::of_none(String::new());
    planned.add(Addition {
        keeps_outcomes: made.study.folds.len() == 1,
        is_stored: false,
        unit: if over_folds { Unit::Fold } else { Unit::All },
        space: fit_space(flags, over_folds)?,
        study: made.study,
        names: Some(made.names),
    })?;
    Ok(planned)
}

/// The space of a fit.
pub fn fit_space(flags: SpaceFlags<'_>, over_folds: bool) -> std::result::Result<Space, Failure> {
    let axes = if over_folds {
        axes(flags.problem, flags.space)
    } else {
        single_axes(flags.problem, flags.space)
    };
    space(axes, flags)
}

/// A study that is added to a plan.
struct Addition<'a> {
    study: SweepStudy,
    /// The names and classes of its data, where no other study of the same data has them.
    names: Option<Study<'a>>,
    space: Space,
    /// The rows whose l1_max fractions are of, where there is a single fold.
    unit: Unit,
    /// Whether the outcomes of its only fold are kept whole.
    keeps_outcomes: bool,
    /// Whether a store keeps its cells.
    is_stored: bool,
}

/// The rows whose l1_max fractions are of, where a study has a single fold; with folds it is that of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// The rows that the fold learns from.
    Fold,
    /// All rows.
    All,
}

impl<'a> Planned<'a> {
    /// The names and the problem of the only study, where its outcomes can be kept whole.
    pub fn single(&self, arguments: &Arguments) -> Option<(&Study<'a>, Prepared)> {
        let ([study], [Some(problem)], [names]) = (&*self.studies, &*self.problems, &*self.names)
        else {
            return None;
        };
        if !keeps_outcomes(arguments, &study.folds) {
            return None;
        }
        let is_split = study.folds[0].held_out.is_some();
        let training_rows = is_split.then(|| {
            let rows = study.folds[0].training_rows(study.rows());
            names.tables().in_file(rows)
        });
        let fold = &self.plan.studies[0].folds[0];
        // A problem on factors has fewer rows than the fold.
        let prepared = Prepared {
            rows: fold.training_rows,
            criterion_rows: fold.held_out_rows,
            ..Prepared::of(Arc::clone(problem), training_rows)
        };
        Some((names, prepared))
    }

    /// A plan without a study.
    fn of_none(configuration: String) -> Self {
        Self {
            plan: plan(Vec::new(), configuration),
            studies: Vec::new(),
            compressions: Vec::new(),
            problems: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The only study and the names of its data, without the plan.
    pub fn into_only(mut self) -> Option<(SweepStudy, Study<'a>)> {
        self.studies.pop().zip(self.names.pop())
    }

    /// Adds one study with its factors to the plan.
    fn add(&mut self, addition: Addition<'a>) -> std::result::Result<(), Failure> {
        let Addition {
            mut study,
            names,
            space,
            unit,
            keeps_outcomes: is_single,
            is_stored,
        } = addition;
        if self.studies.iter().any(|other| other.name == study.name) {
            study.name = format!("{} ({})", study.name, self.studies.len() + 1);
        }
        study.check()?;
        if !is_single {
            study.check_cells()?;
        }
        warn_of_constant_targets(&study);
        let targets = study.specification.train.targets.len();
        // The number of points does not depend on l1_max.
        let count = space.count()?.saturating_mul(targets);
        if !is_stored {
            check_count(count as u128)?;
        }
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
        let is_relative = space.needs_l1_max();
        let of_all = is_relative && unit == Unit::All && folds == 1;
        let problem = match folds {
            1 if is_relative || is_single => {
                Some(Arc::new(fold_problem(&study, compression.as_ref(), 0)?))
            }
            _ => None,
        };
        // Of the only fold the rows that it learns from, else all rows: a point is the same in every fold.
        let whole = match &compression {
            _ if of_all => Some(study.whole()?),
            _ if !is_relative || problem.is_some() => None,
            Some(compression) => Some(compression.whole(&study)?.problem),
            None => Some(study.whole()?),
        };
        let of_fold = problem.as_ref().map(|fold| &fold.problem);
        let unit = whole.as_ref().or(of_fold);
        let at_zero: Vec<AtZero<'_>> = unit
            .filter(|_| is_relative)
            .into_iter()
            .flat_map(|problem| (0..targets).map(|target| problem.at_zero(target)))
            .collect();
        let l1_max = |target: usize, l2: f64| at_zero.get(target).map_or(0.0, |at| at.l1_max(l2));
        let record = plan_study(&study, &space, &l1_max)?;
        check_adaptive(study.stages, record.points.iter().map(|point| point.l1))?;
        drop(at_zero);
        self.plan.studies.push(record);
        self.studies.push(study);
        self.compressions.push(compression);
        self.problems.push(problem);
        self.names.extend(names);
        Ok(())
    }
}

/// Refuses adaptive weights of no l1: what the first fit leaves out would come back.
pub fn check_adaptive(stages: Stages, mut l1: impl Iterator<Item = f64>) -> Result<()> {
    if stages.adaptive.is_none() || l1.all(|l1| l1 > 0.0) {
        return Ok(());
    }
    Err(Error::value(
        "--adaptive",
        "a point has l1 = 0, and there is nothing to weigh",
        "give strengths --l1 that are greater than zero",
    ))
}

/// Whether the outcomes of the only study of a plan can be kept whole: it has a single fold, nobody
/// shares it, and nothing but the output keeps it.
fn keeps_outcomes(arguments: &Arguments, folds: &[Fold]) -> bool {
    folds.len() == 1 && arguments.store.store.is_none() && arguments.store.shard.is_none()
}

/// Warns of targets that do not vary, so that a sweep of nothing is noticed.
fn warn_of_constant_targets(study: &SweepStudy) {
    let specification = &study.specification;
    let is_regression = specification.loss.predicts_numbers();
    for (name, y) in study.targets.iter().zip(&specification.train.targets) {
        if is_regression && y.iter().all(|value| *value == y[0]) {
            log::warn!(
                "the target {} does not vary, so that nothing is learned from it; choose another target",
                printable(name)
            );
        }
    }
}

fn study(arguments: &Arguments) -> std::result::Result<(SweepStudy, Study<'_>), Failure> {
    let made = study_of(Parts {
        data: &arguments.data,
        problem: &arguments.problem,
        solver: &arguments.solver,
        hypergradient: Some(&arguments.hypergradient),
        folds: &arguments.folds,
        precision: arguments.runtime.result_precision(),
        name: arguments.store.name.as_deref(),
        keep_solutions: arguments.store.keep_solutions,
        stages: Stages::default(),
        resamples: Some(&arguments.resamples),
        set_aside: 0.0,
        fall_back: true,
        factors: &arguments.factors,
    })?;
    Ok((made.study, made.names))
}

/// The flags that make a study.
pub struct Parts<'a> {
    /// The data.
    pub data: &'a DataArguments,
    /// Loss and penalty.
    pub problem: &'a ProblemArguments,
    /// The solver.
    pub solver: &'a SolverArguments,
    /// The derivative, if any.
    pub hypergradient: Option<&'a HypergradientArguments>,
    /// The folds.
    pub folds: &'a FoldArguments,
    /// The arithmetic.
    pub precision: Precision,
    /// A name other than that of the data.
    pub name: Option<&'a str>,
    /// Also keep the solutions.
    pub keep_solutions: bool,
    /// The stages of fits beside their own.
    pub stages: Stages,
    /// Resamples in place of folds.
    pub resamples: Option<&'a ResampleArguments>,
    /// The share of all rows that are in no fold.
    pub set_aside: f64,
    /// Whether the embedded data are taken where no flag names any.
    pub fall_back: bool,
    /// Files of sums of squares in place of data and folds.
    pub factors: &'a [PathBuf],
}

/// A study with the names of its data.
pub struct Made<'a> {
    /// The study.
    pub study: SweepStudy,
    /// Names and classes, without the matrix.
    pub names: Study<'a>,
    /// The rows that were set aside.
    pub set_aside: Option<Dataset>,
}

/// The study that flags describe.
pub fn study_of(parts: Parts<'_>) -> std::result::Result<Made<'_>, Failure> {
    let settings = settings(parts.problem, parts.data, parts.solver, parts.hypergradient)?;
    let own = parts.folds;
    let drawn = parts.resamples.and_then(ResampleArguments::drawn);
    check_dealing(own, drawn.is_some())?;
    if parts.set_aside > 0.0 && (own.folds.is_some() || own.group_column.is_some()) {
        return Err(Failure::usage(
            "--test-fraction does not go together with --folds and --group-column, which name every row; \
             give test rows of their own with --x-test",
        ));
    }
    let (mut read, given) = if parts.factors.is_empty() {
        let group = group_column(own);
        let read = Study::read_without(parts.data, parts.problem, parts.fall_back, group)?;
        (read, None)
    } else {
        let (read, folds) = of_factors(&parts)?;
        (read, Some(folds))
    };
    let is_compressed = given.is_some();
    let set_aside = match parts.set_aside {
        share if share > 0.0 && own.cv.is_some_and(Scheme::is_in_time) => {
            Some(read.set_last_aside(share, own.gap.unwrap_or(0))?)
        }
        share if share > 0.0 => Some(read.set_aside(share)?),
        _ => None,
    };
    let folds = match (given, drawn) {
        (Some(folds), _) => folds,
        (None, None) => folds(own, parts.data, &read)?,
        (None, Some(Drawn { count, drawing })) => {
            let all = &read.tables().all;
            let strata = own.stratified.then(|| &all.targets[0].values);
            resampled_folds(all.rows(), count, drawing, strata, parts.data.seed)?
        }
    };
    let resampling = drawn.map(|drawn| Resampling {
        drawing: drawn.drawing,
        features: read.feature_names().to_vec(),
    });
    let source = read.source().to_string();
    let targets = read
        .target_names()
        .into_iter()
        .map(str::to_string)
        .collect();
    let features = read.feature_names().to_vec();
    let classes = read.classes.iter().map(|of_target| {
        let names = of_target.as_ref().map(|classes| classes.names.clone());
        names.unwrap_or_default()
    });
    let classes = classes.collect();
    let (specification, class_weights) = read.take_unsplit()?;
    let study = SweepStudy {
        filling: parts.data.missing.and_then(MissingName::filling),
        name: parts.name.unwrap_or(&source).to_string(),
        source,
        specification,
        class_weights,
        folds,
        settings,
        precision: parts.precision,
        targets,
        features,
        classes,
        // The choice is read from them.
        keep_solutions: parts.keep_solutions || resampling.is_some(),
        stages: parts.stages,
        resampling,
        is_compressed,
    };
    Ok(Made {
        study,
        names: read,
        set_aside,
    })
}

/// The data and the folds of files of sums of squares.
fn of_factors<'a>(parts: &Parts<'a>) -> std::result::Result<(Study<'a>, Vec<Fold>), Failure> {
    let problem = parts.problem;
    let is_squared = |loss: LossName| loss == LossName::Squared;
    if !is_squared(problem.loss) || !is_squared(problem.criterion.unwrap_or(problem.loss)) {
        return Err(Failure::usage(
            "--factors: sums of squares say all of the squared loss, and nothing of others; leave --loss and \
             --criterion out, or give the rows",
        ));
    }
    let joined = Joined::read(parts.factors)?;
    let folds = given_folds(&joined.folds, joined.folds.len())?;
    let target = |(name, values)| Target {
        name,
        values: Labels::Numbers(values),
    };
    let all = Dataset {
        matrix: joined.few.matrix,
        feature_names: joined.features,
        factors: Vec::new(),
        targets: joined
            .targets
            .into_iter()
            .zip(joined.few.targets)
            .map(target)
            .collect(),
        weights: joined.few.weights,
        offset: None,
        named: Named {
            features: true,
            targets: true,
        },
        source: format!("{} rows by their factors", joined.rows),
    };
    Ok((
        Study::of_tables(parts.data, problem, Tables::of(all))?,
        folds,
    ))
}

/// The flags that make a space.
#[derive(Clone, Copy)]
pub struct SpaceFlags<'a> {
    /// Strengths and penalty.
    pub problem: &'a ProblemArguments,
    /// The space beside them.
    pub space: &'a SpaceArguments,
    /// The seed of random points.
    pub seed: u64,
}

fn space(axes: Axes, flags: SpaceFlags<'_>) -> std::result::Result<Space, Failure> {
    let own = flags.space;
    if matches!(axes, Axes::Ratio { .. }) && flags.problem.penalty == PenaltyName::Box {
        return Err(Failure::usage(
            "--alpha and --l1-ratio are not defined for --penalty box, which has no l1; use --l2",
        ));
    }
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
        seed: flags.seed,
    })
}
