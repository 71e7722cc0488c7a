//! Defences against data that may be poisoned.

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
const TRIMMING_STARTS: usize = 30;
/// The share of the validation rows that judge a cleaning.
const JUDGING_SHARE: f64 = 0.5;
/// The tolerance of fits on the way of a tuning and of a cleaning.
const TOLERANCE: f64 = 1e-8;

/// The results of the defences on one data set; `None` for those that were not asked for, or cannot be had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Defended {
    /// The strengths tuned anew.
    pub retuned: Option<Retuned>,
    /// The rows that fit worst left out.
    pub trim: Option<Discarded>,
    /// Rows weighted by what trusted rows say of them.
    pub clean: Option<Reweighted>,
    /// Those that these data do not allow.
    pub failed: Vec<Failed>,
}

/// A defence that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its name: that of its field in [`Defended`].
    pub defence: &'static str,
    /// The reason.
    pub reason: String,
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
    /// The share of the rows that may move among them, over all that may move and have a weight.
    pub found: f64,
}

/// A fit with the weights of a [`Cleaning`] by the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reweighted {
    /// Its scores; the validation rows have chosen the weights.
    pub scores: Measured,
    /// Whether the weights do better than full ones by more than two standard errors; all are 1 otherwise.
    pub is_better: bool,
    /// The mean weight of the rows that may move and have a weight of their own.
    pub moved: f64,
    /// That of the others that have one; `None` without any.
    pub others: Option<f64>,
}

/// A defender, who is told how many rows may have moved, but not which.
pub(super) struct Defender<'a> {
    pub(super) judge: &'a Judge<'a>,
    pub(super) point: &'a Point,
    pub(super) settings: &'a Settings,
    /// The rows that may move.
    pub(super) rows: &'a [usize],
    /// The features of the model trained on clean data.
    pub(super) features: &'a [bool],
    pub(super) control: &'a Control,
}

