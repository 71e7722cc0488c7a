//! The choice of a fit among several points, over folds or on held-out rows: a sweep in memory.

use std::sync::Arc;

use super::subject::Subject;
use crate::cli::arguments::fit::{Arguments, ChoiceArguments, ChoiceName, MetricName};
use crate::cli::arguments::{LossName, ProblemArguments};
use crate::cli::configuration::{
    Parts, Planned, Prepared, SpaceFlags, check_dealing, fit_space, planned_fit, study_of,
};
use crate::cli::failure::Failure;
use crate::cli::output::{Chosen, FittedTarget};
use crate::cli::progress::Progress;
use crate::cli::runtime::{Interruption, Runtime};
use crate::problem::Point;
use crate::sweep::cells::MemoryCells;
use crate::sweep::folds::Fold;
use crate::sweep::held_out::Predicted;
use crate::sweep::record::{Number, Shard, Study as Record};
use crate::sweep::run::{Keep, Monitor, Run};
use crate::sweep::select::choose_by;
use crate::sweep::space::Space;
use crate::sweep::study::Study as SweepStudy;
use crate::sweep::summary::{PointSummary, summarize_by};

/// The rule and the number of a choice.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    rule: ChoiceName,
    /// The number by which points are compared.
    pub by: Number,
    /// Whether it is shown as the deviance, twice the criterion.
    is_deviance: bool,
}

impl Wanted {
    /// The choice that the flags ask for among points of a problem.
    pub fn of(own: &ChoiceArguments, problem: &ProblemArguments) -> Result<Self, Failure> {
        let metric = own.by.unwrap_or(MetricName::Criterion);
        Ok(Self {
            rule: own.choice.unwrap_or(ChoiceName::Best),
            by: number(problem, metric)?,
            is_deviance: metric == MetricName::Deviance,
        })
    }
}

/// The choice that the flags ask for; `None` where there is one point and nothing is held out.
pub(super) fn wanted(arguments: &Arguments) -> Result<Option<Wanted>, Failure> {
    check_dealing(&arguments.folds, false)?;
    let over_folds = has_folds(arguments);
    let own = &arguments.choosing;
    let space = space(arguments)?;
    let shares = arguments.stages.each().len();
    if !over_folds && space.count()? == 1 && shares == 1 {
        if own.choice.is_some() || own.by.is_some() {
            return Err(Failure::usage(
                "--choice and --by choose among several points; add --cv K or --folds FILE, or give several \
                 strengths, as in --l1 log:1e-3:1:20",
            ));
        }
        return Ok(None);
    }
    let wanted = Wanted::of(own, &arguments.problem)?;
    let rule = wanted.rule;
    if !over_folds && rule != ChoiceName::Best {
        return Err(Failure::usage(format!(
            "--choice {} needs a standard error, which one hold-out split has not; add --cv K or --folds FILE",
            rule.name()
        )));
    }
    if over_folds && arguments.force {
        return Err(Failure::usage(
            "--force saves a fit that did not converge, and --cv and --folds choose among those that did; drop \
             --force, or fit one point without folds",
        ));
    }
    Ok(Some(wanted))
}

/// The number of a metric that the loss has.
fn number(problem: &ProblemArguments, metric: MetricName) -> Result<Number, Failure> {
    let (by, name) = (metric.number(), problem.loss.name());
    if metric == MetricName::Deviance {
        check_deviance(problem)?;
    }
    let of_loss = Number::metrics_of(problem.loss_of_fit());
    if by == Number::Criterion || of_loss.contains(&by) {
        return Ok(by);
    }
    let flag = |number: Number| number.name().replace('_', "-");
    let others: Vec<String> = of_loss.iter().copied().map(flag).collect();
    Err(Failure::usage(format!(
        "--by {} is not defined for the {name} loss; give one of: criterion{}{}",
        flag(by),
        if others.is_empty() { "" } else { ", " },
        others.join(", ")
    )))
}

/// Refuses the deviance of what has none, or of a criterion that is not half of it.
fn check_deviance(problem: &ProblemArguments) -> Result<(), Failure> {
    let loss = problem.loss;
    let message = match loss {
        LossName::Huber | LossName::SquaredHinge | LossName::Quadratic => format!(
            "--by deviance is not defined for the {} loss, which is no likelihood; choose --by criterion",
            loss.name()
        ),
        _ if problem.criterion.is_some_and(|other| other != loss) || problem.criterion_sign < 0.0 => {
            "--by deviance is that of --loss, and --criterion or --criterion-sign measure another; leave them out, \
             or choose --by criterion"
                .into()
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(message))
}

fn has_folds(arguments: &Arguments) -> bool {
    arguments.folds.cv.is_some() || arguments.folds.folds.is_some()
}

/// The space of the points.
pub(super) fn space(arguments: &Arguments) -> Result<Space, Failure> {
    fit_space(space_flags(arguments), has_folds(arguments))
}

fn space_flags(arguments: &Arguments) -> SpaceFlags<'_> {
    SpaceFlags {
        problem: &arguments.problem,
        space: &arguments.space,
        seed: arguments.data.seed,
    }
}

