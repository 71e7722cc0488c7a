//! Problems at the edge of conditioning: nearly equal columns, columns of very different scales, and
//! coordinates without any curvature, which the fast path must solve as first-order methods do.

mod common;

use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::kinds::{Method, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::penalty::Penalty;
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Problem, Specification};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn uniform(random: &mut ChaCha12Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn plain(loss: Loss, matrix: Dense, y: Vec<f64>) -> Specification {
    let mut specification = Specification::new(loss, Matrix::Dense(matrix), vec![y]);
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification
}

fn outcome(problem: &Problem, point: Point, settings: &Settings) -> Outcome {
    Evaluator::new(problem)
        .settings(settings)
        .run(&[point])
        .unwrap()
        .remove(0)
}

#[test]
fn nearly_equal_columns_without_ridge_are_solved() {
    for epsilon in [1e-3, 1e-4, 1e-5] {
        for seed in 0..6 {
            let mut random = ChaCha12Rng::seed_from_u64(seed);
            let (n, d) = (20, 6);
            let mut values: Vec<f64> = (0..n * d).map(|_| uniform(&mut random)).collect();
            let mut y = Vec::new();
            for row in values.chunks_exact_mut(d) {
                row[5] = row[0] + epsilon * row[5];
                y.push(row[0] + 0.5 * uniform(&mut random));
            }
            let problem =
                Problem::new(plain(Loss::Squared, Dense::new(n, d, values).unwrap(), y)).unwrap();
            let point = Point::new(0.01, 0.0);
            let path = outcome(&problem, point.clone(), &Settings::default());
            let first_order = Settings::default().solver(Solver::Fista).method(None);
            let fista = outcome(&problem, point, &first_order);
            assert_eq!(
                path.status,
                Status::Converged,
                "{epsilon:e}, seed {seed}: {} steps",
                path.steps
            );
            assert!(
                path.residual < 1e-13,
                "{epsilon:e}, seed {seed}: residual {:e}",
                path.residual
            );
            assert!(
                path.objective <= fista.objective + 1e-12,
                "{epsilon:e}, seed {seed}: {} above {}",
                path.objective,
                fista.objective
            );
        }
    }
}

#[test]
fn columns_of_very_different_scales_are_not_singular() {
    let mut random = ChaCha12Rng::seed_from_u64(1);
    let (n, d) = (30, 3);
    let mut values: Vec<f64> = (0..n * d).map(|_| uniform(&mut random)).collect();
    let mut y = Vec::new();
    for row in values.chunks_exact_mut(d) {
        y.push(1.3 * row[0] - 0.4 * row[1] + 0.7 * row[2]);
        row[2] *= 1e-8;
    }
    let problem = Problem::new(plain(Loss::Squared, Dense::new(n, d, values).unwrap(), y)).unwrap();
    let settings = Settings::default().method(Method::Direct);
    let found = outcome(&problem, Point::default(), &settings);
    assert_eq!(found.status, Status::Converged);
    assert!(found.hypergradient.is_some(), "{:?}", found.warnings);
    assert!(
        common::relative_error(&found.solution, &[1.3, -0.4, 0.7e8]) < 1e-9,
        "{:?}",
        found.solution
    );
}

/// A dual support vector machine with an example of zeros: its multiplier goes to the upper bound.
#[test]
fn a_coordinate_without_curvature_goes_to_its_bound() {
    let mut random = ChaCha12Rng::seed_from_u64(2);
    let (n, d) = (12, 3);
    let mut x: Vec<f64> = (0..n * d).map(|_| uniform(&mut random)).collect();
    x[3 * d..4 * d].fill(0.0);
    let dot = |i: usize, j: usize| (0..d).map(|k| x[i * d + k] * x[j * d + k]).sum::<f64>();
    let q = Dense::new(n, n, (0..n * n).map(|at| dot(at / n, at % n)).collect()).unwrap();
    let mut specification = plain(Loss::Quadratic, q, vec![1.0; n]);
    specification.penalty = Penalty::Box {
        lower: 0.0,
        upper: 1.0,
    };
    let problem = Problem::new(specification).unwrap();
    let point = Point::default();
    let solved = |solver| {
        let settings = Settings::default()
            .solver(solver)
            .method(None)
            .wrt(vec![Wrt::BoxBounds]);
        outcome(&problem, point.clone(), &settings)
    };
    let (path, ista) = (solved(Solver::Path), solved(Solver::Ista));
    assert_eq!(path.status, Status::Converged);
    assert_eq!(path.solution[3], 1.0);
    assert!(
        (path.objective - ista.objective).abs() < 1e-10,
        "{} {}",
        path.objective,
        ista.objective
    );
}

#[test]
fn an_indefinite_form_is_refused() {
    let q = Dense::new(2, 2, vec![1.0, 0.0, 0.0, -1.0]).unwrap();
    let problem = Problem::new(plain(Loss::Quadratic, q, vec![1.0, 1.0])).unwrap();
    let point = Point::new(0.1, 0.1);
    let control = Control::new();
    let refused = Evaluator::new(&problem).control(&control).run(&[point]);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("not positive semidefinite")
    );
}

