//! The box of the variables, and the projections onto it.

use crate::error::{Error, Result};
use crate::real::largest_of;

/// Lower and upper bounds of every variable, in the search's own units.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxBounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl BoxBounds {
    /// A box.
    ///
    /// # Errors
    /// [`Error::Shape`] for sides of different lengths, [`Error::Value`] where a lower bound is not
    /// below its upper one.
    pub fn new(lower: Vec<f64>, upper: Vec<f64>) -> Result<Self> {
        if lower.len() != upper.len() {
            return Err(Error::shape(
                "upper bounds",
                lower.len().to_string(),
                upper.len().to_string(),
                "give one upper bound per lower bound",
            ));
        }
        for (at, (lower, upper)) in lower.iter().zip(&upper).enumerate() {
            if !(lower < upper && lower.is_finite() && upper.is_finite()) {
                return Err(Error::value(
                    "bounds",
                    format!("variable {at} has {lower} to {upper}"),
                    "give finite bounds, the lower one first and smaller",
                ));
            }
        }
        Ok(Self { lower, upper })
    }

    /// Number of variables.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.lower.len()
    }

    /// The lower bounds.
    #[must_use]
    pub fn lower(&self) -> &[f64] {
        &self.lower
    }

    /// The upper bounds.
    #[must_use]
    pub fn upper(&self) -> &[f64] {
        &self.upper
    }

    /// The nearest place of the box; NaN survives.
    pub(super) fn clamp(&self, place: &[f64]) -> Vec<f64> {
        let each = place.iter().zip(&self.lower).zip(&self.upper);
        each.map(|((x, lower), upper)| x.clamp(*lower, *upper))
            .collect()
    }

    /// Whether a slope presses a variable against the bound that it lies on.
    pub(super) fn presses(&self, at: usize, place: &[f64], slope: &[f64]) -> bool {
        is_held([self.lower[at], self.upper[at]], place[at], slope[at])
    }

    /// The variables that no bound holds.
    pub(super) fn free(&self, place: &[f64], slope: &[f64]) -> Vec<bool> {
        (0..place.len())
            .map(|at| !self.presses(at, place, slope))
            .collect()
    }

    /// The largest entry of the slope over the variables that no bound holds.
    pub(super) fn projected_slope(&self, place: &[f64], slope: &[f64]) -> f64 {
        largest_of(place.len(), |at| {
            if self.presses(at, place, slope) {
                0.0
            } else {
                slope[at].abs()
            }
        })
    }
}

/// Whether a slope presses a value against the one of two bounds that it lies on.
pub(super) fn is_held([lower, upper]: [f64; 2], value: f64, slope: f64) -> bool {
    (value <= lower && slope > 0.0) || (value >= upper && slope < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_what_presses_against_it() {
        let bounds = BoxBounds::new(vec![0.0, 0.0], vec![1.0, 2.0]).unwrap();
        assert_eq!(bounds.clamp(&[-1.0, 3.0]), [0.0, 2.0]);
        assert_eq!(bounds.projected_slope(&[0.0, 2.0], &[5.0, -7.0]), 0.0);
        assert_eq!(bounds.projected_slope(&[0.0, 2.0], &[-5.0, -7.0]), 5.0);
        assert_eq!(bounds.projected_slope(&[0.5, 1.0], &[-5.0, -7.0]), 7.0);
        assert_eq!(bounds.free(&[0.0, 2.0], &[5.0, 7.0]), [false, true]);
    }

    #[test]
    fn an_empty_box_is_refused() {
        for (lower, upper) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(BoxBounds::new(vec![lower], vec![upper]).is_err());
        }
        assert!(BoxBounds::new(vec![0.0], Vec::new()).is_err());
    }
}
