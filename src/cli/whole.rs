//! Files that take their names when they are whole: written beside their place, synced, renamed.
//!
//! Whatever ends the program, or fills the disk, leaves under the final name the old file or the new
//! one. Devices, pipes and what the shell has opened cannot be renamed over: they are written as
//! they are.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

/// The end of the name of a file that is not whole yet.
const UNFINISHED: &str = "unfinished";
/// Links to links that are followed; as many as Linux does.
const MOST_LINKS: usize = 40;
/// Bytes of a name that are repeated in the name of its unfinished file: the whole has to fit into
/// 255.
const NAME_ROOM: usize = 200;
/// The longest wait for a lock, and the pause between attempts.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// A file that is being written, and takes its name in [`Whole::finish`]; dropped before, it leaves
/// nothing.
pub struct Whole {
    file: BufWriter<File>,
    /// Under which name it is written; `None` where it is written in its place.
    part: Option<PathBuf>,
    place: PathBuf,
}

impl Whole {
    /// Begins a file that is to be at `path`; a link is followed, and what it names is replaced.
    pub fn create(path: &Path) -> io::Result<Self> {
        let place = resolved(path);
        let old = match std::fs::metadata(&place) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if is_given(path) || old.as_ref().is_some_and(|old| !old.is_file()) {
            let file = BufWriter::new(File::create(path)?);
            let part = None;
            return Ok(Self { file, part, place });
        }
        let (file, part) = create_beside(&place)?;
        // From here on the drop removes it.
        let whole = Self {
            file: BufWriter::new(file),
            part: Some(part),
            place,
        };
        if let Some(old) = old {
            // A file that may not be written is not to be replaced either.
            OpenOptions::new().write(true).open(&whole.place)?;
            keep_owner(whole.file.get_ref(), &old);
            whole.file.get_ref().set_permissions(old.permissions())?;
        }
        Ok(whole)
    }

