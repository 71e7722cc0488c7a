//! The results of a sweep in one SQLite file: plan, units of work, cells, who worked on it. A tuning's file has
//! batches of evaluations in place of units and cells.
//!
//! A unit is stored in one transaction with the mark that it is done, and only by the process that
//! holds its lease, so that a result is neither lost nor doubled, whatever kills the process. The
//! file is in WAL mode, and every commit of results is synchronised with the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sweep::record::SearchKind;

mod evaluations;
mod failure;
mod invariants;
mod merge;
mod place;
mod read;
mod repair;
mod schema;
mod session;
mod units;
mod verify;
mod workers;

pub use evaluations::{Evaluation, TuningStore};
pub use merge::merge;
pub use repair::repair;
pub use verify::{Verification, verify};
pub use workers::Session;

pub use crate::sweep::cells::{CellStore, Claim, ShardTally, Tally};
pub use crate::sweep::record::{
    Cell, Number, Numbers, Plan, PlanFold, PlanPoint, Shard, Study, Unit, pack_sparse,
    unpack_sparse,
};
pub use crate::sweep::summary::{PointSummary, summarize};

use failure::explain;
use place::FileId;
use session::Owner;

/// The longest wait for another process's transaction.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before a busy store is opened again.
const PAUSE: Duration = Duration::from_millis(5);

/// The journal that keeps a crash from tearing a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// In a WAL beside the file, which several processes share.
    Shared,
    /// In a file that is gone after every commit: for a store that nobody else knows yet.
    Alone,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// The file; `:memory:` for a store that is not kept.
    path: PathBuf,
    /// The file that the path stood for when it was opened, where that is known.
    file: Option<FileId>,
    owner: Owner,
    session: i64,
    /// Sessions on other machines: their last heartbeat and when this process first saw it.
    beats: HashMap<i64, (i64, Instant)>,
}

/// The number of rows of a study's data, the names of its features and classes, as the store keeps it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Columns {
    rows: usize,
    features: Vec<String>,
    classes: Vec<Vec<String>>,
}

/// The parts by which a plan is compared when a store is opened again.
struct Identity {
    name: String,
    source: String,
    settings: String,
    fingerprint: String,
    points: String,
    folds: String,
}

impl Store {
    /// Opens the store of a plan, or makes it; registers this process as a session.
    ///
    /// # Errors
    /// [`Error::Store`] when the file cannot be made, opened or written, is no store, is damaged,
    /// or holds another plan or other data.
    pub fn open(path: &Path, plan: &Plan) -> Result<Self> {
        Self::open_with(path, plan, Journal::Shared)
    }

