//! Engines: the ways in which a batch of points is solved and differentiated.

pub mod accumulator;
pub mod assembly;
mod devices;
mod diagnose;
pub mod evaluate;
mod fused;
mod kinks;
pub mod outcome;
pub mod prepared;
pub mod recorded;
pub mod sampled;
mod separation;
pub mod settings;
