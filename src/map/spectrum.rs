//! The spectrum of the loss's Hessian, and the step of the fixed-point map that it allows.
//!
//! With L and μ the extreme eigenvalues of the Hessian (for losses other than the quadratic ones
//! the bounds h_max·λmax(X̂ᵀSX̂/n) and 0), and λ₂ on the penalised coordinates,
//!
//! ```text
//! γ = 2/(hi + lo) ,  q = (hi − lo)/(hi + lo) ,   hi = L + λ₂ ,  lo = μ + λ₂
//! ```
//!
//! and γ = 1/hi, q = 1 where lo = 0. Columns that are centred by the weighted means are orthogonal
//! to the intercept's, whose eigenvalue is then 1 and takes no λ₂.

use faer::{Mat, Side};

use crate::data::{Design, Matrix};
use crate::error::{Error, Result};
use crate::problem::{Problem, Sample};

/// How the spectrum was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpectrumSource {
    /// All eigenvalues of the Gram matrix: exact to rounding.
    Eigenvalues,
    /// Power iteration from below, with a margin of 1 %; μ is taken as 0.
    PowerIteration,
}

/// Extreme eigenvalues of the Hessian at its largest, without λ₂.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrum {
    /// L over the penalised coordinates (over all, where the intercept does not decouple).
    pub largest: f64,
    /// μ likewise; 0 for losses whose curvature is not bounded from below.
    pub smallest: f64,
    /// The intercept's own extreme curvatures, where there is one and it decouples.
    pub intercept: Option<(f64, f64)>,
    /// True when the intercept does not decouple, so that λ₂ cannot lift the smallest eigenvalue.
    pub coupled: bool,
    /// How it was found.
    pub source: SpectrumSource,
}

/// Step and contraction of the fixed-point map at one λ₂.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// γ.
    pub gamma: f64,
    /// q ≤ 1, the global contraction; 1 when there is none.
    pub contraction: f64,
    /// The largest eigenvalue hi of the whole smooth part.
    pub largest: f64,
}

/// Sizes up to which all eigenvalues are computed.
const EXACT: usize = 1024;

impl Spectrum {
    /// The spectrum of a problem's training loss.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let loss = problem.loss;
        if loss == crate::loss::Loss::Quadratic {
            let (largest, smallest, source) = extremes_of_symmetric(&problem.train.design);
            return Self {
                largest,
                smallest,
                intercept: None,
                coupled: false,
                source,
            };
        }
        let design = &problem.train.design;
        let decoupled = design.intercept && problem.perturbed_rows.is_empty();
        let (largest, smallest, source) = extremes_of_gram(&problem.train, decoupled);
        let (bound, floor) = (
            loss.curvature_bound(),
            if loss.is_quadratic() { 1.0 } else { 0.0 },
        );
        Self {
            largest: bound * largest,
            smallest: floor * smallest,
            intercept: decoupled.then_some((bound, floor)),
            coupled: design.intercept && !decoupled,
            source,
        }
    }

    /// Checks that a quadratic form is convex.
    ///
    /// # Errors
    /// [`Error::Value`] when Q has an eigenvalue below zero, past rounding.
    pub fn check_convex(&self) -> Result<()> {
        if self.smallest < -1e-10 * self.largest.max(-self.smallest) {
            return Err(Error::value(
                "Q",
                format!(
                    "is not positive semidefinite (smallest eigenvalue {:.3e})",
                    self.smallest
                ),
                "give a covariance or kernel matrix, or add a multiple of the identity",
            ));
        }
        Ok(())
    }

    /// Step and contraction at λ₂.
    #[must_use]
    pub fn step(&self, l2: f64) -> Step {
        let mut largest = self.largest + l2;
        let mut smallest = self.smallest.max(0.0) + if self.coupled { 0.0 } else { l2 };
        if let Some((high, low)) = self.intercept {
            largest = largest.max(high);
            smallest = smallest.min(low);
        }
        if largest <= 0.0 {
            // A design of zeros: any step is right, the map does nothing.
            return Step {
                gamma: 1.0,
                contraction: 1.0,
                largest: 1.0,
            };
        }
        if smallest <= 1e-13 * largest {
            return Step {
                gamma: largest.recip(),
                contraction: 1.0,
                largest,
            };
        }
        let gamma = 2.0 / (largest + smallest);
        Step {
            gamma,
            contraction: (largest - smallest) / (largest + smallest),
            largest,
        }
    }
}

/// λmax and λmin of X̂ᵀSX̂/n over the features (`features_only`) or all columns.
fn extremes_of_gram(sample: &Sample, features_only: bool) -> (f64, f64, SpectrumSource) {
    let design = &sample.design;
    let n = design.rows();
    let d = if features_only {
        design.features()
    } else {
        design.columns()
    };
    let dense = matches!(design.matrix, Matrix::Dense(_));
    if let (Matrix::Dense(m), true) = (&design.matrix, dense && n.min(d) <= EXACT) {
        let x = Mat::from_fn(n, d, |i, j| {
            m.values[i * m.columns + j] * (sample.weights[i] / n as f64).sqrt()
        });
        let gram = if n < d {
            &x * x.transpose()
        } else {
            x.transpose() * &x
        };
        if let Some((largest, smallest)) = extremes(&gram) {
            return (
                largest,
                if n < d { 0.0 } else { smallest.max(0.0) },
                SpectrumSource::Eigenvalues,
            );
        }
    }
    let product = |v: &[f64]| {
        let mut v = v.to_vec();
        if features_only {
            v.push(0.0);
        }
        let mut r = design.apply(&v);
        r.iter_mut()
            .zip(&sample.weights)
            .for_each(|(r, s)| *r *= s / n as f64);
        let mut g = design.apply_transposed(&r);
        g.truncate(d);
        g
    };
    (
        power_iteration(d, product),
        0.0,
        SpectrumSource::PowerIteration,
    )
}

/// λmax and λmin of a symmetric Q.
fn extremes_of_symmetric(design: &Design) -> (f64, f64, SpectrumSource) {
    let p = design.columns();
    if let (Matrix::Dense(m), true) = (&design.matrix, p <= EXACT)
        && let Some((largest, smallest)) = extremes(&Mat::from_fn(p, p, |i, j| m.values[i * p + j]))
    {
        return (largest, smallest, SpectrumSource::Eigenvalues);
    }
    (
        power_iteration(p, |v| design.apply(v)),
        0.0,
        SpectrumSource::PowerIteration,
    )
}

fn extremes(matrix: &Mat<f64>) -> Option<(f64, f64)> {
    let eigenvalues = matrix.self_adjoint_eigenvalues(Side::Lower).ok()?;
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
    Some((largest, smallest))
}

/// The largest eigenvalue with a margin of 1 %, from a fixed start without symmetries.
fn power_iteration(size: usize, product: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
    let mut v: Vec<f64> = (0..size)
        .map(|j| 1.0 + (j as f64 * 0.754_877_666).fract())
        .collect();
    let mut largest = 0.0;
    for _ in 0..200 {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm == 0.0 {
            break;
        }
        v.iter_mut().for_each(|x| *x /= norm);
        let next = product(&v);
        let estimate = next.iter().zip(&v).map(|(a, b)| a * b).sum::<f64>();
        v = next;
        if (estimate - largest).abs() <= 1e-6 * estimate {
            largest = estimate;
            break;
        }
        largest = estimate;
    }
    1.01 * largest
}
