//! Engines: the ways in which a batch of points is solved and differentiated, and the one list that
//! chooses among them.
//!
//! | engine | serves |
//! | --- | --- |
//! | [`fused`] | small problems of the squared loss, solved and differentiated point by point where the path arrives |
//! | [`path_kernel`] | few coefficients of the squared loss on a graphics device in f32, solved and differentiated point by point |
//! | [`refined`] | solutions in f32 on a graphics device, refined in f64 on the CPU |
//! | [`path`] | solutions along warm-started paths, and adjoints on their supports (CPU) |
//! | [`sampled`] | NSID and SID of dense data at the price of a minibatch's rows (CPU) |
//! | [`recorded`] | every other solver and method, and graphics devices |

pub mod accumulator;
pub mod assembly;
mod devices;
mod diagnose;
mod fused;
mod interface;
mod kinks;
mod list;
pub mod members;
mod normal;
pub mod outcome;
mod path;
mod path_kernel;
pub mod prepared;
pub mod products;
pub mod recorded;
mod refined;
mod request;
pub mod sampled;
mod separation;
pub mod settings;
mod sizes;
pub mod solved;
mod staged;
pub mod vjp;

use crate::error::{Error, Result};
use crate::exec::Device;
use crate::kinds::Precision;

use outcome::Outcome;

pub use request::Request;

/// Solves every point of a request and, where its settings say how, differentiates it.
///
/// Outcomes are in the order of the points; what ran out of its budget or is not finite is returned
/// with that status. The same bits come out for any number of threads.
///
/// # Errors
/// [`Error::Value`], [`Error::Shape`] and [`Error::Unsupported`] for settings, points or warm starts
/// that do not fit the problem.
pub fn evaluate(request: &Request<'_>) -> Result<Vec<Outcome>> {
    request.check()?;
    let work = || match (&request.settings.device, request.settings.precision) {
        (Device::Cpu, Precision::F64) => staged::evaluate::<f64>(request),
        (Device::Cpu, Precision::F32) => staged::evaluate::<f32>(request),
        _ => devices::evaluate(request),
    };
    in_threads(request.settings.threads, work)
}

/// Runs work in a pool of so many threads; 0 takes the caller's.
///
/// # Errors
/// Those of the work, and [`Error::Value`] when the threads cannot be started.
pub fn in_threads<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if threads == 0 {
        return work();
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::value("threads", error.to_string(), "ask for fewer threads"))?;
    pool.install(work)
}
