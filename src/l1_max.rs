//! l1_max: the smallest l1 at which all penalised coefficients are zero.
//!
//! At w = 0 with the best intercept b, the optimality condition of the penalised coordinates is
//! that g = ∇loss(0, b) − λ₂c lies in l1 times the subdifferential of the penalty at zero,
//! and l1_max is the smallest l1 that satisfies it. Coordinates or groups without a strength stay
//! free at every l1 and are left out.

use crate::model::criterion::residuals_in_place;
use crate::model::loss::{Loss, RowLoss};
use crate::problem::{Point, Problem};

/// The problem of one target at zero coefficients and the best intercept.
#[derive(Debug, Clone)]
pub struct AtZero<'a> {
    problem: &'a Problem,
    /// ∇loss there, one entry per penalised coordinate.
    gradient: Vec<f64>,
}

impl Problem {
    /// The smallest l1 with w = 0 at this λ₂ for one target, in units of which `frac:` counts.
    ///
    /// # Panics
    /// When `target` is not less than the number of targets.
    #[must_use]
    pub fn l1_max(&self, target: usize, l2: f64) -> f64 {
        self.at_zero(target).l1_max(l2)
    }

    /// One target's problem at zero coefficients, for l1_max at many λ₂.
    ///
    /// # Panics
    /// When `target` is not less than the number of targets.
    #[must_use]
    pub fn at_zero(&self, target: usize) -> AtZero<'_> {
        let mut gradient = self.gradient_at_zero(target);
        gradient.truncate(self.penalized());
        AtZero {
            problem: self,
            gradient,
        }
    }

    /// ∇loss at zero coefficients and the best intercept.
    fn gradient_at_zero(&self, target: usize) -> Vec<f64> {
        let sample = &self.train;
        let (y, weights) = (&sample.targets[target], &sample.weights);
        if self.loss == Loss::Quadratic {
            return y.iter().map(|b| -b).collect();
        }
        let n = sample.rows() as f64;
        let has_intercept = sample.design.columns() > sample.design.features();
        let classes = self.classes;
        let mut gradient = vec![0.0; self.coordinates()];
        for class in 0..classes {
            let residual: Vec<f64> = if self.loss == Loss::Multinomial {
                let is_class = |y: f64| f64::from(u8::from(y == class as f64));
                // The best intercepts give every class its share.
                let share = if has_intercept {
                    y.iter()
                        .zip(weights)
                        .map(|(&y, s)| s * is_class(y))
                        .sum::<f64>()
                        / n
                } else {
                    1.0 / classes as f64
                };
                y.iter().map(|&y| share - is_class(y)).collect()
            } else {
                let intercept = if has_intercept {
                    best_intercept(self.loss, y, weights)
                } else {
                    0.0
                };
                let mut z = vec![intercept; y.len()];
                residuals_in_place(self.loss, &mut z, y, |_| 1.0);
                z
            };
            let weighted: Vec<f64> = residual.iter().zip(weights).map(|(r, s)| r * s).collect();
            let product = sample.design.apply_transposed(&weighted);
            for (j, value) in product.iter().enumerate() {
                gradient[j * classes + class] = value / n;
            }
        }
        gradient
    }
}

impl AtZero<'_> {
    /// The smallest l1 with w = 0 at this λ₂; 0 for the box, which has no l1.
    ///
    /// With unpenalised coordinates (zero strengths) they are taken as zero, so that the value is
    /// then a scale for grids and not exact.
    #[must_use]
    pub fn l1_max(&self, l2: f64) -> f64 {
        let point = Point::new(1.0, l2);
        let regularizer = self.problem.regularizer(&point);
        regularizer.vanishing_factor(|j| -(self.gradient[j] + regularizer.ridge_gradient(j, 0.0)))
    }
}

impl AtZero<'_> {
    /// The largest entry of ∇loss there, over the penalised coordinates.
    #[must_use]
    pub fn largest_slope(&self) -> f64 {
        self.gradient.iter().fold(0.0, |most, g| most.max(g.abs()))
    }
}

