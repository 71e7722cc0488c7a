//! Devices: places where a computation can run.

use std::sync::Arc;

use super::{CpuExecutor, Executor, Gpu, Twinned};
use crate::error::{Error, Result};
use crate::kinds::Precision;
use crate::real::{Family, Real};

/// The CPU, a graphics device, or several devices that share the work.
#[derive(Debug, Clone, Default)]
pub enum Device {
    /// This machine's CPU.
    #[default]
    Cpu,
    /// An opened graphics device.
    Gpu(Arc<Gpu>),
    /// Several devices at once: each takes the next chunk of points when it is free.
    Several(Vec<Device>),
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cpu, Self::Cpu) => true,
            (Self::Gpu(a), Self::Gpu(b)) => Arc::ptr_eq(a, b),
            (Self::Several(a), Self::Several(b)) => a == b,
            _ => false,
        }
    }
}

impl Device {
    /// Its name in outputs: `cpu`, or that of the adapter.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Cpu => "cpu".to_owned(),
            Self::Gpu(gpu) => gpu.summary.name.clone(),
            Self::Several(devices) => {
                let names: Vec<String> = devices.iter().map(Self::name).collect();
                names.join(" + ")
            }
        }
    }

    /// True where recordings run on the CPU.
    #[must_use]
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu)
    }

    /// An executor for a batch of `problems`.
    ///
    /// # Errors
    /// When the device fails, or has no arithmetic of this precision.
    pub fn executor<R: Twinned>(&self, problems: usize) -> Result<Box<dyn Executor<R>>> {
        match self {
            Self::Cpu => Ok(Box::new(CpuExecutor::new(problems))),
            Self::Gpu(gpu) => on_gpu(gpu, problems),
            Self::Several(devices) => devices
                .first()
                .unwrap_or(&Self::Cpu)
                .executor::<R>(problems),
        }
    }
}

/// The family of executors.
struct Executors;

impl Family for Executors {
    type Of<R: Real> = Box<dyn Executor<R>>;
}

/// An executor on a graphics device, which computes in f32.
fn on_gpu<R: Real>(gpu: &Arc<Gpu>, problems: usize) -> Result<Box<dyn Executor<R>>> {
    let refused = || {
        Error::unsupported(
            format!("arithmetic in {} on a graphics device", R::PRECISION.name()),
            "use f32, whose results can be refined to f64, or --device cpu",
        )
    };
    if R::PRECISION != Precision::F32 {
        return Err(refused());
    }
    R::from_f32::<Executors>(gpu.executor(problems)?).map_err(|_| refused())
}
