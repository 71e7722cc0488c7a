//! The scheduler: workers that claim units, solve and measure them, and store them.
//!
//! A worker takes units of one fold, as many as are solved in about half a second, so that they
//! share the fold's problem and what is prepared for it. What a unit comes to depends on the unit
//! alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak, mpsc};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::compress::Compression;
use super::measure::{HeldOut, cells};
use super::standings::Standings;
use super::study::{FoldProblem, Study};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::hypergrad::Evaluator;
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
/// How long it waits before it says for whom.
const PATIENCE: Duration = Duration::from_secs(3);

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
    /// Which units are this process's: `(i, n)` for those equal to i modulo n. The store keeps it, if
    /// it is not the whole.
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
    best: Mutex<Standings>,
    finished: AtomicBool,
}

/// The best point so far of the first target of the first study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestSoFar {
    /// The point within its study.
    pub point: usize,
    /// The mean criterion over the folds that are done.
    pub mean: f64,
    /// How many these are.
    pub folds: usize,
}

impl Monitor {
    /// A monitor of a plan of which nothing is done.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            cells: AtomicUsize::new(0),
            best: Mutex::new(Standings::new(plan)),
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

    fn count(&self, study: usize, cells: &[Cell]) {
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

/// A lock that a panicked worker has left behind is as good as any: what it guards is whole between
/// two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
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

/// Units that a worker has solved.
struct Finished {
    results: Vec<(Unit, Vec<Cell>)>,
    seconds: f64,
    device: String,
}

/// What workers ask of the store's keeper.
enum Request {
    /// Units to do: at most so many, from this number on if there are any.
    Claim {
        count: usize,
        from: usize,
        answer: mpsc::Sender<Result<Claim>>,
    },
    /// Units that are done.
    Finish(Finished),
}

/// Where a worker asks.
struct Desk {
    requests: mpsc::Sender<Request>,
    from: usize,
}

impl Desk {
    /// Asks for units; the answer is waited for when it is needed.
    fn claim(&self, count: usize) -> mpsc::Receiver<Result<Claim>> {
        let (answer, receiver) = mpsc::channel();
        self.send(Request::Claim {
            count,
            from: self.from,
            answer,
        });
        receiver
    }

    fn finish(&self, finished: Finished) {
        self.send(Request::Finish(finished));
    }

    /// A keeper that has stopped has failed, which the worker sees by the missing answer.
    fn send(&self, request: Request) {
        let _ = self.requests.send(request);
    }
}

/// The only one to use the store while a sweep runs: nobody computes less while it waits for the
/// disk.
struct Keeper<'a> {
    store: &'a mut Store,
    shard: (usize, usize),
    monitor: &'a Monitor,
    failed: &'a AtomicBool,
    /// For whom it waits, since when, and whether that has been said.
    waiting: Option<Waiting>,
}

/// Processes whose units are waited for.
struct Waiting {
    holders: String,
    since: Instant,
    is_said: bool,
}

impl Keeper<'_> {
    /// Takes account of an answer to a worker: when all that is left has been elsewhere for a while, says
    /// where, once.
    fn note_waiting(&mut self, claim: &Result<Claim>) {
        let Ok(Claim::Elsewhere(holders)) = claim else {
            if !matches!(claim, Ok(Claim::Nothing)) {
                self.waiting = None;
            }
            return;
        };
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            holders: holders.clone(),
            since: Instant::now(),
            is_said: false,
        });
        if waiting.holders != *holders {
            waiting.holders.clone_from(holders);
            waiting.is_said = false;
        }
        if !waiting.is_said && waiting.since.elapsed() >= PATIENCE {
            waiting.is_said = true;
            log::warn!(
                "waiting for the units of {holders}; when that ends, or is ended, its units are done here"
            );
        }
    }

    /// Serves until all workers have gone.
    fn serve(mut self, inbox: &mpsc::Receiver<Request>) -> Result<()> {
        let mut last = Instant::now();
        let mut was_lost = false;
        loop {
            let request = match inbox.recv_timeout(BEAT.saturating_sub(last.elapsed())) {
                Ok(request) => Some(request),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut finished = Vec::new();
            // Who waits for units is answered before anything is written to the disk.
            for request in request.into_iter().chain(inbox.try_iter()) {
                match request {
                    Request::Claim {
                        count,
                        from,
                        answer,
                    } => {
                        let claim = self.store.claim_from(count, self.shard, from);
                        self.note_waiting(&claim);
                        // A worker that has stopped wants no answer.
                        let _ = answer.send(claim);
                    }
                    Request::Finish(units) => finished.push(units),
                }
            }
            for done in &finished {
                let Finished {
                    results,
                    seconds,
                    device,
                } = done;
                if let Err(error) = self.store.finish(results, *seconds, device) {
                    self.failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                for (unit, cells) in results {
                    self.monitor.count(unit.study, cells);
                }
            }
            if last.elapsed() >= BEAT {
                last = Instant::now();
                if let Err(error) = self.store.beat() {
                    log::warn!("{error}");
                }
                if !self.store.is_in_place() && !was_lost {
                    was_lost = true;
                    log::warn!(
                        "{}: the store was deleted or replaced; what is finished from now on is kept nowhere",
                        self.store.path().display()
                    );
                }
            }
        }
    }
}

/// What the units of a fold share.
struct Fold<'a> {
    problem: FoldProblem,
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
    pub fn execute(&self, store: &mut Store) -> Result<()> {
        self.execute_from(Folds::default(), store)
    }

    /// The same with folds that [`first_folds`](Self::first_folds) has made.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub fn execute_from(&self, folds: Folds<'a>, store: &mut Store) -> Result<()> {
        if self.shard.1 > 1 {
            store.note_shard(self.shard)?;
        }
        let workers = self.workers();
        let failed = AtomicBool::new(false);
        let (requests, inbox) = mpsc::channel();
        let mut outcome = Ok(());
        std::thread::scope(|scope| {
            let mut handles = Vec::with_capacity(workers.len() + 1);
            let keeper = Keeper {
                store: &mut *store,
                shard: (self.shard.0 % self.shard.1.max(1), self.shard.1.max(1)),
                monitor: self.monitor,
                failed: &failed,
                waiting: None,
            };
            let keeper = start(scope, move || keeper.serve(&inbox));
            let started = workers.iter().enumerate().map(|(number, &device)| {
                let desk = Desk {
                    requests: requests.clone(),
                    from: self.first_unit(number, workers.len()),
                };
                let (folds, failed) = (&folds, &failed);
                start(scope, move || {
                    let result = self.work(device, &desk, folds, failed);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    result
                })
            });
            for started in std::iter::once(keeper).chain(started) {
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
        self.monitor.finished.store(true, Ordering::Relaxed);
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
            let count = if device.is_cpu() { threads } else { 1 };
            std::iter::repeat_n(device, count.min(self.plan.unit_count()))
        };
        self.devices.iter().flat_map(of_device).collect()
    }

    /// Where a worker looks for units first: workers begin on folds of their own.
    fn first_unit(&self, number: usize, workers: usize) -> usize {
        self.plan.unit_count() * number / workers
    }

    fn work(
        &self,
        device: &Device,
        desk: &Desk,
        folds: &Folds<'a>,
        failed: &AtomicBool,
    ) -> Result<()> {
        let name = device.name();
        let mut count = 1;
        let mut next = desk.claim(count);
        // A worker keeps its fold until it goes on to another.
        let mut own: Option<(FoldKey, Arc<Fold<'a>>)> = None;
        loop {
            if self.stop.should_stop() || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            // No answer: the keeper has failed, and reports it.
            let Ok(claim) = next.recv() else {
                return Ok(());
            };
            let units = match claim? {
                Claim::Units(units) => units,
                Claim::Nothing => return Ok(()),
                Claim::Elsewhere(_) => {
                    std::thread::sleep(WAIT);
                    next = desk.claim(count);
                    continue;
                }
            };
            // The next units are leased while these are solved.
            next = desk.claim(count);
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
            count = self.next_count(&units, seconds);
            desk.finish(Finished {
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
            precision: self.studies[study].precision,
            ..self.studies[study].settings.clone()
        };
        // Stopping waits for running batches: what is stored is whole.
        let control = Control::new();
        let mut results = self.pool.install(|| -> Result<Vec<Cell>> {
            let outcomes = Evaluator::new(&problem.problem)
                .sharing(&problem.prepared)
                .settings(&settings)
                .control(&control)
                .paths(paths.clone())
                .run(&points)?;
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

    /// What the units of a fold share, made once for all workers that hold it at the same time.
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
            // One after the other: a thread that waits for another to do its half takes up a batch of
            // another worker meanwhile, and this worker waits for that.
            Ok(Fold {
                problem: own.fold_problem(fold, compression)?,
                held_out: HeldOut::of(own, fold),
            })
        };
        let made = Arc::new(self.pool.install(make)?);
        *place = Arc::downgrade(&made);
        Ok(made)
    }
}
