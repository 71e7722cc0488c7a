//! Spearman's rank correlation.

use crate::linalg::statistics::ranks;

/// Spearman's rank correlation of the places where both are finite, equal values sharing the mean of their
/// ranks; `None` where either does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let both = a.iter().zip(b);
    let (a, b): (Vec<f64>, Vec<f64>) = both.filter(|(a, b)| a.is_finite() && b.is_finite()).unzip();
    let (a, b) = (centred_ranks(&a), centred_ranks(&b));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    (scale > 0.0).then(|| product(&a, &b) / scale)
}

/// Ranks less their mean.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let centre = (values.len() as f64 - 1.0) / 2.0;
    ranks(values)
        .into_iter()
        .map(|rank| rank - centre)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_what_counts_and_ties_share_theirs() {
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-15, "{found:?}");
        };
        close(correlation(&[1.0, 5.0, 2.0], &[-3.0, 100.0, 0.0]), 1.0);
        close(correlation(&[1.0, 5.0, 2.0], &[3.0, 1.0, 2.0]), -1.0);
        // Ranks 0.5, 0.5, 2 and 0, 1, 2.
        close(
            correlation(&[0.0, -0.0, 4.0], &[1.0, 2.0, 3.0]),
            1.5 / (1.5 * 2.0f64).sqrt(),
        );
        close(
            correlation(&[f64::NAN, 1.0, 2.0, 7.0], &[0.0, 1.0, 2.0, f64::NAN]),
            1.0,
        );
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(correlation(&[], &[]), None);
    }
}
