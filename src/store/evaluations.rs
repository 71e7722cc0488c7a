//! The evaluations of a tuning or a meta-learning: batches of points on a fold, or on a group of tasks, kept as they
//! are finished.
//!
//! Their plan has no points, since a search finds them. A batch is known by the hash of what it is of, its lease is
//! that of a session, as a unit's of a sweep, and its row has a digest. Batches are quick and deterministic: unlike
//! units they are not synchronised with the disk one by one, and a power cut may take the last ones, which the same
//! command computes again.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use xxhash_rust::xxh3::xxh3_64;

use super::failure::explain;
use super::units::is_held;
use super::verify::REOPEN;
use super::{Plan, Result, Store, schema};
use crate::control::lock;
use crate::error::Error;
use crate::tune::{Batch, BatchClaim, BatchResult, EvaluationStore};

/// A store of a search, which its threads share.
#[derive(Debug)]
pub struct TuningStore(Mutex<Store>);

/// A finished batch of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Its number in the order in which batches came.
    pub number: i64,
    /// The part of the tuning that asked for it.
    pub part: String,
    /// The fold of that part, or the group of tasks, from 0.
    pub fold: usize,
    /// The hyperparameters of its points, a JSON array.
    pub points: String,
    /// The criteria of its points on the fold, a JSON array; of a group of tasks its shares of the means over all.
    pub criteria: String,
    /// The device.
    pub device: String,
    /// Seconds of work.
    pub seconds: f64,
}

impl TuningStore {
    /// Opens the store of a search's plan, or makes it; registers this process as a session.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open(path: &Path, plan: &Plan) -> Result<Self> {
        let mut store = Store::open(path, plan)?;
        if !has_evaluations(&store.connection).map_err(|e| store.failure(&e))? {
            let failure = |e: rusqlite::Error| explain(path, &e);
            let transaction = store
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failure)?;
            // Another process may have made it meanwhile.
            let create = schema::create_evaluations();
            transaction.execute_batch(create).map_err(failure)?;
            transaction.commit().map_err(failure)?;
        }
        Ok(Self(Mutex::new(store)))
    }
}

impl EvaluationStore for TuningStore {
    fn claim(&self, batch: &Batch) -> Result<BatchClaim> {
        lock(&self.0).claim_batch(batch)
    }

    fn keep(&self, batch: &Batch, result: &BatchResult) -> Result<()> {
        let store = lock(&self.0);
        let text = "UPDATE evaluations SET done = 1, criteria = ?2, seconds = ?3, result = ?4, digest = ?5,
                    session = ?6, finished = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
                    WHERE key = ?1 AND done = 0";
        let row = Kept {
            key: &batch.key,
            part: &batch.part,
            fold: batch.fold as i64,
            points: &batch.points,
            criteria: &result.criteria,
            bytes: &result.bytes,
        };
        let mut keep = store
            .connection
            .prepare_cached(text)
            .map_err(|e| store.failure(&e))?;
        let parameters = params![
            batch.key,
            result.criteria,
            result.seconds,
            result.bytes,
            row.digest(),
            store.session
        ];
        keep.execute(parameters)
            .map(|_| ())
            .map_err(|e| store.failure(&e))
    }

    fn give_back(&self, batch: &Batch) -> Result<()> {
        let store = lock(&self.0);
        let text = "DELETE FROM evaluations WHERE key = ?1 AND session = ?2 AND done = 0";
        store
            .connection
            .execute(text, params![batch.key, store.session])
            .map(|_| ())
            .map_err(|e| store.failure(&e))
    }

    fn release(&self) -> Result<()> {
        let mut store = lock(&self.0);
        let open = "DELETE FROM evaluations WHERE session = ?1 AND done = 0";
        store
            .connection
            .execute(open, [store.session])
            .map_err(|e| store.failure(&e))?;
        store.release()
    }

    fn is_in_place(&self) -> bool {
        lock(&self.0).is_in_place()
    }

    fn unreadable(&self, batch: &Batch) -> Error {
        let path = lock(&self.0).path.clone();
        Error::store(&path, fault(&batch.part, batch.fold as i64), REOPEN)
    }
}

/// The parts of a finished batch that its digest is of.
struct Kept<'a> {
    key: &'a str,
    part: &'a str,
    fold: i64,
    points: &'a str,
    criteria: &'a str,
    bytes: &'a [u8],
}

impl Kept<'_> {
    fn digest(&self) -> String {
        let mut all = Vec::with_capacity(self.bytes.len() + self.points.len() + 256);
        for part in [
            self.key.as_bytes(),
            self.part.as_bytes(),
            &self.fold.to_le_bytes(),
            self.points.as_bytes(),
            self.criteria.as_bytes(),
            self.bytes,
        ] {
            all.extend((part.len() as u64).to_le_bytes());
            all.extend_from_slice(part);
        }
        format!("{:016x}", xxh3_64(&all))
    }
}

/// The sentence about a batch that is not what was stored.
fn fault(part: &str, fold: i64) -> String {
    format!("an evaluation of {part} on fold {fold} holds another result than was stored")
}

fn has_evaluations(connection: &Connection) -> rusqlite::Result<bool> {
    let text =
        "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('evaluations', 'evaluations_by_key')";
    connection.query_row(text, [], |row| row.get::<_, i64>(0).map(|count| count == 2))
}

/// The state of a row that is asked for.
enum State {
    Done(Vec<u8>),
    Faulty,
    Open(Option<i64>),
}

/// The columns of a row by which its state is known.
const STATE: &str = "done, session, part, fold, points, criteria, result, digest";

