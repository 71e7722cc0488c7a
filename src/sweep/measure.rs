//! From outcomes to cells: metrics on the held-out rows, and the numbers that are kept.

use std::borrow::Cow;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::metrics::{MeasuredRows, Spread};
use super::panels::{Model, Panels, Residuals};
use super::study::{FoldProblem, Study};
use crate::data::matrix::{Dense, Matrix};
use crate::hypergrad::{Hypergradient, Outcome, Part, WarningKind};
use crate::model::loss::Loss;
use crate::problem::Rows;
use crate::sweep::record::{Cell, Number, Numbers, pack_sparse};

/// Cells whose predictions are formed by one product, at most.
const TOGETHER: usize = 128;

/// A fold and what its outcomes are measured on.
pub(super) struct Measured<'a> {
    pub(super) study: &'a Study,
    pub(super) problem: &'a FoldProblem,
    pub(super) held_out: &'a HeldOut<'a>,
    /// The fold's number within the study.
    pub(super) fold: usize,
}

impl Measured<'_> {
    /// The cells of outcomes, in their order; `points` are their numbers in the plan.
    pub(super) fn cells(&self, points: &[usize], outcomes: &[Outcome]) -> Vec<Cell> {
        // Parts of equal size.
        let size = points
            .len()
            .div_ceil(points.len().div_ceil(TOGETHER).max(1))
            .max(1);
        let parts: Vec<Vec<Cell>> = points
            .par_chunks(size)
            .zip(outcomes.par_chunks(size))
            .map(|(points, outcomes)| {
                let metrics = self.held_out.metrics(self.study, self.problem, outcomes);
                let cell = |((&point, outcome), numbers)| Cell {
                    point,
                    fold: self.fold,
                    ..cell(self.study, self.problem, outcome, numbers)
                };
                points.iter().zip(outcomes).zip(metrics).map(cell).collect()
            })
            .collect();
        parts.into_iter().flatten().collect()
    }
}

/// The rows that metrics are measured on.
pub(super) struct HeldOut<'a> {
    matrix: Gathered<'a>,
    targets: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    /// Those that predictors have; targets of regressions are less theirs.
    offset: Option<Vec<f64>>,
}

