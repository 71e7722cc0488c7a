//! Folds: the rows that are held out together. All of it is decided by the labels, the groups and the seed.

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::dataset::Labels;
use crate::error::{Error, Result};

/// The most folds of all repetitions together.
pub(super) const MOST_FOLDS: usize = 100_000;
/// The most held-out rows of all repetitions together: 2 GiB of numbers.
pub(super) const MOST_ROWS: usize = 1 << 28;

/// One split of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The fold's number: from 0, or as the user's file has it.
    pub number: i64,
    /// The repetition that it belongs to, from 0.
    pub repeat: usize,
    /// The held-out rows, ascending; `None` takes the validation files' rows, or the training rows
    /// where there are none.
    pub held_out: Option<Vec<usize>>,
    /// The rows to learn from, ascending, where these are not all that are not held out: those before the
    /// held-out ones, in folds in time.
    pub training: Option<Vec<usize>>,
}

impl Fold {
    /// A fold that learns from all rows.
    #[must_use]
    pub fn of_all_rows() -> Self {
        Self {
            number: 0,
            repeat: 0,
            held_out: None,
            training: None,
        }
    }

    /// The rows to learn from, ascending, of `rows`.
    #[must_use]
    pub fn training_rows(&self, rows: usize) -> Vec<usize> {
        if let Some(training) = &self.training {
            return training.clone();
        }
        let Some(held_out) = &self.held_out else {
            return (0..rows).collect();
        };
        let mut is_held_out = vec![false; rows];
        held_out.iter().for_each(|&i| is_held_out[i] = true);
        (0..rows).filter(|&i| !is_held_out[i]).collect()
    }
}

/// Ways to deal rows to folds.
#[derive(Debug, Clone, Copy)]
pub enum Dealing<'a> {
    /// At random.
    Plain,
    /// At random within every class, so that each fold has its share of it.
    Stratified(&'a Labels),
    /// Rows of one group go to the same fold.
    Grouped(&'a Labels),
}

/// K folds, `repeats` times, each repetition with a shuffle of its own.
///
/// # Errors
/// [`Error::Value`] for fewer than two folds or more folds than rows or groups, for classes with fewer
/// rows than folds, and for more than 100 000 folds in all, or rows in them than memory holds.
pub fn k_folds(
    rows: usize,
    folds: usize,
    repeats: usize,
    dealing: Dealing<'_>,
    seed: u64,
) -> Result<Vec<Fold>> {
    if folds < 2 || folds > rows {
        return Err(Error::value(
            "--cv",
            format!("{folds} folds of {rows} rows"),
            "give at least 2 folds and at most as many as there are rows",
        ));
    }
    let most = (MOST_FOLDS / folds).min(MOST_ROWS / rows).max(1);
    if repeats > most {
        return Err(Error::value(
            "--repeats",
            format!("{repeats} repetitions of {folds} folds of {rows} rows are too many"),
            format!("give at most {most}"),
        ));
    }
    let mut all = Vec::with_capacity(folds * repeats);
    for repeat in 0..repeats {
        // Streams of one seed are independent of each other.
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(repeat as u64);
        let fold_of = match dealing {
            Dealing::Plain => {
                let mut order: Vec<usize> = (0..rows).collect();
                order.shuffle(&mut generator);
                deal(rows, std::iter::once(order.as_slice()), folds)
            }
            Dealing::Stratified(labels) => {
                let mut classes = members(labels);
                check_classes(&classes, folds)?;
                for class in &mut classes {
                    class.1.shuffle(&mut generator);
                }
                deal(rows, classes.iter().map(|class| class.1.as_slice()), folds)
            }
            Dealing::Grouped(labels) => {
                let mut groups = members(labels);
                if groups.len() < folds {
                    return Err(Error::value(
                        "--cv",
                        format!("{folds} folds of {} groups", groups.len()),
                        "give at most as many folds as there are groups",
                    ));
                }
                groups.shuffle(&mut generator);
                deal_groups(rows, groups, folds)
            }
        };
        for fold in 0..folds {
            let held_out: Vec<usize> = (0..rows).filter(|&i| fold_of[i] == fold).collect();
            all.push(Fold {
                number: (repeat * folds + fold) as i64,
                repeat,
                held_out: Some(held_out),
                training: None,
            });
        }
    }
    Ok(all)
}

/// The folds that a user has given: a number per row; rows with a negative number are never held
/// out. Folds are in the order of their numbers.
///
/// # Errors
/// [`Error::Shape`] when there is not one number per row, [`Error::Value`] when one is not whole,
/// or fewer than two folds are named, or a fold leaves no rows to learn from.
pub fn given_folds(numbers: &[f64], rows: usize) -> Result<Vec<Fold>> {
    if numbers.len() != rows {
        return Err(Error::shape(
            "--folds",
            format!("{rows} numbers, one per row of the data"),
            numbers.len().to_string(),
            "give the fold of every row",
        ));
    }
    let mut folds: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, &number) in numbers.iter().enumerate() {
        if number.fract() != 0.0 || number.abs() > 1e9 {
            return Err(Error::value(
                "--folds",
                format!("row {} has {number}", row + 1),
                "give whole numbers; a negative one keeps a row out of every fold",
            ));
        }
        if number >= 0.0 {
            folds.entry(number as i64).or_default().push(row);
        }
    }
    let trains = folds.values().all(|held_out| held_out.len() < rows);
    if folds.is_empty() || !trains {
        return Err(Error::value(
            "--folds",
            "no fold leaves rows to learn from and rows to be measured on",
            "name two folds or more, or one fold and negative numbers for the other rows",
        ));
    }
    let fold = |(number, held_out): (i64, Vec<usize>)| Fold {
        number,
        repeat: 0,
        held_out: Some(held_out),
        training: None,
    };
    Ok(folds.into_iter().map(fold).collect())
}

