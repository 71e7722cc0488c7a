//! Corners where a scale is zero, a column is dropped, or a criterion does not fit.

use proxdiff::data::{Dense, Matrix};
use proxdiff::kinds::{Method, Solver, Status, Wrt};
use proxdiff::loss::{Loss, RowLoss};
use proxdiff::map::spectrum::Spectrum;
use proxdiff::penalty::Penalty;
use proxdiff::problem::{RidgeStrengths, Sign};
use proxdiff::{Point, Problem};

use super::methods::{outcomes, parts, settings};
use super::problems::{Kind, Recipe, relative};

const METHODS: [(Method, Solver); 5] = [
    (Method::AidCg, Solver::Auto),
    (Method::AidCg, Solver::Fista),
    (Method::AidFp, Solver::Ista),
    (Method::ItdForward, Solver::Auto),
    (Method::ItdReverse, Solver::Auto),
];

/// ∇loss(0) = 0, yet the prior pulls w away from 0: tolerances must not be relative to nothing.
#[test]
fn a_target_of_zeros_with_a_prior() {
    let recipe = Recipe {
        prior: true,
        ..Recipe::new(Loss::Squared, Kind::ElasticNet, 500)
    };
    let mut specification = recipe.specification();
    specification.train.targets[0].fill(0.0);
    let problem = Problem::new(specification).unwrap();
    let points = [0.001, 0.01].map(|l1| Point::new(l1, 0.3));
    let reference = outcomes(
        &problem,
        &points,
        &settings(&recipe, Method::Direct, Solver::Auto),
    );
    for (method, solver) in METHODS {
        for (found, expected) in outcomes(&problem, &points, &settings(&recipe, method, solver))
            .iter()
            .zip(&reference)
        {
            assert_eq!(found.status, Status::Converged, "{method:?}, {solver:?}");
            let parts = |outcome: &proxdiff::hypergrad::Outcome| -> Vec<f64> {
                parts(outcome.hypergradient.as_ref().unwrap())
                    .into_iter()
                    .flat_map(|(_, part)| part)
                    .collect()
            };
            assert!(expected.support > 0);
            assert!(
                relative(&parts(found), &parts(expected), 1e-3) < 1e-7,
                "{method:?}, {solver:?}"
            );
        }
    }
}

/// A dropped column passes nothing of its perturbation, whatever its coefficient.
#[test]
fn the_perturbation_of_a_dropped_column() {
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 501).full();
    let mut specification = recipe.specification();
    let d = recipe.features;
    if let Matrix::Dense(m) = &mut specification.train.matrix {
        m.values
            .iter_mut()
            .skip(2)
            .step_by(d)
            .for_each(|x| *x = 1.5);
    }
    specification.prior.as_mut().unwrap()[2] = 3.0;
    let problem = Problem::new(specification).unwrap();
    let points = recipe.points(2);
    for (method, solver) in METHODS {
        for outcome in outcomes(&problem, &points, &settings(&recipe, method, solver)) {
            let gradient = outcome.hypergradient.unwrap().perturbation.unwrap();
            assert!(gradient.iter().any(|g| *g != 0.0));
            let dropped: Vec<f64> = gradient.into_iter().skip(2).step_by(d).collect();
            assert_eq!(dropped, [0.0; 3], "{method:?}, {solver:?}");
        }
    }
}

/// Where the loss alone has kinks, the margin is its distance over γ, for dense and sparse designs.
#[test]
fn the_margin_of_the_losss_own_kinks() {
    for sparse in [false, true] {
        for loss in [Loss::Huber { delta: 0.7 }, Loss::SquaredHinge] {
            let recipe = Recipe {
                sparse,
                perturbed: false,
                ..Recipe::new(loss, Kind::Box, 502).full()
            };
            let everywhere = Penalty::Box {
                lower: f64::NEG_INFINITY,
                upper: f64::INFINITY,
            };
            let problem = recipe.problem().with_penalty(everywhere).unwrap();
            let point = &recipe.points(1)[0];
            let found = &outcomes(
                &problem,
                std::slice::from_ref(point),
                &settings(&recipe, Method::AidFp, Solver::Ista),
            )[0];
            let design = &problem.train().design;
            let gamma = Spectrum::of(&problem).step(point.l2).gamma;
            let mut squares = vec![0.0; design.rows()];
            for j in 0..design.columns() {
                let mut unit = vec![0.0; design.columns()];
                unit[j] = 1.0;
                design
                    .apply(&unit)
                    .iter()
                    .zip(&mut squares)
                    .for_each(|(x, sum)| *sum += x * x);
            }
            let (row, _) = loss.kinks().unwrap();
            let margin = design
                .apply(&found.solution)
                .iter()
                .zip(&problem.train().targets[point.target])
                .zip(&squares)
                .map(|((&z, &y), square)| row.kink_distance(z, y) / square.sqrt())
                .fold(f64::INFINITY, f64::min)
                / gamma;
            let error = (found.kink_margin.unwrap() - margin).abs() / margin;
            assert!(
                error < 1e-6,
                "{loss:?}, sparse {sparse}: {:?} against {margin}",
                found.kink_margin
            );
        }
    }
}

