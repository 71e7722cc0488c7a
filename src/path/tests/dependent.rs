//! Columns that depend on each other, without ridge: copies, near copies, more of them than rows.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::control::Control;
use crate::data::matrix::{Dense, Matrix};
use crate::kinds::{Preconditioner, Status};
use crate::model::loss::Loss;
use crate::model::penalty::{Groups, Penalty};
use crate::path::walk::Form;
use crate::path::{PathSettings, PathSolution, RestrictedMethod, Uniqueness, solve};
use crate::problem::{Point, Problem, Specification};

use super::cases::{
    TO_ROUNDING, adjoints, criterion, hypergradient, loss_on, normal, relative_error,
    relative_residual, scaled_residual, solve_all, solve_one, step_of,
};

/// Epochs that no point may need: a hundredth of what coordinate descent alone takes.
const FEW: usize = 1000;

/// Rows of correlated columns with a sparse truth; targets fit the loss.
struct Data {
    columns: Vec<Vec<f64>>,
    z: Vec<f64>,
}

impl Data {
    fn new(rng: &mut ChaCha8Rng, n: usize, d: usize) -> Self {
        let factor: Vec<f64> = (0..n).map(|_| normal(rng)).collect();
        let columns: Vec<Vec<f64>> = (0..d)
            .map(|_| {
                let load = normal(rng);
                factor.iter().map(|f| load * f + normal(rng)).collect()
            })
            .collect();
        let truth: Vec<f64> = (0..d)
            .map(|j| if j % 3 == 0 { normal(rng) } else { 0.0 })
            .collect();
        let z = (0..n)
            .map(|i| {
                let signal: f64 = columns.iter().zip(&truth).map(|(x, b)| x[i] * b).sum();
                signal + 0.5 * normal(rng)
            })
            .collect();
        Self { columns, z }
    }

    /// Copies of all columns, each off by `epsilon` of it.
    fn doubled(mut self, rng: &mut ChaCha8Rng, epsilon: f64) -> Self {
        for j in 0..self.columns.len() {
            let near = self.columns[j]
                .iter()
                .map(|x| x + epsilon * normal(rng))
                .collect();
            self.columns.push(near);
        }
        self
    }

    fn problem(&self, loss: Loss, penalty: Penalty, order: &[usize]) -> Problem {
        let n = self.z.len();
        let values = (0..n).flat_map(|i| order.iter().map(move |&j| self.columns[j][i]));
        let x = Matrix::Dense(Dense::new(n, order.len(), values.collect()).unwrap());
        let y = match loss {
            Loss::Logistic | Loss::SquaredHinge => self.z.iter().map(|z| z.signum()).collect(),
            Loss::Multinomial => self
                .z
                .iter()
                .map(|z| f64::from(*z > 0.5) + f64::from(*z > -0.5))
                .collect(),
            _ => self.z.clone(),
        };
        let mut s = Specification::new(loss, x, vec![y]);
        s.classes = if loss == Loss::Multinomial { 3 } else { 1 };
        s.penalty = penalty;
        Problem::new(s).unwrap()
    }
}

fn at(l1: f64) -> Point {
    Point::new(l1, 0.0)
}

/// The largest gradient at w = 0 of a penalised coordinate.
fn largest_strength(problem: &Problem) -> f64 {
    let w = vec![0.0; problem.coordinates()];
    let (_, g) = loss_on(&problem.train, problem.loss, problem.classes, 0, &w);
    g[..problem.penalized()]
        .iter()
        .fold(0.0, |a, g| a.max(g.abs()))
}

fn objective(problem: &Problem, point: &Point, w: &[f64]) -> f64 {
    let (loss, _) = loss_on(&problem.train, problem.loss, problem.classes, 0, w);
    let norm: f64 = w[..problem.penalized()].iter().map(|w| w.abs()).sum();
    loss + point.l1 * norm
}

