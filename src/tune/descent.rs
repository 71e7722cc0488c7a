//! One start's descent: projected quasi-Newton steps, and the way past kinks.

use std::collections::VecDeque;

use super::box_bounds::BoxBounds;
use super::hull::smallest_vector;
use super::line_search::{Along, LineSearch, Verdict};
use super::outcome::{TuningStatus, Visited};
use super::quasi_newton::{Pair, QuasiNewton};
use crate::linalg::vector::{difference, dot};
use crate::real::largest_of;

/// The projected slope that is zero.
const STATIONARY: f64 = 1e-8;
/// The projected slope, or smallest vector of a hull, that is zero where no step gets any lower.
const ROUGHLY_STATIONARY: f64 = 1e-5;
/// A decrease that is hardly one.
const QUIET: f64 = 1e-9;
/// Hardly any decreases in a row that end a descent as a closed line search does.
const MOST_QUIET: usize = 3;
/// A relative difference of values that rounding may be.
const ROUNDING: f64 = 1e-11;
/// Entries of a step at most: a factor of ten of a strength.
const LONGEST: f64 = std::f64::consts::LN_10;
/// The distance within which slopes belong to the same kink.
const NEARBY: f64 = 1e-3;
/// The part of the change of a slope, times the way, that an even change leaves unexplained of values at
/// most.
const UNEVEN: f64 = 0.1;
/// Slopes that are kept for a hull.
const REMEMBERED: usize = 12;
/// Hull directions in a row, none of which gets lower, that show a kink to be a minimum.
const MOST_HULLS: usize = 3;

/// The value of the objective at a place, and its slope there.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The value.
    pub value: f64,
    /// Its derivative in every variable.
    pub slope: Vec<f64>,
}

impl Value {
    /// Whether value and slope are numbers.
    pub(super) fn is_finite(&self) -> bool {
        self.value.is_finite() && self.slope.iter().all(|s| s.is_finite())
    }
}

/// A place with its value.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) place: Vec<f64>,
    pub(super) value: f64,
    pub(super) slope: Vec<f64>,
    /// The minimum of a model of the objective around the place, where there is one: the next place to try.
    pub(super) towards: Option<Vec<f64>>,
}

/// A line that is searched.
#[derive(Debug, Clone)]
struct Line {
    direction: Vec<f64>,
    /// The minimum of a model that it leads to, if it does.
    end: Option<Vec<f64>>,
    search: LineSearch,
    /// The last trial that decreases enough.
    low: Option<Visit>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// The value at the first place is to be told.
    Unvisited(Vec<f64>),
    /// A line is searched from the place that is held.
    Searching(Box<Line>),
    /// Ended.
    Done(TuningStatus),
}

/// The descent of one start.
#[derive(Debug, Clone)]
pub(super) struct Descent {
    stage: Stage,
    here: Option<Visit>,
    best: Option<Visit>,
    model: QuasiNewton,
    nearby: VecDeque<Visit>,
    trajectory: Vec<Visited>,
    evaluations: usize,
    quiet: usize,
    hulls: usize,
    /// The decrease of the last step.
    last: f64,
    /// The smallest vector of the hull at a kink where the descent has ended.
    hull_slope: Option<f64>,
}

impl Descent {
    /// A descent from a place whose value is not known.
    pub(super) fn from_place(place: Vec<f64>) -> Self {
        Self {
            model: QuasiNewton::new(place.len()),
            stage: Stage::Unvisited(place),
            here: None,
            best: None,
            nearby: VecDeque::new(),
            trajectory: Vec::new(),
            evaluations: 0,
            quiet: 0,
            hulls: 0,
            last: f64::INFINITY,
            hull_slope: None,
        }
    }

    /// A descent from a place of known value, with what its surroundings have shown of the curvature.
    pub(super) fn from_visit(visit: Visit, pairs: Vec<Pair>, bounds: &BoxBounds) -> Self {
        let mut descent = Self::from_place(visit.place.clone());
        pairs
            .into_iter()
            .for_each(|pair| descent.model.update(pair));
        descent.arrive(visit, bounds);
        descent
    }

