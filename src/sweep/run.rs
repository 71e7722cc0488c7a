//! The scheduler: workers that claim units, solve and measure them, and hand them on to be kept.
//!
//! A worker takes units of one fold, as many as are solved in about half a second, so that they
//! share the fold's problem and what is prepared for it. What a unit comes to depends on the unit
//! alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::cells::{CellStore, Claim};
use super::compress::{Compression, fold_problem};
pub use super::leaderboard::{BestSoFar, Monitor};
use super::measure::{HeldOut, Measured};
use super::queue::{Finished, Heartbeat, WorkQueue};
use super::record::{Cell, Plan, Shard, Unit};
use super::study::{FoldProblem, Study};
use crate::control::{Control, lock};
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::hypergrad::Evaluator;
use crate::problem::Point;

/// The time that a batch should take.
const BATCH_SECONDS: f64 = 0.5;
/// Bytes of all running batches together.
const MEMORY: usize = 1 << 30;
/// Points of a batch: more would gain nothing.
const BATCH_POINTS: usize = 1024;
/// Bytes of the factored supports that a batch holds on to between solution and adjoint: fresh pages
/// cost more than what larger batches share.
const FACTORS: usize = 64 << 20;
/// The pause of a worker that waits for other processes' units.
const WAIT: Duration = Duration::from_millis(200);

/// The parts of a sweep that is run.
pub struct Run<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its studies, in the same order.
    pub studies: &'a [Study],
    /// Per study the factors of its folds, where they pay.
    pub compressions: &'a [Option<Compression>],
    /// The threads that compute.
    pub pool: &'a rayon::ThreadPool,
    /// Set to end the sweep after the running batches.
    pub stop: &'a Control,
    /// Per study the problem of its only fold, where it has been made already.
    pub problems: &'a [Option<Arc<FoldProblem>>],
    /// The units that are this process's. The cells keep it, if it is not the whole.
    pub shard: Shard,
    /// The devices that compute: the CPU by as many workers as there are threads, any other by one.
    pub devices: &'a [Device],
    /// The extent of what is kept beside the numbers of cells.
    pub keep: Keep,
    /// The display of progress.
    pub monitor: &'a Monitor,
}

/// The extent of what a sweep keeps of its outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The numbers of cells.
    Cells,
    /// Also the outcomes, without their solutions. The plan has a single fold and nobody shares it: it is
    /// one batch, which the engine divides among the threads, and which a stop ends at once.
    Outcomes,
    /// The same with the solutions.
    Solutions,
}

/// Starts a thread of a scope, or says why the system does not.
fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> Result<()> + Send + 'scope,
) -> std::io::Result<ScopedJoinHandle<'scope, Result<()>>> {
    std::thread::Builder::new().spawn_scoped(scope, work)
}

/// The system starts no more threads: a limit of the container or of the user.
fn no_thread(workers: usize, error: &std::io::Error) -> Error {
    Error::value(
        "--threads",
        format!(
            "{} cannot be started beside those that compute: {error}",
            workers + 1
        ),
        "ask for fewer threads, or raise the limit of processes",
    )
}

/// The parts that the units of a fold share.
struct Fold<'a> {
    problem: Arc<FoldProblem>,
    held_out: HeldOut<'a>,
}

/// A study and a fold of it.
type FoldKey = (usize, usize);

/// Folds that are being worked on.
#[derive(Default)]
pub struct Folds<'a> {
    /// As long as somebody works on them; a locked place is being filled.
    places: Mutex<HashMap<FoldKey, Arc<Mutex<Weak<Fold<'a>>>>>>,
    /// Those that nobody has asked for yet.
    ready: Mutex<Vec<(FoldKey, Arc<Fold<'a>>)>>,
}

impl<'a> Run<'a> {
    /// Works until every unit of the shard is done, here or in other processes, or until the stop.
    ///
    /// # Errors
    /// The first error of a worker or of the store, or [`Error::Value`] where the system starts no more
    /// threads; what was finished is stored.
    pub fn execute(&self, store: &mut dyn CellStore) -> Result<()> {
        self.execute_from(Folds::default(), store)
    }

