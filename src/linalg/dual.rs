//! The system XᵀX + Λ of more unknowns than rows, solved through the rows (Woodbury): with λ on the
//! diagonal of the penalised unknowns P and nothing on that of the few others F,
//!
//! ```text
//! K = X_P X_Pᵀ + λI ,   u = K⁻¹X_P b_P ,   T = λ X_Fᵀ K⁻¹ X_F
//! x_F = T⁻¹(b_F − X_Fᵀu) ,   x_P = (b_P − X_Pᵀ(u + λK⁻¹X_F x_F))/λ
//! ```

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};

use super::cholesky;
use super::vector::{axpy, exceeds, inner, vectorized};
use crate::real::Real;

/// The share of K's diagonal below which λ is too small, the root of the arithmetic's rounding: the
/// difference of b_P and X_Pᵀu would then lose more than half of the digits, which is more than a factor of
/// the system itself loses.
fn least_ridge<R: Real>() -> R {
    num_traits::Float::sqrt(<R as num_traits::Float>::epsilon())
}

/// A factor through the rows.
#[derive(Debug, Clone)]
pub(crate) struct DualFactor<R> {
    rows: usize,
    ridge: R,
    /// S of the penalised unknowns; empty where all are 1.
    scales: Vec<R>,
    /// The unknowns with and without ridge.
    penalized: Vec<usize>,
    free: Vec<usize>,
    /// X_P, column after column.
    x: Vec<R>,
    /// X_F, column after column, and K⁻¹X_F.
    free_x: Vec<R>,
    free_images: Vec<R>,
    /// The factors of K and T.
    kernel: Vec<R>,
    schur: Vec<R>,
    /// A bound on the Frobenius norm of the system: ‖XᵀX‖ = ‖XXᵀ‖ ≤ ‖X_P X_Pᵀ‖ + Σ_F ‖x_f‖², with the ridge.
    pub(crate) size: f64,
}

/// True where the way through the rows takes fewer operations than a factor of the system itself.
pub(crate) fn is_cheaper(rows: usize, unknowns: usize) -> bool {
    let (n, m) = (rows as f64, unknowns as f64);
    n * n * (m + n / 3.0) < m * m * m / 3.0
}

