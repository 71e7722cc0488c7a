//! Reading the data that flags name.

use std::path::Path;

use crate::cli::arguments::{
    DataArguments, DecimalMark, FoldArguments, MissingName, TableFileArguments, UnknownLevelsName,
};
use crate::cli::failure::Failure;
use crate::data::Expected;
use crate::data::dataset::{Dataset, Labels};
use crate::data::embedded;
use crate::data::matrix::Matrix;
use crate::data::missing::{self, Indicator};
use crate::data::readers::{self, Categorical, Decimal, ReadOptions, UnknownLevels};
use crate::error::{Error, Result};

use super::offset::with_offset;

/// All training rows, and validation rows where files name them.
pub struct Tables {
    /// The rows to learn from, before any are held out.
    pub all: Dataset,
    /// The rows of the validation files.
    pub validation: Option<Dataset>,
    /// The columns of the files.
    pub expected: Expected,
    /// The features that say where columns are missing: the last ones.
    pub indicators: Vec<Indicator>,
    /// The name of each row's file, those of rows that were left out too, where a folder has several.
    file_of_row: Option<Labels>,
    /// Of the rows of the file those that were kept, where rows with missing cells were left out.
    kept: Option<Kept>,
}

/// The data that a command takes, beside what the flags say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken<'a> {
    /// Whether it falls back on the embedded data.
    pub fall_back: bool,
    /// A column that is no feature.
    pub group: Option<&'a str>,
    /// Whether a folder is read as one table.
    pub folder: bool,
}

/// The rows that were kept of a file.
struct Kept {
    /// All rows of the file.
    all: usize,
    rows: Vec<usize>,
}

impl Tables {
    /// Rows that no file has left any out of.
    pub fn of(all: Dataset) -> Self {
        Self {
            expected: all.expected(),
            all,
            validation: None,
            indicators: Vec::new(),
            file_of_row: None,
            kept: None,
        }
    }

    /// The name of each row's file, where a folder has several.
    pub fn file_of_row(&self) -> Option<Labels> {
        self.file_of_row.clone().map(|labels| self.of_kept(labels))
    }

    /// The number of rows of the file, those that were left out too.
    pub fn rows_of_file(&self) -> usize {
        self.kept.as_ref().map_or(self.all.rows(), |kept| kept.all)
    }

    /// The numbers in the file of some of the rows.
    pub fn in_file(&self, mut rows: Vec<usize>) -> Vec<usize> {
        if let Some(kept) = &self.kept {
            rows.iter_mut().for_each(|row| *row = kept.rows[*row]);
        }
        rows
    }

    /// Keeps some of the rows alone.
    pub fn keep(&mut self, rows: &[usize]) {
        self.all = self.all.select_rows(rows);
        if let Some(kept) = &mut self.kept {
            kept.rows = rows.iter().map(|&row| kept.rows[row]).collect();
        }
    }

    /// Of labels of all rows of the file those of the rows that were kept.
    pub fn of_kept(&self, labels: Labels) -> Labels {
        match &self.kept {
            Some(kept) if labels.len() == kept.all => labels.select(&kept.rows),
            _ => labels,
        }
    }
}

/// Options of the readers for a file without targets.
pub fn read_options(file: &TableFileArguments) -> ReadOptions {
    ReadOptions {
        format: file.data_format,
        header: file.header.as_option(),
        keep_index: file.keep_index,
        delimiter: file.delimiter,
        decimal: decimal(file),
        na: file.na.clone(),
        unknown_levels: match file.unknown_levels {
            UnknownLevelsName::Error => UnknownLevels::Error,
            UnknownLevelsName::Zeros => UnknownLevels::Zeros,
        },
        ..ReadOptions::default()
    }
}

fn decimal(file: &TableFileArguments) -> Option<Decimal> {
    file.decimal.map(|mark| match mark {
        DecimalMark::Point => Decimal::Point,
        DecimalMark::Comma => Decimal::Comma,
    })
}

/// The options of the readers that choose features.
fn with_features(arguments: &DataArguments, options: ReadOptions) -> ReadOptions {
    ReadOptions {
        ignore: arguments
            .drop
            .iter()
            .chain(&arguments.id)
            .chain(&arguments.offset)
            .cloned()
            .collect(),
        only: arguments.only.clone(),
        categorical: categorical(arguments),
        ..options
    }
}

fn categorical(arguments: &DataArguments) -> Categorical {
    match arguments.categorical.trim() {
        "auto" => Categorical::Auto,
        "none" => Categorical::Never,
        names => Categorical::Named(names.split(',').map(str::to_string).collect()),
    }
}

/// Options of the readers for a file beside the data: strengths, groups, rows. Its format is its own.
pub fn side_options(file: &TableFileArguments) -> ReadOptions {
    ReadOptions {
        header: file.header.as_option(),
        ..ReadOptions::default()
    }
}

