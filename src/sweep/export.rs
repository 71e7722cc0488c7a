//! Results as CSV, JSON Lines or Parquet.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::cells::CellStore;
use super::record::{Number, Numbers, Plan, PlanPoint};
use super::summary::summarize;
use crate::error::{Error, Result};
use crate::hypergrad::Information;
use crate::real::shortest;

#[cfg(feature = "parquet")]
mod parquet;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Parquet, compressed by Snappy.
    Parquet,
}

impl Format {
    /// The form that a file's extension names: csv, jsonl (ndjson, json), parquet.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// The subject of a row of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// A cell: a point on a fold.
    Cells,
    /// A point: means over its folds.
    Points,
}

/// A field of a row.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Real(f64),
    Whole(i64),
    Text(String),
    Vector(Vec<f64>),
    Absent,
}

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    Whole,
    Text,
    /// Numbers separated by spaces; in JSON an array.
    Vector,
}

/// Writes the finished cells, or the points that are finished on all folds, in the order of the
/// plan. Returns the number of rows.
///
/// # Errors
/// [`Error::Store`] when the store cannot be read, [`Error::Io`] when the file cannot be written.
pub fn export(
    plan: &Plan,
    store: &dyn CellStore,
    rows: Rows,
    format: Format,
    out: &mut dyn Write,
) -> Result<usize> {
    export_with(plan, store, rows, format, None, out)
}

/// The same with last columns for the criteria of fits to all rows, per study those of its points: every cell of
/// a point has the point's.
///
/// # Errors
/// Those of [`export`].
pub fn export_with(
    plan: &Plan,
    store: &dyn CellStore,
    rows: Rows,
    format: Format,
    information: Option<&[Vec<Information>]>,
    out: &mut dyn Write,
) -> Result<usize> {
    let mut columns = columns(rows);
    if information.is_some() {
        columns.extend(Information::NAMES.map(|name| (name, Kind::Real)));
    }
    let mut out = BufWriter::new(out);
    let mut sink = Sink::new(format, &columns, &mut out)?;
    let mut count = 0;
    for study in 0..plan.studies.len() {
        each_row(store, plan, study, rows, &mut |point, mut fields| {
            count += 1;
            if let Some(information) = information {
                let own = information[study][point].values();
                fields.extend(own.map(|value| value.map_or(Field::Absent, Field::Real)));
            }
            sink.row(&fields)
        })?;
    }
    sink.end()?;
    out.flush().map_err(unwritable)?;
    Ok(count)
}

fn unwritable(source: std::io::Error) -> Error {
    Error::Io {
        path: "export".into(),
        source,
        remedy: "choose a place that can be written with --out",
    }
}

/// Names and kinds of the columns.
fn columns(rows: Rows) -> Vec<(&'static str, Kind)> {
    let number = |n: Number| {
        let kind = if n.is_whole() && rows == Rows::Cells {
            Kind::Whole
        } else {
            Kind::Real
        };
        (n.name(), kind)
    };
    let mut columns = vec![("l1", Kind::Real), ("l2", Kind::Real)];
    match rows {
        Rows::Cells => columns.push(("fold", Kind::Whole)),
        Rows::Points => columns.push(("folds", Kind::Whole)),
    }
    columns.push(number(Number::Criterion));
    if rows == Rows::Points {
        columns.push(("standard_error", Kind::Real));
    }
    columns.extend([Number::HypergradientL1, Number::HypergradientL2].map(number));
    columns.push(number(Number::Support));
    columns.push(("status", Kind::Text));
    columns.extend([("study", Kind::Text), ("target", Kind::Text)]);
    columns.extend([("alpha", Kind::Real), ("l1_ratio", Kind::Real)]);
    if rows == Rows::Cells {
        columns.push(("repeat", Kind::Whole));
    }
    columns.extend(rest().map(number));
    match rows {
        Rows::Cells => columns.push(("warnings", Kind::Text)),
        Rows::Points => columns.push(("failed_folds", Kind::Whole)),
    }
    columns.push(("hypergradient_l1_vector", Kind::Vector));
    columns
}

/// The numbers that have no place of their own.
fn rest() -> impl Iterator<Item = Number> {
    let placed = [
        Number::Criterion,
        Number::HypergradientL1,
        Number::HypergradientL2,
        Number::Support,
    ];
    Number::ALL.into_iter().filter(move |n| !placed.contains(n))
}

