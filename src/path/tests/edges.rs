//! The ends of the range: no penalty, all penalty, no variance, no unique solution, no solution.

use crate::control::Control;
use crate::data::matrix::{Dense, Matrix};
use crate::kinds::{Preconditioner, Status};
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::path::walk::Form;
use crate::path::{
    PathSettings, RestrictedMethod, RestrictedRequest, Uniqueness, solve, solve_restricted,
};
use crate::problem::{Point, Problem, Specification};

use super::cases::{
    Recipe, TO_ROUNDING, adjoints, assert_converged, loss_on, relative_residual, scaled_residual,
    solve_all, solve_one, step_of,
};

fn at(l1: f64, l2: f64) -> Point {
    Point::new(l1, l2)
}

fn dense(rows: &[&[f64]]) -> Matrix {
    let values = rows.iter().flat_map(|r| r.iter().copied()).collect();
    Matrix::Dense(Dense::new(rows.len(), rows[0].len(), values).unwrap())
}

fn bare(mut s: Specification) -> Problem {
    s.scaling.intercept = false;
    s.scaling.standardize = false;
    Problem::new(s).unwrap()
}

#[test]
fn zero_from_the_largest_strength_on() {
    for loss in [
        Loss::Squared,
        Loss::Logistic,
        Loss::Multinomial,
        Loss::Huber { delta: 0.5 },
        Loss::SquaredHinge,
    ] {
        let problem = Recipe::new(1, loss, Penalty::ElasticNet).build();
        let zero = vec![0.0; problem.coordinates()];
        let (_, gradient) = loss_on(&problem.train, loss, problem.classes, 0, &zero);
        let largest = gradient.iter().fold(0.0f64, |a, g| a.max(g.abs()));
        for l1 in [largest * (1.0 + 1e-12), 2.0 * largest] {
            let s = solve_all::<f64>(&problem, &[at(l1, 0.0)], Form::Auto);
            assert_converged(&s);
            assert_eq!(s[0].w, zero);
        }
        let s = solve_all::<f64>(&problem, &[at(0.99 * largest, 0.0)], Form::Auto);
        assert_ne!(s[0].w, zero);
    }
}

#[test]
fn zero_at_exact_equality() {
    // Gradient at zero: −(3 + 1)/4 = −1 and −(3 − 1)/4 = −½, exactly.
    let x = dense(&[&[1.0, 1.0], &[1.0, -1.0], &[0.0, 0.0], &[0.0, 0.0]]);
    let problem = bare(Specification::new(
        Loss::Squared,
        x,
        vec![vec![3.0, 1.0, 0.0, 0.0]],
    ));
    for form in [Form::Auto, Form::Residual] {
        let s = solve_all::<f64>(&problem, &[at(1.0, 0.0), at(1.0, 0.7)], form);
        assert_converged(&s);
        assert_eq!(s[0].w, [0.0, 0.0]);
        assert_eq!(s[1].w, [0.0, 0.0]);
        let below = solve_all::<f64>(&problem, &[at(1.0 - 1e-9, 0.0)], form);
        assert!(below[0].w[0] > 0.0);
    }
}

#[test]
fn duplicate_columns_without_ridge_share_coefficient_and_adjoint() {
    let mut rows = Vec::new();
    let mut y = Vec::new();
    for i in 0..30 {
        let a = ((i * 37 % 30) as f64 - 14.5) / 9.0;
        let b = ((i * 11 % 30) as f64 - 14.5) / 9.0;
        rows.push(vec![a, b, a]);
        y.push(1.3 * a - 0.4 * b + 0.01 * (i % 5) as f64);
    }
    let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
    let problem = bare(Specification::new(Loss::Squared, dense(&rows), vec![y]));
    for point in [at(0.05, 0.0), at(0.0, 0.0)] {
        for form in [Form::Auto, Form::Residual] {
            let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), form);
            assert_converged(&s);
            let residual = scaled_residual(&problem, &point, &s[0].w, step_of(&problem, &point));
            assert!(residual < 1e-12, "{residual:e}");
        }
        let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
        assert_eq!(s[0].uniqueness, Uniqueness::LeastNorm);
        assert!((s[0].w[0] - s[0].w[2]).abs() < 1e-14);
        for method in [
            RestrictedMethod::Direct,
            RestrictedMethod::Cg {
                preconditioner: Preconditioner::Diagonal,
            },
        ] {
            let z = adjoints(&problem, std::slice::from_ref(&point), &s, method, false);
            assert!(!z[0].singular);
            let z = &z[0].z;
            assert!(z[0] != 0.0 && (z[0] - z[2]).abs() < 1e-13 * z[0].abs());
        }
    }
}

