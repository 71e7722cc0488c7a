//! Descents of ridge strengths by models of the criterion that cost no evaluation.
//!
//! Where nothing holds a coefficient at zero or at a bound, the solution and the criterion are smooth in the
//! ridge strengths, and [`RidgeResponse`] tells what they do around a solution, far around it for losses that are
//! nearly quadratic. A descent goes to the minimum of that model, found by the optimiser itself from several
//! places, and takes another model there.

use rayon::prelude::*;

use super::box_bounds::BoxBounds;
use super::chosen::Chosen;
use super::criterion::{Criterion, Evaluated};
use super::descent::Value;
use super::objective::Objective;
use super::search::Search;
use super::variables::Space;
use crate::hypergrad::{Hypergradient, RidgeResponse, Strengths};
use crate::linalg::cholesky;
use crate::problem::Problem;

/// Evaluations of a model from each of its starts, which are systems of the size of the problem.
const EVALUATIONS: usize = 300;
/// Shares of the box at which all strengths alike start the minimum of a model.
const LEVELS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Newton steps at the end.
const NEWTON: usize = 6;
/// The difference in the logarithms by which the model's Hessian is formed.
const DIFFERENCE: f64 = 1e-4;
/// The projected slope of a model that is zero.
const ZERO: f64 = 1e-11;

/// A model of the objective around a place.
pub(super) struct RidgeModel<'a> {
    space: &'a Space,
    objective: &'a Objective,
    folds: Vec<(&'a Problem, f64, RidgeResponse)>,
}

impl<'a> RidgeModel<'a> {
    /// Whether there are models: of one vector of ridge strengths alone, where every fold has a response.
    pub(super) fn serves(space: &Space, criterion: &Criterion<'_>) -> bool {
        if !space.is_ridge_vector() || criterion.combination.is_some() {
            return false;
        }
        // Any strengths do.
        let chosen = space.chosen(space.box_bounds().upper());
        let mut folds = criterion.folds.iter();
        folds.all(|fold| RidgeResponse::serves(fold.problem, &chosen.point))
    }

    /// That around an evaluated point; `None` where some fold has none.
    pub(super) fn around(
        space: &'a Space,
        objective: &'a Objective,
        criterion: &'a Criterion<'_>,
        chosen: &Chosen,
        evaluated: &Evaluated,
    ) -> Option<Self> {
        let has_value = evaluated.criterion.is_finite() && evaluated.slope.is_some();
        if !has_value {
            return None;
        }
        let folds = criterion.folds.par_iter().zip(&evaluated.warm);
        let folds = folds.zip(&evaluated.by_fold).map(|((fold, warm), &value)| {
            let response = RidgeResponse::of(fold.problem, &chosen.point, &warm.w)?;
            Some((fold.problem, value, response))
        });
        Some(Self {
            space,
            objective,
            folds: folds.collect::<Option<_>>()?,
        })
    }

    /// The objective at a place by the model; `None` where it has none.
    pub(super) fn value(&self, place: &[f64]) -> Option<Value> {
        let chosen = self.space.chosen(place);
        let count = self.folds.len() as f64;
        let mut mean = 0.0;
        let mut slope = vec![0.0; place.len()];
        for (problem, value, response) in &self.folds {
            let (change, slopes) = response.at(&problem.ridges(&chosen.point))?;
            mean += (value + change) / count;
            let gradient = Hypergradient {
                l2: problem
                    .ridge()
                    .map(|ridge| Strengths::Each(ridge.gathered(&slopes))),
                ..Hypergradient::default()
            };
            let own = self.space.slope(&chosen, &gradient, problem)?;
            slope
                .iter_mut()
                .zip(own)
                .for_each(|(sum, own)| *sum += own / count);
        }
        let evaluated = Evaluated {
            criterion: mean,
            by_fold: Vec::new(),
            slope: Some(slope),
            warm: Vec::new(),
            kink_margin: None,
            not_unique: None,
        };
        self.objective.value(place, &evaluated)
    }

