//! The best point so far, while folds are still missing.
//!
//! Folds differ more than points do: means over different folds say little about the points. Only
//! those over the same folds are compared.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    finished: AtomicBool,
}

impl Monitor {
    /// A monitor of a plan of which nothing is done.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            cells: AtomicUsize::new(0),
            best: Mutex::new(Leaderboard::new(plan)),
            finished: AtomicBool::new(false),
        }
    }

    /// Cells that this process has finished.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cells.load(Ordering::Relaxed)
    }

    /// True once [`Run::execute`](super::run::Run::execute) has returned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// The best point so far of those that are finished on all folds; as long as there is none, of
    /// those that are finished on the same folds, as many as there are. None of them has a cell that failed.
    #[must_use]
    pub fn best(&self) -> Option<BestSoFar> {
        lock(&self.best).best()
    }

    /// Tells that the sweep has ended.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
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
