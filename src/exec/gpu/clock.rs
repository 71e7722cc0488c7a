//! The clock of a device: dispatches counted, and the time that it computed, by timestamps at both ends
//! of every compute pass. The timestamps are gathered without waiting and read when the clock stops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::arena::Readback;
use super::counters::{Stamps, Times, Work};
use super::device::Gpu;
use crate::control::lock;
use crate::error::Result;

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

    /// The work of the device since the clock was started; waits until it is done.
    ///
    /// # Errors
    /// When the device fails.
    pub fn stop_clock(&self) -> Result<Work> {
        self.clock.collect(&self.device, &self.queue, true);
        let times = lock(&self.clock.times).take();
        let mut busy = None;
        if let Some(times) = times {
            let mut ticks = 0;
            for Stamps { buffer, bytes } in times.full {
                let encoder = self.device.create_command_encoder(&Default::default());
                let readback = Readback::request(self, encoder, &buffer, 0..bytes);
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

    /// Submits one dispatch of a program whose only group binds whole buffers, in their order.
    pub(super) fn dispatch(
        &self,
        label: &str,
        program: &wgpu::ComputePipeline,
        buffers: &[&wgpu::Buffer],
        grid: [u32; 3],
    ) {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .enumerate()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &program.get_bind_group_layout(0),
            entries: &entries,
        });
        self.submit_pass(|pass| {
            pass.set_pipeline(program);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
        });
        self.count_dispatches(1, 0);
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
            self.clock.collect(&self.device, &self.queue, false);
        }
    }
}
