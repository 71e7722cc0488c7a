//! What a graphics device reaches: products, elementwise kernels, hypergradients of many problems,
//! minibatch steps, and how long the device idles. A table goes to standard output, the same as JSON
//! to `--json FILE`. Every result is checked against the CPU before its time is told.
//!
//! ```text
//! cargo bench --bench gpu -- --peak-tflops 67 --peak-gbytes 4800 --json gpu.json
//! ```
//!
//! A software rasteriser gets small sizes, whose times say nothing of a GPU.

mod kernels;
mod nsid;
mod report;
mod study;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use proxdiff::exec::gpu::{AdapterSummary, Gpu, GpuOptions, Regime, list_adapters};

use report::Report;

/// The flags of the benchmark.
#[derive(Debug, Parser)]
#[command(about = "Benchmarks of a graphics device", version)]
struct Arguments {
    /// Index of the adapter, or a part of its name.
    #[arg(long, default_value = "0")]
    device: String,
    /// Also write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<std::path::PathBuf>,
    /// The device's f32 peak in TFLOP/s, to which products are compared.
    #[arg(long, value_name = "TFLOPS")]
    peak_tflops: Option<f64>,
    /// The device's bandwidth in GB/s, to which elementwise kernels are compared.
    #[arg(long, value_name = "GBYTES")]
    peak_gbytes: Option<f64>,
    /// Fewer and smaller cases: some seconds on hardware.
    #[arg(long)]
    quick: bool,
    /// Full sizes on a software rasteriser too (hours).
    #[arg(long)]
    full: bool,
    /// Problem sets whose estimate is longer than this are skipped, and the table says so.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    longest: f64,
    /// Tiny cases that only check results.
    #[arg(long)]
    test: bool,
    /// What cargo passes to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How large the cases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Seconds in a test's build on a software rasteriser.
    Tiny,
    /// A software rasteriser, or a first look.
    Small,
    /// A GPU.
    Full,
}

impl Size {
    /// The one of three values that is for this size.
    fn pick<T>(self, tiny: T, small: T, full: T) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// What a case gives, or what is wrong with it.
type Checked<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn adapter(wanted: &str) -> Checked<Option<AdapterSummary>> {
    let adapters = list_adapters();
    if adapters.is_empty() {
        return Ok(None);
    }
    let fits = |summary: &AdapterSummary| {
        wanted.parse() == Ok(summary.index)
            || summary.name.to_lowercase().contains(&wanted.to_lowercase())
    };
    match adapters.iter().find(|summary| fits(summary)) {
        Some(summary) => Ok(Some(summary.clone())),
        None => {
            let names: Vec<&str> = adapters.iter().map(|a| a.name.as_str()).collect();
            Err(format!("no adapter is `{wanted}`: there are {}", names.join(", ")).into())
        }
    }
}

fn open(summary: &AdapterSummary, regime: Regime) -> Checked<Arc<Gpu>> {
    let options = GpuOptions {
        regime,
        ..GpuOptions::default()
    };
    Ok(Gpu::open(summary.index, options)?)
}

fn run(arguments: &Arguments) -> Checked<()> {
    let Some(summary) = adapter(&arguments.device)? else {
        println!("no GPU adapter was found: nothing is measured");
        return Ok(());
    };
    let size = match () {
        () if arguments.test => Size::Tiny,
        () if arguments.quick || (summary.software && !arguments.full) => Size::Small,
        () => Size::Full,
    };
    let mut report = Report::new(
        &summary,
        size,
        arguments.json.clone(),
        arguments.peak_tflops,
        arguments.peak_gbytes,
    );
    {
        let gpu = open(&summary, Regime::Matrix)?;
        kernels::products(&gpu, size, &mut report)?;
        kernels::elementwise(&gpu, size, &mut report)?;
    }
    // The whole job first: a call may be cut short.
    study::million(&summary, size, &mut report)?;
    {
        let gpu = open(&summary, Regime::Auto)?;
        nsid::rows_per_second(&gpu, size, &mut report)?;
    }
    for regime in [Regime::Matrix, Regime::Resident] {
        study::grid(&summary, regime, size, arguments.longest, &mut report)?;
    }
    if report.unwritten {
        return Err("the results could not be written".into());
    }
    Ok(())
}
