//! The engine itself: solvers and methods as recordings for a whole batch.

use crate::engine::accumulator::Accumulator;
use crate::engine::interface::Engine;
use crate::engine::outcome::EngineName;
use crate::engine::path::singular_points;
use crate::engine::products::predictors;
use crate::engine::request::{Reason, Request, Task, holds};
use crate::engine::solved::{Adjoints, Differentiated, Solved};
use crate::error::Result;
use crate::exec::{Executor, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Solver};
use crate::model::criterion;
use crate::path::Uniqueness;
use crate::problem::Point;
use crate::real::convert;

use super::batch::Batch;
use super::itd::{gram_serves, unroll};
use super::sampled::judge_sampled;
use super::unrolled::Unrolled;

/// Recordings of kernels, on the CPU or a graphics device.
pub struct Recorded;

impl<R: Twinned> Engine<R> for Recorded {
    fn name(&self) -> EngineName {
        EngineName::Recorded
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        match request.task {
            Task::Whole => Err(Reason::Task),
            Task::Solve => holds(request.settings.solver != Solver::Path, Reason::Solver),
            Task::Adjoint => holds(
                request.settings.method != Some(Method::Direct),
                Reason::Method,
            ),
        }
    }

    fn solve(&self, request: &Request<'_>) -> Result<Vec<Solved<R>>> {
        if !request.is_unrolled() {
            return iterate(request);
        }
        let solved = |unrolled: Unrolled<Accumulator>| Solved {
            w: unrolled.w,
            progress: unrolled.progress,
            factor: None,
            uniqueness: Uniqueness::Unique,
            sums: unrolled.sums,
        };
        Ok(unroll::<R>(request)?.into_iter().map(solved).collect())
    }

    fn adjoint(
        &self,
        request: &Request<'_>,
        linearized: &mut Batch<'_, R>,
        solved: &[Solved<R>],
    ) -> Result<Vec<Differentiated>> {
        let (settings, control) = (request.settings, request.control);
        if request.is_unrolled() {
            let singular = singular_points(request, linearized, solved)?;
            return Ok(of_unrolled(request, solved, &singular));
        }
        match settings.method {
            Some(Method::Nsid | Method::Sid) => {
                linearized.allocate_sums(settings);
                let steps = settings.stochastic.steps;
                let (progress, mut sums) =
                    linearized.solve_sampled(settings, None, &[steps], control)?;
                // ū is not u: the residual is measured at the true linearisation.
                linearized.workspace.linearize()?;
                let singular = singular_points(request, linearized, solved)?;
                let residuals = linearized.workspace.linear_residuals()?;
                let adjoints = Adjoints {
                    progress: judge_sampled::<R>(&progress, &residuals, settings),
                    singular,
                    residuals,
                    v: linearized.workspace.vectors(linearized.workspace.v)?,
                };
                let sums: Vec<Accumulator> = sums.pop().unwrap_or_default();
                let finish = |(at, sums): (usize, Accumulator)| {
                    let point = &request.points[at];
                    let problem = request.members.problem(point);
                    sums.finish(problem, &settings.wrt, point.target, Some(&solved[at].w))
                };
                Ok(adjoints.differentiated(sums.into_iter().enumerate().map(finish)))
            }
            method => {
                if let (Some(warm), Some(Method::AidFp)) = (request.warm, method) {
                    let zero = vec![0.0; request.problem.coordinates()];
                    let starts = warm
                        .iter()
                        .flat_map(|start| if start.v.is_empty() { &zero } else { &start.v });
                    let v: Vec<f64> = starts.copied().collect();
                    let workspace = &mut linearized.workspace;
                    workspace.executor.upload(workspace.v, &convert::<R>(&v));
                }
                let progress = match method {
                    Some(Method::AidFp) => {
                        let rule = settings.rule();
                        linearized.workspace.solve_neumann(rule, None, control)?
                    }
                    _ => linearized.solve_cg(settings, None, control)?,
                };
                let singular = singular_points(request, linearized, solved)?;
                linearized.differentiated(request, solved, progress, singular)
            }
        }
    }
}

/// Solutions by the iteration that the settings name.
fn iterate<R: Twinned>(request: &Request<'_>) -> Result<Vec<Solved<R>>> {
    let settings = request.settings;
    let gram = gram_serves::<R>(request.problem, request.points, settings)
        && settings.solver != Solver::Stochastic;
    let mut batch = Batch::<R>::new(request, gram, &settings.device)?;
    if let Some(warm) = request.warm {
        let starts = warm.iter().zip(request.points);
        let start: Vec<f64> = starts
            .flat_map(|(start, point)| start_of(request, point, &start.w))
            .collect();
        batch.workspace.set_solution(&start);
    }
    let progress = batch.solve(settings, request.control)?;
    let solutions = batch.workspace.vectors(batch.workspace.w)?;
    let solved = |(w, progress): (Vec<f64>, Progress)| Solved {
        w,
        progress,
        factor: None,
        uniqueness: Uniqueness::Unique,
        sums: None,
    };
    Ok(solutions.into_iter().zip(progress).map(solved).collect())
}

/// A warm start of a point; w = 0 in place of one whose objective is larger than there, where the step of a loss
/// without a bound on its curvature is not known to hold.
fn start_of(request: &Request<'_>, point: &Point, warm: &[f64]) -> Vec<f64> {
    let problem = request.members.problem(point);
    if problem.loss.curvature_bound().is_some() {
        return warm.to_vec();
    }
    let (sample, zero) = (&problem.train, vec![0.0; warm.len()]);
    let n = sample.rows() as f64;
    let regularizer = problem.regularizer(point);
    let objective = |w: &[f64]| {
        let z = predictors(&sample.design, w, problem.classes);
        let y = &sample.targets[point.target];
        let loss = criterion::value(problem.loss, &z, y, |i| sample.weights[i] / n);
        loss.map_or(f64::NAN, |loss| loss + regularizer.value(w))
    };
    if objective(warm) <= objective(&zero) {
        warm.to_vec()
    } else {
        zero
    }
}

/// The hypergradients that ITD brought along.
fn of_unrolled<R>(
    request: &Request<'_>,
    solved: &[Solved<R>],
    singular: &[bool],
) -> Vec<Differentiated> {
    solved
        .iter()
        .zip(request.points)
        .zip(singular)
        .map(|((solved, point), &singular)| {
            let sums = solved.sums.clone().filter(|_| !singular);
            Differentiated {
                hypergradient: sums.map(|sums| {
                    let problem = request.members.problem(point);
                    sums.finish(
                        problem,
                        &request.settings.wrt,
                        point.target,
                        Some(&solved.w),
                    )
                }),
                singular,
                ..Differentiated::without_adjoint()
            }
        })
        .collect()
}
