//! `proxdiff completions`: a completion script for a shell.

use crate::cli::arguments::completions::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::cli::arguments::command(),
        "proxdiff",
        &mut script,
    );
    output::write(&String::from_utf8_lossy(&script), None)
}
