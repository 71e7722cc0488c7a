//! Solving and differentiating a batch: a plain stand-in by Picard iteration and Neumann series.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kinds::{Precision, Status, Wrt};
use crate::loss::{Loss, softmax};
use crate::penalty::{Penalty, clip, soft_threshold};
use crate::problem::{Point, Problem, Sample};

use super::{Hypergradient, Outcome, Settings, Warning, WarningKind};

/// Where to start: scaled coefficients w and the adjoint v, p entries each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WarmStart {
    /// Scaled coefficients, intercepts last.
    pub w: Vec<f64>,
    /// The adjoint; empty for none.
    pub v: Vec<f64>,
}

/// Solves the problem at every point and differentiates the criterion.
///
/// # Errors
/// [`Error::Value`] for points that do not fit the problem; [`Error::Unsupported`] for what this
/// stand-in does not do.
pub fn evaluate(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    precision: Precision,
    warm: Option<&[WarmStart]>,
    control: &Control,
) -> Result<Vec<Outcome>> {
    settings.validate()?;
    problem.check_points(points)?;
    let plain = matches!(
        problem.penalty,
        Penalty::ElasticNet | Penalty::Weighted { .. } | Penalty::NonNegative | Penalty::Box { .. }
    );
    if precision != Precision::F64 || warm.is_some() || !plain {
        return Err(Error::unsupported(
            "this precision, loss or penalty in the stand-in solver",
            "use another",
        ));
    }
    let one = |&point: &Point| {
        let outcome = solve(problem, point, settings, control);
        control.report_finished(1);
        outcome
    };
    Ok(points.iter().map(one).collect())
}

/// Linear predictors, n × c.
fn predictors(sample: &Sample, classes: usize, w: &[f64]) -> Vec<f64> {
    let n = sample.rows();
    let mut z = vec![0.0; n * classes];
    for k in 0..classes {
        let column: Vec<f64> = w.iter().skip(k).step_by(classes).copied().collect();
        for (i, value) in sample.design.apply(&column).into_iter().enumerate() {
            z[i * classes + k] = value;
        }
    }
    z
}

fn back(sample: &Sample, classes: usize, r: &[f64]) -> Vec<f64> {
    let p = sample.design.columns();
    let mut g = vec![0.0; p * classes];
    for k in 0..classes {
        let column: Vec<f64> = r.iter().skip(k).step_by(classes).copied().collect();
        for (j, value) in sample
            .design
            .apply_transposed(&column)
            .into_iter()
            .enumerate()
        {
            g[j * classes + k] = value;
        }
    }
    g
}

/// Residuals r, n × c, without weights.
fn residuals(loss: Loss, sample: &Sample, classes: usize, target: usize, w: &[f64]) -> Vec<f64> {
    let mut z = predictors(sample, classes, w);
    for (row, &y) in z.chunks_mut(classes).zip(&sample.targets[target]) {
        if loss == Loss::Multinomial {
            softmax::softmax_in_place(row);
            row[y as usize] -= 1.0;
        } else {
            row[0] = loss.residual(row[0], y);
        }
    }
    z
}

/// Curvature applied to the predictors of v, n × c, without weights.
fn curved(loss: Loss, sample: &Sample, classes: usize, target: usize, w: &[f64], q: &mut [f64]) {
    let mut z = predictors(sample, classes, w);
    let rows = q.chunks_mut(classes).zip(z.chunks_mut(classes));
    for ((q, z), &y) in rows.zip(&sample.targets[target]) {
        if loss == Loss::Multinomial {
            softmax::softmax_in_place(z);
            softmax::apply_curvature(z, q);
        } else {
            q[0] *= loss.curvature(z[0], y);
        }
    }
}

fn weigh(loss: Loss, sample: &Sample, classes: usize, r: &mut [f64]) {
    if loss != Loss::Quadratic {
        let n = sample.rows() as f64;
        for (row, s) in r.chunks_mut(classes).zip(&sample.weights) {
            row.iter_mut().for_each(|r| *r *= s / n);
        }
    }
}

fn gradient(loss: Loss, sample: &Sample, target: usize, w: &[f64]) -> Vec<f64> {
    let classes = w.len() / sample.design.columns();
    let mut r = residuals(loss, sample, classes, target, w);
    weigh(loss, sample, classes, &mut r);
    if loss == Loss::Quadratic {
        return r;
    }
    back(sample, classes, &r)
}

