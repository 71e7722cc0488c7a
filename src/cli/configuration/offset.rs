//! The column of offsets.

use std::path::Path;

use crate::data::dataset::{Dataset, Labels};
use crate::data::labels::parsed;
use crate::data::readers::{self, ReadOptions};
use crate::error::{Error, Result};

/// Rows with the offsets of a column, if one is named, in the file of the data or of the features.
pub(super) fn with_offset(
    mut rows: Dataset,
    column: Option<&str>,
    file: Option<&Path>,
    options: &ReadOptions,
) -> Result<Dataset> {
    if let (Some(name), Some(path)) = (column, file) {
        rows.offset = Some(read_offset(path, name, options, rows.rows())?);
    }
    Ok(rows)
}

/// The offsets of `count` rows in a column of a file.
///
/// # Errors
/// [`Error::Value`] for a column that is not there, and for cells that are no finite numbers.
pub fn read_offset(
    path: &Path,
    name: &str,
    options: &ReadOptions,
    count: usize,
) -> Result<Vec<f64>> {
    let options = ReadOptions {
        targets: vec![name.to_owned()],
        keep_missing: false,
        ..options.clone()
    };
    let fault = |what: String, remedy: &str| {
        Error::value(format!("offset in {}", path.display()), what, remedy)
    };
    let remedy = "name the column of numbers that holds one offset per row: --offset COLUMN";
    let labels = match readers::read_column(path, &options) {
        Ok(labels) => labels,
        Err(error @ Error::Io { .. }) => return Err(error),
        Err(error) => {
            return Err(fault(
                format!("the column {name:?} cannot be read ({error})"),
                remedy,
            ));
        }
    };
    let values = match labels {
        Labels::Numbers(values) => values,
        // Text also where a number has more digits than f64 keeps apart, which an offset need not.
        Labels::Text(texts) => parsed(&texts).map_err(|at| {
            let what = format!("row {} of the column {name:?} is {:?}", at + 1, texts[at]);
            fault(what, remedy)
        })?,
    };
    if values.len() != count {
        let what = format!(
            "the column {name:?} has {} values for {count} rows",
            values.len()
        );
        return Err(fault(what, remedy));
    }
    Ok(values)
}
