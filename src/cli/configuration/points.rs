//! The hyperparameter points of `hypergrad` and `fit`: all pairs of strengths, for every target.

use super::defaults::{SINGLE_SHARE, single_ridge};
use crate::cli::arguments::{ProblemArguments, Strengths};
use crate::cli::failure::Failure;
use crate::problem::{Point, Problem};
use crate::sweep::space::Space;

/// The most points whose results are kept in memory: more is a slip, and would not fit there.
const MOST_IN_MEMORY: usize = 1_000_000;

/// Refuses more points than memory holds.
pub fn check_count(points: u128) -> Result<(), Failure> {
    if points <= MOST_IN_MEMORY as u128 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--l1 and --l2 make more than {MOST_IN_MEMORY} pairs; give shorter lists, or keep a sweep with --store FILE"
    )))
}

/// The one value of a flag's strengths; `takes` says what takes but one, with the remedy.
pub fn single(
    flag: &str,
    axis: &Strengths,
    takes: &str,
    l1_max: impl FnOnce() -> f64,
) -> Result<f64, Failure> {
    let l1_max = if axis.needs_l1_max() { l1_max() } else { 0.0 };
    match axis.values(l1_max).as_slice() {
        &[value] => Ok(value),
        values => Err(Failure::usage(format!(
            "{flag} gives {} values where {takes}",
            values.len()
        ))),
    }
}

/// The points of a space, target after target.
pub fn points_of(space: &Space, problem: &Problem) -> Result<Vec<Point>, Failure> {
    let mut points = Vec::new();
    for target in 0..problem.train.targets.len() {
        let at_zero = space.needs_l1_max().then(|| problem.at_zero(target));
        let l1_max = |l2: f64| at_zero.as_ref().map_or(0.0, |at| at.l1_max(l2));
        let of_target = space.points(&l1_max)?;
        check_count(points.len() as u128 + of_target.len() as u128)?;
        points.extend(
            of_target
                .iter()
                .map(|point| Point::new(point.l1, point.l2).of_target(target)),
        );
    }
    Ok(points)
}

/// All pairs in the order of the lists, λ₂ fastest; target after target.
pub fn points(arguments: &ProblemArguments, problem: &Problem) -> Result<Vec<Point>, Failure> {
    let mut points = Vec::new();
    for target in 0..problem.train.targets.len() {
        let relative = [&arguments.l1, &arguments.l2]
            .into_iter()
            .flatten()
            .any(|axis| axis.needs_l1_max());
        let needed = relative || arguments.l1.is_none();
        let at_zero = needed.then(|| problem.at_zero(target));
        let l1_max = |l2: f64| at_zero.as_ref().map_or(0.0, |at| at.l1_max(l2));
        let ridges = match &arguments.l2 {
            Some(axis) => axis.values(l1_max(0.0)),
            None => vec![single_ridge(arguments)],
        };
        // With a prior they depend on λ₂.
        let strengths: Vec<Vec<f64>> = ridges
            .iter()
            .map(|&l2| match &arguments.l1 {
                Some(axis) => axis.values(l1_max(l2)),
                None if !problem.penalty.has_strength() => vec![0.0],
                None if arguments.l1_file.is_some() => vec![1.0],
                None => vec![SINGLE_SHARE * l1_max(l2)],
            })
            .collect();
        let each = strengths.first().map_or(0, Vec::len);
        check_count(points.len() as u128 + each as u128 * ridges.len() as u128)?;
        for at in 0..each {
            for (strengths, &l2) in strengths.iter().zip(&ridges) {
                let l1 = strengths[at];
                points.push(Point::new(l1, l2).of_target(target));
            }
        }
    }
    Ok(points)
}
