//! Criteria from training rows alone: leave-one-out against refits without each row, the others by hand.

mod common;

use common::{golden_dir, npy};
use proxdiff::data::{Dense, Matrix, Sparse, embedded, numbers};
use proxdiff::hypergrad::{Information, NoInformation, Outcome};
use proxdiff::prelude::*;

fn outcome(problem: &Problem, point: &Point) -> Outcome {
    let evaluator = Evaluator::new(problem).method(None);
    evaluator
        .run(std::slice::from_ref(point))
        .unwrap()
        .remove(0)
}

fn information(problem: &Problem, point: &Point) -> Information {
    Information::of(problem, &outcome(problem, point))
}

/// Rows and targets.
struct Data {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
}

impl Data {
    fn made(rows: usize, features: usize) -> Self {
        let entry = |i: usize, j: usize| ((i * 31 + j * 17 + i * j * 7) % 23) as f64 / 11.0 - 1.0;
        let x: Vec<Vec<f64>> = (0..rows)
            .map(|i| (0..features).map(|j| entry(i, j)).collect())
            .collect();
        let target = |(i, row): (usize, &Vec<f64>)| 2.0 * row[0] - row[1] + entry(i, 90);
        let y = x.iter().enumerate().map(target).collect();
        Self { x, y }
    }

    /// Rows by rows of a matrix.
    fn of(values: &[f64], features: usize, y: Vec<f64>) -> Self {
        let x = values.chunks(features).map(<[f64]>::to_vec).collect();
        Self { x, y }
    }

    /// The mean over rows of the criterion on each under the fit of all others.
    fn refits(&self, point: &Point, state: impl Fn(&Self, &Self) -> Problem) -> f64 {
        let of_row = |i: usize| {
            let part = |wanted: &dyn Fn(usize) -> bool| {
                let rows = || (0..self.y.len()).filter(|&at| wanted(at));
                Self {
                    x: rows().map(|at| self.x[at].clone()).collect(),
                    y: rows().map(|at| self.y[at]).collect(),
                }
            };
            let problem = state(&part(&|at| at != i), &part(&|at| at == i));
            outcome(&problem, point).criterion
        };
        (0..self.y.len()).map(of_row).sum::<f64>() / self.y.len() as f64
    }
}

#[test]
fn ridge_is_left_out_exactly() {
    for (rows, features) in [(25, 4), (12, 20)] {
        let data = Data::made(rows, features);
        for intercept in [false, true] {
            let point = Point::new(0.0, 0.3);
            let plain = |data: &Data| {
                let stated = Problem::elastic_net(&data.x, &data.y);
                stated.intercept(intercept).standardize(false)
            };
            let problem = plain(&data).build().unwrap();
            let found = information(&problem, &point).alo.unwrap();
            let expected = data.refits(&point, |own, held| {
                plain(own).validation(&held.x, &held.y).build().unwrap()
            });
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{rows} rows, intercept {intercept}: {found} {expected}"
            );
        }
    }
}

/// Asserts that leave-one-out is within 2 % of refits, at points of l1 in units of l1_max and l2.
fn assert_left_out_nearly(data: &Data, state: fn(&Data) -> ProblemBuilder, points: &[Point]) {
    let problem = state(data).build().unwrap();
    let l1_max = problem.l1_max(0, 0.0);
    for point in points {
        let point = Point::new(point.l1 * l1_max, point.l2);
        let found = information(&problem, &point).alo.unwrap();
        let expected = data.refits(&point, |own, held| {
            state(own).validation(&held.x, &held.y).build().unwrap()
        });
        assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    }
}

#[test]
fn lasso_is_left_out_nearly() {
    let embedded = embedded::diabetes().unwrap();
    let Matrix::Dense(matrix) = &embedded.matrix else {
        panic!("rows in full")
    };
    let y = numbers(&embedded.targets[0]).unwrap();
    let data = Data::of(&matrix.values, matrix.columns, y);
    let points = [(0.3, 0.0), (0.03, 0.0), (1e-3, 0.1)].map(|(l1, l2)| Point::new(l1, l2));
    assert_left_out_nearly(
        &data,
        |data| Problem::elastic_net(&data.x, &data.y),
        &points,
    );
}

#[test]
fn logistic_is_left_out_nearly() {
    let folder = golden_dir().join("h_breast_cancer");
    let (shape, values) = npy(&folder.join("X.npy"));
    let (_, y) = npy(&folder.join("y.npy"));
    let data = Data::of(&values, shape[1], y);
    let points = [(0.2, 0.0), (0.05, 0.01)].map(|(l1, l2)| Point::new(l1, l2));
    assert_left_out_nearly(&data, |data| Problem::logistic(&data.x, &data.y), &points);
}

