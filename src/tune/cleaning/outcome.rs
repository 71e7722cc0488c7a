//! The outcome of a cleaning.

use crate::error::{Error, Result};
use crate::hypergrad::Outcome;
use crate::problem::Point;
use crate::sweep::metrics::auc;

/// A fit with its criterion and its error on the trusted rows that judge.
#[derive(Debug, Clone, PartialEq)]
pub struct CleaningStep {
    /// The evaluations until then, those of the ridge alone not among them.
    pub evaluation: usize,
    /// λ₂.
    pub l2: f64,
    /// The criterion.
    pub criterion: f64,
    /// The share of the judging rows that is labelled wrongly; their mean squared error where targets are
    /// numbers.
    pub error: f64,
    /// The mean of the weights.
    pub mean_weight: f64,
}

/// The outcome of a cleaning.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cleaned {
    /// The point of the best fit: its λ₂, and its weights times those of the problem's rows.
    pub point: Point,
    /// The weight of each training row, from 0 to 1.
    pub weights: Vec<f64>,
    /// The evidence against each training row: its loss at the best fit.
    pub evidence: Vec<f64>,
    /// ∂E/∂s_i there: positive where less of the row would do good.
    pub slopes: Vec<f64>,
    /// The training rows by their numbers from 0, the most suspect first.
    pub ranking: Vec<usize>,
    /// The error of the best fit on the judging rows, on which its weights were tuned.
    pub error: f64,
    /// The best fit.
    pub outcome: Outcome,
    /// The fit with all rows in full weight.
    pub first: CleaningStep,
    /// Whether the weights do better on the judging rows than all rows in full weight by more than two
    /// standard errors; all weights are 1 otherwise.
    pub is_better: bool,
    /// All fits, in order.
    pub steps: Vec<CleaningStep>,
    /// Fits with derivatives, those of the ridge alone among them.
    pub evaluations: usize,
    /// Trusted rows.
    pub trusted_rows: usize,
    /// Those of them that judge.
    pub judging_rows: usize,
}

/// How well wrong rows were found, where it is known which are wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The probability that a wrong row has more evidence against it than a right one; NaN without either.
    pub auc: f64,
    /// The share of wrong rows among those with a weight below ½; NaN where there are none.
    pub precision: f64,
    /// The share of wrong rows that have a weight below ½; NaN where none is wrong.
    pub recall: f64,
}

impl Cleaned {
    /// How well the ranking and the weights find the rows that are known to be wrong.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one entry per training row.
    pub fn detection(&self, wrong: &[bool]) -> Result<Detection> {
        let rows = self.weights.len();
        if wrong.len() != rows {
            return Err(Error::shape(
                "wrong rows",
                rows.to_string(),
                wrong.len().to_string(),
                "give one entry per training row",
            ));
        }
        let is_out = |row: &usize| self.weights[*row] < 0.5;
        let out = (0..rows).filter(is_out).count() as f64;
        let found = (0..rows).filter(is_out).filter(|&row| wrong[row]).count() as f64;
        let all = wrong.iter().filter(|wrong| **wrong).count() as f64;
        Ok(Detection {
            auc: auc(&self.evidence, |row| wrong[row], &|_| 1.0),
            precision: found / out,
            recall: found / all,
        })
    }
}
