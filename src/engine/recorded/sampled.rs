//! Stochastic implicit differentiation: NSID, and SID to compare it with.
//!
//! ```text
//! ū ← (1/J) Σ_j T̂(w, ξ_j) ,  D ← ∂₁G(ū) ,  v ← 0
//! v ← (1 − η_i) v + η_i ( ∂₁T̂(w, ξ'_i)ᵀ D v + ∂₁E )                                  NSID
//! ∂₂G(ū)ᵀv + [ (1/J) Σ_j ∂₂T̂(w, ξ_j) ]ᵀ D v                                          result
//! ```
//!
//! A minibatch's T̂ is affine in its rows, so that the averages over J minibatches are one pass with
//! the rows weighted by how often they were drawn. SID takes D at every minibatch's own u instead,
//! which is biased.

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Executor, Recording, Scope, Twinned};
use crate::iterate::Progress;
use crate::iterate::stochastic::{LinearState, Schedule, Streams, record_linear_step, run_steps};
use crate::kernel::sampled::ADVANCE;
use crate::kinds::{Method, Status};
use crate::map::minibatch::Draws;
use crate::map::operator::{per_problem, shared};
use crate::map::sampled_rows::SampledRows;
use crate::map::{FixedPointMap, ProxGrad};
use crate::problem::Point;

use super::batch::Batch;
use crate::engine::accumulator::Accumulator;
use crate::engine::settings::Settings;

/// Roundings of ∂₁E up to which a stochastic adjoint without a tolerance counts as exact.
const SAMPLED_ROUNDINGS: f64 = 1e3;

/// Minibatches whose rows travel to the device at once.
const RING: usize = 128;

/// A stochastic adjoint has no stop rule but its steps: it has converged where its residual with all
/// rows is within the tolerance, without one within rounding.
pub fn judge_sampled<R: Twinned>(
    progress: &[Progress],
    residuals: &[f64],
    settings: &Settings,
) -> Vec<Progress> {
    let rounding = SAMPLED_ROUNDINGS * <R as num_traits::Float>::epsilon().to_f64();
    let tolerance = settings.tolerance.unwrap_or(rounding);
    let judge = |(progress, &residual): (&Progress, &f64)| Progress {
        status: match progress.status {
            Status::Converged if residual <= tolerance => Status::Converged,
            Status::Converged => Status::BudgetSpent,
            other => other,
        },
        ..*progress
    };
    progress.iter().zip(residuals).map(judge).collect()
}

