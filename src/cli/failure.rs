//! The reasons why a command ends without success, with their exit statuses.

use std::path::Path;

use super::printable::printable;
use crate::error::Error;

/// A reason why a command ends without success.
#[derive(Debug)]
pub enum Failure {
    /// Flags that do not fit together: exit status 2.
    Usage(String),
    /// The library's error: exit status 1.
    Library(Error),
    /// Standard output cannot be written: exit status 1, but silence when the reader went away.
    Output(std::io::Error),
    /// A place that cannot be written, with the flag that names it: exit status 1.
    Unwritable(String),
    /// The outcome is not what --strict asks for, or the user interrupted: exit status 1.
    Outcome(String),
    /// Another failure, of what a configuration file says: its place there and the failure.
    Configured(String, Box<Failure>),
}

impl Failure {
    /// Flags that do not fit together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A file or folder that cannot be written, and the flag that names it.
    pub fn unwritable(flag: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::Unwritable(format!(
            "{}: it cannot be written ({source}); choose another place with {flag}",
            path.display()
        ))
    }

    /// The same failure with its place in a configuration file; an empty one changes nothing.
    pub fn in_configuration(self, place: &str) -> Self {
        if place.is_empty() {
            return self;
        }
        Self::Configured(place.to_string(), Box::new(self))
    }

    /// The fault in words; empty where the reader of the output went away.
    pub fn message(&self) -> String {
        self.outcome()
            .map(|(message, _)| message)
            .unwrap_or_default()
    }

    /// The message and the exit status; no message where the reader of the output went away.
    fn outcome(&self) -> Option<(String, u8)> {
        Some(match self {
            Self::Usage(message) => (message.clone(), 2),
            Self::Library(error) => (error.to_string(), 1),
            Self::Unwritable(message) => (message.clone(), 1),
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return None,
            Self::Output(error) => (format!("standard output: {error}"), 1),
            Self::Outcome(message) => (message.clone(), 1),
            Self::Configured(place, failure) => {
                let (message, status) = failure.outcome()?;
                (format!("{place}: {message}"), status)
            }
        })
    }

    /// Prints one line to standard error and returns the exit status.
    pub fn report(&self) -> u8 {
        let Some((message, status)) = self.outcome() else {
            return 0;
        };
        // File names and labels may hold line breaks, and what a terminal would obey; the promise
        // is one line.
        let line = message.split(['\n', '\r']).collect::<Vec<_>>().join(" ");
        let line = printable(&line);
        // Standard error may be closed: then there is nobody to tell.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr().lock(),
            format_args!("error: {line}\n"),
        );
        status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
