//! The interface of fixed-point maps.

use crate::exec::{Buf, Recording, Twinned};

/// A parametric fixed-point map Φ(w, λ) that algorithms iterate and differentiate by recording.
///
/// [`linearize`](Self::linearize) freezes u = T(w), D and the curvature in the map's own buffers;
/// the four products then use them, as often as wanted. Outputs must not be inputs.
pub trait FixedPointMap<R: Twinned> {
    /// Coordinates p per problem.
    fn coordinates(&self) -> usize;

    /// γ per problem: the number that differences of iterates are divided by to become residuals.
    fn gamma(&self) -> Buf;

    /// Records `out = Φ(w)`.
    fn apply(&self, recording: &mut Recording<R>, w: Buf, out: Buf);

    /// Records the linearisation at w.
    fn linearize(&self, recording: &mut Recording<R>, w: Buf);

    /// Records `out = Φ(w)` at the linearisation's w, from what is frozen.
    fn value(&self, recording: &mut Recording<R>, out: Buf);

    /// Records `out = ∂₁Φ·v`.
    fn jvp_w(&self, recording: &mut Recording<R>, v: Buf, out: Buf);

    /// Records `out = ∂₁Φᵀ·v + term`.
    fn vjp_w(&self, recording: &mut Recording<R>, v: Buf, term: Buf, out: Buf);

    /// Records `out ← out + ∂₂Φ·λ̇` with the map's own tangents λ̇ (one direction per problem);
    /// `w` is where it was linearised.
    fn jvp_hyper(&self, recording: &mut Recording<R>, w: Buf, out: Buf);

    /// Records that `factor·∂₂Φᵀ·v` is added to the map's own sums, one for each hyperparameter;
    /// `w` is where it was linearised.
    fn vjp_hyper(&self, recording: &mut Recording<R>, w: Buf, v: Buf, factor: Buf);
}
