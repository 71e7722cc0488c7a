//! The descent in the weights, and in λ₂ where it is tuned.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::problem::{Point, Problem};
use crate::real::sum_of;
use crate::tune::{BoxBounds, Search, Value};

use super::outcome::{Cleaned, CleaningStep};
use crate::tune::held_out::held_out_error;

/// Evaluations in a row, none with a smaller error, that end it.
const PATIENCE: usize = 15;
/// The root mean square by which the first step moves the weights.
const FIRST_MOVE: f64 = 0.25;

/// A descent from all rows in full weight.
pub(super) struct Descent<'a> {
    problem: &'a Problem,
    evaluator: Evaluator<'a>,
    control: &'a Control,
    point: Point,
    /// The problem's own weights of the rows.
    given: Vec<f64>,
    /// The bounds of λ₂, where it is tuned.
    ridge: Option<(f64, f64)>,
    /// The weights of the rows whose error chooses.
    judging: &'a [f64],
    /// The place of a weight of 1: a step of length 1 moves all weights by `FIRST_MOVE`.
    one: f64,
}

/// A fit with its weights and their slopes.
struct Fit {
    weights: Vec<f64>,
    /// ∂E/∂s of every row.
    slopes: Vec<f64>,
    outcome: Outcome,
    error: f64,
}

/// The best place of a descent, and the way there.
pub(super) struct Descended {
    best: Fit,
    first: CleaningStep,
    steps: Vec<CleaningStep>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(
        problem: &'a Problem,
        point: Point,
        ridge: Option<(f64, f64)>,
        judging: &'a [f64],
        settings: Settings,
        control: &'a Control,
    ) -> Self {
        let train = problem.train();
        let given = train.weights.iter().map(|w| w * problem.weight_unit());
        Self {
            evaluator: Evaluator::new(problem).settings(&settings).control(control),
            control,
            given: given.collect(),
            ridge,
            judging,
            one: 1.0 / (FIRST_MOVE * (train.rows() as f64).sqrt()),
            problem,
            point,
        }
    }

    /// Descends.
    pub(super) fn run(&self, most: usize) -> Result<Descended> {
        let rows = self.given.len();
        let mut start = vec![self.one; rows];
        let (mut lower, mut upper) = (vec![0.0; rows], start.clone());
        if let Some((low, high)) = self.ridge {
            start.push(self.point.l2.ln());
            lower.push(low.ln());
            upper.push(high.ln());
        }
        let mut search = Search::new(BoxBounds::new(lower, upper)?, most).from(&start)?;
        let mut steps: Vec<CleaningStep> = Vec::new();
        let mut best: Option<Fit> = None;
        let mut last: Option<Outcome> = None;
        let mut since = 0;
        while since < PATIENCE && !self.control.should_stop() {
            let Some(asked) = search.ask().into_iter().next() else {
                break;
            };
            let fit = self.fit(&self.evaluator, &asked.place, last.as_ref())?;
            let value = fit.as_ref().map(|fit| self.value(fit));
            search.tell(vec![value])?;
            since += 1;
            let Some(fit) = fit else {
                if best.is_none() {
                    break;
                }
                continue;
            };
            if let Ok(dir) = std::env::var("PROX_DUMP") {
                let t: Vec<String> = fit
                    .slopes
                    .iter()
                    .zip(&fit.weights)
                    .map(|(a, b)| format!("{a} {b}"))
                    .collect();
                let _ = std::fs::write(format!("{dir}/{}", steps.len()), t.join("\n"));
            }
            steps.push(CleaningStep {
                evaluation: search.spent(),
                l2: fit.outcome.point.l2,
                criterion: fit.outcome.criterion,
                error: fit.error,
                mean_weight: sum_of(rows, |i| fit.weights[i]) / rows as f64,
            });
            last = Some(fit.outcome.clone());
            let is_better = |best: &Fit| {
                let of = |fit: &Fit| (fit.error, fit.outcome.criterion);
                of(&fit) < of(best)
            };
            if best.as_ref().is_none_or(is_better) {
                if best.as_ref().is_none_or(|best| fit.error < best.error) {
                    since = 0;
                }
                best = Some(fit);
            }
        }
        let (Some(best), Some(first)) = (best, steps.first().cloned()) else {
            return Err(Error::value(
                "cleaning",
                "the fit with all rows has no criterion with its derivative",
                "raise --l2 or --max-steps, or allow more time",
            ));
        };
        Ok(Descended { best, first, steps })
    }