/// One point, cold; asserts its end, and returns the solution.
fn solved(problem: &Problem, point: &Point, name: &str) -> PathSolution<f64> {
    let s = solve_all::<f64>(problem, std::slice::from_ref(point), Form::Auto).remove(0);
    assert_eq!(s.status, Status::Converged, "{name}: {} steps", s.steps);
    assert!(s.steps <= FEW, "{name}: {} steps", s.steps);
    let residual = scaled_residual(problem, point, &s.w, step_of(problem, point));
    let size = largest_strength(problem);
    assert!(residual < 1e-11 * size, "{name}: residual {residual:e}");
    s
}

/// The objective does not depend on the order of the columns.
fn check_orders(data: &Data, rng: &mut ChaCha8Rng, loss: Loss, penalty: &Penalty, ratio: f64) {
    let d = data.columns.len();
    let mut order: Vec<usize> = (0..d).collect();
    let mut first = None;
    for _ in 0..2 {
        let problem = data.problem(loss, penalty.clone(), &order);
        let point = at(ratio * largest_strength(&problem));
        let name = format!("{loss:?} {} {ratio:e}", penalty.name());
        let s = solved(&problem, &point, &name);
        let value = objective(&problem, &point, &s.w);
        let expected = *first.get_or_insert(value);
        assert!(
            (value - expected).abs() <= 1e-11 * expected.abs(),
            "{name}: {value} {expected}"
        );
        for at in (1..d).rev() {
            order.swap(at, (rng.random::<f64>() * (at + 1) as f64) as usize);
        }
    }
}

const LOSSES: [Loss; 4] = [
    Loss::Squared,
    Loss::Huber { delta: 0.5 },
    Loss::SquaredHinge,
    Loss::Logistic,
];

#[test]
fn near_copies_end_in_few_steps_in_any_order() {
    for (seed, epsilon) in [1e-2, 1e-4, 1e-6, 1e-7, 1e-8, 1e-10, 1e-13, 0.0]
        .into_iter()
        .enumerate()
    {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        let data = Data::new(&mut rng, 40, 15).doubled(&mut rng, epsilon);
        for loss in LOSSES {
            for penalty in [Penalty::ElasticNet, Penalty::NonNegative] {
                for ratio in [0.1, 1e-2, 1e-3] {
                    check_orders(&data, &mut rng, loss, &penalty, ratio);
                }
            }
        }
    }
}

#[test]
fn more_columns_than_rows_end_in_few_steps_in_any_order() {
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(100 + seed);
        let data = Data::new(&mut rng, 30, 75);
        for loss in LOSSES {
            for penalty in [Penalty::ElasticNet, Penalty::NonNegative] {
                for ratio in [0.1, 1e-3, 1e-5] {
                    check_orders(&data, &mut rng, loss, &penalty, ratio);
                }
            }
        }
    }
}

#[test]
fn groups_of_nearly_equal_columns_end_in_few_steps() {
    for (seed, epsilon) in [1e-1, 1e-2, 1e-4, 1e-6].into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(200 + seed as u64);
        let base = Data::new(&mut rng, 50, 8);
        let mut data = Data {
            columns: Vec::new(),
            z: base.z,
        };
        for column in &base.columns {
            for _ in 0..5 {
                let near = column.iter().map(|x| x + epsilon * normal(&mut rng));
                data.columns.push(near.collect());
            }
        }
        let order: Vec<usize> = (0..40).collect();
        for loss in [Loss::Squared, Loss::Logistic, Loss::Multinomial] {
            let classes = if loss == Loss::Multinomial { 3 } else { 1 };
            let penalty = Penalty::Group {
                groups: Groups::consecutive(40 * classes, 5 * classes).unwrap(),
                strengths: None,
            };
            let problem = data.problem(loss, penalty, &order);
            for ratio in [0.3, 1e-2, 1e-4] {
                let point = at(ratio * largest_strength(&problem));
                solved(&problem, &point, &format!("{loss:?} {epsilon:e} {ratio}"));
            }
        }
    }
}

