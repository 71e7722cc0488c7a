//! Dense vector and small-matrix arithmetic, compiled for the instruction set of the machine.
//!
//! Sums run over a fixed number of lanes, so that results depend on the lengths alone and never
//! on the machine or the number of threads.

use crate::real::Real;

/// Entries that one wide register holds.
const WIDTH: usize = 8;
/// Independent partial sums of a reduction: enough registers to hide the latency of an addition.
const LANES: usize = 4 * WIDTH;

/// Runs `work` compiled for the widest vectors the machine has; what it calls must be inlined.
#[inline(always)]
pub(super) fn vectorized<T>(work: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(work)
}

/// Σ a_i b_i, summed in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(super) fn inner<A: Real, B: Real>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    // Loops over indices: iterators are not always inlined where features differ.
    for k in 0..a.len().min(b.len()) {
        for lane in 0..LANES {
            sums[lane] += a[k][lane].to_f64() * b[k][lane].to_f64();
        }
    }
    let ((a, a_rest), (b, b_rest)) = (a_rest.as_chunks::<WIDTH>(), b_rest.as_chunks::<WIDTH>());
    for k in 0..a.len().min(b.len()) {
        for lane in 0..WIDTH {
            sums[lane] += a[k][lane].to_f64() * b[k][lane].to_f64();
        }
    }
    for k in 0..a_rest.len().min(b_rest.len()) {
        sums[k] += a_rest[k].to_f64() * b_rest[k].to_f64();
    }
    folded(sums)
}

/// [`inner`] of four vectors with one, of equal lengths; for inlining into vectorised code.
#[inline(always)]
pub(super) fn inner_four<A: Real>(four: [&[A]; 4], b: &[f64]) -> [f64; 4] {
    let mut sums = [[0.0f64; WIDTH]; 4];
    let whole = b.len() / WIDTH * WIDTH;
    let mut at = 0;
    while at < whole {
        let b: &[f64] = &b[at..at + WIDTH];
        for k in 0..4 {
            let a: &[A] = &four[k][at..at + WIDTH];
            for lane in 0..WIDTH {
                sums[k][lane] += a[lane].to_f64() * b[lane];
            }
        }
        at += WIDTH;
    }
    let mut totals = [0.0; 4];
    for k in 0..4 {
        for i in whole..b.len() {
            totals[k] += four[k][i].to_f64() * b[i];
        }
    }
    let mut half = WIDTH / 2;
    while half > 0 {
        for sums in &mut sums {
            for lane in 0..half {
                sums[lane] += sums[lane + half];
            }
        }
        half /= 2;
    }
    for k in 0..4 {
        totals[k] += sums[k][0];
    }
    totals
}

/// The sum of all lanes, half by half.
#[inline(always)]
fn folded<R: Real>(mut sums: [R; LANES]) -> R {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = sums[lane + half];
            sums[lane] += other;
        }
        half /= 2;
    }
    sums[0]
}

/// y ← y + α x; for inlining into vectorised code.
#[inline(always)]
pub(super) fn axpy<R: Real>(alpha: R, x: &[R], y: &mut [R]) {
    let length = x.len().min(y.len());
    let (x, y) = (&x[..length], &mut y[..length]);
    for i in 0..length {
        y[i] += alpha * x[i];
    }
}

/// y ← y + α x with y in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(super) fn axpy_wide<R: Real>(alpha: f64, x: &[R], y: &mut [f64]) {
    let length = x.len().min(y.len());
    let (x, y) = (&x[..length], &mut y[..length]);
    for i in 0..length {
        y[i] += alpha * x[i].to_f64();
    }
}

/// Σ a_i b_i in the vectors' own precision; for inlining into vectorised code.
#[inline(always)]
pub(super) fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sums = [R::zero(); LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    // Loops over indices: iterators are not always inlined where features differ.
    for k in 0..a.len().min(b.len()) {
        for lane in 0..LANES {
            sums[lane] += a[k][lane] * b[k][lane];
        }
    }
    let ((a, a_rest), (b, b_rest)) = (a_rest.as_chunks::<WIDTH>(), b_rest.as_chunks::<WIDTH>());
    for k in 0..a.len().min(b.len()) {
        for lane in 0..WIDTH {
            sums[lane] += a[k][lane] * b[k][lane];
        }
    }
    for k in 0..a_rest.len().min(b_rest.len()) {
        sums[k] += a_rest[k] * b_rest[k];
    }
    folded(sums)
}

/// y ← A x for a symmetric m × m matrix stored in full; for inlining into vectorised code.
///
/// Four columns at a time, so that y is read and written once for four products.
#[inline(always)]
pub(super) fn symmetric_product<R: Real>(matrix: &[R], x: &[R], y: &mut [R]) {
    let m = x.len();
    y.fill(R::zero());
    let y = &mut y[..m];
    let mut j = 0;
    while j + 4 <= m {
        let (x0, x1, x2, x3) = (x[j], x[j + 1], x[j + 2], x[j + 3]);
        let (a0, rest) = matrix[j * m..].split_at(m);
        let (a1, rest) = rest.split_at(m);
        let (a2, rest) = rest.split_at(m);
        let a3 = &rest[..m];
        for i in 0..m {
            y[i] += (a0[i] * x0 + a1[i] * x1) + (a2[i] * x2 + a3[i] * x3);
        }
        j += 4;
    }
    while j < m {
        axpy(x[j], &matrix[j * m..(j + 1) * m], y);
        j += 1;
    }
}

/// a > b, and false where either is NaN: what iterations go on by.
#[inline(always)]
pub(super) fn exceeds<R: Real>(a: R, b: R) -> bool {
    a > b
}

/// ‖v‖₂ without overflow at the sizes that occur here.
pub(super) fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// y ← y + A x for a symmetric matrix stored in full; entries of x that are zero cost nothing.
///
/// Four columns at a time, so that y is read and written once for four of them.
pub(super) fn add_columns(matrix: &[f64], x: &[f64], y: &mut [f64]) {
    let p = y.len();
    let used: Vec<usize> = (0..x.len()).filter(|&j| x[j] != 0.0).collect();
    vectorized(
        #[inline(always)]
        || {
            let mut at = 0;
            while at + 4 <= used.len() {
                let js = [used[at], used[at + 1], used[at + 2], used[at + 3]];
                let [a, b, c, d] = js.map(
                    #[inline(always)]
                    |j: usize| &matrix[j * p..][..p],
                );
                let [xa, xb, xc, xd] = js.map(
                    #[inline(always)]
                    |j: usize| x[j],
                );
                for i in 0..p {
                    y[i] += (a[i] * xa + b[i] * xb) + (c[i] * xc + d[i] * xd);
                }
                at += 4;
            }
            for &j in &used[at..] {
                axpy(x[j], &matrix[j * p..(j + 1) * p], y);
            }
        },
    );
}
