//! Rows of data on the executor with their loss: gradient and value of a batch.

use std::sync::Arc;

use super::operator::{Operator, per_point, shared};
use crate::data::{Dense, Design, Matrix};
use crate::exec::{Buf, Executor, Recording, Scope, Source, Twinned};
use crate::kernel::criterion;
use crate::kernel::curvature::{LOSS_VALUE, RESIDUAL};
use crate::model::loss::Loss;
use crate::problem::{Point, Problem, Sample};
use crate::real::Real;

/// Rows of data on the executor with their loss.
#[derive(Debug, Clone)]
pub struct LossRows {
    /// The design operator; for the quadratic form Q.
    pub operator: Operator,
    /// y, n per problem or shared; for the quadratic form b.
    pub targets: Buf,
    /// s/n (the criterion's sign included), n.
    pub scale: Buf,
    pub(super) shape: Buf,
    pub(super) loss: Loss,
    /// The diagonal of Q, for the quadratic form.
    pub(super) diagonal: Option<Buf>,
    /// Linear predictors, n·c.
    pub z: Buf,
    /// Scaled residuals, n·c.
    pub r: Buf,
}

/// The rows on which the points of a batch take their losses: of one design and one loss; targets are
/// chosen by the points, and weights may be their own.
#[derive(Clone, Copy)]
pub struct BatchRows<'a> {
    /// The loss.
    pub loss: Loss,
    /// Predictors per row.
    pub classes: usize,
    /// The factor of the loss, 1 or −1.
    pub sign: f64,
    /// The points.
    pub points: &'a [Point],
    /// The rows of a point.
    pub sample: &'a dyn Fn(&Point) -> &'a Sample,
}

impl LossRows {
    /// Uploads the rows of a batch for its points' targets; `operator` is their design, where it is there
    /// already.
    pub fn upload<R: Twinned>(
        executor: &mut dyn Executor<R>,
        sample: &Sample,
        rows: &BatchRows<'_>,
        operator: Option<Operator>,
    ) -> Self {
        let BatchRows {
            loss,
            classes,
            sign,
            points,
            ..
        } = *rows;
        let n = sample.rows();
        let operator =
            operator.unwrap_or_else(|| Operator::upload(executor, &sample.design, classes));
        let targets = upload_targets(executor, &sample.targets, points, n);
        let divisor = if loss == Loss::Quadratic {
            1.0
        } else {
            n as f64
        };
        let scaled = |weights: &[f64]| weights.iter().map(|s| sign * s / divisor).collect();
        let scale = if points.iter().any(Point::has_own_rows) {
            let of_point = |point: &Point| scaled(&(rows.sample)(point).weights);
            per_point(executor, n, points, of_point)
        } else {
            shared(executor, &scaled(&sample.weights))
        };
        Self {
            operator,
            targets,
            scale,
            shape: shared(executor, &[loss.shape()]),
            loss,
            diagonal: (loss == Loss::Quadratic).then(|| {
                let mut entries = vec![0.0; n];
                sample.design.matrix.for_each_entry(|i, j, value| {
                    if i == j {
                        entries[i] = value;
                    }
                });
                shared(executor, &entries)
            }),
            z: executor.allocate(Scope::PerProblem, n * classes),
            r: executor.allocate(Scope::PerProblem, n * classes),
        }
    }

    pub(super) fn size(&self) -> [usize; 3] {
        [
            self.operator.rows,
            self.operator.classes,
            self.loss.tag() as usize,
        ]
    }

    pub(super) fn rows_of(&self, z: Buf, scale: Buf) -> [Source; 4] {
        [
            z.into(),
            self.targets.into(),
            scale.into(),
            self.shape.into(),
        ]
    }

    /// Records z = X̂w, r and `gradient = X̂ᵀr`, weighting rows by `scale`.
    pub fn gradient<R: Real>(
        &self,
        recording: &mut Recording<R>,
        w: Buf,
        scale: Buf,
        gradient: Buf,
    ) {
        self.operator.product(recording, w, self.z);
        if self.loss == Loss::Quadratic {
            recording.dispatch(
                &RESIDUAL,
                &self.rows_of(self.z, scale),
                &[gradient.into()],
                &self.size(),
            );
        } else {
            recording.dispatch(
                &RESIDUAL,
                &self.rows_of(self.z, scale),
                &[self.r.into()],
                &self.size(),
            );
            self.operator.adjoint(recording, self.r, gradient);
        }
    }

    /// Records the loss at w from the z of [`LossRows::gradient`].
    pub fn value<R: Real>(&self, recording: &mut Recording<R>, w: Buf, value: Buf) {
        if self.loss == Loss::Quadratic {
            recording.dispatch(
                &criterion::QUADRATIC_VALUE,
                &[w.into(), self.z.into(), self.targets.into()],
                &[value.into()],
                &[self.operator.columns],
            );
        } else {
            recording.dispatch(
                &LOSS_VALUE,
                &self.rows_of(self.z, self.scale),
                &[value.into()],
                &self.size(),
            );
        }
    }
}

/// y of every point: shared where all points have the same target.
fn upload_targets<R: Twinned>(
    executor: &mut dyn Executor<R>,
    targets: &[Vec<f64>],
    points: &[Point],
    rows: usize,
) -> Buf {
    match points.first() {
        Some(first) if points.iter().any(|point| point.target != first.target) => {
            let of_point = |point: &Point| targets[point.target].clone();
            per_point(executor, rows, points, of_point)
        }
        first => shared(executor, &targets[first.map_or(0, |point| point.target)]),
    }
}

/// Squared loss as the quadratic form of Q = X̂ᵀSX̂/n and b = X̂ᵀSy/n.
pub(super) fn gram_form<R: Twinned>(
    executor: &mut dyn Executor<R>,
    problem: &Problem,
    matrix: &Dense,
    points: &[Point],
) -> LossRows {
    let sample = &problem.train;
    let (n, p) = (matrix.rows, matrix.columns);
    let weight = |i: usize| sample.weights[i] / n as f64;
    let targets = sample
        .targets
        .iter()
        .map(|y| {
            let scaled: Vec<f64> = y.iter().enumerate().map(|(i, y)| y * weight(i)).collect();
            sample.design.apply_transposed(&scaled)
        })
        .collect();
    let x = faer::Mat::from_fn(n, p, |i, j| matrix.values[i * p + j] * weight(i).sqrt());
    let q = x.transpose() * &x;
    let values = (0..p * p).map(|at| q[(at / p, at % p)]).collect();
    let design = Design::plain(Matrix::Dense(Dense {
        rows: p,
        columns: p,
        values,
    }));
    let form = Sample {
        design: Arc::new(design),
        targets: Arc::new(targets),
        weights: vec![1.0; p],
        offset: None,
    };
    let rows = BatchRows {
        loss: Loss::Quadratic,
        classes: 1,
        sign: 1.0,
        points,
        sample: &|_| &form,
    };
    LossRows::upload(executor, &form, &rows, None)
}