#[test]
fn a_tolerance_ends_the_solve_of_near_copies() {
    let mut rng = ChaCha8Rng::seed_from_u64(300);
    let data = Data::new(&mut rng, 40, 15).doubled(&mut rng, 1e-7);
    let order: Vec<usize> = (0..30).collect();
    for loss in LOSSES {
        let problem = data.problem(loss, Penalty::ElasticNet, &order);
        let point = at(1e-3 * largest_strength(&problem));
        for tolerance in [1e-2, 1e-5, 1e-8] {
            let settings = PathSettings {
                tolerance: Some(tolerance),
                max_steps: FEW,
            };
            let s = solve_one(&problem, &point, settings);
            assert_eq!(s.status, Status::Converged, "{loss:?} {tolerance:e}");
            let residual = relative_residual(&problem, &point, &s.w);
            assert!(
                residual <= tolerance,
                "{loss:?} {tolerance:e}: {residual:e}"
            );
        }
    }
}

/// Copies, a negative multiple, and a sum: without ridge the solution is the limit of those with one, and
/// so is its hypergradient.
#[test]
fn the_least_norm_is_the_limit_of_ridges() {
    let mut rng = ChaCha8Rng::seed_from_u64(400);
    let mut data = Data::new(&mut rng, 60, 5);
    data.columns.push(data.columns[0].clone());
    data.columns
        .push(data.columns[1].iter().map(|x| -2.0 * x).collect());
    let sum = data.columns[3].iter().zip(&data.columns[4]);
    data.columns.push(sum.map(|(a, b)| a + b).collect());
    let order: Vec<usize> = (0..8).collect();
    for loss in [
        Loss::Squared,
        Loss::Huber { delta: 2.0 },
        Loss::Logistic,
        Loss::Multinomial,
    ] {
        let problem = data.problem(loss, Penalty::ElasticNet, &order);
        for ratio in [0.1, 0.02] {
            let point = at(ratio * largest_strength(&problem));
            let name = format!("{loss:?} {ratio}");
            let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
            assert_eq!(s[0].status, Status::Converged, "{name}");
            assert_eq!(s[0].uniqueness, Uniqueness::LeastNorm, "{name}");
            let step = step_of(&problem, &point);
            let near = Point::new(point.l1, 1e-7);
            let limit = solve_all::<f64>(&problem, std::slice::from_ref(&near), Form::Auto);
            assert_eq!(limit[0].uniqueness, Uniqueness::Unique);
            let error = relative_error(&s[0].w, &limit[0].w);
            assert!(
                error < 1e-4,
                "{name}: {error:e}\n{:?}\n{:?}",
                s[0].w,
                limit[0].w
            );
            for method in [
                RestrictedMethod::Direct,
                RestrictedMethod::cg(Preconditioner::Diagonal),
            ] {
                let of = |point: &Point, s: &[PathSolution<f64>]| {
                    let z =
                        adjoints(&problem, std::slice::from_ref(point), s, method, false).remove(0);
                    assert!(!z.singular, "{name}");
                    assert_eq!(z.status, Status::Converged, "{name}");
                    let (l1, l2) = hypergradient(&problem, point, &s[0].w, &z.z, step);
                    [l1[0], l2]
                };
                let (found, expected) = (of(&point, &s), of(&near, &limit));
                let error = relative_error(&found, &expected);
                assert!(error < 1e-4, "{name}: {found:?} {expected:?}");
            }
        }
    }
}

