//! The variables of a tuning: hyperparameters on a logarithmic scale, within bounds.

use super::box_bounds::BoxBounds;
use super::lattice::CoarseAxis;
use crate::error::{Error, Result};
use crate::hypergrad::{Hypergradient, Strengths};
use crate::kinds::{Wrt, tag};
use crate::model::loss::Loss;
use crate::problem::{Point, Problem};
use crate::real::sum_of;

tag! {
    /// A hyperparameter that can be tuned.
    #[non_exhaustive]
    pub enum Hyperparameter {
        /// The common l1 strength.
        L1 = "l1", "the common l1 strength";
        /// The ridge strength λ₂.
        L2 = "l2", "the ridge strength";
    }
}

/// The default bounds of l1, in units of l1_max.
const L1_BOUNDS: (f64, f64) = (1e-4, 0.999);
/// The part of them that the coarse stage covers.
const L1_COARSE: (f64, f64) = (1e-3, 0.9);
/// The default bounds of λ₂, in units of the loss's mean curvature along a coordinate.
const L2_BOUNDS: (f64, f64) = (1e-6, 1e3);
/// The part of them that the coarse stage covers.
const L2_COARSE: (f64, f64) = (1e-3, 3.0);
/// The same where it has few points: most minima that a coarse stage could miss lie there.
const L2_FEW: (f64, f64) = (1e-3, 1e-1);
/// Where a start at or above l1_max is moved to, in its units: there all coefficients are zero, and
/// the slope is too.
const ACTIVE: f64 = 0.9;
/// Points along λ₂ that are not few.
const FEW: usize = 3;

impl Hyperparameter {
    /// The part of a hypergradient that it needs.
    pub(super) fn wrt(self) -> Wrt {
        match self {
            Self::L1 => Wrt::L1,
            Self::L2 => Wrt::L2,
        }
    }
}

/// A hyperparameter to be tuned, with its bounds and its start where these are given.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Variable {
    /// The hyperparameter.
    pub hyperparameter: Hyperparameter,
    /// The lower and the upper bound [default: l1 from 1e-4 to 0.999 of l1_max; λ₂ from 1e-6 to 1e3 of
    /// the loss's mean curvature along a coordinate, which is 1 for the squared loss of standardised
    /// columns].
    pub bounds: Option<(f64, f64)>,
    /// The only start, in place of a coarse stage.
    pub start: Option<f64>,
}

impl Variable {
    /// A hyperparameter with default bounds, its start to be found.
    #[must_use]
    pub fn new(hyperparameter: Hyperparameter) -> Self {
        Self {
            hyperparameter,
            bounds: None,
            start: None,
        }
    }

    /// The common l1 strength.
    #[must_use]
    pub fn l1() -> Self {
        Self::new(Hyperparameter::L1)
    }

    /// The ridge strength λ₂.
    #[must_use]
    pub fn l2() -> Self {
        Self::new(Hyperparameter::L2)
    }

    /// The same within bounds, both greater than zero.
    #[must_use]
    pub fn within(mut self, lower: f64, upper: f64) -> Self {
        self.bounds = Some((lower, upper));
        self
    }

    /// The same from a start, with no coarse stage.
    #[must_use]
    pub fn from(mut self, start: f64) -> Self {
        self.start = Some(start);
        self
    }
}

/// A variable with everything decided, in the hyperparameter's own units.
#[derive(Debug, Clone)]
struct Resolved {
    hyperparameter: Hyperparameter,
    bounds: (f64, f64),
    /// The part of the bounds that a coarse stage covers.
    coarse: (f64, f64),
    /// The part that few points cover.
    few: (f64, f64),
    start: Option<f64>,
}

/// The variables of one tuning, and the point that has everything else.
#[derive(Debug, Clone)]
pub(super) struct Space {
    variables: Vec<Resolved>,
    rest: Point,
    box_bounds: BoxBounds,
    /// What was decided for the user.
    pub(super) remarks: Vec<String>,
}

