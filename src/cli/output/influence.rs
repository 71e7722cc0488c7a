//! The report of influences: a table of both ends for people, one JSON object, all rows as CSV.

use serde_json::{Value, json};

use super::csv;
use super::json::one_line;
use super::table::{plain, titled};
use super::write::Rendered;
use crate::cli::configuration::{Prepared, Study};
use crate::cli::numbers::{counted, rough, short, significant};
use crate::data::labels::names_of;
use crate::hypergrad::{EstimateKind, Influences};
use crate::problem::Sign;

/// The version of the JSON that is written here.
const SCHEMA: u32 = 2;

/// Groups of training rows by their names.
#[derive(Debug, Default)]
pub struct RowGroups {
    /// Their names.
    pub names: Vec<String>,
    /// Their rows, by the numbers of the training rows.
    pub rows: Vec<Vec<usize>>,
}

/// Influences with what is needed to name and explain them.
pub struct InfluenceReport<'a> {
    /// Names and classes.
    pub study: &'a Study<'a>,
    /// The problem.
    pub prepared: &'a Prepared,
    /// The influences.
    pub found: &'a Influences,
    /// The names of the rows of the data, where a column gives them.
    pub row_names: Option<&'a [String]>,
    /// The groups that were left out; `None` for rows one by one.
    pub groups: Option<&'a RowGroups>,
    /// Show the change of the loss on what is left out itself.
    pub own: bool,
    /// Rows or groups of each end that the table shows.
    pub top: usize,
}

/// A column: its name in a table, its name in CSV, and its value of a row or group.
struct Column {
    title: &'static str,
    name: &'static str,
    values: Vec<Value>,
    show: fn(f64) -> String,
}

impl Rendered for InfluenceReport<'_> {
    fn json(&self) -> String {
        let found = self.found;
        let point = &found.outcome.point;
        let exact = found.exact.as_ref();
        let problem = &self.prepared.problem.problem;
        let own = self.own.then_some(found.own.as_ref()).flatten();
        let groups = self.groups.map(|groups| {
            let named = groups.names.iter().zip(&groups.rows);
            let of_data = |rows: &[usize]| {
                rows.iter()
                    .map(|&row| self.prepared.row_in_data(row))
                    .collect()
            };
            let record = |(name, rows): (&String, &Vec<usize>)| {
                let rows: Vec<usize> = of_data(rows);
                json!({ "name": name, "rows": rows })
            };
            named.map(record).collect::<Vec<Value>>()
        });
        let rows: Vec<usize> = (0..self.prepared.rows)
            .map(|row| self.prepared.row_in_data(row))
            .collect();
        let record = json!({
            "schema": SCHEMA,
            "influence": found.influence,
            "exact": exact.map(|exact| &exact.influence),
            "rank_correlation": found.rank_correlation(),
            "estimate": found.kind.name(),
            "self": own,
            "self_exact": exact.filter(|_| self.own).map(|exact| &exact.own),
            "leverage": found.leverage,
            "alo_residual": found.residuals,
            "changes_support": exact.map(|exact| &exact.changes_support),
            "missing_refits": exact.map(|exact| exact.missing),
            "rows": rows,
            "groups": groups,
            "unit": self.unit(),
            "criterion": found.outcome.criterion,
            "validation_rows": self.validation_rows(),
            "l1": problem.penalty().has_strength().then_some(point.l1),
            "l2": point.l2,
            "support": found.outcome.support,
            "status": found.outcome.status.name(),
            "remarks": self.remarks(),
        });
        one_line(&record)
    }

    /// All rows, or groups, as CSV.
    fn csv(&self) -> String {
        let first = if self.groups.is_some() {
            "group"
        } else {
            "row"
        };
        let columns = self.columns();
        let header: Vec<String> = std::iter::once(first)
            .chain(columns.iter().map(|column| column.name))
            .map(String::from)
            .collect();
        let rows = (0..self.found.influence.len()).map(|at| {
            let fields = columns.iter().map(|column| match &column.values[at] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                value => value.as_f64().map_or(value.to_string(), csv::number),
            });
            std::iter::once(self.name(at))
                .chain(fields)
                .collect::<Vec<_>>()
        });
        csv::write(&header, rows.map(Vec::into_iter))
    }

    fn table(&self) -> String {
        let mut text = titled(&self.title(), self.ends(), &[]);
        text.push_str(&format!("\ninfluence: {}\n", self.unit()));
        text.push_str(&format!("{}\n", self.estimate_line()));
        for remark in self.remarks() {
            text.push_str(&format!("{remark}\n"));
        }
        text
    }
}

