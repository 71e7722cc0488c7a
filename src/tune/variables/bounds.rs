//! The bounds of the variables: those that are given, or defaults in units of the problem.

use crate::error::{Error, Result};
use crate::model::loss::{Loss, RowLoss};
use crate::problem::{Point, Problem};
use crate::real::sum_of;
use crate::tune::variable::{Resolved, Scale, Variable};

/// The ranges of a variable unless it is told otherwise, in a unit of the problem.
struct Ranges {
    bounds: (f64, f64),
    /// The part that the coarse stage covers.
    coarse: (f64, f64),
    /// The part that few points cover: most minima that a coarse stage could miss lie there.
    few: (f64, f64),
}

/// Those of l1, in units of l1_max.
const L1: Ranges = Ranges {
    bounds: (1e-4, 0.999),
    coarse: (1e-3, 0.9),
    few: (1e-3, 0.9),
};
/// Those of λ₂, in units of the loss's mean curvature along a coordinate.
const L2: Ranges = Ranges {
    bounds: (1e-6, 1e3),
    coarse: (1e-3, 3.0),
    few: (1e-3, 1e-1),
};
/// Those of the Huber loss's δ, in units of the spread of the targets.
const DELTA: Ranges = Ranges {
    bounds: (1e-2, 10.0),
    coarse: (0.05, 3.0),
    few: (0.1, 1.0),
};
/// Those of the weights of classes, that of the first one being 1.
const CLASS: Ranges = Ranges {
    bounds: (1e-3, 1e3),
    coarse: (1e-3, 1e3),
    few: (1e-3, 1e3),
};
/// The standard deviation of normal numbers, in units of their median distance from the median.
const NORMAL: f64 = 1.4826;
/// The default bound of a prior, in units of the largest coefficient that a feature has alone.
const PRIOR_BOUND: f64 = 10.0;
/// The place, in units of l1_max, of a start that was at or above it, where all coefficients are zero and
/// the slope is too.
const ACTIVE: f64 = 0.9;

/// l1 with its bounds.
pub(in crate::tune) fn l1(
    variable: &Variable,
    rest: &Point,
    problems: &[&Problem],
    remarks: &mut Vec<String>,
) -> Result<Resolved> {
    if !problems.iter().all(|p| p.penalty().has_strength()) {
        return Err(Error::value(
            "l1",
            "the criterion does not depend on it: the penalty has no l1",
            "tune l2 alone, or choose another penalty",
        ));
    }
    let of_problem = |p: &&Problem| p.l1_max(rest.target, rest.l2);
    let l1_max = problems.iter().map(of_problem).fold(0.0, f64::max);
    if !(l1_max > 0.0 && l1_max.is_finite()) {
        return Err(Error::value(
            "l1",
            "the criterion does not depend on it: without any l1 all penalised coefficients are zero",
            "choose a target that varies, or strengths that are not all zero",
        ));
    }
    let mut one = resolve(variable, l1_max, &L1)?;
    let name = variable.named.name();
    if let Some(start) = &mut one.start
        && *start >= l1_max
    {
        let moved = (ACTIVE * l1_max).clamp(one.bounds.0, one.bounds.1);
        remarks.push(format!(
            "{name} starts at {moved:.3e} in place of {start:.3e}, where all coefficients are zero and so is the slope"
        ));
        *start = moved;
    }
    Ok(one)
}

/// λ₂ with its bounds.
pub(in crate::tune) fn l2(variable: &Variable, problems: &[&Problem]) -> Result<Resolved> {
    let unit = problems
        .iter()
        .map(|p| mean_curvature(p))
        .fold(0.0, f64::max);
    // Strengths of the problem are multiplied by it.
    let strength = problems.iter().map(|p| mean_ridge(p)).fold(0.0, f64::max);
    let is_unit = |unit: f64| unit > 0.0 && unit.is_finite();
    let unit = match unit / strength {
        unit if is_unit(unit) => unit,
        _ => 1.0,
    };
    resolve(variable, unit, &L2)
}

/// δ of the Huber loss with its bounds.
pub(in crate::tune) fn huber_delta(
    variable: &Variable,
    target: usize,
    problems: &[&Problem],
) -> Result<Resolved> {
    let Loss::Huber { delta } = problems[0].loss() else {
        let loss = problems[0].loss().name();
        return Err(Error::value(
            variable.named.name(),
            format!("the criterion does not depend on it: the {loss} loss has no delta"),
            "use the Huber loss, --loss huber",
        ));
    };
    let spread = |p: &&Problem| spread(&p.train().targets[target]);
    let unit = problems.iter().map(spread).fold(0.0, f64::max);
    let unit = if unit > 0.0 { unit } else { 1.0 };
    let one = resolve(variable, unit, &DELTA)?;
    let own = delta.clamp(one.bounds.0, one.bounds.1);
    Ok(Resolved {
        own: Some([own].into()),
        ..one
    })
}

