//! The rows of a problem on the support of a solution, and Newton's step when one of them is left out.
//!
//! # Without a row
//!
//! Without row i, with S = Σ_j s_j and q = λ₂(w − c) plus the slope of the penalty, the solution on the
//! support is a root of
//!
//! ```text
//! F_i'(w) = Σ_{j≠i} s_j r_j x_j + (S − s_i) q          and at ŵ     F_i'(ŵ) = −s_i (r_i x_i − g),   g = Σ_j s_j r_j x_j/S
//! ```
//!
//! since S(g + q) = 0 there. One step of Newton's method from ŵ, by Sherman and Morrison's formula with
//! A = Σ_j s_j h_j x_j x_jᵀ + (S − s̄) λ₂, where s̄ is the mean of the weights that are not zero, so that
//! S − s_i = S − s̄ for equal weights, some of which may be zero:
//!
//! ```text
//! Δ_i = s_i (r_i a − A⁻¹g) + s_i h_i a (x_i·Δ_i)      x_i·Δ_i = s_i (r_i a·x_i − a·g)/(1 − s_i h_i a·x_i)      A a = x_i
//! ```
//!
//! Where the row's weight is another than s̄, T_i = A − s_i h_i x_i x_iᵀ − (s_i − s̄) λ₂ takes the place of what A is
//! without the row, by Neumann's series: with M = A − s_i h_i x_i x_iᵀ, whose inverse is the formula above,
//!
//! ```text
//! T_i⁻¹ b = δ_0 + δ_1 + …      δ_0 = M⁻¹ b      δ_k = (s_i − s̄) M⁻¹ λ₂ δ_{k−1}
//! ```
//!
//! As M ≥ (S − s̄) λ₂, each term is at most |s_i − s̄|/(S − s̄) of the one before it. A row for which that is no small
//! share, which few can be, has a system of its own.
//!
//! The step is exact for a quadratic F_i: the ridge. Elsewhere it is what leaving a row out does to first order, as long
//! as the support stays.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::Outcome;
use crate::data::design::Design;
use crate::data::matrix::Matrix;
use crate::linalg::cholesky;
use crate::linalg::vector::{dot, exceeds, norm};
use crate::model::loss::RowLoss;
use crate::model::penalty::BlockPenalty;
use crate::problem::{Point, Problem};
use crate::real::sum_of;

/// The largest support that is served: systems of its size are solved for every row.
const LARGEST: usize = 2000;
/// The most multiplications, rows times the square of the support.
const MOST_WORK: usize = 20_000_000_000;
/// The least pivot of a system without rows, relative to the diagonal with all rows: below is rounding.
const LEAST_PIVOT: f64 = 1e-10;
/// The largest ratio of terms of the series that corrects a step for a row's own weight: some fifty come to rounding.
const LARGEST_RATIO: f64 = 0.5;
/// Rows whose products are formed together.
const TOGETHER: usize = 256;

/// The columns of a design on the support of a solution.
pub(super) struct Support<'a> {
    design: &'a Design,
    /// The columns: coefficients that move, and the intercept last.
    columns: Vec<usize>,
    /// Their places by columns of the design.
    places: Vec<Option<usize>>,
    /// λ₂ of the columns before the intercept's.
    ridges: Vec<f64>,
}

impl<'a> Support<'a> {
    /// Those of a solution; `None` for penalties with norms of groups, and where there are none or too many.
    pub(super) fn of(problem: &'a Problem, point: &Point, w: &[f64]) -> Option<Self> {
        let regularizer = problem.regularizer(point);
        if regularizer.penalties.iter().any(BlockPenalty::is_group) {
            return None;
        }
        let design = &problem.train().design;
        // The intercept comes last, and is free.
        let columns: Vec<usize> = regularizer.face(w).iter().map(|&j| j as usize).collect();
        let penalized = columns.iter().filter(|&&j| j < problem.penalized());
        let ridges = penalized.map(|&j| regularizer.ridge(j)).collect();
        if columns.is_empty() || columns.len() > LARGEST {
            return None;
        }
        let mut places = vec![None; design.columns()];
        for (place, &column) in columns.iter().enumerate() {
            places[column] = Some(place);
        }
        let support = Self {
            design,
            columns,
            places,
            ridges,
        };
        support.has_affordable_gram().then_some(support)
    }

