//! A folder of files with the same columns, read as one table.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::access::{first_bytes, name_of, unreadable};
use super::columns::Purpose;
use super::dataset_of;
use super::files::read_part;
use super::foreign;
use super::options::{Format, ReadOptions};
use super::part::{Kind, Part, bad};
use crate::data::dataset::{Dataset, Labels};
use crate::error::{Error, Result};

mod joined;

use joined::{concatenated, is_missing, joined, own_columns};

/// The rows of all files of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    /// The rows, file after file in the order of their names.
    pub rows: Dataset,
    /// The name of each row's file, without its ending.
    pub file_of_row: Vec<String>,
}

/// A file of a folder.
struct File {
    path: PathBuf,
    /// Its name without its ending.
    name: String,
}

/// The endings of compressed text.
const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// Reads all files of a folder whose format is known, as one table.
///
/// The first file that may have a header decides for all whether they have one. Columns are matched by name where the
/// files have names, and else by position. Levels of factors are those of all files together. Hidden files are left
/// out; other files and folders too, with a warning.
///
/// # Errors
/// [`Error::Io`] for a folder or a file that cannot be read; [`Error::Data`] for a folder without data, for files
/// with other columns than the first, and as [`read_dataset`](super::read_dataset) for each of them.
pub fn read_folder(folder: &Path, options: &ReadOptions) -> Result<Folder> {
    let files = files_of(folder, options.format)?;
    rows_of(&files, folder, options).map_err(|error| aside(error, &files))
}

fn rows_of(files: &[File], folder: &Path, options: &ReadOptions) -> Result<Folder> {
    let mut parts = Vec::with_capacity(files.len());
    let mut kinds = Vec::with_capacity(files.len());
    for (mut part, file) in parts_of(files, false, options)?.into_iter().zip(files) {
        kinds.push(std::mem::take(&mut part.kinds));
        parts.push(dataset_of(part, &name_of(&file.path), options)?);
    }
    let of_file = |(file, part): (&File, &Dataset)| vec![file.name.clone(); part.rows()];
    Ok(Folder {
        file_of_row: files.iter().zip(&parts).flat_map(of_file).collect(),
        rows: joined(parts, &kinds, folder, options)?,
    })
}

