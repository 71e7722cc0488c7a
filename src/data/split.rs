//! The hold-out split.

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
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut training = order.split_off(held_out);
    training.sort_unstable();
    order.sort_unstable();
    Ok((training, order))
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
