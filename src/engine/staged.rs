//! A request in stages: solved by one engine, linearised once, differentiated by another, diagnosed.

use crate::error::{Error, Result};
use crate::exec::{Device, Executor, LANES, Twinned};
use crate::kinds::Precision;
use crate::problem::{Point, Problem};
use crate::real::convert;

use super::assembly::{add_contractions, diagnose};
use super::interface::Engine;
use super::list::choose;
use super::outcome::{Engines, Outcome, WarmStart};
use super::recorded::batch::Batch;
use super::request::{Request, Task};
use super::solved::{Differentiated, Solved};

/// Points whose per-problem arrays fit this many bytes run together.
const MEMORY: usize = 1 << 30;

/// Evaluates a request on its one device, in the arithmetic R.
pub(super) fn evaluate<R: Twinned>(request: &Request<'_>) -> Result<Vec<Outcome>> {
    let (problem, Some(first)) = (request.problem, request.points.first()) else {
        return Ok(Vec::new());
    };
    let spectrum = request.members.spectrum(first);
    spectrum.check_convex()?;
    log::info!(
        "{} points, {} × {} ({} coordinates), {}, {} loss, {} penalty; L = {:.4e}, mu = {:.4e} by {:?}; method {:?}, solver {:?}",
        request.points.len(),
        problem.train.rows(),
        problem.train.design.columns(),
        problem.coordinates(),
        R::PRECISION.name(),
        problem.loss.name(),
        problem.penalty.name(),
        spectrum.largest,
        spectrum.smallest,
        spectrum.source,
        request.settings.method,
        request.settings.solver,
    );
    let Some(engine) = choose::<R>(&request.of(Task::Whole)) else {
        return in_parts::<R>(request);
    };
    let mut outcomes = engine.evaluate(request)?;
    if request.settings.contraction {
        estimate_contractions(request, &mut outcomes)?;
    }
    let left: Vec<usize> = (0..outcomes.len())
        .filter(|&at| outcomes[at].is_none())
        .collect();
    if !left.is_empty() {
        log::debug!("{} points are left to other engines", left.len());
    }
    for left in left.chunks(request.room.unwrap_or(left.len()).max(1)) {
        let points: Vec<Point> = left.iter().map(|&at| request.points[at].clone()).collect();
        let warm: Option<Vec<WarmStart>> = request
            .warm
            .map(|warm| left.iter().map(|&at| warm[at].clone()).collect());
        let rest = in_parts::<R>(&Request {
            points: &points,
            paths: None,
            warm: warm.as_deref(),
            ..*request
        })?;
        for (&at, outcome) in left.iter().zip(rest) {
            outcomes[at] = Some(outcome);
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Adds the contractions to the outcomes that an engine made at once.
fn estimate_contractions(request: &Request<'_>, outcomes: &mut [Option<Outcome>]) -> Result<()> {
    let mut made: Vec<&mut Outcome> = outcomes.iter_mut().flatten().collect();
    for made in made.chunks_mut(LANES * LANES) {
        let points: Vec<Point> = made.iter().map(|outcome| outcome.point.clone()).collect();
        let part = Request {
            points: &points,
            ..*request
        };
        let w = made.iter().map(|outcome| outcome.solution.as_slice());
        let mut batch = linearized::<f64>(&part, &Device::Cpu, w)?;
        add_contractions(&mut batch, made.iter_mut().map(|outcome| &mut **outcome))?;
    }
    Ok(())
}

/// Evaluates a request by the engines that serve its parts.
fn in_parts<R: Twinned>(request: &Request<'_>) -> Result<Vec<Outcome>> {
    in_stages::<R>(&Request {
        settings: &request.settings.of_parts(),
        ..*request
    })
}

/// The same with settings that name their solver.
fn in_stages<R: Twinned>(request: &Request<'_>) -> Result<Vec<Outcome>> {
    let chosen = Chosen::<R>::of(request)?;
    let mut solved = chosen.solver.solve(request)?;
    if request.problem.penalty.has_bounds() {
        // What rounding has moved off a bound would count as free.
        for (point, solved) in request.points.iter().zip(&mut solved) {
            let regularizer = request.problem.regularizer(point);
            for (j, w) in solved.w.iter_mut().enumerate() {
                *w = regularizer.of(j).coordinate.snapped::<R>(*w);
            }
        }
    }
    let together = together(request.problem);
    let mut outcomes = Vec::with_capacity(request.points.len());
    for (at, chunk) in solved.chunks(together).enumerate() {
        let part = request.part(at * together..at * together + chunk.len());
        let differentiated = differentiate(&part, &chosen, chunk)?;
        outcomes.extend(differentiated);
        if !chosen.solver.counts_points() {
            request.control.report_finished(chunk.len());
        }
    }
    Ok(outcomes)
}

/// The number of points that run together.
pub(super) fn together(problem: &Problem) -> usize {
    let numbers = 16 * problem.coordinates()
        + (6 * problem.train.rows() + 4 * problem.criterion.sample.rows()) * problem.classes;
    (MEMORY / (8 * numbers * LANES)).max(1) * LANES
}

/// The engines of a request.
struct Chosen<R: Twinned> {
    solver: &'static dyn Engine<R>,
    /// `None` where nothing is differentiated.
    differentiator: Option<&'static dyn Engine<R>>,
}

impl<R: Twinned> Chosen<R> {
    fn of(request: &Request<'_>) -> Result<Self> {
        let choose = |task: Task| {
            choose::<R>(&request.of(task)).ok_or_else(|| {
                Error::unsupported(
                    format!("{task} as the settings say"),
                    "choose another solver or method; RUST_LOG=debug says what each engine refuses",
                )
            })
        };
        let solver = choose(Task::Solve)?;
        let differentiator = match request.settings.method {
            Some(_) => Some(choose(Task::Adjoint)?),
            None => None,
        };
        Ok(Self {
            solver,
            differentiator,
        })
    }

    fn names(&self) -> Engines {
        Engines {
            solve: self.solver.name(),
            adjoint: self.differentiator.map(Engine::name),
        }
    }
}

fn differentiate<R: Twinned>(
    request: &Request<'_>,
    chosen: &Chosen<R>,
    solved: &[Solved<R>],
) -> Result<Vec<Outcome>> {
    let w = || solved.iter().map(|solved| solved.w.as_slice());
    let mut batch = linearized::<R>(request, &request.settings.device, w())?;
    let mut differentiated = match chosen.differentiator {
        Some(engine) => engine.adjoint(request, &mut batch, solved)?,
        None => solved
            .iter()
            .map(|_| Differentiated::without_adjoint())
            .collect(),
    };
    if R::PRECISION == Precision::F64 {
        return diagnose(&mut batch, request, chosen.names(), solved, &differentiated);
    }
    // The diagnostics of f32 results are computed in f64.
    let mut exact = linearized::<f64>(request, &Device::Cpu, w())?;
    if differentiated.iter().any(|d| !d.v.is_empty()) {
        let zero = vec![0.0; request.problem.coordinates()];
        let v: Vec<f64> = differentiated
            .iter()
            .flat_map(|d| if d.v.is_empty() { &zero } else { &d.v })
            .copied()
            .collect();
        exact.workspace.executor.upload(exact.workspace.v, &v);
        let residuals = exact.workspace.linear_residuals()?;
        for (d, residual) in differentiated.iter_mut().zip(residuals) {
            d.linear_residual = d.linear_residual.map(|_| residual);
        }
    }
    diagnose(&mut exact, request, chosen.names(), solved, &differentiated)
}

/// The points on a device, linearised at their solutions.
pub(super) fn linearized<'a, 'w, R: Twinned>(
    request: &Request<'a>,
    device: &Device,
    solutions: impl Iterator<Item = &'w [f64]>,
) -> Result<Batch<'a, R>> {
    let mut batch = Batch::new(request, false, device)?;
    let w: Vec<f64> = solutions.flatten().copied().collect();
    batch.workspace.set_solution(&w);
    batch.workspace.linearize()?;
    if let Some(cotangents) = request.cotangents {
        let (executor, into) = (
            &mut batch.workspace.executor,
            batch.workspace.criterion_gradient,
        );
        executor.upload(into, &convert::<R>(&cotangents.concat()));
    }
    Ok(batch)
}
