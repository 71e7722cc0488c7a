//! Tuning two hyperparameters by gradient descent instead of a grid.
//!
//! The held-out error f(λ) = E(w(λ)) of an elastic net is minimised over θ = (log l1, log λ₂), in
//! which d f/dθ = λ · d f/dλ. Every step starts from the solution of the one before.
//!
//! Run it with `cargo run --example hyperparameter_descent`.

use proxdiff::data::split::hold_out;
use proxdiff::data::{embedded, numbers};
use proxdiff::prelude::*;

fn main() -> Result<()> {
    let problem = diabetes_problem()?;
    // What it prepares for the problem is shared by all its clones.
    let evaluator = Evaluator::new(&problem);
    let at = |theta: [f64; 2], warm: Option<WarmStart>| -> Result<Option<Outcome>> {
        let point = Point::new(theta[0].exp(), theta[1].exp());
        let warm = warm.map(|start| vec![start]);
        let outcomes = evaluator.clone().warm_starts(warm).run(&[point])?;
        Ok(outcomes.into_iter().next())
    };

    let mut theta = [(0.5 * problem.l1_max(0, 1.0)).ln(), 0.0];
    let Some(mut here) = at(theta, None)? else {
        return Ok(());
    };
    let mut step = 4.0;
    println!("step       l1       λ₂   features   held-out error   |d log f/dθ|");
    for count in 0..40 {
        // d log f/dθ: relative changes of the error for relative changes of the strengths.
        let slope = log_slope(&here);
        let size = slope[0].hypot(slope[1]);
        if count % 4 == 0 || size < 1e-4 {
            println!(
                "{count:4} {:8.3} {:8.4} {:10} {:16.3} {size:14.1e}",
                here.point.l1, here.point.l2, here.support, here.criterion,
            );
        }
        if size < 1e-4 {
            println!("\nThe hypergradient vanishes: no small change of l1 or λ₂ does better.");
            break;
        }
        // A step downhill, halved until the error falls.
        loop {
            let next = [theta[0] - step * slope[0], theta[1] - step * slope[1]];
            let Some(there) = at(next, Some(here.warm_start()))? else {
                return Ok(());
            };
            if there.criterion < here.criterion {
                (theta, here) = (next, there);
                step *= 1.5;
                break;
            }
            step *= 0.5;
            if step < 1e-6 {
                println!(
                    "\nA kink: no step downhill is left at l1 = {:.3}.",
                    here.point.l1
                );
                return Ok(());
            }
        }
    }
    Ok(())
}

/// d log f/dθ of an outcome; zero where there is no hypergradient.
fn log_slope(outcome: &Outcome) -> [f64; 2] {
    let gradient = outcome.hypergradient.clone().unwrap_or_default();
    let l1 = gradient.l1.and_then(|l1| l1.value()).unwrap_or(0.0);
    let l2 = gradient.l2.unwrap_or(0.0);
    [
        outcome.point.l1 * l1 / outcome.criterion,
        outcome.point.l2 * l2 / outcome.criterion,
    ]
}

/// The embedded diabetes data, half of the patients held out.
fn diabetes_problem() -> Result<Problem> {
    let data = embedded::diabetes()?;
    let target = numbers(&data.targets[0])?;
    let (training, validation) = hold_out(data.rows(), 0.5, 2)?;
    let x = |rows: &[usize]| data.matrix.select_rows(rows);
    let y = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|&row| target[row]).collect() };
    Problem::elastic_net(&x(&training), &y(&training))
        .validation(&x(&validation), &y(&validation))
        .build()
}
