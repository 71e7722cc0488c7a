//! What a command prints: a report of outcomes as a table, JSON or CSV, to a file or to standard
//! output.

mod charts;
mod csv;
mod json;
mod names;
mod npy;
mod numbers;
mod summary;
mod table;

use std::io::{BufWriter, Write};
use std::path::Path;

use super::arguments::{Format, OutputArguments};
use super::configuration::{Prepared, Study};
use super::failure::Failure;
use super::runtime::Runtime;
use super::whole::write_whole;
use crate::hypergrad::{Outcome, Settings};
use crate::kinds::Status;

pub use charts::{is_of_report, write_report};
pub use csv::{number, write as csv_text};
pub use json::{SCHEMA, one_line};
pub use names::{printable, printable_lines};
pub use npy::write_npy;
pub use numbers::{counted, rough, short, significant};
pub use summary::{Summary, shard_record};
pub use table::{plain, titled};

/// Outcomes with what is needed to name and explain them.
pub struct Report<'a> {
    /// Data, names and classes.
    pub study: &'a Study<'a>,
    /// The problem that was solved.
    pub prepared: &'a Prepared,
    /// How it was solved and differentiated.
    pub settings: &'a Settings,
    /// On what.
    pub runtime: &'a Runtime,
    /// One outcome per point, in the order of the points.
    pub outcomes: &'a [Outcome],
    /// The best points first: tables show only these.
    pub best: Option<&'a [usize]>,
    /// Show coefficients.
    pub coefficients: bool,
    /// Show every diagnostic in tables.
    pub diagnostics: bool,
}

impl Report<'_> {
    /// Writes the report where and how the flags say.
    pub fn write(&self, output: &OutputArguments) -> Result<(), Failure> {
        let text = match output.format() {
            Format::Table => printable_lines(&table::render(self)).into_owned(),
            Format::Json => json::render(self),
            Format::Csv => csv::render(self),
        };
        write_or_show(&text, output.out.as_deref(), || table::render(self))
    }

    /// The target's name where there are several.
    fn target(&self, outcome: &Outcome) -> Option<&str> {
        let targets = &self.study.tables().all.targets;
        (targets.len() > 1).then(|| targets[outcome.point.target].name.as_str())
    }
}

/// The numbers of the points by increasing criterion; those that did not converge come after all that did,
/// and last those without a finite criterion.
pub fn by_criterion(outcomes: &[Outcome]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    let rank = |at: usize| match &outcomes[at] {
        outcome if !outcome.criterion.is_finite() => 2,
        outcome if outcome.status != Status::Converged => 1,
        _ => 0,
    };
    order.sort_by(|&a, &b| {
        let criteria = outcomes[a].criterion.total_cmp(&outcomes[b].criterion);
        rank(a).cmp(&rank(b)).then(criteria)
    });
    order
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
