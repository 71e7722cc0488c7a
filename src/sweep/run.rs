//! The scheduler: workers that claim units, solve and measure them, and store them.
//!
//! A worker takes units of one fold, as many as are solved in about half a second, so that they
//! share the fold's problem and what is prepared for it. What a unit comes to depends on the unit
//! alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::compress::Compression;
use super::measure::{HeldOut, cells};
use super::study::{FoldProblem, Study};
use crate::control::Control;
use crate::error::Result;
use crate::exec::Device;
use crate::hypergrad::evaluate_prepared;
use crate::problem::Point;
use crate::store::{Cell, Claim, Number, Plan, Store, Unit};

/// How long a batch should take.
const BATCH_SECONDS: f64 = 0.5;
/// Bytes of all running batches together.
const MEMORY: usize = 1 << 30;
/// Points of a batch: more would gain nothing.
const BATCH_POINTS: usize = 1024;
/// Bytes of the factored supports that a batch holds on to between solution and adjoint: fresh pages
/// cost more than what larger batches share.
const FACTORS: usize = 64 << 20;
/// How often the heartbeat is written.
const BEAT: Duration = Duration::from_secs(15);
/// How long a worker waits for other processes' units before it looks again.
const WAIT: Duration = Duration::from_millis(200);

/// What a sweep is run with.
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
    /// Which units are this process's: `(i, n)` for those equal to i modulo n.
    pub shard: (usize, usize),
    /// What computes: the CPU by as many workers as there are threads, any other device by one.
    pub devices: &'a [Device],
    /// Where progress is reported.
    pub monitor: &'a Monitor,
}

/// How far a running sweep is, for a display.
#[derive(Debug)]
pub struct Monitor {
    cells: AtomicUsize,
    /// Per study and point the sum of its criteria and their number.
    sums: Mutex<Vec<Vec<(f64, u32)>>>,
    finished: AtomicBool,
}

/// The best point so far: by its mean over the folds that are done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestSoFar {
    /// The study.
    pub study: usize,
    /// The point within it.
    pub point: usize,
    /// The mean criterion over the folds that are done.
    pub mean: f64,
}

impl Monitor {
    /// A monitor of a plan of which nothing is done.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let sums = |study: &crate::store::Study| vec![(0.0, 0); study.points.len()];
        Self {
            cells: AtomicUsize::new(0),
            sums: Mutex::new(plan.studies.iter().map(sums).collect()),
            finished: AtomicBool::new(false),
        }
    }

    /// Cells that this process has finished.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cells.load(Ordering::Relaxed)
    }

    /// True once [`Run::execute`] has returned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// The best point of the first study among those that have the most folds so far.
    #[must_use]
    pub fn best(&self) -> Option<BestSoFar> {
        let sums = lock(&self.sums);
        let points = sums.first()?;
        let most = points.iter().map(|p| p.1).max().filter(|&most| most > 0)?;
        points
            .iter()
            .enumerate()
            .filter(|(_, p)| p.1 == most && p.0.is_finite())
            .map(|(point, p)| BestSoFar {
                study: 0,
                point,
                mean: p.0 / f64::from(p.1),
            })
            .min_by(|a, b| a.mean.total_cmp(&b.mean))
    }

    fn count(&self, study: usize, cells: &[Cell]) {
        self.cells.fetch_add(cells.len(), Ordering::Relaxed);
        let mut sums = lock(&self.sums);
        for cell in cells {
            let sum = &mut sums[study][cell.point];
            sum.0 += cell.numbers[Number::Criterion];
            sum.1 += 1;
        }
    }
}

/// A lock that a panicked worker has left behind is as good as any: what it guards is whole between
/// two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the units of a fold share.
struct Fold<'a> {
    problem: FoldProblem,
    held_out: HeldOut<'a>,
}

/// Folds that are being worked on; an empty place is being filled.
type Folds<'a> = Mutex<HashMap<(usize, usize), Arc<Mutex<Option<Arc<Fold<'a>>>>>>>;

impl<'a> Run<'a> {
    /// Works until every unit of the shard is done, here or in other processes, or until the stop.
    ///
    /// # Errors
    /// The first error of a worker; what was finished is stored.
    pub fn execute(&self, store: &mut Store) -> Result<()> {
        let threads = self.pool.current_num_threads();
        let workers = self.devices.iter().flat_map(|device| {
            let count = if device.is_cpu() { threads } else { 1 };
            std::iter::repeat_n(device, count.min(self.plan.unit_count()))
        });
        let folds: Folds<'_> = Mutex::new(HashMap::new());
        let failed = AtomicBool::new(false);
        let done = AtomicBool::new(false);
        let shared = Mutex::new(store);
        let mut outcome = Ok(());
        let work = |device: &Device| {
            let result = self.work(device, &shared, &folds, &failed);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            result
        };
        std::thread::scope(|scope| {
            let work = &work;
            let heart = scope.spawn(|| self.keep_beating(&shared, &done));
            let handles: Vec<_> = workers
                .map(|device| scope.spawn(move || work(device)))
                .collect();
            for handle in handles {
                let result = match handle.join() {
                    Ok(result) => result,
                    Err(panic) => {
                        done.store(true, Ordering::Relaxed);
                        heart.thread().unpark();
                        std::panic::resume_unwind(panic)
                    }
                };
                if outcome.is_ok() {
                    outcome = result;
                }
            }
            done.store(true, Ordering::Relaxed);
            heart.thread().unpark();
        });
        self.monitor.finished.store(true, Ordering::Relaxed);
        let released = lock(&shared).release();
        outcome.and(released)
    }