impl InfluenceReport<'_> {
    fn title(&self) -> String {
        let problem = &self.prepared.problem.problem;
        let outcome = &self.found.outcome;
        let l1 = match problem.penalty().has_strength() {
            true => format!("l1 {}, ", short(outcome.point.l1)),
            false => String::new(),
        };
        format!(
            "{}: {} loss, {} penalty, {} × {}, {l1}l2 {}; criterion {}",
            self.study.source(),
            problem.loss().name(),
            problem.penalty().name(),
            self.prepared.rows,
            problem.train().design.features(),
            short(outcome.point.l2),
            significant(outcome.criterion),
        )
    }

    /// The influences by refits where there are some, else the estimates.
    pub(super) fn best_known(&self) -> &[f64] {
        let found = self.found;
        let exact = found.exact.as_ref();
        exact.map_or(&found.influence, |exact| &exact.influence)
    }

    /// The rows or groups, those that help most first.
    pub(super) fn order(&self) -> Vec<usize> {
        let best = self.best_known();
        let mut order: Vec<usize> = (0..best.len()).collect();
        // Rows without influence come last, where they are harmful or not shown.
        let value = |at: usize| {
            if best[at].is_nan() {
                f64::NEG_INFINITY
            } else {
                best[at]
            }
        };
        order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
        order
    }

    /// Whether groups are left out rather than rows.
    pub(super) fn is_grouped(&self) -> bool {
        self.groups.is_some()
    }

    /// The head of a table, and the cells of some rows or groups.
    pub(super) fn cells_of(&self, shown: &[usize]) -> (Vec<String>, Vec<Vec<String>>) {
        let first = if self.is_grouped() { "group" } else { "row" };
        let columns = self.columns();
        let titles = columns.iter().map(|column| column.title);
        let head = std::iter::once(first).chain(titles).map(String::from);
        let cells = |at: &usize| -> Vec<String> {
            let at = *at;
            let cells = columns.iter().map(|column| match &column.values[at] {
                Value::Bool(changes) => if *changes { "changes" } else { "" }.to_string(),
                Value::String(text) => text.clone(),
                value => value.as_f64().map_or_else(|| "–".into(), column.show),
            });
            std::iter::once(self.name(at)).chain(cells).collect()
        };
        (head.collect(), shown.iter().map(cells).collect())
    }

    /// The rows or groups of both ends, those that help most first.
    fn ends(&self) -> comfy_table::Table {
        let order = self.order();
        let is_whole = order.len() <= self.top.saturating_mul(2);
        let (first, last) = if is_whole {
            (&order[..], &[][..])
        } else {
            (&order[..self.top], &order[order.len() - self.top..])
        };
        let (header, cells) = self.cells_of(first);
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let mut table = plain(&header);
        table.add_rows(cells);
        if !is_whole {
            table.add_row(vec!["…"; header.len()]);
            table.add_rows(self.cells_of(last).1);
        }
        table
    }

    fn columns(&self) -> Vec<Column> {
        let found = self.found;
        let exact = found.exact.as_ref();
        let mut columns = Vec::new();
        let mut add = |title, name, values: Vec<Value>, show: fn(f64) -> String| {
            columns.push(Column {
                title,
                name,
                values,
                show,
            });
        };
        let all = |values: &[f64]| values.iter().map(|&value| json!(value)).collect();
        if self.groups.is_none() {
            let labels = names_of(&self.study.tables().all.targets[0].values);
            let of_row = |row| Value::String(labels[self.prepared.row_in_data(row)].clone());
            add(
                "target",
                "target",
                (0..self.prepared.rows).map(of_row).collect(),
                significant,
            );
        }
        add("influence", "influence", all(&found.influence), significant);
        if let Some(exact) = exact {
            add("exact", "exact", all(&exact.influence), significant);
        }
        if let Some(own) = found.own.as_ref().filter(|_| self.own) {
            add("own loss", "self", all(own), significant);
        }
        if let Some(exact) = exact.filter(|_| self.own) {
            add(
                "own loss, exact",
                "self_exact",
                all(&exact.own),
                significant,
            );
        }
        if self.groups.is_none() {
            if let Some(leverage) = &found.leverage {
                add("leverage", "leverage", all(leverage), rough);
            }
            if let Some(residuals) = &found.residuals {
                add("ALO residual", "alo_residual", all(residuals), significant);
            }
        }
        if let Some(exact) = exact {
            let changes = exact.changes_support.iter();
            add(
                "support",
                "changes_support",
                changes.map(|&c| json!(c)).collect(),
                significant,
            );
        }
        columns
    }

    /// The name of a row or group.
    fn name(&self, at: usize) -> String {
        match self.groups {
            Some(groups) => groups.names[at].clone(),
            None => self.prepared.row_in_data(at).to_string(),
        }
    }

    /// The same with a noun, for where no head of a column says it.
    pub(super) fn long_name(&self, at: usize) -> String {
        match (self.groups, self.row_names) {
            (Some(_), _) => self.name(at),
            (None, Some(names)) => names[self.prepared.row_in_data(at)].clone(),
            (None, None) => format!("row {}", self.name(at)),
        }
    }

    /// The rows of the criterion where it has its own.
    fn validation_rows(&self) -> Option<usize> {
        let criterion = self.prepared.problem.problem.criterion();
        (!criterion.on_training_rows).then_some(self.prepared.criterion_rows)
    }

    pub(super) fn unit(&self) -> String {
        let criterion = self.prepared.problem.problem.criterion();
        let sign = match criterion.sign {
            Sign::Minimize => "",
            Sign::Maximize => "minus ",
        };
        let rows = match self.validation_rows() {
            Some(rows) => counted(rows, "held-out row"),
            None => format!(
                "all {}, that one too",
                counted(self.prepared.rows, "training row")
            ),
        };
        let (noun, helps) = match self.groups {
            Some(_) => ("group", "the group helps"),
            None => ("row", "the row helps"),
        };
        format!(
            "change of {sign}the mean {} loss on {rows} when the {noun} is left out of the fit; positive: {helps}",
            criterion.loss.name()
        )
    }

    pub(super) fn estimate_line(&self) -> String {
        let found = self.found;
        let mut line = match found.kind {
            EstimateKind::Newton => "estimates by one Newton step on the support".to_string(),
            _ => "estimates of first order, by one adjoint".to_string(),
        };
        if let Some(exact) = &found.exact {
            let refits = counted(found.influence.len() - exact.missing, "refit");
            let correlation = match found.rank_correlation() {
                Some(correlation) => format!("{correlation:.4}"),
                None => "not defined".into(),
            };
            line.push_str(&format!("; rank correlation with {refits}: {correlation}"));
            let changes = exact
                .changes_support
                .iter()
                .filter(|changes| **changes)
                .count();
            if changes > 0 {
                line.push_str(&format!("; {changes} of them change the support"));
            }
        }
        line
    }

    /// Remarks for the reader, one line each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let found = self.found;
        let outcome = &found.outcome;
        let mut remarks = Vec::new();
        if !outcome.is_solved() {
            remarks.push(format!(
                "the fit with all rows ended {}: its estimates are rough, and there are no refits",
                outcome.status.name()
            ));
        }
        if let Some(reason) = outcome
            .gradient()
            .err()
            .filter(|_| found.kind == EstimateKind::Adjoint)
        {
            remarks.push(format!("no estimates: {reason}"));
        }
        if let Some(exact) = found.exact.as_ref().filter(|exact| exact.missing > 0) {
            remarks.push(format!(
                "{} of {} refits are missing: they did not converge, or a class has no row left",
                exact.missing,
                found.influence.len()
            ));
        }
        if self.validation_rows().is_none() {
            remarks.push(
                "the criterion is on the training rows, which a fit has seen: --x-val or --val-fraction hold rows out"
                    .into(),
            );
        }
        remarks
    }
}