    fn open_with(path: &Path, plan: &Plan, journal: Journal) -> Result<Self> {
        place::check_place(path)?;
        if journal == Journal::Shared {
            place::warn_of_network(path);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let begin = Instant::now();
        loop {
            let opened = Connection::open_with_flags(path, flags)
                .map_err(|e| explain(path, &e))
                .and_then(|connection| Self::with_plan(connection, path, plan, journal));
            match opened {
                // While another process makes the store, SQLite answers some requests, such as that
                // for WAL mode, at once: there its own waiting would be a deadlock. With a new
                // connection, which holds no lock, there is none.
                Err(error) if failure::is_busy(&error) && begin.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                opened => return opened,
            }
        }
    }

    /// A store that ends with this process.
    fn in_memory(plan: &Plan) -> Result<Self> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|e| explain(path, &e))?;
        Self::with_plan(connection, path, plan, Journal::Shared)
    }

    /// Opens an existing store without changing it.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read or is no store.
    pub fn read(path: &Path) -> Result<Self> {
        place::check_name(path)?;
        if !path.is_file() {
            return Err(Error::store(
                path,
                "there is no such store",
                "give the file that 'proxdiff sweep --store' named",
            ));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| explain(path, &e))?;
        let mut store = Self::around(connection, path);
        store.settle()?;
        if store
            .application()
            .is_err_and(|e| failure::cannot_use_wal(&e))
        {
            // The main file is complete, unless some results are still beside it.
            if let Some(pending) = place::pending(path) {
                return Err(Error::store(
                    path,
                    format!(
                        "{} holds results of it and cannot be used here",
                        pending.display()
                    ),
                    "make the folder writable and both files readable, or copy both to such a folder and name \
                     the copy",
                ));
            }
            let address = format!("file:{}?immutable=1", escaped(path));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection =
                Connection::open_with_flags(address, flags).map_err(|e| explain(path, &e))?;
            store = Self::around(connection, path);
        }
        store.check_application()?;
        Ok(store)
    }

    /// An existing store to be changed, without a session of its own.
    fn open_existing(path: &Path) -> Result<Self> {
        place::check_name(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| explain(path, &e))?;
        let store = Self::around(connection, path);
        store.settle()?;
        Ok(store)
    }

    fn around(connection: Connection, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_path_buf(),
            file: FileId::of(path),
            owner: Owner::current(),
            session: 0,
            beats: HashMap::new(),
        }
    }

    fn with_plan(
        connection: Connection,
        path: &Path,
        plan: &Plan,
        journal: Journal,
    ) -> Result<Self> {
        let mut store = Self::around(connection, path);
        store.settle()?;
        if store
            .connection
            .is_readonly("main")
            .map_err(|e| store.failure(&e))?
        {
            return Err(Error::store(
                path,
                "the file cannot be written",
                "make it writable, or copy it and name the copy with --store",
            ));
        }
        // Fails where the file is no database, before anything is written.
        let tables = store.count("SELECT COUNT(*) FROM sqlite_schema", [])?;
        if tables > 0 {
            store.check_application()?;
            store.check_integrity()?;
            store.check_results()?;
        }
        // Leases need not outlive a power cut: only finished units are synchronised with the disk.
        // Cells of a unit lie far apart in the table: the cache, in KiB, spares reading pages again.
        let mode = match journal {
            Journal::Shared => "WAL",
            Journal::Alone => "DELETE",
        };
        let pragmas = format!(
            "PRAGMA journal_mode = {mode}; PRAGMA synchronous = NORMAL;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768;"
        );
        store
            .connection
            .execute_batch(&pragmas)
            .map_err(|e| store.failure(&e))?;
        store.register(plan)?;
        Ok(store)
    }

    fn settle(&self) -> Result<()> {
        self.connection
            .busy_timeout(PATIENCE)
            .map_err(|e| self.failure(&e))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still stands for the file that was opened: a store that is deleted or replaced
    /// meanwhile is written to all the same, and lost at the end.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.file.is_none() || self.file == FileId::of(&self.path)
    }

    fn failure(&self, error: &rusqlite::Error) -> Error {
        explain(&self.path, error)
    }

    fn count(&self, query: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        self.connection
            .query_row(query, parameters, count)
            .map(|count| count.max(0) as usize)
            .map_err(|e| self.failure(&e))
    }

    /// The program whose database it is, and the version of its format.
    fn application(&self) -> rusqlite::Result<(i32, i32)> {
        let pragma = |name| {
            self.connection
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
        };
        Ok((pragma("application_id")?, pragma("user_version")?))
    }

    fn check_application(&self) -> Result<()> {
        let (application, version) = self.application().map_err(|e| self.failure(&e))?;
        if application != schema::APPLICATION {
            return Err(Error::store(
                &self.path,
                "it is a database, but not a store of this program",
                "name another file with --store",
            ));
        }
        if version != schema::VERSION {
            return Err(Error::store(
                &self.path,
                format!(
                    "its format is version {version}, this program reads version {}",
                    schema::VERSION
                ),
                "use the version of the program that made it",
            ));
        }
        Ok(())
    }

    fn check_integrity(&self) -> Result<()> {
        let found: String = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|e| self.failure(&e))?;
        if found == "ok" {
            return Ok(());
        }
        Err(failure::damaged(&self.path, &found))
    }

    /// Writes the plan into a new store, or compares it with that of an old one; makes a session.
    fn register(&mut self, plan: &Plan) -> Result<()> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let owner = self.owner.clone();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        let tables: i64 = transaction
            .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failure)?;
        if tables == 0 {
            transaction
                .execute_batch(&schema::create())
                .map_err(failure)?;
            insert_plan(&transaction, plan).map_err(failure)?;
        } else {
            let kept = identities(&transaction).map_err(failure)?;
            compare(&path, &kept, plan)?;
        }
        let session = insert_session(&transaction, &owner).map_err(failure)?;
        transaction.commit().map_err(failure)?;
        self.session = session;
        Ok(())
    }
}

