//! The fast CPU path: a grid of elastic nets with its adjoints, a long lasso path, logistic paths, refits
//! without each row.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use proxdiff::data::matrix::{Dense, Matrix};
use proxdiff::hypergrad::Influence;
use proxdiff::kinds::{Preconditioner, Status};
use proxdiff::loss::Loss;
use proxdiff::path::{
    PathSettings, PathSolution, RestrictedMethod, RestrictedRequest, solve, solve_restricted,
};
use proxdiff::{Control, Point, Problem, Specification};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TO_ROUNDING: PathSettings = PathSettings {
    tolerance: None,
    max_steps: 100_000,
};

/// n × d with neighbouring columns correlated, `informative` coefficients, noise 0.1.
fn regression(n: usize, d: usize, informative: usize, correlation: f64) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let mut x = Vec::with_capacity(n * d);
    for _ in 0..n {
        let mut last = normal();
        for _ in 0..d {
            last = correlation * last + (1.0 - correlation * correlation).sqrt() * normal();
            x.push(last);
        }
    }
    let stride = d / informative;
    let truth: Vec<f64> = (0..d)
        .map(|j| if j % stride == 0 { normal() } else { 0.0 })
        .collect();
    let y = (0..n)
        .map(|i| {
            let signal: f64 = x[i * d..(i + 1) * d]
                .iter()
                .zip(&truth)
                .map(|(x, w)| x * w)
                .sum();
            signal + 0.1 * normal()
        })
        .collect();
    let matrix = Matrix::Dense(Dense {
        rows: n,
        columns: d,
        values: x,
    });
    let mut specification = Specification::new(Loss::Squared, matrix, vec![y]);
    specification.scaling.intercept = false;
    specification.scaling.standardize = false;
    Problem::new(specification).expect("the benchmark's own problem is valid")
}

/// The smallest l1 with a zero solution.
fn largest_strength(problem: &Problem) -> f64 {
    problem.l1_max(0, 0.0)
}

fn geometric(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count)
        .map(|k| from * (to / from).powf(k as f64 / (count - 1) as f64))
        .collect()
}

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("two threads can be started")
}

fn run(problem: &Problem, points: &[Point]) -> Vec<PathSolution<f64>> {
    let solutions = solve(problem, points, None, &TO_ROUNDING, &Control::new())
        .expect("the benchmark's own points are valid");
    assert!(solutions.iter().all(|s| s.status == Status::Converged));
    solutions
}

fn adjoints(problem: &Problem, points: &[Point], solutions: &[PathSolution<f64>]) {
    let w: Vec<Vec<f64>> = solutions.iter().map(|s| s.w.clone()).collect();
    let factors: Vec<_> = solutions.iter().map(|s| s.factor.as_ref()).collect();
    let request = RestrictedRequest {
        points,
        w: &w,
        step: &vec![0.1; points.len()],
        criterion_gradient: &vec![vec![1.0; problem.coordinates()]; points.len()],
        factors: Some(&factors),
        method: RestrictedMethod::Cg {
            preconditioner: Preconditioner::Diagonal,
        },
        tolerance: None,
        max_steps: 1000,
        control: &Control::new(),
    };
    let solved = solve_restricted(problem, &request).expect("shapes match");
    assert!(solved.iter().all(|s| s.status == Status::Converged));
    black_box(solved);
}

fn grid(c: &mut Criterion) {
    let pool = pool();
    for correlation in [0.0, 0.5] {
        let problem = regression(500, 100, 30, correlation);
        let largest = largest_strength(&problem);
        let mut points = Vec::new();
        for &l1 in &geometric(largest, 1e-3 * largest, 16) {
            for &l2 in &geometric(1.0, 1e-3, 16) {
                points.push(Point::new(l1, l2));
            }
        }
        c.bench_function(
            &format!("path/grid 16x16, 500x100, correlation {correlation}"),
            |b| {
                b.iter(|| pool.install(|| run(&problem, &points)));
            },
        );
        let solutions = run(&problem, &points);
        c.bench_function(
            &format!("path/adjoints of that grid by CG, correlation {correlation}"),
            |b| b.iter(|| pool.install(|| adjoints(&problem, &points, &solutions))),
        );
    }
}

fn long_path(c: &mut Criterion) {
    let pool = pool();
    let problem = regression(500, 2000, 50, 0.3);
    let largest = largest_strength(&problem);
    let points: Vec<Point> = geometric(largest, 1e-2 * largest, 100)
        .into_iter()
        .map(|l1| Point::new(l1, 0.0))
        .collect();
    let mut group = c.benchmark_group("path");
    group.sample_size(10);
    group.bench_function("lasso, 100 points, 500x2000", |b| {
        b.iter(|| pool.install(|| run(&problem, &points)));
    });
    group.finish();
}

/// Values of a version 1 .npy file of f64.
fn read(name: &str) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/h_breast_cancer")
        .join(name);
    let bytes = std::fs::read(path).expect("the golden data is part of the repository");
    let start = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    bytes[start..]
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes")))
        .collect()
}

fn logistic(c: &mut Criterion) {
    let pool = pool();
    let y = read("y.npy");
    let matrix = Matrix::Dense(Dense {
        rows: y.len(),
        columns: 30,
        values: read("X.npy"),
    });
    let problem = Problem::new(Specification::new(Loss::Logistic, matrix, vec![y]))
        .expect("the golden data is valid");
    let largest = largest_strength(&problem);
    let points: Vec<Point> = geometric(largest, 1e-3 * largest, 50)
        .into_iter()
        .map(|l1| Point::new(l1, 0.01))
        .collect();
    c.bench_function("path/logistic, 50 points, breast cancer", |b| {
        b.iter(|| pool.install(|| run(&problem, &points)));
    });
}

/// All 569 rows, each left out once: `python3 benches/peers/leave_one_out.py` times others on the same.
fn leave_one_out(c: &mut Criterion) {
    let pool = pool();
    let both = |names: [&str; 2]| names.map(read).concat();
    let y = both(["y.npy", "yval.npy"]);
    let matrix = Matrix::Dense(Dense {
        rows: y.len(),
        columns: 30,
        values: both(["X.npy", "Xval.npy"]),
    });
    let problem = Problem::new(Specification::new(Loss::Logistic, matrix, vec![y]))
        .expect("the golden data is valid");
    let mut group = c.benchmark_group("leave-one-out, logistic, breast cancer");
    for (name, exact) in [("estimates", false), ("569 refits", true)] {
        let influence = Influence::new(&problem, Point::new(0.0, 0.01)).exact(exact);
        group.bench_function(name, |b| {
            let run = || influence.run().expect("the rows can be left out");
            b.iter(|| pool.install(|| black_box(run())));
        });
    }
    group.finish();
}

criterion_group!(benches, grid, long_path, logistic, leave_one_out);
criterion_main!(benches);
