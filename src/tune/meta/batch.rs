//! Points on all tasks at once.

use std::sync::Arc;

use rayon::prelude::*;

use crate::control::Control;
use crate::engine::prepared::Prepared;
use crate::error::Result;
use crate::hypergrad::{Evaluator, Hypergradient, Outcome, Settings, WarmStart};
use crate::kinds::{Method, Wrt};
use crate::problem::{Point, Problem};
use crate::real::sum_of;
use crate::tune::chosen::Chosen;
use crate::tune::groups::Groups;
use crate::tune::held_out::held_out_error;
use crate::tune::kept::{Kept, OnFold, Request, Starts};
use crate::tune::objective::Objective;
use crate::tune::{BoxBounds, Value};

/// The largest entry of a prior, in units of the largest coefficient of the starts.
const PRIOR_BOUND: f64 = 1e3;

/// Tasks with what is prepared for each.
pub(super) struct Batch<'a> {
    tasks: Vec<(&'a Problem, Arc<Prepared>)>,
    settings: Settings,
    pub(super) control: Control,
    /// Points on all tasks so far.
    pub(super) evaluations: usize,
    /// The place that keeps them, where there is one.
    pub(super) kept: Option<Kept<'a>>,
}

/// A point on all tasks.
#[derive(Debug, Clone)]
pub(super) struct Evaluated {
    /// The point, with its prior.
    pub(super) point: Point,
    pub(super) prior: Vec<f64>,
    /// The mean criterion.
    pub(super) criterion: f64,
    /// Its derivatives in the prior, in log l1 and in log λ₂.
    pub(super) slopes: Slopes,
    /// The solution of every task.
    pub(super) solutions: Vec<Vec<f64>>,
    /// The start of a point near by, of every task.
    pub(super) warm: Vec<WarmStart>,
}

/// The derivatives of the mean criterion.
#[derive(Debug, Clone)]
pub(super) struct Slopes {
    prior: Vec<f64>,
    log_l1: f64,
    log_l2: f64,
}

impl Slopes {
    /// The variables of [`of_task`](Self::of_task).
    const VARIABLES: &'static str = "log l1, log l2, prior";

    /// Those of one task: in log l1, in log λ₂ and in the prior; `None` where one is missing.
    fn of_task(problem: &Problem, point: &Point, gradient: &Hypergradient) -> Option<Vec<f64>> {
        let of_prior = gradient.prior.as_ref()?;
        let l2 = problem.along_l2(point, gradient.l2.as_ref()?) * point.l2;
        let l1 = gradient.l1.as_ref();
        let l1 = l1.map_or(0.0, |strengths| problem.along_log_l1(point, strengths));
        Some(
            [l1, l2]
                .into_iter()
                .chain(of_prior.iter().copied())
                .collect(),
        )
    }
}

impl<'a> Batch<'a> {
    pub(super) fn new(tasks: &[&'a Problem], settings: &Settings, control: &Control) -> Self {
        Self {
            tasks: tasks.iter().map(|task| (*task, Arc::default())).collect(),
            settings: Settings {
                method: settings.method.or(Some(Method::AidCg)),
                wrt: vec![Wrt::Prior, Wrt::L1, Wrt::L2],
                // Tasks are shared out among the threads; a pool for each would cost more than its fit.
                threads: 0,
                ..settings.clone()
            },
            control: control.clone(),
            evaluations: 0,
            kept: None,
        }
    }

    /// Some of the tasks, with what is prepared for them.
    pub(super) fn part(&self, tasks: impl Iterator<Item = usize>) -> Self {
        Self {
            tasks: tasks.map(|at| self.tasks[at].clone()).collect(),
            settings: self.settings.clone(),
            control: self.control.of_a_part(),
            evaluations: 0,
            kept: None,
        }
    }

    pub(super) fn problems(&self) -> Vec<&'a Problem> {
        self.tasks.iter().map(|(task, _)| *task).collect()
    }

    /// A point near a known one; `None` where a task has no solution or no derivative.
    pub(super) fn evaluate(
        &mut self,
        point: &Point,
        prior: &[f64],
        warm: &[WarmStart],
    ) -> Result<Option<Evaluated>> {
        let points = [point.clone().with_prior(prior.to_vec())];
        let results = self.results(&points, Some(warm))?;
        Ok(self.mean(&points[0], prior, 0, results))
    }

