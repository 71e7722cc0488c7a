//! The flags, one struct per concern, and the parsers of their values.

mod data;
mod method;
mod output;
mod problem;
mod sweep;
mod tags;
pub mod values;

pub use data::{DataArguments, TableFileArguments};
pub use method::{
    DesignStorage, HypergradientArguments, Products, Regime, RuntimeArguments, SolverArguments,
};
pub use output::{Format, OutputArguments};
pub use problem::{LossName, PenaltyName, ProblemArguments};
pub use sweep::{FoldArguments, SearchName, SpaceArguments, StoreArguments};
pub use values::Strengths;