#[test]
fn dropped_columns_stay_zero_and_are_no_singularity() {
    let mut rows = Vec::new();
    let mut y = Vec::new();
    for i in 0..20 {
        rows.push(vec![(i % 7) as f64, 3.0, (i % 3) as f64]);
        y.push(0.5 * (i % 7) as f64 - (i % 3) as f64 + 2.0);
    }
    let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
    let problem = Problem::new(Specification::new(Loss::Squared, dense(&rows), vec![y])).unwrap();
    for point in [at(0.0, 0.0), at(0.01, 0.0), at(0.01, 0.1)] {
        let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
        assert_converged(&s);
        assert_eq!(s[0].w[1], 0.0);
        let z = adjoints(&problem, &[point], &s, RestrictedMethod::Direct, true);
        assert!(!z[0].singular);
        assert_eq!(z[0].z[1], 0.0);
    }
}

#[test]
fn multinomial_intercepts_keep_their_gauge() {
    let mut recipe = Recipe::new(3, Loss::Multinomial, Penalty::ElasticNet);
    recipe.intercept = true;
    let problem = recipe.build();
    let p = problem.coordinates();
    let points = [at(0.02, 0.1), at(0.02, 0.0)];
    let s = solve_all::<f64>(&problem, &points, Form::Auto);
    assert_converged(&s);
    let z = adjoints(&problem, &points, &s, RestrictedMethod::Direct, true);
    for (s, z) in s.iter().zip(&z) {
        assert!(s.w[p - 3..].iter().sum::<f64>().abs() < 1e-14);
        assert!(!z.singular);
        assert!(z.z[p - 3..].iter().sum::<f64>().abs() < 1e-12);
    }
}

#[test]
fn separable_classes_without_penalty_do_not_converge() {
    let x = dense(&[&[1.0, 0.3], &[2.0, -0.2], &[-1.0, 0.1], &[-1.5, -0.4]]);
    let y = vec![1.0, 1.0, -1.0, -1.0];
    for (loss, classes, y) in [
        (Loss::Logistic, 1, y.clone()),
        (
            Loss::Multinomial,
            2,
            y.iter().map(|y| (1.0 - y) / 2.0).collect(),
        ),
    ] {
        for intercept in [false, true] {
            let mut s = Specification::new(loss, x.clone(), vec![y.clone()]);
            s.classes = classes;
            s.scaling.intercept = intercept;
            s.scaling.standardize = false;
            let problem = Problem::new(s).unwrap();
            for tolerance in [None, Some(1e-6)] {
                let settings = PathSettings {
                    tolerance,
                    max_steps: 20_000,
                };
                let s = solve_one(&problem, &at(0.0, 0.0), settings);
                assert!(
                    matches!(
                        s.status,
                        Status::Diverged | Status::BudgetSpent | Status::Stalled
                    ),
                    "{loss:?} {intercept} {tolerance:?}: {:?}",
                    s.status
                );
            }
        }
    }
}

#[test]
fn two_rows_one_feature() {
    let x = dense(&[&[1.0], &[2.0]]);
    for loss in [Loss::Squared, Loss::Huber { delta: 1.0 }] {
        for intercept in [false, true] {
            let mut s = Specification::new(loss, x.clone(), vec![vec![1.0, 4.0]]);
            s.scaling.intercept = intercept;
            let problem = Problem::new(s).unwrap();
            for point in [at(0.0, 0.0), at(0.1, 0.0), at(0.1, 1.0)] {
                let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
                assert_converged(&s);
                let residual =
                    scaled_residual(&problem, &point, &s[0].w, step_of(&problem, &point));
                assert!(residual < 1e-13, "{residual:e}");
            }
        }
    }
}

#[test]
fn lasso_with_more_features_than_rows() {
    let mut recipe = Recipe::new(5, Loss::Squared, Penalty::ElasticNet);
    recipe.n = 30;
    recipe.d = 400;
    for intercept in [false, true] {
        recipe.intercept = intercept;
        let problem = recipe.build();
        let points: Vec<Point> = (0..12).map(|k| at(2.0 * 0.6f64.powi(k), 0.0)).collect();
        for form in [Form::Auto, Form::Residual] {
            let s = solve_all::<f64>(&problem, &points, form);
            assert_converged(&s);
            for (point, s) in points.iter().zip(&s) {
                let residual = scaled_residual(&problem, point, &s.w, step_of(&problem, point));
                assert!(residual < 1e-11, "{residual:e}");
            }
        }
    }
}