/// A quadratic form has no rows, so that it cannot judge a fit to rows, and the other way round
/// its shape must fit: an error, never a panic.
#[test]
fn a_quadratic_criterion_needs_a_form() {
    let mut specification = Recipe::new(Loss::Squared, Kind::ElasticNet, 503).specification();
    specification.criterion = Some(Loss::Quadratic);
    assert!(Problem::new(specification.clone()).is_err());
    specification.validation = None;
    assert!(Problem::new(specification).is_err());

    let mut form = Recipe::new(Loss::Quadratic, Kind::Box, 504).specification();
    form.validation.as_mut().unwrap().weights = Some(vec![2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert!(Problem::new(form.clone()).is_err());
    let validation = form.validation.as_mut().unwrap();
    validation.weights = None;
    validation.matrix = Matrix::Dense(Dense::new(2, 6, vec![1.0; 12]).unwrap());
    validation.targets = vec![vec![1.0; 2]];
    assert!(Problem::new(form).is_err());
}

/// A criterion on the training rows checks its labels too.
#[test]
fn labels_of_a_criterion_on_the_training_rows() {
    let mut specification = Recipe::new(Loss::Squared, Kind::ElasticNet, 505).specification();
    specification.criterion = Some(Loss::Logistic);
    specification.validation = None;
    assert!(Problem::new(specification).is_err());
}

/// Without anything to differentiate the point is still solved.
#[test]
fn nothing_to_differentiate() {
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 506);
    let problem = recipe.problem();
    let points = [Point::new(0.05, 0.1)];
    for (method, solver) in METHODS {
        let settings = settings(&recipe, method, solver).wrt(Vec::<Wrt>::new());
        let found = &outcomes(&problem, &points, &settings)[0];
        assert_eq!(found.status, Status::Converged, "{method:?}");
        assert!(parts(found.hypergradient.as_ref().unwrap()).is_empty());
    }
}

/// A factor other than 1 and −1 would scale criterion and hypergradient unseen.
#[test]
fn a_sign_is_one_or_minus_one() {
    for sign in [0.0, 7.0, -0.5, f64::NAN, f64::INFINITY] {
        let refused = Sign::try_from(sign);
        let is_value = matches!(
            &refused,
            Err(proxdiff::Error::Value { name, .. }) if name == "criterion sign"
        );
        assert!(is_value, "{sign}: {refused:?}");
    }
    for sign in [1.0, -1.0] {
        assert_eq!(Sign::try_from(sign).unwrap().factor(), sign);
    }
}

/// Classes that a column with a ridge separates have a minimum, although another column has none.
#[test]
fn a_ridge_on_the_column_that_separates_is_enough() {
    let rows = 30;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for i in 0..rows {
        let label = if i % 2 == 0 { 1.0 } else { -1.0 };
        let noise = ((i * 37) as f64 * 0.618_034).fract() - 0.5;
        x.push(vec![label * (1.0 + 0.1 * (i % 5) as f64), noise]);
        y.push(label);
    }
    let stated = |strengths: Vec<f64>| {
        Problem::logistic(&x, &y)
            .intercept(false)
            .standardize(false)
            .ridge(RidgeStrengths::each(strengths))
            .build()
            .unwrap()
    };
    let recipe = Recipe::new(Loss::Logistic, Kind::ElasticNet, 0);
    let settings = settings(&recipe, Method::Direct, Solver::Auto).wrt([Wrt::L2]);
    let points = [Point::new(0.0, 1.0)];
    let found = &outcomes(&stated(vec![0.1, 0.0]), &points, &settings)[0];
    assert_eq!(found.status, Status::Converged);
    assert!(found.hypergradient.is_some());
    // Without it there is none.
    let found = &outcomes(&stated(vec![0.0, 0.1]), &points, &settings)[0];
    assert_ne!(found.status, Status::Converged);
    // Nor where the other column alone pays a slope.
    let weighed = |strengths: Vec<f64>| {
        Problem::logistic(&x, &y)
            .penalty(Penalty::Weighted { strengths })
            .intercept(false)
            .standardize(false)
            .build()
            .unwrap()
    };
    let settings = settings.clone().wrt([Wrt::L1]);
    let points = [Point::new(0.01, 0.0)];
    let found = &outcomes(&weighed(vec![1.0, 0.0]), &points, &settings)[0];
    assert_eq!(found.status, Status::Converged);
    let found = &outcomes(&weighed(vec![0.0, 1.0]), &points, &settings)[0];
    assert_eq!(found.status, Status::Diverged);
}
