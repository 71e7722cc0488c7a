//! Scores of a model on rows whose targets are known: of numbers, and of classes.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::{plain, titled};
use crate::cli::model::{Model, TargetModel};
use crate::cli::numbers::short;
use crate::data::dataset::{Dataset, Target};
use crate::data::labels::{Classes, numbers};
use crate::data::matrix::Matrix;
use crate::error::{Error, Result};
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::problem::check_labels;
use crate::sweep::held_out::Predicted;
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
    /// Of means with a log link.
    Means {
        /// The mean of the unit deviances: twice the loss.
        deviance: Option<f64>,
        mse: Option<f64>,
        rmse: Option<f64>,
        mae: Option<f64>,
        /// The share of the deviance that is explained.
        d2: Option<f64>,
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

/// Rows whose targets are known, as the loss takes them.
pub struct Known<'a> {
    /// The loss of the fit.
    pub loss: Loss,
    /// The names of the classes; empty for numbers.
    pub classes: &'a [String],
    /// The linear predictors in C order.
    pub z: &'a [f64],
    /// The targets.
    pub y: &'a [f64],
    /// The weight of every row, if they differ.
    pub weights: Option<&'a [f64]>,
    /// The offset of every row, which is not in the predictors, if there are some.
    pub offset: Option<&'a [f64]>,
}

/// The scores of a target on test rows.
#[derive(Debug, Serialize)]
pub struct Tested {
    /// The name of the target.
    target: String,
    #[serde(flatten)]
    scores: Scores,
}

impl Tested {
    /// The scores of every target of a model on rows that it was not fitted to, whose columns are its
    /// features.
    ///
    /// # Errors
    /// Those of [`Scores::of`].
    pub fn of(model: &Model, rows: &Dataset) -> Result<Vec<Self>> {
        let fits = model.targets.iter().zip(&model.coefficients);
        fits.zip(&rows.targets)
            .map(|((target, coefficients), truth)| {
                let z = linear_predictors(&rows.matrix, coefficients, target, model.predictors());
                Ok(Self {
                    target: target.name.clone(),
                    scores: Scores::of(model, target, &z, truth, RowParts::of(rows))?,
                })
            })
            .collect()
    }

    /// The targets of rows as the loss takes them, and what a model predicts of them: per target of the model.
    ///
    /// # Errors
    /// Those of [`Scores::of`].
    pub fn predicted(model: &Model, rows: &Dataset) -> Result<Vec<Predicted>> {
        let fits = model.targets.iter().zip(&model.coefficients);
        fits.zip(&rows.targets)
            .map(|((target, coefficients), truth)| {
                Ok(Predicted {
                    z: linear_predictors(&rows.matrix, coefficients, target, model.predictors()),
                    y: encoded(model.loss()?, target, truth)?,
                    weights: rows.weights.clone(),
                    offset: rows.offset.clone(),
                    rows: None,
                })
            })
            .collect()
    }

    /// The head and the row of a table of the scores.
    pub fn cells(&self) -> (Vec<String>, Vec<String>) {
        self.scores.cells()
    }

    /// The scores as tables.
    pub fn table(&self) -> String {
        self.scores.table(&format!("{} on test rows", self.target))
    }
}

/// The values of a target as a loss takes them, by the classes of the model.
fn encoded(loss: Loss, target: &TargetModel, truth: &Target) -> Result<Vec<f64>> {
    match target.classes.clone().map(|names| Classes { names }) {
        None => numbers(truth),
        Some(classes) if loss == Loss::Multinomial => classes.encode_indices(&truth.values),
        Some(classes) => classes.encode_binary(&truth.values),
    }
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

/// The parts of rows beside features and targets.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowParts<'a> {
    /// The weight of every row, if they differ.
    pub weights: Option<&'a [f64]>,
    /// The offset of every row, if there are some.
    pub offset: Option<&'a [f64]>,
}

impl<'a> RowParts<'a> {
    /// Those of the rows of a data set.
    pub fn of(rows: &'a Dataset) -> Self {
        Self {
            weights: rows.weights.as_deref(),
            offset: rows.offset.as_deref(),
        }
    }
}

impl Scores {
    /// The scores of linear predictors, without offsets, against the values of a target.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a value that is no number, or of a class that the model does not know.
    pub fn of(
        model: &Model,
        target: &TargetModel,
        z: &[f64],
        truth: &Target,
        parts: RowParts<'_>,
    ) -> Result<Self> {
        let loss = model.loss()?;
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
        let y = encoded(loss, target, truth)?;
        if loss.has_log_link() {
            check_labels(&y, loss, 1, &target.name)?;
        }
        Self::of_rows(&Known {
            loss,
            classes: target.classes.as_deref().unwrap_or_default(),
            z,
            y: &y,
            weights: parts.weights,
            offset: parts.offset,
        })
    }

