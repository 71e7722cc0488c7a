//! The hold-out split.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// Splits `rows` rows at random into (training, validation), the validation part holding the
/// fraction `fraction` of them, rounded to the nearest whole row. Both parts ascend. The same seed
/// gives the same split on every machine.
///
/// # Errors
/// [`Error::Value`] when the fraction is not between 0 and 1, or a part would be empty.
pub fn hold_out(rows: usize, fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    hold_out_of_classes(&vec![0; rows], fraction, seed)
}

/// The same for rows of classes, one number each: every class gives its share, within one row, and
/// keeps at least one row for training.
///
/// # Errors
/// Those of [`hold_out`], and [`Error::Value`] for fewer training rows than classes.
pub fn hold_out_of_classes(
    classes: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let rows = classes.len();
    let held_out = count(rows, fraction)?;
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &class) in classes.iter().enumerate() {
        members.entry(class).or_default().push(row);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    if rows - held_out < members.len() {
        return Err(Error::value(
            "validation fraction",
            format!(
                "{fraction} of {rows} rows leaves {} for training, and there are {} classes",
                rows - held_out,
                members.len()
            ),
            "choose a smaller fraction, or give more rows",
        ));
    }
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut shares = Vec::with_capacity(members.len());
    let (mut seen, mut given) = (0, 0);
    for class in &mut members {
        class.shuffle(&mut generator);
        seen += class.len();
        // Rounded sums: the shares add up.
        let so_far = (2 * seen * held_out + rows) / (2 * rows);
        shares.push((so_far - given).min(class.len() - 1));
        given = so_far;
    }
    for _ in shares.iter().sum::<usize>()..held_out {
        let left = |at: &usize| members[*at].len() - shares[*at];
        // The first of the largest; there is a class with a row to spare.
        let most = (0..shares.len()).rev().max_by_key(left).unwrap_or(0);
        shares[most] += 1;
    }
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for (class, share) in members.into_iter().zip(shares) {
        validation.extend_from_slice(&class[..share]);
        training.extend_from_slice(&class[share..]);
    }
    training.sort_unstable();
    validation.sort_unstable();
    Ok((training, validation))
}

/// The same of the last rows, in their order; the last `gap` of the others are in neither part.
///
/// # Errors
/// Those of [`hold_out`]; [`Error::Value`] where the gap leaves no row.
pub fn hold_last_out(rows: usize, fraction: f64, gap: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    let first = rows - count(rows, fraction)?;
    if gap >= first {
        return Err(Error::value(
            "--gap",
            format!("{gap} of the {first} rows before those of the test are left out"),
            "give a smaller gap, or fewer test rows",
        ));
    }
    Ok(((0..first - gap).collect(), (first..rows).collect()))
}

/// The number of rows that a fraction holds out.
fn count(rows: usize, fraction: f64) -> Result<usize> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::value(
            "validation fraction",
            format!("{fraction} is not a fraction of the rows"),
            "give a number between 0 and 1, such as 0.25",
        ));
    }
    let held_out = (rows as f64 * fraction).round() as usize;
    if held_out == 0 || held_out >= rows {
        return Err(Error::value(
            "validation fraction",
            format!(
                "{fraction} of {rows} rows leaves {} for training and {held_out} for validation",
                rows - held_out.min(rows)
            ),
            "choose a fraction that leaves each at least one row, or give more rows",
        ));
    }
    Ok(held_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_a_partition_and_depend_on_the_seed_alone() {
        let (training, validation) = hold_out(101, 0.25, 7).unwrap();
        assert_eq!((training.len(), validation.len()), (76, 25));
        assert!(training.is_sorted() && validation.is_sorted());
        let mut all = [training.clone(), validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..101).collect::<Vec<_>>());
        assert_eq!(
            hold_out(101, 0.25, 7).unwrap(),
            (training, validation.clone())
        );
        assert_ne!(hold_out(101, 0.25, 8).unwrap().1, validation);
    }

    #[test]
    fn the_split_of_a_seed_is_pinned() {
        // A change of the generator or the shuffle would silently change every reported result.
        assert_eq!(hold_out(10, 0.3, 0).unwrap().1, [2, 6, 8]);
    }

    #[test]
    fn rows_are_held_out_uniformly() {
        let mut counts = [0usize; 8];
        for seed in 0..4000 {
            for i in hold_out(8, 0.25, seed).unwrap().1 {
                counts[i] += 1;
            }
        }
        // Each count is binomial(4000, 1/4), standard deviation 27; 5 of them either way.
        for count in counts {
            assert!((865..=1135).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn every_class_gives_its_share_and_keeps_a_row() {
        // 40 of class 0, 9 of class 1, one each of 2 and 3, in no order.
        let class = |i: usize| match (i * 37) % 51 {
            0..40 => 0,
            40..49 => 1,
            49 => 2,
            _ => 3,
        };
        let classes: Vec<usize> = (0..51).map(class).collect();
        for seed in 0..200 {
            for (fraction, total) in [(0.25, 13), (0.5, 26), (0.9, 46)] {
                let (training, validation) = hold_out_of_classes(&classes, fraction, seed).unwrap();
                assert_eq!((training.len(), validation.len()), (51 - total, total));
                assert!(training.is_sorted() && validation.is_sorted());
                let of = |part: &[usize], class: usize| {
                    part.iter().filter(|&&i| classes[i] == class).count()
                };
                for class in 0..4 {
                    assert!(of(&training, class) > 0, "class {class} at {fraction}");
                }
                let share = |n: usize| (n * total) as f64 / 51.0;
                assert!((of(&validation, 1) as f64 - share(9)).abs() <= 1.0);
                // The largest class gives the rows that the smallest keep.
                assert!((of(&validation, 0) as f64 - share(40)).abs() <= 3.0);
            }
        }
        let (first, second) = (0..2)
            .map(|seed| hold_out_of_classes(&classes, 0.25, seed).unwrap())
            .fold((None, None), |(_, last), split| (last, Some(split)));
        assert_ne!(first, second);
        let message = hold_out_of_classes(&[0, 1, 2, 3], 0.5, 0).unwrap_err();
        assert!(message.to_string().contains("4 classes"), "{message}");
    }

    #[test]
    fn the_last_rows_are_as_many() {
        for gap in [0, 2, 6] {
            let (training, validation) = hold_last_out(10, 0.25, gap).unwrap();
            assert_eq!(training, (0..7 - gap).collect::<Vec<_>>());
            assert_eq!(validation, [7, 8, 9]);
        }
        for (rows, gap) in [(1, 0), (10, 7), (10, usize::MAX)] {
            assert!(hold_last_out(rows, 0.5, gap).is_err());
        }
    }

    #[test]
    fn empty_parts_and_bad_fractions_are_errors() {
        for (rows, fraction) in [(10, 0.01), (10, 0.99), (0, 0.5), (1, 0.5)] {
            let message = hold_out(rows, fraction, 0).unwrap_err().to_string();
            assert!(message.contains("at least one row"), "{message}");
        }
        for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            let message = hold_out(10, fraction, 0).unwrap_err().to_string();
            assert!(message.contains("between 0 and 1"), "{message}");
        }
    }
}
