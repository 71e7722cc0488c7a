//! Few rows in place of many: sufficient statistics of the squared loss, fold by fold, that are rows themselves.
//!
//! With the rows of a fold in A = diag(√s) [1 X Y], A = QR, and any orthogonal H,
//!
//! ```text
//! ‖A v‖ = ‖H R v‖   for every v
//! ```
//!
//! H is the reflection that takes the first column of R, (ρ, 0, …, 0) with ρ² = Σs, to (ρ, …, ρ)/√m. So the m rows of
//! H R over their first entry are rows of data of the weight ρ²/m each, whose means, Gram matrix and products with
//! the targets are those of all rows: any sum of squares over the fold is one over them. Folds of parts of a data set
//! are joined by putting their rows together, which is exact in any order and number. What is no sum of
//! squares, such as the mean absolute error, is lost.
//!
//! A file has a line that names the format and its version, a line of JSON (names, folds, a digest of all the rest), and
//! numbers (f64, little-endian): for each fold its weights, targets and features.

use std::hash::Hasher;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::compress::{Source, origin};
use crate::data::matrix::{Dense, Matrix, all_finite};
use crate::error::{Error, Place, Result};
use crate::problem::Rows;

/// The first line of a file.
const FORMAT: &str = "proxdiff factors 1";
/// That of a file of another version.
const ANY_FORMAT: &str = "proxdiff factors ";

/// The key of the digest in a file's line of JSON.
const DIGEST: &str = "digest";

/// The statistics of a part of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// The names of the features.
    pub features: Vec<String>,
    /// The names of the targets.
    pub targets: Vec<String>,
    /// The folds, by ascending number; rows of no fold have the number −1.
    pub folds: Vec<FoldFactors>,
}

/// The statistics of a fold's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldFactors {
    /// The number of the fold.
    pub number: i64,
    /// The number of rows of data.
    pub rows: usize,
    /// The few rows that stand for them, with a weight each.
    pub few: Rows,
}

/// Few rows that stand for all rows of a data set.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The names of the features.
    pub features: Vec<String>,
    /// The names of the targets.
    pub targets: Vec<String>,
    /// The rows, with a weight each.
    pub few: Rows,
    /// The number of its fold for each of these rows.
    pub folds: Vec<f64>,
    /// The number of rows of data.
    pub rows: usize,
}

impl Factors {
    /// Those of rows of data, each in the fold of its number; those of negative numbers are in none.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for sparse rows; [`Error::Value`] for missing cells, a negative weight, and where
    /// no row is in a fold.
    pub fn of(
        features: Vec<String>,
        targets: Vec<String>,
        rows: &Rows,
        fold_of: &[i64],
    ) -> Result<Self> {
        let Matrix::Dense(matrix) = &rows.matrix else {
            return Err(Error::unsupported(
                "sufficient statistics of a sparse matrix",
                "give the data as a dense matrix; few columns of many rows are worth it",
            ));
        };
        if rows.offset.is_some() {
            return Err(Error::unsupported(
                "sufficient statistics of rows with offsets",
                "subtract the offsets from the targets",
            ));
        }
        check(matrix, rows, fold_of)?;
        let weight = |row: usize| rows.weights.as_ref().map_or(1.0, |w| w[row]);
        let mut numbers: Vec<i64> = fold_of.iter().map(|&number| number.max(-1)).collect();
        let of_rows = numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        let origin = origin(matrix, &rows.targets);
        let source = Source {
            matrix,
            targets: &rows.targets,
            origin: &origin,
        };
        let fold = |number: i64| {
            let is_own = |&row: &usize| of_rows[row] == number;
            let all: Vec<usize> = (0..matrix.rows).filter(is_own).collect();
            // Rows without a weight are in no sum.
            let own: Vec<usize> = all
                .iter()
                .copied()
                .filter(|&row| weight(row) > 0.0)
                .collect();
            FoldFactors {
                number,
                rows: all.len(),
                few: few(&source, &own, own.iter().map(|&row| weight(row)).collect()),
            }
        };
        Ok(Self {
            features,
            targets,
            folds: numbers.into_iter().map(fold).collect(),
        })
    }

