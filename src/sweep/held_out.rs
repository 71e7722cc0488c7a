//! The held-out rows of a fold as the fit at one point predicts them.

use super::measure::predictors_of;
use super::metrics::MeasuredRows;
use super::record::Numbers;
use super::study::{FoldProblem, Study};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::kinds::Precision;
use crate::model::loss::Loss;
use crate::problem::Point;

/// Rows with their targets, and what a fit that has not seen them predicts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predicted {
    /// The linear predictors of the coefficients, rows × classes in C order, without offsets.
    pub z: Vec<f64>,
    /// The targets as the loss takes them.
    pub y: Vec<f64>,
    /// The weight of every row, if they differ.
    pub weights: Option<Vec<f64>>,
    /// The offset of every row, which its predictors have beside the coefficients, if there are some.
    pub offset: Option<Vec<f64>>,
    /// The numbers of the rows in the study, from 0; none where they are other rows.
    pub rows: Option<Vec<usize>>,
}

impl Predicted {
    /// The metrics of the loss on these rows.
    #[must_use]
    pub fn numbers(&self, loss: Loss, classes: usize) -> Numbers {
        let mut numbers = Numbers::default();
        let rows = MeasuredRows {
            y: &self.y,
            weights: self.weights.as_deref(),
            offset: self.offset.as_deref(),
        };
        rows.measure(loss, classes, &self.z, &mut numbers);
        numbers
    }

    /// The predictors with the offsets.
    #[must_use]
    pub fn with_offset(&self) -> Vec<f64> {
        match &self.offset {
            None => self.z.clone(),
            Some(offset) => self.z.iter().zip(offset).map(|(z, o)| z + o).collect(),
        }
    }
}

impl Study {
    /// The rows that every fold holds out, predicted by the fit to its other rows at a point.
    ///
    /// # Errors
    /// Those of the folds' problems and of [`Evaluator::run`]; [`Error::Unsupported`] for sums of squares, which
    /// have lost their rows, and for a quadratic form, which has none.
    pub fn predicted(&self, point: &Point, control: &Control) -> Result<Vec<Predicted>> {
        if self.is_compressed || self.specification.loss == Loss::Quadratic {
            return Err(Error::unsupported(
                "predictions of rows that are not there",
                "give the rows themselves",
            ));
        }
        let of_fold = |fold: usize| -> Result<Predicted> {
            let problem = self.fold_problem(fold)?;
            let outcome = self.fitted(&problem, point, control)?;
            Ok(self.predicted_by(fold, &problem, &outcome))
        };
        (0..self.folds.len()).map(of_fold).collect()
    }

    /// The fit of a problem of the study at a point, with the stages beside its own.
    ///
    /// # Errors
    /// Those of [`Evaluator::run`].
    pub fn fitted(
        &self,
        problem: &FoldProblem,
        point: &Point,
        control: &Control,
    ) -> Result<Outcome> {
        let settings = Settings {
            threads: 0,
            device: Device::Cpu,
            precision: Precision::F64,
            method: None,
            ..self.settings.clone()
        };
        let outcomes = Evaluator::new(&problem.problem)
            .settings(&settings)
            .control(control)
            .run(std::slice::from_ref(point))?;
        let outcomes = match self.stages.relax {
            None => outcomes,
            Some(share) => problem.relaxed(&settings, control, outcomes, share)?,
        };
        // infallible: one point has one outcome
        Ok(outcomes.into_iter().next().expect("an outcome"))
    }

    fn predicted_by(&self, fold: usize, problem: &FoldProblem, outcome: &Outcome) -> Predicted {
        let target = outcome.point.target;
        let (rows, chosen) = self.criterion_rows(fold);
        let pick = |values: &Vec<f64>| match chosen {
            None => values.clone(),
            Some(chosen) => chosen.iter().map(|&i| values[i]).collect(),
        };
        let (coefficients, intercepts) = problem.in_data_units(&outcome.solution, target);
        let c = self.specification.classes;
        let z = match (problem.filled(), chosen) {
            (Some(values), _) => {
                let matrix = self.filled_criterion_rows(fold, values);
                predictors_of(&matrix, &coefficients, &intercepts, c)
            }
            (None, None) => predictors_of(&rows.matrix, &coefficients, &intercepts, c),
            (None, Some(chosen)) => {
                let matrix = rows.matrix.select_rows(chosen);
                predictors_of(&matrix, &coefficients, &intercepts, c)
            }
        };
        Predicted {
            z,
            y: pick(&rows.targets[target]),
            weights: rows.weights.as_ref().map(pick),
            offset: rows.offset.as_ref().map(pick),
            rows: chosen.map(<[usize]>::to_vec),
        }
    }
}
