//! The Picard iteration with a tangent: what forward ITD runs.

use super::{Iteration, Stop};
use crate::exec::{Buf, Executor, Recording, Scope, Source, Twinned};
use crate::kernel::step::{ACCUMULATE, COMBINE, DISTANCE, SELECT, WORSE_RATIO};
use crate::map::FixedPointMap;
use crate::map::operator::shared;

/// Picard with a tangent: w ← Φ(w), ẇ ← ∂₁Φẇ + ∂₂Φλ̇; both must converge.
#[derive(Debug)]
pub struct TangentPicard<'a, M> {
    map: &'a M,
    stop: &'a Stop,
    w: Buf,
    /// ẇ: zero at the start.
    pub tangent: Buf,
    next: Buf,
    next_tangent: Buf,
    source: Buf,
    w_scale: Buf,
    residual: [Buf; 2],
    scale: [Buf; 5],
    zero: Buf,
    one: Buf,
}

impl<'a, M> TangentPicard<'a, M> {
    /// The iteration of `map` from and into `w`, along the map's own tangents λ̇.
    ///
    /// Changes of w count relative to `w_scale` (1 per problem), those of ẇ relative to its size;
    /// `stop.scale` is therefore to be filled with ones.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &'a M,
        stop: &'a Stop,
        w: Buf,
        w_scale: Buf,
    ) -> Self
    where
        M: FixedPointMap<R>,
    {
        let p = map.coordinates();
        let zero = shared(executor, &vec![0.0; p]);
        let one = shared(executor, &[1.0]);
        let mut room = |rows: usize| executor.allocate(Scope::PerProblem, rows);
        Self {
            map,
            stop,
            w,
            tangent: room(p),
            next: room(p),
            next_tangent: room(p),
            source: room(p),
            w_scale,
            residual: [room(1), room(1)],
            scale: [room(1), room(1), room(1), room(1), room(1)],
            zero,
            one,
        }
    }

    /// The same iteration, from where it stands, under another stop rule.
    #[must_use]
    pub fn under(self, stop: &'a Stop) -> Self {
        Self { stop, ..self }
    }
}

impl<R: Twinned, M: FixedPointMap<R>> Iteration<R> for TangentPicard<'_, M> {
    fn step(&self, recording: &mut Recording<R>) {
        let (map, p) = (self.map, self.map.coordinates());
        let gamma = map.gamma();
        map.linearize(recording, self.w);
        map.jvp_w(recording, self.tangent, self.next_tangent);
        recording.fill(self.source, R::zero());
        map.jvp_hyper(recording, self.w, self.source);
        // The scale of a change of the tangent: (‖ẇ‖ + ‖∂₂Φλ̇‖)/γ, the largest so far. A tangent that
        // dies away, of a coordinate that left the support, would never be small beside itself.
        let [total, of_tangent, of_source, largest, larger] = self.scale;
        let distance = |recording: &mut Recording<R>, a: Buf, b: Buf, out: Buf| {
            recording.dispatch(
                &DISTANCE,
                &[a.into(), b.into(), gamma.into()],
                &[out.into()],
                &[p],
            );
        };
        distance(recording, self.source, self.zero, of_source);
        distance(recording, self.tangent, self.zero, of_tangent);
        let inputs = [of_tangent.into(), of_source.into(), self.one.into()];
        recording.dispatch(&COMBINE, &inputs, &[total.into()], &[1]);
        let inputs = [
            total.into(),
            self.one.into(),
            largest.into(),
            self.one.into(),
        ];
        recording.dispatch(&WORSE_RATIO, &inputs, &[larger.into()], &[]);
        recording.copy(larger, largest);
        // ∂₁Φẇ + ∂₂Φλ̇ in place of the source.
        let inputs = [self.next_tangent.into(), self.one.into()];
        recording.dispatch(&ACCUMULATE, &inputs, &[self.source.into()], &[p]);
        map.value(recording, self.next);
        distance(recording, self.next, self.w, self.residual[0]);
        distance(recording, self.source, self.tangent, self.residual[1]);
        recording.dispatch(
            &WORSE_RATIO,
            &[
                self.residual[0].into(),
                self.w_scale.into(),
                self.residual[1].into(),
                largest.into(),
            ],
            &[self.stop.residual.into()],
            &[],
        );
        let active = Source::from(self.stop.active);
        recording.dispatch(&SELECT, &[self.next.into(), active], &[self.w.into()], &[p]);
        recording.dispatch(
            &SELECT,
            &[self.source.into(), active],
            &[self.tangent.into()],
            &[p],
        );
        self.stop.record(recording);
    }
}
