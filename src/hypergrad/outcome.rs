//! The outcome of a point: its solution, hypergradient, diagnostics and warnings.

use crate::kinds::{Status, tag};
use crate::problem::Point;

/// The outcome of one point of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The hyperparameters.
    pub point: Point,
    /// The status of solver and linear solver: the worse of the two. Without a tolerance, what the
    /// duality gap contradicts is [`Status::Stalled`], never converged.
    pub status: Status,
    /// Steps of the solver.
    pub steps: usize,
    /// Steps of the linear solver; 0 for ITD and direct solves.
    pub linear_steps: usize,
    /// Training loss with ridge and penalty at the solution.
    pub objective: f64,
    /// The criterion E.
    pub criterion: f64,
    /// dE/dλ; `None` when it was not asked for, or does not exist (see `warnings`).
    pub hypergradient: Option<Hypergradient>,
    /// Number of penalised coordinates that are not zero; box: strictly between the bounds.
    pub support: usize,
    /// ‖Φ(w) − w‖₂/γ.
    pub residual: f64,
    /// Relative duality gap, where the loss and penalty have one here.
    pub duality_gap: Option<f64>,
    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖, recomputed; `None` without an adjoint.
    pub linear_residual: Option<f64>,
    /// Distance of u = T(w), or of w, to the nearest kink, over γ; `None` where there is none.
    pub kink_margin: Option<f64>,
    /// True when the derivative is surely that of the solution's piece: the kinks of the prox are
    /// farther than residual·q/(1 − q), those of rows and of l1 at zero farther than
    /// residual/(1 − q), and all farther than rounding.
    pub certified: bool,
    /// The contraction on the support q_S, on request: by power iterations, which approach it from
    /// below.
    pub contraction: Option<f64>,
    /// Estimate of ‖v − v*‖ from `linear_residual` and `contraction`, on request. It is a bound
    /// as far as `contraction` is not too small.
    pub adjoint_error_estimate: Option<f64>,
    /// Remarks for the user; the status stays the solver's.
    pub warnings: Vec<Warning>,
    /// Scaled coefficients, intercepts last: p entries. The warm start of a later call.
    pub solution: Vec<f64>,
    /// The adjoint v: p entries; empty without one. The warm start of a later call.
    pub adjoint: Vec<f64>,
}

impl Outcome {
    /// Whether the solution has converged, though its hypergradient may be an estimate that has not.
    #[must_use]
    pub fn is_solved(&self) -> bool {
        let is_rough = |w: &Warning| w.kind == WarningKind::RoughHypergradient;
        self.status == Status::Converged || self.warnings.iter().any(is_rough)
    }
}

/// dE/dλ, with respect to λ itself and not its logarithm. What was not asked for is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hypergradient {
    /// One entry, or one per coordinate or group where the penalty has a strength vector: then
    /// with respect to the effective strengths l1·strength.
    pub l1: Option<Vec<f64>>,
    /// With respect to λ₂.
    pub l2: Option<f64>,
    /// With respect to the prior mean: one entry per penalised coordinate.
    pub prior: Option<Vec<f64>>,
    /// With respect to the user's sample weights: one entry per training row.
    pub sample_weights: Option<Vec<f64>>,
    /// With respect to the perturbation: perturbed rows × d, row-major, in the data's units.
    pub perturbation: Option<Vec<f64>>,
    /// With respect to the lower and the upper bound.
    pub box_bounds: Option<(f64, f64)>,
}

impl Hypergradient {
    /// True when no entry is NaN or infinite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let lists = [
            &self.l1,
            &self.prior,
            &self.sample_weights,
            &self.perturbation,
        ];
        let bounds = self.box_bounds.map(|(low, high)| [low, high]);
        lists
            .into_iter()
            .flatten()
            .flatten()
            .chain(&self.l2)
            .chain(bounds.iter().flatten())
            .all(|entry| entry.is_finite())
    }
}

/// Something that a user should know about a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which kind.
    pub kind: WarningKind,
    /// One sentence with the remedy.
    pub message: String,
}

tag! {
    /// Kinds of warnings.
    #[non_exhaustive]
    pub enum WarningKind {
        /// The restricted Hessian is singular: there is no hypergradient.
        SingularHessian = "singular-hessian";
        /// The support may belong to a neighbouring piece.
        NotCertified = "not-certified";
        /// A column without variance was given the coefficient zero.
        ConstantColumn = "constant-column";
        /// The solver can go no further, and the duality gap says that it is not at the minimum.
        OpenGap = "open-gap";
        /// The solver can go no further, and its arithmetic leaves the coefficients uncertain.
        Imprecise = "imprecise";
        /// The solution has converged, and its hypergradient is an estimate that has not.
        RoughHypergradient = "rough-hypergradient";
        /// The training target does not vary, so that nothing is learned.
        ConstantTarget = "constant-target";
    }
}
