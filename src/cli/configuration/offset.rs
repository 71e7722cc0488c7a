//! The column of offsets.

use std::path::Path;

use crate::data::dataset::{Dataset, Labels};
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
    match readers::read_column(path, &options) {
        Ok(Labels::Numbers(values)) if values.len() == count => Ok(values),
        Ok(Labels::Numbers(values)) => Err(fault(
            format!(
                "the column {name:?} has {} values for {count} rows",
                values.len()
            ),
            remedy,
        )),
        Ok(Labels::Text(values)) => {
            let wrong = values.iter().position(|text| text.parse::<f64>().is_err());
            let at = wrong.unwrap_or_default();
            Err(fault(
                format!("row {} of the column {name:?} is {:?}", at + 1, values[at]),
                remedy,
            ))
        }
        Err(error @ Error::Io { .. }) => Err(error),
        Err(error) => Err(fault(
            format!("the column {name:?} cannot be read ({error})"),
            remedy,
        )),
    }
}
