//! The library's error type: what went wrong, where, and the remedy.
//!
//! An [`Error`] is misuse or environment. What a solver found out about a problem (its budget ran
//! out, it diverged) is an outcome and is reported as a [`Status`](crate::kinds::Status).

use std::path::PathBuf;

/// The library's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong outside the mathematics, and interruptions. Every message ends in its remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be opened, read or written.
    #[error("{}: {source}; {remedy}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The words of the system.
        source: std::io::Error,
        /// The remedy for the user.
        remedy: &'static str,
    },
    /// A data file does not say what its format promises.
    #[error("{place}: {what}; {remedy}")]
    Data {
        /// File, and line and column where there are such.
        place: Place,
        /// The fault there.
        what: String,
        /// The remedy for the user.
        remedy: String,
    },
    /// Two things that must have matching shapes do not.
    #[error("{what}: expected {expected}, found {found}; {remedy}")]
    Shape {
        /// The object whose shape is wrong.
        what: String,
        /// The shape that would fit.
        expected: String,
        /// The shape that it has.
        found: String,
        /// The remedy for the user.
        remedy: String,
    },
    /// A value outside its domain: a negative strength, labels that do not fit the loss.
    #[error("{name}: {what}; {remedy}")]
    Value {
        /// The setting, hyperparameter or object.
        name: String,
        /// The fault.
        what: String,
        /// The remedy for the user.
        remedy: String,
    },
    /// A store of results that cannot be made, read or written, or that belongs to another plan.
    #[error("{}: {what}; {remedy}", path.display())]
    Store {
        /// The store's file.
        path: PathBuf,
        /// The fault.
        what: String,
        /// The remedy for the user.
        remedy: String,
    },
    /// A combination of choices that is not defined, such as ITD of coordinate descent.
    #[error("not supported: {what}; {remedy}")]
    Unsupported {
        /// The combination that was asked for.
        what: String,
        /// The combination to ask for instead.
        remedy: String,
    },
    /// A computation without a result of its own for a part, which [`Control`](crate::Control)
    /// stopped: it was cancelled, or its time budget ran out.
    #[error(
        "interrupted: {what} was not finished; repeat it, with more time where that is limited"
    )]
    Interrupted {
        /// The computation.
        what: &'static str,
    },
    /// A graphics device that is missing or has failed.
    #[error("{what}; {remedy}")]
    Device {
        /// The kind of failure: it decides what may be tried again.
        fault: DeviceFault,
        /// The event.
        what: String,
        /// The remedy for the user.
        remedy: String,
    },
}

/// A kind of failure of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceFault {
    /// There is no such device.
    Missing,
    /// The device was lost: reset by its driver, unplugged, or stopped by its watchdog.
    Lost,
    /// A buffer does not fit the device's memory or limits.
    OutOfMemory,
    /// A kernel does not compile, or a call is not valid: a defect of the program or the driver.
    Invalid,
}

impl Error {
    /// A value outside its domain.
    pub fn value(
        name: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Value {
            name: name.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A shape that does not match.
    pub fn shape(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Shape {
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.into(),
        }
    }

    /// A store that cannot be used.
    pub fn store(
        path: &std::path::Path,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Store {
            path: path.to_path_buf(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A device that is missing or has failed.
    pub fn device(fault: DeviceFault, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Device {
            fault,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The kind of failure of the device, where one failed.
    #[must_use]
    pub fn device_fault(&self) -> Option<DeviceFault> {
        match self {
            Self::Device { fault, .. } => Some(*fault),
            _ => None,
        }
    }

    /// A combination that is not defined.
    pub fn unsupported(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// A place in a data file; lines and columns count from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, or another name of the source.
    pub source: String,
    /// The line, for text formats.
    pub line: Option<u64>,
    /// The column's number and name (`3`, `3 ("age")`), where known.
    pub column: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        Ok(())
    }
}