fn hessian(loss: Loss, sample: &Sample, target: usize, w: &[f64], v: &[f64]) -> Vec<f64> {
    let classes = w.len() / sample.design.columns();
    let mut q = predictors(sample, classes, v);
    if loss == Loss::Quadratic {
        return q;
    }
    curved(loss, sample, classes, target, w, &mut q);
    weigh(loss, sample, classes, &mut q);
    back(sample, classes, &q)
}

fn value(loss: Loss, sample: &Sample, target: usize, w: &[f64]) -> f64 {
    let classes = w.len() / sample.design.columns();
    let z = predictors(sample, classes, w);
    let y = &sample.targets[target];
    if loss == Loss::Quadratic {
        return (0..z.len()).map(|i| w[i] * (0.5 * z[i] - y[i])).sum();
    }
    let row = |i: usize| match loss {
        Loss::Multinomial => {
            softmax::cross_entropy(&z[i * classes..(i + 1) * classes], y[i] as usize)
        }
        loss => loss.value(z[i], y[i]),
    };
    let sum: f64 = (0..y.len()).map(|i| sample.weights[i] * row(i)).sum();
    sum / y.len() as f64
}

fn solve(problem: &Problem, point: Point, settings: &Settings, control: &Control) -> Outcome {
    let (p, d) = (problem.coordinates(), problem.penalized());
    let (train, loss, t) = (&problem.train, problem.loss, point.target);
    let mut largest = 0.0;
    let mut v: Vec<f64> = (0..p).map(|j| 1.0 + 0.1 * (j as f64).sin()).collect();
    for _ in 0..200 {
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= norm);
        let plain = if loss == Loss::Quadratic {
            loss
        } else {
            Loss::Squared
        };
        v = hessian(plain, train, t, &vec![0.0; p], &v);
        largest = v.iter().map(|v| v * v).sum::<f64>().sqrt();
    }
    let step = 1.0 / (1.05 * largest * loss.curvature_bound() + point.l2);
    let strengths = match &problem.penalty {
        Penalty::Box { .. } => vec![0.0; d],
        _ => problem.effective_strengths(point.l1),
    };
    let c = |j: usize| problem.prior.as_ref().map_or(0.0, |c| c[j]);
    let prox = |u: f64, j: usize| match problem.penalty {
        _ if j >= d => (u, 1.0),
        Penalty::NonNegative => {
            let w = (u - step * strengths[j]).max(0.0);
            (w, f64::from(u8::from(w > 0.0)))
        }
        Penalty::Box { lower, upper } => (
            clip(u, lower, upper),
            f64::from(u8::from(lower < u && u < upper)),
        ),
        _ => {
            let w = soft_threshold(u, step * strengths[j]);
            (w, f64::from(u8::from(w != 0.0)))
        }
    };
    let inner = |w: &[f64]| -> Vec<f64> {
        let g = gradient(loss, train, t, w);
        (0..p)
            .map(|j| {
                let ridge = if j < d { point.l2 * (w[j] - c(j)) } else { 0.0 };
                w[j] - step * (g[j] + ridge)
            })
            .collect()
    };
    let zero_norm = gradient(loss, train, t, &vec![0.0; p])
        .iter()
        .map(|g| g * g)
        .sum::<f64>()
        .sqrt();
    let level = settings.tolerance.unwrap_or(1e-14) * zero_norm;
    let (mut w, mut u, mut residual, mut steps) = (vec![0.0; p], Vec::new(), f64::INFINITY, 0);
    let mut status = Status::BudgetSpent;
    while steps < settings.max_steps && !control.should_stop() {
        u = inner(&w);
        let next: Vec<f64> = (0..p).map(|j| prox(u[j], j).0).collect();
        let change: f64 = w.iter().zip(&next).map(|(a, b)| (a - b).powi(2)).sum();
        residual = change.sqrt() / step;
        w = next;
        steps += 1;
        if residual <= level {
            status = Status::Converged;
            break;
        }
    }
    if u.is_empty() {
        u = w.clone();
    }
    let mask: Vec<f64> = (0..p).map(|j| prox(u[j], j).1).collect();
    let criterion = &problem.criterion;
    let ridge: f64 = (0..d).map(|j| 0.5 * point.l2 * (w[j] - c(j)).powi(2)).sum();
    let l1: f64 = (0..d).map(|j| strengths[j] * w[j].abs()).sum();
    let mut linear_steps = 0;
    let mut adjoint = vec![0.0; p];
    let hypergradient = settings.method.map(|_| {
        let mut e = gradient(criterion.loss, &criterion.sample, t, &w);
        e.iter_mut().for_each(|e| *e *= criterion.sign);
        for _ in 0..settings.max_steps.min(20_000) {
            let z: Vec<f64> = (0..p).map(|j| mask[j] * adjoint[j]).collect();
            let h = hessian(loss, train, t, &w, &z);
            let mut change: f64 = 0.0;
            for j in 0..p {
                let ridge = if j < d { point.l2 * z[j] } else { 0.0 };
                let next = z[j] - step * (h[j] + ridge) + e[j];
                change = change.max((next - adjoint[j]).abs());
                adjoint[j] = next;
            }
            linear_steps += 1;
            if change < 1e-15 {
                break;
            }
        }
        let z: Vec<f64> = (0..d).map(|j| mask[j] * adjoint[j]).collect();
        let per_coordinate: Vec<f64> = (0..d).map(|j| -step * u[j].signum() * z[j]).collect();
        let wants = |wrt| settings.wrt.contains(&wrt);
        let bounds = |side: &dyn Fn(f64, f64, f64) -> bool| match problem.penalty {
            Penalty::Box { lower, upper } => (0..d)
                .filter(|&j| side(u[j], lower, upper))
                .map(|j| adjoint[j])
                .sum(),
            _ => 0.0,
        };
        Hypergradient {
            l1: wants(Wrt::L1).then(|| {
                if problem.penalty.has_strength_vector() {
                    per_coordinate.clone()
                } else {
                    vec![per_coordinate.iter().sum()]
                }
            }),
            l2: wants(Wrt::L2).then(|| (0..d).map(|j| -step * (w[j] - c(j)) * z[j]).sum()),
            box_bounds: wants(Wrt::BoxBounds)
                .then(|| (bounds(&|u, lo, _| u <= lo), bounds(&|u, _, hi| u >= hi))),
            prior: wants(Wrt::Prior).then(|| z.iter().map(|z| step * point.l2 * z).collect()),
            sample_weights: wants(Wrt::SampleWeights).then(|| {
                let mut full = z.clone();
                full.resize(p, 0.0);
                (d..p).for_each(|j| full[j] = adjoint[j]);
                let classes = problem.classes;
                let (r, q) = (
                    residuals(loss, train, classes, t, &w),
                    predictors(train, classes, &full),
                );
                let n = train.rows() as f64;
                r.chunks(classes)
                    .zip(q.chunks(classes))
                    .map(|(r, q)| -step / n * r.iter().zip(q).map(|(r, q)| r * q).sum::<f64>())
                    .collect()
            }),
            perturbation: wants(Wrt::Perturbation).then(|| {
                let mut full = z.clone();
                full.resize(p, 0.0);
                (d..p).for_each(|j| full[j] = adjoint[j]);
                let classes = problem.classes;
                let r = residuals(loss, train, classes, t, &w);
                let mut q = predictors(train, classes, &full);
                curved(loss, train, classes, t, &w, &mut q);
                let n = train.rows() as f64;
                let mut out = Vec::new();
                for &i in &problem.perturbed_rows {
                    for j in 0..train.design.features() {
                        let sum: f64 = (0..classes)
                            .map(|k| {
                                full[j * classes + k] * r[i * classes + k]
                                    + w[j * classes + k] * q[i * classes + k]
                            })
                            .sum();
                        out.push(-step * train.weights[i] / n * sum / problem.features.scale[j]);
                    }
                }
                out
            }),
        }
    });
    Outcome {
        point,
        status,
        steps,
        linear_steps,
        objective: value(loss, train, t, &w) + ridge + l1,
        criterion: criterion.sign * value(criterion.loss, &criterion.sample, t, &w),
        hypergradient,
        support: (0..d).filter(|&j| mask[j] != 0.0).count(),
        residual,
        duality_gap: None,
        linear_residual: None,
        kink_margin: None,
        certified: false,
        contraction: None,
        adjoint_error_bound: None,
        warnings: problem
            .features
            .constant
            .iter()
            .filter(|_| p > d)
            .map(|&j| Warning {
                kind: WarningKind::ConstantColumn,
                message: format!("column {} does not vary; drop it", j + 1),
            })
            .collect(),
        solution: w,
        adjoint,
    }
}
