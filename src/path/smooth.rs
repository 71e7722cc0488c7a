//! The smooth part of a problem: the loss, by rows, in the form that the solvers of this module
//! need. Sums over rows are in `f64` whatever the precision of the design, so that the gradient
//! formed from residuals is good to the rounding of the data.
//!
//! Predictors are class-major: `z[k·n + i]` is the predictor of row i and class k.

use std::sync::{Arc, OnceLock};

use crate::model::loss::{Loss, RowLoss, ScalarLoss, multinomial};
use crate::problem::{Problem, Sample};
use crate::real::{Real, sum_of};

use super::columns::Columns;
use crate::linalg::vector::{compensated_sum, in_f64, vectorized};

/// Rows that are taken for all classes together.
const ROW_BLOCK: usize = 256;
/// Features up to which the Gram matrix of a quadratic loss is formed once, in full.
const FULL_GRAM_COORDINATES: usize = 384;

/// The quantities that are computed once for the rows of a loss.
#[derive(Debug, Clone)]
pub(super) struct Parts<R> {
    /// Shared by all problems of the same design.
    pub(super) columns: Arc<Columns<R>>,
    /// s_i/n.
    pub(super) weight: Vec<f64>,
    /// n/s_i, and 0 where the weight is.
    pub(super) inverse_weight: Vec<f64>,
    /// Σ_i (s_i/n) x̂_ij² per column; for the quadratic form |Q_jj|.
    pub(super) square: Vec<f64>,
    /// Per coordinate ‖x̂_j‖ of its column, the root of `square`.
    pub(super) norm: Vec<f64>,
    /// The full Hessian of a quadratic loss, when it is small: p × p.
    pub(super) gram: Option<Vec<R>>,
    /// Its Frobenius norm.
    pub(super) gram_norm: f64,
    /// X̂ᵀSX̂ of a dense design, lower triangle, once it is asked for.
    pub(super) spread: OnceLock<Vec<f64>>,
}

/// A loss on rows.
pub(super) struct Smooth<'p, R> {
    pub(super) sample: &'p Sample,
    pub(super) parts: &'p Parts<R>,
    pub(super) loss: Loss,
    pub(super) classes: usize,
    /// Number of coordinates p.
    pub(super) p: usize,
}

/// The Hessian's row factors at some predictors.
pub(super) struct Curvature {
    /// One class: h_i s_i/n. Multinomial: the probabilities, class-major.
    pub(super) values: Vec<f64>,
    /// How far the curvature is blended towards that of a global majorant, 0 to 1.
    pub(super) blend: f64,
}

impl Curvature {
    /// The row Hessian's entry (k, k) of row i, weight included.
    #[inline(always)]
    pub(super) fn diagonal<R: Real>(&self, smooth: &Smooth<'_, R>, i: usize, k: usize) -> f64 {
        match smooth.loss {
            Loss::Quadratic => 1.0,
            Loss::Multinomial => self.entry(smooth, i, k, k),
            _ => self.values[i],
        }
    }

    /// The row Hessian's entry (k, l) of row i of the multinomial loss, weight included.
    #[inline(always)]
    pub(super) fn entry<R: Real>(
        &self,
        smooth: &Smooth<'_, R>,
        i: usize,
        k: usize,
        l: usize,
    ) -> f64 {
        let n = smooth.rows();
        let (p, q) = (self.values[k * n + i], self.values[l * n + i]);
        let own = if k == l {
            (1.0 - self.blend) * p + multinomial::MAJORANT * self.blend
        } else {
            0.0
        };
        smooth.parts.weight[i] * (own - (1.0 - self.blend) * p * q)
    }

    /// v ← v + δ·(row Hessian) x for a column x of class k of the multinomial loss, v class-major: the
    /// entries of [`Self::entry`], rows in blocks that stay in the cache for all classes.
    pub(super) fn add_column<R: Real>(
        &self,
        smooth: &Smooth<'_, R>,
        column: &[R],
        k: usize,
        delta: f64,
        v: &mut [f64],
    ) {
        let (n, keep) = (smooth.rows(), 1.0 - self.blend);
        let weight = &smooth.parts.weight;
        vectorized(
            #[inline(always)]
            || {
                let mut pull = [0.0; ROW_BLOCK];
                for first in (0..column.len()).step_by(ROW_BLOCK) {
                    let rows = first..(first + ROW_BLOCK).min(column.len());
                    let own = &self.values[k * n..][rows.clone()];
                    let moved = &mut v[k * n..][rows.clone()];
                    for i in 0..own.len() {
                        let step = delta * column[first + i].to_f64() * weight[first + i];
                        pull[i] = step * keep * own[i];
                        moved[i] += pull[i] + step * self.blend * multinomial::MAJORANT;
                    }
                    for l in 0..smooth.classes {
                        let other = &self.values[l * n..][rows.clone()];
                        let moved = &mut v[l * n..][rows.clone()];
                        for i in 0..other.len() {
                            moved[i] -= pull[i] * other[i];
                        }
                    }
                }
            },
        );
    }
}

