//! The summary of a sweep: the choices, counts by status, time.

use serde_json::{Map, Value, json};

use super::csv::Column;
use super::edge::{remarks, remedies};
use super::information;
use super::json::{self, one_line};
use super::polished::Polished;
use super::records::{point_record, shard_record, study_record};
use super::report::Report;
use super::stability::Chosen;
use super::subject::subject;
use super::table::{missing_hypergradients, norm_of, plain, titled};
use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, rough, short, significant};
use crate::cli::printable::printable;
use crate::hypergrad::{Information, Outcome, Part};
use crate::kinds::Precision;
use crate::sweep::cells::{CellStore, ShardTally, Tally};
use crate::sweep::record::{Number, Plan, PlanPoint, Shard, Study};
use crate::sweep::select::{Choice, choose};
use crate::sweep::stability::Stability;
use crate::sweep::summary::{PointSummary, summarize, summarize_so_far};

/// The version of the JSON of sweeps.
const SCHEMA: u32 = 2;

/// The results of a sweep, or of what is done of it.
pub struct Summary<'a> {
    plan: &'a Plan,
    /// The state of the plan.
    pub tally: Tally,
    /// Per study the summaries of its finished points.
    summaries: Vec<Vec<PointSummary>>,
    /// Per study and target the folds that the means are over.
    folds: Vec<Vec<Vec<usize>>>,
    choices: Vec<Vec<Choice>>,
    place: Option<String>,
    device: &'a str,
    precision: Precision,
    /// The part of the plan that the sweep was to do, if not all.
    shard: Option<ShardTally>,
    /// Wall time of the sweep that has just run; `None` for a look at what is stored.
    seconds: Option<f64>,
    /// How often features are chosen, of studies of resamples.
    stabilities: Vec<Chosen<'a>>,
    /// Where descents from the best points lead, where that was asked for.
    polished: Option<Vec<Polished>>,
    /// Per study the criteria of fits to all rows at its points, where they were asked for.
    information: Option<Vec<Vec<Information>>>,
}

impl<'a> Summary<'a> {
    /// The summary of finished cells; `device` and `precision` are those of the results.
    pub fn new(
        plan: &'a Plan,
        store: &dyn CellStore,
        device: &'a str,
        precision: Precision,
    ) -> Result<Self, Failure> {
        let mut summaries = Vec::with_capacity(plan.studies.len());
        let mut folds = Vec::with_capacity(plan.studies.len());
        for (number, study) in plan.studies.iter().enumerate() {
            let (of_study, done) = finished(store, number, study)?;
            folds.push(of_study);
            summaries.push(done);
        }
        let choices = plan
            .studies
            .iter()
            .zip(&summaries)
            .map(|(study, summaries)| choose(study, summaries))
            .collect();
        let mut stabilities = Vec::new();
        for (number, study) in plan.studies.iter().enumerate() {
            let Some(resampling) = study.resampling() else {
                continue;
            };
            for target in 0..study.targets.len() {
                let found = Stability::of(store, number, study, target)?;
                stabilities.extend(found.map(|stability| Chosen {
                    study,
                    target,
                    resampling: resampling.clone(),
                    stability,
                }));
            }
        }
        Ok(Self {
            plan,
            stabilities,
            tally: store.tally()?,
            summaries,
            folds,
            choices,
            place: store.file().map(|path| path.display().to_string()),
            device,
            precision,
            shard: None,
            seconds: None,
            polished: None,
            information: None,
        })
    }

    /// The summary of a sweep that was to do only a part of the plan.
    pub fn of_shard(
        mut self,
        store: &dyn CellStore,
        shard: Option<Shard>,
    ) -> Result<Self, Failure> {
        self.shard = match shard {
            Some(shard) => Some(store.shard_tally(self.plan, shard)?),
            None => None,
        };
        Ok(self)
    }

