//! `proxdiff devices`: what this build can compute on.

use clap::Args;
use serde::Serialize;

use crate::cli::arguments::{Format, OutputArguments};
use crate::cli::failure::Failure;
use crate::cli::output::{self, SCHEMA, one_line, plain, titled};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff devices
  proxdiff devices --format json

The name in the first column is what --device takes.";

/// The flags of `devices`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    devices: [Device<'a>; 1],
    gpu: bool,
}

#[derive(Serialize)]
struct Device<'a> {
    name: &'a str,
    threads: usize,
    precisions: [&'a str; 2],
    features: Vec<&'static str>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let cpu = Device {
        name: "cpu",
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        precisions: ["f32", "f64"],
        features: features(),
    };
    let text = match arguments.output.format() {
        Format::Json => one_line(&Record {
            schema: SCHEMA,
            devices: [cpu],
            gpu: false,
        }),
        Format::Csv => output::csv_text(
            &["device", "threads", "precisions", "features"].map(String::from),
            std::iter::once(row(&cpu).into_iter()),
        ),
        Format::Table => {
            let mut table = plain(&["device", "threads", "precisions", "features"]);
            table.add_row(row(&cpu));
            let note = "GPU adapters are not supported by this build; use --device cpu.\n";
            titled("Devices", table, &[0, 2, 3]) + note
        }
    };
    output::write(&text, arguments.output.out.as_deref())
}

fn row(device: &Device<'_>) -> [String; 4] {
    let features = match device.features.as_slice() {
        [] => "none detected".to_string(),
        some => some.join(" "),
    };
    [
        device.name.into(),
        device.threads.to_string(),
        device.precisions.join(" "),
        features,
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
