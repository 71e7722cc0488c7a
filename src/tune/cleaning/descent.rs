//! Rounds of evidence and search: what speaks against each row, and what to make of it.

use crate::control::Control;
use crate::engine::products;
use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::linalg::statistics;
use crate::linalg::vector::exceeds;
use crate::model::loss::{Loss, sigmoid};
use crate::problem::{Point, Problem, Sample};
use crate::real::sum_of;
use crate::tune::held_out::held_out_error;
use crate::tune::objective::Objective;
use crate::tune::{BoxBounds, Search, Value};

use super::outcome::{Cleaned, CleaningStep};
use super::roles::Roles;

/// Rounds at most.
const ROUNDS: usize = 8;
/// Evaluations of a round.
const ROUND_EVALUATIONS: usize = 8;
/// A round whose log E falls by less is the last.
const WORTHWHILE: f64 = 0.005;
/// The largest logit of a weight without any evidence against its row, and the largest pull of one kind of
/// evidence.
const LARGEST_LOGIT: f64 = 40.0;
/// The unit of these in the search.
const UNIT: f64 = 4.0;
/// The least a, in that unit: below it most weights would lie near a small one, and none would say which
/// rows are out.
const LEAST_HEIGHT: f64 = 1.0;
/// Where a first search starts: half a weight for rows of middling evidence.
const START: [f64; 3] = [1.5, 1.5, 1.5];

/// A cleaning at work.
pub(super) struct Descent<'a> {
    problem: &'a Problem,
    evaluator: Evaluator<'a>,
    control: &'a Control,
    point: Point,
    /// The problem's own weights of the rows.
    given: Vec<f64>,
    /// The bounds of λ₂, where it is tuned.
    ridge: Option<(f64, f64)>,
    roles: &'a Roles,
    evaluations: usize,
    steps: Vec<CleaningStep>,
}

/// A fit with its weights and their slopes.
#[derive(Clone)]
struct Fit {
    weights: Vec<f64>,
    /// ∂E/∂s of every row.
    slopes: Vec<f64>,
    outcome: Outcome,
}

/// The evidence against every row: from 0, least of all rows, to 1, most.
struct Evidence {
    /// By the slope of the leading rows' criterion in its weight.
    by_slope: Vec<f64>,
    /// By its own loss.
    by_loss: Vec<f64>,
}

impl Evidence {
    /// The weight of a row without any evidence against it: what all others are relative to, because a
    /// common factor of the weights changes nothing.
    fn largest(place: &[f64]) -> f64 {
        sigmoid(UNIT * place[0])
    }

    /// The weight of a row, before it is made relative.
    fn absolute(&self, row: usize, place: &[f64]) -> f64 {
        let pull = place[1] * self.by_slope[row] + place[2] * self.by_loss[row];
        sigmoid(UNIT * (place[0] - pull))
    }

    /// The weight of every row, from 0 to 1.
    fn weights(&self, place: &[f64]) -> Vec<f64> {
        let largest = Self::largest(place);
        let rows = 0..self.by_slope.len();
        rows.map(|row| self.absolute(row, place) / largest)
            .collect()
    }

    /// ∂E/∂place from ∂E/∂s at these weights.
    fn along(&self, place: &[f64], slopes: &[f64]) -> Vec<f64> {
        let mut along = vec![0.0; 3];
        for (row, slope) in slopes.iter().enumerate() {
            let weight = self.absolute(row, place);
            let step = slope * UNIT * weight * (1.0 - weight);
            along[0] += step;
            along[1] -= step * self.by_slope[row];
            along[2] -= step * self.by_loss[row];
        }
        let largest = Self::largest(place);
        along.iter_mut().for_each(|sum| *sum /= largest);
        along
    }
}

