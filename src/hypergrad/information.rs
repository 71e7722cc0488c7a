//! Criteria of a solution from its training rows alone: approximate leave-one-out, GCV, AIC, BIC.
//!
//! They are reported and never minimised: they jump where the support changes.
//!
//! # Degrees of freedom
//!
//! tr H with H = X (A')⁻¹ Xᵀ diag(s h) and A' = Σ_j s_j h_j x_j x_jᵀ + S λ₂, on the support: the number of
//! coefficients that are not zero, and of the intercept, where λ₂ = 0. Leave-one-out is by the steps of
//! `support`.

use super::Outcome;
use super::support::FittedRows;
use crate::linalg::cholesky;
use crate::model::loss::{Loss, RowLoss};
use crate::problem::Problem;
use crate::real::sum_of;

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
    /// Akaike's criterion: n log(2L) + 2k of the squared loss, 2nL + 2k of the logistic and, up to a
    /// constant of the targets, of the Poisson loss.
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
        FittedRows::of(problem, outcome)
            .and_then(|rows| Self::of_rows(problem, outcome, &rows))
            .unwrap_or_default()
    }

    fn of_rows(problem: &Problem, outcome: &Outcome, rows: &FittedRows<'_>) -> Option<Self> {
        let loss = problem.loss();
        let row_loss = loss.scalar()?;
        let y = &problem.train().targets[outcome.point.target];
        let (z, s, total) = (&rows.z, rows.weights, rows.total);
        let (n, m) = (z.len(), rows.support.len());
        let full = rows.support.factor(&rows.gram, total)?;
        // tr (A'⁻¹ Σ s h x xᵀ) = m − S Σ_j λ₂_j (A'⁻¹)_jj over what is penalised.
        let ridges = rows.support.ridges();
        let share = |j: usize| {
            if ridges[j] == 0.0 {
                return 0.0;
            }
            let mut unit = vec![0.0; m];
            unit[j] = 1.0;
            cholesky::solve(&full, &mut unit);
            ridges[j] * unit[j]
        };
        let k = m as f64 - total * sum_of(ridges.len(), share);
        let count = n as f64;
        let mean = sum_of(n, |i| s[i] * row_loss.value(z[i], y[i])) / total;
        let twice_log_likelihood = match loss {
            Loss::Squared if mean > 0.0 => Some(count * (2.0 * mean).ln()),
            Loss::Logistic | Loss::Poisson => Some(2.0 * count * mean),
            _ => None,
        };
        let is_squared = loss == Loss::Squared && k < count;
        Some(Self {
            alo: leave_one_out(problem, outcome, rows),
            gcv: is_squared.then(|| mean / (1.0 - k / count).powi(2)),
            aic: twice_log_likelihood.map(|deviance| deviance + 2.0 * k),
            bic: twice_log_likelihood.map(|deviance| deviance + count.ln() * k),
            degrees_of_freedom: Some(k),
        })
    }
}

/// The mean of the criterion's loss at the predictors without each row; `None` where a row decides on its
/// own prediction.
fn leave_one_out(problem: &Problem, outcome: &Outcome, rows: &FittedRows<'_>) -> Option<f64> {
    let y = &problem.train().targets[outcome.point.target];
    let criterion = problem.criterion();
    let steps = rows.left_out()?;
    let mut work = steps.work();
    let mut sum = 0.0;
    for (i, &s) in rows.weights.iter().enumerate() {
        if s == 0.0 {
            continue;
        }
        let left_out = rows.z[i] + steps.step(i, &mut work)?;
        sum += s * criterion.loss.row_value(&[left_out], y[i])?;
    }
    Some(criterion.sign.factor() * sum / rows.total).filter(|alo| alo.is_finite())
}
