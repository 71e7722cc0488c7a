//! Products with the rows of a minibatch.
//!
//! The row indices of a block of steps lie in a ring of `ring` slots of `batch` rows, shared by the
//! batch of problems or one per problem; a step counter says which slot is meant. Nothing of the
//! size of the data set is touched.

use super::product::gathered_adjoint;
use super::{accumulate_block, kernel, vectorized};
use crate::exec::{Arguments, LANES, View, row, row_mut};
use crate::real::Real;

kernel! {
    /// Z (batch·c) = `X[rows]`·W, dense.
    SAMPLED_PRODUCT = sampled_product(design, rows, counter, w) -> (z) [batch, ring, columns, classes]
}

kernel! {
    /// G (columns·c) = `X[rows]`ᵀ·R, dense.
    SAMPLED_ADJOINT = sampled_adjoint(design, rows, counter, r) -> (g) [batch, ring, columns, classes]
}

kernel! {
    /// Z (batch·c) = `X[rows]`·W, X sparse by rows.
    SAMPLED_SPARSE_PRODUCT = sampled_sparse_product(starts, indices, values, rows, counter, w) -> (z) [batch, ring, classes]
}

kernel! {
    /// G (columns·c) = `X[rows]`ᵀ·R, X sparse by rows.
    SAMPLED_SPARSE_ADJOINT = sampled_sparse_adjoint(starts, indices, values, rows, counter, r) -> (g) [batch, ring, columns, classes, first, count, skip, take]
}

kernel! {
    /// out (batch·c) = factor·`full[rows]`.
    GATHER_ROWS = gather_rows(full, rows, counter, factor) -> (out) [batch, ring, classes]
}

kernel! {
    /// counter ← counter + 1.
    ADVANCE = advance() -> (counter) []
}

/// The first entry of the slot of `rows` that the counter points to.
#[inline(always)]
fn slot<R: Real>(counter: View<'_, R>, batch: usize, ring: usize) -> usize {
    counter.words()[0] as usize % ring * batch
}

/// Twin of [`ADVANCE`].
fn advance<R: Real>(arguments: &mut Arguments<'_, R>) {
    arguments
        .output_words(0)
        .iter_mut()
        .for_each(|count| *count = count.wrapping_add(1));
}

/// Twin of [`SAMPLED_PRODUCT`].
fn sampled_product<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [b, ring, d, c] = arguments.parameters();
    let (x, rows, w) = (
        arguments.input(0).real(),
        arguments.input(1),
        arguments.input(3).real(),
    );
    let start = slot(arguments.input(2), b, ring);
    let z = arguments.output(0);
    if rows.is_shared() {
        let rows = &rows.words()[start..start + b];
        vectorized!(|FUSED, BLOCK| shared_rows_product::<R, FUSED>(x, rows, w, z, d, c));
    } else {
        let own = |i: usize, lane: usize| rows.word(start + i, lane) as usize;
        vectorized!(|FUSED, BLOCK| own_rows_product::<R, FUSED>(x, own, w, z, b, d, c));
    }
}

#[inline(always)]
fn shared_rows_product<R: Real, const FUSED: bool>(
    x: &[R],
    rows: &[u32],
    w: &[R],
    z: &mut [R],
    d: usize,
    c: usize,
) {
    const BLOCK: usize = 4;
    let mut at = 0;
    while at < rows.len() {
        let count = (rows.len() - at).min(BLOCK);
        // A short last block repeats its last row and drops the copies.
        let block: [&[R]; BLOCK] = std::array::from_fn(|b| {
            let i = rows[at + b.min(count - 1)] as usize;
            &x[i * d..(i + 1) * d]
        });
        for k in 0..c {
            let mut sums = [[R::zero(); LANES]; BLOCK];
            for j in 0..d {
                let w = row(w, j * c + k);
                accumulate_block!(FUSED, BLOCK, sums, w, |b| block[b][j]);
            }
            for b in 0..count {
                *row_mut(z, (at + b) * c + k) = sums[b];
            }
        }
        at += count;
    }
}

/// Problem by problem: each has rows of its own, so that there is no product to share.
#[inline(always)]
fn own_rows_product<R: Real, const FUSED: bool>(
    x: &[R],
    own: impl Fn(usize, usize) -> usize,
    w: &[R],
    z: &mut [R],
    b: usize,
    d: usize,
    c: usize,
) {
    let mut column = vec![R::zero(); d];
    for lane in 0..LANES {
        for k in 0..c {
            for j in 0..d {
                column[j] = w[(j * c + k) * LANES + lane];
            }
            for i in 0..b {
                let at = own(i, lane) * d;
                z[(i * c + k) * LANES + lane] = dot::<R, FUSED>(&x[at..at + d], &column);
            }
        }
    }
}

