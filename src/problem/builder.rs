//! The builder of a problem.

use super::{Perturbation, Problem, RidgeStrengths, Rows, Sign, Specification};
use crate::data::input::{ToMatrix, ToTargets};
use crate::data::matrix::{Dense, Matrix};
use crate::error::{Error, Result};
use crate::model::loss::Loss;
use crate::model::penalty::{Groups, Penalty};

/// A problem that is being stated: rows and loss are there, everything else has a default.
///
/// | choice | default |
/// | --- | --- |
/// | [`validation`](Self::validation) | the criterion is taken on the training rows |
/// | [`penalty`](Self::penalty) and its short forms | l1 (elastic net) |
/// | [`criterion`](Self::criterion), [`sign`](Self::sign) | the training loss, to be minimised |
/// | [`intercept`](Self::intercept), [`standardize`](Self::standardize) | both on; off for a quadratic form |
/// | [`sample_weights`](Self::sample_weights) | all 1 |
/// | [`ridge`](Self::ridge) | one strength in common |
/// | [`prior`](Self::prior) | zero |
///
/// A part that does not fit is an error of [`build`](Self::build).
#[derive(Debug)]
#[must_use]
pub struct ProblemBuilder {
    stated: Result<Specification>,
}

impl ProblemBuilder {
    /// Training rows with a loss.
    pub fn new(loss: Loss, x: &(impl ToMatrix + ?Sized), y: &(impl ToTargets + ?Sized)) -> Self {
        let stated = x.to_matrix().map(|matrix| {
            let targets = y.to_targets();
            let mut stated = Specification::new(loss, matrix, targets);
            if loss == Loss::Multinomial {
                let codes = stated.train.targets.iter().flatten();
                let largest = codes.fold(0.0f64, |largest, &code| largest.max(code));
                stated.classes = largest as usize + 1;
            }
            stated
        });
        Self { stated }
    }

    fn and(self, change: impl FnOnce(&mut Specification)) -> Self {
        self.and_try(|stated| {
            change(stated);
            Ok(())
        })
    }

    fn and_try(mut self, change: impl FnOnce(&mut Specification) -> Result<()>) -> Self {
        if let Ok(stated) = &mut self.stated
            && let Err(error) = change(stated)
        {
            self.stated = Err(error);
        }
        self
    }

    /// The rows of the criterion: m × d, in the units of the training rows.
    pub fn validation(self, x: &(impl ToMatrix + ?Sized), y: &(impl ToTargets + ?Sized)) -> Self {
        self.and_try(|stated| {
            stated.validation = Some(Rows {
                matrix: x.to_matrix()?,
                targets: y.to_targets(),
                weights: None,
                offset: None,
            });
            Ok(())
        })
    }

    /// One weight per training row, not negative.
    pub fn sample_weights(self, weights: &[f64]) -> Self {
        self.and(|stated| stated.train.weights = Some(weights.to_vec()))
    }

    /// One offset per training row, which its linear predictor has beside the coefficients: of a loss with a log link
    /// the logarithm of the exposure. For the losses of numbers.
    pub fn offset(self, offset: &[f64]) -> Self {
        self.and(|stated| stated.train.offset = Some(offset.to_vec()))
    }

    /// One offset per row of the criterion; the rows come first.
    pub fn validation_offset(self, offset: &[f64]) -> Self {
        self.and_try(|stated| match &mut stated.validation {
            Some(rows) => {
                rows.offset = Some(offset.to_vec());
                Ok(())
            }
            None => Err(Error::unsupported(
                "a validation offset without validation rows",
                "give the validation rows first",
            )),
        })
    }

    /// One weight per row of the criterion, not negative; the rows come first.
    pub fn validation_weights(self, weights: &[f64]) -> Self {
        self.and_try(|stated| match &mut stated.validation {
            Some(rows) => {
                rows.weights = Some(weights.to_vec());
                Ok(())
            }
            None => Err(Error::unsupported(
                "validation weights without validation rows",
                "give the validation rows first",
            )),
        })
    }

    /// The number of classes of the multinomial loss, where the largest index in the training rows
    /// does not say it.
    pub fn classes(self, classes: usize) -> Self {
        self.and(|stated| stated.classes = classes)
    }

