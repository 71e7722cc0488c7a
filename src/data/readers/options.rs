//! The formats of data files, and options of reading them.

use std::str::FromStr;

use crate::data::align::Expected;
use crate::error::{Error, Result};

/// The formats of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text in columns separated by commas, semicolons, tabs, pipes or blanks, with or without a header;
    /// also compressed by gzip or Zstandard, as libsvm's.
    Csv,
    /// One NumPy array.
    Npy,
    /// An archive of NumPy arrays, or a sparse matrix of SciPy.
    Npz,
    /// Sparse text, `label index:value …`, indices from 1.
    Libsvm,
    /// The format of MNIST, also compressed by gzip.
    Idx,
    /// Typed columns, as pandas, polars and Spark write them; read with the feature `parquet`.
    Parquet,
}

impl FromStr for Format {
    type Err = Error;

    /// `csv` (or `tsv`, `txt`), `npy`, `npz`, `libsvm` (or `svm`, `svmlight`), `idx`, `parquet` (or `pq`).
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Ok(Self::Csv),
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "libsvm" | "svm" | "svmlight" => Ok(Self::Libsvm),
            "idx" => Ok(Self::Idx),
            "parquet" | "pq" => Ok(Self::Parquet),
            _ => Err(Error::value(
                "data format",
                format!("\"{text}\" is not known"),
                "give one of csv, npy, npz, libsvm, idx, parquet",
            )),
        }
    }
}

/// Most levels of a text column that nobody has named as a factor.
pub const MAX_LEVELS: usize = 50;

/// The text columns that are factors: features that have one column per level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Categorical {
    /// None: text among the features is an error, but for True and False, which are 1 and 0.
    #[default]
    Never,
    /// Columns without a number, of at most 50 levels.
    Auto,
    /// The columns of these names or indices, whatever they hold.
    Named(Vec<String>),
}

/// The treatment of levels that training has not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownLevels {
    /// They are an error.
    #[default]
    Error,
    /// All features of the factor are 0.
    Zeros,
}

/// The mark between whole part and fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// A point, as in 1.5.
    Point,
    /// A comma, as in 1,5.
    Comma,
}

/// Options of reading, where a file does not say so itself.
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
    /// Take a first column without a name that holds row numbers for a feature, and the index that pandas stores
    /// in a Parquet file; else they are left out, with a warning.
    pub keep_index: bool,
    /// Columns that are the only features, by name or index; empty takes all.
    pub only: Vec<String>,
    /// The text columns that are factors.
    pub categorical: Categorical,
    /// The treatment of levels that the expected factors lack.
    pub unknown_levels: UnknownLevels,
    /// The separator of a CSV file, a blank for any run of blanks; `None` looks.
    pub delimiter: Option<u8>,
    /// The decimal mark of a CSV file; `None` looks.
    pub decimal: Option<Decimal>,
    /// The texts beside an empty one that say that a value is missing; `None` takes the usual ones.
    pub na: Option<Vec<String>>,
    /// Missing cells of features are NaN in a dense matrix; else they are an error.
    pub keep_missing: bool,
    /// The number, from 0, of a file among several that are read as one table: what only the rows of all of
    /// them tell is then not decided, and what holds for all is said with the first.
    pub part: Option<usize>,
}
