//! Readers of data files: from bytes to a [`Dataset`], a matrix or a vector.
//!
//! Every reader works on bytes in memory (`parse_…`, which also serves the fuzz targets) and has a
//! form that takes paths (`read_…`). No reader panics on any input, trusts a size in a header
//! before it is compared with the bytes that are there, or lets a NaN or an infinity pass.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use super::align::Expected;
use super::dataset::{Dataset, Labels, Named, Target};
use super::labels::{numbers, quote};
use super::matrix::Matrix;
use crate::error::{Error, Place, Result};

mod array;
mod columns;
mod csv;
mod files;
mod foreign;
mod idx;
mod libsvm;
pub(super) mod npy;
mod npz;
mod sparse;

use array::Array;
use columns::Purpose;
use files::first_bytes;
pub use files::{
    read_dataset, read_features, read_labels, read_matrix, read_pair, read_row_numbers, read_vector,
};

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
        let start = first_bytes(path)?;
        let compressed = start.starts_with(&idx::GZIP);
        let mut inner = Vec::new();
        // A stream that is broken at its start stays unknown, and is reported as that.
        let _ = flate2::read::MultiGzDecoder::new(start.as_slice())
            .take(4)
            .read_to_end(&mut inner);
        if idx::is_magic(&start) || (compressed && idx::is_magic(&inner)) {
            return Ok(Self::Idx);
        }
        let source = path.display().to_string();
        if compressed {
            return Err(bad(
                &source,
                None,
                None,
                "the file is compressed by gzip",
                "decompress the file first: only IDX files are read compressed",
            ));
        }
        if let Some(error) = foreign::recognised(&start, &source) {
            return Err(error);
        }
        Err(bad(
            &source,
            None,
            None,
            "neither the extension nor the first bytes tell the format",
            "name its format (--data-format csv, npy, npz, libsvm or idx)",
        ))
    }
}

/// Options of a reader, for what a file does not say itself.
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
    /// The columns of the training data, for a file that is to match them.
    pub expected: Option<Expected>,
    /// Take a first column without a name that holds row numbers for a feature; else it is left out,
    /// with a warning.
    pub keep_index: bool,
}

/// The contribution of one file to a data set.
#[derive(Debug, Clone, Default)]
struct Part {
    matrix: Option<Matrix>,
    feature_names: Vec<String>,
    targets: Vec<Target>,
    weights: Option<Vec<f64>>,
    named: Named,
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
            named: self.named,
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
                "give features and targets of the same rows; say by --header whether the first row \
                 of a CSV file is a header"
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
    foreign::check(bytes, format, source)?;
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
    (of_y, y): (impl Fn(&ReadOptions) -> Result<Part>, &str),
    options: &ReadOptions,
) -> Result<Dataset> {
    let features = of_x(options)?;
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
                "{y}: the file has one row more than {x}, and its first one counts the columns: it is \
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
        Format::Npy => npy::parse(bytes, source)?.into_vector(source),
        Format::Idx => idx::parse(bytes, source)?.into_vector(source),
        Format::Npz => npz::Archive::open(bytes, source)?.vector(),
        Format::Csv => match matrix_of(bytes, format, source, options)? {
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
