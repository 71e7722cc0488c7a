//! The variables of a tuning: hyperparameters on a logarithmic scale, within bounds.

use std::ops::Range;

use super::box_bounds::BoxBounds;
use super::hyperparameter::Hyperparameter;
use super::lattice::CoarseAxis;
use super::outcome::TunedVariable;
use super::variable::{Resolved, Variable};
use crate::error::{Error, Result};
use crate::hypergrad::{Hypergradient, Strengths};
use crate::kinds::Wrt;
use crate::problem::{Point, Problem};
use crate::real::sum_of;

/// Points along λ₂ that are not few.
const FEW: usize = 3;

mod bounds;
mod vectors;

pub(super) use bounds::{l1 as resolve_l1, l2 as resolve_l2};
use bounds::{l1, l2};
pub(super) use vectors::entries_of;
pub use vectors::with_vectors;

/// The variables of one tuning, and the point that has everything else.
#[derive(Debug, Clone)]
pub(super) struct Space {
    variables: Vec<Resolved>,
    rest: Point,
    box_bounds: BoxBounds,
    /// Decisions that were taken for the user, one sentence each.
    pub(super) remarks: Vec<String>,
}

impl Space {
    /// The variables for the problems of all folds; `rest` has the strengths that are not tuned. They are
    /// in one order, whatever that of their names: l1 first, along which kinks lie close.
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
        let mut variables = variables.to_vec();
        variables.sort_by_key(|variable| variable.hyperparameter.wrt() == Wrt::L2);
        for variable in &variables {
            let hyperparameter = variable.hyperparameter;
            let name = hyperparameter.name();
            let is_same = |v: &Resolved| v.hyperparameter.wrt() == hyperparameter.wrt();
            if resolved.iter().any(is_same) {
                return Err(Error::value(
                    "variables",
                    format!("{name} is named twice"),
                    "name it once",
                ));
            }
            let one = match hyperparameter {
                Hyperparameter::L1 => l1(variable, &rest, problems, &mut remarks)?,
                Hyperparameter::L2 => l2(variable, problems)?,
                Hyperparameter::L1Each | Hyperparameter::L1Group => {
                    let penalty = problems[0].penalty();
                    let count = match &variable.ties {
                        Some(ties) => entries_of(ties),
                        None => penalty.strengths(problems[0].penalized()).len(),
                    };
                    let one = l1(variable, &rest, problems, &mut remarks)?;
                    Resolved { count, ..one }
                }
                Hyperparameter::L2Each | Hyperparameter::L2Group | Hyperparameter::L2Class => {
                    let ridge = problems[0].ridge();
                    let count = ridge.map_or(1, |ridge| ridge.strengths().len());
                    let one = l2(variable, problems)?;
                    Resolved { count, ..one }
                }
            };
            resolved.push(one);
        }
        let logs = |of: fn(&Resolved) -> f64| {
            let each = resolved.iter();
            each.flat_map(|v| std::iter::repeat_n(of(v).ln(), v.count))
                .collect()
        };
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

    /// The places of the entries of each variable.
    fn ranges(&self) -> impl Iterator<Item = (&Resolved, Range<usize>)> {
        let mut first = 0;
        self.variables.iter().map(move |variable| {
            let range = first..first + variable.count;
            first = range.end;
            (variable, range)
        })
    }

    /// The places of the entries of every vector.
    pub(super) fn vectors(&self) -> Vec<Range<usize>> {
        let vectors = self.ranges().filter(|(v, _)| v.hyperparameter.is_vector());
        vectors.map(|(_, range)| range).collect()
    }

    /// The number of entries of each variable that is a vector.
    pub(super) fn entries(&self) -> Vec<Option<usize>> {
        let entries = |v: &Resolved| v.hyperparameter.is_vector().then_some(v.count);
        self.variables.iter().map(entries).collect()
    }

    /// The hyperparameter of every vector, the places of its entries, and their ties.
    pub(super) fn vectors_with_ties(
        &self,
    ) -> impl Iterator<Item = (Hyperparameter, Range<usize>, Option<&[u32]>)> {
        let vectors = self.ranges().filter(|(v, _)| v.hyperparameter.is_vector());
        vectors.map(|(v, range)| (v.hyperparameter, range, v.ties.as_deref()))
    }

    /// The variables at a place, with the slope there.
    pub(super) fn tuned(&self, place: &[f64], slope: &[f64]) -> Vec<TunedVariable> {
        let strengths = self.strengths(place);
        self.ranges()
            .map(|(variable, range)| TunedVariable {
                hyperparameter: variable.hyperparameter,
                lower: variable.bounds.0,
                upper: variable.bounds.1,
                values: strengths[range.clone()].to_vec(),
                slope: slope[range].to_vec(),
            })
            .collect()
    }

    /// The place of a point with strengths in common; a vector has them for each entry.
    pub(super) fn place_of(&self, point: &Point) -> Vec<f64> {
        let value = |v: &Resolved| match v.hyperparameter.in_common() {
            Hyperparameter::L2 => point.l2,
            _ => point.l1,
        };
        let logs = self.variables.iter();
        let logs = logs.flat_map(|v| std::iter::repeat_n(value(v).ln(), v.count));
        self.box_bounds.clamp(&logs.collect::<Vec<f64>>())
    }

