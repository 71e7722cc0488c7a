//! Single kernels: the tiled product against the device's arithmetic, elementwise kernels against its
//! bandwidth.

use std::sync::Arc;
use std::time::Instant;

use proxdiff::exec::gpu::Gpu;
use proxdiff::exec::{Buf, CpuExecutor, Executor, GpuExecutor, Recording, Scope};
use proxdiff::kernel::product::{DENSE_ADJOINT, DENSE_PRODUCT};
use proxdiff::kernel::step::{COMBINE, GRADIENT_STEP, RELAX};

use super::report::Report;
use super::{Checked, Size};

/// The median of five timed blocks of runs, after two that warm up.
fn seconds_per_run(executor: &mut GpuExecutor, recording: &Recording<f32>) -> Checked<f64> {
    let mut block = |times: usize| -> Checked<f64> {
        let start = Instant::now();
        executor.run(recording, times)?;
        executor.finish()?;
        Ok(start.elapsed().as_secs_f64())
    };
    block(1)?;
    let once = block(1)?.max(1e-6);
    // Long blocks, so that the cost of waiting does not count.
    let times = ((0.05 / once) as usize).clamp(1, 400);
    let mut seconds = Vec::with_capacity(5);
    for _ in 0..5 {
        seconds.push(block(times)? / times as f64);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[2])
}

