//! Where descents from the best points of a sweep lead.

use serde_json::{Value, json};

use super::subject::subject;
use crate::cli::numbers::{counted, significant};
use crate::cli::printable::printable;
use crate::problem::Point;
use crate::sweep::record::Study;
use crate::tune::Tuned;

/// The findings of descents from the best points of a target.
pub struct Polished {
    /// The study's name.
    study: String,
    /// The target's name.
    target: String,
    /// The name of both for people.
    subject: String,
    /// Whether the penalty has l1.
    has_l1: bool,
    /// The best point of the sweep.
    best: Point,
    /// The criterion there.
    before: f64,
    /// The end of the descents; `None` where the sweep's best point is as good as it gets, or there were
    /// none.
    pub end: Option<Tuned>,
    /// Remarks beside it, one sentence each.
    pub remarks: Vec<String>,
}

impl Polished {
    /// The best point of a sweep for its target, with its criterion, before any descent.
    pub fn unchanged(study: &Study, has_l1: bool, best: &Point, before: f64) -> Self {
        Self {
            study: study.name.clone(),
            target: study.targets[best.target].clone(),
            subject: subject(study, best.target),
            has_l1,
            best: best.clone(),
            before,
            end: None,
            remarks: Vec::new(),
        }
    }

    /// The point that is shown, and its criterion.
    fn place(&self) -> (&Point, f64) {
        match &self.end {
            Some(tuned) => (&tuned.point, tuned.criterion),
            None => (&self.best, self.before),
        }
    }

    /// All remarks.
    fn all_remarks(&self) -> Vec<&str> {
        let of_end = self.end.iter().flat_map(|tuned| &tuned.remarks);
        self.remarks
            .iter()
            .chain(of_end)
            .map(String::as_str)
            .collect()
    }

    /// Its JSON.
    pub(super) fn record(&self) -> Value {
        let (point, criterion) = self.place();
        let end = self.end.as_ref();
        json!({
            "study": self.study,
            "target": self.target,
            "status": end.map(|tuned| tuned.status.name()),
            "evaluations": end.map(|tuned| tuned.evaluations),
            "criterion": criterion,
            "fold_criteria": end.map(|tuned| &tuned.fold_criteria),
            "hyperparameters": {
                "l1": self.has_l1.then_some(point.l1),
                "l2": point.l2,
            },
            "projected_slope": end.map(|tuned| tuned.projected_slope),
            "remarks": self.all_remarks(),
        })
    }

    /// A line for people, and the remarks.
    pub(super) fn line(&self) -> String {
        let (point, criterion) = self.place();
        let l1 = if self.has_l1 {
            format!("l1 {}, ", significant(point.l1))
        } else {
            String::new()
        };
        let place = format!("at {l1}l2 {}", significant(point.l2));
        let subject = printable(&self.subject);
        let (before, after) = (significant(self.before), significant(criterion));
        let mut text = match &self.end {
            Some(tuned) => format!(
                "{subject}: polished from {before} to {after} {place}; {} after {}\n",
                tuned.status.name(),
                counted(tuned.evaluations, "evaluation"),
            ),
            None => format!("{subject}: not polished, {before} {place}\n"),
        };
        for remark in self.all_remarks() {
            text.push_str(&format!("{remark}\n"));
        }
        text
    }
}
