//! The flags, one struct per concern, and the parsers of their values.

pub mod clean;
pub mod completions;
pub mod compress;
mod data;
pub mod devices;
pub mod fit;
pub mod hypergrad;
pub mod influence;
pub mod meta;
mod method;
mod output;
pub mod poison;
pub mod predict;
mod problem;
#[cfg(feature = "paper")]
pub mod reproduce;
mod root;
#[cfg(feature = "store")]
pub mod runs;
mod stages;
pub mod sweep;
mod test_rows;
pub mod tune;
pub mod values;

pub use data::{DataArguments, DecimalMark, MissingName, TableFileArguments, UnknownLevelsName};
pub use method::{
    DesignStorage, HypergradientArguments, Products, Regime, RuntimeArguments, SolverArguments,
};
pub use output::{Format, OutputArguments};
pub use problem::{GroupWeightsName, LossName, PenaltyName, ProblemArguments, Shapes};
pub use root::{Command, command, parse};
pub use stages::StageArguments;
pub use sweep::{
    ConfigurationArguments, Drawn, FoldArguments, ResampleArguments, SearchName, SpaceArguments,
};
pub use test_rows::TestArguments;
pub use values::Strengths;
