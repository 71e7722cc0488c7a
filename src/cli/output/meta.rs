//! The report of meta-learning: a table of errors for people, one JSON object, the errors of tasks as CSV.

use std::path::Path;

use serde_json::{Value, json};

use super::csv;
use super::json::{intercept_value, one_line};
use super::table::{plain, titled};
use super::write::Rendered;
use crate::cli::configuration::{Study, Tasks};
use crate::cli::numbers::{counted, rough, short, significant};
use crate::tune::{MetaErrors, MetaGuarded, MetaLearned, MetaPrior, MetaVariable};

/// The version of the JSON that is written here.
const SCHEMA: u32 = 2;

/// A point of the learning curve.
pub struct CurvePoint {
    /// The number of tasks that were learned from.
    pub tasks: usize,
    /// The errors on held-out tasks.
    pub error: MetaErrors,
}

/// The learned hyperparameters, with names and the study to explain them.
pub struct MetaReport<'a> {
    /// Names and classes.
    pub study: &'a Study<'a>,
    /// The tasks.
    pub tasks: &'a Tasks,
    /// The outcome.
    pub learned: &'a MetaLearned,
    /// The prior in the data's units.
    pub prior: &'a [f64],
    /// The variables that were to be learned.
    pub learns: &'a [MetaVariable],
    /// The learning curve, without the point of all tasks.
    pub curve: &'a [CurvePoint],
    /// The directory that the prior was saved to.
    pub model: Option<&'a Path>,
}

/// The ways that are compared: name in JSON, name in tables.
pub(super) const WAYS: [(&str, &str); 5] = [
    ("meta", "around the learned prior"),
    ("alone", "each task alone"),
    ("pooled", "one model of all rows"),
    ("mean_of_solutions", "the mean of the tasks' solutions"),
    ("around_mean", "around that mean"),
];

/// The errors in the order of [`WAYS`].
pub(super) fn errors(of: &MetaErrors) -> [Option<f64>; 5] {
    [
        Some(of.meta),
        Some(of.alone),
        of.pooled,
        Some(of.mean_of_solutions),
        of.around_mean,
    ]
}

impl Rendered for MetaReport<'_> {
    fn json(&self) -> String {
        let learned = self.learned;
        let intercept = intercept_value(learned.intercept.clone(), self.study.predictors);
        let curve = self.curve.iter().map(|point| {
            let mut record = record(&point.error);
            record["tasks"] = json!(point.tasks);
            record
        });
        let record = json!({
            "schema": SCHEMA,
            "status": learned.status.name(),
            "tasks": self.tasks.learned() + self.tasks.test_names.len(),
            "training_tasks": self.tasks.learned(),
            "test_tasks": self.tasks.test_names,
            "prior": self.prior,
            "intercept": intercept,
            "hyperparameters": {
                "l1": self.has_l1().then_some(learned.l1),
                "l2": learned.l2,
            },
            "nested": learned.nested.as_ref().map(nested),
            "error": learned.error.as_ref().map(record),
            "errors": self.by_task().iter().map(record).collect::<Vec<_>>(),
            "criterion": learned.criterion,
            "projected_slope": learned.projected_slope,
            "evaluations": learned.evaluations,
            "alone": { "l1": self.has_l1().then_some(learned.alone.l1), "l2": learned.alone.l2 },
            "curve": curve.collect::<Vec<Value>>(),
            "remarks": self.remarks(),
        });
        one_line(&record)
    }

    /// The errors of every held-out task as CSV.
    fn csv(&self) -> String {
        let header: Vec<String> = std::iter::once("task")
            .chain(WAYS.iter().map(|way| way.0))
            .map(String::from)
            .collect();
        let rows = self.tasks.test_names.iter().zip(self.by_task());
        let rows = rows.map(|(name, of)| {
            let numbers = errors(&of).map(|error| error.map_or(String::new(), csv::number));
            std::iter::once(name.clone()).chain(numbers)
        });
        csv::write(&header, rows)
    }

    fn table(&self) -> String {
        let learned = self.learned;
        let mut text = match &learned.error {
            None => format!("{}\n", self.title()),
            Some(error) => {
                let mut table = plain(&["fits of held-out tasks", self.error_name()]);
                let is_learned = |of: &MetaGuarded| of.returns == MetaPrior::Learned;
                for ((way, name), value) in WAYS.iter().zip(errors(error)) {
                    let name = match &learned.nested {
                        Some(nested) if *way == "meta" && !is_learned(nested) => {
                            "around the prior that is returned"
                        }
                        _ => name,
                    };
                    if let Some(value) = value {
                        table.add_row([name.to_string(), significant(value)]);
                    }
                }
                titled(&self.title(), table, &[0])
            }
        };
        text.push_str(&format!("\n{}\n", self.learned_line()));
        if !self.curve.is_empty() {
            text.push_str(&format!("\n{}", self.curve_table()));
        }
        text.push_str(&format!("\n{}", self.prior_table()));
        for remark in self.remarks() {
            text.push_str(&format!("{remark}\n"));
        }
        if let Some(directory) = self.model {
            text.push_str(&format!("Prior saved to {}\n", directory.display()));
        }
        text
    }
}

