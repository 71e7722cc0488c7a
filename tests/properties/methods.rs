//! Every method against every other, for every hyperparameter.

use proxdiff::hypergrad::{Evaluator, MinibatchSteps, Outcome, Settings, StochasticSettings};
use proxdiff::kinds::{Method, Precision, Preconditioner, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::{Control, Point, Problem, Specification};

use super::problems::{Kind, Recipe, relative};
pub use super::problems::{parts, recipes};

pub fn settings(recipe: &Recipe, method: Method, solver: Solver) -> Settings {
    Settings::default()
        .solver(solver)
        .method(method)
        .wrt(recipe.wrt())
}

pub fn outcomes(problem: &Problem, points: &[Point], settings: &Settings) -> Vec<Outcome> {
    let control = Control::new();
    let found = Evaluator::new(problem)
        .settings(settings)
        .control(&control)
        .run(points)
        .unwrap();
    // A progress bar ends where it should, whatever solves and differentiates.
    assert_eq!(control.finished(), points.len(), "{settings:?}");
    found
}

/// Compares hypergradients part by part; a part is measured against itself, but at least against
/// a thousandth of the largest.
fn compare(found: &Outcome, expected: &Outcome, tolerance: f64, context: &str) {
    assert_eq!(found.status, Status::Converged, "{context}");
    let (found, expected) = (
        found
            .hypergradient
            .as_ref()
            .unwrap_or_else(|| panic!("{context}: no hypergradient")),
        expected.hypergradient.as_ref().unwrap(),
    );
    let (found, expected) = (parts(found), parts(expected));
    assert_eq!(found.len(), expected.len(), "{context}: parts");
    for ((name, a), (other, b)) in found.iter().zip(&expected) {
        assert_eq!(name, other);
        let error = relative(a, b, 1e-4);
        assert!(
            error < tolerance,
            "{context}: {name} differs by {error:.1e}"
        );
    }
}

#[test]
fn every_method_agrees() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let points = recipe.points(4);
        let reference = outcomes(
            &problem,
            &points,
            &settings(&recipe, Method::Direct, Solver::Auto),
        );
        let unpreconditioned =
            settings(&recipe, Method::AidCg, Solver::Fista).preconditioner(Preconditioner::None);
        let all = [
            settings(&recipe, Method::AidCg, Solver::Auto),
            settings(&recipe, Method::AidCg, Solver::Fista),
            unpreconditioned,
            settings(&recipe, Method::AidFp, Solver::Auto),
            settings(&recipe, Method::AidFp, Solver::Ista),
            settings(&recipe, Method::ItdForward, Solver::Auto),
            settings(&recipe, Method::ItdReverse, Solver::Auto),
        ];
        for settings in &all {
            let found = outcomes(&problem, &points, settings);
            for (at, (found, expected)) in found.iter().zip(&reference).enumerate() {
                let context = format!(
                    "{recipe:?} #{at}: {:?} of {:?}, {:?}",
                    settings.method, settings.solver, settings.preconditioner
                );
                compare(found, expected, 1e-7, &context);
            }
        }
    }
}

#[test]
fn a_hypergradient_of_something_else_is_noticed() {
    let recipe = recipes()[1];
    let problem = recipe.problem();
    let points = recipe.points(2);
    let found = outcomes(
        &problem,
        &points,
        &settings(&recipe, Method::Direct, Solver::Auto),
    );
    let other = std::panic::catch_unwind(|| compare(&found[0], &found[1], 1e-6, "swapped"));
    assert!(other.is_err());
}

/// The same data stored dense and sparse: everything that is reported agrees.
#[test]
fn sparse_outcomes_are_dense_outcomes() {
    for loss in super::problems::LOSSES {
        let recipe = Recipe {
            sparse: true,
            ..Recipe::new(loss, Kind::Weighted, 160).full()
        };
        let sparse = recipe.specification();
        let mut dense = sparse.clone();
        densify(&mut dense);
        let points = recipe.points(4);
        let settings = settings(&recipe, Method::AidFp, Solver::Fista);
        let a = outcomes(&Problem::new(sparse).unwrap(), &points, &settings);
        let b = outcomes(&Problem::new(dense).unwrap(), &points, &settings);
        for (a, b) in a.iter().zip(&b) {
            let context = format!("{loss:?}");
            compare(a, b, 1e-8, &context);
            assert!(
                relative(&a.solution, &b.solution, 1e-3) < 1e-9,
                "{context}: solution"
            );
            let close = |a: f64, b: f64, what: &str| {
                assert!(
                    (a - b).abs() <= 1e-7 * b.abs().max(1e-3),
                    "{context}: {what} {a} against {b}"
                );
            };
            close(a.objective, b.objective, "objective");
            close(a.criterion, b.criterion, "criterion");
            assert_eq!(a.support, b.support, "{context}: support");
            assert_eq!(
                a.duality_gap.is_some(),
                b.duality_gap.is_some(),
                "{context}: duality gap"
            );
            assert_eq!(
                a.kink_margin.is_some(),
                b.kink_margin.is_some(),
                "{context}: kink margin"
            );
            if let (Some(a), Some(b)) = (a.duality_gap, b.duality_gap) {
                assert!(a < 1e-10 && b < 1e-10, "{context}: duality gap {a} and {b}");
            }
        }
    }
}

fn densify(specification: &mut Specification) {
    let dense = |matrix: &proxdiff::data::Matrix| {
        let (n, d) = (matrix.rows(), matrix.columns());
        let mut values = vec![0.0; n * d];
        matrix.for_each_entry(|i, j, x| values[i * d + j] = x);
        proxdiff::data::Matrix::Dense(proxdiff::data::Dense::new(n, d, values).unwrap())
    };
    specification.train.matrix = dense(&specification.train.matrix);
    let validation = specification.validation.as_mut().unwrap();
    validation.matrix = dense(&validation.matrix);
}

