//! Reading files: their bytes, checked against the memory of the machine, and then by format.

use std::io::Read;
use std::path::Path;

use super::access::{bytes_of, first_bytes, is_standard_input, name_of, standard_input};
use super::columns::Purpose;
use super::compressed;
use super::options::{Format, ReadOptions};
use super::part::{Part, bad};
use super::{PairPart, dataset_of, foreign, idx, matrix_of, npy, pair_of, parse, vector_of};
use crate::data::align::Expected;
use crate::data::dataset::{Dataset, Labels, Target};
use crate::data::labels::{parsed, quote};
use crate::data::matrix::Matrix;
use crate::error::Result;

impl Format {
    /// The format that a file's extension says, also below `.gz` and `.zst` for text, or else, for IDX and Parquet,
    /// its first bytes.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file must be looked into and cannot be read; [`crate::Error::Data`] when
    /// neither the extension nor the first bytes are known.
    pub fn from_path(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if let Ok(format) = extension.parse() {
            return Ok(format);
        }
        if let Some(format) = compressed::format_of(path) {
            return Ok(format);
        }
        if is_standard_input(path) {
            let is_parquet = standard_input()?.starts_with(foreign::PARQUET);
            return Ok(if is_parquet { Self::Parquet } else { Self::Csv });
        }
        let start = first_bytes(path, foreign::ENOUGH)?;
        if start.starts_with(foreign::PARQUET) {
            return Ok(Self::Parquet);
        }
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
                "decompress the file first: text files (.csv.gz, .svm.gz) and IDX files are read compressed",
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
            "name its format (--data-format csv, npy, npz, libsvm, idx or parquet)",
        ))
    }
}

/// A file's bytes, its format, and its name for messages.
fn load(path: &Path, format: Option<Format>) -> Result<(Vec<u8>, Format, String)> {
    let format = format.map_or_else(|| Format::from_path(path), Ok)?;
    let source = name_of(path);
    let bytes = compressed::decompressed(bytes_of(path)?, format, &source)?;
    Ok((bytes, format, source))
}

/// Reads one file that holds features and targets.
///
/// The first Parquet file of a process sets a panic hook: panics of the decoder, which are returned as errors, are not
/// printed, and all others go to the hook that was there. A pipe is read once in a process and kept, by its path.
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_dataset`](super::parse_dataset).
pub fn read_dataset(path: &Path, options: &ReadOptions) -> Result<Dataset> {
    let part = read_part(path, Purpose::Dataset, options)?;
    dataset_of(part, &name_of(path), options)
}

/// Reads one column of a file with many, which `options` name as the target.
pub(super) fn read_column_of_file(path: &Path, options: &ReadOptions) -> Result<Labels> {
    let format = options.format.map_or_else(|| Format::from_path(path), Ok)?;
    let mut targets = match format {
        // Whatever the other columns, or arrays, hold.
        Format::Csv | Format::Npy | Format::Npz | Format::Parquet => {
            read_part(path, Purpose::Targets, options)?.targets
        }
        _ => read_dataset(path, options)?.targets,
    };
    Ok(targets.remove(0).values)
}

/// Reads features from one file and targets from another, each of any format.
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_dataset`](super::parse_dataset).
pub fn read_pair(x: &Path, y: &Path, options: &ReadOptions) -> Result<Dataset> {
    let of_x = |options: &ReadOptions| read_part(x, Purpose::Features, options);
    let of_y = |options: &ReadOptions| read_part(y, Purpose::Targets, options);
    let (x_source, y_source) = (name_of(x), name_of(y));
    pair_of(
        PairPart {
            name: &x_source,
            read: of_x,
        },
        PairPart {
            name: &y_source,
            read: of_y,
        },
        options,
    )
}

/// Reads a file for a purpose; an array straight into its place, and a Parquet file piece by piece.
pub(super) fn read_part(path: &Path, purpose: Purpose<'_>, options: &ReadOptions) -> Result<Part> {
    let format = options.format.map_or_else(|| Format::from_path(path), Ok)?;
    if format == Format::Npy && !is_standard_input(path) {
        let source = path.display().to_string();
        purpose.check(options, format, &source)?;
        return npy::read(path, options.keep_missing)?.into_part(&source, purpose, options, false);
    }
    #[cfg(feature = "parquet")]
    if format == Format::Parquet {
        return super::parquet::read_file(path, purpose, options);
    }
    let (bytes, format, source) = load(path, Some(format))?;
    parse(&bytes, format, &source, purpose, options)
}

