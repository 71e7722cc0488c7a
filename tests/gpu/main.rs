//! The GPU executor, on whatever device this machine has (software rasterisers too). Without one
//! these tests are listed as ignored; with PROXDIFF_REQUIRE_GPU set, that is a failure.

mod behaviour;
#[path = "../common/mod.rs"]
mod common;
#[path = "../conformance/compare.rs"]
mod compare;
mod cooperative;
mod device;
mod golden;
#[path = "../conformance/harness.rs"]
#[allow(dead_code)] // each test program uses its own part
mod harness;
#[path = "../conformance/linear.rs"]
mod linear;
mod meta;
#[path = "../conformance/penalties.rs"]
mod penalties;
mod poison;
#[path = "../properties/problems.rs"]
#[allow(dead_code)] // each test program uses its own part
mod problems;
#[path = "../conformance/rows.rs"]
mod rows;
#[path = "../conformance/sampled.rs"]
mod sampled;
mod suite;
#[path = "../conformance/time.rs"]
mod time;
#[path = "../properties/vectors.rs"]
mod vectors;
mod walks;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One device: its tests take turns.
    arguments.test_threads = Some(1);
    let missing = !device::is_there();
    if missing && std::env::var_os("PROXDIFF_REQUIRE_GPU").is_some() {
        eprintln!("no GPU adapter was found, and PROXDIFF_REQUIRE_GPU is set");
        return ExitCode::FAILURE;
    }
    let trials = suite::trials()
        .into_iter()
        .chain(behaviour::trials())
        .chain(cooperative::trials())
        .chain(golden::trials())
        .chain(meta::trials())
        .chain(poison::trials())
        .chain(walks::trials())
        .map(|trial| trial.with_ignored_flag(missing))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
