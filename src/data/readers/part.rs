//! The contribution of one file to a data set, and faults in it.

use crate::data::dataset::{Dataset, Named, Target};
use crate::data::factor::Factor;
use crate::data::labels::quote;
use crate::data::matrix::Matrix;
use crate::error::{Error, Place, Result};

/// The contribution of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) matrix: Option<Matrix>,
    pub(super) feature_names: Vec<String>,
    pub(super) factors: Vec<Factor>,
    /// The kinds of the columns that the features of a table come from, in their order.
    pub(super) kinds: Vec<Kind>,
    pub(super) targets: Vec<Target>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) named: Named,
}

/// The kind of a column that features come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers, or no cell that is there.
    Numbers,
    /// A factor.
    Factor,
    /// True and False, of which the rows of other files decide what they are; a factor until then.
    Flags,
}

impl Part {
    pub(super) fn into_dataset(self, source: &str) -> Result<Dataset> {
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
            factors: self.factors,
            targets: self.targets,
            weights: self.weights,
            offset: None,
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

/// Refuses a file of another length than its header declares.
pub(super) fn check_length(
    source: &str,
    found: usize,
    declared: usize,
    remedy: &str,
) -> Result<()> {
    if found == declared {
        return Ok(());
    }
    let than = if found < declared { "fewer" } else { "more" };
    let what =
        format!("the file has {found} bytes, {than} than the {declared} that its header declares");
    Err(bad(source, None, None, what, remedy))
}

/// A data error at a place.
pub(super) fn bad(
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

/// The refusal of an empty file, where that which a writer makes is wanted.
pub(super) fn empty(source: &str, remedy: &str) -> Error {
    bad(source, None, None, "the file is empty", remedy)
}