/// Reads a matrix, all of whose columns are alike. Of the options format and header matter.
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_matrix`](super::parse_matrix).
pub fn read_matrix(path: &Path, options: &ReadOptions) -> Result<Matrix> {
    let (bytes, format, source) = load(path, options.format)?;
    matrix_of(&bytes, format, &source, options)
}

/// Reads a vector: strengths, groups, row numbers, a prior mean. Of the options format and header
/// matter.
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_vector`](super::parse_vector).
pub fn read_vector(path: &Path, options: &ReadOptions) -> Result<Vec<f64>> {
    let (bytes, format, source) = load(path, options.format)?;
    vector_of(&bytes, format, &source, options)
}

/// Reads one number per row, of `rows` rows, such as weights; see [`read_labels`].
///
/// # Errors
/// As [`read_labels`]; also when a value is not a number.
pub fn read_row_numbers(path: &Path, rows: usize, header: Option<bool>) -> Result<Vec<f64>> {
    let options = ReadOptions {
        header,
        ..ReadOptions::default()
    };
    match read_labels(path, rows, &options)? {
        Labels::Numbers(values) => Ok(values),
        Labels::Text(texts) => parsed(&texts).map_err(|i| {
            bad(
                &path.display().to_string(),
                None,
                None,
                format!("row {} is {}, not a number", i + 1, quote(&texts[i])),
                "give one number per row",
            )
        }),
    }
}

/// Reads one label per row, of `rows` rows: numbers or text, in a single column or row.
///
/// Whether the first line of a column is a header often cannot be seen from it, and is told by the
/// number of rows. Of the options format, header, separator, decimal mark and missing values matter.
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_vector`](super::parse_vector); [`crate::Error::Data`] for libsvm, where labels belong to data.
pub fn read_labels(path: &Path, rows: usize, options: &ReadOptions) -> Result<Labels> {
    let header = options.header;
    let (bytes, format, source) = load(path, options.format)?;
    if format == Format::Libsvm {
        return Err(bad(
            &source,
            None,
            None,
            "a libsvm file holds data, not one value per row",
            "give a .csv, .txt or .npy file with one value per row",
        ));
    }
    let with = |header: Option<bool>| ReadOptions {
        header,
        delimiter: options.delimiter,
        decimal: options.decimal,
        na: options.na.clone(),
        ..ReadOptions::default()
    };
    // A row of numbers, or an error that says what is wrong with several columns.
    let vector = || -> Result<Target> {
        let all_numbers = matrix_of(&bytes, format, &source, &with(Some(false))).is_ok();
        let values = vector_of(&bytes, format, &source, &with(Some(!all_numbers)))?;
        Ok(Target {
            name: String::new(),
            values: Labels::Numbers(values),
        })
    };
    let read = |header: Option<bool>| -> Result<Target> {
        let options = with(header);
        let mut targets = parse(&bytes, format, &source, Purpose::Targets, &options)?.targets;
        match targets.pop() {
            Some(only) if targets.is_empty() => Ok(only),
            _ => vector(),
        }
    };
    if format == Format::Csv {
        let fits = |header: bool| {
            let target = read(Some(header)).ok()?;
            let is_name = !header || is_name_of_one(&target.name);
            (is_name && target.values.len() == rows).then_some(target.values)
        };
        // The flag decides, else the number of rows; a number is a name only where it must be.
        if header == Some(true)
            && let Ok(target) = read(header)
            && target.values.len() == rows
        {
            return Ok(target.values);
        }
        if let Some(labels) = fits(false).or_else(|| fits(true)) {
            return Ok(labels);
        }
        let plain = parse(
            &bytes,
            format,
            &source,
            Purpose::Targets,
            &with(Some(false)),
        );
        if plain.is_ok_and(|part| part.targets.len() > 1) {
            return vector().map(|target| target.values);
        }
    }
    read(header).map(|target| target.values)
}

/// True for what may be the name of a single column: text, or the number that pandas gives it.
fn is_name_of_one(name: &str) -> bool {
    name == "0" || name.parse::<f64>().is_err()
}

/// Reads data for a model that was trained with the expected features; see [`parse_features`](super::parse_features).
///
/// # Errors
/// [`crate::Error::Io`], and as [`parse_features`](super::parse_features).
pub fn read_features(path: &Path, model: &Expected, options: &ReadOptions) -> Result<Dataset> {
    read_part(path, Purpose::Model(model), options)?
        .into_dataset(&name_of(path))?
        .align(model)
}
