//! Fitted models on disk: a directory with `model.json` and `coefficients.npy`.
//!
//! The coefficients are in the data's units. Their array is d, or d × c for the multinomial loss;
//! with several targets there is a leading axis for them. What a reader needs to use them is in
//! `model.json`; its `schema` changes when an older program could misread a newer model.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::data::align::is_generic;
use crate::data::{Expected, Named};
use crate::error::{Error, Place, Result};

const HEAD: &str = "model.json";
const COEFFICIENTS: &str = "coefficients.npy";

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The version of the file's form.
    pub schema: u64,
    /// The version of the program that wrote it.
    pub version: String,
    /// Where the training data are from.
    pub source: String,
    /// The loss by name.
    pub loss: String,
    /// Where the Huber loss turns linear.
    pub huber_delta: Option<f64>,
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
    /// What was fitted, target by target.
    pub targets: Vec<TargetModel>,
    /// Per target d·c coefficients in C order; kept in `coefficients.npy`.
    #[serde(skip)]
    pub coefficients: Vec<Vec<f64>>,
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
    /// What became of the fit.
    pub status: String,
}

impl Model {
    /// The version of the model files that this program writes and reads.
    pub const SCHEMA: u64 = 1;

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
        Expected {
            features: self.feature_names.clone(),
            targets: Vec::new(),
            named: Named {
                features: features.unwrap_or_else(|| !is_generic(&self.feature_names)),
                targets: false,
            },
        }
    }

    /// Writes the model into `directory`, which is made if need be.
    pub fn save(&self, directory: &Path) -> std::result::Result<(), Failure> {
        let unwritable = |path: PathBuf| move |source| Failure::unwritable(&path, source);
        std::fs::create_dir_all(directory).map_err(unwritable(directory.to_path_buf()))?;
        let path = directory.join(COEFFICIENTS);
        self.write_coefficients(&path)
            .map_err(unwritable(path.clone()))?;
        let path = directory.join(HEAD);
        // infallible: a record with string keys
        let mut text = serde_json::to_string_pretty(self).expect("a record of numbers and strings");
        text.push('\n');
        std::fs::write(&path, text).map_err(unwritable(path.clone()))
    }

    /// The shape of the array of the coefficients.
    fn shape(&self) -> Vec<u64> {
        let (d, c) = (self.feature_names.len() as u64, self.predictors() as u64);
        let mut shape = vec![d];
        if c > 1 {
            shape.push(c);
        }
        if self.targets.len() > 1 {
            shape.insert(0, self.targets.len() as u64);
        }
        shape
    }

    fn write_coefficients(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&self.shape())
            .writer(&mut file)
            .begin_nd()?;
        writer.extend(self.coefficients.iter().flatten())?;
        writer.finish()?;
        file.flush()
    }

    /// Reads a model from its directory, or from the path of its `model.json`.
    pub fn load(path: &Path) -> Result<Self> {
        let directory = if path.file_name().is_some_and(|name| name == HEAD) {
            path.parent().unwrap_or(Path::new("."))
        } else {
            path
        };
        let head = directory.join(HEAD);
        let text = std::fs::read_to_string(&head).map_err(|source| Error::Io {
            path: head.clone(),
            source,
            remedy: "name the directory of a model that fit has saved with --model",
        })?;
        check_schema(&text, &head)?;
        let mut model: Self =
            serde_json::from_str(&text).map_err(|error| damaged(&head, error.to_string()))?;
        let coefficients = directory.join(COEFFICIENTS);
        let (targets, d) = (model.targets.len(), model.feature_names.len());
        let (values, shape) = read_coefficients(&coefficients)?;
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
                    "its shape is {shape:?}, where the model has {:?}",
                    model.shape()
                ),
            ));
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
}

fn check_schema(text: &str, path: &Path) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| damaged(path, error.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(Model::SCHEMA) => Ok(()),
        Some(other) => Err(Error::value(
            path.display().to_string(),
            format!(
                "model schema {other}, where this program reads schema {}",
                Model::SCHEMA
            ),
            "use the version of proxdiff that wrote it, or fit again",
        )),
        None => Err(damaged(path, "there is no schema number".into())),
    }
}