impl Defender<'_> {
    /// The results of the defences on the data that a model was trained on; `None` without any.
    pub(super) fn defend(&self, trained: &Trained) -> Result<Option<Defended>> {
        let Defences { tune, trim, clean } = self.settings.defences;
        if !(tune || trim || clean) {
            return Ok(None);
        }
        let (problem, point) = (&trained.problem, self.point);
        let mut failed = Vec::new();
        Ok(Some(Defended {
            retuned: tried(tune, "retuned", || self.tune(trained), &mut failed)?,
            trim: tried(trim, "trim", || self.trim(problem, point), &mut failed)?,
            clean: tried(clean, "clean", || self.clean(problem, point), &mut failed)?,
            failed,
        }))
    }

    /// The rows that may move and that the model is trained on.
    fn moved(&self, problem: &Problem) -> Result<Vec<usize>> {
        let has_weight = |row: &usize| problem.train.weights[*row] > 0.0;
        let moved: Vec<usize> = self.rows.iter().copied().filter(has_weight).collect();
        if moved.is_empty() {
            return Err(Error::value(
                "the rows that may move",
                "none of them has a weight",
                "let rows move that the model is trained on",
            ));
        }
        Ok(moved)
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
        let (fixed, scores) = (self.measured(trained)?, self.measured(&again)?);
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
        let moved = self.moved(problem)?;
        let trimming = Trimming {
            discarded: moved.len(),
            starts: TRIMMING_STARTS,
            seed: self.settings.seed,
        };
        let trimmed = trimming.fit(problem, point, self.control)?;
        let is_out = |row: &&usize| trimmed.discarded.binary_search(row).is_ok();
        let found = moved.iter().filter(is_out).count();
        Ok(Discarded {
            discarded: trimmed.discarded.len(),
            found: found as f64 / moved.len() as f64,
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
        let moved = self.moved(problem)?;
        let has_weight = |row: &usize| problem.train.weights[*row] > 0.0;
        let is_other = |row: &usize| moved.binary_search(row).is_err();
        let all = (0..cleaned.weights.len()).filter(has_weight);
        let others: Vec<usize> = all.filter(is_other).collect();
        let mean = |rows: &[usize]| {
            let sum: f64 = rows.iter().map(|&row| cleaned.weights[row]).sum();
            sum / rows.len() as f64
        };
        Ok(Reweighted {
            is_better: cleaned.is_better,
            moved: mean(&moved),
            others: (!others.is_empty()).then(|| mean(&others)),
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
        self.measured(&Trained { problem, w, status })
    }

    fn measured(&self, trained: &Trained) -> Result<Measured> {
        self.judge.measured(trained, self.features)
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
            Ok(slopes) => Ok(Some(total(
                &slopes,
                problem.train.design.features(),
                self.settings.norm,
            ))),
            Err(Error::Unsupported { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The result of a defence that is asked for; an error that keeps it from one is noted.
///
/// # Errors
/// [`Error::Interrupted`] alone.
fn tried<T>(
    is_asked: bool,
    defence: &'static str,
    defend: impl FnOnce() -> Result<T>,
    failed: &mut Vec<Failed>,
) -> Result<Option<T>> {
    if !is_asked {
        return Ok(None);
    }
    match defend() {
        Ok(found) => Ok(Some(found)),
        Err(error @ Error::Interrupted { .. }) => Err(error),
        Err(error) => {
            let reason = error.to_string();
            failed.push(Failed { defence, reason });
            Ok(None)
        }
    }
}

/// Σ_i of the dual norms of the rows' slopes.
fn total(slopes: &[f64], features: usize, norm: Norm) -> f64 {
    slopes
        .chunks_exact(features)
        .map(|row| norm.dual(row))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::ascent::Victim;
    use super::*;
    use crate::data::{Dense, Matrix};
    use crate::model::loss::Loss;
    use crate::poison::Subject;
    use crate::problem::{Rows, Specification};

    fn rows(n: usize, shift: f64) -> Rows {
        let entry = |at: usize| (at as f64 * 0.7 + shift).sin() * (1.0 + (at % 3) as f64);
        let values: Vec<f64> = (0..5 * n).map(entry).collect();
        let noise = |i: usize| (1.7 * i as f64 + shift).powi(2).sin();
        let z = |i: usize| values[5 * i] - 0.5 * values[5 * i + 1] + noise(i);
        Rows {
            targets: vec![(0..n).map(z).collect()],
            weights: None,
            offset: None,
            matrix: Matrix::Dense(Dense::new(n, 5, values).unwrap()),
        }
    }

    /// The slope at the tuned strength is that of the loss of a defender who tunes anew: central differences
    /// along the steepest ascent of the budget's norm, λ₂ tuned at either end.
    #[test]
    fn the_slope_at_tuned_strengths_is_that_of_the_tuned_loss() {
        let train = rows(30, 0.1);
        let mut specification = Specification::new(Loss::Squared, train.matrix, train.targets);
        specification.validation = Some(rows(25, 2.0));
        let subject = Subject {
            specification,
            point: Point::new(0.0, 0.01),
            test: None,
        };
        let (moved, control) = ([2, 7, 19], Control::new());
        let mut victim = Victim::new(&subject, &moved, 1).unwrap();
        let tuned = |victim: &Victim| {
            let mut problem = victim.of_start(0);
            problem.criterion.sign = Sign::Minimize;
            let tuner = Tuner::new(&problem).variables([Variable::l2()]);
            tuner.at(subject.point.clone()).run().unwrap()
        };
        let at_clean = tuned(&victim);
        // Inside its bounds.
        assert!(at_clean.point.l2 > 1e-3 && at_clean.point.l2 < 10.0);
        let problem = victim.of_start(0);
        let slope_at = |point: &Point| {
            let step = Spectrum::of(&problem).step(problem.ridge_range(point));
            let solved = crate::hypergrad::Evaluator::new(&problem).method(None);
            let w = solved
                .run(std::slice::from_ref(point))
                .unwrap()
                .remove(0)
                .solution;
            slopes(&problem, point, step, &w, &control).unwrap()
        };
        let found = slope_at(&at_clean.point);
        let steepest: Vec<f64> = found.iter().map(|s| s.signum()).collect();
        let mut loss = |by: f64| {
            let place: Vec<f64> = steepest.iter().map(|s| by * s).collect();
            victim.set(0, &place);
            tuned(&victim).criterion
        };
        let difference = (loss(1e-3) - loss(-1e-3)) / 2e-3;
        let slope = total(&found, 5, Norm::LInf);
        let error = (slope - difference).abs();
        assert!(error < 1e-4 * slope, "{slope} {difference}");
        // At the fixed strength it is another one.
        let fixed = total(&slope_at(&subject.point), 5, Norm::LInf);
        assert!((fixed - slope).abs() > 0.01 * slope, "{fixed} {slope}");
    }
}
