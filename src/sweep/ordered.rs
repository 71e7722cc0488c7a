//! Folds of rows in their order: blocks of consecutive rows, and folds in time, which learn from rows before
//! those that they hold out.

use std::fmt;
use std::str::FromStr;

use super::folds::Fold;
use crate::error::{Error, Result};

/// A scheme by which rows are held out in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// K folds of rows that are dealt at random.
    Random {
        /// K.
        folds: usize,
    },
    /// K folds of consecutive rows.
    Contiguous {
        /// K.
        folds: usize,
    },
    /// K blocks in time; each fold learns from all rows before its block.
    Expanding {
        /// K.
        folds: usize,
    },
    /// The same from the last rows before the block alone.
    Rolling {
        /// K.
        folds: usize,
        /// The most rows that a fold learns from.
        width: usize,
    },
}

impl Scheme {
    /// The number of folds.
    #[must_use]
    pub fn folds(self) -> usize {
        match self {
            Self::Random { folds }
            | Self::Contiguous { folds }
            | Self::Expanding { folds }
            | Self::Rolling { folds, .. } => folds,
        }
    }

    /// Whether rows are dealt at random.
    #[must_use]
    pub fn is_random(self) -> bool {
        matches!(self, Self::Random { .. })
    }

    /// Whether folds learn from earlier rows alone.
    #[must_use]
    pub fn is_in_time(self) -> bool {
        matches!(self, Self::Expanding { .. } | Self::Rolling { .. })
    }
}

impl FromStr for Scheme {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let explain = || {
            "give a whole number, 2 or more; or contiguous:K, expanding:K or rolling:K:WIDTH, whose rows are in \
             the order of the file"
                .to_string()
        };
        let parts: Vec<&str> = text.trim().split(':').map(str::trim).collect();
        let number = |text: &str, least: usize| match text.parse::<usize>() {
            Ok(value) if value >= least => Ok(value),
            _ => Err(explain()),
        };
        Ok(match parts.as_slice() {
            [folds] => Self::Random {
                folds: number(folds, 2)?,
            },
            ["contiguous", folds] => Self::Contiguous {
                folds: number(folds, 2)?,
            },
            ["expanding", folds] => Self::Expanding {
                folds: number(folds, 2)?,
            },
            ["rolling", folds, width] => Self::Rolling {
                folds: number(folds, 2)?,
                width: number(width, 2)?,
            },
            _ => return Err(explain()),
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { folds } => write!(f, "{folds}"),
            Self::Contiguous { folds } => write!(f, "contiguous:{folds}"),
            Self::Expanding { folds } => write!(f, "expanding:{folds}"),
            Self::Rolling { folds, width } => write!(f, "rolling:{folds}:{width}"),
        }
    }
}

/// K folds of consecutive rows, the first of which have one row more where K does not divide the rows.
///
/// # Errors
/// [`Error::Value`] for fewer than two folds or more folds than rows.
pub fn contiguous_folds(rows: usize, folds: usize) -> Result<Vec<Fold>> {
    if folds < 2 || folds > rows {
        return Err(Error::value(
            "--cv",
            format!("{folds} folds of {rows} rows"),
            "give at least 2 folds and at most as many as there are rows",
        ));
    }
    let (size, larger) = (rows / folds, rows % folds);
    let start = |fold: usize| fold * size + fold.min(larger);
    let fold = |number: usize| Fold {
        number: number as i64,
        repeat: 0,
        held_out: Some((start(number)..start(number + 1)).collect()),
        training: None,
    };
    Ok((0..folds).map(fold).collect())
}

