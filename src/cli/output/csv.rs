//! The report as CSV: one row per point. Vectors have a column per entry, named after the feature
//! or group; what is absent or not finite is an empty field.

use super::Report;
use crate::hypergrad::{Hypergradient, Outcome};

/// One column: its name and one field per point.
type Column = (String, Vec<String>);

/// The report as CSV.
pub(super) fn render(report: &Report<'_>) -> String {
    let outcomes = report.outcomes;
    let mut columns: Vec<Column> = Vec::new();
    if let Some(first) = outcomes.first()
        && report.target(first).is_some()
    {
        let names = outcomes
            .iter()
            .map(|o| report.target(o).unwrap_or_default());
        columns.push(("target".into(), names.map(str::to_string).collect()));
    }
    let mut add = |name: &str, value: &dyn Fn(&Outcome) -> String| {
        columns.push((name.into(), outcomes.iter().map(value).collect()));
    };
    add("l1", &|o| number(o.point.l1));
    add("l2", &|o| number(o.point.l2));
    add("objective", &|o| number(o.objective));
    add("criterion", &|o| number(o.criterion));
    if report.settings.method.is_some() {
        hypergradient_columns(report, &mut columns);
    }
    let mut add = |name: &str, value: &dyn Fn(&Outcome) -> String| {
        columns.push((name.into(), outcomes.iter().map(value).collect()));
    };
    add("support", &|o| o.support.to_string());
    add("residual", &|o| number(o.residual));
    add("duality_gap", &|o| optional(o.duality_gap));
    add("linear_residual", &|o| optional(o.linear_residual));
    add("kink_margin", &|o| optional(o.kink_margin));
    add("certified", &|o| o.certified.to_string());
    if report.settings.contraction {
        add("contraction", &|o| optional(o.contraction));
        add("adjoint_error_bound", &|o| optional(o.adjoint_error_bound));
    }
    add("steps", &|o| o.steps.to_string());
    add("linear_steps", &|o| o.linear_steps.to_string());
    add("status", &|o| o.status.name().to_string());
    add("warnings", &|o| {
        let kinds = o.warnings.iter().map(|w| super::json::warning_name(w.kind));
        kinds.collect::<Vec<_>>().join(" ")
    });
    if report.coefficients {
        coefficient_columns(report, &mut columns);
    }
    let header: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let rows = (0..outcomes.len()).map(|at| columns.iter().map(move |(_, fields)| &fields[at]));
    write(&header, rows)
}

/// A header and rows of fields as CSV text.
pub fn write<F: AsRef<[u8]>>(
    header: &[String],
    rows: impl Iterator<Item = impl Iterator<Item = F>>,
) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // infallible: a vector takes every byte, and all records have as many fields as the header
    writer.write_record(header).expect("written to memory");
    for row in rows {
        writer.write_record(row).expect("written to memory"); // infallible: as above
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The shortest text that reads back to the same number.
pub fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        String::new()
    }
}

fn optional(value: Option<f64>) -> String {
    value.map(number).unwrap_or_default()
}

/// The entries of one part of a hypergradient, in order; `None` where the part is absent.
type Part<'a> = &'a dyn Fn(&Hypergradient) -> Option<Vec<f64>>;

fn hypergradient_columns(report: &Report<'_>, columns: &mut Vec<Column>) {
    let names = |of: &dyn Fn(usize) -> Vec<String>| of(0);
    let rows = &report.prepared.problem.perturbed_rows;
    let perturbed = || {
        let features = report.study.feature_names();
        rows.iter()
            .flat_map(|row| {
                features
                    .iter()
                    .map(move |name| format!("row {row}: {name}"))
            })
            .collect::<Vec<_>>()
    };
    let training = || match &report.prepared.training_rows {
        Some(rows) => rows.iter().map(|row| format!("row {row}")).collect(),
        None => (0..report.prepared.problem.train.rows())
            .map(|row| format!("row {row}"))
            .collect::<Vec<_>>(),
    };
    let parts: [(&str, Part<'_>, &dyn Fn() -> Vec<String>); 7] = [
        ("l1", &|h| h.l1.clone(), &|| {
            names(&|t| report.strength_names(t))
        }),
        ("l2", &|h| h.l2.map(|v| vec![v]), &Vec::new),
        ("prior", &|h| h.prior.clone(), &|| {
            names(&|t| report.coefficient_names(t))
        }),
        ("sample_weights", &|h| h.sample_weights.clone(), &training),
        ("perturbation", &|h| h.perturbation.clone(), &perturbed),
        ("box_lo", &|h| h.box_bounds.map(|b| vec![b.0]), &Vec::new),
        ("box_hi", &|h| h.box_bounds.map(|b| vec![b.1]), &Vec::new),
    ];
    for (name, part, entry_names) in parts {
        let entries: Vec<Option<Vec<f64>>> = report
            .outcomes
            .iter()
            .map(|outcome| outcome.hypergradient.as_ref().and_then(part))
            .collect();
        let Some(length) = entries.iter().flatten().map(Vec::len).max() else {
            continue;
        };
        let entry_names = if length > 1 {
            entry_names()
        } else {
            Vec::new()
        };
        for at in 0..length {
            let title = match entry_names.get(at) {
                Some(entry) => format!("hypergradient_{name}[{entry}]"),
                None => format!("hypergradient_{name}"),
            };
            let field = |entry: &Option<Vec<f64>>| {
                optional(entry.as_ref().and_then(|entry| entry.get(at).copied()))
            };
            columns.push((title, entries.iter().map(field).collect()));
        }
    }
}

fn coefficient_columns(report: &Report<'_>, columns: &mut Vec<Column>) {
    let vectors: Vec<Vec<f64>> = report
        .outcomes
        .iter()
        .map(|outcome| {
            let (mut all, intercepts) = report.prepared.problem.in_data_units(&outcome.solution);
            all.extend(intercepts);
            all
        })
        .collect();
    // Several targets have the same features; where their classes differ, the first one's name
    // the columns.
    let names = [report.coefficient_names(0), report.intercept_names(0)].concat();
    for (at, name) in names.into_iter().enumerate() {
        let field = |vector: &Vec<f64>| optional(vector.get(at).copied());
        columns.push((
            format!("coefficient[{name}]"),
            vectors.iter().map(field).collect(),
        ));
    }
}
