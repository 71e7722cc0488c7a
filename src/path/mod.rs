//! The fast CPU path for linear models: coordinate descent with working sets along a warm-started
//! path of decreasing l1, prox-Newton around it, and the solve of the adjoint on the support.
//!
//! ```text
//! w(λ) = argmin_w  loss(w) + ½λ₂‖w − c‖² + penalty(w; l1)
//! ```
//!
//! For the squared loss and the quadratic form the quadratic model is the problem itself;
//! for the other losses it is the prox-Newton model around w. Either is minimised by coordinate
//! descent until the face (support and signs) settles, then by a Newton step on the face. Points
//! of the same target and λ₂ are one unit of work, in decreasing l1; units run in parallel and do
//! not touch each other, so that results are the same bits for any number of threads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kinds::Status;
use crate::problem::{Members, Point, Problem};
use crate::real::Real;

mod arrival;
mod columns;
mod face;
mod finish;
mod group;
mod hessian;
mod inverse;
mod least_norm;
mod model;
mod newton;
mod normal;
mod quadratic;
mod reach;
mod restricted;
mod rows;
mod screen;
mod search;
mod smooth;
mod step;
mod walk;

#[cfg(test)]
mod tests;

pub use restricted::{
    RestrictedFactor, RestrictedMethod, RestrictedRequest, RestrictedSolution, solve_restricted,
    solve_restricted_at,
};

pub use arrival::{Arrival, CriterionColumns};
pub use columns::DesignColumns;
pub use normal::QuadraticForm;
pub use walk::Uniqueness;

use smooth::{Parts, Smooth};
use walk::{Form, Walk};

/// Bytes of Cholesky factors that one call hands back at most; without them adjoint solves form
/// their systems anew.
const LARGEST_RETAINED: usize = 256 << 20;
/// Coordinates of a support up to which its factor is handed back.
const LARGEST_RETAINED_SUPPORT: usize = 512;

/// The parts that all solves of one problem share: the design by columns, and the Hessian of a quadratic loss
/// where it is small. Made once and handed to every call with the same problem.
#[derive(Debug, Clone)]
pub struct Prepared<R> {
    parts: Parts<R>,
}

impl<R: Real> Prepared<R> {
    /// Prepares a problem; `columns` are those of its design, or of another one.
    #[must_use]
    pub fn new(problem: &Problem, columns: &DesignColumns<R>) -> Self {
        Self::in_form(problem, columns, Form::Auto)
    }

    /// True where the columns are those of another's, in the same memory.
    #[must_use]
    pub fn shares_columns(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parts.columns, &other.parts.columns)
    }

    fn in_form(problem: &Problem, columns: &DesignColumns<R>, form: Form) -> Self {
        let allow_gram = form != Form::Residual;
        let (sample, loss) = (&problem.train, problem.loss);
        let columns = columns.for_sample(sample);
        Self {
            parts: Parts::new(sample, columns, loss, problem.classes, allow_gram),
        }
    }
}

/// When the path solver stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathSettings {
    /// Stop when the distance to optimality, which bounds the scaled residual ‖Φ(w) − w‖/γ for
    /// every step γ, is below this times ‖∇loss(0)‖. `None` goes to rounding.
    pub tolerance: Option<f64>,
    /// The most epochs of coordinate descent (and conjugate-gradient steps) per point.
    pub max_steps: usize,
}

/// The solution of one point.
#[derive(Debug, Clone)]
pub struct PathSolution<R> {
    /// p coordinates in units of the scaled columns, intercepts last.
    pub w: Vec<R>,
    /// Converged: the distance to optimality is within the tolerance, or at most 1000 roundings
    /// of the terms of the gradient.
    pub status: Status,
    /// Epochs of coordinate descent and linear steps.
    pub steps: usize,
    /// The factored system on the support, where the solve ended with one.
    pub factor: Option<RestrictedFactor<R>>,
    /// How far the minimum determines w.
    pub uniqueness: Uniqueness,
}

/// Points to be solved, and how.
#[derive(Debug, Clone, Copy)]
pub struct PathRequest<'a> {
    /// The points.
    pub points: &'a [Point],
    /// Lists of points of one target, each started from the last, every point on one list. `None`:
    /// those of equal λ₂ in decreasing l1.
    pub paths: Option<&'a [Vec<usize>]>,
    /// One start of p coordinates per point; without it a point starts from the last one on its
    /// list.
    pub warm: Option<&'a [Vec<f64>]>,
    /// The stop rule.
    pub settings: &'a PathSettings,
    /// Cancellation and progress.
    pub control: &'a Control,
}

