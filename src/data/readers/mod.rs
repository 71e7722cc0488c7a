//! Readers of data files: from bytes to a [`Dataset`], a matrix or a vector.
//!
//! Every reader works on bytes in memory (`parse_…`, which also serves the fuzz targets) and has a
//! form that takes paths (`read_…`). No reader panics on any input, trusts a size in a header
//! before it is compared with the bytes that are there, or lets a NaN or an infinity pass.

use std::path::Path;

use super::align::Expected;
use super::dataset::{Dataset, Labels, Named};
use super::labels::numbers;
use super::matrix::Matrix;
use crate::error::{Error, Result};

mod access;
mod array;
mod columns;
mod compressed;
mod csv;
mod files;
mod folder;
mod foreign;
mod idx;
mod intervals;
mod libsvm;
mod npy;
mod npz;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod part;
mod sparse;
mod table;

use array::Array;
use columns::Purpose;
use part::{Part, bad};

pub use files::{
    read_dataset, read_features, read_labels, read_matrix, read_pair, read_row_numbers, read_vector,
};
pub use folder::{Folder, read_folder};
pub use intervals::{NamedInterval, parse_intervals, read_intervals};
pub use npy::{read_npy, write_npy};
pub use options::{Categorical, Decimal, Format, ReadOptions, UnknownLevels};

/// Reads one column of a file with many, which `options` name as the target; of a folder that of all its files.
///
/// # Errors
/// [`Error::Io`], and as [`parse_dataset`].
pub fn read_column(path: &Path, options: &ReadOptions) -> Result<Labels> {
    if path.is_dir() {
        folder::read_column_of(path, options)
    } else {
        files::read_column_of_file(path, options)
    }
}

/// Reads a file for a purpose.
fn parse(
    bytes: &[u8],
    format: Format,
    source: &str,
    purpose: Purpose<'_>,
    options: &ReadOptions,
) -> Result<Part> {
    foreign::check(bytes, format, source)?;
    purpose.check(options, format, source)?;
    match format {
        Format::Csv => csv::parse(bytes, source, purpose, options),
        Format::Npy => npy::parse(bytes, source, options.keep_missing)?
            .into_part(source, purpose, options, false),
        Format::Npz => npz::Archive::open(bytes, source)?.read(purpose, options),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::parse(bytes, source, purpose, options),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(Error::unsupported(
            "Parquet in this build",
            "build proxdiff with the feature `parquet`, or export the table as CSV",
        )),
        Format::Libsvm => {
            let mut part = libsvm::parse(bytes, source)?;
            match purpose {
                Purpose::Targets => part.matrix = None,
                Purpose::Dataset if !options.targets.is_empty() => {
                    return Err(bad(
                        source,
                        None,
                        None,
                        "the file has one target, the labels at the start of its lines",
                        "name no target, or give the targets as a file of their own (--y)",
                    ));
                }
                _ => {}
            }
            Ok(part)
        }
        Format::Idx => {
            let array = idx::parse(bytes, source)?;
            if matches!(purpose, Purpose::Dataset) {
                return Err(bad(
                    source,
                    None,
                    None,
                    "an IDX file holds images or labels, not both",
                    "give the images and the labels as two files (--x and --y)",
                ));
            }
            array.into_part(source, purpose, options, true)
        }
    }
}

/// The data set in `bytes`: features and targets. `source` names them in messages.
///
/// # Errors
/// [`Error::Data`] with the place and the remedy, [`Error::Shape`] when parts do not match.
pub fn parse_dataset(
    bytes: &[u8],
    format: Format,
    source: &str,
    options: &ReadOptions,
) -> Result<Dataset> {
    let part = parse(bytes, format, source, Purpose::Dataset, options)?;
    dataset_of(part, source, options)
}

fn dataset_of(part: Part, source: &str, options: &ReadOptions) -> Result<Dataset> {
    let dataset = part.into_dataset(source)?;
    if let (Some(name), None) = (&options.weights_column, &dataset.weights) {
        return Err(no_weights(source, name));
    }
    Ok(dataset)
}

/// A file in memory.
#[derive(Debug, Clone, Copy)]
pub struct InMemory<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its format.
    pub format: Format,
    /// Its name in messages.
    pub name: &'a str,
}

impl<'a, B: AsRef<[u8]> + ?Sized> From<(&'a B, Format, &'a str)> for InMemory<'a> {
    fn from((bytes, format, name): (&'a B, Format, &'a str)) -> Self {
        Self {
            bytes: bytes.as_ref(),
            format,
            name,
        }
    }
}

/// The features in one file and the targets in another, both in memory.
///
/// # Errors
/// As [`parse_dataset`].
pub fn parse_pair<'a>(
    x: impl Into<InMemory<'a>>,
    y: impl Into<InMemory<'a>>,
    options: &ReadOptions,
) -> Result<Dataset> {
    let (x, y) = (x.into(), y.into());
    let part = |file: InMemory<'_>, purpose, options: &ReadOptions| {
        parse(file.bytes, file.format, file.name, purpose, options)
    };
    pair_of(
        PairPart {
            name: x.name,
            read: |options: &ReadOptions| part(x, Purpose::Features, options),
        },
        PairPart {
            name: y.name,
            read: |options: &ReadOptions| part(y, Purpose::Targets, options),
        },
        options,
    )
}

