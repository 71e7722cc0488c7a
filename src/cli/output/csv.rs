//! The report as CSV: one row per point. Vectors have a column per entry, named after the feature
//! or group; what is absent or not finite is an empty field.

use super::report::Report;
use crate::hypergrad::{Outcome, Part, PartValues};
use crate::real::shortest;

/// One column: its name and one field per point.
pub type Column = (String, Vec<String>);

/// The report as CSV, with last columns that have one field for each of its outcomes.
pub(super) fn render(report: &Report<'_>, last: &[Column]) -> String {
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
        columns.push((name.into(), outcomes.iter().map(|o| value(o)).collect()));
    };
    add("l1", &|o| number(o.point.l1));
    add("l2", &|o| number(o.point.l2));
    add("objective", &|o| number(o.objective));
    add("criterion", &|o| number(o.criterion));
    if report.settings.method.is_some() {
        hypergradient_columns(report, &mut columns);
    }
    let mut add = |name: &str, value: &dyn Fn(&Outcome) -> String| {
        columns.push((name.into(), outcomes.iter().map(|o| value(o)).collect()));
    };
    add("support", &|o| o.support.to_string());
    add("residual", &|o| number(o.residual));
    add("duality_gap", &|o| optional(o.duality_gap));
    add("linear_residual", &|o| optional(o.linear_residual));
    add("kink_margin", &|o| optional(o.kink_margin));
    add("certified", &|o| o.certified.to_string());
    if report.settings.contraction {
        add("contraction", &|o| optional(o.contraction));
        add("adjoint_error_estimate", &|o| {
            optional(o.adjoint_error_estimate)
        });
        add("engine", &|o| o.engines.to_string());
    }
    add("steps", &|o| o.steps.to_string());
    add("linear_steps", &|o| o.linear_steps.to_string());
    add("status", &|o| o.status.name().to_string());
    add("warnings", &|o| {
        o.warning_names().collect::<Vec<_>>().join(" ")
    });
    if report.coefficients {
        coefficient_columns(report, &mut columns);
    }
    columns.extend_from_slice(last);
    let header: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let rows = (0..outcomes.len()).map(|at| columns.iter().map(move |(_, fields)| &fields[at]));
    write(&header, rows)
}

impl Report<'_> {
    /// The outcomes as CSV with last columns that have a field for each of them.
    pub fn csv_with(&self, last: &[Column]) -> String {
        render(self, last)
    }
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

/// The shortest text that reads back to the same number; nothing for what is not finite.
pub fn number(value: f64) -> String {
    if value.is_finite() {
        shortest(value)
    } else {
        String::new()
    }
}

fn optional(value: Option<f64>) -> String {
    value.map(number).unwrap_or_default()
}

/// The names of the entries of a part that is a vector. Several targets have the same features;
/// where their classes differ, the first one's name the entries.
fn entry_names(report: &Report<'_>, part: Part) -> Vec<String> {
    let row_names = |rows: &[usize]| rows.iter().map(|row| format!("row {row}")).collect();
    match part {
        Part::L1 => report.strength_names(0),
        Part::L2 => report.ridge_names(0),
        Part::SampleWeights => match &report.prepared.training_rows {
            Some(rows) => row_names(rows),
            None => row_names(&Vec::from_iter(0..report.prepared.rows)),
        },
        Part::ClassWeights => match report.study.classes.first() {
            Some(Some(classes)) => classes.names.clone(),
            _ => Vec::new(),
        },
        Part::Perturbation => {
            let features = report.study.feature_names();
            let rows: Vec<String> = row_names(&report.prepared.problem.problem.perturbed_rows);
            rows.iter()
                .flat_map(|row| features.iter().map(move |name| format!("{row}: {name}")))
                .collect()
        }
        _ => report.coefficient_names(0),
    }
}

fn hypergradient_columns(report: &Report<'_>, columns: &mut Vec<Column>) {
    let gradients = || report.outcomes.iter().map(|o| o.hypergradient.as_ref());
    let Some(first) = gradients().flatten().next() else {
        return;
    };
    for PartValues { part, values, .. } in first.parts() {
        let names = match values.len() {
            1 => Vec::new(),
            _ => entry_names(report, part),
        };
        // Of every point the values of this part.
        let of_points: Vec<Option<&[f64]>> = gradients()
            .map(|gradient| Some(gradient?.parts().find(|p| p.part == part)?.values))
            .collect();
        for entry in 0..values.len() {
            let title = match names.get(entry) {
                Some(name) => format!("hypergradient_{}[{name}]", part.name()),
                None => format!("hypergradient_{}", part.name()),
            };
            let field = |values: &Option<&[f64]>| {
                optional(values.and_then(|values| values.get(entry).copied()))
            };
            columns.push((title, of_points.iter().map(field).collect()));
        }
    }
}

fn coefficient_columns(report: &Report<'_>, columns: &mut Vec<Column>) {
    let vectors: Vec<Vec<f64>> = report
        .outcomes
        .iter()
        .map(|outcome| {
            let (mut all, intercepts) = report
                .prepared
                .problem
                .in_data_units(&outcome.solution, outcome.point.target);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_read_back_to_the_same_bits() {
        for (value, text) in [
            (0.0, "0"),
            (-2.0, "-2"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.3333333333333333"),
            (-1.25e-15, "-1.25e-15"),
            (1e300, "1e300"),
        ] {
            assert_eq!(number(value), text);
            assert_eq!(text.parse(), Ok(value));
        }
        assert_eq!(
            (number(f64::NAN), number(f64::INFINITY)),
            (String::new(), String::new())
        );
    }
}
