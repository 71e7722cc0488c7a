//! A penalised quadratic in residual form: for sets of coordinates whose Hessian is too large to
//! form.
//!
//! Coordinate descent keeps the model's row residuals `v = s∘r/n + (row Hessian)·X̂Δ`, so that the
//! gradient of coordinate j is `x̂_jᵀ v`. Sparse columns are used as stored, without their centre:
//! moving ŵ_j by δ along the stored column is moving it along x̂_j with the intercept moved by
//! `δ m_j/σ_j`, and there always is an intercept where columns are centred. The face's Newton step
//! is by conjugate gradient.

use crate::control::Control;
use crate::model::loss::Loss;
use crate::real::Real;

use super::smooth::{Curvature, Smooth};
use crate::linalg::vector::exceeds;
use crate::model::penalty::Shrink;
use crate::model::regularizer::{Regularizer, group_norm};

/// Epochs of coordinate descent between Newton steps.
const EPOCHS: usize = 8;
/// Coordinates between two looks at the control: with many rows and classes an epoch takes seconds.
const ATTENTION: usize = 64;

/// Some epochs of coordinate descent on the model at w; returns their number. Where the control
/// stops, it ends at once.
pub(super) fn descend<R: Real>(
    smooth: &Smooth<'_, R>,
    regularizer: &Regularizer<'_>,
    curvature: &Curvature,
    blocks: &[u32],
    residuals: &[f64],
    w: &mut [f64],
    control: &Control,
) -> usize {
    let mut v = residuals.to_vec();
    let diagonal: Vec<f64> = diagonal(smooth, curvature);
    let mut old = Vec::new();
    for epoch in 0..EPOCHS {
        let mut moved = false;
        for (at, &b) in blocks.iter().enumerate() {
            if at % ATTENTION == ATTENTION - 1 && control.should_stop() {
                return epoch + 1;
            }
            let b = b as usize;
            let penalty = &regularizer.penalties[b];
            let members = regularizer.blocks.members(b);
            if penalty.is_group() {
                // The trace bounds the block's largest eigenvalue.
                let trace: f64 = members.iter().map(|&j| diagonal[j as usize]).sum();
                let ridges = members.iter().map(|&j| regularizer.ridge(j as usize));
                let a = trace + ridges.fold(0.0, f64::max);
                if a <= 0.0 {
                    continue;
                }
                old.clear();
                old.extend(members.iter().map(|&j| {
                    let j = j as usize;
                    let g = partial(smooth, j, &v) + regularizer.ridge_gradient(j, w[j]);
                    penalty.coordinate.prox(a * w[j] - g, 1.0)
                }));
                let square = old.iter().map(|s| s * s).sum();
                let factor = Shrink::new(square, penalty.norm).factor() / a;
                for (&j, u) in members.iter().zip(&old) {
                    moved |= shift(smooth, curvature, j as usize, factor * u, w, &mut v);
                }
                continue;
            }
            for &j in members {
                let j = j as usize;
                let a = diagonal[j] + regularizer.ridge(j);
                let g = partial(smooth, j, &v) + regularizer.ridge_gradient(j, w[j]);
                let new = penalty.coordinate.minimizer(a, w[j], g);
                moved |= shift(smooth, curvature, j, new, w, &mut v);
            }
        }
        if !moved {
            return epoch + 1;
        }
    }
    EPOCHS
}

/// The Hessian's diagonal along the stored columns.
fn diagonal<R: Real>(smooth: &Smooth<'_, R>, curvature: &Curvature) -> Vec<f64> {
    let c = smooth.classes;
    if smooth.loss == Loss::Quadratic {
        return smooth.parts.square.clone();
    }
    (0..smooth.p)
        .map(|at| {
            let (j, k) = (at / c, at % c);
            let mut sum = 0.0;
            smooth
                .parts
                .columns
                .for_each_stored(j, |i, x| sum += curvature.diagonal(smooth, i, k) * x * x);
            sum
        })
        .collect()
}

fn partial<R: Real>(smooth: &Smooth<'_, R>, coordinate: usize, v: &[f64]) -> f64 {
    if smooth.loss == Loss::Quadratic {
        return v[coordinate];
    }
    let (c, n) = (smooth.classes, smooth.rows());
    let v = &v[coordinate % c * n..(coordinate % c + 1) * n];
    smooth.parts.columns.stored_dot(coordinate / c, v)
}

/// Sets a coordinate and brings v up to date; true when it moved.
fn shift<R: Real>(
    smooth: &Smooth<'_, R>,
    curvature: &Curvature,
    coordinate: usize,
    new: f64,
    w: &mut [f64],
    v: &mut [f64],
) -> bool {
    let delta = new - w[coordinate];
    if delta == 0.0 {
        return false;
    }
    w[coordinate] = new;
    let (c, n) = (smooth.classes, smooth.rows());
    let (j, k) = (coordinate / c, coordinate % c);
    let center = smooth.parts.columns.shift(j);
    if center != 0.0 {
        let intercept = smooth.p - c + k;
        w[intercept] += delta * center;
    }
    if c == 1 {
        smooth.parts.columns.for_each_stored(j, |i, x| {
            v[i] += delta * x * curvature.diagonal(smooth, i, 0)
        });
        return true;
    }
    if let Some(column) = smooth.parts.columns.dense_column(j) {
        curvature.add_column(smooth, column, k, delta, v);
        return true;
    }
    for l in 0..c {
        let v = &mut v[l * n..(l + 1) * n];
        smooth.parts.columns.for_each_stored(j, |i, x| {
            v[i] += delta * x * curvature.entry(smooth, i, l, k);
        });
    }
    true
}

