//! Fitted models on disk: a directory with `model.json` and `coefficients.npy`.
//!
//! The coefficients are in the data's units. Their array is d, or d × c for the multinomial loss;
//! with several targets there is a leading axis for them. What a reader needs to use them is in
//! `model.json`; its `schema` changes when an older program could misread a newer model. A digest of
//! the coefficients there ties the two files together.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::arguments::{LossName, Shapes};
use super::failure::Failure;
use super::whole::{Whole, unfinished, wait_for_lock, write_whole};
use crate::data::align::is_generic;
use crate::data::dataset::Dataset;
use crate::data::missing::{Indicator, fill};
use crate::data::readers::{read_npy, write_npy};
use crate::data::{Expected, Factor, Named};
use crate::error::{Error, Place, Result};
use crate::model::loss::Loss;

const HEAD: &str = "model.json";
const COEFFICIENTS: &str = "coefficients.npy";

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The version of the file's form.
    pub schema: u64,
    /// The version of the program that wrote it.
    pub version: String,
    /// The source of the training data.
    pub source: String,
    /// The loss by name.
    pub loss: String,
    /// The point at which the Huber loss turns linear.
    pub huber_delta: Option<f64>,
    /// The power of the Tweedie loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tweedie_power: Option<f64>,
    /// The penalty by name.
    pub penalty: String,
    /// Whether there is an intercept.
    pub intercept: bool,
    /// Whether columns were divided by their standard deviation while fitting.
    pub standardize: bool,
    /// Number of training rows.
    pub rows: usize,
    /// The names of the features, in the order of the coefficients.
    pub feature_names: Vec<String>,
    /// Whether a file has given these names; without it the reader made them up. Older models do not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features_are_named: Option<bool>,
    /// The columns of text that some of the features stand for, with their levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// The column of the offsets of rows, where it was fitted with some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// The fillings of missing cells, where they were filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingCells>,
    /// XXH3 of the coefficients as little-endian f64 in C order, in 16 hexadecimal digits; models of
    /// version 0.1.0 and before may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coefficients_digest: Option<String>,
    /// The fits, target by target.
    pub targets: Vec<TargetModel>,
    /// Per target d·c coefficients in C order; kept in `coefficients.npy`.
    #[serde(skip)]
    pub coefficients: Vec<Vec<f64>>,
}

/// The fillings of missing cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingCells {
    /// The value of every feature that its missing cells were filled with.
    pub values: Vec<f64>,
    /// The features that say where columns are missing: the last ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indicators: Vec<Indicator>,
}

impl MissingCells {
    /// These values, if there are some, and the indicators beside them.
    pub fn of(values: Option<&[f64]>, indicators: &[Indicator]) -> Option<Self> {
        values.map(|values| Self {
            values: values.to_vec(),
            indicators: indicators.to_vec(),
        })
    }
}

/// The fit of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetModel {
    /// The target's name.
    pub name: String,
    /// The classes in the order of the codes; none for numbers.
    pub classes: Option<Vec<String>>,
    /// The l1 strength.
    pub l1: f64,
    /// The ridge strength.
    pub l2: f64,
    /// The share of the lasso where the fit is relaxed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relax: Option<f64>,
    /// One intercept per predictor; none without.
    pub intercept: Vec<f64>,
    /// Training loss with penalties; `None` when it is not finite.
    pub objective: Option<f64>,
    /// Number of penalised coefficients that are not zero.
    pub support: usize,
    /// The scaled residual of the fixed point; `None` when it is not finite.
    pub residual: Option<f64>,
    /// The relative duality gap, where there is one.
    pub duality_gap: Option<f64>,
    /// The status of the fit.
    pub status: String,
}

impl Model {
    /// The version of the model files whose predictions are the linear predictors, or classes.
    pub const SCHEMA: u64 = 1;
    /// That of models with a log link: an older program would take the linear predictors for predictions.
    pub const LOG_LINK_SCHEMA: u64 = 2;
    /// That of models with offsets: an older program would leave them out.
    pub const OFFSET_SCHEMA: u64 = 3;

    /// The version of the file of a model of this loss.
    pub fn schema_of(loss: Loss, has_offset: bool) -> u64 {
        if has_offset {
            Self::OFFSET_SCHEMA
        } else if loss.has_log_link() {
            Self::LOG_LINK_SCHEMA
        } else {
            Self::SCHEMA
        }
    }

    /// The loss that was fitted.
    ///
    /// # Errors
    /// [`Error::Value`] for a name that no loss has.
    pub fn loss(&self) -> Result<Loss> {
        let shapes = Shapes::default();
        let shapes = Shapes {
            huber_delta: self.huber_delta.unwrap_or(shapes.huber_delta),
            tweedie_power: self.tweedie_power.unwrap_or(shapes.tweedie_power),
        };
        match LossName::from_str(&self.loss, false) {
            Ok(name) => Ok(name.loss(shapes)),
            Err(_) => Err(Error::value(
                "model",
                format!("the loss {:?} is not known", self.loss),
                "use a model that this version of proxdiff has written, or fit it again",
            )),
        }
    }

