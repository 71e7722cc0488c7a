//! Learning from some tasks: a prior with strengths, and the ways that it is compared with.

use crate::error::Result;
use crate::problem::{Point, Problem};
use crate::tune::descent::Visit;
use crate::tune::objective::Objective;
use crate::tune::outcome::TuningStatus;
use crate::tune::search::Search;
use crate::tune::variable::Variable;
use crate::tune::variables::{resolve_l1, resolve_l2};

use super::baselines::{Applied, Pooled};
use super::batch::{Batch, Evaluated, Space};
use super::learning::MetaLearning;
use super::variable::{MetaPrior, MetaVariable};

/// Values of λ₂ on the coarse grid.
const RIDGES: usize = 7;
/// Values of l1 on it, where it is learned.
const STRENGTHS: usize = 5;
/// Most evaluations of the strengths around a prior that is given, from the best of the grid.
const STRENGTHS_ALONE: usize = 15;

/// The plan of a learning: what is learned, within which bounds, from which points on.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The space of the strengths that are learned, around the prior that the tasks have, or zero.
    strengths: Space,
    learns_prior: bool,
    /// The entries of a prior.
    coordinates: usize,
    lattice: Vec<Point>,
    /// Evaluations of the strengths around a prior that is given, from the best of the lattice.
    strengths_alone: usize,
    pub(super) max_evaluations: usize,
}

/// The end of descents.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) status: TuningStatus,
    pub(super) best: Evaluated,
    pub(super) projected_slope: f64,
}

/// The results of a learning from some tasks.
pub(super) struct Course {
    /// Each task alone.
    pub(super) alone: End,
    /// The mean of the solutions there.
    pub(super) mean: Applied,
    /// Around this mean, where a prior is learned.
    pub(super) around_mean: Option<End>,
    pub(super) learned: End,
    /// Whether evaluations were left to learn a prior with; else the learned one is the best of the others.
    pub(super) has_learned: bool,
}

impl Course {
    /// The end of a way to a prior; the learned one's, where it was not gone.
    pub(super) fn of(&self, prior: MetaPrior) -> &End {
        match prior {
            MetaPrior::Learned => &self.learned,
            MetaPrior::MeanOfSolutions => self.around_mean.as_ref().unwrap_or(&self.learned),
            MetaPrior::Zero => &self.alone,
        }
    }

    /// Whether a prior was learned that can be compared with the mean of the solutions.
    pub(super) fn is_comparable(&self) -> bool {
        self.has_learned && self.around_mean.is_some()
    }

    /// The better of the ways that learn no prior, by their own tasks.
    pub(super) fn simpler(&self) -> MetaPrior {
        let alone = self.alone.best.criterion;
        match &self.around_mean {
            Some(end) if end.best.criterion < alone => MetaPrior::MeanOfSolutions,
            _ => MetaPrior::Zero,
        }
    }
}

impl Plan {
    pub(super) fn of(
        learning: &MetaLearning<'_>,
        tasks: &[&Problem],
        remarks: &mut Vec<String>,
    ) -> Result<Self> {
        let learns = |name| learning.variables.contains(&name);
        let ridge = learns(MetaVariable::L2)
            .then(|| resolve_l2(&Variable::l2(), tasks))
            .transpose()?;
        let l1 = learns(MetaVariable::L1)
            .then(|| resolve_l1(&Variable::l1(), &learning.at, tasks, remarks))
            .transpose()?;
        // Around none, around the mean of the solutions, from the solution of all rows, and with the prior learned:
        // each has its share, so that some are left for the last.
        let ways = match (learns(MetaVariable::Prior), learning.pooled) {
            (false, _) => 1,
            (true, None) => 3,
            (true, Some(_)) => 4,
        };
        let share = learning.resources.max_evaluations / ways;
        let coordinates = tasks[0].penalized();
        let given = learning.at.prior().or(tasks[0].prior());
        let lattice = lattice(
            &learning.at,
            l1.as_ref().map(|one| one.coarse),
            ridge.as_ref().map(|one| one.coarse),
            3 * share / 4,
        );
        Ok(Self {
            strengths_alone: share.saturating_sub(lattice.len()).min(STRENGTHS_ALONE),
            lattice,
            strengths: Space {
                coordinates: 0,
                unit: 1.0,
                l1: l1.map(|one| one.bounds),
                l2: ridge.map(|one| one.bounds),
                at: learning.at.clone(),
                own: given.map_or(vec![0.0; coordinates], <[f64]>::to_vec),
                objective: Objective::of(tasks[0]),
            },
            learns_prior: learns(MetaVariable::Prior),
            coordinates,
            max_evaluations: learning.resources.max_evaluations,
        })
    }

