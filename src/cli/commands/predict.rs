//! `proxdiff predict`: a saved model applied to new rows.

use serde::Serialize;

use crate::cli::arguments::Format;
use crate::cli::arguments::predict::Arguments;
use crate::cli::configuration::read_options;
use crate::cli::failure::Failure;
use crate::cli::model::{Model, TargetModel};
use crate::cli::numbers::short;
use crate::cli::output::{self, SCHEMA, one_line, plain, titled};
use crate::cli::printable::printable_lines;
use crate::data::matrix::Matrix;
use crate::data::readers;
use crate::error::{Error, Result};
use crate::model::loss::multinomial::softmax_in_place;
use crate::model::loss::sigmoid;

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

#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    rows: usize,
    targets: &'a [Predictions<'a>],
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> std::result::Result<(), Failure> {
    let model = Model::load(&arguments.model)?;
    if model.loss == "quadratic" {
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
    let options = read_options(&arguments.file);
    let data = readers::read_features(path, &model.expected(), &options)?;
    let targets: Vec<Predictions<'_>> = model
        .targets
        .iter()
        .zip(&model.coefficients)
        .map(|(target, coefficients)| {
            let z = linear_predictors(&data.matrix, coefficients, target, model.predictors());
            predictions(target, z, model.predictors(), arguments.proba)
        })
        .collect::<Result<_>>()?;
    let rows = data.matrix.rows();
    let text = match arguments.output.format() {
        Format::Json => one_line(&Record {
            schema: SCHEMA,
            rows,
            targets: &targets,
        }),
        Format::Csv => csv(&targets, rows),
        Format::Table => printable_lines(&table(&targets, rows)).into_owned(),
    };
    output::write_or_show(&text, arguments.output.out.as_deref(), || {
        table(&targets, rows)
    })
}

/// X·W + b in C order; the columns of X are the model's features.
fn linear_predictors(
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

fn predictions(
    target: &TargetModel,
    mut z: Vec<f64>,
    predictors: usize,
    with_probabilities: bool,
) -> Result<Predictions<'_>> {
    if let Some(at) = z.iter().position(|z| !z.is_finite()) {
        return Err(Error::value(
            "predictions",
            format!("row {} is not finite", at / predictors + 1),
            "check the magnitude of the row's features",
        ));
    }
    let Some(classes) = &target.classes else {
        return Ok(Predictions {
            name: &target.name,
            classes: None,
            predictions: Values::Numbers(z),
            probabilities: None,
        });
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
    Ok(Predictions {
        name: &target.name,
        classes: Some(classes),
        predictions: Values::Labels(labels),
        probabilities,
    })
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

fn csv(targets: &[Predictions<'_>], rows: usize) -> String {
    let rows = (0..rows).map(|row| fields(targets, row, output::number).into_iter());
    output::csv_text(&header(targets), rows)
}

fn table(targets: &[Predictions<'_>], rows: usize) -> String {
    let mut names = vec!["row".to_string()];
    names.extend(header(targets));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = plain(&names);
    let shown = rows.min(TABLE_ROWS);
    for row in 0..shown {
        let mut cells = vec![(row + 1).to_string()];
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
    text
}