#[test]
fn budgets_and_cancellation_are_reported() {
    let mut recipe = Recipe::new(6, Loss::Logistic, Penalty::ElasticNet);
    recipe.d = 12;
    let problem = recipe.build();
    let settings = PathSettings {
        tolerance: None,
        max_steps: 1,
    };
    let s = solve_one(&problem, &at(0.01, 0.01), settings);
    assert_eq!(s.status, Status::BudgetSpent);
    let control = Control::new();
    control.cancel();
    let s = solve::<f64>(&problem, &[at(0.01, 0.01)], None, &TO_ROUNDING, &control).unwrap();
    assert_eq!(s[0].status, Status::BudgetSpent);
    assert!(s[0].w.iter().all(|w| w.is_finite()));
}

#[test]
fn warm_starts_change_the_way_and_not_the_end() {
    let problem = Recipe::new(9, Loss::Squared, Penalty::ElasticNet).build();
    let points = [at(0.1, 0.01), at(0.02, 0.01)];
    let cold = solve_all::<f64>(&problem, &points, Form::Auto);
    let starts: Vec<Vec<f64>> = vec![
        vec![1.0; problem.coordinates()],
        vec![f64::NAN; problem.coordinates()],
    ];
    let warm = solve::<f64>(
        &problem,
        &points,
        Some(&starts),
        &TO_ROUNDING,
        &Control::new(),
    )
    .unwrap();
    for (a, b) in cold.iter().zip(&warm) {
        assert_eq!(a.w, b.w);
    }
    let short = vec![vec![0.0; 2]; 2];
    assert!(
        solve::<f64>(
            &problem,
            &points,
            Some(&short),
            &TO_ROUNDING,
            &Control::new()
        )
        .is_err()
    );
}

#[test]
fn tolerances_are_met() {
    for loss in [Loss::Squared, Loss::Logistic, Loss::Huber { delta: 0.5 }] {
        let problem = Recipe::new(10, loss, Penalty::ElasticNet).build();
        let settings = PathSettings {
            tolerance: Some(1e-4),
            max_steps: 1000,
        };
        let point = at(0.02, 0.01);
        let s = solve_one(&problem, &point, settings);
        assert_eq!(s.status, Status::Converged);
        let residual = relative_residual(&problem, &point, &s.w);
        assert!(residual <= 1e-4, "{residual:e}");
    }
}

#[test]
fn large_sets_and_flat_losses() {
    for (loss, n, d, points) in [
        (Loss::Squared, 60, 2600, vec![at(0.0, 0.5)]),
        (Loss::Logistic, 60, 1300, vec![at(0.0, 0.5), at(0.01, 0.0)]),
        (
            Loss::Huber { delta: 0.1 },
            200,
            20,
            vec![at(0.0, 0.0), at(0.01, 0.0)],
        ),
        (
            Loss::SquaredHinge,
            200,
            20,
            vec![at(0.0, 0.0), at(0.01, 0.0)],
        ),
        (Loss::Logistic, 200, 20, vec![at(0.0, 0.0), at(1e-4, 0.0)]),
    ] {
        let mut recipe = Recipe::new(5, loss, Penalty::ElasticNet);
        recipe.n = n;
        recipe.d = d;
        recipe.intercept = true;
        let problem = recipe.build();
        for point in points {
            let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
            assert_converged(&s);
            let residual = scaled_residual(&problem, &point, &s[0].w, 1e-3);
            assert!(residual < 1e-10, "{loss:?} {point:?}: {residual:e}");
            assert_converged(&solve_all::<f32>(&problem, &[point], Form::Auto));
        }
    }
}

#[test]
fn bounds_hold_coordinates_without_curvature() {
    let boxed = |q: &[&[f64]], b: Vec<f64>| {
        let mut s = Specification::new(Loss::Quadratic, dense(q), vec![b]);
        s.penalty = Penalty::Box {
            lower: 0.0,
            upper: 1.0,
        };
        bare(s)
    };
    let flat = boxed(&[&[0.0; 3][..]; 3], vec![1.0, -1.0, 0.0]);
    let partly = boxed(
        &[&[2.0, 0.0, 0.5], &[0.0; 3][..], &[0.5, 0.0, 4.0]],
        vec![1.0; 3],
    );
    // 2a + b/2 = 1, a/2 + 4b = 1.
    let (a, b) = (3.5 / 7.75, 1.5 / 7.75);
    for form in [Form::Auto, Form::Residual] {
        let s = solve_all::<f64>(&flat, &[at(0.0, 0.0)], form);
        assert_converged(&s);
        assert_eq!(s[0].w, [1.0, 0.0, 0.0]);
        let s = solve_all::<f64>(&partly, &[at(0.0, 0.0)], form);
        assert_converged(&s);
        for (w, expected) in s[0].w.iter().zip([a, 1.0, b]) {
            assert!((w - expected).abs() < 1e-14, "{w} {expected}");
        }
    }
}