/// Solves all points; solutions are in the order of `points`.
///
/// `warm` has one start of p coordinates per point; without it a point starts from the solution of
/// the next larger l1. Runs in the caller's thread pool.
///
/// # Errors
/// [`Error::Value`] for strengths that are negative or not finite, [`Error::Shape`] for warm
/// starts that do not match.
pub fn solve<R: Real>(
    problem: &Problem,
    points: &[Point],
    warm: Option<&[Vec<f64>]>,
    settings: &PathSettings,
    control: &Control,
) -> Result<Vec<PathSolution<R>>> {
    let request = PathRequest {
        points,
        paths: None,
        warm,
        settings,
        control,
    };
    solve_request(problem, &request)
}

/// Solves the points of a request, in their order.
///
/// # Errors
/// Those of [`solve`]; [`Error::Value`] for paths that leave a point out, name one twice, or mix
/// targets.
pub fn solve_request<R: Real>(
    problem: &Problem,
    request: &PathRequest<'_>,
) -> Result<Vec<PathSolution<R>>> {
    let (members, prepared) = prepare_all(problem, request.points, Form::Auto)?;
    solve_along(&members, |place| &prepared[place], request)
}

/// The problems of a batch and preparations for all of them.
///
/// # Errors
/// Those of [`Problem::check_points`].
fn prepare_all<'a, R: Real>(
    problem: &'a Problem,
    points: &'a [Point],
    form: Form,
) -> Result<(Members<'a>, Vec<Prepared<R>>)> {
    problem.check_points(points)?;
    let members = Members::of(problem, points);
    let columns = DesignColumns::of(&problem.train);
    let prepare = |place: usize| Prepared::in_form(members.at(place), &columns, form);
    let prepared = (0..members.count()).into_par_iter().map(prepare).collect();
    Ok((members, prepared))
}

/// Solves the points of a request as [`visit_along`] does; solutions are in the order of the points.
///
/// # Errors
/// Those of [`solve_request`].
pub fn solve_along<'p, R: Real>(
    members: &Members<'_>,
    prepared: impl Fn(usize) -> &'p Prepared<R> + Sync,
    request: &PathRequest<'_>,
) -> Result<Vec<PathSolution<R>>> {
    let largest_factor = LARGEST_RETAINED / (size_of::<R>() * request.points.len().max(1));
    let keep = |arrival: &mut Arrival<'_, R>| arrival.take_solution(largest_factor);
    visit_along(members, prepared, request, keep)
}

/// Solves all points and hands each to `visit` where the path has just arrived, with everything
/// that is known there; what `visit` makes of them is returned in the order of the points. `members`
/// are the problems of the points, `prepared` gives the preparations of the one at a place.
///
/// # Errors
/// Those of [`solve_request`].
pub fn visit_along<'p, R: Real, T: Send>(
    members: &Members<'_>,
    prepared: impl Fn(usize) -> &'p Prepared<R> + Sync,
    request: &PathRequest<'_>,
    visit: impl Fn(&mut Arrival<'_, R>) -> T + Sync,
) -> Result<Vec<T>> {
    visit_in_form(members, prepared, request, Form::Auto, visit)
}

/// Points of the same target and λ₂, and with the same parts of their own, in decreasing l1; the units by
/// target and λ₂, those with parts of their own as they first appear.
fn paths_by_ridge(points: &[Point]) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<[usize; 5], usize> = HashMap::new();
    let mut units: BTreeMap<(usize, u64, usize), Vec<usize>> = BTreeMap::new();
    for (at, point) in points.iter().enumerate() {
        let next = numbers.len();
        let own = *numbers.entry(point.addresses()).or_insert(next);
        // λ₂ ≥ 0: bit patterns order like the numbers. −0.0 joins 0.0.
        let key = (point.target, (point.l2 + 0.0).to_bits(), own);
        units.entry(key).or_default().push(at);
    }
    let mut units: Vec<Vec<usize>> = units.into_values().collect();
    for unit in &mut units {
        unit.sort_by(|&a, &b| points[b].l1.total_cmp(&points[a].l1).then(a.cmp(&b)));
    }
    units
}