/// A file of a pair: its name, and what reads it.
struct PairPart<'a, R> {
    name: &'a str,
    read: R,
}

/// Features and targets together.
fn pair_of(
    x: PairPart<'_, impl FnOnce(&ReadOptions) -> Result<Part>>,
    y: PairPart<'_, impl Fn(&ReadOptions) -> Result<Part>>,
    options: &ReadOptions,
) -> Result<Dataset> {
    let (of_y, x_name, y_name) = (y.read, x.name, y.name);
    let features = (x.read)(options)?;
    let rows = features.matrix.as_ref().map_or(0, Matrix::rows);
    // Weights beside the features win; an index would otherwise name a column of both files.
    let mut options_of_y = options.clone();
    if features.weights.is_some() {
        options_of_y.weights_column = None;
    }
    let mut targets = of_y(&options_of_y)?;
    // A column of whole numbers under the name 0, as pandas gives it, shows by its length alone.
    let one_more = |part: &Part| part.targets.iter().any(|t| t.values.len() == rows + 1);
    if options.header.is_none() && !targets.named.targets && one_more(&targets) {
        options_of_y.header = Some(true);
        if let Ok(named) = of_y(&options_of_y)
            && named.named.targets
            && named
                .targets
                .iter()
                .enumerate()
                .all(|(t, target)| target.name == t.to_string())
            && named
                .targets
                .iter()
                .all(|target| target.values.len() == rows)
        {
            log::warn!(
                "{y_name}: the file has one row more than {x_name}, and its first one counts the columns: it is \
                 taken as a header; --header no says that it is data"
            );
            targets = named;
        }
    }
    let part = Part {
        targets: targets.targets,
        weights: features.weights.or(targets.weights),
        named: Named {
            targets: targets.named.targets,
            ..features.named
        },
        ..features
    };
    dataset_of(part, &format!("{x_name}, {y_name}"), options)
}

fn no_weights(source: &str, name: &str) -> Error {
    bad(
        source,
        None,
        None,
        format!("there is no column \"{name}\" of sample weights"),
        "name a column that is there, or give the weights as a file of their own",
    )
}

/// The matrix in `bytes`: all columns; of npz the array `X` or the only one, of libsvm the entries.
///
/// # Errors
/// As [`parse_dataset`].
pub fn parse_matrix(bytes: &[u8], format: Format, source: &str) -> Result<Matrix> {
    matrix_of(bytes, format, source, &ReadOptions::default())
}

fn matrix_of(bytes: &[u8], format: Format, source: &str, options: &ReadOptions) -> Result<Matrix> {
    let part = parse(bytes, format, source, Purpose::Features, options)?;
    Ok(part.into_dataset(source)?.matrix)
}

/// The vector in `bytes`: a one-dimensional array, or a single column or row; of libsvm the labels.
///
/// # Errors
/// As [`parse_dataset`]; also when there are several rows and columns.
pub fn parse_vector(bytes: &[u8], format: Format, source: &str) -> Result<Vec<f64>> {
    vector_of(bytes, format, source, &ReadOptions::default())
}

fn vector_of(
    bytes: &[u8],
    format: Format,
    source: &str,
    options: &ReadOptions,
) -> Result<Vec<f64>> {
    foreign::check(bytes, format, source)?;
    match format {
        Format::Npy => npy::parse(bytes, source, false)?.into_vector(source),
        Format::Idx => idx::parse(bytes, source)?.into_vector(source),
        Format::Npz => npz::Archive::open(bytes, source)?.vector(),
        Format::Csv | Format::Parquet => match matrix_of(bytes, format, source, options)? {
            Matrix::Dense(matrix) => Array {
                shape: vec![matrix.rows, matrix.columns],
                values: Labels::Numbers(matrix.values),
                exact: None,
            }
            .into_vector(source),
            Matrix::Sparse(_) => Err(array::text_features(source)),
        },
        Format::Libsvm => {
            let target = libsvm::parse(bytes, source)?.targets.pop();
            target.map_or_else(|| Err(array::text_features(source)), |t| numbers(&t))
        }
    }
}

/// The features that a model which was trained with those expected takes, with targets where there are
/// some.
///
/// A CSV file with a header may have further columns, which are left out, and its columns may be
/// in any order; targets named in the options are taken where the file has them. Without a header
/// the columns are matched by position. Sparse data may lack the last columns. The labels of
/// libsvm lines are always taken as a target.
///
/// # Errors
/// As [`parse_dataset`]; also when a feature is not there.
pub fn parse_features(
    bytes: &[u8],
    format: Format,
    source: &str,
    model: &Expected,
    options: &ReadOptions,
) -> Result<Dataset> {
    parse(bytes, format, source, Purpose::Model(model), options)?
        .into_dataset(source)?
        .align(model)
}