    /// Any penalty.
    pub fn penalty(self, penalty: Penalty) -> Self {
        self.and(|stated| stated.penalty = penalty)
    }

    /// A strength of its own for every penalised coordinate, which multiplies a point's l1.
    pub fn weighted(self, strengths: &[f64]) -> Self {
        let strengths = strengths.to_vec();
        self.penalty(Penalty::Weighted { strengths })
    }

    /// The group penalty: the label of its group for every penalised coordinate.
    pub fn group(self, labels: &[u32]) -> Self {
        let groups = Groups::from_labels(labels);
        self.penalty(Penalty::Group {
            groups,
            strengths: None,
        })
    }

    /// Coefficients that are not negative.
    pub fn non_negative(self) -> Self {
        self.penalty(Penalty::NonNegative)
    }

    /// Coefficients between two bounds.
    pub fn bounds(self, lower: f64, upper: f64) -> Self {
        self.penalty(Penalty::Box { lower, upper })
    }

    /// Coefficients between bounds of their own, in the data's units, with the penalty of absolute values:
    /// −∞ and ∞ are no bounds, 0 and ∞ ask for a sign. The penalty comes first.
    pub fn coefficient_bounds(self, lower: &[f64], upper: &[f64]) -> Self {
        self.and_try(|stated| {
            let bounded = stated
                .penalty
                .clone()
                .within(lower.to_vec(), upper.to_vec())?;
            stated.penalty = bounded;
            Ok(())
        })
    }

    /// Another loss for the criterion.
    pub fn criterion(self, loss: Loss) -> Self {
        self.and(|stated| stated.criterion = Some(loss))
    }

    /// The sign of the criterion.
    pub fn sign(self, sign: Sign) -> Self {
        self.and(|stated| stated.sign = sign)
    }

    /// Whether an intercept is fitted, which no penalty acts on.
    pub fn intercept(self, intercept: bool) -> Self {
        self.and(|stated| stated.scaling.intercept = intercept)
    }

    /// Whether columns are divided by their standard deviation.
    pub fn standardize(self, standardize: bool) -> Self {
        self.and(|stated| stated.scaling.standardize = standardize)
    }

    /// Ridge strengths of the penalised coordinates in place of a common one; a point's l2 multiplies
    /// them.
    pub fn ridge(self, ridge: RidgeStrengths) -> Self {
        self.and(|stated| stated.ridge = Some(ridge))
    }

    /// The prior mean c of the ridge term, one entry per penalised coordinate in units of the scaled
    /// columns.
    pub fn prior(self, prior: &[f64]) -> Self {
        self.and(|stated| stated.prior = Some(prior.to_vec()))
    }

    /// A perturbation of some training rows (from 0), rows × d values in the data's units: what can
    /// be differentiated as `Wrt::Perturbation`.
    pub fn perturbation(self, rows: &[usize], values: Dense) -> Self {
        let rows = rows.to_vec();
        self.and(|stated| stated.perturbation = Some(Perturbation { rows, values }))
    }

    /// The specification, for what has no method here.
    ///
    /// # Errors
    /// Those of the rows' forms.
    pub fn specification(self) -> Result<Specification> {
        self.stated
    }

    /// Checks everything and prepares the designs.
    ///
    /// # Errors
    /// Those of [`Problem::new`] and of the rows' forms.
    pub fn build(self) -> Result<Problem> {
        Problem::new(self.stated?)
    }
}

