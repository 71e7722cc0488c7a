//! The hyperparameter points: all pairs of strengths, for every target.

use crate::cli::arguments::ProblemArguments;
use crate::cli::failure::Failure;
use crate::penalty::Penalty;
use crate::problem::{Point, Problem};

/// What a command evaluates when no strengths are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// One point.
    Single,
    /// A grid.
    Grid,
}

/// l1 of a single point, as a share of l1_max.
const SINGLE_SHARE: f64 = 0.1;
/// λ₂ of a single point.
const SINGLE_RIDGE: f64 = 0.01;
/// The l1 of a grid: this many values from l1_max down to this share of it.
const GRID_VALUES: usize = 12;
const GRID_SHARE: f64 = 1e-3;
/// A hair above l1_max, so that rounding lets no coefficient in at the first point.
const ABOVE: f64 = 1.0 + 1e-12;
/// The λ₂ of a grid.
pub(super) const GRID_RIDGES: [f64; 4] = [0.001, 0.01, 0.1, 1.0];

/// The most points of one run: more is a slip, and would not fit into memory.
const MOST_POINTS: usize = 1_000_000;

/// All pairs in the order of the lists, λ₂ fastest; target after target.
pub fn points(
    arguments: &ProblemArguments,
    problem: &Problem,
    defaults: Defaults,
) -> Result<Vec<Point>, Failure> {
    let mut points = Vec::new();
    for target in 0..problem.train.targets.len() {
        let relative = [&arguments.l1, &arguments.l2]
            .into_iter()
            .flatten()
            .any(|axis| axis.needs_l1_max());
        let l1_max = if relative {
            problem.l1_max(target, 0.0)
        } else {
            0.0
        };
        let ridges = match (&arguments.l2, defaults) {
            (Some(axis), _) => axis.values(l1_max),
            (None, Defaults::Single) => vec![SINGLE_RIDGE],
            (None, Defaults::Grid) => GRID_RIDGES.to_vec(),
        };
        let strengths = match &arguments.l1 {
            Some(axis) => axis.values(l1_max),
            None => default_strengths(arguments, problem, target, defaults),
        };
        let count = points.len() as u128 + strengths.len() as u128 * ridges.len() as u128;
        if count > MOST_POINTS as u128 {
            return Err(Failure::usage(format!(
                "--l1 and --l2 make more than {MOST_POINTS} pairs; give shorter lists"
            )));
        }
        for &l1 in &strengths {
            for &l2 in &ridges {
                points.push(Point { l1, l2, target });
            }
        }
    }
    Ok(points)
}

fn default_strengths(
    arguments: &ProblemArguments,
    problem: &Problem,
    target: usize,
    defaults: Defaults,
) -> Vec<f64> {
    if matches!(problem.penalty, Penalty::Box { .. }) {
        return vec![0.0];
    }
    if arguments.l1_file.is_some() && defaults == Defaults::Single {
        return vec![1.0];
    }
    let largest = problem.l1_max(target, 0.0);
    match defaults {
        Defaults::Single => vec![SINGLE_SHARE * largest],
        Defaults::Grid => (0..GRID_VALUES)
            .map(|at| ABOVE * largest * GRID_SHARE.powf(at as f64 / (GRID_VALUES - 1) as f64))
            .collect(),
    }
}
