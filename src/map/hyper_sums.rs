//! Buffers of derivatives in the hyperparameters, and of the directions of tangents.

use crate::exec::Buf;

/// The sums that ∂₂Φᵀv is added to; what was not asked for is not there.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperSums {
    /// One per strength (penalised coordinate or group).
    pub strengths: Option<Buf>,
    /// One, or one per penalised coordinate.
    pub ridge: Option<Buf>,
    /// One per penalised coordinate.
    pub prior: Option<Buf>,
    /// One per training row.
    pub weights: Option<Buf>,
    /// Perturbed rows × features, in units of the scaled columns.
    pub perturbation: Option<Buf>,
    /// Lower, upper.
    pub bounds: Option<Buf>,
    /// One, in units of 1/δ.
    pub delta: Option<Buf>,
}

impl HyperSums {
    /// Every sum that is there.
    pub fn iter(&self) -> impl Iterator<Item = Buf> {
        [
            self.strengths,
            self.ridge,
            self.prior,
            self.weights,
            self.perturbation,
            self.bounds,
            self.delta,
        ]
        .into_iter()
        .flatten()
    }
}

/// One direction λ̇ in the space of hyperparameters per problem.
#[derive(Debug, Clone, Copy)]
pub struct Tangents {
    /// One per strength.
    pub strengths: Buf,
    /// One, or one per penalised coordinate.
    pub ridge: Buf,
    /// One per penalised coordinate.
    pub prior: Buf,
    /// One per training row, where asked for.
    pub weights: Option<Buf>,
    /// Perturbed rows × features, where asked for.
    pub perturbation: Option<Buf>,
    /// Lower, upper.
    pub bounds: Buf,
    /// One, in units of δ, where asked for.
    pub delta: Option<Buf>,
}
