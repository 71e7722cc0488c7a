//! The walk back through a trajectory of the Picard iteration: what reverse ITD runs.

use crate::exec::{Buf, Executor, Recording, Scope, Twinned, WordBuf};
use crate::iterate::Progress;
use crate::kernel::sampled::ADVANCE;
use crate::kernel::step::SELECT;
use crate::kernel::trace::{
    MASKED_COPY, PIECE_STORE, PIECE_VJP, RETREAT, RING_LOAD, RING_STORE, WINDOW,
};
use crate::map::{FixedPointMap, ProxGrad};

/// Steps of a segment of reverse ITD: the room for a trajectory on the device.
pub const SEGMENT: usize = 128;

/// Records the pieces on which u lies.
pub fn record_pieces<R: Twinned>(
    recording: &mut Recording<R>,
    map: &ProxGrad,
    counter: WordBuf,
    ring: WordBuf,
) {
    let [_, penalized, penalty] = map.penalty_size();
    let mut inputs = map.penalty_bindings(map.u, map.gamma)[..5].to_vec();
    inputs.push(counter.into());
    recording.dispatch(
        &PIECE_STORE,
        &inputs,
        &[ring.into()],
        &[penalized, SEGMENT, penalty],
    );
}

/// The walk back: which steps count for which problem.
pub struct Backwards {
    /// The number of the step.
    pub counter: WordBuf,
    first: WordBuf,
    last: WordBuf,
    inside: WordBuf,
    masked: Buf,
    previous: Buf,
    y: Buf,
    hessian: Buf,
}

impl Backwards {
    /// The walk back from every problem's last step, `counter` being the step; through the last
    /// `truncate` steps only where that is set.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        p: usize,
        progress: &[Progress],
        truncate: Option<usize>,
        counter: WordBuf,
    ) -> Self {
        let last: Vec<u32> = progress
            .iter()
            .map(|progress| progress.steps as u32)
            .collect();
        let first: Vec<u32> = last
            .iter()
            .map(|&last| truncate.map_or(0, |steps| last.saturating_sub(steps as u32)))
            .collect();
        let mut words = || executor.allocate_words(Scope::PerProblem, 1);
        let window = Self {
            counter,
            first: words(),
            last: words(),
            inside: words(),
            masked: executor.allocate(Scope::PerProblem, p),
            previous: executor.allocate(Scope::PerProblem, p),
            y: executor.allocate(Scope::PerProblem, p),
            hessian: executor.allocate(Scope::PerProblem, p),
        };
        executor.upload_words(window.first, &first);
        executor.upload_words(window.last, &last);
        window
    }

    /// Sets the step of every problem.
    pub fn set_counter<R: Twinned>(&self, executor: &mut dyn Executor<R>, step: usize) {
        let words = vec![step as u32; executor.problems()];
        executor.upload_words(self.counter, &words);
    }

    /// Records the step back in time and α where it counts.
    fn begin<R: Twinned>(&self, recording: &mut Recording<R>, alpha: Buf, p: usize) {
        recording.dispatch(&RETREAT, &[], &[self.counter.into()], &[]);
        let inputs = [self.first.into(), self.last.into(), self.counter.into()];
        recording.dispatch(&WINDOW, &inputs, &[self.inside.into()], &[]);
        recording.dispatch(
            &MASKED_COPY,
            &[alpha.into(), self.inside.into()],
            &[self.masked.into()],
            &[p],
        );
    }

    /// Records α ← the previous one where it counts.
    fn end<R: Twinned>(&self, recording: &mut Recording<R>, alpha: Buf, p: usize) {
        recording.dispatch(
            &SELECT,
            &[self.previous.into(), self.inside.into()],
            &[alpha.into()],
            &[p],
        );
    }

    /// Records a step back of α, from the pieces in `ring`.
    pub fn record_pieces<R: Twinned>(
        &self,
        recording: &mut Recording<R>,
        map: &ProxGrad,
        alpha: Buf,
        ring: WordBuf,
    ) {
        let [p, penalized, tag] = map.penalty_size();
        // A box has no strengths, and its bounds are summed; other penalties have no bounds.
        let out = map.sums.bounds.or(map.sums.strengths);
        self.begin(recording, alpha, p);
        if let Some(out) = out {
            recording.dispatch(
                &PIECE_VJP,
                &[
                    ring.into(),
                    self.masked.into(),
                    map.gamma.into(),
                    self.counter.into(),
                ],
                &[self.y.into(), out.into()],
                &[p, penalized, SEGMENT, tag],
            );
        }
        map.hessian_product(recording, self.y, self.hessian);
        map.hessian_step(recording, self.y, self.hessian, map.zero(), self.previous);
        self.end(recording, alpha, p);
    }

    /// Records a step back of α, from the iterates in `ring`.
    pub fn record_iterates<R: Twinned>(
        &self,
        recording: &mut Recording<R>,
        map: &impl FixedPointMap<R>,
        ring: Buf,
        adjoint: &Adjoint,
    ) {
        let p = map.coordinates();
        let &Adjoint {
            w,
            alpha,
            zero,
            one,
        } = adjoint;
        self.begin(recording, alpha, p);
        recording.dispatch(
            &RING_LOAD,
            &[ring.into(), self.counter.into()],
            &[w.into()],
            &[p, SEGMENT],
        );
        map.linearize(recording, w);
        map.vjp_hyper(recording, w, self.masked, one);
        map.vjp_w(recording, self.masked, zero, self.previous);
        self.end(recording, alpha, p);
    }
}

/// The buffers of an iterate and its step.
#[derive(Debug, Clone, Copy)]
pub struct Iterate {
    /// w.
    pub w: Buf,
    /// Scratch for Φ(w).
    pub next: Buf,
    /// The number of the step.
    pub counter: WordBuf,
}

/// The buffers between which the walk over iterates goes.
#[derive(Debug, Clone, Copy)]
pub struct Adjoint {
    /// Room for an iterate.
    pub w: Buf,
    /// α, ∂₁E at the start.
    pub alpha: Buf,
    /// Zeros, p of them.
    pub zero: Buf,
    /// 1.
    pub one: Buf,
}

/// Records how a segment of iterates is computed again: `ring` ← w, w ← Φ(w), with `next` as scratch.
pub fn record_replay<R: Twinned>(
    recording: &mut Recording<R>,
    map: &impl FixedPointMap<R>,
    iterate: &Iterate,
    ring: Buf,
) {
    let &Iterate { w, next, counter } = iterate;
    recording.dispatch(
        &RING_STORE,
        &[w.into(), counter.into()],
        &[ring.into()],
        &[map.coordinates(), SEGMENT],
    );
    map.apply(recording, w, next);
    recording.copy(next, w);
    recording.dispatch(&ADVANCE, &[], &[counter.into()], &[]);
}