/// A dot product with eight partial sums, always in the same order.
#[inline(always)]
fn dot<R: Real, const FUSED: bool>(a: &[R], b: &[R]) -> R {
    let mut sums = [R::zero(); 8];
    let (head_a, head_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: R = head_a
        .remainder()
        .iter()
        .zip(head_b.remainder())
        .map(|(&a, &b)| a * b)
        .sum();
    for (a, b) in head_a.zip(head_b) {
        for lane in 0..8 {
            sums[lane] = a[lane].multiply_add::<FUSED>(b[lane], sums[lane]);
        }
    }
    sums.iter().copied().sum::<R>() + tail
}

/// Twin of [`SAMPLED_ADJOINT`].
fn sampled_adjoint<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [b, ring, d, c] = arguments.parameters();
    let (x, rows, r) = (
        arguments.input(0).real(),
        arguments.input(1),
        arguments.input(3).real(),
    );
    let start = slot(arguments.input(2), b, ring);
    let g = arguments.output(0);
    if rows.is_shared() {
        let rows = &rows.words()[start..start + b];
        vectorized!(|FUSED, BLOCK| {
            gathered_adjoint::<R, FUSED, BLOCK>(x, |i| rows[i] as usize, r, g, b, d, c);
        });
    } else {
        let own = |i: usize, lane: usize| rows.word(start + i, lane) as usize;
        vectorized!(|FUSED, BLOCK| own_rows_adjoint::<R, FUSED>(x, own, r, g, b, d, c));
    }
}

#[inline(always)]
fn own_rows_adjoint<R: Real, const FUSED: bool>(
    x: &[R],
    own: impl Fn(usize, usize) -> usize,
    r: &[R],
    g: &mut [R],
    b: usize,
    d: usize,
    c: usize,
) {
    let mut column = vec![R::zero(); d];
    for lane in 0..LANES {
        for k in 0..c {
            column.fill(R::zero());
            for i in 0..b {
                let (at, r) = (own(i, lane) * d, r[(i * c + k) * LANES + lane]);
                for (sum, &x) in column.iter_mut().zip(&x[at..at + d]) {
                    *sum = x.multiply_add::<FUSED>(r, *sum);
                }
            }
            for j in 0..d {
                g[(j * c + k) * LANES + lane] = column[j];
            }
        }
    }
}

/// Twin of [`SAMPLED_SPARSE_PRODUCT`].
fn sampled_sparse_product<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [b, ring, c] = arguments.parameters();
    let (starts, indices) = (arguments.input(0).words(), arguments.input(1).words());
    let (values, rows, w) = (
        arguments.input(2).real(),
        arguments.input(3),
        arguments.input(5).real(),
    );
    let start = slot(arguments.input(4), b, ring);
    let z = arguments.output(0);
    for i in 0..b {
        for lane in 0..LANES {
            let at = rows.word(start + i, lane) as usize;
            for k in 0..c {
                z[(i * c + k) * LANES + lane] = (starts[at] as usize..starts[at + 1] as usize)
                    .map(|e| values[e] * w[(indices[e] as usize * c + k) * LANES + lane])
                    .sum();
            }
        }
    }
}

/// Twin of [`SAMPLED_SPARSE_ADJOINT`].
fn sampled_sparse_adjoint<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [b, ring, d, c] = arguments.parameters();
    let (starts, indices) = (arguments.input(0).words(), arguments.input(1).words());
    let (values, rows, r) = (
        arguments.input(2).real(),
        arguments.input(3),
        arguments.input(5).real(),
    );
    let start = slot(arguments.input(4), b, ring);
    let [first, count, skip, take] = [4, 5, 6, 7].map(|at| arguments.parameter(at));
    let g = arguments.output(0);
    if first == 0 && skip == 0 {
        g[..d * c * LANES].fill(R::zero());
    }
    for i in first..b.min(first + count) {
        for lane in 0..LANES {
            let at = rows.word(start + i, lane) as usize;
            let (begin, end) = (starts[at] as usize + skip, starts[at + 1] as usize);
            for e in begin..end.min(begin + take) {
                for k in 0..c {
                    g[(indices[e] as usize * c + k) * LANES + lane] +=
                        values[e] * r[(i * c + k) * LANES + lane];
                }
            }
        }
    }
}

/// Twin of [`GATHER_ROWS`].
fn gather_rows<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [b, ring, c] = arguments.parameters();
    let (full, rows) = (arguments.input(0), arguments.input(1));
    let start = slot(arguments.input(2), b, ring);
    let factor = arguments.input(3).real()[0];
    let out = arguments.output(0);
    for i in 0..b {
        for k in 0..c {
            for lane in 0..LANES {
                let at = rows.word(start + i, lane) as usize * c + k;
                let value = if full.is_shared() {
                    full.real()[at]
                } else {
                    full.real()[at * LANES + lane]
                };
                out[(i * c + k) * LANES + lane] = factor * value;
            }
        }
    }
}
