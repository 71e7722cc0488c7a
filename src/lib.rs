//! Batched solvers and hypergradients for nonsmooth fixed-point problems.
//!
//! Many models are the fixed point of a map with hyperparameters λ,
//!
//! ```text
//! w(λ) = Φ(w(λ), λ)        Φ = G∘T
//! ```
//!
//! where T, the *inner map*, is a gradient step on a smooth loss, and G, the *outer map*, is the
//! proximal map of a nonsmooth penalty: Lasso, elastic net, sparse logistic regression, group
//! Lasso, support vector machines. Given a *criterion* E, such as the loss on held-out data, this
//! crate computes w(λ) and the *hypergradient*, the derivative of f(λ) = E(w(λ), λ):
//!
//! ```text
//! ∇f(λ) = ∂₂E + ∂₂Φᵀ v        (I − ∂₁Φᵀ) v = ∂₁E
//! ```
//!
//! ∂Φ is an element of a conservative derivative of Φ: at a kink of G one of the derivatives that
//! are valid there, the same in w and in λ. The whole theory and the methods are those of
//! R. Grazzi, M. Pontil and S. Salzo, *Nonsmooth Implicit Differentiation: Deterministic and
//! Stochastic Convergence Rates*, ICML 2024.
//!
//! Everything is done for a batch of points λ at once, and every point comes back with its own
//! status, residuals and warnings: what did not converge says so.
//!
//! # Example
//!
//! ```
//! use proxdiff::prelude::*;
//!
//! # fn main() -> proxdiff::Result<()> {
//! // Six rows to learn from, two held out for the criterion.
//! let x = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 3.0], [4.0, 2.0], [5.0, 5.0]];
//! let y = [0.1, 0.9, 2.1, 2.9, 4.2, 4.9];
//! let problem = Problem::elastic_net(&x, &y)
//!     .validation(&[[1.5, 1.0], [3.5, 2.0]], &[1.4, 3.6])
//!     .build()?;
//!
//! // Two strengths: solutions, held-out errors and their derivatives.
//! let points = [Point::new(0.5, 0.01), Point::new(0.05, 0.01)];
//! let outcomes = Evaluator::new(&problem).run(&points)?;
//! for outcome in &outcomes {
//!     assert_eq!(outcome.status, Status::Converged);
//!     let slope = outcome.gradient()?.l1.as_ref().and_then(|l1| l1.value());
//!     println!("l1 = {}: E = {:.4}, dE/dl1 = {slope:?}", outcome.point.l1, outcome.criterion);
//! }
//! # assert!(outcomes[0].criterion > outcomes[1].criterion);
//! # let slope = |at: usize| outcomes[at].gradient().unwrap().l1.as_ref().unwrap().value().unwrap();
//! # assert!(slope(0) > 0.0 && slope(0) > slope(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Map of the modules
//!
//! | module | contents |
//! | --- | --- |
//! | [`data`] | data sets and their readers, the design operator, splits |
//! | [`model`] | losses and penalties: their values, derivatives and proximal maps |
//! | [`problem`] | a problem, stated and checked; points |
//! | [`hypergrad`] | **the main entrance**: [`Evaluator`] solves and differentiates; [`hypergrad::host`] does so for a map of your own ([`HostMap`]) |
//! | [`kinds`] | names of solvers, methods, precisions, statuses |
//! | [`sweep`] | large sweeps: spaces, folds, plans, the scheduler, the choice of a point |
//! | [`tune`] | the criterion minimised over hyperparameters |
//! | [`poison`] | the robustness of a model against perturbed training rows, measured |
//! | [`prelude`] | the names that most programs need |
//!
//! With their features there are also `store` (the results of a sweep in one file), `report` (charts,
//! images, pages) and `paper` (the published experiments). The inner modules (recordings and kernels,
//! engines, iterations, the path on the CPU) are public under the feature `unstable`; ARCHITECTURE.md
//! describes them. docs/library.md lists the features.
//!
//! The programs in `examples/` fit a CSV (`fit_csv`), tune one strength or many
//! (`tune_weighted_lasso`, `tune_custom_map`) and train a network that is a fixed point (`equilibrium_network`).

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod hypergrad;
pub mod kinds;
pub mod model;
#[cfg(feature = "paper")]
pub mod paper;
pub mod poison;
pub mod prelude;
pub mod problem;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "store")]
pub mod store;
pub mod sweep;
pub mod tune;

/// The inner modules: tests and benches see them through the feature `unstable`.
#[path = ""]
// Some of it only tests and benches call.
#[cfg_attr(not(feature = "unstable"), allow(dead_code, unused_imports))]
mod inner {
    pub mod control;
    pub(crate) mod engine;
    pub mod error;
    pub mod exec;
    pub mod iterate;
    pub mod kernel;
    pub mod l1_max;
    pub mod linalg;
    pub mod map;
    pub mod path;
    pub mod real;
}
#[cfg(not(feature = "unstable"))]
use inner::*;
#[cfg(feature = "unstable")]
pub use inner::*;

pub use control::Control;
pub use error::{DeviceFault, Error, Place, Result};
pub use exec::Device;
pub use exec::gpu::{AdapterSummary, Gpu, GpuOptions, Regime, list_adapters};
pub use hypergrad::Evaluator;
pub use map::HostMap;
pub use model::{loss, penalty};
pub use problem::{Point, Problem, Specification};

/// The README's code runs as a test, and so does that of docs/library.md.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[cfg(feature = "paper")]
    #[doc = include_str!("../docs/library.md")]
    struct Library;
}
