//! Elastic nets of a quadratic form, solved and differentiated on the device: FISTA, the linearisation,
//! conjugate gradient on range(D), and the derivatives in l1 and λ₂.
//!
//! The form is Q_ij = s_i s_j ρ^|i−j| with b = Q w⁰: a Gram matrix of correlated columns whose
//! condition does not depend on d, so that sizes are comparable. The criterion is another such form.

use std::time::Instant;

use proxdiff::data::{Dense, Matrix};
use proxdiff::exec::gpu::{AdapterSummary, Gpu, Regime};
use proxdiff::exec::{Device, Executor, Recording, Scope};
use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::iterate::cg::{AdjointSystem, RestrictedCg};
use proxdiff::iterate::fista::Fista;
use proxdiff::iterate::{Stop, StopRule, drive};
use proxdiff::kernel::cg::SQUARE_ROOT;
use proxdiff::kernel::step::{COMBINE, DOT};
use proxdiff::kinds::{Precision, Preconditioner, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::map::loss_rows::{BatchRows, LossRows};
use proxdiff::map::operator::{per_problem, shared};
use proxdiff::map::spectrum::Spectrum;
use proxdiff::map::{FixedPointMap, ProxGrad};
use proxdiff::problem::{Members, Rows};
use proxdiff::{Control, Point, Problem, Specification};
use serde_json::json;

use super::report::{Report, Timed};
use super::{Checked, Size, open};

/// What is asked of a solution: its relative error, and that of its hypergradient.
const SOLUTION: f64 = 1e-5;
const HYPERGRADIENT: f64 = 1e-3;

/// A problem with what every solver of it needs.
struct Form {
    problem: Problem,
    spectrum: Spectrum,
    /// ‖b‖: what residuals are relative to.
    scale: f64,
    largest_l1: f64,
}

/// Q with correlation ρ between neighbours and diagonal entries between ½ and 2, and Q w⁰.
fn correlated(d: usize, rho: f64, wanted: &[f64]) -> (Matrix, Vec<f64>) {
    let s: Vec<f64> = (0..d)
        .map(|i| (0.5 + 1.5 * (i * 37 % d) as f64 / d as f64).sqrt())
        .collect();
    let mut values = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..d {
            let power = i32::try_from(i.abs_diff(j)).unwrap_or(i32::MAX);
            values[i * d + j] = s[i] * s[j] * rho.powi(power);
        }
    }
    let b = values
        .chunks_exact(d)
        .map(|row| row.iter().zip(wanted).map(|(q, w)| q * w).sum())
        .collect();
    let matrix = Dense {
        rows: d,
        columns: d,
        values,
    };
    (Matrix::Dense(matrix), b)
}

impl Form {
    fn new(d: usize) -> Checked<Self> {
        // A third of the coordinates carries signal of falling size and changing sign.
        let wanted: Vec<f64> = (0..d)
            .map(|j| match j % 6 {
                0 => 1.0 + (j * 53 % d) as f64 / d as f64,
                3 => -0.4 - (j * 29 % d) as f64 / d as f64,
                _ => 0.0,
            })
            .collect();
        let (q, b) = correlated(d, 0.5, &wanted);
        let (q_validation, b_validation) = correlated(d, 0.3, &wanted);
        let validation = Rows {
            matrix: q_validation,
            targets: vec![b_validation],
            weights: None,
            offset: None,
        };
        let specification = Specification::new(Loss::Quadratic, q, vec![b.clone()]);
        let problem = Problem::new(specification.validation(validation))?;
        let spectrum = Spectrum::of(&problem);
        Ok(Self {
            spectrum,
            scale: b.iter().map(|b| b * b).sum::<f64>().sqrt(),
            largest_l1: b.iter().fold(0.0, |most: f64, b| most.max(b.abs())),
            problem,
        })
    }

    /// A grid of l1 and λ₂ with `count` points.
    fn points(&self, count: usize) -> Vec<Point> {
        let across = (count as f64).sqrt().ceil() as usize;
        let at = |k: usize| k as f64 / across.max(2) as f64;
        (0..count)
            .map(|k| {
                Point::new(
                    self.largest_l1 * 0.5 * 0.05_f64.powf(at(k / across)),
                    0.5 * 0.01_f64.powf(at(k % across)),
                )
            })
            .collect()
    }
}

/// What came back from the device.
struct Solved {
    /// Problem-major; only where asked for.
    w: Vec<f32>,
    l1: Vec<f32>,
    l2: Vec<f32>,
    not_converged: usize,
    most_steps: usize,
    most_linear_steps: usize,
}