    /// All columns of a design.
    pub(super) fn whole(design: &'a Design) -> Self {
        let columns: Vec<usize> = (0..design.columns()).collect();
        Self {
            design,
            places: columns.iter().copied().map(Some).collect(),
            columns,
            ridges: Vec::new(),
        }
    }

    /// True where the products of the rows of the design may be formed.
    pub(super) fn has_affordable_gram(&self) -> bool {
        let work = self.columns.len().pow(2).saturating_mul(self.design.rows());
        work <= MOST_WORK
    }

    /// The same columns of another design, such as the criterion's.
    pub(super) fn in_design<'d>(&self, design: &'d Design) -> Support<'d> {
        Support {
            design,
            columns: self.columns.clone(),
            places: self.places.clone(),
            ridges: self.ridges.clone(),
        }
    }

    /// The number of columns, the intercept's among them.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// λ₂ of the columns before the intercept's.
    pub(super) fn ridges(&self) -> &[f64] {
        &self.ridges
    }

    /// The entries of the columns, of a vector with one for each column of the design.
    pub(super) fn restricted(&self, all: &[f64]) -> Vec<f64> {
        self.columns.iter().map(|&j| all[j]).collect()
    }

    /// Row i, into a buffer.
    pub(super) fn row(&self, i: usize, out: &mut [f64]) {
        match (&self.design.matrix, &self.design.rank_one) {
            (Matrix::Dense(m), _) => {
                let row = m.row(i);
                out.iter_mut()
                    .zip(&self.columns)
                    .for_each(|(out, &j)| *out = row[j]);
            }
            (Matrix::Sparse(m), scale) => {
                let of = |j: usize, x: f64| match scale {
                    Some(scale) => (x - scale.center[j]) * scale.inverse_scale[j],
                    None => x,
                };
                out.iter_mut()
                    .zip(&self.columns)
                    .for_each(|(out, &j)| *out = of(j, 0.0));
                for (j, x) in m.row(i) {
                    if let Some(place) = self.places[j] {
                        out[place] = of(j, x);
                    }
                }
            }
        }
    }

    /// w ← w + step, which has an entry for each column.
    pub(super) fn add(&self, step: &[f64], w: &mut [f64]) {
        let entries = self.columns.iter().zip(step);
        entries.for_each(|(&j, step)| w[j] += step);
    }

    /// Row i times a vector with an entry for each column.
    pub(super) fn along(&self, i: usize, step: &[f64]) -> f64 {
        let mut x = vec![0.0; self.columns.len()];
        self.row(i, &mut x);
        dot(&x, step)
    }

    /// Σ_i weight_i x_i x_iᵀ.
    pub(super) fn gram(&self, weights: &[f64]) -> Mat<f64> {
        let m = self.columns.len();
        let mut gram = Mat::zeros(m, m);
        let rows: Vec<usize> = (0..weights.len()).collect();
        for rows in rows.chunks(TOGETHER) {
            let mut values = vec![0.0; rows.len() * m];
            for (&i, row) in rows.iter().zip(values.chunks_exact_mut(m)) {
                self.row(i, row);
                row.iter_mut().for_each(|x| *x *= weights[i].sqrt());
            }
            let part = MatRef::from_row_major_slice(&values, rows.len(), m);
            let product = gram.as_mut();
            matmul(product, Accum::Add, part.transpose(), part, 1.0, Par::Seq);
        }
        gram
    }

    /// Σ_i weight_i x_i x_iᵀ with weights of any sign.
    pub(super) fn signed_gram(&self, weights: &[f64]) -> Mat<f64> {
        let m = self.columns.len();
        let mut gram = Mat::zeros(m, m);
        let (mut x, mut weighted) = (vec![0.0; TOGETHER * m], vec![0.0; TOGETHER * m]);
        for first in (0..weights.len()).step_by(TOGETHER) {
            let count = TOGETHER.min(weights.len() - first);
            for at in 0..count {
                let entries = at * m..(at + 1) * m;
                self.row(first + at, &mut x[entries.clone()]);
                let each = weighted[entries.clone()].iter_mut().zip(&x[entries]);
                each.for_each(|(out, x)| *out = weights[first + at] * x);
            }
            let part = MatRef::from_row_major_slice(&x[..count * m], count, m);
            let weighted = MatRef::from_row_major_slice(&weighted[..count * m], count, m);
            let product = gram.as_mut();
            matmul(
                product,
                Accum::Add,
                part.transpose(),
                weighted,
                1.0,
                Par::Seq,
            );
        }
        gram
    }

    /// The factor of a Gram matrix and λ₂ times a number; `None` where their sum is singular.
    pub(super) fn factor(&self, gram: &Mat<f64>, times: f64) -> Option<Vec<f64>> {
        let m = self.columns.len();
        let stride = cholesky::stride(m);
        let mut matrix = vec![0.0; stride * m];
        for j in 0..m {
            for i in j..m {
                matrix[j * stride + i] = gram[(i, j)];
            }
            if let Some(ridge) = self.ridges.get(j) {
                matrix[j * stride + j] += times * ridge;
            }
        }
        cholesky::factor(&mut matrix, m).then_some(matrix)
    }
}

