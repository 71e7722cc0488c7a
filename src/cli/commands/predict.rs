//! `proxdiff predict`: a saved model applied to new rows.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cli::arguments::Format;
use crate::cli::arguments::predict::Arguments;
use crate::cli::configuration::{read_offset, read_options};
use crate::cli::failure::Failure;
use crate::cli::model::{Model, TargetModel};
use crate::cli::numbers::short;
use crate::cli::output::{
    self, RowParts, SCHEMA, Scores, linear_predictors, one_line, plain, titled,
};
use crate::cli::printable::printable_lines;
use crate::data::dataset::{Dataset, Target};
use crate::data::labels;
use crate::data::readers::{self, ReadOptions};
use crate::error::{Error, Result};
use crate::model::loss::multinomial::softmax_in_place;
use crate::model::loss::{Loss, sigmoid};

/// Rows that a table shows.
const TABLE_ROWS: usize = 20;

/// The predictions of one target.
#[derive(Serialize)]
struct Predictions<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<&'a [String]>,
    predictions: Values<'a>,
    /// One row per row of the data, one entry per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<Vec<Vec<f64>>>,
    /// Where the target is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Scores>,
}

/// Numbers, or the labels of classes.
#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    Numbers(Vec<f64>),
    Labels(Vec<&'a str>),
}

impl Values<'_> {
    fn text(&self, row: usize, number: impl Fn(f64) -> String) -> String {
        match self {
            Self::Numbers(values) => number(values[row]),
            Self::Labels(values) => values[row].to_string(),
        }
    }
}

/// The names of rows, and of the column that they are from.
#[derive(Clone, Copy)]
struct NamedRows<'a> {
    column: &'a str,
    names: &'a [String],
}

#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    rows: usize,
    /// The names of the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [String]>,
    targets: &'a [Predictions<'a>],
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> std::result::Result<(), Failure> {
    let model = Model::load(&arguments.model)?;
    let loss = model.loss()?;
    if loss == Loss::Quadratic {
        return Err(Error::unsupported(
            "predictions of a quadratic form, which has no rows of features",
            "use a model of another loss",
        )
        .into());
    }
    if arguments.proba && !matches!(model.loss.as_str(), "logistic" | "multinomial") {
        return Err(Error::unsupported(
            format!("probabilities of a {} model", model.loss),
            "leave --proba out, or make the model by 'proxdiff fit --loss logistic' or multinomial",
        )
        .into());
    }
    // One of the two is there: clap requires it.
    let path = arguments.data.as_ref().or(arguments.x.as_ref());
    let path = path.ok_or_else(|| Failure::usage("no data; give a data file"))?;
    let wanted = arguments.target.iter().chain(&arguments.id).cloned();
    let offset_column = model.offset.as_ref();
    let offset_column = offset_column.map(|own| arguments.offset.as_ref().unwrap_or(own));
    let options = ReadOptions {
        targets: wanted.collect(),
        ignore: offset_column.cloned().into_iter().collect(),
        keep_missing: model.missing.is_some(),
        ..read_options(&arguments.file)
    };
    let data = readers::read_features(path, &model.expected(), &options)?;
    let data = model.features_of(data);
    let truth = truth(arguments, &model, &data)?;
    let offset = offset(arguments, &model, path, data.rows())?;
    let ids = match &arguments.id {
        Some(name) => Some(labels::names_of(&column(arguments, &data, name)?.values)),
        None => None,
    };
    let targets: Vec<Predictions<'_>> = model
        .targets
        .iter()
        .zip(&model.coefficients)
        .enumerate()
        .map(|(at, (target, coefficients))| {
            let mut z = linear_predictors(&data.matrix, coefficients, target, model.predictors());
            check_finite(&z, model.predictors())?;
            let scores = match truth.get(at) {
                Some(truth) => {
                    let parts = RowParts {
                        weights: None,
                        offset: offset.as_deref(),
                    };
                    Some(Scores::of(&model, target, &z, truth, parts)?)
                }
                None => None,
            };
            if let Some(offset) = &offset {
                z.iter_mut().zip(offset).for_each(|(z, o)| *z += o);
                check_finite(&z, model.predictors())?;
            }
            let means = loss.has_log_link().then(|| means(loss, &z)).transpose()?;
            let made = predictions(
                target,
                means.unwrap_or(z),
                model.predictors(),
                arguments.proba,
            );
            Ok(Predictions { scores, ..made })
        })
        .collect::<Result<_>>()?;
    let rows = data.matrix.rows();
    let ids = ids.as_deref();
    let named_rows = ids.zip(arguments.id.as_deref());
    let named_rows = named_rows.map(|(names, column)| NamedRows { column, names });
    let text = match arguments.output.format() {
        Format::Json => one_line(&Record {
            schema: SCHEMA,
            rows,
            ids,
            targets: &targets,
        }),
        Format::Csv => csv(&targets, named_rows, rows),
        Format::Table => printable_lines(&table(&targets, ids, rows)).into_owned(),
    };
    output::write_or_show(&text, arguments.output.out.as_deref(), || {
        table(&targets, ids, rows)
    })
}

