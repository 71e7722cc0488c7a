//! The flags of `proxdiff completions`.

use clap::Args;
use clap_complete::Shell;

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
    pub shell: Shell,
}
