//! Control of a long computation: cancellation, a time budget, progress.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::kinds::Status;

/// Locks what is usable also after a holder has panicked: caches, queues, notes.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A control, shared by the caller and every loop that works for it. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    finished: Arc<AtomicUsize>,
    deadline: Option<Instant>,
}

impl Control {
    /// No budget, never cancelled unless [`Control::cancel`] is called.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same control with a time budget that starts now.
    #[must_use]
    pub fn with_time_budget(mut self, budget: Duration) -> Self {
        self.deadline = Instant::now().checked_add(budget);
        self
    }

    /// Asks every loop to stop at its next check and return what it knows.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// True once cancelled or past the time budget.
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// True once [`Control::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The control of a part of a computation: cancelled with the whole and by the same budget, while
    /// what it counts as finished is not counted for the whole.
    #[must_use]
    pub fn of_a_part(&self) -> Self {
        Self {
            finished: Arc::default(),
            ..self.clone()
        }
    }

    /// Counts `count` more problems as finished, for a progress display.
    pub fn report_finished(&self, count: usize) {
        self.finished.fetch_add(count, Ordering::Relaxed);
    }

    /// The number of problems that have been reported as finished.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StopRule {
    /// Relative to the scale; `None` goes to rounding, 0 takes exactly `max_steps` steps.
    pub tolerance: Option<f64>,
    /// The most steps.
    pub max_steps: usize,
}

impl StopRule {
    /// Exactly so many steps.
    #[must_use]
    pub fn exactly(max_steps: usize) -> Self {
        Self {
            tolerance: Some(0.0),
            max_steps,
        }
    }

    /// The rule for steps that `limits` count exactly, where there are limits.
    #[must_use]
    pub fn with_limits(self, limits: Option<&[usize]>) -> Self {
        match limits {
            Some(_) => Self::exactly(self.max_steps),
            None => self,
        }
    }
}

/// The end of one problem of an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The status.
    pub status: Status,
    /// After how many steps.
    pub steps: usize,
}

impl Progress {
    /// False for a start at zero that was interrupted before its first step: it is no result.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.steps > 0 || self.status != Status::BudgetSpent
    }
}