    /// The place whose value is wanted; `None` once it has ended.
    pub(super) fn wanted(&self, bounds: &BoxBounds) -> Option<Vec<f64>> {
        match &self.stage {
            Stage::Unvisited(place) => Some(place.clone()),
            Stage::Searching(line) => {
                let here = self.here.as_ref()?;
                Some(line.place(here, bounds))
            }
            Stage::Done(_) => None,
        }
    }

    /// Takes the value at the wanted place, `None` where there is none, or no slope; and the minimum of a model
    /// of the objective around it, if there is one.
    pub(super) fn tell(
        &mut self,
        value: Option<Value>,
        towards: Option<Vec<f64>>,
        bounds: &BoxBounds,
    ) {
        let Some(place) = self.wanted(bounds) else {
            return;
        };
        self.evaluations += 1;
        let visit = value.filter(Value::is_finite).map(|value| Visit {
            place,
            value: value.value,
            slope: value.slope,
            towards,
        });
        match std::mem::replace(&mut self.stage, Stage::Done(TuningStatus::BudgetSpent)) {
            // Nothing is known of where it should go.
            Stage::Unvisited(_) => {
                if let Some(visit) = visit {
                    self.arrive(visit, bounds);
                }
            }
            Stage::Searching(line) => self.judge(line, visit, bounds),
            done @ Stage::Done(_) => self.stage = done,
        }
    }

    /// The decrease that can still be hoped for: at most what the line promises, and twice that of the
    /// last step. Zero once it has ended.
    pub(super) fn promise(&self) -> f64 {
        match &self.stage {
            Stage::Unvisited(_) => f64::INFINITY,
            Stage::Searching(line) => line.search.promised().min(2.0 * self.last),
            Stage::Done(_) => 0.0,
        }
    }

    /// The end, if it has come.
    pub(super) fn status(&self) -> Option<TuningStatus> {
        match self.stage {
            Stage::Done(status) => Some(status),
            _ => None,
        }
    }

    /// The best place so far.
    pub(super) fn best(&self) -> Option<&Visit> {
        self.best.as_ref()
    }

    /// The places with a better value than all before.
    pub(super) fn trajectory(&self) -> &[Visited] {
        &self.trajectory
    }

    /// Its evaluations.
    pub(super) fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// The status where no evaluations are left, and the projected slope at the best place.
    ///
    /// The status is that of its end, or that of a kink where the slopes which are known around the best
    /// place show it to be a minimum. At a kink the slope is that of the hull.
    pub(super) fn end(&self, bounds: &BoxBounds) -> (TuningStatus, f64) {
        let Some(best) = &self.best else {
            let status = self.status().unwrap_or(TuningStatus::BudgetSpent);
            return (status, f64::INFINITY);
        };
        let smooth = bounds.projected_slope(&best.place, &best.slope);
        match self.status() {
            Some(TuningStatus::StationaryKink) => {
                let hull = self.hull_slope.unwrap_or(f64::INFINITY);
                (TuningStatus::StationaryKink, hull.min(smooth))
            }
            Some(status) => (status, smooth),
            None if smooth > ROUGHLY_STATIONARY && self.jumps_at(best) => {
                let smallest = self.hull_at(best, bounds);
                let hull = largest_of(smallest.len(), |at| smallest[at].abs());
                if hull <= ROUGHLY_STATIONARY {
                    (TuningStatus::StationaryKink, hull)
                } else {
                    (TuningStatus::BudgetSpent, smooth)
                }
            }
            None => (TuningStatus::BudgetSpent, smooth),
        }
    }

    /// The places that are known near one, which is the first of them.
    fn near<'a>(&'a self, here: &'a Visit) -> impl Iterator<Item = &'a Visit> {
        let distance = |visit: &Visit| {
            largest_of(here.place.len(), |at| {
                (visit.place[at] - here.place[at]).abs()
            })
        };
        let near = self.nearby.iter();
        std::iter::once(here).chain(near.filter(move |visit| distance(visit) <= NEARBY))
    }

