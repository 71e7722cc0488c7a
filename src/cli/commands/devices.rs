//! `proxdiff devices`: what this machine can compute on.

use serde::Serialize;

use crate::cli::arguments::Format;
use crate::cli::arguments::devices::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output::{self, SCHEMA, one_line, plain, titled};
use crate::cli::printable::printable_lines;
use crate::exec::gpu::{AdapterSummary, Gpu, GpuOptions, REMEDY, list_adapters};
use crate::kernel::measure::measure;

#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    devices: Vec<Device<'a>>,
    gpu: bool,
}

#[derive(Serialize)]
struct Device<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    name: &'a str,
    backend: &'a str,
    driver: &'a str,
    software: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<usize>,
    precisions: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_buffer_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_binding_bytes: Option<u64>,
    features: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bandwidth_gbytes: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let adapters = list_adapters();
    let mut devices = vec![Device {
        index: None,
        name: "cpu",
        backend: "threads",
        driver: "",
        software: false,
        threads: Some(std::thread::available_parallelism().map_or(1, usize::from)),
        precisions: &["f32", "f64"],
        max_buffer_bytes: None,
        max_binding_bytes: None,
        features: features(),
        product_gflops: None,
        bandwidth_gbytes: None,
        failure: None,
    }];
    devices.extend(
        adapters
            .iter()
            .map(|adapter| describe(adapter, !arguments.no_measure)),
    );
    let columns = [
        "index",
        "device",
        "backend",
        "precisions",
        "largest binding",
        "features",
        "GFLOP/s",
        "GB/s",
    ];
    let text = match arguments.output.format() {
        Format::Json => one_line(&Record {
            schema: SCHEMA,
            gpu: !adapters.is_empty(),
            devices,
        }),
        Format::Csv => output::csv_text(
            &columns.map(String::from),
            devices.iter().map(|device| row(device).into_iter()),
        ),
        Format::Table => {
            let mut table = plain(&columns);
            devices.iter().for_each(|device| {
                table.add_row(row(device));
            });
            let mut text = titled("Devices", table, &[1, 2, 3, 5]);
            if adapters.is_empty() {
                text += &format!("No GPU adapter was found: {REMEDY}.\n");
            }
            for device in &devices {
                if let Some(failure) = &device.failure {
                    text += &format!("{failure}\n");
                }
            }
            text
        }
    };
    output::write(&printable_lines(&text), arguments.output.out.as_deref())
}

/// The size of the measured product: a software rasteriser takes its time.
fn measured_size(adapter: &AdapterSummary) -> usize {
    if adapter.software { 256 } else { 2048 }
}

fn describe(adapter: &AdapterSummary, measured: bool) -> Device<'_> {
    let figures = measured.then(|| {
        let gpu = Gpu::open(adapter.index, GpuOptions::default())?;
        measure(&gpu, measured_size(adapter))
    });
    let (figures, failure) = match figures {
        Some(Ok(figures)) => (Some(figures), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Device {
        index: Some(adapter.index),
        name: &adapter.name,
        backend: &adapter.backend,
        driver: &adapter.driver,
        software: adapter.software,
        threads: None,
        precisions: &["f32", "f64 (refined)"],
        max_buffer_bytes: Some(adapter.max_buffer),
        max_binding_bytes: Some(adapter.max_binding),
        features: adapter.features.clone(),
        product_gflops: figures.map(|figures| figures.product_gflops),
        bandwidth_gbytes: figures.map(|figures| figures.bandwidth_gbytes),
        failure,
    }
}

fn row(device: &Device<'_>) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1}"));
    let software = if device.software { " (software)" } else { "" };
    [
        device
            .index
            .map_or(String::new(), |index| index.to_string()),
        format!("{}{software}", device.name),
        match device.threads {
            Some(threads) => format!("{threads} threads"),
            None => device.backend.to_owned(),
        },
        device.precisions.join(", "),
        device
            .max_binding_bytes
            .map_or(String::new(), |bytes| format!("{} MiB", bytes >> 20)),
        match device.features.as_slice() {
            [] => "none detected".to_owned(),
            some => some.join(" "),
        },
        number(device.product_gflops),
        number(device.bandwidth_gbytes),
    ]
}

/// The vector instructions that the kernels choose among.
fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let detected = [
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("fma", std::is_x86_feature_detected!("fma")),
            ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ];
        features.extend(
            detected
                .iter()
                .filter(|(_, has)| *has)
                .map(|(name, _)| *name),
        );
    }
    #[cfg(target_arch = "aarch64")]
    features.push("neon");
    features
}
