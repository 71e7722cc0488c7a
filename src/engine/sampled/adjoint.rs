//! The engine itself: NSID and SID of all points of a batch over shared minibatches.

use rayon::prelude::*;

use crate::engine::interface::Engine;
use crate::engine::outcome::EngineName;
use crate::engine::path::singular_points;
use crate::engine::recorded::batch::Batch;
use crate::engine::recorded::sampled::judge_sampled;
use crate::engine::request::{Reason, Request, Task, holds};
use crate::engine::solved::{Adjoints, Differentiated, Solved};
use crate::error::{Error, Result};
use crate::exec::{Executor, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Status};
use crate::model::loss::Loss;
use crate::problem::Point;
use crate::real::convert;

use super::{At, Estimate, Sampling, estimate};

/// Points whose products are formed together. Batches are padded to this size: the order of a product's
/// sums depends on its width, and a point's bits must not depend on its neighbours.
const TOGETHER: usize = 8;

/// Minibatches of dense rows on the CPU.
pub struct Sampled;

impl<R: Twinned> Engine<R> for Sampled {
    fn name(&self) -> EngineName {
        EngineName::Sampled
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        let problem = request.problem;
        let losses = [problem.loss, problem.criterion.loss];
        let designs = [&problem.train.design, &problem.criterion.sample.design];
        let is_stochastic = matches!(request.settings.method, Some(Method::Nsid | Method::Sid));
        holds(request.task == Task::Adjoint, Reason::Task)?;
        holds(is_stochastic, Reason::Method)?;
        holds(request.settings.device.is_cpu(), Reason::Device)?;
        holds(!losses.contains(&Loss::Quadratic), Reason::Loss)?;
        holds(problem.penalty.groups().is_none(), Reason::Penalty)?;
        let has_own_rows = request.points.iter().any(Point::has_own_rows);
        holds(!has_own_rows, Reason::Rows)?;
        holds(
            designs.iter().all(|design| design.is_dense()),
            Reason::Sparse,
        )
    }

    fn adjoint(
        &self,
        request: &Request<'_>,
        linearized: &mut Batch<'_, R>,
        solved: &[Solved<R>],
    ) -> Result<Vec<Differentiated>> {
        let settings = request.settings;
        let chosen = &settings.stochastic;
        let mut solutions = Vec::with_capacity(solved.len());
        for (point, solved) in request.points.iter().zip(solved) {
            let step = linearized.members.step(point);
            let least = request.problem.ridge_range(point).least;
            chosen.schedule.factors(least, step.contraction)?;
            let w = &solved.w[..];
            solutions.push(At { point, w, step });
        }
        let found: Vec<Vec<Estimate>> = solutions
            .par_chunks(TOGETHER)
            .map(|chunk| estimates::<R>(request, chunk))
            .collect::<Result<_>>()?;
        let found: Vec<Estimate> = found.into_iter().flatten().collect();
        let v: Vec<R> = found.iter().flat_map(|f| convert::<R>(&f.v)).collect();
        let workspace = &mut linearized.workspace;
        workspace.executor.upload(workspace.v, &v);
        let residuals = workspace.linear_residuals()?;
        let progress: Vec<Progress> = found.iter().map(|f| progress(f, chosen.steps)).collect();
        let adjoints = Adjoints {
            progress: judge_sampled::<R>(&progress, &residuals, settings),
            singular: singular_points(request, linearized, solved)?,
            residuals,
            v: found.iter().map(|found| found.v.clone()).collect(),
        };
        Ok(adjoints.differentiated(found.into_iter().map(|found| found.hypergradient)))
    }
}

/// The estimates at up to [`TOGETHER`] solutions.
fn estimates<R: Twinned>(request: &Request<'_>, chunk: &[At<'_>]) -> Result<Vec<Estimate>> {
    let (problem, settings) = (request.problem, request.settings);
    let chosen = &settings.stochastic;
    let padded: Vec<At<'_>> = chunk.iter().cycle().take(TOGETHER).copied().collect();
    let of_solution = |at: usize| super::Request {
        at,
        seed: chosen.seed,
        steps: chosen.steps,
        freeze: chosen.freeze.unwrap_or(chosen.steps + 1),
        schedule: chosen.schedule,
    };
    let requests: Vec<super::Request> = (0..TOGETHER).map(of_solution).collect();
    let sampling = Sampling {
        batch: chosen.batch,
        independent: chosen.independent,
        frozen: settings.method != Some(Method::Sid),
        wrt: settings.wrt.clone(),
    };
    let uncounted = request.control.of_a_part();
    let keep = |_: usize, estimate: Estimate| estimate;
    match estimate::<R, _>(problem, &padded, &requests, &sampling, &uncounted, keep) {
        // Interrupted before there was any estimate.
        Err(Error::Interrupted { .. }) => Ok(vec![Estimate::none(problem); chunk.len()]),
        Err(error) => Err(error),
        Ok(mut found) => {
            found.truncate(chunk.len());
            Ok(found)
        }
    }
}

/// The end of an estimate.
fn progress(estimate: &Estimate, steps: usize) -> Progress {
    let status = if estimate.v.iter().any(|v| !v.is_finite()) {
        Status::NonFinite
    } else if estimate.steps < steps {
        Status::BudgetSpent
    } else {
        Status::Converged
    };
    Progress {
        status,
        steps: estimate.steps,
    }
}