/// The fit to all rows at the points that are chosen.
pub(super) fn chosen<'a>(
    arguments: &'a Arguments,
    wanted: Wanted,
    runtime: &Runtime,
) -> Result<Subject<'a>, Failure> {
    let all = arguments.stages.each();
    let mut made = study_of(Parts {
        data: &arguments.data,
        problem: &arguments.problem,
        solver: &arguments.solver,
        hypergradient: None,
        folds: &arguments.folds,
        precision: arguments.runtime.result_precision(),
        name: None,
        keep_solutions: false,
        stages: all[0],
        resamples: None,
        set_aside: arguments.test.test_fraction.unwrap_or(0.0),
        fall_back: false,
        factors: &[],
    })?;
    let set_aside = made.set_aside.take();
    let plan = || planned_fit(made, space_flags(arguments), has_folds(arguments));
    let mut planned = runtime.pool().install(plan)?;
    let mut found: Vec<Found> = Vec::new();
    let mut none = None;
    let targets = planned.studies[0].targets.len();
    let mut failed_cells = vec![0; targets];
    for &stages in &all {
        planned.studies[0].stages = stages;
        let cells = evaluate(&planned, runtime)?;
        let record = &planned.plan.studies[0];
        let summaries = summarize_by(&cells, 0, record, wanted.by)?;
        let best = Wanted {
            rule: ChoiceName::Best,
            ..wanted
        };
        for summary in &summaries {
            failed_cells[record.points[summary.point].target] += summary.failed;
        }
        // Shares differ by their best points.
        match choices(record, &summaries, best) {
            Ok((_, best)) => {
                let (points, chosen) = choices(record, &summaries, wanted)?;
                found.push(Found {
                    share: stages.relax,
                    best: best
                        .iter()
                        .map(|chosen| BestPoint {
                            failed: record.folds.len().saturating_sub(chosen.folds),
                            mean: chosen.mean,
                        })
                        .collect(),
                    points,
                    chosen,
                });
            }
            Err(failure) => none = none.or(Some(failure)),
        }
    }
    if let (true, Some(failure)) = (found.is_empty(), none) {
        return Err(failure);
    }
    // infallible: there is one study
    let (mut study, names) = planned.into_only().expect("the study");
    let (mut points, mut shares, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let mut chosen = Vec::new();
    for target in 0..targets {
        let sign = if wanted.by.is_better_larger() {
            -1.0
        } else {
            1.0
        };
        let value = |one: &&Found| sign * one.best[target].mean;
        // As among the points of one share: a mean over the folds that were easy is no match for one over all.
        let failed = |one: &&Found| one.best[target].failed;
        // Of equal ones the largest share, which is the sparsest fit of all.
        let best = found.iter().min_by(|a, b| {
            let shares = b.share.partial_cmp(&a.share);
            failed(a)
                .cmp(&failed(b))
                .then(value(a).total_cmp(&value(b)))
                .then(shares.unwrap_or(std::cmp::Ordering::Equal))
        });
        // infallible: one was found, with all targets
        let best = best.expect("a share");
        if arguments.report.is_some() {
            study.stages.relax = best.share;
            held.extend(held_out(&study, &best.points[target..=target], runtime));
        }
        points.push(best.points[target].clone());
        shares.push(best.share);
        let mut one = best.chosen[target].clone();
        one.relax = best.share;
        one.points *= all.len();
        one.failed_cells = failed_cells[target];
        chosen.push(one);
    }
    Ok(Subject {
        prepared: on_all_rows(study)?,
        study: names,
        points,
        chosen: Some(chosen),
        shares,
        held_out: held,
        set_aside,
    })
}

/// The held-out rows of every fold as the fits at points, one per target, predict them; or why there are none.
pub(super) fn held_out(
    study: &SweepStudy,
    points: &[Point],
    runtime: &Runtime,
) -> Vec<Result<Vec<Predicted>, String>> {
    let of = |point: &Point| {
        if let Some(why) = FittedTarget::why_no_rows(study) {
            return Err(why);
        }
        let predicted = runtime
            .pool()
            .install(|| study.predicted(point, runtime.control()));
        predicted.map_err(|error| format!("no held-out rows are shown: {error}"))
    };
    points.iter().map(of).collect()
}

/// The choice with one share of the lasso.
struct Found {
    share: Option<f64>,
    /// Of every target the best point.
    best: Vec<BestPoint>,
    points: Vec<Point>,
    chosen: Vec<Chosen>,
}

/// The best point of a share and target.
struct BestPoint {
    /// Folds on which it failed.
    failed: usize,
    mean: f64,
}

