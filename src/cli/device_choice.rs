//! `--device`: which device computes.

use std::sync::OnceLock;

use super::arguments::{DesignStorage, Products, Regime, RuntimeArguments};
use super::failure::Failure;
use crate::error::{DeviceFault, Error};
use crate::exec::Device;
use crate::exec::gpu::{self, AdapterSummary, Gpu, GpuOptions, list_adapters};
use crate::hypergrad::Settings;
use crate::kinds::{Method, Precision, Solver};
use crate::problem::{Point, Problem};

/// The device of a command.
pub struct DeviceChoice {
    /// `None`: by the size of the work.
    asked: Option<Device>,
    chosen: OnceLock<Device>,
    options: GpuOptions,
}

/// Multiplications of a first-order solve from which on `auto` opens a GPU: far more than opening it
/// and compiling kernels costs. Not yet measured on a hardware GPU.
const LARGE_WORK: f64 = 1e13;
/// Steps of a first-order solve, for that estimate.
const USUAL_STEPS: f64 = 200.0;

impl DeviceChoice {
    /// Finds and opens what was asked for.
    pub fn new(arguments: &RuntimeArguments) -> Result<Self, Failure> {
        if arguments.refine && arguments.precision == Some(Precision::F32) {
            return Err(Failure::usage(
                "--refine gives f64: drop it, or drop --precision f32",
            ));
        }
        let options = GpuOptions {
            cooperative_products: arguments.products == Products::F16,
            half_design: arguments.design_storage == DesignStorage::F16,
            regime: match arguments.regime {
                Regime::Auto => gpu::Regime::Auto,
                Regime::Matrix => gpu::Regime::Matrix,
                Regime::Resident => gpu::Regime::Resident,
            },
            ..GpuOptions::default()
        };
        let asked = match arguments.device.to_ascii_lowercase().as_str() {
            "cpu" => Some(Device::Cpu),
            "auto" => None,
            names => {
                let mut devices = Vec::new();
                for name in names.split(',').map(str::trim) {
                    match name {
                        "cpu" => devices.push(Device::Cpu),
                        "auto" => return Err(Failure::usage("--device auto stands alone")),
                        name => devices.extend(find(name, options)?),
                    }
                }
                Some(if devices.len() == 1 {
                    devices.swap_remove(0)
                } else {
                    Device::Several(devices)
                })
            }
        };
        Ok(Self {
            asked,
            chosen: OnceLock::new(),
            options,
        })
    }

    /// The devices that were asked for; the CPU where none was.
    pub fn devices(&self) -> Vec<Device> {
        match &self.asked {
            Some(Device::Several(devices)) => devices.clone(),
            Some(device) => vec![device.clone()],
            None => vec![Device::Cpu],
        }
    }

    /// The device for some work.
    pub fn device(
        &self,
        problem: &Problem,
        points: &[Point],
        settings: &Settings,
    ) -> Result<Device, Failure> {
        if let Some(device) = &self.asked {
            return Ok(device.clone());
        }
        let device = automatic(problem, points, settings, self.options);
        log::info!("--device auto takes {}", device.name());
        // Of a command that evaluates twice, outputs name the device of the first evaluation.
        let _ = self.chosen.set(device.clone());
        Ok(device)
    }

    /// The device's name in outputs.
    pub fn name(&self) -> String {
        let device = self.asked.as_ref().or_else(|| self.chosen.get());
        device.unwrap_or(&Device::Cpu).name()
    }
}

/// A hardware GPU where the work is large and of a kind that it can do; else the CPU.
fn automatic(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    options: GpuOptions,
) -> Device {
    let refinable = matches!(
        settings.method,
        None | Some(Method::AidFp | Method::AidCg | Method::Direct)
    ) && matches!(settings.solver, Solver::Auto | Solver::Ista | Solver::Fista);
    let size = problem.train.rows() as f64 * problem.coordinates() as f64;
    let work = 2.0 * size * points.len() as f64 * USUAL_STEPS;
    if !refinable || work < LARGE_WORK {
        return Device::Cpu;
    }
    let hardware = list_adapters()
        .into_iter()
        .find(|adapter| !adapter.software);
    match hardware.map(|adapter| Gpu::open(adapter.index, options)) {
        Some(Ok(gpu)) => Device::Gpu(gpu),
        Some(Err(error)) => {
            log::warn!("{error}; the CPU computes");
            Device::Cpu
        }
        None => Device::Cpu,
    }
}

/// The devices that a name, a number, `gpu` or `all` means.
fn find(name: &str, options: GpuOptions) -> Result<Vec<Device>, Failure> {
    let adapters = list_adapters();
    if adapters.is_empty() {
        return Err(Error::device(
            DeviceFault::Missing,
            format!("--device {name}: no GPU adapter was found"),
            gpu::REMEDY,
        )
        .into());
    }
    let chosen: Vec<&AdapterSummary> = match (name, name.parse::<usize>()) {
        ("gpu", _) => adapters.iter().take(1).collect(),
        ("all", _) => {
            let hardware: Vec<_> = adapters.iter().filter(|a| !a.software).collect();
            if hardware.is_empty() {
                adapters.iter().take(1).collect()
            } else {
                hardware
            }
        }
        (_, Ok(index)) => adapters.get(index).into_iter().collect(),
        _ => {
            let matches = |a: &&AdapterSummary| a.name.to_ascii_lowercase().contains(name);
            adapters.iter().filter(matches).take(1).collect()
        }
    };
    if chosen.is_empty() {
        let names: Vec<String> = adapters
            .iter()
            .map(|adapter| format!("{} {}", adapter.index, adapter.name))
            .collect();
        return Err(Error::device(
            DeviceFault::Missing,
            format!(
                "--device {name}: there is no such adapter ({})",
                names.join("; ")
            ),
            "give a number or a part of a name of these, gpu, all, cpu or auto",
        )
        .into());
    }
    let mut devices = Vec::with_capacity(chosen.len());
    for adapter in chosen {
        if adapter.software {
            eprintln!(
                "warning: {} computes in software; --device cpu is faster",
                adapter.name
            );
        }
        devices.push(Device::Gpu(Gpu::open(adapter.index, options)?));
    }
    Ok(devices)
}
