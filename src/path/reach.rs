//! How a point is reached for which there may be no near start: by way of larger strengths.

use crate::kinds::Status;
use crate::real::Real;

use super::PathSettings;
use super::walk::{End, Walk};
use crate::model::regularizer::Regularizer;

/// Steps without convergence after which a point is approached along a path in small steps.
const PATIENCE: usize = 2000;
/// The ratio of the strengths of two points of that path.
const SMALL_STEP: f64 = 1.25;

impl<'s, R: Real> Walk<'s, '_, R> {
    /// Solves a point for which there may be no near start: `at` gives the same point with all
    /// strengths larger by a factor.
    ///
    /// From w = 0 it is approached by way of larger strengths. Where it then makes no progress, a
    /// path in small steps is taken from w = 0, each point of which is solved: on columns that are
    /// nearly dependent a far start leads to faces from which coordinate descent does not find back.
    pub(super) fn reach(
        &mut self,
        regularizer: &Regularizer<'_>,
        at: impl Fn(f64) -> Regularizer<'s>,
        is_cold: bool,
        settings: &PathSettings,
    ) -> End<R> {
        let mut spent = 0;
        if is_cold && self.w.iter().all(|&w| w == 0.0) {
            spent = self.approach(regularizer, &at, settings);
        }
        let within = |spent: usize, most: usize| PathSettings {
            max_steps: settings.max_steps.saturating_sub(spent).min(most),
            ..*settings
        };
        let has_path = regularizer.has_threshold();
        let first = if has_path { PATIENCE } else { usize::MAX };
        let mut end = self.solve(regularizer, &within(spent, first));
        spent += end.steps;
        let gave_up = matches!(end.status, Status::BudgetSpent | Status::Stalled);
        if has_path && gave_up && spent < settings.max_steps && !self.control.should_stop() {
            let reached = (self.objective(regularizer), self.w.clone());
            self.restart(&vec![0.0; reached.1.len()]);
            let ratio = regularizer.largest_ratio(&self.w, &self.gradient);
            let stages = (ratio.ln() / SMALL_STEP.ln()).ceil().clamp(0.0, 400.0) as i32;
            for stage in (1..=stages).rev() {
                let stronger = at(SMALL_STEP.powi(stage));
                spent += self.solve(&stronger, &within(spent, PATIENCE)).steps;
            }
            if self.objective(regularizer) > reached.0 {
                self.restart(&reached.1);
            }
            end = self.solve(regularizer, &within(spent, usize::MAX));
            spent += end.steps;
        }
        End {
            steps: spent,
            ..end
        }
    }

    /// Loss, ridge and penalty at w.
    fn objective(&self, regularizer: &Regularizer<'_>) -> f64 {
        self.smooth.value(&self.w, &self.z, self.target) + regularizer.value(&self.w)
    }

    /// Approaches a point from far away by way of larger strengths; returns the steps.
    ///
    /// Coordinate descent from w = 0 at a small l1 first frees most coordinates; from the solution
    /// of a larger l1 it frees few.
    fn approach(
        &mut self,
        regularizer: &Regularizer<'_>,
        at: impl Fn(f64) -> Regularizer<'s>,
        settings: &PathSettings,
    ) -> usize {
        let ratio = regularizer.largest_ratio(&self.w, &self.gradient);
        let stages = (ratio.log2().ceil() - 1.0).clamp(0.0, 30.0) as i32;
        let mut steps = 0;
        for stage in (1..=stages).rev() {
            let rough = PathSettings {
                tolerance: Some(1e-2 * 2f64.powi(stage) / ratio),
                max_steps: settings.max_steps.saturating_sub(steps).min(200),
            };
            steps += self.solve(&at(2f64.powi(stage)), &rough).steps;
        }
        steps
    }
}
