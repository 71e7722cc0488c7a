//! The report of a cleaning: a table of the most suspect rows for people, one JSON object, all rows as CSV.

use std::path::Path;

use serde_json::{Value, json};

use super::csv;
use super::json::{intercept_value, one_line};
use super::table::{plain, titled};
use super::write::Rendered;
use crate::cli::configuration::{Prepared, Study};
use crate::cli::numbers::{counted, rough, short, significant};
use crate::data::labels::names_of;
use crate::tune::{Cleaned, CleaningStep, Detection};

/// The version of the JSON that is written here.
const SCHEMA: u32 = 2;

/// A cleaning with what is needed to name and explain it.
pub struct CleanedReport<'a> {
    /// Names and classes.
    pub study: &'a Study<'a>,
    /// The problem.
    pub prepared: &'a Prepared,
    /// The outcome.
    pub found: &'a Cleaned,
    /// The names of the rows of the data, where a column gives them.
    pub row_names: Option<&'a [String]>,
    /// Whether each training row is known to be wrong, where that is known.
    pub corrupted: Option<&'a [bool]>,
    /// How well they were found.
    pub detection: Option<Detection>,
    /// Rows that the table shows.
    pub top: usize,
    /// The directory that the model was saved to.
    pub model: Option<&'a Path>,
}

impl Rendered for CleanedReport<'_> {
    fn json(&self) -> String {
        let found = self.found;
        let rows: Vec<usize> = (0..self.prepared.rows)
            .map(|row| self.prepared.row_in_data(row))
            .collect();
        let ranking: Vec<usize> = found
            .ranking
            .iter()
            .map(|&row| self.prepared.row_in_data(row))
            .collect();
        let target = found.outcome.point.target;
        let problem = &self.prepared.problem;
        let (coefficients, intercepts) = problem.in_data_units(&found.outcome.solution, target);
        let intercept = intercept_value(intercepts, self.study.predictors);
        let has_l1 = problem.problem.penalty().has_strength();
        let record = json!({
            "schema": SCHEMA,
            "weights": found.weights,
            "ranking": ranking,
            "l2": found.outcome.point.l2,
            "validation_error": found.error,
            "criterion": found.outcome.criterion,
            "evidence": found.evidence,
            "slopes": found.slopes,
            "rows": rows,
            "first": step(&found.first),
            "steps": found.steps.iter().map(step).collect::<Vec<_>>(),
            "evaluations": found.evaluations,
            "validation_rows": found.trusted_rows,
            "judging_rows": found.judging_rows,
            "detection": self.detection.map(|found| json!({
                "auc": found.auc,
                "precision": found.precision,
                "recall": found.recall,
            })),
            "l1": has_l1.then_some(found.outcome.point.l1),
            "coefficients": coefficients,
            "intercept": intercept,
            "support": found.outcome.support,
            "status": found.outcome.status.name(),
            "remarks": self.remarks(),
        });
        one_line(&record)
    }

    /// All rows as CSV, in the order of the data.
    fn csv(&self) -> String {
        let mut header = vec!["row", "target", "weight", "evidence", "rank"];
        if self.corrupted.is_some() {
            header.push("corrupted");
        }
        let found = self.found;
        let mut ranks = vec![0; found.ranking.len()];
        for (rank, &row) in found.ranking.iter().enumerate() {
            ranks[row] = rank + 1;
        }
        let labels = names_of(&self.study.tables().all.targets[0].values);
        let rows = (0..self.prepared.rows).map(|row| {
            let mut fields = vec![
                self.prepared.row_in_data(row).to_string(),
                labels[self.prepared.row_in_data(row)].clone(),
                csv::number(found.weights[row]),
                csv::number(found.evidence[row]),
                ranks[row].to_string(),
            ];
            if let Some(corrupted) = self.corrupted {
                fields.push(u8::from(corrupted[row]).to_string());
            }
            fields.into_iter()
        });
        let header: Vec<String> = header.into_iter().map(String::from).collect();
        csv::write(&header, rows)
    }

    fn table(&self) -> String {
        let (head, rows) = self.outcomes();
        let mut table = plain(&head.iter().map(String::as_str).collect::<Vec<_>>());
        table.add_rows(rows);
        let mut text = titled(&self.title(), table, &[0]);
        text.push_str(&format!("\n{}\n", self.suspects()));
        for remark in self.remarks() {
            text.push_str(&format!("{remark}\n"));
        }
        if let Some(directory) = self.model {
            text.push_str(&format!("Model saved to {}\n", directory.display()));
        }
        text
    }
}