    /// Linear predictors per row: the classes of the multinomial loss, else 1.
    pub fn predictors(&self) -> usize {
        match self.coefficients.first() {
            Some(first) if !self.feature_names.is_empty() => first.len() / self.feature_names.len(),
            _ => 1,
        }
    }

    /// The columns that data for the model are to have.
    pub fn expected(&self) -> Expected {
        let features = self.features_are_named;
        let made = self.missing.as_ref().map_or(0, |m| m.indicators.len());
        let read = self.feature_names.len().saturating_sub(made);
        Expected {
            features: self.feature_names[..read].to_vec(),
            factors: self.factors.clone(),
            targets: Vec::new(),
            named: Named {
                features: features.unwrap_or_else(|| !is_generic(&self.feature_names)),
                targets: false,
            },
        }
    }

    /// Rows with the features of the model, missing cells filled as in training; `rows` has the
    /// indicators already.
    pub fn filled(&self, mut rows: Dataset) -> Dataset {
        if let Some(missing) = &self.missing {
            fill(&mut rows.matrix, &missing.values);
        }
        rows
    }

    /// Rows with the columns that the model expects, as its features.
    pub fn features_of(&self, rows: Dataset) -> Dataset {
        match &self.missing {
            None => rows,
            Some(missing) => self.filled(rows.with_indicators(&missing.indicators)),
        }
    }

    /// The two files of the model in a directory, or of the model whose `model.json` is named.
    pub fn files(path: &Path) -> [PathBuf; 2] {
        let directory = directory(path);
        [directory.join(HEAD), directory.join(COEFFICIENTS)]
    }

    /// Whether a model has a file of this name.
    pub fn has_file(name: &str) -> bool {
        name == HEAD || name == COEFFICIENTS
    }

    /// Writes the model into `directory`, which is made if need be; a model that is there is replaced
    /// by the whole new one, or stays. `flag` has named the directory.
    ///
    /// # Errors
    /// [`Failure::Unwritable`] when the directory or a file cannot be written.
    pub fn save(&self, directory: &Path, flag: &str) -> std::result::Result<(), Failure> {
        let unwritable =
            |path: PathBuf| move |source: io::Error| Failure::unwritable(flag, &path, &source);
        std::fs::create_dir_all(directory).map_err(unwritable(directory.to_path_buf()))?;
        let [head, coefficients] = Self::files(directory);
        let model = Self {
            coefficients_digest: Some(digest(self.coefficients.iter().flatten())),
            ..self.clone()
        };
        // infallible: a record with string keys
        let mut text =
            serde_json::to_string_pretty(&model).expect("a record of numbers and strings");
        text.push('\n');
        let begin = || -> io::Result<Whole> {
            let mut file = Whole::create(&coefficients)?;
            write_npy(&mut file, &self.shape(), self.coefficients.iter().flatten())?;
            file.sync()?;
            Ok(file)
        };
        let numbers = begin().map_err(unwritable(coefficients.clone()))?;
        // Other processes that fit into this directory, or read there, wait. Where there are no locks, the
        // digest tells.
        let lock = File::open(directory);
        if let Ok(lock) = &lock {
            wait_for_lock(|| lock.try_lock());
        }
        // With its head the new model is there: its coefficients lie ready beside it, where a reader
        // finds them if this process is ended before they have their name.
        let old = std::fs::read(&head).ok();
        write_whole(&head, text.as_bytes()).map_err(unwritable(head.clone()))?;
        numbers.finish().map_err(|source| {
            // The old model again; the failure that is told is that of the new one.
            let _ = match old {
                Some(old) => write_whole(&head, &old),
                None => std::fs::remove_file(&head),
            };
            Failure::unwritable(flag, &coefficients, &source)
        })
    }

    /// The extents of the array of coefficients.
    fn shape(&self) -> Vec<usize> {
        let (d, c) = (self.feature_names.len(), self.predictors());
        let mut shape = vec![d];
        if c > 1 {
            shape.push(c);
        }
        if self.targets.len() > 1 {
            shape.insert(0, self.targets.len());
        }
        shape
    }

    /// Whether a path names a model and not a file of numbers.
    pub fn is_named_by(path: &Path) -> bool {
        path.is_dir() || path.file_name().is_some_and(|name| name == "model.json")
    }