/// Reads what the flags name; the embedded data when they name none and are fallen back on.
pub fn read(arguments: &DataArguments, taken: Taken<'_>) -> std::result::Result<Tables, Failure> {
    let options = ReadOptions {
        group_column: taken.group.map(str::to_string),
        targets: arguments.target.clone(),
        weights_column: weights_column(arguments)?,
        keep_missing: keeps_missing(arguments),
        ..with_features(arguments, read_options(&arguments.file))
    };
    let mut file_of_row = None;
    let mut all = match (&arguments.data, &arguments.x, &arguments.y) {
        (Some(data), _, _) if taken.folder && data.is_dir() => {
            let folder = readers::read_folder(data, &options)?;
            file_of_row = Some(Labels::Text(folder.file_of_row));
            folder.rows
        }
        (Some(data), _, _) => readers::read_dataset(data, &options)?,
        (None, Some(x), Some(y)) => readers::read_pair(x, y, &options)?,
        (None, Some(x), None) => readers::read_dataset(x, &options)?,
        _ if arguments.example || (taken.fall_back && arguments.target.is_empty()) => {
            check_no_columns(arguments)?;
            embedded::diabetes()?
        }
        _ => {
            return Err(Failure::usage(
                "no data; give a data file, or --x and --y, or --example for the embedded data",
            ));
        }
    };
    let (column, plain) = (arguments.offset.as_deref(), read_options(&arguments.file));
    all = with_offset(
        all,
        column,
        arguments.data.as_deref().or(arguments.x.as_deref()),
        &plain,
    )?;
    if let Some(file) = weights_file(arguments) {
        all.weights = Some(read_weights(file, all.rows(), arguments)?);
    }
    let kept = if arguments.missing == Some(MissingName::Drop) {
        let rows = missing::whole_rows(&all.matrix);
        let count = all.rows();
        all = without_missing(all)?;
        (rows.len() < count).then_some(Kept { all: count, rows })
    } else {
        check_columns(&all)?;
        None
    };
    let options = ReadOptions {
        expected: Some(all.expected()),
        ..options
    };
    let validation = match (&arguments.x_val, &arguments.y_val) {
        (Some(x), Some(y)) => Some(readers::read_pair(x, y, &options)?),
        (Some(x), None) => Some(readers::read_dataset(x, &options)?),
        _ => None,
    };
    let validation = match validation {
        Some(validation) => {
            let validation = with_offset(validation, column, arguments.x_val.as_deref(), &plain)?;
            widen(&mut all, &validation);
            Some(validation.align(&all.expected())?)
        }
        None => None,
    };
    let expected = all.expected();
    let indicators = match arguments.missing {
        Some(MissingName::Indicator) => all.indicators(),
        _ => Vec::new(),
    };
    let validation = match validation {
        Some(validation) => Some(treated(arguments, validation, &indicators)?),
        None => None,
    };
    Ok(Tables {
        all: all.with_indicators(&indicators),
        validation,
        expected,
        indicators,
        file_of_row,
        kept,
    })
}

/// Reads the data that flags name, to be dealt to folds.
pub fn read_tables(
    arguments: &DataArguments,
    folds: &FoldArguments,
) -> std::result::Result<Tables, Failure> {
    let taken = Taken {
        group: group_column(folds),
        ..Taken::default()
    };
    read(arguments, taken)
}

/// The column that says which rows stay together; a file of groups is none.
pub fn group_column(folds: &FoldArguments) -> Option<&str> {
    let group = folds.group_column.as_deref();
    group.filter(|name| !Path::new(name).is_file())
}

/// Whether missing cells are read.
fn keeps_missing(arguments: &DataArguments) -> bool {
    arguments
        .missing
        .is_some_and(|what| what != MissingName::Error)
}

/// Rows beside those of training, with the features of these; their missing cells are filled later.
fn treated(
    arguments: &DataArguments,
    rows: Dataset,
    indicators: &[Indicator],
) -> std::result::Result<Dataset, Failure> {
    Ok(match arguments.missing {
        Some(MissingName::Drop) => without_missing(rows)?,
        _ => rows.with_indicators(indicators),
    })
}

/// The rows without missing cells; says how many are left out.
fn without_missing(rows: Dataset) -> std::result::Result<Dataset, Failure> {
    let (whole, count) = (missing::whole_rows(&rows.matrix), rows.rows());
    if whole.len() == count {
        return Ok(rows);
    }
    if whole.is_empty() {
        return Err(Failure::usage(format!(
            "{}: every row has missing values, so that --missing drop leaves none; fill them with --missing mean or \
             median, or leave columns out with --drop",
            rows.source
        )));
    }
    log::warn!(
        "{}: {} of {count} rows have missing values and are left out (--missing drop)",
        rows.source,
        count - whole.len()
    );
    Ok(rows.select_rows(&whole))
}

/// Refuses a column without any value.
fn check_columns(all: &Dataset) -> Result<()> {
    match missing::empty_column(&all.matrix) {
        None => Ok(()),
        Some(j) => Err(Error::value(
            all.source.clone(),
            format!(
                "the feature {:?} is missing in every row",
                all.feature_names[j]
            ),
            "leave the column out (--drop)",
        )),
    }
}

