//! Solutions, hypergradients and diagnostics for a batch of points of one problem.

mod outcome;
mod settings;

pub use outcome::{Hypergradient, Outcome, Warning, WarningKind};
pub use settings::{MinibatchSteps, Settings, StochasticSettings};
