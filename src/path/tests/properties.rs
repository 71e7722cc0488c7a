//! Properties over every loss and penalty: optimality, agreement of forms and storage, derivatives
//! against finite differences, independence of threads and of the batch.

use crate::kinds::{Preconditioner, Status};
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::path::walk::Form;
use crate::path::{RestrictedMethod, solve};
use crate::problem::{Point, Problem};

use super::cases::{
    Recipe, TO_ROUNDING, adjoints, assert_converged, combinations, criterion, hypergradient,
    relative_error, scaled_residual, solve_all, step_of,
};

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for l2 in [0.05, 0.0] {
        for l1 in [0.02, 0.3, 0.1] {
            points.push(Point::new(l1, l2));
        }
    }
    points
}

#[test]
fn solutions_are_fixed_points() {
    for (at, (loss, penalty)) in combinations().into_iter().enumerate() {
        for variant in 0..3 {
            let mut recipe = Recipe::new(100 + at as u64, loss, penalty.clone());
            recipe.intercept = variant > 0 && loss != Loss::Quadratic;
            recipe.weights = variant == 1;
            recipe.prior = variant == 1;
            recipe.sparse = variant == 2;
            let problem = recipe.build();
            let points = points();
            for form in [Form::Gram, Form::Residual] {
                let solutions = solve_all::<f64>(&problem, &points, form);
                for (point, s) in points.iter().zip(&solutions) {
                    let step = step_of(&problem, point);
                    let residual = scaled_residual(&problem, point, &s.w, step);
                    let place = format!("{loss:?} {penalty:?} {variant} {form:?} {point:?}");
                    assert_eq!(
                        s.status,
                        Status::Converged,
                        "{place}: {residual:e} after {}",
                        s.steps
                    );
                    assert!(residual < 1e-12, "{place}: {residual:e}");
                }
            }
        }
    }
}

#[test]
fn forms_and_storages_agree() {
    for (at, (loss, penalty)) in combinations().into_iter().enumerate() {
        let mut recipe = Recipe::new(300 + at as u64, loss, penalty.clone());
        recipe.intercept = loss != Loss::Quadratic;
        recipe.sparse = true;
        let sparse = recipe.build();
        let mut specification = recipe.specification();
        let dense = |m: &crate::data::matrix::Matrix| {
            let mut values = vec![0.0; m.rows() * m.columns()];
            m.for_each_entry(|i, j, v| values[i * m.columns() + j] = v);
            crate::data::matrix::Matrix::Dense(
                crate::data::matrix::Dense::new(m.rows(), m.columns(), values).unwrap(),
            )
        };
        specification.train.matrix = dense(&specification.train.matrix);
        if let Some(v) = &mut specification.validation {
            v.matrix = dense(&v.matrix);
        }
        let dense = Problem::new(specification).unwrap();
        let points = &points()[..3];
        let reference = solve_all::<f64>(&dense, points, Form::Gram);
        for (problem, form) in [
            (&dense, Form::Residual),
            (&sparse, Form::Gram),
            (&sparse, Form::Residual),
        ] {
            let other = solve_all::<f64>(problem, points, form);
            for (a, b) in reference.iter().zip(&other) {
                // 1 beside the coordinates, so that a solution of zeros has a size.
                let with_one = |w: &[f64]| [w, &[1.0]].concat();
                let error = relative_error(&with_one(&b.w), &with_one(&a.w));
                assert!(error < 1e-10, "{loss:?} {penalty:?} {form:?}: {error:e}");
            }
        }
    }
}

#[test]
fn hypergradients_match_finite_differences() {
    for (at, (loss, penalty)) in combinations().into_iter().enumerate() {
        let mut recipe = Recipe::new(500 + at as u64, loss, penalty.clone());
        recipe.intercept = at % 2 == 0 && loss != Loss::Quadratic;
        recipe.prior = at % 3 == 0;
        let problem = recipe.build();
        let point = Point::new(0.05, 0.1);
        let value = |point: Point| {
            let s = solve_all::<f64>(&problem, &[point], Form::Auto);
            assert_converged(&s);
            criterion(&problem, 0, &s[0].w).0
        };
        let h = 1e-5;
        let difference =
            |change: &dyn Fn(f64) -> Point| (value(change(h)) - value(change(-h))) / (2.0 * h);
        let by_l1 = difference(&|h| Point::new(point.l1 + h, point.l2));
        let by_l2 = difference(&|h| Point::new(point.l1, point.l2 + h));
        let solutions = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
        for method in [
            RestrictedMethod::Direct,
            RestrictedMethod::Cg {
                preconditioner: Preconditioner::Diagonal,
            },
        ] {
            let z = adjoints(
                &problem,
                std::slice::from_ref(&point),
                &solutions,
                method,
                true,
            );
            assert_eq!(z[0].status, Status::Converged);
            let (l1, l2) = hypergradient(
                &problem,
                &point,
                &solutions[0].w,
                &z[0].z,
                step_of(&problem, &point),
            );
            // With strengths the derivative along l1 is that along strength, chained.
            let l1: f64 = match &problem.penalty {
                Penalty::Weighted { strengths } => {
                    l1.iter().zip(strengths).map(|(g, s)| g * s).sum()
                }
                Penalty::Group {
                    strengths: Some(strengths),
                    ..
                } => l1.iter().zip(strengths).map(|(g, s)| g * s).sum(),
                _ => l1.iter().sum(),
            };
            let size = by_l1.abs() + by_l2.abs() + 1e-3;
            let place = format!("{at} {loss:?} {penalty:?} {method:?}");
            assert!((l1 - by_l1).abs() < 1e-5 * size, "{place}: l1 {l1} {by_l1}");
            assert!((l2 - by_l2).abs() < 1e-5 * size, "{place}: l2 {l2} {by_l2}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (loss, penalty) in combinations().into_iter().take(12) {
        let problem = Recipe::new(7, loss, penalty).build();
        let points = points();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                solve::<f64>(
                    &problem,
                    &points,
                    None,
                    &TO_ROUNDING,
                    &crate::Control::new(),
                )
                .unwrap()
            })
        };
        for (a, b) in run(1).iter().zip(&run(3)) {
            assert_eq!(a.w, b.w);
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_batch() {
    for (loss, penalty) in combinations() {
        let problem = Recipe::new(8, loss, penalty.clone()).build();
        let points: Vec<Point> = points().into_iter().filter(|p| p.l2 > 0.0).collect();
        let together = solve_all::<f64>(&problem, &points, Form::Auto);
        for (at, point) in points.iter().enumerate() {
            let alone = solve_all::<f64>(&problem, std::slice::from_ref(point), Form::Auto);
            assert_eq!(alone[0].w, together[at].w, "{loss:?} {penalty:?} {point:?}");
        }
    }
}
