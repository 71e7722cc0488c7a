//! Leases: which process works on which unit, and the transaction that ends a unit.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Null;
use rusqlite::{Connection, OptionalExtension, Statement, TransactionBehavior, params};

use super::failure::explain;
use super::session::{Liveness, Owner};
use super::{Result, Store};
use crate::sweep::cells::{CellStore, Claim, ShardTally, Tally};
use crate::sweep::record::{Cell, Number, Plan, Shard, Unit, digest, pack};

/// A lease of another machine ends when its heartbeat has stood still for this long, by the clock
/// of the observer that never jumps.
const LEASE: Duration = Duration::from_secs(300);

impl Store {
    /// Leases up to `count` open units of one fold to this process, units of the shard alone.
    ///
    /// A unit of a process that is dead is open again at once; that of a process on another machine
    /// when its heartbeat stands still.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written.
    pub fn claim(&mut self, count: usize, shard: Shard) -> Result<Claim> {
        self.claim_from(count, shard, 0)
    }

    /// The same, where units from number `first` on go before those of smaller numbers: processes
    /// or threads that begin at different places seldom work on the same fold.
    ///
    /// # Errors
    /// Those of [`Store::claim`].
    pub fn claim_from(&mut self, count: usize, shard: Shard, first: usize) -> Result<Claim> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let (own, session) = (self.owner.clone(), self.session);
        let shards = shard.count.max(1);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        let mut units: Vec<Unit> = Vec::new();
        let mut holders: Vec<i64> = Vec::new();
        {
            let mut query = transaction
                .prepare_cached(
                    "SELECT unit, study, fold, path, CASE typeof(session) WHEN 'integer' THEN session END
                     FROM units WHERE done = 0 AND unit % ?2 = ?1 ORDER BY unit < ?3, unit",
                )
                .map_err(failure)?;
            let mut rows = query
                .query(params![shard.index % shards, shards, first])
                .map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                let holder: Option<i64> = row.get(4).map_err(failure)?;
                if holder == Some(session) {
                    continue;
                }
                if let Some(holder) = holder
                    && is_held(&transaction, holder, &own, &mut self.beats).map_err(failure)?
                {
                    if !holders.contains(&holder) {
                        holders.push(holder);
                    }
                    continue;
                }
                let unit = Unit {
                    number: row.get(0).map_err(failure)?,
                    study: row.get(1).map_err(failure)?,
                    fold: row.get(2).map_err(failure)?,
                    path: row.get(3).map_err(failure)?,
                };
                if units
                    .first()
                    .is_some_and(|first| (first.study, first.fold) != (unit.study, unit.fold))
                {
                    break;
                }
                units.push(unit);
                if units.len() == count.max(1) {
                    break;
                }
            }
            let mut lease = transaction
                .prepare_cached("UPDATE units SET session = ?2 WHERE unit = ?1")
                .map_err(failure)?;
            for unit in &units {
                lease
                    .execute(params![unit.number, session])
                    .map_err(failure)?;
            }
        }
        let claim = match (units.is_empty(), holders.is_empty()) {
            (false, _) => Claim::Units(units),
            (true, true) => Claim::Nothing,
            (true, false) => Claim::Elsewhere(names_of(&transaction, &holders).map_err(failure)?),
        };
        transaction.commit().map_err(failure)?;
        Ok(claim)
    }

    /// Stores finished units, each with its cells in the order of its path, in one transaction.
    /// Units whose lease has gone to another process are left out.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written; nothing is stored then.
    pub fn finish(
        &mut self,
        units: &[(Unit, Vec<Cell>)],
        seconds: f64,
        device: &str,
    ) -> Result<()> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let session = self.session;
        let synchronous = |connection: &Connection, how: &str| {
            connection
                .pragma_update(None, "synchronous", how)
                .map_err(failure)
        };
        synchronous(&self.connection, "FULL")?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        {
            let mut mark = transaction
                .prepare_cached(
                    "UPDATE units SET done = 1, seconds = ?3, device = ?4, digest = ?5,
                     finished = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
                     WHERE unit = ?1 AND session = ?2 AND done = 0",
                )
                .map_err(failure)?;
            let mut insert = transaction
                .prepare_cached(&insert_cell())
                .map_err(failure)?;
            let share = seconds / units.len().max(1) as f64;
            for (unit, cells) in units {
                let marked = mark
                    .execute(params![unit.number, session, share, device, digest(cells)])
                    .map_err(failure)?;
                if marked == 0 {
                    log::warn!("unit {} was done by another process", unit.number);
                    continue;
                }
                for cell in cells {
                    write_cell(&mut insert, unit.study, cell).map_err(failure)?;
                }
            }
        }
        transaction.commit().map_err(failure)?;
        synchronous(&self.connection, "NORMAL")
    }

    /// Tells observers on other machines that this process lives.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written.
    pub fn beat(&mut self) -> Result<()> {
        self.connection
            .execute(
                "UPDATE sessions SET beat = beat + 1 WHERE session = ?1",
                [self.session],
            )
            .map(|_| ())
            .map_err(|e| self.failure(&e))
    }

    /// Gives back what this process has leased and not done, and ends its session.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written.
    pub fn release(&mut self) -> Result<()> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        transaction
            .execute(
                "UPDATE units SET session = NULL WHERE session = ?1 AND done = 0",
                [self.session],
            )
            .map_err(failure)?;
        transaction
            .execute(
                "UPDATE sessions SET ended = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE session = ?1",
                [self.session],
            )
            .map_err(failure)?;
        transaction.commit().map_err(failure)
    }
}

