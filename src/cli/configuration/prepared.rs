//! A problem that is made, with the rows that it was made from.

use std::sync::Arc;

use crate::error::Result;
use crate::problem::Problem;
use crate::sweep::study::{Filled, FoldProblem};

/// A problem and the rows that it was made from.
pub struct Prepared {
    /// The checked problem.
    pub problem: Arc<FoldProblem>,
    /// Rows to learn from.
    pub rows: usize,
    /// Rows of the criterion.
    pub criterion_rows: usize,
    /// The training rows, from 0, where some were held out.
    pub training_rows: Option<Vec<usize>>,
}

impl Prepared {
    /// The number in the data, from 0, of a training row.
    pub fn row_in_data(&self, row: usize) -> usize {
        self.training_rows.as_ref().map_or(row, |rows| rows[row])
    }

    /// A problem that is made, and of some of its rows the numbers.
    pub fn of(problem: impl Into<Arc<FoldProblem>>, training_rows: Option<Vec<usize>>) -> Self {
        let problem = problem.into();
        Self {
            rows: problem.problem.train.rows(),
            criterion_rows: problem.problem.criterion.sample.rows(),
            problem,
            training_rows,
        }
    }

    /// The problem of a specification without missing cells.
    pub(super) fn of_filled(filled: Filled, training_rows: Option<Vec<usize>>) -> Result<Self> {
        let problem = Problem::new(filled.specification)?;
        let problem = FoldProblem::plain(problem).filled_with(filled.values);
        Ok(Self::of(problem, training_rows))
    }
}
