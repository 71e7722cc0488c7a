//! Influences by refits: the problem solved anew without each group of rows, all as one batch.

use rayon::prelude::*;

use super::shared::{self, Kept};
use crate::control::Control;
use crate::data::design::Design;
use crate::data::matrix::Matrix;
use crate::error::Result;
use crate::hypergrad::support::LeftOut;
use crate::hypergrad::{Evaluator, Outcome, WarmStart};
use crate::model::regularizer::Regularizer;
use crate::problem::{Point, Problem};

/// Numbers that the problems of a part of the batch may keep, in all.
const MOST_NUMBERS: usize = 1 << 25;
/// The most problems of a part: more are not faster.
const MOST_TOGETHER: usize = 512;

/// The changes that refits found; NaN where none has converged, or nothing can be fitted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Refits {
    /// The change of the criterion.
    pub influence: Vec<f64>,
    /// The change of the loss on what is left out itself, the weighted mean over a group.
    pub own: Vec<f64>,
    /// Whether coefficients enter or leave the support.
    pub changes_support: Vec<bool>,
    /// Refits that have not converged, or cannot be made: no row of a class is left.
    pub missing: usize,
}

/// One refit.
struct Refit {
    influence: f64,
    own: f64,
    changes_support: bool,
}

impl Refits {
    /// Those without each group, from the solution with all rows. Those of single rows share the factor of
    /// that fit, where its steps are given.
    ///
    /// # Errors
    /// Those of [`Evaluator::run`].
    pub(super) fn of(
        problem: &Problem,
        full: &Outcome,
        groups: &[Vec<usize>],
        evaluator: &Evaluator<'_>,
        steps: Option<&LeftOut<'_>>,
        control: &Control,
    ) -> Result<Self> {
        let numbers = problem.train.rows() + problem.criterion.sample.rows();
        let numbers = numbers + problem.coordinates() * (problem.coordinates().min(1000) + 4);
        let together = (MOST_NUMBERS / numbers).max(rayon::current_num_threads());
        let single = groups
            .iter()
            .enumerate()
            .filter_map(|(at, group)| match group.as_slice() {
                &[row] if problem.train.weights[row] > 0.0 => Some((at, row)),
                _ => None,
            });
        let mut found: Vec<Option<Refit>> = groups.iter().map(|_| None).collect();
        if let Some(steps) = steps {
            let single: Vec<(usize, usize)> = single.collect();
            let rows: Vec<usize> = single.iter().map(|&(_, row)| row).collect();
            let kept = shared::refits(problem, full, steps, &rows, control);
            for (&(at, _), kept) in single.iter().zip(kept) {
                found[at] = kept.map(Refit::of);
            }
        }
        let open: Vec<usize> = (0..groups.len())
            .filter(|&at| found[at].is_none())
            .collect();
        log::info!("{} of {} refits by the engines", open.len(), groups.len());
        for part in open.chunks(together.min(MOST_TOGETHER)) {
            let groups: Vec<Vec<usize>> = part.iter().map(|&at| groups[at].clone()).collect();
            let refits = refit(problem, full, &groups, evaluator, control)?;
            for (&at, refit) in part.iter().zip(refits) {
                found[at] = Some(refit);
            }
        }
        let found: Vec<Refit> = found.into_iter().flatten().collect();
        Ok(Self {
            influence: found.iter().map(|refit| refit.influence).collect(),
            own: found.iter().map(|refit| refit.own).collect(),
            changes_support: found.iter().map(|refit| refit.changes_support).collect(),
            missing: found.iter().filter(|r| r.influence.is_nan()).count(),
        })
    }
}

impl Refit {
    fn of(kept: Kept) -> Self {
        Self {
            influence: kept.influence,
            own: kept.own,
            changes_support: false,
        }
    }
}

