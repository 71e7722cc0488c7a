//! Training on perturbed data, and the scores of the model.

use serde::Serialize;

use super::ascent::{MAX_STEPS, check_finite};
use super::subject::{Subject, perturbed};
use crate::control::Control;
use crate::data::{Dense, Design, Matrix};
use crate::engine::products::predictors;
use crate::error::{Error, Result};
use crate::kinds::Status;
use crate::linalg::statistics::mean;
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::path::{self, PathSettings};
use crate::problem::{Point, Problem, Rows, Sign};
use crate::sweep::metrics;
use crate::sweep::record::{Number, Numbers};
use crate::sweep::stability::Agreement;

/// The tolerance of the models that are judged.
const TOLERANCE: f64 = 1e-9;

/// The score of a model on some rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of rows in their class, for classifiers.
    pub accuracy: Option<f64>,
    /// The root of the mean square of the target less its prediction, for regressors.
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
    /// The status of the fit.
    pub status: Status,
    /// Features with a coefficient that is not zero.
    pub features: usize,
    /// The agreement of these with the features of the model trained on clean data.
    pub stability: Agreement,
}

/// A fitted model with the problem that it is a solution of.
pub(super) struct Trained {
    pub(super) problem: Problem,
    /// Scaled coefficients.
    pub(super) w: Vec<f64>,
    pub(super) status: Status,
}

impl Trained {
    /// Whether each feature has a coefficient that is not zero.
    pub(super) fn features(&self) -> Vec<bool> {
        let features = self.problem.train.design.features();
        let of_features = self.w.chunks_exact(self.problem.classes).take(features);
        of_features
            .map(|coefficients| coefficients.iter().any(|w| *w != 0.0))
            .collect()
    }
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
            Error::unsupported(
                "poisoning without validation rows",
                "hold some rows out: the attack raises the loss there",
            )
        })?;
        if subject.specification.loss == Loss::Quadratic {
            return Err(Error::unsupported(
                "poisoning of a quadratic form",
                "it has no rows",
            ));
        }
        if subject.point.has_own_rows() {
            return Err(Error::unsupported(
                "poisoning at a point with row weights of its own",
                "state the model with these weights",
            ));
        }
        Ok(Self {
            subject,
            validation,
        })
    }

    /// The model on the data with a perturbation of some rows: centre and scale included, as whoever
    /// receives the data would have it.
    pub(super) fn problem(
        &self,
        x: &Dense,
        perturbation: Option<(&[usize], &[f64])>,
    ) -> Result<Problem> {
        let mut specification = self.subject.specification.clone();
        specification.perturbation = None;
        specification.sign = Sign::Minimize;
        if let Some((rows, values)) = perturbation {
            specification.train.matrix = Matrix::Dense(perturbed(x, rows, values));
        }
        Problem::new(specification)
    }

    /// The model trained at a point.
    pub(super) fn train(
        &self,
        problem: Problem,
        point: &Point,
        control: &Control,
    ) -> Result<Trained> {
        let settings = PathSettings {
            tolerance: Some(TOLERANCE),
            max_steps: MAX_STEPS,
        };
        let points = std::slice::from_ref(point);
        let solved = path::solve::<f64>(&problem, points, None, &settings, control)?.remove(0);
        if control.should_stop() {
            return Err(Error::Interrupted {
                what: "a measurement",
            });
        }
        check_finite(&solved.w)?;
        Ok(Trained {
            problem,
            w: solved.w,
            status: solved.status,
        })
    }

    /// The scores of a model, and how its features agree with those of the model trained on clean data.
    pub(super) fn measured(&self, trained: &Trained, clean: &[bool]) -> Result<Measured> {
        let features = trained.features();
        let score = |rows: &Rows| self.score(&trained.problem, rows, &trained.w);
        Ok(Measured {
            validation: score(self.validation)?,
            test: self.subject.test.as_ref().map(score).transpose()?,
            status: trained.status,
            features: features.iter().filter(|chosen| **chosen).count(),
            stability: Agreement::of(&features, clean),
        })
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
        let weights = rows.weights.as_deref();
        let unit = weights.map_or(1.0, mean) * y.len() as f64;
        let share = |i: usize| weights.map_or(1.0, |w| w[i]) / unit;
        // infallible: an attack is on a loss with rows.
        let mean = criterion::value(loss, &z, &y, share).unwrap_or(f64::NAN);
        let mut numbers = Numbers::default();
        metrics::measure(loss, c, &z, &y, weights, &mut numbers);
        let classifies = loss.is_classification();
        Ok(Score {
            loss: mean,
            accuracy: classifies.then_some(numbers[Number::Accuracy]),
            rmse: (!classifies).then(|| numbers[Number::Mse].sqrt()),
        })
    }
}