impl MetaReport<'_> {
    pub(super) fn title(&self) -> String {
        let problem = &self.tasks.pooled;
        format!(
            "{}: {} loss, {} penalty, {} features; {} learned from, {} held out",
            self.study.source(),
            problem.loss().name(),
            problem.penalty().name(),
            problem.train().design.features(),
            counted(self.tasks.learned(), "task"),
            self.tasks.test_names.len(),
        )
    }

    pub(super) fn learned_line(&self) -> String {
        let learned = self.learned;
        let prior = MetaVariable::Prior.name();
        let names: Vec<&str> = self.learns.iter().map(|name| name.name()).collect();
        let l1 = match self.has_l1() {
            true => format!("l1 {}, ", short(learned.l1)),
            false => String::new(),
        };
        // The prior that is returned, which a guard chooses.
        let returned = learned.nested.as_ref().map(|nested| nested.returns);
        let place = match returned {
            Some(MetaPrior::MeanOfSolutions) => " around the mean of the solutions",
            Some(MetaPrior::Zero) => " without a prior",
            Some(MetaPrior::Learned) | None => "",
        };
        let names: Vec<&str> = match place {
            "" => names,
            _ => names.into_iter().filter(|&name| name != prior).collect(),
        };
        let what = match names.is_empty() {
            true => "nothing".to_string(),
            false => names.join(", "),
        };
        format!(
            "learned {what}{place}: {} after {}, slope {}; {l1}l2 {}; criterion {}",
            learned.status.name(),
            counted(learned.evaluations, "evaluation"),
            rough(learned.projected_slope),
            short(learned.l2),
            significant(learned.criterion),
        )
    }

    fn curve_table(&self) -> String {
        let names = WAYS.iter().map(|way| way.0);
        let header: Vec<&str> = std::iter::once("tasks").chain(names).collect();
        let mut table = plain(&header);
        let mut add = |tasks: usize, of: &MetaErrors| {
            let cells = errors(of).map(|error| error.map_or("–".into(), significant));
            table.add_row(std::iter::once(tasks.to_string()).chain(cells));
        };
        self.curve
            .iter()
            .for_each(|point| add(point.tasks, &point.error));
        if let Some(error) = &self.learned.error {
            add(self.tasks.learned(), error);
        }
        titled(
            "errors on held-out tasks by the number of tasks learned from",
            table,
            &[],
        )
    }

    /// The names of the prior's entries.
    pub(super) fn coefficient_names(&self) -> Vec<String> {
        let classes = self.study.classes.first().and_then(Option::as_ref);
        let classes = classes.filter(|_| self.study.predictors > 1);
        let classes = classes.map(|classes| classes.names.as_slice());
        super::names::coefficient_names(self.study.feature_names(), classes)
    }

    fn prior_table(&self) -> String {
        let names = self.coefficient_names();
        let mut table = plain(&["coefficient", "prior"]);
        let mut order: Vec<usize> = (0..self.prior.len()).collect();
        let size = |at: usize| self.learned.prior[at].abs();
        order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
        for &at in order.iter().take(20) {
            table.add_row([names[at].clone(), significant(self.prior[at])]);
        }
        let title = match self.prior.len() {
            count if count > 20 => format!("the largest of {count} entries of the prior"),
            _ => "the prior".to_string(),
        };
        titled(&title, table, &[0])
    }

    /// The mean over its splits of every held-out task's errors.
    pub(super) fn by_task(&self) -> Vec<MetaErrors> {
        let tasks = self.learned.test.chunks(self.tasks.splits);
        tasks.map(MetaErrors::mean).collect()
    }

    fn has_l1(&self) -> bool {
        self.tasks.pooled.penalty().has_strength()
    }

    pub(super) fn error_name(&self) -> &'static str {
        match self.study.classes.first().and_then(Option::as_ref) {
            Some(_) => "share wrong",
            None => "mean square error",
        }
    }

    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.learned.remarks.clone();
        let entries = self.prior.len();
        let learns_prior = self.learns.contains(&MetaVariable::Prior);
        if learns_prior && self.learned.nested.is_none() && self.tasks.learned() < entries {
            remarks.push(format!(
                "{} for {}: a prior learned from so few fits them by chance; compare with fits around the \
                 mean of the solutions",
                counted(self.tasks.learned(), "task"),
                counted(entries, "coefficient"),
            ));
        }
        if self.tasks.test.is_empty() {
            remarks.push(
                "no task was held out: --test-tasks SHARE shows what the prior is worth".into(),
            );
        }
        remarks
    }
}

/// The choice of the guard as JSON, by the names of the ways.
fn nested(of: &MetaGuarded) -> Value {
    json!({
        "meta": of.learned,
        "around_mean": of.around_mean,
        "alone": of.alone,
        "standard_error": of.standard_error,
        "returns": of.returns.name(),
    })
}

/// Errors as JSON.
fn record(of: &MetaErrors) -> Value {
    let named = WAYS.iter().map(|way| way.0.to_string());
    Value::Object(named.zip(errors(of).map(|error| json!(error))).collect())
}
