//! `--polish`: descents from the best points of every target of a sweep.

use std::collections::BTreeSet;

use crate::cli::arguments::Format;
use crate::cli::arguments::sweep::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output::{Polished, Summary};
use crate::cli::runtime::Runtime;
use crate::exec::Device;
use crate::kinds::Method;
use crate::problem::Point;
use crate::sweep::record::{Number, Plan, Study};
use crate::sweep::study::Study as SweepStudy;
use crate::sweep::summary::PointSummary;
use crate::tune::{Tuned, Tuner, Variable};

/// The best points of a target from which it is polished.
const STARTS: usize = 3;

/// The remark on a target of which no strength has several values.
const NOTHING_VARIES: &str =
    "the sweep has one value of each strength, so there is nothing to polish: give several";
/// The remark on a target that was not come to.
const STOPPED: &str = "the sweep was stopped before this was polished: allow more time";
/// The remark on descents that found nothing better.
const NO_BETTER: &str = "descents found nothing better than the sweep's best point, which is shown: let \
                         'proxdiff tune' look elsewhere";

/// Refuses what a study with --polish does not go together with.
pub(super) fn check(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.store.shard.is_some() {
        return Err(Failure::usage(
            "--polish needs the best points of the whole plan, and --shard does a part of it; leave --polish out \
             and, once the shards are joined by 'proxdiff runs merge', repeat the sweep with it on their store",
        ));
    }
    if arguments.stages.adaptive.is_some() || arguments.stages.relax.is_some() {
        return Err(Failure::usage(
            "--polish descends along the strengths of one fit, and --adaptive and --relax have two; leave it out",
        ));
    }
    if arguments.resamples.drawn().is_some() {
        return Err(Failure::usage(
            "--polish descends on held-out rows or folds, and --bootstrap and --subsamples draw rows to count what is \
             chosen; leave one of them out",
        ));
    }
    if arguments.output.format() == Format::Csv {
        return Err(Failure::usage(
            "--format csv has no place for what --polish finds; give --format json",
        ));
    }
    Ok(())
}

/// The ends of descents from the best points of every target. What cannot be tuned, or was stopped, is
/// said of its target and keeps nothing else from being shown.
pub(super) fn polished(
    plan: &Plan,
    studies: &[SweepStudy],
    runtime: &Runtime,
    summary: &Summary<'_>,
) -> Vec<Polished> {
    let mut all = Vec::new();
    for (number, study) in studies.iter().enumerate() {
        let record = &plan.studies[number];
        let has_l1 = study.specification.penalty.has_strength();
        for choice in summary.choices(number) {
            let best = best_points(record, summary.summaries(number), choice.target);
            let Some((before, first)) = best.first().cloned() else {
                continue;
            };
            let starts: Vec<Point> = best.into_iter().map(|(_, point)| point).collect();
            let mut polished = Polished::unchanged(record, has_l1, &first, before);
            match descended(study, record, starts, runtime) {
                Ok(tuned) if tuned.criterion <= before => polished.end = Some(tuned),
                Ok(_) => polished.remarks.push(NO_BETTER.into()),
                Err(remark) => polished.remarks.push(remark),
            }
            all.push(polished);
        }
    }
    all
}

/// The end of descents from points of a target, the best first, along the strengths that vary among the
/// target's points; or why there is none.
fn descended(
    study: &SweepStudy,
    record: &Study,
    starts: Vec<Point>,
    runtime: &Runtime,
) -> Result<Tuned, String> {
    let Some(first) = starts.first().cloned() else {
        return Err(NOTHING_VARIES.into());
    };
    if runtime.control().should_stop() {
        return Err(STOPPED.into());
    }
    let variables = variables(study, record, first.target);
    if variables.is_empty() {
        return Err(NOTHING_VARIES.into());
    }
    let mut settings = study.settings.clone();
    settings.method = Some(Method::AidCg);
    settings.device = Device::Cpu;
    settings.precision = study.precision;
    let tuner = Tuner::of_study(study)
        .settings(&settings)
        .variables(variables)
        .at(first)
        .starts(starts)
        .control(runtime.control());
    let tuned = runtime.pool().install(|| tuner.run());
    tuned.map_err(|error| {
        if runtime.control().should_stop() {
            STOPPED.into()
        } else {
            format!("this cannot be polished: {error}")
        }
    })
}

/// The strengths of which a target's points have several values.
fn variables(study: &SweepStudy, record: &Study, target: usize) -> Vec<Variable> {
    let (mut l1, mut l2) = (BTreeSet::new(), BTreeSet::new());
    for point in record.points.iter().filter(|p| p.target == target) {
        l1.insert(point.l1.to_bits());
        l2.insert(point.l2.to_bits());
    }
    let mut variables = Vec::new();
    if l2.len() > 1 {
        variables.push(Variable::l2());
    }
    if l1.len() > 1 && study.specification.penalty.has_strength() {
        variables.push(Variable::l1());
    }
    variables
}

/// The criteria and places of the best points of a target that no cell failed of.
fn best_points(study: &Study, summaries: &[PointSummary], target: usize) -> Vec<(f64, Point)> {
    let is_good = |s: &&PointSummary| {
        study.points[s.point].target == target
            && s.failed == 0
            && s.means[Number::Criterion].is_finite()
    };
    let mut best: Vec<&PointSummary> = summaries.iter().filter(is_good).collect();
    best.sort_by(|a, b| a.means[Number::Criterion].total_cmp(&b.means[Number::Criterion]));
    let point = |s: &&PointSummary| {
        let point = &study.points[s.point];
        let point = Point::new(point.l1, point.l2).of_target(target);
        (s.means[Number::Criterion], point)
    };
    best.iter().take(STARTS).map(point).collect()
}
