//! The readers of every format: what they read, and what they say about bad input.

use std::path::{Path, PathBuf};

use proxdiff::data::readers::{
    parse_dataset, parse_features, parse_matrix, parse_pair, parse_vector, read_dataset,
    read_features, read_labels, read_matrix, read_pair, read_row_numbers, read_vector,
};
use proxdiff::data::{
    Categorical, Dataset, Decimal, Expected, Factor, Format, Labels, Matrix, Named, ReadOptions,
    UnknownLevels,
};
use proxdiff::{Error, Result};

mod columns;
mod csv;
mod factors;
mod files;
mod foreign;
mod idx;
mod libsvm;
mod numpy;
#[cfg(feature = "parquet")]
mod parquet;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(corpus(name)).unwrap()
}

fn read_csv(text: &str) -> Result<Dataset> {
    read_csv_with(text, &ReadOptions::default())
}

fn read_csv_with(text: &str, options: &ReadOptions) -> Result<Dataset> {
    parse_dataset(text.as_bytes(), Format::Csv, "data.csv", options)
}

fn read_libsvm(text: &str) -> Result<Dataset> {
    parse_dataset(
        text.as_bytes(),
        Format::Libsvm,
        "data.svm",
        &ReadOptions::default(),
    )
}

fn targets(names: &[&str]) -> ReadOptions {
    ReadOptions {
        targets: names.iter().map(ToString::to_string).collect(),
        ..ReadOptions::default()
    }
}

/// (rows, columns, values) of a dense matrix.
fn dense(matrix: &Matrix) -> (usize, usize, &[f64]) {
    match matrix {
        Matrix::Dense(m) => (m.rows, m.columns, &m.values),
        Matrix::Sparse(_) => panic!("dense data expected"),
    }
}

/// The rows of a sparse matrix as (column, value), and its number of columns.
fn sparse(matrix: &Matrix) -> (usize, Vec<Vec<(usize, f64)>>) {
    match matrix {
        Matrix::Dense(_) => panic!("sparse data expected"),
        Matrix::Sparse(m) => (m.columns, (0..m.rows).map(|i| m.row(i).collect()).collect()),
    }
}

fn numbers(data: &Dataset, target: usize) -> &[f64] {
    match &data.targets[target].values {
        Labels::Numbers(values) => values,
        Labels::Text(_) => panic!("numbers expected"),
    }
}

fn texts(data: &Dataset, target: usize) -> &[String] {
    match &data.targets[target].values {
        Labels::Numbers(_) => panic!("text expected"),
        Labels::Text(values) => values,
    }
}

fn target_names(data: &Dataset) -> Vec<&str> {
    data.targets.iter().map(|t| t.name.as_str()).collect()
}

/// The message of a failure, which must have all the parts.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(!message.contains('\n'), "one line: {message}");
}
