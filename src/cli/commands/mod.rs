//! The commands, one file each.

pub mod clean;
#[cfg(feature = "store")]
mod compare;
pub mod completions;
pub mod compress;
pub mod devices;
pub mod fit;
pub mod hypergrad;
pub mod influence;
mod kept;
pub mod meta;
pub mod poison;
pub mod predict;
#[cfg(feature = "paper")]
pub mod reproduce;
#[cfg(feature = "store")]
pub mod runs;
pub mod sweep;
pub mod tune;