/// The offsets of the rows of a model that has been fitted with some: those of the column of that name, or of the
/// one that the flags name.
fn offset(
    arguments: &Arguments,
    model: &Model,
    path: &std::path::Path,
    rows: usize,
) -> Result<Option<Vec<f64>>> {
    let (name, options) = match (&model.offset, &arguments.offset) {
        (None, None) => return Ok(None),
        (None, Some(name)) => {
            return Err(Error::value(
                "--offset",
                format!("the model was fitted without one, and {name:?} is none of its columns"),
                "leave the flag out, or fit the model with --offset",
            ));
        }
        (Some(own), given) => (given.as_ref().unwrap_or(own), read_options(&arguments.file)),
    };
    read_offset(path, name, &options, rows).map(Some)
}

/// The column of a name or an index that the flags give.
fn column<'a>(arguments: &Arguments, data: &'a Dataset, name: &str) -> Result<&'a Target> {
    let wanted = || arguments.target.iter().chain(&arguments.id);
    let is_named = |target: &Target| wanted().any(|name| *name == target.name);
    let by_name = data.targets.iter().find(|target| target.name == name);
    let by_index = || -> Option<&Target> {
        // Columns come in the order of the file, and those that no name has are of the indices.
        let others: Vec<&Target> = data.targets.iter().filter(|t| !is_named(t)).collect();
        let is_name = |name: &&String| data.targets.iter().any(|t| t.name == **name);
        let indices: BTreeSet<usize> = wanted()
            .filter(|name| !is_name(name))
            .filter_map(|name| name.parse().ok())
            .collect();
        let index: usize = name.parse().ok()?;
        let at = indices.iter().position(|&other| other == index)?;
        (indices.len() == others.len()).then(|| others[at])
    };
    by_name.or_else(by_index).ok_or_else(|| {
        Error::value(
            data.source.clone(),
            format!("there is no column {name:?} beside the features"),
            "name a column that is no feature of the model, a column that is given twice in the same way; of \
             columns without names give indices, from 0",
        )
    })
}

/// The values of the model's targets, where the flags say where they are.
fn truth(arguments: &Arguments, model: &Model, data: &Dataset) -> Result<Vec<Target>> {
    let (rows, count) = (data.rows(), model.targets.len());
    if let Some(file) = &arguments.y {
        // Its format is its own; its text is written as that of the features.
        let options = ReadOptions {
            format: None,
            ..read_options(&arguments.file)
        };
        let values = readers::read_labels(file, rows, &options)?;
        if count > 1 || values.len() != rows {
            return Err(Error::shape(
                format!("targets in {}", file.display()),
                format!("{rows} rows of {count} target(s)"),
                format!("{} rows of one", values.len()),
                "give the value of every row; of several targets name the columns (--target)",
            ));
        }
        let name = model.targets[0].name.clone();
        return Ok(vec![Target { name, values }]);
    }
    if !arguments.target.is_empty() && arguments.target.len() != count {
        return Err(Error::shape(
            "--target",
            format!("{count} column(s), one per target of the model"),
            arguments.target.len().to_string(),
            "name the columns in the order of the model's targets",
        ));
    }
    let given = arguments.target.iter();
    let given = given.map(|name| column(arguments, data, name));
    let given = given.collect::<Result<Vec<&Target>>>()?;
    let of_name = |name: &String| given.iter().find(|target| target.name == *name);
    // Columns in the model's names are those targets; of other names the order says which they are.
    let by_name: Vec<&&Target> = match data.named.targets {
        true => model
            .targets
            .iter()
            .filter_map(|target| of_name(&target.name))
            .collect(),
        false => Vec::new(),
    };
    if by_name.is_empty() {
        return Ok(given.into_iter().cloned().collect());
    }
    if by_name.len() != count {
        let missing = model
            .targets
            .iter()
            .find(|target| of_name(&target.name).is_none());
        return Err(Error::value(
            "--target",
            format!(
                "some columns are named as targets of the model, and none is {:?}",
                missing.map_or("", |target| &target.name)
            ),
            "name the columns as the model's targets, or none of them so and in their order",
        ));
    }
    Ok(by_name.into_iter().map(|&target| target.clone()).collect())
}

