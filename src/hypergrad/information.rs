//! Criteria of a solution from its training rows alone: approximate leave-one-out, GCV, AIC, BIC.
//!
//! They are reported and never minimised: they jump where the support changes.
//!
//! # Leave-one-out
//!
//! Without row i, with S = Σ_j s_j and q = λ₂(w − c) plus the slope of the penalty, the solution on the
//! support is a root of
//!
//! ```text
//! F_i'(w) = Σ_{j≠i} s_j r_j x_j + (S − s_i) q          and at ŵ     F_i'(ŵ) = −s_i (r_i x_i − g),   g = Σ_j s_j r_j x_j/S
//! ```
//!
//! since S(g + q) = 0 there. One step of Newton's method from ŵ, by Sherman and Morrison's formula with
//! A = Σ_j s_j h_j x_j x_jᵀ + (S − 1) λ₂ I and S − s_i = S − 1 for equal weights:
//!
//! ```text
//! z_i⁻ = x_i·ŵ + s_i (r_i a·x_i − a·g)/(1 − s_i h_i a·x_i),     A a = x_i
//! ```
//!
//! It is exact for a quadratic F_i: the ridge with equal weights. Elsewhere it is what leaving a row out
//! does to first order, as long as the support stays.
//!
//! # Degrees of freedom
//!
//! tr H with H = X (A')⁻¹ Xᵀ diag(s h) and A' = Σ_j s_j h_j x_j x_jᵀ + S λ₂ I, on the support: the number of
//! coefficients that are not zero, and of the intercept, where λ₂ = 0.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use super::Outcome;
use crate::data::design::Design;
use crate::data::matrix::Matrix;
use crate::linalg::cholesky;
use crate::linalg::vector::{dot, exceeds};
use crate::model::loss::{Loss, RowLoss};
use crate::model::penalty::Penalty;
use crate::problem::{Point, Problem};
use crate::real::sum_of;

/// The largest support with such criteria: systems of its size are solved for every row.
const LARGEST_SUPPORT: usize = 2000;
/// The most multiplications, rows times the square of the support.
const MOST_WORK: usize = 20_000_000_000;
/// Rows whose products are formed together.
const TOGETHER: usize = 256;

/// Criteria of a solution from its training rows alone; `None` for those that do not exist for its loss or
/// penalty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Information {
    /// The approximate leave-one-out estimate of the criterion, in its units: features keep the scale of
    /// all rows.
    pub alo: Option<f64>,
    /// Generalised cross-validation, L/(1 − k/n)² with the mean loss L, of the squared loss: in its units.
    pub gcv: Option<f64>,
    /// Akaike's criterion: n log(2L) + 2k of the squared loss, 2nL + 2k of the logistic loss.
    pub aic: Option<f64>,
    /// The Bayesian criterion: the same with log(n) k in place of 2k.
    pub bic: Option<f64>,
    /// The degrees of freedom k, the intercept's among them.
    pub degrees_of_freedom: Option<f64>,
}

impl Information {
    /// The criteria of an outcome of a problem: of losses with one predictor per row and penalties by
    /// coordinate, where the system on the support is regular and no larger than 2000.
    #[must_use]
    pub fn of(problem: &Problem, outcome: &Outcome) -> Self {
        let has_rows = problem.loss().scalar().is_some();
        if !has_rows || !outcome.is_solved() || outcome.point.has_own_rows() {
            return Self::default();
        }
        Support::of(problem, &outcome.point, &outcome.solution)
            .and_then(|support| support.information(problem, outcome))
            .unwrap_or_default()
    }
}

/// The rows of a problem on the support of a solution.
struct Support<'a> {
    design: &'a Design,
    /// The columns: coefficients that move, and the intercept last.
    columns: Vec<usize>,
    /// Their places by columns of the design.
    places: Vec<Option<usize>>,
    /// The columns before the intercept's.
    penalized: usize,
}

impl<'a> Support<'a> {
    fn of(problem: &'a Problem, point: &Point, w: &[f64]) -> Option<Self> {
        let features = problem.penalized();
        let strengths = match point.strengths() {
            Some(own) => own.iter().map(|s| s * point.l1).collect(),
            None => problem.effective_strengths(point.l1),
        };
        let is_free: &dyn Fn(usize) -> bool = match problem.penalty() {
            Penalty::ElasticNet => &|j| w[j] != 0.0 || point.l1 == 0.0,
            Penalty::Weighted { .. } => &|j| w[j] != 0.0 || strengths[j] == 0.0,
            Penalty::NonNegative => &|j| w[j] > 0.0,
            Penalty::Box { lower, upper } => &|j| *lower < w[j] && w[j] < *upper,
            Penalty::Group { .. } | Penalty::SparseGroup { .. } => return None,
        };
        let design = &problem.train().design;
        let mut columns: Vec<usize> = (0..features).filter(|&j| is_free(j)).collect();
        let penalized = columns.len();
        if design.intercept {
            columns.push(features);
        }
        let work = columns.len().pow(2).saturating_mul(design.rows());
        if columns.is_empty() || columns.len() > LARGEST_SUPPORT || work > MOST_WORK {
            return None;
        }
        let mut places = vec![None; design.columns()];
        for (place, &column) in columns.iter().enumerate() {
            places[column] = Some(place);
        }
        Some(Self {
            design,
            columns,
            places,
            penalized,
        })
    }

