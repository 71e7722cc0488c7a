//! A folder of files with the same columns, read as one table.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::access::{first_bytes, unreadable};
use super::files::{read_column, read_dataset};
use super::foreign;
use super::options::{Categorical, Format, ReadOptions};
use super::part::bad;
use super::table::factors::{Fault, check_names, fault_of_levels, memory_for, tell};
use crate::data::dataset::{Dataset, Labels, Named, Target};
use crate::data::factor::{Column, Factor, columns, in_order};
use crate::data::labels::{list, names_of, quote};
use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::error::{Error, Result};

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
/// Columns are matched by name where the files have names, and else by position. Levels of factors are those
/// of all files together. Hidden files are left out; other files and folders too, with a warning.
///
/// # Errors
/// [`Error::Io`] for a folder or a file that cannot be read; [`Error::Data`] for a folder without data, for files
/// with other columns than the first, and as [`read_dataset`] for each of them.
pub fn read_folder(folder: &Path, options: &ReadOptions) -> Result<Folder> {
    let files = files_of(folder, options.format)?;
    let mut parts = Vec::with_capacity(files.len());
    for (number, file) in files.iter().enumerate() {
        let own = ReadOptions {
            part: Some(number),
            ..options.clone()
        };
        parts.push(read_dataset(&file.path, &own)?);
    }
    let of_file = |(file, part): (&File, &Dataset)| vec![file.name.clone(); part.rows()];
    Ok(Folder {
        file_of_row: files.iter().zip(&parts).flat_map(of_file).collect(),
        rows: joined(parts, folder, options)?,
    })
}

/// Reads one column of every file of a folder, in the order of [`read_folder`].
pub(super) fn read_column_of(folder: &Path, options: &ReadOptions) -> Result<Labels> {
    let files = files_of(folder, options.format)?;
    let column = |file: &File| read_column(&file.path, options);
    let parts: Vec<Labels> = files.iter().map(column).collect::<Result<_>>()?;
    Ok(concatenated(parts.iter()))
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

/// The rows of files one after the other.
fn joined(mut parts: Vec<Dataset>, folder: &Path, options: &ReadOptions) -> Result<Dataset> {
    let source = folder.display().to_string();
    let targets = joined_targets(&parts)?;
    let rows = parts.iter().map(Dataset::rows).sum();
    let weights = parts.iter().map(|part| part.weights.clone());
    let weights: Option<Vec<Vec<f64>>> = weights.collect();
    let named = Named {
        features: parts.iter().all(|part| part.named.features),
        targets: parts.iter().all(|part| part.named.targets),
    };
    let all_sparse = |part: &Dataset| matches!(part.matrix, Matrix::Sparse(_));
    let (first, is_sparse) = (parts[0].source.clone(), all_sparse(&parts[0]));
    if let Some(other) = parts.iter().find(|part| all_sparse(part) != is_sparse) {
        let (is, was) = if is_sparse {
            ("dense", "sparse")
        } else {
            ("sparse", "dense")
        };
        return Err(bad(
            &other.source,
            None,
            None,
            format!("the features are {is}, and those of {first} {was}"),
            "write all files alike",
        ));
    }
    let features = if is_sparse {
        joined_sparse(&mut parts)
    } else {
        let order = matched(&parts)?;
        joined_dense(&parts, &order, rows, options, &source)?
    };
    Ok(Dataset {
        matrix: features.matrix,
        feature_names: features.names,
        factors: features.factors,
        targets,
        weights: weights.map(|weights| weights.concat()),
        offset: None,
        named,
        source,
    })
}

/// The features of all files.
struct Features {
    matrix: Matrix,
    names: Vec<String>,
    factors: Vec<Factor>,
}

/// The targets of all files, in the order of the first.
fn joined_targets(parts: &[Dataset]) -> Result<Vec<Target>> {
    let first = &parts[0];
    let wanted: Vec<String> = first
        .targets
        .iter()
        .map(|target| target.name.clone())
        .collect();
    let mut values: Vec<Vec<&Labels>> = vec![Vec::with_capacity(parts.len()); wanted.len()];
    for part in parts {
        let by_name = first.named.targets && part.named.targets;
        let own: Vec<String> = part
            .targets
            .iter()
            .map(|target| target.name.clone())
            .collect();
        let same =
            wanted.len() == own.len() && (!by_name || wanted.iter().all(|name| own.contains(name)));
        if !same {
            return Err(bad(
                &part.source,
                None,
                None,
                format!(
                    "the target is {}, and in {} it is {}",
                    list(&own),
                    first.source,
                    list(&wanted)
                ),
                "name the target that all files have (--target)",
            ));
        }
        for (at, name) in wanted.iter().enumerate() {
            let place = own
                .iter()
                .position(|one| by_name && one == name)
                .unwrap_or(at);
            values[at].push(&part.targets[place].values);
        }
    }
    let target = |(name, values): (String, Vec<&Labels>)| Target {
        name,
        values: concatenated(values.into_iter()),
    };
    Ok(wanted.into_iter().zip(values).map(target).collect())
}

/// Labels one after the other: text where some of them are.
fn concatenated<'a>(parts: impl Iterator<Item = &'a Labels> + Clone) -> Labels {
    let numbers = parts.clone().map(|part| match part {
        Labels::Numbers(values) => Some(values.as_slice()),
        Labels::Text(_) => None,
    });
    match numbers.collect::<Option<Vec<&[f64]>>>() {
        Some(numbers) => Labels::Numbers(numbers.concat()),
        None => Labels::Text(parts.flat_map(names_of).collect()),
    }
}

