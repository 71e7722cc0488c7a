//! Products with a dense design: the linear predictor Z = X·W and the adjoint G = Xᵀ·R.

use super::{kernel, vectorized};
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::real::Real;

kernel! {
    /// Z (rows·c) = X (rows × columns, row-major) · W (columns·c).
    DENSE_PRODUCT = dense_product(design, w) -> (z) [rows, columns, classes]
}

kernel! {
    /// G (columns·c) = Xᵀ · R (rows·c).
    DENSE_ADJOINT = dense_adjoint(design, r) -> (g) [rows, columns, classes]
}

/// Twin of [`DENSE_PRODUCT`].
fn dense_product<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (n, d, c) = (
        arguments.parameter(0),
        arguments.parameter(1),
        arguments.parameter(2),
    );
    let (x, w) = (arguments.input(0).real(), arguments.input(1).real());
    let z = arguments.output(0);
    vectorized!(|FUSED, BLOCK| product_body::<R, FUSED, BLOCK>(x, w, z, n, d, c));
}

#[inline(always)]
fn product_body<R: Real, const FUSED: bool, const BLOCK: usize>(
    x: &[R],
    w: &[R],
    z: &mut [R],
    n: usize,
    d: usize,
    c: usize,
) {
    let mut i = 0;
    while i + BLOCK <= n {
        for k in 0..c {
            let mut sums = [[R::zero(); LANES]; BLOCK];
            let block: [&[R]; BLOCK] = std::array::from_fn(|b| &x[(i + b) * d..(i + b + 1) * d]);
            for j in 0..d {
                let w = row(w, j * c + k);
                for b in 0..BLOCK {
                    let x = block[b][j];
                    for lane in 0..LANES {
                        sums[b][lane] = x.multiply_add::<FUSED>(w[lane], sums[b][lane]);
                    }
                }
            }
            for b in 0..BLOCK {
                *row_mut(z, (i + b) * c + k) = sums[b];
            }
        }
        i += BLOCK;
    }
    for i in i..n {
        for k in 0..c {
            let mut sum = [R::zero(); LANES];
            for j in 0..d {
                let (x, w) = (x[i * d + j], row(w, j * c + k));
                for lane in 0..LANES {
                    sum[lane] = x.multiply_add::<FUSED>(w[lane], sum[lane]);
                }
            }
            *row_mut(z, i * c + k) = sum;
        }
    }
}

/// Twin of [`DENSE_ADJOINT`].
fn dense_adjoint<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (n, d, c) = (
        arguments.parameter(0),
        arguments.parameter(1),
        arguments.parameter(2),
    );
    let (x, r) = (arguments.input(0).real(), arguments.input(1).real());
    let g = arguments.output(0);
    vectorized!(|FUSED, BLOCK| adjoint_body::<R, FUSED, BLOCK>(x, r, g, n, d, c));
}

#[inline(always)]
fn adjoint_body<R: Real, const FUSED: bool, const BLOCK: usize>(
    x: &[R],
    r: &[R],
    g: &mut [R],
    n: usize,
    d: usize,
    c: usize,
) {
    let mut j = 0;
    while j + BLOCK <= d {
        for k in 0..c {
            let mut sums = [[R::zero(); LANES]; BLOCK];
            for i in 0..n {
                let (r, x) = (row(r, i * c + k), &x[i * d + j..i * d + j + BLOCK]);
                for b in 0..BLOCK {
                    for lane in 0..LANES {
                        sums[b][lane] = x[b].multiply_add::<FUSED>(r[lane], sums[b][lane]);
                    }
                }
            }
            for b in 0..BLOCK {
                *row_mut(g, (j + b) * c + k) = sums[b];
            }
        }
        j += BLOCK;
    }
    for j in j..d {
        for k in 0..c {
            let mut sum = [R::zero(); LANES];
            for i in 0..n {
                let (x, r) = (x[i * d + j], row(r, i * c + k));
                for lane in 0..LANES {
                    sum[lane] = x.multiply_add::<FUSED>(r[lane], sum[lane]);
                }
            }
            *row_mut(g, j * c + k) = sum;
        }
    }
}
