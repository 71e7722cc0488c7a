//! Sizes of a problem's data.

use crate::model::loss::Loss;
use crate::problem::Problem;

/// Sizes of columns, rows and targets of the training rows: what rounding is measured by.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    /// √(Σ s x̂²/n) of every column as it is multiplied, uncentred where it is sparse; of the
    /// quadratic form ‖Q_j‖.
    pub(super) columns: Vec<f64>,
    /// ‖x̂_i‖ of every row.
    pub(super) rows: Vec<f64>,
    /// √(Σ s y²/n) of every target.
    pub(super) targets: Vec<f64>,
}

impl Sizes {
    pub(super) fn of(problem: &Problem) -> Self {
        let sample = &problem.train;
        let is_form = problem.loss == Loss::Quadratic;
        let n = sample.rows() as f64;
        let share = |i: usize| {
            if is_form { 1.0 } else { sample.weights[i] / n }
        };
        let mut columns = vec![0.0; sample.design.columns()];
        let matrix = &sample.design.matrix;
        matrix.for_each_entry(|i, j, x| columns[j] += share(i) * x * x);
        columns.iter_mut().for_each(|size| *size = size.sqrt());
        if let Some(rank_one) = &sample.design.rank_one {
            for (j, size) in columns.iter_mut().enumerate() {
                *size = (*size + rank_one.center[j].abs()) * rank_one.inverse_scale[j];
            }
        }
        let of_target = |y: &Vec<f64>| {
            let squares = y.iter().enumerate().map(|(i, y)| share(i) * y * y);
            if problem.loss == Loss::Multinomial {
                1.0
            } else {
                squares.sum::<f64>().sqrt()
            }
        };
        Self {
            columns,
            rows: sample
                .design
                .row_squares()
                .into_iter()
                .map(f64::sqrt)
                .collect(),
            targets: sample.targets.iter().map(of_target).collect(),
        }
    }

    /// That of a column.
    pub(super) fn column(&self, j: usize) -> f64 {
        self.columns[j]
    }
}