    /// Reads a model from its directory, or from the path of its `model.json`.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be read, [`Error::Data`] when one is no part of a model or
    /// the two are not of one, [`Error::Value`] when a newer program wrote the model.
    pub fn load(path: &Path) -> Result<Self> {
        let directory = directory(path);
        let [head, coefficients] = Self::files(directory);
        // Not while another process gives the two files their names.
        let lock = File::open(directory);
        if let Ok(lock) = &lock {
            wait_for_lock(|| lock.try_lock_shared());
        }
        let text = std::fs::read_to_string(&head).map_err(|source| Error::Io {
            path: head.clone(),
            source,
            remedy: "name the directory of a saved model",
        })?;
        check_schema(&text, &head)?;
        let mut model: Self =
            serde_json::from_str(&text).map_err(|error| damaged(&head, error.to_string()))?;
        let (targets, d) = (model.targets.len(), model.feature_names.len());
        let Array { shape, values } = model.array(&coefficients)?;
        if targets == 0 || d == 0 || values.is_empty() || values.len() % (targets * d) != 0 {
            return Err(damaged(
                &coefficients,
                format!(
                    "{} values for {targets} target(s) of {d} features",
                    values.len()
                ),
            ));
        }
        let per_target = values.len() / targets;
        model.coefficients = values.chunks(per_target).map(<[f64]>::to_vec).collect();
        if shape != model.shape() {
            return Err(damaged(
                &coefficients,
                format!(
                    "its shape is {shape:?}, where that of the model is {:?}",
                    model.shape()
                ),
            ));
        }
        if let Some(missing) = &model.missing {
            let count = model.feature_names.len();
            let is_made = |one: &Indicator| one.feature + missing.indicators.len() < count;
            if missing.values.len() != count || !missing.indicators.iter().all(is_made) {
                return Err(damaged(
                    &head,
                    "the fillings of missing cells do not match the features".into(),
                ));
            }
        }
        let predictors = model.predictors();
        for target in &model.targets {
            let intercepts = if model.intercept { predictors } else { 0 };
            if target.intercept.len() != intercepts {
                return Err(damaged(
                    &head,
                    format!(
                        "{} intercepts of target '{}' where the coefficients want {intercepts}",
                        target.intercept.len(),
                        target.name
                    ),
                ));
            }
            // One predictor decides between two classes.
            let classes = target.classes.as_ref().map(Vec::len);
            let fits = match predictors {
                1 => classes.is_none_or(|count| count == 2),
                _ => classes == Some(predictors),
            };
            if !fits {
                return Err(damaged(
                    &head,
                    format!(
                        "the classes of target '{}' do not match the coefficients",
                        target.name
                    ),
                ));
            }
        }
        Ok(model)
    }

    /// The coefficients of which the model has the digest: those under their name, or those that
    /// a process which was ended left beside it.
    fn array(&self, path: &Path) -> Result<Array> {
        let named = read_coefficients(path);
        let Some(wanted) = &self.coefficients_digest else {
            return named;
        };
        let is_own = |array: &Array| digest(&array.values) == *wanted;
        match named {
            Ok(array) if is_own(&array) => Ok(array),
            named => {
                let left = unfinished(path).into_iter();
                let mut left = left.filter_map(|path| read_coefficients(&path).ok());
                if let Some(array) = left.find(is_own) {
                    return Ok(array);
                }
                named.and_then(|_| {
                    Err(damaged(
                        path,
                        format!("it is not the file that {HEAD} was written with"),
                    ))
                })
            }
        }
    }
}

/// The directory of a model, or of the model whose `model.json` is named.
fn directory(path: &Path) -> &Path {
    if path.file_name().is_some_and(|name| name == HEAD) {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    } else {
        path
    }
}

/// The digest of coefficients in C order.
fn digest<'a>(values: impl IntoIterator<Item = &'a f64>) -> String {
    let mut hash = Xxh3Default::new();
    for value in values {
        hash.update(&value.to_le_bytes());
    }
    format!("{:016x}", hash.digest())
}

fn check_schema(text: &str, path: &Path) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| damaged(path, error.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(Model::SCHEMA..=Model::OFFSET_SCHEMA) => Ok(()),
        Some(other) => Err(Error::value(
            path.display().to_string(),
            format!(
                "model schema {other}, where this program reads schemas {} to {}",
                Model::SCHEMA,
                Model::OFFSET_SCHEMA
            ),
            "use the version of proxdiff that wrote it, or fit again",
        )),
        None => Err(damaged(path, "there is no schema number".into())),
    }
}

/// An array of a file: its extents, and its values in C order.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn read_coefficients(path: &Path) -> Result<Array> {
    match read_npy(path) {
        Ok((shape, values)) => Ok(Array { shape, values }),
        Err(Error::Io { path, source, .. }) => Err(Error::Io {
            path,
            source,
            remedy: "restore the file beside model.json, or fit again",
        }),
        Err(Error::Data { what, .. }) => Err(damaged(path, what)),
        Err(other) => Err(other),
    }
}

fn damaged(path: &Path, what: String) -> Error {
    Error::Data {
        place: Place {
            source: path.display().to_string(),
            ..Place::default()
        },
        what: format!("not a model of proxdiff: {what}"),
        remedy: "restore the model, or fit again".into(),
    }
}

#[cfg(test)]
mod tests;
