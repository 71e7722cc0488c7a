//! The normal equations of a squared or quadratic problem: training loss and criterion as quadratics in the
//! penalised coefficients, from the Gram matrices in f64, ready for the path kernel in f32.
//!
//! *Intercept.* It pays no penalty, so that its best value is w₀ = β − η·w, with o its row of the Gram matrix
//! G of the loss with the linear part b: η = G_o/G_oo, β = b_o/G_oo. With w₀ put in,
//!
//! ```text
//! Q = G − ηG_o ,  b ← b − ηb_o      criterion ½wᵀHw − e·w + constant in J = (I, −η):  JᵀHJ ,  Jᵀ(e − H(0, β))
//! ```
//!
//! and derivatives of both in w are total ones, as the hypergradient wants them.
//!
//! *Units.* Targets are taken in units of max |b_j|/√Q_jj, the largest that one column explains, which f32 holds
//! whatever theirs are.

use std::sync::Arc;

use crate::exec::walks::{Quadratic, Reference};
use crate::linalg::cholesky;
use crate::linalg::products::add_columns;
use crate::model::loss::Loss;
use crate::path::{CriterionColumns, Prepared, QuadraticForm};
use crate::problem::Problem;
use crate::real::{convert, sum_of};

/// The ridge of references, relative to the mean curvature: enough to make them exist.
const REFERENCE_RIDGE: f64 = 1e-6;

/// The normal equations of all targets of a problem.
#[derive(Debug, Clone)]
pub(super) struct NormalEquations {
    /// Those of every target.
    pub(super) targets: Vec<OfTarget>,
    /// Those of the intercept, where there is one.
    pub(super) intercept: Option<Intercept>,
}

/// The normal equations of one target.
#[derive(Debug, Clone)]
pub(super) struct OfTarget {
    /// The problem in units of `unit`.
    pub(super) quadratic: Quadratic<f32>,
    /// One unit of the targets.
    pub(super) unit: f64,
    /// β, in the units of the targets.
    pub(super) base: f64,
    /// e_o of the intercept.
    pub(super) held_out_linear: f64,
    /// The loss at w = 0, with the best intercept.
    pub(super) at_zero: f64,
}

/// The intercept's rows of both Gram matrices.
#[derive(Debug, Clone)]
pub(super) struct Intercept {
    /// η.
    pub(super) slopes: Vec<f64>,
    /// G_oo.
    pub(super) curvature: f64,
    /// The criterion's row, sign included, the intercept last.
    pub(super) held_out: Vec<f64>,
}

/// A quadratic ½wᵀHw − linear·w + constant.
struct Form {
    hessian: Vec<f64>,
    linear: Vec<f64>,
    constant: f64,
}

impl NormalEquations {
    /// Those of a problem whose Gram matrices are formed.
    pub(super) fn of(
        problem: &Problem,
        train: &Prepared<f64>,
        criterion: &CriterionColumns,
    ) -> Option<Self> {
        let (p, d) = (problem.coordinates(), problem.penalized());
        let sign = problem.criterion.sign.factor();
        let mut shared: Option<Shared> = None;
        let mut targets = Vec::new();
        for target in 0..problem.train.targets.len() {
            let of_train = train.quadratic(problem, target)?;
            let of_criterion = criterion.quadratic(problem, target)?;
            let shared = match &mut shared {
                Some(shared) => shared,
                none => none.insert(Shared::of(p, d, &of_train, &of_criterion, sign)?),
            };
            targets.push(shared.target(problem, &of_train, &of_criterion, sign)?);
        }
        let intercept = shared?.intercept;
        Some(Self { targets, intercept })
    }
}

/// The parts of all targets.
struct Shared {
    intercept: Option<Intercept>,
    gram: Vec<f64>,
    /// Without the criterion's sign.
    held_out: Vec<f64>,
    single_gram: Arc<[f32]>,
    single_held_out: Arc<[f32]>,
}

impl Shared {
    fn of(
        p: usize,
        d: usize,
        train: &QuadraticForm<'_>,
        criterion: &QuadraticForm<'_>,
        sign: f64,
    ) -> Option<Self> {
        let (g, h) = (train.hessian, criterion.hessian);
        let intercept = (d < p).then(|| Intercept {
            slopes: (0..d).map(|j| g[d * p + j] / g[d * p + d]).collect(),
            curvature: g[d * p + d],
            held_out: h[d * p..(d + 1) * p].iter().map(|h| sign * h).collect(),
        });
        let within = |matrix: &[f64]| -> Vec<f64> {
            let rows = matrix.chunks_exact(p).take(d);
            rows.flat_map(|row| &row[..d]).copied().collect()
        };
        let (mut gram, mut held_out) = (within(g), within(h));
        if let Some(Intercept { slopes, .. }) = &intercept {
            for i in 0..d {
                for j in 0..d {
                    let at = i * d + j;
                    gram[at] -= slopes[i] * g[d * p + j];
                    held_out[at] += slopes[i] * slopes[j] * h[d * p + d]
                        - slopes[i] * h[d * p + j]
                        - h[i * p + d] * slopes[j];
                }
            }
        }
        let is_finite = gram.iter().chain(&held_out).all(|x| x.is_finite());
        let signed: Vec<f64> = held_out.iter().map(|h| sign * h).collect();
        is_finite.then(|| Self {
            single_gram: convert::<f32>(&gram).into(),
            single_held_out: convert::<f32>(&signed).into(),
            intercept,
            gram,
            held_out,
        })
    }