    /// The names of the variables.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.variables.iter().map(|v| v.named.name()).collect()
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
                Hyperparameter::L2 if l2 < FEW && !is_alone => (l2, variable.few),
                Hyperparameter::L2 => (l2, variable.coarse),
                _ => (l1, variable.coarse),
            };
            CoarseAxis {
                low: ends.0.ln(),
                high: ends.1.ln(),
                count: count.max(1),
            }
        };
        self.variables.iter().map(axis).collect()
    }

    /// Places beyond the lower ends of a coarse stage of two variables, where solutions all but interpolate:
    /// between those ends and the bounds, and at the bounds.
    pub(super) fn corners(&self) -> Vec<Vec<f64>> {
        let [first, second] = self.variables.as_slice() else {
            return Vec::new();
        };
        let ends = |v: &Resolved| [v.bounds.0.ln(), 0.5 * (v.bounds.0.ln() + v.coarse.0.ln())];
        let ([low, middle], [other, between]) = (ends(first), ends(second));
        vec![vec![low, other], vec![middle, between], vec![low, between]]
    }

    /// The place of the given start; what is not given starts in the middle of its coarse stage.
    /// `None` where no start is given.
    pub(super) fn start(&self) -> Option<Vec<f64>> {
        self.variables.iter().find(|v| v.start.is_some())?;
        let middle = |v: &Resolved| (v.coarse.0 * v.coarse.1).sqrt();
        let log = |v: &Resolved| v.start.unwrap_or_else(|| middle(v)).ln();
        let each = self.variables.iter();
        Some(
            each.flat_map(|v| std::iter::repeat_n(log(v), v.count))
                .collect(),
        )
    }

    /// Whether a start is given for the vector.
    pub(super) fn has_vector_start(&self) -> bool {
        let mut variables = self.variables.iter();
        variables.any(|v| v.hyperparameter.is_vector() && v.start.is_some())
    }

    /// A place with the starts that are given in place of its own entries.
    pub(super) fn with_given_starts(&self, mut place: Vec<f64>) -> Vec<f64> {
        for (variable, range) in self.ranges() {
            if let Some(start) = variable.start {
                place[range].fill(start.ln());
            }
        }
        self.box_bounds.clamp(&place)
    }

    /// The strengths of a place, in the order of the variables: within the bounds to the last bit.
    pub(super) fn strengths(&self, place: &[f64]) -> Vec<f64> {
        let (lower, upper) = (self.box_bounds.lower(), self.box_bounds.upper());
        let strength = |(low, high): (f64, f64), at: usize| match place[at] {
            x if x <= lower[at] => low,
            x if x >= upper[at] => high,
            x => x.exp().clamp(low, high),
        };
        let mut all = Vec::with_capacity(place.len());
        for (variable, range) in self.ranges() {
            all.extend(range.map(|at| strength(variable.bounds, at)));
        }
        all
    }

    /// The point of a place.
    pub(super) fn point(&self, place: &[f64]) -> Point {
        let mut point = self.rest.clone();
        let strengths = self.strengths(place);
        for (variable, range) in self.ranges() {
            match variable.hyperparameter {
                Hyperparameter::L1 => point.l1 = strengths[range.start],
                Hyperparameter::L2 => point.l2 = strengths[range.start],
                Hyperparameter::L1Each | Hyperparameter::L1Group => {
                    point.l1 = 1.0;
                    point = point.with_strengths(variable.expanded(&strengths[range]));
                }
                Hyperparameter::L2Each | Hyperparameter::L2Group | Hyperparameter::L2Class => {
                    point.l2 = 1.0;
                    point = point.with_ridge(strengths[range].to_vec());
                }
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
        let mut all = Vec::with_capacity(self.box_bounds.dimensions());
        for variable in &self.variables {
            match (variable.hyperparameter, &gradient.l1) {
                (Hyperparameter::L2, _) => {
                    let slope = problem.along_l2(point, gradient.l2.as_ref()?);
                    all.push(point.l2 * slope);
                }
                (Hyperparameter::L2Each | Hyperparameter::L2Group | Hyperparameter::L2Class, _) => {
                    let slopes = gradient.l2.as_ref()?.iter().zip(point.ridge()?);
                    all.extend(slopes.map(|(slope, s)| slope * s));
                }
                (Hyperparameter::L1, Some(Strengths::Common(slope))) => all.push(point.l1 * slope),
                // With respect to the effective strengths l1·s.
                (Hyperparameter::L1, Some(Strengths::Each(slopes))) => {
                    let strengths = problem.effective_strengths(point.l1);
                    all.push(sum_of(slopes.len().min(strengths.len()), |at| {
                        slopes[at] * strengths[at]
                    }));
                }
                (_, Some(slopes)) => {
                    let strengths = point.strengths()?;
                    let each = slopes.iter().zip(strengths).map(|(slope, s)| slope * s);
                    all.extend(variable.gathered(each));
                }
                (_, None) => return None,
            }
        }
        (all.len() == self.box_bounds.dimensions()).then_some(all)
    }

    /// Remarks on a place: the bounds that hold it.
    pub(super) fn held(&self, place: &[f64], slope: &[f64]) -> Vec<String> {
        let mut remarks = Vec::new();
        for (variable, range) in self.ranges() {
            let name = variable.named.name();
            let is_held = |at: &usize| self.box_bounds.presses(*at, place, slope);
            let held: Vec<usize> = range.filter(is_held).collect();
            let Some(&first) = held.first() else { continue };
            let (lower, upper) = variable.bounds;
            if variable.count > 1 {
                remarks.push(format!(
                    "{} of {} strengths of {name} lie at a bound, {lower:.3e} or {upper:.3e}",
                    held.len(),
                    variable.count,
                ));
                continue;
            }
            let (side, bound, beyond) = if slope[first] > 0.0 {
                ("lower", lower, "smaller")
            } else {
                ("upper", upper, "larger")
            };
            remarks.push(format!(
                "the best {name} lies at its {side} bound {bound:.3e}: the criterion falls towards \
                 {beyond} values; move the bound with --bounds {name}=LO:HI"
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