    /// The best of some points around a prior.
    pub(super) fn best_of(&mut self, points: &[Point], prior: &[f64]) -> Result<Option<Evaluated>> {
        let shared: Arc<[f64]> = prior.into();
        let with_prior = |point: &Point| point.clone().with_prior(Arc::clone(&shared));
        let points: Vec<Point> = points.iter().map(with_prior).collect();
        let results = self.results(&points, None)?;
        let criterion = |at: usize| {
            let all = results.iter().all(|task| task[at].is_solved);
            let mean = sum_of(results.len(), |task| results[task][at].criterion);
            if all { mean } else { f64::INFINITY }
        };
        let values: Vec<f64> = (0..points.len()).map(criterion).collect();
        let best = (0..points.len()).min_by(|&a, &b| values[a].total_cmp(&values[b]));
        Ok(best.and_then(|at| self.mean(&points[at], prior, at, results)))
    }

    /// The errors of every task's fit on its held-out rows; NaN where there is no fit.
    pub(super) fn errors(&self, point: &Point) -> Result<Vec<f64>> {
        self.measured(point, |problem, outcome| {
            let weights = &problem.criterion().sample.weights;
            held_out_error(problem, &outcome.solution, point.target, weights)
        })
    }

    /// The criteria of every task's fit; NaN where there is no fit.
    pub(super) fn criteria(&self, point: &Point) -> Result<Vec<f64>> {
        self.measured(point, |_, outcome| outcome.criterion)
    }

    /// A number of every task's fit.
    fn measured(
        &self,
        point: &Point,
        number: impl Fn(&Problem, &Outcome) -> f64 + Sync,
    ) -> Result<Vec<f64>> {
        let settings = Settings {
            method: None,
            ..self.settings.clone()
        };
        let of_task = |(problem, prepared): &(&Problem, Arc<Prepared>)| -> Result<f64> {
            let outcomes = Evaluator::new(problem)
                .sharing(prepared)
                .settings(&settings)
                .control(&self.control.of_a_part())
                .run(std::slice::from_ref(point))?;
            let outcome = &outcomes[0];
            Ok(match outcome.is_solved() {
                true => number(problem, outcome),
                false => f64::NAN,
            })
        };
        self.tasks.par_iter().map(of_task).collect()
    }

    /// The results of points on every task.
    fn results(
        &mut self,
        points: &[Point],
        warm: Option<&[WarmStart]>,
    ) -> Result<Vec<Vec<OnFold>>> {
        let of_task = |task: usize| self.on_task(task, points, warm);
        let tasks = self.tasks.len();
        let results = match &self.kept {
            None => (0..tasks)
                .into_par_iter()
                .map(of_task)
                .collect::<Result<_>>()?,
            Some(kept) => {
                let groups = Groups::of(tasks);
                let chosen: Vec<Chosen> = points.iter().cloned().map(Chosen::from).collect();
                let request = Request {
                    variables: Slopes::VARIABLES,
                    points: &chosen,
                    starts: warm.map_or(Starts::FromZero, Starts::OfTasks),
                    tasks: Some(groups),
                };
                let of_group = |group: usize| {
                    let tasks = groups.range(group).into_par_iter();
                    let results: Vec<Vec<OnFold>> = tasks.map(of_task).collect::<Result<_>>()?;
                    Ok(results.into_iter().flatten().collect())
                };
                let found = kept.results(request, groups.count(), &self.control, of_group)?;
                let mut found = found.into_iter().flatten();
                let of_points = |_| found.by_ref().take(points.len()).collect();
                (0..tasks).map(of_points).collect()
            }
        };
        self.evaluations += points.len();
        self.control.report_finished(points.len());
        Ok(results)
    }

    /// The results of points on one task.
    fn on_task(
        &self,
        task: usize,
        points: &[Point],
        warm: Option<&[WarmStart]>,
    ) -> Result<Vec<OnFold>> {
        let (problem, prepared) = &self.tasks[task];
        let mut evaluator = Evaluator::new(problem)
            .sharing(prepared)
            .settings(&self.settings)
            .control(&self.control.of_a_part());
        if let Some(warm) = warm {
            evaluator = evaluator.warm_starts(vec![warm[task].clone()]);
        }
        let result = |(point, outcome): (&Point, Outcome)| {
            let gradient = outcome.hypergradient.as_ref();
            OnFold {
                is_solved: outcome.is_solved(),
                criterion: outcome.criterion,
                slope: gradient.and_then(|own| Slopes::of_task(problem, point, own)),
                warm: outcome.warm_start(),
                kink_margin: None,
                not_unique: None,
            }
        };
        let outcomes = evaluator.run(points)?;
        Ok(points.iter().zip(outcomes).map(result).collect())
    }

