//! The outputs of a command, looked at before it computes anything: no output takes the place of an input
//! of the same command or of another output, and every output can be written.

use std::any::TypeId;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::commands::poison;
#[cfg(feature = "paper")]
use super::commands::reproduce;
use super::failure::Failure;
use super::model::Model;
use super::origin;
use super::output::is_of_report;
use super::whole::{check_file, check_folder, resolved};

/// The endings of files that SQLite puts beside a store.
const BESIDE_STORES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The kinds of outputs.
#[derive(Clone, Copy)]
enum Kind {
    /// A file.
    File,
    /// A store with what lies beside it; what it holds is added to.
    Store,
    /// A folder, into which files of some names are written.
    Folder(fn(&str) -> bool),
}

/// An output, and the flag that names it.
struct Output {
    flag: String,
    path: PathBuf,
    kind: Kind,
    /// The resolved path, for a folder.
    folder: PathBuf,
    /// The files and folders that it is or holds.
    places: Vec<Place>,
}

/// A file or folder, whatever it is called.
struct Place {
    path: PathBuf,
    /// Device and number on it, of what is there.
    identity: Option<(u64, u64)>,
}

/// Checks the outputs of the command that was parsed.
///
/// # Errors
/// [`Failure::Usage`] for an output in the place of an input or another output, or a folder of the
/// name of a file;
/// [`Failure::Unwritable`] for one that cannot be written.
pub fn check(command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    let (mut command, mut matches, mut names) = (command, matches, Vec::new());
    while let Some((name, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else {
            break;
        };
        names.push(name);
        (command, matches) = (found, inner);
    }
    check_parts(command, &names.join(" "), &[matches])
}

/// Checks the outputs of a command with a configuration file by its effective settings, study by study.
///
/// # Errors
/// As [`check`].
pub fn check_configured<'a>(
    name: &str,
    parts: impl Iterator<Item = &'a ArgMatches>,
) -> Result<(), Failure> {
    let whole = crate::cli::arguments::command();
    match whole.find_subcommand(name) {
        Some(command) => check_parts(command, name, &parts.collect::<Vec<_>>()),
        None => Ok(()),
    }
}

fn check_parts(command: &Command, name: &str, parts: &[&ArgMatches]) -> Result<(), Failure> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::<Output>::new());
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        for path in parts.iter().flat_map(|matches| paths(matches, id)) {
            if let Some(kind) = kind(name, id) {
                let flag = format!("--{}", argument.get_long().unwrap_or(id));
                // The studies of a sweep have their outputs in common.
                if !outputs.iter().any(|o| o.flag == flag && o.path == path) {
                    outputs.push(Output::new(flag, path, kind));
                }
            } else if names_files(argument) {
                inputs.extend(
                    files_of(name, id, &path)
                        .into_iter()
                        .map(|path| (id.to_string(), Place::of(path))),
                );
            }
        }
    }
    for output in &outputs {
        for (id, input) in &inputs {
            // A configuration file may be replaced by the effective configuration.
            let is_replaced = output.flag == "--write-config" && id == "config";
            if !is_replaced && output.takes(input) {
                return Err(Failure::usage(format!(
                    "{}: {} is used by the same command, which would overwrite it; name another {}",
                    output.flag,
                    name_of(&input.path),
                    output.noun()
                )));
            }
        }
    }
    for (at, output) in outputs.iter().enumerate() {
        let clash = outputs[..at].iter().find(|other| {
            let takes = |a: &Output, b: &Output| b.places.iter().any(|place| a.takes(place));
            takes(output, other) || takes(other, output)
        });
        if let Some(other) = clash {
            let noun = output.noun();
            return Err(Failure::usage(format!(
                "{} and {} would write the same {noun}, {}; name another {noun}",
                other.flag,
                output.flag,
                name_of(&output.path)
            )));
        }
    }
    // A report tells its time; what says that time is read only after all has been computed.
    let is_folder = |output: &Output| matches!(output.kind, Kind::Folder(_));
    if outputs.iter().any(is_folder) {
        origin::date()?;
    }
    outputs.iter().try_for_each(Output::check)
}

