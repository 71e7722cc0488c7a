//! Several classes on dense columns with a ridge alone: products of all classes at once, and the factor of one
//! class's block as preconditioner.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::matrix::{Dense, Matrix};
use crate::kinds::Preconditioner;
use crate::model::loss::Loss;
use crate::path::RestrictedMethod;
use crate::path::columns::Columns;
use crate::path::walk::Form;
use crate::problem::{Point, Problem, RidgeStrengths, Rows, Specification};

use super::cases::{
    adjoints, assert_converged, normal, relative_error, scaled_residual, solve_all, step_of,
};

const CLASSES: usize = 10;

fn made(rows: usize, columns: usize, intercept: bool) -> Problem {
    Problem::new(specification(rows, columns, intercept)).unwrap()
}

fn specification(rows: usize, columns: usize, intercept: bool) -> Specification {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut part = |rows: usize| {
        // Neighbouring columns are alike: the diagonal alone says little.
        let mut last = 0.0;
        let mut next = || {
            last = 0.95 * last + 0.3 * normal(&mut rng);
            last
        };
        let values: Vec<f64> = (0..rows * columns).map(|_| next()).collect();
        let largest = |row: &[f64]| {
            let best = (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            best.unwrap() as f64
        };
        let y = values.chunks(columns).map(largest).collect();
        let matrix = Matrix::Dense(Dense::new(rows, columns, values).unwrap());
        (matrix, vec![y])
    };
    let ((matrix, targets), (held_out, labels)) = (part(rows), part(40));
    let mut specification = Specification::new(Loss::Multinomial, matrix, targets);
    specification.classes = CLASSES;
    specification.scaling.intercept = intercept;
    specification.scaling.standardize = false;
    specification.validation = Some(Rows {
        matrix: held_out,
        targets: labels,
        weights: None,
        offset: None,
    });
    specification
}

#[test]
fn products_of_all_classes_are_those_of_each() {
    for (rows, count) in [(261, 67), (1200, 129)] {
        let problem = made(rows, count, false);
        let columns: Columns<f64> = Columns::new(&problem.train.design);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let w: Vec<f64> = (0..count * CLASSES).map(|_| normal(&mut rng)).collect();
        let mut z = vec![0.0; rows * CLASSES];
        assert!(columns.apply_all(&w, CLASSES, &mut z));
        for (k, z) in z.chunks(rows).enumerate() {
            let mut own = vec![0.0; rows];
            columns.apply(|j| w[j * CLASSES + k], &mut own);
            assert!(relative_error(z, &own) < 1e-13);
        }
        let mut all = vec![0.0; count * CLASSES];
        assert!(columns.transposed_all(&z, CLASSES, &mut all));
        for (k, z) in z.chunks(rows).enumerate() {
            let mut own = vec![0.0; count];
            columns.transposed(z, |j, value| own[j] = value);
            let of_class: Vec<f64> = all.iter().skip(k).step_by(CLASSES).copied().collect();
            assert!(relative_error(&of_class, &own) < 1e-13);
        }
        // Few coefficients that are not zero cost less one by one.
        let few: Vec<f64> = (0..w.len())
            .map(|at| if at % 9 == 0 { w[at] } else { 0.0 })
            .collect();
        assert!(!columns.apply_all(&few, CLASSES, &mut z));
    }
}

#[test]
fn fits_and_adjoints_by_the_factor_of_one_class() {
    for intercept in [false, true] {
        let problem = made(260, 205, intercept);
        let point = Point::new(0.0, 0.02);
        let points = std::slice::from_ref(&point);
        let fits = solve_all::<f64>(&problem, points, Form::Auto);
        assert_converged(&fits);
        let residual = scaled_residual(&problem, &point, &fits[0].w, step_of(&problem, &point));
        assert!(residual < 1e-12, "{residual:e}");
        let by = |preconditioner: Preconditioner| {
            let method = RestrictedMethod::Cg { preconditioner };
            adjoints(&problem, points, &fits, method, false).remove(0)
        };
        let (best, diagonal) = (by(Preconditioner::Cholesky), by(Preconditioner::Diagonal));
        assert!(relative_error(&best.z, &diagonal.z) < 1e-9);
        assert!(
            2 * best.steps < diagonal.steps,
            "{} products for {}",
            best.steps,
            diagonal.steps
        );
    }
}

/// Columns whose last rows are zero are stored down to their height: coordinate descent reads the other
/// classes' rows where they are.
#[test]
fn columns_that_end_in_zeros_are_solved() {
    let mut stated = specification(260, 125, false);
    let Matrix::Dense(matrix) = &mut stated.train.matrix else {
        panic!("rows in full")
    };
    for row in 130..260 {
        matrix.values[row * 125..][..80].fill(0.0);
    }
    let problem = Problem::new(stated).unwrap();
    let point = Point::new(1e-4, 1e-3);
    let fits = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
    assert_converged(&fits);
    assert!(fits[0].steps < 3000, "{} steps", fits[0].steps);
    let residual = scaled_residual(&problem, &point, &fits[0].w, step_of(&problem, &point));
    assert!(residual < 1e-11, "{residual:e}");
}

/// Rows without weight, a column of zeros, another one twice, and ridge strengths of each class.
#[test]
fn the_preconditioner_meets_every_kind_of_row_and_column() {
    let mut stated = specification(260, 205, true);
    let Matrix::Dense(matrix) = &mut stated.train.matrix else {
        panic!("rows in full")
    };
    for row in matrix.values.chunks_exact_mut(205) {
        row[3] = 0.0;
        row[9] = row[8];
    }
    stated.train.weights = Some((0..260).map(|i| f64::from(i % 5)).collect());
    let of_class = (0..CLASSES).map(|k| 1.0 + k as f64).collect();
    let entries: Vec<u32> = (0..205 * CLASSES as u32)
        .map(|j| j % CLASSES as u32)
        .collect();
    stated.ridge = Some(RidgeStrengths::shared(of_class, entries).unwrap());
    let problem = Problem::new(stated).unwrap();
    let point = Point::new(0.0, 0.01);
    let points = std::slice::from_ref(&point);
    let fits = solve_all::<f64>(&problem, points, Form::Auto);
    assert_converged(&fits);
    let by = |preconditioner: Preconditioner| {
        let method = RestrictedMethod::Cg { preconditioner };
        adjoints(&problem, points, &fits, method, false).remove(0)
    };
    let (best, none) = (by(Preconditioner::Cholesky), by(Preconditioner::None));
    assert!(relative_error(&best.z, &none.z) < 1e-8);
    let single = solve_all::<f32>(&problem, points, Form::Auto);
    let wide: Vec<f64> = single[0].w.iter().map(|w| f64::from(*w)).collect();
    assert!(relative_error(&wide, &fits[0].w) < 1e-3);
}
