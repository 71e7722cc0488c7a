//! The counters and timestamps of a device.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::control::lock;

/// The work of a device between the start and the stop of its clock.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// The time in compute passes; copies between host and device are not in it. `None` where the
    /// device has no timestamps.
    pub busy: Option<Duration>,
    /// Dispatches.
    pub dispatches: u64,
    /// Those that replayed a whole recording: the resident regime.
    pub resident: u64,
    /// Submissions with a compute pass.
    pub submissions: u64,
}

/// The counters of a device, and its timestamps while the clock runs.
#[derive(Debug, Default)]
pub struct Clock {
    pub(super) dispatches: AtomicU64,
    pub(super) resident: AtomicU64,
    pub(super) submissions: AtomicU64,
    pub(super) times: Mutex<Option<Times>>,
}

/// Timestamps of passes, two for each.
#[derive(Debug, Default)]
pub(super) struct Times {
    open: Option<wgpu::QuerySet>,
    used: u32,
    /// Timestamps that the device has written, or will have.
    pub(super) full: Vec<Stamps>,
}

/// A buffer of timestamps.
#[derive(Debug)]
pub(super) struct Stamps {
    pub(super) buffer: wgpu::Buffer,
    pub(super) bytes: u64,
}

/// Timestamps of a set.
const QUERIES: u32 = 1024;

/// The timestamps of one pass.
pub(super) struct Slot {
    pub(super) set: wgpu::QuerySet,
    pub(super) at: u32,
}

impl Clock {
    /// The next pass's timestamps, while the clock runs.
    pub(super) fn slot(&self, device: &wgpu::Device) -> Option<Slot> {
        let mut times = lock(&self.times);
        let times = times.as_mut()?;
        let set = times.open.get_or_insert_with(|| {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("passes"),
                ty: wgpu::QueryType::Timestamp,
                count: QUERIES,
            })
        });
        let slot = Slot {
            set: set.clone(),
            at: times.used,
        };
        times.used += 2;
        Some(slot)
    }

    /// Sends the timestamps of the open set on their way, once it is full or `now`.
    pub(super) fn collect(&self, device: &wgpu::Device, queue: &wgpu::Queue, now: bool) {
        let mut times = lock(&self.times);
        let Some(times) = times.as_mut() else { return };
        if times.used == 0 || (times.used < QUERIES && !now) {
            return;
        }
        let Some(set) = times.open.take() else { return };
        let bytes = u64::from(times.used) * 8;
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&set, 0..times.used, &buffer, 0);
        queue.submit([encoder.finish()]);
        times.full.push(Stamps { buffer, bytes });
        times.used = 0;
    }
}