/// y ← (∇²loss + λ₂ + curvature of group norms) x on `face`, both of length p and zero off it.
pub(super) struct FaceHessian<'a, 'p, R> {
    pub(super) smooth: &'a Smooth<'p, R>,
    pub(super) regularizer: &'a Regularizer<'a>,
    pub(super) curvature: &'a Curvature,
    pub(super) face: &'a [u32],
    /// The groups on the face: block, strength over ‖w_g‖, ŵ_g.
    pub(super) groups: Vec<(u32, f64, Vec<f64>)>,
}

impl<'a, 'p, R: Real> FaceHessian<'a, 'p, R> {
    pub(super) fn new(
        smooth: &'a Smooth<'p, R>,
        regularizer: &'a Regularizer<'a>,
        curvature: &'a Curvature,
        face: &'a [u32],
        w: &[f64],
    ) -> Self {
        let mut groups = Vec::new();
        for (b, penalty) in regularizer.penalties.iter().enumerate() {
            let members = regularizer.blocks.members(b);
            let is_on_face = |j: &u32| face.binary_search(j).is_ok();
            if penalty.is_group() && members.iter().any(is_on_face) {
                let norm = group_norm(members, w);
                if norm > 0.0 {
                    let unit = members.iter().map(|&j| w[j as usize] / norm).collect();
                    groups.push((b as u32, penalty.norm_pull(norm), unit));
                }
            }
        }
        Self {
            smooth,
            regularizer,
            curvature,
            face,
            groups,
        }
    }

    pub(super) fn apply(&self, x: &[f64], y: &mut [f64]) {
        let smooth = self.smooth;
        let mut z = vec![0.0; smooth.rows() * smooth.classes];
        smooth.predictors(x, &mut z);
        smooth.apply_curvature(self.curvature, &mut z);
        let mut full = vec![0.0; smooth.p];
        smooth.gradient(&z, &mut full);
        y.fill(0.0);
        for &j in self.face {
            let j = j as usize;
            y[j] = full[j] + self.regularizer.ridge(j) * x[j];
        }
        for (b, scale, unit) in &self.groups {
            let members = self.regularizer.blocks.members(*b as usize);
            let along: f64 = members
                .iter()
                .zip(unit)
                .map(|(&j, u)| x[j as usize] * u)
                .sum();
            for (&j, u) in members.iter().zip(unit) {
                y[j as usize] += scale * (x[j as usize] - along * u);
            }
        }
    }

    /// The same for vectors with one entry for each coordinate of the face.
    pub(super) fn apply_on_face(&self, x: &[f64], y: &mut [f64]) {
        let p = self.smooth.p;
        if self.face.len() == p {
            return self.apply(x, y);
        }
        let (mut full, mut image) = (vec![0.0; p], vec![0.0; p]);
        for (&j, &x) in self.face.iter().zip(x) {
            full[j as usize] = x;
        }
        self.apply(&full, &mut image);
        for (&j, y) in self.face.iter().zip(y) {
            *y = image[j as usize];
        }
    }

    /// The diagonal of the operator on the face; 1 elsewhere and where it vanishes.
    pub(super) fn diagonal(&self) -> Vec<f64> {
        let smooth = self.smooth;
        let c = smooth.classes;
        let mut out = vec![1.0; smooth.p];
        for &at in self.face {
            let (j, k) = (at as usize / c, at as usize % c);
            let mut sum = 0.0;
            if smooth.loss == Loss::Quadratic {
                sum = smooth.parts.square[j];
            } else {
                let shift = smooth.parts.columns.shift(j);
                let mut weights = 0.0;
                let mut total = 0.0;
                smooth.parts.columns.for_each_stored(j, |i, x| {
                    let h = self.curvature.diagonal(smooth, i, k);
                    sum += h * x * x;
                    weights += h * x;
                });
                if shift != 0.0 {
                    total += (0..smooth.rows())
                        .map(|i| self.curvature.diagonal(smooth, i, k))
                        .sum::<f64>();
                    sum += shift * (shift * total - 2.0 * weights);
                }
            }
            out[at as usize] = sum + self.regularizer.ridge(at as usize);
        }
        for (b, scale, unit) in &self.groups {
            let members = self.regularizer.blocks.members(*b as usize);
            for (&j, u) in members.iter().zip(unit) {
                out[j as usize] += scale * (1.0 - u * u);
            }
        }
        for d in &mut out {
            if !exceeds(*d, 0.0) {
                *d = 1.0;
            }
        }
        out
    }
}
