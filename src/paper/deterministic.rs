//! The deterministic experiment: how fast the error of a hypergradient falls with the step t.
//!
//! At step t, AID linearises at w_t and takes t products; ITD differentiates the t steps. The error
//! is relative to the hypergradient at the solution, by Cholesky on the support.

use std::time::Instant;

use rayon::prelude::*;

use super::exact::{exact, strengths};
use super::plain_cg::GramForm;
use super::record::{Curve, CurveMethod, Record, Setting, normalized_error};
use super::synthetic::{Synthetic, problem_of};
use crate::control::Control;
use crate::data::embedded;
use crate::error::Result;
use crate::hypergrad::{Settings, curve, iterates};
use crate::kinds::{Method, Precision};
use crate::linalg::vector::norm;
use crate::map::spectrum::Spectrum;
use crate::problem::{Point, Problem};

/// Options of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The seed of a new design; `None` takes the published one.
    pub seed: Option<u64>,
    /// The strengths, each with its steps t, which ascend.
    pub settings: Vec<(Point, Vec<usize>)>,
}

impl Default for Options {
    /// The published strengths: (0.02, 0.002) with every t to 500, (0.002, 0.002) with every fifth
    /// to 1000.
    fn default() -> Self {
        let point = |l1: f64| Point::new(l1, 0.002);
        Self {
            seed: None,
            settings: vec![
                (point(0.02), (0..=500).collect()),
                (point(0.002), (0..=1000).step_by(5).collect()),
            ],
        }
    }
}

/// The methods, in the order of their curves.
pub const METHODS: [CurveMethod; 4] = [
    CurveMethod::Itd,
    CurveMethod::AidFp,
    CurveMethod::AidCg,
    CurveMethod::CgPlain,
];

/// The problem: the published design, or one drawn like it.
///
/// # Errors
/// None in practice; those of [`Problem::new`].
pub fn problem(seed: Option<u64>) -> Result<Problem> {
    match seed {
        None => {
            let embedded::Halves { x, y, x_val, y_val } = embedded::published_design();
            problem_of((x, y), (x_val, y_val))
        }
        Some(seed) => Synthetic {
            samples: 500,
            noise: 0.1,
            correlated: false,
            seed,
        }
        .problem(),
    }
}

/// Runs the experiment in f64 on the CPU, in the caller's thread pool. `control` counts finished
/// curves.
///
/// # Errors
/// [`crate::Error::Value`] for steps that do not ascend, [`crate::Error::Interrupted`] when `control` stops,
/// [`crate::Error::Unsupported`] where there is no exact hypergradient.
pub fn run(options: &Options, control: &Control) -> Result<Record> {
    let start = Instant::now();
    let problem = problem(options.seed)?;
    let settings = options
        .settings
        .par_iter()
        .map(|(point, steps)| setting(&problem, point, steps, control))
        .collect::<Result<Vec<Setting>>>()?;
    let source = match options.seed {
        None => "the published design".to_string(),
        Some(seed) => format!("a design drawn like the published one, seed {seed}"),
    };
    Ok(Record {
        schema: Record::SCHEMA,
        experiment: "deterministic",
        design: format!(
            "elastic net, {} × {} training rows, {source}",
            problem.train.rows(),
            problem.train.design.columns()
        ),
        seed: options.seed,
        x: "steps t",
        precision: Precision::F64.name(),
        device: "cpu".into(),
        seconds: start.elapsed().as_secs_f64(),
        notes: Vec::new(),
        settings,
    })
}

fn setting(problem: &Problem, point: &Point, steps: &[usize], whole: &Control) -> Result<Setting> {
    // Curves are counted, not what they consist of.
    let control = &whole.of_a_part();
    let exact = exact(problem, point, control)?;
    let last = steps.last().copied().unwrap_or(0);
    let path = iterates(problem, point, last, control)?;
    let spectrum = Spectrum::of(problem);
    let error = |found: &[f64]| normalized_error(found, &exact.strengths);
    let curves = METHODS
        .into_par_iter()
        .map(|method| {
            let errors = match method {
                CurveMethod::CgPlain => {
                    let form = GramForm::new(problem)?;
                    steps
                        .par_iter()
                        .map(|&t| {
                            error(&form.hypergradient(problem, point, &spectrum, &path[t], t))
                        })
                        .collect()
                }
                _ => {
                    let settings = Settings {
                        method: Some(library_method(method)),
                        ..Settings::default()
                    };
                    curve(problem, point, steps, &settings, control)?
                        .iter()
                        .map(|at| error(&strengths(&at.hypergradient)))
                        .collect()
                }
            };
            whole.report_finished(1);
            let x = steps.iter().map(|&t| t as f64).collect();
            Ok(Curve::single(method, x, errors))
        })
        .collect::<Result<Vec<Curve>>>()?;
    let step = spectrum.step(point.l2);
    Ok(Setting {
        l1: point.l1,
        l2: point.l2,
        support_identified_at: identified_at(&path, &exact.outcome.solution),
        support: exact.outcome.support,
        coordinates: problem.coordinates(),
        step: step.gamma,
        contraction: step.contraction,
        hypergradient_norm: norm(&exact.strengths),
        curves,
    })
}

fn library_method(method: CurveMethod) -> Method {
    match method {
        CurveMethod::Itd => Method::ItdForward,
        CurveMethod::AidFp => Method::AidFp,
        _ => Method::AidCg,
    }
}

/// The first t such that every w_s, s ≥ t, has the solution's support.
fn identified_at(path: &[Vec<f64>], solution: &[f64]) -> Option<usize> {
    let same = |w: &Vec<f64>| {
        w.iter()
            .zip(solution)
            .all(|(a, b)| (*a != 0.0) == (*b != 0.0))
    };
    let before = path.iter().rposition(|w| !same(w)).map_or(0, |at| at + 1);
    (before < path.len()).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_support_is_identified_when_it_stays() {
        let path = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [2.0, 0.0]].map(Vec::from);
        assert_eq!(identified_at(&path, &[3.0, 0.0]), Some(3));
        assert_eq!(identified_at(&path, &[3.0, 1.0]), None);
        assert_eq!(identified_at(&path[4..], &[3.0, 0.0]), Some(0));
    }
}
