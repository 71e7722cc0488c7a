//! Coefficients that are not unique: those nearest to the prior, within the bounds, are the limit of ridges.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::control::Control;
use crate::data::matrix::{Dense, Matrix};
use crate::kinds::Status;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::path::{
    PathRequest, PathSolution, RestrictedMethod, RestrictedRequest, Uniqueness, solve_request,
    solve_restricted,
};
use crate::problem::{Point, Problem, RidgeStrengths, Specification};

use super::cases::{TO_ROUNDING, normal, relative_error};

const ROWS: usize = 40;
/// Ridges whose solutions are extrapolated to none.
const NEAR: f64 = 1e-8;

/// Eight columns, of which the last four depend on the others, and the targets of a loss.
fn problem(rng: &mut ChaCha8Rng, loss: Loss, penalty: Penalty, has_prior: bool) -> Problem {
    let (mut values, mut y) = (Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let b: [f64; 4] = std::array::from_fn(|_| normal(rng));
        values.extend(b);
        values.extend([b[0], -0.5 * b[1], b[2] + b[3], b[0] + b[1]]);
        let z = 0.8 * b[0] - 0.5 * b[1] + 0.3 * b[2] - 0.6 * b[3] + normal(rng);
        y.push(if loss == Loss::Logistic {
            z.signum()
        } else {
            z
        });
    }
    let x = Matrix::Dense(Dense::new(ROWS, 8, values).unwrap());
    let mut s = Specification::new(loss, x, vec![y]);
    s.penalty = penalty;
    s.scaling.standardize = false;
    s.prior = has_prior.then(|| (0..8).map(|_| 0.5 * normal(rng)).collect());
    Problem::new(s).unwrap()
}

fn solved(problem: &Problem, point: &Point, start: Option<Vec<f64>>) -> PathSolution<f64> {
    let warm = start.map(|start| vec![start]);
    let request = PathRequest {
        points: std::slice::from_ref(point),
        paths: None,
        warm: warm.as_deref(),
        settings: &TO_ROUNDING,
        control: &Control::new(),
    };
    solve_request(problem, &request).unwrap().remove(0)
}

/// The limit of what is smooth in the ridge.
fn limit(of: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let (near, far) = (of(NEAR), of(2.0 * NEAR));
    near.iter().zip(&far).map(|(a, b)| 2.0 * a - b).collect()
}

/// The solution without ridge is the limit of those with one, wherever the solver starts.
fn check_limit(name: &str, problem: &Problem, point: &Point, rng: &mut ChaCha8Rng) {
    let with_ridge = |l2: f64| {
        let mut near = point.clone();
        near.l2 = l2;
        let s = solved(problem, &near, None);
        assert_eq!(s.status, Status::Converged, "{name}");
        s.w
    };
    let expected = limit(with_ridge);
    for start in 0..4 {
        let random = (0..problem.coordinates()).map(|_| normal(rng)).collect();
        let s = solved(problem, point, (start > 0).then_some(random));
        assert_eq!(s.status, Status::Converged, "{name} {start}");
        let error = relative_error(&s.w, &expected);
        assert!(
            error < 1e-6,
            "{name} {start}: {error:e}\n{:?}\n{expected:?}",
            s.w
        );
    }
}

const LOSSES: [Loss; 3] = [Loss::Squared, Loss::Logistic, Loss::Huber { delta: 6.0 }];

#[test]
fn within_bounds_the_limit_of_ridges_is_reached_from_everywhere() {
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (lower, upper) in [(-0.3, 0.4), (0.1, 0.35), (0.0, 0.5), (-0.2, f64::INFINITY)] {
            for loss in LOSSES {
                for has_prior in [false, true] {
                    let penalty = Penalty::Box { lower, upper };
                    let problem = problem(&mut rng, loss, penalty, has_prior);
                    let name = format!("{seed} {loss:?} {lower}:{upper} {has_prior}");
                    check_limit(&name, &problem, &Point::new(0.0, 0.0), &mut rng);
                }
            }
        }
    }
}

#[test]
fn non_negative_coordinates_go_to_the_limit_of_ridges() {
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(100 + seed);
        for loss in LOSSES {
            for (l1, has_prior) in [(0.0, false), (0.0, true), (0.05, false), (0.05, true)] {
                let problem = problem(&mut rng, loss, Penalty::NonNegative, has_prior);
                let name = format!("{seed} {loss:?} {l1} {has_prior}");
                check_limit(&name, &problem, &Point::new(l1, 0.0), &mut rng);
            }
        }
    }
}

