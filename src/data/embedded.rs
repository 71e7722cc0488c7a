//! Data that travel inside the program, so that it shows itself without any file.

use super::dataset::Dataset;
use super::matrix::{Dense, Matrix};
use super::readers::{Format, ReadOptions, parse_dataset, parse_matrix, parse_vector};
use crate::error::Result;

static DIABETES: &[u8] = include_bytes!("embedded/diabetes.csv");
static DIGIT_IMAGES: &[u8] = include_bytes!("embedded/digits-images.idx.gz");
static DIGIT_LABELS: &[u8] = include_bytes!("embedded/digits-labels.idx.gz");
static PUBLISHED_DESIGN: &[u8] = include_bytes!("embedded/published_design.f64");

/// The optical digits of E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, 1998), test
/// part: 1797 pictures of 8 × 8 pixels from 0 to 16, and their classes. The numbers are those of the
/// scikit-learn package.
///
/// # Errors
/// None in practice: the bytes are part of the program.
pub fn digits() -> Result<(Matrix, Vec<f64>)> {
    let name = "embedded digits (Alpaydin and Kaynak 1998)";
    Ok((
        parse_matrix(DIGIT_IMAGES, Format::Idx, name)?,
        parse_vector(DIGIT_LABELS, Format::Idx, name)?,
    ))
}

/// Training and validation rows with their targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Halves {
    /// Training rows.
    pub x: Dense,
    /// One target per training row.
    pub y: Vec<f64>,
    /// Validation rows.
    pub x_val: Dense,
    /// One target per validation row.
    pub y_val: Vec<f64>,
}

/// The design of the deterministic experiment of R. Grazzi, M. Pontil and S. Salzo, *Nonsmooth
/// Implicit Differentiation* (ICML 2024), as it was drawn for the published figures: 100 training
/// and 240 validation rows × 100 features.
#[must_use]
pub fn published_design() -> Halves {
    const SIZES: [(usize, usize); 2] = [(100, 100), (240, 100)];
    let mut numbers = PUBLISHED_DESIGN
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes));
    let mut part = |(rows, columns): (usize, usize)| {
        let values = numbers.by_ref().take(rows * columns).collect();
        let x = Dense {
            rows,
            columns,
            values,
        };
        (x, numbers.by_ref().take(rows).collect())
    };
    let ((x, y), (x_val, y_val)) = (part(SIZES[0]), part(SIZES[1]));
    Halves { x, y, x_val, y_val }
}

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
    fn digits_are_those_of_scikit_learn() {
        let (images, labels) = digits().unwrap();
        assert_eq!(
            (images.rows(), images.columns(), labels.len()),
            (1797, 64, 1797)
        );
        let mut sum = 0.0;
        images.for_each_entry(|_, _, x| sum += x);
        // Sums taken from scikit-learn's load_digits.
        assert_eq!((sum, labels.iter().sum::<f64>()), (561_718.0, 8070.0));
    }

    #[test]
    fn the_published_design_is_complete() {
        let Halves { x, y, x_val, y_val } = published_design();
        assert_eq!(PUBLISHED_DESIGN.len(), 8 * (100 * 101 + 240 * 101));
        assert_eq!((x.values.len(), y.len()), (10_000, 100));
        assert_eq!((x_val.values.len(), y_val.len()), (24_000, 240));
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        assert!(finite(&x.values) && finite(&y) && finite(&x_val.values) && finite(&y_val));
    }

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
