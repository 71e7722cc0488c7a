//! Half the Tweedie deviance of a power 1 < p < 2, y ≥ 0, of the mean exp(z).
//!
//! With a = 2 − p, c = p − 1 and u = z − log y,
//!
//! ```text
//! value y^a [(exp(au) − 1)/a + (exp(−cu) − 1)/c]      (y = 0: exp(az)/a)
//! residual exp(az) − y exp(−cz)      curvature a exp(az) + c y exp(−cz)      majorant max(curvature, y^a)
//! conjugate tz − ℓ(z) where residual(z) = t
//! ```
//!
//! The curvature is at most mℓ + y^a k with k the largest value of m/(ac) − αq^a − βq^(−c) over q = exp(u),
//! α = m/a − a, β = m/c − c; it is that of q = cβ/(aα). For p = 1 this is the Poisson loss, for p = 2 the
//! Gamma loss.

use super::RowLoss;
use super::log_link::{held, over};
use crate::real::Real;

/// Steps to the predictor of a residual: each doubles the digits near the end, or halves an interval.
const STEPS: usize = 100;

/// The row of the Tweedie loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tweedie {
    /// p, between 1 and 2.
    pub power: f64,
}

impl Tweedie {
    /// exp(az) and y exp(−cz).
    #[inline(always)]
    fn terms<R: Real>(self, z: R, y: R) -> (R, R) {
        let (a, c) = self.exponents::<R>();
        let z = held(z);
        (
            num_traits::Float::exp(a * z),
            y * num_traits::Float::exp(-c * z),
        )
    }

    /// a and c.
    #[inline(always)]
    fn exponents<R: Real>(self) -> (R, R) {
        (R::of(2.0 - self.power), R::of(self.power - 1.0))
    }

    /// The z at which the residual is t, which grows with z.
    fn predictor<R: Real>(self, t: R, y: R) -> R {
        let limit = held(R::infinity());
        let (mut low, mut high) = (-limit, limit);
        let mut z = if y > R::zero() {
            held(num_traits::Float::ln(y))
        } else {
            R::zero()
        };
        for _ in 0..STEPS {
            let excess = self.residual(z, y) - t;
            if excess > R::zero() {
                high = z;
            } else if excess < R::zero() {
                low = z;
            } else {
                break;
            }
            let newton = z - excess / self.curvature(z, y);
            let next = if newton > low && newton < high {
                newton
            } else {
                R::of(0.5) * (low + high)
            };
            if next == z {
                break;
            }
            z = next;
        }
        z
    }
}

impl RowLoss for Tweedie {
    #[inline(always)]
    fn value<R: Real>(self, z: R, y: R) -> R {
        let (a, c) = self.exponents::<R>();
        if y > R::zero() {
            let u = over(z, y);
            let parts =
                num_traits::Float::exp_m1(a * u) / a + num_traits::Float::exp_m1(-c * u) / c;
            self.curvature_at_best(y) * parts
        } else {
            num_traits::Float::exp(a * held(z)) / a
        }
    }

    #[inline(always)]
    fn residual<R: Real>(self, z: R, y: R) -> R {
        let (up, down) = self.terms(z, y);
        up - down
    }

    #[inline(always)]
    fn curvature<R: Real>(self, z: R, y: R) -> R {
        let (a, c) = self.exponents::<R>();
        let (up, down) = self.terms(z, y);
        a * up + c * down
    }

    #[inline(always)]
    fn target_pull<R: Real>(self, z: R, _y: R) -> R {
        self.terms(z, R::one()).1
    }

    #[inline(always)]
    fn majorant<R: Real>(self, z: R, y: R) -> R {
        let (curvature, best) = (self.curvature(z, y), self.curvature_at_best(y));
        if curvature < best { best } else { curvature }
    }

    #[inline(always)]
    fn curvature_at_best<R: Real>(self, y: R) -> R {
        num_traits::Float::powf(y, R::of(2.0 - self.power))
    }

    fn curvature_beyond(self, m: f64) -> f64 {
        let (a, c) = (2.0 - self.power, self.power - 1.0);
        let (alpha, beta) = (m / a - a, m / c - c);
        let q = c * beta / (a * alpha);
        (m / (a * c) - alpha * q.powf(a) - beta * q.powf(-c)).max(0.0)
    }

    fn conjugate<R: Real>(self, t: R, y: R) -> R {
        if y <= R::zero() && t <= R::zero() {
            // Where z falls without end.
            return R::zero();
        }
        let z = self.predictor(t, y);
        t * z - self.value(z, y)
    }
}