    fn keep_beating(&self, store: &Mutex<&mut Store>, done: &AtomicBool) {
        let mut last = Instant::now();
        while !done.load(Ordering::Relaxed) {
            std::thread::park_timeout(BEAT);
            if last.elapsed() >= BEAT {
                last = Instant::now();
                if let Err(error) = lock(store).beat() {
                    log::warn!("{error}");
                }
            }
        }
    }

    fn work(
        &self,
        device: &Device,
        store: &Mutex<&mut Store>,
        folds: &Folds<'a>,
        failed: &AtomicBool,
    ) -> Result<()> {
        let name = device.name();
        let mut count = 1;
        loop {
            if self.stop.should_stop() || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let claim = lock(store).claim(count, self.shard)?;
            let units = match claim {
                Claim::Units(units) => units,
                Claim::Nothing => return Ok(()),
                Claim::Elsewhere => {
                    std::thread::sleep(WAIT);
                    continue;
                }
            };
            let begin = Instant::now();
            let results = self.solve(device, &units, folds)?;
            let seconds = begin.elapsed().as_secs_f64();
            lock(store).finish(&results, seconds, &name)?;
            for (unit, cells) in &results {
                self.monitor.count(unit.study, cells);
            }
            count = self.next_count(&units, seconds);
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
        folds: &Folds<'a>,
    ) -> Result<Vec<(Unit, Vec<Cell>)>> {
        let (study, fold) = (units[0].study, units[0].fold);
        let record = &self.plan.studies[study];
        let shared = self.fold(study, fold, folds)?;
        let (problem, held_out) = (&shared.problem, &shared.held_out);
        let mut points: Vec<Point> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        let mut paths: Vec<Vec<usize>> = Vec::new();
        for unit in units {
            let first = points.len();
            for &number in &record.paths[unit.path] {
                let point = &record.points[number as usize];
                numbers.push(number as usize);
                points.push(Point {
                    l1: point.l1,
                    l2: point.l2,
                    target: point.target,
                });
            }
            paths.push((first..points.len()).collect());
        }
        let settings = crate::hypergrad::Settings {
            threads: 0,
            device: device.clone(),
            ..self.studies[study].settings.clone()
        };
        // Stopping waits for running batches: what is stored is whole.
        let control = Control::new();
        let mut results = self.pool.install(|| -> Result<Vec<Cell>> {
            let outcomes = evaluate_prepared(
                &problem.problem,
                &problem.prepared,
                (&points, Some(&paths)),
                &settings,
                self.studies[study].precision,
                (None, &control),
            )?;
            let measured = (problem, held_out);
            Ok(cells(
                &self.studies[study],
                measured,
                fold,
                &numbers,
                &outcomes,
            ))
        })?;
        let mut by_unit = Vec::with_capacity(units.len());
        for (unit, path) in units.iter().zip(&paths) {
            let rest = results.split_off(path.len());
            by_unit.push((*unit, std::mem::replace(&mut results, rest)));
        }
        Ok(by_unit)
    }

    /// What the units of a fold share, made once for all workers; that of other folds is dropped
    /// when nobody works on them.
    fn fold(&self, study: usize, fold: usize, folds: &Folds<'a>) -> Result<Arc<Fold<'a>>> {
        let place = {
            let mut folds = lock(folds);
            let key = (study, fold);
            folds.retain(|other, place| *other == key || Arc::strong_count(place) > 1);
            Arc::clone(folds.entry(key).or_default())
        };
        let mut place_of_one = lock(&place);
        if let Some(fold) = &*place_of_one {
            return Ok(Arc::clone(fold));
        }
        let own = &self.studies[study];
        let make = || -> Result<Fold<'a>> {
            Ok(Fold {
                problem: own.fold_problem(fold, self.compressions[study].as_ref())?,
                held_out: HeldOut::of(own, fold),
            })
        };
        let made = Arc::new(self.pool.install(make)?);
        *place_of_one = Some(Arc::clone(&made));
        Ok(made)
    }
}
