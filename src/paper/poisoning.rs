//! The poisoning experiment: NSID and SID for a perturbation of thousands of training pictures.
//!
//! Multinomial regression with the elastic net on pictures of digits, half of which train. 30 % of
//! the training rows, drawn without replacement, carry an additive perturbation P; the criterion is
//! minus the validation cross-entropy, and the hypergradient is that in P. γ is the published
//! 2/(L/10 + μ/10 + 2λ₂): a tenth of the extreme eigenvalues of XᵀX/n, the softmax being flat.

use std::time::Instant;

use super::digits::Digits;
use super::record::{Curve, CurveMethod, Record, Setting, normalized_error};
use super::runs::{Runs, full_batches, is_frozen};
use super::stochastic::checkpoints;
use crate::control::Control;
use crate::data::random::Random;
use crate::data::{Dense, Matrix, Scaling};
use crate::error::{Error, Result};
use crate::hypergrad::minibatch::{At, Sampling, row_derivatives};
use crate::hypergrad::{Hypergradient, MinibatchSteps};
use crate::kinds::{Precision, Status, Wrt};
use crate::linalg::vector::norm;
use crate::map::spectrum::{Spectrum, Step};
use crate::model::loss::Loss;
use crate::path::{self, PathSettings};
use crate::problem::{Perturbation, Point, Problem, Rows, Sign, Specification};
use crate::real::Real;

/// Options of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of split, perturbed rows and perturbation; the draws of run r have the seed `seed + r`.
    pub seed: u64,
    /// Number of runs with draws of their own.
    pub runs: usize,
    /// Share of the training rows that is perturbed.
    pub share: f64,
    /// The perturbation starts uniform on [0, start], in units of pixels scaled to [−1, 1].
    pub start: f64,
    /// Rows in a minibatch.
    pub batch: usize,
    /// Numbers of steps k, ascending; J = ⌈0.05 (k + 1)⌉.
    pub checkpoints: Vec<usize>,
    /// The methods with minibatches.
    pub methods: Vec<CurveMethod>,
    /// The decreasing steps are η_i = m·u/(shift·u + i), u = 2/(1 − q²).
    pub multiplier: f64,
    /// See [`Options::multiplier`]. The published shift, 0.001, makes the first step 2000.
    pub shift: f64,
    /// The constant step.
    pub constant: f64,
    /// The strengths.
    pub point: Point,
}

impl Default for Options {
    /// The published sizes, strengths and multiplier, with steps that are at most 1.
    fn default() -> Self {
        Self {
            seed: 0,
            runs: 3,
            share: 0.3,
            start: 0.1,
            batch: 300,
            checkpoints: checkpoints_to(20_000),
            methods: super::stochastic::METHODS.to_vec(),
            multiplier: 2.0,
            shift: 2.0,
            constant: 0.1,
            point: Point::new(0.02, 0.1),
        }
    }
}

/// Every other of the stochastic experiment's numbers of steps, to `last`.
#[must_use]
pub fn checkpoints_to(last: usize) -> Vec<usize> {
    let steps = checkpoints(last);
    let odd = steps.len() % 2;
    steps
        .into_iter()
        .enumerate()
        .filter(|(at, _)| at % 2 != odd)
        .map(|(_, k)| k)
        .collect()
}

/// J after k steps.
fn freeze(k: usize) -> usize {
    (k + 1).div_ceil(20)
}

/// The problem: half of the digits train, the others validate.
///
/// # Errors
/// [`Error::Value`] for fewer than 20 digits or a share that perturbs no row.
pub fn problem(digits: &Digits, options: &Options) -> Result<Problem> {
    let mut random = Random::new(options.seed, 11);
    let n = digits.len() / 2;
    let count = (options.share * n as f64).round() as usize;
    if n < 10 || count == 0 || count > n {
        return Err(Error::value(
            "poisoning",
            format!("{count} of {n} training rows"),
            "give at least 20 digits, and a share between 0 and 1",
        ));
    }
    let train = random.subset(digits.len(), n);
    let validation: Vec<usize> = (0..digits.len())
        .filter(|i| train.binary_search(i).is_err())
        .collect();
    let (train, validation) = (digits.select(&train), digits.select(&validation));
    let rows = random.subset(n, count);
    let d = train.pixels.columns;
    let values = (0..count * d)
        .map(|_| options.start * random.uniform())
        .collect();
    let mut specification = Specification::new(
        Loss::Multinomial,
        Matrix::Dense(train.pixels),
        vec![train.labels],
    );
    specification.classes = digits.classes;
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification.validation = Some(Rows {
        matrix: Matrix::Dense(validation.pixels),
        targets: vec![validation.labels],
        weights: None,
        offset: None,
    });
    specification.sign = Sign::Maximize;
    specification.perturbation = Some(Perturbation {
        rows,
        values: Dense::new(count, d, values)?,
    });
    Problem::new(specification)
}