fn each_row(
    store: &dyn CellStore,
    plan: &Plan,
    number: usize,
    rows: Rows,
    visit: &mut dyn FnMut(usize, Vec<Field>) -> Result<()>,
) -> Result<()> {
    let study = &plan.studies[number];
    let value = |numbers: &Numbers, n: Number| match numbers.finite(n) {
        None => Field::Absent,
        Some(value) if n.is_whole() && rows == Rows::Cells => Field::Whole(value as i64),
        Some(value) => Field::Real(value),
    };
    let place = |point: &PlanPoint| {
        let (alpha, ratio) = match point.ratio {
            Some((alpha, ratio)) => (Field::Real(alpha), Field::Real(ratio)),
            None => (Field::Absent, Field::Absent),
        };
        let target = study.targets.get(point.target).cloned().unwrap_or_default();
        [
            Field::Text(study.name.clone()),
            Field::Text(target),
            alpha,
            ratio,
        ]
    };
    let vector = |values: &[f64]| match values {
        [] => Field::Absent,
        values => Field::Vector(values.to_vec()),
    };
    match rows {
        Rows::Cells => store.for_each_cell(number, &mut |cell| {
            let (point, fold) = (&study.points[cell.point], &study.folds[cell.fold]);
            let mut fields = vec![
                Field::Real(point.l1),
                Field::Real(point.l2),
                Field::Whole(fold.number),
            ];
            for n in [
                Number::Criterion,
                Number::HypergradientL1,
                Number::HypergradientL2,
                Number::Support,
            ] {
                fields.push(value(&cell.numbers, n));
            }
            fields.push(Field::Text(cell.status.name().into()));
            fields.extend(place(point));
            fields.push(Field::Whole(fold.repeat as i64));
            fields.extend(rest().map(|n| value(&cell.numbers, n)));
            fields.push(Field::Text(cell.warnings.clone()));
            fields.push(vector(&cell.hypergradient_l1_vector));
            visit(cell.point, fields)
        }),
        Rows::Points => {
            for summary in summarize(store, number, study)? {
                let point = &study.points[summary.point];
                let mut fields = vec![
                    Field::Real(point.l1),
                    Field::Real(point.l2),
                    Field::Whole(summary.folds as i64),
                    value(&summary.means, Number::Criterion),
                    if summary.standard_error.is_finite() {
                        Field::Real(summary.standard_error)
                    } else {
                        Field::Absent
                    },
                ];
                for n in [
                    Number::HypergradientL1,
                    Number::HypergradientL2,
                    Number::Support,
                ] {
                    fields.push(value(&summary.means, n));
                }
                fields.push(Field::Text(summary.status.name().into()));
                fields.extend(place(point));
                fields.extend(rest().map(|n| value(&summary.means, n)));
                fields.push(Field::Whole(summary.failed as i64));
                fields.push(vector(&summary.hypergradient_l1_vector));
                visit(summary.point, fields)?;
            }
            Ok(())
        }
    }
}

/// The destination of rows.
enum Sink<'a, W: Write> {
    Csv(Box<csv::Writer<&'a mut W>>),
    JsonLines(&'a mut W, Vec<&'static str>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Writer<'a, W>>),
}

impl<'a, W: Write> Sink<'a, W> {
    fn new(format: Format, columns: &[(&'static str, Kind)], out: &'a mut W) -> Result<Self> {
        let names = || columns.iter().map(|(name, _)| *name);
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(names()).map_err(of_csv)?;
                Self::Csv(Box::new(writer))
            }
            Format::JsonLines => Self::JsonLines(out, names().collect()),
            #[cfg(feature = "parquet")]
            Format::Parquet => Self::Parquet(Box::new(parquet::Writer::new(out, columns)?)),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                return Err(Error::unsupported(
                    "Parquet in this build",
                    "build proxdiff with the feature `parquet`, or export CSV or JSON Lines",
                ));
            }
        })
    }

    fn row(&mut self, fields: &[Field]) -> Result<()> {
        match self {
            Self::Csv(writer) => writer
                .write_record(fields.iter().map(Field::as_text))
                .map_err(of_csv),
            Self::JsonLines(out, names) => {
                let record: Map<String, Value> = names
                    .iter()
                    .zip(fields)
                    .map(|(name, field)| ((*name).to_string(), field.as_json()))
                    .collect();
                writeln!(out, "{}", Value::Object(record)).map_err(unwritable)
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.row(fields),
        }
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Csv(mut writer) => writer.flush().map_err(unwritable),
            Self::JsonLines(..) => Ok(()),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.end(),
        }
    }
}

fn of_csv(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => unwritable(source),
        other => unwritable(std::io::Error::other(format!("{other:?}"))),
    }
}

impl Field {
    fn as_text(&self) -> String {
        match self {
            Self::Real(value) => shortest(*value),
            Self::Whole(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Vector(values) => {
                let texts: Vec<String> = values.iter().map(|&v| shortest(v)).collect();
                texts.join(" ")
            }
            Self::Absent => String::new(),
        }
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Real(value) => Value::from(*value),
            Self::Whole(value) => Value::from(*value),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Vector(values) => Value::from(values.clone()),
            Self::Absent => Value::Null,
        }
    }
}
