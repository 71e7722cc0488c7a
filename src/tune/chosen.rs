//! A point with what it changes of the problem, and the outcomes of several of them.

use std::sync::Arc;

use rayon::prelude::*;

use crate::control::Control;
use crate::engine::prepared::Prepared;
use crate::error::Result;
use crate::hypergrad::{Evaluator, Outcome, Settings, WarmStart};
use crate::model::loss::Loss;
use crate::problem::{Point, Problem};

/// A point, and the parts of the problem that are tuned beside it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Chosen {
    pub(super) point: Point,
    /// δ of the Huber loss of the fit; `None` leaves the problem's.
    pub(super) huber_delta: Option<f64>,
    /// Weights of the classes, which multiply the problem's; `None` leaves these.
    pub(super) class_weights: Option<Arc<[f64]>>,
}

impl From<Point> for Chosen {
    fn from(point: Point) -> Self {
        Self {
            point,
            ..Self::default()
        }
    }
}

impl Chosen {
    /// The problem that is solved; `None` where it is this one.
    pub(super) fn restated(&self, problem: &Problem) -> Result<Option<Problem>> {
        let own = |delta: &f64| problem.loss() != Loss::Huber { delta: *delta };
        let delta = self.huber_delta.filter(own);
        if delta.is_none() && self.class_weights.is_none() {
            return Ok(None);
        }
        let mut problem = problem.clone();
        if let Some(delta) = delta {
            problem = problem.with_huber_delta(delta)?;
        }
        if let Some(weights) = &self.class_weights {
            problem = problem.with_class_weights(weights, self.point.target)?;
        }
        Ok(Some(problem))
    }

    /// Whether both choose the same problem.
    fn shares_problem(&self, other: &Self) -> bool {
        self.huber_delta == other.huber_delta && self.class_weights == other.class_weights
    }
}

/// The places of points that choose the same problem, together.
fn of_same_problems(chosen: &[Chosen]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, one) in chosen.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| chosen[group[0]].shares_problem(one);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// A fold with what is prepared for its problem.
#[derive(Debug, Clone)]
pub(super) struct Fold<'a> {
    pub(super) problem: &'a Problem,
    pub(super) prepared: Arc<Prepared>,
}

impl<'a> Fold<'a> {
    /// A fold of a problem for which nothing is prepared yet.
    pub(super) fn new(problem: &'a Problem) -> Self {
        Self {
            problem,
            prepared: Arc::default(),
        }
    }

    /// The outcomes of points in their order: along paths of falling l1 on each problem, or each from a start of
    /// its own.
    ///
    /// # Errors
    /// Those of [`Evaluator::run`].
    pub(super) fn evaluate(
        &self,
        settings: &Settings,
        control: &Control,
        chosen: &[Chosen],
        warm: Option<Vec<WarmStart>>,
    ) -> Result<Vec<Outcome>> {
        let groups = of_same_problems(chosen);
        let of_group = |group: &Vec<usize>| -> Result<Vec<Outcome>> {
            let Some(&first) = group.first() else {
                return Ok(Vec::new());
            };
            let own = chosen[first].restated(self.problem)?;
            let (problem, prepared) = match &own {
                None => (self.problem, Arc::clone(&self.prepared)),
                Some(own) => (own, Arc::new(self.prepared.beside(self.problem))),
            };
            let mut evaluator = Evaluator::new(problem)
                .sharing(&prepared)
                .settings(settings)
                .control(&control.of_a_part());
            if let Some(warm) = &warm {
                let starts: Vec<WarmStart> = group.iter().map(|&at| warm[at].clone()).collect();
                let alone: Vec<Vec<usize>> = (0..group.len()).map(|at| vec![at]).collect();
                evaluator = evaluator.warm_starts(starts).paths(alone);
            }
            let points: Vec<Point> = group.iter().map(|&at| chosen[at].point.clone()).collect();
            evaluator.run(&points)
        };
        let outcomes: Vec<Vec<Outcome>> = groups.par_iter().map(of_group).collect::<Result<_>>()?;
        let places = groups.into_iter().flatten();
        let mut ordered: Vec<(usize, Outcome)> =
            places.zip(outcomes.into_iter().flatten()).collect();
        ordered.sort_by_key(|(at, _)| *at);
        Ok(ordered.into_iter().map(|(_, outcome)| outcome).collect())
    }
}