/// The published step: a tenth of the eigenvalues of XᵀX/n in place of the Hessian's bounds.
#[must_use]
pub fn published_step(problem: &Problem, l2: f64) -> Step {
    let spectrum = Spectrum::of(problem);
    // infallible: the published attack is on the multinomial loss, whose curvature is bounded
    let tenth = 0.1 / problem.loss.curvature_bound().unwrap_or(1.0);
    Spectrum {
        largest: tenth * spectrum.largest,
        ..spectrum
    }
    .step(l2)
}

/// Runs the experiment in the caller's thread pool. `control` counts finished hypergradients: runs ×
/// checkpoints × methods.
///
/// # Errors
/// Those of [`problem`]; [`Error::Interrupted`] when `control` stops.
pub fn run(
    digits: &Digits,
    options: &Options,
    precision: Precision,
    control: &Control,
) -> Result<Record> {
    let start = Instant::now();
    let problem = problem(digits, options)?;
    let setting = match precision {
        Precision::F64 => setting::<f64>(&problem, options, control)?,
        Precision::F32 => setting::<f32>(&problem, options, control)?,
    };
    Ok(Record {
        schema: Record::SCHEMA,
        experiment: "poisoning",
        design: format!(
            "multinomial regression with the elastic net, {} × {} training pictures of {} classes, \
             {} of them perturbed; minibatches of {}, {} runs",
            problem.train.rows(),
            problem.train.design.columns(),
            problem.classes,
            problem.perturbed_rows.len(),
            options.batch,
            options.runs
        ),
        seed: Some(options.seed),
        x: "samples used",
        precision: precision.name(),
        device: "cpu".into(),
        seconds: start.elapsed().as_secs_f64(),
        notes: vec![format!(
            "Steps: decreasing with multiplier {} and shift {}, constant {}. The published shift of \
             0.001 makes the first step 2000, at which only one of the four methods stays finite in \
             single precision; these are at most 1.",
            options.multiplier, options.shift, options.constant
        )],
        settings: vec![setting],
    })
}

/// w and the exact hypergradient in P there.
fn exact(
    problem: &Problem,
    point: &Point,
    step: Step,
    control: &Control,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let settings = PathSettings {
        tolerance: None,
        max_steps: 100_000,
    };
    let points = std::slice::from_ref(point);
    let solution = path::solve::<f64>(problem, points, None, &settings, control)?.remove(0);
    if control.should_stop() {
        return Err(Error::Interrupted {
            what: "an experiment",
        });
    }
    if solution.status != Status::Converged {
        return Err(Error::unsupported(
            format!(
                "an experiment whose solution ended {}",
                solution.status.name()
            ),
            "choose larger strengths",
        ));
    }
    let at = At {
        point,
        w: &solution.w,
        step,
    };
    let z = crate::poison::adjoint(problem, at, control)?;
    let found = row_derivatives(problem, at, &z, &[Wrt::Perturbation])?;
    let truth = found.perturbation.unwrap_or_default();
    Ok((solution.w, truth))
}

fn setting<R: Real>(problem: &Problem, options: &Options, control: &Control) -> Result<Setting> {
    // Runs are counted, not what they are compared with.
    let part = control.of_a_part();
    let point = &options.point;
    let step = published_step(problem, point.l2);
    let (w, truth) = exact(problem, point, step, &part)?;
    let at = At { point, w: &w, step };
    let error = |_: usize, found: Hypergradient| {
        normalized_error(&found.perturbation.unwrap_or_default(), &truth)
    };
    let batch = options.batch.min(problem.train.rows());
    let steps = &options.checkpoints;
    let samples = |k: &usize| ((k + freeze(*k)) * batch) as f64;
    let xs: Vec<f64> = steps.iter().map(samples).collect();
    let runs = Runs {
        seed: options.seed,
        count: options.runs,
        checkpoints: steps,
        freeze,
    };
    let mut curves = vec![full_batches::<R>(problem, at, &xs, &part, &error)?];
    for &method in &options.methods {
        let schedule = match method {
            CurveMethod::NsidConstant | CurveMethod::SidConstant => MinibatchSteps::Constant {
                eta: options.constant,
            },
            _ => MinibatchSteps::Decreasing {
                multiplier: options.multiplier,
                shift: options.shift,
            },
        };
        let sampling = Sampling {
            batch,
            independent: false,
            frozen: is_frozen(method),
            wrt: vec![Wrt::Perturbation],
        };
        let errors = runs.errors::<R>(problem, at, schedule, &sampling, control, &error)?;
        curves.push(Curve::over_seeds(method, xs.clone(), &errors));
    }
    Ok(Setting {
        l1: point.l1,
        l2: point.l2,
        support_identified_at: None,
        support: w.iter().filter(|w| **w != 0.0).count(),
        coordinates: w.len(),
        step: step.gamma,
        contraction: step.contraction,
        hypergradient_norm: norm(&truth),
        curves,
    })
}
