//! l1_max: the smallest l1 at which all penalised coefficients are zero, or next to zero within their bounds.
//!
//! At w⁰ = 0, or what of the bounds is nearest to it, with the best intercept b, the optimality condition of
//! the penalised coordinates is that g = ∇loss(w⁰, b) + λ₂(w⁰ − c) lies in l1 times the subdifferential of the
//! penalty there, and l1_max is the smallest l1 that satisfies it. Coordinates or groups without a strength
//! stay free at every l1 and are left out.

use crate::model::criterion::residuals_in_place;
use crate::model::loss::{Loss, RowLoss};
use crate::problem::{Offset, Point, Problem};
use crate::real::sum_of;

/// The problem of one target at zero coefficients, or those next to zero, and the best intercept.
#[derive(Debug, Clone)]
pub struct AtZero<'a> {
    problem: &'a Problem,
    /// w⁰, one entry per penalised coordinate.
    start: Vec<f64>,
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
        let start = self.penalty.nearest_to_zero(self.penalized());
        let mut gradient = self.gradient_at(&start, target);
        gradient.truncate(self.penalized());
        AtZero {
            problem: self,
            start,
            gradient,
        }
    }

    /// ∇loss at these coefficients and the best intercept.
    fn gradient_at(&self, start: &[f64], target: usize) -> Vec<f64> {
        let sample = &self.train;
        let (y, weights) = (&sample.targets[target], &sample.weights);
        let has_intercept = sample.design.columns() > sample.design.features();
        let classes = self.classes;
        // What the coefficients predict, class by class; none where they are zero.
        let predicted: Option<Vec<Vec<f64>>> = start.iter().any(|w| *w != 0.0).then(|| {
            let of_class = |class: usize| {
                let mut w: Vec<f64> = start.iter().skip(class).step_by(classes).copied().collect();
                w.resize(sample.design.columns(), 0.0);
                sample.design.apply(&w)
            };
            (0..classes).map(of_class).collect()
        });
        if self.loss == Loss::Quadratic {
            let linear = y.iter().map(|b| -b);
            return match &predicted {
                None => linear.collect(),
                Some(image) => linear.zip(&image[0]).map(|(b, q)| q + b).collect(),
            };
        }
        let n = sample.rows() as f64;
        let total = match Offset::factors_of(sample.offset.as_deref()) {
            None => n,
            Some(_) => weights.iter().sum(),
        };
        let shares = match (&predicted, self.loss) {
            (Some(predicted), Loss::Multinomial) => {
                Some(class_residuals(predicted, y, weights, has_intercept))
            }
            _ => None,
        };
        let mut gradient = vec![0.0; self.coordinates()];
        for class in 0..classes {
            let residual: Vec<f64> = if let Some(residuals) = &shares {
                residuals[class].clone()
            } else if self.loss == Loss::Multinomial {
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
                let own = predicted.as_ref().map(|predicted| &predicted[0][..]);
                let intercept = if has_intercept {
                    best_intercept(self.loss, y, weights, total, own)
                } else {
                    0.0
                };
                let mut z = match own {
                    None => vec![intercept; y.len()],
                    Some(own) => own.iter().map(|z| z + intercept).collect(),
                };
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
    /// The smallest l1 with w = w⁰ at this λ₂; 0 for the box, which has no l1.
    ///
    /// With unpenalised coordinates (zero strengths) they are taken as zero, so that the value is
    /// then a scale for grids and not exact.
    #[must_use]
    pub fn l1_max(&self, l2: f64) -> f64 {
        let point = Point::new(1.0, l2);
        let regularizer = self.problem.regularizer(&point);
        let start = &self.start;
        regularizer
            .vanishing_factor(|j| -(self.gradient[j] + regularizer.ridge_gradient(j, start[j])))
    }
}

impl AtZero<'_> {
    /// The largest entry of ∇loss there, over the penalised coordinates.
    #[must_use]
    pub fn largest_slope(&self) -> f64 {
        self.gradient.iter().fold(0.0, |most, g| most.max(g.abs()))
    }
}

/// p − 1[y = class] of every class and row where the predictors are these and the best intercepts, which give
/// every class its share: each intercept in turn is set to that, until none moves.
fn class_residuals(
    predicted: &[Vec<f64>],
    y: &[f64],
    weights: &[f64],
    has_intercept: bool,
) -> Vec<Vec<f64>> {
    let classes = predicted.len();
    let is_class = |y: f64, class: usize| f64::from(u8::from(y == class as f64));
    let mut b = vec![0.0f64; classes];
    let probabilities = |b: &[f64]| -> Vec<Vec<f64>> {
        let mut all = vec![vec![0.0; y.len()]; classes];
        for i in 0..y.len() {
            let z: Vec<f64> = (0..classes).map(|k| predicted[k][i] + b[k]).collect();
            let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = z.iter().map(|z| (z - largest).exp()).sum();
            for (all, z) in all.iter_mut().zip(&z) {
                all[i] = (z - largest).exp() / total;
            }
        }
        all
    };
    let mut all = probabilities(&b);
    // Each round is a step of iterative proportional fitting.
    for _ in 0..if has_intercept { 200 } else { 0 } {
        let mut moved = 0.0f64;
        for class in 0..classes {
            let share = |of: &dyn Fn(usize) -> f64| sum_of(y.len(), |i| weights[i] * of(i));
            let step = (share(&|i| is_class(y[i], class)) / share(&|i| all[class][i])).ln();
            if step.is_finite() {
                b[class] += step;
                moved = moved.max(step.abs());
            }
        }
        all = probabilities(&b);
        if moved < 1e-15 {
            break;
        }
    }
    for (class, all) in all.iter_mut().enumerate() {
        all.iter_mut()
            .zip(y)
            .for_each(|(p, &y)| *p -= is_class(y, class));
    }
    all
}

/// argmin_b Σ s_i ℓ(z_i + b, y_i), z the predictors without it, zero where there are none: the weighted mean for
/// the squared loss, its logarithm with a log link, otherwise by bisection on the sum of residuals, which does
/// not decrease in b.
fn best_intercept(loss: Loss, y: &[f64], weights: &[f64], total: f64, own: Option<&[f64]>) -> f64 {
    if let (Some(own), Some(row)) = (own, loss.scalar()) {
        let slope = |b: f64| sum_of(y.len(), |i| weights[i] * row.residual(own[i] + b, y[i]));
        let mut reach = 1.0;
        // Each step doubles the interval, until the slope changes its sign in it.
        while reach < 1e300 && (slope(-reach) > 0.0 || slope(reach) < 0.0) {
            reach *= 2.0;
        }
        return root(slope, -reach, reach);
    }
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
        // The weights' sum is the number of rows, but for those that offsets have changed.
        return loss.predictor_of_mean(sum / total);
    }
    let slope = |b: f64| -> f64 {
        let residual = |(&y, s): (&f64, &f64)| s * row.residual(b, y);
        y.iter().zip(weights).map(residual).sum()
    };
    let (low, high) = loss.intercept_bracket(low, high);
    root(slope, low, high)
}

/// The root of a slope that does not decrease, by bisection.
fn root(slope: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
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
            let found = best_intercept(loss, &y, &[1.0; 6], 6.0, None);
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
