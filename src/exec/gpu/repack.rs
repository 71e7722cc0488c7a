//! Narrowing a batch to some of its problems, and bringing the others back.

use wgpu::util::DeviceExt;

use super::arena::Arena;
use super::{Batch, GpuExecutor};
use crate::error::Result;

/// The arguments of `shaders/repack.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Repack {
    rows: u32,
    slots: u32,
    source_stride: u32,
    target_stride: u32,
    backwards: u32,
    first_row: u32,
    padding: [u32; 2],
}

/// Slots of a workgroup of the shader.
const WIDTH: usize = 64;

impl GpuExecutor {
    /// Sets all but these problems aside.
    pub(super) fn narrow(&mut self, problems: &[usize]) -> Result<()> {
        self.settle()?;
        let gpu = std::sync::Arc::clone(&self.gpu);
        let (reals, words) = (self.real_rows, self.word_rows);
        let narrow = Batch::new(&gpu, problems.len(), reals.max(1), words.max(1))?;
        {
            let whole = self.batch();
            self.repack(&whole.reals, &narrow.reals, problems, reals, false)?;
            self.repack(&whole.words, &narrow.words, problems, words, false)?;
        }
        self.bind_groups.clear();
        if let Some(whole) = self.batch.replace(narrow) {
            self.aside = Some((whole, problems.to_vec()));
        }
        Ok(())
    }

    /// Brings the problems that were set aside back.
    pub(super) fn widen(&mut self) -> Result<()> {
        let Some((whole, problems)) = self.aside.take() else {
            return Ok(());
        };
        self.bind_groups.clear();
        let Some(narrow) = self.batch.replace(whole) else {
            return Ok(());
        };
        // Rows that were added since are of no use to the problems that were away.
        self.settle()?;
        let (reals, words) = (self.real_rows, self.word_rows);
        let whole = self.batch();
        self.repack(&narrow.reals, &whole.reals, &problems, reals, true)?;
        self.repack(&narrow.words, &whole.words, &problems, words, true)?;
        let gpu = std::sync::Arc::clone(&self.gpu);
        narrow.recycle(&gpu);
        Ok(())
    }

    fn repack(
        &self,
        source: &Arena,
        target: &Arena,
        problems: &[usize],
        rows: usize,
        backwards: bool,
    ) -> Result<()> {
        if rows == 0 || problems.is_empty() {
            return Ok(());
        }
        let gpu = &self.gpu;
        let program =
            gpu.program_of_its_own("repack", None, || super::program::repack().to_owned())?;
        let table: Vec<u32> = problems.iter().map(|&problem| problem as u32).collect();
        let table = gpu
            .device
            .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("slots"),
                contents: bytemuck::cast_slice(&table),
                usage: wgpu::BufferUsages::STORAGE,
            });
        let widest = gpu.limits.max_compute_workgroups_per_dimension;
        let groups = problems.len().div_ceil(WIDTH) as u32;
        let x = groups.min(widest);
        let y = (rows as u32).min(widest).min(4096);
        let grid = [x, y, groups.div_ceil(x)];
        // A row of the grid walks rows/y of the arena: bounded, like every loop.
        let reach = gpu.trip_limit().saturating_mul(y as usize);
        for first_row in (0..rows).step_by(reach) {
            let settings = Repack {
                rows: rows.min(first_row + reach) as u32,
                slots: problems.len() as u32,
                source_stride: source.stride as u32,
                target_stride: target.stride as u32,
                backwards: u32::from(backwards),
                first_row: first_row as u32,
                padding: [0; 2],
            };
            let settings = gpu
                .device
                .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: Some("repack"),
                    contents: bytemuck::bytes_of(&settings),
                    usage: wgpu::BufferUsages::UNIFORM,
                });
            let bound = [source.buffer(), target.buffer(), &table, &settings];
            gpu.dispatch("repack", &program, &bound, grid);
        }
        gpu.check()
    }
}
