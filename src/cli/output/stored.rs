//! Stores of sweeps and searches: opened, and looked into.

use std::path::Path;

use super::charts::write_report;
use super::pages::ReportFolder;
use super::summary::Summary;
use crate::cli::failure::Failure;
use crate::error::{Error, Result as Checked};
use crate::kinds::Precision;
use crate::store::{Store, TuningStore};
use crate::sweep::cells::CellStore;
use crate::sweep::record::Plan;
use crate::tune::EvaluationStore;

/// The remedy for a page of a tuning, which its store does not hold.
pub const ON_A_PAGE: &str = "repeat the command that made it with --report FOLDER";

/// The store of a plan: a new one, or that of an earlier run.
pub fn open_store(path: &Path, plan: &Plan) -> Checked<Box<dyn CellStore>> {
    Ok(Box::new(Store::open(path, plan)?))
}

/// The store of a search's plan: a new one, or that of an earlier run.
pub fn open_tuning(path: &Path, plan: &Plan) -> Checked<Box<dyn EvaluationStore>> {
    Ok(Box::new(TuningStore::open(path, plan)?))
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

/// The plan of a sweep's store.
pub fn swept(store: &Store, remedy: &str) -> Result<Plan, Failure> {
    let plan = store.plan()?;
    if let Some(kind) = plan.search() {
        let what = format!(
            "it is the store of {}, which has no plan of points",
            kind.one()
        );
        return Err(Error::store(store.path(), what, remedy).into());
    }
    Ok(plan)
}
