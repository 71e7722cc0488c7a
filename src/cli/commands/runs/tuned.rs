//! The stores of searches among those of sweeps: what a tuning or a meta-learning has evaluated.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::arguments::runs::ListFormat;
use crate::cli::failure::Failure;
use crate::cli::numbers::{short, significant};
use crate::cli::output::{SCHEMA, csv_text, number, one_line, plain, titled};
use crate::error::Error;
use crate::store::{Evaluation, Plan, Store};
use crate::sweep::export::Format;
use crate::sweep::record::SearchKind;
use crate::tune::mean_of;

/// A point of a part of a tuning on the folds on which it is known.
struct Known {
    /// Its hyperparameters.
    point: Value,
    /// The criterion by fold; NaN where there is none.
    criteria: BTreeMap<usize, f64>,
}

/// A batch with its points and their criteria.
fn points_of(path: &Path, evaluation: &Evaluation) -> Result<Vec<(Value, f64)>, Failure> {
    let read = |text: &str| serde_json::from_str::<Vec<Value>>(text);
    match (read(&evaluation.points), read(&evaluation.criteria)) {
        (Ok(points), Ok(criteria)) if points.len() == criteria.len() => {
            let criteria = criteria.iter().map(|c| c.as_f64().unwrap_or(f64::NAN));
            Ok(points.into_iter().zip(criteria).collect())
        }
        _ => Err(Error::store(
            path,
            format!("its evaluation {} cannot be read", evaluation.number),
            "restore the store from a copy, or repeat the command with another --store FILE",
        )
        .into()),
    }
}

/// A part of a tuning.
#[derive(Default)]
struct Part {
    batches: usize,
    seconds: f64,
    /// By batch and place within it, whatever the fold.
    known: BTreeMap<(String, usize), Known>,
}