/// The weights of the classes with their bounds.
pub(in crate::tune) fn class_weights(
    variable: &Variable,
    problems: &[&Problem],
) -> Result<Resolved> {
    let loss = problems[0].loss();
    if !loss.is_classification() {
        return Err(Error::value(
            variable.named.name(),
            format!(
                "the criterion does not depend on them: the {} loss has no classes",
                loss.name()
            ),
            "use a loss of classes: logistic, multinomial or squared-hinge",
        ));
    }
    if problems.iter().any(|p| p.criterion().on_training_rows) {
        return Err(Error::value(
            variable.named.name(),
            "the criterion is on the training rows, whose weights they are: it would be tuned and not the fit",
            "hold rows out for the criterion",
        ));
    }
    let count = problems[0].class_count() - 1;
    let one = resolve(variable, 1.0, &CLASS)?;
    let (lower, upper) = one.bounds;
    if variable.start.is_none() && !(lower..=upper).contains(&1.0) {
        return Err(outside_bounds(variable, 1.0, lower, upper));
    }
    Ok(Resolved {
        own: Some(vec![1.0; count].into()),
        count,
        ..one
    })
}

/// The spread of numbers: 1.4826 times their median distance from the median, and where that is zero their
/// mean distance from it.
fn spread(values: &[f64]) -> f64 {
    let middle = median(values.to_vec());
    let distances: Vec<f64> = values.iter().map(|y| (y - middle).abs()).collect();
    let mean = distances.iter().sum::<f64>() / distances.len().max(1) as f64;
    match NORMAL * median(distances) {
        spread if spread > 0.0 => spread,
        _ => mean,
    }
}

/// The upper median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// l1 with its default upper bound at this δ too, where coefficients leave zero at a larger l1.
pub(in crate::tune) fn widen_l1(
    one: Resolved,
    rest: &Point,
    delta: f64,
    problems: &[&Problem],
) -> Result<Resolved> {
    let mut upper = one.bounds.1;
    for problem in problems {
        let wide = Problem::clone(problem).with_huber_delta(delta)?;
        upper = upper.max(L1.bounds.1 * wide.l1_max(rest.target, rest.l2));
    }
    let bounds = (one.bounds.0, upper);
    Ok(Resolved { bounds, ..one })
}

/// The prior with its bounds; `tunes_l2` where λ₂ is a variable too.
pub(in crate::tune) fn prior(
    variable: &Variable,
    rest: &Point,
    problems: &[&Problem],
    tunes_l2: bool,
) -> Result<Resolved> {
    let has_ridge = |p: &&Problem| p.ridge_range(rest).largest > 0.0;
    if !(tunes_l2 || problems.iter().all(has_ridge)) {
        return Err(Error::value(
            variable.named.name(),
            "the criterion does not depend on it: without a ridge strength nothing pulls to a prior",
            "tune l2 too, or give an l2 greater than zero",
        ));
    }
    let count = problems[0].penalized();
    let own = rest.prior().or(problems[0].prior());
    let own = own.map_or_else(|| vec![0.0; count], <[f64]>::to_vec);
    let of_problem = |p: &&Problem| p.at_zero(rest.target).largest_slope() / mean_curvature(p);
    let unit = problems.iter().map(of_problem).fold(0.0, f64::max);
    let unit = own.iter().fold(unit, |unit, c| unit.max(c.abs()));
    let unit = match variable.start.map_or(unit, |start| unit.max(start.abs())) {
        unit if unit > 0.0 && unit.is_finite() => unit,
        _ => 1.0,
    };
    let (lower, upper) = variable
        .bounds
        .unwrap_or((-PRIOR_BOUND * unit, PRIOR_BOUND * unit));
    if !(lower.is_finite() && upper.is_finite()) {
        return Err(Error::value(
            "bounds",
            format!("prior is to lie between {lower} and {upper}"),
            "give finite bounds",
        ));
    }
    check_bounds(variable, lower, upper)?;
    let outside = own.iter().find(|c| !(**c >= lower && **c <= upper));
    if let (Some(outside), None) = (outside, variable.start) {
        return Err(outside_bounds(variable, *outside, lower, upper));
    }
    Ok(Resolved {
        hyperparameter: variable.hyperparameter,
        named: variable.named,
        bounds: (lower, upper),
        coarse: (lower, upper),
        few: (lower, upper),
        start: variable.start,
        scale: Scale::Linear(unit),
        own: Some(own.into()),
        count,
        ties: None,
    })
}