/// An entry of test data in (−1, 1), a function of its place.
fn entry(salt: u32, at: usize) -> f32 {
    let mut word = (at as u32)
        .wrapping_mul(0x9e37_79b9)
        .wrapping_add(salt.wrapping_mul(0x85eb_ca6b));
    word ^= word >> 15;
    word = word.wrapping_mul(0x2c1b_3c6d);
    word ^= word >> 12;
    (word >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn entries(salt: u32, count: usize) -> Vec<f32> {
    (0..count).map(|at| entry(salt, at)).collect()
}

/// The product X·W and its adjoint Xᵀ·R at the shapes of a square, of rows and of Gram matrices.
pub fn products(gpu: &Arc<Gpu>, size: Size, report: &mut Report) -> Checked<()> {
    report.section("Products (rows × inner dimension × batch)");
    // Rows and columns of the design, problems, and whether it is transposed.
    let shapes: [(&str, [usize; 3], bool); 4] = [
        (
            "square",
            size.pick([65, 66, 67], [512; 3], [4096; 3]),
            false,
        ),
        (
            "rows",
            size.pick([130, 33, 20], [2048, 128, 128], [16_384, 256, 1024]),
            false,
        ),
        (
            "adjoint",
            size.pick([130, 33, 20], [2048, 128, 128], [16_384, 256, 1024]),
            true,
        ),
        (
            "Gram",
            size.pick([40, 40, 70], [256, 256, 512], [1024, 1024, 16_384]),
            false,
        ),
    ];
    for (name, [n, d, problems], transposed) in shapes {
        let (rows, inner) = if transposed { (d, n) } else { (n, d) };
        let mut executor = GpuExecutor::new(gpu, problems)?;
        let design = executor.allocate_design(n, d);
        let x = entries(1, n * d);
        executor.upload(design, &x);
        let from = executor.allocate(Scope::PerProblem, inner);
        let to = executor.allocate(Scope::PerProblem, rows);
        let w = entries(2, inner * problems);
        executor.upload(from, &w);
        let kernel = if transposed {
            &DENSE_ADJOINT
        } else {
            &DENSE_PRODUCT
        };
        let mut recording = Recording::new();
        recording.dispatch(
            kernel,
            &[design.into(), from.into()],
            &[to.into()],
            &[n, d, 1],
        );
        let seconds = seconds_per_run(&mut executor, &recording)?;
        let product = executor.download(to)?;
        // Some entries, spread over all tiles, in f64; relative to the sum of absolute terms.
        let mut error = 0.0_f64;
        for k in 0..64 {
            let (row, problem) = (k * 7919 % rows, k * 104_729 % problems);
            let terms = (0..inner).map(|j| {
                let at = if transposed { j * d + row } else { row * d + j };
                f64::from(x[at]) * f64::from(w[problem * inner + j])
            });
            let scale: f64 = terms.clone().map(f64::abs).sum();
            let found = f64::from(product[problem * rows + row]);
            error = error.max((found - terms.sum::<f64>()).abs() / scale);
        }
        if error.is_nan() || error > 1e-5 {
            return Err(format!("product {name}: relative error {error:.1e}").into());
        }
        report.product(name, [rows, inner, problems], seconds, error);
    }
    Ok(())
}

/// The buffers of an elementwise kernel.
struct Arrays {
    a: Buf,
    b: Buf,
    out: Buf,
    one: Buf,
    prior: Buf,
}

impl Arrays {
    fn new(executor: &mut dyn Executor<f32>, rows: usize, stride: usize) -> Self {
        let problems = executor.problems();
        let mut room = |scope, rows| executor.allocate(scope, rows);
        let arrays = Self {
            a: room(Scope::PerProblem, rows),
            b: room(Scope::PerProblem, rows),
            out: room(Scope::PerProblem, rows),
            one: room(Scope::PerProblem, 1),
            prior: room(Scope::Shared, rows),
        };
        let few = rows * problems.min(stride);
        let repeated = |salt| {
            let start = entries(salt, few);
            let mut all = Vec::with_capacity(rows * problems);
            while all.len() < rows * problems {
                let left = rows * problems - all.len();
                all.extend_from_slice(&start[..left.min(few)]);
            }
            all
        };
        executor.upload(arrays.a, &repeated(3));
        executor.upload(arrays.b, &repeated(4));
        executor.upload(arrays.out, &repeated(5));
        executor.upload(arrays.one, &vec![0.375; problems]);
        executor.upload(arrays.prior, &entries(6, rows));
        arrays
    }

    fn recordings(&self, rows: usize) -> [(&'static str, f64, Recording<f32>); 3] {
        let [mut combine, mut relax, mut step] = [(); 3].map(|()| Recording::new());
        let (a, b, out, one) = (
            self.a.into(),
            self.b.into(),
            self.out.into(),
            self.one.into(),
        );
        combine.dispatch(&COMBINE, &[a, b, one], &[out], &[rows]);
        relax.dispatch(&RELAX, &[a, one], &[out], &[rows]);
        let inputs = [a, b, self.prior.into(), one, one];
        step.dispatch(&GRADIENT_STEP, &inputs, &[out], &[rows, rows, 0]);
        // Bytes per entry: two arrays read and one written each.
        [
            ("combine", 12.0, combine),
            ("relax", 12.0, relax),
            ("gradient step", 12.0, step),
        ]
    }
}

/// Kernels that read and write every entry once.
pub fn elementwise(gpu: &Arc<Gpu>, size: Size, report: &mut Report) -> Checked<()> {
    report.section("Elementwise kernels (bytes read and written)");
    let rows = size.pick(37, 64, 512);
    // Three arrays of all problems, in an arena that the device can bind.
    let room = gpu.buffer_limit() as usize / 4 / (4 * rows);
    let problems = size.pick(45, 8192, 262_144).min(room);
    // The first problems again on the CPU, kernel by kernel.
    let few = problems.min(40);
    let mut executor = GpuExecutor::new(gpu, problems)?;
    let arrays = Arrays::new(&mut executor, rows, few);
    let mut cpu = CpuExecutor::<f32>::new(few);
    let twins = Arrays::new(&mut cpu, rows, few);
    let pairs = arrays
        .recordings(rows)
        .into_iter()
        .zip(twins.recordings(rows));
    for ((name, bytes, recording), (_, _, twin)) in pairs {
        // Relax works in place: one step is compared, then many are timed.
        executor.run(&recording, 1)?;
        cpu.run(&twin, 1)?;
        let (found, expected) = (executor.download(arrays.out)?, cpu.download(twins.out)?);
        let start_of_last = rows * (problems - problems % few - few);
        for start in [0, start_of_last] {
            let pairs = found[start..].iter().zip(&expected);
            let bad = pairs.filter(|(f, e)| (**f - **e).abs() > 1e-6 || f.is_nan());
            if bad.count() > 0 {
                return Err(format!("{name} differs from its twin").into());
            }
        }
        let seconds = seconds_per_run(&mut executor, &recording)?;
        report.elementwise(name, bytes * (rows * problems) as f64, seconds);
        // The twin's next kernel starts from what the CPU has.
        let restored: Vec<f32> = expected
            .iter()
            .cycle()
            .take(rows * problems)
            .copied()
            .collect();
        executor.upload(arrays.out, &restored);
    }
    Ok(())
}
