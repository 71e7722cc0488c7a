//! The engine itself: solvers and methods as recordings for a whole batch.

use crate::engine::accumulator::RawSums;
use crate::engine::interface::Engine;
use crate::engine::outcome::EngineName;
use crate::engine::path::singular_points;
use crate::engine::request::{Reason, Request, Task, holds};
use crate::engine::solved::{Adjoints, Differentiated, Solved};
use crate::error::Result;
use crate::exec::{Executor, Twinned};
use crate::kinds::{Method, Solver};
use crate::real::{convert, widen};

use super::sampled::judge_sampled;
use super::unrolled::{self, Unrolled, gram_serves};
use super::workspace::Stage;

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
        let spectrum = request.prepared.spectrum(request.problem);
        let (problem, points) = (request.problem, request.points);
        let (settings, control) = (request.settings, request.control);
        let unrolled = match settings.method {
            Some(Method::ItdForward) => {
                unrolled::forward::<R>(problem, points, spectrum, settings, control)?
            }
            Some(Method::ItdReverse) => {
                unrolled::reverse::<R>(problem, points, spectrum, settings, control)?
            }
            _ => return self.iterate(request),
        };
        let solved = |outcome: Unrolled| Solved {
            w: outcome.w,
            progress: outcome.progress,
            factor: None,
            sums: outcome.sums,
        };
        Ok(unrolled.into_iter().map(solved).collect())
    }

    fn adjoint(
        &self,
        request: &Request<'_>,
        linearized: &mut Stage<'_, R>,
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
                linearized.linearize()?;
                let singular = singular_points(request, linearized, solved)?;
                let residuals = linearized.linear_residuals()?;
                let adjoints = Adjoints {
                    progress: judge_sampled::<R>(&progress, &residuals, settings),
                    singular,
                    residuals,
                    v: linearized.adjoints()?,
                };
                let sums: Vec<RawSums> = sums.pop().unwrap_or_default();
                let finish = |(at, sums): (usize, RawSums)| {
                    sums.finish(request.problem, request.points[at].target, &solved[at].w)
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
                    linearized.executor.upload(linearized.v, &convert::<R>(&v));
                }
                let progress = match method {
                    Some(Method::AidFp) => linearized.solve_neumann(settings, control)?,
                    _ => linearized.solve_cg(settings, control)?,
                };
                let singular = singular_points(request, linearized, solved)?;
                linearized.differentiated(request, solved, progress, singular)
            }
        }
    }
}

impl Recorded {
    /// Solutions by the iteration that the settings name.
    fn iterate<R: Twinned>(&self, request: &Request<'_>) -> Result<Vec<Solved<R>>> {
        let (problem, settings) = (request.problem, request.settings);
        let spectrum = request.prepared.spectrum(problem);
        let gram = gram_serves::<R>(problem, settings) && settings.solver != Solver::Stochastic;
        let mut stage = Stage::<R>::new(problem, request.points, spectrum, gram, &settings.device)?;
        if let Some(warm) = request.warm {
            let start: Vec<f64> = warm
                .iter()
                .flat_map(|start| start.w.iter().copied())
                .collect();
            stage.set_solution(&start);
        }
        let progress = stage.solve(settings, request.control)?;
        let w = widen(&stage.executor.download(stage.w)?);
        Ok(w.chunks_exact(problem.coordinates())
            .zip(progress)
            .map(|(w, progress)| Solved {
                w: w.to_vec(),
                progress,
                factor: None,
                sums: None,
            })
            .collect())
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
                hypergradient: sums
                    .map(|sums| sums.finish(request.problem, point.target, &solved.w)),
                singular,
                ..Differentiated::without_adjoint()
            }
        })
        .collect()
}
