//! The queue between the workers of a sweep and the place that keeps its cells.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::cells::{CellStore, Claim};
use super::leaderboard::Monitor;
use super::record::{Cell, Shard, Unit};
use crate::error::Result;

/// The wait after which the log says for which process.
const PATIENCE: Duration = Duration::from_secs(3);
/// The interval of the heartbeat.
const BEAT: Duration = Duration::from_secs(15);
/// Units that a worker has solved.
pub(super) struct Finished {
    pub(super) results: Vec<(Unit, Vec<Cell>)>,
    pub(super) seconds: f64,
    pub(super) device: String,
}

/// The requests of workers.
pub(super) enum Request {
    /// Units to do: at most `count`, starting at `from` where there are any.
    Claim {
        count: usize,
        from: usize,
        answer: mpsc::Sender<Result<Claim>>,
    },
    /// Units that are done.
    Finish(Finished),
}

/// The end of the queue at which a worker asks.
pub(super) struct WorkQueue {
    pub(super) requests: mpsc::Sender<Request>,
    /// The unit from which on the worker looks first.
    pub(super) from: usize,
}

impl WorkQueue {
    /// Asks for units; the answer is waited for when it is needed.
    pub(super) fn claim(&self, count: usize) -> mpsc::Receiver<Result<Claim>> {
        let (answer, receiver) = mpsc::channel();
        self.send(Request::Claim {
            count,
            from: self.from,
            answer,
        });
        receiver
    }

    pub(super) fn finish(&self, finished: Finished) {
        self.send(Request::Finish(finished));
    }

    /// A heartbeat that has stopped has failed, which the worker sees by the missing answer.
    fn send(&self, request: Request) {
        let _ = self.requests.send(request);
    }
}

/// The thread that alone uses the cells while a sweep runs, so that no worker waits for the disk; it
/// also tells other processes that this one lives.
pub(super) struct Heartbeat<'a> {
    store: &'a mut dyn CellStore,
    shard: Shard,
    monitor: &'a Monitor,
    failed: &'a AtomicBool,
    /// The processes that it waits for.
    waiting: Option<Waiting>,
}

/// Processes whose units are waited for.
struct Waiting {
    holders: String,
    since: Instant,
    is_said: bool,
}

impl<'a> Heartbeat<'a> {
    pub(super) fn new(
        store: &'a mut dyn CellStore,
        shard: Shard,
        monitor: &'a Monitor,
        failed: &'a AtomicBool,
    ) -> Self {
        Self {
            store,
            shard,
            monitor,
            failed,
            waiting: None,
        }
    }

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
    pub(super) fn serve(mut self, inbox: &mpsc::Receiver<Request>) -> Result<()> {
        let mut last = Instant::now();
        let mut was_lost = false;
        loop {
            let request = match inbox.recv_timeout(BEAT.saturating_sub(last.elapsed())) {
                Ok(request) => Some(request),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut finished = Vec::new();
            // Workers are answered first, so that they do not idle during the commit.
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
            for done in finished {
                for (unit, cells) in &done.results {
                    self.monitor.count(unit.study, cells);
                }
                if let Err(error) = self.store.finish(done.results, done.seconds, &done.device) {
                    self.failed.store(true, Ordering::Relaxed);
                    return Err(error);
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
                        self.store.file().unwrap_or(Path::new("")).display()
                    );
                }
            }
        }
    }
}
