//! Settings for a user's own map.

use crate::error::{Error, Result};
use crate::iterate::StopRule;

/// A method of differentiating the fixed point of a user's map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HostMethod {
    /// Iterative differentiation forward: a tangent beside w for each of the m hyperparameters.
    ItdForward,
    /// Iterative differentiation in reverse: back through the steps, recomputed from checkpoints.
    ItdReverse,
    /// Implicit differentiation by fixed-point iteration (the Neumann series): needs the
    /// contraction and nothing else.
    AidFp,
    /// Implicit differentiation by GMRES with restarts: any map. The default.
    #[default]
    AidGmres,
    /// Implicit differentiation by BiCGSTAB: any map, with less memory than GMRES.
    AidBicgstab,
    /// Implicit differentiation by conjugate gradient: only a map whose operator is declared
    /// symmetric positive definite.
    AidCg,
}

impl HostMethod {
    /// All methods.
    pub const ALL: [Self; 6] = [
        Self::ItdForward,
        Self::ItdReverse,
        Self::AidFp,
        Self::AidGmres,
        Self::AidBicgstab,
        Self::AidCg,
    ];

    /// The name that tables show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ItdForward => "itd-forward",
            Self::ItdReverse => "itd-reverse",
            Self::AidFp => "aid-fp",
            Self::AidGmres => "aid-gmres",
            Self::AidBicgstab => "aid-bicgstab",
            Self::AidCg => "aid-cg",
        }
    }
}

/// Settings of solving and differentiating.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSettings {
    /// The method of differentiation (default: AID with GMRES).
    pub method: HostMethod,
    /// Stop when ‖Φ(w) − w‖ is below this times ‖Φ(0)‖, and the linear residual below this times
    /// ‖∂₁E‖. `None` (default) goes to rounding; 0 takes exactly `max_steps` steps of w, ẇ and the
    /// Neumann series, and Krylov methods to rounding.
    pub tolerance: Option<f64>,
    /// The most steps of the iteration, and the most products of the linear solver (default:
    /// 100 000).
    pub max_steps: usize,
    /// Products between restarts of GMRES, which keeps as many vectors (default: 30).
    pub restart: usize,
    /// Worker threads; 0 takes all cores (default: 0). Results do not depend on it.
    pub threads: usize,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            method: HostMethod::default(),
            tolerance: None,
            max_steps: 100_000,
            restart: 30,
            threads: 0,
        }
    }
}

impl HostSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Value`] for a tolerance that is negative, NaN or infinite, and for zero steps or
    /// restarts.
    pub fn validate(&self) -> Result<()> {
        if let Some(tolerance) = self.tolerance
            && !(tolerance.is_finite() && tolerance >= 0.0)
        {
            return Err(Error::value(
                "tolerance",
                format!("{tolerance}"),
                "give a finite number, zero or more",
            ));
        }
        for (name, count) in [("max_steps", self.max_steps), ("restart", self.restart)] {
            if count == 0 || u32::try_from(count).is_err() {
                return Err(Error::value(
                    name,
                    format!("{count}"),
                    "give at least 1, at most 4 294 967 295",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn rule(&self) -> StopRule {
        StopRule {
            tolerance: self.tolerance,
            max_steps: self.max_steps,
        }
    }
}
