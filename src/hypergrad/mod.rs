//! Solutions, hypergradients and diagnostics for a batch of points of one problem.

mod evaluate;
mod outcome;
mod settings;

pub use evaluate::{WarmStart, evaluate};
pub use outcome::{Hypergradient, Outcome, Warning, WarningKind};
pub use settings::{MinibatchSteps, Settings, StochasticSettings};
