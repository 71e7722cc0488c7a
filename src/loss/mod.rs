//! Losses: value, residual and curvature of one row, as functions of its linear predictor.
//!
//! With `z_i = x_i·w` the linear predictor and `s_i` the sample weights, every loss is
//! `(1/n) Σ s_i ℓ(z_i, y_i)` (the half of the squared losses is inside ℓ), its gradient is
//! `Xᵀ(s∘r)/n` with the residual `r_i = ∂ℓ/∂z`, and its Hessian-vector product `Xᵀ(s∘h∘(Xv))/n`
//! with the row curvature `h_i = ∂²ℓ/∂z²`. The quadratic form `½wᵀQw − bᵀw` has no rows: its
//! design is Q, its targets are b, its gradient is `Qw − b`.

use crate::real::Real;

pub mod softmax;

/// The loss of the inner problem, or of the criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// ½(z − y)².
    Squared,
    /// log(1 + exp(−yz)), y ∈ {−1, 1}.
    Logistic,
    /// Cross-entropy of softmax(z), z ∈ Rᶜ; y is a class index 0..c.
    Multinomial,
    /// ½e² for |e| ≤ δ, δ|e| − ½δ² beyond; e = z − y.
    Huber {
        /// Where the loss turns from quadratic to linear, in units of the target.
        delta: f64,
    },
    /// ½max(0, 1 − yz)², y ∈ {−1, 1}.
    SquaredHinge,
    /// ½wᵀQw − bᵀw: the dual of a support vector machine with the box penalty.
    Quadratic,
}

/// σ(t) = 1/(1 + exp(−t)), without overflow.
#[inline(always)]
pub fn sigmoid<R: Real>(t: R) -> R {
    let tail = num_traits::Float::exp(-num_traits::Float::abs(t));
    if t >= R::zero() {
        R::one() / (R::one() + tail)
    } else {
        tail / (R::one() + tail)
    }
}

/// log(1 + exp(t)), without overflow and without cancellation.
#[inline(always)]
pub fn softplus<R: Real>(t: R) -> R {
    let positive = if t > R::zero() { t } else { R::zero() };
    // The comparison turns a NaN into 0; the exponential keeps it.
    positive + num_traits::Float::ln_1p(num_traits::Float::exp(-num_traits::Float::abs(t)))
}

impl Loss {
    /// The name that flags, tables and JSON use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Squared => "squared",
            Self::Logistic => "logistic",
            Self::Multinomial => "multinomial",
            Self::Huber { .. } => "huber",
            Self::SquaredHinge => "squared-hinge",
            Self::Quadratic => "quadratic",
        }
    }

    /// True for losses whose targets are two classes, encoded as −1 and 1.
    #[must_use]
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Logistic | Self::SquaredHinge)
    }

    /// True for losses whose targets are classes of any number.
    #[must_use]
    pub fn is_classification(self) -> bool {
        self.is_binary() || self == Self::Multinomial
    }

    /// True when the gradient is affine in w, so that the Hessian is the same everywhere.
    #[must_use]
    pub fn is_quadratic(self) -> bool {
        matches!(self, Self::Squared | Self::Quadratic)
    }

    /// The largest row curvature: the Hessian is at most this times XᵀSX/n.
    ///
    /// 1, logistic ¼, multinomial ½ (Böhning 1992).
    #[must_use]
    pub fn curvature_bound(self) -> f64 {
        match self {
            Self::Logistic => 0.25,
            Self::Multinomial => 0.5,
            _ => 1.0,
        }
    }

    /// ℓ(z, y) of one row; the quadratic form's is its share `½ z w − b w` and not available here.
    ///
    /// Multinomial rows have c predictors: see [`softmax`].
    #[inline(always)]
    pub fn value<R: Real>(self, z: R, y: R) -> R {
        let half = R::of(0.5);
        match self {
            Self::Squared => half * (z - y) * (z - y),
            Self::Logistic => softplus(-y * z),
            Self::Huber { delta } => {
                let (e, delta) = (num_traits::Float::abs(z - y), R::of(delta));
                if e <= delta {
                    half * e * e
                } else {
                    delta * e - half * delta * delta
                }
            }
            Self::SquaredHinge => {
                let slack = R::one() - y * z;
                if slack <= R::zero() {
                    R::zero()
                } else {
                    half * slack * slack
                }
            }
            Self::Multinomial | Self::Quadratic => R::nan(),
        }
    }

    /// ℓ of one row with all its predictors: c of them for multinomial rows, else 1.
    #[must_use]
    pub fn row_value(self, z: &[f64], y: f64) -> f64 {
        match self {
            Self::Multinomial => softmax::cross_entropy(z, y as usize),
            loss => loss.value(z[0], y),
        }
    }

    /// r = ∂ℓ/∂z of one row. For the quadratic form with z = (Qw)_i, y = b_i it is (Qw − b)_i.
    #[inline(always)]
    pub fn residual<R: Real>(self, z: R, y: R) -> R {
        match self {
            Self::Squared | Self::Quadratic => z - y,
            Self::Logistic => -y * sigmoid(-y * z),
            Self::Huber { delta } => {
                let (e, delta) = (z - y, R::of(delta));
                if e > delta {
                    delta
                } else if e < -delta {
                    -delta
                } else {
                    e
                }
            }
            Self::SquaredHinge => {
                let slack = R::one() - y * z;
                if slack <= R::zero() {
                    R::zero()
                } else {
                    -y * slack
                }
            }
            Self::Multinomial => R::nan(),
        }
    }

    /// h = ∂²ℓ/∂z² of one row: an element of the Clarke Jacobian where the residual has a kink.
    #[inline(always)]
    pub fn curvature<R: Real>(self, z: R, y: R) -> R {
        match self {
            Self::Squared | Self::Quadratic => R::one(),
            Self::Logistic => {
                // σ(z)σ(−z) = e/(1 + e)², e = exp(−|z|): one exponential, no overflow.
                let tail = num_traits::Float::exp(-num_traits::Float::abs(z));
                tail / ((R::one() + tail) * (R::one() + tail))
            }
            Self::Huber { delta } => {
                if num_traits::Float::abs(z - y) <= R::of(delta) {
                    R::one()
                } else {
                    R::zero()
                }
            }
            Self::SquaredHinge => {
                if y * z < R::one() {
                    R::one()
                } else {
                    R::zero()
                }
            }
            Self::Multinomial => R::nan(),
        }
    }

    /// Distance of (z, y) to the residual's nearest kink, infinite for smooth losses.
    #[inline(always)]
    pub fn kink_distance<R: Real>(self, z: R, y: R) -> R {
        match self {
            Self::Huber { delta } => {
                num_traits::Float::abs(num_traits::Float::abs(z - y) - R::of(delta))
            }
            Self::SquaredHinge => num_traits::Float::abs(R::one() - y * z),
            _ => R::infinity(),
        }
    }
}