/// The means that linear predictors stand for.
fn means(loss: Loss, z: &[f64]) -> Result<Vec<f64>> {
    let means: Vec<f64> = z.iter().map(|&z| loss.mean(z)).collect();
    check_finite(&means, 1)?;
    Ok(means)
}

fn check_finite(z: &[f64], predictors: usize) -> Result<()> {
    match z.iter().position(|z| !z.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::value(
            "predictions",
            format!("row {} is not finite", at / predictors + 1),
            "check the magnitude of the row's features",
        )),
    }
}

fn predictions(
    target: &TargetModel,
    mut z: Vec<f64>,
    predictors: usize,
    with_probabilities: bool,
) -> Predictions<'_> {
    let Some(classes) = &target.classes else {
        return Predictions {
            name: &target.name,
            classes: None,
            predictions: Values::Numbers(z),
            probabilities: None,
            scores: None,
        };
    };
    let labels: Vec<&str> = z
        .chunks(predictors)
        .map(|row| match row {
            // Two classes: the sign decides.
            [z] => classes.get(usize::from(*z > 0.0)),
            row => classes.get(largest(row)),
        })
        .map(|label| label.map_or("", String::as_str))
        .collect();
    let probabilities = with_probabilities.then(|| {
        z.chunks_mut(predictors)
            .map(|row| match row {
                [z] => vec![sigmoid(-*z), sigmoid(*z)],
                row => {
                    softmax_in_place(row);
                    row.to_vec()
                }
            })
            .collect()
    });
    Predictions {
        name: &target.name,
        classes: Some(classes),
        predictions: Values::Labels(labels),
        probabilities,
        scores: None,
    }
}

/// The first of the largest entries.
fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

/// Column names: the target's, then `target: class` for each probability.
fn header(targets: &[Predictions<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    for target in targets {
        names.push(target.name.to_string());
        if target.probabilities.is_some() {
            let classes = target.classes.unwrap_or_default();
            names.extend(
                classes
                    .iter()
                    .map(|class| format!("{}: {class}", target.name)),
            );
        }
    }
    names
}

fn fields(
    targets: &[Predictions<'_>],
    row: usize,
    number: impl Fn(f64) -> String + Copy,
) -> Vec<String> {
    let mut fields = Vec::new();
    for target in targets {
        fields.push(target.predictions.text(row, number));
        if let Some(probabilities) = &target.probabilities {
            fields.extend(probabilities[row].iter().map(|&p| number(p)));
        }
    }
    fields
}

fn csv(targets: &[Predictions<'_>], ids: Option<NamedRows<'_>>, rows: usize) -> String {
    let mut names = Vec::from_iter(ids.map(|ids| ids.column.to_string()));
    names.extend(header(targets));
    let rows = (0..rows).map(|row| {
        let mut cells = Vec::from_iter(ids.map(|ids| ids.names[row].clone()));
        cells.extend(fields(targets, row, output::number));
        cells.into_iter()
    });
    output::csv_text(&names, rows)
}

fn table(targets: &[Predictions<'_>], ids: Option<&[String]>, rows: usize) -> String {
    let mut names = vec!["row".to_string()];
    names.extend(header(targets));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = plain(&names);
    let shown = rows.min(TABLE_ROWS);
    for row in 0..shown {
        let name = ids.map_or_else(|| (row + 1).to_string(), |ids| ids[row].clone());
        let mut cells = vec![name];
        cells.extend(fields(targets, row, short));
        table.add_row(cells);
    }
    let mut text = titled(&format!("Predictions for {rows} rows"), table, &[]);
    if shown < rows {
        text.push_str(&format!(
            "{} more rows; --format csv or json shows all\n",
            rows - shown
        ));
    }
    for target in targets {
        if let Some(scores) = &target.scores {
            text.push_str(&scores.table(target.name));
        }
    }
    text
}
