//! Values and gradients that have no rows: the quadratic form, and scaling by a constant.

use super::kernel;
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::real::Real;

kernel! {
    /// value (1) = ½W·Z − b·W with Z = QW.
    QUADRATIC_VALUE = quadratic_value(w, z, b) -> (value) [coordinates]
}

kernel! {
    /// X ← factor·X, one factor for all.
    SCALE = scale(factor) -> (x) [coordinates]
}

/// Twin of [`QUADRATIC_VALUE`].
fn quadratic_value<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (w, z, b) = (
        arguments.input(0).real(),
        arguments.input(1).real(),
        arguments.input(2),
    );
    let mut sum = [R::zero(); LANES];
    for j in 0..p {
        let (w, z, b) = (row(w, j), row(z, j), b.row(j));
        for lane in 0..LANES {
            sum[lane] += w[lane] * (R::of(0.5) * z[lane] - b[lane]);
        }
    }
    *row_mut(arguments.output(0), 0) = sum;
}

/// Twin of [`SCALE`].
fn scale<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let factor = arguments.input(0).row(0);
    let x = arguments.output(0);
    for j in 0..p {
        let x = row_mut(x, j);
        for lane in 0..LANES {
            x[lane] *= factor[lane];
        }
    }
}
