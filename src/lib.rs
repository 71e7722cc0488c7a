//! Batched solvers and hypergradients for nonsmooth fixed-point problems.

pub mod cli;
pub mod control;
pub mod data;
pub mod error;
pub mod exec;
pub mod hypergrad;
pub mod iterate;
pub mod kernel;
pub mod kinds;
pub mod l1_max;
pub mod loss;
pub mod map;
pub mod path;
pub mod penalty;
pub mod problem;
pub mod real;

pub use control::Control;
pub use error::{Error, Result};
pub use problem::{Point, Problem, Specification};
