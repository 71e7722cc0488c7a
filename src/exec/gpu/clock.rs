//! What a device did: dispatches counted, and the time that it computed, by timestamps at both ends of
//! every compute pass. The timestamps are gathered without waiting and read when the clock stops.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::arena::Readback;
use super::device::{Gpu, lock};
use crate::error::Result;

/// What a device did between [`Gpu::start_clock`] and [`Gpu::stop_clock`].
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
    dispatches: AtomicU64,
    resident: AtomicU64,
    submissions: AtomicU64,
    times: Mutex<Option<Times>>,
}

/// Timestamps of passes, two for each.
#[derive(Debug, Default)]
struct Times {
    open: Option<wgpu::QuerySet>,
    used: u32,
    full: Vec<Readback>,
}

/// Timestamps of a set.
const QUERIES: u32 = 1024;

/// The timestamps of one pass.
struct Slot {
    set: wgpu::QuerySet,
    at: u32,
}

impl Clock {
    /// The next pass's timestamps, while the clock runs.
    fn slot(&self, device: &wgpu::Device) -> Option<Slot> {
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
    fn collect(&self, gpu: &Gpu, now: bool) {
        let mut times = lock(&self.times);
        let Some(times) = times.as_mut() else { return };
        if times.used == 0 || (times.used < QUERIES && !now) {
            return;
        }
        let Some(set) = times.open.take() else { return };
        let bytes = u64::from(times.used) * 8;
        let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&set, 0..times.used, &resolved, 0);
        times
            .full
            .push(Readback::request(gpu, encoder, (&resolved, 0), bytes));
        times.used = 0;
    }
}

impl Gpu {
    /// Starts to count and to time what the device does, from nothing.
    pub fn start_clock(&self) {
        for counter in [
            &self.clock.dispatches,
            &self.clock.resident,
            &self.clock.submissions,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        *lock(&self.clock.times) = self.has_timestamps().then(Times::default);
    }

    /// What the device did since the clock was started; waits until it has done it.
    ///
    /// # Errors
    /// When the device fails.
    pub fn stop_clock(&self) -> Result<Work> {
        self.clock.collect(self, true);
        let times = lock(&self.clock.times).take();
        let mut busy = None;
        if let Some(times) = times {
            let mut ticks = 0;
            for readback in times.full {
                let stamps: Vec<u64> = readback.wait(self)?;
                // A driver may stamp passes with a clock that was reset in between.
                let passes = stamps.chunks_exact(2);
                ticks += passes
                    .map(|ends| ends[1].saturating_sub(ends[0]))
                    .sum::<u64>();
            }
            let period = f64::from(self.queue.get_timestamp_period());
            busy = Some(Duration::from_secs_f64(ticks as f64 * period * 1e-9));
        }
        Ok(Work {
            busy,
            dispatches: self.clock.dispatches.load(Ordering::Relaxed),
            resident: self.clock.resident.load(Ordering::Relaxed),
            submissions: self.clock.submissions.load(Ordering::Relaxed),
        })
    }

    /// Counts dispatches, `resident` of them in the resident regime.
    pub(super) fn count_dispatches(&self, all: usize, resident: usize) {
        let add = |counter: &AtomicU64, by: usize| counter.fetch_add(by as u64, Ordering::Relaxed);
        add(&self.clock.dispatches, all);
        add(&self.clock.resident, resident);
    }

    /// Records a compute pass and hands it to the device.
    pub(super) fn submit_pass(&self, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
        let slot = self.clock.slot(&self.device);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let ends = slot.as_ref().map(|slot| wgpu::ComputePassTimestampWrites {
                query_set: &slot.set,
                beginning_of_pass_write_index: Some(slot.at),
                end_of_pass_write_index: Some(slot.at + 1),
            });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: ends,
            });
            record(&mut pass);
        }
        self.queue.submit([encoder.finish()]);
        self.clock.submissions.fetch_add(1, Ordering::Relaxed);
        if slot.is_some() {
            self.clock.collect(self, false);
        }
    }
}