/// Registers a process; returns its session.
fn insert_session(connection: &Connection, owner: &Owner) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO sessions (host, boot, namespace, process, process_start, version, started)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        params![
            owner.host,
            owner.boot,
            owner.namespace,
            owner.process,
            owner.started,
            env!("CARGO_PKG_VERSION")
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

/// A path in a URI.
fn escaped(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn insert_plan(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    let mut meta = connection.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    meta.execute(params!["configuration", plan.configuration])?;
    meta.execute(params!["version", env!("CARGO_PKG_VERSION")])?;
    for (part, digest) in plan.digests() {
        meta.execute(params![schema::digest_key(part), digest])?;
    }
    for (number, study) in plan.studies.iter().enumerate() {
        connection.execute(
            "INSERT INTO studies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                number,
                study.name,
                study.source,
                study.settings,
                study.fingerprint,
                study.points_digest(),
                study.folds_digest
            ],
        )?;
        if !study.features.is_empty() {
            let columns = Columns {
                rows: study.rows,
                features: study.features.clone(),
                classes: study.classes.clone(),
            };
            // infallible: numbers and texts
            let text = serde_json::to_string(&columns).unwrap_or_default();
            meta.execute(params![schema::columns_key(number), text])?;
        }
        let mut insert = connection.prepare("INSERT INTO targets VALUES (?1, ?2, ?3)")?;
        for (target, name) in study.targets.iter().enumerate() {
            insert.execute(params![number, target, name])?;
        }
        let mut place = vec![(0usize, 0usize); study.points.len()];
        for (path, points) in study.paths.iter().enumerate() {
            for (at, &point) in points.iter().enumerate() {
                place[point as usize] = (path, at);
            }
        }
        let mut insert =
            connection.prepare("INSERT INTO points VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        for (at, (point, (path, place))) in study.points.iter().zip(place).enumerate() {
            insert.execute(params![
                number,
                at,
                path,
                place,
                point.target,
                point.l1,
                point.l2,
                point.ratio.map(|r| r.0),
                point.ratio.map(|r| r.1)
            ])?;
        }
        let mut insert = connection.prepare("INSERT INTO folds VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for (at, fold) in study.folds.iter().enumerate() {
            insert.execute(params![
                number,
                at,
                fold.number,
                fold.repeat,
                fold.training_rows,
                fold.held_out_rows
            ])?;
        }
    }
    let mut insert = connection
        .prepare("INSERT INTO units (unit, study, fold, path) VALUES (?1, ?2, ?3, ?4)")?;
    for unit in plan.units() {
        insert.execute(params![unit.number, unit.study, unit.fold, unit.path])?;
    }
    Ok(())
}

fn identities(connection: &Connection) -> rusqlite::Result<Vec<Identity>> {
    let mut query = connection.prepare(
        "SELECT name, source, settings, fingerprint, points_digest, folds_digest FROM studies ORDER BY study",
    )?;
    let rows = query.query_map([], |row| {
        Ok(Identity {
            name: row.get(0)?,
            source: row.get(1)?,
            settings: row.get(2)?,
            fingerprint: row.get(3)?,
            points: row.get(4)?,
            folds: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// Refuses another plan than `plan` in a store at `path`.
fn compare_plans(path: &Path, plan: &Plan, other: &Plan) -> Result<()> {
    let kept: Vec<Identity> = other
        .studies
        .iter()
        .map(|study| Identity {
            name: study.name.clone(),
            source: study.source.clone(),
            settings: study.settings.clone(),
            fingerprint: study.fingerprint.clone(),
            points: study.points_digest(),
            folds: study.folds_digest.clone(),
        })
        .collect();
    compare(path, &kept, plan)
}

/// Refuses a plan that is not the store's, and says in what they differ.
fn compare(path: &Path, kept: &[Identity], plan: &Plan) -> Result<()> {
    let other = |what: String| {
        Err(Error::store(
            path,
            what,
            "name another file with --store, or repeat the command that made this one \
             (`proxdiff runs show --configuration` prints its configuration)",
        ))
    };
    let held = kept
        .iter()
        .find_map(|kept| SearchKind::of_settings(&kept.settings));
    if held != plan.search() {
        let name = |kind: Option<SearchKind>| kind.map_or("a sweep", SearchKind::one);
        let (own, new) = (name(held), name(plan.search()));
        return other(format!("it is the store of {own}, not of {new}"));
    }
    if kept.len() != plan.studies.len() {
        return other(format!(
            "it holds a plan of {} studies, not {}",
            kept.len(),
            plan.studies.len()
        ));
    }
    for (kept, study) in kept.iter().zip(&plan.studies) {
        let place = if plan.studies.len() > 1 {
            format!(" (study {})", kept.name)
        } else {
            String::new()
        };
        if kept.fingerprint != study.fingerprint && kept.source != study.source {
            return other(format!(
                "it is of other data{place}: of {}, not of {}",
                kept.source, study.source
            ));
        }
        if kept.fingerprint != study.fingerprint {
            return Err(Error::store(
                path,
                format!(
                    "the data, or the weights of rows or classes, have changed since the store was made{place}: their fingerprint was {}, \
                     {} now has {}",
                    kept.fingerprint, study.source, study.fingerprint
                ),
                "put the old data back, or name a new file with --store; results of different data are never mixed",
            ));
        }
        if kept.settings != study.settings {
            let new = lines_beyond(&study.settings, &kept.settings);
            let old = lines_beyond(&kept.settings, &study.settings);
            let difference = match (new.as_str(), old.as_str()) {
                (new, "") => format!("has {new}"),
                ("", old) => format!("lacks {old}"),
                (new, old) => format!("has {new}, and lacks {old}"),
            };
            return other(format!(
                "it holds another plan{place}; this one {difference}"
            ));
        }
        if kept.points != study.points_digest() {
            return other(format!("it holds another plan{place}, with other points"));
        }
        if kept.folds != study.folds_digest {
            let what = match plan.search() {
                Some(SearchKind::MetaLearning) => "other tasks, or other weights of their rows",
                _ => "other folds",
            };
            return other(format!("it holds another plan{place}, with {what}"));
        }
    }
    Ok(())
}

/// The lines of settings that others lack, in one line.
fn lines_beyond(settings: &str, others: &str) -> String {
    let lines = settings.lines();
    let beyond = lines.filter(|line| !others.lines().any(|other| other == *line));
    beyond.collect::<Vec<_>>().join(", ")
}