    /// The mean over tasks of the results at a place of their lists.
    fn mean(
        &self,
        point: &Point,
        prior: &[f64],
        at: usize,
        results: Vec<Vec<OnFold>>,
    ) -> Option<Evaluated> {
        let mut own: Vec<OnFold> = Vec::with_capacity(results.len());
        for mut task in results {
            own.push(task.swap_remove(at));
        }
        if !own.iter().all(|result| result.is_solved) {
            return None;
        }
        let count = own.len() as f64;
        let mut slopes = Slopes {
            prior: vec![0.0; prior.len()],
            log_l1: 0.0,
            log_l2: 0.0,
        };
        for result in &own {
            let [log_l1, log_l2, of_prior @ ..] = result.slope.as_deref()? else {
                return None;
            };
            slopes.log_l1 += log_l1 / count;
            slopes.log_l2 += log_l2 / count;
            let prior = slopes.prior.iter_mut().zip(of_prior);
            prior.for_each(|(sum, s)| *sum += s / count);
        }
        Some(Evaluated {
            point: point.clone(),
            prior: prior.to_vec(),
            criterion: sum_of(own.len(), |task| own[task].criterion) / count,
            slopes,
            solutions: own.iter().map(|result| result.warm.w.clone()).collect(),
            warm: own.into_iter().map(|result| result.warm).collect(),
        })
    }
}

/// The variables of a search: the prior in units of its entries, log l1 and log λ₂, those that are learned.
#[derive(Debug, Clone)]
pub(super) struct Space {
    /// The entries of the prior; 0 where it is not learned.
    pub(super) coordinates: usize,
    /// The unit of the prior.
    pub(super) unit: f64,
    /// The bounds of l1.
    pub(super) l1: Option<(f64, f64)>,
    /// The bounds of λ₂.
    pub(super) l2: Option<(f64, f64)>,
    /// The hyperparameters that are not learned.
    pub(super) at: Point,
    /// The prior where it is not learned.
    pub(super) own: Vec<f64>,
    /// The objective: log E.
    pub(super) objective: Objective,
}

impl Space {
    pub(super) fn bounds(&self) -> Result<BoxBounds> {
        let most = PRIOR_BOUND;
        let (mut lower, mut upper) = (vec![-most; self.coordinates], vec![most; self.coordinates]);
        for (low, high) in [self.l1, self.l2].into_iter().flatten() {
            lower.push(low.ln());
            upper.push(high.ln());
        }
        BoxBounds::new(lower, upper)
    }

    pub(super) fn place(&self, of: &Evaluated) -> Vec<f64> {
        let prior = of.prior[..self.coordinates].iter().map(|c| c / self.unit);
        let l1 = self.l1.map(|_| of.point.l1.ln());
        prior
            .chain(l1)
            .chain(self.l2.map(|_| of.point.l2.ln()))
            .collect()
    }

    /// The point of a place, and its prior.
    pub(super) fn point(&self, place: &[f64]) -> (Point, Vec<f64>) {
        let (prior, logs) = place.split_at(self.coordinates);
        let mut logs = logs.iter();
        let mut point = self.at.clone();
        if let (Some(_), Some(log)) = (self.l1, logs.clone().next()) {
            point.l1 = log.exp();
            logs.next();
        }
        if let (Some(_), Some(log)) = (self.l2, logs.next()) {
            point.l2 = log.exp();
        }
        let prior = match prior {
            [] => self.own.clone(),
            prior => prior.iter().map(|u| u * self.unit).collect(),
        };
        (point, prior)
    }

    /// The objective and its slope; `None` where one is not finite.
    pub(super) fn value(&self, of: &Evaluated) -> Option<Value> {
        let own = of.slopes.prior[..self.coordinates].iter();
        let prior = own.map(|s| s * self.unit);
        let l1 = self.l1.map(|_| of.slopes.log_l1);
        let l2 = self.l2.map(|_| of.slopes.log_l2);
        let slope: Vec<f64> = prior.chain(l1).chain(l2).collect();
        self.objective.of_criterion(of.criterion, &slope)
    }

    /// The strengths that a bound holds.
    pub(super) fn remarks(&self, best: &Evaluated) -> Vec<String> {
        let near = |value: f64, bound: f64| (value / bound).ln().abs() < 1e-9;
        let of = |name: &str, bounds: Option<(f64, f64)>, value: f64| {
            let (low, high) = bounds?;
            let (side, bound) = match value {
                value if near(value, low) => ("lower", low),
                value if near(value, high) => ("upper", high),
                _ => return None,
            };
            Some(format!(
                "the best {name} lies at its {side} bound {bound:.3e}"
            ))
        };
        let point = &best.point;
        let all = [of("l1", self.l1, point.l1), of("l2", self.l2, point.l2)];
        all.into_iter().flatten().collect()
    }
}
