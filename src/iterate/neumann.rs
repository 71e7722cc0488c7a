//! The adjoint by fixed-point iteration, v ← ∂₁Φᵀv + ∂₁E: the Neumann series of AID-FP.

use super::{Iteration, Stop};
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::step::{DISTANCE, SELECT};
use crate::map::FixedPointMap;
use crate::map::operator::shared;

/// v_{i+1} = ∂₁Φ(w)ᵀ v_i + ∂₁E at a fixed linearisation.
#[derive(Debug)]
pub struct Neumann<'a, M> {
    map: &'a M,
    stop: &'a Stop,
    criterion: Buf,
    v: Buf,
    next: Buf,
    one: Buf,
}

impl<'a, M> Neumann<'a, M> {
    /// The iteration with right-hand side `criterion` = ∂₁E, from and into `v`.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &'a M,
        stop: &'a Stop,
        criterion: Buf,
        v: Buf,
    ) -> Self
    where
        M: FixedPointMap<R>,
    {
        let next = executor.allocate(Scope::PerProblem, map.coordinates());
        Self {
            map,
            stop,
            criterion,
            v,
            next,
            one: shared(executor, &[1.0]),
        }
    }

    /// Records the measured residual ‖(I − ∂₁Φᵀ)v − ∂₁E‖ into `residual`.
    pub fn measure<R: Twinned>(&self, recording: &mut Recording<R>, residual: Buf)
    where
        M: FixedPointMap<R>,
    {
        self.map.vjp_w(recording, self.v, self.criterion, self.next);
        let inputs = [self.next.into(), self.v.into(), self.one.into()];
        recording.dispatch(
            &DISTANCE,
            &inputs,
            &[residual.into()],
            &[self.map.coordinates()],
        );
    }
}

impl<R: Twinned, M: FixedPointMap<R>> Iteration<R> for Neumann<'_, M> {
    fn step(&self, recording: &mut Recording<R>) {
        self.measure(recording, self.stop.residual);
        let (next, active) = (self.next.into(), self.stop.active.into());
        recording.dispatch(
            &SELECT,
            &[next, active],
            &[self.v.into()],
            &[self.map.coordinates()],
        );
        self.stop.record(recording);
    }
}
