//! Wrong labels and targets: the error of the cleaned fit, the ranking, the derivative in the weights.

use crate::{Normal, dot};
use proxdiff::hypergrad::Evaluator;
use proxdiff::prelude::*;
use proxdiff::tune::{Cleaned, Cleaning};

const FEATURES: usize = 10;

/// Rows, a share of which is wrong, trusted rows and test rows.
struct Data {
    problem: Problem,
    test: Problem,
    wrong: Vec<bool>,
}

fn data(seed: u64, loss: Loss, rows: usize, share: f64) -> Data {
    let mut normal = Normal::of_seed(seed);
    let w = normal.vector(FEATURES);
    let mut make = |count: usize| -> (Vec<Vec<f64>>, Vec<f64>) {
        let x: Vec<Vec<f64>> = (0..count).map(|_| normal.vector(FEATURES)).collect();
        let of = |z: f64| match loss {
            Loss::Squared => z,
            _ if z > 0.0 => 1.0,
            _ => -1.0,
        };
        let y = x
            .iter()
            .map(|x| of(dot(x, &w) + 0.3 * normal.one()))
            .collect();
        (x, y)
    };
    let ((x, mut y), (x_val, y_val), (x_test, y_test)) = (make(rows), make(80), make(400));
    let mut draws = Normal::of_seed(seed + 1000);
    let wrong: Vec<bool> = (0..rows).map(|_| draws.one().abs() < share).collect();
    for (y, _) in y.iter_mut().zip(&wrong).filter(|(_, wrong)| **wrong) {
        *y = match loss {
            Loss::Squared => 3.0 * draws.one(),
            _ => -*y,
        };
    }
    let builder = || ProblemBuilder::new(loss, &x, &y).standardize(false);
    Data {
        problem: builder().validation(&x_val, &y_val).build().unwrap(),
        test: builder().validation(&x_test, &y_test).build().unwrap(),
        wrong,
    }
}

fn cleaned(data: &Data) -> Cleaned {
    Cleaning::new(&data.problem, Point::new(0.0, 0.01))
        .run()
        .unwrap()
}

/// The criterion on test rows of a fit with weights.
fn test_loss(data: &Data, point: &Point) -> f64 {
    let own = point.weights().map(<[f64]>::to_vec);
    let mut point_of_test = Point::new(point.l1, point.l2);
    if let Some(own) = own {
        point_of_test = point_of_test.with_weights(own);
    }
    let run = Evaluator::new(&data.test)
        .method(None)
        .run(&[point_of_test]);
    run.unwrap()[0].criterion
}

#[test]
fn wrong_rows_are_found_and_lose_their_weight() {
    for (loss, least) in [(Loss::Squared, 0.85), (Loss::Logistic, 0.9)] {
        for seed in 0..4 {
            let data = data(seed, loss, 400, 0.5);
            let share = data.wrong.iter().filter(|w| **w).count() as f64 / 400.0;
            assert!((0.3..0.5).contains(&share));
            let found = cleaned(&data);
            let detection = found.detection(&data.wrong).unwrap();
            assert!(detection.auc > least, "{loss:?} {seed}: {detection:?}");
            let mean = |which: bool| {
                let rows = (0..400).filter(|&i| data.wrong[i] == which);
                let weights: Vec<f64> = rows.map(|i| found.weights[i]).collect();
                weights.iter().sum::<f64>() / weights.len() as f64
            };
            assert!(mean(true) < 0.5 * mean(false), "{loss:?} {seed}");
            // On rows that nothing was tuned on.
            let before = test_loss(&data, &Point::new(0.0, found.first.l2));
            let after = test_loss(&data, &found.point);
            assert!(after < 0.9 * before, "{loss:?} {seed}: {before} to {after}");
            let mut seen = found.ranking.clone();
            seen.sort_unstable();
            assert_eq!(seen, (0..400).collect::<Vec<_>>());
            assert!(found.weights.iter().all(|w| (0.0..=1.0).contains(w)));
        }
    }
}

#[test]
fn rows_that_are_right_keep_the_fit() {
    let data = data(11, Loss::Squared, 200, 0.0);
    let found = cleaned(&data);
    assert!(!found.is_better && found.weights.iter().all(|w| *w == 1.0));
    let before = test_loss(&data, &Point::new(0.0, found.first.l2));
    let after = test_loss(&data, &found.point);
    assert!((after / before - 1.0).abs() < 1e-6, "{before} to {after}");
}

#[test]
fn slopes_are_derivatives_in_the_weights() {
    let data = data(2, Loss::Logistic, 60, 0.4);
    let found = cleaned(&data);
    let l2 = found.point.l2;
    let criterion = |weights: &[f64]| {
        let point = found.point.clone().with_weights(weights.to_vec());
        let run = Evaluator::new(&data.problem).method(None).run(&[point]);
        run.unwrap()[0].criterion
    };
    let own = found.point.weights().unwrap().to_vec();
    assert_eq!(found.outcome.point.l2, l2);
    for row in [0, 7, 31] {
        let moved = |by: f64| {
            let mut weights = own.clone();
            weights[row] += by;
            criterion(&weights)
        };
        let h = 1e-4 * own[row].max(1e-3);
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        let difference = (slope - found.slopes[row]).abs();
        assert!(
            difference < 1e-5 * (1e-3 + slope.abs()),
            "{row}: {slope} for {}",
            found.slopes[row]
        );
    }
}

#[test]
fn a_given_ridge_stays() {
    let data = data(3, Loss::Logistic, 150, 0.4);
    let cleaning = Cleaning::new(&data.problem, Point::new(0.0, 0.25)).tune_ridge(false);
    let found = cleaning.run().unwrap();
    assert_eq!(found.point.l2, 0.25);
    assert!(found.steps.iter().all(|step| step.l2 == 0.25));
}

#[test]
fn what_cannot_be_cleaned_is_refused() {
    let data = data(4, Loss::Squared, 40, 0.3);
    let point = Point::new(0.0, 0.1);
    let refused = |cleaning: Cleaning<'_>, words: &str| {
        let text = cleaning.run().unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refused(
        Cleaning::new(&data.problem, point.clone()).max_evaluations(0),
        "nothing can be cleaned",
    );
    refused(
        Cleaning::new(&data.problem, point.clone()).judging(1.5, 0),
        "fraction",
    );
    let weighted = point.clone().with_weights(vec![1.0; 40]);
    refused(Cleaning::new(&data.problem, weighted), "weights of its own");
    let mut normal = Normal::of_seed(9);
    let x: Vec<Vec<f64>> = (0..10).map(|_| normal.vector(2)).collect();
    let own = Problem::elastic_net(&x, &normal.vector(10))
        .build()
        .unwrap();
    refused(Cleaning::new(&own, point), "training rows");
    assert!(cleaned(&data).detection(&[true]).is_err());
}
