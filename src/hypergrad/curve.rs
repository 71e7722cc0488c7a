//! Curves of hypergradients: after each of many numbers of steps, or for each of many seeds.
//!
//! These are the experiments of Grazzi, Pontil and Salzo (ICML 2024): how the error of ITD, AID-FP
//! and AID-CG falls with the step t, and that of NSID and SID with the number of samples.

use crate::control::Control;
use crate::engine::accumulator::{Accumulator, directions};
use crate::engine::members::PreparedMembers;
use crate::engine::outcome::Hypergradient;
use crate::engine::prepared::Prepared;
use crate::engine::recorded::batch::{Batch, workspace};
use crate::engine::recorded::itd::{gram_serves, set_tangents};
use crate::engine::recorded::workspace::DataWorkspace;
use crate::engine::settings::Settings;
use crate::error::{Error, Result};
use crate::exec::{Buf, Device, Executor, Recording, Scope, Twinned};
use crate::iterate::picard::Picard;
use crate::iterate::tangent::TangentPicard;
use crate::iterate::{Iteration, StopRule};
use crate::kernel::sampled::ADVANCE;
use crate::kernel::trace::RING_STORE;
use crate::kinds::{Method, Precision, Solver};
use crate::problem::{Point, Problem};

use super::evaluator::Evaluator;

/// Steps whose iterates are read back at once.
const SLOTS: usize = 128;

/// One point of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePoint {
    /// The step t: Picard steps taken, and products of an implicit method.
    pub step: usize,
    /// w_t, p scaled coordinates.
    pub w: Vec<f64>,
    /// The method's hypergradient after t steps.
    pub hypergradient: Hypergradient,
}

/// The hypergradient after each of the ascending numbers of steps, in f64.
///
/// `w_0 = 0`, `w_t = Φᵗ(0)`; ITD differentiates these t steps, AID linearises at u = T(w_t) and takes
/// t products. The whole curve costs one Picard run and, for AID, one batch with a problem per step.
///
/// # Errors
/// [`Error::Unsupported`] for methods that have no such curve, [`Error::Interrupted`] when `control`
/// stops; else as [`Evaluator::run`].
pub fn curve(
    problem: &Problem,
    point: &Point,
    steps: &[usize],
    settings: &Settings,
    control: &Control,
) -> Result<Vec<CurvePoint>> {
    settings.validate()?;
    let points = vec![point.clone(); steps.len().max(1)];
    problem.check_points(&points)?;
    settings.check_against(problem)?;
    let prepared = Prepared::default();
    let members = PreparedMembers::of(problem, &prepared, &points);
    members.spectrum(point).check_convex()?;
    let Some(&last) = steps.last() else {
        return Ok(Vec::new());
    };
    if !steps.is_sorted() {
        return Err(Error::value(
            "steps of a curve",
            "they do not ascend",
            "sort them",
        ));
    }
    let forward = matches!(
        settings.method,
        Some(Method::ItdForward | Method::ItdReverse)
    );
    let gram = gram_serves::<f64>(problem, &points, settings);
    let directions = directions(problem, &settings.wrt);
    let count = if forward { directions.len() } else { 1 };

    // The trajectory of w, and for ITD of a tangent per direction.
    let lanes = vec![point.clone(); count];
    let mut space = workspace::<f64>(&members, &lanes, gram, &Device::Cpu)?;
    let p = space.coordinates();
    if forward {
        set_tangents(&mut space, problem, &settings.wrt, &directions);
    }
    let trajectory = trajectory(&mut space, forward, last, control)?;

    // Every step of the curve as a problem of one batch, at its own w_t.
    let mut batch = Batch::<f64>::of(&members, &points, gram, &Device::Cpu)?;
    let row = |step: usize, lane: usize, tangent: bool| {
        let width = if forward { 2 * p } else { p };
        let at = (step * count + lane) * width + if tangent { p } else { 0 };
        &trajectory[at..at + p]
    };
    let w: Vec<f64> = steps
        .iter()
        .flat_map(|&step| row(step, 0, false).iter().copied())
        .collect();
    batch.workspace.set_solution(&w);
    batch.workspace.linearize()?;
    let sums: Vec<Accumulator> = if forward {
        let gradients = batch
            .workspace
            .vectors(batch.workspace.criterion_gradient)?;
        steps
            .iter()
            .zip(gradients)
            .map(|(&step, gradient)| {
                let mut sums = Accumulator::zeros(problem, &settings.wrt);
                for (lane, &direction) in directions.iter().enumerate() {
                    let tangent = row(step, lane, true);
                    sums.set(
                        problem,
                        direction,
                        gradient.iter().zip(tangent).map(|(e, t)| e * t).sum(),
                    );
                }
                sums
            })
            .collect()
    } else {
        batch.allocate_sums(settings);
        let (rule, limits) = (settings.rule(), Some(steps));
        match settings.method {
            Some(Method::AidFp) => batch.workspace.solve_neumann(rule, limits, control)?,
            Some(Method::AidCg) => batch.solve_cg(settings, limits, control)?,
            _ => {
                return Err(Error::unsupported(
                    "a curve of this method",
                    "use ITD, AID-FP or AID-CG",
                ));
            }
        };
        batch.workspace.add_hyper_products()?;
        batch.sums()?
    };
    Ok(sums
        .into_iter()
        .zip(steps)
        .zip(w.chunks_exact(p))
        .map(|((sums, &step), w)| CurvePoint {
            step,
            w: w.to_vec(),
            hypergradient: sums.finish(
                members.problem(point),
                &settings.wrt,
                point.target,
                Some(w),
            ),
        })
        .collect())
}