/// With the full batch and a step of one NSID is AID-FP.
#[test]
fn nsid_of_the_full_batch_is_aid_fp() {
    for recipe in recipes()
        .into_iter()
        .filter(|recipe| recipe.loss != Loss::Quadratic)
    {
        let problem = recipe.problem();
        let points = recipe.points(3);
        let reference = outcomes(
            &problem,
            &points,
            &settings(&recipe, Method::Direct, Solver::Auto),
        );
        let full = settings(&recipe, Method::Nsid, Solver::Auto).stochastic(StochasticSettings {
            batch: recipe.rows,
            // Small steps, where the curvature has no bound, contract slowly.
            steps: if recipe.loss.has_log_link() {
                30_000
            } else {
                3000
            },
            freeze: Some(1),
            schedule: MinibatchSteps::Constant { eta: 1.0 },
            ..StochasticSettings::default()
        });
        for (at, (found, expected)) in outcomes(&problem, &points, &full)
            .iter()
            .zip(&reference)
            .enumerate()
        {
            compare(found, expected, 1e-7, &format!("{recipe:?} #{at}: NSID"));
        }
    }
}

/// Single precision finds the same support and the same hypergradients to its own accuracy.
#[test]
fn single_precision_agrees() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let points = recipe.points(3);
        let reference = outcomes(
            &problem,
            &points,
            &settings(&recipe, Method::Direct, Solver::Auto),
        );
        for (method, solver) in [
            (Method::Direct, Solver::Auto),
            (Method::AidCg, Solver::Fista),
            (Method::AidFp, Solver::Ista),
            (Method::ItdReverse, Solver::Auto),
        ] {
            let settings = settings(&recipe, method, solver);
            let found = Evaluator::new(&problem)
                .settings(&settings)
                .precision(Precision::F32)
                .run(&points)
                .unwrap();
            for (at, (found, expected)) in found.iter().zip(&reference).enumerate() {
                let context = format!("{recipe:?} #{at}: {method:?} of {solver:?} in f32");
                compare(found, expected, 1e-3, &context);
                assert_eq!(found.support, expected.support, "{context}");
            }
        }
    }
}

/// Small problems of the squared loss are evaluated point by point where the path arrives; asking for
/// the contraction sends them through the recordings, which must say the same of every point.
#[test]
fn along_the_path_and_by_recordings_the_same_is_said() {
    for seed in 0..12 {
        for kind in [Kind::ElasticNet, Kind::Weighted, Kind::NonNegative] {
            let plain = Recipe::new(Loss::Squared, kind, seed);
            let recipe = Recipe {
                perturbed: false,
                intercept: seed % 2 == 0,
                standardize: seed % 3 != 0,
                weights: seed % 4 == 1,
                prior: seed % 3 == 1,
                targets: 1 + (seed % 2) as usize,
                rows: 23 + 3 * seed as usize,
                features: 3 + 2 * seed as usize,
                ..plain
            };
            let problem = recipe.problem();
            let points = recipe.points(7);
            for method in [None, Some(Method::AidCg), Some(Method::Direct)] {
                let along =
                    Settings::default()
                        .method(method)
                        .wrt(vec![Wrt::L1, Wrt::L2, Wrt::Prior]);
                let recorded = along.clone().contraction(true);
                let found = outcomes(&problem, &points, &along);
                let expected = outcomes(&problem, &points, &recorded);
                for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
                    let context = format!("{recipe:?}, point {at}, {method:?}");
                    assert!(b.contraction.is_some() && a.contraction.is_none());
                    same_outcome(a, b, &context);
                }
            }
        }
    }
}

fn same_outcome(a: &Outcome, b: &Outcome, context: &str) {
    assert_eq!(a.status, b.status, "{context}");
    assert_eq!((a.steps, a.support), (b.steps, b.support), "{context}");
    assert_eq!(a.certified, b.certified, "{context}");
    assert_eq!(a.solution, b.solution, "{context}");
    let kinds = |outcome: &Outcome| -> Vec<_> {
        outcome
            .warnings
            .iter()
            .map(|warning| warning.kind)
            .collect()
    };
    assert_eq!(kinds(a), kinds(b), "{context}");
    assert_eq!(a.adjoint.len(), b.adjoint.len(), "{context}");
    let near = |name: &str, x: f64, y: f64, tolerance: f64| {
        let error = (x - y).abs() / y.abs().max(1e-3);
        assert!(error <= tolerance, "{context}: {name} {x} for {y}");
    };
    near("objective", a.objective, b.objective, 1e-13);
    near("criterion", a.criterion, b.criterion, 1e-12);
    for (name, x, y) in [
        ("duality gap", a.duality_gap, b.duality_gap),
        ("kink margin", a.kink_margin, b.kink_margin),
        ("linear residual", a.linear_residual, b.linear_residual),
        ("residual", Some(a.residual), Some(b.residual)),
    ] {
        assert_eq!(x.is_some(), y.is_some(), "{context}: {name}");
        if let (Some(x), Some(y)) = (x, y) {
            // Gap and residuals are roundings: they agree in being none.
            near(name, x, y, 1e-9);
        }
    }
    assert!(relative(&a.adjoint, &b.adjoint, 1e-4) < 1e-9, "{context}");
    assert_eq!(
        a.hypergradient.is_some(),
        b.hypergradient.is_some(),
        "{context}"
    );
    if a.hypergradient.is_some() {
        compare(a, b, 1e-9, context);
    }
}
