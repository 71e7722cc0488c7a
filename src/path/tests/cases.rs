//! Shared by the tests: the hypergradient's contraction, criterion gradients, random problems.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::control::Control;
use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::kinds::Status;
use crate::model::loss::Loss;
use crate::model::penalty::{self, Groups, Penalty};
use crate::path::walk::Form;
use crate::path::{
    PathRequest, PathSettings, PathSolution, RestrictedMethod, RestrictedRequest,
    RestrictedSolution, solve, solve_in_form, solve_restricted,
};
use crate::problem::{Point, Problem, Sample, Specification};
use crate::real::{Real, widen};

pub(super) const TO_ROUNDING: PathSettings = PathSettings {
    tolerance: None,
    max_steps: 100_000,
};

/// A step for which Φ is well behaved: 1/(trace bound).
pub(super) fn step_of(problem: &Problem, point: &Point) -> f64 {
    let design = &problem.train.design;
    let n = design.rows();
    let mut trace = 0.0;
    for j in 0..design.columns() {
        let mut unit = vec![0.0; design.columns()];
        unit[j] = 1.0;
        let column = design.apply(&unit);
        trace += if problem.loss == Loss::Quadratic {
            column[j]
        } else {
            (0..n)
                .map(|i| problem.train.weights[i] * column[i] * column[i])
                .sum::<f64>()
                / n as f64
        };
    }
    // Any step makes a residual; without a bound that of the other losses is as good.
    1.0 / (trace * problem.loss.curvature_bound().unwrap_or(1.0) + point.l2)
}

/// Value and gradient of a mean loss on a sample, written independently of the solver.
pub(super) fn loss_on(
    sample: &Sample,
    loss: Loss,
    classes: usize,
    target: usize,
    w: &[f64],
) -> (f64, Vec<f64>) {
    let (n, c) = (sample.rows(), classes);
    let y = &sample.targets[target];
    let p = sample.design.columns() * c;
    if loss == Loss::Quadratic {
        let z = sample.design.apply(w);
        let value = (0..n).map(|i| w[i] * (0.5 * z[i] - y[i])).sum();
        return (value, (0..n).map(|i| z[i] - y[i]).collect());
    }
    let mut z = vec![0.0; n * c];
    for k in 0..c {
        let wk: Vec<f64> = (0..sample.design.columns()).map(|j| w[j * c + k]).collect();
        for (i, value) in sample.design.apply(&wk).into_iter().enumerate() {
            z[i * c + k] = value;
        }
    }
    let mut value = 0.0;
    let mut r = vec![0.0; n * c];
    for i in 0..n {
        let s = sample.weights[i] / n as f64;
        let row = &z[i * c..(i + 1) * c];
        value += s * loss.row_value(row, y[i]).unwrap();
        let mut residual = row.to_vec();
        loss.residual_in_place(&mut residual, y[i]);
        for k in 0..c {
            r[i * c + k] = s * residual[k];
        }
    }
    let mut gradient = vec![0.0; p];
    for k in 0..c {
        let rk: Vec<f64> = (0..n).map(|i| r[i * c + k]).collect();
        for (j, value) in sample.design.apply_transposed(&rk).into_iter().enumerate() {
            gradient[j * c + k] = value;
        }
    }
    (value, gradient)
}

/// E(w) and ∂₁E.
pub(super) fn criterion(problem: &Problem, target: usize, w: &[f64]) -> (f64, Vec<f64>) {
    let criterion = &problem.criterion;
    let (value, gradient) = loss_on(
        &criterion.sample,
        criterion.loss,
        problem.classes,
        target,
        w,
    );
    let sign = criterion.sign.factor();
    (sign * value, gradient.iter().map(|g| sign * g).collect())
}

/// u = w − γ∇(loss + ridge)(w).
pub(super) fn inner_map(problem: &Problem, point: &Point, w: &[f64], step: f64) -> Vec<f64> {
    let (_, gradient) = loss_on(
        &problem.train,
        problem.loss,
        problem.classes,
        point.target,
        w,
    );
    (0..w.len())
        .map(|j| {
            let ridge = if j < problem.penalized() {
                point.l2 * (w[j] - problem.prior.as_ref().map_or(0.0, |c| c[j]))
            } else {
                0.0
            };
            w[j] - step * (gradient[j] + ridge)
        })
        .collect()
}

