//! Origins that targets are measured from.
//!
//! An intercept takes whatever is subtracted from all targets of a loss of z − y. Taken off before,
//! a mean that is much larger than what the target varies by costs no digits, and a target that does
//! not vary leaves exact zeros.

use super::rows::Rows;
use crate::data::design::Scaling;
use crate::model::loss::Loss;

/// A mean beyond this many standard deviations is subtracted: it would cost five digits and more.
const FAR: f64 = 1e5;

/// The origin of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetOrigin {
    /// The number subtracted from the target's values; 0 where nothing was.
    pub value: f64,
    /// True when the target does not vary over the training rows and an intercept takes it whole.
    pub is_all: bool,
}

impl TargetOrigin {
    /// Nothing subtracted.
    pub const ZERO: Self = Self {
        value: 0.0,
        is_all: false,
    };

    /// That of a training target under weights with mean 1.
    fn of(target: &[f64], weights: &[f64]) -> Self {
        let rows = || target.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let Some((&first, _)) = rows().next() else {
            return Self::ZERO;
        };
        if rows().all(|(&y, _)| y == first) {
            return Self {
                value: first,
                is_all: true,
            };
        }
        let n = target.len() as f64;
        // From the first value: sums of differences are small where the mean is large.
        let mean = first + rows().map(|(y, w)| w * (y - first)).sum::<f64>() / n;
        let variance = rows().map(|(y, w)| w * (y - mean).powi(2)).sum::<f64>() / n;
        if mean.is_finite() && mean.abs() > FAR * variance.sqrt() {
            Self {
                value: mean,
                is_all: false,
            }
        } else {
            Self::ZERO
        }
    }
}

/// Subtracts the origins of the training targets from training and validation rows, where an
/// intercept takes them, and returns them.
pub(super) fn subtract_origins(
    train: &mut Rows,
    validation: Option<&mut Rows>,
    weights: &[f64],
    losses: [Loss; 2],
    scaling: Scaling,
) -> Vec<TargetOrigin> {
    let by_difference = |loss: Loss| matches!(loss, Loss::Squared | Loss::Huber { .. });
    if !scaling.intercept || !losses.into_iter().all(by_difference) {
        return vec![TargetOrigin::ZERO; train.targets.len()];
    }
    let of = |target: &Vec<f64>| TargetOrigin::of(target, weights);
    let origins: Vec<TargetOrigin> = train.targets.iter().map(of).collect();
    for rows in std::iter::once(train).chain(validation) {
        for (target, origin) in rows.targets.iter_mut().zip(&origins) {
            target.iter_mut().for_each(|y| *y -= origin.value);
        }
    }
    origins
}
