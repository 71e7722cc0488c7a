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
//! use proxdiff::data::{Dense, Matrix};
//! use proxdiff::hypergrad::{Settings, evaluate};
//! use proxdiff::kinds::{Precision, Status};
//! use proxdiff::loss::Loss;
//! use proxdiff::problem::Rows;
//! use proxdiff::{Control, Point, Problem, Specification};
//!
//! # fn main() -> proxdiff::Result<()> {
//! // Six rows to learn from, two held out for the criterion.
//! let x = vec![0.0, 1.0, 1.0, 0.0, 2.0, 1.0, 3.0, 3.0, 4.0, 2.0, 5.0, 5.0];
//! let train = Matrix::Dense(Dense::new(6, 2, x)?);
//! let y = vec![0.1, 0.9, 2.1, 2.9, 4.2, 4.9];
//! let specification = Specification {
//!     validation: Some(Rows {
//!         matrix: Matrix::Dense(Dense::new(2, 2, vec![1.5, 1.0, 3.5, 2.0])?),
//!         targets: vec![vec![1.4, 3.6]],
//!         weights: None,
//!     }),
//!     ..Specification::new(Loss::Squared, train, vec![y])
//! };
//! let problem = Problem::new(specification)?;
//!
//! // The elastic net at two strengths: solutions, held-out errors and their derivatives.
//! let at = |l1| Point { l1, l2: 0.01, target: 0 };
//! let outcomes = evaluate(
//!     &problem,
//!     &[at(0.5), at(0.05)],
//!     &Settings::default(),
//!     Precision::F64,
//!     None,
//!     &Control::new(),
//! )?;
//! for outcome in &outcomes {
//!     assert_eq!(outcome.status, Status::Converged);
//!     let hypergradient = outcome.hypergradient.as_ref().expect("the Hessian is regular");
//!     println!(
//!         "l1 = {}: E = {:.4}, dE/dl1 = {:.4?}",
//!         outcome.point.l1, outcome.criterion, hypergradient.l1
//!     );
//! }
//! # assert!(outcomes[0].criterion > outcomes[1].criterion);
//! # let slope = |at: usize| outcomes[at].hypergradient.as_ref().unwrap().l1.as_ref().unwrap()[0];
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
//! | [`loss`], [`penalty`] | their values, derivatives and proximal maps |
//! | [`problem`] | a problem, stated and checked; points |
//! | [`hypergrad`] | **the main entrance**: [`hypergrad::evaluate`] solves and differentiates; [`hypergrad::host`] does so for a map of your own ([`HostMap`]) |
//! | [`kinds`] | names of solvers, methods, precisions, statuses |
//! | [`poison`] | the robustness of a model against perturbed training rows, measured |
//!
//! With their features there are also `sweep` and `store` (large sweeps: spaces, folds, plans, the
//! choice of a point; results in one file), `report` (charts, images, pages) and `paper` (the
//! published experiments). The inner modules (recordings and kernels, iterations, the path on the
//! CPU) are public under the feature `unstable`; ARCHITECTURE.md describes them. docs/library.md
//! lists the features.
//!
//! The programs in `examples/` fit a CSV (`fit_csv`), tune by gradient descent
//! (`hyperparameter_descent`) and train a network that is a fixed point (`equilibrium_network`).

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod hypergrad;
pub mod kinds;
pub mod loss;
#[cfg(feature = "paper")]
pub mod paper;
pub mod penalty;
pub mod poison;
pub mod problem;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod sweep;

/// The inner modules: tests and benches see them through the feature `unstable`.
#[path = ""]
// Some of it only tests and benches call.
#[cfg_attr(not(feature = "unstable"), allow(dead_code, unused_imports))]
mod inner {
    pub mod control;
    pub mod error;
    pub mod exec;
    pub mod iterate;
    pub mod kernel;
    pub mod l1_max;
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
pub use map::HostMap;
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