    /// Whether the slope jumps between two places near this one.
    ///
    /// In a steep valley without a kink slopes of both signs lie near its minimum too. But there the values
    /// follow from them: the difference of two is the mean slope times the way, as far as the slope changes
    /// evenly. Where it jumps on the way, that is wrong by the jump times its distance from the middle.
    fn jumps_at(&self, here: &Visit) -> bool {
        let near: Vec<&Visit> = self.near(here).collect();
        let jumps = |one: &Visit, other: &Visit| {
            let way = difference(&other.place, &one.place);
            let (before, after) = (dot(&one.slope, &way), dot(&other.slope, &way));
            let unexplained = (other.value - one.value - 0.5 * (before + after)).abs();
            unexplained > (UNEVEN * (after - before).abs()).max(QUIET)
        };
        (1..near.len()).any(|at| near[..at].iter().any(|one| jumps(one, near[at])))
    }

    /// The smallest vector in the convex hull of the slopes around a place, along what is free there.
    fn hull_at(&self, here: &Visit, bounds: &BoxBounds) -> Vec<f64> {
        let free = bounds.free(&here.place, &here.slope);
        let of_free = |visit: &Visit| -> Vec<f64> {
            let each = visit.slope.iter().zip(&free);
            each.map(|(&s, &free)| if free { s } else { 0.0 }).collect()
        };
        let gradients: Vec<Vec<f64>> = self.near(here).map(of_free).collect();
        smallest_vector(&gradients)
    }

    fn judge(&mut self, mut line: Box<Line>, visit: Option<Visit>, bounds: &BoxBounds) {
        let Some(here) = self.here.clone() else {
            return;
        };
        let along = match &visit {
            None => Along {
                value: f64::INFINITY,
                slope: f64::NAN,
                predicted: 0.0,
            },
            Some(visit) => line.along(&here, visit, bounds),
        };
        if let Some(visit) = &visit {
            self.remember(visit.clone());
        }
        if let Some(visit) = &visit
            && line.end.is_some()
            && is_settled(&here, visit, bounds)
        {
            self.best = Some(visit.clone());
            return self.step_to(&here, visit.clone(), bounds);
        }
        let low = line.search.low();
        match line.search.judge(along) {
            Verdict::Again => {
                if line.search.low() > low {
                    line.low = visit;
                }
                self.stage = Stage::Searching(line);
            }
            Verdict::Accepted => {
                // Only a finite value is accepted.
                if let Some(visit) = visit {
                    self.step_to(&here, visit, bounds);
                }
            }
            Verdict::Closed => {
                if line.search.low() > low {
                    line.low = visit;
                }
                match line.low {
                    Some(low) => {
                        self.move_to(&here, &low);
                        self.here = Some(low);
                        self.cross(bounds);
                    }
                    None => self.cross(bounds),
                }
            }
        }
    }

    /// Takes a step that a line search has accepted.
    fn step_to(&mut self, from: &Visit, to: Visit, bounds: &BoxBounds) {
        self.move_to(from, &to);
        self.arrive(to, bounds);
    }

    /// Learns from a step: of the curvature and of the progress.
    fn move_to(&mut self, from: &Visit, to: &Visit) {
        self.model.update(Pair {
            step: difference(&to.place, &from.place),
            change: difference(&to.slope, &from.slope),
        });
        self.last = from.value - to.value;
        if self.last > QUIET {
            (self.quiet, self.hulls) = (0, 0);
        } else {
            self.quiet += 1;
        }
    }

