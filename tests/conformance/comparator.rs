//! The comparator itself: what is equal passes, what is wrong fails.

use crate::compare::{Sum, difference};

/// An array of 3 problems with 2 × 2 entries each, all different.
fn sample() -> (Vec<f64>, Vec<Sum>) {
    let values: Vec<f64> = (0..12).map(|at| 1.0 + (at as f64 * 0.37).sin()).collect();
    let sums = values.iter().map(|&value| Sum::of(value)).collect();
    (values, sums)
}

#[test]
fn equal_arrays_pass() {
    let (values, expected) = sample();
    assert_eq!(difference(&values, &expected, f64::EPSILON), None);
}

#[test]
fn wrong_arrays_fail() {
    let (values, expected) = sample();
    let changed = |change: &dyn Fn(&mut Vec<f64>)| {
        let mut values = values.clone();
        change(&mut values);
        difference(&values, &expected, f64::EPSILON)
    };
    let one_off = |values: &mut Vec<f64>| values[7] *= 1.0 + 1e-12;
    let swapped = |values: &mut Vec<f64>| (0..4).for_each(|at| values.swap(at, 4 + at));
    let transposed = |values: &mut Vec<f64>| {
        (0..3).for_each(|problem| values.swap(4 * problem + 1, 4 * problem + 2))
    };
    assert!(changed(&one_off).is_some(), "one entry off");
    assert!(changed(&|values| values[3] = f64::NAN).is_some(), "a NaN");
    assert!(
        changed(&|values| values[3] = f64::INFINITY).is_some(),
        "an infinity"
    );
    assert!(changed(&swapped).is_some(), "swapped problems");
    assert!(changed(&transposed).is_some(), "transposed");
    assert!(changed(&|values| values.truncate(8)).is_some(), "truncated");
    assert!(changed(&|values| values.fill(0.0)).is_some(), "zeros");
    let mut nan = expected.clone();
    nan[3].value = f64::NAN;
    assert!(
        difference(&values, &nan, f64::EPSILON).is_some(),
        "a NaN that got lost"
    );
}
