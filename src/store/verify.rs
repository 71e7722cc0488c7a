//! Checking a store: the file, the counts, and the digest of every finished unit.

use super::record::{Cell, digest};
use super::{Result, Store};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Finished units that were checked.
    pub units: usize,
    /// Cells that were checked.
    pub cells: usize,
    /// What is wrong, one sentence each; empty for a sound store.
    pub faults: Vec<String>,
}

/// The most faults that are listed.
const MOST_FAULTS: usize = 100;

/// Checks the whole store: SQLite's own integrity check, every finished unit with exactly its cells
/// and their digest, and no cell of an unfinished unit.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be read at all.
pub fn verify(store: &Store) -> Result<Verification> {
    let mut found = Verification::default();
    let mut faults = store.integrity_faults()?;
    let plan = store.plan()?;
    let units: Vec<_> = plan.units().collect();
    let states = store.unit_states()?;
    if states.len() != units.len() {
        faults.push(format!(
            "there are {} units, the plan has {}",
            states.len(),
            units.len()
        ));
    }
    let mut expected_cells = 0;
    for (unit, (done, kept)) in units.iter().zip(&states) {
        if faults.len() >= MOST_FAULTS {
            break;
        }
        if !done {
            continue;
        }
        let path = &plan.studies[unit.study].paths[unit.path];
        let cells = store.cells_of_path(unit.study, unit.fold, unit.path)?;
        expected_cells += path.len();
        found.units += 1;
        found.cells += cells.len();
        let points_match = cells.len() == path.len()
            && cells
                .iter()
                .zip(path)
                .all(|(cell, &point)| cell.point == point as usize);
        if !points_match {
            faults.push(format!(
                "unit {} is marked as done with {} cells of {}",
                unit.number,
                cells.len(),
                path.len()
            ));
        } else if digest(&cells) != *kept {
            faults.push(format!(
                "unit {} holds other results than were stored",
                unit.number
            ));
        }
    }
    let all = store.count("SELECT COUNT(*) FROM results", [])?;
    if faults.is_empty() && all != expected_cells {
        faults.push(format!(
            "there are {all} cells, the finished units have {expected_cells}"
        ));
    }
    found.faults = faults;
    Ok(found)
}

impl Store {
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

    /// Per unit whether it is done, and its digest.
    fn unit_states(&self) -> Result<Vec<(bool, String)>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare("SELECT done, digest FROM units ORDER BY unit")
            .map_err(failure)?;
        query
            .query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)? == 1,
                    row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                ))
            })
            .and_then(Iterator::collect)
            .map_err(failure)
    }

    /// The cells of a unit in the order of its path.
    fn cells_of_path(&self, study: usize, fold: usize, path: usize) -> Result<Vec<Cell>> {
        let mut cells = Vec::new();
        let filter =
            "JOIN (SELECT study AS s, point AS p, place FROM points WHERE study = ?1 AND path = ?3)
                      ON study = s AND point = p WHERE study = ?1 AND fold = ?2 ORDER BY place";
        self.visit_cells(filter, &[study, fold, path], |cell| {
            cells.push(cell);
            Ok(())
        })?;
        Ok(cells)
    }
}