/// Solves and differentiates a batch; everything but the results stays on the device.
fn solve(device: &Device, form: &Form, points: &[Point]) -> Checked<Solved> {
    let (problem, spectrum, control) = (&form.problem, &form.spectrum, Control::new());
    let mut executor = device.executor::<f32>(points.len())?;
    let members = Members::of(problem, points);
    let gamma: Vec<f64> = points.iter().map(|p| spectrum.step(p.l2).gamma).collect();
    let mut map = ProxGrad::new(&mut executor, &members, points, &gamma, false)?;
    let sample = problem.criterion();
    let criterion = LossRows::upload(
        &mut executor,
        &sample.sample,
        &BatchRows {
            loss: sample.loss,
            classes: problem.classes(),
            sign: sample.sign.factor(),
            points,
            sample: &|_| &sample.sample,
        },
        None,
    );
    let p = map.coordinates;
    let mut room = |rows| executor.allocate(Scope::PerProblem, rows);
    let (w, gradient, v, sum, norm) = (room(p), room(p), room(p), room(1), room(1));
    map.allocate_sums(&mut executor, &[Wrt::L1, Wrt::L2]);
    let one = shared(&mut executor, &[1.0]);
    let ones = shared(&mut executor, &vec![1.0; p]);
    let rule = |tolerance| StopRule {
        tolerance: Some(tolerance),
        max_steps: 10_000,
    };

    let stop = Stop::new(&mut executor, rule(1e-6));
    stop.reset(&mut executor);
    executor.upload(stop.scale, &vec![form.scale as f32; points.len()]);
    let each =
        |f: &dyn Fn(f64) -> f64| points.iter().map(|point| f(point.l2)).collect::<Vec<f64>>();
    let gamma = per_problem(
        &mut executor,
        1,
        &each(&|l2| spectrum.step(l2).largest.recip()),
    );
    let fista = Fista::new(&mut executor, &map, &stop, gamma, w)?;
    let progress = drive(&mut executor, &fista, &stop, &control)?;

    let inverse_gamma = per_problem(
        &mut executor,
        1,
        &each(&|l2| spectrum.step(l2).gamma.recip()),
    );
    let linear_stop = Stop::new(&mut executor, rule(2e-5));
    let mut recording = Recording::new();
    recording.copy(fista.result(), w);
    map.linearize(&mut recording, w);
    criterion.gradient(&mut recording, w, criterion.scale, gradient);
    // The linear residual is relative to ‖∂₁E‖/γ.
    recording.dispatch(
        &DOT,
        &[gradient.into(), gradient.into()],
        &[norm.into()],
        &[p],
    );
    recording.dispatch(&SQUARE_ROOT, &[], &[norm.into()], &[]);
    let inputs = [map.zero().into(), norm.into(), inverse_gamma.into()];
    recording.dispatch(&COMBINE, &inputs, &[linear_stop.scale.into()], &[1]);
    executor.run(&recording, 1)?;
    let system = AdjointSystem {
        criterion: gradient,
        inverse_gamma,
    };
    let preconditioner = Preconditioner::Diagonal;
    let cg = RestrictedCg::new(&mut executor, &map, &linear_stop, system, preconditioner)?;
    let mut start = Recording::new();
    cg.start(&mut start);
    executor.run(&start, 1)?;
    linear_stop.reset(&mut executor);
    let linear_progress = drive(&mut executor, &cg, &linear_stop, &control)?;

    let mut recording = Recording::new();
    cg.lift(&mut recording, v);
    map.vjp_hyper(&mut recording, w, v, one);
    let (Some(strengths), Some(ridge)) = (map.sums.strengths, map.sums.ridge) else {
        return Err("the map has no sums".into());
    };
    recording.dispatch(&DOT, &[strengths.into(), ones.into()], &[sum.into()], &[p]);
    executor.run(&recording, 1)?;
    let both = progress.iter().chain(&linear_progress);
    Ok(Solved {
        l1: executor.download(sum)?,
        l2: executor.download(ridge)?,
        w: executor.download(w)?,
        not_converged: both.filter(|p| p.status != Status::Converged).count(),
        most_steps: progress.iter().map(|p| p.steps).max().unwrap_or(0),
        most_linear_steps: linear_progress.iter().map(|p| p.steps).max().unwrap_or(0),
    })
}

