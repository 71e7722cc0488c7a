//! Rows of data.

use crate::data::matrix::Matrix;

/// Rows of data as the user has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// n × d, in the data's units. For the quadratic form: Q.
    pub matrix: Matrix,
    /// Per target n values: numbers; −1 and 1; or class indices. For the quadratic form: b.
    pub targets: Vec<Vec<f64>>,
    /// One weight per row, not negative; normalised to mean 1 on entry. `None`: all 1.
    pub weights: Option<Vec<f64>>,
    /// One offset per row, which its linear predictor has beside the coefficients; of a loss with a log link the
    /// logarithm of an exposure. `None`: all 0.
    pub offset: Option<Vec<f64>>,
}
