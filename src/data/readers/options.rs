//! The formats of data files, and options of reading them.

use std::str::FromStr;

use crate::data::align::Expected;
use crate::error::{Error, Result};

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
    /// Take a first column without a name that holds row numbers for a feature; else it is left out,
    /// with a warning.
    pub keep_index: bool,
}
