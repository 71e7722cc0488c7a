//! Training on perturbed data, and the scores of the model.

use serde::Serialize;

use super::subject::{Subject, perturbed};
use crate::control::Control;
use crate::data::{Dense, Design, Matrix};
use crate::engine::products::predictors;
use crate::error::{Error, Result};
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::path::{self, PathSettings};
use crate::problem::{Problem, Rows, Sign};

/// The score of a model on some rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of rows in their class, for classifiers.
    pub accuracy: Option<f64>,
    /// The root of the mean square of y − z, for regressors.
    pub rmse: Option<f64>,
}

impl Score {
    /// The accuracy, or the root mean square error.
    #[must_use]
    pub fn headline(&self) -> f64 {
        self.accuracy.or(self.rmse).unwrap_or(f64::NAN)
    }
}

/// The scores of a model on validation and test rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// On the rows that the attack sees.
    pub validation: Score,
    /// On rows that it does not see.
    pub test: Option<Score>,
}

/// Trains and judges.
pub(super) struct Judge<'a> {
    subject: &'a Subject,
    validation: &'a Rows,
}

impl<'a> Judge<'a> {
    pub(super) fn new(subject: &'a Subject) -> Result<Self> {
        let validation = subject.specification.validation.as_ref();
        let validation = validation.ok_or_else(|| {
            Error::unsupported("poisoning without validation rows", "hold some rows out")
        })?;
        if subject.specification.loss == Loss::Quadratic {
            return Err(Error::unsupported(
                "poisoning of a quadratic form",
                "it has no rows",
            ));
        }
        if subject.specification.loss.has_log_link() {
            return Err(Error::unsupported(
                format!(
                    "poisoning of the {} loss",
                    subject.specification.loss.name()
                ),
                "attack a model of another loss",
            ));
        }
        Ok(Self {
            subject,
            validation,
        })
    }

    /// Trains on the data with a perturbation of some rows: centre and scale included, as whoever
    /// receives the data would. The scaled coefficients come along.
    pub(super) fn train(
        &self,
        x: &Dense,
        perturbation: Option<(&[usize], &[f64])>,
        control: &Control,
    ) -> Result<(Measured, Vec<f64>)> {
        let mut specification = self.subject.specification.clone();
        specification.perturbation = None;
        specification.sign = Sign::Minimize;
        if let Some((rows, values)) = perturbation {
            specification.train.matrix = Matrix::Dense(perturbed(x, rows, values));
        }
        let problem = Problem::new(specification)?;
        let settings = PathSettings {
            tolerance: Some(1e-9),
            max_steps: 100_000,
        };
        let points = std::slice::from_ref(&self.subject.point);
        let w = path::solve::<f64>(&problem, points, None, &settings, control)?
            .remove(0)
            .w;
        if control.should_stop() {
            return Err(Error::Interrupted {
                what: "a measurement",
            });
        }
        let score = |rows: &Rows| self.score(&problem, rows, &w);
        let measured = Measured {
            validation: score(self.validation)?,
            test: self.subject.test.as_ref().map(score).transpose()?,
        };
        Ok((measured, w))
    }

    fn score(&self, problem: &Problem, rows: &Rows, w: &[f64]) -> Result<Score> {
        let columns = problem.train.design.features();
        if rows.matrix.columns() != columns {
            return Err(Error::shape(
                "test rows",
                format!("{columns} features"),
                rows.matrix.columns().to_string(),
                "give rows with the features of the training rows",
            ));
        }
        let design = Design::scaled(
            rows.matrix.clone(),
            &problem.features,
            problem.train.design.intercept,
        );
        let (loss, c) = (problem.loss, problem.classes);
        let z = predictors(&design, w, c);
        let target = self.subject.point.target;
        let origin = problem.target_origins[target].value;
        let y: Vec<f64> = rows.targets[target].iter().map(|y| y - origin).collect();
        let n = y.len() as f64;
        let each = || z.chunks_exact(c).zip(&y);
        // infallible: an attack is on a loss with rows.
        let mean = criterion::value(loss, &z, &y, |_| n.recip()).unwrap_or(f64::NAN);
        let right = |row: &(&[f64], &f64)| match loss {
            Loss::Multinomial => largest(row.0) == *row.1 as usize,
            _ => row.0[0] * row.1 > 0.0,
        };
        let squares = || each().map(|(z, &y)| (z[0] - y).powi(2)).sum::<f64>();
        let classifies = loss.is_classification();
        Ok(Score {
            loss: mean,
            accuracy: classifies.then(|| each().filter(right).count() as f64 / n),
            rmse: (!classifies).then(|| (squares() / n).sqrt()),
        })
    }
}

/// The place of the largest entry.
fn largest(z: &[f64]) -> usize {
    let mut best = 0;
    for (k, value) in z.iter().enumerate() {
        if *value > z[best] {
            best = k;
        }
    }
    best
}
