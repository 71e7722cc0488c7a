//! Form and place of the output.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON object with a schema version, for programs.
    Json,
    /// One row per point, for spreadsheets.
    Csv,
}

/// Form and place of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// Form of the output [default: table; with --out the file's extension decides].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl OutputArguments {
    /// The form asked for, or the one that the file's extension names.
    pub fn format(&self) -> Format {
        let extension = self
            .out
            .as_ref()
            .and_then(|path| path.extension())
            .and_then(|extension| extension.to_str())
            .map(str::to_ascii_lowercase);
        self.format.unwrap_or(match extension.as_deref() {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            _ => Format::Table,
        })
    }
}
