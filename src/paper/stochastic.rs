//! The stochastic experiment: the error of NSID and SID against the samples that they use.
//!
//! w is the exact solution. After k steps and J = k + 1 freezing minibatches of b rows, (k + J)·b
//! samples have been used; AID-FP with all n rows has used (k + 1)·n after k products.

use std::time::Instant;

use super::exact::{exact, strengths};
use super::record::{Curve, CurveMethod, Record, Setting, normalized_error};
use super::runs::{Runs, full_batches, is_frozen};
use super::synthetic::Synthetic;
use crate::control::Control;
use crate::error::Result;
use crate::hypergrad::minibatch::{At, Sampling};
use crate::hypergrad::{
    Hypergradient, MinibatchSteps, Settings, StochasticSettings, sampled_curve,
};
use crate::kinds::{Method, Precision, Wrt};
use crate::linalg::vector::norm;
use crate::map::spectrum::Spectrum;
use crate::problem::{Point, Problem};

/// Options of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of the design; the draws of run r have the seed `seed + r`.
    pub seed: u64,
    /// Number of runs with draws of their own.
    pub runs: usize,
    /// Samples in all, of which 20 % train.
    pub samples: usize,
    /// Rows in a minibatch.
    pub batch: usize,
    /// Numbers of steps k after which the error is taken, ascending.
    pub checkpoints: Vec<usize>,
    /// Draw minibatches independently instead of without replacement within an epoch.
    pub independent: bool,
    /// The methods with minibatches.
    pub methods: Vec<CurveMethod>,
    /// Multiplier m and shift of the decreasing steps η_i = m·u/(shift·u + i), u = 2/(1 − q²); the
    /// constant step is their first.
    pub multiplier: f64,
    /// See [`Options::multiplier`].
    pub shift: f64,
    /// The strengths.
    pub point: Point,
    /// Settings of the recordings to compute NSID and SID with, which run on any device, in place of
    /// the fast path of the CPU (default). Method, strengths and minibatches are set from here.
    pub recorded: Option<Settings>,
}

impl Default for Options {
    /// The published sizes, strengths and steps, 10 runs.
    fn default() -> Self {
        Self {
            seed: 0,
            runs: 10,
            samples: 50_000,
            batch: 100,
            checkpoints: checkpoints(8000),
            independent: false,
            methods: METHODS.to_vec(),
            multiplier: 0.5,
            shift: 2.0,
            point: Point::new(0.1, 0.01),
            recorded: None,
        }
    }
}

/// The methods with minibatches.
pub const METHODS: [CurveMethod; 4] = [
    CurveMethod::NsidDecreasing,
    CurveMethod::NsidConstant,
    CurveMethod::SidDecreasing,
    CurveMethod::SidConstant,
];

/// Eight numbers of steps per factor of ten, from 10 to `last`.
#[must_use]
pub fn checkpoints(last: usize) -> Vec<usize> {
    let mut steps: Vec<usize> = (8..)
        .map(|at| 10f64.powf(f64::from(at) / 8.0).round() as usize)
        .take_while(|&k| k < last)
        .collect();
    steps.push(last);
    steps
}

/// The step schedule of a method.
pub(super) fn schedule(method: CurveMethod, multiplier: f64, shift: f64) -> MinibatchSteps {
    match method {
        CurveMethod::NsidConstant | CurveMethod::SidConstant => MinibatchSteps::Constant {
            eta: multiplier / shift,
        },
        _ => MinibatchSteps::Decreasing { multiplier, shift },
    }
}

/// Runs the experiment in the caller's thread pool. `control` counts finished hypergradients:
/// runs × checkpoints × methods.
///
/// # Errors
/// [`crate::Error::Value`] for sizes that are too small, [`crate::Error::Interrupted`] when `control` stops,
/// [`crate::Error::Unsupported`] where there is no exact hypergradient.
pub fn run(options: &Options, precision: Precision, control: &Control) -> Result<Record> {
    let start = Instant::now();
    let problem = Synthetic {
        samples: options.samples,
        noise: 0.01,
        correlated: true,
        seed: options.seed,
    }
    .problem()?;
    let setting = match precision {
        Precision::F64 => setting::<f64>(&problem, options, control)?,
        Precision::F32 => setting::<f32>(&problem, options, control)?,
    };
    let draws = if options.independent {
        "independent draws"
    } else {
        "without replacement within an epoch"
    };
    Ok(Record {
        schema: Record::SCHEMA,
        experiment: "stochastic",
        design: format!(
            "elastic net, {} × {} correlated training rows, minibatches of {} {draws}, {} runs",
            problem.train.rows(),
            problem.train.design.columns(),
            options.batch,
            options.runs
        ),
        seed: Some(options.seed),
        x: "samples used",
        precision: precision.name(),
        device: "cpu".into(),
        seconds: start.elapsed().as_secs_f64(),
        notes: Vec::new(),
        settings: vec![setting],
    })
}

