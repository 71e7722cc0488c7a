//! Products of cotangents with derivatives of solutions: against hypergradients where the cotangent is a criterion's
//! derivative, and against central differences where it is any vector.

use proxdiff::data::Matrix;
use proxdiff::hypergrad::{Evaluator, Input, Settings};
use proxdiff::kinds::{Method, Solver};
use proxdiff::loss::Loss;
use proxdiff::{Error, Point, Problem, Specification};

use super::methods::{outcomes, settings};
use super::problems::{KINDS, Kind, LOSSES, Random, Recipe, parts, recipes, relative};

/// ∂₁E at a solution.
fn criterion_slope(problem: &Problem, point: &Point, w: &[f64]) -> Vec<f64> {
    let criterion = problem.criterion();
    let (sample, c) = (&criterion.sample, problem.classes());
    let n = sample.rows();
    let sign = criterion.sign.factor();
    let mut r = vec![0.0; n * c];
    for k in 0..c {
        let column: Vec<f64> = w.iter().skip(k).step_by(c).copied().collect();
        for (i, z) in sample.design.apply(&column).into_iter().enumerate() {
            r[i * c + k] = z;
        }
    }
    let is_form = criterion.loss == Loss::Quadratic;
    for (i, row) in r.chunks_exact_mut(c).enumerate() {
        criterion
            .loss
            .residual_in_place(row, sample.targets[point.target][i]);
        let share = if is_form {
            1.0
        } else {
            sample.weights[i] / n as f64
        };
        row.iter_mut().for_each(|r| *r *= sign * share);
    }
    if is_form {
        r
    } else {
        sample.design_adjoint(&r, c)
    }
}

#[test]
fn the_slope_of_the_criterion_gives_the_hypergradient() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let points = recipe.points(4);
        for method in [Method::Direct, Method::AidCg, Method::AidFp] {
            let settings = settings(&recipe, method, Solver::Auto);
            let found = outcomes(&problem, &points, &settings);
            let cotangents: Vec<Vec<f64>> = found
                .iter()
                .map(|o| criterion_slope(&problem, &o.point, &o.solution))
                .collect();
            let wrt: Vec<Input> = recipe.wrt().into_iter().map(Input::from).collect();
            let evaluator = Evaluator::new(&problem).settings(&settings);
            let products = evaluator.vjp(&found, &cotangents, &wrt).unwrap();
            assert_eq!(products.len(), 4);
            for (product, outcome) in products.iter().zip(&found) {
                let expected = parts(outcome.gradient().unwrap());
                for ((name, a), (_, b)) in parts(&product.hypergradient).iter().zip(&expected) {
                    let error = relative(a, b, 1e-4);
                    assert!(error < 1e-9, "{recipe:?}, {method:?}: {name} {error:.1e}");
                }
                assert!(product.targets.is_none() && product.design.is_none());
            }
        }
    }
}

/// A matrix moved by `by` along a direction of its stored entries; those of a sparse one must be all.
fn moved(matrix: &Matrix, direction: &[f64], by: f64) -> Matrix {
    let mut matrix = matrix.clone();
    let values = match &mut matrix {
        Matrix::Dense(m) => &mut m.values,
        Matrix::Sparse(m) => &mut m.values,
    };
    values
        .iter_mut()
        .zip(direction)
        .for_each(|(x, d)| *x += by * d);
    matrix
}

/// ⟨g, (coefficients, intercepts)⟩ of the solution of a specification.
fn value(specification: Specification, point: &Point, g: &(Vec<f64>, Vec<f64>)) -> f64 {
    let problem = Problem::new(specification).unwrap();
    let solve = Settings::default().method(None);
    let outcome = &outcomes(&problem, std::slice::from_ref(point), &solve)[0];
    let (w, b) = problem.in_data_units(&outcome.solution, point.target);
    let along = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    along(&g.0, &w) + along(&g.1, &b)
}

