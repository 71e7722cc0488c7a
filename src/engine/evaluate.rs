//! From points to outcomes: solve, linearise once, differentiate, diagnose.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::{Device, Executor, LANES, Recording, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Precision, Solver, Status};
use crate::loss::Loss;
use crate::map::FixedPointMap;
use crate::map::spectrum::Spectrum;
use crate::path::{self, PathSettings, RestrictedFactor, RestrictedMethod};
use crate::problem::{Point, Problem};
use crate::real::{convert, widen};

use super::accumulator::RawSums;
use super::assembly::diagnose;
use super::devices;
use super::fused;
use super::kinks::Sizes;
use super::outcome::{Hypergradient, Outcome};
use super::prepared::Prepared;
use super::recorded::sampled::judge_sampled;
use super::recorded::unrolled;
use super::recorded::workspace::Stage;
use super::settings::Settings;

/// Where a solver may start: an earlier outcome's solution and adjoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WarmStart {
    /// Scaled coefficients, p entries.
    pub w: Vec<f64>,
    /// The adjoint v, p entries, or empty.
    pub v: Vec<f64>,
}

/// Solves every point and, where `settings.method` says how, differentiates it.
///
/// Outcomes are in the order of `points`; what ran out of its budget or is not finite is returned
/// with that status. The same bits come out for any number of threads.
///
/// # Errors
/// [`Error::Value`], [`Error::Shape`] and [`Error::Unsupported`] for settings, points or warm
/// starts that do not fit the problem.
pub fn evaluate(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    precision: Precision,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Outcome>> {
    evaluate_along(problem, (points, None), settings, precision, warm, control)
}

/// The same for points with the paths along which the path solver is to go: lists of points of one
/// target, each started from the last. Without paths, those of equal λ₂ go in decreasing l1. The
/// results of a path do not depend on the other paths; other solvers do not use them.
///
/// # Errors
/// Those of [`evaluate`], and [`Error::Value`] for paths that leave a point out or name one twice.
pub fn evaluate_along(
    problem: &Problem,
    (points, paths): (&[Point], Option<&[Vec<usize>]>),
    settings: &Settings,
    precision: Precision,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Outcome>> {
    let prepared = Prepared::new();
    let along = (points, paths);
    evaluate_prepared(
        problem,
        &prepared,
        along,
        settings,
        precision,
        (warm, control),
    )
}

/// The same for a problem of which much was prepared before: `prepared` was made for this problem
/// and none other.
///
/// # Errors
/// Those of [`evaluate_along`].
pub fn evaluate_prepared(
    problem: &Problem,
    prepared: &Prepared,
    (points, paths): (&[Point], Option<&[Vec<usize>]>),
    settings: &Settings,
    precision: Precision,
    (warm, control): (Option<&[WarmStart]>, &Control),
) -> Result<Vec<Outcome>> {
    settings.validate()?;
    problem.check_points(points)?;
    settings.check_against(problem)?;
    check_warm(problem, points, settings, warm)?;
    let along = (points, paths);
    let work = || match (&settings.device, precision) {
        (Device::Cpu, Precision::F64) => {
            evaluate_in::<f64>(problem, prepared, along, settings, (warm, control))
        }
        (Device::Cpu, Precision::F32) => {
            evaluate_in::<f32>(problem, prepared, along, settings, (warm, control))
        }
        _ => devices::evaluate(problem, points, settings, precision, warm, control),
    };
    if settings.threads == 0 {
        return work();
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads)
        .build()
        .map_err(|error| Error::value("threads", error.to_string(), "ask for fewer threads"))?;
    pool.install(work)
}

fn check_warm(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    warm: Option<&[WarmStart]>,
) -> Result<()> {
    let Some(warm) = warm else { return Ok(()) };
    if matches!(
        settings.method,
        Some(Method::ItdForward | Method::ItdReverse)
    ) {
        return Err(Error::unsupported(
            "a warm start of ITD",
            "ITD starts at w = 0: drop the warm start",
        ));
    }
    let p = problem.coordinates();
    let fits = |start: &WarmStart| start.w.len() == p && (start.v.is_empty() || start.v.len() == p);
    if warm.len() == points.len() && warm.iter().all(fits) {
        return Ok(());
    }
    Err(Error::shape(
        "warm starts",
        format!("{} of {p} coordinates", points.len()),
        format!("{} of other sizes", warm.len()),
        "give one per point, from outcomes of the same problem",
    ))
}

/// Points whose per-problem arrays fit this many bytes run together.
const MEMORY: usize = 1 << 30;

/// A solved point before it is differentiated.
pub(super) struct Solved<R> {
    pub(super) w: Vec<f64>,
    pub(super) progress: Progress,
    pub(super) factor: Option<RestrictedFactor<R>>,
    pub(super) sums: Option<RawSums>,
}

pub(super) fn evaluate_in<R: Twinned>(
    problem: &Problem,
    prepared: &Prepared,
    (points, paths): (&[Point], Option<&[Vec<usize>]>),
    settings: &Settings,
    (warm, control): (Option<&[WarmStart]>, &Control),
) -> Result<Vec<Outcome>> {
    let spectrum = prepared.spectrum(problem);
    spectrum.check_convex()?;
    log::info!(
        "{} points, {} × {} ({} coordinates), {}, {} loss, {} penalty; L = {:.4e}, mu = {:.4e} by {:?}; method {:?}, solver {:?}",
        points.len(),
        problem.train.rows(),
        problem.train.design.columns(),
        problem.coordinates(),
        R::NAME,
        problem.loss.name(),
        problem.penalty.name(),
        spectrum.largest,
        spectrum.smallest,
        spectrum.source,
        settings.method,
        settings.solver,
    );
    if R::NAME == "f64" && fused::serves(problem, settings) {
        let along = (points, paths);
        return fused::evaluate(problem, prepared, along, settings, warm, control);
    }
    let solved = solve::<R>(problem, (points, paths), spectrum, settings, warm, control)?;
    let numbers = 16 * problem.coordinates()
        + (6 * problem.train.rows() + 4 * problem.criterion.sample.rows()) * problem.classes;
    let together = (MEMORY / (8 * numbers * LANES)).max(1) * LANES;
    let mut outcomes = Vec::with_capacity(points.len());
    for (at, chunk) in solved.chunks(together).enumerate() {
        let range = at * together..at * together + chunk.len();
        let warm = warm.map(|warm| &warm[range.clone()]);
        outcomes.extend(differentiate(
            problem,
            &points[range],
            (spectrum, prepared.sizes(problem)),
            settings,
            (chunk, warm),
            control,
        )?);
        // The path has counted each point as it came to it.
        if !walks_a_path(settings) {
            control.report_finished(chunk.len());
        }
    }
    Ok(outcomes)
}

/// Whether points are solved one by one along a path, rather than all together.
fn walks_a_path(settings: &Settings) -> bool {
    let is_itd = matches!(
        settings.method,
        Some(Method::ItdForward | Method::ItdReverse)
    );
    !is_itd && matches!(settings.solver, Solver::Auto | Solver::Path)
}

/// The solutions of all points in f32, scaled coefficients; what is not finite becomes zero.
///
/// # Errors
/// When the executor fails.
pub(super) fn solve_only(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Vec<f64>>> {
    let spectrum = Spectrum::of(problem);
    spectrum.check_convex()?;
    let settings = Settings {
        method: None,
        ..settings.clone()
    };
    let along = (points, None);
    let part = control.of_a_part();
    let solved = solve::<f32>(problem, along, &spectrum, &settings, warm, &part)?;
    let finite = |w: Vec<f64>| {
        if w.iter().all(|w| w.is_finite()) {
            w
        } else {
            vec![0.0; w.len()]
        }
    };
    Ok(solved.into_iter().map(|solved| finite(solved.w)).collect())
}

/// The solutions of all points, by the solver that the settings name.
fn solve<R: Twinned>(
    problem: &Problem,
    (points, paths): (&[Point], Option<&[Vec<usize>]>),
    spectrum: &Spectrum,
    settings: &Settings,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Solved<R>>> {
    let itd = match settings.method {
        Some(Method::ItdForward) => Some(unrolled::forward::<R>(
            problem, points, spectrum, settings, control,
        )?),
        Some(Method::ItdReverse) => Some(unrolled::reverse::<R>(
            problem, points, spectrum, settings, control,
        )?),
        _ => None,
    };
    if let Some(outcomes) = itd {
        let solved = |outcome: unrolled::Unrolled| Solved {
            w: outcome.w,
            progress: outcome.progress,
            factor: None,
            sums: outcome.sums,
        };
        return Ok(outcomes.into_iter().map(solved).collect());
    }
    if walks_a_path(settings) {
        let starts: Option<Vec<Vec<f64>>> =
            warm.map(|warm| warm.iter().map(|start| start.w.clone()).collect());
        let chosen = PathSettings {
            tolerance: settings.tolerance,
            max_steps: settings.max_steps,
        };
        let starts = starts.as_deref();
        let solutions = match paths {
            None => path::solve::<R>(problem, points, starts, &chosen, control)?,
            Some(paths) => {
                path::solve_along::<R>(problem, points, paths, starts, &chosen, control)?
            }
        };
        let solved = |solution: path::PathSolution<R>| Solved {
            w: widen(&solution.w),
            progress: Progress {
                status: solution.status,
                steps: solution.steps,
            },
            factor: solution.factor,
            sums: None,
        };
        return Ok(solutions.into_iter().map(solved).collect());
    }
    let gram =
        unrolled::gram_serves::<R>(problem, settings) && settings.solver != Solver::Stochastic;
    let mut stage = Stage::<R>::new(problem, points, spectrum, gram, &settings.device)?;
    if let Some(warm) = warm {
        let start: Vec<f64> = warm
            .iter()
            .flat_map(|start| start.w.iter().copied())
            .collect();
        stage.set_solution(&start);
    }
    let progress = stage.solve(settings, control)?;
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

/// An adjoint and what it gives, for one point.
pub(super) struct Differentiated {
    pub(super) hypergradient: Option<Hypergradient>,
    pub(super) progress: Progress,
    pub(super) linear_residual: Option<f64>,
    pub(super) singular: bool,
    pub(super) v: Vec<f64>,
}

fn differentiate<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    (spectrum, sizes): (&Spectrum, &Sizes),
    settings: &Settings,
    (solved, warm): (&[Solved<R>], Option<&[WarmStart]>),
    control: &Control,
) -> Result<Vec<Outcome>> {
    let mut stage = Stage::<R>::new(problem, points, spectrum, false, &settings.device)?;
    let w: Vec<f64> = solved
        .iter()
        .flat_map(|solved| solved.w.iter().copied())
        .collect();
    stage.set_solution(&w);
    let criteria = stage.linearize()?;
    let mut differentiated = adjoints(&mut stage, settings, (solved, warm), control)?;
    // In f32 the diagnostics are computed anew, in f64, of what f32 found.
    let diagnosed = if R::NAME == "f64" {
        diagnose(
            &mut stage,
            solved,
            &differentiated,
            &criteria,
            (sizes, settings),
        )?
    } else {
        let mut exact = Stage::<f64>::new(problem, points, spectrum, false, &Device::Cpu)?;
        exact.set_solution(&w);
        let criteria = exact.linearize()?;
        let with_adjoint = differentiated.iter().any(|d| !d.v.is_empty());
        if with_adjoint {
            let p = problem.coordinates();
            let v: Vec<f64> = differentiated
                .iter()
                .flat_map(|d| {
                    if d.v.is_empty() {
                        vec![0.0; p]
                    } else {
                        d.v.clone()
                    }
                })
                .collect();
            exact.executor.upload(exact.v, &v);
            let residuals = exact.linear_residuals()?;
            for (d, residual) in differentiated.iter_mut().zip(residuals) {
                d.linear_residual = d.linear_residual.map(|_| residual);
            }
        }
        diagnose(
            &mut exact,
            solved,
            &differentiated,
            &criteria,
            (sizes, settings),
        )?
    };
    Ok(diagnosed)
}

/// The adjoint and the hypergradient of every point of a linearised stage.
fn adjoints<R: Twinned>(
    stage: &mut Stage<'_, R>,
    settings: &Settings,
    (solved, warm): (&[Solved<R>], Option<&[WarmStart]>),
    control: &Control,
) -> Result<Vec<Differentiated>> {
    let problem = stage.problem;
    let p = problem.coordinates();
    let nothing = Progress {
        status: Status::Converged,
        steps: 0,
    };
    let without = |hypergradient: Option<Hypergradient>| Differentiated {
        hypergradient,
        progress: nothing,
        linear_residual: None,
        singular: false,
        v: Vec::new(),
    };
    let Some(method) = settings.method else {
        return Ok(solved.iter().map(|_| without(None)).collect());
    };
    if matches!(method, Method::ItdForward | Method::ItdReverse) {
        let singular = if may_be_singular(problem, stage.points) {
            singular_points(stage, solved, control)?
        } else {
            vec![false; solved.len()]
        };
        return Ok(solved
            .iter()
            .zip(stage.points)
            .zip(singular)
            .map(|((solved, point), singular)| {
                let sums = solved.sums.clone().filter(|_| !singular);
                Differentiated {
                    singular,
                    ..without(sums.map(|sums| sums.finish(problem, point.target, &solved.w)))
                }
            })
            .collect());
    }

    let path_like = walks_a_path(settings);
    let restricted = method == Method::Direct || (method == Method::AidCg && path_like);
    stage.map.allocate_sums(&mut stage.executor, &settings.wrt);
    if let (Some(warm), Method::AidFp) = (warm, method) {
        let zero = vec![0.0; p];
        let starts = warm
            .iter()
            .flat_map(|start| if start.v.is_empty() { &zero } else { &start.v });
        let v: Vec<f64> = starts.copied().collect();
        stage.executor.upload(stage.v, &convert::<R>(&v));
    }
    let mut singular = vec![false; solved.len()];
    let mut sampled_sums = None;
    let progress = match method {
        _ if restricted => {
            let (progress, flags) = solve_restricted(stage, settings, solved, control)?;
            singular = flags;
            progress
        }
        Method::AidFp => stage.solve_neumann(settings, control)?,
        Method::Nsid | Method::Sid => {
            let steps = settings.stochastic.steps;
            let (progress, mut sums) = stage.solve_sampled(settings, None, &[steps], control)?;
            sampled_sums = sums.pop();
            // ū is not u: the residual is measured at the true linearisation.
            stage.linearize()?;
            progress
        }
        _ => stage.solve_cg(settings, control)?,
    };
    if !restricted && may_be_singular(problem, stage.points) {
        singular = singular_points(stage, solved, control)?;
    }
    let sums = match sampled_sums {
        Some(sums) => sums,
        None => {
            let mut recording = Recording::new();
            stage
                .map
                .vjp_hyper(&mut recording, stage.w, stage.v, stage.one);
            stage.executor.run(&recording, 1)?;
            RawSums::download(&stage.executor, &stage.map.sums, solved.len())?
        }
    };
    let residuals = stage.linear_residuals()?;
    let progress = if matches!(method, Method::Nsid | Method::Sid) {
        judge_sampled::<R>(&progress, &residuals, settings)
    } else {
        progress
    };
    let v = widen(&stage.executor.download(stage.v)?);
    Ok(sums
        .into_iter()
        .enumerate()
        .map(|(at, sums)| Differentiated {
            hypergradient: (!singular[at] && begun(&progress[at]))
                .then(|| sums.finish(problem, stage.points[at].target, &solved[at].w)),
            progress: if singular[at] { nothing } else { progress[at] },
            linear_residual: (!singular[at]).then_some(residuals[at]),
            singular: singular[at],
            v: if singular[at] {
                Vec::new()
            } else {
                v[at * p..(at + 1) * p].to_vec()
            },
        })
        .collect())
}

/// False for an adjoint that was interrupted before its first step: its zeros are no result.
fn begun(progress: &Progress) -> bool {
    progress.steps > 0 || progress.status != Status::BudgetSpent
}

/// z by the restricted systems of the path, lifted to v.
fn solve_restricted<R: Twinned>(
    stage: &mut Stage<'_, R>,
    settings: &Settings,
    solved: &[Solved<R>],
    control: &Control,
) -> Result<(Vec<Progress>, Vec<bool>)> {
    let method = match settings.method {
        Some(Method::Direct) => RestrictedMethod::Direct,
        _ => RestrictedMethod::Cg {
            preconditioner: settings.preconditioner,
        },
    };
    let solutions = restricted_solutions(
        stage,
        method,
        solved,
        (settings.tolerance, settings.max_steps),
        control,
    )?;
    let z: Vec<R> = solutions
        .iter()
        .flat_map(|solution| solution.z.iter().copied())
        .collect();
    stage.lift(&z)?;
    let progress = |s: &path::RestrictedSolution<R>| Progress {
        status: s.status,
        steps: s.steps,
    };
    Ok((
        solutions.iter().map(progress).collect(),
        solutions.iter().map(|s| s.singular).collect(),
    ))
}

fn restricted_solutions<R: Twinned>(
    stage: &Stage<'_, R>,
    method: RestrictedMethod,
    solved: &[Solved<R>],
    (tolerance, max_steps): (Option<f64>, usize),
    control: &Control,
) -> Result<Vec<path::RestrictedSolution<R>>> {
    let w: Vec<Vec<R>> = solved.iter().map(|solved| convert(&solved.w)).collect();
    let gradients = stage.executor.download(stage.criterion_gradient)?;
    let gradients: Vec<Vec<R>> = gradients
        .chunks_exact(stage.map.coordinates)
        .map(<[R]>::to_vec)
        .collect();
    let steps: Vec<f64> = stage
        .points
        .iter()
        .map(|point| stage.spectrum.step(point.l2).gamma)
        .collect();
    let factors: Vec<Option<&RestrictedFactor<R>>> =
        solved.iter().map(|solved| solved.factor.as_ref()).collect();
    path::solve_restricted(
        stage.problem,
        stage.points,
        &w,
        &steps,
        &gradients,
        Some(&factors),
        method,
        tolerance,
        max_steps,
        control,
    )
}

/// Whether a restricted Hessian can be singular: without ridge, or where rows without curvature may
/// leave the intercept without any.
fn may_be_singular(problem: &Problem, points: &[Point]) -> bool {
    let free_intercept = problem.train.design.intercept && problem.loss != Loss::Squared;
    free_intercept || points.iter().any(|point| point.l2 == 0.0)
}

/// Which points have a singular restricted Hessian, found by factoring it.
fn singular_points<R: Twinned>(
    stage: &Stage<'_, R>,
    solved: &[Solved<R>],
    control: &Control,
) -> Result<Vec<bool>> {
    let solutions =
        restricted_solutions(stage, RestrictedMethod::Direct, solved, (None, 1), control)?;
    Ok(solutions.iter().map(|solution| solution.singular).collect())
}