/// argmin_b Σ s_i ℓ(b, y_i): the weighted mean for the squared loss, its logarithm with a log link,
/// otherwise by bisection on the sum of residuals, which does not decrease in b.
fn best_intercept(loss: Loss, y: &[f64], weights: &[f64]) -> f64 {
    let weighted = || y.iter().zip(weights).filter(|(_, s)| **s > 0.0);
    let (low, high) = weighted().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(low, high), (&y, _)| (low.min(y), high.max(y)),
    );
    // A target that does not vary leaves no residual, not even a rounded one.
    if !loss.is_classification() && low >= high {
        return loss.predictor_of_mean(low);
    }
    let Some(row) = loss.scalar() else {
        return 0.0;
    };
    if loss == Loss::Squared || loss.has_log_link() {
        let sum: f64 = y.iter().zip(weights).map(|(y, s)| y * s).sum();
        return loss.predictor_of_mean(sum / y.len() as f64);
    }
    let slope = |b: f64| -> f64 {
        let residual = |(&y, s): (&f64, &f64)| s * row.residual(b, y);
        y.iter().zip(weights).map(residual).sum()
    };
    let (mut low, mut high) = loss.intercept_bracket(low, high);
    // Each step halves the interval: 200 leave no digit of any finite start.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::matrix::{Dense, Matrix};
    use crate::model::penalty::{Groups, Penalty};
    use crate::problem::Specification;

    fn specification(loss: Loss, y: Vec<f64>) -> Specification {
        let values = vec![
            1.0, 0.5, -2.0, 0.25, 0.5, 3.0, 1.5, -1.0, 0.0, 2.0, -0.5, 1.0,
        ];
        let matrix = Dense::new(6, 2, values).unwrap();
        Specification::new(loss, Matrix::Dense(matrix), vec![y])
    }

    /// The gradient at zero with the intercept found by hand for these labels.
    #[test]
    fn the_intercept_is_at_its_best() {
        let y = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0];
        for (loss, intercept) in [
            (Loss::Squared, 1.0 / 3.0),
            (Loss::Logistic, 2f64.ln()),
            (Loss::SquaredHinge, 1.0 / 3.0),
            (Loss::Huber { delta: 0.5 }, 1.0 - 0.25),
        ] {
            let found = best_intercept(loss, &y, &[1.0; 6]);
            assert!((found - intercept).abs() < 1e-14, "{loss:?}: {found}");
        }
    }

    #[test]
    fn penalties_measure_the_gradient_in_their_own_norm() {
        let y = vec![0.3, -1.0, 2.0, 0.1, 0.7, -0.4];
        let mut plain = specification(Loss::Squared, y);
        plain.scaling.intercept = false;
        plain.scaling.standardize = false;
        let Matrix::Dense(x) = plain.train.matrix.clone() else {
            unreachable!()
        };
        let g: Vec<f64> = (0..2)
            .map(|j| {
                -(0..6)
                    .map(|i| x.row(i)[j] * plain.train.targets[0][i])
                    .sum::<f64>()
                    / 6.0
            })
            .collect();
        let (a, b) = (g[0], g[1]);
        let strengths = vec![0.0, 2.0];
        let groups = Groups::from_labels(&[0, 0]);
        for (penalty, expected) in [
            (Penalty::ElasticNet, a.abs().max(b.abs())),
            (Penalty::NonNegative, (-a).max(-b).max(0.0)),
            (Penalty::Weighted { strengths }, b.abs() / 2.0),
            (
                Penalty::Group {
                    groups,
                    strengths: Some(vec![0.5]),
                },
                2.0 * a.hypot(b),
            ),
            (
                Penalty::Box {
                    lower: 0.0,
                    upper: 1.0,
                },
                0.0,
            ),
        ] {
            plain.penalty = penalty;
            let problem = Problem::new(plain.clone()).unwrap();
            assert!(
                (problem.l1_max(0, 0.0) - expected).abs() < 1e-15,
                "{:?}",
                plain.penalty
            );
        }
    }

    #[test]
    fn the_prior_shifts_the_gradient_by_the_ridge() {
        let mut with_prior = specification(Loss::Squared, vec![0.0; 6]);
        with_prior.prior = Some(vec![0.5, -2.0]);
        let problem = Problem::new(with_prior).unwrap();
        assert_eq!(
            (problem.l1_max(0, 0.25), problem.l1_max(0, 0.0)),
            (0.5, 0.0)
        );
    }

    #[test]
    fn two_multinomial_classes_have_the_logistic_gradient() {
        let labels = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0];
        let logistic = Problem::new(specification(Loss::Logistic, labels.to_vec())).unwrap();
        let indices = labels
            .iter()
            .map(|&y| f64::from(u8::from(y > 0.0)))
            .collect();
        let mut two = specification(Loss::Multinomial, indices);
        two.classes = 2;
        let multinomial = Problem::new(two).unwrap();
        // Both have the gradient X̂ᵀ(p − 1[y = 1])/n per class.
        assert!((multinomial.l1_max(0, 0.0) - logistic.l1_max(0, 0.0)).abs() < 1e-15);
    }
}
