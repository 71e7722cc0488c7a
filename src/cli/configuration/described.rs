//! The studies of a sweep, as flags and configuration file have them.

use clap::ArgMatches;

use crate::cli::commands::sweep::Arguments;

/// What the command line and its configuration file describe.
pub struct Described {
    /// The studies, at least one.
    pub studies: Vec<Arguments>,
    /// Per study its place in the file; empty where there is none.
    pub places: Vec<String>,
    /// Per study its effective flags, as they were parsed.
    pub matches: Vec<ArgMatches>,
    /// The effective configuration, as TOML.
    pub configuration: String,
}