/// The refits without each group of a part.
fn refit(
    problem: &Problem,
    full: &Outcome,
    groups: &[Vec<usize>],
    evaluator: &Evaluator<'_>,
    control: &Control,
) -> Result<Vec<Refit>> {
    let all = &problem.train.weights;
    let weighs = |group: &Vec<usize>| group.iter().any(|&row| all[row] > 0.0);
    let without = |group: &Vec<usize>| -> Option<Point> {
        if !weighs(group) {
            return None;
        }
        let mut weights = all.clone();
        group.iter().for_each(|&row| weights[row] = 0.0);
        let point = full.point.clone().with_weights(weights);
        let check = problem.check_points(std::slice::from_ref(&point));
        check.is_ok().then_some(point)
    };
    let points: Vec<Option<Point>> = groups.iter().map(without).collect();
    let asked: Vec<Point> = points.iter().flatten().cloned().collect();
    let start = WarmStart {
        w: full.solution.clone(),
        v: Vec::new(),
    };
    let outcomes = evaluator
        .clone()
        .method(None)
        .control(control)
        .warm_starts(vec![start; asked.len()])
        .paths((0..asked.len()).map(|at| vec![at]).collect::<Vec<_>>())
        .run(&asked)?;
    let mut outcomes = outcomes.into_iter();
    let solved: Vec<Option<Outcome>> = points
        .iter()
        .map(|point| point.as_ref().and_then(|_| outcomes.next()))
        .collect();
    let regularizer = problem.regularizer(&full.point);
    let of_group = |(group, solved): (&Vec<usize>, &Option<Outcome>)| match solved {
        None if !weighs(group) => Refit {
            influence: 0.0,
            own: 0.0,
            changes_support: false,
        },
        Some(outcome) if outcome.is_solved() => Refit {
            influence: outcome.criterion - full.criterion,
            own: own_change(problem, full, outcome, group),
            changes_support: changes_support(&regularizer, full, outcome),
        },
        _ => Refit {
            influence: f64::NAN,
            own: f64::NAN,
            changes_support: false,
        },
    };
    Ok(groups
        .par_iter()
        .zip(solved.par_iter())
        .map(of_group)
        .collect())
}

/// The change of the mean loss on rows.
fn own_change(problem: &Problem, full: &Outcome, outcome: &Outcome, group: &[usize]) -> f64 {
    let sample = &problem.train;
    let y = &sample.targets[full.point.target];
    let classes = problem.classes();
    let value = |outcome: &Outcome, i: usize| {
        let z = predictor(&sample.design, &outcome.solution, i, classes);
        problem.loss.row_value(&z, y[i]).unwrap_or(f64::NAN)
    };
    let (mut sum, mut weight) = (0.0, 0.0);
    for &i in group.iter().filter(|&&i| sample.weights[i] > 0.0) {
        sum += sample.weights[i] * (value(outcome, i) - value(full, i));
        weight += sample.weights[i];
    }
    sum / weight
}

/// The predictors of one row.
fn predictor(design: &Design, w: &[f64], i: usize, classes: usize) -> Vec<f64> {
    let mut z = vec![0.0; classes];
    let mut add = |j: usize, x: f64| {
        for (z, w) in z.iter_mut().zip(&w[j * classes..]) {
            *z += x * w;
        }
    };
    match (&design.matrix, &design.rank_one) {
        (Matrix::Dense(m), _) => m.row(i).iter().enumerate().for_each(|(j, &x)| add(j, x)),
        (Matrix::Sparse(m), None) => m.row(i).for_each(|(j, x)| add(j, x)),
        (Matrix::Sparse(m), Some(scale)) => {
            let scaled = |j: usize, x: f64| (x - scale.center[j]) * scale.inverse_scale[j];
            let mut entries = m.row(i).peekable();
            for j in 0..scale.center.len() {
                let own = entries.next_if(|&(k, _)| k == j);
                add(j, scaled(j, own.map_or(0.0, |(_, x)| x)));
            }
        }
    }
    z
}

/// Whether the support is another.
fn changes_support(regularizer: &Regularizer<'_>, a: &Outcome, b: &Outcome) -> bool {
    let is_in = |j: usize, w: f64| regularizer.of(j).coordinate.is_in_support(w);
    (0..regularizer.penalized()).any(|j| is_in(j, a.solution[j]) != is_in(j, b.solution[j]))
}