fn setting<R: crate::real::Real>(
    problem: &Problem,
    options: &Options,
    control: &Control,
) -> Result<Setting> {
    // Runs are counted, not what they are compared with.
    let part = control.of_a_part();
    let point = &options.point;
    let exact = exact(problem, point, &part)?;
    let at = At {
        point,
        w: &exact.outcome.solution,
        step: Spectrum::of(problem).step(point.l2),
    };
    let error =
        |_: usize, found: Hypergradient| normalized_error(&strengths(&found), &exact.strengths);
    let batch = options.batch.min(problem.train.rows());
    let xs: Vec<f64> = options
        .checkpoints
        .iter()
        .map(|k| ((2 * k + 1) * batch) as f64)
        .collect();

    let runs = Runs {
        seed: options.seed,
        count: options.runs,
        checkpoints: &options.checkpoints,
        freeze: |steps| steps + 1,
    };
    let mut curves = vec![full_batches::<R>(problem, at, &xs, &part, &error)?];
    for &method in &options.methods {
        let schedule = schedule(method, options.multiplier, options.shift);
        if let Some(settings) = &options.recorded {
            let errors = recorded(
                problem, options, method, schedule, settings, control, &error,
            )?;
            curves.push(Curve::over_seeds(method, xs.clone(), &errors));
            continue;
        }
        let sampling = Sampling {
            batch,
            independent: options.independent,
            frozen: is_frozen(method),
            wrt: vec![Wrt::L1, Wrt::L2],
        };
        let errors = runs.errors::<R>(problem, at, schedule, &sampling, control, &error)?;
        curves.push(Curve::over_seeds(method, xs.clone(), &errors));
    }
    Ok(Setting {
        l1: point.l1,
        l2: point.l2,
        support_identified_at: None,
        support: exact.outcome.support,
        coordinates: problem.coordinates(),
        step: at.step.gamma,
        contraction: at.step.contraction,
        hypergradient_norm: norm(&exact.strengths),
        curves,
    })
}

/// The errors of every run at every checkpoint, by recordings.
fn recorded(
    problem: &Problem,
    options: &Options,
    method: CurveMethod,
    schedule: MinibatchSteps,
    settings: &Settings,
    control: &Control,
    error: &(impl Fn(usize, Hypergradient) -> f64 + Sync),
) -> Result<Vec<Vec<f64>>> {
    let seeds: Vec<u64> = (0..options.runs as u64)
        .map(|run| options.seed.wrapping_add(run))
        .collect();
    let at_checkpoint = |&steps: &usize| {
        let settings = Settings {
            method: Some(if is_frozen(method) {
                Method::Nsid
            } else {
                Method::Sid
            }),
            wrt: vec![Wrt::L1, Wrt::L2],
            stochastic: StochasticSettings {
                batch: options.batch.min(problem.train.rows()),
                seed: options.seed,
                steps,
                freeze: Some(steps + 1),
                independent: options.independent,
                schedule,
            },
            ..settings.clone()
        };
        let found = sampled_curve(
            problem,
            &options.point,
            &seeds,
            &[steps],
            &settings,
            control,
        )?;
        control.report_finished(seeds.len());
        Ok(found.into_iter().flatten().map(|h| error(0, h)).collect())
    };
    options.checkpoints.iter().map(at_checkpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_ascend_to_the_last() {
        let steps = checkpoints(8000);
        assert_eq!(
            (steps[0], steps[8], *steps.last().unwrap()),
            (10, 100, 8000)
        );
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(checkpoints(1), [1]);
    }
}