#[test]
fn signed_and_free_coordinates_go_to_the_limit_of_ridges() {
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(200 + seed);
        for loss in LOSSES {
            for has_prior in [false, true] {
                let problem = problem(&mut rng, loss, Penalty::ElasticNet, has_prior);
                for l1 in [0.0, 0.05, 0.2] {
                    let name = format!("{seed} {loss:?} {l1} {has_prior}");
                    check_limit(&name, &problem, &Point::new(l1, 0.0), &mut rng);
                }
                // Some coordinates pay nothing.
                let each = [0.05, 0.05, 0.0, 0.05, 0.1, 0.0, 0.0, 0.05];
                let penalty = Penalty::Weighted {
                    strengths: each.to_vec(),
                };
                let problem = self::problem(&mut rng, loss, penalty, has_prior);
                let name = format!("{seed} {loss:?} weighted {has_prior}");
                check_limit(&name, &problem, &Point::new(1.0, 0.0), &mut rng);
            }
        }
    }
}

/// Weights of a point's own leave the columns where they were centred, so that one of them is constant over
/// the rows that count, and the intercept takes its part.
#[test]
fn the_intercept_plays_no_part_in_the_norm() {
    let mut rng = ChaCha8Rng::seed_from_u64(300);
    let (mut values, mut y) = (Vec::new(), Vec::new());
    for i in 0..ROWS {
        let b: [f64; 2] = std::array::from_fn(|_| normal(&mut rng));
        values.extend([b[0], b[1], f64::from(i < ROWS / 2), b[0] - b[1]]);
        y.push(3.0 + b[0] - 0.4 * b[1] + 0.5 * normal(&mut rng));
    }
    let half: Vec<f64> = (0..ROWS).map(|i| f64::from(i < ROWS / 2)).collect();
    for (loss, has_prior) in [
        (Loss::Squared, false),
        (Loss::Squared, true),
        (Loss::Huber { delta: 6.0 }, false),
    ] {
        let x = Matrix::Dense(Dense::new(ROWS, 4, values.clone()).unwrap());
        let mut s = Specification::new(loss, x, vec![y.clone()]);
        s.scaling.standardize = false;
        s.prior = has_prior.then(|| vec![0.3, -0.2, 0.7, 0.1]);
        let problem = Problem::new(s).unwrap();
        let point = Point::new(0.0, 0.0).with_weights(half.clone());
        let name = format!("{loss:?} {has_prior}");
        check_limit(&name, &problem, &point, &mut rng);
        // A criterion on the rows that count.
        let pull: Vec<f64> = half.iter().map(|s| s * normal(&mut rng)).collect();
        let gradient = problem.train.design.apply_transposed(&pull);
        let adjoint = |point: &Point| {
            let s = solved(&problem, point, None);
            assert_eq!(s.status, Status::Converged, "{name}");
            let request = RestrictedRequest {
                points: std::slice::from_ref(point),
                w: std::slice::from_ref(&s.w),
                step: &[1.0],
                criterion_gradient: std::slice::from_ref(&gradient),
                factors: None,
                method: RestrictedMethod::Direct,
                tolerance: None,
                max_steps: 100,
                control: &Control::new(),
            };
            let all = solve_restricted(&problem, &request).unwrap();
            assert!(!all[0].singular, "{name}");
            all[0].z.clone()
        };
        let found = adjoint(&point);
        let expected = limit(|l2| {
            let mut near = point.clone();
            near.l2 = l2;
            adjoint(&near)
        });
        let error = relative_error(&found, &expected);
        assert!(error < 1e-6, "{name}: {error:e}\n{found:?}\n{expected:?}");
    }
}

/// Rows without intercept and scale.
fn bare(loss: Loss, penalty: Penalty, rows: &[[f64; 2]], y: &[f64]) -> Problem {
    let values = rows.iter().flatten().copied().collect();
    let x = Matrix::Dense(Dense::new(rows.len(), 2, values).unwrap());
    let mut s = Specification::new(loss, x, vec![y.to_vec()]);
    s.penalty = penalty;
    s.scaling.intercept = false;
    s.scaling.standardize = false;
    Problem::new(s).unwrap()
}

