//! The conformance suite on the device, in every regime and way of storing the design.

use libtest_mimic::{Failed, Trial};
use proxdiff::exec::gpu::{GpuExecutor, GpuOptions, Regime};

use crate::device;
use crate::harness::{Entry, check, entries};

/// Ways of running the same kernels.
fn variants() -> Vec<(&'static str, GpuOptions)> {
    let plain = GpuOptions {
        guards: true,
        regime: Regime::Matrix,
        ..GpuOptions::default()
    };
    vec![
        ("matrix", plain),
        (
            "without_subgroups",
            GpuOptions {
                without_subgroups: true,
                ..plain
            },
        ),
        (
            "resident",
            GpuOptions {
                regime: Regime::Resident,
                ..plain
            },
        ),
    ]
}

/// Ways of storing the dense design, for the kernels that read it.
fn storages() -> Vec<(&'static str, GpuOptions)> {
    let plain = GpuOptions {
        guards: true,
        ..GpuOptions::default()
    };
    vec![
        (
            "half",
            GpuOptions {
                half_design: true,
                ..plain
            },
        ),
        (
            "packed_half",
            GpuOptions {
                half_design: true,
                without_native_f16: true,
                ..plain
            },
        ),
        (
            "large_tiles",
            GpuOptions {
                large_tiles: true,
                regime: Regime::Matrix,
                ..plain
            },
        ),
        (
            "pages",
            GpuOptions {
                page_limit: 64,
                ..plain
            },
        ),
        (
            "streamed",
            GpuOptions {
                design_limit: 1,
                ..plain
            },
        ),
    ]
}

fn half(value: f64) -> f64 {
    half::f16::from_f64(value).to_f64()
}

fn conforms(entry: &Entry, options: GpuOptions) -> Result<(), Failed> {
    let gpu = device::open(options);
    let make = |problems: usize| GpuExecutor::new(&gpu, problems).unwrap();
    let store = if options.half_design { half } else { |x| x };
    let intact = |executor: &GpuExecutor| executor.check_guards().unwrap();
    Ok(check::<f32, _>(&make, store, &intact, entry)?)
}

/// Every kernel in every variant; those that read the dense design also in every storage.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for entry in entries() {
        let reads_design = entry.kernel.inputs.contains(&"design");
        let more = if reads_design { storages() } else { Vec::new() };
        for (variant, options) in variants().into_iter().chain(more) {
            let name = format!("{variant}::{}", entry.kernel.name);
            let entry = entry.clone();
            trials.push(Trial::test(name, move || conforms(&entry, options)));
        }
    }
    trials
}
