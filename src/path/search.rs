//! How far a step goes: the search along its line.

use crate::model::regularizer::Regularizer;
use crate::real::{Real, sum_of};

use super::walk::Walk;

/// The share of the slope at the start that is flat enough, and the slopes that a search takes at most.
const FLAT: f64 = 0.03;
const SLOPES: usize = 30;
/// The roundings of its terms below which a slope is zero.
const SLOPE_ROUNDINGS: f64 = 64.0;
/// A secant stays this share of the bracket away from its ends.
const INSIDE: f64 = 0.05;

/// An end of an interval on the line, with the slope there.
struct Bracket {
    alpha: f64,
    slope: f64,
}

impl Bracket {
    fn new(alpha: f64, slope: f64) -> Self {
        Self { alpha, slope }
    }

    /// Where the secant through two ends is zero, well inside of them.
    fn secant(&self, high: &Self) -> f64 {
        let width = high.alpha - self.alpha;
        let at = self.alpha - self.slope * width / (high.slope - self.slope);
        let (least, most) = (self.alpha + INSIDE * width, high.alpha - INSIDE * width);
        if at.is_finite() {
            at.clamp(least, most)
        } else {
            0.5 * (least + most)
        }
    }
}

/// The way that a step went along its line.
pub(super) struct Advance {
    /// The share α of the whole way.
    pub(super) share: f64,
    /// Largest change of a predictor on the whole way.
    pub(super) moved: f64,
    /// The share of the objective that is gone, where the line was searched for its minimum; else 0.
    pub(super) gain: f64,
}

impl Advance {
    fn none() -> Self {
        Self {
            share: 0.0,
            moved: 0.0,
            gain: 0.0,
        }
    }
}

impl<R: Real> Walk<'_, '_, R> {
    /// Moves towards `new` as far as the objective falls enough (all of it where
    /// the model is `exact`).
    pub(super) fn advance(
        &mut self,
        regularizer: &Regularizer<'_>,
        new: &[f64],
        exact: bool,
    ) -> Advance {
        let delta: Vec<f64> = new.iter().zip(&self.w).map(|(n, w)| n - w).collect();
        if delta.iter().all(|&d| d == 0.0) {
            return Advance::none();
        }
        if exact {
            // The model is the objective.
            self.w.copy_from_slice(new);
            self.stale = true;
            return Advance {
                share: 1.0,
                moved: f64::INFINITY,
                gain: 0.0,
            };
        }
        let mut change = vec![0.0; self.z.len()];
        self.smooth.predictors(&delta, &mut change);
        let moved = self.largest_move(&change);
        let (w, z) = (self.w.clone(), self.z.clone());
        let penalty = regularizer.value(&w);
        let start = self.smooth.value(&w, &z, self.target) + penalty;
        let slope: f64 = self
            .gradient
            .iter()
            .zip(&delta)
            .map(|(g, d)| g * d)
            .sum::<f64>()
            + regularizer.value(new)
            - penalty;
        let noise = 64.0 * f64::EPSILON * (start.abs() + penalty.abs());
        let mut alpha = self.share_by_slope(regularizer, &delta, &change);
        for _ in 0..40 {
            if alpha == 1.0 {
                self.w.copy_from_slice(new);
                // Not z + Xδ, whose rounding would add up along the path.
                self.smooth.predictors(&self.w, &mut self.z);
            } else {
                for j in 0..w.len() {
                    self.w[j] = w[j] + alpha * delta[j];
                }
                for i in 0..z.len() {
                    self.z[i] = z[i] + alpha * change[i];
                }
            }
            let value =
                self.smooth.value(&self.w, &self.z, self.target) + regularizer.value(&self.w);
            if value <= start + 1e-4 * alpha * slope.min(0.0) + noise {
                self.evaluate_gradient();
                let gain = if self.searches_by_slope(regularizer) {
                    1.0 - value / start
                } else {
                    0.0
                };
                return Advance {
                    share: alpha,
                    moved,
                    gain,
                };
            }
            alpha *= 0.5;
        }
        self.w = w;
        self.z = z;
        self.evaluate_gradient();
        Advance {
            moved,
            ..Advance::none()
        }
    }

