//! Progress on a terminal, by a thread beside those that compute.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::numbers::short;
use super::printable::printable;
use crate::error::Result;
use crate::sweep::cells::CellStore;
use crate::sweep::record::Plan;
use crate::sweep::run::Monitor;

/// The interval at which a bar is redrawn; a computation that is shorter has none.
const INTERVAL: Duration = Duration::from_millis(150);

/// A thread that repeats something at an interval until it is dropped; the first time after one.
pub struct Follower {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts the thread; without one to spare nothing is repeated.
    pub fn start(interval: Duration, mut repeat: impl FnMut() + Send + 'static) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let follow = move || {
            std::thread::park_timeout(interval);
            while !is_done.load(Ordering::Relaxed) {
                repeat();
                std::thread::park_timeout(interval);
            }
        };
        let thread = std::thread::Builder::new().spawn(follow);
        if let Err(error) = &thread {
            log::warn!("a thread for progress and reports cannot be started: {error}");
        }
        Self {
            done,
            thread: thread.ok(),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has nothing to say about the computation.
            let _ = thread.join();
        }
    }
}

/// A bar on standard error that goes when it is dropped; nothing when that is no terminal.
pub struct Progress {
    _follower: Option<Follower>,
}

impl Progress {
    /// A bar of `total` steps in a template of indicatif's; `update` sets its position and message.
    pub fn bar(
        total: usize,
        template: &'static str,
        update: impl Fn(&ProgressBar) + Send + 'static,
    ) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { _follower: None };
        }
        let mut drawn: Option<Drawn> = None;
        let draw = move || {
            let bar = drawn.get_or_insert_with(|| {
                let bar = ProgressBar::new(total as u64);
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                Drawn(bar)
            });
            update(&bar.0);
        };
        Self {
            _follower: Some(Follower::start(INTERVAL, draw)),
        }
    }
}

/// A bar that is cleared when the thread that draws it ends.
struct Drawn(ProgressBar);

impl Drop for Drawn {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The parts of the line of a sweep: cells, rate, time left, best so far.
struct Line {
    begin: Instant,
    before: usize,
    total: usize,
    device: String,
    /// `best`, and of what where a plan has several problems or targets.
    best: String,
    points: Vec<(f64, f64)>,
    folds: usize,
}

impl Line {
    fn new(plan: &Plan, before: usize, device: &str) -> Self {
        let study = &plan.studies[0];
        let mut best = "best".to_string();
        if plan.studies.len() > 1 {
            best.push_str(&format!(" of {}", printable(&study.name)));
        }
        if let [first, _, ..] = study.targets.as_slice() {
            best.push_str(&format!(" for {}", printable(first)));
        }
        Self {
            begin: Instant::now(),
            before,
            total: plan.cell_count(),
            device: device.to_string(),
            best,
            points: study.points.iter().map(|p| (p.l1, p.l2)).collect(),
            folds: study.folds.len(),
        }
    }

    fn text(&self, monitor: &Monitor) -> String {
        let cells = monitor.cells();
        let rate = cells as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
        let left = self.total.saturating_sub(self.before + cells);
        let time = if cells > 0 {
            format!("{:.0} s left", left as f64 / rate)
        } else {
            "starting".into()
        };
        let best = monitor.best().map_or_else(String::new, |best| {
            let (l1, l2) = self.points[best.point];
            let folds = if best.folds < self.folds {
                format!(" on {} of {} folds", best.folds, self.folds)
            } else {
                String::new()
            };
            format!(
                "{} {} at l1 {}, l2 {}{folds}, ",
                self.best,
                short(best.mean),
                short(l1),
                short(l2)
            )
        });
        // A narrow terminal cuts off the end.
        format!("{time}, {best}{rate:.0} cells/s on {}", self.device)
    }
}

impl Progress {
    /// The line of a sweep, of which some cells may be done already.
    pub fn start(
        plan: &Plan,
        cells: &dyn CellStore,
        monitor: &Arc<Monitor>,
        device: &str,
    ) -> Result<Self> {
        let before = cells.tally()?;
        if before.cells_done > 0 && std::io::stderr().is_terminal() {
            cells.for_each_criterion(0, &mut |point, fold, criterion| {
                monitor.recall(point, fold, criterion);
            })?;
        }
        let line = Line::new(plan, before.cells_done, device);
        let monitor = Arc::clone(monitor);
        let update = move |bar: &ProgressBar| {
            bar.set_position((line.before + monitor.cells()) as u64);
            bar.set_message(line.text(&monitor));
        };
        let template = "{bar:12} {pos}/{len}, {wide_msg}";
        Ok(Self::bar(plan.cell_count(), template, update))
    }
}
