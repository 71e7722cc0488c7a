//! Access to files, checked against the memory of the machine.

use std::path::Path;

use crate::error::{Error, Result};

/// The error of a file that cannot be read.
pub(super) fn unreadable(path: &Path, source: std::io::Error) -> Error {
    let remedy = match source.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::PermissionDenied => "check the permissions of the file",
        std::io::ErrorKind::IsADirectory => "give a file, not a directory",
        std::io::ErrorKind::OutOfMemory => "give fewer rows or columns, or use a larger machine",
        _ => "check that the file can be read",
    };
    Error::Io {
        path: path.to_path_buf(),
        source,
        remedy,
    }
}

/// Refuses a file that is larger than the memory of the machine, before any of it is read.
pub(super) fn check_memory(path: &Path) -> Result<()> {
    // A pipe, which has no size, is read as far as it goes.
    let size = std::fs::metadata(path).map_or(0, |about| about.len());
    match memory() {
        Some(memory) if size > memory => Err(unreadable(
            path,
            std::io::Error::new(
                std::io::ErrorKind::OutOfMemory,
                format!(
                    "the file has {} MiB, and the machine {} MiB of memory",
                    size >> 20,
                    memory >> 20
                ),
            ),
        )),
        _ => Ok(()),
    }
}

/// Bytes of the machine's memory, where the system says so.
fn memory() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = about
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}
