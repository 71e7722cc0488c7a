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
use crate::linalg::products::{add_gram, cross_products};
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
    spread: OnceLock<Vec<f64>>,
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
    values: Vec<f64>,
    /// How far the curvature is blended towards that of a global majorant, 0 to 1.
    blend: f64,
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
        let (n, keep) = (column.len(), 1.0 - self.blend);
        let weight = &smooth.parts.weight;
        vectorized(
            #[inline(always)]
            || {
                let mut pull = [0.0; ROW_BLOCK];
                for first in (0..n).step_by(ROW_BLOCK) {
                    let rows = first..(first + ROW_BLOCK).min(n);
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

    /// The full Hessian where it is formed and as good as the rows: in `f64`.
    pub(super) fn hessian_in_full(&self) -> Option<&[f64]> {
        in_f64(self.parts.gram.as_ref()?)
    }

    /// X̂ᵀSX̂ of a dense design, lower triangle, in `f64`.
    pub(super) fn spread(&self) -> Option<&[f64]> {
        let values = self.parts.columns.dense()?;
        let form = || {
            let (count, root) = (self.parts.columns.count, roots::<R>(&self.parts.weight));
            let scaled = self.scaled_columns(values, (0..count).map(|j| (j, &root[..])));
            let mut gram = vec![R::zero(); count * count];
            add_gram(&scaled, self.rows(), count, R::one(), &mut gram);
            gram.into_iter().map(|g| g.to_f64()).collect()
        };
        Some(self.parts.spread.get_or_init(form))
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

    /// The largest row curvature over its bound: near 0 only where all rows are saturated.
    pub(super) fn saturation(&self, curvature: &Curvature) -> f64 {
        let n = self.rows();
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        match self.loss {
            Loss::Multinomial => 2.0 * largest(&mut curvature.values.iter().map(|p| p * (1.0 - p))),
            Loss::Quadratic => 1.0,
            loss => {
                largest(
                    &mut (0..n)
                        .filter(|&i| self.parts.weight[i] > 0.0)
                        .map(|i| curvature.values[i] / self.parts.weight[i]),
                ) / loss.curvature_bound()
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

    /// ∇²loss restricted to `set`, full symmetric storage.
    pub(super) fn hessian(&self, set: &[u32], curvature: &Curvature) -> Vec<R> {
        let m = set.len();
        if let Some(gram) = &self.parts.gram {
            let mut h = Vec::with_capacity(m * m);
            for &j in set {
                let column = &gram[j as usize * self.p..(j as usize + 1) * self.p];
                h.extend(set.iter().map(|&i| column[i as usize]));
            }
            return h;
        }
        let mut h = vec![R::zero(); m * m];
        match (self.loss, self.parts.columns.dense()) {
            (Loss::Quadratic, _) => self.gather_form(set, &mut h),
            (Loss::Multinomial, Some(values)) => {
                self.dense_multinomial(values, set, curvature, &mut h);
            }
            (_, Some(values)) => {
                let root: Vec<R> = roots(&curvature.values);
                let scaled =
                    self.scaled_columns(values, set.iter().map(|&j| (j as usize, &root[..])));
                add_gram(&scaled, self.rows(), m, R::one(), &mut h);
            }
            (_, None) => self.sparse_hessian(set, curvature, &mut h),
        }
        for j in 0..m {
            for i in j + 1..m {
                h[i * m + j] = h[j * m + i];
            }
        }
        h
    }

    /// ∇²loss of a quadratic loss on `set`, given that on a subset.
    ///
    /// Every entry is a sum over rows of its own, whatever the set, so that it has the same bits
    /// however the set grew.
    pub(super) fn extend_hessian(&self, kept: &KeptHessian<R>, set: &[u32]) -> KeptHessian<R> {
        let (n, m) = (self.rows(), set.len());
        let dense = match self.parts.columns.dense() {
            Some(values) if self.loss == Loss::Squared => values,
            _ => {
                return KeptHessian {
                    set: set.to_vec(),
                    hessian: self.hessian(set, &self.curvature(&[], 0, 0.0)),
                    scaled: Vec::new(),
                };
            }
        };
        let root: Vec<R> = roots(&self.parts.weight);
        let place: Vec<Option<usize>> =
            set.iter().map(|j| kept.set.binary_search(j).ok()).collect();
        let mut scaled = Vec::with_capacity(n * m);
        for (&j, place) in set.iter().zip(&place) {
            match place {
                Some(at) => scaled.extend_from_slice(&kept.scaled[at * n..(at + 1) * n]),
                None => scaled.extend(
                    dense[j as usize * n..(j as usize + 1) * n]
                        .iter()
                        .zip(&root)
                        .map(|(&x, &r)| x * r),
                ),
            }
        }
        let mut hessian = vec![R::zero(); m * m];
        for (a, from) in place.iter().enumerate() {
            let Some(from) = from else { continue };
            let old = &kept.hessian[from * kept.set.len()..(from + 1) * kept.set.len()];
            for (b, from) in place.iter().enumerate() {
                if let Some(from) = from {
                    hessian[a * m + b] = old[*from];
                }
            }
        }
        let fresh: Vec<usize> = (0..m).filter(|&at| place[at].is_none()).collect();
        cross_products(&scaled, n, &fresh, &mut hessian);
        KeptHessian {
            set: set.to_vec(),
            hessian,
            scaled,
        }
    }

    /// Entries of Q.
    fn gather_form(&self, set: &[u32], h: &mut [R]) {
        let m = set.len();
        let mut place = vec![usize::MAX; self.p];
        set.iter()
            .enumerate()
            .for_each(|(at, &j)| place[j as usize] = at);
        for (at, &j) in set.iter().enumerate() {
            self.parts.columns.for_each_stored(j as usize, |i, x| {
                if place[i] != usize::MAX {
                    h[at * m + place[i]] = R::of(x);
                }
            });
        }
    }

    /// The columns of a set, scaled by the roots of the rows' curvature, where the Hessian is the product
    /// of these with themselves.
    pub(super) fn columns_of_hessian(&self, set: &[u32], curvature: &Curvature) -> Option<Vec<R>> {
        let values = self.parts.columns.dense()?;
        if matches!(self.loss, Loss::Quadratic | Loss::Multinomial) {
            return None;
        }
        let root: Vec<R> = roots(&curvature.values);
        Some(self.scaled_columns(values, set.iter().map(|&j| (j as usize, &root[..]))))
    }

    fn scaled_columns<'r>(
        &self,
        values: &[R],
        scaled: impl Iterator<Item = (usize, &'r [R])>,
    ) -> Vec<R> {
        let n = self.rows();
        let mut out = Vec::with_capacity(n * scaled.size_hint().0);
        for (j, root) in scaled {
            let column = &values[j * n..(j + 1) * n];
            out.extend(column.iter().zip(root).map(|(&x, &r)| x * r));
        }
        out
    }

    /// With probabilities p_k and blend b: block-diagonal in the classes
    /// `Σ_i (s_i/n)((1 − b)p_ik + b/2) x xᵀ`, minus `(1 − b) Σ_i (s_i/n) p_ik p_il x xᵀ`.
    fn dense_multinomial(&self, values: &[R], set: &[u32], curvature: &Curvature, h: &mut [R]) {
        let (n, c, m) = (self.rows(), self.classes, set.len());
        let (keep, blend) = (1.0 - curvature.blend, curvature.blend);
        let per_class = |factor: &dyn Fn(f64, f64) -> f64| -> Vec<R> {
            (0..c * n)
                .map(|at| R::of(factor(curvature.values[at], self.parts.weight[at % n])))
                .collect()
        };
        let joint = per_class(&|p, s| (keep * s).sqrt() * p);
        let column = |at: u32| (at as usize / c, at as usize % c);
        let scaled = self.scaled_columns(
            values,
            set.iter().map(|&at| {
                let (j, k) = column(at);
                (j, &joint[k * n..(k + 1) * n])
            }),
        );
        add_gram(&scaled, n, m, -R::one(), h);
        let own = per_class(&|p, s| (s * (keep * p + multinomial::MAJORANT * blend)).sqrt());
        for k in 0..c {
            let members: Vec<usize> = (0..m).filter(|&at| column(set[at]).1 == k).collect();
            let scaled = self.scaled_columns(
                values,
                members
                    .iter()
                    .map(|&at| (column(set[at]).0, &own[k * n..(k + 1) * n])),
            );
            let size = members.len();
            let mut block = vec![R::zero(); size * size];
            add_gram(&scaled, n, size, R::one(), &mut block);
            for b in 0..size {
                for a in b..size {
                    h[members[b] * m + members[a]] += block[b * size + a];
                }
            }
        }
    }

    fn sparse_hessian(&self, set: &[u32], curvature: &Curvature, h: &mut [R]) {
        let (n, c, m) = (self.rows(), self.classes, set.len());
        let mut q = vec![0.0; n * c];
        for (at, &coordinate) in set.iter().enumerate() {
            let (j, k) = (coordinate as usize / c, coordinate as usize % c);
            q.fill(0.0);
            self.parts
                .columns
                .add_scaled(j, 1.0, &mut q[k * n..(k + 1) * n]);
            self.apply_curvature(curvature, &mut q);
            let totals: Vec<f64> = q.chunks_exact(n).map(|q| q.iter().sum()).collect();
            for (other, &coordinate) in set.iter().enumerate().skip(at) {
                let (j, k) = (coordinate as usize / c, coordinate as usize % c);
                let product = self.parts.columns.dot(j, &q[k * n..(k + 1) * n], totals[k]);
                h[at * m + other] = R::of(product);
            }
        }
    }
}

fn roots<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|v| R::of(v.sqrt())).collect()
}
