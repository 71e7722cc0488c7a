//! What becomes of a point: its solution, hypergradient, diagnostics and warnings.

use crate::error::{Error, Result};
use crate::kinds::Status;
use crate::problem::Point;

/// Where a solver may start: an earlier outcome's solution and adjoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WarmStart {
    /// Scaled coefficients, p entries.
    pub w: Vec<f64>,
    /// The adjoint v, p entries, or empty.
    pub v: Vec<f64>,
}

/// The engines that computed an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engines {
    /// The one that solved.
    pub solve: EngineName,
    /// The one that differentiated; `None` where nothing was differentiated.
    pub adjoint: Option<EngineName>,
}

impl std::fmt::Display for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.solve.name())?;
        match self.adjoint {
            Some(adjoint) if adjoint != self.solve => write!(f, " + {}", adjoint.name()),
            _ => Ok(()),
        }
    }
}

/// The name of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineName {
    /// Solved and differentiated point by point where the path arrives.
    FusedPath,
    /// Solved in f32 on a graphics device, refined in f64 on the CPU.
    Refined,
    /// Coordinate descent along paths; adjoints on the support.
    Path,
    /// Minibatches of rows on the CPU.
    Sampled,
    /// Recordings of kernels for a whole batch, on the CPU or a graphics device.
    Recorded,
}

impl EngineName {
    /// The name that tables and JSON show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FusedPath => "fused-path",
            Self::Refined => "refined",
            Self::Path => "path",
            Self::Sampled => "sampled",
            Self::Recorded => "recorded",
        }
    }
}

/// The outcome of one point of the batch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The hyperparameters.
    pub point: Point,
    /// The engines that solved and differentiated.
    pub engines: Engines,
    /// What became of solver and linear solver: the worse of the two. Without a tolerance, what the
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
    /// What the user should know; the status stays the solver's.
    pub warnings: Vec<Warning>,
    /// Scaled coefficients, intercepts last: p entries. The warm start of a later call.
    pub solution: Vec<f64>,
    /// The adjoint v: p entries; empty without one. The warm start of a later call.
    pub adjoint: Vec<f64>,
}

impl Outcome {
    /// The hypergradient.
    ///
    /// # Errors
    /// [`Error::Value`] where there is none: nothing was to be differentiated, the Hessian on the
    /// support is singular, or the run was interrupted.
    pub fn gradient(&self) -> Result<&Hypergradient> {
        self.hypergradient.as_ref().ok_or_else(|| {
            let singular = WarningKind::SingularHessian;
            let warning = self.warnings.iter().find(|w| w.kind == singular);
            let why = match (warning, self.engines.adjoint) {
                (Some(warning), _) => warning.message.clone(),
                (None, None) => "nothing was to be differentiated; name a method".to_owned(),
                (None, Some(_)) => format!(
                    "the status is {}; allow more steps or time, or change the point",
                    self.status.name()
                ),
            };
            Error::Value {
                name: "hypergradient".to_owned(),
                what: "there is none".to_owned(),
                remedy: why,
            }
        })
    }

    /// Where a later run may start: this solution and adjoint.
    #[must_use]
    pub fn warm_start(&self) -> WarmStart {
        WarmStart {
            w: self.solution.clone(),
            v: self.adjoint.clone(),
        }
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

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// The restricted Hessian is singular: there is no hypergradient.
    SingularHessian,
    /// The support may belong to a neighbouring piece.
    NotCertified,
    /// A column without variance was given the coefficient zero.
    ConstantColumn,
    /// The solver can go no further, and the duality gap says that it is not at the minimum.
    OpenGap,
    /// The solver can go no further, and its arithmetic leaves the coefficients uncertain.
    Imprecise,
    /// The solution has converged, and its hypergradient is an estimate that has not.
    RoughHypergradient,
    /// The training target does not vary, so that nothing is learned.
    ConstantTarget,
}

impl WarningKind {
    /// The name that tables, JSON and stores show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SingularHessian => "singular-hessian",
            Self::NotCertified => "not-certified",
            Self::ConstantColumn => "constant-column",
            Self::OpenGap => "open-gap",
            Self::Imprecise => "imprecise",
            Self::RoughHypergradient => "rough-hypergradient",
            Self::ConstantTarget => "constant-target",
        }
    }
}