impl CleanedReport<'_> {
    /// The head and the rows of a table of the fits: that with all rows, and the one that is kept.
    pub(super) fn outcomes(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let found = self.found;
        let head = ["", self.error_name(), "criterion", "l2", "mean weight"];
        let rows = found.weights.len();
        let cleaned = CleaningStep {
            evaluation: found.evaluations,
            l2: found.outcome.point.l2,
            criterion: found.outcome.criterion,
            error: found.error,
            mean_weight: found.weights.iter().sum::<f64>() / rows as f64,
        };
        let row = |(name, step): (&str, &CleaningStep)| {
            vec![
                name.to_string(),
                significant(step.error),
                significant(step.criterion),
                short(step.l2),
                significant(step.mean_weight),
            ]
        };
        let rows = [("all rows", &found.first), ("cleaned", &cleaned)];
        (head.map(String::from).to_vec(), rows.map(row).to_vec())
    }

    /// A row in words, for where no head of a column says it.
    pub(super) fn row_name(&self, row: usize) -> String {
        let number = self.prepared.row_in_data(row);
        let name = self.row_names.map(|names| names[number].clone());
        name.unwrap_or_else(|| format!("row {number}"))
    }

    fn title(&self) -> String {
        let problem = &self.prepared.problem.problem;
        format!(
            "{}: {} loss, {} penalty, {} × {}, judged by {}; {}",
            self.study.source(),
            problem.loss().name(),
            problem.penalty().name(),
            self.prepared.rows,
            problem.train().design.features(),
            counted(self.prepared.criterion_rows, "trusted row"),
            counted(self.found.evaluations, "fit"),
        )
    }

    /// The head and the rows of a table of the most suspect training rows.
    pub(super) fn suspect_cells(&self, count: usize) -> (Vec<String>, Vec<Vec<String>>) {
        let found = self.found;
        let mut header = vec!["row", "target", "weight", "evidence"];
        if self.corrupted.is_some() {
            header.push("corrupted");
        }
        let labels = names_of(&self.study.tables().all.targets[0].values);
        let row = |&row: &usize| {
            let mut fields = vec![
                self.prepared.row_in_data(row).to_string(),
                labels[self.prepared.row_in_data(row)].clone(),
                significant(found.weights[row]),
                significant(found.evidence[row]),
            ];
            if let Some(corrupted) = self.corrupted {
                fields.push(if corrupted[row] { "yes" } else { "" }.into());
            }
            fields
        };
        let header = header.into_iter().map(String::from).collect();
        (header, found.ranking.iter().take(count).map(row).collect())
    }

    fn suspects(&self) -> String {
        let found = self.found;
        let (head, rows) = self.suspect_cells(self.top);
        let mut table = plain(&head.iter().map(String::as_str).collect::<Vec<_>>());
        table.add_rows(rows);
        let out = found.weights.iter().filter(|w| **w < 0.5).count();
        let title = format!(
            "the most suspect rows; {} of {} have a weight below ½",
            out,
            counted(self.prepared.rows, "row")
        );
        titled(&title, table, &[1])
    }

    pub(super) fn error_name(&self) -> &'static str {
        match self.study.classes.first().and_then(Option::as_ref) {
            Some(_) => "share wrong",
            None => "mean square error",
        }
    }

    /// Remarks for the reader, one line each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.found.is_better {
            remarks.push(
                "no weights do better on the trusted rows than all rows in full weight by more than two \
                 standard errors: all keep theirs"
                    .into(),
            );
        }
        if let Some(Detection {
            auc,
            precision,
            recall,
        }) = self.detection
        {
            remarks.push(format!(
                "of the corrupted rows: AUC of the evidence {}; weights below ½: precision {}, recall {}",
                rough(auc),
                rough(precision),
                rough(recall)
            ));
        }
        remarks.push(
            "the trusted rows have chosen the weights: what they say of the error is too good; rows of their own \
             say more (predict --y)"
                .into(),
        );
        remarks
    }
}

fn step(step: &CleaningStep) -> Value {
    json!({
        "evaluation": step.evaluation,
        "l2": step.l2,
        "criterion": step.criterion,
        "error": step.error,
        "mean_weight": step.mean_weight,
    })
}