impl<'a> Descent<'a> {
    pub(super) fn new(
        problem: &'a Problem,
        point: Point,
        ridge: Option<(f64, f64)>,
        roles: &'a Roles,
        settings: &Settings,
        control: &'a Control,
    ) -> Self {
        let train = problem.train();
        let given = train.weights.iter().map(|w| w * problem.weight_unit());
        Self {
            evaluator: Evaluator::new(problem).settings(settings).control(control),
            control,
            given: given.collect(),
            ridge,
            roles,
            problem,
            point,
            evaluations: 0,
            steps: Vec::new(),
        }
    }

    /// Cleans, in `most` evaluations at most; the last fit is made with settings of its own.
    pub(super) fn run(mut self, most: usize, last: &Settings) -> Result<Cleaned> {
        let all = vec![1.0; self.given.len()];
        let rough = self.evaluator.clone();
        let first = self.fit(&rough, &all, self.point.l2, &self.roles.judging, None)?;
        let Some(first) = first else {
            return Err(Error::value(
                "cleaning",
                "the fit with all rows has no criterion with its derivative",
                "raise --l2 or --max-steps, or allow more time",
            ));
        };
        let first_step = self.record(&first);
        let losses = self.judging_losses(&first.outcome);
        let mut best = first.clone();
        let mut place = START.to_vec();
        for _ in 0..ROUNDS {
            let before = best.outcome.criterion;
            if self.evaluations + 2 > most || self.control.should_stop() {
                break;
            }
            let Some(evidence) = self.evidence(&best)? else {
                break;
            };
            let left = (most - self.evaluations).min(ROUND_EVALUATIONS);
            if let Some((found, at)) = self.search(&evidence, &place, &best, left)?
                && found.outcome.criterion < best.outcome.criterion
            {
                best = found;
                place = at;
            }
            let is_worthwhile = best.outcome.criterion < before * (1.0 - WORTHWHILE);
            if !is_worthwhile {
                break;
            }
        }
        let is_better = self.is_better(&best.outcome, &losses);
        let chosen = if is_better { best } else { first };
        // Also after an interruption: it is what the rest was for.
        let precise = rough.settings(last).control(&Control::new());
        let (l2, judging) = (chosen.outcome.point.l2, &self.roles.judging);
        let from = Some(&chosen.outcome);
        let outcome = self.outcome(&precise, &chosen.weights, l2, judging, from)?;
        let last = match outcome {
            Some(outcome) => Fit {
                slopes: self.slopes(&outcome).unwrap_or(chosen.slopes),
                weights: chosen.weights,
                outcome,
            },
            None => chosen,
        };
        Ok(self.cleaned(last, first_step, is_better))
    }

    fn cleaned(self, best: Fit, first: CleaningStep, is_better: bool) -> Cleaned {
        let evidence = self.own_losses(&best.outcome);
        let mut ranking: Vec<usize> = (0..evidence.len()).collect();
        ranking.sort_by(|&a, &b| evidence[b].total_cmp(&evidence[a]).then(a.cmp(&b)));
        let problem = self.problem;
        Cleaned {
            point: best.outcome.point.clone(),
            weights: best.weights,
            evidence,
            ranking,
            error: self.error(&best.outcome),
            slopes: best.slopes,
            outcome: best.outcome,
            first,
            is_better,
            evaluations: self.evaluations,
            steps: self.steps,
            judging_rows: self.roles.judging.iter().filter(|w| **w > 0.0).count(),
            trusted_rows: problem.criterion().sample.rows(),
        }
    }

    /// The evidence against the rows at a fit.
    fn evidence(&mut self, fit: &Fit) -> Result<Option<Evidence>> {
        let l2 = fit.outcome.point.l2;
        let rough = self.evaluator.clone();
        let leading = &self.roles.leading;
        let from = Some(&fit.outcome);
        let led = self.fit(&rough, &fit.weights, l2, leading, from)?;
        Ok(led.map(|led| Evidence {
            by_slope: self.ranks(&led.slopes),
            by_loss: self.ranks(&self.own_losses(&fit.outcome)),
        }))
    }

    /// The loss of every training row at a fit.
    fn own_losses(&self, outcome: &Outcome) -> Vec<f64> {
        row_losses(
            self.problem,
            self.problem.train(),
            self.problem.loss(),
            outcome,
        )
    }

