//! Stores of sweeps: opened, and looked into.

use std::path::Path;

use super::charts::write_report;
use super::pages::ReportFolder;
use super::summary::Summary;
use crate::cli::failure::Failure;
use crate::error::Result as Checked;
use crate::kinds::Precision;
use crate::store::Store;
use crate::sweep::cells::CellStore;
use crate::sweep::record::Plan;

/// The store of a plan: a new one, or that of an earlier run.
pub fn open_store(path: &Path, plan: &Plan) -> Checked<Box<dyn CellStore>> {
    Ok(Box::new(Store::open(path, plan)?))
}

/// Writes the report of what a store holds now.
pub fn report_so_far(store: &Path, folder: &ReportFolder<'_>) -> Result<(), Failure> {
    let store = Store::read(store)?;
    let plan = store.plan()?;
    let summary = Summary::new(&plan, &store, "", Precision::F64)?;
    write_report(&summary, &store, &[], folder)
}

/// A store whose results are those that were stored.
pub fn checked(path: &Path) -> Result<Store, Failure> {
    let store = Store::read(path)?;
    store.check_results()?;
    Ok(store)
}