/// Sparse rows one after the other: files do not state their width, and the widest has it.
fn joined_sparse(parts: &mut [Dataset]) -> Features {
    let mut all = Sparse {
        rows: 0,
        columns: 0,
        row_starts: vec![0],
        column_indices: Vec::new(),
        values: Vec::new(),
    };
    let mut names: Vec<String> = Vec::new();
    for part in parts {
        let Matrix::Sparse(matrix) = &mut part.matrix else {
            continue;
        };
        if matrix.columns > all.columns {
            all.columns = matrix.columns;
            names = std::mem::take(&mut part.feature_names);
        }
        let before = all.values.len();
        all.rows += matrix.rows;
        all.row_starts
            .extend(matrix.row_starts[1..].iter().map(|start| before + start));
        all.column_indices.append(&mut matrix.column_indices);
        all.values.append(&mut matrix.values);
    }
    Features {
        matrix: Matrix::Sparse(all),
        names,
        factors: Vec::new(),
    }
}

/// The columns of every file in the order of the first file's.
fn matched(parts: &[Dataset]) -> Result<Vec<Vec<Column<'_>>>> {
    let first = &parts[0];
    let wanted = columns(&first.feature_names, &first.factors);
    let places: HashMap<&str, usize> = wanted
        .iter()
        .enumerate()
        .map(|(at, one)| (one.name, at))
        .collect();
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        let mut own = columns(&part.feature_names, &part.factors);
        let other = |what: String| {
            let remedy = "give all files the same columns, in any order, or leave columns out (--drop, --only)";
            Err(bad(&part.source, None, None, what, remedy))
        };
        if first.named.features && part.named.features {
            let found: HashSet<&str> = own.iter().map(|column| column.name).collect();
            if let Some(lacking) = wanted.iter().find(|column| !found.contains(column.name)) {
                let name = quote(lacking.name);
                return other(format!(
                    "there is no column {name}, which {} has",
                    first.source
                ));
            }
            if let Some(further) = own.iter().find(|column| !places.contains_key(column.name)) {
                let name = quote(further.name);
                return other(format!(
                    "there is a column {name}, which {} has not",
                    first.source
                ));
            }
            own.sort_by_key(|column| places[column.name]);
        } else if own.len() != wanted.len() {
            return other(format!(
                "there are {} feature columns, and {} in {}",
                own.len(),
                wanted.len(),
                first.source
            ));
        }
        all.push(own);
    }
    Ok(all)
}

/// A column of all files.
struct Merged {
    name: String,
    /// Its levels, where it is a factor.
    factor: Option<Factor>,
}