    /// The loss of every judging row at a fit, times its weight; 0 for other rows.
    fn judging_losses(&self, outcome: &Outcome) -> Vec<f64> {
        let criterion = self.problem.criterion();
        let mut losses = row_losses(self.problem, &criterion.sample, criterion.loss, outcome);
        let weights = losses.iter_mut().zip(&self.roles.judging);
        weights.for_each(|(loss, weight)| *loss *= weight);
        losses
    }

    /// Whether the loss on the judging rows is lower than with all rows by more than two standard errors of
    /// their mean difference: the weights were tuned on them.
    fn is_better(&self, outcome: &Outcome, before: &[f64]) -> bool {
        let after = self.judging_losses(outcome);
        let judging = self.roles.judging.iter().zip(before.iter().zip(after));
        let falls = judging
            .filter(|(weight, _)| **weight > 0.0)
            .map(|(_, (b, a))| b - a);
        let falls: Vec<f64> = falls.collect();
        // One row alone has no standard error.
        exceeds(
            statistics::mean(&falls),
            2.0 * statistics::standard_error(&falls),
        )
    }

    /// Ranks from 0 to 1 among the rows that have a weight; 0 for the others.
    fn ranks(&self, values: &[f64]) -> Vec<f64> {
        let rows = 0..values.len();
        let weighted: Vec<usize> = rows.filter(|&row| self.given[row] > 0.0).collect();
        let own: Vec<f64> = weighted.iter().map(|&row| values[row]).collect();
        let last = own.len().saturating_sub(1).max(1) as f64;
        let mut ranks = vec![0.0; values.len()];
        for (&row, rank) in weighted.iter().zip(statistics::ranks(&own)) {
            ranks[row] = rank / last;
        }
        ranks
    }

    /// The best weights that a logistic function of the evidence makes, and its place.
    fn search(
        &mut self,
        evidence: &Evidence,
        place: &[f64],
        from: &Fit,
        most: usize,
    ) -> Result<Option<(Fit, Vec<f64>)>> {
        let largest = LARGEST_LOGIT / UNIT;
        let (mut lower, mut upper) = (
            vec![LEAST_HEIGHT, 0.0, 0.0],
            vec![3.0 * largest, largest, largest],
        );
        let mut start = place.to_vec();
        if let Some((low, high)) = self.ridge {
            start.truncate(3);
            start.push(from.outcome.point.l2.ln());
            lower.push(low.ln());
            upper.push(high.ln());
        }
        let mut search = Search::new(BoxBounds::new(lower, upper)?, most).from(&start)?;
        let rough = self.evaluator.clone();
        let mut best: Option<(Fit, Vec<f64>)> = None;
        let mut last = from.outcome.clone();
        while !self.control.should_stop() {
            let Some(asked) = search.ask().into_iter().next() else {
                break;
            };
            let at = &asked.place;
            let weights = evidence.weights(at);
            let l2 = at.get(3).map_or(self.point.l2, |log| log.exp());
            let fit = self.fit(&rough, &weights, l2, &self.roles.judging, Some(&last))?;
            search.tell(vec![
                fit.as_ref().and_then(|fit| self.value(fit, evidence, at)),
            ])?;
            let Some(fit) = fit else { continue };
            self.record(&fit);
            last = fit.outcome.clone();
            let criterion = fit.outcome.criterion;
            if best
                .as_ref()
                .is_none_or(|best| criterion < best.0.outcome.criterion)
            {
                best = Some((fit, asked.place));
            }
        }
        Ok(best)
    }

    fn record(&mut self, fit: &Fit) -> CleaningStep {
        let rows = fit.weights.len();
        let step = CleaningStep {
            evaluation: self.evaluations,
            l2: fit.outcome.point.l2,
            criterion: fit.outcome.criterion,
            error: self.error(&fit.outcome),
            mean_weight: sum_of(rows, |i| fit.weights[i]) / rows as f64,
        };
        self.steps.push(step.clone());
        step
    }