/// The iterates w_0 … w_last of the Picard iteration from w_0 = 0, in f64; p scaled coordinates each.
///
/// # Errors
/// [`Error::Value`] for a point that does not fit, [`Error::Interrupted`] when `control` stops.
pub fn iterates(
    problem: &Problem,
    point: &Point,
    last: usize,
    control: &Control,
) -> Result<Vec<Vec<f64>>> {
    let points = [point.clone()];
    problem.check_points(&points)?;
    let prepared = Prepared::default();
    let members = PreparedMembers::of(problem, &prepared, &points);
    members.spectrum(&points[0]).check_convex()?;
    let nothing = Settings {
        wrt: Vec::new(),
        ..Settings::default()
    };
    let gram = gram_serves::<f64>(problem, &points, &nothing);
    let mut space = workspace::<f64>(&members, &points, gram, &Device::Cpu)?;
    let trajectory = trajectory(&mut space, false, last, control)?;
    let iterates = trajectory.chunks_exact(space.coordinates());
    Ok(iterates.map(<[f64]>::to_vec).collect())
}

/// w_0 … w_last (and ẇ beside each), step-major, problem-major within a step.
fn trajectory(
    space: &mut DataWorkspace<f64>,
    with_tangent: bool,
    last: usize,
    control: &Control,
) -> Result<Vec<f64>> {
    let p = space.coordinates();
    let lanes = space.executor.problems();
    let ones = vec![1.0; lanes];
    let stop = space.stop(StopRule::exactly(last + 1), &ones);
    let (executor, map) = (&mut space.executor, &space.map);
    let counter = executor.allocate_words(Scope::PerProblem, 1);
    let scale = executor.allocate(Scope::PerProblem, 1);
    executor.upload(scale, &ones);
    let ring = |executor: &mut dyn Executor<f64>, step: &mut Recording<f64>, of: Buf| {
        let ring = executor.allocate(Scope::PerProblem, p * SLOTS);
        let inputs = [of.into(), counter.into()];
        step.dispatch(&RING_STORE, &inputs, &[ring.into()], &[p, SLOTS]);
        ring
    };
    let mut step = Recording::new();
    let w_ring = ring(executor, &mut step, space.w);
    let mut t_ring = None;
    if with_tangent {
        let iteration = TangentPicard::new(executor, map, &stop, space.w, scale);
        t_ring = Some(ring(executor, &mut step, iteration.tangent));
        iteration.step(&mut step);
    } else {
        Picard::new(executor, map, &stop, space.w).step(&mut step);
    }
    step.dispatch(&ADVANCE, &[], &[counter.into()], &[]);

    let mut out = Vec::with_capacity((last + 1) * lanes * p * if with_tangent { 2 } else { 1 });
    let mut first = 0;
    while first <= last {
        let block = (last + 1 - first).min(SLOTS);
        if control.should_stop() {
            return Err(Error::Interrupted { what: "a curve" });
        }
        executor.run(&step, block)?;
        let w = executor.download(w_ring)?;
        let t = t_ring.map(|ring| executor.download(ring)).transpose()?;
        for slot in 0..block {
            for lane in 0..lanes {
                let at = (lane * SLOTS + slot) * p;
                out.extend_from_slice(&w[at..at + p]);
                if let Some(t) = &t {
                    out.extend_from_slice(&t[at..at + p]);
                }
            }
        }
        first += block;
    }
    Ok(out)
}