impl<R: Real> DualFactor<R> {
    /// Factors the system of columns of `rows` entries, with a ridge for each, or none where it is zero.
    /// `None` where a ridge is too small or the system singular.
    ///
    /// Ridges that differ are those of scaled unknowns: with λ the largest and S = √(λ/Λ), the unknowns
    /// S⁻¹x of the columns XS have λ in common.
    pub(crate) fn new<'x>(
        column: impl Fn(usize) -> &'x [R],
        rows: usize,
        ridges: &[R],
    ) -> Option<Self> {
        let is_penalized = |at: &usize| ridges[*at] > R::zero();
        let (penalized, free): (Vec<usize>, Vec<usize>) = (0..ridges.len()).partition(is_penalized);
        let first = ridges[*penalized.first()?];
        let larger = |a: R, &at: &usize| num_traits::Float::max(a, ridges[at]);
        let ridge = penalized.iter().fold(first, larger);
        let scales: Vec<R> = if penalized.iter().all(|&at| ridges[at] == ridge) {
            Vec::new()
        } else {
            let scale = |&at: &usize| num_traits::Float::sqrt(ridge / ridges[at]);
            penalized.iter().map(scale).collect()
        };
        let gather = |set: &[usize]| -> Vec<R> {
            let mut out = Vec::with_capacity(set.len() * rows);
            set.iter().for_each(|&at| out.extend_from_slice(column(at)));
            out
        };
        let (mut x, free_x) = (gather(&penalized), gather(&free));
        // The kernel of scaled columns may be much larger than the system: then the trace bounds it.
        let trace: f64 = x.chunks_exact(rows).map(|x| inner(x, x)).sum();
        for (column, &scale) in x.chunks_exact_mut(rows).zip(&scales) {
            column.iter_mut().for_each(|x| *x *= scale);
        }
        let stride = cholesky::stride(rows);
        let mut kernel = vec![R::zero(); stride * rows];
        let columns = MatRef::from_column_major_slice(&x, rows, penalized.len());
        triangular::matmul(
            MatMut::from_column_major_slice_with_stride_mut(&mut kernel, rows, rows, stride),
            BlockStructure::TriangularLower,
            Accum::Replace,
            columns,
            BlockStructure::Rectangular,
            columns.transpose(),
            BlockStructure::Rectangular,
            R::one(),
            Par::Seq,
        );
        let (mut largest, mut square) = (R::zero(), 0.0);
        for i in 0..rows {
            let below = &kernel[i * stride + i + 1..i * stride + rows];
            square += 2.0 * inner(below, below);
            let diagonal = &mut kernel[i * stride + i];
            largest = num_traits::Float::max(largest, *diagonal);
            square += diagonal.to_f64() * diagonal.to_f64();
            *diagonal += ridge;
        }
        let of_free: f64 = free_x.chunks_exact(rows).map(|x| inner(x, x)).sum();
        let of_ridge = ridge.to_f64() * (penalized.len() as f64).sqrt();
        let size = square.sqrt().min(trace) + of_free + of_ridge;
        let is_large = exceeds(ridge, least_ridge::<R>() * largest);
        if !is_large || !cholesky::factor(&mut kernel, rows) {
            return None;
        }
        let mut free_images = free_x.clone();
        for image in free_images.chunks_exact_mut(rows) {
            cholesky::solve(&kernel, image);
        }
        let count = free.len();
        let stride = cholesky::stride(count);
        let mut schur = vec![R::zero(); stride * count];
        for (a, x) in free_x.chunks_exact(rows).enumerate() {
            for (b, image) in free_images.chunks_exact(rows).enumerate() {
                schur[a * stride + b] = ridge * R::of(inner(x, image));
            }
        }
        let is_regular = count == 0 || cholesky::factor(&mut schur, count);
        is_regular.then_some(Self {
            rows,
            ridge,
            scales,
            penalized,
            free,
            x,
            free_x,
            free_images,
            kernel,
            schur,
            size,
        })
    }

    /// b ← (XᵀX + Λ)⁻¹b.
    pub(crate) fn solve(&self, b: &mut [R]) {
        let rows = self.rows;
        let mut u = vec![R::zero(); rows];
        let columns = || self.penalized.iter().zip(self.x.chunks_exact(rows));
        self.scale(b);
        vectorized(
            #[inline(always)]
            || {
                for (&at, x) in columns() {
                    axpy(b[at], x, &mut u);
                }
            },
        );
        cholesky::solve(&self.kernel, &mut u);
        let free = self.free.iter().zip(self.free_x.chunks_exact(rows));
        let mut own: Vec<R> = free.map(|(&at, x)| b[at] - R::of(inner(x, &u))).collect();
        if !own.is_empty() {
            cholesky::solve(&self.schur, &mut own);
        }
        for (&own, image) in own.iter().zip(self.free_images.chunks_exact(rows)) {
            axpy(self.ridge * own, image, &mut u);
        }
        for (&at, &own) in self.free.iter().zip(&own) {
            b[at] = own;
        }
        vectorized(
            #[inline(always)]
            || {
                for (&at, x) in columns() {
                    b[at] = (b[at] - R::of(inner(x, &u))) / self.ridge;
                }
            },
        );
        self.scale(b);
    }

    /// b ← Sb on the penalised unknowns.
    fn scale(&self, b: &mut [R]) {
        for (&at, &scale) in self.penalized.iter().zip(&self.scales) {
            b[at] *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_solves_the_system_with_and_without_free_unknowns() {
        let (rows, unknowns) = (7, 19);
        let entry = |at: usize| ((at * 37 + at / 5) as f64 * 0.618_034).sin();
        let x: Vec<f64> = (0..rows * unknowns).map(entry).collect();
        let all = [vec![], vec![18], vec![3, 18]];
        for (free, spread) in all.iter().flat_map(|free| [(free, 0.0), (free, 1.0)]) {
            let ridge = |at: usize| 0.3 + spread * (at % 4) as f64;
            let ridges: Vec<f64> = (0..unknowns)
                .map(|at| if free.contains(&at) { 0.0 } else { ridge(at) })
                .collect();
            let factor =
                DualFactor::new(|at| &x[at * rows..(at + 1) * rows], rows, &ridges).unwrap();
            let solution: Vec<f64> = (0..unknowns).map(|at| entry(at + 500)).collect();
            let column = |at: usize| &x[at * rows..(at + 1) * rows];
            let mut b: Vec<f64> = (0..unknowns)
                .map(|i| {
                    let products = (0..unknowns).map(|j| inner(column(i), column(j)) * solution[j]);
                    products.sum::<f64>() + ridges[i] * solution[i]
                })
                .collect();
            factor.solve(&mut b);
            for (found, expected) in b.iter().zip(&solution) {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{free:?} {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn its_size_bounds_the_system() {
        // Free unknowns that are alike, and large beside the others.
        let (rows, unknowns) = (3, 7);
        let large = |at: usize| if at >= 4 * rows { 10.0 } else { 0.1 };
        let x: Vec<f64> = (0..rows * unknowns)
            .map(|at| large(at) + 0.01 * ((at * 37) as f64 * 0.618_034).sin())
            .collect();
        let column = |at: usize| &x[at * rows..(at + 1) * rows];
        for spread in [1.0, 1e4] {
            let ridges: Vec<f64> = (0..unknowns)
                .map(|at| match at {
                    4.. => 0.0,
                    0 => 0.3 / spread,
                    _ => 0.3,
                })
                .collect();
            let square = (0..unknowns * unknowns).map(|at| {
                let (i, j) = (at / unknowns, at % unknowns);
                let ridge = if i == j { ridges[i] } else { 0.0 };
                (inner(column(i), column(j)) + ridge).powi(2)
            });
            let norm = square.sum::<f64>().sqrt();
            let factor = DualFactor::new(column, rows, &ridges).unwrap();
            assert!(factor.size >= norm, "{} {norm}", factor.size);
            assert!(factor.size <= 2.0 * norm, "{} {norm}", factor.size);
        }
    }

    #[test]
    fn a_ridge_that_would_lose_digits_is_declined() {
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let column = |at: usize| &x[2 * at..2 * at + 2];
        assert!(DualFactor::new(column, 2, &[1e-9; 6]).is_none());
        assert!(DualFactor::new(column, 2, &[0.0; 6]).is_none());
        // The limit of f64 is rounding in f32.
        let single: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let single = |at: usize| &single[2 * at..2 * at + 2];
        assert!(DualFactor::new(column, 2, &[1e-3; 6]).is_some());
        assert!(DualFactor::new(single, 2, &[1e-3; 6]).is_none());
        assert!(DualFactor::new(single, 2, &[1.0; 6]).is_some());
        assert!(is_cheaper(100, 400) && !is_cheaper(100, 150));
    }
}
