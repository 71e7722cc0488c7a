//! The estimate: its formula, its derivative, and the risk that it follows.

use super::*;
use crate::control::Control;
use crate::engine::products::predictors;
use crate::hypergrad::{Outcome, Settings};
use crate::kinds::Wrt;
use crate::linalg::statistics::mean;
use crate::model::penalty::Groups;
use crate::tune::chosen::Fold;
use crate::tune::criterion::Criterion;
use crate::tune::variables::Space;
use crate::tune::{Tuner, TuningStatus, Variable};

/// Rows, the means of their targets, and targets with noise of the given deviation.
struct Sample {
    x: Vec<Vec<f64>>,
    means: Vec<f64>,
    y: Vec<f64>,
}

fn sample(rows: usize, features: usize, noise: f64, seed: u64) -> Sample {
    let mut random = Random::new(seed, 1);
    let x: Vec<Vec<f64>> = (0..rows)
        .map(|_| (0..features).map(|_| random.normal()).collect())
        .collect();
    let means: Vec<f64> = x
        .iter()
        .map(|x| 5.0 + 2.0 * x[0] - 1.5 * x[1] + x[2] + 0.5 * x[3])
        .collect();
    let y = means.iter().map(|m| m + noise * random.normal()).collect();
    Sample { x, means, y }
}

fn solved(problem: &Problem, point: &Point) -> Outcome {
    let points = std::slice::from_ref(point);
    Evaluator::new(problem)
        .method(None)
        .run(points)
        .unwrap()
        .remove(0)
}

fn fit(x: &[Vec<f64>], y: &[f64], point: &Point) -> Vec<f64> {
    let problem = Problem::elastic_net(x, y).build().unwrap();
    predictors(
        &problem.train().design,
        &solved(&problem, point).solution,
        1,
    )
}

fn value(estimate: &Estimate, point: &Point) -> f64 {
    let of = |at: usize| solved(&estimate.problems[at], point).criterion;
    estimate.combination.value(of)
}

/// The combination is the formula of two fits.
#[test]
fn it_is_the_formula() {
    let Sample { x, y, .. } = sample(40, 8, 0.7, 3);
    let problem = Problem::elastic_net(&x, &y).build().unwrap();
    let sure = Sure {
        noise: Some(0.7),
        seed: 4,
    };
    let estimate = sure.of(&problem, 0).unwrap();
    let mut random = Random::new(4, STREAM);
    let direction: Vec<f64> = (0..40).map(|_| random.normal()).collect();
    let step = 1.4 / 40f64.powf(0.3);
    let moved: Vec<f64> = y
        .iter()
        .zip(&direction)
        .map(|(y, d)| y + step * d)
        .collect();
    for (l1, l2) in [(0.3, 0.01), (0.05, 0.2), (10.0, 0.1), (0.0, 0.0)] {
        let point = Point::new(l1, l2);
        let (here, there) = (fit(&x, &y, &point), fit(&x, &moved, &point));
        let rest: f64 = y.iter().zip(&here).map(|(y, z)| (y - z).powi(2)).sum();
        let slope: f64 = (0..40).map(|i| direction[i] * (there[i] - here[i])).sum();
        let expected = 0.5 * (rest + 2.0 * 0.49 / step * slope) / 40.0;
        let found = value(&estimate, &point);
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        assert!(slope >= 0.0);
    }
}

