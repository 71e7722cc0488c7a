//! Arenas: one buffer for all arrays of a kind, rows × stride words, that grows.

use std::ops::Range;

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::device::Gpu;
use crate::control::lock;
use crate::error::{DeviceFault, Result};

/// Words that all buffers of a kind share: row r of slot s is word r·stride + s.
#[derive(Debug)]
pub struct Arena {
    /// Words from row to row: the problems of the batch (1 in a shared arena).
    pub stride: usize,
    capacity: usize,
    buffer: wgpu::Buffer,
}

/// The uses of arenas and pages.
pub const USAGES: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);

/// Buffers kept for the next executor.
const POOLED: usize = 6;

/// A zeroed buffer, from the pool where one fits.
///
/// # Errors
/// Out of memory, or past the device's limits.
pub fn create(gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer> {
    let bytes = bytes.max(16).next_multiple_of(16);
    // An index into a buffer has 32 bits.
    let limit = gpu.buffer_limit().min(4 * u64::from(u32::MAX));
    if bytes > limit {
        let what = format!(
            "a buffer of {} MiB is past the limit of {} MiB",
            bytes >> 20,
            limit >> 20
        );
        return Err(gpu.fault_error(DeviceFault::OutOfMemory, &what));
    }
    let pooled = {
        let mut pool = lock(&gpu.pool);
        let fits = |buffer: &wgpu::Buffer| buffer.size() >= bytes && buffer.size() <= 2 * bytes;
        let at = pool.iter().position(fits);
        at.map(|at| pool.swap_remove(at))
    };
    if let Some(buffer) = pooled {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&buffer, 0, None);
        gpu.queue.submit([encoder.finish()]);
        return Ok(buffer);
    }
    let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes,
        usage: USAGES,
        mapped_at_creation: false,
    });
    if let Some(error) = pollster::block_on(scope.pop()) {
        // The memory that was kept for later may be missing now.
        lock(&gpu.pool).clear();
        return Err(gpu.fault_error(DeviceFault::OutOfMemory, &error.to_string()));
    }
    gpu.check()?;
    Ok(buffer)
}

/// Keeps a buffer for the next executor on the device.
pub fn recycle(gpu: &Gpu, buffer: wgpu::Buffer) {
    let mut pool = lock(&gpu.pool);
    pool.push(buffer);
    if pool.len() > POOLED {
        pool.remove(0);
    }
}

impl Arena {
    /// An arena with room for `rows` rows, zero.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(gpu: &Gpu, stride: usize, rows: usize) -> Result<Self> {
        Ok(Self {
            stride,
            capacity: rows,
            buffer: create(gpu, 4 * rows as u64 * stride as u64)?,
        })
    }

    /// The buffer.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// Makes room for `rows` rows; returns true when the buffer is another one then.
    ///
    /// # Errors
    /// Out of memory.
    pub fn reserve(&mut self, gpu: &Gpu, rows: usize) -> Result<bool> {
        if rows <= self.capacity {
            return Ok(false);
        }
        let generous = Self::new(
            gpu,
            self.stride,
            rows.max(self.capacity + self.capacity / 2),
        );
        let larger = generous.or_else(|_| Self::new(gpu, self.stride, rows))?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let bytes = 4 * self.capacity as u64 * self.stride as u64;
        if bytes > 0 {
            encoder.copy_buffer_to_buffer(&self.buffer, 0, &larger.buffer, 0, bytes);
        }
        gpu.queue.submit([encoder.finish()]);
        let smaller = std::mem::replace(self, larger);
        recycle(gpu, smaller.buffer);
        Ok(true)
    }

    /// Gives the buffer back to the device's pool.
    pub fn recycle(self, gpu: &Gpu) {
        recycle(gpu, self.buffer);
    }

    /// Writes rows from `first` on.
    pub fn write<T: bytemuck::Pod>(&self, gpu: &Gpu, first: usize, values: &[T]) {
        if !values.is_empty() {
            let offset = 4 * first as u64 * self.stride as u64;
            gpu.queue
                .write_buffer(&self.buffer, offset, bytemuck::cast_slice(values));
        }
    }

    /// Reads `rows` rows from `first` on; blocks until the device has done what was asked before.
    ///
    /// # Errors
    /// When the device fails.
    pub fn read<T: bytemuck::Pod>(&self, gpu: &Gpu, first: usize, rows: usize) -> Result<Vec<T>> {
        let words = rows * self.stride;
        if words == 0 {
            return Ok(Vec::new());
        }
        if !self.holds(first, rows) {
            // Allocated, and not touched since: still zero, and not yet on the device.
            return Ok(vec![T::zeroed(); words]);
        }
        self.request(gpu, first, rows).wait(gpu)
    }

    /// Asks for `rows` rows from `first` on, as they are behind everything that was asked before.
    pub fn request(&self, gpu: &Gpu, first: usize, rows: usize) -> Readback {
        let offset = 4 * first as u64 * self.stride as u64;
        let bytes = 4 * (rows * self.stride) as u64;
        let encoder = gpu.device.create_command_encoder(&Default::default());
        Readback::request(gpu, encoder, &self.buffer, offset..offset + bytes)
    }

    /// True when these rows have been on the device; others are still zero.
    pub fn holds(&self, first: usize, rows: usize) -> bool {
        first + rows <= self.capacity
    }
}

/// Bytes on their way from the device to the host.
#[derive(Debug)]
pub struct Readback {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    receiver: OneshotReceiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Readback {
    /// Asks for bytes of a buffer, behind what the encoder holds.
    pub fn request(
        gpu: &Gpu,
        mut encoder: wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        range: Range<u64>,
    ) -> Self {
        let bytes = range.end - range.start;
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(buffer, range.start, &staging, 0, bytes);
        let submission = gpu.queue.submit([encoder.finish()]);
        let (sender, receiver) = oneshot_channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver waits below; when it has gone nobody wants the answer.
            let _ = sender.send(result);
        });
        Self {
            staging,
            submission,
            receiver,
        }
    }

    /// Blocks until the bytes are there; what was asked after them may still be under way.
    ///
    /// # Errors
    /// When the device fails.
    pub fn wait<T: bytemuck::Pod>(self, gpu: &Gpu) -> Result<Vec<T>> {
        let polled = gpu.device.poll(wgpu::PollType::Wait {
            submission_index: Some(self.submission),
            timeout: None,
        });
        gpu.check()?;
        let lost = |what: &str| gpu.fault_error(DeviceFault::Lost, what);
        polled.map_err(|error| lost(&error.to_string()))?;
        match pollster::block_on(self.receiver.receive()) {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(lost(&error.to_string())),
            None => return Err(lost("the readback was dropped")),
        }
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|error| lost(&error.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        Ok(values)
    }
}
