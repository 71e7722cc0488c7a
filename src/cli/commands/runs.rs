//! `proxdiff runs`: what is in the stores of sweeps.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::compare::compare;
use crate::cli::arguments::runs::{Arguments, Command, ExportFormat, ListFormat};
use crate::cli::failure::Failure;
use crate::cli::numbers::counted;
use crate::cli::origin::Origin;
use crate::cli::output::{
    ON_A_PAGE, ReportFolder, Summary, checked, plain, report_so_far, shard_record, swept, titled,
    write, write_text,
};
use crate::cli::printable::printable;
use crate::cli::whole::Whole;
use crate::error::Error;
use crate::kinds::Precision;
use crate::store::{self, ShardTally, Store, Tally, repair, verify};
use crate::sweep::export::{Format, Rows, export as export_cells};
use crate::sweep::record::SearchKind;

mod tuned;

use tuned::Evaluated;

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    match &arguments.command {
        Command::List { places, format } => list(places, *format),
        Command::Show {
            store,
            configuration,
            best,
            format,
        } => show(store, *configuration, *best, *format),
        Command::Compare {
            first,
            second,
            format,
        } => write_in(
            &compare(first, second, *format == ListFormat::Json)?,
            *format,
        ),
        Command::Export {
            store,
            out,
            format,
            mean,
        } => export(store, out.as_deref(), *format, *mean),
        Command::Report { store, out } => {
            swept(&checked(store)?, ON_A_PAGE)?;
            let folder = ReportFolder {
                place: out,
                flag: "--out",
                origin,
            };
            report_so_far(store, &folder)
        }
        Command::Verify { stores, repair } => check(stores, *repair),
        Command::Merge { stores, out } => merge(stores, out.as_deref()),
    }
}

/// Prints text for people, or JSON.
fn write_in(text: &str, format: ListFormat) -> Result<(), Failure> {
    match format {
        ListFormat::Table => write_text(text, None),
        ListFormat::Json => write(text, None),
    }
}

