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