impl Problem {
    /// Least squares with l1 and ridge: the elastic net, with λ₂ = 0 the lasso.
    pub fn elastic_net(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Squared, x, y)
    }

    /// Logistic regression, targets −1 and 1.
    pub fn logistic(x: &(impl ToMatrix + ?Sized), y: &(impl ToTargets + ?Sized)) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Logistic, x, y)
    }

    /// Multinomial regression, targets class indices from 0.
    pub fn multinomial(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Multinomial, x, y)
    }

    /// Robust regression; beyond `delta`, in units of the target, the loss is linear.
    pub fn huber(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
        delta: f64,
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Huber { delta }, x, y)
    }

    /// Poisson regression with a log link: counts, or rates with their exposures as sample weights.
    pub fn poisson(x: &(impl ToMatrix + ?Sized), y: &(impl ToTargets + ?Sized)) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Poisson, x, y)
    }

    /// Gamma regression with a log link: positive amounts.
    pub fn gamma(x: &(impl ToMatrix + ?Sized), y: &(impl ToTargets + ?Sized)) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Gamma, x, y)
    }

    /// Tweedie regression with a log link: amounts that may be zero, of the variance μᵖ with `power` p
    /// between 1 and 2.
    pub fn tweedie(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
        power: f64,
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Tweedie { power }, x, y)
    }

    /// A smooth support vector machine, targets −1 and 1.
    pub fn squared_hinge(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::SquaredHinge, x, y)
    }

    /// The form ½wᵀQw − bᵀw of a symmetric Q.
    pub fn quadratic(
        q: &(impl ToMatrix + ?Sized),
        b: &(impl ToTargets + ?Sized),
    ) -> ProblemBuilder {
        ProblemBuilder::new(Loss::Quadratic, q, b)
    }

    /// Least squares with the group penalty: see [`ProblemBuilder::group`].
    pub fn group(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
        labels: &[u32],
    ) -> ProblemBuilder {
        Self::elastic_net(x, y).group(labels)
    }

    /// Least squares with strengths of their own: see [`ProblemBuilder::weighted`].
    pub fn weighted(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
        strengths: &[f64],
    ) -> ProblemBuilder {
        Self::elastic_net(x, y).weighted(strengths)
    }

    /// Least squares with coefficients that are not negative.
    pub fn non_negative(
        x: &(impl ToMatrix + ?Sized),
        y: &(impl ToTargets + ?Sized),
    ) -> ProblemBuilder {
        Self::elastic_net(x, y).non_negative()
    }

    /// The dual of a linear support vector machine without intercept, labels −1 and 1: the form of
    /// Q_ij = y_i y_j x_i·x_j and b = 1 over 0 ≤ w ≤ `bound`. Its n coordinates are the multipliers of
    /// the rows; evaluate it at points with λ₂ = 0, or with a ridge on the multipliers.
    pub fn svm_dual(x: &(impl ToMatrix + ?Sized), labels: &[f64], bound: f64) -> ProblemBuilder {
        let form = x.to_matrix().and_then(|x| dual_form(&x, labels));
        match form {
            Ok(q) => Self::quadratic(&q, &vec![1.0; labels.len()]).bounds(0.0, bound),
            Err(error) => ProblemBuilder { stated: Err(error) },
        }
    }
}

/// Q_ij = y_i y_j x_i·x_j.
fn dual_form(x: &Matrix, labels: &[f64]) -> Result<Dense> {
    let (n, d) = (x.rows(), x.columns());
    if labels.len() != n || labels.iter().any(|y| y.abs() != 1.0) {
        return Err(Error::value(
            "labels of a support vector machine",
            format!("{} of {n} rows, not all -1 or 1", labels.len()),
            "give every row the label -1 or 1",
        ));
    }
    let mut signed = faer::Mat::<f64>::zeros(n, d);
    x.for_each_entry(|i, j, value| signed[(i, j)] = labels[i] * value);
    let q = &signed * signed.transpose();
    // Rounding must not make it asymmetric.
    let entry = |at: usize| q[((at / n).min(at % n), (at / n).max(at % n))];
    Dense::new(n, n, (0..n * n).map(entry).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_criterion_on_the_training_rows_shares_them() {
        let x = [[1.0, 2.0], [0.0, 1.0], [3.0, -1.0], [2.0, 2.0]];
        let y = [1.0, 2.0, 0.5, -1.0];
        let problem = Problem::elastic_net(&x, &y).build().unwrap();
        let (train, criterion) = (problem.train(), &problem.criterion().sample);
        assert!(Arc::ptr_eq(&train.design, &criterion.design));
        assert!(Arc::ptr_eq(&train.targets, &criterion.targets));
        let validated = Problem::elastic_net(&x, &y)
            .validation(&x, &y)
            .build()
            .unwrap();
        let criterion = &validated.criterion().sample;
        assert!(!Arc::ptr_eq(&validated.train().design, &criterion.design));
        assert_eq!(criterion.design.matrix, train.design.matrix);
    }
}
