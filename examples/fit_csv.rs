//! From a CSV file to a sparse linear model, and to the derivative of its held-out error with
//! respect to the strengths of its penalties.
//!
//! Run it with `cargo run --example fit_csv`, or on a file of your own, whose last column is the
//! target: `cargo run --example fit_csv -- data.csv`.

use std::path::PathBuf;

use proxdiff::data::readers::read_dataset;
use proxdiff::data::split::hold_out;
use proxdiff::data::{Dataset, Matrix, ReadOptions, embedded, numbers};
use proxdiff::{Evaluator, Point, Problem};

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    // 1. Data: a matrix of features and a target, each with names.
    let folder = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => write_csv(&embedded::diabetes()?, folder.path().join("diabetes.csv"))?,
    };
    let data = read_dataset(&path, &ReadOptions::default())?;
    let target = numbers(data.targets.first().ok_or("the file has no target")?)?;

    // 2. A quarter of the rows is held out: the model never sees them, the criterion only them.
    let (training, validation) = hold_out(data.rows(), 0.25, 0)?;
    let x = |rows: &[usize]| data.matrix.select_rows(rows);
    let y = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|&row| target[row]).collect() };

    // 3. The problem: squared loss with the elastic net, intercept and standardisation by default.
    let problem = Problem::elastic_net(&x(&training), &y(&training))
        .validation(&x(&validation), &y(&validation))
        .build()?;

    // 4. A batch of points (l1, λ₂), solved and differentiated together.
    let largest = problem.l1_max(0, 0.1);
    let points: Vec<Point> = [0.5, 0.2, 0.1, 0.05, 0.02]
        .iter()
        .map(|fraction| Point::new(fraction * largest, 0.1))
        .collect();
    let outcomes = Evaluator::new(&problem).run(&points)?;

    println!("{} rows, {} features\n", data.rows(), problem.penalized());
    println!("      l1      l2   features  held-out error     dE/d l1     dE/d l2   status");
    for outcome in &outcomes {
        let Some(gradient) = &outcome.hypergradient else {
            println!(
                "{:8.3}   no hypergradient: {:?}",
                outcome.point.l1, outcome.warnings
            );
            continue;
        };
        println!(
            "{:8.3} {:7.3} {:10} {:15.2} {:11.4} {:11.3}   {}",
            outcome.point.l1,
            outcome.point.l2,
            outcome.support,
            outcome.criterion,
            gradient
                .l1
                .as_ref()
                .and_then(|l1| l1.value())
                .unwrap_or(f64::NAN),
            gradient.l2_value().unwrap_or(f64::NAN),
            outcome.status.name(),
        );
    }
    println!(
        "\nA positive derivative says: less of that penalty would do better on held-out rows."
    );

    // 5. The model at the best of them, in the units of the file.
    let Some(best) = outcomes
        .iter()
        .min_by(|a, b| a.criterion.total_cmp(&b.criterion))
    else {
        return Ok(());
    };
    let (coefficients, intercepts) = problem.in_data_units(&best.solution, best.point.target);
    println!("\nThe best of these, at l1 = {:.3}:", best.point.l1);
    for (name, coefficient) in data.feature_names.iter().zip(&coefficients) {
        if *coefficient != 0.0 {
            println!("  {coefficient:+10.4} · {name}");
        }
    }
    println!("  {:+10.4}", intercepts[0]);
    Ok(())
}

/// Writes a data set as CSV, the target last.
fn write_csv(data: &Dataset, path: PathBuf) -> Result<PathBuf, AnyError> {
    let Matrix::Dense(features) = &data.matrix else {
        return Err("the embedded data are dense".into());
    };
    let target = numbers(&data.targets[0])?;
    let mut writer = csv::Writer::from_path(&path)?;
    let header = data.feature_names.iter().chain([&data.targets[0].name]);
    writer.write_record(header)?;
    for (row, y) in target.iter().enumerate() {
        let values = features.row(row).iter().chain([y]);
        writer.write_record(values.map(f64::to_string))?;
    }
    writer.flush()?;
    Ok(path)
}
