//! Products by matrix units: f16 factors and f32 sums where the device has them, else a refusal that
//! names the remedy.

use libtest_mimic::{Failed, Trial};
use proxdiff::exec::gpu::{Gpu, GpuExecutor, GpuOptions, Regime, list_adapters};
use proxdiff::exec::{Executor, Recording, Scope};
use proxdiff::kernel::product::{DENSE_ADJOINT, DENSE_PRODUCT};

/// An entry that f16 cannot hold exactly.
fn entry(salt: usize, at: usize) -> f32 {
    ((at * 7919 + salt * 104_729) % 10_007) as f32 / 5003.5 - 1.0
}

fn rounded(value: f32) -> f64 {
    half::f16::from_f32(value).to_f64()
}

/// The largest error of a product against f64 sums of factors rounded to f16, relative to the sum of
/// absolute terms.
fn error_of(executor: &mut GpuExecutor, [n, d]: [usize; 2], transposed: bool) -> f64 {
    let problems = executor.problems();
    let (rows, inner) = if transposed { (d, n) } else { (n, d) };
    let design = executor.allocate_design(n, d);
    let x: Vec<f32> = (0..n * d).map(|at| entry(1, at)).collect();
    executor.upload(design, &x);
    let from = executor.allocate(Scope::PerProblem, inner);
    let to = executor.allocate(Scope::PerProblem, rows);
    let w: Vec<f32> = (0..inner * problems).map(|at| entry(2, at)).collect();
    executor.upload(from, &w);
    let kernel = if transposed {
        &DENSE_ADJOINT
    } else {
        &DENSE_PRODUCT
    };
    let inputs = [design.into(), from.into()];
    let mut recording = Recording::new();
    recording.dispatch(kernel, &inputs, &[to.into()], &[n, d, 1]);
    executor.run(&recording, 1).unwrap();
    let product = executor.download(to).unwrap();
    let mut worst = 0.0_f64;
    for problem in 0..problems {
        for row in 0..rows {
            let terms = (0..inner).map(|j| {
                let at = if transposed { j * d + row } else { row * d + j };
                rounded(x[at]) * rounded(w[problem * inner + j])
            });
            let scale: f64 = terms.clone().map(f64::abs).sum();
            let found = f64::from(product[problem * rows + row]);
            let error = (found - terms.sum::<f64>()).abs() / scale;
            assert!(!error.is_nan(), "row {row} of problem {problem} is {found}");
            worst = worst.max(error);
        }
    }
    worst
}

fn products() -> Result<(), Failed> {
    let options = GpuOptions {
        cooperative_products: true,
        guards: true,
        regime: Regime::Matrix,
        ..GpuOptions::default()
    };
    let opened = Gpu::open(0, options);
    if !list_adapters()[0].features.contains(&"cooperative-matrix") {
        return match opened {
            Err(error) if error.to_string().contains("leave products in f32") => Ok(()),
            Err(error) => Err(format!("refused without the remedy: {error}").into()),
            Ok(_) => Err("opened although the device has no matrix units".into()),
        };
    }
    let gpu = opened.unwrap();
    for (shape, problems) in [
        ([1, 1], 1),
        ([64, 32], 64),
        ([65, 33], 37),
        ([130, 70], 129),
        ([1200, 65], 20),
    ] {
        for transposed in [false, true] {
            let mut executor = GpuExecutor::new(&gpu, problems).unwrap();
            let error = error_of(&mut executor, shape, transposed);
            if error > 1e-6 || !executor.check_guards().unwrap() {
                let what = format!("{shape:?} × {problems}, transposed: {transposed}");
                return Err(format!("{what}: {error:.1e}, or a guard was touched").into());
            }
        }
    }
    Ok(())
}

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("cooperative::products", products)]
}