/// The largest errors of a sample against f64 on the CPU: solution and hypergradient, and how many
/// points were compared. Points so near a kink that f32 cannot tell its side are left out.
fn errors(form: &Form, points: &[Point], solved: &Solved, sample: usize) -> Checked<[f64; 3]> {
    let p = form.problem.coordinates();
    let chosen: Vec<usize> = (0..sample.min(points.len()))
        .map(|k| k * 7919 % points.len())
        .collect();
    let few: Vec<Point> = chosen.iter().map(|&at| points[at].clone()).collect();
    let settings = Settings::default();
    let control = Control::new();
    let outcomes = Evaluator::new(&form.problem)
        .settings(&settings)
        .control(&control)
        .run(&few)?;
    let (mut solution, mut hypergradient, mut compared) = (0.0_f64, 0.0_f64, 0);
    for (&at, outcome) in chosen.iter().zip(&outcomes) {
        let distance = |(found, expected): (f64, f64)| (found - expected).powi(2);
        let found = solved.w[at * p..(at + 1) * p].iter().map(|&w| f64::from(w));
        let squares = found.zip(outcome.solution.iter().copied()).map(distance);
        let length: f64 = outcome.solution.iter().map(|w| w * w).sum();
        let error = (squares.sum::<f64>() / length).sqrt();
        // `max` would drop a NaN.
        solution = if error > solution || error.is_nan() {
            error
        } else {
            solution
        };
        if outcome
            .kink_margin
            .is_some_and(|margin| margin < 1e-5 * form.scale)
        {
            continue;
        }
        let Some(exact) = &outcome.hypergradient else {
            return Err("a sampled point has no hypergradient in f64".into());
        };
        let l1 = exact
            .l1
            .as_ref()
            .and_then(|l1| l1.value())
            .unwrap_or(f64::NAN);
        let exact = [l1, exact.l2_value().unwrap_or(f64::NAN)];
        let found = [f64::from(solved.l1[at]), f64::from(solved.l2[at])];
        let squares: f64 = found.into_iter().zip(exact).map(distance).sum();
        let error = (squares / exact.iter().map(|g| g * g).sum::<f64>()).sqrt();
        hypergradient = if error > hypergradient || error.is_nan() {
            error
        } else {
            hypergradient
        };
        compared += 1;
    }
    if 2 * compared < chosen.len() {
        return Err(format!(
            "only {compared} of {} points could be compared",
            chosen.len()
        )
        .into());
    }
    Ok([solution, hypergradient, compared as f64])
}

/// Problems of one batch: what fits an arena of the device, some sixty arrays of d entries each.
fn capacity(gpu: &Gpu, d: usize) -> usize {
    (gpu.buffer_limit() / (4 * 60 * d as u64 + 512)).max(1) as usize
}

/// Solves all points in as many batches as they need, twice where that is quick (the first run
/// compiles programs), checks a sample, and returns what was timed.
fn timed(
    gpu: &std::sync::Arc<Gpu>,
    form: &Form,
    count: usize,
) -> Checked<(Timed, serde_json::Value)> {
    let d = form.problem.coordinates();
    let points = form.points(count);
    let device = Device::Gpu(std::sync::Arc::clone(gpu));
    let batches = count.div_ceil(capacity(gpu, d));
    let run = || -> Checked<(f64, Solved)> {
        let start = Instant::now();
        let mut all: Option<Solved> = None;
        for batch in points.chunks(count.div_ceil(batches)) {
            let solved = solve(&device, form, batch)?;
            match &mut all {
                None => all = Some(solved),
                Some(all) => {
                    all.w.extend(solved.w);
                    all.l1.extend(solved.l1);
                    all.l2.extend(solved.l2);
                    all.not_converged += solved.not_converged;
                    all.most_steps = all.most_steps.max(solved.most_steps);
                    all.most_linear_steps = all.most_linear_steps.max(solved.most_linear_steps);
                }
            }
        }
        let solved = all.ok_or("there are no points")?;
        Ok((start.elapsed().as_secs_f64(), solved))
    };
    gpu.start_clock();
    let (first, mut solved) = run()?;
    let mut work = gpu.stop_clock()?;
    let mut seconds = first;
    let warm = first < 20.0;
    if warm {
        gpu.start_clock();
        (seconds, solved) = run()?;
        work = gpu.stop_clock()?;
    }
    let [solution, hypergradient, compared] = errors(form, &points, &solved, 12)?;
    if solved.not_converged > 0 || !(solution <= SOLUTION && hypergradient <= HYPERGRADIENT) {
        let what = format!(
            "d = {d}, B = {count}: {} not converged, solution {solution:.1e}, hypergradient {hypergradient:.1e}",
            solved.not_converged
        );
        return Err(what.into());
    }
    let note = format!(
        "{}steps {}+{}, errors {solution:.0e} and {hypergradient:.0e}{}",
        if warm { "" } else { "cold; " },
        solved.most_steps,
        solved.most_linear_steps,
        if batches > 1 {
            format!(", {batches} batches")
        } else {
            String::new()
        }
    );
    let facts = json!({
        "d": d, "batches": batches, "first_run_seconds": first,
        "most_steps": solved.most_steps, "most_linear_steps": solved.most_linear_steps,
        "solution_error": solution, "hypergradient_error": hypergradient,
        "compared": compared,
    });
    let timed = Timed {
        name: format!("d = {d}, B = {count}"),
        problems: count,
        seconds,
        work,
        note,
    };
    Ok((timed, facts))
}