/// NSID or SID for many seeds as one batch: `result[i][k]` is the hypergradient of seed k after
/// `checkpoints[i]` steps, w being solved to rounding first, in f64.
///
/// The outer derivative is frozen with `settings.stochastic.freeze` minibatches (default: one more
/// than the last checkpoint).
///
/// # Errors
/// As [`Evaluator::run`].
pub fn sampled_curve(
    problem: &Problem,
    point: &Point,
    seeds: &[u64],
    checkpoints: &[usize],
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Vec<Hypergradient>>> {
    settings.validate()?;
    settings.check_against(problem)?;
    if !checkpoints.is_sorted() || !matches!(settings.method, Some(Method::Nsid | Method::Sid)) {
        return Err(Error::unsupported(
            "a sampled curve of unsorted checkpoints or another method",
            "use NSID or SID and sort the checkpoints",
        ));
    }
    let exact = Settings {
        method: None,
        solver: Solver::Auto,
        tolerance: None,
        device: Device::Cpu,
        precision: Precision::F64,
        ..settings.clone()
    };
    let solved = Evaluator::new(problem)
        .settings(&exact)
        .control(&control.of_a_part())
        .run(std::slice::from_ref(point))?;
    let w = match solved.as_slice() {
        [outcome] => &outcome.solution,
        _ => return Ok(Vec::new()),
    };
    let run = if settings.device.is_cpu() {
        sampled_in::<f64>
    } else {
        sampled_in::<f32>
    };
    let prepared = Prepared::default();
    let points = vec![point.clone(); seeds.len()];
    let members = PreparedMembers::of(problem, &prepared, &points);
    let at = Solution {
        members: &members,
        points: &points,
        w,
    };
    run(&at, seeds, checkpoints, settings, control)
}

/// A solution at the same point for every seed.
struct Solution<'a> {
    members: &'a PreparedMembers<'a>,
    points: &'a [Point],
    w: &'a [f64],
}

/// [`sampled_curve`] at a solution, in the device's arithmetic.
fn sampled_in<R: Twinned>(
    at: &Solution<'_>,
    seeds: &[u64],
    checkpoints: &[usize],
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Vec<Hypergradient>>> {
    let &Solution { members, points, w } = at;
    let mut batch = Batch::<R>::of(members, points, false, &settings.device)?;
    batch.allocate_sums(settings);
    batch.workspace.set_solution(&w.repeat(seeds.len()));
    batch.workspace.linearize()?;
    let (_, sums) = batch.solve_sampled(settings, Some(seeds), checkpoints, control)?;
    let finish = |sums: Vec<Accumulator>| {
        let of_points = sums.into_iter().zip(points);
        of_points
            .map(|(sums, point)| {
                sums.finish(members.problem(point), &settings.wrt, point.target, Some(w))
            })
            .collect()
    };
    Ok(sums.into_iter().map(finish).collect())
}
