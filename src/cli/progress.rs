//! Progress of a sweep on a terminal: cells, rate, time left, best so far.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{printable, short};
use crate::store::{Plan, Store, Tally};
use crate::sweep::run::Monitor;

/// How often the line is redrawn, and how long a short sweep goes without one.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on standard error that follows a sweep; nothing when that is no terminal.
pub struct Progress {
    done: Arc<AtomicBool>,
    follower: Option<std::thread::JoinHandle<()>>,
}

/// What the line is made of.
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
    fn new(plan: &Plan, before: &Tally, device: &str) -> Self {
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
            before: before.cells_done,
            total: before.cells,
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
        // What a narrow terminal cuts off comes last.
        format!("{time}, {best}{rate:.0} cells/s on {}", self.device)
    }
}

impl Progress {
    /// Starts the line; `before` is how far the store was.
    pub fn start(
        (plan, store): (&Plan, &Store),
        monitor: &Arc<Monitor>,
        before: &Tally,
        device: &str,
    ) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let follower = std::io::stderr().is_terminal().then(|| {
            if before.cells_done > 0 {
                let recall = |point, fold, criterion| monitor.recall(point, fold, criterion);
                if let Err(error) = store.for_each_criterion(0, recall) {
                    log::warn!("{error}");
                }
            }
            let line = Line::new(plan, before, device);
            let (monitor, done) = (Arc::clone(monitor), Arc::clone(&done));
            let follow = move || follow(&line, &monitor, &done);
            // Without a thread to spare there is no line.
            std::thread::Builder::new().spawn(follow).ok()
        });
        Self {
            done,
            follower: follower.flatten(),
        }
    }
}

fn follow(line: &Line, monitor: &Monitor, done: &AtomicBool) {
    std::thread::park_timeout(INTERVAL);
    if done.load(Ordering::Relaxed) {
        return;
    }
    let bar = ProgressBar::new(line.total as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:12} {pos}/{len}, {wide_msg}") {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        bar.set_position((line.before + monitor.cells()) as u64);
        bar.set_message(line.text(monitor));
        std::thread::park_timeout(INTERVAL);
    }
    bar.finish_and_clear();
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(follower) = self.follower.take() {
            follower.thread().unpark();
            // A line that panicked has nothing to say about the sweep.
            let _ = follower.join();
        }
    }
}
