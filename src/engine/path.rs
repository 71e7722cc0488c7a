//! The engine of the path solver: solutions along warm-started paths, adjoints on their supports.

use crate::error::Result;
use crate::exec::{Executor, Twinned};
use crate::iterate::Progress;
use crate::kinds::Method;
use crate::model::loss::Loss;
use crate::path::{
    self, PathRequest, PathSettings, RestrictedFactor, RestrictedMethod, RestrictedRequest,
    RestrictedSolution,
};
use crate::problem::{Point, Problem};
use crate::real::{convert, widen};

use super::interface::Engine;
use super::outcome::EngineName;
use super::recorded::batch::Batch;
use super::request::{Reason, Request, Task, holds};
use super::solved::{Differentiated, Solved};

/// Coordinate descent and prox-Newton along paths; Cholesky or conjugate gradient on the support.
pub(super) struct Path;

impl<R: Twinned> Engine<R> for Path {
    fn name(&self) -> EngineName {
        EngineName::Path
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        match request.task {
            Task::Whole => Err(Reason::Task),
            Task::Solve => {
                holds(request.settings.device.is_cpu(), Reason::Device)?;
                holds(request.is_on_a_path(), Reason::Solver)
            }
            Task::Adjoint => match request.settings.method {
                Some(Method::Direct) => Ok(()),
                Some(Method::AidCg) => holds(request.is_on_a_path(), Reason::Solver),
                _ => Err(Reason::Method),
            },
        }
    }

    fn solve(&self, request: &Request<'_>) -> Result<Vec<Solved<R>>> {
        let starts = starts(request);
        let limits = limits(request);
        let members = request.members;
        let solutions = path::solve_along::<R>(
            members.problems(),
            |place| members.path(place),
            &PathRequest {
                points: request.points,
                paths: request.paths,
                warm: starts.as_deref(),
                settings: &limits,
                control: request.control,
            },
        )?;
        let solved = |solution: path::PathSolution<R>| Solved {
            w: widen(&solution.w),
            progress: Progress {
                status: solution.status,
                steps: solution.steps,
            },
            factor: solution.factor,
            uniqueness: solution.uniqueness,
            sums: None,
        };
        Ok(solutions.into_iter().map(solved).collect())
    }

    fn counts_points(&self) -> bool {
        true
    }

    fn adjoint(
        &self,
        request: &Request<'_>,
        linearized: &mut Batch<'_, R>,
        solved: &[Solved<R>],
    ) -> Result<Vec<Differentiated>> {
        let method = match request.settings.method {
            Some(Method::Direct) => RestrictedMethod::Direct,
            _ => RestrictedMethod::cg(request.settings.preconditioner),
        };
        let limits = limits(request);
        let solutions = restricted(request, linearized, solved, method, &limits)?;
        let z: Vec<R> = solutions
            .iter()
            .flat_map(|solution| solution.z.iter().copied())
            .collect();
        linearized.lift(&z)?;
        let progress = |s: &RestrictedSolution<R>| Progress {
            status: s.status,
            steps: s.steps,
        };
        let progress: Vec<Progress> = solutions.iter().map(progress).collect();
        let singular: Vec<bool> = solutions.iter().map(|s| s.singular).collect();
        linearized.differentiated(request, solved, progress, singular)
    }
}

/// The coefficients that a request starts from.
pub(super) fn starts(request: &Request<'_>) -> Option<Vec<Vec<f64>>> {
    let warm = request.warm?;
    Some(warm.iter().map(|start| start.w.clone()).collect())
}

/// The limits of the path solver.
pub(super) fn limits(request: &Request<'_>) -> PathSettings {
    PathSettings {
        tolerance: request.settings.tolerance,
        max_steps: request.settings.max_steps,
    }
}

/// The points with a singular restricted Hessian, found by factoring where it can be singular.
pub(super) fn singular_points<R: Twinned>(
    request: &Request<'_>,
    linearized: &Batch<'_, R>,
    solved: &[Solved<R>],
) -> Result<Vec<bool>> {
    if !may_be_singular(request.problem, request.points) {
        return Ok(vec![false; solved.len()]);
    }
    let once = PathSettings {
        tolerance: None,
        max_steps: 1,
    };
    let solutions = restricted(request, linearized, solved, RestrictedMethod::Direct, &once)?;
    Ok(solutions.iter().map(|solution| solution.singular).collect())
}

/// True where a restricted Hessian can be singular: without ridge, or where rows without curvature may
/// leave the intercept without any.
fn may_be_singular(problem: &Problem, points: &[Point]) -> bool {
    let free_intercept = problem.train.design.intercept && problem.loss != Loss::Squared;
    free_intercept
        || points
            .iter()
            .any(|point| problem.ridge_range(point).least == 0.0)
}

/// The restricted systems of all points.
fn restricted<R: Twinned>(
    request: &Request<'_>,
    linearized: &Batch<'_, R>,
    solved: &[Solved<R>],
    method: RestrictedMethod,
    limits: &PathSettings,
) -> Result<Vec<RestrictedSolution<R>>> {
    let w: Vec<Vec<R>> = solved.iter().map(|solved| convert(&solved.w)).collect();
    let workspace = &linearized.workspace;
    let gradients = workspace.executor.download(workspace.criterion_gradient)?;
    let gradients: Vec<Vec<R>> = gradients
        .chunks_exact(request.problem.coordinates())
        .map(<[R]>::to_vec)
        .collect();
    let steps: Vec<f64> = request
        .points
        .iter()
        .map(|point| linearized.members.step(point).gamma)
        .collect();
    let factors: Vec<Option<&RestrictedFactor<R>>> =
        solved.iter().map(|solved| solved.factor.as_ref()).collect();
    let members = request.members;
    path::solve_restricted_at(
        members.problems(),
        |place| members.path(place),
        &RestrictedRequest {
            points: request.points,
            w: &w,
            step: &steps,
            criterion_gradient: &gradients,
            factors: Some(&factors),
            method,
            tolerance: limits.tolerance,
            max_steps: limits.max_steps,
            control: request.control,
        },
    )
}