/// The Hessian of a quadratic loss on a set of coordinates that grows along a path.
pub(super) struct KeptHessian<R> {
    /// Coordinates, ascending.
    pub(super) set: Vec<u32>,
    pub(super) hessian: Vec<R>,
    /// √(s/n)∘x̂_j of every coordinate of the set; empty where the Hessian is not that of dense rows.
    pub(super) scaled: Vec<R>,
}

impl<R> KeptHessian<R> {
    pub(super) fn empty() -> Self {
        Self {
            set: Vec::new(),
            hessian: Vec::new(),
            scaled: Vec::new(),
        }
    }
}

impl<R: Real> Parts<R> {
    /// Those of `loss` on the rows of `sample`; with `allow_gram` also the Hessian of a quadratic
    /// loss, where it is small.
    /// `columns` are those of the design.
    pub(super) fn new(
        sample: &Sample,
        columns: Arc<Columns<R>>,
        loss: Loss,
        classes: usize,
        allow_gram: bool,
    ) -> Self {
        let n = columns.rows;
        let weight: Vec<f64> = sample.weights.iter().map(|s| s / n as f64).collect();
        let invert = |&w: &f64| if w > 0.0 { 1.0 / w } else { 0.0 };
        let inverse_weight = weight.iter().map(invert).collect();
        let total = weight.iter().sum();
        let mut square: Vec<f64> = (0..columns.count)
            .map(|j| columns.square(j, &weight, total))
            .collect();
        if loss == Loss::Quadratic {
            for (j, square) in square.iter_mut().enumerate() {
                *square = 0.0;
                columns.for_each_stored(j, |i, x| {
                    if i == j {
                        *square = x.abs();
                    }
                });
            }
        }
        let p = columns.count * classes;
        let mut parts = Self {
            columns,
            weight,
            inverse_weight,
            norm: (0..p).map(|j| square[j / classes].sqrt()).collect(),
            square,
            gram: None,
            gram_norm: 0.0,
            spread: OnceLock::new(),
        };
        if allow_gram && loss.is_quadratic() && p <= FULL_GRAM_COORDINATES {
            let all: Vec<u32> = (0..p as u32).collect();
            let smooth = Smooth::new(sample, loss, classes, &parts);
            let curvature = smooth.curvature(&[], 0, 0.0);
            let gram = smooth.hessian(&all, &curvature);
            parts.gram_norm = sum_of(gram.len(), |at| gram[at].to_f64().powi(2)).sqrt();
            parts.gram = Some(gram);
        }
        parts
    }
}

impl<'p, R: Real> Smooth<'p, R> {
    pub(super) fn new(sample: &'p Sample, loss: Loss, classes: usize, parts: &'p Parts<R>) -> Self {
        Self {
            sample,
            parts,
            loss,
            classes,
            p: parts.columns.count * classes,
        }
    }

    /// The inner loss of a problem.
    pub(super) fn of(problem: &'p Problem, parts: &'p Parts<R>) -> Self {
        Self::new(&problem.train, problem.loss, problem.classes, parts)
    }

    pub(super) fn rows(&self) -> usize {
        self.parts.columns.rows
    }

    fn target(&self, target: usize) -> &[f64] {
        &self.sample.targets[target]
    }

    /// True where a row with a weight has a positive target.
    fn has_positive(&self, target: usize) -> bool {
        let mut rows = self.target(target).iter().zip(&self.parts.weight);
        rows.any(|(&y, &weight)| y > 0.0 && weight > 0.0)
    }

