//! Checking a store: the file, the tables and the plan, the counts, and the digest of every finished
//! unit.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::failure::explain;
use super::read::{cell_of, select_cells};
use super::record::{Plan, PlanPoint, Unit, digest};
use super::soundness::{self, Inspection};
use super::{Result, Store};
use crate::error::Error;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Finished units that were checked.
    pub units: usize,
    /// Cells that were checked.
    pub cells: usize,
    /// What is wrong, one sentence each; empty for a sound store.
    pub faults: Vec<String>,
    /// What can be done about it.
    pub remedy: &'static str,
}

/// What can be done about units that are not what they were.
const REOPEN: &str = "restore the store from a copy; or open what is damaged again with \
     `proxdiff runs verify --repair` and repeat the command that made it";

/// What can be done about a view or an index, which hold no data.
const MAKE_ANEW: &str = "make it anew with `proxdiff runs verify --repair`";

/// The most faults that are listed.
const MOST_FAULTS: usize = 100;

/// Checks the whole store: SQLite's own integrity check, tables, view and plan against what was made,
/// every finished unit with exactly its cells and their digest, and no cell of an unfinished unit.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be read at all.
pub fn verify(store: &Store) -> Result<Verification> {
    let mut found = Verification {
        faults: store.integrity_faults()?,
        remedy: REOPEN,
        ..Verification::default()
    };
    let Inspection {
        plan,
        faults,
        mendable,
    } = store.inspect()?;
    if !faults.is_empty() {
        found.remedy = soundness::REMEDY;
    } else if !mendable.is_empty() {
        found.remedy = MAKE_ANEW;
    }
    found.faults.extend(faults);
    found
        .faults
        .extend(mendable.into_iter().map(|mendable| mendable.fault));
    let Some(plan) = plan else {
        return Ok(found);
    };
    let (faulty, counted) = store.faulty_units(&plan, MOST_FAULTS)?;
    (found.units, found.cells) = counted;
    if !faulty.is_empty() && found.remedy == MAKE_ANEW {
        found.remedy = REOPEN;
    }
    found
        .faults
        .extend(faulty.into_iter().map(|(_, fault)| fault));
    Ok(found)
}

/// Opens damaged units of a store again, so that the sweep's command repeats them, and makes views and
/// indices anew that are not what they were. Returns how many units.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be written, its pages contradict each other, or its
/// plan is not the one that was made: that cannot be repaired.
pub fn repair(path: &Path) -> Result<usize> {
    let store = Store::read(path)?;
    store.check_integrity()?;
    drop(store);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| explain(path, &e))?;
    let mut store = Store::around(connection, path);
    store.settle()?;
    let failure = |e: rusqlite::Error| explain(path, &e);
    // Other processes wait meanwhile, so that what is found is what is mended.
    store
        .connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failure)?;
    let mended = store.mend();
    let end = if mended.is_ok() { "COMMIT" } else { "ROLLBACK" };
    store.connection.execute_batch(end).map_err(failure)?;
    mended
}

/// A unit that is not what it was, if it is one, and a sentence about it.
type Fault = (Option<Unit>, String);

impl Store {
    /// Refuses a plan and results that are not those that were stored: no conclusion is drawn from
    /// them.
    ///
    /// # Errors
    /// [`crate::Error::Store`] with what is wrong with the plan, or with the first unit whose cells do
    /// not match its digest.
    pub fn check_results(&self) -> Result<()> {
        let (faults, _) = self.faulty_units(&self.sound_plan()?, 1)?;
        match faults.into_iter().next() {
            None => Ok(()),
            Some((_, fault)) => Err(Error::store(&self.path, fault, REOPEN)),
        }
    }

