//! The outer optimiser: descents from several starts, which ask together and are told together.

use super::box_bounds::BoxBounds;
use super::descent::{Descent, Value, Visit};
use super::outcome::{Start, TuningStatus};
use super::quasi_newton::Pair;
use crate::error::{Error, Result};

/// Evaluations after which a start may be set aside.
const PATIENCE: usize = 8;

/// A place whose value is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The number of the start.
    pub start: usize,
    /// The place.
    pub place: Vec<f64>,
}

/// Descents within a box from several starts, by ask and tell.
///
/// An objective that is positive is best given as its logarithm: starts far behind the leader are set
/// aside, and far is 0.02 unless [`drop_beyond`](Self::drop_beyond) says otherwise. They go on when the
/// others have ended and evaluations are left.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: BoxBounds,
    descents: Vec<Descent>,
    asked: Vec<usize>,
    left: usize,
    spent: usize,
    beyond: f64,
}

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOutcome {
    /// The end of the best start.
    pub status: TuningStatus,
    /// The best place.
    pub place: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The slope there.
    pub slope: Vec<f64>,
    /// Its largest entry over the variables that no bound holds; at a kink, that of the hull.
    pub projected_slope: f64,
    /// All starts, the best first.
    pub starts: Vec<Start>,
}

impl Search {
    /// A search without starts, of at most so many evaluations.
    #[must_use]
    pub fn new(bounds: BoxBounds, max_evaluations: usize) -> Self {
        Self {
            bounds,
            descents: Vec::new(),
            asked: Vec::new(),
            left: max_evaluations,
            spent: 0,
            beyond: 0.02,
        }
    }

    /// Chooses how far behind the leader a start is set aside.
    ///
    /// # Errors
    /// [`Error::Value`] for a negative distance and NaN.
    pub fn drop_beyond(mut self, difference: f64) -> Result<Self> {
        if difference.is_nan() || difference < 0.0 {
            return Err(Error::value(
                "drop_beyond",
                format!("starts are to be set aside {difference} behind the leader"),
                "give a distance of zero or more",
            ));
        }
        self.beyond = difference;
        Ok(self)
    }

    /// Adds a start; what lies outside the box is moved to its edge.
    ///
    /// # Errors
    /// [`Error::Shape`] for a place that has not one entry per variable, [`Error::Value`] for NaN.
    pub fn from(mut self, place: &[f64]) -> Result<Self> {
        self.check_length("start", place.len())?;
        if place.iter().any(|x| x.is_nan()) {
            return Err(Error::value(
                "start",
                "an entry is NaN",
                "give a number for every variable",
            ));
        }
        self.add(place);
        Ok(self)
    }

    /// Refuses what has not one entry for each variable.
    fn check_length(&self, what: &'static str, length: usize) -> Result<()> {
        let dimensions = self.bounds.dimensions();
        if length == dimensions {
            return Ok(());
        }
        Err(Error::shape(
            what,
            format!("{dimensions} entries"),
            length.to_string(),
            "give one entry for each variable of the bounds",
        ))
    }

    /// Adds a start at a place of the box.
    pub(super) fn add(&mut self, place: &[f64]) {
        let place = self.bounds.clamp(place);
        self.descents.push(Descent::from_place(place));
    }

    /// Adds a start whose value is known.
    pub(super) fn start_at(&mut self, visit: Visit, pairs: Vec<Pair>) {
        let descent = Descent::from_visit(visit, pairs, &self.bounds);
        self.descents.push(descent);
    }

    /// The best places of all starts.
    pub(super) fn best_places(&self) -> impl Iterator<Item = &[f64]> {
        let best = self.descents.iter().filter_map(Descent::best);
        best.map(|best| best.place.as_slice())
    }

    /// Takes evaluations away, which were made elsewhere.
    pub(super) fn spend(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.spent += count;
    }

    /// Allows more evaluations.
    pub(super) fn allow(&mut self, count: usize) {
        self.left += count;
    }

    /// Evaluations so far.
    pub(super) fn spent(&self) -> usize {
        self.spent
    }