/// The state of a row of [`STATE`]; a value of another kind has been written by hand.
fn state_of(key: &str, row: &Row<'_>) -> State {
    let read = || -> rusqlite::Result<State> {
        if row.get::<_, i64>(0)? == 0 {
            return Ok(State::Open(row.get(1)?));
        }
        let (part, points): (String, String) = (row.get(2)?, row.get(4)?);
        let (criteria, bytes): (String, Vec<u8>) = (row.get(5)?, row.get(6)?);
        let kept = Kept {
            key,
            part: &part,
            fold: row.get(3)?,
            points: &points,
            criteria: &criteria,
            bytes: &bytes,
        };
        let is_sound = row.get::<_, i64>(0)? == 1 && row.get::<_, String>(7)? == kept.digest();
        Ok(if is_sound {
            State::Done(bytes)
        } else {
            State::Faulty
        })
    };
    read().unwrap_or(State::Faulty)
}

/// The state of a batch; `None` for one that nobody has asked for.
fn find(connection: &Connection, key: &str) -> rusqlite::Result<Option<State>> {
    let text = format!("SELECT {STATE} FROM evaluations WHERE key = ?1");
    let mut query = connection.prepare_cached(&text)?;
    query
        .query_row([key], |row| Ok(state_of(key, row)))
        .optional()
}

impl Store {
    fn claim_batch(&mut self, batch: &Batch) -> Result<BatchClaim> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let refused = || Error::store(&path, fault(&batch.part, batch.fold as i64), REOPEN);
        match find(&self.connection, &batch.key).map_err(failure)? {
            Some(State::Done(bytes)) => return Ok(BatchClaim::Known(bytes)),
            Some(State::Faulty) => return Err(refused()),
            Some(State::Open(_)) | None => {}
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        let found = find(&transaction, &batch.key).map_err(failure)?;
        let claim = match found {
            Some(State::Done(bytes)) => BatchClaim::Known(bytes),
            Some(State::Faulty) => return Err(refused()),
            Some(State::Open(Some(holder)))
                if holder != self.session
                    && is_held(&transaction, holder, &self.owner, &mut self.beats)
                        .map_err(failure)? =>
            {
                BatchClaim::Elsewhere
            }
            Some(State::Open(_)) | None => {
                let text = "INSERT INTO evaluations (key, part, fold, points, device, session)
                            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                            ON CONFLICT (key) DO UPDATE SET session = excluded.session";
                let mut lease = transaction.prepare_cached(text).map_err(failure)?;
                let fold = batch.fold as i64;
                lease
                    .execute(params![
                        batch.key,
                        batch.part,
                        fold,
                        batch.points,
                        batch.device,
                        self.session
                    ])
                    .map_err(failure)?;
                let beat = "UPDATE sessions SET beat = beat + 1 WHERE session = ?1";
                let mut beat = transaction.prepare_cached(beat).map_err(failure)?;
                beat.execute([self.session]).map_err(failure)?;
                BatchClaim::Own
            }
        };
        transaction.commit().map_err(failure)?;
        Ok(claim)
    }

    /// The finished batches of a search, in the order in which they came; none of a sweep.
    ///
    /// # Errors
    /// [`Error::Store`] when the store cannot be read.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        if !has_evaluations(&self.connection).map_err(failure)? {
            return Ok(Vec::new());
        }
        let text = "SELECT number, part, fold, points, criteria, device, seconds FROM evaluations
                    WHERE done = 1 ORDER BY number";
        let mut query = self.connection.prepare(text).map_err(failure)?;
        let evaluation = |row: &Row<'_>| {
            Ok(Evaluation {
                number: row.get(0)?,
                part: row.get(1)?,
                fold: row.get(2)?,
                points: row.get(3)?,
                criteria: row.get(4)?,
                device: row.get(5)?,
                seconds: row.get(6)?,
            })
        };
        query
            .query_map([], evaluation)
            .and_then(Iterator::collect)
            .map_err(failure)
    }

    /// Finished batches that are not what was stored, at most `most`: the numbers of their rows, and a sentence about
    /// each. Also the number of batches that were checked.
    pub(super) fn faulty_evaluations(&self, most: usize) -> Result<(Vec<(i64, String)>, usize)> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let (mut faults, mut checked) = (Vec::new(), 0);
        if !has_evaluations(&self.connection).map_err(failure)? {
            return Ok((faults, checked));
        }
        let text = format!(
            "SELECT {STATE}, key, number FROM evaluations NOT INDEXED WHERE done <> 0 ORDER BY number"
        );
        let mut query = self.connection.prepare(&text).map_err(failure)?;
        let mut rows = query.query([]).map_err(failure)?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) if faults.len() < most => row,
                Ok(_) => return Ok((faults, checked)),
                Err(error) => return Err(failure(error)),
            };
            checked += 1;
            let key: String = row.get(8).unwrap_or_default();
            if matches!(state_of(&key, row), State::Faulty) {
                let part: String = row.get(2).unwrap_or_default();
                let text = fault(&part, row.get(3).unwrap_or_default());
                faults.push((row.get(9).map_err(failure)?, text));
            }
        }
    }

    /// Removes finished batches that are not what was stored; returns their number.
    pub(super) fn forget_faulty_evaluations(&self) -> Result<usize> {
        let (faults, _) = self.faulty_evaluations(usize::MAX)?;
        for (number, _) in &faults {
            let forget = "DELETE FROM evaluations WHERE number = ?1";
            self.connection
                .execute(forget, [number])
                .map_err(|e| self.failure(&e))?;
        }
        Ok(faults.len())
    }
}