/// The training rows at a solution, on its support: what each of them does to the fit.
pub(super) struct FittedRows<'a> {
    /// The columns.
    pub support: Support<'a>,
    /// Predictors.
    pub z: Vec<f64>,
    /// Residuals r_i: derivatives of the loss in the predictor.
    pub residuals: Vec<f64>,
    /// Curvatures s_i h_i.
    pub curvatures: Vec<f64>,
    /// Weights s_i.
    pub weights: &'a [f64],
    /// S = Σ s_i.
    pub total: f64,
    /// Σ_i s_i h_i x_i x_iᵀ.
    pub gram: Mat<f64>,
    /// g = Σ_j s_j r_j x_j/S.
    gradient: Vec<f64>,
}

impl<'a> FittedRows<'a> {
    /// Those of an outcome of a problem; `None` for losses with several predictors a row, and where
    /// [`Support::of`] has none.
    pub(super) fn of(problem: &'a Problem, outcome: &Outcome) -> Option<Self> {
        let row_loss = problem.loss().scalar()?;
        let support = Support::of(problem, &outcome.point, &outcome.solution)?;
        let sample = problem.train();
        let (y, weights) = (&sample.targets[outcome.point.target], &sample.weights);
        let z = support.design.apply(&outcome.solution);
        let n = z.len();
        let curvatures: Vec<f64> = (0..n)
            .map(|i| weights[i] * row_loss.curvature(z[i], y[i]))
            .collect();
        let residuals: Vec<f64> = (0..n).map(|i| row_loss.residual(z[i], y[i])).collect();
        let total = sum_of(n, |i| weights[i]);
        let weighted: Vec<f64> = (0..n).map(|i| weights[i] * residuals[i] / total).collect();
        let all = support.design.apply_transposed(&weighted);
        Some(Self {
            gradient: support.restricted(&all),
            gram: support.gram(&curvatures),
            support,
            z,
            residuals,
            curvatures,
            weights,
            total,
        })
    }

    /// g, on the support.
    pub(super) fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// The steps that leave a row out; `None` where the system on the support is singular.
    pub(super) fn left_out(&self) -> Option<LeftOut<'_>> {
        let count = self.weights.iter().filter(|&&s| s > 0.0).count();
        let mean = self.total / count as f64;
        let factor = self.support.factor(&self.gram, self.total - mean)?;
        let mut shift = self.gradient.clone();
        cholesky::solve(&factor, &mut shift);
        Some(LeftOut {
            rows: self,
            mean,
            factor,
            shift,
        })
    }
}

