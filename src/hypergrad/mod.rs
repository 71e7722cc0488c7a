//! Solutions, hypergradients and diagnostics for a batch of points of one problem.

mod curve;
pub mod host;

pub use crate::engine::assembly::constant_columns;
pub use crate::engine::evaluate::{WarmStart, evaluate, evaluate_along, evaluate_prepared};
pub use crate::engine::outcome::{Hypergradient, Outcome, Warning, WarningKind};
pub use crate::engine::prepared::Prepared;
pub use crate::engine::sampled as minibatch;
pub use crate::engine::settings::{MinibatchSteps, Settings, StochasticSettings};
pub use curve::{CurvePoint, curve, iterates, sampled_curve};
