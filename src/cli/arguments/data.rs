//! Data and options of reading them.

use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, ValueEnum};

use super::values;
use crate::data::labels::ClassWeights;
use crate::data::missing::Filling;
use crate::data::readers;

/// Whether a CSV file has a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Header {
    /// The first line is a header when it holds text where the second has a number, or only text, or
    /// numbers that are names: in quotes, 0, 1, 2, …, whole above decimals, or as in training.
    Auto,
    /// The first line is a header.
    Yes,
    /// The first line is data.
    No,
}

impl Header {
    /// As the readers take it: `None` detects.
    pub fn as_option(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}

/// Options of reading a file of data, shared by every command that reads one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct TableFileArguments {
    /// Format of the data files: csv, npy, npz, libsvm, idx or parquet [default: by extension, IDX and
    /// Parquet also by their first bytes].
    #[arg(long, value_name = "FORMAT", value_parser = data_format)]
    pub data_format: Option<readers::Format>,

    /// Whether CSV files begin with a header, also those of weights, folds and groups.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub header: Header,

    /// Keep a first column without a name that holds row numbers as a feature, and the index of a table of
    /// pandas in a Parquet file [default: they are left out, with a warning].
    #[arg(long)]
    pub keep_index: bool,

    /// Separator of CSV files: a character, or comma, semicolon, tab, pipe or blanks [default: found by
    /// the first lines].
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter, allow_hyphen_values = true)]
    pub delimiter: Option<u8>,

    /// Decimal mark of CSV files [default: the comma where commas separate nothing and cannot stand
    /// between thousands].
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<DecimalMark>,

    /// Texts of CSV files that say that a value is missing, beside an empty field, separated by commas; with
    /// --na ? a label may be NA [default: NA, N/A, NaN, null, ?, in any case].
    #[arg(
        long,
        value_name = "TEXTS",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub na: Option<Vec<String>>,

    /// Levels of a factor that training has not seen: an error, or zeros in all its features, in
    /// validation, test and new rows.
    #[arg(long, value_name = "WHAT", default_value = "error")]
    pub unknown_levels: UnknownLevelsName,
}

/// The decimal marks by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecimalMark {
    /// As in 1.5.
    Point,
    /// As in 1,5.
    Comma,
}

/// The treatments of missing cells of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissingName {
    /// They are an error.
    Error,
    /// The mean of the training rows.
    Mean,
    /// The median of the training rows.
    Median,
    /// Their rows are left out.
    Drop,
    /// The mean, and a feature that says where it is missing.
    Indicator,
}

impl MissingName {
    /// The value that they are filled with, if they are.
    pub fn filling(self) -> Option<Filling> {
        match self {
            Self::Mean | Self::Indicator => Some(Filling::Mean),
            Self::Median => Some(Filling::Median),
            Self::Error | Self::Drop => None,
        }
    }
}

/// The treatments of levels that training has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnknownLevelsName {
    /// They are an error.
    Error,
    /// All features of the factor are 0.
    Zeros,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("comma", _) => Ok(b','),
        ("semicolon", _) => Ok(b';'),
        ("tab" | "\\t", _) => Ok(b'\t'),
        ("pipe", _) => Ok(b'|'),
        ("blank" | "blanks" | "space", _) => Ok(b' '),
        (_, &[one])
            if one.is_ascii() && !one.is_ascii_alphanumeric() && !b"\"\n\r.-+".contains(&one) =>
        {
            Ok(one)
        }
        _ => Err(
            "give one character that no number has, or comma, semicolon, tab, pipe or blanks"
                .into(),
        ),
    }
}

fn data_format(name: &str) -> Result<readers::Format, String> {
    name.parse()
        .map_err(|error: crate::Error| error.to_string())
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    text.parse()
        .map_err(|error: crate::Error| error.to_string())
}

/// Training and validation data.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArguments {
    /// File that holds features and targets: .csv, .parquet, .npy, .npz, .svm, .libsvm or .svmlight; for meta also a
    /// folder of such files.
    #[arg(value_name = "DATA", conflicts_with_all = ["x", "y"], help_heading = Resettable::Reset)]
    pub data: Option<PathBuf>,

    /// File with the features of the training rows; without --y it holds the targets too.
    #[arg(long, value_name = "FILE")]
    pub x: Option<PathBuf>,

    /// File with the targets of the training rows: one column per target.
    #[arg(long, value_name = "FILE", requires = "x")]
    pub y: Option<PathBuf>,

    /// File with the features of the validation rows; without --y-val it holds the targets too.
    #[arg(long, value_name = "FILE", conflicts_with = "val_fraction")]
    pub x_val: Option<PathBuf>,

    /// File with the targets of the validation rows.
    #[arg(long, value_name = "FILE", requires = "x_val")]
    pub y_val: Option<PathBuf>,

    /// Use the embedded diabetes data (442 rows, 10 features; Efron et al. 2004).
    #[arg(long, conflicts_with_all = ["data", "x", "y", "x_val", "target"])]
    pub example: bool,

    #[command(flatten)]
    pub file: TableFileArguments,

    /// Target columns by name or by index from 0, separated by commas; each is fitted on its own
    /// [default: the last column].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub target: Vec<String>,

    /// Columns that are no features, by name or index, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub drop: Vec<String>,

    /// Columns that are the only features, by name or index, separated by commas [default: all that have
    /// no other use].
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "drop"
    )]
    pub only: Vec<String>,

    /// Column that tells the rows apart, by name or index: it is no feature.
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,

    /// Text columns that are factors, with one feature per level, such as city=Wien: auto, the columns
    /// without a number of at most 50 levels; none; or names or indices separated by commas.
    #[arg(long, value_name = "auto|none|NAMES", default_value = "auto")]
    pub categorical: String,

    /// Missing cells of the features: an error; filled with the mean or the median of the training rows, in
    /// folds of the fold's; drop, which leaves the rows out; or indicator, the mean and a feature
    /// NAME=missing for every column with missing cells [default: error].
    #[arg(long, value_name = "WHAT")]
    pub missing: Option<MissingName>,

    /// Weights of the rows: a file with one weight per row, or the name of a column. Rows that are
    /// held out keep theirs: criterion and metrics are weighted means.
    #[arg(long, value_name = "COLUMN|FILE")]
    pub sample_weights: Option<String>,

    /// Column with an offset per row, which the linear predictor has beside the coefficients: with a log link the
    /// logarithm of the exposure. It is no feature.
    #[arg(long, value_name = "COLUMN")]
    pub offset: Option<String>,

    /// Weights of the classes: 'balanced', or label=weight separated by commas [default: all 1].
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights, allow_hyphen_values = true)]
    pub class_weights: Option<ClassWeights>,

    /// Share of the rows held out for the criterion; 0 evaluates it on the training rows [default:
    /// 0.25 without validation files; fit of a single point takes all rows].
    #[arg(long, value_name = "SHARE", value_parser = values::fraction, allow_hyphen_values = true)]
    pub val_fraction: Option<f64>,

    /// Fit without an intercept; columns are then not centred.
    #[arg(long)]
    pub no_intercept: bool,

    /// Leave columns at their scale instead of dividing them by their standard deviation.
    #[arg(long)]
    pub no_standardize: bool,

    /// Seed of the hold-out split and of all minibatches.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = values::seed,
          allow_hyphen_values = true)]
    pub seed: u64,
}
