//! One group of a penalised quadratic, the rest fixed: minimised exactly by the spectrum of its block.
//!
//! With H_gg = QΛQᵀ and b = H_gg w + λ₂w − g the minimiser of ½vᵀ(H_gg + λ₂)v − b·v + τ‖v‖ is zero
//! where ‖b‖ ≤ τ, and else
//!
//! ```text
//! Qᵀv = (Λ + λ₂ + τ/ν)⁻¹ Qᵀb ,   ν = ‖v‖ the root of   Σ (Qᵀb)_i² / ((Λ_i + λ₂)ν + τ)² = 1
//! ```
//!
//! The inverse root of the left side is concave in ν, so that Newton's iteration from ν = 0 rises to
//! the solution without a safeguard.

use faer::{MatRef, Side};

use crate::linalg::vector::dot;
use crate::real::Real;

/// Members of a group up to which its spectrum is formed.
const LARGEST: usize = 64;
/// Newton steps on the norm at most; few are needed, as the function is nearly linear.
const STEPS: usize = 60;

/// The spectrum of a group's block of the Hessian.
pub(super) struct GroupSpectrum<R> {
    /// Eigenvectors, one after another.
    vectors: Vec<R>,
    /// Eigenvalues, none negative.
    values: Vec<R>,
    /// Memory for b in terms of the eigenvectors.
    coefficients: Vec<R>,
}

impl<R: Real> GroupSpectrum<R> {
    /// The spectrum of a symmetric block, given by its entries; `None` where it is large or not finite.
    pub(super) fn new(size: usize, entry: impl Fn(usize, usize) -> R) -> Option<Self> {
        if size > LARGEST {
            return None;
        }
        let block: Vec<R> = (0..size * size)
            .map(|at| entry(at % size, at / size))
            .collect();
        if !block.iter().all(|&x| num_traits::Float::is_finite(x)) {
            return None;
        }
        let block = MatRef::from_column_major_slice(&block, size, size);
        let spectrum = block.self_adjoint_eigen(Side::Lower).ok()?;
        let of = |value: R| num_traits::Float::max(value, R::zero());
        let values = spectrum
            .S()
            .column_vector()
            .iter()
            .map(|&v| of(v))
            .collect();
        let u = spectrum.U();
        let vectors = (0..size * size)
            .map(|at| u[(at % size, at / size)])
            .collect();
        Some(Self {
            vectors,
            values,
            coefficients: vec![R::zero(); size],
        })
    }

    /// The largest eigenvalue.
    pub(super) fn largest(&self) -> R {
        self.values
            .iter()
            .fold(R::zero(), |a, &b| num_traits::Float::max(a, b))
    }

    /// Writes the minimiser to `out`, given τ = `strength`, and w and the gradient at w (ridge included) of
    /// the members.
    pub(super) fn minimizer(
        &mut self,
        ridge: R,
        strength: R,
        w: &[R],
        gradient: &[R],
        out: &mut Vec<R>,
    ) {
        let size = w.len();
        let columns = || self.vectors.chunks_exact(size);
        // b = Q(Λ + λ₂)Qᵀw − g.
        for ((coefficient, column), &value) in self
            .coefficients
            .iter_mut()
            .zip(columns())
            .zip(&self.values)
        {
            *coefficient = (value + ridge) * dot(column, w) - dot(column, gradient);
        }
        let b = &self.coefficients;
        out.clear();
        out.resize(size, R::zero());
        let square: R = b.iter().map(|&b| b * b).sum();
        let norm = num_traits::Float::sqrt(square);
        if norm <= strength || norm.is_nan() {
            if norm.is_nan() {
                out.fill(norm);
            }
            return;
        }
        let mut nu = R::zero();
        for _ in 0..STEPS {
            let (mut sum, mut slope) = (R::zero(), R::zero());
            for (&b, &value) in b.iter().zip(&self.values) {
                let a = value + ridge;
                let inverse = R::one() / (a * nu + strength);
                let share = b * inverse;
                sum += share * share;
                slope += share * share * a * inverse;
            }
            // φ = 1/√sum − 1 and φ' = slope/sum^{3/2}.
            let root = num_traits::Float::sqrt(sum);
            let step = (root - R::one()) * sum / slope;
            let next = nu + step;
            if !num_traits::Float::is_finite(next) || next <= nu {
                break;
            }
            nu = next;
        }
        for ((&b, column), &value) in b
            .iter()
            .zip(self.vectors.chunks_exact(size))
            .zip(&self.values)
        {
            let coefficient = b * nu / ((value + ridge) * nu + strength);
            for (out, &x) in out.iter_mut().zip(column) {
                *out += coefficient * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimiser_is_stationary_or_zero() {
        // XᵀX of columns of which two are nearly equal.
        let columns = [[1.0, 0.5], [0.3, -0.8], [0.3, -0.8 + 1e-5]];
        let h = columns.map(|a| columns.map(|b| dot(&a, &b)));
        let w = [0.4, -0.1, 2.0];
        let (ridge, norm) = (1e-3, 0.7);
        for scale in [0.1f64, 1.0, 5.0] {
            // That of rows, so that it has no part where the block has none.
            let gradient = columns.map(|a| scale * dot(&a, &[1.0, -2.0]));
            let mut spectrum = GroupSpectrum::new(3, |i, j| h[i][j]).unwrap();
            let mut v = Vec::new();
            spectrum.minimizer(ridge, norm, &w, &gradient, &mut v);
            let size = dot(&v, &v).sqrt();
            let mut square = 0.0;
            for i in 0..3 {
                let moved: f64 = (0..3).map(|j| h[i][j] * (v[j] - w[j])).sum();
                let smooth = gradient[i] + moved + ridge * (v[i] - w[i]);
                let rest = if size > 0.0 {
                    smooth + norm * v[i] / size
                } else {
                    smooth
                };
                square += rest * rest;
            }
            let goal = if size > 0.0 { 1e-12 } else { norm };
            assert!(square.sqrt() <= goal, "{scale} {v:?} {}", square.sqrt());
        }
    }
}
