//! Dense vector and small-matrix arithmetic, compiled for the instruction set of the machine.
//!
//! Sums run over a fixed number of lanes, so that results depend on the lengths alone and never
//! on the machine or the number of threads.

use crate::real::Real;

/// Independent partial sums of a reduction: enough to fill two wide registers.
const LANES: usize = 8;

/// Runs `work` compiled for the widest vectors the machine has; what it calls must be inlined.
#[inline(always)]
pub(super) fn vectorized<T>(work: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(work)
}

/// Σ a_i b_i, summed in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(super) fn inner<A: Real, B: Real>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_lanes.remainder(), b_lanes.remainder());
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane].to_f64() * b[lane].to_f64();
        }
    }
    let mut total = 0.0;
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += a.to_f64() * b.to_f64();
    }
    let half = LANES / 2;
    for lane in 0..half {
        total += sums[lane] + sums[lane + half];
    }
    total
}

/// y ← y + α x; for inlining into vectorised code.
#[inline(always)]
pub(super) fn axpy<R: Real>(alpha: R, x: &[R], y: &mut [R]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

/// y ← y + α x with y in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(super) fn axpy_wide<R: Real>(alpha: f64, x: &[R], y: &mut [f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += alpha * x.to_f64();
    }
}

/// Σ a_i b_i in the vectors' own precision; for inlining into vectorised code.
#[inline(always)]
pub(super) fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sums = [R::zero(); LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_lanes.remainder(), b_lanes.remainder());
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut total = R::zero();
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += a * b;
    }
    let half = LANES / 2;
    for lane in 0..half {
        total += sums[lane] + sums[lane + half];
    }
    total
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