#[test]
fn degrees_of_freedom_and_what_follows_by_hand() {
    let data = Data::made(30, 3);
    let plain = |stated: ProblemBuilder| stated.standardize(false).build().unwrap();
    let close = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-9 * expected.abs(),
            "{found} {expected}"
        );
    };
    // Least squares: a degree for each coefficient and the intercept.
    let problem = plain(Problem::elastic_net(&data.x, &data.y));
    let point = Point::new(0.0, 0.0);
    let (found, loss) = (
        information(&problem, &point),
        outcome(&problem, &point).criterion,
    );
    close(found.degrees_of_freedom.unwrap(), 4.0);
    close(found.gcv.unwrap(), loss / (1.0 - 4.0 / 30.0f64).powi(2));
    close(found.aic.unwrap(), 30.0 * (2.0 * loss).ln() + 8.0);
    close(
        found.bic.unwrap(),
        30.0 * (2.0 * loss).ln() + 30f64.ln() * 4.0,
    );
    // One column with ridge: Σx²/(Σx² + nλ₂).
    let column: Vec<Vec<f64>> = data.x.iter().map(|row| vec![row[0]]).collect();
    let square: f64 = column.iter().map(|row| row[0] * row[0]).sum();
    let problem = plain(Problem::elastic_net(&column, &data.y).intercept(false));
    let found = information(&problem, &Point::new(0.0, 0.7));
    close(
        found.degrees_of_freedom.unwrap(),
        square / (square + 30.0 * 0.7),
    );
    // The same by a strength of the column's own.
    let own = proxdiff::problem::RidgeStrengths::each(vec![2.0]);
    let stated = Problem::elastic_net(&column, &data.y).intercept(false);
    let problem = plain(stated.ridge(own));
    let found = information(&problem, &Point::new(0.0, 0.35));
    close(
        found.degrees_of_freedom.unwrap(),
        square / (square + 30.0 * 0.7),
    );
    // The deviance of the logistic loss; GCV is that of the squared loss alone.
    let labels: Vec<f64> = data.y.iter().map(|y| y.signum()).collect();
    let problem = plain(Problem::logistic(&data.x, &labels));
    let point = Point::new(0.05, 0.0);
    let (found, fit) = (information(&problem, &point), outcome(&problem, &point));
    let k = fit.support as f64 + 1.0;
    close(found.degrees_of_freedom.unwrap(), k);
    close(found.aic.unwrap(), 60.0 * fit.criterion + 2.0 * k);
    assert_eq!(found.gcv, None);
}

#[test]
fn rows_that_are_sparse_change_nothing() {
    let data = Data::made(20, 5);
    let values: Vec<f64> = data.x.concat();
    let sparse = Matrix::Sparse(Sparse {
        rows: 20,
        columns: 5,
        row_starts: (0..=20).map(|i| 5 * i).collect(),
        column_indices: (0..100).map(|at| at % 5).collect(),
        values: values.clone(),
    });
    let dense = Matrix::Dense(Dense::new(20, 5, values).unwrap());
    let of = |matrix: &Matrix| {
        let problem = Problem::elastic_net(matrix, &data.y).build().unwrap();
        information(&problem, &Point::new(0.05, 0.1))
    };
    let (found, expected) = (of(&sparse), of(&dense));
    for (found, expected) in [
        (found.alo, expected.alo),
        (found.gcv, expected.gcv),
        (found.aic, expected.aic),
    ] {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
    }
}

/// Standardised columns keep the scale of all rows: the refits are of columns that were scaled beforehand. The
/// intercept is refitted, so that centres need not be kept.
#[test]
fn scaled_ridge_is_left_out_exactly_at_the_scale_of_all_rows() {
    let mut data = Data::made(25, 4);
    for row in &mut data.x {
        row.iter_mut()
            .zip([1.0, 30.0, 0.02, 4.0])
            .for_each(|(x, scale)| *x *= scale);
    }
    let point = Point::new(0.0, 0.3);
    let problem = Problem::elastic_net(&data.x, &data.y).build().unwrap();
    let found = information(&problem, &point).alo.unwrap();
    let count = data.x.len() as f64;
    let mut scaled = Data {
        x: data.x.clone(),
        y: data.y.clone(),
    };
    for j in 0..4 {
        let mean = data.x.iter().map(|row| row[j]).sum::<f64>() / count;
        let square = data
            .x
            .iter()
            .map(|row| (row[j] - mean).powi(2))
            .sum::<f64>();
        scaled
            .x
            .iter_mut()
            .for_each(|row| row[j] /= (square / count).sqrt());
    }
    let expected = scaled.refits(&point, |own, held| {
        let stated = Problem::elastic_net(&own.x, &own.y).standardize(false);
        stated.validation(&held.x, &held.y).build().unwrap()
    });
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
}

/// A row of weight zero is no row, in any of the criteria.
#[test]
fn rows_of_weight_zero_do_not_count() {
    let data = Data::made(24, 4);
    let weights: Vec<f64> = (0..24).map(|i| f64::from(u8::from(i % 4 != 1))).collect();
    let point = Point::new(0.02, 0.3);
    let plain = |x: &[Vec<f64>], y: &[f64]| Problem::elastic_net(x, y).standardize(false);
    let weighted = plain(&data.x, &data.y)
        .sample_weights(&weights)
        .build()
        .unwrap();
    let kept = || (0..24).filter(|i| i % 4 != 1);
    let x: Vec<Vec<f64>> = kept().map(|i| data.x[i].clone()).collect();
    let y: Vec<f64> = kept().map(|i| data.y[i]).collect();
    let problem = plain(&x, &y).build().unwrap();
    let (found, expected) = (
        information(&weighted, &point),
        information(&problem, &point),
    );
    for (found, expected) in found.values().iter().zip(expected.values()) {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
    }
}

