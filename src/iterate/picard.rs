//! The Picard iteration w ← Φ(w): for proximal-gradient maps ISTA.

use super::{Iteration, Stop};
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::step::{DISTANCE, SELECT};
use crate::map::FixedPointMap;

/// w_{t+1} = Φ(w_t).
#[derive(Debug)]
pub struct Picard<'a, M> {
    map: &'a M,
    stop: &'a Stop,
    w: Buf,
    next: Buf,
}

impl<'a, M> Picard<'a, M> {
    /// The iteration of `map` from whatever is in `w`, which also holds the result.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &'a M,
        stop: &'a Stop,
        w: Buf,
    ) -> Self
    where
        M: FixedPointMap<R>,
    {
        let next = executor.allocate(Scope::PerProblem, map.coordinates());
        Self { map, stop, w, next }
    }
}

impl<R: Twinned, M: FixedPointMap<R>> Iteration<R> for Picard<'_, M> {
    fn step(&self, recording: &mut Recording<R>) {
        let p = self.map.coordinates();
        self.map.apply(recording, self.w, self.next);
        let inputs = [self.next.into(), self.w.into(), self.map.gamma().into()];
        recording.dispatch(&DISTANCE, &inputs, &[self.stop.residual.into()], &[p]);
        recording.dispatch(
            &SELECT,
            &[self.next.into(), self.stop.active.into()],
            &[self.w.into()],
            &[p],
        );
        self.stop.record(recording);
    }
}