    /// Arrives at a place: ends there, or takes the next direction.
    fn arrive(&mut self, visit: Visit, bounds: &BoxBounds) {
        self.remember(visit.clone());
        let slope = bounds.projected_slope(&visit.place, &visit.slope);
        // Once it has moved it is a minimum.
        let is_first = self.trajectory.len() <= 1;
        let has_variables = !visit.slope.is_empty();
        let is_flat = is_first && has_variables && visit.slope.iter().all(|&s| s == 0.0);
        // The steps of a model get smaller fast, and end at the rounding.
        let most_quiet = match visit.towards {
            Some(_) => 2 * MOST_QUIET,
            None => MOST_QUIET,
        };
        self.here = Some(visit);
        if is_flat {
            self.conclude(TuningStatus::Flat, bounds);
        } else if slope <= STATIONARY {
            self.conclude(TuningStatus::Stationary, bounds);
        } else if self.quiet >= most_quiet {
            self.cross(bounds);
        } else {
            self.descend(bounds);
        }
    }

    /// Takes the quasi-Newton direction.
    fn descend(&mut self, bounds: &BoxBounds) {
        let Some(here) = self.here.clone() else {
            return;
        };
        if let Some(towards) = &here.towards {
            let direction = difference(towards, &here.place);
            // Along variables that hardly matter a model goes far, so that angles say nothing.
            if dot(&direction, &here.slope) < 0.0 {
                let end = towards.clone();
                return self.search_towards(here, direction, end);
            }
        }
        let free = bounds.free(&here.place, &here.slope);
        let mut direction = self.model.direction(&here.slope, &free);
        inwards(&mut direction, &here.place, bounds);
        if !falls(&direction, &here.slope) {
            self.model.reset();
            direction = self.model.direction(&here.slope, &free);
        }
        self.search(here, direction, bounds);
    }

    /// Searches the way to the minimum of a model, from its end backwards.
    fn search_towards(&mut self, here: Visit, direction: Vec<f64>, end: Vec<f64>) {
        let size = largest_of(direction.len(), |at| direction[at].abs());
        let slope = dot(&direction, &here.slope);
        self.stage = Stage::Searching(Box::new(Line {
            search: LineSearch::new(here.value, slope, 1.0, 1.0, size),
            direction,
            end: Some(end),
            low: None,
        }));
    }

    /// Searches a direction from here.
    fn search(&mut self, here: Visit, direction: Vec<f64>, bounds: &BoxBounds) {
        let size = largest_of(direction.len(), |at| direction[at].abs());
        let slope = dot(&direction, &here.slope);
        // Beyond it nothing moves any more.
        let reach = |at: usize| match direction[at] {
            d if d > 0.0 => (bounds.upper()[at] - here.place[at]) / d,
            d if d < 0.0 => (bounds.lower()[at] - here.place[at]) / d,
            _ => 0.0,
        };
        let reach = (0..direction.len()).map(reach).fold(0.0, f64::max);
        let first = (LONGEST / size).min(1.0);
        let largest = reach.min(2.0 * LONGEST / size);
        self.stage = Stage::Searching(Box::new(Line {
            search: LineSearch::new(here.value, slope, first, largest, size),
            direction,
            end: None,
            low: None,
        }));
    }

    /// No step along the line is left: here is a minimum, or a kink, which the hull of the slopes around
    /// it tells apart from one that can be crossed.
    fn cross(&mut self, bounds: &BoxBounds) {
        let Some(here) = self.here.clone() else {
            return;
        };
        let smooth = bounds.projected_slope(&here.place, &here.slope);
        if smooth <= ROUGHLY_STATIONARY {
            return self.conclude(TuningStatus::Stationary, bounds);
        }
        let smallest = self.hull_at(&here, bounds);
        let hull = largest_of(smallest.len(), |at| smallest[at].abs());
        self.hull_slope = Some(hull);
        self.hulls += 1;
        if hull <= ROUGHLY_STATIONARY || self.hulls > MOST_HULLS {
            return self.conclude(TuningStatus::StationaryKink, bounds);
        }
        self.model.reset();
        self.quiet = 0;
        let size = dot(&smallest, &smallest).sqrt();
        // Near a kink the hull knows little of what is farther.
        let mut direction: Vec<f64> = smallest.iter().map(|g| -0.1 * g / size).collect();
        inwards(&mut direction, &here.place, bounds);
        if falls(&direction, &here.slope) {
            self.search(here, direction, bounds);
        } else {
            self.conclude(TuningStatus::StationaryKink, bounds);
        }
    }

