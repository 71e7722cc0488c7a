//! The table, line by line as results come, and the same as JSON.

use std::path::PathBuf;
use std::time::Duration;

use proxdiff::exec::gpu::{AdapterSummary, Work};
use serde_json::{Value, json};

use super::Size;

/// Everything that was measured.
pub struct Report {
    json: Value,
    path: Option<PathBuf>,
    /// True when the file could not be written.
    pub unwritten: bool,
    peak_flops: Option<f64>,
    peak_bytes: Option<f64>,
    /// The fastest product so far, in operations per second: what estimates are made of.
    pub best_flops: f64,
}

impl Report {
    /// A report on a device, written to `path` too; `peak_tflops` and `peak_gbytes` are what the
    /// device should reach.
    pub fn new(
        summary: &AdapterSummary,
        size: Size,
        path: Option<PathBuf>,
        peak_tflops: Option<f64>,
        peak_gbytes: Option<f64>,
    ) -> Self {
        let sizes = size.pick("tiny", "small", "full");
        println!(
            "{} ({}, {}), {sizes} sizes{}",
            summary.name,
            summary.backend,
            summary.driver,
            if summary.software {
                "; a software rasteriser: its times say nothing of a GPU"
            } else {
                ""
            }
        );
        let json = json!({
            "schema": 1,
            "device": {
                "name": summary.name,
                "backend": summary.backend,
                "driver": summary.driver,
                "software": summary.software,
                "features": summary.features,
            },
            "sizes": sizes,
            "peak_tflops": peak_tflops,
            "peak_gbytes": peak_gbytes,
        });
        Self {
            json,
            path,
            unwritten: false,
            peak_flops: peak_tflops.map(|peak| peak * 1e12),
            peak_bytes: peak_gbytes.map(|peak| peak * 1e9),
            best_flops: 0.0,
        }
    }

    /// Starts a section of the table.
    pub fn section(&self, title: &str) {
        println!("\n{title}");
    }

    /// Adds a record. The file is written anew each time, so that it holds what is known when the
    /// benchmark is cut short.
    fn push(&mut self, section: &str, record: Value) {
        match &mut self.json[section] {
            Value::Array(records) => records.push(record),
            empty => *empty = Value::Array(vec![record]),
        }
        if let Some(path) = &self.path
            && let Err(error) = std::fs::write(path, format!("{:#}\n", self.json))
        {
            eprintln!("{}: {error}", path.display());
            self.path = None;
            self.unwritten = true;
        }
    }

    /// A product of `shape` (rows, inner dimension, columns).
    pub fn product(&mut self, name: &str, shape: [usize; 3], seconds: f64, error: f64) {
        let flops = 2.0 * shape.map(|size| size as f64).iter().product::<f64>() / seconds;
        self.best_flops = self.best_flops.max(flops);
        let [rows, inner, columns] = shape;
        println!(
            "  {:<34} {:>10.1} GFLOP/s{}   error {error:.0e}",
            format!("{name} {rows} × {inner} × {columns}"),
            flops * 1e-9,
            share(flops, self.peak_flops)
        );
        let record = json!({
            "name": name, "shape": shape, "seconds": seconds, "gflops": flops * 1e-9,
            "share_of_peak": self.peak_flops.map(|peak| flops / peak), "relative_error": error,
        });
        self.push("products", record);
    }

    /// An elementwise kernel that moves `bytes`.
    pub fn elementwise(&mut self, name: &str, bytes: f64, seconds: f64) {
        let rate = bytes / seconds;
        println!(
            "  {name:<34} {:>10.1} GB/s{}",
            rate * 1e-9,
            share(rate, self.peak_bytes)
        );
        let record = json!({
            "name": name, "bytes": bytes, "seconds": seconds, "gbytes": rate * 1e-9,
            "share_of_peak": self.peak_bytes.map(|peak| rate / peak),
        });
        self.push("elementwise", record);
    }

    /// `problems` of something, solved and checked.
    pub fn problems(&mut self, section: &str, timed: &Timed, mut facts: Value) {
        let rate = timed.problems as f64 / timed.seconds;
        println!(
            "  {:<34} {:>10.0} problems/s   {:>8.1} ms, {}, {} dispatches   {}",
            timed.name,
            rate,
            timed.seconds * 1e3,
            idle(timed),
            timed.work.dispatches,
            timed.note
        );
        facts["name"] = json!(timed.name);
        facts["problems"] = json!(timed.problems);
        facts["seconds"] = json!(timed.seconds);
        facts["problems_per_second"] = json!(rate);
        facts["idle_share"] = json!(idle_share(timed));
        facts["dispatches"] = json!(timed.work.dispatches);
        facts["resident_dispatches"] = json!(timed.work.resident);
        facts["note"] = json!(timed.note);
        self.push(section, facts);
    }

    /// A set of problems that is not measured, and why.
    pub fn skipped(&mut self, section: &str, name: &str, why: &str) {
        println!("  {name:<34} skipped: {why}");
        self.push(section, json!({ "name": name, "skipped": why }));
    }

    /// Minibatch steps: rows of data that were read, each for all problems at once.
    pub fn rows(&mut self, timed: &Timed, rows: usize, error: f64) {
        let rate = rows as f64 / timed.seconds;
        println!(
            "  {:<34} {:>10.3e} rows/s (× {} problems), {}   error {error:.0e}",
            timed.name,
            rate,
            timed.problems,
            idle(timed)
        );
        let record = json!({
            "name": timed.name, "problems": timed.problems, "rows": rows,
            "seconds": timed.seconds, "rows_per_second": rate,
            "row_problems_per_second": rate * timed.problems as f64,
            "idle_share": idle_share(timed), "relative_error": error,
        });
        self.push("nsid", record);
    }
}

/// Something that took its time.
pub struct Timed {
    /// What.
    pub name: String,
    /// How many problems.
    pub problems: usize,
    /// Wall-clock time.
    pub seconds: f64,
    /// What the device did.
    pub work: Work,
    /// What else is to be said.
    pub note: String,
}

/// The share of the time in which the device computed nothing (copies count as nothing).
fn idle_share(timed: &Timed) -> Option<f64> {
    let busy = timed.work.busy.as_ref().map(Duration::as_secs_f64)?;
    Some((1.0 - busy / timed.seconds).max(0.0))
}

fn idle(timed: &Timed) -> String {
    match idle_share(timed) {
        Some(share) => format!("idle {:4.1} %", 100.0 * share),
        None => "idle not known".to_owned(),
    }
}

fn share(rate: f64, peak: Option<f64>) -> String {
    peak.map_or(String::new(), |peak| {
        format!("  {:5.1} % of peak", 100.0 * rate / peak)
    })
}
