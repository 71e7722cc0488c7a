//! NSID and SID on the published stochastic design: rates and bias.

mod common;

use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::hypergrad::{
    Evaluator, Hypergradient, MinibatchSteps, Settings, StochasticSettings, sampled_curve,
};
use proxdiff::kinds::Method;
use proxdiff::loss::Loss;
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Problem, Specification};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A standard normal number (Box and Muller).
fn normal(random: &mut ChaCha12Rng) -> f64 {
    let uniform = |random: &mut ChaCha12Rng| (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let (radius, angle) = (
        (-2.0 * (1.0 - uniform(random)).ln()).sqrt(),
        std::f64::consts::TAU * uniform(random),
    );
    radius * angle.cos()
}

/// 10 000 training and 24 000 validation rows, d = 100, 30 informative and correlated coordinates:
/// Σ = U diag(s/max s) Uᵀ on them, from the SVD of a uniform matrix M, i.e. (MMᵀ)^½/‖M‖.
fn published_design() -> Problem {
    let mut random = ChaCha12Rng::seed_from_u64(20_240_703);
    let (d, informative) = (100, 30);
    let m = faer::Mat::from_fn(informative, informative, |_, _| {
        (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    });
    let svd = m.svd().unwrap();
    let s = svd.S().column_vector();
    let largest = (0..informative).map(|k| s[k]).fold(0.0, f64::max);
    // Rows of N(0, Σ): Σ^½ = U diag(√(s/max s)) Uᵀ.
    let u = svd.U();
    let root = faer::Mat::from_fn(informative, informative, |i, j| {
        (0..informative)
            .map(|k| u[(i, k)] * (s[k] / largest).sqrt() * u[(j, k)])
            .sum::<f64>()
    });
    let w: Vec<f64> = (0..d)
        .map(|j| {
            if j < informative {
                normal(&mut random).abs()
            } else {
                0.0
            }
        })
        .collect();
    let mut rows = |n: usize| {
        let mut values = Vec::with_capacity(n * d);
        let mut y = Vec::with_capacity(n);
        for _ in 0..n {
            let g: Vec<f64> = (0..d).map(|_| normal(&mut random)).collect();
            let x: Vec<f64> = (0..d)
                .map(|i| {
                    if i < informative {
                        (0..informative).map(|j| root[(i, j)] * g[j]).sum()
                    } else {
                        g[i]
                    }
                })
                .collect();
            y.push(x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + 0.01 * normal(&mut random));
            values.extend(x);
        }
        (
            Matrix::Dense(Dense {
                rows: n,
                columns: d,
                values,
            }),
            vec![y],
        )
    };
    let (x, y) = rows(10_000);
    let (x_val, y_val) = rows(2_400);
    let mut specification = Specification::new(Loss::Squared, x, y);
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification.validation = Some(Rows {
        matrix: x_val,
        targets: y_val,
        weights: None,
        offset: None,
    });
    Problem::new(specification).unwrap()
}

fn point() -> Point {
    Point::new(0.1, 0.01)
}

fn vector(hypergradient: &Hypergradient) -> Vec<f64> {
    vec![
        hypergradient.l1.as_ref().unwrap().value().unwrap(),
        hypergradient.l2_value().unwrap(),
    ]
}

fn exact(problem: &Problem) -> Vec<f64> {
    let settings = Settings::default().method(Method::Direct);
    let outcome = Evaluator::new(problem)
        .settings(&settings)
        .run(&[point()])
        .unwrap();
    vector(outcome[0].hypergradient.as_ref().unwrap())
}

/// The mean squared normalised error over the seeds, after each checkpoint.
fn mean_squares(
    problem: &Problem,
    method: Method,
    seeds: u64,
    checkpoints: &[usize],
    s: StochasticSettings,
) -> Vec<f64> {
    let exact = exact(problem);
    let settings = Settings::default().method(method).stochastic(s);
    let seeds: Vec<u64> = (1..=seeds).collect();
    let results = sampled_curve(
        problem,
        &point(),
        &seeds,
        checkpoints,
        &settings,
        &Control::new(),
    )
    .unwrap();
    results
        .iter()
        .map(|results| {
            let squares = results
                .iter()
                .map(|h| common::relative_error(&vector(h), &exact).powi(2));
            squares.sum::<f64>() / results.len() as f64
        })
        .collect()
}

/// The least-squares slope of log y against log x.
fn slope(x: &[usize], y: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> = x
        .iter()
        .zip(y)
        .map(|(&x, &y)| ((x as f64).ln(), y.ln()))
        .collect();
    let n = points.len() as f64;
    let (mx, my) = (
        points.iter().map(|p| p.0).sum::<f64>() / n,
        points.iter().map(|p| p.1).sum::<f64>() / n,
    );
    let covariance: f64 = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    covariance / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}

const CHECKPOINTS: [usize; 7] = [200, 400, 800, 1600, 3200, 6400, 12_800];

fn decreasing(multiplier: f64, shift: f64, independent: bool) -> StochasticSettings {
    StochasticSettings {
        independent,
        schedule: MinibatchSteps::Decreasing { multiplier, shift },
        ..StochasticSettings::default()
    }
}

/// m = 1, κ = 4/(1 − q²): the squared error falls as 1/k.
#[test]
fn nsid_falls_as_one_over_k_with_independent_draws() {
    let problem = published_design();
    let errors = mean_squares(
        &problem,
        Method::Nsid,
        208,
        &CHECKPOINTS,
        decreasing(1.0, 2.0, true),
    );
    let slope = slope(&CHECKPOINTS, &errors);
    assert!(
        (slope + 1.0).abs() <= 0.15,
        "slope {slope}, errors {errors:?}"
    );
}

#[test]
fn nsid_without_replacement_falls_at_least_as_fast_and_sid_stays_at_its_bias() {
    let problem = published_design();
    let checkpoints = [200, 800, 3200];
    let nsid = mean_squares(
        &problem,
        Method::Nsid,
        32,
        &checkpoints,
        decreasing(1.0, 2.0, false),
    );
    let fitted = slope(&checkpoints, &nsid);
    assert!(fitted <= -0.85, "slope {fitted}, errors {nsid:?}");
    let sid = mean_squares(
        &problem,
        Method::Sid,
        32,
        &checkpoints,
        decreasing(1.0, 2.0, false),
    );
    assert!(
        sid[2] > 9.0 * nsid[2],
        "SID {sid:?} is not above NSID {nsid:?}"
    );
    assert!(sid[2] > 0.25 * sid[1], "SID {sid:?} still falls");
}

#[test]
fn constant_steps_stall_at_a_level_that_falls_with_the_step() {
    let problem = published_design();
    let constant = |eta: f64| StochasticSettings {
        schedule: MinibatchSteps::Constant { eta },
        independent: true,
        ..StochasticSettings::default()
    };
    let level = |eta: f64| mean_squares(&problem, Method::Nsid, 32, &[1000, 2000], constant(eta));
    let (coarse, fine) = (level(0.5), level(0.1));
    assert!(coarse[1] > 0.3 * coarse[0], "still falling: {coarse:?}");
    assert!(fine[1] < 0.6 * coarse[1], "{fine:?} against {coarse:?}");
}

/// With the full batch and η = 1 a step of NSID is a step of AID-FP.
#[test]
fn the_full_batch_is_aid_fp() {
    let case = common::case("b_enet_400x60", 0);
    let points: Vec<Point> = case
        .points
        .iter()
        .map(|golden| golden.point.clone())
        .collect();
    let mut settings = Settings::default().method(Method::Nsid);
    settings.stochastic.batch = 400;
    settings.stochastic.steps = 3000;
    settings.stochastic.freeze = Some(1);
    settings.stochastic.schedule = MinibatchSteps::Constant { eta: 1.0 };
    let found = Evaluator::new(&case.problem)
        .settings(&settings)
        .run(&points)
        .unwrap();
    for (outcome, golden) in found.iter().zip(&case.points) {
        let error = common::relative_error(
            &vector(outcome.hypergradient.as_ref().unwrap()),
            &[golden.l1[0], golden.l2],
        );
        assert!(error < 1e-9, "{error:e}");
    }
}