    fn target(
        &self,
        problem: &Problem,
        train: &QuadraticForm<'_>,
        criterion: &QuadraticForm<'_>,
        sign: f64,
    ) -> Option<OfTarget> {
        let d = problem.penalized();
        let p = problem.coordinates();
        let h = criterion.hessian;
        let mut linear: Vec<f64> = train.gradient[..d].iter().map(|g| -g).collect();
        let mut held_out: Vec<f64> = criterion.gradient[..d].iter().map(|g| -g).collect();
        let (mut constant, mut held_out_constant) = (train.value, criterion.value);
        let (mut base, mut held_out_linear) = (0.0, 0.0);
        if let Some(Intercept {
            slopes, curvature, ..
        }) = &self.intercept
        {
            let b = -train.gradient[d];
            held_out_linear = -criterion.gradient[d];
            base = b / curvature;
            constant -= 0.5 * b * base;
            let pull = held_out_linear - h[d * p + d] * base;
            held_out_constant += base * (0.5 * h[d * p + d] * base - held_out_linear);
            for j in 0..d {
                linear[j] -= slopes[j] * b;
                held_out[j] -= h[j * p + d] * base + slopes[j] * pull;
            }
        }
        let explained = (0..d).map(|j| match self.gram[j * d + j].sqrt() {
            size if size > 0.0 => linear[j].abs() / size,
            _ => 0.0,
        });
        let largest = explained.fold(0.0, f64::max);
        let unit = if largest > 0.0 { largest } else { 1.0 };
        linear.iter_mut().for_each(|b| *b /= unit);
        held_out.iter_mut().for_each(|e| *e /= unit);
        let form = |hessian: &Vec<f64>, linear: Vec<f64>, constant: f64| Form {
            hessian: hessian.clone(),
            linear,
            constant: constant / (unit * unit),
        };
        let loss = form(&self.gram, linear, constant);
        let outer = form(&self.held_out, held_out, held_out_constant);
        let is_finite =
            |form: &Form| form.constant.is_finite() && form.linear.iter().all(|x| x.is_finite());
        if !(is_finite(&loss) && is_finite(&outer) && unit.is_finite()) {
            return None;
        }
        // Those that all coordinates share.
        let bounds = problem.penalty.bounds();
        let [lower, upper] = [0, 1].map(|at| bounds.get(at).copied().unwrap_or_default());
        let strengths = problem.penalty.strengths(d);
        let single = |x: &[f64]| convert::<f32>(x);
        let signed = |x: Vec<f64>| -> Vec<f32> { x.iter().map(|x| (sign * x) as f32).collect() };
        let criterion = outer.reference();
        Some(OfTarget {
            quadratic: Quadratic {
                features: d,
                row: problem.penalty.row(),
                bounds: [(lower / unit) as f32, (upper / unit) as f32],
                gram: Arc::clone(&self.single_gram),
                linear: single(&loss.linear),
                strengths: problem
                    .penalty
                    .has_strength_vector()
                    .then(|| single(&strengths)),
                loss: loss.reference().to_single(),
                held_out: Arc::clone(&self.single_held_out),
                held_out_linear: signed(outer.linear),
                criterion: Reference {
                    at: single(&criterion.at),
                    gradient: signed(criterion.gradient),
                    value: (sign * criterion.value) as f32,
                },
            },
            unit,
            base,
            held_out_linear: sign * held_out_linear,
            at_zero: if problem.loss == Loss::Quadratic {
                1.0
            } else {
                constant
            },
        })
    }
}

impl Form {
    /// Its minimiser but for a small ridge, rounded to f32: there its values are small.
    fn reference(&self) -> Reference<f64> {
        let d = self.linear.len();
        let stride = cholesky::stride(d);
        let trace = sum_of(d, |j| self.hessian[j * d + j]);
        let ridge = REFERENCE_RIDGE * trace / d as f64;
        let mut factor = vec![0.0; stride * d];
        for (j, row) in self.hessian.chunks_exact(d).enumerate() {
            factor[j * stride..j * stride + d].copy_from_slice(row);
            factor[j * stride + j] += ridge;
        }
        let mut at = self.linear.clone();
        if cholesky::factor(&mut factor, d) {
            cholesky::solve(&factor, &mut at);
        }
        if !at.iter().all(|x| x.is_finite() && x.abs() < 1e6) {
            at.fill(0.0);
        }
        at.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        let mut gradient: Vec<f64> = self.linear.iter().map(|b| -b).collect();
        add_columns(&self.hessian, &at, &mut gradient);
        let value = sum_of(d, |j| at[j] * (gradient[j] - self.linear[j]));
        Reference {
            value: self.constant + 0.5 * value,
            at,
            gradient,
        }
    }
}

impl Reference<f64> {
    fn to_single(&self) -> Reference<f32> {
        Reference {
            at: convert(&self.at),
            gradient: convert(&self.gradient),
            value: self.value as f32,
        }
    }
}
