//! Solutions, hypergradients and diagnostics for a batch of points of one problem.

mod curve;
mod evaluator;
pub mod host;
mod influence;
mod information;
mod ridge_response;
mod support;
mod vjp;

pub use crate::engine::assembly::constant_columns;
pub use crate::engine::outcome::WarmStart;
pub use crate::engine::outcome::{
    EngineName, Engines, Hypergradient, LogSlopes, Outcome, Part, PartValues, Warning, WarningKind,
};
pub use crate::engine::sampled as minibatch;
pub use crate::engine::settings::{MinibatchSteps, Settings, StochasticSettings};
pub use crate::engine::vjp::{Input, Vjp};
pub use crate::problem::Strengths;
pub use curve::{CurvePoint, curve, iterates, sampled_curve};
pub use evaluator::Evaluator;
pub use influence::{EstimateKind, Influence, Influences, Refits};
pub use information::{Information, NoInformation};
pub(crate) use ridge_response::RidgeResponse;