/// The fold of every row, dealt in turn through all lists one after the other, so that both the
/// folds and every list's shares differ by at most one.
fn deal<'a>(rows: usize, lists: impl Iterator<Item = &'a [usize]>, folds: usize) -> Vec<usize> {
    let mut fold_of = vec![0; rows];
    for (at, &row) in lists.flatten().enumerate() {
        fold_of[row] = at % folds;
    }
    fold_of
}

/// Groups in their (shuffled) order, each to the fold with the fewest rows so far. Largest first would be
/// more even, and the same folds in every repetition.
fn deal_groups(rows: usize, groups: Vec<(String, Vec<usize>)>, folds: usize) -> Vec<usize> {
    let mut sizes = vec![0usize; folds];
    let mut fold_of = vec![0; rows];
    for (_, members) in groups {
        let smallest = (0..folds).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
        sizes[smallest] += members.len();
        members.iter().for_each(|&row| fold_of[row] = smallest);
    }
    fold_of
}

/// The rows of every label, labels in the order of their first row.
pub(super) fn members(labels: &Labels) -> Vec<(String, Vec<usize>)> {
    let name = |row: usize| match labels {
        Labels::Numbers(values) => (values[row] + 0.0).to_string(),
        Labels::Text(values) => values[row].clone(),
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut members: Vec<(String, Vec<usize>)> = Vec::new();
    for row in 0..labels.len() {
        let name = name(row);
        let place = *places.entry(name.clone()).or_insert_with(|| {
            members.push((name, Vec::new()));
            members.len() - 1
        });
        members[place].1.push(row);
    }
    members
}

fn check_classes(classes: &[(String, Vec<usize>)], folds: usize) -> Result<()> {
    match classes.iter().find(|(_, rows)| rows.len() < folds) {
        None => Ok(()),
        Some((name, rows)) => Err(Error::value(
            "--stratified",
            format!("class {name:?} has {} rows for {folds} folds", rows.len()),
            "use fewer folds, or drop --stratified if the target is a number",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(folds: &[Fold]) -> Vec<usize> {
        let held_out = |fold: &Fold| fold.held_out.as_ref().map_or(0, Vec::len);
        folds.iter().map(held_out).collect()
    }

    #[test]
    fn folds_partition_the_rows_in_every_repetition() {
        let folds = k_folds(23, 4, 3, Dealing::Plain, 5).unwrap();
        assert_eq!(folds.len(), 12);
        for repeat in 0..3 {
            let of_repeat: Vec<Fold> = folds
                .iter()
                .filter(|fold| fold.repeat == repeat)
                .cloned()
                .collect();
            let mut all: Vec<usize> = of_repeat
                .iter()
                .flat_map(|fold| fold.held_out.clone().unwrap())
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..23).collect::<Vec<_>>());
            assert_eq!(sizes(&of_repeat), [6, 6, 6, 5]);
        }
        assert_ne!(folds[0].held_out, folds[4].held_out, "repeats differ");
        assert_ne!(folds, k_folds(23, 4, 3, Dealing::Plain, 6).unwrap());
        assert_eq!(folds[7].number, 7);
        assert_eq!(folds[0].training_rows(23).len(), 17);
    }

    #[test]
    fn strata_have_their_share_in_every_fold() {
        let labels = Labels::Text((0..50).map(|i| format!("{}", i % 5 == 0)).collect());
        for fold in k_folds(50, 5, 1, Dealing::Stratified(&labels), 0).unwrap() {
            let held_out = fold.held_out.unwrap();
            assert_eq!(held_out.len(), 10);
            assert_eq!(held_out.iter().filter(|&i| i % 5 == 0).count(), 2);
        }
    }

    #[test]
    fn groups_stay_together() {
        let labels = Labels::Numbers((0..40).map(|i| f64::from(i / 3)).collect());
        let folds = k_folds(40, 4, 2, Dealing::Grouped(&labels), 1).unwrap();
        for fold in &folds {
            let held_out = fold.held_out.clone().unwrap();
            assert!(held_out.len() >= 9 && held_out.len() <= 12, "{held_out:?}");
            for i in 0..40 {
                let own = held_out.contains(&i);
                assert_eq!(own, held_out.contains(&((i / 3) * 3)));
            }
        }
    }

    #[test]
    fn given_folds_keep_their_numbers() {
        let folds = given_folds(&[2.0, 0.0, -1.0, 2.0], 4).unwrap();
        assert_eq!(folds.len(), 2);
        assert_eq!((folds[0].number, folds[1].number), (0, 2));
        assert_eq!(folds[1].held_out, Some(vec![0, 3]));
        assert_eq!(folds[1].training_rows(4), [1, 2]);
    }

    #[test]
    fn what_cannot_be_dealt_is_refused() {
        let few = Labels::Text(vec!["a".into(), "b".into(), "b".into(), "b".into()]);
        for (message, found) in [
            ("at least 2 folds", k_folds(4, 1, 1, Dealing::Plain, 0)),
            ("at least 2 folds", k_folds(4, 5, 1, Dealing::Plain, 0)),
            (
                "class \"a\"",
                k_folds(4, 2, 1, Dealing::Stratified(&few), 0),
            ),
            (
                "at most 50000",
                k_folds(4, 2, usize::MAX, Dealing::Plain, 0),
            ),
            (
                "at most 33333",
                k_folds(4, 3, usize::MAX / 3 + 2, Dealing::Plain, 0),
            ),
            ("2 groups", k_folds(4, 3, 1, Dealing::Grouped(&few), 0)),
            ("one per row", given_folds(&[0.0], 2)),
            ("row 2 has 0.5", given_folds(&[0.0, 0.5], 2)),
            ("row 1 has NaN", given_folds(&[f64::NAN, 1.0], 2)),
            ("two folds", given_folds(&[1.0, 1.0], 2)),
            ("two folds", given_folds(&[-1.0, -1.0], 2)),
        ] {
            let error = found.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
