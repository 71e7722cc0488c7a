//! Reading a store: its plan, its cells in the order of the plan, its state.

use rusqlite::{ErrorCode, OptionalExtension, Row};

use super::schema::columns_key;
use super::{Columns, Result, Store};
use crate::error::Error;
use crate::kinds::Status;
use crate::sweep::cells::Tally;
use crate::sweep::record::{
    Cell, NO_METHOD, Number, Plan, PlanFold, PlanPoint, ROUGH, SINGULAR, Study, unpack,
};

/// The remedy for a plan that is not what it was.
pub(super) const REMEDY: &str = "restore the store from a copy, or repeat its command with another --store FILE; \
     a plan cannot be repaired";

impl Store {
    /// The plan of the store.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read, or its plan is damaged.
    pub fn plan(&self) -> Result<Plan> {
        self.read_plan().map_err(|unread| match unread {
            Unread::Damage(what) => Error::store(&self.path, what, REMEDY),
            Unread::Failure(error) => self.failure(&error),
        })
    }

    pub(super) fn read_plan(&self) -> std::result::Result<Plan, Unread> {
        let connection = &self.connection;
        let configuration = connection
            .query_row(
                "SELECT value FROM meta WHERE key = 'configuration'",
                [],
                |row| row.get(0),
            )
            .optional()?
            .ok_or_else(|| Unread::of("the table meta has no row configuration"))?;
        let mut query = connection.prepare(
            "SELECT study, name, source, settings, fingerprint, folds_digest FROM studies ORDER BY study",
        )?;
        let mut rows = query.query([])?;
        let mut studies: Vec<Study> = Vec::new();
        while let Some(row) = rows.next()? {
            check_number("study", row.get(0)?, studies.len())?;
            studies.push(Study {
                name: row.get(1)?,
                source: row.get(2)?,
                settings: row.get(3)?,
                fingerprint: row.get(4)?,
                folds_digest: row.get(5)?,
                ..Study::default()
            });
        }
        if studies.is_empty() {
            return Err(Unread::of("the plan has no study"));
        }
        for (number, study) in studies.iter_mut().enumerate() {
            let Columns {
                rows,
                features,
                classes,
            } = self.columns(number)?;
            (study.rows, study.features, study.classes) = (rows, features, classes);
            self.read_parts(number, study)?;
        }
        Ok(Plan {
            studies,
            configuration,
        })
    }

    /// Rows and names of features of a study; none in a store of before.
    fn columns(&self, study: usize) -> std::result::Result<Columns, Unread> {
        let text: Option<String> = self
            .connection
            .query_row(
                "SELECT value FROM meta WHERE key = ?1",
                [columns_key(study)],
                |row| row.get(0),
            )
            .optional()?;
        let Some(text) = text else {
            return Ok(Columns::default());
        };
        let unread = |_| {
            Unread::of(format!(
                "the row {} of the table meta is no JSON",
                columns_key(study)
            ))
        };
        serde_json::from_str(&text).map_err(unread)
    }

