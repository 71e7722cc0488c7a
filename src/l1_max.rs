//! l1_max: the smallest l1 at which all penalised coefficients are zero.
//!
//! At w = 0 with the best intercept b, the optimality condition of the penalised coordinates is
//! that g = ∇loss(0, b) − λ₂c lies in l1 times the subdifferential of the penalty at zero:
//!
//! ```text
//! elastic net |g_j| ≤ l1 ,  weighted |g_j| ≤ l1·s_j ,  group ‖g_g‖ ≤ l1·s_g ,  non-negative −g_j ≤ l1
//! ```
//!
//! and l1_max is the smallest l1 that satisfies it. Coordinates or groups without a strength stay
//! free at every l1 and are left out.

use crate::loss::Loss;
use crate::penalty::Penalty;
use crate::problem::Problem;

impl Problem {
    /// The smallest l1 with w = 0 at this λ₂ for one target; 0 for the box, which has no l1.
    ///
    /// With unpenalised coordinates (zero strengths) they are taken as zero, so that the value is
    /// then a scale for grids and not exact.
    ///
    /// # Panics
    /// When `target` is not less than the number of targets.
    #[must_use]
    pub fn l1_max(&self, target: usize, l2: f64) -> f64 {
        let mut gradient = self.gradient_at_zero(target);
        gradient.truncate(self.penalized());
        if let Some(prior) = &self.prior {
            for (g, c) in gradient.iter_mut().zip(prior) {
                *g -= l2 * c;
            }
        }
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let per_strength = |size: f64, strength: f64| {
            if strength > 0.0 { size / strength } else { 0.0 }
        };
        match &self.penalty {
            Penalty::ElasticNet => largest(&mut gradient.iter().map(|g| g.abs())),
            Penalty::NonNegative => largest(&mut gradient.iter().map(|g| -g)),
            Penalty::Weighted { strengths } => largest(
                &mut gradient
                    .iter()
                    .zip(strengths)
                    .map(|(g, &s)| per_strength(g.abs(), s)),
            ),
            Penalty::Group { groups, strengths } => largest(&mut (0..groups.len()).map(|g| {
                let square = |&j: &u32| gradient[j as usize].powi(2);
                let norm = groups.members(g).iter().map(square).sum::<f64>().sqrt();
                per_strength(norm, strengths.as_ref().map_or(1.0, |s| s[g]))
            })),
            Penalty::Box { .. } => 0.0,
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
                y.iter()
                    .map(|&y| self.loss.residual(intercept, y))
                    .collect()
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

/// argmin_b Σ s_i ℓ(b, y_i): the weighted mean for the squared loss, otherwise by bisection on the
/// sum of residuals, which does not decrease in b.
fn best_intercept(loss: Loss, y: &[f64], weights: &[f64]) -> f64 {
    if loss == Loss::Squared {
        let sum: f64 = y.iter().zip(weights).map(|(y, s)| y * s).sum();
        return sum / y.len() as f64;
    }
    let slope = |b: f64| -> f64 {
        y.iter()
            .zip(weights)
            .map(|(&y, s)| s * loss.residual(b, y))
            .sum()
    };
    let (mut low, mut high) = match loss {
        // log-odds past 40 are beyond the rounding of the probability.
        Loss::Logistic => (-40.0, 40.0),
        Loss::SquaredHinge => (-1.0, 1.0),
        _ => y
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &y| {
                (low.min(y), high.max(y))
            }),
    };
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