    /// Evaluations that are left.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The best value so far.
    pub(super) fn best_value(&self) -> f64 {
        let values = self.descents.iter().filter_map(Descent::best);
        values.map(|best| best.value).fold(f64::INFINITY, f64::min)
    }

    /// The places whose values are wanted, at most one of each start; none once it has ended.
    #[must_use]
    pub fn ask(&mut self) -> Vec<Asked> {
        self.ask_promising(0.0, self.left)
    }

    /// The same, at most so many, of the starts near the leader that promise to fall by more than this;
    /// with 0, of all others when there are none of these.
    pub(super) fn ask_promising(&mut self, least: f64, most: usize) -> Vec<Asked> {
        let value = |at: &usize| {
            self.descents[*at]
                .best()
                .map_or(f64::NEG_INFINITY, |b| b.value)
        };
        let mut open: Vec<usize> = (0..self.descents.len())
            .filter(|&at| self.descents[at].status().is_none())
            .collect();
        open.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
        let limit = self.best_value() + self.beyond;
        let is_near =
            |at: &usize| self.descents[*at].evaluations() < PATIENCE || value(at) <= limit;
        let near: Vec<usize> = open.iter().copied().filter(is_near).collect();
        let chosen = if near.is_empty() && least == 0.0 {
            open
        } else {
            near
        };
        let goes_on = |at: &usize| least == 0.0 || self.descents[*at].promise() > least;
        let chosen = chosen.into_iter().filter(goes_on);
        self.asked = chosen.take(most.min(self.left)).collect();
        let asked = self.asked.iter().filter_map(|&start| {
            let place = self.descents[start].wanted(&self.bounds)?;
            Some(Asked { start, place })
        });
        asked.collect()
    }

    /// Takes the values of what was asked last, in the same order; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one for each place that was asked for, with one entry of its
    /// slope for each variable; nothing is taken then.
    pub fn tell(&mut self, values: Vec<Option<Value>>) -> Result<()> {
        let values = values.into_iter().map(|value| (value, None));
        self.tell_with(values.collect())
    }

    /// The same with the minimum of a model of the objective around each place, where there is one.
    pub(super) fn tell_with(
        &mut self,
        values: Vec<(Option<Value>, Option<Vec<f64>>)>,
    ) -> Result<()> {
        if values.len() != self.asked.len() {
            return Err(Error::shape(
                "values",
                self.asked.len().to_string(),
                values.len().to_string(),
                "tell one value for each place of the last ask, None where there is none",
            ));
        }
        for value in values.iter().filter_map(|(value, _)| value.as_ref()) {
            self.check_length("slope", value.slope.len())?;
        }
        self.spend(values.len());
        for (start, (value, towards)) in std::mem::take(&mut self.asked).into_iter().zip(values) {
            self.descents[start].tell(value, towards, &self.bounds);
        }
        Ok(())
    }

    /// The best place; `None` where no start has any value.
    #[must_use]
    pub fn outcome(&self) -> Option<SearchOutcome> {
        let mut order: Vec<&Descent> = self.descents.iter().collect();
        let value = |descent: &Descent| descent.best().map_or(f64::INFINITY, |best| best.value);
        let is_open = |descent: &Descent| descent.status().is_none();
        order.sort_by(|a, b| {
            let by_end = is_open(a).cmp(&is_open(b));
            value(a).total_cmp(&value(b)).then(by_end)
        });
        let first = order.first()?;
        let best = first.best()?;
        let start = |descent: &&Descent| Start {
            entries: Vec::new(),
            status: descent.end(&self.bounds).0,
            evaluations: descent.evaluations(),
            criterion: value(descent),
            trajectory: descent.trajectory().to_vec(),
            best: None,
        };
        let (status, projected_slope) = first.end(&self.bounds);
        Some(SearchOutcome {
            status,
            place: best.place.clone(),
            value: best.value,
            slope: best.slope.clone(),
            projected_slope,
            starts: order.iter().map(start).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