fn name_of(regime: Regime) -> &'static str {
    match regime {
        Regime::Auto => "auto",
        Regime::Matrix => "matrix",
        Regime::Resident => "resident",
    }
}

/// Problems per second with hypergradients, for sizes and batches, in one regime.
pub fn grid(
    summary: &AdapterSummary,
    regime: Regime,
    size: Size,
    longest: f64,
    report: &mut Report,
) -> Checked<()> {
    report.section(&format!(
        "Elastic nets with hypergradients, {} regime",
        name_of(regime)
    ));
    let section = name_of(regime);
    let dimensions = size.pick(&[24, 33][..], &[64, 256][..], &[64, 256, 1024, 4096][..]);
    let batches = size.pick(&[5, 40][..], &[64, 1024][..], &[64, 1024, 16_384][..]);
    for &d in dimensions {
        let form = Form::new(d)?;
        // A device for each size: what the last one pooled is given back.
        let gpu = open(summary, regime)?;
        for &count in batches {
            let name = format!("d = {d}, B = {count}");
            // Some 300 products; the resident regime reads the form from cache at a tenth of the
            // product's best rate.
            let rate = report.best_flops * if regime == Regime::Matrix { 0.3 } else { 0.05 };
            let estimate = 300.0 * 2.0 * (d * d * count) as f64 / rate;
            if estimate > longest {
                let why = format!("an estimate of {estimate:.0} s is past --longest {longest:.0}");
                report.skipped(section, &name, &why);
                continue;
            }
            let (timed, facts) = match timed(&gpu, &form, count) {
                Ok(measured) => measured,
                Err(error) => {
                    // A device that fails one size may be asked for the next; a wrong result may not.
                    match error.downcast_ref::<proxdiff::Error>() {
                        Some(fault) if fault.device_fault().is_some() => {
                            report.skipped(section, &name, &fault.to_string());
                            break;
                        }
                        _ => return Err(error),
                    }
                }
            };
            if regime == Regime::Resident && timed.work.resident == 0 {
                let why = "the replays are too long for one dispatch of this driver";
                report.skipped(section, &name, why);
                continue;
            }
            report.problems(section, &timed, facts);
        }
    }
    Ok(())
}

/// A million problems of d = 100, in both regimes.
pub fn million(summary: &AdapterSummary, size: Size, report: &mut Report) -> Checked<()> {
    let count = size.pick(100, 2000, 1_000_000);
    report.section(&format!(
        "{count} elastic nets of d = 100 in Gram form, solutions and hypergradients on the host"
    ));
    let form = Form::new(100)?;
    for regime in [Regime::Matrix, Regime::Resident] {
        let gpu = open(summary, regime)?;
        let (mut timed, facts) = timed(&gpu, &form, count)?;
        timed.name = format!("{}, B = {count}", name_of(regime));
        report.problems("million", &timed, facts);
    }

    // Through the library's entrance, which also diagnoses every point in f64 on the CPU.
    let gpu = open(summary, Regime::Auto)?;
    let points = form.points(count.min(100_000));
    let settings = Settings::default()
        .solver(Solver::Fista)
        .tolerance(2e-6)
        .device(Device::Gpu(std::sync::Arc::clone(&gpu)));
    let (precision, control) = (Precision::F32, Control::new());
    gpu.start_clock();
    let start = Instant::now();
    let outcomes = Evaluator::new(&form.problem)
        .settings(&settings)
        .precision(precision)
        .control(&control)
        .run(&points)?;
    let seconds = start.elapsed().as_secs_f64();
    let work = gpu.stop_clock()?;
    let complete = |outcome: &&Outcome| outcome.hypergradient.is_some();
    let converged = |outcome: &&Outcome| outcome.status == Status::Converged;
    let good = outcomes.iter().filter(complete).filter(converged).count();
    if good < points.len() {
        return Err(format!("evaluate: {good} of {} points converged", points.len()).into());
    }
    let timed = Timed {
        name: format!("evaluate, B = {}", points.len()),
        problems: points.len(),
        seconds,
        work,
        note: "diagnosed in f64 on the CPU".to_owned(),
    };
    report.problems("evaluate", &timed, json!({ "d": 100 }));
    Ok(())
}
