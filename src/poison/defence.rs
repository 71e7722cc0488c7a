//! What a defender makes of data that may be poisoned.

use serde::Serialize;

use super::ascent::slopes;
use super::ball::Norm;
use super::measure::{Judge, Measured, Trained};
use super::subject::{Defences, Settings};
use super::trim::Trimming;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::Settings as Solve;
use crate::map::spectrum::Spectrum;
use crate::problem::{Point, Problem, Sign};
use crate::tune::{Cleaning, Tuner, Variable};

/// Evaluations of a tuning at most.
const TUNING_EVALUATIONS: usize = 100;
/// Starts of a trimmed fit.
const TRIMMING_STARTS: usize = 4;
/// The share of the validation rows that judge a cleaning.
const JUDGING_SHARE: f64 = 0.5;
/// The tolerance of fits on the way of a tuning and of a cleaning.
const TOLERANCE: f64 = 1e-8;

/// What each defence makes of one data set; `None` for those that were not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Defended {
    /// The strengths tuned anew.
    pub retuned: Option<Retuned>,
    /// The rows that fit worst left out.
    pub trim: Option<Discarded>,
    /// Rows weighted by what trusted rows say of them.
    pub clean: Option<Reweighted>,
}

/// A model whose strengths were tuned on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Retuned {
    /// Its scores.
    pub scores: Measured,
    /// Its l1.
    pub l1: f64,
    /// Its λ₂.
    pub l2: f64,
    /// Σ_i ‖dE/dP_i‖ over the rows that may move, in the dual norm, at the fixed strengths: how fast the
    /// validation loss grows for each unit of budget. `None` where the Hessian is singular.
    pub slope_fixed: Option<f64>,
    /// The same at the tuned strengths. These minimise the validation loss, so that its change with λ plays no
    /// part: it is the slope of the loss of a defender who tunes anew after every move.
    pub slope: Option<f64>,
}

/// A trimmed fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Discarded {
    /// Its scores.
    pub scores: Measured,
    /// Rows that were left out.
    pub discarded: usize,
    /// The share of the rows that may move among them, over all that may move.
    pub found: f64,
}

/// A fit with the weights of a [`Cleaning`] by the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reweighted {
    /// Its scores; the validation rows have chosen the weights.
    pub scores: Measured,
    /// Whether the weights do better than full ones by more than two standard errors; all are 1 otherwise.
    pub is_better: bool,
    /// The mean weight of the rows that may move.
    pub moved: f64,
    /// That of the others; `None` without any.
    pub others: Option<f64>,
}

/// A defender, who is told how many rows may have moved, but not which.
pub(super) struct Defender<'a> {
    pub(super) judge: &'a Judge<'a>,
    pub(super) point: &'a Point,
    pub(super) settings: &'a Settings,
    /// The rows that may move.
    pub(super) rows: &'a [usize],
    pub(super) control: &'a Control,
}