impl Space {
    /// The variables for the problems of all folds; `rest` has the strengths that are not tuned.
    ///
    /// # Errors
    /// [`Error::Value`] for no variable or one that is named twice, for bounds and starts that are no
    /// strengths or do not fit together, and where the criterion does not depend on a variable.
    pub(super) fn new(variables: &[Variable], rest: Point, problems: &[&Problem]) -> Result<Self> {
        if variables.is_empty() {
            return Err(Error::value(
                "variables",
                "there is nothing to tune",
                "name l1, l2, or both",
            ));
        }
        let mut remarks = Vec::new();
        let mut resolved: Vec<Resolved> = Vec::new();
        for variable in variables {
            let hyperparameter = variable.hyperparameter;
            let name = hyperparameter.name();
            if resolved.iter().any(|v| v.hyperparameter == hyperparameter) {
                return Err(Error::value(
                    "variables",
                    format!("{name} is named twice"),
                    "name it once",
                ));
            }
            let one = match hyperparameter {
                Hyperparameter::L1 => l1(variable, &rest, problems, &mut remarks)?,
                Hyperparameter::L2 => l2(variable, problems)?,
            };
            resolved.push(one);
        }
        let logs = |of: fn(&Resolved) -> f64| resolved.iter().map(|v| of(v).ln()).collect();
        let box_bounds = BoxBounds::new(logs(|v| v.bounds.0), logs(|v| v.bounds.1))?;
        Ok(Self {
            variables: resolved,
            rest,
            box_bounds,
            remarks,
        })
    }

    /// The bounds of the logarithms.
    pub(super) fn box_bounds(&self) -> &BoxBounds {
        &self.box_bounds
    }

    /// The bounds of the hyperparameters.
    pub(super) fn bounds(&self) -> Vec<(f64, f64)> {
        self.variables.iter().map(|v| v.bounds).collect()
    }

    /// The names of the variables.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.variables
            .iter()
            .map(|v| v.hyperparameter.name())
            .collect()
    }

    /// The parts of a hypergradient that are needed.
    pub(super) fn wrt(&self) -> Vec<Wrt> {
        self.variables
            .iter()
            .map(|v| v.hyperparameter.wrt())
            .collect()
    }

    /// The logarithms that a coarse stage covers, with the number of points along each, for so many
    /// evaluations in all: enough of these are left for descents. Along l1 there are many: kinks lie
    /// close there, and points cost little along a path.
    pub(super) fn coarse(&self, budget: usize) -> Vec<CoarseAxis> {
        let is_alone = self.variables.len() == 1;
        let [l1, l2] = match budget {
            _ if is_alone => [24.min(budget.div_ceil(3)), 12.min(budget.div_ceil(3))],
            200.. => [24, 6],
            50.. => [14, 2],
            8.. => [budget / 4, 2],
            _ => [budget.div_ceil(3), 1],
        };
        let axis = |variable: &Resolved| {
            let (count, ends) = match variable.hyperparameter {
                Hyperparameter::L1 => (l1, variable.coarse),
                Hyperparameter::L2 if l2 < FEW && !is_alone => (l2, variable.few),
                Hyperparameter::L2 => (l2, variable.coarse),
            };
            CoarseAxis {
                low: ends.0.ln(),
                high: ends.1.ln(),
                count: count.max(1),
            }
        };
        self.variables.iter().map(axis).collect()
    }

    /// The place of the given start; what is not given starts in the middle of its coarse stage.
    /// `None` where no start is given.
    pub(super) fn start(&self) -> Option<Vec<f64>> {
        self.variables.iter().find(|v| v.start.is_some())?;
        let middle = |v: &Resolved| (v.coarse.0 * v.coarse.1).sqrt();
        let each = self.variables.iter();
        Some(
            each.map(|v| v.start.unwrap_or_else(|| middle(v)).ln())
                .collect(),
        )
    }

    /// The strengths of a place, in the order of the variables: within the bounds to the last bit.
    pub(super) fn strengths(&self, place: &[f64]) -> Vec<f64> {
        let lower = self.box_bounds.lower().iter();
        let sides = lower.zip(self.box_bounds.upper());
        let each = self.variables.iter().zip(place).zip(sides);
        each.map(|((variable, &x), (lower, upper))| {
            let (low, high) = variable.bounds;
            match x {
                x if x <= *lower => low,
                x if x >= *upper => high,
                x => x.exp().clamp(low, high),
            }
        })
        .collect()
    }

    /// The point of a place.
    pub(super) fn point(&self, place: &[f64]) -> Point {
        let mut point = self.rest.clone();
        for (variable, strength) in self.variables.iter().zip(self.strengths(place)) {
            match variable.hyperparameter {
                Hyperparameter::L1 => point.l1 = strength,
                Hyperparameter::L2 => point.l2 = strength,
            }
        }
        point
    }

    /// dE/d log λ of every variable; `None` where a part is missing.
    pub(super) fn slope(
        &self,
        point: &Point,
        gradient: &Hypergradient,
        problem: &Problem,
    ) -> Option<Vec<f64>> {
        let each = self.variables.iter();
        each.map(|variable| match variable.hyperparameter {
            Hyperparameter::L1 => Some(match gradient.l1.as_ref()? {
                Strengths::Common(slope) => point.l1 * slope,
                // With respect to the effective strengths l1·s.
                Strengths::Each(slopes) => {
                    let strengths = problem.effective_strengths(point.l1);
                    sum_of(slopes.len().min(strengths.len()), |at| {
                        slopes[at] * strengths[at]
                    })
                }
            }),
            Hyperparameter::L2 => Some(point.l2 * gradient.l2?),
        })
        .collect()
    }

    /// Remarks on a place: the bounds that hold it.
    pub(super) fn held(&self, place: &[f64], slope: &[f64]) -> Vec<String> {
        let mut remarks = Vec::new();
        for (at, variable) in self.variables.iter().enumerate() {
            if !self.box_bounds.presses(at, place, slope) {
                continue;
            }
            let name = variable.hyperparameter.name();
            let (side, bound, beyond) = if slope[at] > 0.0 {
                ("lower", variable.bounds.0, "smaller")
            } else {
                ("upper", variable.bounds.1, "larger")
            };
            remarks.push(format!(
                "the best {name} lies at its {side} bound {bound:.3e}: the criterion falls towards \
                 {beyond} values; move the bound with --bounds {name}=LO:HI"
            ));
        }
        remarks
    }
}

