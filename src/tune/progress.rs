//! The progress of a tuning, which other threads may look at.

use std::sync::Mutex;

use super::chosen::Chosen;
use super::criterion::Evaluated;
use super::variables::Space;
use crate::control::lock;
use crate::problem::Point;

/// Variables of places that are remembered: a line and a plane can be drawn.
const MOST_DRAWN: usize = 2;

/// The progress of a tuning, for a display.
#[derive(Debug, Default)]
pub struct TuningProgress(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    evaluations: usize,
    best: Option<(f64, Point)>,
    places: Vec<EvaluatedPlace>,
}

/// A place of one or two numbers that was evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluatedPlace {
    /// The variables, in the order of the outcome's.
    pub variables: Vec<f64>,
    /// The criterion there.
    pub criterion: f64,
    /// ∂Ē/∂ log λ of each; empty where there is none.
    pub slope: Vec<f64>,
}

impl TuningProgress {
    /// Evaluations so far.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        lock(&self.0).evaluations
    }

    /// The best criterion so far and its point.
    #[must_use]
    pub fn best(&self) -> Option<(f64, Point)> {
        lock(&self.0).best.clone()
    }

    /// The places so far, in the order in which they were evaluated, where at most two numbers are tuned; beside
    /// vectors those of the first stage, which tunes what entries have in common.
    #[must_use]
    pub fn places(&self) -> Vec<EvaluatedPlace> {
        lock(&self.0).places.clone()
    }

    pub(super) fn note(&self, space: &Space, points: &[Chosen], evaluated: &[Evaluated]) {
        let mut state = lock(&self.0);
        state.evaluations += points.len();
        let is_drawn = space.is_of_numbers() && space.box_bounds().dimensions() <= MOST_DRAWN;
        for (point, evaluated) in points.iter().zip(evaluated) {
            let criterion = evaluated.criterion;
            if !criterion.is_finite() {
                continue;
            }
            if state
                .best
                .as_ref()
                .is_none_or(|(best, _)| criterion < *best)
            {
                state.best = Some((criterion, point.point.clone()));
            }
            if is_drawn {
                state.places.push(EvaluatedPlace {
                    variables: space.values(&space.place_of(point)),
                    criterion,
                    slope: evaluated.slope.clone().unwrap_or_default(),
                });
            }
        }
    }
}
