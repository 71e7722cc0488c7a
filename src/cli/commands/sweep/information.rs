//! `--information`: criteria of fits to all rows at every point of a sweep.

use crate::cli::arguments::sweep::Arguments;
use crate::cli::failure::Failure;
use crate::cli::runtime::Runtime;
use crate::hypergrad::Information;
use crate::sweep::information::information;
use crate::sweep::record::Plan;
use crate::sweep::study::Study;

/// Refuses what a study with --information does not go together with.
pub(super) fn check(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.factors.is_empty() {
        return Err(Failure::usage(
            "--information needs the rows, and sums of squares (--factors) have lost them; leave it out, or sweep the \
             rows themselves",
        ));
    }
    if arguments.store.shard.is_some() {
        return Err(Failure::usage(
            "--information fits all points to all rows, and --shard does a part of the plan; leave --information \
             out and, once the shards are joined by 'proxdiff runs merge', repeat the sweep with it on their store",
        ));
    }
    if arguments.stages.adaptive.is_some() || arguments.stages.relax.is_some() {
        return Err(Failure::usage(
            "--information is of one fit to all rows, and --adaptive and --relax have two; leave it out",
        ));
    }
    if arguments.resamples.drawn().is_some() {
        return Err(Failure::usage(
            "--information is of one fit to all rows, and --bootstrap and --subsamples draw rows; leave one of \
             them out",
        ));
    }
    Ok(())
}

/// The criteria of every study's points, in their order.
pub(super) fn of_points(
    plan: &Plan,
    studies: &[Study],
    runtime: &Runtime,
) -> Result<Vec<Vec<Information>>, Failure> {
    let of_study = |(study, record)| information(study, record, runtime.control());
    let all = studies.iter().zip(&plan.studies);
    let found: crate::error::Result<_> = runtime.pool().install(|| all.map(of_study).collect());
    Ok(found?)
}
