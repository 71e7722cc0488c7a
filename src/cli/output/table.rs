//! The report as aligned tables for people.

use std::borrow::Cow;

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};

use super::report::Report;
use crate::cli::numbers::{counted, rough, short, significant};
use crate::cli::printable::printable;
use crate::hypergrad::{Hypergradient, Outcome, Warning, WarningKind};
use crate::sweep::record::SINGULAR;

/// The longest vector that a table shows in full; of a longer one it shows the norm.
const LONGEST_VECTOR: usize = 4;

/// A line under the header and none elsewhere.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table with a header.
pub fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header.iter().map(Cell::new));
    table
}

/// The table's text under a title, numbers right and the named columns left; what a terminal would
/// obey is escaped.
pub fn titled(title: &str, table: Table, left: &[usize]) -> String {
    let mut table = shown(table);
    for (at, column) in table.column_iter_mut().enumerate() {
        if !left.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n{}\n", printable(title), table.trim_fmt())
}

/// The table with cells that a terminal can show, each on one line.
fn shown(table: Table) -> Table {
    let texts =
        |row: &comfy_table::Row| -> Vec<String> { row.cell_iter().map(Cell::content).collect() };
    let is_clean = |row: &comfy_table::Row| {
        row.cell_iter()
            .all(|cell| matches!(printable(&cell.content()), Cow::Borrowed(_)))
    };
    if table.header().is_none_or(is_clean) && table.row_iter().all(is_clean) {
        return table;
    }
    let clean = |row: &comfy_table::Row| -> Vec<String> {
        texts(row)
            .iter()
            .map(|text| printable(text).into())
            .collect()
    };
    let header: Vec<String> = table.header().map(clean).unwrap_or_default();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut copy = plain(&header);
    copy.add_rows(table.row_iter().map(clean));
    copy
}

/// The report as text.
pub(super) fn render(report: &Report<'_>) -> String {
    let all: Vec<usize> = (0..report.outcomes.len()).collect();
    let shown = report.best.unwrap_or(&all);
    let mut text = report.beside.map_or_else(String::new, |b| b.above.clone());
    text.push_str(&titled(&title(report), points(report, shown), &[]));
    if report.coefficients {
        for &at in shown {
            text.push('\n');
            text.push_str(&coefficients(report, report.outcomes[at]));
        }
    }
    text.push_str(&warnings(report, shown));
    text.extend(report.beside.map(|beside| beside.below.as_str()));
    // A table of the best points says nothing of the others.
    if report.best.is_some() && report.settings.method.is_some() {
        let missing = missing_hypergradients(
            &without_hypergradient(report),
            report.outcomes.len(),
            "point",
        );
        text.extend(missing.map(|line| format!("{line}\n")));
    }
    text
}

/// One line on hypergradients that were asked for and are missing, with the reasons; `done` cells or
/// points, as `what` says, are finished. `None` where none is missing.
pub fn missing_hypergradients(
    reasons: &[(String, usize)],
    done: usize,
    what: &str,
) -> Option<String> {
    let missing: usize = reasons.iter().map(|(_, count)| count).sum();
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(why, count)| match why.as_str() {
            SINGULAR => format!("{count} with a singular Hessian"),
            why => format!("{count} {why}"),
        })
        .collect();
    (missing > 0).then(|| {
        format!(
            "no hypergradient at {missing} of {}: {}",
            counted(done, what),
            reasons.join(", ")
        )
    })
}

/// Points without a hypergradient by the reason, as a store counts cells.
fn without_hypergradient(report: &Report<'_>) -> Vec<(String, usize)> {
    let mut reasons: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for outcome in report.outcomes {
        if outcome.hypergradient.is_some() {
            continue;
        }
        let mut kinds = outcome.warnings.iter().map(|warning| warning.kind);
        let why = if kinds.any(|kind| kind == WarningKind::SingularHessian) {
            SINGULAR
        } else {
            outcome.status.name()
        };
        *reasons.entry(why).or_default() += 1;
    }
    let mut reasons: Vec<(String, usize)> = reasons
        .into_iter()
        .map(|(why, count)| (why.to_string(), count))
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons
}

fn title(report: &Report<'_>) -> String {
    let prepared = report.prepared;
    let problem = &prepared.problem.problem;
    let mut title = format!(
        "{}: {} loss, {} penalty, {} × {}",
        report.study.source(),
        problem.loss.name(),
        problem.penalty.name(),
        prepared.rows,
        problem.train.design.features()
    );
    if report.prepared.training_rows.is_some() {
        title.push_str(&format!(", {} rows held out", prepared.criterion_rows));
    }
    if let Some(best) = report.best {
        title.push_str(&format!(
            "; the best {} of {} points",
            best.len(),
            report.outcomes.len()
        ));
    }
    title
}

/// A column: its header, and the cell of an outcome.
type Column<'a> = (&'static str, Box<dyn Fn(&Outcome) -> String + 'a>);