impl Output {
    fn new(flag: String, path: PathBuf, kind: Kind) -> Self {
        let folder = resolved(&path);
        let mut places = vec![Place::of(path.clone())];
        match kind {
            Kind::File => {}
            Kind::Store => places.extend(beside_store(&path).map(Place::of)),
            Kind::Folder(_) => {
                let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let own = entries
                    .map(|entry| entry.path())
                    .filter(|path| kind.holds(path));
                places.extend(own.map(Place::of));
            }
        }
        // Devices and pipes keep nothing that could be lost.
        places.retain(|place| place.is_kept());
        Self {
            flag,
            path,
            kind,
            folder,
            places,
        }
    }

    /// Whether writing this output would replace what is at a place.
    fn takes(&self, place: &Place) -> bool {
        let is_inside = place.path.parent() == Some(&self.folder) && self.kind.holds(&place.path);
        is_inside || self.places.iter().any(|own| own.is(place))
    }

    fn noun(&self) -> &'static str {
        match self.kind {
            Kind::File | Kind::Store => "file",
            Kind::Folder(_) => "folder",
        }
    }

    /// Whether it can be written, now.
    fn check(&self) -> Result<(), Failure> {
        let unwritable = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Failure::unwritable(&self.flag, &path, &source)
        };
        match self.kind {
            Kind::File | Kind::Store => check_file(&self.path).map_err(unwritable(&self.path)),
            Kind::Folder(_) if self.path.is_file() => Err(Failure::usage(format!(
                "{} {}: there is a file of that name; name a directory",
                self.flag,
                self.path.display()
            ))),
            Kind::Folder(_) => {
                check_folder(&self.path).map_err(unwritable(&self.path))?;
                let mut files = self.places.iter().filter(|place| place.path != self.folder);
                files.try_for_each(|place| check_file(&place.path).map_err(unwritable(&place.path)))
            }
        }
    }
}

impl Kind {
    /// Whether a folder receives a file of this path's name.
    fn holds(self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        matches!((self, name), (Self::Folder(has), Some(name)) if has(name))
    }
}

impl Place {
    fn of(path: impl AsRef<Path>) -> Self {
        let path = resolved(path.as_ref());
        let identity = std::fs::metadata(&path).ok().and_then(identity);
        Self { path, identity }
    }

    fn is(&self, other: &Self) -> bool {
        let is_same_file = self.identity.is_some() && self.identity == other.identity;
        self.path == other.path || is_same_file
    }

    /// False for devices and pipes.
    fn is_kept(&self) -> bool {
        std::fs::metadata(&self.path).map_or(true, |found| found.is_file() || found.is_dir())
    }
}

#[cfg(unix)]
fn identity(found: std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(_: std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// The kind of the output of a flag; `None` for one that is read, or no path.
fn kind(command: &str, id: &str) -> Option<Kind> {
    Some(match (command, id) {
        ("fit", "out") | ("tune" | "clean" | "meta", "model") => Kind::Folder(Model::has_file),
        ("poison", "out") => Kind::Folder(poison::has_file),
        ("runs report", "out") | (_, "report") => Kind::Folder(is_of_report),
        // It adds to a store that exists, and has its own word about its inputs.
        ("runs merge", _) => return None,
        ("sweep" | "tune" | "meta", "store") => Kind::Store,
        ("sweep" | "tune", "write_config") => Kind::File,
        #[cfg(feature = "paper")]
        (command, "out") if command.starts_with("reproduce") => Kind::Folder(reproduce::has_file),
        (_, "out") => Kind::File,
        _ => return None,
    })
}

/// Whether an argument names files, if only beside other things.
fn names_files(argument: &Arg) -> bool {
    let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let names = argument.get_value_names().unwrap_or_default();
    is_path || names.iter().any(|name| name.contains("FILE"))
}

/// The values of an argument, those of its default too.
fn paths(matches: &ArgMatches, id: &str) -> Vec<PathBuf> {
    let raw = matches.try_get_raw(id).ok().flatten();
    raw.into_iter().flatten().map(PathBuf::from).collect()
}

/// The files that are there of what an argument names: itself, those of a model, what belongs to a
/// store.
fn files_of(command: &str, id: &str, path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_path_buf()];
    if matches!(id, "model" | "prior") {
        files.extend(Model::files(path));
    }
    if command.starts_with("runs") {
        files.extend(beside_store(path));
    }
    files.retain(|path| path.is_file());
    files
}

fn beside_store(path: &Path) -> impl Iterator<Item = PathBuf> {
    BESIDE_STORES.iter().map(|end| {
        let mut name = path.as_os_str().to_os_string();
        name.push(end);
        name.into()
    })
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
