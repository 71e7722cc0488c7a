//! Data: matrices, the design operator, data sets and their readers, splits.

pub mod align;
pub mod dataset;
pub mod design;
pub mod embedded;
pub mod factor;
pub mod input;
pub mod labels;
pub mod matrix;
pub mod missing;
pub(crate) mod random;
pub mod readers;
pub mod split;

pub use align::Expected;
pub use dataset::{Dataset, Labels, Named, Target};
pub use design::{Design, FeatureScale, Scaling};
pub use factor::Factor;
pub use input::{RowMajor, ToMatrix, ToTargets, Triplets};
pub use labels::{ClassWeights, Classes, classes_of, numbers};
pub use matrix::{Dense, Matrix, Sparse};
pub use readers::{Categorical, Decimal, Format, ReadOptions, UnknownLevels};