/// Dense rows one after the other, the features of factors for the levels of all files.
fn joined_dense(
    parts: &[Dataset],
    order: &[Vec<Column<'_>>],
    rows: usize,
    options: &ReadOptions,
    source: &str,
) -> Result<Features> {
    let fault = |column: Option<&str>, fault: Fault| {
        let column = column.map(quote);
        Err(bad(source, None, column, fault.what, fault.remedy))
    };
    let mut merged = Vec::with_capacity(order[0].len());
    for at in 0..order[0].len() {
        let column = merge(parts, order, at)?;
        if let (Categorical::Auto, Some(factor)) = (&options.categorical, &column.factor)
            && let Some(of_levels) = fault_of_levels(&factor.levels, rows)
        {
            return fault(Some(&column.name), of_levels);
        }
        merged.push(column);
    }
    let names = merged.iter().flat_map(|column| match &column.factor {
        Some(factor) => factor
            .levels
            .iter()
            .map(|level| factor.feature(level))
            .collect(),
        None => vec![column.name.clone()],
    });
    let names: Vec<String> = names.collect();
    let checked = check_names(&names).and_then(|()| memory_for(rows, names.len()));
    let mut values = match checked {
        Ok(values) => values,
        Err(of_names) => return fault(None, of_names),
    };
    for (part, own) in parts.iter().zip(order) {
        let places: Vec<Vec<usize>> = own.iter().zip(&merged).map(level_places).collect();
        let Matrix::Dense(matrix) = &part.matrix else {
            continue;
        };
        for row in 0..matrix.rows {
            let cells = matrix.row(row);
            for ((column, merged), places) in own.iter().zip(&merged).zip(&places) {
                let own = &cells[column.features.clone()];
                let Some(factor) = &merged.factor else {
                    values.push(own[0]);
                    continue;
                };
                let start = values.len();
                // A missing cell is missing in the features of all levels.
                let is_missing = own.iter().all(|cell| cell.is_nan());
                let filling = if is_missing { f64::NAN } else { 0.0 };
                values.resize(start + factor.levels.len(), filling);
                if !is_missing {
                    let cells = places.iter().zip(own);
                    cells.for_each(|(&place, &cell)| values[start + place] = cell);
                }
            }
        }
    }
    let factors: Vec<Factor> = merged
        .into_iter()
        .filter_map(|column| column.factor)
        .collect();
    if options.categorical == Categorical::Auto {
        tell(&factors.iter().collect::<Vec<_>>(), source);
    }
    Ok(Features {
        matrix: Matrix::Dense(Dense {
            rows,
            columns: names.len(),
            values,
        }),
        names,
        factors,
    })
}

/// The column at a place of the order, of all files.
fn merge(parts: &[Dataset], order: &[Vec<Column<'_>>], at: usize) -> Result<Merged> {
    let name = order[0][at].name.to_string();
    let each = || parts.iter().zip(order.iter().map(|own| &own[at]));
    let Some((text, _)) = each().find(|(_, column)| column.factor.is_some()) else {
        return Ok(Merged { name, factor: None });
    };
    let is_missing = |part: &Dataset, column: &Column<'_>| match &part.matrix {
        Matrix::Dense(matrix) => {
            (0..matrix.rows).all(|row| matrix.row(row)[column.features.start].is_nan())
        }
        Matrix::Sparse(_) => false,
    };
    let mut levels: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for (part, column) in each() {
        match column.factor {
            Some(factor) => {
                let new = factor
                    .levels
                    .iter()
                    .filter(|level| seen.insert(level.as_str()));
                levels.extend(new.cloned());
            }
            None if is_missing(part, column) => {}
            None => {
                return Err(bad(
                    &part.source,
                    None,
                    Some(quote(&name)),
                    format!("the column holds numbers, and text in {}", text.source),
                    "write it alike in all files, take its values as levels (--categorical), or leave it out (--drop)",
                ));
            }
        }
    }
    let levels = in_order(&levels)
        .into_iter()
        .map(|at| levels[at].clone())
        .collect();
    let factor = Factor {
        name: name.clone(),
        levels,
    };
    Ok(Merged {
        name,
        factor: Some(factor),
    })
}

/// The places of a file's levels among those of all files.
fn level_places((own, merged): (&Column<'_>, &Merged)) -> Vec<usize> {
    let (Some(own), Some(all)) = (own.factor, &merged.factor) else {
        return Vec::new();
    };
    let place = |level: &String| all.levels.iter().position(|one| one == level);
    own.levels.iter().filter_map(place).collect()
}
