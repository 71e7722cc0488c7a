//! The best point so far, while folds are still missing.
//!
//! Folds differ more than points do: means over different folds say little about the points. Only
//! those over the same folds are compared.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::record::{Cell, Number, Plan};
use crate::control::lock;

/// The best point so far of the first target of the first study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestSoFar {
    /// The point within its study.
    pub point: usize,
    /// The mean criterion over the folds that are done.
    pub mean: f64,
    /// The number of these folds.
    pub folds: usize,
}

/// The progress of a running sweep, for a display.
#[derive(Debug)]
pub struct Monitor {
    cells: AtomicUsize,
    best: Mutex<Leaderboard>,
}

impl Monitor {
    /// A monitor of a plan of which nothing is done.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            cells: AtomicUsize::new(0),
            best: Mutex::new(Leaderboard::new(plan)),
        }
    }

    /// Cells that this process has finished.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cells.load(Ordering::Relaxed)
    }

    /// The best point so far of those that are finished on all folds; as long as there is none, of
    /// those that are finished on the same folds, as many as there are. None of them has a cell that failed.
    #[must_use]
    pub fn best(&self) -> Option<BestSoFar> {
        lock(&self.best).best()
    }

    /// Takes account of a cell that was finished before this process came; NaN for one that failed.
    pub fn recall(&self, point: usize, fold: usize, criterion: f64) {
        lock(&self.best).add(point, fold, criterion);
    }

    pub(super) fn count(&self, study: usize, cells: &[Cell]) {
        self.cells.fetch_add(cells.len(), Ordering::Relaxed);
        if study > 0 {
            return;
        }
        let mut best = lock(&self.best);
        for cell in cells {
            let criterion = cell.numbers[Number::Criterion];
            let failed = cell.has_failed();
            best.add(
                cell.point,
                cell.fold,
                if failed { f64::NAN } else { criterion },
            );
        }
    }
}

/// The points of the first target of the first study, each with the folds that are done.
#[derive(Debug)]
pub(super) struct Leaderboard {
    folds: usize,
    points: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    sum: f64,
    count: usize,
    /// The sum of a number per fold: the same for the same folds.
    which: u64,
}

impl Leaderboard {
    /// Nothing is done.
    pub(super) fn new(plan: &Plan) -> Self {
        let study = plan.studies.first();
        let of_target = |study: &crate::sweep::record::Study| {
            let points = study.points.iter();
            points.filter(|point| point.target == 0).count()
        };
        Self {
            folds: study.map_or(0, |study| study.folds.len()),
            points: vec![Entry::default(); study.map_or(0, of_target)],
        }
    }

    /// A cell is done; points of further targets, whose numbers are larger, are left out.
    pub(super) fn add(&mut self, point: usize, fold: usize, criterion: f64) {
        if let Some(entry) = self.points.get_mut(point) {
            entry.sum += criterion;
            entry.count += 1;
            entry.which = entry.which.wrapping_add(scattered(fold as u64));
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
    use crate::sweep::record::{PlanFold, PlanPoint, Study};

    /// Three points of a first target and one of a second, on three folds.
    fn leaderboard() -> Leaderboard {
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
        Leaderboard::new(&Plan {
            studies: vec![Study {
                points: [0, 0, 0, 1].map(point).to_vec(),
                folds: [0, 1, 2].map(fold).to_vec(),
                ..Study::default()
            }],
            configuration: String::new(),
        })
    }

    fn best(leaderboard: &Leaderboard) -> Option<(usize, f64, usize)> {
        let best = leaderboard.best()?;
        Some((best.point, best.mean, best.folds))
    }

    #[test]
    fn only_means_over_the_same_folds_are_compared() {
        let mut own = leaderboard();
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
        // Only target 0 is ranked.
        (0..3).for_each(|fold| own.add(3, fold, 0.0));
        assert_eq!(best(&own), Some((0, 4.0, 3)));
    }

    #[test]
    fn a_point_without_a_value_is_not_the_best() {
        let mut own = leaderboard();
        own.add(0, 0, f64::NAN);
        own.add(1, 0, 2.0);
        assert_eq!(best(&own), Some((1, 2.0, 1)));
    }
}
