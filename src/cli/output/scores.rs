//! Scores of a model on rows whose targets are known: of numbers, and of classes.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use super::arguments::LossName;
use super::model::{Model, TargetModel};
use super::numbers::short;
use super::output::{plain, titled};
use crate::data::dataset::Target;
use crate::data::labels::{Classes, numbers};
use crate::data::matrix::Matrix;
use crate::error::{Error, Result};
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::sweep::metrics;
use crate::sweep::record::{Number, Numbers};

/// Most classes of which a table shows the confusion matrix.
const SHOWN: usize = 12;

/// The scores of one target; a score that is not defined on these rows is null.
#[derive(Debug, Serialize)]
pub struct Scores {
    rows: usize,
    /// The mean loss of the fit.
    loss: Option<f64>,
    #[serde(flatten)]
    of: ScoresOf,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ScoresOf {
    Numbers {
        mse: Option<f64>,
        rmse: Option<f64>,
        mae: Option<f64>,
        r2: Option<f64>,
    },
    Classes {
        accuracy: Option<f64>,
        balanced_accuracy: Option<f64>,
        f1: Option<f64>,
        auc: Option<f64>,
        classes: Vec<ClassScores>,
        /// Rows by their class, and in it by the class that is predicted.
        confusion: Vec<Vec<usize>>,
    },
}

/// The scores of one class.
#[derive(Debug, Serialize)]
struct ClassScores {
    class: String,
    rows: usize,
    precision: f64,
    recall: f64,
    f1: f64,
}

/// X·W + b in C order; the columns of X are the model's features.
pub fn linear_predictors(
    matrix: &Matrix,
    coefficients: &[f64],
    target: &TargetModel,
    predictors: usize,
) -> Vec<f64> {
    let mut z = vec![0.0; matrix.rows() * predictors];
    matrix.for_each_entry(|i, j, value| {
        let row = &mut z[i * predictors..(i + 1) * predictors];
        for (z, w) in row.iter_mut().zip(&coefficients[j * predictors..]) {
            *z += value * w;
        }
    });
    if !target.intercept.is_empty() {
        for row in z.chunks_mut(predictors) {
            for (z, b) in row.iter_mut().zip(&target.intercept) {
                *z += b;
            }
        }
    }
    z
}

impl Scores {
    /// The scores of linear predictors against the values of a target.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a value that is no number, or of a class that the model does not know.
    pub fn of(model: &Model, target: &TargetModel, z: &[f64], truth: &Target) -> Result<Self> {
        let delta = model.huber_delta.unwrap_or(1.0);
        let loss = LossName::from_str(&model.loss, false)
            .map_err(|_| {
                Error::value(
                    "model",
                    format!("the loss {:?} is not known", model.loss),
                    "use a model that this version of proxdiff has written, or fit it again",
                )
            })?
            .loss(delta);
        if loss.is_classification() != target.classes.is_some() {
            return Err(Error::value(
                "model",
                format!(
                    "the {} loss does not go with the classes of {:?}",
                    model.loss, target.name
                ),
                "the model was altered; fit it again",
            ));
        }
        let classes = target.classes.clone().map(|names| Classes { names });
        let y = match &classes {
            None => numbers(truth)?,
            Some(classes) if loss == Loss::Multinomial => classes.encode_indices(&truth.values)?,
            Some(classes) => classes.encode_binary(&truth.values)?,
        };
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut found = Numbers::default();
        let count = classes.as_ref().map_or(1, Classes::len);
        metrics::measure(loss, count, z, &y, None, &mut found);
        let at = |number: Number| finite(found[number]);
        let of = match &classes {
            None => ScoresOf::Numbers {
                mse: at(Number::Mse),
                rmse: finite(found[Number::Mse].sqrt()),
                mae: at(Number::Mae),
                r2: at(Number::R2),
            },
            Some(classes) => {
                let confusion = metrics::confusion_counts(loss, count, z, &y)?;
                ScoresOf::Classes {
                    accuracy: at(Number::Accuracy),
                    balanced_accuracy: at(Number::BalancedAccuracy),
                    f1: at(Number::F1),
                    auc: at(Number::Auc),
                    classes: of_classes(&classes.names, &confusion),
                    confusion,
                }
            }
        };
        Ok(Self {
            rows: y.len(),
            loss: criterion::value(loss, z, &y, |_| 1.0 / y.len() as f64).and_then(finite),
            of,
        })
    }

    /// The scores as tables.
    pub fn table(&self, target: &str) -> String {
        let text = |value: &Option<f64>| value.map_or_else(|| "–".into(), short);
        let (names, values): (Vec<&str>, Vec<String>) = match &self.of {
            ScoresOf::Numbers { mse, rmse, mae, r2 } => (
                vec!["mse", "rmse", "mae", "r2"],
                [mse, rmse, mae, r2].into_iter().map(text).collect(),
            ),
            ScoresOf::Classes {
                accuracy,
                balanced_accuracy,
                f1,
                auc,
                ..
            } => (
                vec!["accuracy", "balanced accuracy", "f1", "auc"],
                [accuracy, balanced_accuracy, f1, auc]
                    .into_iter()
                    .map(text)
                    .collect(),
            ),
        };
        let mut table = plain(&[&["rows", "loss"][..], &names].concat());
        let mut row = vec![self.rows.to_string(), text(&self.loss)];
        row.extend(values);
        table.add_row(row);
        let mut all = titled(&format!("\nScores of {target}"), table, &[]);
        if let ScoresOf::Classes {
            classes, confusion, ..
        } = &self.of
        {
            let mut table = plain(&["class", "rows", "precision", "recall", "f1"]);
            for class in classes {
                let mut row = vec![class.class.clone(), class.rows.to_string()];
                row.extend([class.precision, class.recall, class.f1].map(short));
                table.add_row(row);
            }
            all.push_str(&titled("\nBy class", table, &[0]));
            if classes.len() > SHOWN {
                let _ = writeln!(
                    all,
                    "The confusion matrix of {} classes is in --format json",
                    classes.len()
                );
                return all;
            }
            let mut header = vec!["class"];
            header.extend(classes.iter().map(|class| class.class.as_str()));
            let mut table = plain(&header);
            for (class, counts) in classes.iter().zip(confusion) {
                let mut row = vec![class.class.clone()];
                row.extend(counts.iter().map(ToString::to_string));
                table.add_row(row);
            }
            all.push_str(&titled(
                "\nConfusion: rows by class, columns by prediction",
                table,
                &[0],
            ));
        }
        all
    }
}

/// Precision, recall and F1 by class, each 0 where nothing is counted.
fn of_classes(names: &[String], confusion: &[Vec<usize>]) -> Vec<ClassScores> {
    let ratio = |part: usize, whole: usize| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    let of = |(k, name): (usize, &String)| {
        let right = confusion[k][k];
        let rows: usize = confusion[k].iter().sum();
        let predicted: usize = confusion.iter().map(|counts| counts[k]).sum();
        ClassScores {
            class: name.clone(),
            rows,
            precision: ratio(right, predicted),
            recall: ratio(right, rows),
            f1: ratio(2 * right, rows + predicted),
        }
    };
    names.iter().enumerate().map(of).collect()
}
