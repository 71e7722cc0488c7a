//! Runs of NSID and SID with draws of their own, and AID-FP as far as their samples reach.

use super::record::{Curve, CurveMethod};
use crate::control::Control;
use crate::error::Result;
use crate::hypergrad::minibatch::{At, Request, Sampling, minibatch};
use crate::hypergrad::{Hypergradient, MinibatchSteps};
use crate::kinds::Wrt;
use crate::problem::Problem;
use crate::real::Real;

/// Runs that differ in their seeds, looked at after the same numbers of steps.
pub(super) struct Runs<'a> {
    /// Run r has the seed `seed + r`.
    pub seed: u64,
    /// Number of runs.
    pub count: usize,
    /// Numbers of steps k, ascending.
    pub checkpoints: &'a [usize],
    /// The number of freezing minibatches J after k steps.
    pub freeze: fn(usize) -> usize,
}

impl Runs<'_> {
    /// Computes the errors of every run at every checkpoint.
    pub fn errors<R: Real>(
        &self,
        problem: &Problem,
        at: At<'_>,
        schedule: MinibatchSteps,
        sampling: &Sampling,
        control: &Control,
        error: &(impl Fn(usize, Hypergradient) -> f64 + Sync),
    ) -> Result<Vec<Vec<f64>>> {
        let request = |steps: usize, run: u64| Request {
            at: 0,
            seed: self.seed.wrapping_add(run),
            steps,
            freeze: (self.freeze)(steps),
            schedule,
        };
        let requests: Vec<Request> = self
            .checkpoints
            .iter()
            .flat_map(|&steps| (0..self.count as u64).map(move |run| request(steps, run)))
            .collect();
        let errors = minibatch::<R, f64>(problem, &[at], &requests, sampling, control, error)?;
        let of_checkpoints = errors.chunks(self.count.max(1));
        Ok(of_checkpoints.map(<[f64]>::to_vec).collect())
    }
}

/// True for the methods that freeze the outer derivative.
pub(super) fn is_frozen(method: CurveMethod) -> bool {
    !matches!(
        method,
        CurveMethod::SidConstant | CurveMethod::SidDecreasing
    )
}

/// AID-FP at the same w with all rows, as far as the samples of the others reach: NSID with the
/// full batch and η = 1.
pub(super) fn full_batches<R: Real>(
    problem: &Problem,
    at: At<'_>,
    xs: &[f64],
    control: &Control,
    error: &(impl Fn(usize, Hypergradient) -> f64 + Sync),
) -> Result<Curve> {
    let n = problem.train.rows();
    let most = xs.last().map_or(0.0, |x| x / n as f64) as usize;
    let mut steps: Vec<usize> = (0..most.min(20)).collect();
    steps.extend(
        (0..)
            .map(|at| 20.0 * 1.2f64.powi(at))
            .map(|k| k as usize)
            .take_while(|&k| k < most),
    );
    steps.push(most.saturating_sub(1));
    steps.sort_unstable();
    steps.dedup();
    let requests: Vec<Request> = steps
        .iter()
        .map(|&steps| Request {
            at: 0,
            seed: 0,
            steps,
            freeze: 1,
            schedule: MinibatchSteps::Constant { eta: 1.0 },
        })
        .collect();
    let wrt = if problem.perturbed_rows.is_empty() {
        vec![Wrt::L1, Wrt::L2]
    } else {
        vec![Wrt::Perturbation]
    };
    let sampling = Sampling {
        batch: n,
        independent: false,
        frozen: true,
        wrt,
    };
    let errors = minibatch::<R, f64>(problem, &[at], &requests, &sampling, control, error)?;
    let x = steps.iter().map(|k| ((k + 1) * n) as f64).collect();
    Ok(Curve::single(CurveMethod::AidFp, x, errors))
}
