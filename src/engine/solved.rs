//! Intermediate results that engines hand to each other.

use crate::iterate::Progress;
use crate::kinds::Status;
use crate::path::{RestrictedFactor, Uniqueness};

use super::accumulator::Accumulator;
use super::outcome::Hypergradient;

/// A solved point before it is differentiated.
pub struct Solved<R> {
    /// Scaled coefficients, p entries.
    pub w: Vec<f64>,
    /// The end of the solver.
    pub progress: Progress,
    /// The factored system on the support, where the solver ended with one.
    pub factor: Option<RestrictedFactor<R>>,
    /// How far the solver knows the minimum to determine w.
    pub uniqueness: Uniqueness,
    /// dE/dλ of a solver that differentiates itself (ITD).
    pub sums: Option<Accumulator>,
}

/// An adjoint of one point and what it gives.
pub struct Differentiated {
    /// dE/dλ; `None` where it does not exist or was not begun.
    pub hypergradient: Option<Hypergradient>,
    /// The end of the linear solver.
    pub progress: Progress,
    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖; `None` without an adjoint.
    pub linear_residual: Option<f64>,
    /// True where the Hessian restricted to the support is singular.
    pub singular: bool,
    /// The adjoint, p entries; empty without one.
    pub v: Vec<f64>,
}

/// The progress of a linear solver that had nothing to do.
pub const NOTHING: Progress = Progress {
    status: Status::Converged,
    steps: 0,
};

impl Differentiated {
    /// A point without an adjoint.
    #[must_use]
    pub fn without_adjoint() -> Self {
        Self {
            hypergradient: None,
            progress: NOTHING,
            linear_residual: None,
            singular: false,
            v: Vec::new(),
        }
    }
}

/// The adjoints of all points.
pub struct Adjoints {
    /// The end of the linear solver.
    pub progress: Vec<Progress>,
    /// True where the Hessian restricted to the support is singular.
    pub singular: Vec<bool>,
    /// The measured relative residuals.
    pub residuals: Vec<f64>,
    /// The adjoints, p entries each.
    pub v: Vec<Vec<f64>>,
}

impl Adjoints {
    /// Every point's result, from what its adjoint makes of the hyperparameters.
    pub fn differentiated(
        self,
        hypergradients: impl Iterator<Item = Hypergradient>,
    ) -> Vec<Differentiated> {
        let adjoints = self
            .v
            .into_iter()
            .zip(self.progress)
            .zip(self.singular)
            .zip(self.residuals)
            .zip(hypergradients);
        adjoints
            .map(|((((v, progress), singular), residual), hypergradient)| {
                if singular {
                    return Differentiated {
                        singular,
                        ..Differentiated::without_adjoint()
                    };
                }
                Differentiated {
                    hypergradient: progress.has_begun().then_some(hypergradient),
                    progress,
                    linear_residual: Some(residual),
                    singular,
                    v,
                }
            })
            .collect()
    }
}
