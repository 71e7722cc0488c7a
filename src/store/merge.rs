//! Joining the stores of the shards of one plan.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, TransactionBehavior};

use super::failure::{explain, is_full};
use super::place::FileId;
use super::{Journal, Plan, Result, Store, session};
use crate::error::Error;

/// Makes the store `into` of all finished units of the stores `from`, which hold the same plan.
///
/// A unit that several stores have done must have the same results in each. An existing `into` of
/// the same plan is added to. Returns the number of units that were added.
///
/// All inputs are checked before anything is written, a new store gets its name when it is whole, checked
/// and on the disk, and an existing one is changed in one transaction: when the merge fails, there is no new
/// store, and the existing one is what it was. What merges that were killed have left is removed.
///
/// # Errors
/// [`Error::Store`] when a store cannot be read or written, holds another plan or other data, or
/// contradicts another.
pub fn merge(from: &[&Path], into: &Path) -> Result<usize> {
    merge_into(from, into).map_err(|error| match error {
        error if is_full(&error) => Error::store(
            into,
            "the disk is full; nothing was merged",
            "free some space, or name a place with more of it with --out, and repeat the merge",
        ),
        // The flag that names the store of a sweep is not the one that names this one.
        Error::Store { path, what, remedy } if path == into => {
            Error::store(&path, what, remedy.replace("--store", "--out"))
        }
        other => other,
    })
}

fn merge_into(from: &[&Path], into: &Path) -> Result<usize> {
    let Some(first) = from.first() else {
        return Err(Error::value(
            "merge",
            "no stores",
            "name the stores to be joined",
        ));
    };
    let same = |path: &&&Path| match (path.canonicalize(), into.canonicalize()) {
        (Ok(path), Ok(into)) => {
            path == into || {
                let file = FileId::of(&into);
                file.is_some() && file == FileId::of(&path)
            }
        }
        _ => false,
    };
    if let Some(path) = from.iter().find(same) {
        return Err(Error::value(
            "merge",
            format!("{} is both an input and the output", path.display()),
            "name another file with --out",
        ));
    }
    let plan = Store::read(first)?.plan()?;
    if let Some(kind) = plan.search() {
        return Err(Error::store(
            first,
            format!("it is the store of {}, which has no shards", kind.one()),
            "let several processes share one store: they do its evaluations together",
        ));
    }
    let exists = into.exists();
    let mut known: HashMap<i64, (String, &Path)> = HashMap::new();
    for path in exists.then_some(&into).into_iter().chain(from) {
        agree(path, &plan, &mut known)?;
    }
    if exists {
        return Store::open_existing(into)?.absorb_all(from);
    }
    super::place::check_place(into)?;
    Unfinished::sweep_away(into);
    let made = Unfinished::beside(into);
    let fill = || -> Result<usize> {
        let mut target = Store::open_with(&made.0, &plan, Journal::Alone)?;
        let added = target.absorb_all(from)?;
        target.release()?;
        target.check_integrity()?;
        target.check_results()?;
        target.close()?;
        Ok(added)
    };
    let added = fill().map_err(|error| renamed(error, &made.0, into))?;
    made.take_place_of(into).map_err(|source| Error::Io {
        path: into.to_path_buf(),
        source,
        remedy: "choose a place that can be written, with room for the result, with --out",
    })?;
    Ok(added)
}

/// Refuses an input that is damaged, of another plan, or in contradiction to those before it.
fn agree<'a>(
    path: &&'a Path,
    plan: &Plan,
    known: &mut HashMap<i64, (String, &'a Path)>,
) -> Result<()> {
    let source = Store::read(path)?;
    let found = super::verify(&source)?;
    if let Some(fault) = found.faults.first() {
        return Err(Error::store(path, fault, found.remedy));
    }
    super::compare_plans(path, plan, &source.plan()?).map_err(|error| match error {
        Error::Store { path, what, .. } => {
            let remedy = "merge only stores of the same plan and the same data; --out names the one \
                          that they are joined into";
            Error::store(&path, what, remedy)
        }
        other => other,
    })?;
    let (mut contradictions, mut other) = (0, *path);
    for (unit, digest) in source.finished_units()? {
        match known.get(&unit) {
            Some((kept, place)) if *kept != digest => {
                contradictions += 1;
                other = place;
            }
            Some(_) => {}
            None => {
                known.insert(unit, (digest, path));
            }
        }
    }
    if contradictions == 0 {
        return Ok(());
    }
    Err(Error::store(
        path,
        format!(
            "{contradictions} units have other results than in {}",
            other.display()
        ),
        "merge only stores that one version of the program made on one kind of device",
    ))
}

/// A store that is being made, under a name of its own; removed unless it has taken its place.
struct Unfinished(PathBuf);

