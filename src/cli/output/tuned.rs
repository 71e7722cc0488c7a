//! The report of a tuning: a table for people, one JSON object, the trajectories as CSV.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::csv;
use super::information;
use super::json::{intercept_value, one_line};
use super::names::coefficient_names;
use super::scores::Scores;
use super::table::{plain, titled};
use super::write::Rendered;
use crate::cli::configuration::{Prepared, Study};
use crate::cli::numbers::{counted, rough, short, significant};
use crate::hypergrad::{Information, NoInformation, Outcome, Part};
use crate::model::loss::Loss;
use crate::tune::{Hyperparameter, Start, Tuned, TunedVariable, Visited};

/// The version of the JSON that is written here.
const SCHEMA: u32 = 2;

/// A tuning with what is needed to name and explain it.
pub struct TunedReport<'a> {
    /// Names and classes.
    pub study: &'a Study<'a>,
    /// The problem on all rows.
    pub prepared: &'a Prepared,
    /// The outcome.
    pub tuned: &'a Tuned,
    /// The variables that were to be tuned.
    pub named: &'a [Hyperparameter],
    /// Number of folds.
    pub folds: usize,
    /// The model at the best point, fitted to all rows.
    pub refit: &'a Outcome,
    /// Its criteria from its own rows alone.
    pub information: Information,
    /// Those of fits at the best points of all starts.
    pub starts: &'a [Option<Information>],
    /// Its criterion and scores on test rows.
    pub test: Option<&'a (f64, Scores)>,
    /// Show the coefficients in the table.
    pub coefficients: bool,
    /// The directory that the model was saved to.
    pub model: Option<&'a Path>,
}

