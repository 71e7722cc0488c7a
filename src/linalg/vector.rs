//! Dense vector and small-matrix arithmetic, compiled for the instruction set of the machine.
//!
//! Sums run over a fixed number of lanes, so that results depend on the lengths alone and never
//! on the number of threads.

use crate::real::{Real, Slices, SlicesMut};

/// Entries that one wide register holds.
pub(crate) const WIDTH: usize = 8;
/// Independent partial sums of a reduction: enough registers to hide the latency of an addition.
const LANES: usize = 4 * WIDTH;

/// A closure to run on the widest vectors.
///
/// Called as `FnMut` it is the closure itself that is called; as `FnOnce` a closure that may run more
/// often is called through a function that the compiler makes and does not always inline, so that the
/// body is compiled without the machine's instructions.
pub(crate) struct Work<F>(pub(crate) F);

impl<T, F: FnMut() -> T> pulp::NullaryFnOnce for Work<F> {
    type Output = T;

    #[inline(always)]
    fn call(mut self) -> T {
        (self.0)()
    }
}

/// Runs `work` compiled for the widest vectors the machine has; it and what it calls must be inlined.
#[inline(always)]
pub(crate) fn vectorized<T>(work: impl FnMut() -> T) -> T {
    pulp::Arch::new().dispatch(Work(work))
}

/// Σ a_i b_i, summed in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(crate) fn inner<A: Real, B: Real>(a: &[A], b: &[B]) -> f64 {
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

/// [`dot`] of four vectors with one, of equal lengths; for inlining into vectorised code.
#[inline(always)]
pub(crate) fn dot_four<R: Real>(four: [&[R]; 4], b: &[R]) -> [R; 4] {
    let mut sums = [[R::zero(); WIDTH]; 4];
    let (b, b_rest) = b.as_chunks::<WIDTH>();
    let (blocks, rest) = (b.len(), b_rest.len());
    let split = four.map(
        #[inline(always)]
        |a| a.as_chunks::<WIDTH>(),
    );
    let [(a0, r0), (a1, r1), (a2, r2), (a3, r3)] = split;
    let (a0, a1, a2, a3) = (&a0[..blocks], &a1[..blocks], &a2[..blocks], &a3[..blocks]);
    for i in 0..blocks {
        for lane in 0..WIDTH {
            sums[0][lane] += a0[i][lane] * b[i][lane];
            sums[1][lane] += a1[i][lane] * b[i][lane];
            sums[2][lane] += a2[i][lane] * b[i][lane];
            sums[3][lane] += a3[i][lane] * b[i][lane];
        }
    }
    let mut totals = folded_four(sums);
    let (r0, r1, r2, r3) = (&r0[..rest], &r1[..rest], &r2[..rest], &r3[..rest]);
    for i in 0..rest {
        totals[0] += r0[i] * b_rest[i];
        totals[1] += r1[i] * b_rest[i];
        totals[2] += r2[i] * b_rest[i];
        totals[3] += r3[i] * b_rest[i];
    }
    totals
}

/// The sum of the lanes of each of four, half by half.
#[inline(always)]
fn folded_four<R: Real>(sums: [[R; WIDTH]; 4]) -> [R; 4] {
    [
        folded_register(sums[0]),
        folded_register(sums[1]),
        folded_register(sums[2]),
        folded_register(sums[3]),
    ]
}

/// The sum of the lanes of one register, half by half; written out so that it stays in registers.
#[inline(always)]
fn folded_register<R: Real>(s: [R; WIDTH]) -> R {
    let (a, b) = (s[0] + s[4], s[1] + s[5]);
    let (c, d) = (s[2] + s[6], s[3] + s[7]);
    (a + c) + (b + d)
}

/// The sum of all lanes, half by half.
#[inline(always)]
fn folded<R: Real>(sums: [R; LANES]) -> R {
    let mut register = [R::zero(); WIDTH];
    for lane in 0..WIDTH {
        register[lane] =
            (sums[lane] + sums[lane + 2 * WIDTH]) + (sums[lane + WIDTH] + sums[lane + 3 * WIDTH]);
    }
    folded_register(register)
}

/// y ← y + α x; for inlining into vectorised code.
#[inline(always)]
pub(crate) fn axpy<R: Real>(alpha: R, x: &[R], y: &mut [R]) {
    let length = x.len().min(y.len());
    let (x, y) = (&x[..length], &mut y[..length]);
    for i in 0..length {
        y[i] += alpha * x[i];
    }
}

/// y ← y + α x with y in `f64`; for inlining into vectorised code.
#[inline(always)]
pub(crate) fn axpy_wide<R: Real>(alpha: f64, x: &[R], y: &mut [f64]) {
    let length = x.len().min(y.len());
    let (x, y) = (&x[..length], &mut y[..length]);
    for i in 0..length {
        y[i] += alpha * x[i].to_f64();
    }
}

/// Σ a_i b_i in the vectors' own precision; for inlining into vectorised code.
#[inline(always)]
pub(crate) fn dot<R: Real>(a: &[R], b: &[R]) -> R {
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
pub(crate) fn symmetric_product<R: Real>(matrix: &[R], x: &[R], y: &mut [R]) {
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

/// Numbers that are `f64` already.
pub(crate) fn in_f64<R: Real>(values: &[R]) -> Option<&[f64]> {
    R::in_f64::<Slices<'_>>(values).ok()
}

/// Numbers that are `f64` already, to write to.
pub(crate) fn in_f64_mut<R: Real>(values: &mut [R]) -> Option<&mut [f64]> {
    R::in_f64::<SlicesMut<'_>>(values).ok()
}

/// a > b, and false where either is NaN: what iterations go on by.
#[inline(always)]
pub(crate) fn exceeds<R: Real>(a: R, b: R) -> bool {
    a > b
}

/// Σ v to a rounding or two, however many there are (Neumaier).
pub(crate) fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// The places below `count` that are wanted, ascending, in the memory of `out`.
///
/// Without a branch: where a support has no pattern, every other guess of one is wrong.
#[inline(always)]
pub(crate) fn positions(count: usize, wanted: impl Fn(usize) -> bool, out: &mut Vec<u32>) {
    out.resize(count, 0);
    let mut found = 0;
    for at in 0..count {
        out[found] = at as u32;
        found += usize::from(wanted(at));
    }
    out.truncate(found);
}

/// a − b.
pub(crate) fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// ‖v‖₂ without overflow at the sizes that occur here.
pub(crate) fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_wanted() {
        let mut out = vec![7; 3];
        for count in [0, 1, 5, 30] {
            let wanted = |at: usize| at % 3 == 1 || at == 29;
            positions(count, wanted, &mut out);
            let expected: Vec<u32> = (0..count as u32)
                .filter(|&at| wanted(at as usize))
                .collect();
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_compensated_sum_of_what_is_alike_is_right_to_a_rounding() {
        // 1/3000 rounds the same way every time; so would its partial sums.
        let sum = compensated_sum((0..3000).map(|_| 1.0 / 3000.0));
        assert!((sum - 1.0).abs() <= f64::EPSILON, "{sum}");
        assert_eq!(compensated_sum([1e100, 1.0, -1e100].into_iter()), 1.0);
        assert!(compensated_sum([f64::NAN, 1.0].into_iter()).is_nan());
    }
}
