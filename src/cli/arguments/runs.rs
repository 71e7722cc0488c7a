//! The flags of `proxdiff runs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::values;

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff runs list                               the stores in this folder
  proxdiff runs show sweep.db
  proxdiff runs export sweep.db --out cells.csv    one row a cell; .jsonl, .parquet
  proxdiff runs export sweep.db --mean --out points.csv
  proxdiff runs compare before.db after.db
  proxdiff runs report sweep.db --out report       report/report.html and charts
  proxdiff runs verify sweep.db                    --repair: damaged units again
  proxdiff runs merge part-*.db --out sweep.db

A store is an SQLite file; its view `cells` has one row a cell:
  python3 -c \"import sqlite3, pandas; print(pandas.read_sql('SELECT * FROM cells', sqlite3.connect('sweep.db')))\"";

/// The flags of `runs`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// One line per store.
    List {
        /// Stores, or folders with stores [default: this folder].
        #[arg(value_name = "STORE|FOLDER")]
        places: Vec<PathBuf>,
        /// Form of the output.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Plan, progress, choices and sessions of a store.
    Show {
        /// The store.
        #[arg(value_name = "STORE")]
        store: PathBuf,
        /// Print the effective configuration, as TOML, and nothing else.
        #[arg(long)]
        configuration: bool,
        /// Number of the best points that a table shows.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = values::whole,
              allow_hyphen_values = true)]
        best: usize,
        /// Form of the output.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// The points that two stores share, and how far their results are apart.
    Compare {
        /// The first store.
        #[arg(value_name = "STORE")]
        first: PathBuf,
        /// The second store.
        #[arg(value_name = "STORE")]
        second: PathBuf,
        /// Form of the output.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Write results as CSV, JSON Lines or Parquet, one row a cell in the order of the plan.
    Export {
        /// The store.
        #[arg(value_name = "STORE")]
        store: PathBuf,
        /// The file; its extension decides the form: csv, jsonl, parquet [default: CSV to standard
        /// output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The form, in place of the extension's.
        #[arg(long, value_name = "FORMAT")]
        format: Option<ExportFormat>,
        /// One row a point: means over its folds, with the standard error.
        #[arg(long)]
        mean: bool,
    },
    /// Write report.html and its charts (SVG and PNG); also of a sweep that runs.
    Report {
        /// The store.
        #[arg(value_name = "STORE")]
        store: PathBuf,
        /// The folder.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Check the file, the plan, the counts and every result against its digest.
    Verify {
        /// The stores.
        #[arg(value_name = "STORE", required = true)]
        stores: Vec<PathBuf>,
        /// Open damaged units again, so that the command of the sweep repeats them.
        #[arg(long)]
        repair: bool,
    },
    /// Join the stores of the shards of one plan.
    Merge {
        /// The stores to be joined.
        #[arg(value_name = "STORE", required = true)]
        stores: Vec<PathBuf>,
        /// The store to be made, or to be added to [default: the first or last name that is no file
        /// yet].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Forms of listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Aligned columns for people.
    Table,
    /// JSON for programs.
    Json,
}

/// Forms of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Parquet.
    Parquet,
}
