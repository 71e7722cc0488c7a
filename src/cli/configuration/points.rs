//! The hyperparameter points: all pairs of strengths, for every target.

use crate::cli::arguments::ProblemArguments;
use crate::cli::failure::Failure;
use crate::model::penalty::Penalty;
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
        let needed = relative || arguments.l1.is_none();
        let at_zero = needed.then(|| problem.at_zero(target));
        let l1_max = |l2: f64| at_zero.as_ref().map_or(0.0, |at| at.l1_max(l2));
        let ridges = match (&arguments.l2, defaults) {
            (Some(axis), _) => axis.values(l1_max(0.0)),
            (None, Defaults::Single) => vec![SINGLE_RIDGE],
            (None, Defaults::Grid) => GRID_RIDGES.to_vec(),
        };
        // With a prior they depend on λ₂.
        let strengths: Vec<Vec<f64>> = ridges
            .iter()
            .map(|&l2| match &arguments.l1 {
                Some(axis) => axis.values(l1_max(l2)),
                None => default_strengths(arguments, problem, l1_max(l2), defaults),
            })
            .collect();
        let each = strengths.first().map_or(0, Vec::len);
        let count = points.len() as u128 + each as u128 * ridges.len() as u128;
        if count > MOST_POINTS as u128 {
            return Err(Failure::usage(format!(
                "--l1 and --l2 make more than {MOST_POINTS} pairs; give shorter lists"
            )));
        }
        for at in 0..each {
            for (strengths, &l2) in strengths.iter().zip(&ridges) {
                let l1 = strengths[at];
                points.push(Point { l1, l2, target });
            }
        }
    }
    Ok(points)
}

fn default_strengths(
    arguments: &ProblemArguments,
    problem: &Problem,
    l1_max: f64,
    defaults: Defaults,
) -> Vec<f64> {
    if matches!(problem.penalty, Penalty::Box { .. }) {
        return vec![0.0];
    }
    if arguments.l1_file.is_some() && defaults == Defaults::Single {
        return vec![1.0];
    }
    match defaults {
        Defaults::Single => vec![SINGLE_SHARE * l1_max],
        Defaults::Grid => (0..GRID_VALUES)
            .map(|at| ABOVE * l1_max * GRID_SHARE.powf(at as f64 / (GRID_VALUES - 1) as f64))
            .collect(),
    }
}
