//! The values of flags that are not given, each said once.

use super::settings::differentiated;
use crate::cli::arguments::sweep::Arguments;
use crate::cli::arguments::{
    LossName, PenaltyName, ProblemArguments, SearchName, SpaceArguments, Strengths,
};
use crate::sweep::ordered::Scheme;
use crate::sweep::space::Axes;
use crate::sweep::stages::FirstFit;

/// The share of rows that are held out.
pub const HELD_OUT: f64 = 0.25;
/// Points of a random or Sobol search.
pub const SAMPLES: usize = 64;
/// Repetitions of the cross-validation.
pub const REPEATS: usize = 1;
/// The l1 or alpha of a grid.
const GRID: &str = "frac:1:1e-3:12";
/// The λ₂ of a grid.
const GRID_RIDGES: &str = "0.001,0.01,0.1,1";
/// The share of l1 in alpha.
const RATIO: &str = "0.5";
/// l1 of a single point, as a share of l1_max.
pub const SINGLE_SHARE: f64 = 0.1;
/// λ₂ of a single point.
const SINGLE_RIDGE: f64 = 0.01;

/// λ₂ of a single point, or the factor of the strengths of a file.
pub fn single_ridge(problem: &ProblemArguments) -> f64 {
    if problem.l2_file.is_some() {
        1.0
    } else {
        SINGLE_RIDGE
    }
}

/// The λ₂ of a grid, or the factors of the strengths of a file.
fn ridges(problem: &ProblemArguments) -> &'static str {
    if problem.l2_file.is_some() {
        "1"
    } else {
        GRID_RIDGES
    }
}

/// The l1 of a grid for a penalty: the box has none.
fn grid(problem: &ProblemArguments) -> &'static str {
    if problem.penalty == PenaltyName::Box {
        "0"
    } else {
        GRID
    }
}

/// An axis, or that of a text.
fn axis(given: &Option<Strengths>, default: &str) -> Strengths {
    // infallible: a constant of this file
    given
        .clone()
        .unwrap_or_else(|| default.parse().expect("an axis"))
}

/// The axes of a fit that is not over folds: what no flag gives has a single value.
pub fn single_axes(problem: &ProblemArguments, space: &SpaceArguments) -> Axes {
    if in_ratio(space) {
        return axes(problem, space);
    }
    let l1 = match problem.penalty {
        PenaltyName::Box => "0".into(),
        _ if problem.l1_file.is_some() => "1".into(),
        _ => format!("frac:{SINGLE_SHARE}"),
    };
    Axes::Strengths {
        l1: axis(&problem.l1, &l1),
        l2: axis(&problem.l2, &single_ridge(problem).to_string()),
    }
}

/// Whether the strengths are given by alpha and the share of l1 in it.
pub fn in_ratio(space: &SpaceArguments) -> bool {
    space.alpha.is_some() || space.l1_ratio.is_some()
}

/// The axes of a sweep.
pub fn axes(problem: &ProblemArguments, space: &SpaceArguments) -> Axes {
    if in_ratio(space) {
        Axes::Ratio {
            alpha: axis(&space.alpha, GRID),
            l1_ratio: axis(&space.l1_ratio, RATIO),
        }
    } else {
        Axes::Strengths {
            l1: axis(&problem.l1, grid(problem)),
            l2: axis(&problem.l2, ridges(problem)),
        }
    }
}

/// The settings that the arguments of a sweep leave to defaults, by the names of their flags: with them
/// given, the plan is the same. Left out is what has no value by default, such as a tolerance.
pub fn left_to_defaults(arguments: &Arguments) -> Vec<(&'static str, String)> {
    let Arguments {
        data,
        problem,
        stages,
        space,
        folds,
        resamples,
        hypergradient,
        runtime,
        factors,
        ..
    } = arguments;
    let mut values = Vec::new();
    let mut add = |applies: bool, name: &'static str, value: String| {
        if applies {
            values.push((name, value));
        }
    };
    let has_factors = !factors.is_empty();
    let is_named = has_factors || data.data.is_some() || data.x.is_some() || data.x_val.is_some();
    let is_example = !is_named && !data.example && data.target.is_empty();
    add(is_example, "example", "true".into());
    let in_ratio = in_ratio(space);
    add(in_ratio && space.alpha.is_none(), "alpha", GRID.into());
    let has_ratio = space.l1_ratio.is_some();
    add(in_ratio && !has_ratio, "l1-ratio", RATIO.into());
    let l1 = grid(problem).to_string();
    add(!in_ratio && problem.l1.is_none(), "l1", l1);
    let l2 = ridges(problem).to_string();
    add(!in_ratio && problem.l2.is_none(), "l2", l2);
    let is_sampled = space.search != SearchName::Grid;
    let samples = SAMPLES.to_string();
    add(is_sampled && space.samples.is_none(), "samples", samples);
    let splits = !has_factors
        && folds.cv.is_none()
        && folds.folds.is_none()
        && resamples.drawn().is_none()
        && data.x_val.is_none()
        && problem.loss != LossName::Quadratic;
    let share = HELD_OUT.to_string();
    add(splits && data.val_fraction.is_none(), "val-fraction", share);
    let is_repeated = folds.cv.is_some_and(Scheme::is_random) && folds.repeats.is_none();
    add(is_repeated, "repeats", REPEATS.to_string());
    let has_gap = folds.cv.is_some_and(Scheme::is_in_time) && folds.gap.is_none();
    add(has_gap, "gap", "0".into());
    let precision = runtime.result_precision().name().to_string();
    add(runtime.precision.is_none(), "precision", precision);
    let first = FirstFit::default().to_string();
    let has_first = stages.adaptive.is_some() && stages.first_fit.is_none();
    add(has_first, "first-fit", first);
    let criterion = problem.loss.name().to_string();
    add(problem.criterion.is_none(), "criterion", criterion);
    let wrt: Vec<&str> = differentiated(problem).iter().map(|w| w.flag()).collect();
    add(hypergradient.wrt.is_empty(), "wrt", wrt.join(","));
    values
}
