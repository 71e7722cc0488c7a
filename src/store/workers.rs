//! The processes that have worked on a store, and their parts of the plan.

use rusqlite::Row;

use super::{Result, Store};
use crate::sweep::cells::ShardTally;
use crate::sweep::record::{Plan, Shard};

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
    /// The part of the plan that it was to do; `None` for all of it.
    pub shard: Option<Shard>,
}

impl Store {
    /// Keeps which part of the plan this process is to do.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be written.
    pub fn note_shard(&mut self, shard: Shard) -> Result<()> {
        let text = "UPDATE sessions SET shard = ?2 WHERE session = ?1";
        self.connection
            .execute(text, (self.session, shard.to_string()))
            .map(|_| ())
            .map_err(|e| self.failure(&e))
    }

    /// The shards of a store that has been worked on by shards alone, each once; empty for any other.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn shards(&self) -> Result<Vec<Shard>> {
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

    /// The state of a shard of the store's plan.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn shard_tally(&self, plan: &Plan, shard: Shard) -> Result<ShardTally> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut query = self
            .connection
            .prepare("SELECT done FROM units ORDER BY unit")
            .map_err(failure)?;
        let done: Vec<bool> = query
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failure)?;
        Ok(ShardTally::of(plan, shard, done.into_iter()))
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
                // A process number that is not an integer: the row was edited by hand.
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
                shard: row
                    .get::<_, Option<String>>(5)?
                    .as_deref()
                    .and_then(shard_of),
                units: row.get(6)?,
            })
        };
        query
            .query_map([], session)
            .and_then(Iterator::collect)
            .map_err(failure)
    }
}

/// The shard that is written as `1/4`.
fn shard_of(text: &str) -> Option<Shard> {
    let (index, count) = text.split_once('/')?;
    Some(Shard {
        index: index.parse().ok()?,
        count: count.parse().ok()?,
    })
}