/// With weights the estimate is a weighted mean, of steps that know each row's weight.
#[test]
fn weighted_rows_are_left_out_exactly() {
    let data = Data::made(60, 4);
    let weights: Vec<f64> = (0..60).map(|i| f64::from(1 + i % 3)).collect();
    let point = Point::new(0.01, 0.1);
    let state = |out: Option<usize>| {
        let mut weights = weights.clone();
        if let Some(out) = out {
            weights[out] = 0.0;
        }
        let stated = Problem::elastic_net(&data.x, &data.y).sample_weights(&weights);
        match out {
            None => stated,
            Some(out) => stated.validation(&data.x[out..=out], &data.y[out..=out]),
        }
        .standardize(false)
        .build()
        .unwrap()
    };
    let found = information(&state(None), &point).alo.unwrap();
    let sum: f64 = (0..60)
        .map(|i| weights[i] * outcome(&state(Some(i)), &point).criterion)
        .sum();
    let expected = sum / weights.iter().sum::<f64>();
    assert!((found / expected - 1.0).abs() < 1e-10, "{found} {expected}");
}

/// A model of nothing but zeros, and of an intercept alone.
#[test]
fn models_without_features_have_criteria_too() {
    let data = Data::made(20, 3);
    let point = Point::new(1e3, 0.1);
    for intercept in [false, true] {
        let stated = Problem::elastic_net(&data.x, &data.y).standardize(false);
        let problem = stated.intercept(intercept).build().unwrap();
        let found = information(&problem, &point);
        let own = outcome(&problem, &point).criterion;
        let k = f64::from(u8::from(intercept));
        assert!((found.degrees_of_freedom.unwrap() - k).abs() < 1e-12);
        let aic = 20.0 * (2.0 * own).ln() + 2.0 * k;
        assert!((found.aic.unwrap() / aic - 1.0).abs() < 1e-12);
        // Leaving a row out of a mean moves the residual by n/(n − 1).
        let expected = if intercept {
            own * (20.0f64 / 19.0).powi(2)
        } else {
            own
        };
        assert!((found.alo.unwrap() / expected - 1.0).abs() < 1e-12);
        assert_eq!(found.missing, None);
    }
}

#[test]
fn what_has_none_says_so() {
    let data = Data::made(20, 4);
    let group = Problem::group(&data.x, &data.y, &[0, 0, 1, 1]);
    let kinds: Vec<f64> = (0..20).map(|i| f64::from(i % 3)).collect();
    let multinomial = Problem::multinomial(&data.x, &kinds);
    for (stated, missing) in [
        (group, NoInformation::Groups),
        (multinomial, NoInformation::Loss),
    ] {
        let problem = stated.build().unwrap();
        let found = information(&problem, &Point::new(0.01, 0.1));
        assert_eq!(found.missing, Some(missing));
        assert!(found.values().iter().all(Option::is_none));
    }
    // As many features as rows and no ridge: every row decides on its own prediction.
    let square = Data::made(5, 5);
    let stated = Problem::elastic_net(&square.x, &square.y);
    let problem = stated.intercept(false).standardize(false).build().unwrap();
    let found = information(&problem, &Point::new(0.0, 0.0));
    assert_eq!(found.alo, None);
    assert!(found.missing.is_some(), "{found:?}");
}

#[test]
fn offsets_with_a_log_link_and_saturated_fits_say_so() {
    let data = Data::made(30, 3);
    let counts: Vec<f64> = (0..30).map(|i| ((i * 5) % 4) as f64).collect();
    let offset: Vec<f64> = (0..30).map(|i| (i % 3) as f64 * 0.2).collect();
    let problem = Problem::poisson(&data.x, &counts).offset(&offset);
    let found = information(&problem.build().unwrap(), &Point::new(0.0, 0.1));
    assert_eq!(found.missing, Some(NoInformation::Offsets));
    assert_eq!(found.values(), [None; 5]);
    // As many features as rows, each of one row.
    let few = Data {
        x: (0..4)
            .map(|i| (0..4).map(|j| f64::from(u8::from(i == j))).collect())
            .collect(),
        y: vec![1.0, -2.0, 3.0, 1.5],
    };
    let problem = Problem::elastic_net(&few.x, &few.y).intercept(false);
    let problem = problem.standardize(false).build().unwrap();
    let found = information(&problem, &Point::new(0.0, 1e-9));
    assert_eq!(found.missing, Some(NoInformation::Saturated), "{found:?}");
    assert_eq!((found.gcv, found.aic, found.bic), (None, None, None));
}
