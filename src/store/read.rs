//! Reading a store: its plan, its cells in the order of the plan, its state.

use rusqlite::Row;

use super::record::{Cell, Number, Plan, PlanFold, PlanPoint, Study, status_of, unpack};
use super::{Result, Store};

/// How far a store is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Units of the plan.
    pub units: usize,
    /// Units that are done.
    pub units_done: usize,
    /// Cells of the plan.
    pub cells: usize,
    /// Cells that are done.
    pub cells_done: usize,
    /// Finished cells by status, as (name, count), most frequent first.
    pub statuses: Vec<(String, usize)>,
    /// Seconds of work per device, as (name, units, seconds).
    pub devices: Vec<(String, usize, f64)>,
}

/// A process that has worked on a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its machine.
    pub host: String,
    /// Its process number.
    pub process: u32,
    /// The version of the program.
    pub version: String,
    /// When it came, in UTC.
    pub started: String,
    /// When it left; `None` while it works, and for one that was killed.
    pub ended: Option<String>,
    /// The units it has done.
    pub units: usize,
}

impl Store {
    /// The plan of the store.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn plan(&self) -> Result<Plan> {
        let read = || -> rusqlite::Result<Plan> {
            let connection = &self.connection;
            let configuration = connection.query_row(
                "SELECT value FROM meta WHERE key = 'configuration'",
                [],
                |row| row.get(0),
            )?;
            let mut query = connection.prepare(
                "SELECT name, source, settings, fingerprint, folds_digest FROM studies ORDER BY study",
            )?;
            let study = |row: &Row<'_>| {
                Ok(Study {
                    name: row.get(0)?,
                    source: row.get(1)?,
                    settings: row.get(2)?,
                    fingerprint: row.get(3)?,
                    folds_digest: row.get(4)?,
                    ..Study::default()
                })
            };
            let mut studies: Vec<Study> = query
                .query_map([], study)?
                .collect::<rusqlite::Result<_>>()?;
            for (number, study) in studies.iter_mut().enumerate() {
                self.read_parts(number, study)?;
            }
            Ok(Plan {
                studies,
                configuration,
            })
        };
        read().map_err(|e| self.failure(&e))
    }

    fn read_parts(&self, number: usize, study: &mut Study) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let mut query =
            connection.prepare("SELECT name FROM targets WHERE study = ?1 ORDER BY target")?;
        study.targets = query
            .query_map([number], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut query = connection.prepare(
            "SELECT l1, l2, alpha, l1_ratio, target, path, place FROM points WHERE study = ?1 ORDER BY point",
        )?;
        let mut rows = query.query([number])?;
        let mut places: Vec<(usize, usize, u32)> = Vec::new();
        while let Some(row) = rows.next()? {
            let alpha: Option<f64> = row.get(2)?;
            let ratio: Option<f64> = row.get(3)?;
            places.push((row.get(5)?, row.get(6)?, study.points.len() as u32));
            study.points.push(PlanPoint {
                l1: row.get(0)?,
                l2: row.get(1)?,
                ratio: alpha.zip(ratio),
                target: row.get(4)?,
            });
        }
        places.sort_unstable();
        for (path, _, point) in places {
            if study.paths.len() <= path {
                study.paths.resize(path + 1, Vec::new());
            }
            study.paths[path].push(point);
        }
        let mut query = connection.prepare(
            "SELECT number, repeat, training_rows, held_out_rows FROM folds WHERE study = ?1 ORDER BY fold",
        )?;
        let fold = |row: &Row<'_>| {
            Ok(PlanFold {
                number: row.get(0)?,
                repeat: row.get(1)?,
                training_rows: row.get(2)?,
                held_out_rows: row.get(3)?,
            })
        };
        study.folds = query
            .query_map([number], fold)?
            .collect::<rusqlite::Result<_>>()?;
        Ok(())
    }

    /// Visits the finished cells of a study in the order of the plan: point by point, fold by fold.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read; what `visit` returns.
    pub fn for_each_cell(
        &self,
        study: usize,
        mut visit: impl FnMut(Cell) -> Result<()>,
    ) -> Result<()> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let text = select_cells("WHERE study = ?1 ORDER BY point, fold");
        let mut query = self.connection.prepare(&text).map_err(failure)?;
        let mut rows = query.query([study]).map_err(failure)?;
        while let Some(row) = rows.next().map_err(failure)? {
            let cell = cell_of(row).map_err(failure)?;
            visit(cell)?;
        }
        Ok(())
    }

    /// How far the store is.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn tally(&self) -> Result<Tally> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT status, COUNT(*) AS n FROM results GROUP BY status ORDER BY n DESC, status",
            )
            .map_err(failure)?;
        let statuses = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<(String, usize)>>>)
            .map_err(failure)?;
        let mut query = self
            .connection
            .prepare(
                "SELECT device, COUNT(*), SUM(seconds) FROM units WHERE done = 1
                 GROUP BY device ORDER BY device",
            )
            .map_err(failure)?;
        let devices = query
            .query_map([], |row| {
                let name: Option<String> = row.get(0)?;
                Ok((name.unwrap_or_default(), row.get(1)?, row.get(2)?))
            })
            .and_then(Iterator::collect::<rusqlite::Result<_>>)
            .map_err(failure)?;
        Ok(Tally {
            units: self.count("SELECT COUNT(*) FROM units", [])?,
            units_done: self.count("SELECT COUNT(*) FROM units WHERE done = 1", [])?,
            cells: self.count(
                "SELECT COALESCE(SUM((SELECT COUNT(*) FROM points p WHERE p.study = s.study)
                 * (SELECT COUNT(*) FROM folds f WHERE f.study = s.study)), 0) FROM studies s",
                [],
            )?,
            cells_done: statuses.iter().map(|(_, count)| count).sum(),
            statuses,
            devices,
        })
    }

    /// The processes that have worked on the store, in the order in which they came.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn sessions(&self) -> Result<Vec<Session>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare(
                "SELECT host, process, version, started, ended,
                 (SELECT COUNT(*) FROM units u WHERE u.session = s.session AND u.done = 1)
                 FROM sessions s ORDER BY session",
            )
            .map_err(failure)?;
        let session = |row: &Row<'_>| {
            Ok(Session {
                host: row.get(0)?,
                process: row.get(1)?,
                version: row.get(2)?,
                started: row.get(3)?,
                ended: row.get(4)?,
                units: row.get(5)?,
            })
        };
        query
            .query_map([], session)
            .and_then(Iterator::collect)
            .map_err(failure)
    }
}