    /// Fits once more at the best place, to the last digit that is asked for.
    pub(super) fn conclude(&self, found: Descended, settings: Settings) -> Result<Cleaned> {
        let Descended { best, first, steps } = found;
        let evaluator = self.evaluator.clone().settings(&settings);
        let place: Vec<f64> = best.weights.iter().map(|s| s * self.one).collect();
        let log = self.ridge.map(|_| best.outcome.point.l2.ln());
        let place: Vec<f64> = place.into_iter().chain(log).collect();
        let last = self.fit(&evaluator, &place, Some(&best.outcome))?;
        let best = last.unwrap_or(best);
        let mut ranking: Vec<usize> = (0..best.weights.len()).collect();
        ranking.sort_by(|&a, &b| best.slopes[b].total_cmp(&best.slopes[a]).then(a.cmp(&b)));
        Ok(Cleaned {
            point: best.outcome.point.clone(),
            weights: best.weights,
            evidence: best.slopes,
            ranking,
            error: best.error,
            outcome: best.outcome,
            first,
            evaluations: steps.len(),
            steps,
            remarks: Vec::new(),
        })
    }

    /// The fit at a place; `None` where it has no solution, or no derivative.
    fn fit(
        &self,
        evaluator: &Evaluator<'_>,
        place: &[f64],
        from: Option<&Outcome>,
    ) -> Result<Option<Fit>> {
        let rows = self.given.len();
        let weights: Vec<f64> = place[..rows].iter().map(|u| u / self.one).collect();
        let own: Vec<f64> = weights
            .iter()
            .zip(&self.given)
            .map(|(s, g)| s * g)
            .collect();
        let mut point = self.point.clone().with_weights(own);
        if let Some(log) = place.get(rows) {
            point.l2 = log.exp();
        }
        let points = [point];
        // A class, or everything, without weight.
        if self.problem.check_points(&points).is_err() {
            return Ok(None);
        }
        let start = from.map(|outcome| vec![outcome.warm_start()]);
        let outcomes = evaluator.clone().warm_starts(start).run(&points)?;
        let Some(outcome) = outcomes.into_iter().next().filter(Outcome::is_solved) else {
            return Ok(None);
        };
        let Some(slopes) = self.slopes(&outcome) else {
            return Ok(None);
        };
        let error = held_out_error(
            self.problem,
            &outcome.solution,
            outcome.point.target,
            self.judging,
        );
        Ok(Some(Fit {
            weights,
            slopes,
            error,
            outcome,
        }))
    }

    /// ∂E/∂s of every row. The hypergradient holds the sum of the weights that divides the loss; here it
    /// follows the weights.
    fn slopes(&self, outcome: &Outcome) -> Option<Vec<f64>> {
        let of_weights = outcome.hypergradient.as_ref()?.sample_weights.as_ref()?;
        let own = outcome.point.weights()?;
        let rows = own.len();
        let total = sum_of(rows, |i| own[i]);
        let common = sum_of(rows, |i| of_weights[i] * own[i]) / total;
        let slope = |i: usize| (of_weights[i] - common) * self.given[i];
        Some((0..rows).map(slope).collect())
    }

    /// log E and its slope at the places of weights and λ₂.
    fn value(&self, fit: &Fit) -> Value {
        let criterion = fit.outcome.criterion;
        let of_weight = |slope: &f64| slope / (self.one * criterion);
        let mut slope: Vec<f64> = fit.slopes.iter().map(of_weight).collect();
        if self.ridge.is_some() {
            let gradient = fit.outcome.hypergradient.as_ref();
            let slopes = gradient.and_then(|gradient| gradient.l2.as_ref());
            let along = slopes.map_or(f64::NAN, |slopes| {
                self.problem.along_l2(&fit.outcome.point, slopes)
            });
            slope.push(along * fit.outcome.point.l2 / criterion);
        }
        Value {
            value: criterion.ln(),
            slope,
        }
    }
}
