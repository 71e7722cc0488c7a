//! Losses whose Hessian jumps, with little ridge: where the rows that bend nearly separate the classes, no
//! Newton step ends on the piece that it was made for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::matrix::{Dense, Matrix};
use crate::model::loss::Loss;
use crate::path::walk::Form;
use crate::problem::{Point, Problem, Specification};

use super::cases::{assert_converged, normal, scaled_residual, solve_all, step_of};

/// Labels of ten features and noise, which so many features nearly separate.
fn nearly_separated(rows: usize, columns: usize) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let values: Vec<f64> = (0..rows * columns).map(|_| normal(&mut rng)).collect();
    let label = |row: &[f64]| {
        let score = row[..10].iter().sum::<f64>() + 1.5 * normal(&mut rng);
        if score > 0.0 { 1.0 } else { -1.0 }
    };
    let labels = values.chunks(columns).map(label).collect();
    let matrix = Matrix::Dense(Dense::new(rows, columns, values).unwrap());
    let mut specification = Specification::new(Loss::SquaredHinge, matrix, vec![labels]);
    specification.scaling.intercept = true;
    Problem::new(specification).unwrap()
}

#[test]
fn a_hinge_of_rows_that_nearly_separate_is_solved_in_some_tens_of_steps() {
    for (rows, columns) in [(203, 111), (201, 131), (91, 129)] {
        let problem = nearly_separated(rows, columns);
        for l2 in [1e-5, 1e-7, 1e-9] {
            let point = Point::new(0.0, l2);
            let solutions = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
            assert_converged(&solutions);
            let s = &solutions[0];
            assert!(
                s.steps <= 150,
                "{rows} × {columns}, {l2}: {} steps",
                s.steps
            );
            let residual = scaled_residual(&problem, &point, &s.w, step_of(&problem, &point));
            assert!(residual < 1e-13, "{rows} × {columns}, {l2}: {residual}");
        }
    }
}