/// The files one by one, what only all of them tell undecided; `of_column` reads the targets alone, where the format
/// has columns.
fn parts_of(files: &[File], of_column: bool, options: &ReadOptions) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::with_capacity(files.len());
    // The place of the first file that may have a header.
    let mut first = None;
    for (number, file) in files.iter().enumerate() {
        let format = options
            .format
            .map_or_else(|| Format::from_path(&file.path), Ok)?;
        let has_columns = !matches!(format, Format::Libsvm | Format::Idx);
        let purpose = match of_column && has_columns {
            true => Purpose::Targets,
            false => Purpose::Dataset,
        };
        let read = |header: Option<bool>| {
            let own = ReadOptions {
                part: Some(number),
                header,
                ..options.clone()
            };
            read_part(&file.path, purpose, &own)
        };
        let found = read(options.header);
        let part = match first {
            Some(first) if format == Format::Csv && options.header.is_none() => {
                let earlier: &Part = &parts[first];
                let has_header = earlier.named.targets;
                match found {
                    Ok(part) if part.named.targets == has_header => part,
                    found => {
                        let other = read(Some(has_header));
                        match (found, other) {
                            (_, Ok(part)) if is_alike(earlier, &part) => part,
                            (Err(error), _) => return Err(error),
                            _ => return Err(mixed_headers(file, &files[first], has_header)),
                        }
                    }
                }
            }
            _ => found?,
        };
        if format == Format::Csv {
            first.get_or_insert(number);
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Whether a file that is read as the first one, and does not look like it, has the same columns: the same names
/// where there are names, and else numbers in the same places.
fn is_alike(first: &Part, part: &Part) -> bool {
    let targets = |part: &Part| -> Vec<String> {
        let names = part.targets.iter().map(|target| target.name.clone());
        names.collect()
    };
    if first.named.targets {
        let names = |part: &Part| -> HashSet<String> {
            let own = own_columns(&part.feature_names, &part.factors, &part.kinds);
            let own = own.iter().map(|column| column.name.to_string());
            own.chain(targets(part)).collect()
        };
        return names(first) == names(part);
    }
    let are_numbers =
        |labels: &Labels| matches!(concatenated([labels].into_iter()), Labels::Numbers(_));
    let mut of_targets = first.targets.iter().zip(&part.targets);
    // A name above numbers makes text of them.
    let of_features = || {
        let (one, other) = (
            own_columns(&first.feature_names, &first.factors, &first.kinds),
            own_columns(&part.feature_names, &part.factors, &part.kinds),
        );
        let is_same = one.len() == other.len();
        is_same
            && one.iter().zip(&other).all(|(one, other)| {
                let was_number = one.kind == Kind::Numbers
                    && first
                        .matrix
                        .as_ref()
                        .is_some_and(|all| !is_missing(all, one));
                !was_number || other.kind == Kind::Numbers
            })
    };
    of_targets.all(|(one, other)| !are_numbers(&one.values) || are_numbers(&other.values))
        && of_features()
}

fn mixed_headers(file: &File, first: &File, has_header: bool) -> Error {
    let (is, was) = match has_header {
        true => ("data", "names"),
        false => ("names", "data"),
    };
    let what = format!(
        "the first row looks like {is}, and that of {} like {was}",
        first.path.display()
    );
    let remedy =
        "give all files names in their first row, or none, and say which by --header yes or no";
    bad(&file.path.display().to_string(), None, None, what, remedy)
}

/// The error, with what is done about a text beside the data.
fn aside(error: Error, files: &[File]) -> Error {
    let ending = |file: &File| file.path.extension().map(OsStr::to_ascii_lowercase);
    let is_text = |file: &&File| ending(file).is_some_and(|ending| ending == "txt");
    let texts = files.iter().filter(is_text).count();
    match error {
        Error::Data {
            place,
            what,
            remedy,
        } if texts > 0 && texts < files.len() => Error::Data {
            place,
            what,
            remedy: format!(
                "{remedy}; if a .txt file is no data, move it elsewhere, or hide it by a name that begins with a point"
            ),
        },
        error => error,
    }
}

/// Reads one column of every file of a folder, in the order of [`read_folder`].
pub(super) fn read_column_of(folder: &Path, options: &ReadOptions) -> Result<Labels> {
    let files = files_of(folder, options.format)?;
    let parts = parts_of(&files, true, options).map_err(|error| aside(error, &files))?;
    Ok(concatenated(
        parts.iter().map(|part| &part.targets[0].values),
    ))
}

/// The files of a folder whose format is known, or given, in the order of their names.
fn files_of(folder: &Path, format: Option<Format>) -> Result<Vec<File>> {
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, e))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| unreadable(folder, e))?.path());
    }
    paths.sort();
    let mut files: Vec<File> = Vec::with_capacity(paths.len());
    for path in paths {
        let full = path.file_name().unwrap_or_default().to_string_lossy();
        if full.starts_with('.') || !is_data(&path, format)? {
            continue;
        }
        files.push(File {
            name: without_ending(Path::new(full.as_ref())),
            path,
        });
    }
    let twice = files.iter().enumerate().find_map(|(at, file)| {
        let earlier = files[..at].iter().find(|other| other.name == file.name)?;
        Some((earlier, file))
    });
    let source = folder.display().to_string();
    match twice {
        _ if files.is_empty() => Err(bad(
            &source,
            None,
            None,
            "the folder has no data file",
            "give a folder of .csv, .tsv, .npz or .libsvm files, or name their format (--data-format)",
        )),
        None => Ok(files),
        Some((earlier, file)) => Err(bad(
            &source,
            None,
            None,
            format!(
                "{} and {} have the same name but for the ending",
                earlier.path.display(),
                file.path.display()
            ),
            "rename one of them, or move it to another folder",
        )),
    }
}

/// Whether a file's format is given or known; says so where it is not.
fn is_data(path: &Path, format: Option<Format>) -> Result<bool> {
    let about = std::fs::metadata(path).map_err(|e| unreadable(path, e))?;
    if about.is_dir() {
        log::warn!("{}: a folder inside the folder is left out", path.display());
        return Ok(false);
    }
    if format.is_some() {
        return Ok(true);
    }
    match Format::from_path(path) {
        Ok(_) => Ok(true),
        // Data of a format that is not read may be meant; a text beside the data is not.
        Err(error @ Error::Data { .. }) => {
            let start = first_bytes(path, foreign::ENOUGH)?;
            match foreign::recognised(&start, "").is_some() || start.contains(&0) {
                true => Err(error),
                false => {
                    log::warn!(
                        "{}: the format is not known, and the file is left out",
                        path.display()
                    );
                    Ok(false)
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// A file's name without the ending that tells its format.
fn without_ending(name: &Path) -> String {
    let ending = |path: &Path| {
        path.extension()
            .and_then(OsStr::to_str)
            .map(str::to_ascii_lowercase)
    };
    let stem = |path: &Path| PathBuf::from(path.file_stem().unwrap_or_default());
    let mut left = name.to_path_buf();
    if ending(&left).is_some_and(|ending| COMPRESSED.contains(&ending.as_str())) {
        left = stem(&left);
    }
    if ending(&left).is_some_and(|ending| ending.parse::<Format>().is_ok()) {
        left = stem(&left);
    }
    left.to_string_lossy().into_owned()
}