/// The stores in a place: itself, or those in a folder.
fn stores_in(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !place.is_dir() {
        return Ok(vec![place.to_path_buf()]);
    }
    let unreadable = |source| Error::Io {
        path: place.to_path_buf(),
        source,
        remedy: "name stores, or a folder that can be read",
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_database = path
            .extension()
            .is_some_and(|e| ["db", "sqlite", "sqlite3"].iter().any(|name| e == *name));
        // Other programs' databases are passed over in silence.
        if is_database && path.is_file() && Store::read(&path).is_ok() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn list(places: &[PathBuf], format: ListFormat) -> Result<(), Failure> {
    let here = [PathBuf::from(".")];
    let places = if places.is_empty() { &here[..] } else { places };
    let mut table = plain(&[
        "store", "study", "points", "folds", "cells", "done", "started", "state",
    ]);
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    for place in places {
        for path in stores_in(place)? {
            let read = || -> Result<_, Error> {
                let store = Store::read(&path)?;
                let plan = store.plan()?;
                let shards = store.shards()?.into_iter();
                let shards: Vec<ShardTally> = shards
                    .map(|shard| store.shard_tally(&plan, shard))
                    .collect::<Result<_, _>>()?;
                let (tally, sessions) = (store.tally()?, store.sessions()?);
                Ok((store, plan, tally, sessions, shards))
            };
            // A damaged store must not hide the others.
            let (store, plan, tally, sessions, shards) = match read() {
                Ok(parts) => parts,
                Err(error) => {
                    damaged.push(error);
                    continue;
                }
            };
            let names: Vec<&str> = plan.studies.iter().map(|s| s.name.as_str()).collect();
            let mut points: usize = plan.studies.iter().map(|s| s.points.len()).sum();
            let folds: usize = plan
                .studies
                .iter()
                .map(|s| s.folds.len())
                .max()
                .unwrap_or(0);
            let started = sessions.first().map_or("", |s| s.started.as_str());
            let mut state = state(&tally, &shards);
            let (mut cells, mut done) = (tally.cells, tally.cells_done);
            let search = plan.search();
            if let Some(kind) = search {
                // A search has no plan: what is known is all there is to count.
                (points, done) = Evaluated::of(&path, &store, &plan, kind)?.counts();
                (cells, state) = (done, kind.noun().into());
            }
            table.add_row([
                path.display().to_string(),
                names.join(", "),
                points.to_string(),
                folds.to_string(),
                cells.to_string(),
                done.to_string(),
                started.to_string(),
                state,
            ]);
            let mut record = serde_json::json!({
                "store": path.display().to_string(), "studies": names, "points": points,
                "folds": folds, "cells": cells, "cells_done": done,
                "started": started, "complete": done == cells,
                "shards": shards.iter().map(shard_record).collect::<Vec<_>>(),
            });
            if let Some(kind) = search {
                record["complete"] = serde_json::Value::Null;
                record["command"] = kind.name().into();
            }
            records.push(record);
        }
    }
    let text = match format {
        ListFormat::Table => titled("Stores", table, &[0, 1, 6, 7]),
        ListFormat::Json => format!("{}\n", serde_json::Value::from(records)),
    };
    write_in(&text, format)?;
    damaged
        .into_iter()
        .next()
        .map_or(Ok(()), |error| Err(error.into()))
}

/// Whether a store is complete; for one of shards, whether these are.
fn state(tally: &Tally, shards: &[ShardTally]) -> String {
    let word = |is_complete| {
        if is_complete {
            "complete"
        } else {
            "unfinished"
        }
    };
    let whole = tally.cells_done == tally.cells;
    if whole || shards.is_empty() {
        return word(whole).into();
    }
    let of_shard =
        |tally: &ShardTally| format!("shard {} {}", tally.shard, word(tally.is_complete()));
    shards.iter().map(of_shard).collect::<Vec<_>>().join(", ")
}

fn show(path: &Path, configuration: bool, best: usize, format: ListFormat) -> Result<(), Failure> {
    let store = Store::read(path)?;
    let plan = store.plan()?;
    if configuration {
        return write(&as_shown(&plan.configuration), None);
    }
    store.check_results()?;
    if let Some(kind) = plan.search() {
        return write_in(&tuned::show(path, &store, &plan, kind, format)?, format);
    }
    let devices: Vec<String> = store.tally()?.devices.into_iter().map(|d| d.0).collect();
    let device = devices.join(", ");
    let summary = Summary::new(&plan, &store, &device, precision(&plan))?;
    if format == ListFormat::Json {
        return write(&summary.json(None), None);
    }
    let mut text = summary.table(best);
    let mut table = plain(&[
        "host", "process", "version", "started", "ended", "units", "shard",
    ]);
    for session in store.sessions()? {
        table.add_row([
            session.host,
            session.process.to_string(),
            session.version,
            session.started,
            session.ended.unwrap_or_else(|| "–".into()),
            session.units.to_string(),
            session
                .shard
                .map_or_else(|| "–".into(), |shard| shard.to_string()),
        ]);
    }
    text.push('\n');
    text.push_str(&titled("Sessions", table, &[0, 3, 4]));
    for shard in store.shards()? {
        let tally = store.shard_tally(&plan, shard)?;
        let (done, all) = (tally.cells_done, tally.cells);
        text.push_str(&format!("shard {shard}: {done} of {all} cells\n"));
    }
    write_text(&text, None)
}

/// TOML as a terminal may be shown it: what it would obey is escaped as TOML escapes it.
fn as_shown(configuration: &str) -> String {
    let mut text = String::with_capacity(configuration.len());
    for c in configuration.chars() {
        if c == '\n' || printable(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8() {
            text.push(c);
        } else {
            text.push_str(&format!("\\u{:04X}", u32::from(c)));
        }
    }
    text
}

/// The precision of the results; the lower one where studies differ.
fn precision(plan: &store::Plan) -> Precision {
    let is_single = |study: &store::Study| {
        let single = format!("precision = {}", Precision::F32.name());
        study.settings.lines().any(|line| line == single)
    };
    if plan.studies.iter().any(is_single) {
        Precision::F32
    } else {
        Precision::F64
    }
}

fn export(
    path: &Path,
    out: Option<&Path>,
    format: Option<ExportFormat>,
    mean: bool,
) -> Result<(), Failure> {
    let format = match (format, out) {
        (Some(ExportFormat::Csv), _) => Format::Csv,
        (Some(ExportFormat::Jsonl), _) => Format::JsonLines,
        (Some(ExportFormat::Parquet), _) => Format::Parquet,
        (None, None) => Format::Csv,
        (None, Some(out)) => Format::from_path(out).ok_or_else(|| {
            Failure::usage(format!(
                "{}: the extension names no form; use .csv, .jsonl or .parquet, or give --format",
                out.display()
            ))
        })?,
    };
    let rows = if mean { Rows::Points } else { Rows::Cells };
    let store = checked(path)?;
    let plan = store.plan()?;
    if let Some(kind) = plan.search() {
        return write(&tuned::export(path, &store, kind, mean, format)?, out);
    }
    match out {
        None => {
            let mut text = Vec::new();
            export_cells(&plan, &store, rows, format, &mut text)?;
            std::io::stdout()
                .lock()
                .write_all(&text)
                .map_err(Failure::Output)
        }
        Some(out) => {
            let unwritable = |source| Failure::unwritable("--out", out, &source);
            let mut file = Whole::create(out).map_err(unwritable)?;
            export_cells(&plan, &store, rows, format, &mut file).map_err(|error| match error {
                Error::Io { source, .. } => unwritable(source),
                other => other.into(),
            })?;
            file.finish().map_err(unwritable)
        }
    }
}

fn counted_batches(count: usize) -> String {
    match count {
        1 => "1 batch".into(),
        _ => format!("{count} batches"),
    }
}

fn check(paths: &[PathBuf], mend: bool) -> Result<(), Failure> {
    let (mut faults, mut remedy) = (0, "");
    for path in paths {
        let store = Store::read(path)?;
        let found = verify(&store)?;
        // The plan may itself be what is at fault.
        let kind = store.plan().ok().and_then(|plan| plan.search());
        let kind = kind.unwrap_or(SearchKind::Tuning);
        let evaluations = match found.evaluations {
            0 => String::new(),
            count => format!(" and {} of {}", counted_batches(count), kind.one()),
        };
        let mut text = format!(
            "{}: {} with {}{evaluations}: {}\n",
            path.display(),
            counted(found.units, "unit"),
            counted(found.cells, "cell"),
            if found.faults.is_empty() {
                "sound".to_string()
            } else {
                counted(found.faults.len(), "fault")
            }
        );
        for fault in &found.faults {
            text.push_str(&format!("  {fault}\n"));
        }
        write_text(&text, None)?;
        if mend && !found.faults.is_empty() {
            let opened = repair(path)?;
            let is_tuned = found.evaluations > 0;
            let noun = if is_tuned { "batch" } else { "unit" };
            let opened_ones = if is_tuned {
                counted_batches(opened)
            } else {
                counted(opened, noun)
            };
            let what = match opened {
                0 => format!("mended; every {noun} is as it was stored"),
                1 => format!(
                    "{opened_ones} is open again; the command that made the store repeats it"
                ),
                _ => format!(
                    "{opened_ones} are open again; the command that made the store repeats them"
                ),
            };
            let text = format!("{}: {what}\n", path.display());
            write_text(&text, None)?;
        } else {
            faults += found.faults.len();
            if !found.faults.is_empty() {
                remedy = found.remedy;
            }
        }
    }
    if faults == 0 {
        return Ok(());
    }
    let faults = counted(faults, "fault");
    Err(Failure::Outcome(format!("{faults}; {remedy}")))
}

fn merge(paths: &[PathBuf], out: Option<&Path>) -> Result<(), Failure> {
    let mut from: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let out = match out {
        Some(out) => out,
        None if from.len() > 1 && !from[0].exists() => from.remove(0),
        None if from.len() > 1 && !from[from.len() - 1].exists() => from.remove(from.len() - 1),
        None => {
            return Err(Failure::usage(
                "all stores exist; name the store that they are joined into with --out",
            ));
        }
    };
    let added = store::merge(&from, out)?;
    let tally = Store::read(out)?.tally()?;
    write_text(
        &format!(
            "{added} units added; {} holds {} of {} cells\n",
            out.display(),
            tally.cells_done,
            tally.cells
        ),
        None,
    )
}