    /// Row i, into a buffer.
    fn row(&self, i: usize, out: &mut [f64]) {
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

    /// Σ_i weight_i x_i x_iᵀ.
    fn gram(&self, weights: &[f64]) -> Mat<f64> {
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

    /// The factor of a Gram matrix with a ridge on what is penalised; `None` where it is singular.
    fn factor(&self, gram: &Mat<f64>, ridge: f64) -> Option<Vec<f64>> {
        let m = self.columns.len();
        let stride = cholesky::stride(m);
        let mut matrix = vec![0.0; stride * m];
        for j in 0..m {
            for i in j..m {
                matrix[j * stride + i] = gram[(i, j)];
            }
            if j < self.penalized {
                matrix[j * stride + j] += ridge;
            }
        }
        cholesky::factor(&mut matrix, m).then_some(matrix)
    }

    fn information(&self, problem: &Problem, outcome: &Outcome) -> Option<Information> {
        let loss = problem.loss();
        let row_loss = loss.scalar()?;
        let sample = problem.train();
        let (y, s) = (&sample.targets[outcome.point.target], &sample.weights);
        let z = self.design.apply(&outcome.solution);
        let n = z.len();
        let total = sum_of(n, |i| s[i]);
        let m = self.columns.len();
        let curvatures: Vec<f64> = (0..n)
            .map(|i| s[i] * row_loss.curvature(z[i], y[i]))
            .collect();
        let gram = self.gram(&curvatures);
        let l2 = outcome.point.l2;

        let full = self.factor(&gram, total * l2)?;
        // tr (A'⁻¹ Σ s h x xᵀ) = m − S λ₂ tr A'⁻¹ over what is penalised.
        let diagonal = |j: usize| {
            let mut unit = vec![0.0; m];
            unit[j] = 1.0;
            cholesky::solve(&full, &mut unit);
            unit[j]
        };
        let ridged = if l2 > 0.0 { self.penalized } else { 0 };
        let k = m as f64 - total * l2 * sum_of(ridged, diagonal);
        let count = n as f64;
        let mean = sum_of(n, |i| s[i] * row_loss.value(z[i], y[i])) / total;
        let twice_log_likelihood = match loss {
            Loss::Squared if mean > 0.0 => Some(count * (2.0 * mean).ln()),
            Loss::Logistic => Some(2.0 * count * mean),
            _ => None,
        };
        let is_squared = loss == Loss::Squared && k < count;
        Some(Information {
            alo: self.leave_one_out(problem, outcome, &gram, &z),
            gcv: is_squared.then(|| mean / (1.0 - k / count).powi(2)),
            aic: twice_log_likelihood.map(|deviance| deviance + 2.0 * k),
            bic: twice_log_likelihood.map(|deviance| deviance + count.ln() * k),
            degrees_of_freedom: Some(k),
        })
    }

    /// The mean of the criterion's loss at z⁻; `None` where a row decides on its own prediction.
    fn leave_one_out(
        &self,
        problem: &Problem,
        outcome: &Outcome,
        gram: &Mat<f64>,
        z: &[f64],
    ) -> Option<f64> {
        let row_loss = problem.loss().scalar()?;
        let sample = problem.train();
        let (y, s) = (&sample.targets[outcome.point.target], &sample.weights);
        let (n, m) = (z.len(), self.columns.len());
        let total = sum_of(n, |i| s[i]);
        let residuals: Vec<f64> = (0..n).map(|i| row_loss.residual(z[i], y[i])).collect();
        let weighted: Vec<f64> = (0..n).map(|i| s[i] * residuals[i] / total).collect();
        let all = self.design.apply_transposed(&weighted);
        let g: Vec<f64> = self.columns.iter().map(|&j| all[j]).collect();
        let factor = self.factor(gram, (total - 1.0) * outcome.point.l2)?;
        let criterion = problem.criterion();
        let (mut x, mut a) = (vec![0.0; m], vec![0.0; m]);
        let mut sum = 0.0;
        for i in 0..n {
            if s[i] == 0.0 {
                continue;
            }
            self.row(i, &mut x);
            a.copy_from_slice(&x);
            cholesky::solve(&factor, &mut a);
            let along = dot(&a, &x);
            let rest = 1.0 - s[i] * row_loss.curvature(z[i], y[i]) * along;
            // Without the row the system on the support is singular.
            if !exceeds(rest, 1e-10) {
                return None;
            }
            let left_out = z[i] + s[i] * (residuals[i] * along - dot(&a, &g)) / rest;
            sum += s[i] * criterion.loss.row_value(&[left_out], y[i])?;
        }
        Some(criterion.sign.factor() * sum / total).filter(|alo| alo.is_finite())
    }
}
