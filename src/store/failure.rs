//! The meaning of SQLite's errors to a user.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

/// The fault of a store that stays locked.
const BUSY: &str = "another process has kept it locked for a minute";

/// The fault of a full disk.
const FULL: &str = "the disk is full; every unit that was finished before is kept";

/// Whether the disk is full.
pub(super) fn is_full(error: &Error) -> bool {
    matches!(error, Error::Store { what, .. } if what == FULL)
}

/// Whether SQLite can neither read nor make what it needs beside the file.
pub(super) fn cannot_use_wal(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// Whether the pages of the file contradict each other.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether another process holds the store.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Store { what, .. } if what == BUSY)
}

/// The error in words, with a remedy.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> Error {
    let code = error.sqlite_error_code();
    let (what, remedy) = match code {
        Some(ErrorCode::DiskFull) => (
            FULL.to_string(),
            "free some space and repeat the same command: it goes on where it stopped",
        ),
        Some(ErrorCode::ReadOnly) => (
            "the file cannot be written".to_string(),
            "make the file and its folder writable, or copy it and name the copy with --store",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            "the file cannot be opened".to_string(),
            "check that the file and its folder exist and can be read and written",
        ),
        Some(ErrorCode::NotADatabase) => (
            "the file is no store, or its beginning is damaged".to_string(),
            "name another file with --store, or restore this one from a copy",
        ),
        Some(ErrorCode::DatabaseCorrupt) => return damaged(path, &error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            BUSY.to_string(),
            "end that process, or repeat the same command later",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            format!(
                "the file system failed ({error}); every unit that was finished before is kept"
            ),
            "check the disk and its free space, then repeat the same command",
        ),
        _ => (
            error.to_string(),
            "if it persists, restore the store from a copy, or start a new one with --store FILE",
        ),
    };
    Error::store(path, what, remedy)
}

/// A store whose pages contradict each other.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    let what: String = what.lines().collect::<Vec<_>>().join("; ");
    Error::store(
        path,
        format!("the store is damaged ({what})"),
        "restore it from a copy, or start a new one with --store FILE",
    )
}