/// ‖Φ(w) − w‖/γ.
pub(super) fn scaled_residual(problem: &Problem, point: &Point, w: &[f64], step: f64) -> f64 {
    let u = inner_map(problem, point, w, step);
    let mut image = u.clone();
    let strengths = problem.effective_strengths(point.l1);
    match &problem.penalty {
        Penalty::Group { groups, .. } => {
            for g in 0..groups.len() {
                let norm = groups
                    .members(g)
                    .iter()
                    .map(|&j| u[j as usize].powi(2))
                    .sum::<f64>()
                    .sqrt();
                let factor = if norm > step * strengths[g] {
                    1.0 - step * strengths[g] / norm
                } else {
                    0.0
                };
                for &j in groups.members(g) {
                    image[j as usize] = factor * u[j as usize];
                }
            }
        }
        penalty => {
            for j in 0..problem.penalized() {
                image[j] = match penalty {
                    Penalty::NonNegative => (u[j] - step * strengths[j]).max(0.0),
                    Penalty::Box { lower, upper } => penalty::clip(u[j], *lower, *upper),
                    _ => penalty::soft_threshold(u[j], step * strengths[j]),
                };
            }
        }
    }
    image
        .iter()
        .zip(w)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt()
        / step
}

/// dE/dl1 (one entry, or one per strength) and dE/dλ₂ by math: −γ sign(u)·z, −γ û·z, −γ(w − c)·z.
pub(super) fn hypergradient(
    problem: &Problem,
    point: &Point,
    w: &[f64],
    z: &[f64],
    step: f64,
) -> (Vec<f64>, f64) {
    let u = inner_map(problem, point, w, step);
    let strengths = problem.effective_strengths(point.l1);
    let per_strength: Vec<f64> = match &problem.penalty {
        Penalty::Group { groups, .. } => (0..groups.len())
            .map(|g| {
                let members = groups.members(g);
                let norm = members
                    .iter()
                    .map(|&j| u[j as usize].powi(2))
                    .sum::<f64>()
                    .sqrt();
                if norm > step * strengths[g] {
                    -step
                        * members
                            .iter()
                            .map(|&j| u[j as usize] / norm * z[j as usize])
                            .sum::<f64>()
                } else {
                    0.0
                }
            })
            .collect(),
        Penalty::Box { .. } => Vec::new(),
        Penalty::NonNegative => (0..problem.penalized())
            .map(|j| {
                if u[j] > step * strengths[j] {
                    -step * z[j]
                } else {
                    0.0
                }
            })
            .collect(),
        _ => (0..problem.penalized())
            .map(|j| {
                if u[j].abs() > step * strengths[j] {
                    -step * u[j].signum() * z[j]
                } else {
                    0.0
                }
            })
            .collect(),
    };
    let l1 = if problem.penalty.has_strength_vector() {
        per_strength
    } else {
        vec![per_strength.iter().sum()]
    };
    let l2 = -step
        * (0..problem.penalized())
            .map(|j| (w[j] - problem.prior.as_ref().map_or(0.0, |c| c[j])) * z[j])
            .sum::<f64>();
    (l1, l2)
}

pub(super) fn solve_all<R: Real>(
    problem: &Problem,
    points: &[Point],
    form: Form,
) -> Vec<PathSolution<R>> {
    let request = PathRequest {
        points,
        paths: None,
        warm: None,
        settings: &TO_ROUNDING,
        control: &Control::new(),
    };
    solve_in_form(problem, &request, form).unwrap()
}

/// The solution of one point by the settings of a user.
pub(super) fn solve_one(
    problem: &Problem,
    point: &Point,
    settings: PathSettings,
) -> PathSolution<f64> {
    let points = std::slice::from_ref(point);
    let mut solutions = solve(problem, points, None, &settings, &Control::new()).unwrap();
    solutions.remove(0)
}

