//! The published experiments: whole runs, and one step of NSID on data of MNIST's size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use proxdiff::hypergrad::MinibatchSteps;
use proxdiff::hypergrad::minibatch::{At, Request, Sampling, minibatch};
use proxdiff::kinds::{Precision, Wrt};
use proxdiff::paper::digits::Digits;
use proxdiff::paper::{CurveMethod, deterministic, poisoning, stochastic};
use proxdiff::problem::Problem;
use proxdiff::real::Real;
use proxdiff::{Control, Point};

/// Both settings, four methods; the result is checked.
fn published_deterministic(c: &mut Criterion) {
    let options = deterministic::Options::default();
    c.bench_function("deterministic, both settings", |b| {
        b.iter(|| {
            let record = deterministic::run(&options, &Control::new()).unwrap();
            assert_eq!(record.settings[0].support_identified_at, Some(175));
            black_box(record)
        });
    });
}

/// One seed, four variants, k = 8000; the drawing of the design included.
fn published_stochastic(c: &mut Criterion) {
    let options = stochastic::Options {
        runs: 1,
        ..stochastic::Options::default()
    };
    let mut group = c.benchmark_group("stochastic");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    group.bench_function("one seed, four variants to k = 8000", |b| {
        b.iter(|| {
            let record = stochastic::run(&options, Precision::F64, &Control::new()).unwrap();
            let nsid = record.settings[0]
                .curve(CurveMethod::NsidDecreasing)
                .unwrap();
            assert!(nsid.error.last().unwrap() < &0.02);
            black_box(record)
        });
    });
    group.finish();
}

/// `count` models near each other: a step costs the same whatever the strengths.
fn models(problem: &Problem, count: usize) -> Vec<Vec<f64>> {
    let scale = |at: usize| 1.0 / (1.0 + 0.01 * at as f64);
    let w = (0..problem.coordinates()).map(|j| 1e-3 * (j as f64 * 0.7).sin());
    let w: Vec<f64> = w.map(|w| if w.abs() > 5e-4 { w } else { 0.0 }).collect();
    (0..count)
        .map(|at| w.iter().map(|w| w * scale(at)).collect())
        .collect()
}

/// Steps that count as one iteration: the run without steps that is subtracted must be short beside
/// them.
const STEPS: u32 = 100;

/// The time of `iterations` steps of all models: a run of a hundred times as many less one without.
fn steps<R: Real>(problem: &Problem, models: &[Vec<f64>], iterations: u64) -> Duration {
    let step = poisoning::published_step(problem, 0.1);
    let points: Vec<Point> = (0..models.len())
        .map(|at| Point::new(0.02 + 1e-4 * at as f64, 0.1))
        .collect();
    let at: Vec<At<'_>> = models
        .iter()
        .zip(&points)
        .map(|(w, point)| At { point, w, step })
        .collect();
    let sampling = Sampling {
        batch: 300,
        independent: false,
        frozen: true,
        wrt: vec![Wrt::L2],
    };
    let run = |steps: usize| {
        let requests: Vec<Request> = (0..models.len())
            .map(|at| Request {
                at,
                seed: 0,
                steps,
                freeze: 1,
                schedule: MinibatchSteps::Constant { eta: 0.1 },
            })
            .collect();
        let start = Instant::now();
        let found = minibatch::<R, f64>(
            problem,
            &at,
            &requests,
            &sampling,
            &Control::new(),
            |_, h| h.l2_value().unwrap(),
        );
        assert!(found.unwrap().iter().all(|g| g.is_finite()));
        start.elapsed()
    };
    let without = run(0);
    let with = run(STEPS as usize * iterations as usize);
    (with.saturating_sub(without) / STEPS).max(Duration::from_nanos(1))
}

/// 30 000 × 784 training pictures of 10 classes, 9 000 of them perturbed; minibatches of 300.
fn nsid_step(c: &mut Criterion) {
    let digits = Digits::draw(60_000, 28, 0);
    let problem = poisoning::problem(&digits, &poisoning::Options::default()).unwrap();
    drop(digits);
    let mut group = c.benchmark_group("NSID step, size of MNIST");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    for count in [1, 64] {
        let models = models(&problem, count);
        group.bench_function(format!("{count} problems, f64"), |b| {
            b.iter_custom(|iterations| steps::<f64>(&problem, &models, iterations));
        });
        group.bench_function(format!("{count} problems, f32"), |b| {
            b.iter_custom(|iterations| steps::<f32>(&problem, &models, iterations));
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    published_deterministic,
    published_stochastic,
    nsid_step
);
criterion_main!(benches);
