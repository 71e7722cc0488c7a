//! The graphics devices of a build without the feature `gpu`: there are none.

use std::convert::Infallible;
use std::sync::Arc;

use super::Executor;
pub use super::adapter::{AdapterSummary, GpuOptions, Regime};
use super::walks::{Limits, Quadratic, Segment, WalkPoint, Walked};
use crate::error::{DeviceFault, Error, Result};

/// The module under which drivers and their loader log.
pub const DRIVER_LOG: &str = "wgpu_hal";

/// The remedy where no device is found.
pub const REMEDY: &str = "build proxdiff with the feature `gpu`, or use --device cpu";

/// An opened device: no value of this type exists.
#[derive(Debug)]
pub struct Gpu {
    /// The adapter.
    pub summary: AdapterSummary,
    never: Infallible,
}

/// The adapters of this machine that the build can use: none.
#[must_use]
pub fn list_adapters() -> Vec<AdapterSummary> {
    Vec::new()
}

impl Gpu {
    /// Fails.
    ///
    /// # Errors
    /// [`Error::Device`], always.
    pub fn open(_: usize, _: GpuOptions) -> Result<Arc<Self>> {
        Err(Error::device(
            DeviceFault::Missing,
            "this build has no graphics devices",
            REMEDY,
        ))
    }

    /// The device, opened once more.
    ///
    /// # Errors
    /// None: there is no device to call it on.
    pub fn reopen(&self) -> Result<Arc<Self>> {
        match self.never {}
    }

    /// The largest buffer, in bytes.
    #[must_use]
    pub fn buffer_limit(&self) -> u64 {
        match self.never {}
    }

    /// The most trips through loops in a dispatch.
    #[must_use]
    pub fn trip_limit(&self) -> usize {
        match self.never {}
    }

    /// True where the path kernel can hold so many coordinates.
    #[must_use]
    pub fn walks(&self, _: usize) -> bool {
        match self.never {}
    }

    /// Walks of the path kernel.
    ///
    /// # Errors
    /// None: there is no device to call it on.
    pub fn walk(
        &self,
        _: &Quadratic<f32>,
        _: &[WalkPoint<f32>],
        _: &[Segment],
        _: &Limits<f32>,
        _: bool,
    ) -> Result<Walked<f32>> {
        match self.never {}
    }

    /// An executor on this device for a batch of problems.
    ///
    /// # Errors
    /// None: there is no device to call it on.
    pub fn executor(self: &Arc<Self>, _: usize) -> Result<Box<dyn Executor<f32>>> {
        match self.never {}
    }
}