impl Unfinished {
    /// The end of its name, after the number of the process.
    const END: &'static str = ".unfinished";
    /// The endings of files that SQLite puts beside it.
    const BESIDE: [&'static str; 3] = ["-wal", "-shm", "-journal"];

    fn beside(path: &Path) -> Self {
        let process = std::process::id();
        Self(path.with_file_name(format!("{}{process}{}", Self::start(path), Self::END)))
    }

    /// The beginning of the name, before the number of the process.
    fn start(path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{name}.")
    }

    /// Removes what merges into the same store have left whose processes are gone.
    fn sweep_away(path: &Path) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        // A file that cannot be listed or removed does no harm.
        let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
            return;
        };
        let start = Self::start(path);
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&start)) else {
                continue;
            };
            let mut ends = Self::BESIDE.iter();
            let main = ends.find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
            let process = main.strip_suffix(Self::END);
            let process = process.and_then(|number| number.parse::<u32>().ok());
            if process.is_some_and(|process| !session::is_running(process)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Renames it, once everything is on the disk, and the new name too.
    fn take_place_of(&self, path: &Path) -> std::io::Result<()> {
        std::fs::File::open(&self.0)?.sync_all()?;
        std::fs::rename(&self.0, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        // Not every system lets folders be opened. It is whole and in its place, whatever comes of this.
        let folder = std::fs::File::open(folder.unwrap_or(Path::new(".")));
        if let Err(error) = folder.and_then(|folder| folder.sync_all()) {
            log::info!(
                "{}: its name is not on the disk yet: {error}",
                path.display()
            );
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for end in [""].iter().chain(&Self::BESIDE) {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            // Gone already, mostly.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// The error of a store under its own name, where it happened under another.
fn renamed(error: Error, from: &Path, to: &Path) -> Error {
    match error {
        Error::Store { path, what, remedy } if path == from => Error::store(to, what, remedy),
        other => other,
    }
}

impl Store {
    /// Closes the file, so that nothing of it is left elsewhere.
    fn close(self) -> Result<()> {
        let path = self.path;
        self.connection
            .close()
            .map_err(|(_, error)| explain(&path, &error))
    }

    /// The finished units, by number, with their digests.
    fn finished_units(&self) -> Result<Vec<(i64, String)>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let text = "SELECT unit, digest FROM units WHERE done = 1 ORDER BY unit";
        let mut query = self.connection.prepare(text).map_err(failure)?;
        query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failure)
    }

    /// Copies the finished units of other stores of the same plan, all in one transaction.
    fn absorb_all(&mut self, from: &[&Path]) -> Result<usize> {
        let path = self.path.clone();
        let failure = |e: rusqlite::Error| explain(&path, &e);
        let (owner, known) = (self.owner.clone(), self.session);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failure)?;
        let session = if known > 0 {
            known
        } else {
            super::insert_session(&transaction, &owner).map_err(failure)?
        };
        let mut added = 0;
        for source in from {
            let other = Store::read(source)?;
            added += absorb(&transaction, session, &other, &failure)?;
        }
        let end =
            "UPDATE sessions SET ended = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE session = ?1";
        transaction.execute(end, [session]).map_err(failure)?;
        transaction.commit().map_err(failure)?;
        Ok(added)
    }
}

/// Copies the units that `other` has done and this store has not.
fn absorb(
    connection: &Connection,
    session: i64,
    other: &Store,
    failure: &dyn Fn(rusqlite::Error) -> Error,
) -> Result<usize> {
    let foreign = |e: rusqlite::Error| explain(&other.path, &e);
    let mark = "UPDATE units SET done = 1, session = ?2, seconds = ?3, device = ?4, finished = ?5,
                digest = ?6 WHERE unit = ?1 AND done = 0";
    let mut mark = connection.prepare(mark).map_err(failure)?;
    let units = "SELECT unit, seconds, device, finished, digest, study, fold, path FROM units
                 WHERE done = 1 ORDER BY unit";
    let mut units = other.connection.prepare(units).map_err(foreign)?;
    let cells = "SELECT r.* FROM points p JOIN results r ON r.study = p.study AND r.point = p.point
                 WHERE p.study = ?1 AND p.path = ?3 AND r.fold = ?2";
    let mut cells = other.connection.prepare(cells).map_err(foreign)?;
    let places = vec!["?"; cells.column_count()].join(", ");
    let names: Vec<&str> = cells.column_names().collect();
    let names = names.join(", ");
    let insert = format!("INSERT INTO results ({names}) VALUES ({places})");
    let mut insert = connection.prepare(&insert).map_err(failure)?;
    let mut added = 0;
    let mut rows = units.query([]).map_err(foreign)?;
    while let Some(unit) = rows.next().map_err(foreign)? {
        let value = |at: usize| unit.get::<_, Value>(at).map_err(foreign);
        let marked = mark
            .execute((
                value(0)?,
                session,
                value(1)?,
                value(2)?,
                value(3)?,
                value(4)?,
            ))
            .map_err(failure)?;
        if marked == 0 {
            continue;
        }
        added += 1;
        let mut found = cells
            .query((value(5)?, value(6)?, value(7)?))
            .map_err(foreign)?;
        while let Some(cell) = found.next().map_err(foreign)? {
            for at in 0..insert.parameter_count() {
                let value = cell.get_ref(at).map_err(foreign)?;
                insert
                    .raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(value))
                    .map_err(failure)?;
            }
            insert.raw_execute().map_err(failure)?;
        }
    }
    Ok(added)
}
