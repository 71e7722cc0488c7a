//! The stores of a build without the feature `store`: there are none.

use std::path::Path;

use super::pages::ReportFolder;
use crate::cli::failure::Failure;
use crate::error::{Error, Result as Checked};
use crate::sweep::cells::CellStore;
use crate::sweep::record::Plan;
use crate::tune::EvaluationStore;

fn missing() -> Error {
    Error::unsupported(
        "--store in this build",
        "build proxdiff with the feature `store`, or leave the flag out",
    )
}

/// The store of a plan: an error.
pub fn open_store(_: &Path, _: &Plan) -> Checked<Box<dyn CellStore>> {
    Err(missing())
}

/// The store of a tuning's plan: an error.
pub fn open_tuning(_: &Path, _: &Plan) -> Checked<Box<dyn EvaluationStore>> {
    Err(missing())
}

/// The report of a store: an error.
pub fn report_so_far(_: &Path, _: &ReportFolder<'_>) -> Result<(), Failure> {
    Err(missing().into())
}
