//! Readers of data files: from bytes to a [`Dataset`], a matrix or a vector.
//!
//! Every reader works on bytes in memory (`parse_…`, which also serves the fuzz targets) and has a
//! form that takes paths (`read_…`). No reader panics on any input, trusts a size in a header
//! before it is compared with the bytes that are there, or lets a NaN or an infinity pass.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use super::dataset::{Dataset, Labels, Target};
use super::labels::quote;
use super::matrix::Matrix;
use crate::error::{Error, Place, Result};

mod array;
mod columns;
mod csv;
mod idx;
mod libsvm;
mod npy;
mod npz;
mod sparse;

use array::Array;
use columns::Purpose;

/// The formats of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text in columns separated by commas, semicolons or tabs, with or without a header.
    Csv,
    /// One NumPy array.
    Npy,
    /// An archive of NumPy arrays, or a sparse matrix of SciPy.
    Npz,
    /// Sparse text, `label index:value …`, indices from 1.
    Libsvm,
    /// The format of MNIST, also compressed by gzip.
    Idx,
}

impl FromStr for Format {
    type Err = Error;

    /// `csv` (or `tsv`, `txt`), `npy`, `npz`, `libsvm` (or `svm`, `svmlight`), `idx`.
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Ok(Self::Csv),
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "libsvm" | "svm" | "svmlight" => Ok(Self::Libsvm),
            "idx" => Ok(Self::Idx),
            _ => Err(Error::value(
                "data format",
                format!("\"{text}\" is not known"),
                "give one of csv, npy, npz, libsvm, idx",
            )),
        }
    }
}

impl Format {
    /// The format that a file's extension says, or else, for IDX, its first bytes.
    ///
    /// # Errors
    /// [`Error::Io`] when the file must be looked into and cannot be read; [`Error::Data`] when
    /// neither the extension nor the first bytes are known.
    pub fn from_path(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if let Ok(format) = extension.parse() {
            return Ok(format);
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(|e| unreadable(path, e))?;
        file.take(4)
            .read_to_end(&mut start)
            .map_err(|e| unreadable(path, e))?;
        let compressed = start.starts_with(&idx::GZIP);
        if compressed {
            start.clear();
            let file = File::open(path).map_err(|e| unreadable(path, e))?;
            // A stream that is broken at its start stays unknown, and is reported as that.
            let _ = flate2::read::MultiGzDecoder::new(file)
                .take(4)
                .read_to_end(&mut start);
        }
        if idx::is_magic(&start) {
            return Ok(Self::Idx);
        }
        let remedy = if compressed {
            "decompress the file first: only IDX files are read compressed"
        } else {
            "name its format (--data-format csv, npy, npz, libsvm or idx)"
        };
        Err(bad(
            &path.display().to_string(),
            None,
            None,
            "neither the extension nor the first bytes tell the format",
            remedy,
        ))
    }
}

/// How a file is read, where it does not say so itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// The format; `None` takes [`Format::from_path`]. Of a pair of files it holds for both.
    pub format: Option<Format>,
    /// The targets: names or indices from 0 of columns, a name winning over an index; names of
    /// arrays in npz. Empty takes the last column of one file, all columns of the `y` of a pair,
    /// and the array `y` of npz.
    pub targets: Vec<String>,
    /// Whether the first row of a CSV file is a header; `None` looks: it is one when it holds text
    /// where the second row has a number, or nothing but text.
    pub header: Option<bool>,
    /// The column (npz: the array) that holds the sample weights, by name or index.
    pub weights_column: Option<String>,
    /// The column that says which rows belong together, by name or index: neither feature nor target,
    /// unless it is named as one.
    pub group_column: Option<String>,
    /// Columns that are neither features nor targets, by name or index.
    pub ignore: Vec<String>,
}

/// What one file contributes.
#[derive(Debug, Clone, Default)]
struct Part {
    matrix: Option<Matrix>,
    feature_names: Vec<String>,
    targets: Vec<Target>,
    weights: Option<Vec<f64>>,
}

impl Part {
    fn into_dataset(self, source: &str) -> Result<Dataset> {
        let matrix = self.matrix.ok_or_else(|| {
            bad(
                source,
                None,
                None,
                "the file has no features",
                "give a file with feature columns",
            )
        })?;
        let dataset = Dataset {
            matrix,
            feature_names: self.feature_names,
            targets: self.targets,
            weights: self.weights,
            source: source.to_string(),
        };
        check_rows(&dataset)?;
        Ok(dataset)
    }
}