/// Duplicate columns without ridge: the criterion on the same rows is flat along their null space and has
/// a hypergradient by every method, and one on rows that tell them apart by none.
#[test]
fn a_singular_point_has_a_hypergradient_where_the_criterion_is_flat() {
    let mut random = ChaCha12Rng::seed_from_u64(3);
    let (n, d) = (20, 3);
    let mut values: Vec<f64> = (0..n * d).map(|_| uniform(&mut random)).collect();
    let mut y = Vec::new();
    for row in values.chunks_exact_mut(d) {
        row[2] = row[0];
        y.push(row[0] + row[1]);
    }
    let mut specification = plain(Loss::Squared, Dense::new(n, d, values).unwrap(), y);
    let flat = Problem::new(specification.clone()).unwrap();
    let told_apart = (0..n * d).map(|_| uniform(&mut random)).collect();
    specification.validation = Some(Rows {
        matrix: Matrix::Dense(Dense::new(n, d, told_apart).unwrap()),
        targets: specification.train.targets.clone(),
        weights: None,
        offset: None,
    });
    let telling = Problem::new(specification).unwrap();
    let point = |l2: f64| Point::new(0.01, l2);
    // The limit of what a ridge makes unique.
    let limit = outcome(&flat, point(1e-8), &Settings::default());
    let expected = limit.gradient().unwrap();
    let methods = [
        Method::Direct,
        Method::AidCg,
        Method::AidFp,
        Method::ItdForward,
        Method::ItdReverse,
    ];
    for method in methods {
        // From zero by Picard steps both copies enter the support.
        let settings = Settings::default().method(method).solver(Solver::Ista);
        let found = outcome(&telling, point(0.0), &settings);
        assert_eq!(found.support, 3, "{method:?}");
        assert!(
            found.hypergradient.is_none() && !found.warnings.is_empty(),
            "{method:?}"
        );
        let found = outcome(&flat, point(0.0), &settings);
        let found = found.gradient().unwrap();
        let pairs = [
            (
                found.l1.as_ref().unwrap().value(),
                expected.l1.as_ref().unwrap().value(),
            ),
            (found.l2_value(), expected.l2_value()),
        ];
        for (found, expected) in pairs {
            let (found, expected) = (found.unwrap(), expected.unwrap());
            assert!(
                (found - expected).abs() < 1e-5 * expected.abs(),
                "{method:?}: {found} {expected}"
            );
        }
    }
}

/// Singular values down to 1e-9: their squares are below rounding, and what is found may be no minimum. It is
/// not called converged where no coefficient at all does better.
#[test]
fn nothing_worse_than_zero_is_converged() {
    let mut random = ChaCha12Rng::seed_from_u64(3);
    let (n, d) = (300, 60);
    let mut values = vec![0.0; n * d];
    for k in 0..d {
        let size = 10f64.powf(-9.0 * k as f64 / 59.0);
        let u: Vec<f64> = (0..n).map(|_| uniform(&mut random)).collect();
        let v: Vec<f64> = (0..d).map(|_| uniform(&mut random)).collect();
        for i in 0..n {
            for j in 0..d {
                values[i * d + j] += size * u[i] * v[j];
            }
        }
    }
    let y: Vec<f64> = (0..n).map(|_| uniform(&mut random)).collect();
    let at_zero = 0.5 * y.iter().map(|y| y * y).sum::<f64>() / n as f64;
    let matrix = Dense::new(n, d, values).unwrap();
    let problem = Problem::new(plain(Loss::Squared, matrix, y)).unwrap();
    for point in [
        Point::new(0.0, 0.0),
        Point::new(0.0, 1e-20),
        Point::new(1e-12, 0.0),
    ] {
        let found = outcome(&problem, point.clone(), &Settings::default().method(None));
        let is_worse = found.objective > at_zero * (1.0 + 1e-6);
        assert!(
            !(is_worse && found.status == Status::Converged),
            "{point:?}: {} for {at_zero}",
            found.objective
        );
    }
}