impl FittedRows<'_> {
    /// The leverages s_i h_i x_i·(A + λ₂)⁻¹x_i; `None` where the system is singular.
    pub(super) fn leverages(&self) -> Option<Vec<f64>> {
        let factor = self.support.factor(&self.gram, self.total)?;
        let m = self.support.len();
        let of_row = |memory: &mut Vec<f64>, i: usize| {
            let (x, solved) = memory.split_at_mut(m);
            self.support.row(i, x);
            solved.copy_from_slice(x);
            cholesky::solve(&factor, solved);
            self.curvatures[i] * dot(x, solved)
        };
        let rows = (0..self.z.len()).into_par_iter();
        Some(rows.map_init(|| vec![0.0; 2 * m], of_row).collect())
    }

    /// Newton's step to the solution without several rows, into the memory; `None` where the system without
    /// them is singular.
    ///
    /// As for one row, with sums over the rows and their own system, so for weights that differ too.
    pub(super) fn step_without(&self, group: &[usize], work: &mut Work) -> Option<()> {
        let Work { x, step, .. } = work;
        step.fill(0.0);
        let mut gram = self.gram.clone();
        let mut left = self.total;
        for &i in group {
            let s = self.weights[i];
            self.support.row(i, x);
            left -= s;
            for (j, &x_j) in x.iter().enumerate() {
                step[j] += s * (self.residuals[i] * x_j - self.gradient[j]);
                for (k, &x_k) in x.iter().enumerate().skip(j) {
                    gram[(k, j)] -= self.curvatures[i] * x_j * x_k;
                }
            }
        }
        let factor = self.support.factor(&gram, left)?;
        let stride = cholesky::stride(x.len());
        // On the diagonal of the factor stand 1/L_jj.
        let is_clear = |j: usize| {
            let pivot = factor[j * stride + j].powi(-2);
            exceeds(pivot, LEAST_PIVOT * self.gram[(j, j)])
        };
        if !(0..x.len()).all(is_clear) {
            return None;
        }
        cholesky::solve(&factor, step);
        step.iter().all(|step| step.is_finite()).then_some(())
    }
}

/// Newton's steps from the solution on the support, each to that without one row.
pub(super) struct LeftOut<'a> {
    rows: &'a FittedRows<'a>,
    /// s̄.
    mean: f64,
    /// The factor of A.
    factor: Vec<f64>,
    /// A⁻¹g.
    shift: Vec<f64>,
}

/// Memory of a step.
pub(super) struct Work {
    x: Vec<f64>,
    /// Δ_i.
    pub step: Vec<f64>,
    /// A⁻¹x_i.
    solved: Vec<f64>,
    /// δ_k.
    term: Vec<f64>,
}

impl LeftOut<'_> {
    /// The rows that the steps are from.
    pub(super) fn rows(&self) -> &FittedRows<'_> {
        self.rows
    }

    /// v ← A⁻¹v.
    pub(super) fn solve(&self, v: &mut [f64]) {
        cholesky::solve(&self.factor, v);
    }

    /// Memory for steps.
    pub(super) fn work(&self) -> Work {
        let m = self.shift.len();
        Work {
            x: vec![0.0; m],
            step: vec![0.0; m],
            solved: vec![0.0; m],
            term: vec![0.0; m],
        }
    }

    /// Δ_i, into the memory; x_i·Δ_i is returned, or `None` where the system without the row is singular.
    pub(super) fn step(&self, i: usize, work: &mut Work) -> Option<f64> {
        let rows = self.rows;
        let Work {
            x,
            step,
            solved,
            term,
        } = work;
        rows.support.row(i, x);
        solved.copy_from_slice(x);
        cholesky::solve(&self.factor, solved);
        let (s, h, r) = (rows.weights[i], rows.curvatures[i], rows.residuals[i]);
        let leverage = dot(solved, x);
        let rest = 1.0 - h * leverage;
        if !exceeds(rest, LEAST_PIVOT) {
            return None;
        }
        let along = s * (r * leverage - dot(x, &self.shift)) / rest;
        for ((step, solved), shift) in step.iter_mut().zip(&*solved).zip(&self.shift) {
            *step = *solved * (s * r + h * along) - s * shift;
        }
        let excess = s - self.mean;
        let ridges = rows.support.ridges();
        let ratio = excess.abs() / (rows.total - self.mean);
        // Weights that are equal but for rounding have no more of it.
        if ratio <= f64::EPSILON || ridges.iter().all(|&ridge| ridge == 0.0) {
            return Some(along);
        }
        if ratio.is_nan() || ratio > LARGEST_RATIO {
            rows.step_without(&[i], work)?;
            return Some(dot(&work.x, &work.step));
        }
        term.copy_from_slice(step);
        while norm(term) > f64::EPSILON * norm(step) {
            let (penalized, free) = term.split_at_mut(ridges.len());
            for (term, ridge) in penalized.iter_mut().zip(ridges) {
                *term *= excess * ridge;
            }
            free.fill(0.0);
            cholesky::solve(&self.factor, term);
            let share = h * dot(x, term) / rest;
            for ((step, term), solved) in step.iter_mut().zip(&mut *term).zip(&*solved) {
                *term += share * solved;
                *step += *term;
            }
        }
        Some(dot(x, step))
    }
}