/// l1 with its bounds.
fn l1(
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
    let mut one = resolve(variable, l1_max, L1_BOUNDS, L1_COARSE, L1_COARSE)?;
    if let Some(start) = &mut one.start
        && *start >= l1_max
    {
        let moved = (ACTIVE * l1_max).clamp(one.bounds.0, one.bounds.1);
        remarks.push(format!(
            "l1 starts at {moved:.3e} in place of {start:.3e}, where all coefficients are zero and so is the slope"
        ));
        *start = moved;
    }
    Ok(one)
}

/// λ₂ with its bounds.
fn l2(variable: &Variable, problems: &[&Problem]) -> Result<Resolved> {
    let unit = problems
        .iter()
        .map(|p| mean_curvature(p))
        .fold(0.0, f64::max);
    let unit = if unit > 0.0 && unit.is_finite() {
        unit
    } else {
        1.0
    };
    resolve(variable, unit, L2_BOUNDS, L2_COARSE, L2_FEW)
}

/// A variable whose defaults are in a unit.
fn resolve(
    variable: &Variable,
    unit: f64,
    bounds: (f64, f64),
    coarse: (f64, f64),
    few: (f64, f64),
) -> Result<Resolved> {
    let name = variable.hyperparameter.name();
    let (lower, upper) = variable
        .bounds
        .unwrap_or((bounds.0 * unit, bounds.1 * unit));
    if !(lower > 0.0 && lower.is_finite() && upper.is_finite()) {
        return Err(Error::value(
            "bounds",
            format!("{name} is to lie between {lower} and {upper}"),
            "give finite bounds greater than zero: strengths are tuned on a logarithmic scale",
        ));
    }
    if lower >= upper {
        return Err(Error::value(
            "bounds",
            format!("{name} is to lie between {lower} and {upper}, which leaves nothing to tune"),
            "give the smaller bound first, and a larger one",
        ));
    }
    if let Some(start) = variable.start
        && !(start >= lower && start <= upper)
    {
        return Err(Error::value(
            "start",
            format!("{name} is to start at {start}, outside its bounds {lower:e} to {upper:e}"),
            "start within the bounds, or move them",
        ));
    }
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
        bounds: (lower, upper),
        coarse: within(coarse),
        few: within(few),
        start: variable.start,
    })
}

/// The mean over coordinates of the loss's curvature along them at w = 0, as far as the loss bounds it.
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
    let of_rows = match problem.loss() {
        Loss::Logistic => 0.25,
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

#[cfg(test)]
mod tests;