    /// Ends with a status, unless a better place has been seen on the way.
    fn conclude(&mut self, status: TuningStatus, bounds: &BoxBounds) {
        if let (Some(here), Some(best)) = (&self.here, &self.best)
            && best.value < here.value - QUIET
        {
            let best = best.clone();
            self.model.reset();
            (self.quiet, self.hulls) = (0, 0);
            return self.arrive(best, bounds);
        }
        let held = |here: &Visit| {
            (0..here.place.len()).any(|at| {
                bounds.presses(at, &here.place, &here.slope)
                    && here.slope[at].abs() > ROUGHLY_STATIONARY
            })
        };
        let at_bound = self.here.as_ref().is_some_and(held);
        self.stage = Stage::Done(match status {
            TuningStatus::Stationary if at_bound => TuningStatus::AtBound,
            status => status,
        });
    }

    fn remember(&mut self, visit: Visit) {
        if self
            .best
            .as_ref()
            .is_none_or(|best| visit.value < best.value)
        {
            self.trajectory.push(Visited {
                evaluation: self.evaluations,
                variables: visit.place.clone(),
                criterion: visit.value,
            });
            self.best = Some(visit.clone());
        }
        if self.nearby.len() == REMEMBERED {
            self.nearby.pop_front();
        }
        self.nearby.push_back(visit);
    }
}

impl Line {
    /// The place of the step that is to be tried.
    fn place(&self, here: &Visit, bounds: &BoxBounds) -> Vec<f64> {
        let step = self.search.step();
        // To the last bit, so that what is at a bound is at it.
        if let Some(end) = self.end.as_ref().filter(|_| step == 1.0) {
            return end.clone();
        }
        let each = here.place.iter().zip(&self.direction);
        let place: Vec<f64> = each.map(|(x, d)| x + step * d).collect();
        bounds.clamp(&place)
    }

    /// A trial along the direction, bent at the bounds.
    fn along(&self, here: &Visit, visit: &Visit, bounds: &BoxBounds) -> Along {
        let (mut slope, mut predicted) = (0.0, 0.0);
        for at in 0..visit.place.len() {
            let (x, d) = (visit.place[at], self.direction[at]);
            predicted += here.slope[at] * (x - here.place[at]);
            let moves = (d > 0.0 && x < bounds.upper()[at]) || (d < 0.0 && x > bounds.lower()[at]);
            if moves {
                slope += visit.slope[at] * d;
            }
        }
        Along {
            value: visit.value,
            slope,
            predicted,
        }
    }
}

/// Whether a step's values are equal to rounding, and its slope is the smaller one: values no longer tell which
/// place is nearer to the minimum of a model.
fn is_settled(from: &Visit, to: &Visit, bounds: &BoxBounds) -> bool {
    let slope = |visit: &Visit| bounds.projected_slope(&visit.place, &visit.slope);
    (to.value - from.value).abs() <= ROUNDING * from.value.abs().max(1.0) && slope(to) < slope(from)
}

/// Whether a direction descends.
fn falls(direction: &[f64], slope: &[f64]) -> bool {
    let along = dot(direction, slope);
    let sizes = dot(direction, direction) * dot(slope, slope);
    // Also of a NaN.
    along < -1e-10 * sizes.sqrt()
}

/// Leaves out of a direction what leads out of the box.
fn inwards(direction: &mut [f64], place: &[f64], bounds: &BoxBounds) {
    for (at, d) in direction.iter_mut().enumerate() {
        let leads_out = (*d < 0.0 && place[at] <= bounds.lower()[at])
            || (*d > 0.0 && place[at] >= bounds.upper()[at]);
        if leads_out {
            *d = 0.0;
        }
    }
}
