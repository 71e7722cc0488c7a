//! Tuning: the criterion minimised over hyperparameters, with hypergradients instead of a grid.
//!
//! ```text
//! φ(θ) = log Ē(exp θ)     Ē = mean of the criterion over folds     ∂φ/∂θ_i = λ_i ∂Ē/∂λ_i / Ē
//! ```
//!
//! over θ, the logarithms of the strengths, within bounds. A coarse stage evaluates a grid along warm
//! paths; its local minima become starts, each of which descends by projected quasi-Newton steps with a
//! weak Wolfe search. The criterion has kinks, where a coefficient enters or leaves, and valleys of them:
//! a line search that closes on one asks for the smallest vector in the convex hull of the gradients around
//! it, which is zero at a minimum and else the next direction.
//!
//! [`Tuner`] tunes a problem. [`Search`] is the optimiser alone, which asks for places and is told values:
//! it tunes whatever has a value and a slope.

mod box_bounds;
mod chosen;
mod cleaning;
mod criterion;
mod descent;
mod groups;
mod guard;
mod held_out;
mod hull;
mod hyperparameter;
mod kept;
mod lattice;
mod line_search;
mod meta;
mod objective;
mod outcome;
mod progress;
mod quasi_newton;
mod resources;
mod restated;
mod ridge_model;
mod search;
mod section;
mod spread;
mod starts;
mod sure;
mod tuner;
mod tuning;
mod variable;
mod variables;

pub use box_bounds::BoxBounds;
pub use cleaning::{Cleaned, Cleaning, CleaningStep, Detection, MAX_CLEANING_EVALUATIONS};
#[cfg(all(feature = "cli", feature = "store"))]
pub(crate) use criterion::mean_of;
pub use descent::Value;
pub use guard::Guard;
pub use hyperparameter::Hyperparameter;
pub use kept::{Batch, BatchClaim, BatchResult, EvaluationStore};
pub use meta::{
    MAX_META_EVALUATIONS, MetaErrors, MetaGuarded, MetaLearned, MetaLearning, MetaPrior,
    MetaVariable,
};
pub use outcome::{Guarded, Start, Tuned, TunedVariable, TuningStatus, Visited};
pub use progress::{EvaluatedPlace, TuningProgress};
pub use search::{Asked, Search, SearchOutcome};
pub use sure::Sure;
pub use tuner::{MAX_EVALUATIONS, Tuner};
pub use variable::Variable;
pub use variables::with_vectors;