    fn read_parts(&self, number: usize, study: &mut Study) -> std::result::Result<(), Unread> {
        let connection = &self.connection;
        let mut query = connection
            .prepare("SELECT target, name FROM targets WHERE study = ?1 ORDER BY target")?;
        let mut rows = query.query([number])?;
        while let Some(row) = rows.next()? {
            check_number("target", row.get(0)?, study.targets.len())?;
            study.targets.push(row.get(1)?);
        }
        let mut query = connection.prepare(
            "SELECT point, l1, l2, alpha, l1_ratio, target, path, place FROM points WHERE study = ?1 ORDER BY point",
        )?;
        let mut rows = query.query([number])?;
        let mut places: Vec<(usize, usize, u32)> = Vec::new();
        while let Some(row) = rows.next()? {
            check_number("point", row.get(0)?, study.points.len())?;
            let alpha: Option<f64> = row.get(3)?;
            let ratio: Option<f64> = row.get(4)?;
            if alpha.is_some() != ratio.is_some() {
                return Err(Unread::of(format!(
                    "point {} has an alpha without an l1_ratio, or the other way round",
                    study.points.len()
                )));
            }
            places.push((row.get(6)?, row.get(7)?, study.points.len() as u32));
            study.points.push(PlanPoint {
                l1: row.get(1)?,
                l2: row.get(2)?,
                ratio: alpha.zip(ratio),
                target: row.get(5)?,
            });
        }
        places.sort_unstable();
        for (path, _, point) in places {
            // Every path has a point: a number beyond them would only take memory.
            if path >= study.points.len() {
                return Err(Unread::of(format!(
                    "point {point} is on path {path}, which is not there"
                )));
            }
            if study.paths.len() <= path {
                study.paths.resize(path + 1, Vec::new());
            }
            study.paths[path].push(point);
        }
        let mut query = connection.prepare(
            "SELECT fold, number, repeat, training_rows, held_out_rows FROM folds WHERE study = ?1 ORDER BY fold",
        )?;
        let mut rows = query.query([number])?;
        while let Some(row) = rows.next()? {
            check_number("fold", row.get(0)?, study.folds.len())?;
            study.folds.push(PlanFold {
                number: row.get(1)?,
                repeat: row.get(2)?,
                training_rows: row.get(3)?,
                held_out_rows: row.get(4)?,
            });
        }
        let targets = study.targets.len();
        if let Some(point) = study
            .points
            .iter()
            .position(|point| point.target >= targets)
        {
            return Err(Unread::of(format!(
                "point {point} has a target that is not there"
            )));
        }
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

    /// Visits point, fold and criterion of the finished cells of a study, in no particular order; NaN
    /// for a cell that failed.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn for_each_criterion(
        &self,
        study: usize,
        mut visit: impl FnMut(usize, usize, f64),
    ) -> Result<()> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let text = "SELECT point, fold,
                    CASE WHEN status = ?2 OR instr(warnings, ?3) THEN criterion END
                    FROM results WHERE study = ?1";
        let mut query = self.connection.prepare(text).map_err(failure)?;
        let mut rows = query
            .query((study, Status::Converged.name(), ROUGH))
            .map_err(failure)?;
        while let Some(row) = rows.next().map_err(failure)? {
            let criterion: Option<f64> = row.get(2).map_err(failure)?;
            visit(
                row.get(0).map_err(failure)?,
                row.get(1).map_err(failure)?,
                criterion.unwrap_or(f64::NAN),
            );
        }
        Ok(())
    }

    /// The state of the store.
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
                "SELECT device, COUNT(*), TOTAL(seconds) FROM units WHERE done = 1
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
            without_hypergradient: self.without_hypergradient()?,
        })
    }

    fn without_hypergradient(&self) -> Result<Vec<(String, usize)>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut parts = Number::HYPERGRADIENT.map(Number::name).to_vec();
        parts.extend(["hypergradient_l1_vector", "hypergradient_prior"]);
        let text = format!(
            "SELECT CASE WHEN instr(warnings, ?1) THEN ?1 WHEN status <> ?2 THEN status
                    ELSE 'not-finite' END AS why, COUNT(*) AS n
             FROM results JOIN studies USING (study)
             WHERE {} IS NULL
             AND NOT instr(char(10) || settings || char(10), char(10) || ?3 || char(10))
             GROUP BY why ORDER BY n DESC, why",
            parts.join(" IS NULL AND ")
        );
        let mut query = self.connection.prepare(&text).map_err(failure)?;
        let named = (SINGULAR, Status::Converged.name(), NO_METHOD);
        query
            .query_map(named, |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failure)
    }
}

/// A reason why a plan cannot be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Somebody has altered it; one sentence.
    Damage(String),
    /// The file, the disk, or another process.
    Failure(rusqlite::Error),
}

impl Unread {
    fn of(what: impl Into<String>) -> Self {
        Self::Damage(what.into())
    }
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // Missing tables and columns, and values of another kind.
            None | Some(ErrorCode::Unknown) => {
                Self::of(format!("the plan cannot be read ({error})"))
            }
            Some(_) => Self::Failure(error),
        }
    }
}

/// Rows of a plan are numbered from 0 without a gap.
fn check_number(what: &str, found: i64, expected: usize) -> std::result::Result<(), Unread> {
    if usize::try_from(found) == Ok(expected) {
        return Ok(());
    }
    Err(Unread::of(format!(
        "{what} {expected} of the plan is missing"
    )))
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
        status: row.get::<_, String>(2)?.parse().unwrap_or_default(),
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
