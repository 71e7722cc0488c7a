//! Stability selection: the share of resamples on which each feature is chosen. (N. Meinshausen and
//! P. Bühlmann, Stability selection, 2010.)

use super::cells::CellStore;
use super::record::{Study, unpack_sparse};
use crate::error::Result;

/// The agreement of two choices among d features: of k₁ and of k₂ of them, r in both.
///
/// ```text
/// Jaccard   r/(k₁ + k₂ − r)          Kuncheva   (r d − k₁k₂)/√(k₁(d − k₁) k₂(d − k₂))
/// ```
///
/// Kuncheva's index corrects for chance: 1 for equal choices, about 0 for independent ones. For choices of one
/// size k it is (rd − k²)/(k(d − k)); that of others is the correlation of the two choices, which is the same
/// there. (L. Kuncheva, A stability index for feature selection, 2007; S. Nogueira and G. Brown, Measuring the
/// stability of feature selection, 2016.)
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// Jaccard's index; `None` where neither chooses a feature.
    pub jaccard: Option<f64>,
    /// Kuncheva's index; `None` where one chooses no feature, or all.
    pub kuncheva: Option<f64>,
}

impl Agreement {
    /// That of two choices: of each feature whether it is chosen.
    #[must_use]
    pub fn of(first: &[bool], second: &[bool]) -> Self {
        let size = |choice: &[bool]| choice.iter().filter(|chosen| **chosen).count() as f64;
        let both = first.iter().zip(second).filter(|(a, b)| **a && **b).count() as f64;
        let (d, k1, k2) = (
            first.len().min(second.len()) as f64,
            size(first),
            size(second),
        );
        let (union, spread) = (k1 + k2 - both, k1 * (d - k1) * k2 * (d - k2));
        Self {
            jaccard: (union > 0.0).then(|| both / union),
            kuncheva: (spread > 0.0).then(|| (both * d - k1 * k2) / spread.sqrt()),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(features: &[usize], d: usize) -> Vec<bool> {
        (0..d).map(|j| features.contains(&j)).collect()
    }

    #[test]
    fn agreement_by_hand() {
        let of = |a: &[usize], b: &[usize], d: usize| Agreement::of(&choice(a, d), &choice(b, d));
        // r = 2, k = 3, d = 10: (20 − 9)/(3·7).
        let found = of(&[0, 1, 2], &[1, 2, 5], 10);
        assert_eq!(found.jaccard, Some(0.5));
        assert!((found.kuncheva.unwrap() - 11.0 / 21.0).abs() < 1e-15);
        let same = of(&[3, 4], &[3, 4], 7);
        assert_eq!(same.jaccard, Some(1.0));
        assert!((same.kuncheva.unwrap() - 1.0).abs() < 1e-15);
        // As many in common as by chance: r = k₁k₂/d.
        assert_eq!(of(&[0, 1], &[1, 2, 3], 6).kuncheva, Some(0.0));
        // Disjoint halves.
        assert_eq!(of(&[0, 1], &[2, 3], 4).kuncheva, Some(-1.0));
        assert_eq!(of(&[0, 1], &[2, 3], 4).jaccard, Some(0.0));
        // A part of the other: r = 1, k₁ = 1, k₂ = 2, d = 4: (4 − 2)/√(3·4).
        let part = of(&[0], &[0, 1], 4).kuncheva.unwrap();
        assert!((part - 2.0 / 12f64.sqrt()).abs() < 1e-15);
        let none = of(&[], &[], 3);
        assert_eq!((none.jaccard, none.kuncheva), (None, None));
        assert_eq!(of(&[], &[1], 3).jaccard, Some(0.0));
        assert_eq!(of(&[0, 1, 2], &[0, 1, 2], 3).kuncheva, None);
    }
}