/// The features of the held-out rows.
enum Gathered<'a> {
    /// For a regression, with what the residuals of every target are compared with.
    Panels(Panels, Vec<Spread>),
    /// Row-major.
    Dense(Cow<'a, Dense>),
    Sparse(Cow<'a, Matrix>),
}

impl<'a> HeldOut<'a> {
    /// Those of a fold, gathered once; missing cells are filled as in its problem.
    pub(super) fn of(study: &'a Study, fold: usize, problem: &FoldProblem) -> Self {
        let (rows, chosen): (&Rows, _) = study.criterion_rows(fold);
        let pick = |values: &Vec<f64>| match chosen {
            None => values.clone(),
            Some(chosen) => chosen.iter().map(|&i| values[i]).collect(),
        };
        let mut targets: Vec<Vec<f64>> = rows.targets.iter().map(pick).collect();
        let weights: Option<Vec<f64>> = rows.weights.as_ref().map(pick);
        let mut offset: Option<Vec<f64>> = rows.offset.as_ref().map(pick);
        let is_regression = matches!(study.specification.loss, Loss::Squared | Loss::Huber { .. });
        if is_regression && let Some(offset) = offset.take() {
            for target in &mut targets {
                target.iter_mut().zip(&offset).for_each(|(y, o)| *y -= o);
            }
        }
        let panels = |m: &Dense, chosen: Option<&[usize]>| {
            let weight = |i: usize| weights.as_ref().map_or(1.0, |w| w[i]);
            let spreads = targets.iter().map(|y| Spread::of(y, &weight)).collect();
            let panels = Panels::new(m, chosen, &targets, weights.as_deref());
            Gathered::Panels(panels, spreads)
        };
        let owned = |matrix: Matrix| match matrix {
            Matrix::Dense(m) => Gathered::Dense(Cow::Owned(m)),
            sparse @ Matrix::Sparse(_) => Gathered::Sparse(Cow::Owned(sparse)),
        };
        let filled = problem
            .filled()
            .map(|values| study.filled_criterion_rows(fold, values));
        let matrix = match (filled, &rows.matrix, chosen) {
            (Some(Matrix::Dense(m)), ..) if is_regression => panels(&m, None),
            (None, Matrix::Dense(m), _) if is_regression => panels(m, chosen),
            (Some(filled), ..) => owned(filled),
            (None, Matrix::Dense(m), None) => Gathered::Dense(Cow::Borrowed(m)),
            (None, sparse, None) => Gathered::Sparse(Cow::Borrowed(sparse)),
            (None, matrix, Some(chosen)) => owned(matrix.select_rows(chosen)),
        };
        Self {
            matrix,
            targets,
            weights,
            offset,
        }
    }

    /// The metrics of outcomes, one set of numbers each.
    fn metrics(&self, study: &Study, problem: &FoldProblem, outcomes: &[Outcome]) -> Vec<Numbers> {
        let mut all = self.metrics_of_rows(study, problem, outcomes);
        if study.is_compressed {
            // It is no sum of squares.
            all.iter_mut()
                .for_each(|numbers| numbers[Number::Mae] = f64::NAN);
        }
        all
    }

    fn metrics_of_rows(
        &self,
        study: &Study,
        problem: &FoldProblem,
        outcomes: &[Outcome],
    ) -> Vec<Numbers> {
        let (loss, c) = (study.specification.loss, study.specification.classes);
        if loss == Loss::Quadratic {
            return vec![Numbers::default(); outcomes.len()];
        }
        let models: Vec<(Vec<f64>, Vec<f64>)> = outcomes
            .iter()
            .map(|outcome| problem.in_data_units(&outcome.solution, outcome.point.target))
            .collect();
        if let Gathered::Panels(panels, spreads) = &self.matrix {
            let linear: Vec<Model<'_>> = models
                .iter()
                .zip(outcomes)
                .map(|((coefficients, intercepts), outcome)| Model {
                    coefficients,
                    intercept: intercepts.first().copied().unwrap_or(0.0),
                    target: outcome.point.target,
                })
                .collect();
            let residuals = panels.residuals(&linear);
            let numbers = |(residuals, model): (Residuals, &Model<'_>)| {
                let mut numbers = Numbers::default();
                if residuals.squares.is_finite() {
                    let Residuals { squares, sizes } = residuals;
                    spreads[model.target].measure(squares, sizes, &mut numbers);
                }
                numbers
            };
            return residuals.into_iter().zip(&linear).map(numbers).collect();
        }
        let z = self.predictors(&models, c);
        outcomes
            .iter()
            .zip(&z)
            .map(|(outcome, z)| {
                let mut numbers = Numbers::default();
                if z.iter().all(|z| z.is_finite()) {
                    let y = &self.targets[outcome.point.target];
                    let rows = MeasuredRows {
                        y,
                        weights: self.weights.as_deref(),
                        offset: self.offset.as_deref(),
                    };
                    rows.measure(loss, c, z, &mut numbers);
                }
                numbers
            })
            .collect()
    }

    /// X·W + b for every model, rows × classes in C order.
    fn predictors(&self, models: &[(Vec<f64>, Vec<f64>)], c: usize) -> Vec<Vec<f64>> {
        match &self.matrix {
            // Regressions are measured without their predictions.
            Gathered::Panels(..) => vec![Vec::new(); models.len()],
            Gathered::Dense(m) => {
                let x = MatRef::from_row_major_slice(&m.values, m.rows, m.columns);
                let w = Mat::from_fn(m.columns, models.len() * c, |j, column| {
                    models[column / c].0[j * c + column % c]
                });
                let mut z = Mat::zeros(m.rows, models.len() * c);
                matmul(&mut z, Accum::Replace, x, &w, 1.0, Par::Seq);
                let one = |(at, (_, intercepts)): (usize, &(Vec<f64>, Vec<f64>))| {
                    (0..m.rows * c)
                        .map(|place| {
                            let (i, k) = (place / c, place % c);
                            z[(i, at * c + k)] + intercepts.get(k).copied().unwrap_or(0.0)
                        })
                        .collect()
                };
                models.iter().enumerate().map(one).collect()
            }
            Gathered::Sparse(m) => models
                .iter()
                .map(|(w, intercepts)| predictors_of(m, w, intercepts, c))
                .collect(),
        }
    }
}

/// X·W + b of one model, rows × classes in C order; no intercepts are zeros.
pub(super) fn predictors_of(matrix: &Matrix, w: &[f64], intercepts: &[f64], c: usize) -> Vec<f64> {
    let mut z = vec![0.0; matrix.rows() * c];
    for row in z.chunks_exact_mut(c) {
        row.iter_mut().zip(intercepts).for_each(|(z, b)| *z = *b);
    }
    matrix.for_each_entry(|i, j, x| {
        for k in 0..c {
            z[i * c + k] += x * w[j * c + k];
        }
    });
    z
}

/// The cell of an outcome; `numbers` come with the metrics.
fn cell(study: &Study, problem: &FoldProblem, outcome: &Outcome, mut numbers: Numbers) -> Cell {
    numbers[Number::Criterion] = outcome.criterion;
    numbers[Number::Support] = outcome.support as f64;
    numbers[Number::Objective] = outcome.objective;
    numbers[Number::Residual] = outcome.residual;
    numbers[Number::DualityGap] = outcome.duality_gap.unwrap_or(f64::NAN);
    numbers[Number::LinearResidual] = outcome.linear_residual.unwrap_or(f64::NAN);
    numbers[Number::KinkMargin] = outcome.kink_margin.unwrap_or(f64::NAN);
    numbers[Number::Certified] = f64::from(u8::from(outcome.certified));
    numbers[Number::Steps] = outcome.steps as f64;
    numbers[Number::LinearSteps] = outcome.linear_steps as f64;
    let (mut l1_vector, mut prior) = (Vec::new(), Vec::new());
    for found in outcome.hypergradient.iter().flat_map(Hypergradient::parts) {
        match (Number::of_part(found.part), found.values) {
            (Some(Number::HypergradientL2), _) => {}
            (Some(number), &[value]) => numbers[number] = value,
            (Some(Number::HypergradientL1), values) => l1_vector = values.to_vec(),
            (None, values) if found.part == Part::Prior => prior = values.to_vec(),
            // A cell holds nothing of the rows, nor of bounds that each coefficient has.
            (Some(_) | None, _) => {}
        }
    }
    // A cell holds one number: along the factor of all ridge strengths.
    let hypergradient = outcome.hypergradient.as_ref();
    if let Some(slopes) = hypergradient.and_then(|found| found.l2.as_ref()) {
        numbers[Number::HypergradientL2] = problem.problem.along_l2(&outcome.point, slopes);
    }
    let mut warnings: Vec<&str> = outcome.warning_names().collect();
    if problem.constant_columns > 0 {
        warnings.push(WarningKind::ConstantColumn.name());
    }
    warnings.dedup();
    let solution = if study.keep_solutions {
        let (mut all, intercepts) = problem.in_data_units(&outcome.solution, outcome.point.target);
        all.extend(intercepts);
        pack_sparse(&all)
    } else {
        Vec::new()
    };
    Cell {
        point: 0,
        fold: 0,
        status: outcome.status,
        numbers,
        warnings: warnings.join(" "),
        hypergradient_l1_vector: l1_vector,
        hypergradient_prior: prior,
        solution,
        outcome: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::record::SINGULAR;

    #[test]
    fn a_store_knows_a_singular_hessian_by_its_warning() {
        assert_eq!(WarningKind::SingularHessian.name(), SINGULAR);
    }
}
