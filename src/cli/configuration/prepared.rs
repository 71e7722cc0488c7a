//! A problem that is made, with the rows that it was made from.

use std::sync::Arc;

use crate::data::missing::fill;
use crate::error::Result;
use crate::problem::{Problem, Specification};
use crate::sweep::study::FoldProblem;

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

/// A specification without missing cells.
pub(super) struct Filled {
    /// The specification.
    pub specification: Specification,
    /// The values of the columns that they were filled with.
    pub values: Option<Vec<f64>>,
}

impl Prepared {
    /// The number in the data, from 0, of a training row.
    pub fn row_in_data(&self, row: usize) -> usize {
        self.training_rows.as_ref().map_or(row, |rows| rows[row])
    }

    /// The problem of a specification whose missing cells were filled with these values.
    pub(super) fn of(specification: Filled, training_rows: Option<Vec<usize>>) -> Result<Self> {
        let problem = Problem::new(specification.specification)?;
        Ok(Self {
            rows: problem.train.rows(),
            criterion_rows: problem.criterion.sample.rows(),
            problem: Arc::new(FoldProblem::plain(problem).filled_with(specification.values)),
            training_rows,
        })
    }
}

impl Filled {
    /// A specification whose missing cells are filled with these values.
    pub fn of(mut specification: Specification, values: Option<Vec<f64>>) -> Self {
        if let Some(values) = &values {
            fill(&mut specification.train.matrix, values);
            if let Some(rows) = &mut specification.validation {
                fill(&mut rows.matrix, values);
            }
        }
        Self {
            specification,
            values,
        }
    }
}
