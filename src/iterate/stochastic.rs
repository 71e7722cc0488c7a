//! Iterations that see the data through minibatches: NSID, SID, stochastic proximal gradient.
//!
//! Rows are drawn on the host, a block of steps at a time, into a ring that the recording walks;
//! a step touches nothing of the size of the data set.

use std::ops::Range;

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Twinned};
use crate::kernel::sampled::ADVANCE;
use crate::kernel::step::RELAX;
use crate::kernel::stop::SCHEDULE;
use crate::map::ProxGrad;
use crate::map::minibatch::Draws;
use crate::map::sampled_rows::SampledRows;

/// The row streams of a batch: one for all problems, or one for each.
#[derive(Debug, Clone)]
pub struct Streams {
    draws: Vec<Draws>,
}

impl Streams {
    /// Every problem sees the same minibatches (one stream), or each its own.
    #[must_use]
    pub fn new(draws: Vec<Draws>) -> Self {
        Self { draws }
    }

    /// The scope of buffers of row indices.
    #[must_use]
    pub fn scope(&self) -> crate::exec::Scope {
        if self.draws.len() == 1 {
            crate::exec::Scope::Shared
        } else {
            crate::exec::Scope::PerProblem
        }
    }

    /// Uploads the rows of the steps `first..first + ring` into the ring.
    fn upload<R: Twinned>(
        &mut self,
        executor: &mut dyn Executor<R>,
        sample: &SampledRows,
        first: usize,
        steps: usize,
    ) {
        let (batch, ring) = (sample.minibatch.batch, sample.minibatch.ring);
        let mut words = vec![0u32; self.draws.len() * ring * batch];
        for (stream, draws) in self.draws.iter_mut().enumerate() {
            for step in first..first + steps {
                let at = (stream * ring + step % ring) * batch;
                words[at..at + batch].copy_from_slice(draws.rows(step));
            }
        }
        executor.upload_words(sample.minibatch.rows, &words);
    }

    /// How often each row is drawn in the first `steps` steps, stream after stream; `None` when the
    /// control said stop before all were drawn.
    pub fn counts(&mut self, steps: usize, control: &Control) -> Option<Vec<f64>> {
        let mut all = Vec::new();
        for draws in &mut self.draws {
            all.extend(draws.counts(steps, || control.should_stop())?);
        }
        Some(all)
    }
}

/// Runs a range of steps of a recording whose rows come from `streams`; returns how many were taken
/// before the control said stop.
///
/// # Errors
/// When the executor fails.
pub fn run_steps<R: Twinned>(
    executor: &mut dyn Executor<R>,
    recording: &Recording<R>,
    sample: &SampledRows,
    streams: &mut Streams,
    steps: Range<usize>,
    control: &Control,
) -> Result<usize> {
    let mut next = steps.start;
    while next < steps.end && !control.should_stop() {
        let block = (steps.end - next).min(sample.minibatch.ring);
        streams.upload(executor, sample, next, block);
        executor.run(recording, block)?;
        next += block;
    }
    Ok(next - steps.start)
}

/// The buffers of a step schedule β/(κ + i), one number per problem each.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// β.
    pub beta: Buf,
    /// κ; negative for the constant step β.
    pub kappa: Buf,
    /// The step of the moment.
    pub step: Buf,
}

/// The buffers of a stochastic linear iteration.
#[derive(Debug, Clone, Copy)]
pub struct LinearState {
    /// w, where the map was linearised.
    pub w: Buf,
    /// ∂₁E.
    pub criterion: Buf,
    /// The iterate v.
    pub v: Buf,
    /// Room for Dv.
    pub dv: Buf,
    /// Room for the estimate of ∂₁Φᵀv + ∂₁E.
    pub next: Buf,
    /// The schedule of η.
    pub schedule: Schedule,
}

/// Records one step of NSID, v ← (1 − η)v + η(∂₁T̂ᵀDv + ∂₁E) with D frozen at ū = `map.u`, or of
/// SID, which takes D anew at each minibatch's own u.
pub fn record_linear_step<R: Twinned>(
    recording: &mut Recording<R>,
    map: &ProxGrad,
    sample: &SampledRows,
    state: &LinearState,
    frozen: bool,
) {
    let p = map.coordinates;
    if !frozen {
        map.sampled_inner_step(recording, sample, state.w, map.u);
    }
    map.prox_derivative(recording, state.v, state.dv);
    map.sampled_adjoint_step(recording, sample, state.dv, state.criterion, state.next);
    record_schedule(recording, sample, &state.schedule);
    recording.dispatch(
        &RELAX,
        &[state.next.into(), state.schedule.step.into()],
        &[state.v.into()],
        &[p],
    );
    recording.dispatch(&ADVANCE, &[], &[sample.minibatch.counter.into()], &[]);
}

/// Records η = β/(κ + i).
fn record_schedule<R: Twinned>(
    recording: &mut Recording<R>,
    sample: &SampledRows,
    schedule: &Schedule,
) {
    let Schedule { beta, kappa, step } = *schedule;
    let inputs = [beta.into(), kappa.into(), sample.minibatch.counter.into()];
    recording.dispatch(&SCHEDULE, &inputs, &[step.into()], &[]);
}

/// Records one step of the stochastic proximal gradient, w ← prox_{γ_t}(w − γ_t(ĝ + λ₂(w − c))).
pub fn record_proximal_step<R: Twinned>(
    recording: &mut Recording<R>,
    map: &ProxGrad,
    sample: &SampledRows,
    w: Buf,
    schedule: &Schedule,
) {
    let gamma = schedule.step;
    record_schedule(recording, sample, schedule);
    map.sampled_gradient(recording, sample, w, map.gradient);
    map.gradient_step(recording, w, map.gradient, gamma, map.u);
    map.prox(recording, map.u, gamma, w);
    recording.dispatch(&ADVANCE, &[], &[sample.minibatch.counter.into()], &[]);
}