/// Refuses flags that name columns where no file has any.
fn check_no_columns(arguments: &DataArguments) -> std::result::Result<(), Failure> {
    let flags = [
        ("--drop", !arguments.drop.is_empty()),
        ("--only", !arguments.only.is_empty()),
        ("--id", arguments.id.is_some()),
        ("--offset", arguments.offset.is_some()),
        (
            "--categorical",
            matches!(categorical(arguments), Categorical::Named(_)),
        ),
    ];
    match flags.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(Failure::usage(format!(
            "{flag} names columns of a file, and the data are the embedded ones; give a data file"
        ))),
    }
}

/// The test rows that two files, or one, hold, with the columns of the training data.
pub fn read_test(
    arguments: &DataArguments,
    training: &Tables,
    x: Option<&Path>,
    y: Option<&Path>,
) -> std::result::Result<Option<Dataset>, Failure> {
    let options = ReadOptions {
        targets: arguments.target.clone(),
        expected: Some(training.expected.clone()),
        keep_missing: keeps_missing(arguments),
        ..with_features(arguments, read_options(&arguments.file))
    };
    let test = match (x, y) {
        (Some(x), Some(y)) => readers::read_pair(x, y, &options)?,
        (Some(x), None) => readers::read_dataset(x, &options)?,
        _ => return Ok(None),
    };
    let column = arguments.offset.as_deref();
    let test = with_offset(test, column, x, &read_options(&arguments.file))?;
    let test = test.align(&training.expected)?;
    treated(arguments, test, &training.indicators).map(Some)
}

/// The file that --sample-weights names; what is no file is a column.
fn weights_file(arguments: &DataArguments) -> Option<&Path> {
    arguments
        .sample_weights
        .as_deref()
        .map(Path::new)
        .filter(|path| path.is_file())
}

fn weights_column(arguments: &DataArguments) -> std::result::Result<Option<String>, Failure> {
    let Some(name) = &arguments.sample_weights else {
        return Ok(None);
    };
    if weights_file(arguments).is_some() {
        return Ok(None);
    }
    if arguments.data.is_none() && arguments.x.is_none() {
        return Err(Failure::usage(format!(
            "--sample-weights {name}: there is no such file, and the embedded data have no weights; \
             give a file with one weight per row"
        )));
    }
    Ok(Some(name.clone()))
}

fn read_weights(file: &Path, rows: usize, arguments: &DataArguments) -> Result<Vec<f64>> {
    let weights = readers::read_row_numbers(file, rows, arguments.file.header.as_option())?;
    if weights.len() == rows {
        return Ok(weights);
    }
    Err(Error::shape(
        format!("sample weights in {}", file.display()),
        format!("{rows}, one per row of the data"),
        weights.len().to_string(),
        "give one weight per row",
    ))
}

/// A sparse training file may end before the last columns that the validation file uses: files in
/// libsvm format do not state their width.
fn widen(all: &mut Dataset, validation: &Dataset) {
    let width = validation.matrix.columns();
    if let (Matrix::Sparse(matrix), Matrix::Sparse(_)) = (&mut all.matrix, &validation.matrix)
        && matrix.columns < width
    {
        all.feature_names
            .extend_from_slice(&validation.feature_names[matrix.columns..]);
        matrix.columns = width;
    }
}

/// The labels of the rows of tables, as [`read_labels`] reads those of a file.
pub fn read_labels_of(
    arguments: &DataArguments,
    flag: &str,
    name: &str,
    tables: &Tables,
) -> Result<Labels> {
    let labels = labels_of_file(arguments, flag, name, &tables.all, tables.rows_of_file())?;
    Ok(tables.of_kept(labels))
}

/// The labels in a column of the data that is neither feature nor target, or in a file of its own
/// with one per row, as a flag names it.
pub fn read_labels(
    arguments: &DataArguments,
    flag: &str,
    name: &str,
    all: &Dataset,
) -> Result<Labels> {
    labels_of_file(arguments, flag, name, all, all.rows())
}

fn labels_of_file(
    arguments: &DataArguments,
    flag: &str,
    name: &str,
    all: &Dataset,
    rows: usize,
) -> Result<Labels> {
    let labels = if Path::new(name).is_file() {
        readers::read_labels(Path::new(name), rows, &side_options(&arguments.file))?
    } else {
        let Some(file) = arguments.data.as_ref().or(arguments.x.as_ref()) else {
            return Err(Error::value(
                flag,
                format!("there is no file {name}, and the embedded data have no such column"),
                "name a column of your data, or a file with one value per row",
            ));
        };
        // With --x and --y, the file of the features has no target columns.
        let others = if arguments.y.is_none() {
            all.targets.as_slice()
        } else {
            &[]
        };
        let options = ReadOptions {
            targets: vec![name.to_string()],
            // It is read like a target column, and named as the group column in messages.
            group_column: Some(name.to_string()),
            ignore: others.iter().map(|target| target.name.clone()).collect(),
            ..read_options(&arguments.file)
        };
        readers::read_column(file, &options)?
    };
    if labels.len() == rows {
        return Ok(labels);
    }
    Err(Error::shape(
        format!("groups in {name}"),
        format!("{rows}, one per row of the data"),
        labels.len().to_string(),
        "give the group of every row",
    ))
}