    /// The scores of rows whose targets are known.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] and [`crate::Error::Value`] for targets that are no classes of the loss.
    pub fn of_rows(rows: &Known<'_>) -> Result<Self> {
        let Known {
            loss,
            classes,
            z,
            y,
            weights,
            offset,
        } = *rows;
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut found = Numbers::default();
        let count = classes.len().max(1);
        let measured = metrics::MeasuredRows { y, weights, offset };
        measured.measure(loss, count, z, &mut found);
        let with: Vec<f64>;
        let z = match offset {
            None => z,
            Some(offset) => {
                with = z.iter().zip(offset).map(|(z, o)| z + o).collect();
                &with
            }
        };
        let at = |number: Number| finite(found[number]);
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let total: f64 = (0..y.len()).map(weight).sum();
        let mean_loss = criterion::value(loss, z, y, |i| weight(i) / total).and_then(finite);
        let of = if loss.is_classification() {
            let counts = metrics::confusion_weights(loss, count, z, y, None)?;
            let weighted = metrics::confusion_weights(loss, count, z, y, weights)?;
            let whole = |row: &Vec<f64>| row.iter().map(|rows| *rows as usize).collect();
            let confusion: Vec<Vec<usize>> = counts.iter().map(whole).collect();
            ScoresOf::Classes {
                accuracy: at(Number::Accuracy),
                balanced_accuracy: at(Number::BalancedAccuracy),
                f1: at(Number::F1),
                auc: at(Number::Auc),
                classes: of_classes(classes, &confusion, &weighted),
                confusion,
            }
        } else if loss.has_log_link() {
            ScoresOf::Means {
                deviance: mean_loss.map(|half| 2.0 * half),
                mse: at(Number::Mse),
                rmse: finite(found[Number::Mse].sqrt()),
                mae: at(Number::Mae),
                d2: at(Number::R2),
            }
        } else {
            ScoresOf::Numbers {
                mse: at(Number::Mse),
                rmse: finite(found[Number::Mse].sqrt()),
                mae: at(Number::Mae),
                r2: at(Number::R2),
            }
        };
        Ok(Self {
            rows: y.len(),
            loss: mean_loss,
            of,
        })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The scores of all rows together by their names.
    pub fn named(&self) -> Vec<(&'static str, Option<f64>)> {
        match &self.of {
            ScoresOf::Numbers { mse, rmse, mae, r2 } => {
                vec![("mse", *mse), ("rmse", *rmse), ("mae", *mae), ("r2", *r2)]
            }
            ScoresOf::Means {
                deviance,
                mse,
                rmse,
                mae,
                d2,
            } => vec![
                ("deviance", *deviance),
                ("mse", *mse),
                ("rmse", *rmse),
                ("mae", *mae),
                ("d2", *d2),
            ],
            ScoresOf::Classes {
                accuracy,
                balanced_accuracy,
                f1,
                auc,
                ..
            } => vec![
                ("accuracy", *accuracy),
                ("balanced accuracy", *balanced_accuracy),
                ("f1", *f1),
                ("auc", *auc),
            ],
        }
    }

    /// The head and the row of a table of the scores of all rows together.
    fn cells(&self) -> (Vec<String>, Vec<String>) {
        let text = |value: Option<f64>| value.map_or_else(|| "–".into(), short);
        let named = self.named();
        let names = named.iter().map(|(name, _)| *name);
        let head = ["rows", "loss"].into_iter().chain(names);
        let mut row = vec![self.rows.to_string(), text(self.loss)];
        row.extend(named.iter().map(|(_, value)| text(*value)));
        (head.map(String::from).collect(), row)
    }

    /// The scores as tables.
    pub fn table(&self, target: &str) -> String {
        let (head, row) = self.cells();
        let mut table = plain(&head.iter().map(String::as_str).collect::<Vec<_>>());
        table.add_row(row);
        let mut all = below(titled(&format!("Scores of {target}"), table, &[]));
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
            all.push_str(&below(titled("By class", table, &[0])));
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
            all.push_str(&below(titled(
                "Confusion: rows by class, columns by prediction",
                table,
                &[0],
            )));
        }
        all
    }
}

/// A table with an empty line above it.
fn below(table: String) -> String {
    format!("\n{table}")
}

/// Precision, recall and F1 by class, of the rows' weights, each 0 where there are none.
fn of_classes(
    names: &[String],
    confusion: &[Vec<usize>],
    weighted: &[Vec<f64>],
) -> Vec<ClassScores> {
    let ratio = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
    let of = |(k, name): (usize, &String)| {
        let right = weighted[k][k];
        let of_class: f64 = weighted[k].iter().sum();
        let predicted: f64 = weighted.iter().map(|sums| sums[k]).sum();
        ClassScores {
            class: name.clone(),
            rows: confusion[k].iter().sum(),
            precision: ratio(right, predicted),
            recall: ratio(right, of_class),
            f1: ratio(2.0 * right, of_class + predicted),
        }
    };
    names.iter().enumerate().map(of).collect()
}
