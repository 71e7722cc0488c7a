//! Safe screening discards many features, and never one that is not zero.

use crate::control::Control;
use crate::kinds::Status;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::path::walk::{Form, Walk};
use crate::path::{DesignColumns, Prepared, Smooth};
use crate::problem::{Point, Problem};

use super::cases::{Recipe, TO_ROUNDING, relative_error, scaled_residual, solve_all, step_of};

/// More columns than a Gram matrix is formed for.
const FEATURES: usize = 401;

fn wide(seed: u64) -> Problem {
    let mut recipe = Recipe::new(seed, Loss::Squared, Penalty::ElasticNet);
    recipe.d = FEATURES;
    recipe.n = 47;
    recipe.intercept = !seed.is_multiple_of(3);
    recipe.weights = seed.is_multiple_of(2);
    recipe.sparse = seed % 4 == 3;
    if seed.is_multiple_of(5) {
        let strengths = (0..FEATURES).map(|j| 0.5 + (j % 4) as f64 * 0.5).collect();
        recipe.penalty = Penalty::Weighted { strengths };
    }
    recipe.build()
}

fn points(problem: &Problem, l2: f64) -> Vec<Point> {
    let largest = problem.l1_max(0, 0.0);
    let at = |k: i32| Point::new(largest * 0.8f64.powi(k), l2);
    (1..12).map(at).collect()
}

#[test]
fn what_is_discarded_is_zero() {
    for seed in 0..8 {
        for l2 in [0.0, 0.1] {
            let problem = wide(seed);
            let prepared = Prepared::<f64>::new(&problem, &DesignColumns::of(&problem.train));
            let smooth = Smooth::of(&problem, &prepared.parts);
            let control = Control::new();
            let blocks = &problem.blocks;
            let mut walk = Walk::new(&smooth, blocks, 0, &control, Form::Auto);
            let (mut discarded, mut all) = (0, 0);
            for point in points(&problem, l2) {
                let regularizer = problem.regularizer(&point);
                // The last solution, where the path stands, decides what is discarded at this point.
                walk.screen(&regularizer);
                let Some(alive) = walk.alive.take() else {
                    // Before the first point the intercept is not at its optimum.
                    assert!(walk.w.iter().all(|&w| w == 0.0) && problem.train.design.intercept);
                    walk.solve(&regularizer, &TO_ROUNDING);
                    continue;
                };
                assert_eq!(
                    walk.solve(&regularizer, &TO_ROUNDING).status,
                    Status::Converged
                );
                assert!(walk.alive.is_none());
                for j in 0..FEATURES as u32 {
                    let is_zero = walk.w[j as usize] == 0.0;
                    assert!(alive.contains(&j) || is_zero, "{seed} {point:?} {j}");
                }
                discarded += walk.w.len() - alive.len();
                all += walk.w.len();
            }
            assert!(10 * discarded > all, "{seed} {l2}: {discarded} of {all}");
        }
    }
}

#[test]
fn screened_and_unscreened_solutions_agree() {
    for seed in 0..8 {
        let problem = wide(seed);
        for l2 in [0.0, 0.1] {
            let points = points(&problem, l2);
            let screened = solve_all::<f64>(&problem, &points, Form::Auto);
            let plain = solve_all::<f64>(&problem, &points, Form::Gram);
            for ((a, b), point) in screened.iter().zip(&plain).zip(&points) {
                let place = format!("{seed} {point:?}");
                assert_eq!(a.status, Status::Converged, "{place}");
                assert!(relative_error(&a.w, &b.w) < 1e-10, "{place}");
                let step = step_of(&problem, point);
                assert!(
                    scaled_residual(&problem, point, &a.w, step) < 1e-12 * point.l1,
                    "{place}"
                );
            }
        }
    }
}
