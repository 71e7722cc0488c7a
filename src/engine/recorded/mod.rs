//! The engine of recordings: kernels and iterations over a batch, on the CPU or a graphics device.

pub mod backwards;
pub mod batch;
mod implicit;
pub mod itd;
pub mod recordings;
pub mod sampled;
pub mod unrolled;
pub mod workspace;