/// The scaled residual of a solution, relative to the slope of the loss at zero.
pub(super) fn relative_residual(problem: &Problem, point: &Point, w: &[f64]) -> f64 {
    let zero = vec![0.0; problem.coordinates()];
    let (_, origin) = loss_on(&problem.train, problem.loss, 1, 0, &zero);
    let size = origin.iter().map(|g| g * g).sum::<f64>().sqrt();
    scaled_residual(problem, point, w, step_of(problem, point)) / size
}

/// Adjoints at given solutions.
pub(super) fn adjoints<R: Real>(
    problem: &Problem,
    points: &[Point],
    solutions: &[PathSolution<R>],
    method: RestrictedMethod,
    with_factors: bool,
) -> Vec<RestrictedSolution<R>> {
    let w: Vec<Vec<R>> = solutions.iter().map(|s| s.w.clone()).collect();
    let steps: Vec<f64> = points
        .iter()
        .map(|p| step_of(problem, &p.clone()))
        .collect();
    let gradients: Vec<Vec<R>> = points
        .iter()
        .zip(&w)
        .map(|(p, w)| {
            let (_, g) = criterion(problem, p.target, &widen(w));
            g.iter().map(|&g| R::of(g)).collect()
        })
        .collect();
    let factors: Vec<_> = solutions.iter().map(|s| s.factor.as_ref()).collect();
    let request = RestrictedRequest {
        points,
        w: &w,
        step: &steps,
        criterion_gradient: &gradients,
        factors: with_factors.then_some(&factors[..]),
        method,
        tolerance: None,
        max_steps: 10_000,
        control: &Control::new(),
    };
    solve_restricted(problem, &request).unwrap()
}

pub(super) fn assert_converged<R: Real>(solutions: &[PathSolution<R>]) {
    for (at, s) in solutions.iter().enumerate() {
        assert_eq!(
            s.status,
            Status::Converged,
            "point {at} after {} steps",
            s.steps
        );
    }
}

pub(super) fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|v| v.is_finite()));
    let size = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    let error = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt();
    if size == 0.0 { error } else { error / size }
}

pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    // Irwin–Hall: near enough to a normal variable, and never extreme.
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// A random problem: correlated columns of different size, a sparse truth.
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) n: usize,
    pub(super) d: usize,
    pub(super) loss: Loss,
    pub(super) penalty: Penalty,
    pub(super) intercept: bool,
    pub(super) sparse: bool,
    pub(super) weights: bool,
    pub(super) prior: bool,
}

impl Recipe {
    pub(super) fn new(seed: u64, loss: Loss, penalty: Penalty) -> Self {
        Self {
            seed,
            n: 60,
            d: 12,
            loss,
            penalty,
            intercept: false,
            sparse: false,
            weights: false,
            prior: false,
        }
    }

    pub(super) fn classes(loss: Loss) -> usize {
        if loss == Loss::Multinomial { 3 } else { 1 }
    }

    pub(super) fn build(&self) -> Problem {
        Problem::new(self.specification()).unwrap()
    }