/// Folds in time: the last K blocks of n/(K + 1) rows, rounded down, are held out one after the other. Each
/// fold learns from the rows before its block, less the last `gap` of them, and of what is left from the
/// last `width`, if that is given.
///
/// # Errors
/// [`Error::Value`] where a block would be empty, or a fold would learn from fewer than two rows.
pub fn folds_in_time(
    rows: usize,
    folds: usize,
    width: Option<usize>,
    gap: usize,
) -> Result<Vec<Fold>> {
    let size = rows / folds.saturating_add(1);
    if folds < 2 || size == 0 {
        return Err(Error::value(
            "--cv",
            format!("{folds} folds in time of {rows} rows"),
            "give at least 2 folds and fewer than there are rows",
        ));
    }
    let first = rows - folds * size;
    let fewest = first.saturating_sub(gap).min(width.unwrap_or(first));
    if fewest < 2 {
        return Err(Error::value(
            if gap > 0 { "--gap" } else { "--cv" },
            format!(
                "the first of {folds} folds in time of {rows} rows learns from {fewest} of the {first} rows before \
                 its block"
            ),
            "give a smaller gap or fewer folds: a fit needs two rows",
        ));
    }
    let fold = |number: usize| {
        let start = first + number * size;
        let end = start - gap;
        let begin = width.map_or(0, |width| end.saturating_sub(width));
        Fold {
            number: number as i64,
            repeat: 0,
            held_out: Some((start..start + size).collect()),
            training: Some((begin..end).collect()),
        }
    };
    Ok((0..folds).map(fold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(rows: Option<&Vec<usize>>) -> (usize, usize) {
        let rows = rows.unwrap();
        assert!(rows.is_sorted());
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        assert_eq!(last + 1 - first, rows.len(), "consecutive");
        (first, last + 1)
    }

    /// scikit-learn 1.9.1: `KFold(4)` of 23 rows.
    #[test]
    fn blocks_are_those_of_an_unshuffled_k_fold() {
        let folds = contiguous_folds(23, 4).unwrap();
        let blocks: Vec<_> = folds.iter().map(|f| range(f.held_out.as_ref())).collect();
        assert_eq!(blocks, [(0, 6), (6, 12), (12, 18), (18, 23)]);
        assert_eq!(
            folds[1].training_rows(23),
            [(0..6).collect::<Vec<_>>(), (12..23).collect()].concat()
        );
    }

    /// scikit-learn 1.9.1: `TimeSeriesSplit(n_splits, gap=gap, max_train_size=width)`, each fold as (first
    /// training row, first row after them, first and last of the held-out rows alike).
    #[test]
    fn folds_in_time_are_those_of_scikit_learn() {
        type Rows = [usize; 4];
        type Case = (usize, usize, Option<usize>, usize, &'static [Rows]);
        let cases: [Case; 5] = [
            (
                23,
                4,
                None,
                0,
                &[
                    [0, 7, 7, 11],
                    [0, 11, 11, 15],
                    [0, 15, 15, 19],
                    [0, 19, 19, 23],
                ],
            ),
            (
                23,
                4,
                Some(5),
                0,
                &[
                    [2, 7, 7, 11],
                    [6, 11, 11, 15],
                    [10, 15, 15, 19],
                    [14, 19, 19, 23],
                ],
            ),
            (
                23,
                4,
                Some(9),
                2,
                &[
                    [0, 5, 7, 11],
                    [0, 9, 11, 15],
                    [4, 13, 15, 19],
                    [8, 17, 19, 23],
                ],
            ),
            (
                100,
                3,
                None,
                7,
                &[[0, 18, 25, 50], [0, 43, 50, 75], [0, 68, 75, 100]],
            ),
            (5, 2, None, 1, &[[0, 2, 3, 4], [0, 3, 4, 5]]),
        ];
        for (rows, count, width, gap, expected) in cases {
            let folds = folds_in_time(rows, count, width, gap).unwrap();
            let found: Vec<Rows> = folds
                .iter()
                .map(|fold| {
                    let (a, b) = range(fold.training.as_ref());
                    let (c, d) = range(fold.held_out.as_ref());
                    [a, b, c, d]
                })
                .collect();
            assert_eq!(found, expected, "{rows} rows");
        }
    }

    #[test]
    fn what_leaves_no_rows_is_refused() {
        for (found, message) in [
            (contiguous_folds(4, 5), "5 folds of 4 rows"),
            (contiguous_folds(4, 1), "at least 2 folds"),
            (folds_in_time(4, 4, None, 0), "4 folds in time of 4 rows"),
            (
                folds_in_time(4, usize::MAX, None, 0),
                "fewer than there are rows",
            ),
            (folds_in_time(5, 4, None, 0), "learns from 1 of the 1 rows"),
            (folds_in_time(23, 4, None, 6), "learns from 1 of the 7 rows"),
            (folds_in_time(23, 4, None, usize::MAX), "smaller gap"),
            (folds_in_time(23, 4, Some(1), 0), "learns from 1 of"),
        ] {
            let error = found.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn schemes_read_back_and_others_are_explained() {
        for text in ["5", "contiguous:3", "expanding:12", "rolling:4:250"] {
            assert_eq!(text.parse::<Scheme>().unwrap().to_string(), text);
        }
        for text in [
            "1",
            "0",
            "",
            "a",
            "-2",
            "expanding",
            "expanding:1",
            "expanding:5:3",
            "rolling:5",
            "rolling:5:0",
            "rolling:5:1",
            "rolling:5:",
            "contiguous:5:1",
            "Expanding:5",
            "shuffled:5",
            "5:5",
        ] {
            let message = text.parse::<Scheme>().unwrap_err();
            assert!(message.contains("rolling:K:WIDTH"), "{text}: {message}");
        }
    }
}
