//! Meta-learning and cleaning: a step of ten thousand tasks, a cleaning of two thousand rows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use proxdiff::kinds::Wrt;
use proxdiff::prelude::*;
use proxdiff::tune::Cleaning;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Rows around w, and their targets.
fn rows(rng: &mut ChaCha8Rng, w: &[f64], count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut row = || -> Vec<f64> { w.iter().map(|_| normal(rng)).collect() };
    let x: Vec<Vec<f64>> = (0..count).map(|_| row()).collect();
    let along = |x: &Vec<f64>| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
    let y = x.iter().map(along).collect();
    (x, y)
}

/// Ten thousand tasks of 30 rows and 20 columns around a prior, to rounding, each with its derivatives in
/// prior, l1 and λ₂.
fn tasks(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let prior: Vec<f64> = (0..20).map(|_| normal(&mut rng)).collect();
    let problems: Vec<Problem> = (0..10_000)
        .map(|_| {
            let w: Vec<f64> = prior.iter().map(|c| c + 0.3 * normal(&mut rng)).collect();
            let ((x, y), (x_val, y_val)) = (rows(&mut rng, &w, 30), rows(&mut rng, &w, 10));
            let builder = Problem::elastic_net(&x, &y).validation(&x_val, &y_val);
            let stated = builder.standardize(false).intercept(false).build();
            stated.expect("the benchmark's own problem is valid")
        })
        .collect();
    let settings = Settings::default().wrt([Wrt::Prior, Wrt::L1, Wrt::L2]);
    let point = [Point::new(0.01, 0.1).with_prior(prior)];
    criterion.bench_function("10 000 tasks of 30 × 20 with derivatives", |bencher| {
        bencher.iter(|| {
            let of_task = |problem: &Problem| {
                let outcomes = Evaluator::new(problem).settings(&settings).run(&point);
                outcomes.expect("the point fits")[0].criterion
            };
            let sum: f64 = problems.par_iter().map(of_task).sum();
            black_box(sum)
        });
    });
}

/// 2 000 rows of 20 columns, a third of the labels wrong.
fn cleaning(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let w: Vec<f64> = (0..20).map(|_| normal(&mut rng)).collect();
    let ((x, mut y), (x_val, mut y_val)) = (rows(&mut rng, &w, 2000), rows(&mut rng, &w, 200));
    for y in y.iter_mut().chain(&mut y_val) {
        *y = y.signum();
    }
    y.iter_mut().step_by(3).for_each(|y| *y = -*y);
    let builder = ProblemBuilder::new(Loss::Logistic, &x, &y).validation(&x_val, &y_val);
    let problem = builder
        .build()
        .expect("the benchmark's own problem is valid");
    let mut group = criterion.benchmark_group("cleaning");
    group.sample_size(10);
    group.bench_function("2 000 rows × 20, logistic", |bencher| {
        bencher.iter(|| {
            let cleaned = Cleaning::new(&problem, Point::new(0.0, 0.01)).run();
            black_box(cleaned.expect("the problem can be cleaned").error)
        });
    });
    group.finish();
}

criterion_group!(benches, tasks, cleaning);
criterion_main!(benches);
