//! Large sweeps: a space of hyperparameters times folds, planned, scheduled, stored and resumed.
//!
//! ```text
//! Space × Study (data, problem, folds)  →  Plan  →  units  →  workers  →  Store  →  choice
//! ```
//!
//! [`plan::plan_study`] makes the plan; [`run::Run`] works on its units and writes them into a
//! [`Store`](crate::store::Store); [`select::choose`] picks from what the store holds.

pub mod compress;
pub mod folds;
mod measure;
pub mod metrics;
mod panels;
pub mod plan;
pub mod run;
pub mod select;
mod sobol;
pub mod space;
mod standings;
pub mod study;
