//! Evaluation on graphics devices: chunks that fit their memory, a queue that all devices serve, what
//! to do when one fails, and refinement to f64.
//!
//! A device computes in f32. For a result in f64 its solution is where the CPU goes on from: the
//! residual is formed in f64, the support that it found is corrected by Newton's method until it is
//! exact to rounding, and the adjoint is solved on that support (mixed-precision refinement).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::control::Control;
use crate::error::{DeviceFault, Error, Result};
use crate::exec::{Device, Gpu, Twinned};
use crate::kinds::{Method, Precision, Solver, Wrt};
use crate::problem::{Point, Problem};

use super::evaluate::{WarmStart, evaluate_in};
use super::outcome::Outcome;
use super::prepared::Prepared;
use super::settings::Settings;

/// What every chunk shares.
struct Work<'a> {
    problem: &'a Problem,
    prepared: Prepared,
    points: &'a [Point],
    settings: &'a Settings,
    precision: Precision,
    warm: Option<&'a [WarmStart]>,
    control: &'a Control,
}

/// A tolerance that f32 reaches surely; refinement does the rest.
const BEFORE_REFINEMENT: f64 = 1e-5;

/// Evaluates points on a device that is not just the CPU.
///
/// # Errors
/// [`Error::Unsupported`] for what a graphics device cannot do; other failures of devices are met by
/// splitting, by opening the device anew, or by going on on the CPU with a warning.
pub fn evaluate(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    precision: Precision,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Outcome>> {
    check(settings, precision)?;
    let work = Work {
        problem,
        prepared: Prepared::new(),
        points,
        settings,
        precision,
        warm,
        control,
    };
    let devices: Vec<Device> = match &settings.device {
        Device::Several(devices) => devices.clone(),
        device => vec![device.clone()],
    };
    // The device with the least room sets the size of a chunk, so that any may take any.
    let together = devices
        .iter()
        .filter_map(|device| match device {
            Device::Gpu(gpu) => Some(capacity(gpu, problem, settings)),
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
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(range) = next else { break };
            let start = range.start;
            let outcomes = work.chunk(&mut device, range);
            let failed = outcomes.is_err();
            let mut finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.push((start, outcomes));
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

/// What a graphics device cannot do at all.
fn check(settings: &Settings, precision: Precision) -> Result<()> {
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

/// Points whose arrays fit one arena of a device.
fn capacity(gpu: &Gpu, problem: &Problem, settings: &Settings) -> usize {
    let (n, m) = (problem.train.rows(), problem.criterion.sample.rows());
    let mut rows = 48 * problem.coordinates() + (8 * n + 6 * m) * problem.classes;
    if settings.wrt.contains(&Wrt::SampleWeights) {
        rows += 2 * n;
    }
    if settings.wrt.contains(&Wrt::Perturbation) {
        rows += 2 * problem.perturbed_rows.len() * problem.train.design.columns();
    }
    (gpu.buffer_limit() / (4 * rows as u64 + 1)).max(1) as usize
}

impl Work<'_> {
    /// The outcomes of some of the points, whatever happens to the device.
    fn chunk(&self, device: &mut Device, range: Range<usize>) -> Result<Vec<Outcome>> {
        let mut reopened = false;
        loop {
            let error = match self.attempt(device, range.clone()) {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            match (error.device_fault(), &device) {
                (Some(DeviceFault::OutOfMemory), Device::Gpu(_)) if range.len() > 1 => {
                    log::info!("{error}; {} points are split", range.len());
                    let middle = range.start + range.len() / 2;
                    let mut outcomes = self.chunk(device, range.start..middle)?;
                    outcomes.extend(self.chunk(device, middle..range.end)?);
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

    /// The same, once.
    fn attempt(&self, device: &Device, range: Range<usize>) -> Result<Vec<Outcome>> {
        let points = &self.points[range.clone()];
        let warm = self.warm.map(|warm| &warm[range]);
        let on = |device: Device| Settings {
            device,
            ..self.settings.clone()
        };
        match (device, self.precision) {
            (Device::Gpu(_), Precision::F32) => {
                let settings = first_order(on(device.clone()));
                self.evaluate::<f32>(points, &settings, warm)
            }
            (Device::Gpu(_), Precision::F64) => self.refined(device, points, warm),
            (_, Precision::F32) => {
                let settings = on(Device::Cpu);
                self.evaluate::<f32>(points, &settings, warm)
            }
            (_, Precision::F64) => {
                let settings = on(Device::Cpu);
                self.evaluate::<f64>(points, &settings, warm)
            }
        }
    }

    /// Solves in f32 on the device and refines in f64 on the CPU.
    fn refined(
        &self,
        device: &Device,
        points: &[Point],
        warm: Option<&[WarmStart]>,
    ) -> Result<Vec<Outcome>> {
        let coarse = self
            .settings
            .tolerance
            .map_or(BEFORE_REFINEMENT, |t| t.max(BEFORE_REFINEMENT));
        let settings = first_order(Settings {
            device: device.clone(),
            tolerance: Some(coarse),
            ..self.settings.clone()
        });
        let starts: Vec<WarmStart> =
            super::evaluate::solve_only(self.problem, points, &settings, warm, self.control)?
                .into_iter()
                .map(|w| WarmStart { w, v: Vec::new() })
                .collect();
        let method = self.settings.method.map(|_| Method::Direct);
        let settings = Settings {
            device: Device::Cpu,
            solver: Solver::Auto,
            method,
            ..self.settings.clone()
        };
        self.evaluate::<f64>(points, &settings, Some(&starts))
    }

    fn evaluate<R: Twinned>(
        &self,
        points: &[Point],
        settings: &Settings,
        warm: Option<&[WarmStart]>,
    ) -> Result<Vec<Outcome>> {
        let (along, rest) = ((points, None), (warm, self.control));
        evaluate_in::<R>(self.problem, &self.prepared, along, settings, rest)
    }
}

/// On a device `auto` is FISTA.
fn first_order(mut settings: Settings) -> Settings {
    if settings.solver == Solver::Auto {
        settings.solver = Solver::Fista;
    }
    settings
}

fn go_on_on_the_cpu(device: &mut Device, error: &Error) {
    log::warn!("{error}; the work goes on on the CPU");
    *device = Device::Cpu;
}
