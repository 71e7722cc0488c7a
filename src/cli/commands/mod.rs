//! The commands, one file each.

mod compare;
pub mod completions;
pub mod devices;
pub mod fit;
pub mod hypergrad;
pub mod poison;
pub mod predict;
#[cfg(feature = "paper")]
pub mod reproduce;
pub mod runs;
pub mod sweep;