fn points(report: &Report<'_>, shown: &[usize]) -> Table {
    let rough_or_dash = |value: Option<f64>| value.map_or_else(|| "–".into(), rough);
    let mut columns: Vec<Column<'_>> = Vec::new();
    if report.study.target_names().len() > 1 {
        let name = |o: &Outcome| report.target(o).unwrap_or_default().to_string();
        columns.push(("target", Box::new(name)));
    }
    columns.push(("l1", Box::new(|o| short(o.point.l1))));
    columns.push(("l2", Box::new(|o| short(o.point.l2))));
    columns.push(("objective", Box::new(|o| significant(o.objective))));
    columns.push(("criterion", Box::new(|o| significant(o.criterion))));
    if report.settings.method.is_some() {
        let cell = |o: &Outcome| {
            o.hypergradient
                .as_ref()
                .map_or_else(|| "–".into(), hypergradient)
        };
        columns.push(("hypergradient", Box::new(cell)));
    }
    columns.push(("support", Box::new(|o| o.support.to_string())));
    columns.push(("residual", Box::new(|o| rough(o.residual))));
    if report.diagnostics {
        columns.push((
            "duality gap",
            Box::new(move |o| rough_or_dash(o.duality_gap)),
        ));
        let cell = move |o: &Outcome| rough_or_dash(o.linear_residual);
        columns.push(("linear residual", Box::new(cell)));
        columns.push((
            "kink margin",
            Box::new(move |o| rough_or_dash(o.kink_margin)),
        ));
        columns.push(("certified", Box::new(|o| yes_no(o.certified).into())));
        let cell = |o: &Outcome| o.contraction.map_or_else(|| "–".into(), significant);
        columns.push(("contraction", Box::new(cell)));
        let cell = move |o: &Outcome| rough_or_dash(o.adjoint_error_estimate);
        columns.push(("error estimate", Box::new(cell)));
        columns.push(("linear steps", Box::new(|o| o.linear_steps.to_string())));
        columns.push(("engine", Box::new(|o| o.engines.to_string())));
    }
    columns.push(("steps", Box::new(|o| o.steps.to_string())));
    columns.push(("status", Box::new(|o| o.status.name().to_string())));

    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut table = plain(&header);
    for &at in shown {
        table.add_row(columns.iter().map(|(_, cell)| cell(report.outcomes[at])));
    }
    table
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// The parts of a hypergradient by name; long vectors by their norm and length.
fn hypergradient(gradient: &Hypergradient) -> String {
    let text = |values: &[f64]| match values {
        &[value] => significant(value),
        values if values.len() <= LONGEST_VECTOR => {
            let entries: Vec<String> = values.iter().map(|&v| significant(v)).collect();
            format!("[{}]", entries.join(", "))
        }
        values => norm_of(values),
    };
    let parts = gradient.parts();
    let parts: Vec<String> = parts
        .map(|p| format!("{} {}", p.part.label(), text(p.values)))
        .collect();
    parts.join("  ")
}

/// A long vector in a table.
pub(super) fn norm_of(values: &[f64]) -> String {
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    format!("norm {} of {}", significant(norm), values.len())
}

fn coefficients(report: &Report<'_>, outcome: &Outcome) -> String {
    let (coefficients, intercepts) = report
        .prepared
        .problem
        .in_data_units(&outcome.solution, outcome.point.target);
    let target = outcome.point.target;
    let mut table = plain(&["feature", "coefficient"]);
    let mut zeros = 0;
    for (name, &value) in report.coefficient_names(target).iter().zip(&coefficients) {
        if value == 0.0 {
            zeros += 1;
        } else {
            table.add_row([name.clone(), significant(value)]);
        }
    }
    for (name, &value) in report.intercept_names(target).iter().zip(&intercepts) {
        table.add_row([name.clone(), significant(value)]);
    }
    let mut title = format!("Coefficients at {}", place(report, outcome));
    if zeros > 0 {
        title.push_str(&format!(" ({zeros} are zero and not shown)"));
    }
    titled(&title, table, &[0])
}

/// The point in words.
fn place(report: &Report<'_>, outcome: &Outcome) -> String {
    let point = &outcome.point;
    let target = report.target(outcome).map(|name| format!("{name}, "));
    format!(
        "{}l1 {}, l2 {}",
        target.unwrap_or_default(),
        short(point.l1),
        short(point.l2)
    )
}

/// One line per kind of warning, with how many of the points shown carry it: the message is that of
/// the first.
fn warnings(report: &Report<'_>, shown: &[usize]) -> String {
    let mut kinds: Vec<(&Warning, &Outcome, usize)> = Vec::new();
    for &at in shown {
        let outcome = report.outcomes[at];
        for warning in &outcome.warnings {
            match kinds.iter_mut().find(|(w, ..)| w.kind == warning.kind) {
                Some((_, _, count)) => *count += 1,
                None => kinds.push((warning, outcome, 1)),
            }
        }
    }
    let mut text = String::new();
    for (warning, first, count) in kinds {
        let place = match count {
            1 => place(report, first),
            _ => format!("{count} points, the first at {}", place(report, first)),
        };
        let line = format!("warning ({place}): {}", report.message(warning));
        text.push_str(&printable(&line));
        text.push('\n');
    }
    text
}
