//! The synthetic design of the experiments.
//!
//! ```text
//! w° = |N(0, 1)| on the first 30 of d = 100 coordinates, else 0
//! X ~ N(0, Σ) ,  y = X w° + noise·N(0, 1)
//! ```
//!
//! Σ = I, or, correlated, on the informative block `U diag(s/max s) Uᵀ` with U, s of the singular
//! value decomposition of a 30 × 30 matrix of uniform numbers. 20 % of the samples train; 60 % of
//! the others validate, the rest would test and is not drawn.

use crate::data::random::Random;
use crate::data::{Dense, Matrix, Scaling};
use crate::error::{Error, Result};
use crate::model::loss::Loss;
use crate::problem::{Problem, Rows, Specification};

/// Number of features d.
pub const FEATURES: usize = 100;
/// Number of informative features.
pub const INFORMATIVE: usize = 30;

/// A synthetic design, by its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthetic {
    /// All samples, of which 20 % train and 48 % validate.
    pub samples: usize,
    /// Standard deviation of the targets' noise.
    pub noise: f64,
    /// Correlate the informative features.
    pub correlated: bool,
    /// Seed of the draw.
    pub seed: u64,
}

impl Synthetic {
    /// Draws the problem: squared loss, elastic net, no intercept, columns as they are.
    ///
    /// # Errors
    /// [`Error::Value`] for fewer than 10 samples.
    pub fn problem(&self) -> Result<Problem> {
        if self.samples < 10 {
            return Err(Error::value(
                "samples",
                format!("{} are too few to divide", self.samples),
                "draw at least 10",
            ));
        }
        let mut random = Random::new(self.seed, 0);
        let train = self.samples / 5;
        let validation = (self.samples - train) * 3 / 5;
        let root = self
            .correlated
            .then(|| covariance_root(&mut random))
            .transpose()?;
        let w: Vec<f64> = (0..INFORMATIVE).map(|_| random.normal().abs()).collect();
        let (x, y) = self.rows(train, &w, root.as_deref(), &mut random);
        let (x_val, y_val) = self.rows(validation, &w, root.as_deref(), &mut random);
        problem_of((x, y), (x_val, y_val))
    }

    fn rows(
        &self,
        n: usize,
        w: &[f64],
        root: Option<&[f64]>,
        random: &mut Random,
    ) -> (Dense, Vec<f64>) {
        let mut values = Vec::with_capacity(n * FEATURES);
        let mut y = Vec::with_capacity(n);
        let mut row = [0.0; FEATURES];
        for _ in 0..n {
            row.iter_mut().for_each(|x| *x = random.normal());
            if let Some(root) = root {
                let mut mixed = [0.0; INFORMATIVE];
                for (j, g) in row[..INFORMATIVE].iter().enumerate() {
                    // The root is symmetric: its rows are its columns.
                    for (m, r) in mixed.iter_mut().zip(&root[j * INFORMATIVE..]) {
                        *m += g * r;
                    }
                }
                row[..INFORMATIVE].copy_from_slice(&mixed);
            }
            let signal: f64 = row.iter().zip(w).map(|(x, w)| x * w).sum();
            y.push(signal + self.noise * random.normal());
            values.extend_from_slice(&row);
        }
        let x = Dense {
            rows: n,
            columns: FEATURES,
            values,
        };
        (x, y)
    }
}

/// Training and validation rows as the elastic-net problem of the experiments.
///
/// # Errors
/// [`Error::Shape`] and [`Error::Value`] for rows that do not match.
pub fn problem_of(train: (Dense, Vec<f64>), validation: (Dense, Vec<f64>)) -> Result<Problem> {
    let mut specification =
        Specification::new(Loss::Squared, Matrix::Dense(train.0), vec![train.1]);
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification.validation = Some(Rows {
        matrix: Matrix::Dense(validation.0),
        targets: vec![validation.1],
        weights: None,
        offset: None,
    });
    Problem::new(specification)
}

/// Σ^½ = U diag(√(s/max s)) Uᵀ, row-major.
fn covariance_root(random: &mut Random) -> Result<Vec<f64>> {
    let m = faer::Mat::from_fn(INFORMATIVE, INFORMATIVE, |_, _| random.uniform());
    let svd = m.svd().map_err(|error| {
        Error::value(
            "correlated design",
            format!("{error:?}"),
            "choose another seed",
        )
    })?;
    let (u, s) = (svd.U(), svd.S().column_vector());
    let largest = s.iter().copied().fold(0.0, f64::max);
    let mut root = vec![0.0; INFORMATIVE * INFORMATIVE];
    for i in 0..INFORMATIVE {
        for j in 0..INFORMATIVE {
            root[i * INFORMATIVE + j] = (0..INFORMATIVE)
                .map(|k| u[(i, k)] * (s[k] / largest).sqrt() * u[(j, k)])
                .sum();
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, correlated: bool) -> Problem {
        Synthetic {
            samples: 5000,
            noise: 0.1,
            correlated,
            seed,
        }
        .problem()
        .unwrap()
    }

    fn matrix(problem: &Problem) -> &Dense {
        match &problem.train.design.matrix {
            Matrix::Dense(m) => m,
            Matrix::Sparse(_) => panic!("dense expected"),
        }
    }

    #[test]
    fn parts_have_their_sizes_and_the_seed_decides() {
        let problem = draw(1, false);
        assert_eq!(problem.train.rows(), 1000);
        assert_eq!(problem.criterion.sample.rows(), 2400);
        assert_eq!(matrix(&problem), matrix(&draw(1, false)));
        assert_ne!(matrix(&problem), matrix(&draw(2, false)));
    }

    #[test]
    fn features_have_their_covariance() {
        for correlated in [false, true] {
            let problem = draw(3, correlated);
            let x = matrix(&problem);
            let n = x.rows as f64;
            let product = |i: usize, j: usize| {
                (0..x.rows).map(|r| x.row(r)[i] * x.row(r)[j]).sum::<f64>() / n
            };
            // Five standard deviations of a mean of 1000 squares.
            for j in INFORMATIVE..FEATURES {
                assert!((product(j, j) - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
            }
            let trace: f64 = (0..INFORMATIVE).map(|j| product(j, j)).sum();
            // Correlated: the trace is Σ s/max s, far below 30; one direction has variance 1.
            assert_eq!(
                trace < 0.6 * INFORMATIVE as f64,
                correlated,
                "trace {trace}"
            );
            assert!(product(0, 99).abs() < 5.0 / n.sqrt());
        }
    }

    #[test]
    fn targets_are_the_informative_features_and_noise() {
        // The least-squares residual on all features has about the noise's variance.
        let problem = draw(4, false);
        let x = matrix(&problem);
        let a = faer::Mat::from_fn(x.rows, x.columns, |i, j| x.row(i)[j]);
        let y = faer::Mat::from_fn(x.rows, 1, |i, _| problem.train.targets[0][i]);
        use faer::linalg::solvers::SolveLstsq;
        let w = a.qr().solve_lstsq(&y);
        let residual: f64 = (&a * &w - &y).squared_norm_l2();
        let variance = residual / (x.rows - x.columns) as f64;
        assert!(
            (variance / 0.01 - 1.0).abs() < 5.0 * (2.0 / 900.0f64).sqrt(),
            "{variance}"
        );
        assert!((0..INFORMATIVE).all(|j| w[(j, 0)] > -0.05));
        assert!((INFORMATIVE..FEATURES).all(|j| w[(j, 0)].abs() < 0.05));
    }
}
