//! The arguments of a kernel, as `shaders/lib/layout.wgsl` reads it.

use bytemuck::{Pod, Zeroable};

/// The most commands of a resident program: so many jobs fit any device's uniform binding.
pub const MAX_COMMANDS: usize = 64;

/// "No such offset".
pub const NONE: u32 = u32::MAX;

/// One command; see `struct Job` of the layout.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct Job {
    /// Problems in the batch.
    pub slots: u32,
    /// Words from row to row.
    pub stride: u32,
    /// Bit k: binding k is shared.
    pub shared_bindings: u32,
    /// Offset of the flags of running problems, or `u32::MAX` for none.
    pub active: u32,
    /// Offset of every binding.
    pub offsets: [u32; 16],
    /// The kernel's parameters.
    pub parameters: [u32; 8],
    /// First row of the page of the design.
    pub page_start: u32,
    /// Its rows.
    pub page_rows: u32,
    /// 1: the page holds the rows of the ring's minibatches; 2: those of every problem.
    pub streamed: u32,
    /// The kernel's number in its module.
    pub kernel: u32,
    /// Replays of a resident program.
    pub times: u32,
    /// Commands of a resident program.
    pub commands: u32,
    /// The place of the parts of a split product.
    pub parts_offset: u32,
    /// Their number.
    pub parts: u32,
    /// Entries of the last shared table of words among the bindings.
    pub last_table: u32,
    /// To a whole number of vectors.
    pub padding: [u32; 3],
}

/// Bytes of a [`Job`].
pub const JOB_BYTES: usize = std::mem::size_of::<Job>();
