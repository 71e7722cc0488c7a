//! Mending a store: views and indices are made again, damaged units are opened again, and nothing that is
//! good is removed.
//!
//! ```text
//! tables sound?  →  indices from the tables  →  damaged units open  →  checked  →  committed
//! ```
//!
//! All of it is one transaction, which is undone unless the store is sound at its end.

use std::path::Path;

use super::failure::damaged;
use super::verify::{DONE, UNKNOWN};
use super::{Plan, Result, Store, schema, verify};
use crate::error::Error;
use crate::sweep::record::digest;

/// The remedy where nothing can be mended.
const REMEDY: &str = "restore it from a copy, or start a new one with --store FILE";

/// Opens damaged units of a store again, so that the sweep's command repeats them, and makes views and
/// indices again that are not what they were. Returns how many units. The store is sound then.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be written, its tables contradict each other, or its
/// plan is not the one that was made: that cannot be repaired, and nothing has changed.
pub fn repair(path: &Path) -> Result<usize> {
    // Refuses what is no store at all.
    let found = Store::read(path)?;
    let is_torn = found.check_integrity().is_err();
    if is_torn && !found.tables_are_sound()? {
        found.check_integrity()?;
    }
    drop(found);
    let mut store = Store::open_existing(path)?;
    let rebuilds = !store.integrity_faults()?.is_empty() || !store.index_faults()?.is_empty();
    let failure = |e: rusqlite::Error| super::failure::explain(path, &e);
    // Other processes wait meanwhile, so that what is found is what is mended.
    store
        .connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failure)?;
    let mended = store.mend(rebuilds);
    let end = if mended.is_ok() { "COMMIT" } else { "ROLLBACK" };
    // A failure may have ended the transaction already.
    if !store.connection.is_autocommit() {
        store.connection.execute_batch(end).map_err(failure)?;
    }
    let opened = mended?;
    if rebuilds {
        // The pages of the old indices are free now.
        store.connection.execute_batch("VACUUM").map_err(failure)?;
    }
    drop(store);
    match verify(&Store::read(path)?)?.faults.into_iter().next() {
        None => Ok(opened),
        Some(fault) => Err(Error::store(path, fault, REMEDY)),
    }
}

impl Store {
    /// Whether plan and results are those that were stored, read from the tables alone: then whatever is
    /// damaged holds no data.
    fn tables_are_sound(&self) -> Result<bool> {
        let Ok(plan) = self.sound_plan() else {
            return Ok(false);
        };
        let scratch = Self::in_memory(&plan)?;
        let path = self.path.display();
        let copy = |connection: &rusqlite::Connection| -> rusqlite::Result<()> {
            // By rows, not by an index; twice the same key is no sound table.
            let address = format!("file:{}?mode=ro", super::escaped(&self.path));
            connection.execute("ATTACH ?1 AS damaged", [address])?;
            connection.execute_batch(
                "DELETE FROM units; INSERT INTO units SELECT * FROM damaged.units NOT INDEXED WHERE true;
                 INSERT INTO results SELECT * FROM damaged.results NOT INDEXED WHERE true;",
            )
        };
        if let Err(error) = copy(&scratch.connection) {
            log::info!("{path}: {error}");
            return Ok(false);
        }
        let (faults, _) = scratch.faulty_units(&plan, 1)?;
        Ok(faults.is_empty() && self.faulty_evaluations(1)?.0.is_empty())
    }

    /// Mends everything; whatever is left wrong is an error, which undoes it.
    fn mend(&mut self, rebuilds: bool) -> Result<usize> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        for mendable in self.inspect()?.mendable {
            self.connection
                .execute_batch(&mendable.statements)
                .map_err(failure)?;
        }
        if rebuilds {
            self.rebuild().map_err(failure)?;
        }
        let plan = self.sound_plan()?;
        self.mark_again(&plan)?;
        let (faulty, _) = self.faulty_units(&plan, usize::MAX)?;
        let mut opened = 0;
        for unit in faulty.iter().filter_map(|(unit, _)| unit.as_ref()) {
            let open = "UPDATE units SET done = 0, session = NULL, seconds = NULL, device = NULL,
                        finished = NULL, digest = NULL WHERE unit = ?1";
            opened += self
                .connection
                .execute(open, [unit.number])
                .map_err(failure)?;
        }
        opened += self.forget_faulty_evaluations()?;
        let strays = "DELETE FROM results WHERE NOT EXISTS (
                          SELECT 1 FROM points p JOIN units u ON u.study = p.study AND u.path = p.path
                          WHERE p.study = results.study AND p.point = results.point
                          AND u.fold = results.fold AND u.done = 1)";
        self.connection.execute(strays, []).map_err(failure)?;
        // Before it is kept: what was done, and that no good unit has suffered.
        let (faulty, _) = self.faulty_units(&plan, 1)?;
        let faulty = faulty.into_iter().map(|(_, fault)| fault);
        match faulty.chain(self.index_faults()?).next() {
            None => Ok(opened),
            Some(fault) => Err(damaged(&self.path, &fault)),
        }
    }

    /// Marks units as done again that have lost the mark and nothing else.
    fn mark_again(&self, plan: &Plan) -> Result<()> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        for (unit, (state, kept)) in plan.units().zip(self.unit_states()?) {
            // An open unit has no digest.
            if matches!(state, DONE | UNKNOWN) || kept.is_empty() {
                continue;
            }
            let cells = self.cells_of_unit(plan, unit).map_err(failure)?;
            if digest(&cells) == kept {
                let mark = "UPDATE units SET done = 1 WHERE unit = ?1";
                self.connection
                    .execute(mark, [unit.number])
                    .map_err(failure)?;
            }
        }
        Ok(())
    }

    /// Makes every index again from its table, and the table of results, whose index has no statement of its
    /// own. The old ones are forgotten rather than dropped: to drop one is to walk through its pages.
    fn rebuild(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let text = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        let indices: Vec<String> = connection
            .prepare(text)?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let old = "old_results";
        let without_key = schema::create_results_without_key(old);
        let forget = |what: &str| {
            connection.execute_batch(&format!(
                "PRAGMA writable_schema = ON; {what}; PRAGMA writable_schema = RESET;"
            ))
        };
        forget(&format!(
            "DELETE FROM sqlite_schema WHERE type = 'index';
             UPDATE sqlite_schema SET name = '{old}', tbl_name = '{old}', sql = '{without_key}'
             WHERE type = 'table' AND name = 'results'"
        ))?;
        connection.execute_batch(&schema::create_results())?;
        connection.execute_batch(&format!(
            "INSERT OR IGNORE INTO results SELECT * FROM {old} WHERE true"
        ))?;
        forget(&format!("DELETE FROM sqlite_schema WHERE name = '{old}'"))?;
        for index in indices {
            connection.execute_batch(&index)?;
        }
        Ok(())
    }
}