    /// The same with folds that [`first_folds`](Self::first_folds) has made.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub fn execute_from(&self, folds: Folds<'a>, store: &mut dyn CellStore) -> Result<()> {
        if self.shard != Shard::WHOLE {
            store.note_shard(self.shard)?;
        }
        let workers = self.workers();
        let failed = AtomicBool::new(false);
        let (requests, inbox) = mpsc::channel();
        let mut outcome = Ok(());
        std::thread::scope(|scope| {
            let mut handles = Vec::with_capacity(workers.len() + 1);
            let heartbeat = Heartbeat::new(&mut *store, self.shard, self.monitor, &failed);
            let heartbeat = start(scope, move || heartbeat.serve(&inbox));
            let started = workers.iter().enumerate().map(|(number, &device)| {
                let queue = WorkQueue {
                    requests: requests.clone(),
                    from: self.first_unit(number, workers.len()),
                };
                let (folds, failed) = (&folds, &failed);
                start(scope, move || {
                    let result = self.work(device, &queue, folds, failed);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    result
                })
            });
            for started in std::iter::once(heartbeat).chain(started) {
                match started {
                    Ok(handle) => handles.push(handle),
                    Err(error) => {
                        // Those that run already end after their batch.
                        failed.store(true, Ordering::Relaxed);
                        outcome = Err(no_thread(workers.len(), &error));
                        break;
                    }
                }
            }
            drop(requests);
            for handle in handles {
                match handle.join() {
                    Ok(result) if outcome.is_ok() => outcome = result,
                    Ok(_) => {}
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        let released = store.release();
        outcome.and(released)
    }

    /// The folds that the workers begin with, where all units are open: they can be made while the
    /// store of a new plan is.
    ///
    /// # Errors
    /// Those of a fold that cannot be learned from.
    pub fn first_folds(&self) -> Result<Folds<'a>> {
        let count = self.workers().len();
        let unit_of = |number: usize| self.plan.units().nth(self.first_unit(number, count));
        let units = (0..count).filter_map(unit_of);
        let mut keys: Vec<FoldKey> = units.map(|unit| (unit.study, unit.fold)).collect();
        keys.dedup();
        let folds = Folds::default();
        let make = |&key: &FoldKey| self.fold(key, &folds).map(|fold| (key, fold));
        let made: Result<Vec<_>> = self.pool.install(|| keys.par_iter().map(make).collect());
        *lock(&folds.ready) = made?;
        Ok(folds)
    }

    /// The device of every worker.
    fn workers(&self) -> Vec<&'a Device> {
        let threads = self.pool.current_num_threads();
        let of_device = |device: &'a Device| {
            let is_shared = device.is_cpu() && self.keep == Keep::Cells;
            let count = if is_shared { threads } else { 1 };
            std::iter::repeat_n(device, count.min(self.plan.unit_count()))
        };
        self.devices.iter().flat_map(of_device).collect()
    }

    /// The unit from which a worker looks first: workers begin on folds of their own.
    fn first_unit(&self, number: usize, workers: usize) -> usize {
        self.plan.unit_count() * number / workers
    }

