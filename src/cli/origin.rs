//! The origin of a report: the command that makes it, the program, the time.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use super::failure::Failure;
use crate::report::{Basis, Head};

/// The variable by which builds that are to be the same byte for byte name the time: seconds since 1970.
const EPOCH: &str = "SOURCE_DATE_EPOCH";
/// The last second of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// The command that makes a report.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    command: String,
}

impl Origin {
    /// The command of these words, the program's place first: only its name is told.
    pub fn of(words: &[OsString]) -> Self {
        let words = words.iter().skip(1).map(|word| word.to_string_lossy());
        let quoted = words.map(|word| match shlex::try_quote(&word) {
            Ok(quoted) => quoted.into_owned(),
            // A word with a NUL, which no system passes on.
            Err(_) => word.into_owned(),
        });
        let all: Vec<String> = std::iter::once("proxdiff".into()).chain(quoted).collect();
        Self {
            command: all.join(" "),
        }
    }

    /// The command as the configuration of a store, TOML.
    pub fn as_configuration(&self) -> String {
        // infallible: a table of one text
        let text = toml::to_string(
            &[("command", &self.command)]
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        );
        text.unwrap_or_default()
    }

    /// The head of a report that is made now.
    ///
    /// # Errors
    /// Those of [`date`].
    pub fn head(&self, title: impl Into<String>, bases: Vec<Basis>) -> Result<Head, Failure> {
        Ok(Head {
            title: title.into(),
            command: self.command.clone(),
            bases,
            program: format!("proxdiff {}", env!("CARGO_PKG_VERSION")),
            date: date()?,
        })
    }
}

/// The time of a report: now, or that which the environment names so that reports can be made again byte
/// for byte.
///
/// # Errors
/// [`Failure::Usage`] where that is no number of seconds.
pub fn date() -> Result<String, Failure> {
    let now = match std::env::var_os(EPOCH) {
        None => SystemTime::now(),
        Some(text) => {
            let seconds = text.to_str().and_then(|text| text.parse().ok());
            let seconds = seconds.filter(|seconds| *seconds <= LATEST);
            let seconds = seconds.ok_or_else(|| {
                Failure::usage(format!(
                    "{EPOCH}: {:?} is no number of seconds since 1970; give one, or unset it",
                    text.to_string_lossy()
                ))
            })?;
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        }
    };
    let text = humantime::format_rfc3339_seconds(now).to_string();
    Ok(text.replace('T', " ").replace('Z', " UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_so_that_a_shell_reads_it_again() {
        let words = [
            "/home/me/bin/proxdiff",
            "fit",
            "my data.csv",
            "--l1",
            "$x",
            "it's",
        ];
        let origin = Origin::of(&words.map(OsString::from));
        let words = shlex::split(&origin.command).unwrap();
        assert_eq!(
            words,
            ["proxdiff", "fit", "my data.csv", "--l1", "$x", "it's"]
        );
        assert!(
            origin
                .command
                .starts_with("proxdiff fit 'my data.csv' --l1")
        );
    }
}
