//! Row by row: residuals, curvatures and their application.
//!
//! `scale` is s_i/n, so that `R = (s/n)∘r` and `H = (s/n)∘h` need no further factor. For the
//! multinomial loss H holds the probabilities, and the application multiplies by `scale`.

use super::kernel;
use crate::exec::{Arguments, LANES, View, row, row_mut};
use crate::model::loss::{Loss, RowLoss, ScalarLoss, multinomial};
use crate::real::Real;

kernel! {
    /// R (rows·c) = scale∘r(Z, y).
    RESIDUAL = residual(z, y, scale, shape) -> (r) [rows, classes, loss]
}

kernel! {
    /// H (rows·c) = scale∘h(Z, y); multinomial: softmax(Z).
    CURVATURE = curvature(z, y, scale, shape) -> (h) [rows, classes, loss]
}

kernel! {
    /// Q ← scale∘h∘Q with H of [`CURVATURE`].
    APPLY_CURVATURE = apply_curvature(h, scale) -> (q) [rows, classes, loss]
}

kernel! {
    /// value (1) = Σ scale·ℓ(Z, y).
    LOSS_VALUE = loss_value(z, y, scale, shape) -> (value) [rows, classes, loss]
}

/// The row of the loss that a kernel is called with; `None` for the multinomial loss.
fn row_of<R: Real>(tag: usize, shape: View<'_, R>) -> Option<ScalarLoss> {
    let shape = shape.real().first().map_or(1.0, |&d| Real::to_f64(d));
    Loss::of_tag(tag as u32, shape).residual_row()
}

/// Calls `apply(i, lane, z)` with the c predictors of every row and lane, and stores z back.
fn for_each_row<R: Real>(
    z: &[R],
    out: &mut [R],
    n: usize,
    c: usize,
    mut apply: impl FnMut(usize, usize, &mut [R]),
) {
    let mut buffer = vec![R::zero(); c];
    for i in 0..n {
        for lane in 0..LANES {
            for k in 0..c {
                buffer[k] = z[(i * c + k) * LANES + lane];
            }
            apply(i, lane, &mut buffer);
            for k in 0..c {
                out[(i * c + k) * LANES + lane] = buffer[k];
            }
        }
    }
}

/// Twin of [`RESIDUAL`].
fn residual<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let (z, y, scale) = (
        arguments.input(0).real(),
        arguments.input(1),
        arguments.input(2),
    );
    let loss = row_of(arguments.parameter(2), arguments.input(3));
    let out = arguments.output(0);
    let Some(loss) = loss else {
        for_each_row(z, out, n, c, |i, lane, z| {
            multinomial::residual_in_place(z, y.row(i)[lane].to_f64() as usize);
            let scale = scale.row(i)[lane];
            z.iter_mut().for_each(|z| *z *= scale);
        });
        return;
    };
    for i in 0..n {
        let (z, y, scale) = (row(z, i), y.row(i), scale.row(i));
        let out = row_mut(out, i);
        for lane in 0..LANES {
            out[lane] = scale[lane] * loss.residual(z[lane], y[lane]);
        }
    }
}

/// Twin of [`CURVATURE`].
fn curvature<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let (z, y, scale) = (
        arguments.input(0).real(),
        arguments.input(1),
        arguments.input(2),
    );
    let loss = row_of(arguments.parameter(2), arguments.input(3));
    let out = arguments.output(0);
    let Some(loss) = loss else {
        for_each_row(z, out, n, c, |_, _, z| {
            multinomial::softmax_in_place(z);
        });
        return;
    };
    for i in 0..n {
        let (z, y, scale) = (row(z, i), y.row(i), scale.row(i));
        let out = row_mut(out, i);
        for lane in 0..LANES {
            out[lane] = scale[lane] * loss.curvature(z[lane], y[lane]);
        }
    }
}

/// Twin of [`APPLY_CURVATURE`].
fn apply_curvature<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let is_multinomial = arguments.parameter(2) as u32 == Loss::Multinomial.tag();
    let (h, scale) = (arguments.input(0).real(), arguments.input(1));
    let q = arguments.output(0);
    for i in 0..n {
        if !is_multinomial {
            let h = row(h, i);
            let q = row_mut(q, i);
            for lane in 0..LANES {
                q[lane] *= h[lane];
            }
            continue;
        }
        // p∘q − p(p·q), then the row's scale.
        let mut mean = [R::zero(); LANES];
        for k in 0..c {
            let (p, q) = (row(h, i * c + k), row(q, i * c + k));
            for lane in 0..LANES {
                mean[lane] += p[lane] * q[lane];
            }
        }
        let scale = scale.row(i);
        for k in 0..c {
            let p = row(h, i * c + k);
            let q = row_mut(q, i * c + k);
            for lane in 0..LANES {
                q[lane] = scale[lane] * (p[lane] * (q[lane] - mean[lane]));
            }
        }
    }
}

/// Twin of [`LOSS_VALUE`].
fn loss_value<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let (z, y, scale) = (
        arguments.input(0).real(),
        arguments.input(1),
        arguments.input(2),
    );
    let loss = row_of(arguments.parameter(2), arguments.input(3));
    let mut total = [R::zero(); LANES];
    let mut buffer = vec![R::zero(); c];
    for i in 0..n {
        let (y, scale) = (y.row(i), scale.row(i));
        for lane in 0..LANES {
            let value = if let Some(loss) = loss {
                loss.value(z[i * LANES + lane], y[lane])
            } else {
                for k in 0..c {
                    buffer[k] = z[(i * c + k) * LANES + lane];
                }
                multinomial::cross_entropy(&buffer, y[lane].to_f64() as usize)
            };
            total[lane] += scale[lane] * value;
        }
    }
    *row_mut(arguments.output(0), 0) = total;
}
