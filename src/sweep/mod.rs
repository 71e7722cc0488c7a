//! Large sweeps: a space of hyperparameters times folds, planned, scheduled, stored and resumed.
//!
//! ```text
//! Space × Study (data, problem, folds)  →  Plan  →  units  →  workers  →  cells  →  choice
//! ```
//!
//! [`plan::plan_study`] makes the plan; [`run::Run`] works on its units and gives their cells to a
//! [`cells::CellStore`], which is memory or a file; [`select::choose`] picks from these.

pub mod cells;
pub mod compress;
pub mod edge;
pub mod export;
pub mod factors;
mod fold_problem;
pub mod folds;
pub mod held_out;
pub mod information;
mod leaderboard;
mod measure;
pub mod metrics;
pub mod ordered;
mod panels;
pub mod plan;
mod queue;
// A store takes digests of records; nothing else does.
#[cfg_attr(not(feature = "store"), allow(dead_code))]
pub mod record;
pub mod resamples;
pub mod run;
pub mod select;
mod sobol;
pub mod space;
pub mod stability;
pub mod stages;
pub mod study;
pub mod summary;
