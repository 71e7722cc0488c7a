//! Products of the dense design as tiled matrix products: tiles, and splits of the inner dimension.

use super::{Call, Plan, Step};
use crate::error::{DeviceFault, Result};
use crate::exec::gpu::GpuExecutor;
use crate::exec::gpu::job::Job;
use crate::exec::gpu::page::PageRef;
use crate::exec::gpu::program::{self, SUM_PARTS};

/// A tile of the product: rows, columns and depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    rows: usize,
    columns: usize,
    depth: usize,
}

/// The tile of `shaders/cooperative_product.wgsl`.
const COOPERATIVE_TILE: Tile = Tile {
    rows: 64,
    columns: 64,
    depth: 32,
};

/// Bytes of workgroup memory of the largest tile of `shaders/tiled_product.wgsl`: 128 × 128, 16 deep.
const LARGE_TILE_STORAGE: u32 = 16 * 16 * (128 / 4 + 1) + 4 * 16 * 128 + 4;

/// Groups of the product below which its inner dimension is split: enough to fill a large device.
const ENOUGH_GROUPS: usize = 256;
/// Rows of the inner dimension that a part has at least.
const LEAST_SHARE: usize = 512;

impl GpuExecutor {
    /// A product with a page of the dense design as a tiled matrix product.
    pub(super) fn plan_product(
        &mut self,
        plan: &mut Plan,
        call: &Call,
        mut job: Job,
        page: PageRef,
    ) -> Result<()> {
        let transposed = call.shader.name == "dense_adjoint";
        let (design_columns, classes) = (job.parameters[1] as usize, job.parameters[2] as usize);
        let columns = classes * self.stride();
        let (rows, inner) = if transposed {
            (design_columns, job.page_rows as usize)
        } else {
            (job.page_rows as usize, design_columns)
        };
        let cooperative = self.gpu.options.cooperative_products;
        let tile = if cooperative {
            COOPERATIVE_TILE
        } else {
            self.tile(rows, columns)
        };
        let groups = rows.div_ceil(tile.rows) * columns.div_ceil(tile.columns);
        // Trips of one invocation along the inner dimension, were nothing unrolled; in as many
        // rounds as there may be, where the device has matrix units.
        let trips = inner.div_ceil(tile.depth) * (10 * tile.depth + 32);
        let parts = trips
            .div_ceil(self.gpu.trip_limit())
            .max((ENOUGH_GROUPS / groups.max(1)).min(inner / LEAST_SHARE))
            .max(1);
        if parts > 1 {
            let needed = parts * rows * classes;
            let start = self.room_for_parts(needed);
            job.parts_offset = (start * self.stride()) as u32;
        }
        job.parts = parts as u32;
        let variant = self.variant();
        let transposition = ("TRANSPOSED", f64::from(u8::from(transposed)));
        let program = if cooperative {
            // A subgroup for each quadrant of the tile.
            let invocations = 4 * self.gpu.subgroup_size.clamp(16, 64);
            let name = format!("cooperative_product {:?}", variant.storage);
            let constants = [transposition, ("INVOCATIONS", f64::from(invocations))];
            let text = || program::cooperative_product(variant);
            self.gpu.program(&name, &constants, text)?
        } else {
            let constants = [
                ("TILE_ROWS", tile.rows as f64),
                ("TILE_COLUMNS", tile.columns as f64),
                ("TILE_DEPTH", tile.depth as f64),
                transposition,
            ];
            let name = format!("tiled_product {:?}", variant.storage);
            let text = || program::tiled_product(variant);
            self.gpu.program(&name, &constants, text)?
        };
        let grid = [
            rows.div_ceil(tile.rows) as u32,
            columns.div_ceil(tile.columns) as u32,
            parts as u32,
        ];
        let widest = self.gpu.limits.max_compute_workgroups_per_dimension;
        if grid.iter().any(|&groups| groups > widest) {
            let what =
                format!("a product of {rows} × {columns} has too many tiles for one dispatch");
            return Err(self.gpu.fault_error(DeviceFault::OutOfMemory, &what));
        }
        let job_offset = plan.push_jobs(&[job]);
        plan.steps.push(Step {
            program,
            grid,
            job_offset,
            page,
            resident: false,
        });
        if parts == 1 {
            return Ok(());
        }
        let first = if transposed {
            0
        } else {
            job.page_start as usize * classes
        };
        let adds = transposed && job.page_start > 0;
        let mut sum = Job {
            shared_bindings: 0,
            ..job
        };
        sum.offsets[0] = job.offsets[2];
        let rows = rows * classes;
        sum.parameters[..3].copy_from_slice(&[rows as u32, u32::from(adds), first as u32]);
        let call = Call {
            shader: SUM_PARTS,
            job: sum,
            rows,
            trips: rows * (parts + 1),
            design: None,
            sampled: None,
        };
        self.plan_kernel(plan, &call, sum, PageRef::None)
    }

    /// The tile for a product of `rows` × `columns`.
    fn tile(&self, rows: usize, columns: usize) -> Tile {
        let large = !self.gpu.summary.software && rows * columns >= 16 * 1024 * 1024;
        if columns <= 16 && !self.gpu.options.large_tiles {
            Tile {
                rows: 256,
                columns: 16,
                depth: 8,
            }
        } else if (large || self.gpu.options.large_tiles)
            && self.gpu.limits.max_compute_workgroup_storage_size >= LARGE_TILE_STORAGE
        {
            Tile {
                rows: 128,
                columns: 128,
                depth: 16,
            }
        } else {
            Tile {
                rows: 64,
                columns: 64,
                depth: 16,
            }
        }
    }

    /// Rows for the parts of a split product; shared by all products, which run one after another.
    fn room_for_parts(&mut self, rows: usize) -> usize {
        match self.parts {
            Some((start, room)) if room >= rows => start,
            _ => {
                let start = self.reserve_rows(false, rows);
                self.parts = Some((start, rows));
                start
            }
        }
    }
}