#[test]
fn rows_and_targets_are_those_of_central_differences() {
    let mut random = Random::new(77);
    let step = 1e-6;
    for (at, loss) in LOSSES.into_iter().enumerate() {
        for (kind, sparse) in KINDS.into_iter().zip([false, true].into_iter().cycle()) {
            let is_form = loss == Loss::Quadratic;
            let recipe = Recipe {
                intercept: !is_form && (kind != Kind::Group || at % 2 == 0),
                weights: !is_form,
                prior: true,
                sparse,
                targets: 2,
                ..Recipe::new(loss, kind, 900 + at as u64)
            };
            let context = format!("{recipe:?}");
            let problem = recipe.problem();
            let (c, d) = (recipe.classes(), recipe.features);
            let mut intercepts = random.vector(problem.coordinates() - problem.penalized());
            if c > 1 && !intercepts.is_empty() {
                // A shift in common of the intercepts changes nothing, and is no function of the rows.
                let mean = intercepts.iter().sum::<f64>() / c as f64;
                intercepts.iter_mut().for_each(|g| *g -= mean);
            }
            let g = (random.vector(d * c), intercepts);
            let evaluator = Evaluator::new(&problem).method(Method::Direct);
            let found = evaluator.run(&recipe.points(2)).unwrap();
            let cotangent = problem.cotangent_in_own_units(&g.0, &g.1);
            let mut wrt = Vec::new();
            wrt.extend((!loss.is_classification()).then_some(Input::Targets));
            wrt.extend((!is_form).then_some(Input::Design));
            let products = evaluator.vjp(&found, &[cotangent.clone(), cotangent], &wrt);
            for (product, outcome) in products.unwrap().iter().zip(&found) {
                let point = &outcome.point;
                if let Some(targets) = &product.targets {
                    let mut direction = random.vector(targets.len());
                    if !is_form && !loss.is_regression() {
                        // Counts and amounts are never below zero.
                        let y = &recipe.specification().train.targets[point.target];
                        let at_zero = direction.iter_mut().zip(y).filter(|(_, y)| **y == 0.0);
                        at_zero.for_each(|(d, _)| *d = 0.0);
                    }
                    let at = |by: f64| {
                        let mut own = recipe.specification();
                        let y = &mut own.train.targets[point.target];
                        y.iter_mut().zip(&direction).for_each(|(y, d)| *y += by * d);
                        value(own, point, &g)
                    };
                    let expected = (at(step) - at(-step)) / (2.0 * step);
                    let along: f64 = targets.iter().zip(&direction).map(|(a, b)| a * b).sum();
                    let error = (along - expected).abs() / (1e-3 + expected.abs());
                    assert!(error < 1e-6, "{context}: y {along} {expected}");
                }
                if let Some(design) = &product.design {
                    let matrix = recipe.specification().train.matrix;
                    let mut stored = Vec::new();
                    matrix.for_each_entry(|i, j, _| stored.push(design[i * d + j]));
                    let direction = random.vector(stored.len());
                    let at = |by: f64| {
                        let mut own = recipe.specification();
                        own.train.matrix = moved(&matrix, &direction, by);
                        value(own, point, &g)
                    };
                    let expected = (at(step) - at(-step)) / (2.0 * step);
                    let along: f64 = stored.iter().zip(&direction).map(|(a, b)| a * b).sum();
                    let error = (along - expected).abs() / (1e-3 + expected.abs());
                    assert!(error < 2e-6, "{context}: X {along} {expected}");
                }
            }
        }
    }
}

