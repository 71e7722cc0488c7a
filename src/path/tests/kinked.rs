//! Losses whose Hessian jumps, with little ridge: where the rows that bend nearly separate the classes, no
//! Newton step ends on the piece that it was made for.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::matrix::{Dense, Matrix};
use crate::model::loss::Loss;
use crate::path::walk::Form;
use crate::problem::{Point, Problem, Specification};

use super::cases::{assert_converged, normal, scaled_residual, solve_all, step_of};

/// Labels of ten features with noise, of which a tenth is large, so that so many features separate them.
fn nearly_separated(seed: u64, rows: usize, columns: usize) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..rows * columns).map(|_| normal(&mut rng)).collect();
    let weights: Vec<f64> = (0..10).map(|_| normal(&mut rng)).collect();
    let label = |row: &[f64]| {
        let score: f64 = row.iter().zip(&weights).map(|(x, w)| x * w).sum();
        let outlier = 3.0 * normal(&mut rng) * f64::from(u8::from(rng.random_bool(0.1)));
        (score + outlier + 0.5 * normal(&mut rng)).signum()
    };
    let labels = values.chunks(columns).map(label).collect();
    let matrix = Matrix::Dense(Dense::new(rows, columns, values).unwrap());
    let mut specification = Specification::new(Loss::SquaredHinge, matrix, vec![labels]);
    specification.scaling.intercept = true;
    specification.scaling.standardize = true;
    Problem::new(specification).unwrap()
}

#[test]
fn a_hinge_of_rows_that_nearly_separate_is_solved_in_some_tens_of_steps() {
    // Where steps are only halved, the second takes up to 818.
    for (seed, rows, columns) in [(11, 200, 110), (12, 400, 250), (11, 91, 129)] {
        let problem = nearly_separated(seed, rows, columns);
        for l2 in [1e-5, 1e-7, 1e-9] {
            let point = Point::new(0.0, l2);
            let solutions = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
            assert_converged(&solutions);
            let s = &solutions[0];
            assert!(
                s.steps <= 100,
                "{rows} × {columns}, {l2}: {} steps",
                s.steps
            );
            let residual = scaled_residual(&problem, &point, &s.w, step_of(&problem, &point));
            assert!(residual < 1e-13, "{rows} × {columns}, {l2}: {residual}");
        }
    }
}
