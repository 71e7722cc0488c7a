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
//!
//! *Losses whose curvature has no bound.* Every step with γ < 2/hi lowers the objective F, so that an iteration
//! from w = 0 stays where F ≤ F(0) as long as L holds there. With h ≤ aℓ + k(a) b(y) on every row, and
//! Σ (s/n) ℓ ≤ F(0) as nothing else in F is negative,
//!
//! ```text
//! Σ (s_i/n) h_i x̂_i x̂_iᵀ ≤ a F(0) max ‖x̂_i‖² + k(a) λmax(Σ (s_i/n) b(y_i) x̂_i x̂_iᵀ) = L
//! ```
//!
//! where F(0) is the loss there and, with a prior, ½ Σ λ₂c²; a is that with the least L. That set is convex and
//! holds the minimum.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::{Mat, Par};
use pulp::{Simd, WithSimd};

use crate::data::{Dense, Design, Matrix};
use crate::error::{Error, Result};
use crate::linalg::vector::norm;
use crate::model::criterion;
use crate::model::loss::RowLoss;
use crate::model::regularizer::RidgeRange;
use crate::problem::{Problem, Sample};

/// How the spectrum was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpectrumSource {
    /// All eigenvalues of the Gram matrix: exact to rounding.
    Eigenvalues,
    /// Lanczos' iteration from below, with a margin of 1 %; μ is taken as 0.
    Lanczos,
}

/// Extreme eigenvalues of the Hessian at its largest, without λ₂.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrum {
    /// L over the penalised coordinates (over all, where the intercept does not decouple).
    pub largest: f64,
    /// The growth of L for each unit of the ridge term at w = 0: of losses whose curvature has no bound.
    pub growth: f64,
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
/// The a of the bound of a curvature by the loss's value that are tried.
const SHARES: [f64; 7] = [1.003, 1.01, 1.03, 1.1, 1.3, 3.0, 5.0];
/// Products of Lanczos' iteration at most.
const LANCZOS_STEPS: usize = 200;
/// Steps without growth after which it ends.
const LANCZOS_RESTS: usize = 3;

impl Spectrum {
    /// The spectrum of a problem's training loss.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let loss = problem.loss;
        if loss == crate::model::loss::Loss::Quadratic {
            let (largest, smallest, source) = extremes_of_symmetric(&problem.train.design);
            return Self {
                largest,
                growth: 0.0,
                smallest,
                intercept: None,
                coupled: false,
                source,
            };
        }
        let Some(bound) = loss.curvature_bound() else {
            return Self::on_level_set(problem);
        };
        let design = &problem.train.design;
        let decoupled = design.intercept && problem.centered;
        let (largest, smallest, source) = extremes_of_gram(&problem.train, decoupled);
        let floor = if loss.is_quadratic() { 1.0 } else { 0.0 };
        Self {
            largest: bound * largest,
            growth: 0.0,
            smallest: floor * smallest,
            intercept: decoupled.then_some((bound, floor)),
            coupled: design.intercept && !decoupled,
            source,
        }
    }

    /// That of a loss whose curvature has no bound, where the objective is at most that at w = 0.
    fn on_level_set(problem: &Problem) -> Self {
        let (loss, sample) = (problem.loss, &problem.train);
        let n = sample.rows() as f64;
        let squares = sample.design.row_squares().into_iter();
        let largest_row = squares
            .zip(&sample.weights)
            .filter(|(_, s)| **s > 0.0)
            .fold(0.0, |most: f64, (square, _)| most.max(square));
        let zero = vec![0.0; sample.rows()];
        let mut found = Self {
            largest: 0.0,
            growth: 0.0,
            smallest: 0.0,
            intercept: None,
            // The minimum of a box without zero may lie far above the level of zero, where no bound is known.
            coupled: sample.design.intercept || !problem.penalty.allows_zero(),
            source: SpectrumSource::Eigenvalues,
        };
        for y in sample.targets.iter() {
            let level = criterion::value(loss, &zero, y, |i| sample.weights[i] / n);
            let (Some(level), Some(row)) = (level, loss.scalar()) else {
                continue;
            };
            let best = |(s, &y): (&f64, &f64)| s * row.curvature_at_best(y);
            let weighted = Sample {
                weights: sample.weights.iter().zip(y).map(best).collect(),
                ..sample.clone()
            };
            let (at_best, _, source) = extremes_of_gram(&weighted, false);
            let bound = |a: f64| a * level * largest_row + row.curvature_beyond(a) * at_best;
            let of = |least: (f64, f64), &a: &f64| match bound(a) {
                found if found < least.1 => (a, found),
                _ => least,
            };
            let (a, largest) = SHARES.iter().fold((2.0, bound(2.0)), of);
            found.growth = found.growth.max(a * largest_row);
            if largest >= found.largest {
                (found.largest, found.source) = (largest, source);
            }
        }
        found
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
    pub fn step(&self, ridge: impl Into<RidgeRange>) -> Step {
        let ridge = ridge.into();
        let mut largest = self.largest + self.growth * ridge.at_zero + ridge.largest;
        let least = if self.coupled { 0.0 } else { ridge.least };
        let mut smallest = self.smallest.max(0.0) + least;
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
        if let Matrix::Dense(m) = &design.matrix {
            return dense_gram_product(m, &sample.weights, v);
        }
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
    (largest_by_lanczos(d, product), 0.0, SpectrumSource::Lanczos)
}

/// XᵀSXv/n over the first columns, as many as v has entries; one pass over the rows.
fn dense_gram_product(matrix: &Dense, weights: &[f64], v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; v.len()];
    // On one thread: workers of the pool may block on this result, so that using the pool could deadlock.
    pulp::Arch::new().dispatch(GramProduct {
        matrix,
        weights,
        v,
        out: &mut out,
    });
    let n = matrix.rows as f64;
    out.iter_mut().for_each(|x| *x /= n);
    out
}

