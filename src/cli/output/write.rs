//! Text to the file of --out, or to standard output.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::report::Report;
use super::{csv, json, table};
use crate::cli::arguments::{Format, OutputArguments};
use crate::cli::failure::Failure;
use crate::cli::printable::printable_lines;
use crate::cli::whole::write_whole;

/// A report in each of the formats.
pub trait Rendered {
    /// For people; names in it may steer a terminal.
    fn table(&self) -> String;
    /// JSON, with a line break at its end.
    fn json(&self) -> String;
    /// Rows with a header.
    fn csv(&self) -> String;

    /// Writes the report where and how the flags say.
    fn write(&self, output: &OutputArguments) -> Result<(), Failure> {
        let text = match output.format() {
            Format::Table => printable_lines(&self.table()).into_owned(),
            Format::Json => self.json(),
            Format::Csv => self.csv(),
        };
        write_or_show(&text, output.out.as_deref(), || self.table())
    }
}

impl Rendered for Report<'_> {
    fn table(&self) -> String {
        table::render(self)
    }

    fn json(&self) -> String {
        json::render(self)
    }

    fn csv(&self) -> String {
        csv::render(self, &[])
    }
}

/// Writes text to the file of --out, or to standard output; where the file cannot be written after
/// all, prints `instead`, so that what was computed is not lost.
pub fn write_or_show(
    text: &str,
    file: Option<&Path>,
    instead: impl FnOnce() -> String,
) -> Result<(), Failure> {
    write(text, file).inspect_err(|failure| {
        if matches!(failure, Failure::Unwritable(_)) {
            // The file's failure is the one to tell.
            let _ = write_text(&instead(), None);
        }
    })
}

/// Writes text for people to the file of --out, or to standard output: names in it cannot steer a
/// terminal.
pub fn write_text(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    write(&printable_lines(text), file)
}

/// Writes text to the file of --out, or to standard output, as it is.
pub fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) => write_whole(path, text.as_bytes())
            .map_err(|source| Failure::unwritable("--out", path, &source)),
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map_err(Failure::Output)
        }
    }
}
