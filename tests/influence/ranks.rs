//! Estimates ranked against refits, on the embedded data and those of breast cancer; the table of the
//! documentation.

use super::*;

/// The rank correlation at a point of l1 in units of l1_max, with held-out rows or on the training rows.
fn rank_correlation(data: &Data, state: State, l1: f64, l2: f64, held_out: bool) -> f64 {
    let stated = match held_out {
        true => state(data).validation(&data.x_val, &data.y_val),
        false => state(data),
    };
    let problem = stated.build().unwrap();
    let point = Point::new(l1 * problem.l1_max(0, 0.0), l2);
    let found = influences(&problem, &point);
    assert_eq!(found.kind, EstimateKind::Newton);
    assert_eq!(found.exact.as_ref().unwrap().missing, 0);
    found.rank_correlation().unwrap()
}

#[test]
fn estimates_rank_rows_as_refits_do() {
    let squared: State = |data| Problem::elastic_net(&data.x, &data.y);
    let logistic: State = |data| Problem::logistic(&data.x, &data.y);
    let (diabetes, cancer) = (Data::diabetes(), Data::breast_cancer());
    for held_out in [true, false] {
        for (data, state, l1, l2, least) in [
            (&diabetes, squared, 0.0, 0.01, 1.0 - 1e-9),
            (&diabetes, squared, 0.0, 1.0, 1.0 - 1e-9),
            (&diabetes, squared, 0.1, 0.0, 0.99),
            (&diabetes, squared, 0.01, 0.0, 0.99),
            (&cancer, logistic, 0.0, 0.01, 0.99),
            (&cancer, logistic, 0.0, 1.0, 0.99),
            (&cancer, logistic, 0.1, 0.1, 0.99),
            (&cancer, logistic, 0.1, 0.0, 0.95),
            (&cancer, logistic, 0.01, 0.0, 0.95),
        ] {
            let found = rank_correlation(data, state, l1, l2, held_out);
            assert!(
                found > least,
                "l1 {l1} l2 {l2} held out {held_out}: {found}"
            );
        }
    }
}

/// The row of the documentation's table for a problem: rank correlation and relative error, of Newton's
/// estimates and of those of first order.
fn documented(name: &str, problem: &Problem, point: &Point) -> String {
    let mut found = influences(problem, point);
    let exact = found.exact.clone().unwrap().influence;
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let cell = |found: &Influences| {
        let pairs = found.influence.iter().zip(&exact);
        let errors: Vec<f64> = pairs.map(|(found, exact)| found - exact).collect();
        let error = norm(&errors) / norm(&exact);
        let error = match error < 1e-9 {
            true => "< 1e-9".to_string(),
            false => format!("{:.0} %", 100.0 * error),
        };
        format!("{:.4} ({error})", found.rank_correlation().unwrap())
    };
    let newton = cell(&found);
    let slopes = found.outcome.hypergradient.as_ref().unwrap();
    let slopes = slopes.sample_weights.as_ref().unwrap();
    found.influence = slopes.iter().map(|slope| -slope).collect();
    format!("| {name} | {newton} | {} |", cell(&found))
}

#[test]
fn the_table_of_the_documentation_is_as_computed() {
    let squared: State = |data| Problem::elastic_net(&data.x, &data.y);
    let logistic: State = |data| Problem::logistic(&data.x, &data.y);
    let (diabetes, cancer) = (Data::diabetes(), Data::breast_cancer());
    let cases = [
        ("squared", squared, &diabetes, true, 0.0, 0.01),
        ("squared", squared, &diabetes, true, 0.1, 0.0),
        ("squared", squared, &diabetes, true, 0.01, 0.0),
        ("logistic", logistic, &cancer, true, 0.0, 0.01),
        ("logistic", logistic, &cancer, true, 0.0, 0.1),
        ("logistic", logistic, &cancer, true, 0.1, 0.0),
        ("logistic", logistic, &cancer, true, 0.01, 0.0),
        (
            "squared on the training rows",
            squared,
            &diabetes,
            false,
            0.0,
            0.01,
        ),
    ];
    let rows = cases.map(|(name, state, data, held_out, l1, l2)| {
        let stated = match held_out {
            true => state(data).validation(&data.x_val, &data.y_val),
            false => state(data),
        };
        let problem = stated.build().unwrap();
        let point = Point::new(l1 * problem.l1_max(0, 0.0), l2);
        documented(&format!("{name}, {l1}, {l2}"), &problem, &point)
    });
    let text = include_str!("../../docs/influence.md");
    let table: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| squared") || line.starts_with("| logistic"))
        .collect();
    assert_eq!(table, rows);
}