fn check_paths(members: &Members<'_>, points: &[Point], paths: &[Vec<usize>]) -> Result<()> {
    let mut seen = vec![false; points.len()];
    let mut fits = true;
    for path in paths {
        for &at in path {
            fits &= at < points.len()
                && !std::mem::replace(&mut seen[at], true)
                && points[at].target == points[path[0]].target
                && members.place(&points[at]) == members.place(&points[path[0]]);
            if !fits {
                break;
            }
        }
    }
    if fits && seen.iter().all(|&seen| seen) {
        return Ok(());
    }
    Err(Error::value(
        "paths",
        "they leave a point out, name one twice, or mix targets or row weights",
        "put every point on one path of its target and row weights",
    ))
}

/// The solutions by a model of a given form.
#[cfg(test)]
fn solve_in_form<R: Real>(
    problem: &Problem,
    request: &PathRequest<'_>,
    form: Form,
) -> Result<Vec<PathSolution<R>>> {
    let (members, prepared) = prepare_all(problem, request.points, form)?;
    let keep = |arrival: &mut Arrival<'_, R>| arrival.take_solution(usize::MAX);
    visit_in_form(&members, |place| &prepared[place], request, form, keep)
}

fn visit_in_form<'p, R: Real, T: Send>(
    members: &Members<'_>,
    prepared: impl Fn(usize) -> &'p Prepared<R> + Sync,
    request: &PathRequest<'_>,
    form: Form,
    visit: impl Fn(&mut Arrival<'_, R>) -> T + Sync,
) -> Result<Vec<T>> {
    let PathRequest {
        points,
        warm,
        settings,
        control,
        ..
    } = *request;
    members.at(0).check_points(points)?;
    let by_ridge;
    let units = match request.paths {
        Some(paths) => {
            check_paths(members, points, paths)?;
            paths
        }
        None => {
            by_ridge = paths_by_ridge(points);
            &by_ridge
        }
    };
    check_warm_starts(members.at(0), points, warm)?;
    let solve_unit = |unit: &Vec<usize>| -> Vec<(usize, T)> {
        let first = &points[unit[0]];
        let place = members.place(first);
        let problem = members.at(place);
        let smooth = Smooth::of(problem, &prepared(place).parts);
        let mut walk = Walk::new(&smooth, &problem.blocks, first.target, control, form);
        unit.iter()
            .map(|&at| {
                if let Some(warm) = warm {
                    if warm[at].iter().all(|w| w.is_finite()) {
                        walk.restart(&warm[at]);
                    } else {
                        walk.restart(&vec![0.0; smooth.p]);
                    }
                }
                let point = &points[at];
                let regularizer = problem.regularizer(point);
                let stronger = |factor: f64| problem.regularizer_at(point, factor * point.l1);
                let end = walk.reach(&regularizer, stronger, warm.is_none(), settings);
                let failed = matches!(end.status, Status::NonFinite | Status::Diverged);
                let mut arrival = Arrival {
                    at,
                    point,
                    walk: &walk,
                    regularizer: &regularizer,
                    end,
                };
                let made = visit(&mut arrival);
                if let Some(factor) = arrival.end.factor {
                    walk.spare = factor.factor.into_memory();
                }
                if failed {
                    walk.restart(&vec![0.0; smooth.p]);
                }
                control.report_finished(1);
                (at, made)
            })
            .collect()
    };
    let made: Vec<Vec<(usize, T)>> = units.par_iter().map(solve_unit).collect();
    let mut made: Vec<(usize, T)> = made.into_iter().flatten().collect();
    made.sort_by_key(|&(at, _)| at);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

fn check_warm_starts(problem: &Problem, points: &[Point], warm: Option<&[Vec<f64>]>) -> Result<()> {
    let Some(warm) = warm else { return Ok(()) };
    if warm.len() != points.len() {
        return Err(Error::shape(
            "warm starts",
            format!("{}, one per point", points.len()),
            warm.len().to_string(),
            "give one per point, or none",
        ));
    }
    let p = problem.coordinates();
    match warm.iter().find(|w| w.len() != p) {
        None => Ok(()),
        Some(w) => Err(Error::shape(
            "warm start",
            format!("{p} coordinates"),
            w.len().to_string(),
            "give one value per scaled coefficient, intercepts last",
        )),
    }
}
