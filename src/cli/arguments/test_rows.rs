//! Rows that nothing is fitted or tuned on.

use std::path::PathBuf;

use clap::Args;

use super::values;

/// Test rows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct TestArguments {
    /// File with the features of test rows; without --y-test it holds the targets too.
    #[arg(long, value_name = "FILE", conflicts_with = "test_fraction")]
    pub x_test: Option<PathBuf>,

    /// File with the targets of the test rows.
    #[arg(long, value_name = "FILE", requires = "x_test")]
    pub y_test: Option<PathBuf>,

    /// Share of all rows set aside for testing [default: poison 0.2 without --x-test, fit
    /// and tune none].
    #[arg(long, value_name = "SHARE", value_parser = values::fraction, allow_hyphen_values = true)]
    pub test_fraction: Option<f64>,
}
