//! The variables of a tuning: hyperparameters on a scale of their own, within bounds.

use std::ops::Range;

use super::box_bounds::BoxBounds;
use super::chosen::Chosen;
use super::hyperparameter::Hyperparameter;
use super::lattice::CoarseAxis;
use super::outcome::TunedVariable;
use super::spread::{About, Spread};
use super::variable::{Resolved, Variable};
use crate::error::{Error, Result};
use crate::hypergrad::Hypergradient;
use crate::problem::Problem;

/// Points along λ₂ that are not few.
const FEW: usize = 3;

mod bounds;
mod vectors;

use bounds::{class_weights, huber_delta, l1, l2, prior, widen_l1};
pub(super) use bounds::{l1 as resolve_l1, l2 as resolve_l2};
pub(super) use vectors::entries_of;
pub use vectors::with_vectors;

/// The variables of one tuning, and the point that has everything else.
#[derive(Debug, Clone)]
pub(super) struct Space {
    variables: Vec<Resolved>,
    rest: Chosen,
    box_bounds: BoxBounds,
    /// Decisions that were taken for the user, one sentence each.
    pub(super) remarks: Vec<String>,
}

impl Space {
    /// The variables for the problems of all folds; `rest` has what is not tuned. They are in one order,
    /// whatever that of their names.
    ///
    /// # Errors
    /// [`Error::Value`] for a variable that is named twice, for bounds and starts that are no
    /// strengths or do not fit together, and where the criterion does not depend on a variable.
    pub(super) fn new(
        variables: &[Variable],
        rest: impl Into<Chosen>,
        problems: &[&Problem],
    ) -> Result<Self> {
        let chosen: Chosen = rest.into();
        let rest = &chosen.point;
        let mut remarks = Vec::new();
        let mut resolved: Vec<Resolved> = Vec::new();
        let delta = variables
            .iter()
            .find(|v| v.hyperparameter == Hyperparameter::HuberDelta);
        let delta = delta.map(|v| huber_delta(v, rest.target, problems));
        let delta = delta.transpose()?;
        // The units of the others are those at the δ where it starts.
        let start = match &delta {
            Some(delta) => delta.start.or(delta.own.as_ref().map(|own| own[0])),
            None => chosen.huber_delta,
        };
        let at_start = Chosen {
            huber_delta: start,
            ..Chosen::default()
        };
        let restated: Vec<Option<Problem>> = problems
            .iter()
            .map(|problem| at_start.restated(problem))
            .collect::<Result<_>>()?;
        let problems: Vec<&Problem> = restated
            .iter()
            .zip(problems)
            .map(|(own, problem)| own.as_ref().unwrap_or(problem))
            .collect();
        let problems = problems.as_slice();
        let mut variables = variables.to_vec();
        variables.sort_by_key(|variable| variable.hyperparameter.order());
        let tunes_l2 = |v: &Variable| v.hyperparameter.in_common() == Hyperparameter::L2;
        let tunes_l2 = variables.iter().any(tunes_l2);
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
                Hyperparameter::L1 => l1(variable, rest, problems, &mut remarks)?,
                Hyperparameter::L2 => l2(variable, problems)?,
                Hyperparameter::L1Each | Hyperparameter::L1Group => {
                    let penalty = problems[0].penalty();
                    let count = match &variable.ties {
                        Some(ties) => entries_of(ties),
                        None => penalty.strengths(problems[0].penalized()).len(),
                    };
                    let one = l1(variable, rest, problems, &mut remarks)?;
                    Resolved { count, ..one }
                }
                Hyperparameter::L2Each | Hyperparameter::L2Group | Hyperparameter::L2Class => {
                    let ridge = problems[0].ridge();
                    let count = ridge.map_or(1, |ridge| ridge.strengths().len());
                    let one = l2(variable, problems)?;
                    Resolved { count, ..one }
                }
                Hyperparameter::Prior => prior(variable, rest, problems, tunes_l2)?,
                Hyperparameter::ClassWeights => class_weights(variable, problems)?,
                Hyperparameter::HuberDelta => match &delta {
                    Some(delta) => delta.clone(),
                    None => continue,
                },
            };
            let is_free = variable.bounds.is_none() && hyperparameter.order() == 0;
            resolved.push(match &delta {
                Some(delta) if is_free => widen_l1(one, rest, delta.bounds.1, problems)?,
                _ => one,
            });
        }
        let places = |of: fn(&Resolved) -> f64| {
            let each = resolved.iter();
            each.flat_map(|v| std::iter::repeat_n(v.scale.place(of(v)), v.count))
                .collect()
        };
        let box_bounds = BoxBounds::new(places(|v| v.bounds.0), places(|v| v.bounds.1))?;
        Ok(Self {
            variables: resolved,
            rest: chosen,
            box_bounds,
            remarks,
        })
    }

    /// The bounds of the places.
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

    /// The places of the entries of every vector, and what a guard keeps them near.
    pub(super) fn vectors(&self) -> Vec<Spread> {
        let vectors = self.ranges().filter(|(v, _)| v.hyperparameter.is_vector());
        let spread = |(v, entries): (&Resolved, Range<usize>)| {
            let place = |own: &[f64]| own.iter().map(|&value| v.scale.place(value)).collect();
            let about = match &v.own {
                _ if v.hyperparameter == Hyperparameter::ClassWeights => About::MeanWithZero,
                Some(own) => About::Place(place(own)),
                None => About::Mean,
            };
            Spread { entries, about }
        };
        vectors.map(spread).collect()
    }

    /// The number of entries of each variable that is a vector.
    pub(super) fn entries(&self) -> Vec<Option<usize>> {
        let entries = |v: &Resolved| v.hyperparameter.is_vector().then_some(v.values());
        self.variables.iter().map(entries).collect()
    }

    /// Whether every variable is one number.
    pub(super) fn is_of_numbers(&self) -> bool {
        let mut variables = self.variables.iter();
        variables.all(|v| !v.hyperparameter.is_vector())
    }

    /// The variables and their numbers of entries in words: what the entries of a slope belong to.
    pub(super) fn signature(&self) -> String {
        let name = |v: &Resolved| format!("{} {}", v.hyperparameter.name(), v.count);
        let names: Vec<String> = self.variables.iter().map(name).collect();
        names.join(", ")
    }

    /// The hyperparameter of every vector of strengths, the places of its entries, and their ties.
    pub(super) fn strength_vectors(
        &self,
    ) -> impl Iterator<Item = (Hyperparameter, Range<usize>, Option<&[u32]>)> {
        let is_one = |h: Hyperparameter| h.is_vector() && h.is_strength();
        let vectors = self.ranges().filter(move |(v, _)| is_one(v.hyperparameter));
        vectors.map(|(v, range)| (v.hyperparameter, range, v.ties.as_deref()))
    }

    /// The variables at a place, with the slope there.
    pub(super) fn tuned(&self, place: &[f64], slope: &[f64]) -> Vec<TunedVariable> {
        self.ranges()
            .map(|(variable, range)| TunedVariable {
                hyperparameter: variable.hyperparameter,
                lower: variable.bounds.0,
                upper: variable.bounds.1,
                values: self.values_of(variable, range.clone(), place),
                slope: variable.slopes(&slope[range]),
            })
            .collect()
    }

    /// The place of a point with strengths in common; a vector has them for each entry. What the point does
    /// not have is where it is not tuned.
    pub(super) fn place_of(&self, chosen: &Chosen) -> Vec<f64> {
        let common = |v: &Resolved| match v.hyperparameter.in_common() {
            Hyperparameter::L1 => Some(chosen.point.l1),
            Hyperparameter::L2 => Some(chosen.point.l2),
            Hyperparameter::HuberDelta => chosen.huber_delta,
            _ => None,
        };
        let each = self.variables.iter();
        let places = each.flat_map(|v| match (common(v), &v.own) {
            (None, Some(own)) => own.iter().map(|&value| v.scale.place(value)).collect(),
            (value, _) => vec![v.scale.place(value.unwrap_or(v.bounds.0)); v.count],
        });
        self.box_bounds.clamp(&places.collect::<Vec<f64>>())
    }

    /// The places where a variable starts: those of its given start, of what it is where it is not tuned,
    /// or of this value.
    fn start_of(&self, variable: &Resolved, otherwise: f64) -> Vec<f64> {
        let place = |value: f64| variable.scale.place(value);
        match (variable.start, &variable.own) {
            (Some(start), _) => vec![place(start); variable.count],
            (None, Some(own)) => own.iter().map(|&value| place(value)).collect(),
            (None, None) => vec![place(otherwise); variable.count],
        }
    }

    /// Everything that is not tuned, with δ where it starts: what a first stage without δ has.
    pub(super) fn untuned(&self) -> Chosen {
        let delta = |v: &&Resolved| v.hyperparameter == Hyperparameter::HuberDelta;
        let delta = self.variables.iter().find(delta);
        let start = |v: &Resolved| v.start.or(v.own.as_ref().map(|own| own[0]));
        Chosen {
            huber_delta: delta.map_or(self.rest.huber_delta, start),
            ..self.rest.clone()
        }
    }

    /// The place of δ, with the ends of what few points cover; `None` where it is not tuned, or its start is
    /// given.
    pub(super) fn free_delta(&self) -> Option<(usize, (f64, f64))> {
        let is_free =
            |v: &Resolved| v.hyperparameter == Hyperparameter::HuberDelta && v.start.is_none();
        let (delta, range) = self.ranges().find(|(v, _)| is_free(v))?;
        Some((range.start, delta.few))
    }

    /// The places of the weights of classes; `None` where they are not tuned, or their start is given.
    pub(super) fn free_class_weights(&self) -> Option<Range<usize>> {
        let is_free =
            |v: &Resolved| v.hyperparameter == Hyperparameter::ClassWeights && v.start.is_none();
        self.ranges()
            .find(|(v, _)| is_free(v))
            .map(|(_, range)| range)
    }

    /// The places of the l1 strengths.
    pub(super) fn l1_range(&self) -> Range<usize> {
        let l1 = self.ranges().find(|(v, _)| v.hyperparameter.order() == 0);
        l1.map_or(0..0, |(_, range)| range)
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
                Hyperparameter::L2 | Hyperparameter::HuberDelta if l2 < FEW && !is_alone => {
                    (l2, variable.few)
                }
                Hyperparameter::L2 => (l2, variable.coarse),
                Hyperparameter::HuberDelta if !is_alone => (l2, variable.coarse),
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

    /// Places beyond the lower ends of a coarse stage of two strengths, where solutions all but interpolate:
    /// between those ends and the bounds, and at the bounds.
    pub(super) fn corners(&self) -> Vec<Vec<f64>> {
        let [first, second] = self.variables.as_slice() else {
            return Vec::new();
        };
        if ![first, second]
            .iter()
            .all(|v| v.hyperparameter.is_strength())
        {
            return Vec::new();
        }
        let ends = |v: &Resolved| [v.bounds.0.ln(), 0.5 * (v.bounds.0.ln() + v.coarse.0.ln())];
        let ([low, middle], [other, between]) = (ends(first), ends(second));
        vec![vec![low, other], vec![middle, between], vec![low, between]]
    }

    /// The place of the given start; what is not given starts in the middle of its coarse stage.
    /// `None` where no start is given.
    pub(super) fn start(&self) -> Option<Vec<f64>> {
        self.variables.iter().find(|v| v.start.is_some())?;
        let middle = |v: &Resolved| (v.coarse.0 * v.coarse.1).sqrt();
        let each = self.variables.iter();
        Some(each.flat_map(|v| self.start_of(v, middle(v))).collect())
    }

    /// Whether the only variable is a vector of ridge strengths.
    pub(super) fn is_ridge_vector(&self) -> bool {
        let is_ridge = |h: Hyperparameter| h.is_vector() && h.in_common() == Hyperparameter::L2;
        matches!(self.variables.as_slice(), [only] if is_ridge(only.hyperparameter))
    }

    /// Whether a start is given for a vector of strengths.
    pub(super) fn has_vector_start(&self) -> bool {
        let mut variables = self.variables.iter();
        let is_vector = |h: Hyperparameter| h.is_vector() && h.is_strength();
        variables.any(|v| is_vector(v.hyperparameter) && v.start.is_some())
    }

    /// A place with the starts that are given in place of its own entries.
    pub(super) fn with_given_starts(&self, mut place: Vec<f64>) -> Vec<f64> {
        for (variable, range) in self.ranges() {
            if let Some(start) = variable.start {
                place[range].fill(variable.scale.place(start));
            }
        }
        self.box_bounds.clamp(&place)
    }

    /// The values of a place, in the order of the variables.
    pub(super) fn values(&self, place: &[f64]) -> Vec<f64> {
        let each = self.ranges();
        each.flat_map(|(variable, range)| self.values_of(variable, range, place))
            .collect()
    }

    /// The values of a variable: within the bounds to the last bit.
    fn values_of(&self, variable: &Resolved, range: Range<usize>, place: &[f64]) -> Vec<f64> {
        let (lower, upper) = (self.box_bounds.lower(), self.box_bounds.upper());
        let (low, high) = variable.bounds;
        let value = |at: usize| match place[at] {
            x if x <= lower[at] => low,
            x if x >= upper[at] => high,
            x => variable.scale.value(x).clamp(low, high),
        };
        variable.with_unit(range.map(value))
    }

    /// The point of a place, and what it changes of the problem.
    pub(super) fn chosen(&self, place: &[f64]) -> Chosen {
        let Chosen {
            mut point,
            mut huber_delta,
            mut class_weights,
        } = self.rest.clone();
        for (variable, range) in self.ranges() {
            let values = self.values_of(variable, range, place);
            match variable.hyperparameter {
                Hyperparameter::L1 => point.l1 = values[0],
                Hyperparameter::L2 => point.l2 = values[0],
                Hyperparameter::L1Each | Hyperparameter::L1Group => {
                    point.l1 = 1.0;
                    point = point.with_strengths(variable.expanded(&values));
                }
                Hyperparameter::L2Each | Hyperparameter::L2Group | Hyperparameter::L2Class => {
                    point.l2 = 1.0;
                    point = point.with_ridge(values);
                }
                Hyperparameter::HuberDelta => huber_delta = Some(values[0]),
                Hyperparameter::ClassWeights => class_weights = Some(values.into()),
                Hyperparameter::Prior => point = point.with_prior(values),
            }
        }
        Chosen {
            point,
            huber_delta,
            class_weights,
        }
    }

    /// The derivative of E in the place of every variable, dE/d log λ of a strength; `None` where a part is
    /// missing.
    pub(super) fn slope(
        &self,
        chosen: &Chosen,
        gradient: &Hypergradient,
        problem: &Problem,
    ) -> Option<Vec<f64>> {
        let point = &chosen.point;
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
                (Hyperparameter::HuberDelta, _) => {
                    all.push(chosen.huber_delta? * gradient.huber_delta?);
                }
                (Hyperparameter::ClassWeights, _) => {
                    let weights = chosen.class_weights.as_ref()?;
                    let slopes = gradient.class_weights.as_ref()?.iter().zip(weights.iter());
                    // Without the first one.
                    all.extend(slopes.skip(1).map(|(slope, weight)| slope * weight));
                }
                (Hyperparameter::Prior, _) => {
                    let slopes = gradient.prior.as_ref()?.iter();
                    // The change of the value with the place.
                    let unit = variable.scale.value(1.0);
                    all.extend(slopes.map(|slope| slope * unit));
                }
                (Hyperparameter::L1, Some(slopes)) => {
                    all.push(problem.along_log_l1(point, slopes));
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
                let entries = if variable.hyperparameter.is_strength() {
                    "strengths"
                } else {
                    "entries"
                };
                remarks.push(format!(
                    "{} of {} {entries} of {name} lie at a bound, {lower:.3e} or {upper:.3e}",
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
