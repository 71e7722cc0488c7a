//! Conjugate gradient as the literature applies it to hypergradients, to be compared with.
//!
//! It runs on the whole system `(I − ∂₁Φᵀ) v = ∂₁E`, whose operator is not symmetric for a nonsmooth
//! prox, so that none of its guarantees hold: after the support is identified it stalls at the
//! coordinates off the support.

use crate::error::{Error, Result};
use crate::map::spectrum::Spectrum;
use crate::penalty;
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
        point: Point,
        spectrum: &Spectrum,
        w: &[f64],
        products: usize,
    ) -> [f64; 2] {
        let (d, gamma) = (self.d, spectrum.step(point.l2).gamma);
        let gradient = affine(&self.q, &self.b, w);
        let u: Vec<f64> = (0..d)
            .map(|j| w[j] - gamma * (gradient[j] + point.l2 * w[j]))
            .collect();
        let threshold = gamma * point.l1;
        let support: Vec<usize> = (0..d)
            .filter(|&j| penalty::soft_threshold_derivative(u[j], threshold))
            .collect();
        let criterion = affine(&self.validation.0, &self.validation.1, w);

        // y ↦ y − (I − γA) D y
        let operator = |v: &[f64], out: &mut [f64]| {
            out.copy_from_slice(v);
            for &j in &support {
                let z = v[j];
                out[j] -= (1.0 - gamma * point.l2) * z;
                let factor = gamma * z;
                for (out, q) in out.iter_mut().zip(&self.q[j * d..(j + 1) * d]) {
                    *out += factor * q;
                }
            }
        };
        let v = conjugate_gradient(operator, &criterion, products);
        let (mut l1, mut l2) = (0.0, 0.0);
        for &j in &support {
            l1 += gamma * penalty::soft_threshold_strength_derivative(u[j], threshold) * v[j];
            l2 -= gamma * w[j] * v[j];
        }
        [l1, l2]
    }
}

/// `products` steps of conjugate gradient from zero; fewer when a step is not defined.
fn conjugate_gradient(
    operator: impl Fn(&[f64], &mut [f64]),
    rhs: &[f64],
    products: usize,
) -> Vec<f64> {
    let inner = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut x = vec![0.0; rhs.len()];
    let (mut r, mut p) = (rhs.to_vec(), rhs.to_vec());
    let mut ap = vec![0.0; rhs.len()];
    let mut rr = inner(&r, &r);
    for _ in 0..products {
        operator(&p, &mut ap);
        let alpha = rr / inner(&p, &ap);
        if !alpha.is_finite() {
            break;
        }
        for j in 0..x.len() {
            x[j] += alpha * p[j];
            r[j] -= alpha * ap[j];
        }
        let next = inner(&r, &r);
        let beta = next / rr;
        rr = next;
        for j in 0..x.len() {
            p[j] = r[j] + beta * p[j];
        }
    }
    x
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_symmetric_definite_operator_it_is_exact_after_as_many_products_as_unknowns() {
        let a = [[4.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 5.0]];
        let rhs = [1.0, -2.0, 0.5];
        let operator = |v: &[f64], out: &mut [f64]| {
            for i in 0..3 {
                out[i] = (0..3).map(|j| a[i][j] * v[j]).sum();
            }
        };
        let x = conjugate_gradient(operator, &rhs, 3);
        let mut back = [0.0; 3];
        operator(&x, &mut back);
        assert!(back.iter().zip(&rhs).all(|(b, r)| (b - r).abs() < 1e-13));
        assert_eq!(conjugate_gradient(operator, &rhs, 0), [0.0; 3]);
        // More products than a solved system can use do no harm.
        let more = conjugate_gradient(operator, &rhs, 50);
        assert!(more.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