/// Checks that targets and weights have as many rows as the features.
fn check_rows(dataset: &Dataset) -> Result<()> {
    let rows = dataset.rows();
    let lengths = dataset
        .targets
        .iter()
        .map(|target| {
            (
                format!("target {}", quote(&target.name)),
                target.values.len(),
            )
        })
        .chain(
            dataset
                .weights
                .iter()
                .map(|weights| ("sample weights".to_string(), weights.len())),
        );
    for (name, length) in lengths {
        if length != rows {
            let remedy = if length.abs_diff(rows) == 1 {
                "give features and targets of the same rows; say whether the first row of a CSV \
                 file is a header"
            } else {
                "give features and targets of the same rows, in the same order"
            };
            return Err(Error::shape(
                format!("{}: {name}", dataset.source),
                format!("{rows} values, one per row of the features"),
                length.to_string(),
                remedy,
            ));
        }
    }
    Ok(())
}

/// A data error at a place.
fn bad(
    source: &str,
    line: Option<u64>,
    column: Option<String>,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> Error {
    Error::Data {
        place: Place {
            source: source.to_string(),
            line,
            column,
        },
        what: what.into(),
        remedy: remedy.into(),
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
    match format {
        Format::Csv => csv::parse(bytes, source, purpose, options),
        Format::Npy => npy::parse(bytes, source)?.into_part(source, purpose, options, false),
        Format::Npz => npz::Archive::open(bytes, source)?.read(purpose, options),
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

/// The features in one file and the targets in another, both in memory as (bytes, format, name).
///
/// # Errors
/// As [`parse_dataset`].
pub fn parse_pair(
    x: (&[u8], Format, &str),
    y: (&[u8], Format, &str),
    options: &ReadOptions,
) -> Result<Dataset> {
    let of_x = |options: &ReadOptions| parse(x.0, x.1, x.2, Purpose::Features, options);
    let of_y = |options: &ReadOptions| parse(y.0, y.1, y.2, Purpose::Targets, options);
    pair_of((of_x, x.2), (of_y, y.2), options)
}

/// Features and targets together, each from its reader, with its name.
fn pair_of(
    (of_x, x): (impl FnOnce(&ReadOptions) -> Result<Part>, &str),
    (of_y, y): (impl FnOnce(&ReadOptions) -> Result<Part>, &str),
    options: &ReadOptions,
) -> Result<Dataset> {
    let features = of_x(options)?;
    // Weights beside the features win; an index would otherwise name a column of both files.
    let mut options_of_y = options.clone();
    if features.weights.is_some() {
        options_of_y.weights_column = None;
    }
    let targets = of_y(&options_of_y)?;
    let part = Part {
        targets: targets.targets,
        weights: features.weights.or(targets.weights),
        ..features
    };
    dataset_of(part, &format!("{x}, {y}"), options)
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
    let options = ReadOptions::default();
    let part = parse(bytes, format, source, Purpose::Features, &options)?;
    Ok(part.into_dataset(source)?.matrix)
}

/// The vector in `bytes`: a one-dimensional array, or a single column or row; of libsvm the labels.
///
/// # Errors
/// As [`parse_dataset`]; also when there are several rows and columns.
pub fn parse_vector(bytes: &[u8], format: Format, source: &str) -> Result<Vec<f64>> {
    match format {
        Format::Npy => npy::parse(bytes, source)?.into_vector(source),
        Format::Idx => idx::parse(bytes, source)?.into_vector(source),
        Format::Npz => npz::Archive::open(bytes, source)?.vector(),
        Format::Csv => match parse_matrix(bytes, format, source)? {
            Matrix::Dense(matrix) => Array {
                shape: vec![matrix.rows, matrix.columns],
                values: Labels::Numbers(matrix.values),
            }
            .into_vector(source),
            Matrix::Sparse(_) => Err(array::text_features(source)),
        },
        Format::Libsvm => {
            let target = libsvm::parse(bytes, source)?.targets.pop();
            match target.map(|target| target.values) {
                Some(Labels::Numbers(values)) => Ok(values),
                _ => Err(array::text_features(source)),
            }
        }
    }
}

/// The features that a model with the features `names` takes, with targets where there are some.
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
    names: &[String],
    options: &ReadOptions,
) -> Result<Dataset> {
    parse(bytes, format, source, Purpose::Model(names), options)?
        .into_dataset(source)?
        .align(names)
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    let remedy = match source.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::PermissionDenied => "check the permissions of the file",
        std::io::ErrorKind::IsADirectory => "give a file, not a directory",
        _ => "check that the file can be read",
    };
    Error::Io {
        path: path.to_path_buf(),
        source,
        remedy,
    }
}

/// A file's bytes, its format, and its name for messages.
fn load(path: &Path, format: Option<Format>) -> Result<(Vec<u8>, Format, String)> {
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, e))?;
    let format = format.map_or_else(|| Format::from_path(path), Ok)?;
    Ok((bytes, format, path.display().to_string()))
}