impl Rendered for TunedReport<'_> {
    fn json(&self) -> String {
        let tuned = self.tuned;
        let (coefficients, intercepts) = self.in_data_units();
        let intercept = intercept_value(intercepts, self.study.predictors);
        let bounds: Map<String, Value> = tuned
            .variables
            .iter()
            .map(|v| (short_name(v).to_string(), json!([v.lower, v.upper])))
            .collect();
        let variables = || tuned.variables.iter();
        let slope: Vec<f64> = variables().flat_map(|v| v.slope.clone()).collect();
        let entries = |v: &TunedVariable| v.hyperparameter.is_vector().then_some(v.slope.len());
        let entries: Vec<Option<usize>> = variables().map(entries).collect();
        let guarded = tuned.guarded.as_ref().map(|guarded| {
            json!({
                "rho": guarded.rho,
                "nested_vector": guarded.nested,
                "nested_scalar": guarded.nested_scalar,
                "standard_error": guarded.standard_error,
                "returns_scalar": guarded.returns_scalar,
            })
        });
        let record = json!({
            "schema": SCHEMA,
            "status": tuned.status.name(),
            "evaluations": tuned.evaluations,
            "criterion": tuned.criterion,
            "nested_criterion": tuned.nested_criterion,
            "scalar_criterion": tuned.scalar_criterion,
            "hyperparameters": self.hyperparameters(),
            "projected_slope": tuned.projected_slope,
            "penalized_slope": tuned.penalized_slope,
            "starts": self.starts_record(),
            "coefficients": coefficients,
            "intercept": intercept,
            "coarse_evaluations": tuned.coarse_evaluations,
            "fold_criteria": tuned.fold_criteria,
            "slope": self.named(&slope, &entries),
            "bounds": bounds,
            "guard": guarded,
            "kink_margin": tuned.kink_margin,
            "noise": tuned.noise,
            "risk": self.risk(),
            "support": self.refit.support,
            "alo": self.information.alo,
            "gcv": self.information.gcv,
            "aic": self.information.aic,
            "bic": self.information.bic,
            "degrees_of_freedom": self.information.degrees_of_freedom,
            "information_missing": self.information.missing.map(NoInformation::reason),
            "test": self.test_record(),
            "remarks": tuned.remarks,
        });
        one_line(&record)
    }

    /// The trajectories as CSV: one row for each place that was better than all before it; the entries of
    /// a vector have spaces between them.
    fn csv(&self) -> String {
        let names: Vec<&str> = self.tuned.variables.iter().map(short_name).collect();
        let header = [
            &["start", "status", "evaluation"],
            names.as_slice(),
            &["criterion"],
        ]
        .concat();
        let header: Vec<String> = header.into_iter().map(String::from).collect();
        let row = |(at, start): (usize, &Start), visited: &Visited| -> Vec<String> {
            let named = self.named(&visited.variables, &start.entries);
            let values = names.iter().map(|name| match &named[*name] {
                Value::Array(values) => values.iter().map(csv_number).collect::<Vec<_>>().join(" "),
                value => csv_number(value),
            });
            let first = [
                at.to_string(),
                start.status.name().to_string(),
                visited.evaluation.to_string(),
            ];
            let last = csv::number(visited.criterion);
            first.into_iter().chain(values).chain([last]).collect()
        };
        let rows = self.tuned.starts.iter().enumerate().flat_map(|start| {
            let visited = start.1.trajectory.iter();
            visited.map(move |visited| row(start, visited).into_iter())
        });
        csv::write(&header, rows)
    }

    fn table(&self) -> String {
        let tuned = self.tuned;
        let mut table = plain(&["variable", "value", "slope", "lower", "upper"]);
        for variable in &tuned.variables {
            let slopes = variable.slope.iter().copied();
            let largest = slopes.max_by(|a, b| a.abs().total_cmp(&b.abs()));
            table.add_row([
                variable.hyperparameter.name().to_string(),
                values_text(&variable.values),
                rough(largest.unwrap_or_default()),
                short(variable.lower),
                short(variable.upper),
            ]);
        }
        let mut text = titled(&self.title(), table, &[0]);
        text.push_str(&format!("\n{}\n", self.criterion_line()));
        text.push_str(&format!(
            "refit on {}: {} of {} coefficients are not zero{}\n",
            counted(self.prepared.rows, "row"),
            self.refit.support,
            self.prepared.problem.problem.penalized(),
            if self.refit.is_solved() {
                String::new()
            } else {
                format!(" ({})", self.refit.status.name())
            },
        ));
        if let Some(line) = self.information_line() {
            text.push_str(&format!("{line}\n"));
        }
        if let Some(line) = self.test_line() {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!("\n{}", self.starts_table()));
        if self.coefficients {
            text.push_str(&format!("\n{}", self.coefficients_table()));
        }
        for remark in &tuned.remarks {
            text.push_str(&format!("{remark}\n"));
        }
        if let Some(directory) = self.model {
            text.push_str(&format!("Model saved to {}\n", directory.display()));
        }
        text
    }
}

