//! The dense design on the device: pages of rows, each a buffer that fits a binding; or, when it does
//! not fit the device's memory, on the host, from where pages and minibatches are streamed.

use rayon::prelude::*;

use super::arena;
use super::device::Gpu;
use super::program::Storage;
use crate::error::{DeviceFault, Result};

/// Rows of a design that lie in one buffer.
#[derive(Debug)]
pub struct Page {
    /// The first row.
    pub start: usize,
    /// Their number.
    pub rows: usize,
    /// Their entries, where they stay on the device.
    pub buffer: Option<wgpu::Buffer>,
}

/// A dense design.
#[derive(Debug)]
pub struct DesignPages {
    /// Rows n.
    pub rows: usize,
    /// Columns d.
    pub columns: usize,
    storage: Storage,
    /// Its pages, in the order of their rows.
    pub pages: Vec<Page>,
    /// The entries, kept where the device cannot.
    host: Option<Vec<f32>>,
    /// Two buffers that streamed rows go through in turn.
    relay: Vec<wgpu::Buffer>,
    turn: usize,
}

impl DesignPages {
    /// Room for a design, nothing on the device yet.
    pub fn new(gpu: &Gpu, rows: usize, columns: usize) -> Self {
        let storage = gpu.storage();
        let row_bytes = (columns * storage.bytes()).max(1) as u64;
        // An even number of rows keeps every page at a whole number of words.
        let limit = match gpu.options.page_limit {
            0 => gpu.buffer_limit(),
            asked => asked.min(gpu.buffer_limit()),
        };
        let fit = (limit.saturating_sub(16) / row_bytes) as usize;
        let page_rows = (fit & !1).max(2).min(rows.max(1));
        let pages = (0..rows)
            .step_by(page_rows)
            .map(|start| Page {
                start,
                rows: page_rows.min(rows - start),
                buffer: None,
            })
            .collect();
        Self {
            rows,
            columns,
            storage,
            pages,
            host: None,
            relay: Vec::new(),
            turn: 0,
        }
    }

    /// True when minibatches must be gathered on the host: the design is not one buffer.
    pub fn needs_rows(&self) -> bool {
        self.host.is_some()
    }

    /// Brings the entries to the device, or keeps them for streaming.
    ///
    /// # Errors
    /// When not even a page fits.
    pub fn upload(&mut self, gpu: &Gpu, values: &[f32]) -> Result<()> {
        let bytes = (values.len() * self.storage.bytes()) as u64;
        let allowed = gpu.options.design_limit;
        if (allowed == 0 || bytes <= allowed) && self.upload_pages(gpu, values)? {
            if self.pages.len() > 1 {
                self.host = Some(values.to_vec());
            }
            return Ok(());
        }
        log::info!(
            "the design ({} MiB) does not fit the memory of {}: its rows are streamed",
            bytes >> 20,
            gpu.summary.name
        );
        if allowed > 0 {
            let row_bytes = (self.columns * self.storage.bytes()).max(1) as u64;
            let page_rows = ((allowed / 2 / row_bytes) as usize & !1).max(2);
            self.pages = (0..self.rows)
                .step_by(page_rows)
                .map(|start| Page {
                    start,
                    rows: page_rows.min(self.rows - start),
                    buffer: None,
                })
                .collect();
        }
        self.pages.iter_mut().for_each(|page| page.buffer = None);
        self.host = Some(values.to_vec());
        Ok(())
    }

    /// False when the device has not enough memory for all pages.
    fn upload_pages(&mut self, gpu: &Gpu, values: &[f32]) -> Result<bool> {
        let columns = self.columns;
        for page in &mut self.pages {
            let entries = &values[page.start * columns..][..page.rows * columns];
            let bytes = encode(entries, self.storage);
            let buffer = match arena::create(gpu, bytes.len() as u64) {
                Ok(buffer) => buffer,
                Err(error) if error.device_fault() == Some(DeviceFault::OutOfMemory) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            gpu.queue.write_buffer(&buffer, 0, &bytes);
            page.buffer = Some(buffer);
        }
        Ok(true)
    }

    /// A buffer with these rows of a design that is kept on the host, in their order. It is one of
    /// two in turn: the device may still read the other.
    ///
    /// # Errors
    /// Out of memory.
    pub fn stream(
        &mut self,
        gpu: &Gpu,
        rows: impl IndexedParallelIterator<Item = usize>,
    ) -> Result<&wgpu::Buffer> {
        let columns = self.columns;
        let mut entries = vec![0f32; rows.len() * columns];
        if let Some(host) = &self.host {
            entries
                .par_chunks_mut(columns.max(1))
                .zip(rows)
                .for_each(|(to, row)| {
                    to.copy_from_slice(&host[row * columns..(row + 1) * columns]);
                });
        }
        let bytes = encode(&entries, self.storage);
        self.turn = 1 - self.turn.min(1);
        while self.relay.len() < 2 {
            self.relay.push(arena::create(gpu, bytes.len() as u64)?);
        }
        if (self.relay[self.turn].size() as usize) < bytes.len() {
            self.relay[self.turn] = arena::create(gpu, bytes.len() as u64)?;
        }
        gpu.queue.write_buffer(&self.relay[self.turn], 0, &bytes);
        Ok(&self.relay[self.turn])
    }

    /// Gives the buffers back to the device's pool.
    pub fn recycle(self, gpu: &Gpu) {
        self.pages
            .into_iter()
            .filter_map(|page| page.buffer)
            .chain(self.relay)
            .for_each(|buffer| arena::recycle(gpu, buffer));
    }
}

/// Entries as the device stores them, in whole words.
fn encode(entries: &[f32], storage: Storage) -> Vec<u8> {
    let mut bytes: Vec<u8> = match storage {
        Storage::F32 => bytemuck::cast_slice(entries).to_vec(),
        Storage::NativeF16 | Storage::PackedF16 => {
            let halves: Vec<half::f16> = entries
                .par_iter()
                .map(|&x| half::f16::from_f32(x))
                .collect();
            bytemuck::cast_slice(&halves).to_vec()
        }
    };
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