/// A criterion that tells copies apart has no derivative.
#[test]
fn a_criterion_that_is_not_flat_has_no_adjoint() {
    let mut rng = ChaCha8Rng::seed_from_u64(500);
    let data = Data::new(&mut rng, 30, 4).doubled(&mut rng, 0.0);
    let order: Vec<usize> = (0..8).collect();
    let mut problem = data.problem(Loss::Squared, Penalty::ElasticNet, &order);
    let point = at(0.05 * largest_strength(&problem));
    let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
    assert_eq!(s[0].uniqueness, Uniqueness::LeastNorm);
    let flat = adjoints(
        &problem,
        std::slice::from_ref(&point),
        &s,
        RestrictedMethod::Direct,
        false,
    );
    assert!(!flat[0].singular);
    // Other held-out rows, on which the copies differ.
    let other = Data::new(&mut rng, 30, 8);
    let values = (0..30).flat_map(|i| other.columns.iter().map(move |x| x[i]));
    let x = Matrix::Dense(Dense::new(30, 8, values.collect()).unwrap());
    let held_out =
        Problem::new(Specification::new(Loss::Squared, x, vec![other.z.clone()])).unwrap();
    problem.criterion.sample = held_out.train;
    let (_, gradient) = criterion(&problem, 0, &s[0].w);
    assert!(gradient.iter().all(|g| g.is_finite()));
    let z = adjoints(
        &problem,
        std::slice::from_ref(&point),
        &s,
        RestrictedMethod::Direct,
        false,
    );
    assert!(z[0].singular);
    assert!(z[0].z.iter().all(|&z| z == 0.0));
}

#[test]
fn a_path_and_a_single_cold_point_end_alike() {
    let mut rng = ChaCha8Rng::seed_from_u64(600);
    let data = Data::new(&mut rng, 30, 75);
    let order: Vec<usize> = (0..75).collect();
    let problem = data.problem(Loss::Squared, Penalty::ElasticNet, &order);
    let largest = largest_strength(&problem);
    let points: Vec<Point> = (1..=20).map(|k| at(largest * 0.6f64.powi(k))).collect();
    let path = solve::<f64>(&problem, &points, None, &TO_ROUNDING, &Control::new()).unwrap();
    for (point, on_path) in points.iter().zip(&path) {
        let cold = solved(&problem, point, "cold");
        assert!(on_path.steps <= FEW);
        assert!(relative_error(&cold.w, &on_path.w) < 1e-12);
    }
}

/// Without penalty softmax coefficients have a common shift per feature.
#[test]
fn the_shift_of_softmax_coefficients_is_no_failure() {
    let mut rng = ChaCha8Rng::seed_from_u64(700);
    let data = Data::new(&mut rng, 90, 3);
    let order: Vec<usize> = (0..3).collect();
    let n = data.z.len();
    let mut problem = data.problem(Loss::Multinomial, Penalty::ElasticNet, &order);
    // Classes that no plane separates.
    Arc::make_mut(&mut problem.train.targets)[0] = (0..n).map(|i| (i % 3) as f64).collect();
    Arc::make_mut(&mut problem.criterion.sample.targets)[0] =
        (0..n).map(|i| (i / 2 % 3) as f64).collect();
    let s = solved(&problem, &at(0.0), "softmax");
    assert_eq!(s.uniqueness, Uniqueness::LeastNorm);
    for of_feature in s.w[..9].chunks_exact(3) {
        assert!(of_feature.iter().sum::<f64>().abs() < 1e-13);
    }
    let step = step_of(&problem, &at(0.0));
    let s = [s];
    let z = adjoints(&problem, &[at(0.0)], &s, RestrictedMethod::Direct, false);
    assert!(!z[0].singular);
    let (_, l2) = hypergradient(&problem, &at(0.0), &s[0].w, &z[0].z, step);
    let value = |l2: f64| {
        let point = Point::new(0.0, l2);
        let s = solve_all::<f64>(&problem, std::slice::from_ref(&point), Form::Auto);
        criterion(&problem, 0, &s[0].w).0
    };
    let h = 1e-5;
    let difference = (4.0 * value(h) - value(2.0 * h) - 3.0 * value(0.0)) / (2.0 * h);
    assert!(
        (l2 - difference).abs() < 1e-5 * l2.abs(),
        "{l2} {difference}"
    );
}
