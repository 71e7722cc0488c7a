//! Resamples of the rows: what is chosen on many of them is chosen for a reason.

use std::fmt;
use std::str::FromStr;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::folds::{Fold, MOST_FOLDS, MOST_ROWS, members};
use crate::data::dataset::Labels;
use crate::error::{Error, Result};

/// Ways to draw rows anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// As many rows as there are, with replacement.
    Bootstrap,
    /// Half of the rows, without.
    Subsamples,
    /// The same, where every second resample is of rows that the one before it has not. (R. Shah and
    /// R. Samworth, Variable selection with error control, 2013.)
    ComplementaryPairs,
}

impl Drawing {
    const ALL: [Self; 3] = [Self::Bootstrap, Self::Subsamples, Self::ComplementaryPairs];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Subsamples => "subsamples",
            Self::ComplementaryPairs => "complementary pairs",
        }
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Drawing {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|drawing| drawing.name() == text).ok_or(())
    }
}

/// The study of how often features are chosen on resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampling {
    /// The way in which rows are drawn.
    pub drawing: Drawing,
    /// The names of the features.
    pub features: Vec<String>,
}

/// Folds that learn from resamples, each a repetition of its own, and hold out the rows that are not in
/// them. With `strata` each class is drawn for itself.
///
/// # Errors
/// [`Error::Value`] for fewer than two resamples, or an odd number of pairs' halves; for more than memory
/// holds; and for too few rows to draw from.
pub fn resampled_folds(
    rows: usize,
    count: usize,
    drawing: Drawing,
    strata: Option<&Labels>,
    seed: u64,
) -> Result<Vec<Fold>> {
    let refuse = |problem: String, remedy: &str| Err(Error::value("resamples", problem, remedy));
    if count < 2 {
        return refuse(format!("{count} of them"), "give at least 2, better 100");
    }
    if drawing == Drawing::ComplementaryPairs && count % 2 == 1 {
        return refuse(
            format!("{count} of them are no pairs"),
            "give an even number of --subsamples, or leave --complementary out",
        );
    }
    if count > MOST_FOLDS.min(MOST_ROWS / rows.max(1)) {
        return refuse(
            format!("{count} of {rows} rows are too many"),
            "give fewer: 100 tell shares to a twentieth",
        );
    }
    let lists: Vec<Vec<usize>> = match strata {
        None => vec![(0..rows).collect()],
        Some(labels) => members(labels).into_iter().map(|class| class.1).collect(),
    };
    if lists.iter().any(|list| list.len() < 2) || rows < 4 {
        return refuse(
            format!("{rows} rows, of which a class has fewer than 2"),
            "give more rows, or leave --stratified out",
        );
    }
    let draw = |number: usize| resample(rows, &lists, drawing, seed, number);
    Ok((0..count).map(draw).collect())
}

/// The fold of a resample; a bootstrap that leaves no row out is drawn again.
fn resample(rows: usize, lists: &[Vec<usize>], drawing: Drawing, seed: u64, number: usize) -> Fold {
    let is_pair = drawing == Drawing::ComplementaryPairs;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    // Both halves of a pair are cut from one shuffle.
    generator.set_stream(if is_pair { number - number % 2 } else { number } as u64);
    loop {
        let mut training: Vec<usize> = Vec::with_capacity(rows);
        for list in lists {
            if drawing == Drawing::Bootstrap {
                let pick = |_| list[generator.random_range(0..list.len())];
                training.extend((0..list.len()).map(pick));
                continue;
            }
            let mut shuffled = list.clone();
            shuffled.shuffle(&mut generator);
            let half = list.len() / 2;
            let first = if is_pair { number % 2 * half } else { 0 };
            training.extend_from_slice(&shuffled[first..first + half]);
        }
        training.sort_unstable();
        let mut is_drawn = vec![false; rows];
        training.iter().for_each(|&row| is_drawn[row] = true);
        let held_out: Vec<usize> = (0..rows).filter(|&row| !is_drawn[row]).collect();
        if !held_out.is_empty() {
            return Fold {
                number: number as i64,
                repeat: number,
                held_out: Some(held_out),
                training: Some(training),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(fold: &Fold) -> (&[usize], &[usize]) {
        (
            fold.training.as_deref().unwrap(),
            fold.held_out.as_deref().unwrap(),
        )
    }

    #[test]
    fn a_bootstrap_draws_with_replacement_and_holds_the_rest_out() {
        let folds = resampled_folds(40, 200, Drawing::Bootstrap, None, 3).unwrap();
        let mut left_out = 0;
        for fold in &folds {
            let (training, held_out) = parts(fold);
            assert_eq!(training.len(), 40);
            assert!(training.is_sorted());
            for row in 0..40 {
                let is_drawn = training.binary_search(&row).is_ok();
                assert_ne!(is_drawn, held_out.contains(&row));
            }
            left_out += held_out.len();
        }
        // (1 − 1/40)⁴⁰ = 0.3632 of 8000, standard deviation below 43.
        assert!((2906 - 215..2906 + 215).contains(&left_out), "{left_out}");
        assert_ne!(folds[0].training, folds[1].training);
        assert_eq!(
            folds,
            resampled_folds(40, 200, Drawing::Bootstrap, None, 3).unwrap()
        );
        assert_ne!(
            folds,
            resampled_folds(40, 200, Drawing::Bootstrap, None, 4).unwrap()
        );
    }

    #[test]
    fn halves_of_pairs_have_no_row_in_common() {
        let folds = resampled_folds(21, 10, Drawing::ComplementaryPairs, None, 0).unwrap();
        for pair in folds.chunks(2) {
            let ((first, _), (second, held_out)) = (parts(&pair[0]), parts(&pair[1]));
            assert_eq!((first.len(), second.len(), held_out.len()), (10, 10, 11));
            assert!(first.iter().all(|row| !second.contains(row)));
        }
        let halves = resampled_folds(21, 10, Drawing::Subsamples, None, 0).unwrap();
        assert_eq!(parts(&halves[1]).0.len(), 10);
        assert_ne!(halves[0].held_out, halves[2].held_out);
    }

    #[test]
    fn every_class_is_drawn_for_itself() {
        let labels = Labels::Numbers((0..30).map(|i| f64::from(u8::from(i % 10 == 0))).collect());
        for drawing in Drawing::ALL {
            for fold in resampled_folds(30, 20, drawing, Some(&labels), 1).unwrap() {
                let rare = parts(&fold).0.iter().filter(|&row| row % 10 == 0).count();
                let expected = if drawing == Drawing::Bootstrap { 3 } else { 1 };
                assert_eq!(rare, expected, "{drawing}");
            }
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let classes = Labels::Text(["a", "b", "b", "b", "b"].map(String::from).to_vec());
        let one = |rows, count, drawing, strata| resampled_folds(rows, count, drawing, strata, 0);
        for (found, message) in [
            (one(9, 1, Drawing::Bootstrap, None), "at least 2"),
            (one(9, 3, Drawing::ComplementaryPairs, None), "no pairs"),
            (one(9, usize::MAX, Drawing::Bootstrap, None), "too many"),
            (one(3, 2, Drawing::Subsamples, None), "more rows"),
            (
                one(5, 2, Drawing::Subsamples, Some(&classes)),
                "--stratified",
            ),
        ] {
            let error = found.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
