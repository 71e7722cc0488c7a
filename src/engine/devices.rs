//! Evaluation on graphics devices: chunks that fit their memory, a queue that all devices serve, what
//! to do when one fails, and refinement to f64.
//!
//! A device computes in f32. For a result in f64 its solution is where the CPU goes on from: the
//! residual is formed in f64, the support that it found is corrected by Newton's method until it is
//! exact to rounding, and the adjoint is solved on that support (mixed-precision refinement).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::control::lock;
use crate::error::{DeviceFault, Error, Result};
use crate::exec::{Device, Gpu};
use crate::kinds::{Method, Precision, Solver, Wrt};
use crate::problem::{Point, Problem};

use super::interface::Engine;
use super::outcome::Outcome;
use super::path_kernel::{PathKernel, TOGETHER};
use super::request::Request;
use super::settings::Settings;
use super::staged;

/// A tolerance that f32 reaches surely; refinement does the rest.
const BEFORE_REFINEMENT: f64 = 1e-5;
/// Loops over the members of a group in one dispatch, at most.
const GROUP_LOOPS: usize = 8;

/// Evaluates points on a device that is not just the CPU.
///
/// # Errors
/// [`Error::Unsupported`] for what a graphics device cannot do; other failures of devices are met by
/// splitting, by opening the device anew, or by going on on the CPU with a warning.
pub(super) fn evaluate(request: &Request<'_>) -> Result<Vec<Outcome>> {
    let (points, settings) = (request.points, request.settings);
    check(settings)?;
    let devices: Vec<Device> = match &settings.device {
        Device::Several(devices) => devices.clone(),
        device => vec![device.clone()],
    };
    for device in &devices {
        if let Device::Gpu(gpu) = device {
            check_driver(gpu, request.problem)?;
        }
    }
    // The device with the least room sets the size of a chunk, so that any may take any.
    let together = devices
        .iter()
        .filter_map(|device| match device {
            Device::Gpu(gpu) => {
                let settings = of_device(settings, device);
                let on_device = Request {
                    settings: &settings,
                    ..*request
                };
                let walks = Engine::<f32>::serves(&PathKernel, &on_device).is_ok();
                let is_single = settings.precision == Precision::F32;
                Some(match is_single && walks {
                    true => TOGETHER,
                    false => capacity(gpu, request),
                })
            }
            _ => None,
        })
        .min()
        .unwrap_or(points.len())
        .min(points.len().div_ceil(devices.len()))
        .max(1);
    let chunks = (0..points.len())
        .step_by(together)
        .map(|start| start..points.len().min(start + together));
    let queue: Mutex<VecDeque<Range<usize>>> = Mutex::new(chunks.collect());
    let finished: Mutex<Vec<(usize, Result<Vec<Outcome>>)>> = Mutex::default();
    let serve = |mut device: Device| {
        loop {
            let next = lock(&queue).pop_front();
            let Some(range) = next else { break };
            let start = range.start;
            let outcomes = chunk(request, &mut device, range);
            let failed = outcomes.is_err();
            lock(&finished).push((start, outcomes));
            if failed {
                break;
            }
        }
    };
    let mut devices = devices.into_iter();
    let own = devices.next();
    std::thread::scope(|scope| {
        for device in devices {
            let serve = &serve;
            let started = std::thread::Builder::new().spawn_scoped(scope, move || serve(device));
            if let Err(error) = started {
                // The others do its part.
                log::warn!("a device is left out, as no thread can be started for it: {error}");
            }
        }
        if let Some(device) = own {
            serve(device);
        }
    });
    let mut finished = finished
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(start, _)| *start);
    let mut outcomes = Vec::with_capacity(points.len());
    for (_, chunk) in finished {
        outcomes.extend(chunk?);
    }
    Ok(outcomes)
}

/// Refuses combinations that no graphics device serves.
fn check(settings: &Settings) -> Result<()> {
    let precision = settings.precision;
    if settings.solver == Solver::Path {
        return Err(Error::unsupported(
            "coordinate descent on a graphics device",
            "use --solver fista, ista or auto there, or --device cpu",
        ));
    }
    let own = |method: Method| !matches!(method, Method::AidFp | Method::AidCg | Method::Direct);
    if precision == Precision::F64 && settings.method.is_some_and(own) {
        return Err(Error::unsupported(
            "refining ITD, NSID or SID to f64: their results belong to their steps",
            "use --precision f32 on the graphics device, or --device cpu",
        ));
    }
    if precision == Precision::F64 && settings.solver == Solver::Stochastic {
        return Err(Error::unsupported(
            "refining a stochastic solver to f64",
            "use --precision f32 on the graphics device, or --device cpu",
        ));
    }
    Ok(())
}