/// Rows that are alike round alike: where only the intercept is free, their sum must not hide that a
/// Newton step is one.
#[test]
fn an_intercept_alone_converges_in_a_few_steps() {
    for (n, positive) in (0..40).map(|k| (2380 + k, 1190 + (7 * k) % 31)) {
        let labels: Vec<f64> = (0..n)
            .map(|i| if (i * 997) % n < positive { 1.0 } else { -1.0 })
            .collect();
        let values: Vec<f64> = (0..2 * n)
            .map(|at| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0)
            .collect();
        let mut recipe = Recipe::new(1, Loss::Logistic, Penalty::ElasticNet);
        recipe.intercept = true;
        let mut specification = recipe.specification();
        let matrix = crate::data::matrix::Dense::new(n, 2, values).unwrap();
        specification.train.matrix = crate::data::matrix::Matrix::Dense(matrix);
        specification.train.targets = vec![labels];
        specification.train.weights = None;
        specification.validation = None;
        let problem = Problem::new(specification).unwrap();
        let point = Point::new(10.0, 0.1);
        let solutions = solve_all::<f64>(&problem, &[point], Form::Auto);
        assert_eq!(solutions[0].status, Status::Converged, "{n} rows");
        assert!(
            solutions[0].steps < 40,
            "{n} rows: {} steps",
            solutions[0].steps
        );
    }
}

/// A point that does not fit is an error of the request, before anything is prepared with it.
#[test]
fn points_that_do_not_fit_are_refused_before_they_are_used() {
    let problem = Recipe::new(3, Loss::Squared, Penalty::ElasticNet).build();
    let rows = problem.train.rows();
    for point in [
        at(0.1, 0.1).with_weights(vec![1.0; rows - 1]),
        at(0.1, 0.1).with_weights(vec![f64::NAN; rows]),
        at(0.1, 0.1).with_criterion_weights(vec![1.0]),
        at(f64::NAN, 0.1),
        at(0.1, 0.1).of_target(1),
    ] {
        let control = Control::new();
        let points = std::slice::from_ref(&point);
        assert!(solve::<f64>(&problem, points, None, &TO_ROUNDING, &control).is_err());
        let request = RestrictedRequest {
            points,
            w: &[vec![0.0; problem.coordinates()]],
            step: &[0.1],
            criterion_gradient: &[vec![1.0; problem.coordinates()]],
            factors: None,
            method: RestrictedMethod::Direct,
            tolerance: None,
            max_steps: 1,
            control: &control,
        };
        assert!(solve_restricted(&problem, &request).is_err());
    }
}

/// Points with parts of their own are worked on in the order of their first appearance, wherever the
/// allocator put them.
#[test]
fn the_order_of_work_does_not_depend_on_addresses() {
    let problem = Recipe::new(4, Loss::Squared, Penalty::ElasticNet).build();
    let mut points: Vec<Point> = (0..6)
        .map(|k| at(0.1, 0.1).with_weights(vec![1.0 + f64::from(k); problem.train.rows()]))
        .collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.addresses()));
    points.push(points[2].clone());
    let units = crate::path::paths_by_ridge(&points);
    assert_eq!(
        units,
        [vec![0], vec![1], vec![2, 6], vec![3], vec![4], vec![5]]
    );
}

/// Problems that differ in their weights alone have the columns in common.
#[test]
fn members_share_the_columns_of_their_design() {
    let problem = Recipe::new(5, Loss::Logistic, Penalty::ElasticNet).build();
    let of = |k: usize| {
        (0..problem.train.rows())
            .map(|i| ((i + k) % 3) as f64)
            .collect::<Vec<_>>()
    };
    let points: Vec<Point> = (0..3).map(|k| at(0.1, 0.1).with_weights(of(k))).collect();
    let (members, prepared) =
        crate::path::prepare_all::<f64>(&problem, &points, Form::Auto).unwrap();
    assert_eq!(members.count(), 4);
    for other in &prepared[1..] {
        assert!(prepared[0].shares_columns(other));
    }
}