/// out ← out + Σ_i s_i (x_i·v) x_i.
struct GramProduct<'a> {
    matrix: &'a Dense,
    weights: &'a [f64],
    v: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for GramProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (v, v_rest) = S::as_simd_f64s(self.v);
        let (out, out_rest) = S::as_mut_simd_f64s(self.out);
        for i in 0..self.matrix.rows {
            let (x, x_rest) = S::as_simd_f64s(&self.matrix.row(i)[..self.v.len()]);
            // Four sums hide the latency of one.
            let mut sums = [simd.splat_f64s(0.0); 4];
            for first in (0..v.len()).step_by(4) {
                for at in first..(first + 4).min(v.len()) {
                    sums[at - first] = simd.mul_add_e_f64s(x[at], v[at], sums[at - first]);
                }
            }
            let (low, high) = (
                simd.add_f64s(sums[0], sums[1]),
                simd.add_f64s(sums[2], sums[3]),
            );
            let mut product = simd.reduce_sum_f64s(simd.add_f64s(low, high));
            for at in 0..v_rest.len() {
                product += x_rest[at] * v_rest[at];
            }
            product *= self.weights[i];
            let factor = simd.splat_f64s(product);
            for at in 0..out.len() {
                out[at] = simd.mul_add_e_f64s(factor, x[at], out[at]);
            }
            for at in 0..out_rest.len() {
                out_rest[at] += product * x_rest[at];
            }
        }
    }
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
        largest_by_lanczos(p, |v| design.apply(v)),
        0.0,
        SpectrumSource::Lanczos,
    )
}

