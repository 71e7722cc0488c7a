//! Plain tags that every layer may name: solvers, methods, hyperparameters, statuses.

use serde::{Deserialize, Serialize};

/// Methods of a builder that set fields of the same name, with the types of their arguments.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = $field.into();
                self
            }
        )*
    };
}

pub(crate) use setters;

/// How the fixed point is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// The fast path on the CPU; FISTA on a GPU.
    #[default]
    Auto,
    /// Coordinate descent with working sets, prox-Newton around it, ending in a polish (CPU).
    Path,
    /// Picard iteration w ← Φ(w), which for these maps is ISTA.
    Ista,
    /// Accelerated proximal gradient with adaptive restart.
    Fista,
    /// Stochastic proximal gradient with decreasing steps on minibatches.
    Stochastic,
}

/// How the hypergradient is computed (math: ITD, AID-FP, AID-CG, NSID of Grazzi et al. 2024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Iterative differentiation, tangents carried forward beside the Picard iteration.
    ItdForward,
    /// Iterative differentiation, the Picard iteration differentiated backwards.
    ItdReverse,
    /// Implicit differentiation, the adjoint by fixed-point (Neumann) iteration.
    AidFp,
    /// Implicit differentiation, the adjoint by conjugate gradient on the range of D.
    #[default]
    AidCg,
    /// Implicit differentiation, the restricted system solved by Cholesky.
    Direct,
    /// Nonsmooth stochastic implicit differentiation.
    Nsid,
    /// Stochastic implicit differentiation of the whole map, biased for a nonsmooth prox.
    Sid,
}

/// A hyperparameter to differentiate with respect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrt {
    /// The l1 strength: a scalar, or one per coordinate or group where the penalty has a vector.
    L1,
    /// The ridge strength λ₂.
    L2,
    /// The prior mean c of the ridge term.
    Prior,
    /// The sample weights of the training rows.
    SampleWeights,
    /// The additive perturbation of the named training rows.
    Perturbation,
    /// The bounds of the box.
    BoxBounds,
}

/// What became of a problem. An outcome, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not yet decided.
    #[default]
    Running,
    /// The stop rule is met, or rounding allows no further progress at its level.
    Converged,
    /// The budget of steps or time ran out first, or the user interrupted.
    BudgetSpent,
    /// No further progress, far from the tolerance.
    Stalled,
    /// The iterates grow without bound.
    Diverged,
    /// A NaN or an infinity appeared.
    NonFinite,
}

impl Status {
    /// The name that tables and JSON show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Converged => "converged",
            Self::BudgetSpent => "budget-spent",
            Self::Stalled => "stalled",
            Self::Diverged => "diverged",
            Self::NonFinite => "non-finite",
        }
    }

    /// The worse of two outcomes, in the order of the declaration.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if (other as u8) > (self as u8) {
            other
        } else {
            self
        }
    }
}

/// What is declared of a linear operator, so that a solver that needs more refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearStructure {
    /// Nothing.
    #[default]
    General,
    /// Symmetric and positive definite.
    SymmetricPositiveDefinite,
}

/// The preconditioner of the restricted conjugate gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preconditioner {
    /// Plain conjugate gradient.
    None,
    /// The diagonal of the restricted Hessian.
    Diagonal,
    /// Its Cholesky factor, which the path solver on the CPU leaves behind for supports of at most
    /// 2000 coordinates: a step or two then are enough. Elsewhere the diagonal.
    #[default]
    Cholesky,
}

/// The arithmetic of a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits: what GPUs are fast at.
    F32,
    /// 64 bits: the truth.
    #[default]
    F64,
}

impl Precision {
    /// The name that flags and JSON use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}