    /// True where the Hessian jumps (the kinks of the loss), nothing holds coordinates back, and every line
    /// has a minimum.
    fn searches_by_slope(&self, regularizer: &Regularizer<'_>) -> bool {
        self.smooth.loss.kinks().is_some()
            && !regularizer.has_slope()
            && regularizer.has_full_ridge()
    }

    /// The share α at which the objective along δ is flat, near enough, where the search goes by slopes; 1
    /// elsewhere, and where the whole way is as good.
    ///
    /// A model that ends at a kink says little of what lies beyond: halving goes on from there in short
    /// steps, thousands of them where the rows that bend nearly separate the classes, and a minimum along
    /// the line, which may lie beyond the whole way, in some tens (Keerthi and DeCoste 2005).
    fn share_by_slope(&self, regularizer: &Regularizer<'_>, delta: &[f64], change: &[f64]) -> f64 {
        if !self.searches_by_slope(regularizer) {
            return 1.0;
        }
        let (mut z, mut residuals) = (vec![0.0; change.len()], vec![0.0; change.len()]);
        let mut slope_at = |alpha: f64| {
            for (i, z) in z.iter_mut().enumerate() {
                *z = self.z[i] + alpha * change[i];
            }
            self.smooth.residuals(&z, self.target, &mut residuals);
            let of_row = |i: usize| residuals[i] * change[i];
            let of_ridge =
                |j: usize| delta[j] * regularizer.ridge_gradient(j, self.w[j] + alpha * delta[j]);
            let (rows, coordinates) = (change.len(), delta.len());
            let size =
                sum_of(rows, |i| of_row(i).abs()) + sum_of(coordinates, |j| of_ridge(j).abs());
            (sum_of(rows, of_row) + sum_of(coordinates, of_ridge), size)
        };
        let (start, size) = slope_at(0.0);
        // A slope of no more than rounding leads nowhere, and far along what is nearly flat.
        if start.is_nan() || start >= -SLOPE_ROUNDINGS * f64::EPSILON * size {
            return 1.0;
        }
        let (mut low, mut high): (Bracket, Option<Bracket>) = (Bracket::new(0.0, start), None);
        let mut alpha = 1.0;
        for _ in 0..SLOPES {
            let (slope, _) = slope_at(alpha);
            if slope.abs() <= FLAT * start.abs() {
                return alpha;
            }
            // Not a number counts as too far.
            if slope < 0.0 {
                low = Bracket::new(alpha, slope);
            } else {
                high = Some(Bracket::new(alpha, slope));
            }
            alpha = match &high {
                None => 2.0 * alpha,
                Some(high) => low.secant(high),
            };
        }
        // Not flat anywhere: slopes at their rounding.
        if low.alpha > 0.0 { low.alpha } else { 1.0 }
    }

    /// The largest change of a predictor, less the common shift of the classes, which changes nothing.
    fn largest_move(&self, change: &[f64]) -> f64 {
        let (n, c) = (self.smooth.rows(), self.smooth.classes);
        if c == 1 {
            return change.iter().fold(0.0, |a, d| a.max(d.abs()));
        }
        let of_row = |i: usize| {
            let mean = (0..c).map(|k| change[k * n + i]).sum::<f64>() / c as f64;
            (0..c).fold(0.0f64, |a, k| a.max((change[k * n + i] - mean).abs()))
        };
        (0..n).fold(0.0, |a, i| a.max(of_row(i)))
    }

    /// More of the majorant after a step that failed, less after one that went well.
    pub(super) fn adapt_blend(&mut self, regularizer: &Regularizer<'_>, alpha: f64) {
        if self.smooth.loss.is_quadratic() {
            return;
        }
        // A minimum along the line is as good a step, short or long.
        let is_minimum = self.searches_by_slope(regularizer) && alpha > 0.0;
        if is_minimum || alpha == 1.0 {
            self.blend = if self.blend < 1e-3 {
                0.0
            } else {
                self.blend / 8.0
            };
        } else if alpha < 0.3 {
            self.blend = (4.0 * self.blend).clamp(0.05, 1.0);
        }
    }
}