    fn integrity_faults(&self) -> Result<Vec<String>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare("PRAGMA integrity_check(20)")
            .map_err(failure)?;
        let lines: Vec<String> = query
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failure)?;
        let lines = lines.into_iter().filter(|line| line != "ok");
        Ok(lines.map(|line| line.replace('\n', " ")).collect())
    }

    /// Units that are not what they were, at most `most`, each with a sentence that names it; no unit
    /// where cells are too many in all. Also the numbers of units and cells that were checked.
    fn faulty_units(&self, plan: &Plan, most: usize) -> Result<(Vec<Fault>, (usize, usize))> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        // One state of the store, whatever other processes write meanwhile; nothing to be undone
        // where a transaction is open already.
        let _snapshot = self
            .connection
            .is_autocommit()
            .then(|| self.connection.unchecked_transaction())
            .transpose()
            .map_err(failure)?;
        let states = self.unit_states()?;
        let mut faults = Vec::new();
        let (mut units, mut checked, mut expected) = (0, 0, 0);
        // Cells are found by their key: the order of the table is not that of the paths.
        let text = select_cells("WHERE study = ?1 AND point = ?2 AND fold = ?3");
        let mut query = self.connection.prepare(&text).map_err(failure)?;
        let mut cells = Vec::new();
        for (unit, (state, kept)) in plan.units().zip(&states) {
            if faults.len() >= most {
                return Ok((faults, (units, checked)));
            }
            match state {
                0 => continue,
                1 => {}
                -2 => {
                    let what = "has no seconds or no device";
                    faults.push((Some(unit), format!("{} {what}", name_of(plan, unit))));
                    continue;
                }
                _ => {
                    let what = "is marked as neither open nor done";
                    faults.push((Some(unit), format!("{} {what}", name_of(plan, unit))));
                    continue;
                }
            }
            let path = &plan.studies[unit.study].paths[unit.path];
            cells.clear();
            for &point in path {
                let cell = query
                    .query_row((unit.study, point, unit.fold), cell_of)
                    .optional();
                match cell {
                    Ok(cell) => cells.extend(cell),
                    // A value of another kind than the column's has been written by hand.
                    Err(
                        rusqlite::Error::InvalidColumnType(..)
                        | rusqlite::Error::FromSqlConversionFailure(..),
                    ) => {}
                    Err(error) => return Err(failure(error)),
                }
            }
            units += 1;
            checked += cells.len();
            expected += path.len();
            if cells.len() != path.len() {
                let what = format!(
                    "is marked as done with {} cells of {}",
                    cells.len(),
                    path.len()
                );
                faults.push((Some(unit), format!("{} {what}", name_of(plan, unit))));
            } else if digest(&cells) != *kept {
                let what = "holds other results than were stored";
                faults.push((Some(unit), format!("{} {what}", name_of(plan, unit))));
            }
        }
        let all = self.count("SELECT COUNT(*) FROM results", [])?;
        if faults.is_empty() && all != expected {
            let what = format!("there are {all} cells, the finished units have {expected}");
            faults.push((None, what));
        }
        Ok((faults, (units, checked)))
    }

    /// Makes damaged units open ones, and removes cells of units that are not done.
    fn mend(&mut self) -> Result<usize> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        for mendable in self.inspect()?.mendable {
            self.connection
                .execute_batch(&mendable.statements)
                .map_err(failure)?;
        }
        let (faulty, _) = self.faulty_units(&self.sound_plan()?, usize::MAX)?;
        let mut opened = 0;
        for unit in faulty.iter().filter_map(|(unit, _)| unit.as_ref()) {
            let open = "UPDATE units SET done = 0, session = NULL, seconds = NULL, device = NULL,
                        finished = NULL, digest = NULL WHERE unit = ?1";
            opened += self
                .connection
                .execute(open, [unit.number])
                .map_err(failure)?;
        }
        let strays = "DELETE FROM results WHERE NOT EXISTS (
                          SELECT 1 FROM points p JOIN units u ON u.study = p.study AND u.path = p.path
                          WHERE p.study = results.study AND p.point = results.point
                          AND u.fold = results.fold AND u.done = 1)";
        self.connection.execute(strays, []).map_err(failure)?;
        Ok(opened)
    }

    /// Per unit its mark, 1 where it is done, 0 where it is open and -2 where it is done by nobody
    /// knows whom, and its digest.
    fn unit_states(&self) -> Result<Vec<(i64, String)>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT CASE WHEN done = 1 AND (typeof(seconds) NOT IN ('real', 'integer')
                 OR typeof(device) <> 'text') THEN -2 ELSE done END, digest FROM units ORDER BY unit",
            )
            .map_err(failure)?;
        query
            .query_map([], |row| {
                // A value of another kind has been written by hand: it is no mark and no digest.
                Ok((row.get(0).unwrap_or(-1), row.get(1).unwrap_or_default()))
            })
            .and_then(Iterator::collect)
            .map_err(failure)
    }
}

/// A unit by its number and its cells: `unit 3 (fold 1, 8 points: l1 from 9 to 0.1, l2 0.01)`.
fn name_of(plan: &Plan, unit: Unit) -> String {
    let study = &plan.studies[unit.study];
    let path = &study.paths[unit.path];
    let range = |value: fn(&PlanPoint) -> f64| {
        let at =
            |point: Option<&u32>| point.map_or(f64::NAN, |&p| value(&study.points[p as usize]));
        match (at(path.first()), at(path.last())) {
            (first, last) if first == last => format!("{first}"),
            (first, last) => format!("from {first} to {last}"),
        }
    };
    let place = if plan.studies.len() > 1 {
        format!("study {}, ", study.name)
    } else {
        String::new()
    };
    format!(
        "unit {} ({place}fold {}, {} points: l1 {}, l2 {})",
        unit.number,
        study.folds[unit.fold].number,
        path.len(),
        range(|point| point.l1),
        range(|point| point.l2)
    )
}
