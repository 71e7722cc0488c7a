//! Stores that are looked into.

use std::path::Path;

use super::charts::write_report;
use super::summary::Summary;
use crate::cli::failure::Failure;
use crate::kinds::Precision;
use crate::store::Store;

/// Writes the report of what a store holds now.
pub fn report_so_far(store: &Path, flag: &str, folder: &Path) -> Result<(), Failure> {
    let store = Store::read(store)?;
    let plan = store.plan()?;
    let summary = Summary::new(&plan, &store, "", Precision::F64)?;
    write_report(&summary, &store, flag, folder)
}

/// A store whose results are those that were stored.
pub fn checked(path: &Path) -> Result<Store, Failure> {
    let store = Store::read(path)?;
    store.check_results()?;
    Ok(store)
}
