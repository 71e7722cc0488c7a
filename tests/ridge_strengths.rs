//! Many ridge strengths, tuned by models of the criterion: few evaluations, and slopes that are zero.

use proxdiff::prelude::*;
use proxdiff::sweep::folds::{Dealing, k_folds};
use proxdiff::tune::{Guard, Tuner, TuningStatus, Variable};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of features whose neighbours correlate, and z of a model in which two of five do not count.
fn rows(count: usize, features: usize, random: &mut ChaCha8Rng) -> (Vec<Vec<f64>>, Vec<f64>) {
    let weight = |j: usize| {
        if j % 5 < 3 {
            (j as f64 - 9.0) / 12.0
        } else {
            0.0
        }
    };
    let mut x = Vec::with_capacity(count);
    for _ in 0..count {
        let mut row: Vec<f64> = (0..features)
            .map(|_| random.random_range(-1.7..1.7))
            .collect();
        for j in 1..features {
            row[j] = 0.5 * row[j - 1] + 0.87 * row[j];
        }
        x.push(row);
    }
    let z = |row: &Vec<f64>| row.iter().enumerate().map(|(j, x)| x * weight(j)).sum();
    let z = x.iter().map(z).collect();
    (x, z)
}

/// The same with labels of a logistic model.
fn labelled(count: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (x, z) = rows(count, 22, &mut random);
    let label = |z: &f64| {
        let share = 1.0 / (1.0 + (-z).exp());
        if random.random_range(0.0..1.0) < share {
            1.0
        } else {
            -1.0
        }
    };
    let y = z.iter().map(label).collect();
    (x, y)
}

/// The same with noise.
fn measured(count: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (x, z) = rows(count, 12, &mut random);
    let noisy = |z: &f64| z + random.random_range(-2.0..2.0);
    let y = z.iter().map(noisy).collect();
    (x, y)
}

#[test]
fn strengths_of_a_logistic_loss_take_few_evaluations() {
    for seed in [1, 2] {
        let (x, y) = labelled(10_000, seed);
        let (held, labels) = labelled(3_000, seed + 50);
        let stated = Problem::logistic(&x, &y).validation(&held, &labels);
        let problem = stated.build().unwrap();
        let tuner = Tuner::new(&problem)
            .variables([Variable::l2_each()])
            .guard(Guard::None);
        let tuned = tuner.run().unwrap();
        assert!(tuned.evaluations <= 30, "{}", tuned.evaluations);
        assert!(tuned.projected_slope <= 1e-8, "{}", tuned.projected_slope);
        assert!(tuned.criterion < tuned.scalar_criterion.unwrap());
    }
}

/// The model of the squared loss is exact, on a hold-out and over folds.
#[test]
fn strengths_of_the_squared_loss_take_two_steps() {
    let ((x, y), (held, targets)) = (measured(80, 3), measured(60, 4));
    let stated = Problem::elastic_net(&x, &y).validation(&held, &targets);
    let problem = stated.build().unwrap();
    for folds in [None, Some(k_folds(80, 4, 1, Dealing::Plain, 0).unwrap())] {
        let tuner = Tuner::new(&problem)
            .variables([Variable::l2_each()])
            .guard(Guard::None);
        let tuner = match folds {
            None => tuner,
            Some(folds) => tuner.folds(folds),
        };
        let tuned = tuner.run().unwrap();
        let ends = [TuningStatus::Stationary, TuningStatus::AtBound];
        assert!(ends.contains(&tuned.status), "{:?}", tuned.status);
        assert!(tuned.projected_slope <= 1e-8, "{}", tuned.projected_slope);
        // Where it begins, where its model leads, and rounding.
        let evaluations = tuned.starts[0].evaluations;
        assert!(evaluations <= 3, "{evaluations}");
    }
}
