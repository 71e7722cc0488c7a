//! The speed of a device: a product and a copy, measured.

use std::sync::Arc;
use std::time::Instant;

use super::product::DENSE_PRODUCT;
use super::step::COMBINE;
use crate::error::Result;
use crate::exec::{Buf, Executor, Gpu, Recording, Scope};

/// Figures of one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// f32 operations per second of a dense product with a batch, in 10⁹.
    pub product_gflops: f64,
    /// Bytes per second that an elementwise kernel moves, in 10⁹.
    pub bandwidth_gbytes: f64,
}

/// Measures a product of `size` × `size` with a batch of `size`, and an elementwise kernel over
/// arrays of 16 × that; about a second on any device at a size that suits it.
///
/// # Errors
/// When the device fails.
pub fn measure(gpu: &Arc<Gpu>, size: usize) -> Result<Measurement> {
    let mut executor = gpu.executor(size)?;
    // Small: its download waits for what runs, and costs nothing itself.
    let last = executor.allocate(Scope::PerProblem, 1);
    let design = executor.allocate_design(size, size);
    executor.upload(design, &vec![1.0 / size as f32; size * size]);
    let (w, z) = (
        executor.allocate(Scope::PerProblem, size),
        executor.allocate(Scope::PerProblem, size),
    );
    executor.upload(w, &vec![1.0; size * size]);
    let mut product = Recording::new();
    product.dispatch(
        &DENSE_PRODUCT,
        &[design.into(), w.into()],
        &[z.into()],
        &[size, size, 1],
    );
    let seconds = seconds_per_run(executor.as_mut(), &product, last)?;
    let product_gflops = 2.0 * (size as f64).powi(3) / seconds * 1e-9;

    let rows = 16 * size;
    let mut room = || executor.allocate(Scope::PerProblem, rows);
    let (a, b, out) = (room(), room(), room());
    let factor = executor.allocate(Scope::Shared, 1);
    executor.upload(factor, &[0.5]);
    let mut combine = Recording::new();
    combine.dispatch(
        &COMBINE,
        &[a.into(), b.into(), factor.into()],
        &[out.into()],
        &[rows],
    );
    let seconds = seconds_per_run(executor.as_mut(), &combine, last)?;
    let bandwidth_gbytes = 3.0 * 4.0 * (rows * size) as f64 / seconds * 1e-9;
    Ok(Measurement {
        product_gflops,
        bandwidth_gbytes,
    })
}

/// The median of seven timed blocks of runs, after one that warms up.
fn seconds_per_run(
    executor: &mut dyn Executor<f32>,
    recording: &Recording<f32>,
    last: Buf,
) -> Result<f64> {
    let mut block = |times: usize| -> Result<f64> {
        let start = Instant::now();
        executor.run(recording, times)?;
        executor.download(last)?;
        Ok(start.elapsed().as_secs_f64())
    };
    block(1)?;
    let once = block(1)?.max(1e-6);
    // Blocks of about 20 ms, so that the cost of waiting does not count.
    let times = ((0.02 / once) as usize).clamp(1, 200);
    let mut seconds = Vec::with_capacity(7);
    for _ in 0..7 {
        seconds.push(block(times)? / times as f64);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[3])
}
