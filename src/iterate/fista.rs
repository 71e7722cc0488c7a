//! FISTA: the accelerated proximal gradient (Beck and Teboulle 2009) with adaptive restart
//! (O'Donoghue and Candès 2015). Its step is 1/(L + λ₂), which acceleration needs.

use super::{Iteration, Stop};
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::step::DISTANCE;
use crate::kernel::stop::MOMENTUM;
use crate::map::ProxGrad;

/// w_{t+1} = prox(y_t − γ∇(y_t)), y_{t+1} = w_{t+1} + momentum.
#[derive(Debug)]
pub struct Fista<'a> {
    map: &'a ProxGrad,
    stop: &'a Stop,
    gamma: Buf,
    y: Buf,
    w: Buf,
    old: Buf,
    t: Buf,
}

impl<'a> Fista<'a> {
    /// The iteration from what `start` holds (p per problem), with the step `gamma` per problem.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &'a ProxGrad,
        stop: &'a Stop,
        gamma: Buf,
        start: Buf,
    ) -> Result<Self> {
        let mut room = || executor.allocate(Scope::PerProblem, map.coordinates);
        let (y, w, old) = (room(), room(), room());
        let t = executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        recording.copy(start, y);
        recording.copy(start, old);
        recording.fill(t, R::one());
        executor.run(&recording, 1)?;
        Ok(Self {
            map,
            stop,
            gamma,
            y,
            w,
            old,
            t,
        })
    }

    /// The buffer of the result.
    #[must_use]
    pub fn result(&self) -> Buf {
        self.old
    }
}

impl<R: Twinned> Iteration<R> for Fista<'_> {
    fn step(&self, recording: &mut Recording<R>) {
        let map = self.map;
        map.rows
            .gradient(recording, self.y, map.rows.scale, map.gradient);
        map.gradient_step(recording, self.y, map.gradient, self.gamma, map.u);
        map.prox(recording, map.u, self.gamma, self.w);
        let inputs = [self.w.into(), self.y.into(), self.gamma.into()];
        recording.dispatch(
            &DISTANCE,
            &inputs,
            &[self.stop.residual.into()],
            &[map.coordinates],
        );
        recording.dispatch(
            &MOMENTUM,
            &[self.w.into(), self.stop.active.into()],
            &[self.y.into(), self.old.into(), self.t.into()],
            &[map.coordinates],
        );
        self.stop.record(recording);
    }
}