    /// The summary of a sweep that has just run, for this time.
    pub fn after(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// The summary with what descents from the best points of every target found.
    pub fn with_polished(mut self, polished: Vec<Polished>) -> Self {
        self.polished = Some(polished);
        self
    }

    /// The summary with criteria of fits to all rows, per study those of its points.
    pub fn with_information(mut self, information: Vec<Vec<Information>>) -> Self {
        self.information = Some(information);
        self
    }

    /// The criteria of fits to all rows, per study those of its points.
    pub fn information(&self) -> Option<&[Vec<Information>]> {
        self.information.as_deref()
    }

    /// The same as columns of CSV beside the [`outcomes`](Self::outcomes).
    pub fn information_columns(&self) -> Vec<Column> {
        let Some(information) = &self.information else {
            return Vec::new();
        };
        let has_outcome = |s: &&PointSummary| {
            let cell = s.single.as_ref();
            cell.is_some_and(|cell| cell.outcome.is_some())
        };
        let points = self.summaries[0].iter().filter(has_outcome);
        let own: Vec<&Information> = points.map(|s| &information[0][s.point]).collect();
        information::columns(&own)
    }

    /// The summary of results that are kept nowhere.
    pub fn without_place(mut self) -> Self {
        self.place = None;
        self
    }

    /// The cells that are done and all, of what the sweep was to do.
    pub fn own_cells(&self) -> (usize, usize) {
        match &self.shard {
            Some(shard) => (shard.cells_done, shard.cells),
            None => (self.tally.cells_done, self.tally.cells),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.plan
    }

    /// The finished points of a study.
    pub fn summaries(&self, study: usize) -> &[PointSummary] {
        &self.summaries[study]
    }

    /// The folds that the means of a target are over, places in the study's folds; none before
    /// anything is finished.
    pub fn folds(&self, study: usize, target: usize) -> &[usize] {
        &self.folds[study][target]
    }

    /// The outcomes of the only study, where they were kept, in the order of its points.
    pub fn outcomes(&self) -> Vec<&Outcome> {
        let cells = self.summaries[0].iter().filter_map(|s| s.single.as_ref());
        cells.filter_map(|cell| cell.outcome.as_deref()).collect()
    }

    /// The choices of a study, one per target that has a finished point.
    pub fn choices(&self, study: usize) -> &[Choice] {
        &self.choices[study]
    }

    /// One JSON object on one line; with the outcomes of a report for a sweep that has kept them.
    pub fn json(&self, report: Option<&Report<'_>>) -> String {
        let record = |number: usize, at: usize| {
            let summary = &self.summaries[number][at];
            let mut record = point_record(&self.plan.studies[number], summary);
            let outcome = summary
                .single
                .as_ref()
                .and_then(|cell| cell.outcome.as_ref());
            if let (Some(report), Some(outcome)) = (report, outcome)
                && let Ok(Value::Object(more)) = serde_json::to_value(json::point(report, outcome))
            {
                record.extend(more);
            }
            if let Some(information) = &self.information {
                let own = information::record(&information[number][summary.point]);
                record.insert("information".into(), own);
            }
            record
        };
        let mut choices = Vec::new();
        for (number, (study, of_study)) in self.plan.studies.iter().zip(&self.choices).enumerate() {
            choices.extend(of_study.iter().map(|choice| {
                json!({
                    "study": study.name,
                    "target": study.targets[choice.target],
                    "best": record(number, choice.best),
                    "one_standard_error": choice.one_standard_error.map(|at| record(number, at)),
                })
            }));
        }
        let mut head = self.head(&choices);
        if let Some(report) = report {
            head["problem"] = json!(json::problem(report));
        }
        // Points one by one: there may be a million, and a record takes more memory than its text.
        let mut text = one_line(&head);
        text.truncate(text.trim_end().len() - 1);
        text.push_str(",\"points\":[");
        for (number, summaries) in self.summaries.iter().enumerate() {
            for at in 0..summaries.len() {
                if !text.ends_with('[') {
                    text.push(',');
                }
                text.push_str(one_line(&record(number, at)).trim_end());
            }
        }
        text.push_str("]}\n");
        text
    }

    /// The JSON without its points.
    fn head(&self, choices: &[Value]) -> Value {
        // With one study and one target the choice is the sweep's.
        let only = |name: &str| match choices {
            [one] => one[name].clone(),
            _ => Value::Null,
        };
        let tally = &self.tally;
        let counts = |counts: &[(String, usize)]| -> Map<String, Value> {
            let counts = counts.iter();
            counts.map(|(name, n)| (name.clone(), json!(n))).collect()
        };
        let device = |(name, units, seconds): &(String, usize, f64)| json!({"device": name, "units": units, "seconds": seconds});
        json!({
            "schema": SCHEMA,
            "studies": self.plan.studies.iter().map(study_record).collect::<Vec<Value>>(),
            "device": self.device,
            "precision": self.precision.name(),
            "best": only("best"),
            "one_standard_error": only("one_standard_error"),
            "choices": choices,
            "stability": match self.stabilities.as_slice() {
                [] => Value::Null,
                all => json!(all.iter().map(Chosen::record).collect::<Vec<Value>>()),
            },
            "polished": self.polished.as_ref().map(|all| {
                all.iter().map(Polished::record).collect::<Vec<Value>>()
            }),
            "statuses": counts(&tally.statuses),
            "hypergradients_missing": counts(&tally.without_hypergradient),
            "cells": tally.cells,
            "cells_done": tally.cells_done,
            "shard": self.shard.map(|shard| shard_record(&shard)),
            "units": tally.units,
            "units_done": tally.units_done,
            "complete": tally.cells == tally.cells_done,
            "devices": tally.devices.iter().map(device).collect::<Vec<Value>>(),
            "store": self.place,
            "configuration": self.plan.configuration.parse::<toml::Table>().ok(),
            "seconds": self.seconds,
            "work_seconds": self.work_seconds(),
        })
    }

    /// Remarks on the best points of all sweeps, one line each.
    pub fn remarks(&self) -> String {
        let mut text = String::new();
        for (number, study) in self.plan.studies.iter().enumerate() {
            for choice in &self.choices[number] {
                text.push_str(&self.remarks_of(number, study, *choice));
            }
        }
        text.push_str(&self.information_lines());
        text.push_str(&self.polished_lines());
        text
    }

    /// Where criteria of fits to all rows are smallest.
    fn information_lines(&self) -> String {
        let all = self
            .plan
            .studies
            .iter()
            .zip(self.information.iter().flatten());
        let lines = all.flat_map(|(study, own)| {
            (0..study.targets.len()).map(move |target| information::lines(study, target, own))
        });
        lines.collect()
    }

    /// How often features are chosen, of every target of a study of resamples.
    fn stability_tables(&self, number: usize, study: &Study) -> String {
        let own = self
            .stabilities
            .iter()
            .filter(|one| std::ptr::eq(one.study, study));
        let best = |target: usize| {
            let mut choices = self.choices[number].iter();
            let choice = choices.find(|choice| choice.target == target)?;
            Some(self.summaries[number][choice.best].point)
        };
        own.map(|one| one.table(best(one.target))).collect()
    }

    /// A line for every target that was polished.
    fn polished_lines(&self) -> String {
        let all = self.polished.iter().flatten();
        all.map(Polished::line).collect()
    }

    fn remarks_of(&self, number: usize, study: &Study, choice: Choice) -> String {
        let best = &self.summaries[number][choice.best];
        let lines = remarks(study, best);
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Text for people: the `best` best points of every target, and the choices.
    pub fn table(&self, best: usize) -> String {
        let mut text = String::new();
        for (number, study) in self.plan.studies.iter().enumerate() {
            for choice in &self.choices[number] {
                text.push_str(&self.target_table(number, study, *choice, best));
                text.push_str(&self.remarks_of(number, study, *choice));
            }
            text.push_str(&self.stability_tables(number, study));
            for target in 0..study.targets.len() {
                if let Some(remark) = self.failed_cells(number, target) {
                    let subject = subject(study, target);
                    text.push_str(&format!("{}: {remark}\n", printable(&subject)));
                }
            }
            let most = self.folds[number].iter().map(Vec::len).max().unwrap_or(0);
            let all = study.folds.len();
            if most < all && all > 1 {
                let rest = if self.summaries[number].is_empty() {
                    "so there is no best one".into()
                } else {
                    format!("so the means are on {most} of them at most")
                };
                text.push_str(&format!(
                    "{}: no point is done on all of its {all} folds yet, {rest}\n",
                    printable(&study.name)
                ));
            }
        }
        text.push_str(&self.information_lines());
        text.push_str(&self.polished_lines());
        let tally = &self.tally;
        let statuses: Vec<String> = tally
            .statuses
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        if let Some(tally) = &self.shard {
            text.push_str(&format!(
                "shard {}: {} of {} cells\n",
                tally.shard, tally.cells_done, tally.cells
            ));
        }
        let missing =
            missing_hypergradients(&tally.without_hypergradient, tally.cells_done, "cell");
        if let Some(line) = missing {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!(
            "{} of {} cells{}{}{}{}\n",
            tally.cells_done,
            tally.cells,
            if self.shard.is_some() {
                " of the whole plan"
            } else {
                ""
            },
            if statuses.is_empty() { "" } else { ": " },
            statuses.join(", "),
            self.time()
        ));
        if let Some(place) = &self.place {
            text.push_str(&format!("Results are in {}\n", printable(place)));
        }
        text
    }

    /// A remark on a target's cells that failed: they are in no mean, and what that does to the
    /// choices. `None` where there are none.
    pub fn failed_cells(&self, number: usize, target: usize) -> Option<String> {
        let study = &self.plan.studies[number];
        let of_target = |s: &&PointSummary| study.points[s.point].target == target && s.failed > 0;
        let failed = || self.summaries[number].iter().filter(of_target);
        let (points, cells) = (failed().count(), failed().map(|s| s.failed).sum::<usize>());
        if points == 0 {
            return None;
        }
        let remedy = remedies(failed().map(|s| s.status));
        let choice = self.choices[number].iter().find(|c| c.target == target);
        let Some(choice) = choice else {
            return Some(format!(
                "all cells failed, so there is no best point; {remedy}"
            ));
        };
        let of_best = self.summaries[number][choice.best].failed;
        let (cells, points) = (counted(cells, "cell"), counted(points, "point"));
        Some(if of_best == 0 {
            format!(
                "{cells} of {points} failed: no mean counts them, and the choices are among the points without \
                 such cells; {remedy}"
            )
        } else {
            format!(
                "every point has cells that failed, {cells} in all: no mean counts them, and the choices are \
                 among the points with the fewest, {of_best} each; {remedy}"
            )
        })
    }

    /// The seconds of all finished units together: threads and processes that worked side by side
    /// count each for itself.
    fn work_seconds(&self) -> f64 {
        self.tally
            .devices
            .iter()
            .map(|(_, _, seconds)| seconds)
            .sum()
    }

    fn time(&self) -> String {
        let (work, units) = (self.work_seconds(), self.tally.units_done);
        match self.seconds {
            Some(seconds) => format!(" in {seconds:.2} s on {}", self.device),
            None if units == 0 => String::new(),
            None => format!("; {work:.2} s of work in {units} units on {}", self.device),
        }
    }

    fn target_table(&self, number: usize, study: &Study, choice: Choice, best: usize) -> String {
        let summaries = &self.summaries[number];
        let mean = |at: &usize| summaries[*at].means[Number::Criterion];
        let mut order: Vec<usize> = (0..summaries.len())
            .filter(|&at| study.points[summaries[at].point].target == choice.target)
            .collect();
        // Points that are no candidates for a choice come after those that are.
        order.sort_by(|a, b| {
            (!mean(a).is_finite())
                .cmp(&!mean(b).is_finite())
                .then(summaries[*a].failed.cmp(&summaries[*b].failed))
                .then(mean(a).total_cmp(&mean(b)))
        });
        let all = order.len();
        // The best first: at ties it need not be the first of the order.
        order.retain(|&at| at != choice.best);
        order.insert(0, choice.best);
        order.truncate(best.max(1));
        if let Some(sparse) = choice.one_standard_error
            && !order.contains(&sparse)
        {
            order.push(sparse);
        }
        let has_ratio = study.points.iter().any(|point| point.ratio.is_some());
        let metric = Number::METRICS
            .into_iter()
            .find(|&n| summaries[choice.best].means.finite(n).is_some());
        let mut header = vec!["l1", "l2"];
        if has_ratio {
            header.extend(["alpha", "l1 ratio"]);
        }
        header.extend(["criterion", "std. error", "hypergradient", "support"]);
        header.extend(metric.map(Number::name));
        header.extend(["status", "choice"]);
        let mut table = plain(&header);
        for &at in &order {
            let summary = &summaries[at];
            let point = &study.points[summary.point];
            let mut row = vec![short(point.l1), short(point.l2)];
            if has_ratio {
                let (alpha, ratio) = point.ratio.unwrap_or((f64::NAN, f64::NAN));
                row.extend([short(alpha), short(ratio)]);
            }
            row.push(significant(summary.means[Number::Criterion]));
            row.push(rough(summary.standard_error));
            row.push(hypergradient(summary));
            row.push(short(summary.means[Number::Support]));
            row.extend(metric.map(|n| significant(summary.means[n])));
            row.push(summary.status.name().into());
            let is_sparse = choice.one_standard_error == Some(at);
            row.push(match (at == choice.best, is_sparse) {
                (true, true) => "best, one std. error".into(),
                (true, false) => "best".into(),
                (false, true) => "one std. error".into(),
                (false, false) if summary.failed > 0 => {
                    format!("none: {} failed", counted(summary.failed, "fold"))
                }
                (false, false) => String::new(),
            });
            table.add_row(row);
        }
        let last = header.len() - 1;
        titled(&self.title(number, study, choice, all), table, &[last])
    }

    fn title(&self, number: usize, study: &Study, choice: Choice, points: usize) -> String {
        let mut title = subject(study, choice.target);
        let (folds, all) = (self.folds(number, choice.target).len(), study.folds.len());
        let is_partial = folds < all;
        if is_partial {
            title.push_str(&format!(": means on {folds} of {all} folds"));
        } else if folds > 1 {
            let parts = if study.is_resampled() {
                "resamples"
            } else {
                "folds"
            };
            title.push_str(&format!(": means over {folds} {parts}"));
        } else {
            title.push_str(&format!(": {} rows held out", study.folds[0].held_out_rows));
        }
        let of_target = |point: &&PlanPoint| point.target == choice.target;
        let planned = study.points.iter().filter(of_target).count();
        if points < planned {
            // A mean over some of the folds is not to be compared with one over all.
            let which = if is_partial { "these" } else { "all" };
            title.push_str(&format!(
                "; the best of {points} points that are done on {which} folds, of {planned}"
            ));
        } else {
            title.push_str(&format!("; the best of {points} points"));
        }
        title
    }
}

/// Per target the folds that the means are over, and the finished points: those that are done on
/// all folds, or while a target has none, those that are done on the same ones.
fn finished(
    store: &dyn CellStore,
    number: usize,
    study: &Study,
) -> Result<(Vec<Vec<usize>>, Vec<PointSummary>), Failure> {
    let complete = summarize(store, number, study)?;
    let has_point = |target: usize| {
        let of_target = |s: &PointSummary| study.points[s.point].target == target;
        complete.iter().any(of_target)
    };
    if (0..study.targets.len()).all(has_point) {
        let all: Vec<usize> = (0..study.folds.len()).collect();
        return Ok((vec![all; study.targets.len()], complete));
    }
    Ok(summarize_so_far(store, number, study)?)
}

fn hypergradient(summary: &PointSummary) -> String {
    let vector = &summary.hypergradient_l1_vector;
    let number = |part| summary.numbers().finite(Number::of_part(part)?);
    let text = |part| match part {
        Part::L1 if !vector.is_empty() => Some(norm_of(vector)),
        part => number(part).map(significant),
    };
    let parts: Vec<String> = Part::ALL
        .into_iter()
        .filter_map(|part| Some(format!("{} {}", part.label(), text(part)?)))
        .collect();
    if parts.is_empty() {
        "–".into()
    } else {
        parts.join("  ")
    }
}
