//! Data that travel inside the program, so that it shows itself without any file.

use super::dataset::Dataset;
use super::readers::{Format, ReadOptions, parse_dataset};
use crate::error::Result;

static DIABETES: &[u8] = include_bytes!("embedded/diabetes.csv");

/// The diabetes data of B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, *Least Angle
/// Regression*, Annals of Statistics 32 (2004): 442 patients × 10 baseline variables (`age`, `sex`,
/// `bmi`, `bp`, serum measurements `s1` to `s6`) in raw units; the target `progression` is a measure
/// of disease progression one year later. The numbers are those of the scikit-learn package.
///
/// # Errors
/// None in practice: the bytes are part of the program.
pub fn diabetes() -> Result<Dataset> {
    parse_dataset(
        DIABETES,
        Format::Csv,
        "embedded diabetes data (Efron et al. 2004)",
        &ReadOptions::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Labels, Matrix};

    #[test]
    fn diabetes_data_are_the_published_ones() {
        let data = diabetes().unwrap();
        let names = [
            "age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6",
        ];
        assert_eq!(data.feature_names, names);
        let Matrix::Dense(x) = &data.matrix else {
            panic!("dense data expected")
        };
        assert_eq!((x.rows, x.columns), (442, 10));
        assert_eq!(
            x.row(0),
            [59., 2., 32.1, 101., 157., 93.2, 38., 4., 4.8598, 87.]
        );
        assert_eq!(data.targets[0].name, "progression");
        let Labels::Numbers(y) = &data.targets[0].values else {
            panic!("numbers expected")
        };
        assert_eq!((y[0], y[441]), (151.0, 57.0));
        // Sums taken from scikit-learn's load_diabetes(scaled=False).
        assert_eq!(y.iter().sum::<f64>(), 67_243.0);
        let sum: f64 = x.values.iter().sum();
        assert!((sum / 276404.2336 - 1.0).abs() < 1e-12, "{sum}");
    }
}
