//! Stability selection: the share of resamples on which each feature is chosen. (N. Meinshausen and
//! P. Bühlmann, Stability selection, 2010.)

use super::cells::CellStore;
use super::record::{Study, unpack_sparse};
use crate::error::Result;

/// The shares of resamples on which features are chosen, of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// The points with a solution, in the order of the plan.
    pub points: Vec<PointStability>,
}

/// The same at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct PointStability {
    /// The point within its study.
    pub point: usize,
    /// The resamples on which it was solved.
    pub resamples: usize,
    /// Of each feature the share of these in which a coefficient of it is not zero.
    pub shares: Vec<f64>,
}

/// The largest share of a feature over all points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Largest {
    /// The share.
    pub share: f64,
    /// The first point that has it.
    pub point: usize,
}

impl Stability {
    /// Those of a target of a study, number `number` of the plan and `study` there, with the solutions of its
    /// cells; cells that failed do not count. `None` for a study that is not of resamples.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn of(
        cells: &dyn CellStore,
        number: usize,
        study: &Study,
        target: usize,
    ) -> Result<Option<Self>> {
        let Some(resampling) = study.resampling() else {
            return Ok(None);
        };
        let (features, has_intercept) = (resampling.features.len(), study.has_intercept());
        let mut points: Vec<PointStability> = Vec::new();
        cells.for_each_cell(number, &mut |cell| {
            let is_own = study.points[cell.point].target == target && !cell.has_failed();
            let Some(solution) = unpack_sparse(&cell.solution).filter(|_| is_own) else {
                return Ok(());
            };
            if points.last().is_none_or(|last| last.point != cell.point) {
                points.push(PointStability {
                    point: cell.point,
                    resamples: 0,
                    shares: vec![0.0; features],
                });
            }
            // infallible: one was pushed
            let own = points.last_mut().expect("a point");
            own.resamples += 1;
            // Coefficients feature by feature, each with all classes; then an intercept of each class.
            let classes = solution.len() / (features + usize::from(has_intercept)).max(1);
            let by_feature = solution.chunks(classes.max(1)).take(features);
            for (share, coefficients) in own.shares.iter_mut().zip(by_feature) {
                *share += f64::from(u8::from(coefficients.iter().any(|w| *w != 0.0)));
            }
            Ok(())
        })?;
        for point in &mut points {
            let count = point.resamples as f64;
            point.shares.iter_mut().for_each(|share| *share /= count);
        }
        // Those on which it failed are not as many are: the others are no fair sample of them.
        let most = points.iter().map(|point| point.resamples).max();
        points.retain(|point| Some(point.resamples) == most);
        Ok(Some(Self { points }))
    }

    /// Of each feature the largest share over all points.
    #[must_use]
    pub fn largest(&self) -> Vec<Largest> {
        let features = self.points.first().map_or(0, |point| point.shares.len());
        let largest = |j: usize| {
            let mut best = Largest {
                share: 0.0,
                point: self.points.first().map_or(0, |point| point.point),
            };
            for point in &self.points {
                if point.shares[j] > best.share {
                    best = Largest {
                        share: point.shares[j],
                        point: point.point,
                    };
                }
            }
            best
        };
        (0..features).map(largest).collect()
    }
}
