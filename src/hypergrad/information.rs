//! Criteria of a solution from its training rows alone: approximate leave-one-out, GCV, AIC, BIC.
//!
//! They are reported and never minimised: they jump where the support changes.
//!
//! # Degrees of freedom
//!
//! tr H with H = X (A')⁻¹ Xᵀ diag(s h) and A' = Σ_j s_j h_j x_j x_jᵀ + S λ₂, on the support: the number of
//! coefficients that are not zero, and of the intercept, where λ₂ = 0. Leave-one-out is by the steps of
//! `support`. Rows of weight zero do not count.

use super::Outcome;
use super::support::FittedRows;
use crate::linalg::cholesky;
use crate::model::loss::{Loss, RowLoss};
use crate::model::penalty::BlockPenalty;
use crate::problem::{Offset, Problem};
use crate::real::sum_of;

/// The distance of the degrees of freedom from the number of rows, as a share of it, within which a fit is
/// saturated.
const SATURATED: f64 = 1e-6;

/// The reason why a solution has no criteria from its training rows, or no leave-one-out estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoInformation {
    /// The loss has several predictors a row, or no rows.
    Loss,
    /// The penalty has norms of groups, whose curvature is not known here.
    Groups,
    /// The solver did not converge.
    Unsolved,
    /// The point has row weights of its own.
    OwnRows,
    /// The support is larger than 2000, or its products with the rows cost too much.
    TooLarge,
    /// The system on the support is singular: coefficients are not unique.
    Singular,
    /// A row decides on its own prediction, so that there is none without it.
    Leverage,
    /// Rows have offsets with a log link, which the criterion's loss of a row does not know.
    Offsets,
    /// There are as many degrees of freedom as rows: AIC, BIC and GCV say nothing.
    Saturated,
}

impl NoInformation {
    /// The reason in words, for a sentence that begins with what there is not.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Loss => "the loss has not one predictor for each row",
            Self::Groups => "the penalty has norms of groups",
            Self::Unsolved => "the fit has not converged",
            Self::OwnRows => "the point has row weights of its own",
            Self::TooLarge => "there are too many coefficients that are not zero",
            Self::Singular => "the coefficients are not unique",
            Self::Leverage => "a row decides on its own prediction",
            Self::Offsets => "rows have offsets with a log link",
            Self::Saturated => "there are as many degrees of freedom as rows",
        }
    }
}

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
    /// The reason why there are none of them, or no leave-one-out estimate.
    pub missing: Option<NoInformation>,
}

impl Information {
    /// The names of [`values`](Self::values), as outputs have them.
    pub const NAMES: [&'static str; 5] = ["alo", "gcv", "aic", "bic", "degrees_of_freedom"];

    /// The numbers in the order of their names; those that are not finite are none.
    #[must_use]
    pub fn values(&self) -> [Option<f64>; 5] {
        let all = [
            self.alo,
            self.gcv,
            self.aic,
            self.bic,
            self.degrees_of_freedom,
        ];
        all.map(|value| value.filter(|value| value.is_finite()))
    }

    /// The criteria of an outcome of a problem: of losses with one predictor per row and penalties by
    /// coordinate, where the system on the support is regular and no larger than 2000.
    #[must_use]
    pub fn of(problem: &Problem, outcome: &Outcome) -> Self {
        Self::found(problem, outcome).unwrap_or_else(|missing| Self {
            missing: Some(missing),
            ..Self::default()
        })
    }

    fn found(problem: &Problem, outcome: &Outcome) -> Result<Self, NoInformation> {
        if problem.loss().scalar().is_none() {
            return Err(NoInformation::Loss);
        }
        if !outcome.is_solved() {
            return Err(NoInformation::Unsolved);
        }
        if outcome.point.has_own_rows() {
            return Err(NoInformation::OwnRows);
        }
        if Offset::factors_of(problem.train().offset.as_deref()).is_some() {
            return Err(NoInformation::Offsets);
        }
        let regularizer = problem.regularizer(&outcome.point);
        if regularizer.penalties.iter().any(BlockPenalty::is_group) {
            return Err(NoInformation::Groups);
        }
        if regularizer.face(&outcome.solution).is_empty() {
            return Ok(Self::of_nothing(problem, outcome));
        }
        let rows = FittedRows::of(problem, outcome).ok_or(NoInformation::TooLarge)?;
        Self::of_rows(problem, outcome, &rows).ok_or(NoInformation::Singular)
    }

    /// Those of a model without an intercept in which every coefficient is zero or at its bound: no row moves it.
    fn of_nothing(problem: &Problem, outcome: &Outcome) -> Self {
        let sample = problem.train();
        let y = &sample.targets[outcome.point.target];
        let z = sample.design.apply(&outcome.solution);
        let total = sum_of(y.len(), |i| sample.weights[i]);
        let mean_of = |loss: Loss| {
            let value = |i: usize| loss.row_value(&[z[i]], y[i]).unwrap_or(f64::NAN);
            sum_of(y.len(), |i| sample.weights[i] * value(i)) / total
        };
        let criterion = problem.criterion();
        let alo = criterion.sign.factor() * mean_of(criterion.loss);
        let own = Self::of_mean(
            problem.loss(),
            counted(&sample.weights),
            mean_of(problem.loss()),
            0.0,
        );
        Self {
            alo: Some(alo).filter(|alo| alo.is_finite()),
            ..own
        }
    }

    /// Those of a mean loss on n rows with k degrees of freedom, without leave-one-out.
    fn of_mean(loss: Loss, n: f64, mean: f64, k: f64) -> Self {
        let twice_log_likelihood = match loss {
            Loss::Squared if mean > 0.0 => Some(n * (2.0 * mean).ln()),
            Loss::Logistic | Loss::Poisson => Some(2.0 * n * mean),
            _ => None,
        };
        if k >= n * (1.0 - SATURATED) {
            return Self {
                degrees_of_freedom: Some(k),
                missing: Some(NoInformation::Saturated),
                ..Self::default()
            };
        }
        let has_gcv = loss == Loss::Squared;
        Self {
            alo: None,
            gcv: has_gcv.then(|| mean / (1.0 - k / n).powi(2)),
            aic: twice_log_likelihood.map(|deviance| deviance + 2.0 * k),
            bic: twice_log_likelihood.map(|deviance| deviance + n.ln() * k),
            degrees_of_freedom: Some(k),
            missing: None,
        }
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
        let mean = sum_of(n, |i| s[i] * row_loss.value(z[i], y[i])) / total;
        let alo = leave_one_out(problem, outcome, rows);
        let own = Self::of_mean(loss, counted(s), mean, k);
        Some(Self {
            alo,
            missing: own
                .missing
                .or(alo.is_none().then_some(NoInformation::Leverage)),
            ..own
        })
    }
}

/// The number of rows whose weight is not zero.
fn counted(weights: &[f64]) -> f64 {
    weights.iter().filter(|&&s| s != 0.0).count() as f64
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