/// The coefficients in C order, and their shape.
fn read_coefficients(path: &Path) -> Result<(Vec<f64>, Vec<u64>)> {
    let io = |source| Error::Io {
        path: path.to_path_buf(),
        source,
        remedy: "restore the file beside model.json, or fit again",
    };
    let file = File::open(path).map_err(io)?;
    let available = file.metadata().map_err(io)?.len();
    let array = npyz::NpyFile::new(BufReader::new(file))
        .map_err(|error| damaged(path, error.to_string()))?;
    // A damaged header must not make the reader allocate more than the file can hold.
    if array
        .len()
        .checked_mul(8)
        .is_none_or(|bytes| bytes > available)
    {
        return Err(damaged(
            path,
            "the file is shorter than its header says".into(),
        ));
    }
    let shape = array.shape().to_vec();
    if array.order() != npyz::Order::C && shape.len() > 1 {
        return Err(damaged(
            path,
            "it is in Fortran order, and not in C order".into(),
        ));
    }
    let values: Vec<f64> = array
        .into_vec()
        .map_err(|error| damaged(path, error.to_string()))?;
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok((values, shape)),
        Some(value) => Err(damaged(path, format!("it holds {value}"))),
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
mod tests {
    use super::*;

    fn model(targets: usize, classes: usize) -> Model {
        let names: Vec<String> = (0..classes).map(|k| format!("c{k}")).collect();
        let target = |at: usize| TargetModel {
            name: format!("t{at}"),
            classes: (classes > 1).then(|| names.clone()),
            l1: 0.1,
            l2: 0.01,
            intercept: vec![0.25; classes],
            objective: Some(1.0 / 3.0),
            support: 2,
            residual: Some(1e-15),
            duality_gap: None,
            status: "converged".into(),
        };
        let entry = |at: usize| 0.1 * (at as f64 + 1.0) / 3.0;
        Model {
            schema: Model::SCHEMA,
            version: "test".into(),
            source: "memory".into(),
            loss: "squared".into(),
            huber_delta: None,
            penalty: "elastic-net".into(),
            intercept: true,
            standardize: true,
            rows: 5,
            feature_names: vec!["a".into(), "b".into(), "c".into()],
            features_are_named: Some(true),
            targets: (0..targets).map(target).collect(),
            coefficients: vec![(0..3 * classes).map(entry).collect(); targets],
        }
    }

    #[test]
    fn what_is_saved_is_loaded_to_the_bit() {
        for (targets, classes) in [(1, 1), (2, 1), (1, 3), (2, 2)] {
            let directory = tempfile::tempdir().unwrap();
            let model = model(targets, classes);
            model.save(directory.path()).unwrap();
            assert_eq!(Model::load(directory.path()).unwrap(), model);
            assert_eq!(Model::load(&directory.path().join(HEAD)).unwrap(), model);
        }
    }

    #[test]
    fn coefficients_of_another_order_or_shape_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let model = model(1, 2);
        model.save(directory.path()).unwrap();
        let path = directory.path().join(COEFFICIENTS);
        let write = |order: npyz::Order, shape: &[u64]| {
            let mut bytes = Vec::new();
            let options = npyz::WriteOptions::new()
                .default_dtype()
                .shape(shape)
                .order(order);
            let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
            writer.extend(model.coefficients[0].iter()).unwrap();
            writer.finish().unwrap();
            std::fs::write(&path, bytes).unwrap();
        };
        write(npyz::Order::C, &[3, 2]);
        assert_eq!(Model::load(directory.path()).unwrap(), model);
        for (order, shape, part) in [
            (npyz::Order::Fortran, &[3, 2][..], "Fortran order"),
            (
                npyz::Order::C,
                &[2, 3],
                "[2, 3], where the model has [3, 2]",
            ),
            (npyz::Order::C, &[6], "[6]"),
            (npyz::Order::C, &[1, 3, 2], "[1, 3, 2]"),
        ] {
            write(order, shape);
            let message = Model::load(directory.path()).unwrap_err().to_string();
            assert!(
                message.contains(part) && message.contains("fit again"),
                "{message}"
            );
        }
    }

    #[test]
    fn damaged_and_newer_models_are_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let head = directory.path().join(HEAD);
        let refused = |part: &str| {
            let message = Model::load(directory.path()).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        refused("name the directory of a model");

        model(1, 1).save(directory.path()).unwrap();
        let text = std::fs::read_to_string(&head).unwrap();
        std::fs::write(&head, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
        refused("model schema 2");
        std::fs::write(&head, "{}").unwrap();
        refused("no schema number");
        std::fs::write(&head, "{").unwrap();
        refused("not a model of proxdiff");
        std::fs::write(&head, text.replace("0.25", "0.25, 0.5")).unwrap();
        refused("2 intercepts");
        let three = text.replace("\"classes\": null", r#""classes": ["a", "b", "c"]"#);
        std::fs::write(&head, three).unwrap();
        refused("the classes of target 't0'");
        std::fs::write(&head, text.replace("\"a\",", "")).unwrap();
        refused("3 values for 1 target(s) of 2 features");
        std::fs::write(&head, &text).unwrap();

        let coefficients = directory.path().join(COEFFICIENTS);
        let bytes = std::fs::read(&coefficients).unwrap();
        std::fs::write(&coefficients, &bytes[..bytes.len() - 1]).unwrap();
        refused("coefficients.npy");
        std::fs::write(&coefficients, b"junk").unwrap();
        refused("coefficients.npy");
        std::fs::remove_file(&coefficients).unwrap();
        refused("restore the file");
    }
}
