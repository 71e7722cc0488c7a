//! The flags of `proxdiff devices`.

use clap::Args;

use super::OutputArguments;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff devices
  proxdiff devices --format json

--device takes the index or a part of the name of a GPU, gpu (the best), all, cpu or auto. \
The product is a dense one in GFLOP/s, the bandwidth that of an elementwise kernel in GB/s; both \
are measured now.";

/// The flags of `devices`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Only list: measure nothing.
    #[arg(long)]
    pub no_measure: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}
