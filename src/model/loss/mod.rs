//! Losses: value, residual and curvature of one row, as functions of its linear predictor.
//!
//! With `z_i = x_i·w` the linear predictor and `s_i` the sample weights, every loss is
//! `(1/n) Σ s_i ℓ(z_i, y_i)` (the half of the squared losses is inside ℓ), its gradient is
//! `Xᵀ(s∘r)/n` with the residual `r_i = ∂ℓ/∂z`, and its Hessian-vector product `Xᵀ(s∘h∘(Xv))/n`
//! with the row curvature `h_i = ∂²ℓ/∂z²`. The quadratic form `½wᵀQw − bᵀw` has no rows: its
//! design is Q, its targets are b, its gradient is `Qw − b`. math.md §2.
//!
//! Losses with one predictor per row are the table [`RowLoss`]; the multinomial loss has c
//! predictors per row: [`multinomial`].

use crate::real::{Real, sum_of};

mod gamma;
mod huber;
mod log_link;
mod logistic;
pub mod multinomial;
mod poisson;
mod row;
mod scalar;
mod squared;
mod squared_hinge;
mod tweedie;

#[cfg(test)]
mod tests;

pub use gamma::Gamma;
pub use huber::Huber;
pub use logistic::{Logistic, sigmoid, softplus};
pub use poisson::Poisson;
pub use row::RowLoss;
pub use scalar::ScalarLoss;
pub use squared::Squared;
pub use squared_hinge::SquaredHinge;
pub use tweedie::Tweedie;

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
    /// Half the Poisson deviance of the mean exp(z), y ≥ 0.
    Poisson,
    /// Half the Gamma deviance of the mean exp(z), y > 0.
    Gamma,
    /// Half the Tweedie deviance of the mean exp(z), y ≥ 0: a sum of a random number of positive amounts.
    Tweedie {
        /// p of the variance μᵖ, between 1 (Poisson) and 2 (Gamma), both excluded.
        power: f64,
    },
}

impl Loss {
    /// All losses; Huber's δ is 1, Tweedie's p 1.5.
    pub const ALL: [Self; 9] = [
        Self::Squared,
        Self::Logistic,
        Self::Multinomial,
        Self::Huber { delta: 1.0 },
        Self::SquaredHinge,
        Self::Quadratic,
        Self::Poisson,
        Self::Gamma,
        Self::Tweedie { power: 1.5 },
    ];

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
            Self::Poisson => "poisson",
            Self::Gamma => "gamma",
            Self::Tweedie { .. } => "tweedie",
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

    /// True for losses of a mean exp(z) that is positive: Poisson, Gamma and Tweedie.
    #[must_use]
    pub fn has_log_link(self) -> bool {
        matches!(self, Self::Poisson | Self::Gamma | Self::Tweedie { .. })
    }

    /// The degree of the deviance in targets and means, d(cy, cμ) = c^degree d(y, μ): 2 − p with the variance μᵖ;
    /// `None` without a log link.
    #[must_use]
    pub fn deviance_degree(self) -> Option<f64> {
        match self {
            Self::Poisson => Some(1.0),
            Self::Gamma => Some(0.0),
            Self::Tweedie { power } => Some(2.0 - power),
            _ => None,
        }
    }

    /// True for losses whose targets are numbers, which predictions are compared with by their size.
    #[must_use]
    pub fn predicts_numbers(self) -> bool {
        self.is_regression() || self.has_log_link()
    }

    /// The mean that a linear predictor stands for: exp(z) with a log link, else z itself.
    #[must_use]
    pub fn mean(self, z: f64) -> f64 {
        if self.has_log_link() { z.exp() } else { z }
    }

    /// The linear predictor of a mean: its logarithm with a log link, itself for the losses of a
    /// difference, 0 for classes.
    #[must_use]
    pub fn predictor_of_mean(self, mean: f64) -> f64 {
        if self.has_log_link() {
            mean.ln()
        } else if self.is_regression() {
            mean
        } else {
            0.0
        }
    }

    /// True for losses with rows along which they fall for ever, so that without a penalty the minimum may be
    /// at infinity though the gradient vanishes.
    #[must_use]
    pub fn may_fall_without_end(self) -> bool {
        matches!(
            self,
            Self::Logistic | Self::Multinomial | Self::Poisson | Self::Tweedie { .. }
        )
    }

    /// The largest row curvature: the Hessian is at most this times XᵀSX/n. `None` where it has no bound.
    ///
    /// 1, logistic ¼, multinomial ½ (Böhning 1992).
    #[must_use]
    pub fn curvature_bound(self) -> Option<f64> {
        match self {
            Self::Logistic => Some(0.25),
            Self::Multinomial => Some(0.5),
            loss => (!loss.has_log_link()).then_some(1.0),
        }
    }

