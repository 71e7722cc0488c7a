//! The roles of the trusted rows.

use crate::data::split::hold_out;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// The roles of the criterion's rows, by weights that are zero elsewhere.
pub(super) struct Roles {
    /// The rows whose criterion ranks.
    pub(super) leading: Vec<f64>,
    /// The rows whose criterion is tuned.
    pub(super) judging: Vec<f64>,
}

impl Roles {
    /// Drawn at random.
    pub(super) fn of(problem: &Problem, share: f64, seed: u64) -> Result<Self> {
        let sample = &problem.criterion().sample;
        let (_, judging) = hold_out(sample.rows(), share, seed)?;
        let mut roles = Self {
            leading: sample.weights.clone(),
            judging: vec![0.0; sample.rows()],
        };
        for row in judging {
            roles.judging[row] = std::mem::take(&mut roles.leading[row]);
        }
        let has_any = |weights: &[f64]| weights.iter().any(|w| *w > 0.0);
        if has_any(&roles.leading) && has_any(&roles.judging) {
            return Ok(roles);
        }
        Err(Error::value(
            "trusted rows",
            "those with a weight are too few to lead and to judge",
            "give more trusted rows, or another share or seed",
        ))
    }
}
