//! Products with a dense design: the linear predictor Z = X·W and the adjoint G = Xᵀ·R.

use super::{accumulate_block, kernel, vectorized};
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
    let [n, d, c] = arguments.parameters();
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
                accumulate_block!(FUSED, BLOCK, sums, w, |b| block[b][j]);
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
    let [n, d, c] = arguments.parameters();
    let (x, r) = (arguments.input(0).real(), arguments.input(1).real());
    let g = arguments.output(0);
    vectorized!(|FUSED, BLOCK| adjoint_body::<R, FUSED, BLOCK>(x, r, g, n, d, c));
}

/// Rows of X that are staged at once.
const DEPTH: usize = 64;

/// G[j] for BLOCK columns at a time. Their entries are first staged column by column: contiguous
/// columns would tempt the compiler to vectorise across them instead of across the problems.
#[inline(always)]
fn adjoint_body<R: Real, const FUSED: bool, const BLOCK: usize>(
    x: &[R],
    r: &[R],
    g: &mut [R],
    n: usize,
    d: usize,
    c: usize,
) {
    gathered_adjoint::<R, FUSED, BLOCK>(x, |i| i, r, g, n, d, c);
}

/// G = X[rows]ᵀ·R for `n` rows that `row_at` names.
#[inline(always)]
pub(super) fn gathered_adjoint<R: Real, const FUSED: bool, const BLOCK: usize>(
    x: &[R],
    row_at: impl Fn(usize) -> usize,
    r: &[R],
    g: &mut [R],
    n: usize,
    d: usize,
    c: usize,
) {
    g[..d * c * LANES].fill(R::zero());
    let mut panel = [[R::zero(); DEPTH]; BLOCK];
    let mut first = 0;
    while first < n {
        let depth = (n - first).min(DEPTH);
        let mut j = 0;
        while j < d {
            // A short last block repeats its last column and drops the copies.
            let count = (d - j).min(BLOCK);
            for i in 0..depth {
                let entries = &x[row_at(first + i) * d + j..][..count];
                for b in 0..BLOCK {
                    panel[b][i] = entries[b.min(count - 1)];
                }
            }
            for k in 0..c {
                let mut sums = [[R::zero(); LANES]; BLOCK];
                for b in 0..count {
                    sums[b] = row(g, (j + b) * c + k);
                }
                for i in 0..depth {
                    let r = row(r, (first + i) * c + k);
                    accumulate_block!(FUSED, BLOCK, sums, r, |b| panel[b][i]);
                }
                for b in 0..count {
                    *row_mut(g, (j + b) * c + k) = sums[b];
                }
            }
            j += count;
        }
        first += depth;
    }
}