    fn work(
        &self,
        device: &Device,
        queue: &WorkQueue,
        folds: &Folds<'a>,
        failed: &AtomicBool,
    ) -> Result<()> {
        let name = device.name();
        let mut count = match self.keep {
            Keep::Cells => 1,
            Keep::Outcomes | Keep::Solutions => usize::MAX,
        };
        let mut next = queue.claim(count);
        // A worker keeps its fold until it goes on to another.
        let mut own: Option<(FoldKey, Arc<Fold<'a>>)> = None;
        loop {
            if self.stop.should_stop() || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            // No answer: the heartbeat has failed, and reports it.
            let Ok(claim) = next.recv() else {
                return Ok(());
            };
            let units = match claim? {
                Claim::Units(units) => units,
                Claim::Nothing => return Ok(()),
                Claim::Elsewhere(_) => {
                    std::thread::sleep(WAIT);
                    next = queue.claim(count);
                    continue;
                }
            };
            // The next units are leased while these are solved.
            next = queue.claim(count);
            let begin = Instant::now();
            let key = (units[0].study, units[0].fold);
            let fold = match own.take() {
                Some((held, fold)) if held == key => fold,
                other => {
                    drop(other);
                    self.fold(key, folds)?
                }
            };
            let results = self.solve(device, &units, &fold)?;
            own = Some((key, fold));
            let seconds = begin.elapsed().as_secs_f64();
            if self.keep == Keep::Cells {
                count = self.next_count(&units, seconds);
            }
            queue.finish(Finished {
                results,
                seconds,
                device: name.clone(),
            });
        }
    }

    /// As many units as take about half a second, leave work for the others, and fit the memory.
    fn next_count(&self, units: &[Unit], seconds: f64) -> usize {
        let workers = self.pool.current_num_threads().max(1);
        let by_time = (units.len() as f64 * BATCH_SECONDS / seconds.max(1e-6)) as usize;
        let fair = self.plan.unit_count() / (4 * workers);
        let study = &self.studies[units[0].study];
        let record = &self.plan.studies[units[0].study];
        let points = record.points.len() / record.paths.len().max(1);
        let specification = &study.specification;
        let per_row = if self.compressions[units[0].study].is_some() {
            0
        } else {
            10 * study.rows() * specification.classes
        };
        let coordinates = (specification.train.matrix.columns() + 1) * specification.classes;
        let numbers = per_row + 20 * coordinates;
        let by_memory = MEMORY / workers / (8 * numbers * points).max(1);
        by_time
            .min(fair)
            .min(by_memory)
            .min(BATCH_POINTS / points.max(1))
            .min(FACTORS / (16 * coordinates * coordinates * points).max(1))
            .max(1)
    }

    /// Solves, differentiates and measures units of one fold.
    fn solve(
        &self,
        device: &Device,
        units: &[Unit],
        shared: &Fold<'a>,
    ) -> Result<Vec<(Unit, Vec<Cell>)>> {
        let (study, fold) = (units[0].study, units[0].fold);
        let record = &self.plan.studies[study];
        let (problem, held_out) = (&*shared.problem, &shared.held_out);
        let mut points: Vec<Point> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        let mut paths: Vec<Vec<usize>> = Vec::new();
        for unit in units {
            let first = points.len();
            for &number in &record.paths[unit.path] {
                let point = &record.points[number as usize];
                numbers.push(number as usize);
                points.push(Point::new(point.l1, point.l2).of_target(point.target));
            }
            paths.push((first..points.len()).collect());
        }
        let settings = crate::hypergrad::Settings {
            threads: 0,
            device: device.clone(),
            precision: self.studies[study].precision,
            ..self.studies[study].settings.clone()
        };
        // Stopping waits for running batches, so that what is stored is whole; a batch of which nothing
        // is stored ends with what is known.
        let control = match self.keep {
            Keep::Cells => Control::new(),
            Keep::Outcomes | Keep::Solutions => self.stop.clone(),
        };
        let mut results = self.pool.install(|| -> Result<Vec<Cell>> {
            let outcomes = Evaluator::new(&problem.problem)
                .sharing(&problem.prepared)
                .settings(&settings)
                .control(&control)
                .paths(paths.clone())
                .run(&points)?;
            let stages = &self.studies[study].stages;
            let mut outcomes = match stages.relax {
                None => outcomes,
                Some(share) => problem.relaxed(&settings, &control, outcomes, share)?,
            };
            stages.in_factor(&problem.problem, &mut outcomes);
            let measured = Measured {
                study: &self.studies[study],
                problem,
                held_out,
                fold,
            };
            let mut cells = measured.cells(&numbers, &outcomes);
            if self.keep != Keep::Cells {
                for (cell, mut outcome) in cells.iter_mut().zip(outcomes) {
                    outcome.adjoint = Vec::new();
                    if self.keep == Keep::Outcomes {
                        outcome.solution = Vec::new();
                    }
                    cell.outcome = Some(Arc::new(outcome));
                }
            }
            Ok(cells)
        })?;
        let mut by_unit = Vec::with_capacity(units.len());
        for (unit, path) in units.iter().zip(&paths) {
            let rest = results.split_off(path.len());
            by_unit.push((*unit, std::mem::replace(&mut results, rest)));
        }
        Ok(by_unit)
    }

    /// The parts that the units of a fold share, made once for all workers that hold it at the same time.
    fn fold(&self, key: FoldKey, folds: &Folds<'a>) -> Result<Arc<Fold<'a>>> {
        let (study, fold) = key;
        let place = Arc::clone(lock(&folds.places).entry(key).or_default());
        let mut place = lock(&place);
        if let Some(fold) = place.upgrade() {
            // From now on it lives as long as it is worked on.
            lock(&folds.ready).retain(|(ready, _)| *ready != key);
            return Ok(fold);
        }
        let own = &self.studies[study];
        let make = || -> Result<Fold<'a>> {
            let compression = self.compressions[study].as_ref();
            // Sequential, not `join`: work stealing would let this thread run another worker's batch
            // while it holds the lock.
            let problem = match &self.problems[study] {
                Some(problem) => Arc::clone(problem),
                None => Arc::new(fold_problem(own, compression, fold)?),
            };
            let held_out = HeldOut::of(own, fold, &problem);
            Ok(Fold { problem, held_out })
        };
        let made = Arc::new(self.pool.install(make)?);
        *place = Arc::downgrade(&made);
        Ok(made)
    }
}
