//! `proxdiff completions`: a completion script for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::cli::failure::Failure;
use crate::cli::output;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff completions bash > ~/.local/share/bash-completion/completions/proxdiff
  proxdiff completions zsh > ~/.zfunc/_proxdiff
  proxdiff completions fish > ~/.config/fish/completions/proxdiff.fish";

/// The flags of `completions`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::cli::command(),
        "proxdiff",
        &mut script,
    );
    output::write(&String::from_utf8_lossy(&script), None)
}