/// The query whose rows [`cell_of`] reads.
pub(super) fn select_cells(filter: &str) -> String {
    let names: Vec<&str> = Number::ALL.iter().map(|n| n.name()).collect();
    format!(
        "SELECT point, fold, status, {}, warnings, hypergradient_l1_vector, hypergradient_prior,
         solution FROM results {filter}",
        names.join(", ")
    )
}

pub(super) fn cell_of(row: &Row<'_>) -> rusqlite::Result<Cell> {
    let mut cell = Cell {
        point: row.get(0)?,
        fold: row.get(1)?,
        status: status_of(&row.get::<_, String>(2)?).unwrap_or_default(),
        ..Cell::default()
    };
    for (at, number) in Number::ALL.into_iter().enumerate() {
        let value: Option<f64> = row.get(3 + at)?;
        cell.numbers[number] = value.unwrap_or(f64::NAN);
    }
    let after = 3 + Number::ALL.len();
    cell.warnings = row.get(after)?;
    let bytes = |at: usize| -> rusqlite::Result<Vec<u8>> {
        Ok(row.get::<_, Option<Vec<u8>>>(at)?.unwrap_or_default())
    };
    cell.hypergradient_l1_vector = unpack(&bytes(after + 1)?);
    cell.hypergradient_prior = unpack(&bytes(after + 2)?);
    cell.solution = bytes(after + 3)?;
    Ok(cell)
}
