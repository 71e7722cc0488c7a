//! The mathematics, and nothing else: slices in, slices out; no threads, no buffers, no files.
//!
//! math.md is a table whose rows are losses and penalties. Here every row is one file:
//!
//! | module | what is there |
//! | --- | --- |
//! | [`loss`] | value, residual, curvature, conjugate, majorant and kinks of every loss |
//! | [`penalty`] | value, prox, D, derivative in the strengths and bounds, dual gauge, distance, kinks |
//! | [`strengths`] | one strength, or one each |
//! | [`regularizer`] | penalty, ridge and prior of one point, block by block |
//! | [`linearization`] | **the** text of u = T(w), D, v off its range, ρ and ∂₂Φᵀv |
//! | [`criterion`] | value and gradient of the loss on rows: E, ∂₁E |
//!
//! Solvers, kernels, differentiators and diagnostics call these.

pub mod criterion;
pub mod linearization;
pub mod loss;
pub mod penalty;
pub mod regularizer;
pub mod strengths;
