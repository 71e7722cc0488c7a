//! Products of blocks of rows with several vectors at once.

use rayon::prelude::*;

use crate::data::{Dense, Design, Matrix};
use crate::linalg::products::{by_rows, multiply};
use crate::model::criterion;
use crate::model::loss::Loss;
use crate::problem::{Criterion, Point, Problem, Sample};
use crate::real::{Real, convert};

/// Rows that are gathered at once.
pub const BLOCK: usize = 256;

/// X̂·W of any design, n·c, in f64: products of blocks of rows, in parallel.
#[must_use]
pub fn predictors(design: &Design, w: &[f64], classes: usize) -> Vec<f64> {
    match &design.matrix {
        Matrix::Dense(x) => of_dense(x, w, classes),
        Matrix::Sparse(_) => {
            let mut z = vec![0.0; design.rows() * classes];
            for k in 0..classes {
                let column: Vec<f64> = w.iter().skip(k).step_by(classes).copied().collect();
                for (i, value) in design.apply(&column).into_iter().enumerate() {
                    z[i * classes + k] = value;
                }
            }
            z
        }
    }
}

/// E at w; NaN for the quadratic form, which has no rows.
#[must_use]
pub fn criterion_value(criterion: &Criterion, w: &[f64], classes: usize, target: usize) -> f64 {
    let Criterion {
        loss, sign, sample, ..
    } = criterion;
    sign.factor() * mean_loss(*loss, sample, w, classes, target)
}

/// Loss, ridge and penalty of a point at w; NaN for the quadratic form.
#[must_use]
pub fn objective_value(problem: &Problem, point: &Point, w: &[f64]) -> f64 {
    let loss = mean_loss(
        problem.loss,
        &problem.train,
        w,
        problem.classes,
        point.target,
    );
    loss + problem.regularizer(point).value(w)
}

fn mean_loss(loss: Loss, sample: &Sample, w: &[f64], classes: usize, target: usize) -> f64 {
    let y = &sample.targets[target];
    let z = predictors(&sample.design, w, classes);
    let n = y.len() as f64;
    criterion::value(loss, &z, y, |i| sample.weights[i] / n).unwrap_or(f64::NAN)
}

/// ℓ of every row of a sample at w, without weights; NaN for the quadratic form.
#[must_use]
pub fn row_losses(
    loss: Loss,
    sample: &Sample,
    w: &[f64],
    classes: usize,
    target: usize,
) -> Vec<f64> {
    let z = predictors(&sample.design, w, classes);
    let y = &sample.targets[target];
    let rows = z.chunks_exact(classes).zip(y);
    let value = |(z, &y): (&[f64], &f64)| loss.row_value(z, y).unwrap_or(f64::NAN);
    rows.map(value).collect()
}

/// X·W, n·c, blocks of rows in parallel.
pub fn of_dense<R: Real>(x: &Dense, w: &[R], c: usize) -> Vec<R> {
    let d = x.columns;
    let mut z = vec![R::zero(); x.rows * c];
    z.par_chunks_mut(BLOCK * c)
        .zip(x.values.par_chunks(BLOCK * d))
        .for_each(|(z, x)| {
            let x: Vec<R> = convert(x);
            multiply(by_rows(&x, d), by_rows(w, c), z);
        });
    z
}
