//! A fit that is to be made.

use crate::cli::configuration::{Prepared, Study};
use crate::cli::output::Chosen;
use crate::data::dataset::Dataset;
use crate::problem::Point;
use crate::sweep::held_out::Predicted;

/// A fit that is to be made.
pub(super) struct Subject<'a> {
    /// The names and classes of the data.
    pub study: Study<'a>,
    /// The problem on all rows.
    pub prepared: Prepared,
    /// A point per target.
    pub points: Vec<Point>,
    /// The numbers on which their choice rests, where they were chosen.
    pub chosen: Option<Vec<Chosen>>,
    /// The share of the lasso of every point, where the fit is relaxed.
    pub shares: Vec<Option<f64>>,
    /// Per target the held-out rows of every fold as the fits to its other rows predict them, where a report shows
    /// them; or why there are none.
    pub held_out: Vec<Result<Vec<Predicted>, String>>,
    /// The rows that were set aside.
    pub set_aside: Option<Dataset>,
}