    /// Brings all that was written to the disk, still under another name.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        match self.part {
            Some(_) => self.file.get_ref().sync_all(),
            None => Ok(()),
        }
    }

    /// Gives the file its name, once it is on the disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.sync()?;
        let Some(part) = &self.part else {
            return Ok(());
        };
        std::fs::rename(part, &self.place)?;
        self.part = None;
        sync_folder(&self.place);
        remove_left_over(&self.place);
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Why it was not finished is said already.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// Writes a file whole.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Whole::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Whether a file could be written at `path`. Nothing is changed, and nothing left behind.
pub fn check_file(path: &Path) -> io::Result<()> {
    let place = if is_given(path) {
        path.to_path_buf()
    } else {
        resolved(path)
    };
    // A path that ends in a slash names a folder.
    let names_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let exists = match std::fs::metadata(&place) {
        _ if names_folder => {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it names a folder"));
        }
        Ok(found) if found.is_dir() => {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
        }
        // To open a pipe would wait for its reader.
        Ok(found) if !found.is_file() => return Ok(()),
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if exists {
        OpenOptions::new().write(true).open(&place)?;
    }
    match place.parent().filter(|folder| !folder.is_dir()) {
        _ if exists && is_given(path) => Ok(()),
        Some(folder) => Err(io::Error::new(
            ErrorKind::NotFound,
            format!("there is no folder {}", folder.display()),
        )),
        None => Whole::create(&place).map(drop),
    }
}

/// Whether a folder is there, or could be made, and takes files. Nothing is left behind.
pub fn check_folder(path: &Path) -> io::Result<()> {
    let place = resolved(path);
    let mut nearest = place.as_path();
    loop {
        match std::fs::metadata(nearest) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => {
                let what = format!("{} is no folder", nearest.display());
                return Err(io::Error::new(ErrorKind::NotADirectory, what));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => match nearest.parent() {
                Some(parent) => nearest = parent,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    let (_, part) = create_beside(&nearest.join("folder"))?;
    std::fs::remove_file(part)
}

/// Waits for a lock, which others hold for moments; where one is stopped, or there are no locks, goes
/// on without.
pub fn wait_for_lock(mut attempt: impl FnMut() -> Result<(), TryLockError>) {
    let begin = Instant::now();
    while matches!(attempt(), Err(TryLockError::WouldBlock)) && begin.elapsed() < PATIENCE {
        std::thread::sleep(PAUSE);
    }
}

/// The end of a path: links followed, relative to the root, also where nothing is there yet.
pub fn resolved(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for _ in 0..MOST_LINKS {
        if let Ok(found) = std::fs::canonicalize(&path) {
            return found;
        }
        // Nothing is there: a link to nothing, or a name in a folder that may be there.
        match (std::fs::read_link(&path), path.parent()) {
            (Ok(target), Some(parent)) => path = parent.join(target),
            (Err(_), Some(parent)) => {
                let parent = resolved(parent);
                return match path.components().next_back() {
                    Some(Component::Normal(name)) => parent.join(name),
                    // There is no folder to go up from: as it reads.
                    _ => parent.parent().map_or(parent.clone(), Path::to_path_buf),
                };
            }
            (_, None) => break,
        }
    }
    path
}

/// The unfinished files beside a place, of processes that run or have been ended.
pub fn unfinished(place: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Vec::new();
    };
    let begin = format!("{}.", part_stem(name));
    let is_part = |path: &PathBuf| {
        let name = path.file_name().map(OsStr::to_string_lossy);
        let process = name.as_ref().and_then(|name| {
            let inner = name.strip_prefix(begin.as_str())?;
            inner.strip_suffix(UNFINISHED)?.strip_suffix('.')
        });
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        process.is_some_and(|text| {
            let parts = text.split_once('-');
            parts.is_some_and(|(process, number)| is_number(process) && is_number(number))
        })
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_part).collect()
}

/// True for what the process was given open, such as /dev/stdout: others may write there too.
fn is_given(path: &Path) -> bool {
    let given = [
        "/proc",
        "/dev/fd",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
    ];
    cfg!(unix) && given.iter().any(|place| path.starts_with(place))
}

/// The beginning of the name of an unfinished file.
fn part_stem(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let mut end = name.len().min(NAME_ROOM);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}", &name[..end])
}

/// A new file beside a place, locked so that others see that it is in use.
fn create_beside(place: &Path) -> io::Result<(File, PathBuf)> {
    let name = place.file_name().ok_or(ErrorKind::InvalidInput)?;
    let stem = part_stem(name);
    // The threads of a process may write the same file.
    for number in 0.. {
        let process = std::process::id();
        let part = place.with_file_name(format!("{stem}.{process}-{number}.{UNFINISHED}"));
        let file = match OpenOptions::new().write(true).create_new(true).open(&part) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 1000 => continue,
            Err(error) => return Err(error),
        };
        // Where there are no locks, what is left over is kept.
        let _ = file.try_lock();
        // Another process may have deleted it as stale before it was locked.
        if part.exists() {
            return Ok((file, part));
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Removes the unfinished files of processes that have been ended.
fn remove_left_over(place: &Path) {
    for part in unfinished(place) {
        let is_free = File::open(&part).is_ok_and(|file| file.try_lock().is_ok());
        if is_free {
            // Another process may have been faster.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// A name that was given is on the disk only when its folder is. Not every system can sync one, and
/// the file itself is whole either way.
fn sync_folder(place: &Path) {
    if let Some(folder) = place.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Gives a file the owner of the one that it replaces, where that is allowed.
#[cfg(unix)]
fn keep_owner(file: &File, old: &std::fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &std::fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "old").unwrap();
        let mut file = Whole::create(&path).unwrap();
        file.write_all(b"new, but not").unwrap();
        file.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.csv"]);

        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(folder.path().join(".a.csv.123-0.unfinished"), "half").unwrap();
        std::fs::write(folder.path().join(".a.csv.notes.unfinished"), "mine").unwrap();
        let mut other = Whole::create(&path).unwrap();
        write_whole(&path, b"first").unwrap();
        assert_eq!(names(folder.path()).len(), 3, "{:?}", names(folder.path()));
        other.write_all(b"second").unwrap();
        other.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), [".a.csv.notes.unfinished", "a.csv"]);
    }

    #[test]
    fn a_check_changes_nothing_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        check_file(&path).unwrap();
        check_folder(&folder.path().join("b/c")).unwrap();
        check_folder(folder.path()).unwrap();
        assert!(names(folder.path()).is_empty());
        std::fs::write(&path, "kept").unwrap();
        check_file(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        assert_eq!(names(folder.path()), ["a.csv"]);
        assert!(check_file(folder.path()).is_err());
        assert!(check_file(&folder.path().join("no/a.csv")).is_err());
        assert!(check_file(&folder.path().join("new/")).is_err());
        assert!(check_folder(&path).is_err());
        assert!(check_folder(&path.join("below")).is_err());
    }

    #[test]
    fn long_names_have_room_for_their_unfinished_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "ö".repeat(127)] {
            write_whole(&folder.path().join(&name), b"whole").unwrap();
            assert_eq!(std::fs::read(folder.path().join(&name)).unwrap(), b"whole");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_modes_stay_and_devices_are_written_as_they_are() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        symlink("real", &link).unwrap();
        // A link to nothing leads to what is made there.
        assert_eq!(resolved(&link), resolved(&real));
        write_whole(&link, b"one").unwrap();
        assert_eq!(std::fs::read(&real).unwrap(), b"one");
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        write_whole(&link, b"two").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"two");
        let mode = std::fs::metadata(&real).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        write_whole(Path::new("/dev/null"), b"gone").unwrap();
        let there = folder.path().join("no/such/../folder/file");
        assert_eq!(
            resolved(&there),
            resolved(folder.path()).join("no/folder/file")
        );
    }
}