impl Part {
    /// The point of the lowest mean over folds, or tasks, among those that are known on so many, with that mean.
    fn best(&self, folds: usize, kind: SearchKind) -> Option<(&Value, f64)> {
        let mean = |known: &Known| {
            let criteria: Vec<f64> = known.criteria.values().copied().collect();
            match kind {
                // Of a group of tasks there is its share of the mean over all.
                SearchKind::MetaLearning => criteria.iter().sum(),
                SearchKind::Tuning => mean_of(&criteria),
            }
        };
        let whole = self.known.values().filter(|k| k.criteria.len() == folds);
        let means = whole.map(|known| (&known.point, mean(known)));
        let finite = means.filter(|(_, mean)| mean.is_finite());
        finite.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// The contents of a search's store, by its parts.
pub struct Evaluated {
    parts: BTreeMap<String, Part>,
    folds: usize,
    kind: SearchKind,
}

impl Evaluated {
    /// The evaluations of a store.
    pub fn of(path: &Path, store: &Store, plan: &Plan, kind: SearchKind) -> Result<Self, Failure> {
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for evaluation in store.evaluations()? {
            let part = parts.entry(evaluation.part.clone()).or_default();
            part.batches += 1;
            part.seconds += evaluation.seconds;
            let points = points_of(path, &evaluation)?.into_iter().enumerate();
            for (at, (point, criterion)) in points {
                let key = (evaluation.points.clone(), at);
                let known = part.known.entry(key).or_insert_with(|| Known {
                    point,
                    criteria: BTreeMap::new(),
                });
                known.criteria.entry(evaluation.fold).or_insert(criterion);
            }
        }
        Ok(Self {
            kind,
            parts,
            folds: plan
                .studies
                .iter()
                .map(|s| s.folds.len())
                .max()
                .unwrap_or(0),
        })
    }

    /// The points that are known, and the same times the folds on which they are.
    pub fn counts(&self) -> (usize, usize) {
        let known = || self.parts.values().flat_map(|part| part.known.values());
        (known().count(), known().map(|k| k.criteria.len()).sum())
    }

    fn best(&self) -> Option<(&Value, f64)> {
        // Stein's estimate has three fits of its own, whose criteria are no mean.
        self.parts.get("whole")?.best(self.folds, self.kind)
    }

    /// A table of the parts, and the best point so far.
    fn table(&self, plan: &Plan) -> String {
        let mut table = plain(&["part", "batches", "points", "seconds"]);
        for (name, part) in &self.parts {
            table.add_row([
                name.clone(),
                part.batches.to_string(),
                part.known.len().to_string(),
                short(part.seconds),
            ]);
        }
        let mut text = titled(
            &format!("{} of {}", self.kind.title(), names(plan)),
            table,
            &[0],
        );
        if let Some((point, mean)) = self.best() {
            let what = match self.kind {
                SearchKind::MetaLearning => "mean over tasks",
                SearchKind::Tuning if self.folds > 1 => "mean over folds",
                SearchKind::Tuning => "criterion",
            };
            let at = match point {
                Value::Object(map) => {
                    let words = map.iter().map(|(name, value)| in_words(name, value));
                    words.collect::<Vec<_>>().join(", ")
                }
                _ => String::new(),
            };
            let mean = significant(mean);
            // A guard has nested folds, and adds a penalty that is no part of an evaluation.
            let guard = if self.kind == SearchKind::Tuning && self.parts.len() > 1 {
                ", without the guard's penalty"
            } else {
                ""
            };
            text.push_str(&format!("smallest {what} so far{guard}: {mean} at {at}\n"));
        }
        text + "the command that made it goes on from there, and prints the result (--configuration: its flags)\n"
    }

    fn record(&self, plan: &Plan, sessions: &[Value]) -> Value {
        let part = |(name, part): (&String, &Part)| {
            json!({
                "part": name,
                "batches": part.batches,
                "points": part.known.len(),
                "seconds": part.seconds,
            })
        };
        let best = self.best();
        json!({
            "schema": SCHEMA,
            "command": self.kind.name(),
            "studies": plan.studies.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            "folds": self.folds,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "best": best.map(|(point, criterion)| {
                json!({ "criterion": criterion, "hyperparameters": point })
            }),
            "sessions": sessions,
        })
    }
}

fn names(plan: &Plan) -> String {
    let names: Vec<&str> = plan.studies.iter().map(|s| s.name.as_str()).collect();
    names.join(", ")
}

/// A hyperparameter in words: of a vector the number of its entries.
fn in_words(name: &str, value: &Value) -> String {
    match value {
        Value::Array(values) => format!("{name} of {} entries", values.len()),
        value => format!("{name} {}", short(value.as_f64().unwrap_or(f64::NAN))),
    }
}

/// The contents of a tuning's store, and who has worked on it.
pub fn show(
    path: &Path,
    store: &Store,
    plan: &Plan,
    kind: SearchKind,
    format: ListFormat,
) -> Result<String, Failure> {
    let found = Evaluated::of(path, store, plan, kind)?;
    let sessions = store.sessions()?;
    if format == ListFormat::Json {
        let records = sessions.iter().map(|session| {
            json!({
                "host": session.host,
                "process": session.process,
                "version": session.version,
                "started": session.started,
                "ended": session.ended,
            })
        });
        return Ok(one_line(&found.record(plan, &records.collect::<Vec<_>>())));
    }
    let mut table = plain(&["host", "process", "version", "started", "ended"]);
    for session in sessions {
        table.add_row([
            session.host,
            session.process.to_string(),
            session.version,
            session.started,
            session.ended.unwrap_or_else(|| "–".into()),
        ]);
    }
    Ok(found.table(plan) + "\n" + &titled("Sessions", table, &[0, 3, 4]))
}

/// A point on a fold, as it is exported.
struct Row {
    evaluation: Evaluation,
    point: Value,
    criterion: f64,
}

/// The evaluations of a tuning, one row for each point on a fold.
pub fn export(
    path: &Path,
    store: &Store,
    kind: SearchKind,
    mean: bool,
    format: Format,
) -> Result<String, Failure> {
    let refuse = |what: &str| {
        let remedy = "write CSV or JSON Lines, without --mean";
        let what = format!("it is the store of {}, {what}", kind.one());
        Err(Error::store(path, what, remedy).into())
    };
    if mean {
        return refuse("whose points have no means");
    }
    let mut rows: Vec<Row> = Vec::new();
    for evaluation in store.evaluations()? {
        for (point, criterion) in points_of(path, &evaluation)? {
            rows.push(Row {
                evaluation: evaluation.clone(),
                point,
                criterion,
            });
        }
    }
    match format {
        Format::JsonLines => Ok(rows.iter().map(Row::json).collect()),
        Format::Csv => Ok(as_csv(&rows)),
        _ => refuse("which Parquet has no columns for"),
    }
}

impl Row {
    fn json(&self) -> String {
        one_line(&json!({
            "batch": self.evaluation.number,
            "part": self.evaluation.part,
            "fold": self.evaluation.fold,
            "hyperparameters": self.point,
            "criterion": self.criterion,
            "device": self.evaluation.device,
        }))
    }

    /// The fields of CSV, with the hyperparameters of these names; the entries of a vector have spaces between them.
    fn fields(&self, names: &[&String]) -> Vec<String> {
        let value = |name: &&String| match &self.point[name.as_str()] {
            Value::Array(values) => {
                let entries: Vec<String> = values.iter().map(Value::to_string).collect();
                entries.join(" ")
            }
            Value::Null => String::new(),
            value => value.to_string(),
        };
        let mut fields = vec![
            self.evaluation.number.to_string(),
            self.evaluation.part.clone(),
            self.evaluation.fold.to_string(),
        ];
        fields.extend(names.iter().map(value));
        fields.extend([number(self.criterion), self.evaluation.device.clone()]);
        fields
    }
}

fn as_csv(rows: &[Row]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for row in rows {
        let own = row.point.as_object().into_iter().flat_map(Map::keys);
        for name in own {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut header: Vec<String> = ["batch", "part", "fold"].map(String::from).to_vec();
    header.extend(names.iter().map(|name| (*name).clone()));
    header.extend(["criterion", "device"].map(String::from));
    let fields = rows.iter().map(|row| row.fields(&names).into_iter());
    csv_text(&header, fields)
}