/// Refuses bounds that leave nothing, and a start outside of them.
fn check_bounds(variable: &Variable, lower: f64, upper: f64) -> Result<()> {
    if lower >= upper {
        let name = variable.named.name();
        return Err(Error::value(
            "bounds",
            format!("{name} is to lie between {lower} and {upper}, which leaves nothing to tune"),
            "give the smaller bound first, and a larger one",
        ));
    }
    match variable.start {
        Some(start) if !(start >= lower && start <= upper) => {
            Err(outside_bounds(variable, start, lower, upper))
        }
        _ => Ok(()),
    }
}

fn outside_bounds(variable: &Variable, start: f64, lower: f64, upper: f64) -> Error {
    let name = variable.named.name();
    Error::value(
        "start",
        format!("{name} is to start at {start}, outside its bounds {lower:e} to {upper:e}"),
        "start within the bounds, or move them",
    )
}

/// A variable whose defaults are in a unit.
fn resolve(variable: &Variable, unit: f64, ranges: &Ranges) -> Result<Resolved> {
    let name = variable.named.name();
    let (lower, upper) = variable
        .bounds
        .unwrap_or((ranges.bounds.0 * unit, ranges.bounds.1 * unit));
    if !(lower > 0.0 && lower.is_finite() && upper.is_finite()) {
        return Err(Error::value(
            "bounds",
            format!("{name} is to lie between {lower} and {upper}"),
            "give finite bounds greater than zero: strengths are tuned on a logarithmic scale",
        ));
    }
    check_bounds(variable, lower, upper)?;
    let within = |(low, high): (f64, f64)| {
        let (low, high) = (
            (low * unit).clamp(lower, upper),
            (high * unit).clamp(lower, upper),
        );
        // Bounds that leave little of it are searched as a whole.
        if high > 2.0 * low {
            (low, high)
        } else {
            (lower, upper)
        }
    };
    Ok(Resolved {
        hyperparameter: variable.hyperparameter,
        named: variable.named,
        bounds: (lower, upper),
        coarse: within(ranges.coarse),
        few: within(ranges.few),
        start: variable.start,
        scale: Scale::Logarithm,
        own: None,
        count: 1,
        ties: variable.ties.clone(),
    })
}

/// The mean over coordinates of the problem's ridge strengths at λ₂ = 1.
fn mean_ridge(problem: &Problem) -> f64 {
    let Some(ridge) = problem.ridge() else {
        return 1.0;
    };
    let (strengths, entries) = (ridge.strengths(), ridge.entries());
    let sum = sum_of(entries.len(), |j| strengths[entries[j] as usize]);
    sum / entries.len().max(1) as f64
}

/// The mean over coordinates of the loss's curvature along them at w = 0, as far as the loss bounds it; with a
/// log link at the best intercept.
fn mean_curvature(problem: &Problem) -> f64 {
    let sample = problem.train();
    let design = &sample.design;
    let features = design.features().max(1) as f64;
    if problem.loss() == Loss::Quadratic {
        let diagonal = |j: usize| {
            let mut unit = vec![0.0; design.columns()];
            unit[j] = 1.0;
            design.apply(&unit)[j]
        };
        // Large forms: a sample of the diagonal says as much.
        let every = design.columns().div_ceil(64);
        let picked: Vec<f64> = (0..design.columns()).step_by(every).map(diagonal).collect();
        return picked.iter().sum::<f64>() / picked.len().max(1) as f64;
    }
    // Offsets with a log link change the weights, whose sum is that of the rows no more.
    let total: f64 = sample.weights.iter().sum();
    let mean = |target: &Vec<f64>| {
        let y = target.iter().zip(&sample.weights);
        y.map(|(y, s)| s * y).sum::<f64>() / total.max(f64::MIN_POSITIVE)
    };
    let of_rows = match problem.loss() {
        Loss::Logistic => 0.25,
        // At the best intercept, where the mean of the targets is predicted.
        loss if loss.has_log_link() => sample
            .targets
            .iter()
            .map(mean)
            .filter_map(|mean| Some(loss.scalar()?.curvature(loss.predictor_of_mean(mean), mean)))
            .fold(0.0, f64::max),
        Loss::Multinomial => {
            let share = 1.0 / problem.classes() as f64;
            share * (1.0 - share)
        }
        _ => 1.0,
    };
    // The column of ones counts one for each row.
    let ones = if design.intercept { 1.0 } else { 0.0 };
    let squares = design.row_squares();
    let weighted = sum_of(squares.len(), |i| sample.weights[i] * (squares[i] - ones));
    of_rows * weighted / (sample.rows().max(1) as f64 * features)
}