impl<R: Twinned> Batch<'_, R> {
    /// NSID or SID at the solution that w holds (linearised), with derivatives after each of the
    /// ascending numbers of steps in `checkpoints`. Every problem sees the same minibatches, or,
    /// with `seeds`, each those of its own seed. v is left in place.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) for decreasing steps without a contraction.
    pub fn solve_sampled(
        &mut self,
        settings: &Settings,
        seeds: Option<&[u64]>,
        checkpoints: &[usize],
        control: &Control,
    ) -> Result<(Vec<Progress>, Vec<Vec<Accumulator>>)> {
        let frozen = settings.method != Some(Method::Sid);
        let chosen = &settings.stochastic;
        let (n, problems) = (self.problem.train.rows(), self.points.len());
        let batch = chosen.batch.min(n);
        let last = checkpoints.last().copied().unwrap_or(0);
        let freezing = chosen.freeze.unwrap_or(last + 1);
        let streams = |stream: u64| {
            let draws = |&seed: &u64| Draws::new(seed, stream, n, batch, chosen.independent);
            Streams::new(seeds.unwrap_or(&[chosen.seed]).iter().map(draws).collect())
        };
        let (mut step_streams, mut freeze_streams) = (streams(0), streams(1));
        let sample = SampledRows::new(
            &mut self.workspace.executor,
            &self.workspace.map,
            batch,
            RING,
            step_streams.scope(),
        );
        let state = self.linear_state(settings)?;

        // ū and the averaged ∂₂T̂: one pass with the counts of J minibatches as weights.
        let Some(counts) = freeze_streams.counts(freezing, control) else {
            let spent = Progress {
                status: Status::BudgetSpent,
                steps: 0,
            };
            let nothing = vec![Accumulator::zeros(self.problem, &settings.wrt); problems];
            return Ok((vec![spent; problems], vec![nothing; checkpoints.len()]));
        };
        let averaged = self.averaged_map(&counts, (batch * freezing) as f64, problems);
        let mut prepare = Recording::new();
        averaged.linearize(&mut prepare, self.workspace.w);
        self.workspace.map.refresh(&mut prepare, self.workspace.w);
        prepare.fill(self.workspace.v, R::zero());
        self.workspace.executor.run(&prepare, 1)?;

        let mut step = Recording::new();
        record_linear_step(&mut step, &self.workspace.map, &sample, &state, frozen);
        let mut results = Vec::with_capacity(checkpoints.len());
        let mut taken = 0;
        for &checkpoint in checkpoints {
            taken += run_steps(
                &mut self.workspace.executor,
                &step,
                &sample,
                &mut step_streams,
                taken..checkpoint,
                control,
            )?;
            results.push(if frozen {
                self.averaged_derivative(&averaged)?
            } else {
                self.sampled_derivative(batch, freezing, &mut freeze_streams.clone(), control)?
            });
        }
        let v = self.workspace.executor.download(self.workspace.v)?;
        let progress = v
            .chunks_exact(self.workspace.map.coordinates)
            .map(|v| {
                let status = if v.iter().any(|v| !num_traits::Float::is_finite(*v)) {
                    Status::NonFinite
                } else if taken < last {
                    Status::BudgetSpent
                } else {
                    Status::Converged
                };
                Progress {
                    status,
                    steps: taken,
                }
            })
            .collect();
        Ok((progress, results))
    }

    /// Room and step schedules; β = m·2/(1 − q²), κ = shift·2/(1 − q²) with q of each point.
    fn linear_state(&mut self, settings: &Settings) -> Result<LinearState> {
        let factors = |point: &Point| {
            let q = self.members.step(point).contraction;
            let least = self.members.problem(point).ridge_range(point).least;
            settings.stochastic.schedule.factors(least, q)
        };
        let schedule: Vec<(f64, f64)> = self.points.iter().map(factors).collect::<Result<_>>()?;
        let (beta, kappa): (Vec<f64>, Vec<f64>) = schedule.into_iter().unzip();
        let p = self.workspace.map.coordinates;
        Ok(LinearState {
            w: self.workspace.w,
            criterion: self.workspace.criterion_gradient,
            v: self.workspace.v,
            dv: self.workspace.executor.allocate(Scope::PerProblem, p),
            next: self.workspace.next,
            schedule: Schedule {
                beta: per_problem(&mut self.workspace.executor, 1, &beta),
                kappa: per_problem(&mut self.workspace.executor, 1, &kappa),
                step: self.workspace.executor.allocate(Scope::PerProblem, 1),
            },
        })
    }

    /// The map with rows weighted by s_i·count_i/(J·batch).
    fn averaged_map(&mut self, counts: &[f64], total: f64, problems: usize) -> ProxGrad {
        let n = self.problem.train.rows();
        let unweighted: Vec<f64> = counts.iter().map(|count| count / total).collect();
        // The counts are shared, or those of every problem.
        let has_own_rows = self.points.iter().any(Point::has_own_rows);
        let scale: Vec<f64> = if has_own_rows || unweighted.len() > n {
            let of_point = |(at, point): (usize, &Point)| {
                let own = if unweighted.len() > n { at * n } else { 0 };
                let counts = &unweighted[own..own + n];
                let weights = &self.members.problem(point).train.weights;
                let scaled = counts.iter().zip(weights).map(|(u, s)| u * s);
                scaled.collect::<Vec<f64>>()
            };
            self.points.iter().enumerate().flat_map(of_point).collect()
        } else {
            let weights = &self.problem.train.weights;
            unweighted.iter().zip(weights).map(|(u, s)| u * s).collect()
        };
        let mut upload = |values: &[f64]| {
            if values.len() == n || problems == 1 {
                shared(&mut self.workspace.executor, values)
            } else {
                per_problem(&mut self.workspace.executor, n, values)
            }
        };
        let (scale, unweighted) = (upload(&scale), upload(&unweighted));
        self.workspace.map.with_row_scale(scale, unweighted)
    }

    /// NSID's derivative at the present v, D being frozen at ū.
    fn averaged_derivative(&mut self, averaged: &ProxGrad) -> Result<Vec<Accumulator>> {
        let mut recording = Recording::new();
        self.workspace
            .map
            .sums
            .iter()
            .for_each(|sum| recording.fill(sum, R::zero()));
        averaged.refresh(&mut recording, self.workspace.w);
        averaged.vjp_hyper(
            &mut recording,
            self.workspace.w,
            self.workspace.v,
            self.workspace.one,
        );
        self.workspace.map.refresh(&mut recording, self.workspace.w);
        self.workspace.executor.run(&recording, 1)?;
        self.sums()
    }

    /// SID's derivative at the present v: the average of every minibatch's own ∂₂Φ̂ᵀv.
    fn sampled_derivative(
        &mut self,
        batch: usize,
        freezing: usize,
        streams: &mut Streams,
        control: &Control,
    ) -> Result<Vec<Accumulator>> {
        let sample = SampledRows::new(
            &mut self.workspace.executor,
            &self.workspace.map,
            batch,
            RING,
            streams.scope(),
        );
        let factor = shared(&mut self.workspace.executor, &[(freezing as f64).recip()]);
        let mut clear = Recording::new();
        self.workspace
            .map
            .sums
            .iter()
            .for_each(|sum| clear.fill(sum, R::zero()));
        self.workspace.executor.run(&clear, 1)?;
        let mut recording = Recording::new();
        self.workspace.map.sampled_inner_step(
            &mut recording,
            &sample,
            self.workspace.w,
            self.workspace.map.u,
        );
        self.workspace
            .map
            .vjp_hyper(&mut recording, self.workspace.w, self.workspace.v, factor);
        recording.dispatch(&ADVANCE, &[], &[sample.minibatch.counter.into()], &[]);
        run_steps(
            &mut self.workspace.executor,
            &recording,
            &sample,
            streams,
            0..freezing,
            control,
        )?;
        self.sums()
    }
}
