//! Data: matrices, the design operator, data sets and their readers, splits.

pub mod design;
pub mod matrix;

pub use design::{Design, FeatureScale, Scaling};
pub use matrix::{Dense, Matrix, Sparse};