/// The slope is that of finite differences, of one strength and of each.
#[test]
fn its_slope_is_that_of_differences() {
    let Sample { x, y, .. } = sample(40, 6, 0.7, 5);
    let problem = Problem::elastic_net(&x, &y).build().unwrap();
    for variables in [
        vec![Variable::l1(), Variable::l2()],
        vec![Variable::l1_each(), Variable::l2()],
        vec![Variable::l1(), Variable::prior(), Variable::l2()],
    ] {
        let problem = crate::tune::with_vectors(problem.clone(), &variables).unwrap();
        let Estimate {
            problems,
            combination,
            ..
        } = Sure::default().of(&problem, 0).unwrap();
        let criterion = Criterion {
            folds: problems.iter().map(Fold::new).collect(),
            combination: Some(combination),
            settings: Settings {
                wrt: vec![Wrt::L1, Wrt::L2, Wrt::Prior],
                ..Settings::default()
            },
            control: Control::new(),
            kept: None,
        };
        let all: Vec<&Problem> = problems.iter().collect();
        let space = Space::new(&variables, Point::default(), &all).unwrap();
        let mut place = space.place_of(&Point::new(0.15, 0.05).into());
        let last = place.len() - 1;
        place[last] += 0.3;
        let at = |place: &[f64]| {
            let chosen = [space.chosen(place)];
            criterion.evaluate(&space, &chosen, None).unwrap().remove(0)
        };
        let slope = at(&place).slope.unwrap();
        for i in 0..place.len() {
            let (mut up, mut down) = (place.clone(), place.clone());
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let difference = (at(&up).criterion - at(&down).criterion) / 2e-5;
            assert!(
                (difference - slope[i]).abs() < 1e-7,
                "{difference} {}",
                slope[i]
            );
        }
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    sum(a, mean_a, b, mean_b) / (sum(a, mean_a, a, mean_a) * sum(b, mean_b, b, mean_b)).sqrt()
}

/// With the true noise, and with the estimated one, it follows the true risk along a path of the lasso: also
/// on average, ½(risk + σ²).
#[test]
fn it_follows_the_true_risk_along_a_path() {
    let mut ratio = 0.0;
    for seed in 0..20 {
        let Sample { x, means, y } = sample(80, 20, 1.0, 100 + seed);
        let problem = Problem::elastic_net(&x, &y).build().unwrap();
        let l1_max = problem.l1_max(0, 0.0);
        let points: Vec<Point> = (0..30)
            .map(|at| Point::new(l1_max * 10f64.powf(-2.5 * f64::from(at) / 29.0), 0.0))
            .collect();
        let risk: Vec<f64> = points
            .iter()
            .map(|point| {
                let z = fit(&x, &y, point);
                z.iter()
                    .zip(&means)
                    .map(|(z, m)| (z - m).powi(2))
                    .sum::<f64>()
                    / 80.0
            })
            .collect();
        for noise in [Some(1.0), None] {
            let estimate = Sure { noise, seed }.of(&problem, 0).unwrap();
            assert!((estimate.noise - 1.0).abs() < 0.4, "{}", estimate.noise);
            let found: Vec<f64> = points.iter().map(|p| value(&estimate, p)).collect();
            let found_correlation = correlation(&found, &risk);
            assert!(
                found_correlation > 0.9,
                "{seed} {noise:?} {found_correlation}"
            );
            if noise.is_some() {
                ratio += mean(&found) / (0.5 * (mean(&risk) + 1.0)) / 20.0;
            }
        }
    }
    assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
}

/// The fit that the tuner finds has less risk than least squares, on average over samples.
#[test]
fn what_is_tuned_has_less_risk() {
    let (mut tuned, mut free) = (0.0, 0.0);
    for seed in 0..12 {
        let Sample { x, means, y } = sample(80, 20, 1.0, 300 + seed);
        let problem = Problem::elastic_net(&x, &y).build().unwrap();
        let found = Tuner::new(&problem)
            .sure(Sure { noise: None, seed })
            .max_evaluations(120)
            .run()
            .unwrap();
        let risk = |point: &Point| {
            let z = fit(&x, &y, point);
            let each = z.iter().zip(&means).map(|(z, m)| (z - m).powi(2));
            each.sum::<f64>() / 80.0
        };
        tuned += risk(&found.point);
        free += risk(&Point::new(0.0, 0.0));
    }
    assert!(tuned < 0.9 * free, "{tuned} {free}");
}

/// The tuner minimises it, with no row held out.
#[test]
fn it_is_tuned() {
    let Sample { x, y, .. } = sample(80, 20, 1.0, 7);
    let problem = Problem::elastic_net(&x, &y).build().unwrap();
    let tuner = Tuner::new(&problem).sure(Sure {
        noise: Some(1.0),
        seed: 0,
    });
    let tuned = tuner.clone().run().unwrap();
    let is_end = matches!(
        tuned.status,
        TuningStatus::Stationary | TuningStatus::StationaryKink | TuningStatus::AtBound
    );
    assert!(is_end, "{:?}", tuned.status);
    assert_eq!(
        (tuned.noise, tuned.fold_criteria.as_slice()),
        (Some(1.0), &[tuned.criterion][..])
    );
    let estimate = Sure {
        noise: Some(1.0),
        seed: 0,
    }
    .of(&problem, 0)
    .unwrap();
    assert!((value(&estimate, &tuned.point) / tuned.criterion - 1.0).abs() < 1e-9);
    // No worse than a grid.
    let l1_max = problem.l1_max(0, 0.0);
    for l1 in [0.5, 0.2, 0.1, 0.05, 0.02] {
        for l2 in [1e-3, 1e-2, 1e-1] {
            let on_grid = value(&estimate, &Point::new(l1 * l1_max, l2));
            assert!(tuned.criterion <= on_grid * (1.0 + 1e-9));
        }
    }
    for (tuner, message) in [
        (
            tuner.clone().variables([Variable::l1_each()]),
            "--guard none",
        ),
        (
            tuner
                .clone()
                .folds([crate::sweep::folds::Fold::of_all_rows()]),
            "folds beside",
        ),
    ] {
        let error = tuner.run().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let each = tuner
        .variables([Variable::l1_each()])
        .guard(crate::tune::Guard::None);
    let each = each.at(Point::new(0.0, 0.01)).run().unwrap();
    assert!(each.criterion <= each.scalar_criterion.unwrap());
}

/// Noise is estimated without the penalty, whatever it is.
#[test]
fn noise_is_that_of_least_squares() {
    let Sample { x, y, .. } = sample(60, 6, 0.7, 9);
    let problem = || Problem::elastic_net(&x, &y);
    let noise = |problem: Problem| Sure::default().of(&problem, 0).unwrap().noise;
    let z = fit(&x, &y, &Point::new(0.0, 0.0));
    let rest: f64 = y.iter().zip(&z).map(|(y, z)| (y - z).powi(2)).sum();
    let expected = (rest / 53.0).sqrt();
    let groups = Groups::from_labels(&[0, 0, 1, 1, 1, 2]);
    for penalty in [
        Penalty::ElasticNet,
        Penalty::NonNegative,
        Penalty::Group {
            groups,
            strengths: None,
        },
    ] {
        let found = noise(problem().build().unwrap().with_penalty(penalty).unwrap());
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }
}

#[test]
fn what_it_is_not_of_is_refused() {
    let Sample { x, y, .. } = sample(12, 10, 0.7, 3);
    let problem = |rows: usize| Problem::elastic_net(&x[..rows], &y[..rows]);
    let weights: Vec<f64> = (0..12u32).map(|i| 1.0 + f64::from(i % 2)).collect();
    for (problem, noise, message) in [
        (problem(12).build(), None, "too few to estimate it"),
        (problem(12).build(), Some(0.0), "greater than zero"),
        (problem(12).build(), Some(f64::NAN), "greater than zero"),
        (
            problem(12).sample_weights(&weights).build(),
            Some(1.0),
            "weights of the rows",
        ),
        (Problem::huber(&x, &y, 1.0).build(), Some(1.0), "huber loss"),
        (
            problem(12).criterion(Loss::Huber { delta: 1.0 }).build(),
            Some(1.0),
            "huber criterion",
        ),
    ] {
        let error = Sure { noise, seed: 0 }
            .of(&problem.unwrap(), 0)
            .unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
