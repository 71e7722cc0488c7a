//! Comparing results: length, then finiteness, then the error scaled by Σ|terms|.

/// A number with the sum of the sizes of the terms that it was computed from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    pub value: f64,
    pub magnitude: f64,
}

impl Sum {
    pub fn of(value: f64) -> Self {
        Self {
            value,
            magnitude: value.abs(),
        }
    }

    pub fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }

    /// The same number, computed from numbers `factor` times as uncertain.
    pub fn conditioned(self, factor: f64) -> Self {
        Self {
            magnitude: self.magnitude * factor.max(1.0),
            ..self
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

/// Roundings of a unit that a result may be off by, per Σ|terms|.
const ROUNDINGS: f64 = 64.0;

/// What is wrong with `found`, if anything.
pub fn difference(found: &[f64], expected: &[Sum], epsilon: f64) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} entries, not {}", found.len(), expected.len()));
    }
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let infinite = expected.value.is_infinite();
        if (infinite && *found != expected.value)
            || (!infinite && found.is_finite() != expected.value.is_finite())
        {
            return Some(format!("entry {at} is {found}, not {}", expected.value));
        }
        if !expected.value.is_finite() {
            continue;
        }
        let error = (found - expected.value).abs();
        if error > ROUNDINGS * epsilon * expected.magnitude {
            return Some(format!(
                "entry {at} is {found:e}, not {:e}: {error:.1e}",
                expected.value
            ));
        }
    }
    None
}

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