    /// The full Hessian where it is formed and as good as the rows: in `f64`.
    pub(super) fn hessian_in_full(&self) -> Option<&'p [f64]> {
        in_f64(self.parts.gram.as_ref()?)
    }

    /// True for a coordinate whose column is zero: the loss does not depend on it.
    pub(super) fn is_zero_column(&self, coordinate: usize) -> bool {
        let j = coordinate / self.classes;
        if self.loss == Loss::Quadratic {
            let mut zero = true;
            self.parts
                .columns
                .for_each_stored(j, |_, x| zero &= x == 0.0);
            return zero;
        }
        self.parts.square[j] == 0.0
    }

    /// z = X̂ w.
    pub(super) fn predictors(&self, w: &[f64], z: &mut [f64]) {
        let (n, c) = (self.rows(), self.classes);
        if self.parts.columns.apply_all(w, c, z) {
            return;
        }
        for (k, z) in z.chunks_exact_mut(n).enumerate() {
            self.parts.columns.apply(
                #[inline(always)]
                |j| w[j * c + k],
                z,
            );
        }
    }

    /// ∂loss/∂z: s∘r/n by class; for the quadratic form Qw − b.
    pub(super) fn residuals(&self, z: &[f64], target: usize, out: &mut [f64]) {
        let (n, c, y) = (self.rows(), self.classes, self.target(target));
        let weight = &self.parts.weight;
        match self.loss.residual_row() {
            None => {
                let mut row = vec![0.0; c];
                for i in 0..n {
                    (0..c).for_each(|k| row[k] = z[k * n + i]);
                    multinomial::residual_in_place(&mut row, y[i] as usize);
                    (0..c).for_each(|k| out[k * n + i] = row[k] * weight[i]);
                }
            }
            Some(row) if self.loss == Loss::Quadratic => {
                for i in 0..n {
                    out[i] = row.residual(z[i], y[i]);
                }
            }
            // A loop of its own, which is vectorised.
            Some(ScalarLoss::Squared(row)) => {
                for i in 0..n {
                    out[i] = row.residual(z[i], y[i]) * weight[i];
                }
            }
            Some(row) => {
                for i in 0..n {
                    out[i] = row.residual(z[i], y[i]) * weight[i];
                }
            }
        }
    }

    /// ∇loss from the residuals.
    pub(super) fn gradient(&self, residuals: &[f64], gradient: &mut [f64]) {
        let (n, c) = (self.rows(), self.classes);
        if self.loss == Loss::Quadratic {
            gradient.copy_from_slice(residuals);
            return;
        }
        if self.parts.columns.transposed_all(residuals, c, gradient) {
            return;
        }
        for (k, residuals) in residuals.chunks_exact(n).enumerate() {
            self.parts.columns.transposed(
                residuals,
                #[inline(always)]
                |j, value| gradient[j * c + k] = value,
            );
        }
    }

    /// The entries of ∇loss in some coordinates, for one predictor per row; the others stay.
    pub(super) fn gradient_of(&self, columns: &[u32], residuals: &[f64], gradient: &mut [f64]) {
        let all = &self.parts.columns;
        all.transposed_in(columns, residuals, gradient);
    }

    /// The loss at predictors z (and w, which the quadratic form needs).
    pub(super) fn value(&self, w: &[f64], z: &[f64], target: usize) -> f64 {
        let (n, c, y) = (self.rows(), self.classes, self.target(target));
        let weight = &self.parts.weight;
        match self.loss.scalar() {
            None if self.loss == Loss::Quadratic => {
                (0..n).map(|i| w[i] * (0.5 * z[i] - y[i])).sum()
            }
            None => {
                let mut row = vec![0.0; c];
                compensated_sum((0..n).map(|i| {
                    (0..c).for_each(|k| row[k] = z[k * n + i]);
                    let class = row[y[i] as usize];
                    weight[i] * (multinomial::softmax_in_place(&mut row) - class)
                }))
            }
            Some(ScalarLoss::Squared(row)) => sum_of(n, |i| weight[i] * row.value(z[i], y[i])),
            // A line search compares values to a few roundings; rows that are alike round alike, and
            // a plain sum of many of them is off by far more.
            Some(row) => compensated_sum((0..n).map(|i| weight[i] * row.value(z[i], y[i]))),
        }
    }

    /// The Hessian's row factors at z, blended by `blend` towards those of a majorant.
    pub(super) fn curvature(&self, z: &[f64], target: usize, blend: f64) -> Curvature {
        let (n, c, y) = (self.rows(), self.classes, self.target(target));
        let values = match self.loss.scalar() {
            None if self.loss == Loss::Quadratic => Vec::new(),
            None => {
                let mut values = vec![0.0; n * c];
                let mut row = vec![0.0; c];
                for i in 0..n {
                    (0..c).for_each(|k| row[k] = z[k * n + i]);
                    multinomial::softmax_in_place(&mut row);
                    (0..c).for_each(|k| values[k * n + i] = row[k]);
                }
                values
            }
            Some(ScalarLoss::Squared(_)) => self.parts.weight.clone(),
            Some(row) => (0..n)
                .map(|i| {
                    let (z, y) = (z[i], y[i]);
                    let h = row.curvature(z, y);
                    self.parts.weight[i] * (h + blend * (row.majorant(z, y) - h))
                })
                .collect(),
        };
        Curvature { values, blend }
    }

    /// z ← √H z, whose square is the curvature along z; of several classes without blending.
    pub(super) fn take_root_of_curvature(&self, curvature: &Curvature, z: &mut [f64]) {
        let (n, c) = (self.rows(), self.classes);
        if self.loss != Loss::Multinomial {
            let values = &curvature.values;
            z.iter_mut().zip(values).for_each(|(z, h)| *z *= h.sqrt());
            return;
        }
        // zᵀ(diag(p) − ppᵀ)z is the variance of z under p.
        for i in 0..n {
            let p = |k: usize| curvature.values[k * n + i];
            let mean: f64 = (0..c).map(|k| p(k) * z[k * n + i]).sum();
            let weight = self.parts.weight[i];
            (0..c).for_each(|k| z[k * n + i] = (weight * p(k)).sqrt() * (z[k * n + i] - mean));
        }
    }

    /// The root of the mean square of row curvatures at z: the factor by which residuals feel the rounding of z
    /// where no bound is known.
    pub(super) fn typical_curvature(&self, z: &[f64], target: usize) -> f64 {
        let Some(row) = self.loss.scalar() else {
            return 1.0;
        };
        let (y, weight) = (self.target(target), &self.parts.weight);
        let square = |i: usize| weight[i] * row.curvature(z[i], y[i]).powi(2);
        sum_of(self.rows(), square).sqrt()
    }

    /// The largest row curvature over its bound: near 0 only where all rows are saturated. Without a bound a row
    /// with a positive target never is, and others are measured by that at z = 0.
    pub(super) fn saturation(&self, curvature: &Curvature, target: usize) -> f64 {
        let n = self.rows();
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        match self.loss {
            Loss::Multinomial => 2.0 * largest(&mut curvature.values.iter().map(|p| p * (1.0 - p))),
            Loss::Quadratic => 1.0,
            loss if loss.has_log_link() && self.has_positive(target) => 1.0,
            loss => {
                largest(
                    &mut (0..n)
                        .filter(|&i| self.parts.weight[i] > 0.0)
                        .map(|i| curvature.values[i] / self.parts.weight[i]),
                ) / loss.curvature_bound().unwrap_or(1.0)
            }
        }
    }

    /// q ← (row Hessian)·q in place: what multiplies X̂ᵀ in a Hessian-vector product.
    pub(super) fn apply_curvature(&self, curvature: &Curvature, q: &mut [f64]) {
        let (n, c) = (self.rows(), self.classes);
        match self.loss {
            Loss::Quadratic => {}
            Loss::Multinomial => {
                let (keep, blend) = (1.0 - curvature.blend, curvature.blend);
                let p = &curvature.values;
                let weight = &self.parts.weight;
                // Rows in blocks that stay in the cache for all classes.
                vectorized(
                    #[inline(always)]
                    || {
                        let mut mean = [0.0; ROW_BLOCK];
                        for first in (0..n).step_by(ROW_BLOCK) {
                            let rows = first..(first + ROW_BLOCK).min(n);
                            let mean = &mut mean[..rows.len()];
                            let weight = &weight[rows.clone()];
                            mean.fill(0.0);
                            for k in 0..c {
                                let (p, q) = (&p[k * n..][rows.clone()], &q[k * n..][rows.clone()]);
                                for i in 0..p.len() {
                                    mean[i] += p[i] * q[i];
                                }
                            }
                            for k in 0..c {
                                let p = &p[k * n..][rows.clone()];
                                let q = &mut q[k * n..][rows.clone()];
                                for i in 0..p.len() {
                                    q[i] = weight[i]
                                        * (keep * p[i] * (q[i] - mean[i])
                                            + multinomial::MAJORANT * blend * q[i]);
                                }
                            }
                        }
                    },
                );
            }
            _ => q
                .iter_mut()
                .zip(&curvature.values)
                .for_each(|(q, h)| *q *= h),
        }
    }
}
