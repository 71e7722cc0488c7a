//! The commands, one file each.

pub mod completions;
pub mod devices;
pub mod fit;
pub mod hypergrad;
pub mod poison;
pub mod predict;
pub mod reproduce;
pub mod runs;
pub mod sweep;
