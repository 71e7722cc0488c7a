//! Who has worked on a store, and on which part of the plan.

use rusqlite::Row;

use super::record::Plan;
use super::{Result, Store};

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
    /// The part of the plan that it was to do, as (i, n): units equal to i modulo n; `None` for all
    /// of it.
    pub shard: Option<(usize, usize)>,
}

/// How far a shard of a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardTally {
    /// Which one, as (i, n).
    pub shard: (usize, usize),
    /// Its units.
    pub units: usize,
    /// Its units that are done.
    pub units_done: usize,
    /// Its cells.
    pub cells: usize,
    /// Its cells that are done.
    pub cells_done: usize,
}

impl ShardTally {
    /// Whether all of the shard is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.units_done == self.units
    }
}

impl Store {
    /// Keeps which part of the plan this process is to do.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written.
    pub fn note_shard(&mut self, (at, of): (usize, usize)) -> Result<()> {
        let text = "UPDATE sessions SET shard = ?2 WHERE session = ?1";
        self.connection
            .execute(text, (self.session, format!("{at}/{of}")))
            .map(|_| ())
            .map_err(|e| self.failure(&e))
    }

    /// The shards of a store that has been worked on by shards alone, each once; empty for any other.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn shards(&self) -> Result<Vec<(usize, usize)>> {
        let mut shards = Vec::new();
        for session in self.sessions()? {
            match session.shard {
                Some(shard) if !shards.contains(&shard) => shards.push(shard),
                Some(_) => {}
                None => return Ok(Vec::new()),
            }
        }
        Ok(shards)
    }

    /// How far a shard of the store's plan is.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn shard_tally(&self, plan: &Plan, shard: (usize, usize)) -> Result<ShardTally> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare("SELECT done FROM units ORDER BY unit")
            .map_err(failure)?;
        let done: Vec<bool> = query
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failure)?;
        let mut tally = ShardTally {
            shard,
            units: 0,
            units_done: 0,
            cells: 0,
            cells_done: 0,
        };
        let of = shard.1.max(1);
        for (unit, done) in plan.units().zip(done) {
            if unit.number % of != shard.0 % of {
                continue;
            }
            let cells = plan.studies[unit.study].paths[unit.path].len();
            tally.units += 1;
            tally.cells += cells;
            if done {
                tally.units_done += 1;
                tally.cells_done += cells;
            }
        }
        Ok(tally)
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
                // A process that is no number has been written by hand.
                "SELECT host, CAST(process AS INTEGER), version, started, ended, shard,
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
                shard: row.get::<_, Option<String>>(5)?.as_deref().and_then(parts),
                units: row.get(6)?,
            })
        };
        query
            .query_map([], session)
            .and_then(Iterator::collect)
            .map_err(failure)
    }
}

/// `(1, 4)` of `1/4`.
fn parts(text: &str) -> Option<(usize, usize)> {
    let (at, of) = text.split_once('/')?;
    Some((at.parse().ok()?, of.parse().ok()?))
}
