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

/// What is different in lists of names.
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
mod tests {
    use super::*;

    fn rows(n: usize, seed: u64) -> Rows {
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        // The third column does not vary, and the others are far from zero.
        let row = |next: &mut dyn FnMut() -> f64| [next() + 100.0, 3.0 * next(), 7.25];
        let values: Vec<f64> = (0..n).flat_map(|_| row(&mut next)).collect();
        Rows {
            matrix: Matrix::Dense(Dense {
                rows: n,
                columns: 3,
                values,
            }),
            targets: vec![(0..n).map(|_| next()).collect()],
            weights: Some((0..n).map(|i| (i % 3) as f64).collect()),
            offset: None,
        }
    }

    fn names() -> (Vec<String>, Vec<String>) {
        (["a", "b", "c"].map(String::from).into(), vec!["y".into()])
    }

    fn factors(n: usize, seed: u64) -> Factors {
        let (features, targets) = names();
        let folds: Vec<i64> = (0..n as i64).map(|i| i % 4 - 1).collect();
        Factors::of(features, targets, &rows(n, seed), &folds).unwrap()
    }

    /// Σ s (1, x, y)(1, x, y)ᵀ.
    fn sums(rows: &Rows, is_own: impl Fn(usize) -> bool) -> Vec<f64> {
        let Matrix::Dense(matrix) = &rows.matrix else {
            panic!("dense");
        };
        let mut sums = vec![0.0; 25];
        for i in (0..matrix.rows).filter(|&i| is_own(i)) {
            let x = matrix.row(i);
            let row = [1.0, x[0], x[1], x[2], rows.targets[0][i]];
            let weight = rows.weights.as_ref().unwrap()[i];
            for a in 0..5 {
                for b in 0..5 {
                    sums[5 * a + b] += weight * row[a] * row[b];
                }
            }
        }
        sums
    }

    #[test]
    fn few_rows_have_the_sums_of_all() {
        for n in [400, 9] {
            let all = rows(n, 5);
            for fold in &factors(n, 5).folds {
                let expected = sums(&all, |i| (i % 4) as i64 - 1 == fold.number);
                let found = sums(&fold.few, |_| true);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0));
                }
                let Matrix::Dense(few) = &fold.few.matrix else {
                    panic!("dense");
                };
                assert!(few.rows <= 5 && (0..few.rows).all(|i| few.row(i)[2] == 7.25));
            }
        }
    }

    #[test]
    fn files_are_read_back_and_joined() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["1", "2"].map(|name| folder.path().join(name)).into();
        factors(40, 1).write(&paths[0]).unwrap();
        factors(60, 2).write(&paths[1]).unwrap();
        assert_eq!(Factors::read(&paths[0]).unwrap(), factors(40, 1));
        let joined = Joined::read(&paths).unwrap();
        assert_eq!((joined.rows, joined.few.matrix.rows()), (100, 40));
        let (first, second) = (rows(40, 1), rows(60, 2));
        let expected = sums(&first, |_| true);
        let expected = expected
            .iter()
            .zip(sums(&second, |_| true))
            .map(|(a, b)| a + b);
        for (found, expected) in sums(&joined.few, |_| true).iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0));
        }
    }

    #[test]
    fn what_is_no_part_of_the_same_data_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [first, other] = ["1", "2"].map(|name| folder.path().join(name));
        let good = factors(40, 1);
        good.write(&first).unwrap();
        let mut columns = good.clone();
        columns.features[1] = "z".into();
        let mut folds = factors(40, 2);
        folds.folds.pop();
        let bytes = good.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let newer = text.replace("factors 1\n", "factors 2\n").into_bytes();
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for (bytes, message) in [
            (columns.to_bytes(), "it has \"z\" where"),
            (folds.to_bytes(), "its folds are [0, 1]"),
            (bytes.clone(), "the same rows as"),
            (newer, "another version"),
            (flipped, "damaged"),
            (bytes[..bytes.len() - 8].to_vec(), "damaged"),
            (bytes[..30].to_vec(), "damaged"),
            (b"a,b,c\n1,2,3\n".to_vec(), "no sufficient statistics"),
            (Vec::new(), "no sufficient statistics"),
        ] {
            std::fs::write(&other, bytes).unwrap();
            let paths = [first.clone(), other.clone()];
            let error = Joined::read(&paths).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert!(Joined::read(&[]).is_err());
        assert!(Joined::read(&[folder.path().join("none")]).is_err());
    }

    #[test]
    fn any_damage_is_refused() {
        let mut good = factors(40, 1);
        good.features[2] = "d".into();
        let bytes = good.to_bytes();
        assert_eq!(Factors::of_bytes(&bytes).as_ref(), Ok(&good));
        let refused = |bytes: &[u8], what: &str| {
            let error = Factors::of_bytes(bytes).unwrap_err();
            assert_eq!(error.0, "it is damaged or cut off", "{what}");
        };
        let ends: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] == b'\n').collect();
        let (start, end) = (ends[0] + 1, ends[1]);
        let text = std::str::from_utf8(&bytes[start..end]).unwrap();
        let with = |header: &str, numbers: &[u8]| {
            let head = [&bytes[..start], header.as_bytes(), b"\n"].concat();
            [&head, numbers].concat()
        };
        let numbers = &bytes[end + 1..];
        // The digest stays.
        for (from, to) in [
            (r#""kept":5"#, r#""kept":4"#),
            (r#""number":1"#, r#""number":7"#),
            (r#""rows":10"#, r#""rows":11"#),
            (r#"["a","b","d"]"#, r#"["b","a","d"]"#),
            (r#"["y"]"#, r#"["z"]"#),
            (r#""digest":""#, r#""digest":"0"#),
            (r#""digest""#, r#""other""#),
        ] {
            assert!(text.contains(from), "{from}: {text}");
            refused(&with(&text.replacen(from, to, 1), numbers), from);
        }
        for at in [0, numbers.len() / 2, numbers.len() - 1] {
            let mut flipped = numbers.to_vec();
            flipped[at] ^= 1;
            refused(&with(text, &flipped), "a bit");
        }
        // The digest is right, and what it is of does not fit together.
        let header: Value = serde_json::from_str(text).unwrap();
        let anew = |change: &dyn Fn(&mut Value), numbers: &[u8]| {
            let mut header = header.clone();
            header.as_object_mut().unwrap().remove(DIGEST);
            change(&mut header);
            header[DIGEST] = digest(&header, numbers).into();
            with(&header.to_string(), numbers)
        };
        assert_eq!(anew(&|_| {}, numbers), bytes);
        let more = |count: usize| [numbers, &vec![0; count]].concat();
        refused(&anew(&|_| {}, &more(8)), "a number more");
        refused(&anew(&|_| {}, &more(3)), "bytes more");
        refused(&anew(&|_| {}, &numbers[..numbers.len() - 8]), "one less");
        for (fold, number) in [(1, -1), (2, 0), (0, 3)] {
            let change = |header: &mut Value| header["folds"][fold]["number"] = number.into();
            refused(&anew(&change, numbers), "the order of folds");
        }
    }
}
