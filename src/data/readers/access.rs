//! Access to files, checked against the memory of the machine.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

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

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// True for the path `-`, standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

/// The name of a file in messages.
pub(super) fn name_of(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

/// The bytes of standard input, which is read once and kept: several columns may be asked for.
pub(super) fn standard_input() -> Result<&'static [u8]> {
    static INPUT: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = INPUT.get() {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|e| unreadable(Path::new(STANDARD_INPUT), e))?;
    Ok(INPUT.get_or_init(|| bytes))
}

/// The bytes of standard input or a pipe, each of which is read once and kept: its format is looked for first, and
/// several columns may be asked for. None for files and directories, and where nothing is.
pub(super) fn stream(path: &Path) -> Result<Option<&'static [u8]>> {
    static STREAMS: Mutex<Vec<(PathBuf, &'static [u8])>> = Mutex::new(Vec::new());
    if is_standard_input(path) {
        return standard_input().map(Some);
    }
    let is_stream = std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir());
    if !is_stream {
        return Ok(None);
    }
    let mut streams = STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, bytes)) = streams.iter().find(|(earlier, _)| earlier == path) {
        return Ok(Some(bytes));
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, e))?;
    let bytes: &'static [u8] = bytes.leak();
    streams.push((path.to_path_buf(), bytes));
    Ok(Some(bytes))
}

/// The bytes of a file, a pipe or standard input.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    if let Some(bytes) = stream(path)? {
        return Ok(bytes.to_vec());
    }
    check_memory(path)?;
    std::fs::read(path).map_err(|e| unreadable(path, e))
}

/// The first bytes of a file or a pipe, at most so many.
pub(super) fn first_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    if let Some(bytes) = stream(path)? {
        let count = usize::try_from(most).unwrap_or(usize::MAX);
        return Ok(bytes[..bytes.len().min(count)].to_vec());
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    file.take(most)
        .read_to_end(&mut start)
        .map_err(|e| unreadable(path, e))?;
    Ok(start)
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

/// Takes memory for that many more numbers; false where it is not there.
pub(super) fn reserve(values: &mut Vec<f64>, count: usize) -> bool {
    let Some(bytes) = count.checked_mul(size_of::<f64>()) else {
        return false;
    };
    let is_there = available_memory().is_none_or(|available| bytes as u64 <= available);
    is_there && values.try_reserve_exact(count).is_ok()
}

/// Bytes of the machine's memory, where the system says so.
pub(super) fn memory() -> Option<u64> {
    memory_of("MemTotal:")
}

/// Bytes of the memory that no program needs at present, where the system says so.
fn available_memory() -> Option<u64> {
    memory_of("MemAvailable:")
}

fn memory_of(name: &str) -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = about.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}