    /// Learns from the tasks of a batch; the solution of all their rows together is a start too. `None` where no
    /// strengths give every task a solution with its derivative.
    pub(super) fn course(
        &self,
        batch: &mut Batch<'_>,
        pooled: Option<&Pooled>,
    ) -> Result<Option<Course>> {
        let Some(alone) = self.around(batch, &self.strengths.own)? else {
            return Ok(None);
        };
        let mean = Applied::mean(&batch.problems(), &alone.best.solutions);
        let mut places = vec![alone.best.clone()];
        let mut around_mean = None;
        let goes_on =
            |batch: &Batch<'_>| self.learns_prior && batch.evaluations < self.max_evaluations;
        if goes_on(batch) {
            around_mean = self.around(batch, &mean.as_prior(batch.problems()[0]))?;
            places.extend(around_mean.iter().map(|end| end.best.clone()));
        }
        if let Some(pooled) = pooled.filter(|_| goes_on(batch)) {
            let prior = pooled.applied.as_prior(batch.problems()[0]);
            places.extend(batch.best_of(&self.lattice, &prior)?);
        }
        let largest = |values: &[f64]| values.iter().fold(0.0f64, |most, w| most.max(w.abs()));
        let solutions = alone.best.solutions.iter().map(|w| largest(w));
        let unit = places
            .iter()
            .map(|place| largest(&place.prior))
            .chain(solutions);
        let unit = unit.fold(0.0, f64::max);
        let space = Space {
            coordinates: if self.learns_prior {
                self.coordinates
            } else {
                0
            },
            unit: if unit > 0.0 { unit } else { 1.0 },
            ..self.strengths.clone()
        };
        let left = self.max_evaluations.saturating_sub(batch.evaluations);
        Ok(Some(Course {
            alone,
            mean,
            around_mean,
            learned: descend(batch, &space, &places, left)?,
            has_learned: self.learns_prior && left > 0,
        }))
    }

    /// The best strengths around a prior; `None` where there is no solution with its derivative.
    fn around(&self, batch: &mut Batch<'_>, prior: &[f64]) -> Result<Option<End>> {
        let Some(start) = batch.best_of(&self.lattice, prior)? else {
            return Ok(None);
        };
        let space = Space {
            own: prior.to_vec(),
            ..self.strengths.clone()
        };
        let is_more = self.learns_prior && space.l1.or(space.l2).is_some();
        let left = self.max_evaluations.saturating_sub(batch.evaluations);
        let most = if is_more {
            left.min(self.strengths_alone)
        } else {
            0
        };
        descend(batch, &space, &[start], most).map(Some)
    }

    /// The strengths that a bound holds.
    pub(super) fn remarks(&self, best: &Evaluated) -> Vec<String> {
        self.strengths.remarks(best)
    }
}

/// The points of the coarse grid, about `most`: λ₂ fastest, l1 falling, so that they are warm paths.
fn lattice(at: &Point, l1: Option<(f64, f64)>, l2: Option<(f64, f64)>, most: usize) -> Vec<Point> {
    let values = |range: Option<(f64, f64)>, fixed: f64, count: usize| match (range, count) {
        (None, _) => vec![fixed],
        (Some((low, high)), 1) => vec![(low * high).sqrt()],
        (Some((low, high)), count) => {
            let step = (low / high).ln() / (count - 1) as f64;
            let at = |at: usize| high * (step * at as f64).exp();
            (0..count).map(at).collect::<Vec<f64>>()
        }
    };
    let (mut ridges, mut strengths) = (l2.map_or(1, |_| RIDGES), l1.map_or(1, |_| STRENGTHS));
    while ridges * strengths > most.max(1) {
        let larger = if ridges >= strengths {
            &mut ridges
        } else {
            &mut strengths
        };
        *larger -= 1;
    }
    let ridges = values(l2, at.l2, ridges);
    let strengths = values(l1, at.l1, strengths);
    let pairs = strengths
        .iter()
        .flat_map(|&l1| ridges.iter().map(move |&l2| (l1, l2)));
    pairs
        .map(|(l1, l2)| {
            let mut point = at.clone();
            (point.l1, point.l2) = (l1, l2);
            point
        })
        .collect()
}

/// Descents from known places; without evaluations the best of these.
fn descend(batch: &mut Batch<'_>, space: &Space, places: &[Evaluated], left: usize) -> Result<End> {
    let bounds = space.bounds()?;
    let mut search = Search::new(bounds, left);
    for place in places {
        match space.value(place) {
            Some(value) => search.start_at(
                Visit {
                    place: space.place(place),
                    value: value.value,
                    slope: value.slope,
                    towards: None,
                },
                Vec::new(),
            ),
            None => search.add(&space.place(place)),
        }
    }
    let mut last: Vec<Evaluated> = places.to_vec();
    let best_of = |places: &[Evaluated]| {
        let best = places
            .iter()
            .min_by(|a, b| a.criterion.total_cmp(&b.criterion));
        // infallible: there is the place of each task alone
        best.expect("a place").clone()
    };
    let mut best = best_of(places);
    while !batch.control.should_stop() {
        let asked = search.ask();
        if asked.is_empty() {
            break;
        }
        let mut values = Vec::with_capacity(asked.len());
        for one in asked {
            let (point, prior) = space.point(&one.place);
            let found = batch.evaluate(&point, &prior, &last[one.start].warm)?;
            values.push(found.as_ref().and_then(|found| space.value(found)));
            if let Some(found) = found {
                if found.criterion < best.criterion {
                    best = found.clone();
                }
                last[one.start] = found;
            }
        }
        search.tell(values)?;
    }
    let (status, slope) = match search.outcome() {
        Some(outcome) => (outcome.status, outcome.projected_slope),
        None => (TuningStatus::BudgetSpent, f64::NAN),
    };
    Ok(End {
        status,
        best,
        projected_slope: slope,
    })
}
