//! Whole hypergradients: a grid of elastic nets, and the published deterministic experiment.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::hypergrad::{Evaluator, Settings, curve};
use proxdiff::kinds::{Method, Status};
use proxdiff::loss::Loss;
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Problem, Specification};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A standard normal number (Box and Muller).
fn normal(random: &mut ChaCha12Rng) -> f64 {
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform()).cos()
}

/// iid Gaussian rows, 30 informative coordinates, noise 0.1.
fn problem(n: usize, n_validation: usize, d: usize) -> Problem {
    let mut random = ChaCha12Rng::seed_from_u64(5);
    let w: Vec<f64> = (0..d)
        .map(|j| {
            if j < 30 {
                normal(&mut random).abs()
            } else {
                0.0
            }
        })
        .collect();
    let mut rows = |n: usize| {
        let values: Vec<f64> = (0..n * d).map(|_| normal(&mut random)).collect();
        let y = values
            .chunks_exact(d)
            .map(|x| x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + 0.1 * normal(&mut random))
            .collect();
        (
            Matrix::Dense(Dense {
                rows: n,
                columns: d,
                values,
            }),
            vec![y],
        )
    };
    let (x, y) = rows(n);
    let (x_validation, y_validation) = rows(n_validation);
    let mut specification = Specification::new(Loss::Squared, x, y);
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification.validation = Some(Rows {
        matrix: x_validation,
        targets: y_validation,
        weights: None,
        offset: None,
    });
    Problem::new(specification).expect("the benchmark's own problem is valid")
}

fn geometric(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count)
        .map(|k| from * (to / from).powf(k as f64 / (count - 1) as f64))
        .collect()
}

/// 16 × 16 points, n = 500, d = 100: solutions and hypergradients, diagnostics included.
fn grid(c: &mut Criterion) {
    let problem = problem(500, 250, 100);
    let largest = problem.l1_max(0, 0.0);
    let l2s = geometric(1e-4, 1.0, 16);
    let points: Vec<Point> = geometric(0.8 * largest, 1e-3 * largest, 16)
        .into_iter()
        .flat_map(|l1| l2s.iter().map(move |&l2| Point::new(l1, l2)))
        .collect();
    for (name, tolerance) in [("tolerance 1e-7", Some(1e-7)), ("to rounding", None)] {
        let settings = Settings::default().tolerance(tolerance).threads(2);
        let run = || Evaluator::new(&problem).settings(&settings).run(&points);
        let outcomes = run().expect("the grid is valid");
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.status == Status::Converged)
        );
        c.bench_function(&format!("grid 16x16, 500x100, aid-cg, {name}"), |b| {
            b.iter(|| black_box(run()))
        });
    }
}

/// d = 100, 100 training rows: ITD, AID-FP and AID-CG at 200 steps up to 500.
fn deterministic(c: &mut Criterion) {
    let problem = problem(100, 240, 100);
    let point = Point::new(0.02, 0.002);
    let steps: Vec<usize> = (1..=200).map(|k| 5 * k / 2).collect();
    let run = |method: Method| {
        let settings = Settings::default().method(method);
        curve(&problem, &point, &steps, &settings, &Control::new()).expect("the curve is valid")
    };
    c.bench_function(
        "deterministic experiment, 3 methods, 200 points to t = 500",
        |b| {
            b.iter(|| {
                for method in [Method::ItdForward, Method::AidFp, Method::AidCg] {
                    black_box(run(method));
                }
            });
        },
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = grid, deterministic
}
criterion_main!(benches);
