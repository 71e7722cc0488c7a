//! Losses of a mean with a log link against scikit-learn, and against values of a program of their own
//! (golden/means/make.py).

mod common;

use common::{golden_dir, matrix, npy, relative_error};
use proxdiff::hypergrad::{Evaluator, Settings};
use proxdiff::kinds::{Method, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::{Point, Problem};
use serde_json::Value;

/// The loss of a name, and what is known of it.
fn cases() -> Vec<(Loss, Value)> {
    let text = std::fs::read_to_string(golden_dir().join("means/expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    [Loss::Poisson, Loss::Gamma, Loss::Tweedie { power: 1.4 }]
        .map(|loss| (loss, expected[loss.name()].clone()))
        .into()
}

fn part(loss: Loss, name: &str) -> std::path::PathBuf {
    golden_dir().join(format!("means/{}_{name}.npy", loss.name()))
}

fn problem(loss: Loss, weighted: bool) -> Problem {
    let (x, y) = (matrix(&part(loss, "X")), npy(&part(loss, "y")).1);
    let (x_test, y_test) = (matrix(&part(loss, "Xtest")), npy(&part(loss, "ytest")).1);
    let mut problem = proxdiff::problem::ProblemBuilder::new(loss, &x, &y)
        .validation(&x_test, &y_test)
        .standardize(false);
    if weighted {
        problem = problem.sample_weights(&npy(&part(loss, "weights")).1);
    }
    problem.build().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Coefficients and intercept of an outcome of the first target.
fn model(problem: &Problem, w: &[f64]) -> Vec<f64> {
    let (mut coefficients, intercept) = problem.in_data_units(w, 0);
    coefficients.extend(intercept);
    coefficients
}

fn known(golden: &Value) -> Vec<f64> {
    let mut all = numbers(&golden["coefficients"]);
    all.push(number(&golden["intercept"]));
    all
}

/// Rows with offsets are rows of rates with other weights, which are not normalised once more; derivatives in the
/// user's sample weights are central differences.
#[test]
fn offsets_go_into_rates_and_weights() {
    for (loss, _) in cases() {
        let (x, y) = (matrix(&part(loss, "X")), npy(&part(loss, "y")).1);
        let offset: Vec<f64> = (0..y.len()).map(|i| (0.7 * i as f64).sin()).collect();
        let weights: Vec<f64> = (0..y.len())
            .map(|i| 1.0 + 0.5 * (1.3 * i as f64).cos())
            .collect();
        let stated = |weights: &[f64]| {
            proxdiff::problem::ProblemBuilder::new(loss, &x, &y)
                .offset(&offset)
                .sample_weights(weights)
                .standardize(false)
        };
        let problem = stated(&weights).build().unwrap();
        let degree = loss.deviance_degree().unwrap();
        let factor = |i: usize| (degree * offset[i]).exp();
        let own: Vec<f64> = (0..y.len()).map(|i| weights[i] * factor(i)).collect();
        let rates: Vec<f64> = y.iter().zip(&offset).map(|(y, o)| y * (-o).exp()).collect();
        let plain = proxdiff::problem::ProblemBuilder::new(loss, &x, &rates)
            .sample_weights(&own)
            .standardize(false)
            .build()
            .unwrap();
        let unit = own.iter().sum::<f64>() / weights.iter().sum::<f64>();
        let solve = |problem: &Problem, point: Point| {
            let settings = Settings::default().wrt([Wrt::L1, Wrt::L2, Wrt::SampleWeights]);
            let found = Evaluator::new(problem).settings(&settings).run(&[point]);
            found.unwrap().remove(0)
        };
        let found = solve(&problem, Point::new(0.01, 0.2));
        let other = solve(&plain, Point::new(0.01 / unit, 0.2 / unit));
        let error = relative_error(
            &model(&problem, &found.solution),
            &model(&plain, &other.solution),
        );
        assert!(error < 1e-9, "{loss:?}: coefficients off by {error:.1e}");
        let error = (found.criterion / (other.criterion * unit) - 1.0).abs();
        assert!(error < 1e-10, "{loss:?}: criterion off by {error:.1e}");
        let gap = found.duality_gap.unwrap();
        assert!(gap < 1e-11, "{loss:?}: duality gap {gap:.1e}");
        // The problem states itself again.
        let again = Problem::new(problem.specification().unwrap()).unwrap();
        let restated = solve(&again, Point::new(0.01, 0.2));
        assert!(
            relative_error(&restated.solution, &found.solution) < 1e-9,
            "{loss:?}"
        );
        // Centres stay where they are without scaling: the weights' part in them is an intercept's.
        let slopes = found
            .hypergradient
            .as_ref()
            .unwrap()
            .sample_weights
            .as_ref()
            .unwrap();
        for row in [0, 3, 11] {
            let at = |by: f64| {
                let mut weights = weights.clone();
                weights[row] += by;
                solve(&stated(&weights).build().unwrap(), Point::new(0.01, 0.2)).criterion
            };
            let difference = (at(1e-4) - at(-1e-4)) / 2e-4;
            let error = (difference - slopes[row]).abs() / slopes[row].abs().max(1e-4);
            assert!(
                error < 1e-4,
                "{loss:?}, row {row}: {} {difference}",
                slopes[row]
            );
        }
    }
}

#[test]
fn ridge_fits_are_those_of_scikit_learn() {
    for (loss, expected) in cases() {
        for golden in expected["ridge"].as_array().unwrap() {
            let problem = problem(loss, golden["weighted"] == true);
            let l2 = number(&golden["l2"]);
            for solver in [Solver::Path, Solver::Fista] {
                let settings = Settings::default().solver(solver).method(None);
                let points = [Point::new(0.0, l2)];
                let found = Evaluator::new(&problem).settings(&settings).run(&points);
                let found = &found.unwrap()[0];
                let context = format!("{loss:?} at {l2}, {solver:?}");
                assert_eq!(found.status, Status::Converged, "{context}");
                let error = relative_error(&model(&problem, &found.solution), &known(golden));
                assert!(error < 1e-9, "{context}: coefficients off by {error:.1e}");
                // The criterion is half the deviance of the test rows.
                let error = (2.0 * found.criterion / number(&golden["deviance"]) - 1.0).abs();
                assert!(error < 1e-9, "{context}: deviance off by {error:.1e}");
                let gap = found.duality_gap.unwrap();
                assert!(gap < 1e-12, "{context}: duality gap {gap:.1e}");
            }
        }
    }
}

#[test]
fn elastic_nets_and_their_slopes_are_those_of_another_program() {
    for (loss, expected) in cases() {
        let problem = problem(loss, false);
        for golden in expected["elastic_net"].as_array().unwrap() {
            let points = [Point::new(number(&golden["l1"]), number(&golden["l2"]))];
            for (method, solver) in [
                (Method::Direct, Solver::Auto),
                (Method::AidCg, Solver::Auto),
                (Method::AidCg, Solver::Ista),
                (Method::AidFp, Solver::Fista),
                (Method::ItdReverse, Solver::Auto),
            ] {
                let settings = Settings::default().method(method).solver(solver);
                let found = Evaluator::new(&problem).settings(&settings).run(&points);
                let found = &found.unwrap()[0];
                let context = format!("{loss:?} at {:?}, {method:?} of {solver:?}", points[0]);
                assert_eq!(found.status, Status::Converged, "{context}");
                let error = relative_error(&model(&problem, &found.solution), &known(golden));
                assert!(error < 1e-10, "{context}: coefficients off by {error:.1e}");
                let gradient = found.hypergradient.as_ref().unwrap();
                let slopes = [
                    gradient.l1.as_ref().unwrap().as_slice()[0],
                    gradient.l2_value().unwrap(),
                ];
                let known = [number(&golden["slope_l1"]), number(&golden["slope_l2"])];
                // Differences over 2e-5.
                let error = relative_error(&slopes, &known);
                assert!(error < 1e-7, "{context}: slopes off by {error:.1e}");
                let error = (found.criterion / number(&golden["criterion"]) - 1.0).abs();
                assert!(error < 1e-10, "{context}: criterion off by {error:.1e}");
            }
        }
    }
}

/// Metrics of predictions: of scikit-learn's own predictors.
#[test]
fn metrics_are_those_of_scikit_learn() {
    use proxdiff::sweep::metrics::measure;
    use proxdiff::sweep::record::{Number, Numbers};
    for (loss, expected) in cases() {
        let y = npy(&part(loss, "ytest")).1;
        let weights = npy(&part(loss, "testweights")).1;
        for golden in expected["ridge"].as_array().unwrap() {
            let z: Vec<f64> = numbers(&golden["predictions"])
                .iter()
                .map(|m| m.ln())
                .collect();
            let (mut plain, mut weighted) = (Numbers::default(), Numbers::default());
            measure(loss, 1, &z, &y, None, &mut plain);
            measure(loss, 1, &z, &y, Some(&weights), &mut weighted);
            for (found, name) in [
                (plain[Number::R2], "d2"),
                (weighted[Number::R2], "weighted_d2"),
                (plain[Number::Mae], "mae"),
                (plain[Number::Mse], "mse"),
            ] {
                let expected = number(&golden[name]);
                let error = relative_error(&[found], &[expected]);
                assert!(error < 1e-12, "{loss:?}, {name}: {found} for {expected}");
            }
        }
    }
}

/// Rates with their exposures as weights are counts with the logarithms of exposures as offsets: the same
/// estimating equations, here Σ x (e·exp(z) − count) = 0 without a penalty.
#[test]
fn weights_of_rates_are_exposures() {
    let (x, counts) = (
        matrix(&part(Loss::Poisson, "X")),
        npy(&part(Loss::Poisson, "y")).1,
    );
    let exposures = npy(&part(Loss::Poisson, "weights")).1;
    let rates: Vec<f64> = counts.iter().zip(&exposures).map(|(c, e)| c / e).collect();
    let problem = Problem::poisson(&x, &rates)
        .sample_weights(&exposures)
        .build()
        .unwrap();
    let settings = Settings::default().method(None);
    let found = Evaluator::new(&problem)
        .settings(&settings)
        .run(&[Point::new(0.0, 0.0)])
        .unwrap();
    assert_eq!(found[0].status, Status::Converged);
    let (w, b) = problem.in_data_units(&found[0].solution, 0);
    for j in 0..=x.columns {
        let (mut slope, mut size) = (0.0, 0.0);
        for i in 0..x.rows {
            let row = &x.values[i * x.columns..(i + 1) * x.columns];
            let z = b[0] + row.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>();
            let factor = if j < x.columns { row[j] } else { 1.0 };
            slope += factor * (exposures[i] * z.exp() - counts[i]);
            size += factor.abs() * counts[i];
        }
        assert!(slope.abs() < 1e-12 * size, "column {j}: {slope} of {size}");
    }
}

/// Extremes: targets of any size, columns that predict zeros, and what has no minimum.
#[test]
fn extremes_have_an_honest_end() {
    let x = matrix(&part(Loss::Poisson, "X"));
    let y = npy(&part(Loss::Poisson, "y")).1;
    let settings = Settings::default();
    let ends = |problem: &Problem, point: Point| {
        let found = Evaluator::new(problem).settings(&settings).run(&[point]);
        found.unwrap().remove(0)
    };
    let reference = Problem::poisson(&x, &y).build().unwrap();
    let reference = ends(&reference, Point::new(0.0, 0.0));
    assert_eq!(reference.status, Status::Converged);
    for factor in [1e-9, 1e-4, 1e6, 1e12] {
        // Targets in another unit move the intercept alone.
        let scaled: Vec<f64> = y.iter().map(|y| factor * y).collect();
        let problem = Problem::poisson(&x, &scaled).build().unwrap();
        let found = ends(&problem, Point::new(0.0, 0.0));
        assert_eq!(found.status, Status::Converged, "{factor}");
        let d = x.columns;
        let error = relative_error(&found.solution[..d], &reference.solution[..d]);
        assert!(error < 1e-9, "{factor}: {error:.1e}");
        let moved = found.solution[d] - reference.solution[d] - factor.ln();
        assert!(moved.abs() < 1e-9, "{factor}: intercept off by {moved:.1e}");
    }
    // A column that is 1 on some rows of zeros and 0 elsewhere: its coefficient falls without end.
    let mut values = Vec::new();
    let mut zeros = y.clone();
    for i in 0..x.rows {
        let is_zero = i % 7 == 0;
        if is_zero {
            zeros[i] = 0.0;
        }
        values.extend([x.values[i * x.columns], f64::from(u8::from(is_zero))]);
    }
    let separated = proxdiff::data::Dense::new(x.rows, 2, values).unwrap();
    let problem = Problem::poisson(&separated, &zeros).build().unwrap();
    let found = ends(&problem, Point::new(0.0, 0.0));
    assert_ne!(found.status, Status::Converged);
    assert!(found.solution.iter().all(|w| w.is_finite()));
    for point in [Point::new(0.0, 1e-3), Point::new(1e-3, 0.0)] {
        let found = ends(&problem, point);
        assert_eq!(found.status, Status::Converged, "{:?}", found.point);
        assert!(found.hypergradient.unwrap().is_finite());
    }
}
