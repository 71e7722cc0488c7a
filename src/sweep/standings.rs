//! Which point is the best so far, while folds are still missing.
//!
//! Folds differ more than points do: means over different folds say little about the points. Only
//! those over the same folds are compared.

use std::collections::HashMap;

use super::run::BestSoFar;
use crate::store::Plan;

/// The points of the first target of the first study, each with the folds that are done.
#[derive(Debug)]
pub(super) struct Standings {
    folds: usize,
    points: Vec<Standing>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    sum: f64,
    count: usize,
    /// The sum of a number per fold: the same for the same folds.
    which: u64,
}

impl Standings {
    /// Nothing is done.
    pub(super) fn new(plan: &Plan) -> Self {
        let study = plan.studies.first();
        let of_target = |study: &crate::store::Study| {
            let points = study.points.iter();
            points.filter(|point| point.target == 0).count()
        };
        Self {
            folds: study.map_or(0, |study| study.folds.len()),
            points: vec![Standing::default(); study.map_or(0, of_target)],
        }
    }

    /// A cell is done; points of further targets, whose numbers are larger, are left out.
    pub(super) fn add(&mut self, point: usize, fold: usize, criterion: f64) {
        if let Some(standing) = self.points.get_mut(point) {
            standing.sum += criterion;
            standing.count += 1;
            standing.which = standing.which.wrapping_add(scattered(fold as u64));
        }
    }

    /// The smallest mean among the points with all folds; without any, among the largest group of
    /// points that have the most folds, all the same ones.
    pub(super) fn best(&self) -> Option<BestSoFar> {
        let most = self.points.iter().map(|s| s.count).max()?;
        if most == 0 {
            return None;
        }
        let mut groups: HashMap<u64, usize> = HashMap::new();
        let leading = || self.points.iter().filter(|s| s.count == most);
        if most < self.folds {
            leading().for_each(|s| *groups.entry(s.which).or_default() += 1);
        }
        // At equal sizes the smaller mark, so that the choice does not change from call to call.
        let largest = groups
            .into_iter()
            .max_by_key(|&(mark, size)| (size, u64::MAX - mark));
        self.points
            .iter()
            .enumerate()
            .filter(|(_, s)| s.count == most && s.sum.is_finite())
            .filter(|(_, s)| largest.is_none_or(|(mark, _)| s.which == mark))
            .map(|(point, s)| BestSoFar {
                point,
                mean: s.sum / s.count as f64,
                folds: s.count,
            })
            .min_by(|a, b| a.mean.total_cmp(&b.mean))
    }
}

/// A number whose bits look random (the finaliser of SplitMix64): sums of different folds differ.
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PlanFold, PlanPoint, Study};

    /// Three points of a first target and one of a second, on three folds.
    fn standings() -> Standings {
        let point = |target| PlanPoint {
            l1: 1.0,
            l2: 0.0,
            ratio: None,
            target,
        };
        let fold = |number| PlanFold {
            number,
            repeat: 0,
            training_rows: 2,
            held_out_rows: 1,
        };
        Standings::new(&Plan {
            studies: vec![Study {
                points: [0, 0, 0, 1].map(point).to_vec(),
                folds: [0, 1, 2].map(fold).to_vec(),
                ..Study::default()
            }],
            configuration: String::new(),
        })
    }

    fn best(standings: &Standings) -> Option<(usize, f64, usize)> {
        let best = standings.best()?;
        Some((best.point, best.mean, best.folds))
    }

    #[test]
    fn only_means_over_the_same_folds_are_compared() {
        let mut own = standings();
        assert_eq!(best(&own), None);
        // An easy fold makes no good point: 0 and 1 are on fold 1, 2 alone on fold 0.
        own.add(0, 1, 8.0);
        own.add(1, 1, 9.0);
        own.add(2, 0, 1.0);
        assert_eq!(best(&own), Some((0, 8.0, 1)));
        // More folds count more.
        own.add(2, 1, 21.0);
        assert_eq!(best(&own), Some((2, 11.0, 2)));
        // All folds count alone, in whichever order they come.
        own.add(2, 2, 5.0);
        own.add(0, 2, 0.0);
        assert_eq!(best(&own), Some((2, 9.0, 3)));
        own.add(0, 0, 4.0);
        assert_eq!(best(&own), Some((0, 4.0, 3)));
        // Criteria of another target are another matter.
        (0..3).for_each(|fold| own.add(3, fold, 0.0));
        assert_eq!(best(&own), Some((0, 4.0, 3)));
    }

    #[test]
    fn a_point_without_a_value_is_not_the_best() {
        let mut own = standings();
        own.add(0, 0, f64::NAN);
        own.add(1, 0, 2.0);
        assert_eq!(best(&own), Some((1, 2.0, 1)));
    }
}