impl CellStore for Store {
    fn file(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn is_in_place(&self) -> bool {
        self.is_in_place()
    }

    fn claim_from(&mut self, count: usize, shard: Shard, first: usize) -> Result<Claim> {
        self.claim_from(count, shard, first)
    }

    fn finish(&mut self, units: Vec<(Unit, Vec<Cell>)>, seconds: f64, device: &str) -> Result<()> {
        self.finish(&units, seconds, device)
    }

    fn beat(&mut self) -> Result<()> {
        self.beat()
    }

    fn note_shard(&mut self, shard: Shard) -> Result<()> {
        self.note_shard(shard)
    }

    fn release(&mut self) -> Result<()> {
        self.release()
    }

    fn tally(&self) -> Result<Tally> {
        self.tally()
    }

    fn shard_tally(&self, plan: &Plan, shard: Shard) -> Result<ShardTally> {
        self.shard_tally(plan, shard)
    }

    fn for_each_cell(&self, study: usize, visit: &mut dyn FnMut(Cell) -> Result<()>) -> Result<()> {
        self.for_each_cell(study, visit)
    }

    fn for_each_criterion(
        &self,
        study: usize,
        visit: &mut dyn FnMut(usize, usize, f64),
    ) -> Result<()> {
        self.for_each_criterion(study, visit)
    }
}

/// Sessions as a user knows them: `process 12 on host, process 15 on host`.
fn names_of(connection: &Connection, sessions: &[i64]) -> rusqlite::Result<String> {
    let mut query = connection.prepare_cached(
        "SELECT CAST(process AS TEXT), CAST(host AS TEXT) FROM sessions WHERE session = ?1",
    )?;
    let mut names = Vec::with_capacity(sessions.len());
    for session in sessions {
        names.push(query.query_row([session], |row| {
            let (process, host): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("process {process} on {host}"))
        })?);
    }
    Ok(names.join(", "))
}

/// Whether a session still holds its leases.
pub(super) fn is_held(
    connection: &Connection,
    session: i64,
    own: &Owner,
    beats: &mut std::collections::HashMap<i64, (i64, Instant)>,
) -> rusqlite::Result<bool> {
    let mut query = connection.prepare_cached(
        "SELECT host, boot, namespace, process, process_start, beat, ended FROM sessions
         WHERE session = ?1",
    )?;
    let found = query.query_row([session], |row| {
        let owner = Owner {
            host: row.get(0)?,
            boot: row.get(1)?,
            namespace: row.get(2)?,
            process: row.get(3)?,
            started: row.get(4)?,
        };
        Ok((
            owner,
            row.get::<_, i64>(5)?,
            row.get::<_, Option<String>>(6)?,
        ))
    });
    let found = match found {
        // Somebody has written nonsense into the file: no process holds anything by that.
        Err(
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..),
        ) => None,
        found => found.optional()?,
    };
    let Some((owner, beat, ended)) = found else {
        return Ok(false);
    };
    if ended.is_some() {
        return Ok(false);
    }
    Ok(match owner.liveness(own) {
        Liveness::Alive => true,
        Liveness::Dead => false,
        Liveness::Elsewhere => {
            let seen = beats
                .entry(session)
                .or_insert_with(|| (beat, Instant::now()));
            if seen.0 != beat {
                *seen = (beat, Instant::now());
            }
            seen.1.elapsed() < LEASE
        }
    })
}

fn insert_cell() -> String {
    let names: Vec<&str> = Number::ALL.iter().map(|n| n.name()).collect();
    let places = vec!["?"; Number::ALL.len() + 8].join(", ");
    format!(
        "INSERT INTO results (study, point, fold, status, {}, warnings, hypergradient_l1_vector,
         hypergradient_prior, solution) VALUES ({places})",
        names.join(", ")
    )
}

/// Binds and inserts a row without making values of it first: a cell costs some microseconds, and
/// there may be millions.
fn write_cell(insert: &mut Statement<'_>, study: usize, cell: &Cell) -> rusqlite::Result<()> {
    insert.raw_bind_parameter(1, study as i64)?;
    insert.raw_bind_parameter(2, cell.point as i64)?;
    insert.raw_bind_parameter(3, cell.fold as i64)?;
    insert.raw_bind_parameter(4, cell.status.name())?;
    for (at, number) in Number::ALL.into_iter().enumerate() {
        match cell.numbers.finite(number) {
            None => insert.raw_bind_parameter(5 + at, Null)?,
            Some(value) if number.is_whole() => insert.raw_bind_parameter(5 + at, value as i64)?,
            Some(value) => insert.raw_bind_parameter(5 + at, value)?,
        }
    }
    let after = 5 + Number::ALL.len();
    insert.raw_bind_parameter(after, cell.warnings.as_str())?;
    let mut bind = |at: usize, bytes: &[u8]| match bytes {
        [] => insert.raw_bind_parameter(after + at, Null),
        bytes => insert.raw_bind_parameter(after + at, bytes),
    };
    bind(1, &pack(&cell.hypergradient_l1_vector))?;
    bind(2, &pack(&cell.hypergradient_prior))?;
    bind(3, &cell.solution)?;
    insert.raw_execute().map(|_| ())
}