    /// The minimum of the model in the box, from these places and from where all strengths are alike.
    pub(super) fn minimum(&self, starts: &[Vec<f64>]) -> Option<(Vec<f64>, f64)> {
        let bounds = self.space.box_bounds();
        let each = bounds.lower().iter().zip(bounds.upper());
        let level = |share: &f64| -> Vec<f64> {
            each.clone()
                .map(|(low, high)| low + share * (high - low))
                .collect()
        };
        let places: Vec<Vec<f64>> = starts
            .iter()
            .cloned()
            .chain(LEVELS.iter().map(level))
            .collect();
        let ends: Vec<(Vec<f64>, f64)> = places
            .par_iter()
            .filter_map(|place| self.descend(place))
            .collect();
        // The first of equals, for any number of threads.
        let best = ends
            .into_iter()
            .reduce(|a, b| if b.1 < a.1 { b } else { a })?;
        Some(self.polish(best, bounds))
    }

    fn descend(&self, place: &[f64]) -> Option<(Vec<f64>, f64)> {
        let mut search = Search::new(self.space.box_bounds().clone(), EVALUATIONS);
        search.add(place);
        loop {
            let asked = search.ask();
            if asked.is_empty() {
                break;
            }
            let values = asked.iter().map(|asked| self.value(&asked.place));
            search.tell(values.collect()).ok()?;
        }
        let found = search.outcome()?;
        Some((found.place, found.value))
    }

    /// The place after Newton's steps on the variables that no bound holds, as long as the slope falls: values
    /// alone leave half of the digits.
    fn polish(&self, from: (Vec<f64>, f64), bounds: &BoxBounds) -> (Vec<f64>, f64) {
        let (mut place, mut value) = from;
        let Some(mut here) = self.value(&place) else {
            return (place, value);
        };
        for _ in 0..NEWTON {
            let size = bounds.projected_slope(&place, &here.slope);
            let Some(step) = self.newton(&place, &here, bounds).filter(|_| size > ZERO) else {
                break;
            };
            let moved: Vec<f64> = place.iter().zip(&step).map(|(x, s)| x + s).collect();
            let moved = bounds.clamp(&moved);
            let Some(there) = self.value(&moved) else {
                break;
            };
            let falls = bounds.projected_slope(&moved, &there.slope) < size;
            if !falls || there.value > value + 1e-9 * value.abs().max(1.0) {
                break;
            }
            (place, value, here) = (moved, there.value, there);
        }
        (place, value)
    }

    /// Newton's step; `None` where the Hessian is not positive definite.
    fn newton(&self, place: &[f64], here: &Value, bounds: &BoxBounds) -> Option<Vec<f64>> {
        let free = bounds.free(place, &here.slope);
        let free: Vec<usize> = (0..place.len()).filter(|&at| free[at]).collect();
        let m = free.len();
        let differences: Vec<Vec<f64>> = free
            .par_iter()
            .map(|&at| {
                let at_step = |step: f64| {
                    let mut moved = place.to_vec();
                    moved[at] += step;
                    // Also where that leads out of the box, as far as the space has it.
                    let moved = bounds.clamp(&moved);
                    Some((moved[at], self.value(&moved)?.slope))
                };
                let ((up, above), (down, below)) = (at_step(DIFFERENCE)?, at_step(-DIFFERENCE)?);
                let along = |&j: &usize| (above[j] - below[j]) / (up - down);
                Some(free.iter().map(along).collect())
            })
            .collect::<Option<_>>()?;
        let stride = cholesky::stride(m);
        let mut matrix = vec![0.0; stride * m];
        for j in 0..m {
            for i in j..m {
                matrix[j * stride + i] = 0.5 * (differences[i][j] + differences[j][i]);
            }
        }
        if m == 0 || !cholesky::factor(&mut matrix, m) {
            return None;
        }
        let mut own: Vec<f64> = free.iter().map(|&at| -here.slope[at]).collect();
        cholesky::solve(&matrix, &mut own);
        let mut step = vec![0.0; place.len()];
        free.iter().zip(own).for_each(|(&at, own)| step[at] = own);
        step.iter().all(|s| s.is_finite()).then_some(step)
    }
}
