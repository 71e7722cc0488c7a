//! Where descents from the best points of a sweep lead.

use serde_json::{Value, json};

use crate::cli::numbers::{counted, significant};
use crate::cli::printable::printable;
use crate::tune::Tuned;

/// What descents from the best points of a target found.
pub struct Polished {
    /// The study's name.
    pub study: String,
    /// The target's name.
    pub target: String,
    /// Whether the penalty has l1.
    pub has_l1: bool,
    /// The best criterion of the sweep.
    pub before: f64,
    /// The end of the descents.
    pub tuned: Tuned,
}

impl Polished {
    /// Its JSON.
    pub(super) fn record(&self) -> Value {
        let tuned = &self.tuned;
        json!({
            "study": self.study,
            "target": self.target,
            "status": tuned.status.name(),
            "evaluations": tuned.evaluations,
            "criterion": tuned.criterion,
            "fold_criteria": tuned.fold_criteria,
            "hyperparameters": {
                "l1": self.has_l1.then_some(tuned.point.l1),
                "l2": tuned.point.l2,
            },
            "projected_slope": tuned.projected_slope,
            "remarks": tuned.remarks,
        })
    }

    /// A line for people, and the remarks.
    pub(super) fn line(&self) -> String {
        let tuned = &self.tuned;
        let l1 = if self.has_l1 {
            format!("l1 {}, ", significant(tuned.point.l1))
        } else {
            String::new()
        };
        let mut text = format!(
            "{}: polished from {} to {} at {l1}l2 {}; {} after {}\n",
            printable(&self.target),
            significant(self.before),
            significant(tuned.criterion),
            significant(tuned.point.l2),
            tuned.status.name(),
            counted(tuned.evaluations, "evaluation"),
        );
        for remark in &tuned.remarks {
            text.push_str(&format!("{remark}\n"));
        }
        text
    }
}