/// Reads one file that holds features and targets.
///
/// # Errors
/// [`Error::Io`], and as [`parse_dataset`].
pub fn read_dataset(path: &Path, options: &ReadOptions) -> Result<Dataset> {
    let part = read_part(path, Purpose::Dataset, options)?;
    dataset_of(part, &path.display().to_string(), options)
}

/// Reads features from one file and targets from another, each of any format.
///
/// # Errors
/// [`Error::Io`], and as [`parse_dataset`].
pub fn read_pair(x: &Path, y: &Path, options: &ReadOptions) -> Result<Dataset> {
    let of_x = |options: &ReadOptions| read_part(x, Purpose::Features, options);
    let of_y = |options: &ReadOptions| read_part(y, Purpose::Targets, options);
    let (x_source, y_source) = (x.display().to_string(), y.display().to_string());
    pair_of((of_x, &x_source), (of_y, &y_source), options)
}

/// Reads a file for a purpose; an array straight into its place.
fn read_part(path: &Path, purpose: Purpose<'_>, options: &ReadOptions) -> Result<Part> {
    let format = options.format.map_or_else(|| Format::from_path(path), Ok)?;
    if format == Format::Npy {
        let source = path.display().to_string();
        return npy::read(path)?.into_part(&source, purpose, options, false);
    }
    let (bytes, format, source) = load(path, Some(format))?;
    parse(&bytes, format, &source, purpose, options)
}

/// Reads a matrix, all of whose columns are alike.
///
/// # Errors
/// [`Error::Io`], and as [`parse_matrix`].
pub fn read_matrix(path: &Path, format: Option<Format>) -> Result<Matrix> {
    let (bytes, format, source) = load(path, format)?;
    parse_matrix(&bytes, format, &source)
}

/// Reads a vector: strengths, groups, row numbers, weights, a prior mean.
///
/// # Errors
/// [`Error::Io`], and as [`parse_vector`].
pub fn read_vector(path: &Path, format: Option<Format>) -> Result<Vec<f64>> {
    let (bytes, format, source) = load(path, format)?;
    parse_vector(&bytes, format, &source)
}

/// Reads one label per row, of `rows` rows: numbers or text, in a single column or row.
///
/// Whether the first line of a column of texts is a header cannot be seen from it, and is told by
/// the number of rows.
///
/// # Errors
/// [`Error::Io`], and as [`parse_vector`]; [`Error::Data`] for libsvm, where labels belong to data.
pub fn read_labels(path: &Path, rows: usize) -> Result<Labels> {
    let (bytes, format, source) = load(path, None)?;
    if format == Format::Libsvm {
        return Err(bad(
            &source,
            None,
            None,
            "a libsvm file holds data, not one value per row",
            "give a .csv, .txt or .npy file with one value per row",
        ));
    }
    let column = |header: Option<bool>| -> Result<Labels> {
        let options = ReadOptions {
            header,
            ..ReadOptions::default()
        };
        let mut targets = parse(&bytes, format, &source, Purpose::Targets, &options)?.targets;
        match targets.pop() {
            Some(only) if targets.is_empty() => Ok(only.values),
            // A row of numbers, or an error that says what is wrong with several columns.
            _ => parse_vector(&bytes, format, &source).map(Labels::Numbers),
        }
    };
    let labels = column(None)?;
    if format == Format::Csv && labels.len() + 1 == rows {
        let all = column(Some(false))?;
        if all.len() == rows {
            return Ok(all);
        }
    }
    Ok(labels)
}

/// Reads data for a model with the features `feature_names`; see [`parse_features`].
///
/// # Errors
/// [`Error::Io`], and as [`parse_features`].
pub fn read_features(
    path: &Path,
    feature_names: &[String],
    options: &ReadOptions,
) -> Result<Dataset> {
    let (bytes, format, source) = load(path, options.format)?;
    parse_features(&bytes, format, &source, feature_names, options)
}
