//! Threads and interruption: pools of the package's own, and Ctrl-C while they compute.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proxdiff::Control;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::without_panic;

/// How often a caller that waits looks for signals.
const GLANCE: Duration = Duration::from_millis(20);

/// Pools by process and number of threads.
type Pools = HashMap<(u32, usize), Arc<ThreadPool>>;

/// The pools. Threads do not survive a fork: a child makes pools of its own.
static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

fn pool(threads: usize) -> PyResult<Arc<ThreadPool>> {
    let process = std::process::id();
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_default();
    if let Some(pool) = pools.get(&(process, threads)) {
        return Ok(Arc::clone(pool));
    }
    // Those of a parent have no threads here, and waiting for them to end would never end.
    for (_, pool) in pools.extract_if(|&(other, _), _| other != process) {
        std::mem::forget(pool);
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|at| format!("proxdiff-{at}"))
        .build()
        .map_err(|error| {
            PyValueError::new_err(format!(
                "n_threads: {threads} cannot be started: {error}; ask for fewer threads"
            ))
        })?;
    let pool = Arc::new(pool);
    pools.insert((process, threads), Arc::clone(&pool));
    Ok(pool)
}

/// The value of work in a pool of so many threads, while the caller's thread waits without the interpreter's
/// lock. A signal's exception, such as `KeyboardInterrupt`, cancels the work by its control and is raised
/// when that has stopped.
pub fn compute<T: Send>(
    py: Python<'_>,
    threads: usize,
    work: impl FnOnce(&Control) -> T + Send,
) -> PyResult<T> {
    compute_watched(py, threads, |_| Ok(()), work)
}

/// The same; `glance` is called while it runs, and its exception cancels the work as a signal's does.
pub fn compute_watched<T: Send>(
    py: Python<'_>,
    threads: usize,
    mut glance: impl FnMut(Python<'_>) -> PyResult<()> + Send,
    work: impl FnOnce(&Control) -> T + Send,
) -> PyResult<T> {
    let pool = pool(threads)?;
    let control = Control::new();
    py.detach(move || {
        let (sender, receiver) = channel();
        let of_work = control.clone();
        pool.in_place_scope(|scope| {
            scope.spawn(move |_| {
                // The receiver waits until it has this.
                let _ = sender.send(without_panic(|| work(&of_work)));
            });
            attend(&receiver, &control, &mut glance)
        })
    })
}

/// The same for work that hands its parts to the pool itself, from a thread beside it.
pub fn compute_beside<T: Send>(
    py: Python<'_>,
    threads: usize,
    mut glance: impl FnMut(Python<'_>) -> PyResult<()> + Send,
    work: impl FnOnce(&Control, &ThreadPool) -> T + Send,
) -> PyResult<T> {
    let pool = pool(threads)?;
    let control = Control::new();
    py.detach(move || {
        let (sender, receiver) = channel();
        let of_work = control.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = sender.send(without_panic(|| work(&of_work, &pool)));
            });
            attend(&receiver, &control, &mut glance)
        })
    })
}

/// The value that work sends; meanwhile a signal's exception, or one of `glance`, cancels it.
fn attend<T>(
    receiver: &Receiver<PyResult<T>>,
    control: &Control,
    mut glance: impl FnMut(Python<'_>) -> PyResult<()>,
) -> PyResult<T> {
    let mut interrupt = None;
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(value) => {
                return match interrupt {
                    Some(exception) => Err(exception),
                    None => value,
                };
            }
            Err(RecvTimeoutError::Timeout) if interrupt.is_none() => {
                let looked = Python::attach(|py| {
                    py.check_signals()?;
                    glance(py)
                });
                if let Err(exception) = looked {
                    control.cancel();
                    interrupt = Some(exception);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyErr::new::<pyo3::exceptions::PyRuntimeError, _>(
                    "a defect of proxdiff: its work ended without a result",
                ));
            }
        }
    }
}