impl TunedReport<'_> {
    /// Stein's estimate of the risk: the mean squared error of the fitted means.
    fn risk(&self) -> Option<f64> {
        let noise = self.tuned.noise?;
        Some(2.0 * self.tuned.criterion - noise * noise)
    }

    fn test_record(&self) -> Value {
        let Some((criterion, scores)) = self.test else {
            return Value::Null;
        };
        let mut record = json!(scores);
        record["criterion"] = json!(*criterion);
        record
    }

    /// All hyperparameters of the best point, those that were not tuned too.
    fn hyperparameters(&self) -> Value {
        let point = &self.tuned.point;
        let has_l1 = self.prepared.problem.problem.penalty().has_strength();
        let l1 = match point.strengths() {
            Some(strengths) => json!(strengths),
            None if has_l1 => json!(point.l1),
            None => Value::Null,
        };
        let mut names = self.tuned.variables.iter().map(|v| v.hyperparameter);
        let l2 = match point.ridge() {
            // That of each coefficient, ties or not.
            Some(_) if names.any(|name| name == Hyperparameter::L2Each) => {
                json!(self.prepared.problem.problem.ridges(point).as_slice())
            }
            Some(strengths) => json!(strengths),
            None => json!(point.l2),
        };
        let problem = &self.prepared.problem.problem;
        let delta = match problem.loss() {
            Loss::Huber { delta } => Some(delta),
            _ => None,
        };
        json!({
            "l1": l1,
            "l2": l2,
            "huber_delta": delta,
            "class_weights": self.tuned.class_weights,
            "prior": point.prior().or(problem.prior()),
        })
    }

    /// Numbers of the variables by their names: those of a vector as an array. A start of the common
    /// strength has one number where that of a vector has many.
    fn named(&self, values: &[f64], entries: &[Option<usize>]) -> Value {
        let mut map = Map::new();
        let mut rest = values;
        for (variable, entries) in self.tuned.variables.iter().zip(entries) {
            let (own, others) = rest.split_at(entries.unwrap_or(1).min(rest.len()));
            rest = others;
            let value = match own {
                &[value] if entries.is_none() => json!(value),
                own => json!(own),
            };
            map.insert(short_name(variable).into(), value);
        }
        Value::Object(map)
    }

    fn starts_record(&self) -> Vec<Value> {
        let starts = self.tuned.starts.iter().zip(self.starts);
        let record = |(start, own): (&Start, &Option<Information>)| {
            let mut record = self.start(start);
            record["information"] = json!(own.as_ref().map(information::record));
            record
        };
        starts.map(record).collect()
    }

    fn start(&self, start: &Start) -> Value {
        let visited = start.trajectory.iter().map(|visited| {
            json!({
                "evaluation": visited.evaluation,
                "criterion": visited.criterion,
                "hyperparameters": self.named(&visited.variables, &start.entries),
            })
        });
        json!({
            "status": start.status.name(),
            "evaluations": start.evaluations,
            "criterion": start.criterion,
            "trajectory": visited.collect::<Vec<_>>(),
        })
    }

    fn title(&self) -> String {
        let (problem, tuned) = (&self.prepared.problem.problem, self.tuned);
        format!(
            "{}: {} loss, {} penalty, {} × {}; {} after {}",
            self.study.source(),
            problem.loss().name(),
            problem.penalty().name(),
            self.prepared.rows,
            problem.train().design.features(),
            tuned.status.name(),
            counted(tuned.evaluations, "evaluation"),
        )
    }

    fn criterion_line(&self) -> String {
        let tuned = self.tuned;
        let mut line = format!("criterion {}", significant(tuned.criterion));
        if self.folds > 1 {
            line.push_str(&format!(
                ", the mean over {} folds from {}",
                self.folds,
                range_text(&tuned.fold_criteria)
            ));
        }
        if let (Some(noise), Some(risk)) = (tuned.noise, self.risk()) {
            line.push_str(&format!(
                ", Stein's estimate with noise {}: risk {}",
                significant(noise),
                significant(risk)
            ));
        }
        if let Some(nested) = tuned.nested_criterion {
            line.push_str(&format!(
                "; {} on rows that nothing was tuned on",
                significant(nested)
            ));
        }
        if let Some(scalar) = tuned.scalar_criterion {
            let is_other = |name: &&Hyperparameter| name.is_vector() && !name.is_strength();
            let others = self.named.iter().filter(is_other);
            let others: Vec<&str> = others.map(|name| name.name()).collect();
            let without = match others.as_slice() {
                [] => "with one strength in common".to_string(),
                names => format!("without {}", names.join(", ")),
            };
            line.push_str(&format!("; {} {without}", significant(scalar)));
        }
        line
    }

    fn test_line(&self) -> Option<String> {
        let (criterion, scores) = self.test?;
        let named = scores
            .named()
            .into_iter()
            .filter_map(|(name, value)| Some(format!(", {name} {}", significant(value?))));
        let named: String = named.collect();
        Some(format!(
            "{}: criterion {}{named}",
            counted(scores.rows(), "test row"),
            significant(*criterion)
        ))
    }

    fn information_line(&self) -> Option<String> {
        let own = &self.information;
        let named = [
            ("leave-one-out criterion (approximate)", own.alo),
            ("GCV", own.gcv),
            ("AIC", own.aic),
            ("BIC", own.bic),
            ("degrees of freedom", own.degrees_of_freedom),
        ];
        let parts = named.iter().filter_map(|(name, value)| {
            let value = value.filter(|value| value.is_finite())?;
            Some(format!("{name} {}", significant(value)))
        });
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| format!("of the refit's own rows: {}", parts.join(", ")))
    }

    fn starts_table(&self) -> String {
        let left_out = |at: usize| self.starts[at].and_then(|own| own.alo);
        let has_left_out = (0..self.starts.len()).any(|at| left_out(at).is_some());
        let mut header = vec!["start", "status", "evaluations", "criterion"];
        header.extend(has_left_out.then_some("leave-one-out"));
        header.extend(self.tuned.variables.iter().map(short_name));
        let mut table = plain(&header);
        for (at, start) in self.tuned.starts.iter().enumerate() {
            let mut row = vec![
                (at + 1).to_string(),
                start.status.name().to_string(),
                start.evaluations.to_string(),
                significant(start.criterion),
            ];
            row.extend(has_left_out.then(|| significant(left_out(at).unwrap_or(f64::NAN))));
            let last = start.trajectory.last();
            let named = last.map(|last| self.named(&last.variables, &start.entries));
            row.extend(self.tuned.variables.iter().map(|variable| {
                let value = named.as_ref().map(|named| &named[short_name(variable)]);
                let numbers: Vec<f64> = match value {
                    Some(Value::Array(values)) => values.iter().filter_map(Value::as_f64).collect(),
                    value => value.and_then(Value::as_f64).into_iter().collect(),
                };
                values_text(&numbers)
            }));
            table.add_row(row);
        }
        let title = match self.tuned.coarse_evaluations {
            0 => "the given start".to_string(),
            count => format!("starts from a coarse grid of {}", counted(count, "point")),
        };
        titled(&title, table, &[1])
    }

    fn coefficients_table(&self) -> String {
        let (coefficients, intercepts) = self.in_data_units();
        let classes = self.study.classes.first().and_then(Option::as_ref);
        let classes = classes.filter(|_| self.study.predictors > 1);
        let classes = classes.map(|classes| classes.names.as_slice());
        let mut table = plain(&["coefficient", "value"]);
        let names = coefficient_names(self.study.feature_names(), classes);
        for (name, &value) in names.iter().zip(&coefficients).filter(|(_, v)| **v != 0.0) {
            table.add_row([name.clone(), significant(value)]);
        }
        for value in intercepts {
            table.add_row(["intercept".to_string(), significant(value)]);
        }
        titled("coefficients that are not zero", table, &[0])
    }

    fn in_data_units(&self) -> (Vec<f64>, Vec<f64>) {
        let target = self.tuned.point.target;
        self.prepared
            .problem
            .in_data_units(&self.refit.solution, target)
    }
}

/// The name of a variable in JSON and CSV, without what says that it is a vector.
fn short_name(variable: &TunedVariable) -> &'static str {
    match variable.hyperparameter {
        Hyperparameter::HuberDelta => Part::HuberDelta.name(),
        Hyperparameter::ClassWeights => Part::ClassWeights.name(),
        hyperparameter => hyperparameter.in_common().name(),
    }
}

/// A value, or the range of those of a vector.
pub(super) fn values_text(values: &[f64]) -> String {
    match values {
        [] => String::new(),
        [value] => significant(*value),
        values => range_text(values),
    }
}

/// The smallest and the largest value.
pub fn range_text(values: &[f64]) -> String {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} to {}", short(smallest), short(largest))
}

/// A number as a field of CSV; empty where it is not finite.
fn csv_number(value: &Value) -> String {
    csv::number(value.as_f64().unwrap_or(f64::NAN))
}
