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
use crate::control::Control;
use crate::hypergrad::{Hypergradient, RidgeResponse, Strengths};
use crate::linalg::cholesky;
use crate::problem::Problem;

/// Evaluations of a model from each of its starts, which are systems of the size of the problem.
const EVALUATIONS: usize = 60;
/// The same from the best of their ends.
const MORE_EVALUATIONS: usize = 240;
/// Shares of the box at which all strengths alike start the minimum of a model.
const LEVELS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Newton steps at the end.
const NEWTON: usize = 6;
/// The difference in the logarithms by which the model's Hessian is formed.
const DIFFERENCE: f64 = 1e-4;
/// The share of the time of the evaluations that are left which models may take, where ordinary descents may
/// have to follow.
const SHARE: f64 = 0.2;
/// The same where models are exact.
const SHARE_EXACT: f64 = 0.8;
/// The projected slope of a model that is zero.
const ZERO: f64 = 1e-11;

/// The minimum of a model.
pub(super) struct Minimum {
    pub(super) place: Vec<f64>,
    pub(super) value: f64,
    /// The evaluations of the model that it took.
    pub(super) spent: usize,
    /// Whether it was looked for from all places that were given.
    pub(super) is_whole: bool,
}

/// A model of the objective around a place.
pub(super) struct RidgeModel<'a> {
    space: &'a Space,
    control: &'a Control,
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

    /// Whether models are exact on every fold.
    pub(super) fn is_exact(criterion: &Criterion<'_>) -> bool {
        let mut folds = criterion.folds.iter();
        folds.all(|fold| RidgeResponse::is_exact(fold.problem))
    }

    /// The evaluations of models that a descent of so many evaluations may make; `None` where they are too few
    /// for a minimum: systems of the size of the problem take long against its evaluations then.
    pub(super) fn allowance(
        space: &Space,
        criterion: &Criterion<'_>,
        evaluations: usize,
    ) -> Option<usize> {
        let worth = criterion.folds.iter();
        let worth = worth.map(|fold| RidgeResponse::worth(fold.problem));
        let worth = worth.fold(f64::INFINITY, f64::min);
        let share = if Self::is_exact(criterion) {
            SHARE_EXACT
        } else {
            SHARE
        };
        let allowed = (share * worth * evaluations as f64) as usize;
        let least = 2 * EVALUATIONS + 4 * space.box_bounds().dimensions();
        (allowed >= least).then_some(allowed)
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
            control: &criterion.control,
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

    /// The minimum of the model in the box, from these places, and if `everywhere` from where all strengths are
    /// alike, in about so many evaluations of the model.
    pub(super) fn minimum(
        &self,
        starts: &[Vec<f64>],
        everywhere: bool,
        allowed: usize,
    ) -> Option<Minimum> {
        let bounds = self.space.box_bounds();
        let each = bounds.lower().iter().zip(bounds.upper());
        let level = |share: &f64| -> Vec<f64> {
            each.clone()
                .map(|(low, high)| low + share * (high - low))
                .collect()
        };
        let levels: &[f64] = if everywhere { &LEVELS } else { &[] };
        let all = starts.iter().cloned().chain(levels.iter().map(level));
        let mut places: Vec<Vec<f64>> = all.collect();
        // The rest is for Newton's steps.
        places.truncate((allowed / 2 / EVALUATIONS).max(1));
        let ends: Vec<Option<Minimum>> = places
            .par_iter()
            .map(|place| self.descend(place, EVALUATIONS))
            .collect();
        let ends: Vec<Minimum> = ends.into_iter().flatten().collect();
        let spent: usize = ends.iter().map(|end| end.spent).sum();
        let is_whole = ends.len() >= starts.len();
        // The first of equals, for any number of threads.
        let mut best = ends
            .into_iter()
            .reduce(|a, b| if b.value < a.value { b } else { a })?;
        best.spent = spent;
        let more = (allowed.saturating_sub(spent) / 2).min(MORE_EVALUATIONS);
        if more > 0
            && let Some(further) = self.descend(&best.place, more)
        {
            let spent = spent + further.spent;
            if further.value < best.value {
                best = further;
            }
            best.spent = spent;
        }
        self.polish(&mut best, bounds, allowed);
        best.is_whole = is_whole;
        Some(best)
    }

    /// The end of a descent.
    fn descend(&self, place: &[f64], most: usize) -> Option<Minimum> {
        let mut search = Search::new(self.space.box_bounds().clone(), most);
        search.add(place);
        while !self.control.should_stop() {
            let asked = search.ask();
            if asked.is_empty() {
                break;
            }
            let values = asked.iter().map(|asked| self.value(&asked.place));
            search.tell(values.collect()).ok()?;
        }
        let found = search.outcome()?;
        Some(Minimum {
            place: found.place,
            value: found.value,
            spent: search.spent(),
            is_whole: true,
        })
    }

    /// Moves an end by Newton's steps on the variables that no bound holds, as long as the slope falls: values
    /// alone leave half of the digits. All evaluations of the end are about so many at the most.
    fn polish(&self, end: &mut Minimum, bounds: &BoxBounds, allowed: usize) {
        end.spent += 1;
        let Some(mut here) = self.value(&end.place) else {
            return;
        };
        let each = 2 * end.place.len() + 1;
        for _ in 0..NEWTON {
            if end.spent + each > allowed || self.control.should_stop() {
                break;
            }
            let size = bounds.projected_slope(&end.place, &here.slope);
            let Some(step) = self
                .newton(&end.place, &here, bounds)
                .filter(|_| size > ZERO)
            else {
                break;
            };
            end.spent += each;
            let moved: Vec<f64> = end.place.iter().zip(&step).map(|(x, s)| x + s).collect();
            let moved = bounds.clamp(&moved);
            let Some(there) = self.value(&moved) else {
                break;
            };
            let falls = bounds.projected_slope(&moved, &there.slope) < size;
            if !falls || there.value > end.value + 1e-9 * end.value.abs().max(1.0) {
                break;
            }
            (end.place, end.value, here) = (moved, there.value, there);
        }
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
