//! Joining the stores of the shards of one plan.

use std::path::Path;

use rusqlite::{TransactionBehavior, params};

use super::failure::explain;
use super::{Result, Store};
use crate::error::Error;

/// Makes the store `into` of all finished units of the stores `from`, which hold the same plan.
///
/// A unit that several stores have done must have the same results in each. An existing `into` of
/// the same plan is added to. Returns the number of units that were added.
///
/// # Errors
/// [`Error::Store`] when a store cannot be read or written, holds another plan or other data, or
/// contradicts another.
pub fn merge(from: &[&Path], into: &Path) -> Result<usize> {
    let Some(first) = from.first() else {
        return Err(Error::value(
            "merge",
            "no stores",
            "name the stores to be joined",
        ));
    };
    let same = |path: &&&Path| match (path.canonicalize(), into.canonicalize()) {
        (Ok(path), Ok(into)) => path == into,
        _ => false,
    };
    if let Some(path) = from.iter().find(same) {
        return Err(Error::value(
            "merge",
            format!("{} is both an input and the output", path.display()),
            "name another file with --out",
        ));
    }
    let plan = Store::read(first)?.plan()?;
    let mut target = Store::open(into, &plan)?;
    let mut added = 0;
    for path in from {
        let source = Store::read(path)?;
        let other = source.plan()?;
        super::compare_plans(path, &plan, &other)?;
        if let Some(fault) = super::verify(&source)?.faults.first() {
            return Err(Error::store(
                path,
                fault,
                "restore the store from a copy before it is merged",
            ));
        }
        drop(source);
        added += target.absorb(path)?;
    }
    target.release()?;
    Ok(added)
}

impl Store {
    /// Copies the finished units of another store of the same plan.
    fn absorb(&mut self, path: &Path) -> Result<usize> {
        let own = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&own, &e);
        self.connection
            .execute("ATTACH DATABASE ?1 AS other", [path.to_string_lossy()])
            .map_err(|e| explain(path, &e))?;
        let session = self.session;
        let mut absorb = || -> Result<usize> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failure)?;
            let contradiction: i64 = transaction
                .query_row(
                    "SELECT COUNT(*) FROM units u JOIN other.units o ON u.unit = o.unit
                     WHERE u.done = 1 AND o.done = 1 AND u.digest <> o.digest",
                    [],
                    |row| row.get(0),
                )
                .map_err(failure)?;
            if contradiction > 0 {
                return Err(Error::store(
                    path,
                    format!(
                        "{contradiction} units have other results than in {}",
                        own.display()
                    ),
                    "run `proxdiff runs verify` on both, and merge only stores that one version of the program made on one kind of device",
                ));
            }
            let wanted = "SELECT o.unit FROM other.units o JOIN main.units u ON u.unit = o.unit
                          WHERE o.done = 1 AND u.done = 0";
            transaction
                .execute(
                    &format!(
                        "INSERT INTO main.results SELECT r.* FROM other.results r
                         JOIN other.points p ON p.study = r.study AND p.point = r.point
                         JOIN other.units v ON v.study = r.study AND v.fold = r.fold AND v.path = p.path
                         WHERE v.unit IN ({wanted})"
                    ),
                    [],
                )
                .map_err(failure)?;
            let added = transaction
                .execute(
                    &format!(
                        "UPDATE main.units AS u SET done = 1, session = ?1,
                         (seconds, device, finished, digest) =
                         (SELECT seconds, device, finished, digest FROM other.units o WHERE o.unit = u.unit)
                         WHERE u.unit IN ({wanted})"
                    ),
                    params![session],
                )
                .map_err(failure)?;
            transaction.commit().map_err(failure)?;
            Ok(added)
        };
        let added = absorb();
        let detached = self.connection.execute("DETACH DATABASE other", []);
        let added = added?;
        detached.map_err(|e| self.failure(&e))?;
        Ok(added)
    }
}
