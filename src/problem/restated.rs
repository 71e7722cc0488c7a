//! A problem stated again: its specification, with rows in the data's units; other parts of its loss, weights
//! of its classes and targets.

use std::sync::Arc;

use super::check::mean;
use super::{Criterion, Offset, PriorUnits, Problem, Rows, Sample, Sign, Specification};
use crate::data::design::Design;
use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::error::{Error, Result};
use crate::model::loss::Loss;

/// A target of the user's, from what is left of it without its origin and offset.
fn raw_target(target: &[f64], origin: f64, offset: Option<&Offset>) -> Vec<f64> {
    let target: Vec<f64> = target.iter().map(|y| y + origin).collect();
    match offset {
        None => target,
        Some(offset) => offset.restored(&target),
    }
}

impl Problem {
    /// The specification of this problem, with rows in the data's units to rounding: for folds of the
    /// same rows.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where training rows are perturbed: their own values are not kept.
    pub fn specification(&self) -> Result<Specification> {
        if !self.perturbed_rows.is_empty() {
            return Err(Error::unsupported(
                "folds of perturbed rows",
                "state the problem without its perturbation",
            ));
        }
        let origin = |at: usize| self.target_origins[at].value;
        let targets = self.train.targets.iter().enumerate();
        let factor = |i: usize| self.weight_factors.as_ref().map_or(1.0, |f| f[i]);
        let of_user = |(i, &weight): (usize, &f64)| match factor(i) {
            0.0 => 0.0,
            factor => weight * self.weight_unit / factor,
        };
        let offset = self.train.offset.as_deref();
        let weights = Offset::unweighted(offset, &self.train.weights);
        let weights: Vec<f64> = weights.iter().enumerate().map(of_user).collect();
        let rows = Rows {
            matrix: self.raw_matrix(&self.train.design),
            targets: targets
                .map(|(at, y)| raw_target(y, origin(at), offset))
                .collect(),
            weights: weights.iter().any(|&w| w != 1.0).then_some(weights),
            offset: offset.map(|offset| offset.values.clone()),
        };
        Ok(Specification {
            loss: self.loss,
            penalty: (self.penalty.clone()).unscaled(&self.features.scale, self.classes),
            classes: self.classes,
            train: rows,
            weight_factors: self.weight_factors.clone(),
            validation: self.restated_validation(),
            criterion: Some(self.criterion.loss),
            sign: self.criterion.sign,
            scaling: self.scaling,
            ridge: self.ridge.clone(),
            prior: self.prior.clone(),
            prior_units: PriorUnits::Scaled,
            perturbation: None,
        })
    }

    /// The problem with another δ of the Huber loss of the fit; that of the criterion stays.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another loss, [`Error::Value`] for a δ that is not finite and greater than
    /// zero.
    pub fn with_huber_delta(self, delta: f64) -> Result<Self> {
        if !matches!(self.loss, Loss::Huber { .. }) {
            return Err(Error::unsupported(
                format!("a Huber delta of the {} loss", self.loss.name()),
                "use the Huber loss",
            ));
        }
        if !(delta.is_finite() && delta > 0.0) {
            return Err(Error::value(
                "Huber delta",
                format!("{delta}"),
                "give a finite number greater than zero",
            ));
        }
        let loss = Loss::Huber { delta };
        Ok(Self { loss, ..self })
    }