impl Defender<'_> {
    /// What the defences make of the data that a model was trained on; `None` without any.
    pub(super) fn defend(&self, trained: &Trained) -> Result<Option<Defended>> {
        let Defences { tune, trim, clean } = self.settings.defences;
        if !(tune || trim || clean) {
            return Ok(None);
        }
        let (problem, point) = (&trained.problem, self.point);
        Ok(Some(Defended {
            retuned: tune.then(|| self.tune(trained)).transpose()?,
            trim: trim.then(|| self.trim(problem, point)).transpose()?,
            clean: clean.then(|| self.clean(problem, point)).transpose()?,
        }))
    }

    /// Tunes the strengths that are not zero on the validation rows.
    fn tune(&self, trained: &Trained) -> Result<Retuned> {
        let problem = &trained.problem;
        let mut variables = Vec::new();
        if self.point.l1 > 0.0 && problem.penalty.has_strength() {
            variables.push(Variable::l1());
        }
        if self.point.l2 > 0.0 || variables.is_empty() {
            variables.push(Variable::l2());
        }
        let tuned = Tuner::new(problem)
            .variables(variables)
            .at(self.point.clone())
            .max_evaluations(TUNING_EVALUATIONS)
            .settings(&self.solving())
            .control(&self.control.of_a_part())
            .run()?;
        let problem = problem.clone();
        let again = self.judge.train(problem, &tuned.point, self.control)?;
        let (fixed, scores) = (self.judge.measured(trained)?, self.judge.measured(&again)?);
        // Its bounds may leave the fixed strengths out.
        let is_better = scores.validation.loss <= fixed.validation.loss;
        let (point, best, scores) = if is_better {
            (&tuned.point, &again, scores)
        } else {
            (self.point, trained, fixed)
        };
        Ok(Retuned {
            scores,
            l1: point.l1,
            l2: point.l2,
            slope_fixed: self.slope(trained, self.point)?,
            slope: self.slope(best, point)?,
        })
    }

    fn trim(&self, problem: &Problem, point: &Point) -> Result<Discarded> {
        let trimming = Trimming {
            discarded: self.rows.len(),
            starts: TRIMMING_STARTS,
            seed: self.settings.seed,
        };
        let trimmed = trimming.fit(problem, point, self.control)?;
        let is_out = |row: &&usize| trimmed.discarded.binary_search(row).is_ok();
        let found = self.rows.iter().filter(is_out).count();
        Ok(Discarded {
            discarded: trimmed.discarded.len(),
            found: found as f64 / self.rows.len() as f64,
            scores: self.scores(problem, trimmed.solution, trimmed.status)?,
        })
    }

    fn clean(&self, problem: &Problem, point: &Point) -> Result<Reweighted> {
        let cleaned = Cleaning::new(problem, point.clone())
            .tune_ridge(self.settings.defences.tune)
            .judging(JUDGING_SHARE, self.settings.seed)
            .settings(&self.solving())
            .control(&self.control.of_a_part())
            .run()?;
        if self.control.should_stop() {
            return Err(Error::Interrupted { what: "a cleaning" });
        }
        let sum = |rows: &mut dyn Iterator<Item = usize>| -> f64 {
            rows.map(|row| cleaned.weights[row]).sum()
        };
        let (moved, all) = (self.rows.len(), cleaned.weights.len());
        let of_moved = sum(&mut self.rows.iter().copied());
        let of_all = sum(&mut (0..all));
        Ok(Reweighted {
            is_better: cleaned.is_better,
            moved: of_moved / moved as f64,
            others: (all > moved).then(|| (of_all - of_moved) / (all - moved) as f64),
            scores: self.scores(problem, cleaned.outcome.solution, cleaned.outcome.status)?,
        })
    }

    fn scores(
        &self,
        problem: &Problem,
        w: Vec<f64>,
        status: crate::kinds::Status,
    ) -> Result<Measured> {
        let problem = problem.clone();
        self.judge.measured(&Trained { problem, w, status })
    }

    fn solving(&self) -> Solve {
        Solve::default().tolerance(TOLERANCE)
    }

    /// Σ_i ‖dE/dP_i‖ over the rows that may move, at a model; `None` where there is no hypergradient.
    fn slope(&self, trained: &Trained, point: &Point) -> Result<Option<f64>> {
        let mut problem = trained.problem.clone();
        problem.criterion.sign = Sign::Maximize;
        problem.perturbed_rows = self.rows.to_vec();
        let step = Spectrum::of(&problem).step(problem.ridge_range(point));
        match slopes(&problem, point, step, &trained.w, self.control) {
            Ok(slopes) => Ok(Some(total(&slopes, problem.train.design.features(), self.settings.norm))),
            Err(Error::Unsupported { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Σ_i of the dual norms of the rows' slopes.
fn total(slopes: &[f64], features: usize, norm: Norm) -> f64 {
    slopes.chunks_exact(features).map(|row| norm.dual(row)).sum()
}
