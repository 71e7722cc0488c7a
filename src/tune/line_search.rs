//! A weak Wolfe search along a direction, which asks for steps and is told values.
//!
//! ```text
//! φ(t) ≤ φ(0) + c₁ φ'(0) t     and     φ'(t) ≥ c₂ φ'(0)
//! ```
//!
//! A step that fails the first is an upper end, one that fails only the second a lower one; between them
//! some step holds both, also where φ has kinks. A strong Wolfe search asks for |φ'(t)| to be small,
//! which at a kink no step has.

/// The share of the predicted decrease that a step must have.
const DECREASE: f64 = 1e-4;
/// The share of the slope at 0 that may be left.
const CURVATURE: f64 = 0.5;
/// Trials after which the search ends with what it has.
const MOST_TRIALS: usize = 14;
/// The width of a bracket, in the variables' units, that is closed.
const CLOSED: f64 = 1e-7;
/// The decrease that the lower end's slope promises within the bracket, below which it is closed.
const WORTHLESS: f64 = 1e-10;

/// A trial's value, and the derivative along the direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    /// φ(t); infinite where the trial failed.
    pub(super) value: f64,
    /// φ'(t) over the variables that move there; NaN where the trial failed.
    pub(super) slope: f64,
    /// The change that the slope at 0 predicts for the step, negative: it is less than φ'(0) t where bounds cut
    /// the step short.
    pub(super) predicted: f64,
}

/// The judgement of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another step is to be tried.
    Again,
    /// The step holds both conditions.
    Accepted,
    /// No step is left to be tried: the bracket is closed.
    Closed,
}

#[derive(Debug, Clone, Copy)]
struct End {
    step: f64,
    value: f64,
    slope: f64,
}

/// A search along one direction.
#[derive(Debug, Clone)]
pub(super) struct LineSearch {
    low: End,
    high: Option<End>,
    step: f64,
    largest: f64,
    slope: f64,
    value: f64,
    /// The largest entry of the direction.
    size: f64,
    trials: usize,
}

impl LineSearch {
    /// A search from φ(0) = `value` with φ'(0) = `slope` < 0, by steps of at most `largest`; `size` is
    /// the largest entry of the direction.
    pub(super) fn new(value: f64, slope: f64, first: f64, largest: f64, size: f64) -> Self {
        Self {
            low: End {
                step: 0.0,
                value,
                slope,
            },
            high: None,
            step: first.min(largest),
            largest,
            slope,
            value,
            size,
            trials: 0,
        }
    }

    /// The step to try.
    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The largest step that is known to decrease enough; 0 where none is.
    pub(super) fn low(&self) -> f64 {
        self.low.step
    }

    /// The decrease that the lower end's slope promises within the bracket; infinite while there is no
    /// upper end.
    pub(super) fn promised(&self) -> f64 {
        let width = self
            .high
            .map_or(f64::INFINITY, |high| high.step - self.low.step);
        -self.low.slope * width
    }

    /// Judges the trial of [`step`](Self::step).
    pub(super) fn judge(&mut self, along: Along) -> Verdict {
        self.trials += 1;
        let end = End {
            step: self.step,
            value: along.value,
            slope: along.slope,
        };
        // Also of a NaN.
        let decreases = along.value <= self.value + DECREASE * along.predicted;
        if !decreases {
            self.high = Some(end);
        } else if along.slope >= CURVATURE * self.slope || self.step >= self.largest {
            return Verdict::Accepted;
        } else {
            self.low = end;
        }
        let width = self
            .high
            .map_or(f64::INFINITY, |high| high.step - self.low.step);
        if self.trials >= MOST_TRIALS || width * self.size <= CLOSED || self.promised() <= WORTHLESS
        {
            return Verdict::Closed;
        }
        self.step = match self.high {
            None => (2.0 * self.step).min(self.largest),
            Some(high) => self.low.step + width * self.share(high, width),
        };
        Verdict::Again
    }

    /// The place in the bracket of the next step: at the minimum of the cubic through both ends, or, each
    /// second time, in the middle.
    fn share(&self, high: End, width: f64) -> f64 {
        let low = self.low;
        if self.trials.is_multiple_of(2) || !(high.value.is_finite() && high.slope.is_finite()) {
            return 0.5;
        }
        let (a, b) = (low.slope * width, high.slope * width);
        let theta = 3.0 * (low.value - high.value) + a + b;
        let root = theta * theta - a * b;
        let share = if root >= 0.0 {
            let root = root.sqrt();
            1.0 - (b + root - theta) / (b - a + 2.0 * root)
        } else {
            0.5
        };
        if share.is_finite() {
            share.clamp(0.1, 0.9)
        } else {
            0.5
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search on a function of one variable; the accepted step, or none.
    fn search(f: impl Fn(f64) -> (f64, f64), first: f64) -> Option<f64> {
        let (value, slope) = f(0.0);
        let mut search = LineSearch::new(value, slope, first, 100.0, 1.0);
        loop {
            let step = search.step();
            let (value, along) = f(step);
            match search.judge(Along {
                value,
                slope: along,
                predicted: slope * step,
            }) {
                Verdict::Again => {}
                Verdict::Accepted => return Some(step),
                Verdict::Closed => return None,
            }
        }
    }

    #[test]
    fn both_conditions_hold_at_a_smooth_minimum_and_past_a_kink() {
        for first in [1e-3, 1.0, 50.0] {
            let step = search(|t| ((t - 2.0).powi(2), 2.0 * (t - 2.0)), first).unwrap();
            assert!((1.0..3.99).contains(&step), "{step}");
            // |t − 2|: past the kink, where a strong Wolfe search finds nothing.
            let step = search(
                |t| ((t - 2.0).abs(), if t < 2.0 { -1.0 } else { 1.0 }),
                first,
            );
            assert!((2.0..4.0).contains(&step.unwrap()), "{step:?}");
        }
    }

    #[test]
    fn the_largest_step_is_taken_where_the_function_falls_on() {
        assert_eq!(search(|t| (-t, -1.0), 1.0), Some(100.0));
    }

    #[test]
    fn a_search_that_no_step_serves_ends() {
        // The slope at 0 lies: nothing decreases.
        assert_eq!(
            search(|t| (t, if t == 0.0 { -1.0 } else { 1.0 }), 1.0),
            None
        );
        let failing = |t: f64| {
            if t == 0.0 {
                (0.0, -1.0)
            } else {
                (f64::INFINITY, f64::NAN)
            }
        };
        assert_eq!(search(failing, 1.0), None);
    }
}
