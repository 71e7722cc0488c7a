//! The tables of several files as one: their columns matched, the levels of factors put together.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use crate::data::dataset::{Dataset, Labels, Named, Target};
use crate::data::factor::{Factor, in_order};
use crate::data::labels::{labels_of, list, names_of, quote};
use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::data::readers::options::{Categorical, ReadOptions};
use crate::data::readers::part::{Kind, bad};
use crate::data::readers::table::factors::{
    Fault, check_names, fault_of_levels, flag, memory_for, tell,
};
use crate::error::Result;

/// The rows of files one after the other.
pub(super) fn joined(
    mut parts: Vec<Dataset>,
    kinds: &[Vec<Kind>],
    folder: &Path,
    options: &ReadOptions,
) -> Result<Dataset> {
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
        let order = matched(&parts, kinds)?;
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

/// Labels one after the other: numbers where all of them are.
pub(super) fn concatenated<'a>(parts: impl Iterator<Item = &'a Labels> + Clone) -> Labels {
    let numbers = parts.clone().map(|part| match part {
        Labels::Numbers(values) => Some(values.as_slice()),
        Labels::Text(_) => None,
    });
    match numbers.collect::<Option<Vec<&[f64]>>>() {
        Some(numbers) => Labels::Numbers(numbers.concat()),
        None => labels_of(parts.flat_map(names_of).collect()),
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

/// A column of a file, and the features that stand for it.
pub(super) struct Column<'a> {
    pub(in crate::data::readers) name: &'a str,
    pub(in crate::data::readers) kind: Kind,
    /// Its levels, where it is no column of numbers.
    factor: Option<&'a Factor>,
    /// The first of its features, and the one after the last.
    features: Range<usize>,
}

/// The columns of a file in their order; without kinds all are numbers.
pub(super) fn own_columns<'a>(
    names: &'a [String],
    factors: &'a [Factor],
    kinds: &[Kind],
) -> Vec<Column<'a>> {
    let all = vec![Kind::Numbers; if kinds.is_empty() { names.len() } else { 0 }];
    let mut factors = factors.iter();
    let mut at = 0;
    let mut columns = Vec::with_capacity(kinds.len().max(all.len()));
    for &kind in kinds.iter().chain(&all) {
        let factor = match kind {
            Kind::Numbers => None,
            Kind::Factor | Kind::Flags => factors.next(),
        };
        let (name, width) = match factor {
            Some(factor) => (&factor.name, factor.levels.len()),
            None => (&names[at], 1),
        };
        columns.push(Column {
            name,
            kind,
            factor,
            features: at..at + width,
        });
        at += width;
    }
    columns
}

/// Whether no cell of a column is there.
pub(super) fn is_missing(matrix: &Matrix, column: &Column<'_>) -> bool {
    match matrix {
        Matrix::Dense(matrix) => {
            (0..matrix.rows).all(|row| matrix.row(row)[column.features.start].is_nan())
        }
        Matrix::Sparse(_) => false,
    }
}

/// The columns of every file in the order of the first file's.
fn matched<'a>(parts: &'a [Dataset], kinds: &[Vec<Kind>]) -> Result<Vec<Vec<Column<'a>>>> {
    let first = &parts[0];
    let wanted = own_columns(&first.feature_names, &first.factors, &kinds[0]);
    let places: HashMap<&str, usize> = wanted
        .iter()
        .enumerate()
        .map(|(at, one)| (one.name, at))
        .collect();
    let mut all = Vec::with_capacity(parts.len());
    for (part, kinds) in parts.iter().zip(kinds) {
        let mut own = own_columns(&part.feature_names, &part.factors, kinds);
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
    /// Its levels, where it is a factor, or True and False.
    factor: Option<Factor>,
    /// Whether the levels are True and False, and one feature stands for them.
    are_flags: bool,
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
        if let (Categorical::Auto, Some(factor), false) =
            (&options.categorical, &column.factor, column.are_flags)
            && let Some(of_levels) = fault_of_levels(&factor.levels, rows)
        {
            return fault(Some(&column.name), of_levels);
        }
        merged.push(column);
    }
    let names = merged.iter().flat_map(|column| match &column.factor {
        Some(factor) if !column.are_flags => factor
            .levels
            .iter()
            .map(|level| factor.feature(level))
            .collect(),
        _ => vec![column.name.clone()],
    });
    let names: Vec<String> = names.collect();
    let checked = check_names(&names).and_then(|()| memory_for(rows, names.len()));
    let mut values = match checked {
        Ok(values) => values,
        Err(of_names) => return fault(None, of_names),
    };
    for (part, own) in parts.iter().zip(order) {
        let places: Vec<Vec<usize>> = (own.iter().zip(&merged))
            .map(|(own, merged)| level_places(own, merged))
            .collect();
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
                let is_missing = own.iter().all(|cell| cell.is_nan());
                if merged.are_flags {
                    let level = own.iter().position(|&cell| cell == 1.0);
                    let level = column.factor.zip(level);
                    values.push(level.map_or(f64::NAN, |(own, at)| flag(&own.levels[at])));
                    continue;
                }
                let start = values.len();
                // A missing cell is missing in the features of all levels.
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
        .filter(|column| !column.are_flags)
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
        return Ok(Merged {
            name,
            factor: None,
            are_flags: false,
        });
    };
    let are_flags = each().all(|(_, column)| column.kind != Kind::Factor);
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
            None if is_missing(&part.matrix, column) => {}
            None => {
                return Err(bad(
                    &part.source,
                    None,
                    Some(quote(&name)),
                    format!(
                        "the column holds numbers, and {} in {}",
                        if are_flags { "True or False" } else { "text" },
                        text.source
                    ),
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
        are_flags,
    })
}

/// The places of a file's levels among those of all files.
fn level_places(own: &Column<'_>, merged: &Merged) -> Vec<usize> {
    let (Some(own), Some(all)) = (own.factor, &merged.factor) else {
        return Vec::new();
    };
    let place = |level: &String| all.levels.iter().position(|one| one == level);
    own.levels.iter().filter_map(place).collect()
}
