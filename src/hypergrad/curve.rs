//! Hypergradients along the way: after each of many numbers of steps, or for each of many seeds.
//!
//! These are the experiments of Grazzi, Pontil and Salzo (ICML 2024): how the error of ITD, AID-FP
//! and AID-CG falls with the step t, and that of NSID and SID with the number of samples.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::{Buf, Device, Executor, Recording, Scope, Twinned};
use crate::kernel::sampled::ADVANCE;
use crate::kernel::step::ACCUMULATE;
use crate::kernel::trace::RING_STORE;
use crate::kinds::{Method, Precision, Solver};
use crate::map::FixedPointMap;
use crate::map::spectrum::Spectrum;
use crate::problem::{Point, Problem};

use crate::engine::accumulator::{RawSums, directions};
use crate::engine::outcome::Hypergradient;
use crate::engine::recorded::unrolled::{gram_serves, upload_tangents};
use crate::engine::recorded::workspace::Stage;
use crate::engine::settings::Settings;

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
    point: Point,
    steps: &[usize],
    settings: &Settings,
    control: &Control,
) -> Result<Vec<CurvePoint>> {
    settings.validate()?;
    problem.check_points(&[point])?;
    settings.check_against(problem)?;
    let spectrum = Spectrum::of(problem);
    spectrum.check_convex()?;
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
    let gram = gram_serves::<f64>(problem, settings);
    let directions = directions(problem, &settings.wrt);
    let count = if forward { directions.len() } else { 1 };

    // The trajectory of w, and for ITD of a tangent per direction.
    let lanes = vec![point; count];
    let mut stage = Stage::<f64>::new(problem, &lanes, &spectrum, gram, &Device::Cpu)?;
    let p = stage.map.coordinates;
    let tangents = forward.then(|| {
        stage
            .map
            .allocate_tangents(&mut stage.executor, &settings.wrt)
    });
    if let Some(tangents) = &tangents {
        let lanes: Vec<_> = directions.iter().map(|&direction| (0, direction)).collect();
        upload_tangents(&mut stage, tangents, &lanes);
    }
    let trajectory = trajectory(&mut stage, forward, last, control)?;

    // Every step of the curve as a problem of one batch, at its own w_t.
    let batch = vec![point; steps.len()];
    let mut stage = Stage::<f64>::new(problem, &batch, &spectrum, gram, &Device::Cpu)?;
    let row = |step: usize, lane: usize, tangent: bool| {
        let width = if forward { 2 * p } else { p };
        let at = (step * count + lane) * width + if tangent { p } else { 0 };
        &trajectory[at..at + p]
    };
    let w: Vec<f64> = steps
        .iter()
        .flat_map(|&step| row(step, 0, false).iter().copied())
        .collect();
    stage.set_solution(&w);
    stage.linearize()?;
    let sums: Vec<RawSums> = if forward {
        let gradients = stage.executor.download(stage.criterion_gradient)?;
        steps
            .iter()
            .zip(gradients.chunks_exact(p))
            .map(|(&step, gradient)| {
                let mut sums = RawSums::zeros(problem, &settings.wrt);
                for (lane, &direction) in directions.iter().enumerate() {
                    let tangent = row(step, lane, true);
                    sums.set(
                        direction,
                        gradient.iter().zip(tangent).map(|(e, t)| e * t).sum(),
                    );
                }
                sums
            })
            .collect()
    } else {
        stage.map.allocate_sums(&mut stage.executor, &settings.wrt);
        match settings.method {
            Some(Method::AidFp) => stage.solve_neumann_limited(settings, Some(steps), control)?,
            Some(Method::AidCg) => stage.solve_cg_limited(settings, Some(steps), control)?,
            _ => {
                return Err(Error::unsupported(
                    "a curve of this method",
                    "use ITD, AID-FP or AID-CG",
                ));
            }
        };
        let mut recording = Recording::new();
        stage
            .map
            .vjp_hyper(&mut recording, stage.w, stage.v, stage.one);
        stage.executor.run(&recording, 1)?;
        RawSums::download(&stage.executor, &stage.map.sums, steps.len())?
    };
    Ok(sums
        .into_iter()
        .zip(steps)
        .zip(w.chunks_exact(p))
        .map(|((sums, &step), w)| CurvePoint {
            step,
            w: w.to_vec(),
            hypergradient: sums.finish(problem, point.target, w),
        })
        .collect())
}