    /// The problem with weights of the classes of a target, which multiply those of the rows. Factors that
    /// these have had before become part of them; centre and scale of the features stay.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a loss without classes, [`Error::Shape`] unless there is one weight for each
    /// class, [`Error::Value`] for weights that are not finite and greater than zero, and for a target that is
    /// not there.
    pub fn with_class_weights(mut self, weights: &[f64], target: usize) -> Result<Self> {
        if !self.loss.is_classification() {
            return Err(Error::unsupported(
                format!("class weights of the {} loss", self.loss.name()),
                "use a loss of classes: logistic, multinomial or squared-hinge",
            ));
        }
        if weights.len() != self.class_count() {
            return Err(Error::shape(
                "class weights",
                format!("{}, one for each class", self.class_count()),
                weights.len().to_string(),
                "give one weight for each class, in the order of the classes",
            ));
        }
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(Error::value(
                "class weights",
                format!("one is {weight}"),
                "give finite numbers greater than zero",
            ));
        }
        if target >= self.train.targets.len() {
            return Err(Error::value(
                "target",
                format!("number {target} of {}", self.train.targets.len()),
                "count targets from 0",
            ));
        }
        let factor = |i: usize| weights[self.class_of(i, target)];
        let factors: Vec<f64> = (0..self.train.rows()).map(factor).collect();
        let own = self.train.weights.iter().zip(&factors);
        let own: Vec<f64> = own.map(|(weight, factor)| weight * factor).collect();
        let unit = mean(&own);
        self.train.weights = own.iter().map(|weight| weight / unit).collect();
        self.weight_unit *= unit;
        self.weight_factors = Some(factors);
        self.centered = false;
        if self.criterion.on_training_rows {
            let criterion = &mut self.criterion.sample.weights;
            criterion.clone_from(&self.train.weights);
        }
        Ok(self)
    }

    /// The problem with these numbers added to a training target; its criterion is the squared loss on the
    /// training rows, to that target with other numbers added.
    pub(crate) fn retargeted(&self, target: usize, training: &[f64], criterion: &[f64]) -> Self {
        let with = |added: &[f64]| {
            let mut targets = self.train.targets.to_vec();
            targets[target]
                .iter_mut()
                .zip(added)
                .for_each(|(y, more)| *y += more);
            Arc::new(targets)
        };
        let mut problem = self.clone();
        problem.criterion = Criterion {
            loss: Loss::Squared,
            sign: Sign::Minimize,
            sample: Sample {
                targets: with(criterion),
                ..self.train.clone()
            },
            on_training_rows: false,
        };
        problem.train.targets = with(training);
        problem
    }

    /// The rows of the criterion; `None` where they are the training rows.
    fn restated_validation(&self) -> Option<Rows> {
        let sample = &self.criterion.sample;
        let origins = self.target_origins.iter();
        let offset = sample.offset.as_deref();
        let weights = Offset::unweighted(offset, &sample.weights);
        (!self.criterion.on_training_rows).then(|| Rows {
            matrix: self.raw_matrix(&sample.design),
            targets: sample
                .targets
                .iter()
                .zip(origins)
                .map(|(y, origin)| raw_target(y, origin.value, offset))
                .collect(),
            weights: weights.iter().any(|&w| w != 1.0).then(|| weights.clone()),
            offset: offset.map(|offset| offset.values.clone()),
        })
    }

    /// The rows of a design without its centre, scale and column of ones.
    fn raw_matrix(&self, design: &Design) -> Matrix {
        let d = design.features();
        let (center, scale) = (&self.features.center, &self.features.scale);
        match &design.matrix {
            Matrix::Dense(m) => {
                let row = |i: usize| {
                    let columns = m.row(i)[..d].iter().enumerate();
                    columns.map(|(j, x)| x * scale[j] + center[j])
                };
                Matrix::Dense(Dense {
                    rows: m.rows,
                    columns: d,
                    values: (0..m.rows).flat_map(row).collect(),
                })
            }
            Matrix::Sparse(m) => {
                // Entries are as they were, but for the columns that were centred in place.
                let left = design.rank_one.as_ref();
                let moved = |j: usize| center[j] - left.map_or(0.0, |r| r.center[j]);
                let (mut row_starts, mut column_indices) = (vec![0], Vec::new());
                let mut values = Vec::new();
                for i in 0..m.rows {
                    for (j, value) in m.row(i).filter(|&(j, _)| j < d) {
                        column_indices.push(j as u32);
                        values.push(value + moved(j));
                    }
                    row_starts.push(values.len());
                }
                Matrix::Sparse(Sparse {
                    rows: m.rows,
                    columns: d,
                    row_starts,
                    column_indices,
                    values,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Triplets;
    use crate::hypergrad::Evaluator;
    use crate::problem::Point;

    fn values(matrix: &Matrix) -> Vec<f64> {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let mut all = vec![0.0; rows * columns];
        matrix.for_each_entry(|i, j, x| all[i * columns + j] = x);
        all
    }

    #[test]
    fn rows_weights_and_targets_come_back() {
        let x = [
            [1.0, 7.0, 1e3],
            [2.0, 7.0, 1e3 + 1.0],
            [4.0, 7.0, 1e3 - 1.0],
            [0.5, 7.0, 1e3],
        ];
        let y = [1e9, 1e9 + 1.0, 1e9 + 2.0, 1e9 - 1.0];
        for (intercept, standardize) in [(true, true), (true, false), (false, true), (false, false)]
        {
            let problem = Problem::elastic_net(&x, &y)
                .sample_weights(&[1.0, 2.0, 0.5, 3.0])
                .intercept(intercept)
                .standardize(standardize)
                .build()
                .unwrap();
            let again = problem.specification().unwrap();
            for (found, expected) in values(&again.train.matrix).iter().zip(x.as_flattened()) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
            assert_eq!(again.train.targets[0], y);
            for (w, e) in again
                .train
                .weights
                .unwrap()
                .iter()
                .zip([1.0, 2.0, 0.5, 3.0])
            {
                assert!((w - e).abs() < 1e-15);
            }
            assert_eq!(again.scaling.intercept, intercept);
            assert_eq!(again.scaling.standardize, standardize);
        }
    }

    /// Another δ is that of the fit alone, and only of the Huber loss.
    #[test]
    fn another_delta_leaves_the_criterion() {
        let x = [[1.0], [-1.0], [2.0], [-1.0]];
        let y = [1.0, 2.0, 3.0, 5.0];
        let problem = Problem::huber(&x, &y, 1.0).build().unwrap();
        let again = problem.clone().with_huber_delta(0.5).unwrap();
        assert_eq!(again.loss(), Loss::Huber { delta: 0.5 });
        assert_eq!(again.criterion().loss, Loss::Huber { delta: 1.0 });
        for delta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(problem.clone().with_huber_delta(delta).is_err());
        }
        let squared = Problem::elastic_net(&x, &y).build().unwrap();
        let error = squared.with_huber_delta(1.0).unwrap_err().to_string();
        assert!(error.contains("squared loss"), "{error}");
    }

    /// Weights of classes are those of a problem that is stated with them, whatever their common scale.
    #[test]
    fn weights_of_classes_multiply_those_of_rows() {
        let x = [[1.0, 0.5], [-1.0, 2.0], [2.0, 0.0], [-1.0, 1.0], [0.5, 1.5]];
        let y = [1.0, -1.0, 1.0, 1.0, -1.0];
        let own = [1.0, 2.0, 0.5, 3.0, 1.0];
        let problem = |weights: &[f64]| {
            Problem::logistic(&x, &y)
                .sample_weights(weights)
                .standardize(false)
                .build()
                .unwrap()
        };
        let expected = problem(&[3.0, 4.0, 1.5, 9.0, 2.0]);
        let point = [Point::new(0.02, 0.1)];
        let solved = |problem: &Problem| {
            let mut outcomes = Evaluator::new(problem).run(&point).unwrap();
            let outcome = outcomes.remove(0);
            (
                problem.in_data_units(&outcome.solution, 0),
                outcome.criterion,
            )
        };
        let (coefficients, criterion) = solved(&expected);
        for weights in [[2.0, 3.0], [0.2, 0.3]] {
            let again = problem(&own).with_class_weights(&weights, 0).unwrap();
            let found = solved(&again);
            for (found, expected) in found.0.0.iter().zip(&coefficients.0) {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
            assert!((found.0.1[0] - coefficients.1[0]).abs() < 1e-9);
            assert!((found.1 - criterion).abs() < 1e-12);
            // Their own weights and the factors are told apart.
            let stated = again.specification().unwrap();
            for (found, expected) in stated.train.weights.unwrap().iter().zip(own) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
            assert_eq!(
                stated.weight_factors.unwrap()[..2],
                [weights[1], weights[0]]
            );
        }
        for (weights, target, part) in [
            (&[1.0][..], 0, "one for each class"),
            (&[1.0, 0.0], 0, "greater than zero"),
            (&[1.0, f64::NAN], 0, "greater than zero"),
            (&[1.0, 2.0], 1, "count targets"),
        ] {
            let error = problem(&own)
                .with_class_weights(weights, target)
                .unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        let numbers = Problem::elastic_net(&x, &y).build().unwrap();
        let error = numbers.with_class_weights(&[1.0, 2.0], 0).unwrap_err();
        assert!(error.to_string().contains("squared loss"), "{error}");
    }

    /// Columns of deviation 1 leave no trace of their scaling, but those of a fold's rows have others.
    #[test]
    fn the_scaling_of_columns_with_deviation_one_comes_back() {
        let x = [[1.0], [-1.0], [1.0], [-1.0]];
        let problem = Problem::elastic_net(&x, &[1.0, 2.0, 3.0, 5.0])
            .build()
            .unwrap();
        assert_eq!(problem.features().scale, [1.0]);
        assert!(problem.specification().unwrap().scaling.standardize);
    }

    #[test]
    fn sparse_rows_stay_sparse() {
        // The second column is far from zero and stored in most rows: it is centred in place.
        let entries = [
            (0, 0, 2.0),
            (0, 1, 1e7),
            (1, 1, 1e7 + 1.0),
            (2, 1, 1e7 + 3.0),
            (3, 2, -1.0),
        ];
        let triplets = Triplets {
            rows: 4,
            columns: 3,
            entries: &entries,
        };
        let problem = Problem::elastic_net(&triplets, &[1.0, 2.0, 3.0, 5.0])
            .build()
            .unwrap();
        let again = problem.specification().unwrap();
        assert!(matches!(again.train.matrix, Matrix::Sparse(_)));
        let mut expected = vec![0.0; 12];
        entries
            .iter()
            .for_each(|&(i, j, x)| expected[i * 3 + j] = x);
        for (found, expected) in values(&again.train.matrix).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        }
    }
}