/// The cells of a plan of one study.
fn evaluate(planned: &Planned<'_>, runtime: &Runtime) -> Result<MemoryCells, Failure> {
    let (plan, study) = (&planned.plan, &planned.studies[0]);
    Interruption {
        first: Some(
            "interrupted: the running batches are finished first, and no model is saved; interrupt again to end at \
             once"
                .into(),
        ),
        last: "ended at once, without a model; repeat the command".into(),
    }
    .answer();
    // With a single fold it is one batch, on one device.
    let single = planned.problems[0]
        .as_ref()
        .filter(|_| study.folds.len() == 1);
    let (keep, devices) = match single {
        None => (Keep::Cells, runtime.devices()),
        Some(problem) => {
            let points = plan.studies[0].points.iter();
            let points: Vec<Point> = points
                .map(|point| Point::new(point.l1, point.l2).of_target(point.target))
                .collect();
            let device = runtime.choose_device(&problem.problem, &points, &study.settings)?;
            (Keep::Outcomes, vec![device])
        }
    };
    let monitor = Arc::new(Monitor::new(plan));
    let mut cells = MemoryCells::new(plan);
    {
        let _progress = if single.is_some() {
            runtime.progress(plan.cell_count())
        } else {
            Progress::start(plan, &cells, &monitor, &runtime.device())?
        };
        let run = Run {
            plan,
            studies: &planned.studies,
            compressions: &planned.compressions,
            problems: &planned.problems,
            pool: runtime.pool(),
            stop: runtime.control(),
            shard: Shard::WHOLE,
            devices: &devices,
            keep,
            monitor: &monitor,
        };
        run.execute(&mut cells)?;
    }
    if runtime.is_interrupted() {
        return Err(Failure::Outcome("interrupted: no model was saved".into()));
    }
    if runtime.control().should_stop() {
        return Err(Failure::Outcome(
            "--time-budget was spent before a point was chosen: no model was saved; raise it, or give fewer \
             points or folds"
                .into(),
        ));
    }
    Ok(cells)
}

/// The point of every target, and the numbers on which its choice rests.
pub(super) fn choices(
    record: &Record,
    summaries: &[PointSummary],
    wanted: Wanted,
) -> Result<(Vec<Point>, Vec<Chosen>), Failure> {
    let Wanted {
        rule,
        by,
        is_deviance,
    } = wanted;
    let (factor, name_of_number) = if is_deviance {
        (2.0, "deviance")
    } else {
        (1.0, by.name())
    };
    let all = choose_by(record, summaries, by);
    let (mut points, mut chosen) = (Vec::new(), Vec::new());
    for (target, name) in record.targets.iter().enumerate() {
        let own: Vec<&PointSummary> = summaries
            .iter()
            .filter(|summary| record.points[summary.point].target == target)
            .collect();
        let Some(choice) = all.iter().find(|choice| choice.target == target) else {
            return Err(no_choice(name, by, &own));
        };
        let Some(at) = choice.by(rule.rule()) else {
            let why = if record.is_resampled() {
                "resamples overlap, and their mean has no standard error; choose by --choice best"
            } else {
                "one fold has no standard error; choose by --choice best, or evaluate the points on two folds or more"
            };
            return Err(Failure::Outcome(format!(
                "--choice {} of {name}: {why}",
                rule.name()
            )));
        };
        let summary = &summaries[at];
        let point = &record.points[summary.point];
        points.push(Point::new(point.l1, point.l2).of_target(target));
        chosen.push(Chosen {
            target: name.clone(),
            rule: rule.name(),
            by: name_of_number,
            mean: factor * summary.means[by],
            standard_error: factor * summary.standard_error,
            folds: summary.folds,
            held_out_rows: match record.folds.as_slice() {
                [only] => Some(only.held_out_rows),
                _ => None,
            },
            points: own.len(),
            failed_cells: own.iter().map(|summary| summary.failed).sum(),
            l1: point.l1,
            l2: point.l2,
            relax: record.relax(),
            alpha: point.ratio.map(|ratio| ratio.0),
            l1_ratio: point.ratio.map(|ratio| ratio.1),
        });
    }
    Ok((points, chosen))
}

/// The failure of a target none of whose points can be chosen.
fn no_choice(name: &str, by: Number, own: &[&PointSummary]) -> Failure {
    let all_failed = own.iter().all(|summary| summary.folds == 0);
    Failure::Outcome(if all_failed {
        format!(
            "no point of {name} converged on held-out rows, so that none can be chosen: no model was saved; raise \
             --max-steps, --l2 or --l1, or check the scale of the data"
        )
    } else {
        format!(
            "no point of {name} has a finite {} on every fold, so that none can be chosen: no model was saved; \
             give fewer folds or --stratified, or choose by the criterion",
            by.name()
        )
    })
}

/// The problem of a study on all rows.
pub(super) fn on_all_rows(mut study: SweepStudy) -> Result<Prepared, Failure> {
    study.folds = vec![Fold::of_all_rows()];
    Ok(Prepared::of(study.fold_problem(0)?, None))
}
