//! Solutions, hypergradients and diagnostics for a batch of points of one problem.

mod along;
mod backwards;
mod curve;
mod diagnose;
mod evaluate;
pub mod host;
mod implicit;
mod kinks;
pub mod minibatch;
mod offload;
mod outcome;
mod prepared;
mod report;
mod sampled;
mod separation;
mod settings;
mod stage;
mod sums;
mod unrolled;

pub use curve::{CurvePoint, curve, iterates, sampled_curve};
pub use evaluate::{WarmStart, evaluate, evaluate_along, evaluate_prepared};
pub use outcome::{Hypergradient, Outcome, Part, PartValues, Strengths, Warning, WarningKind};
pub use prepared::Prepared;
pub use report::constant_columns;
pub use settings::{MinibatchSteps, Settings, StochasticSettings};
