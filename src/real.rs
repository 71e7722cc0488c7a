//! The arithmetic that algorithms are generic over: `f32` and `f64`.

use std::iter::Sum;

use crate::kinds::Precision;

mod sealed {
    /// Marks the two types that implement [`Real`](super::Real).
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A type for every precision, such as `&[R]`: what [`Real::in_f64`], [`Real::from_f32`] and
/// [`Real::from_f64`] see as the same where the precisions are the same.
pub trait Family {
    /// The type for R.
    type Of<R: Real>;
}

/// The family of shared slices.
pub struct Slices<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Family for Slices<'a> {
    type Of<R: Real> = &'a [R];
}

/// The family of mutable slices.
pub struct SlicesMut<'a>(std::marker::PhantomData<&'a mut ()>);

impl<'a> Family for SlicesMut<'a> {
    type Of<R: Real> = &'a mut [R];
}

/// A real number type: `f32`, the arithmetic of the GPU, or `f64`, the truth.
pub trait Real:
    sealed::Sealed
    + num_traits::Float
    + num_traits::NumAssign
    + Sum
    + faer::traits::RealField
    + Send
    + Sync
    + std::fmt::Display
    + 'static
{
    /// The type as users name it.
    const PRECISION: Precision;

    /// The nearest value to an `f64`.
    fn of(value: f64) -> Self;

    /// The value as `f64`, exactly.
    fn to_f64(self) -> f64;

    /// The same object, where R is `f64`; else it comes back as it is.
    fn in_f64<F: Family>(of_own: F::Of<Self>) -> Result<F::Of<f64>, F::Of<Self>>;

    /// The same object, where R is `f32`; else it comes back as it is.
    fn from_f32<F: Family>(of_f32: F::Of<f32>) -> Result<F::Of<Self>, F::Of<f32>>;

    /// The same object, where R is `f64`; else it comes back as it is.
    fn from_f64<F: Family>(of_f64: F::Of<f64>) -> Result<F::Of<Self>, F::Of<f64>>;

    /// `self · factor + term`: fused where `FUSED`, which callers set on machines that have the
    /// instruction (elsewhere a fused product is a slow library call).
    #[inline(always)]
    fn multiply_add<const FUSED: bool>(self, factor: Self, term: Self) -> Self {
        if FUSED {
            num_traits::Float::mul_add(self, factor, term)
        } else {
            self * factor + term
        }
    }
}

/// The shortest text that reads back to the same number.
#[must_use]
pub fn shortest(value: f64) -> String {
    if value == 0.0 || (1e-5..1e16).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

impl Real for f32 {
    const PRECISION: Precision = Precision::F32;

    fn in_f64<F: Family>(of_own: F::Of<Self>) -> Result<F::Of<f64>, F::Of<Self>> {
        Err(of_own)
    }

    fn from_f32<F: Family>(of_f32: F::Of<f32>) -> Result<F::Of<Self>, F::Of<f32>> {
        Ok(of_f32)
    }

    fn from_f64<F: Family>(of_f64: F::Of<f64>) -> Result<F::Of<Self>, F::Of<f64>> {
        Err(of_f64)
    }

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const PRECISION: Precision = Precision::F64;

    fn in_f64<F: Family>(of_own: F::Of<Self>) -> Result<F::Of<f64>, F::Of<Self>> {
        Ok(of_own)
    }

    fn from_f32<F: Family>(of_f32: F::Of<f32>) -> Result<F::Of<Self>, F::Of<f32>> {
        Err(of_f32)
    }

    fn from_f64<F: Family>(of_f64: F::Of<f64>) -> Result<F::Of<Self>, F::Of<f64>> {
        Ok(of_f64)
    }

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

/// A slice of `f64` in another precision.
pub fn convert<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&value| R::of(value)).collect()
}

/// A slice of any precision as `f64`.
pub fn widen<R: Real>(values: &[R]) -> Vec<f64> {
    values.iter().map(|&value| value.to_f64()).collect()
}

/// Σ term(i) for i < `count`.
#[inline(always)]
pub(crate) fn sum_of(count: usize, term: impl Fn(usize) -> f64) -> f64 {
    in_lanes(count, 0.0, term, |sum, term| sum + term)
}

/// The largest term(i) for i < `count`, and 0 where all are below; a NaN is passed over.
#[inline(always)]
pub(crate) fn largest_of(count: usize, term: impl Fn(usize) -> f64) -> f64 {
    let larger = |largest, term| if term > largest { term } else { largest };
    in_lanes(count, 0.0, term, larger)
}

/// A fold in eight lanes side by side: none waits for the last one's term. The bits depend on the terms
/// alone.
#[inline(always)]
fn in_lanes(
    count: usize,
    start: f64,
    term: impl Fn(usize) -> f64,
    join: impl Fn(f64, f64) -> f64,
) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [start; LANES];
    let whole = count / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            lanes[lane] = join(lanes[lane], term(first + lane));
        }
    }
    for at in whole..count {
        lanes[at - whole] = join(lanes[at - whole], term(at));
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    join(join(join(a, e), join(c, g)), join(join(b, f), join(d, h)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_take_every_term_once() {
        let term = |i: usize| ((i * 7 + 3) % 11) as f64 - 5.0;
        for count in [0, 1, 7, 8, 9, 40, 101] {
            let plain: Vec<f64> = (0..count).map(term).collect();
            assert_eq!(sum_of(count, term), plain.iter().sum::<f64>());
            assert_eq!(
                largest_of(count, term),
                plain.iter().copied().fold(0.0, f64::max)
            );
        }
    }

    #[test]
    fn a_nan_survives_a_sum_and_is_no_largest() {
        let term = |i: usize| if i == 13 { f64::NAN } else { i as f64 };
        assert!(sum_of(20, term).is_nan());
        assert_eq!(largest_of(20, term), 19.0);
    }
}
