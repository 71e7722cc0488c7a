//! The published deterministic experiment (Grazzi, Pontil, Salzo, ICML 2024) on its exact design:
//! the curves of ITD and AID-FP, and restricted conjugate gradient that must not stall.
//!
//! The figures are those of an independent f64 computation with γ = 2/(L + μ + 2λ₂) and w_0 = 0.

mod common;

use proxdiff::hypergrad::{Evaluator, Hypergradient, Settings, curve};
use proxdiff::kinds::{Method, Preconditioner, Solver};
use proxdiff::{Control, Point};

fn vector(hypergradient: &Hypergradient) -> Vec<f64> {
    vec![
        hypergradient.l1.as_ref().unwrap().value().unwrap(),
        hypergradient.l2_value().unwrap(),
    ]
}

/// The normalised error after every step 0..=last, and the support sizes' last change.
fn errors(method: Method, last: usize) -> (Vec<f64>, usize) {
    let case = common::case("a_enet_published", 0);
    let golden = case
        .points
        .iter()
        .find(|golden| golden.point == Point::new(0.02, 0.002))
        .expect("the published point");
    let exact = [golden.l1[0], golden.l2];
    let steps: Vec<usize> = (0..=last).collect();
    let settings = Settings::default().method(method);
    let points = curve(
        &case.problem,
        &golden.point,
        &steps,
        &settings,
        &Control::new(),
    )
    .unwrap();
    let errors = points
        .iter()
        .map(|p| common::relative_error(&vector(&p.hypergradient), &exact))
        .collect();
    let support = |w: &[f64]| w.iter().map(|w| *w != 0.0).collect::<Vec<bool>>();
    let last_support = support(&points[last].w);
    let identified = points
        .iter()
        .rposition(|p| support(&p.w) != last_support)
        .map_or(0, |at| at + 1);
    (errors, identified)
}

/// The first step at or below each level must be within one step of `expected`.
fn check_levels(errors: &[f64], expected: [(f64, usize); 4]) {
    for (level, step) in expected {
        let first = errors
            .iter()
            .position(|e| *e <= level)
            .expect("the level is reached");
        assert!(
            first.abs_diff(step) <= 1,
            "{level:e}: first at {first}, expected {step}"
        );
    }
}

/// Errors at given steps agree to two digits.
fn check_errors(errors: &[f64], expected: &[(usize, f64)]) {
    for &(step, error) in expected {
        let ratio = errors[step] / error;
        assert!(
            (ratio - 1.0).abs() < 0.05,
            "t = {step}: {:e}, expected {error:e}",
            errors[step]
        );
    }
}

#[test]
fn aid_fp_follows_the_published_curve() {
    let (errors, identified) = errors(Method::AidFp, 500);
    assert_eq!(identified, 175);
    check_levels(
        &errors,
        [(1e-2, 175), (1e-4, 242), (1e-6, 312), (1e-8, 382)],
    );
    check_errors(
        &errors,
        &[
            (200, 1.69e-3),
            (240, 1.13e-4),
            (280, 7.92e-6),
            (320, 5.71e-7),
            (400, 3.0e-9),
            (500, 4.4e-12),
        ],
    );
    let rate = (errors[400] / errors[200]).powf(1.0 / 200.0);
    assert!((rate - 0.936).abs() < 2e-3, "rate {rate}");
}

#[test]
fn itd_follows_the_published_curve() {
    let (errors, _) = errors(Method::ItdForward, 500);
    check_levels(
        &errors,
        [(1e-2, 213), (1e-4, 278), (1e-6, 346), (1e-8, 416)],
    );
    check_errors(
        &errors,
        &[
            (200, 2.49e-2),
            (240, 1.34e-3),
            (280, 8.33e-5),
            (320, 5.62e-6),
            (400, 2.8e-8),
            (500, 3.9e-11),
        ],
    );
}

#[test]
fn the_curve_is_what_single_runs_give() {
    let case = common::case("a_enet_published", 0);
    let point = Point::new(0.02, 0.002);
    for (method, along) in [
        (Method::AidFp, Method::AidFp),
        (Method::ItdForward, Method::ItdForward),
        (Method::ItdReverse, Method::ItdForward),
    ] {
        for t in [1, 37, 190] {
            let settings = Settings::default()
                .method(method)
                .solver(Solver::Ista)
                .tolerance(0.0)
                .max_steps(t);
            let single = Evaluator::new(&case.problem)
                .settings(&settings)
                .run(std::slice::from_ref(&point))
                .unwrap();
            assert_eq!(single[0].steps, t);
            let settings = Settings::default().method(along);
            let points = curve(&case.problem, &point, &[t], &settings, &Control::new()).unwrap();
            let error = common::relative_error(
                &vector(single[0].hypergradient.as_ref().unwrap()),
                &vector(&points[0].hypergradient),
            );
            assert!(error < 1e-9, "{method:?} at {t}: {error:e}");
        }
    }
}

/// Without preconditioning, at the exact solution: 8e-4, 1.1e-5 and 1.5e-12 after 10, 20 and 40
/// products, where conjugate gradient on the unrestricted, unsymmetric system stays at 1e-2.
#[test]
fn restricted_conjugate_gradient_does_not_stall() {
    let case = common::case("a_enet_published", 0);
    let golden = case
        .points
        .iter()
        .find(|golden| golden.point.l1 == 0.02)
        .unwrap();
    let exact = [golden.l1[0], golden.l2];
    for solver in [Solver::Path, Solver::Fista] {
        for (products, bound) in [(10, 1e-3), (20, 1.2e-5), (40, 1e-11)] {
            // The solution first, to rounding; then so many products from it.
            let solve = Settings::default().method(None);
            let run = |settings: &Settings, warm: Option<&[proxdiff::hypergrad::WarmStart]>| {
                Evaluator::new(&case.problem)
                    .settings(settings)
                    .warm_starts(warm.map(<[_]>::to_vec))
                    .run(std::slice::from_ref(&golden.point))
                    .unwrap()
            };
            let solved = run(&solve, None);
            let warm = [proxdiff::hypergrad::WarmStart {
                w: solved[0].solution.clone(),
                v: Vec::new(),
            }];
            let settings = Settings::default()
                .method(Method::AidCg)
                .solver(solver)
                .preconditioner(Preconditioner::None)
                .max_steps(products)
                .tolerance(if solver == Solver::Fista {
                    Some(0.0)
                } else {
                    None
                });
            let outcome = &run(&settings, Some(&warm))[0];
            assert!(
                outcome.linear_steps <= products,
                "{} products",
                outcome.linear_steps
            );
            let error =
                common::relative_error(&vector(outcome.hypergradient.as_ref().unwrap()), &exact);
            assert!(error < bound, "{solver:?}, {products} products: {error:e}");
        }
    }
}

#[test]
fn a_curve_that_is_stopped_is_interrupted_and_not_unsupported() {
    let case = common::case("a_enet_published", 0);
    let control = Control::new();
    control.cancel();
    let settings = Settings::default().method(Method::AidFp);
    let stopped = curve(
        &case.problem,
        &case.points[0].point,
        &[10],
        &settings,
        &control,
    );
    assert!(
        matches!(stopped, Err(proxdiff::Error::Interrupted { .. })),
        "{stopped:?}"
    );
}