#[test]
fn what_has_no_product_is_refused() {
    let logistic = Recipe::new(Loss::Logistic, Kind::ElasticNet, 1);
    let standardized = Recipe {
        intercept: true,
        standardize: true,
        ..Recipe::new(Loss::Squared, Kind::ElasticNet, 2)
    };
    let form = Recipe::new(Loss::Quadratic, Kind::Box, 3);
    for (recipe, input, word) in [
        (logistic, Input::Targets, "classes"),
        (standardized, Input::Design, "standardisation"),
        (form, Input::Design, "targets b"),
    ] {
        let problem = recipe.problem();
        let evaluator = Evaluator::new(&problem);
        let found = evaluator.run(&recipe.points(1)).unwrap();
        let g = vec![1.0; problem.coordinates()];
        let refused = evaluator.vjp(&found, &[g], &[input]).unwrap_err();
        assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
        assert!(refused.to_string().contains(word), "{refused}");
    }
    let problem = logistic.problem();
    let evaluator = Evaluator::new(&problem);
    let found = evaluator.run(&logistic.points(2)).unwrap();
    let p = problem.coordinates();
    for cotangents in [vec![vec![1.0; p]], vec![vec![1.0; p + 1]; 2]] {
        let refused = evaluator.vjp(&found, &cotangents, &[]).unwrap_err();
        assert!(matches!(refused, Error::Shape { .. }), "{refused}");
    }
    let refused = evaluator.vjp(&found, &[vec![f64::NAN; p], vec![1.0; p]], &[]);
    assert!(matches!(refused, Err(Error::Value { .. })));
    let itd = evaluator.clone().method(Method::ItdReverse);
    let refused = itd.vjp(&found, &[vec![1.0; p], vec![1.0; p]], &[]);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
    // A criterion that plays no part, though it is on the training rows.
    let zero = evaluator.vjp(&found, &[vec![0.0; p], vec![0.0; p]], &[Input::Design]);
    assert!(zero.unwrap()[0].design.iter().flatten().all(|x| *x == 0.0));
}

#[test]
fn without_ridge_where_the_support_is_singular_there_is_no_product() {
    let x = [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [5.0, 5.0]];
    let y = [1.0, 2.0, 2.5, 5.0];
    let problem = Problem::elastic_net(&x, &y)
        .standardize(false)
        .build()
        .unwrap();
    let evaluator = Evaluator::new(&problem);
    let found = evaluator.run(&[Point::new(0.0, 0.0)]).unwrap();
    let refused = evaluator.vjp(&found, &[vec![1.0, 0.0, 0.0]], &[Input::Targets]);
    assert!(refused.unwrap_err().to_string().contains("singular"));
}

/// A prior holds the coefficient of a column that does not vary: its rows count, although they have no scale.
#[test]
fn rows_of_a_column_that_does_not_vary() {
    let mut random = Random::new(78);
    let (rows, columns) = (30, 3);
    let mut x: Vec<Vec<f64>> = (0..rows).map(|_| random.vector(columns)).collect();
    x.iter_mut().for_each(|row| row[2] = 1.5);
    let y = random.vector(rows);
    let g = (random.vector(columns), random.vector(1));
    let direction = random.vector(rows * columns);
    let point = Point::new(0.1, 0.2);
    let stated = |by: f64| {
        let moved: Vec<Vec<f64>> = x
            .iter()
            .zip(direction.chunks(columns))
            .map(|(x, d)| x.iter().zip(d).map(|(x, d)| x + by * d).collect())
            .collect();
        Problem::elastic_net(&moved, &y)
            .standardize(false)
            .prior(&[0.0, 0.0, 1.0])
            .build()
            .unwrap()
    };
    let value = |by: f64| {
        let problem = stated(by);
        let found = &Evaluator::new(&problem)
            .run(std::slice::from_ref(&point))
            .unwrap()[0];
        let (w, b) = problem.in_data_units(&found.solution, 0);
        let along = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        along(&g.0, &w) + along(&g.1, &b)
    };
    let problem = stated(0.0);
    let evaluator = Evaluator::new(&problem).method(Method::Direct);
    let found = evaluator.run(std::slice::from_ref(&point)).unwrap();
    assert!(found[0].solution[2] > 0.1);
    let cotangent = problem.cotangent_in_own_units(&g.0, &g.1);
    let product = &evaluator
        .vjp(&found, &[cotangent], &[Input::Design])
        .unwrap()[0];
    let along: f64 = product
        .design
        .iter()
        .flatten()
        .zip(&direction)
        .map(|(a, b)| a * b)
        .sum();
    let step = 1e-6;
    let expected = (value(step) - value(-step)) / (2.0 * step);
    assert!(
        (along - expected).abs() < 1e-6 * (1e-3 + expected.abs()),
        "{along} {expected}"
    );
}