    /// The row of the table, for losses with one predictor per row; `None` for the multinomial loss
    /// and the quadratic form.
    #[inline(always)]
    #[must_use]
    pub fn scalar(self) -> Option<ScalarLoss> {
        match self {
            Self::Squared => Some(ScalarLoss::Squared(Squared)),
            Self::Logistic => Some(ScalarLoss::Logistic(Logistic)),
            Self::Huber { delta } => Some(ScalarLoss::Huber(Huber { delta })),
            Self::SquaredHinge => Some(ScalarLoss::SquaredHinge(SquaredHinge)),
            Self::Poisson => Some(ScalarLoss::Poisson(Poisson)),
            Self::Gamma => Some(ScalarLoss::Gamma(Gamma)),
            Self::Tweedie { power } => Some(ScalarLoss::Tweedie(Tweedie { power })),
            Self::Multinomial | Self::Quadratic => None,
        }
    }

    /// The row whose residual and curvature are those of this loss: for the quadratic form with
    /// z = (Qw)_i and y = b_i that of the squared loss, whose residual is (Qw − b)_i. `None` for
    /// the multinomial loss.
    #[inline(always)]
    #[must_use]
    pub fn residual_row(self) -> Option<ScalarLoss> {
        match self {
            Self::Quadratic => Self::Squared.scalar(),
            loss => loss.scalar(),
        }
    }

    /// ℓ of one row with all its predictors: c of them for multinomial rows, else 1. `None` for the
    /// quadratic form, which has no rows.
    #[must_use]
    pub fn row_value<R: Real>(self, z: &[R], y: f64) -> Option<R> {
        match self.scalar() {
            Some(row) => Some(row.value(z[0], R::of(y))),
            None => (self == Self::Multinomial).then(|| multinomial::cross_entropy(z, y as usize)),
        }
    }

    /// z ← r = ∂ℓ/∂z of one row with all its predictors.
    #[inline(always)]
    pub fn residual_in_place<R: Real>(self, z: &mut [R], y: R) {
        match self.residual_row() {
            Some(row) => z[0] = row.residual(z[0], y),
            None => multinomial::residual_in_place(z, y.to_f64() as usize),
        }
    }

    /// Σ over rows of ℓ*(t_i), weighted; t has all predictors of row after row. `None` for the
    /// quadratic form.
    #[must_use]
    pub fn conjugate(self, t: &[f64], y: &[f64], weights: &[f64]) -> Option<f64> {
        match self.scalar() {
            Some(row) => Some(sum_of(t.len(), |i| weights[i] * row.conjugate(t[i], y[i]))),
            None if self == Self::Multinomial => {
                let c = t.len() / y.len().max(1);
                let of_row =
                    |i: usize| multinomial::conjugate(&t[i * c..(i + 1) * c], y[i] as usize);
                Some(sum_of(y.len(), |i| weights[i] * of_row(i)))
            }
            None => None,
        }
    }

    /// An interval that holds the best intercept of targets between `low` and `high`.
    #[must_use]
    pub fn intercept_bracket(self, low: f64, high: f64) -> (f64, f64) {
        match self {
            // Log-odds past 40 are beyond the rounding of the probability.
            Self::Logistic => (-40.0, 40.0),
            Self::SquaredHinge => (-1.0, 1.0),
            _ => (low, high),
        }
    }

    /// True for the losses of a difference z − y, whose targets may be moved with an intercept.
    #[must_use]
    pub fn is_regression(self) -> bool {
        matches!(self, Self::Squared | Self::Huber { .. })
    }

    /// The row of a loss whose residual has kinks, and how far they lie from zero in units of its
    /// argument; `None` for smooth losses.
    #[must_use]
    pub fn kinks(self) -> Option<(ScalarLoss, f64)> {
        match self {
            Self::Huber { delta } => Some((self.scalar()?, delta)),
            Self::SquaredHinge => Some((self.scalar()?, 1.0)),
            _ => None,
        }
    }

    /// The number by which kernels know the loss.
    #[must_use]
    pub fn tag(self) -> u32 {
        match self {
            Self::Squared => 0,
            Self::Logistic => 1,
            Self::Multinomial => 2,
            Self::Huber { .. } => 3,
            Self::SquaredHinge => 4,
            Self::Quadratic => 5,
            Self::Poisson => 6,
            Self::Gamma => 7,
            Self::Tweedie { .. } => 8,
        }
    }

    /// The number that shapes the loss: Huber's δ, Tweedie's p; 1 for the others.
    #[must_use]
    pub fn shape(self) -> f64 {
        match self {
            Self::Huber { delta } => delta,
            Self::Tweedie { power } => power,
            _ => 1.0,
        }
    }

    /// The loss of a tag and a shape, the inverse of [`Self::tag`] and [`Self::shape`].
    ///
    /// # Panics
    /// When no loss has the tag.
    #[must_use]
    pub fn of_tag(tag: u32, shape: f64) -> Self {
        match Self::ALL.into_iter().find(|loss| loss.tag() == tag) {
            Some(Self::Huber { .. }) => Self::Huber { delta: shape },
            Some(Self::Tweedie { .. }) => Self::Tweedie { power: shape },
            Some(loss) => loss,
            None => panic!("{tag} is the tag of no loss"),
        }
    }
}
