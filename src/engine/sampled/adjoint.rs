//! The engine itself: NSID and SID of all points of a batch over shared minibatches.

use crate::engine::interface::Engine;
use crate::engine::outcome::EngineName;
use crate::engine::path::singular_points;
use crate::engine::recorded::sampled::judge_sampled;
use crate::engine::recorded::workspace::Stage;
use crate::engine::request::{Reason, Request, Task, holds};
use crate::engine::solved::{Adjoints, Differentiated, Solved};
use crate::error::{Error, Result};
use crate::exec::{Executor, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Status};
use crate::loss::Loss;
use crate::penalty::Penalty;
use crate::real::convert;

use super::{At, Estimate, Sampling, estimate};

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
        let is_group = matches!(problem.penalty, Penalty::Group { .. });
        holds(!is_group, Reason::Penalty)?;
        holds(
            designs.iter().all(|design| design.is_dense()),
            Reason::Sparse,
        )
    }

    fn adjoint(
        &self,
        request: &Request<'_>,
        linearized: &mut Stage<'_, R>,
        solved: &[Solved<R>],
    ) -> Result<Vec<Differentiated>> {
        let (problem, settings) = (request.problem, request.settings);
        let chosen = &settings.stochastic;
        let mut solutions = Vec::with_capacity(solved.len());
        for (&point, solved) in request.points.iter().zip(solved) {
            let step = linearized.spectrum.step(point.l2);
            chosen.schedule.factors(point.l2, step.contraction)?;
            let w = &solved.w[..];
            solutions.push(At { point, w, step });
        }
        let requests: Vec<super::Request> = (0..solved.len())
            .map(|at| super::Request {
                at,
                seed: chosen.seed,
                steps: chosen.steps,
                freeze: chosen.freeze.unwrap_or(chosen.steps + 1),
                schedule: chosen.schedule,
            })
            .collect();
        let sampling = Sampling {
            batch: chosen.batch,
            independent: chosen.independent,
            frozen: settings.method != Some(Method::Sid),
            wrt: settings.wrt.clone(),
        };
        let uncounted = request.control.of_a_part();
        let keep = |_: usize, estimate: Estimate| estimate;
        let found = estimate::<R, _>(problem, &solutions, &requests, &sampling, &uncounted, keep);
        let found = match found {
            // Interrupted before there was any estimate.
            Err(Error::Interrupted { .. }) => vec![Estimate::none(problem); solved.len()],
            found => found?,
        };
        let v: Vec<R> = found.iter().flat_map(|f| convert::<R>(&f.v)).collect();
        linearized.executor.upload(linearized.v, &v);
        let residuals = linearized.linear_residuals()?;
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

/// How an estimate ended.
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