    pub(super) fn specification(&self) -> Specification {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (n, d) = (self.n, self.d);
        let rows = |rng: &mut ChaCha8Rng, n: usize| -> Vec<f64> {
            let mut x = Vec::with_capacity(n * d);
            for _ in 0..n {
                let mut last = normal(rng);
                for j in 0..d {
                    last = 0.5 * last + normal(rng);
                    let keep = !self.sparse || rng.random::<f64>() < 0.3;
                    x.push(if keep {
                        last * (1.0 + 0.1 * j as f64)
                    } else {
                        0.0
                    });
                }
            }
            x
        };
        let c = Self::classes(self.loss);
        let truth: Vec<f64> = (0..d * c)
            .map(|at| if at % 3 == 0 { normal(&mut rng) } else { 0.0 })
            .collect();
        let targets = |rng: &mut ChaCha8Rng, x: &[f64], n: usize| -> Vec<f64> {
            (0..n)
                .map(|i| {
                    let z: Vec<f64> = (0..c)
                        .map(|k| {
                            let signal: f64 = (0..d).map(|j| x[i * d + j] * truth[j * c + k]).sum();
                            signal * 0.5 + normal(rng) + 0.3
                        })
                        .collect();
                    match self.loss {
                        Loss::Multinomial => {
                            (0..c).max_by(|&a, &b| z[a].total_cmp(&z[b])).unwrap() as f64
                        }
                        loss if loss.is_binary() => {
                            if z[0] > 0.0 {
                                1.0
                            } else {
                                -1.0
                            }
                        }
                        _ => z[0],
                    }
                })
                .collect()
        };
        let matrix = |x: Vec<f64>, n: usize| -> Matrix {
            if !self.sparse {
                return Matrix::Dense(Dense::new(n, d, x).unwrap());
            }
            let (mut row_starts, mut column_indices, mut values) = (vec![0], vec![], vec![]);
            for i in 0..n {
                for j in 0..d {
                    if x[i * d + j] != 0.0 {
                        column_indices.push(j as u32);
                        values.push(x[i * d + j]);
                    }
                }
                row_starts.push(values.len());
            }
            Matrix::Sparse(Sparse {
                rows: n,
                columns: d,
                row_starts,
                column_indices,
                values,
            })
        };
        let mut specification = if self.loss == Loss::Quadratic {
            let x = rows(&mut rng, n);
            let mut q = vec![0.0; d * d];
            for i in 0..d {
                for j in 0..=i {
                    let sum: f64 = (0..n).map(|r| x[r * d + i] * x[r * d + j]).sum();
                    q[i * d + j] = sum / n as f64;
                    q[j * d + i] = q[i * d + j];
                }
            }
            let b: Vec<f64> = (0..d).map(|_| normal(&mut rng)).collect();
            Specification::new(Loss::Quadratic, matrix(q, d), vec![b])
        } else {
            let x = rows(&mut rng, n);
            let y = targets(&mut rng, &x, n);
            let xv = rows(&mut rng, n / 2);
            let yv = targets(&mut rng, &xv, n / 2);
            let mut s = Specification::new(self.loss, matrix(x, n), vec![y]);
            s.validation = Some(crate::problem::Rows {
                matrix: matrix(xv, n / 2),
                targets: vec![yv],
                weights: None,
                offset: None,
            });
            s.scaling.intercept = self.intercept;
            s.scaling.standardize = self.intercept;
            s
        };
        specification.classes = c;
        specification.penalty = self.penalty.clone();
        if self.weights && self.loss != Loss::Quadratic {
            specification.train.weights = Some(
                (0..n)
                    .map(|i| {
                        if i % 7 == 0 {
                            0.0
                        } else {
                            rng.random::<f64>() + 0.2
                        }
                    })
                    .collect(),
            );
        }
        if self.prior {
            specification.prior = Some((0..d * c).map(|_| 0.3 * normal(&mut rng)).collect());
        }
        specification
    }
}

/// Every loss with every penalty.
pub(super) fn combinations() -> Vec<(Loss, Penalty)> {
    let losses = [
        Loss::Squared,
        Loss::Logistic,
        Loss::Multinomial,
        Loss::Huber { delta: 0.7 },
        Loss::SquaredHinge,
        Loss::Quadratic,
    ];
    let mut all = Vec::new();
    for loss in losses {
        let penalized = 12 * Recipe::classes(loss);
        let strengths: Vec<f64> = (0..penalized)
            .map(|j| if j == 4 { 0.0 } else { 0.5 + 0.1 * j as f64 })
            .collect();
        let labels: Vec<u32> = (0..penalized as u32).map(|j| j * 7 % 4).collect();
        let groups = Groups::from_labels(&labels);
        for penalty in [
            Penalty::ElasticNet,
            Penalty::Weighted { strengths },
            Penalty::Group {
                groups: groups.clone(),
                strengths: None,
            },
            Penalty::Group {
                groups: groups.clone(),
                strengths: Some((0..groups.len()).map(|g| g as f64 * 0.5).collect()),
            },
            Penalty::NonNegative,
            Penalty::Box {
                lower: -0.1,
                upper: 0.15,
            },
        ] {
            all.push((loss, penalty));
        }
    }
    all
}