    /// The bytes of a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut numbers = Vec::new();
        let mut push = |values: &[f64]| {
            numbers.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        };
        for fold in &self.folds {
            push(fold.few.weights.as_deref().unwrap_or_default());
            fold.few.targets.iter().for_each(|target| push(target));
            if let Matrix::Dense(matrix) = &fold.few.matrix {
                push(&matrix.values);
            }
        }
        let fold = |fold: &FoldFactors| json!({"number": fold.number, "rows": fold.rows, "kept": fold.few.matrix.rows()});
        let mut header = json!({
            "features": self.features,
            "targets": self.targets,
            "folds": self.folds.iter().map(fold).collect::<Vec<_>>(),
        });
        header[DIGEST] = digest(&header, &numbers).into();
        let mut bytes = format!("{FORMAT}\n{header}\n").into_bytes();
        bytes.extend(numbers);
        bytes
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let write = || std::fs::File::create(path)?.write_all(&self.to_bytes());
        write().map_err(|source| Error::Io {
            path: path.to_path_buf(),
            source,
            remedy: "choose a place that can be written",
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Data`] when it is no such file, of another version, or damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            source,
            remedy: "give a file that 'proxdiff compress' has written",
        })?;
        Self::of_bytes(&bytes).map_err(|(what, remedy)| Error::Data {
            place: place(path),
            what: what.to_string(),
            remedy: remedy.to_string(),
        })
    }

    /// The statistics in the bytes of a file; or what is wrong and the remedy.
    fn of_bytes(bytes: &[u8]) -> std::result::Result<Self, (&'static str, &'static str)> {
        const ANEW: &str = "make it anew with 'proxdiff compress'";
        let damaged = ("it is damaged or cut off", ANEW);
        let line = |bytes: &[u8]| bytes.iter().position(|&byte| byte == b'\n');
        let first = line(bytes).unwrap_or(0);
        if !bytes.starts_with(ANY_FORMAT.as_bytes()) {
            return Err((
                "it holds no sufficient statistics",
                "give a file that 'proxdiff compress' has written",
            ));
        }
        if bytes[..first] != *FORMAT.as_bytes() {
            return Err((
                "it is of another version of the program",
                "make it anew with 'proxdiff compress' of this version",
            ));
        }
        let rest = &bytes[first + 1..];
        let second = line(rest).ok_or(damaged)?;
        let mut header: Value = serde_json::from_slice(&rest[..second]).map_err(|_| damaged)?;
        let numbers = &rest[second + 1..];
        let own = header
            .as_object_mut()
            .and_then(|header| header.remove(DIGEST));
        let (numbers, tail) = numbers.as_chunks::<8>();
        if own.is_none_or(|own| own != digest(&header, &rest[second + 1..])) || !tail.is_empty() {
            return Err(damaged);
        }
        let names = |key: &str| -> Option<Vec<String>> {
            let names = header[key].as_array()?.iter();
            names.map(|name| Some(name.as_str()?.to_string())).collect()
        };
        let read = || -> Option<Self> {
            let (features, targets) = (names("features")?, names("targets")?);
            let mut values = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes));
            let mut folds: Vec<FoldFactors> = Vec::new();
            for fold in header["folds"].as_array()? {
                let kept = usize::try_from(fold["kept"].as_u64()?).ok()?;
                // No more are taken than there are.
                let mut take = |count: usize| -> Option<Vec<f64>> {
                    let taken: Vec<f64> = values.by_ref().take(count).collect();
                    (taken.len() == count).then_some(taken)
                };
                let weights = take(kept)?;
                let own: Option<Vec<_>> = targets.iter().map(|_| take(kept)).collect();
                let matrix = take(kept.checked_mul(features.len())?)?;
                let number = fold["number"].as_i64()?;
                if folds.last().is_some_and(|before| before.number >= number) {
                    return None;
                }
                folds.push(FoldFactors {
                    number,
                    rows: usize::try_from(fold["rows"].as_u64()?).ok()?,
                    few: Rows {
                        matrix: Matrix::Dense(Dense {
                            rows: kept,
                            columns: features.len(),
                            values: matrix,
                        }),
                        targets: own?,
                        weights: Some(weights),
                        offset: None,
                    },
                });
            }
            // All numbers are of some fold.
            values.next().is_none().then_some(Self {
                features,
                targets,
                folds,
            })
        };
        read().ok_or(damaged)
    }
}

impl Joined {
    /// The rows of the files of all parts of a data set.
    ///
    /// # Errors
    /// Those of [`Factors::read`]; [`Error::Data`] for a file of other columns or other folds than the first, or a
    /// file that is named twice.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut parts: Vec<Factors> = Vec::with_capacity(paths.len());
        for (at, path) in paths.iter().enumerate() {
            let part = Factors::read(path)?;
            let refuse = |what: String, remedy: &str| {
                Err(Error::Data {
                    place: place(path),
                    what,
                    remedy: remedy.to_string(),
                })
            };
            if let Some(first) = parts.first() {
                let columns = [
                    (&part.features, &first.features),
                    (&part.targets, &first.targets),
                ];
                for (kind, [own, of_first]) in ["features", "targets"]
                    .into_iter()
                    .zip(columns.map(|(a, b)| [a, b]))
                {
                    if own != of_first {
                        return refuse(
                            different(kind, own, of_first, &paths[0]),
                            "compress all parts with the same columns in the same order",
                        );
                    }
                }
                let numbers = |part: &Factors| -> Vec<i64> {
                    let folds = part.folds.iter().map(|fold| fold.number);
                    folds.filter(|&number| number >= 0).collect()
                };
                if numbers(&part) != numbers(first) {
                    return refuse(
                        format!(
                            "its folds are {:?}, those of {} are {:?}",
                            numbers(&part),
                            paths[0].display(),
                            numbers(first)
                        ),
                        "compress all parts with the same folds: --cv of one number, or --folds with rows of every fold \
                         in each",
                    );
                }
            }
            if let Some(twice) = parts.iter().position(|other| *other == part) {
                return refuse(
                    format!("it holds the same rows as {}", paths[twice].display()),
                    "name each part once",
                );
            }
            debug_assert_eq!(at, parts.len());
            parts.push(part);
        }
        Self::of(parts)
            .ok_or_else(|| Error::value("--factors", "no file", "name the files of all parts"))
    }

    /// The rows of parts that have the same columns and folds; `None` of none.
    fn of(parts: Vec<Factors>) -> Option<Self> {
        let first = parts.first()?;
        let (features, targets) = (first.features.clone(), first.targets.clone());
        let (mut values, mut weights) = (Vec::new(), Vec::new());
        let mut own = vec![Vec::new(); targets.len()];
        let (mut folds, mut rows) = (Vec::new(), 0);
        for fold in parts.iter().flat_map(|part| &part.folds) {
            let few = &fold.few;
            if let Matrix::Dense(matrix) = &few.matrix {
                values.extend_from_slice(&matrix.values);
            }
            weights.extend_from_slice(few.weights.as_deref().unwrap_or_default());
            for (all, target) in own.iter_mut().zip(&few.targets) {
                all.extend_from_slice(target);
            }
            folds.resize(weights.len(), fold.number as f64);
            rows += fold.rows;
        }
        Some(Self {
            few: Rows {
                matrix: Matrix::Dense(Dense {
                    rows: weights.len(),
                    columns: features.len(),
                    values,
                }),
                targets: own,
                weights: Some(weights),
                offset: None,
            },
            features,
            targets,
            folds,
            rows,
        })
    }
}

/// A file as the place of a fault.
fn place(path: &Path) -> Place {
    Place {
        source: path.display().to_string(),
        ..Place::default()
    }
}

/// The first difference between two lists of names, in words.
fn different(kind: &str, own: &[String], of_first: &[String], first: &Path) -> String {
    let first = first.display();
    if own.len() != of_first.len() {
        return format!(
            "it has {} {kind}, and {first} has {}",
            own.len(),
            of_first.len()
        );
    }
    let pair = own.iter().zip(of_first).find(|(own, other)| own != other);
    match pair {
        Some((own, other)) => {
            format!("its {kind} are others: it has {own:?} where {first} has {other:?}")
        }
        None => format!("its {kind} are others than those of {first}"),
    }
}

/// The digest of a line of JSON, but for the digest itself, and of the numbers.
fn digest(header: &Value, numbers: &[u8]) -> String {
    let mut hash = Xxh3Default::new();
    hash.write(header.to_string().as_bytes());
    hash.write(numbers);
    format!("{:032x}", hash.digest128())
}

/// Refuses rows of which there are no sums of squares, or that are in no fold.
fn check(matrix: &Dense, rows: &Rows, fold_of: &[i64]) -> Result<()> {
    if !all_finite(&matrix.values) || !rows.targets.iter().all(|y| all_finite(y)) {
        return Err(Error::value(
            "rows",
            "cells are missing or not finite, and are filled fold by fold",
            "fill them in before, or leave their rows out (--missing drop)",
        ));
    }
    let is_weight = |w: &f64| w.is_finite() && *w >= 0.0;
    if rows
        .weights
        .as_ref()
        .is_some_and(|w| !w.iter().all(is_weight))
    {
        return Err(Error::value(
            "sample weights",
            "one is negative or not finite",
            "give numbers of zero or more",
        ));
    }
    if fold_of.len() != matrix.rows {
        return Err(Error::shape(
            "folds",
            format!("{} numbers, one per row of the data", matrix.rows),
            fold_of.len().to_string(),
            "give the fold of every row",
        ));
    }
    if fold_of.iter().all(|&number| number < 0) {
        return Err(Error::value(
            "folds",
            "no row is in a fold",
            "give every row that is to be held out the number of a fold",
        ));
    }
    Ok(())
}

/// The few rows that stand for some rows with positive weights.
fn few(source: &Source<'_>, rows: &[usize], weights: Vec<f64>) -> Rows {
    let (d, count) = (source.matrix.columns, source.targets.len());
    let columns = 1 + d + count;
    if rows.len() <= columns {
        return Rows {
            matrix: Matrix::Dense(source.matrix.clone()).select_rows(rows),
            targets: source
                .targets
                .iter()
                .map(|target| rows.iter().map(|&row| target[row]).collect())
                .collect(),
            weights: Some(weights),
            offset: None,
        };
    }
    let mut factor = source.part(rows, Some(weights)).factor;
    let m = factor.rows;
    let rho = factor.values[0];
    let level = (m as f64).sqrt().recip();
    // u = e₁ − (1, …, 1)/√m, and H = I − 2uuᵀ/‖u‖², where ‖u‖² = 2(1 − 1/√m).
    let u = |i: usize| if i == 0 { 1.0 - level } else { -level };
    let scale = (1.0 - level).recip();
    for j in 1..columns {
        let product: f64 = (0..m).map(|i| u(i) * factor.values[i * columns + j]).sum();
        for i in 0..m {
            factor.values[i * columns + j] -= scale * product * u(i);
        }
    }
    let entry = |i: usize, j: usize| {
        // In the first column of H R every entry is ρ/√m.
        source.origin[j] + factor.values[i * columns + 1 + j] / (rho * level)
    };
    Rows {
        matrix: Matrix::Dense(Dense {
            rows: m,
            columns: d,
            values: (0..m)
                .flat_map(|i| (0..d).map(move |j| (i, j)))
                .map(|(i, j)| entry(i, j))
                .collect(),
        }),
        targets: (0..count)
            .map(|t| (0..m).map(|i| entry(i, d + t)).collect())
            .collect(),
        weights: Some(vec![rho * rho / m as f64; m]),
        offset: None,
    }
}

#[cfg(test)]
mod tests;