/// The iterates w_0 … w_last of the Picard iteration from w_0 = 0, in f64; p scaled coordinates each.
///
/// # Errors
/// [`Error::Value`] for a point that does not fit, [`Error::Interrupted`] when `control` stops.
pub fn iterates(
    problem: &Problem,
    point: Point,
    last: usize,
    control: &Control,
) -> Result<Vec<Vec<f64>>> {
    problem.check_points(&[point])?;
    let spectrum = Spectrum::of(problem);
    spectrum.check_convex()?;
    let points = [point];
    let nothing = Settings {
        wrt: Vec::new(),
        ..Settings::default()
    };
    let gram = gram_serves::<f64>(problem, &nothing);
    let mut stage = Stage::<f64>::new(problem, &points, &spectrum, gram, &Device::Cpu)?;
    let p = stage.map.coordinates;
    let trajectory = trajectory(&mut stage, false, last, control)?;
    Ok(trajectory.chunks_exact(p).map(<[f64]>::to_vec).collect())
}

/// w_0 … w_last (and ẇ beside each), step-major, problem-major within a step.
fn trajectory(
    stage: &mut Stage<'_, f64>,
    tangent: bool,
    last: usize,
    control: &Control,
) -> Result<Vec<f64>> {
    let p = stage.map.coordinates;
    let lanes = stage.points.len();
    let mut room = |rows: usize| stage.executor.allocate(Scope::PerProblem, rows);
    let (w_ring, t_ring): (Buf, Option<Buf>) = (room(p * SLOTS), tangent.then(|| room(p * SLOTS)));
    let (v, source) = (room(p), room(p));
    let counter = stage.executor.allocate_words(Scope::PerProblem, 1);
    let mut step = Recording::new();
    let size = [p, SLOTS];
    step.dispatch(
        &RING_STORE,
        &[stage.w.into(), counter.into()],
        &[w_ring.into()],
        &size,
    );
    if let Some(t_ring) = t_ring {
        step.dispatch(
            &RING_STORE,
            &[v.into(), counter.into()],
            &[t_ring.into()],
            &size,
        );
        stage.map.linearize(&mut step, stage.w);
        stage.map.jvp_w(&mut step, v, source);
        stage.map.jvp_hyper(&mut step, stage.w, source);
        step.fill(v, 0.0);
        step.dispatch(
            &ACCUMULATE,
            &[source.into(), stage.one.into()],
            &[v.into()],
            &[p],
        );
        stage.map.value(&mut step, stage.next);
    } else {
        stage.map.apply(&mut step, stage.w, stage.next);
    }
    step.copy(stage.next, stage.w);
    step.dispatch(&ADVANCE, &[], &[counter.into()], &[]);

    let mut out = Vec::with_capacity((last + 1) * lanes * p * if tangent { 2 } else { 1 });
    let mut first = 0;
    while first <= last {
        let block = (last + 1 - first).min(SLOTS);
        if control.should_stop() {
            return Err(Error::Interrupted { what: "a curve" });
        }
        stage.executor.run(&step, block)?;
        let w = stage.executor.download(w_ring)?;
        let t = t_ring
            .map(|ring| stage.executor.download(ring))
            .transpose()?;
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
    point: Point,
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
        .run(&[point])?;
    let spectrum = Spectrum::of(problem);
    spectrum.check_convex()?;
    let points = vec![point; seeds.len()];
    let run = if settings.device.is_cpu() {
        sampled_in::<f64>
    } else {
        sampled_in::<f32>
    };
    let w: Vec<f64> = solved
        .iter()
        .cycle()
        .take(seeds.len())
        .flat_map(|outcome| outcome.solution.iter().copied())
        .collect();
    run(
        problem,
        &points,
        &spectrum,
        &w,
        (seeds, checkpoints),
        settings,
        control,
    )
}

/// [`sampled_curve`] at a solution, in the device's arithmetic.
fn sampled_in<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    spectrum: &Spectrum,
    w: &[f64],
    (seeds, checkpoints): (&[u64], &[usize]),
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Vec<Hypergradient>>> {
    let mut stage = Stage::<R>::new(problem, points, spectrum, false, &settings.device)?;
    stage.map.allocate_sums(&mut stage.executor, &settings.wrt);
    stage.set_solution(w);
    stage.linearize()?;
    let (_, sums) = stage.solve_sampled(settings, Some(seeds), checkpoints, control)?;
    let finish = |sums: Vec<RawSums>| {
        let of_points = sums.into_iter().zip(points);
        of_points
            .zip(w.chunks_exact(problem.coordinates()))
            .map(|((sums, point), w)| sums.finish(problem, point.target, w))
            .collect()
    };
    Ok(sums.into_iter().map(finish).collect())
}