fn extremes(matrix: &Mat<f64>) -> Option<(f64, f64)> {
    let size = matrix.nrows();
    if size == 0 || !matrix.norm_l2().is_finite() {
        return None;
    }
    // Only the two ends of the tridiagonal form's spectrum are wanted: bisection has them sooner than
    // QR steps have all.
    let mut reduced = matrix.clone();
    let mut reflectors = Mat::zeros(1, size - 1);
    let scratch = tridiag_in_place_scratch::<f64>(size, Par::Seq, Default::default());
    tridiag_in_place(
        reduced.as_mut(),
        reflectors.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    let mut diagonal: Vec<f64> = (0..size).map(|i| reduced[(i, i)]).collect();
    let off: Vec<f64> = (1..size).map(|i| reduced[(i, i - 1)].abs()).collect();
    let low = diagonal.iter().copied().fold(f64::INFINITY, f64::min);
    let high = diagonal.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let largest = largest_of_tridiagonal(&diagonal, &off, high);
    diagonal.iter_mut().for_each(|entry| *entry = -*entry);
    let smallest = -largest_of_tridiagonal(&diagonal, &off, -low);
    Some((largest.max(0.0), smallest))
}

/// The largest eigenvalue of a positive semidefinite matrix with a margin of 1 %, from a fixed start
/// without symmetries.
///
/// The recurrence of three terms alone: what it loses in orthogonality repeats eigenvalues that it has
/// found, and does not move the largest.
fn largest_by_lanczos(size: usize, product: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
    let mut v: Vec<f64> = (0..size)
        .map(|j| 1.0 + (j as f64 * 0.754_877_666).fract())
        .collect();
    let mut before = vec![0.0; size];
    let (mut diagonal, mut off) = (Vec::new(), Vec::new());
    let (mut length, mut largest, mut at_rest) = (norm(&v), 0.0f64, 0);
    for _ in 0..LANCZOS_STEPS {
        if length <= f64::EPSILON * largest {
            break;
        }
        v.iter_mut().for_each(|x| *x /= length);
        let mut next = product(&v);
        let alpha: f64 = next.iter().zip(&v).map(|(a, b)| a * b).sum();
        let beta = off.last().copied().unwrap_or(0.0);
        for ((next, v), before) in next.iter_mut().zip(&v).zip(&before) {
            *next -= alpha * v + beta * before;
        }
        diagonal.push(alpha);
        length = norm(&next);
        let estimate = largest_of_tridiagonal(&diagonal, &off, largest);
        off.push(length);
        before = std::mem::replace(&mut v, next);
        let grown = estimate - largest;
        largest = estimate;
        if grown.is_nan() {
            break;
        }
        // One step without growth may be a rest at an eigenvalue that is not the largest.
        at_rest = if grown <= 1e-6 * estimate {
            at_rest + 1
        } else {
            0
        };
        if at_rest == LANCZOS_RESTS {
            break;
        }
    }
    1.01 * largest
}

/// The largest eigenvalue, which is at least `low`, of the symmetric tridiagonal matrix with this
/// diagonal and these entries beside it: by bisection on the signs of the pivots of T − x.
fn largest_of_tridiagonal(diagonal: &[f64], off: &[f64], low: f64) -> f64 {
    let beside = |i: usize| off.get(i).copied().unwrap_or(0.0);
    // Gershgorin's bound.
    let mut high = (0..diagonal.len())
        .map(|i| diagonal[i] + beside(i) + if i > 0 { beside(i - 1) } else { 0.0 })
        .fold(low, f64::max);
    let mut low = low;
    let has_larger = |x: f64| {
        let mut pivot = 1.0;
        (0..diagonal.len()).any(|i| {
            let last = if i > 0 { beside(i - 1) } else { 0.0 };
            pivot = diagonal[i] - x - last * last / pivot;
            pivot >= 0.0
        })
    };
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if has_larger(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanczos_finds_the_largest_eigenvalue() {
        let number = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        for (n, d, intercept) in [
            (3, 1, false),
            (40, 7, true),
            (2500, 33, true),
            (20, 50, false),
        ] {
            let columns = d + usize::from(intercept);
            let values: Vec<f64> = (0..n * columns).map(number).collect();
            let matrix = Dense {
                rows: n,
                columns,
                values,
            };
            let weights: Vec<f64> = (0..n).map(|i| 0.5 + (i % 3) as f64).collect();
            let x = Mat::from_fn(n, d, |i, j| {
                matrix.row(i)[j] * (weights[i] / n as f64).sqrt()
            });
            let exact = extremes(&(x.transpose() * &x)).unwrap().0;
            let found = largest_by_lanczos(d, |v| dense_gram_product(&matrix, &weights, v));
            assert!(
                (found / (1.01 * exact) - 1.0).abs() < 1e-4,
                "{n}x{d}: {found} {exact}"
            );
        }
    }

    #[test]
    fn a_matrix_of_zeros_has_the_eigenvalue_zero() {
        assert_eq!(largest_by_lanczos(4, |v| vec![0.0; v.len()]), 0.0);
        assert_eq!(largest_by_lanczos(0, |v| v.to_vec()), 0.0);
    }

    #[test]
    fn extremes_are_the_ends_of_the_whole_spectrum() {
        let number = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        for size in [1, 2, 3, 17, 60] {
            for shift in [-3.0, 0.0, 50.0] {
                let matrix = Mat::from_fn(size, size, |i, j| {
                    number(i.min(j) * size + i.max(j)) + if i == j { shift } else { 0.0 }
                });
                let all = matrix.self_adjoint_eigenvalues(faer::Side::Lower).unwrap();
                let (low, high) = (all[0], all[size - 1]);
                let (largest, smallest) = extremes(&matrix).unwrap();
                let rounding = 1e-13 * low.abs().max(high.abs()).max(1.0);
                // Curvatures are at least zero.
                assert!((largest - high.max(0.0)).abs() < rounding, "{size} {shift}");
                assert!((smallest - low).abs() < rounding, "{size} {shift}");
            }
        }
        assert!(extremes(&Mat::from_fn(2, 2, |_, _| f64::NAN)).is_none());
        assert!(extremes(&Mat::zeros(0, 0)).is_none());
    }
}
