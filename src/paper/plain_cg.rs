//! Conjugate gradient as the literature applies it to hypergradients, to be compared with.
//!
//! It runs on the whole system `(I − ∂₁Φᵀ) v = ∂₁E`, whose operator is not symmetric for a nonsmooth
//! prox, so that none of its guarantees hold: after the support is identified it stalls at the
//! coordinates off the support.

use crate::error::{Error, Result};
use crate::linalg::cg::{ConjugateGradient, Stop, diagonal};
use crate::map::spectrum::Spectrum;
use crate::model::linearization::{OuterDerivative, OuterParts, inner_map};
use crate::problem::{Point, Problem};

/// A squared loss with the elastic net in Gram form: ∇loss = Qw − b.
pub(super) struct GramForm {
    /// Q, d × d.
    q: Vec<f64>,
    b: Vec<f64>,
    validation: (Vec<f64>, Vec<f64>),
    d: usize,
}

impl GramForm {
    /// Forms Q and b of the training rows, and those of the criterion.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another loss or penalty, an intercept, or sparse data.
    pub(super) fn new(problem: &Problem) -> Result<Self> {
        let dense = |sample: &crate::problem::Sample| match &sample.design.matrix {
            crate::data::Matrix::Dense(m) if !sample.design.intercept => {
                Ok(gram(m, &sample.weights, &sample.targets[0]))
            }
            _ => Err(Error::unsupported(
                "plain conjugate gradient of this problem",
                "it is there for dense squared loss with the elastic net and no intercept",
            )),
        };
        let (q, b) = dense(&problem.train)?;
        Ok(Self {
            d: b.len(),
            validation: dense(&problem.criterion.sample)?,
            q,
            b,
        })
    }

    /// The derivatives in (l1, λ₂) after `products` products at w.
    pub(super) fn hypergradient(
        &self,
        problem: &Problem,
        point: &Point,
        spectrum: &Spectrum,
        w: &[f64],
        products: usize,
    ) -> [f64; 2] {
        let (d, gamma) = (self.d, spectrum.step(point.l2).gamma);
        let gradient = affine(&self.q, &self.b, w);
        let regularizer = problem.regularizer(point);
        let u = inner_map(&regularizer, gamma, w, |j| gradient[j]);
        let outer = OuterDerivative::at(&regularizer, gamma, u);
        let support: Vec<usize> = (0..d).filter(|&j| outer.keeps[j]).collect();
        let criterion = affine(&self.validation.0, &self.validation.1, w);

        // y ↦ y − (I − γA) D y
        let operator = |v: &[f64], out: &mut [f64]| -> bool {
            out.copy_from_slice(v);
            for &j in &support {
                let z = v[j];
                out[j] -= (1.0 - gamma * point.l2) * z;
                let factor = gamma * z;
                for (out, q) in out.iter_mut().zip(&self.q[j * d..(j + 1) * d]) {
                    *out += factor * q;
                }
            }
            true
        };
        let stop = Stop {
            goal: 0.0,
            budget: products,
            indefinite: true,
        };
        let mut work = ConjugateGradient::new(d);
        work.run(&criterion, diagonal(None), stop, operator);
        let v = work.solution();
        let (mut l1, mut l2) = ([0.0], [0.0]);
        let parts = OuterParts {
            strengths: Some(&mut l1),
            ridge: Some(&mut l2),
            ..OuterParts::default()
        };
        outer.add_outer(w, v, &outer.apply(v), 1.0, parts);
        [l1[0], l2[0]]
    }
}

/// Q = XᵀSX/n and b = XᵀSy/n.
fn gram(m: &crate::data::Dense, weights: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (n, d) = (m.rows as f64, m.columns);
    let (mut q, mut b) = (vec![0.0; d * d], vec![0.0; d]);
    for i in 0..m.rows {
        let (row, weight) = (m.row(i), weights[i] / n);
        for j in 0..d {
            let factor = weight * row[j];
            b[j] += factor * y[i];
            for (q, x) in q[j * d..(j + 1) * d].iter_mut().zip(row) {
                *q += factor * x;
            }
        }
    }
    (q, b)
}

/// Qw − b.
fn affine(q: &[f64], b: &[f64], w: &[f64]) -> Vec<f64> {
    let row = |j: usize| &q[j * w.len()..(j + 1) * w.len()];
    (0..w.len())
        .map(|j| row(j).iter().zip(w).map(|(q, w)| q * w).sum::<f64>() - b[j])
        .collect()
}
