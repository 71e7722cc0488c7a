//! The arithmetic that algorithms are generic over: `f32` and `f64`.

use std::iter::Sum;

/// A real number type: `f32`, the arithmetic of the GPU, or `f64`, the truth.
pub trait Real:
    num_traits::Float
    + num_traits::NumAssign
    + Sum
    + faer::traits::RealField
    + Send
    + Sync
    + std::fmt::Display
    + 'static
{
    /// The type's name as users write it: `f32` or `f64`.
    const NAME: &'static str;

    /// The nearest value to an `f64`.
    fn of(value: f64) -> Self;

    /// The value as `f64`, exactly.
    fn to_f64(self) -> f64;

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

impl Real for f32 {
    const NAME: &'static str = "f32";

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
    const NAME: &'static str = "f64";

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