    /// The error on the judging rows.
    fn error(&self, outcome: &Outcome) -> f64 {
        let target = outcome.point.target;
        held_out_error(self.problem, &outcome.solution, target, &self.roles.judging)
    }

    /// The fit with weights and λ₂, its criterion on some of the trusted rows; `None` where a class, or
    /// everything, is without weight.
    fn outcome(
        &mut self,
        evaluator: &Evaluator<'_>,
        weights: &[f64],
        l2: f64,
        role: &[f64],
        from: Option<&Outcome>,
    ) -> Result<Option<Outcome>> {
        let both = weights.iter().zip(&self.given);
        let own: Vec<f64> = both.map(|(s, given)| s * given).collect();
        let mut point = self
            .point
            .clone()
            .with_weights(own)
            .with_criterion_weights(role);
        point.l2 = l2;
        let points = [point];
        if self.problem.check_points(&points).is_err() {
            return Ok(None);
        }
        self.evaluations += 1;
        let start = from.map(|outcome| vec![outcome.warm_start()]);
        let outcomes = evaluator.clone().warm_starts(start).run(&points)?;
        Ok(outcomes.into_iter().next())
    }

    /// The same where it is solved and has a derivative.
    fn fit(
        &mut self,
        evaluator: &Evaluator<'_>,
        weights: &[f64],
        l2: f64,
        role: &[f64],
        from: Option<&Outcome>,
    ) -> Result<Option<Fit>> {
        let outcome = self.outcome(evaluator, weights, l2, role, from)?;
        Ok(outcome.filter(Outcome::is_solved).and_then(|outcome| {
            Some(Fit {
                slopes: self.slopes(&outcome)?,
                weights: weights.to_vec(),
                outcome,
            })
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

    /// The objective and its slope at a place of the search.
    fn value(&self, fit: &Fit, evidence: &Evidence, place: &[f64]) -> Option<Value> {
        let mut slope = evidence.along(place, &fit.slopes);
        if self.ridge.is_some() {
            let (point, gradient) = (&fit.outcome.point, fit.outcome.hypergradient.as_ref());
            let along = self.problem.along_l2(point, gradient?.l2.as_ref()?);
            slope.push(along * point.l2);
        }
        Objective::of(self.problem).of_criterion(fit.outcome.criterion, &slope)
    }
}

/// The loss of every row of a sample at a fit.
fn row_losses(problem: &Problem, sample: &Sample, loss: Loss, outcome: &Outcome) -> Vec<f64> {
    let (w, target) = (&outcome.solution, outcome.point.target);
    products::row_losses(loss, sample, w, problem.classes(), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ s_i g_i with slopes g for which a common factor of s changes nothing, as that of a criterion is.
    #[test]
    fn derivatives_of_the_weights_are_those_of_differences() {
        let rows = 9;
        let ranks = |step: usize| (0..rows).map(|i| (i * step % rows) as f64 / 8.0).collect();
        let evidence = Evidence {
            by_slope: ranks(2),
            by_loss: ranks(5),
        };
        for place in [[1.5, 1.5, 1.5], [1.0, 0.2, 3.0], [2.0, 0.0, 0.7]] {
            let weights = evidence.weights(&place);
            assert!(weights.iter().all(|w| *w > 0.0 && *w <= 1.0));
            let mut slopes: Vec<f64> = (0..rows).map(|i| (i as f64 * 1.7).sin()).collect();
            let common = sum_of(rows, |i| weights[i] * slopes[i]) / sum_of(rows, |i| weights[i]);
            slopes.iter_mut().for_each(|slope| *slope -= common);
            let value = |place: &[f64]| {
                let weights = evidence.weights(place);
                sum_of(rows, |i| weights[i] * slopes[i])
            };
            let found = evidence.along(&place, &slopes);
            for at in 0..3 {
                let moved = |by: f64| {
                    let mut place = place;
                    place[at] += by;
                    value(&place)
                };
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!(
                    (found[at] - difference).abs() < 1e-8,
                    "{at}: {found:?} {difference}"
                );
            }
        }
    }
}
