//! Statistics of a sample.

/// The mean; NaN of an empty sample.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean, s/√n with s² = Σ (x − x̄)²/(n − 1); NaN of fewer than two values.
pub(crate) fn standard_error(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let count = values.len() as f64;
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / (count - 1.0)).sqrt() / count.sqrt()
}

/// The rank of every value, from 0 for the least; equal values share the mean of their ranks.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    // `==`: zeros of both signs are equal.
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let mean = first as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = mean);
        first += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        // Squares 4, 1, 9: s² = 7.
        let expected = (7.0f64 / 3.0).sqrt();
        assert!((standard_error(&[1.0, 2.0, 6.0]) - expected).abs() < 1e-15);
        assert!(mean(&[]).is_nan() && standard_error(&[1.0]).is_nan());
        assert_eq!(
            ranks(&[3.0, 0.0, -0.0, 7.0, 3.0]),
            [2.5, 0.5, 0.5, 4.0, 2.5]
        );
        assert!(ranks(&[]).is_empty());
    }
}