/// Refuses what a driver cannot compute: a group is the work of one invocation, and a software driver stops
/// counting its trips through loops.
fn check_driver(gpu: &Gpu, problem: &Problem) -> Result<()> {
    let sizes = problem.penalty.groups().into_iter();
    let largest = sizes.flat_map(|groups| (0..groups.len()).map(|g| groups.members(g).len()));
    let Some(largest) = largest.max() else {
        return Ok(());
    };
    if GROUP_LOOPS * largest > gpu.trip_limit() {
        return Err(Error::unsupported(
            format!("a group of {largest} coefficients on this graphics driver"),
            "use --device cpu, or smaller groups",
        ));
    }
    Ok(())
}

/// Points whose arrays fit one arena of a device.
fn capacity(gpu: &Gpu, request: &Request<'_>) -> usize {
    let (problem, points, settings) = (request.problem, request.points, request.settings);
    let (n, m) = (problem.train.rows(), problem.criterion.sample.rows());
    let mut rows = 48 * problem.coordinates() + (8 * n + 6 * m) * problem.classes;
    if settings.wrt.iter().any(|wrt| wrt.weighs_rows()) {
        rows += 2 * n;
    }
    if settings.wrt.contains(&Wrt::Perturbation) {
        rows += 2 * problem.perturbed_rows.len() * problem.train.design.columns();
    }
    if points.iter().any(Point::has_own) {
        rows += 2 * problem.coordinates() + n + m;
    }
    (gpu.buffer_limit() / (4 * rows as u64 + 1)).max(1) as usize
}

/// The outcomes of some of the points, whatever happens to the device.
fn chunk(request: &Request<'_>, device: &mut Device, range: Range<usize>) -> Result<Vec<Outcome>> {
    let mut reopened = false;
    loop {
        let error = match attempt(&request.part(range.clone()), device) {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        match (error.device_fault(), &device) {
            (Some(DeviceFault::OutOfMemory), Device::Gpu(_)) if range.len() > 1 => {
                log::info!("{error}; {} points are split", range.len());
                let middle = range.start + range.len() / 2;
                let mut outcomes = chunk(request, device, range.start..middle)?;
                outcomes.extend(chunk(request, device, middle..range.end)?);
                return Ok(outcomes);
            }
            (Some(DeviceFault::Lost), Device::Gpu(gpu)) if !reopened => {
                log::warn!("{error}; opening it once more");
                reopened = true;
                match gpu.reopen() {
                    Ok(gpu) => *device = Device::Gpu(gpu),
                    Err(error) => go_on_on_the_cpu(device, &error),
                }
            }
            (Some(DeviceFault::Lost | DeviceFault::OutOfMemory), Device::Gpu(_)) => {
                go_on_on_the_cpu(device, &error);
            }
            _ => return Err(error),
        }
    }
}

/// The outcomes of a request on one of its devices.
fn attempt(request: &Request<'_>, device: &Device) -> Result<Vec<Outcome>> {
    let settings = request.settings;
    let on = |device: Device| of_device(settings, &device);
    match (device, settings.precision) {
        (Device::Gpu(gpu), Precision::F32) => staged::evaluate::<f32>(&Request {
            settings: &on(device.clone()),
            room: Some(capacity(gpu, request)),
            ..*request
        }),
        (Device::Gpu(_), Precision::F64) => {
            let tolerance = settings.tolerance;
            let coarse = Settings {
                tolerance: Some(tolerance.map_or(BEFORE_REFINEMENT, |t| t.max(BEFORE_REFINEMENT))),
                method: None,
                ..on(device.clone()).of_parts()
            };
            let refining = Settings {
                solver: Solver::Auto,
                method: settings.method.map(|_| Method::Direct),
                ..on(Device::Cpu)
            };
            staged::evaluate::<f64>(&Request {
                settings: &refining,
                coarse: Some(&coarse),
                ..*request
            })
        }
        (_, Precision::F32) => staged::evaluate::<f32>(&Request {
            settings: &on(Device::Cpu),
            ..*request
        }),
        (_, Precision::F64) => staged::evaluate::<f64>(&Request {
            settings: &on(Device::Cpu),
            ..*request
        }),
    }
}

/// The settings for one of the devices.
fn of_device(settings: &Settings, device: &Device) -> Settings {
    Settings {
        device: device.clone(),
        ..settings.clone()
    }
}

fn go_on_on_the_cpu(device: &mut Device, error: &Error) {
    log::warn!("{error}; the work goes on on the CPU");
    *device = Device::Cpu;
}
