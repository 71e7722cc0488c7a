//! The published experiments at full size.
//!
//! They are those of R. Grazzi, M. Pontil and S. Salzo, *Nonsmooth Implicit
//! Differentiation: Deterministic and Stochastic Convergence Rates*, ICML 2024. Each gives a
//! [`Record`] of curves, from which [`figures::page`] and [`figures::plot`] draw.

pub mod deterministic;
pub mod digits;
mod exact;
pub mod figures;
mod plain_cg;
pub mod poisoning;
pub mod record;
mod runs;
pub mod stochastic;
pub mod synthetic;

pub use record::{Curve, CurveMethod, Record, Setting};