/// Two copies whose coefficients have a given sum, between 0 and 1.
#[test]
fn bounds_may_leave_one_solution_of_dependent_columns() {
    let rows = [[1.0, 1.0], [-1.0, -1.0], [0.5, 0.5]];
    let penalty = Penalty::Box {
        lower: 0.0,
        upper: 1.0,
    };
    for (sum, expected, uniqueness) in [
        (2.0, 1.0, Uniqueness::Unique),
        (3.0, 1.0, Uniqueness::Unique),
        (1.5, 0.75, Uniqueness::LeastNorm),
        (0.5, 0.25, Uniqueness::LeastNorm),
        (0.0, 0.0, Uniqueness::Unique),
    ] {
        let y = rows.map(|row| sum * row[0]);
        let problem = bare(Loss::Squared, penalty.clone(), &rows, &y);
        for start in [
            [0.0, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [1.0, 0.5],
            [expected; 2],
        ] {
            let s = solved(&problem, &Point::new(0.0, 0.0), Some(start.to_vec()));
            assert_eq!(s.status, Status::Converged, "{sum} {start:?}");
            assert_eq!(s.uniqueness, uniqueness, "{sum} {start:?} {:?}", s.w);
            let off = s.w.iter().map(|w| (w - expected).abs());
            assert!(off.fold(0.0, f64::max) < 1e-14, "{sum} {start:?} {:?}", s.w);
        }
    }
}

/// Two far rows whose pulls cancel: the minimum is flat between them, and its least norm lies where the
/// curvature changes.
#[test]
fn a_least_norm_that_is_not_found_is_not_said_to_be() {
    let rows = [[1.0, 1.0], [2.0, 2.0], [1.0, -1.0], [1.0, -1.0]];
    let y = [1.0, 2.0, 2.0, 10.0];
    let problem = bare(Loss::Huber { delta: 1.0 }, Penalty::ElasticNet, &rows, &y);
    let s = solved(&problem, &Point::new(0.0, 0.0), Some(vec![3.0, -2.0]));
    assert_eq!(s.status, Status::Converged);
    assert_eq!(s.uniqueness, Uniqueness::Undetermined, "{:?}", s.w);
}

/// Copies without ridge share what they have, also where other coordinates have one.
#[test]
fn copies_without_ridge_beside_others_with_one_are_of_least_norm() {
    let mut rng = ChaCha8Rng::seed_from_u64(400);
    let (mut values, mut y) = (Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let b: [f64; 2] = std::array::from_fn(|_| normal(&mut rng));
        values.extend([b[0], b[0], b[1]]);
        y.push(b[0] - 0.4 * b[1] + 0.5 * normal(&mut rng));
    }
    for l1 in [0.0, 0.05] {
        let x = Matrix::Dense(Dense::new(ROWS, 3, values.clone()).unwrap());
        let mut s = Specification::new(Loss::Squared, x, vec![y.clone()]);
        s.ridge = Some(RidgeStrengths::each(vec![0.0, 0.0, 1.0]));
        let problem = Problem::new(s).unwrap();
        for start in [
            vec![0.0; 4],
            vec![1.0, -1.0, 0.5, 0.0],
            vec![-3.0, 0.0, 0.0, 1.0],
        ] {
            let found = solved(&problem, &Point::new(l1, 0.1), Some(start));
            assert_eq!(found.status, Status::Converged);
            assert_eq!(found.uniqueness, Uniqueness::LeastNorm, "{l1}");
            assert!(
                (found.w[0] - found.w[1]).abs() < 1e-12,
                "{l1} {:?}",
                found.w
            );
        }
    }
}

/// Sums of columns, and indicators of all levels beside an intercept: to a Cholesky factor the rounding of sums over the
/// rows may look like a pivot.
#[test]
fn dependent_columns_are_found_in_any_number_of_rows() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(500 + seed);
        let rows = 30 + 17 * seed as usize;
        let has_levels = seed % 2 == 0;
        let (mut values, mut y) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let b: [f64; 3] = std::array::from_fn(|_| normal(&mut rng));
            let rest = if has_levels {
                std::array::from_fn(|level| f64::from(u8::from(row * 7 % 3 == level)))
            } else {
                [b[0] + b[2], b[0] * b[1], b[1] * b[2]]
            };
            values.extend(b.into_iter().chain(rest));
            let z = 0.3 * b[0] - 0.2 * rest[0] + normal(&mut rng);
            y.push(if seed % 3 == 0 { z.signum() } else { z });
        }
        let x = Matrix::Dense(Dense::new(rows, 6, values.clone()).unwrap());
        let loss = [Loss::Logistic, Loss::Squared, Loss::Huber { delta: 6.0 }][seed as usize % 3];
        let mut s = Specification::new(loss, x, vec![y.clone()]);
        s.scaling.standardize = false;
        let problem = Problem::new(s).unwrap();
        let found = solved(&problem, &Point::new(0.0, 0.0), None);
        let name = format!("{rows} rows, {loss:?}");
        assert_eq!(found.status, Status::Converged, "{name}");
        assert_eq!(found.uniqueness, Uniqueness::LeastNorm, "{name}");
        let null = if has_levels {
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
        } else {
            [1.0, 0.0, 1.0, -1.0, 0.0, 0.0]
        };
        let along: f64 = null.iter().zip(&found.w).map(|(q, w)| q * w).sum();
        assert!(along.abs() < 1e-10, "{name}: {along:e}");

        // The same columns but for a change that double precision shows clearly are unique.
        for (at, value) in values.iter_mut().enumerate() {
            if at % 6 == 3 {
                *value += 1e-4 * normal(&mut rng);
            }
        }
        let x = Matrix::Dense(Dense::new(rows, 6, values).unwrap());
        let mut s = Specification::new(loss, x, vec![y]);
        s.scaling.standardize = false;
        let problem = Problem::new(s).unwrap();
        let found = solved(&problem, &Point::new(0.0, 0.0), None);
        assert_eq!(found.uniqueness, Uniqueness::Unique, "{name}");
    }
}
