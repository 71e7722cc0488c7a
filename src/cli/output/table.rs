//! The report as aligned tables for people.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};

use super::names::criterion_in_words;
use super::report::Report;
use crate::cli::numbers::{counted, rough, short, significant};
use crate::cli::printable::printable;
use crate::hypergrad::{Hypergradient, LogSlopes, Outcome, Warning, WarningKind};
use crate::sweep::record::SINGULAR;

/// The longest vector that a table shows in full; of a longer one it shows the norm.
const LONGEST_VECTOR: usize = 4;

/// The training rows that are shown where the criterion was differentiated in their weights.
const ROWS: usize = 10;
/// The most points that such rows are shown of.
const POINTS_WITH_ROWS: usize = 3;

/// The header of derivatives in the logarithms of strengths.
const PER_LOG: &str = "per log";
/// A cell without a value.
const NOTHING: &str = "–";
/// The columns that a narrow terminal does without, the least needed first.
const LEAST_NEEDED: [&str; 5] = [PER_LOG, "residual", "steps", "objective", "support"];

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
/// obey is escaped. On a terminal that is too narrow the columns that are needed least are left out.
pub fn titled(title: &str, table: Table, left: &[usize]) -> String {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    let width = size.map(|(width, _)| usize::from(width.0));
    titled_within(title, &table, left, width.unwrap_or(usize::MAX))
}

/// The same within a width.
fn titled_within(title: &str, table: &Table, left: &[usize], width: usize) -> String {
    let texts = |row: &comfy_table::Row| -> Vec<String> {
        row.cell_iter()
            .map(|cell| printable(&cell.content()).into())
            .collect()
    };
    let header: Vec<String> = table.header().map(texts).unwrap_or_default();
    let rows: Vec<Vec<String>> = table.row_iter().map(texts).collect();
    let mut columns: Vec<usize> = (0..header.len()).collect();
    let mut text = aligned(&header, &rows, &columns, left);
    let mut left_out = Vec::new();
    for name in LEAST_NEEDED {
        if text.lines().all(|line| line.chars().count() <= width) {
            break;
        }
        if let Some(place) = columns.iter().position(|&column| header[column] == name) {
            columns.remove(place);
            left_out.push(name);
            text = aligned(&header, &rows, &columns, left);
        }
    }
    let mut text = format!("{}\n{text}\n", printable(title));
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        text.push_str(&format!("not shown in {width} columns: {names}\n"));
    }
    text
}

/// Some columns of a table.
fn aligned(header: &[String], rows: &[Vec<String>], columns: &[usize], left: &[usize]) -> String {
    let chosen = |row: &[String]| -> Vec<String> {
        let cells = columns.iter().filter_map(|&column| row.get(column));
        cells.cloned().collect()
    };
    let header = chosen(header);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = plain(&header);
    table.add_rows(rows.iter().map(|row| chosen(row)));
    for (column, of_table) in columns.iter().zip(table.column_iter_mut()) {
        if !left.contains(column) {
            of_table.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The report as text.
pub(super) fn render(report: &Report<'_>) -> String {
    let all: Vec<usize> = (0..report.outcomes.len()).collect();
    let shown = report.best.unwrap_or(&all);
    let mut text = report.beside.map_or_else(String::new, |b| b.above.clone());
    text.push_str(&titled(&title(report), points(report, shown), &[]));
    if shown.len() <= POINTS_WITH_ROWS {
        for &at in shown {
            text.extend(rows(report, report.outcomes[at]));
        }
    }
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
    let criterion = problem.criterion();
    let of = match (criterion.on_training_rows, prepared.training_rows.is_some()) {
        (true, _) => "the same rows".into(),
        (false, true) => format!("{} rows held out", prepared.criterion_rows),
        (false, false) => format!("{} validation rows", prepared.criterion_rows),
    };
    let mean = criterion_in_words(criterion.loss);
    title.push_str(&format!("; criterion: {mean} of {of}"));
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
    let problem = &report.prepared.problem.problem;
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
        let cell = |o: &Outcome| {
            let slopes = o
                .hypergradient
                .as_ref()
                .map(|g| g.log_slopes(problem, &o.point));
            log_slopes(slopes.unwrap_or_default())
        };
        let of_strengths = |o: &&Outcome| cell(o) != NOTHING;
        if shown
            .iter()
            .map(|&at| report.outcomes[at])
            .any(|o| of_strengths(&o))
        {
            columns.push((PER_LOG, Box::new(cell)));
        }
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

/// Derivatives in the logarithms of strengths.
fn log_slopes(slopes: LogSlopes) -> String {
    let named = [("l1", slopes.l1), ("l2", slopes.l2)];
    let parts: Vec<String> = named
        .iter()
        .filter_map(|(name, slope)| Some(format!("{name} {}", significant((*slope)?))))
        .collect();
    if parts.is_empty() {
        NOTHING.into()
    } else {
        parts.join("  ")
    }
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

/// The training rows whose weights move the criterion most, where it was differentiated in them.
fn rows(report: &Report<'_>, outcome: &Outcome) -> Option<String> {
    let slopes = outcome.hypergradient.as_ref()?.sample_weights.as_ref()?;
    let mut order: Vec<usize> = (0..slopes.len()).collect();
    order.sort_by(|&a, &b| slopes[b].abs().total_cmp(&slopes[a].abs()));
    let mut table = plain(&["row", "derivative in its weight"]);
    for &row in order.iter().take(ROWS) {
        let number = report.prepared.row_in_data(row);
        table.add_row([number.to_string(), significant(slopes[row])]);
    }
    let title = format!(
        "Rows whose weights move the criterion most at {} (negative: more weight lowers it)",
        place(report, outcome)
    );
    Some(format!("\n{}", titled(&title, table, &[])))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_does_without_the_columns_that_are_needed_least() {
        let mut table = plain(&["l1", "objective", "hypergradient", PER_LOG, "status"]);
        table.add_row(["1", "2.5", "l1 3.14159", "l1 3.14159", "converged"]);
        let text = |width| titled_within("a title", &table, &[4], width);
        let whole = text(usize::MAX);
        let width = whole.lines().map(|line| line.chars().count()).max();
        assert_eq!(text(width.unwrap()), whole);
        let narrow = text(width.unwrap() - 1);
        assert!(
            narrow.contains("objective") && !narrow.contains("per log  "),
            "{narrow}"
        );
        assert!(narrow.ends_with("columns: per log\n"), "{narrow}");
        // Nothing else is left out, however narrow it is.
        let narrowest = text(1);
        assert!(narrowest.contains("hypergradient") && narrowest.contains("converged"));
        assert!(
            narrowest.ends_with("columns: per log, objective\n"),
            "{narrowest}"
        );
    }
}
