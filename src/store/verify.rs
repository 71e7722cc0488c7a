//! Checking a store: the file, the tables and the plan, the counts, and the digest of every finished
//! unit.

use rusqlite::OptionalExtension;

use super::failure::is_damage;
use super::invariants::Inspection;
use super::read::{self, cell_of, select_cells};
use super::{Result, Store};
use crate::error::Error;
use crate::sweep::record::{Cell, Plan, PlanPoint, Unit, digest};

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Finished units that were checked.
    pub units: usize,
    /// Cells that were checked.
    pub cells: usize,
    /// Batches of a tuning that were checked.
    pub evaluations: usize,
    /// Faults, one sentence each; none for a sound store.
    pub faults: Vec<String>,
    /// The remedy.
    pub remedy: &'static str,
}

/// The remedy for units that are not what they were.
pub(super) const REOPEN: &str = "restore the store from a copy; or open what is damaged again with \
     `proxdiff runs verify --repair` and repeat the command that made it";

/// The remedy for a view or an index, which hold no data.
pub(super) const MAKE_ANEW: &str = "make it anew with `proxdiff runs verify --repair`";

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
        found.remedy = read::REMEDY;
    } else if !mendable.is_empty() {
        found.remedy = MAKE_ANEW;
    }
    // The contents of altered tables mean nothing.
    let indices = if faults.is_empty() {
        store.index_faults()?
    } else {
        Vec::new()
    };
    if !indices.is_empty() {
        found.remedy = MAKE_ANEW;
    }
    found.faults.extend(faults);
    // SQLite's own check may have said so.
    if found.faults.is_empty() {
        found.faults.extend(indices);
    }
    found
        .faults
        .extend(mendable.into_iter().map(|mendable| mendable.fault));
    let Some(plan) = plan else {
        return Ok(found);
    };
    let (faulty, counted) = store.faulty_units(&plan, MOST_FAULTS)?;
    (found.units, found.cells) = counted;
    let faulty = faulty.into_iter().map(|(_, fault)| fault);
    let (evaluations, checked) = store.faulty_evaluations(MOST_FAULTS)?;
    found.evaluations = checked;
    let evaluations = evaluations.into_iter().map(|(_, fault)| fault);
    let faulty: Vec<String> = faulty.chain(evaluations).collect();
    if !faulty.is_empty() && found.remedy == MAKE_ANEW {
        found.remedy = REOPEN;
    }
    found.faults.extend(faulty);
    Ok(found)
}

/// The mark of a unit that is open.
const OPEN: i64 = 0;
/// The mark of one that is done.
pub(super) const DONE: i64 = 1;
/// The mark of a unit that an unknown session has done.
pub(super) const UNKNOWN: i64 = -2;

/// A unit that is not what it was, if it is one, and a sentence about it.
pub(super) type Fault = (Option<Unit>, String);

impl Store {
    /// Refuses a plan and results that are not those that were stored: no conclusion is drawn from
    /// them.
    ///
    /// # Errors
    /// [`crate::Error::Store`] with what is wrong with the plan, or with the first unit whose cells do
    /// not match its digest.
    pub fn check_results(&self) -> Result<()> {
        let plan = self.sound_plan()?;
        if let Some(fault) = self.index_faults()?.into_iter().next() {
            return Err(Error::store(&self.path, fault, MAKE_ANEW));
        }
        let (faults, _) = self.faulty_units(&plan, 1)?;
        let (evaluations, _) = self.faulty_evaluations(1)?;
        let faults = faults.into_iter().map(|(_, fault)| fault);
        match faults
            .chain(evaluations.into_iter().map(|(_, fault)| fault))
            .next()
        {
            None => Ok(()),
            Some(fault) => Err(Error::store(&self.path, fault, REOPEN)),
        }
    }

    /// The findings of SQLite's own check of the file.
    pub(super) fn integrity_faults(&self) -> Result<Vec<String>> {
        let lines = || -> rusqlite::Result<Vec<String>> {
            let mut query = self.connection.prepare("PRAGMA integrity_check(20)")?;
            let lines = query.query_map([], |row| row.get(0))?;
            lines.collect()
        };
        match lines() {
            Ok(lines) => {
                let lines = lines.into_iter().filter(|line| line != "ok");
                Ok(lines.map(|line| line.replace('\n', " ")).collect())
            }
            // The check itself has given up.
            Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Units that are not what they were, at most `most`, each with a sentence that names it; no unit
    /// where cells are too many in all. Also the numbers of units and cells that were checked.
    pub(super) fn faulty_units(
        &self,
        plan: &Plan,
        most: usize,
    ) -> Result<(Vec<Fault>, (usize, usize))> {
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
        for (unit, (state, kept)) in plan.units().zip(&states) {
            if faults.len() >= most {
                return Ok((faults, (units, checked)));
            }
            match *state {
                OPEN => continue,
                DONE => {}
                UNKNOWN => {
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
            let cells = match self.cells_of_unit(plan, unit) {
                Ok(cells) => cells,
                Err(error) if is_damage(&error) => {
                    let what = format!("{} cannot be read ({error})", name_of(plan, unit));
                    faults.push((Some(unit), what));
                    continue;
                }
                Err(error) => return Err(failure(error)),
            };
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
        let all = self.count("SELECT COUNT(*) FROM results NOT INDEXED", [])?;
        if faults.is_empty() && all != expected {
            let what = format!("there are {all} cells, the finished units have {expected}");
            faults.push((None, what));
        }
        Ok((faults, (units, checked)))
    }

    /// The cells of a unit that are there, in the order of its path. They are found by their key: the order
    /// of the table is not that of the paths.
    pub(super) fn cells_of_unit(&self, plan: &Plan, unit: Unit) -> rusqlite::Result<Vec<Cell>> {
        let text = select_cells("WHERE study = ?1 AND point = ?2 AND fold = ?3");
        let mut query = self.connection.prepare_cached(&text)?;
        let path = &plan.studies[unit.study].paths[unit.path];
        let mut cells = Vec::with_capacity(path.len());
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
                Err(error) => return Err(error),
            }
        }
        Ok(cells)
    }

    /// Per unit its mark, 1 where it is done, 0 where it is open and -2 where it is done by nobody
    /// knows whom, and its digest.
    pub(super) fn unit_states(&self) -> Result<Vec<(i64, String)>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT CASE WHEN done = 1 AND (typeof(seconds) NOT IN ('real', 'integer')
                 OR typeof(device) <> 'text') THEN -2 ELSE done END, digest FROM units NOT INDEXED ORDER BY unit",
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
