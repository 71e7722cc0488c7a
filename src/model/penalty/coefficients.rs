//! Bounds of a penalty's coefficients: common ones, or one pair for each.

use super::Penalty;
use crate::error::{Error, Result};

impl Penalty {
    /// Absolute values with lower_j ≤ w_j ≤ upper_j, in place of a penalty of absolute values.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another penalty.
    pub fn within(self, lower: Vec<f64>, upper: Vec<f64>) -> Result<Self> {
        let strengths = match self {
            Self::ElasticNet => None,
            Self::Weighted { strengths } => Some(strengths),
            Self::Bounded { strengths, .. } => strengths,
            other => {
                return Err(Error::unsupported(
                    format!("bounds of coefficients with the {} penalty", other.name()),
                    "use the elastic net or the weighted penalty",
                ));
            }
        };
        Ok(Self::Bounded {
            strengths,
            lower,
            upper,
        })
    }

    /// A penalty of absolute values with a strength of its own for every coefficient, and with the same
    /// bounds; `None` for other penalties.
    #[must_use]
    pub fn weighted_by(&self, strengths: Vec<f64>) -> Option<Self> {
        match self {
            Self::ElasticNet | Self::Weighted { .. } => Some(Self::Weighted { strengths }),
            Self::Bounded { lower, upper, .. } => Some(Self::Bounded {
                strengths: Some(strengths),
                lower: lower.clone(),
                upper: upper.clone(),
            }),
            _ => None,
        }
    }

    /// True where there are bounds to differentiate in.
    #[must_use]
    pub fn has_bounds(&self) -> bool {
        matches!(self, Self::Box { .. } | Self::Bounded { .. })
    }

    /// Lower and upper bound: those that all coordinates share, or one pair after another; empty without
    /// bounds to differentiate in.
    #[must_use]
    pub fn bounds(&self) -> Vec<f64> {
        match self {
            Self::Box { lower, upper } => vec![*lower, *upper],
            Self::Bounded { lower, upper, .. } => {
                let pairs = lower.iter().zip(upper);
                pairs.flat_map(|(lower, upper)| [*lower, *upper]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// True where w = 0 lies within the bounds.
    #[must_use]
    pub fn allows_zero(&self) -> bool {
        let mut pairs = self.bounds().into_iter();
        std::iter::from_fn(|| Some([pairs.next()?, pairs.next()?]))
            .all(|[lower, upper]| lower <= 0.0 && upper >= 0.0)
    }

    /// The coefficients that are nearest to zero within the bounds.
    #[must_use]
    pub fn nearest_to_zero(&self, penalized: usize) -> Vec<f64> {
        let penalties = self.block_penalties(penalized, 0.0);
        match self.groups() {
            None => penalties
                .iter()
                .map(|p| p.coordinate.feasible(0.0))
                .collect(),
            Some(_) => vec![0.0; penalized],
        }
    }

    /// The bounds of coefficients of the data's units as those of columns that were divided by `scale`, where
    /// each column has `classes` coefficients.
    #[must_use]
    pub(crate) fn scaled(mut self, scale: &[f64], classes: usize) -> Self {
        if let Self::Bounded { lower, upper, .. } = &mut self {
            for bounds in [lower, upper] {
                for (of_column, scale) in bounds.chunks_exact_mut(classes).zip(scale) {
                    of_column.iter_mut().for_each(|bound| *bound *= scale);
                }
            }
        }
        self
    }

    /// The inverse of [`Self::scaled`].
    #[must_use]
    pub(crate) fn unscaled(self, scale: &[f64], classes: usize) -> Self {
        let inverse: Vec<f64> = scale.iter().map(|scale| scale.recip()).collect();
        self.scaled(&inverse, classes)
    }

    /// Checks bounds for `penalized` coordinates.
    pub(super) fn check_bounds(&self, penalized: usize) -> Result<()> {
        let is_interval = |lower: f64, upper: f64| {
            lower <= upper && lower < f64::INFINITY && upper > f64::NEG_INFINITY
        };
        match self {
            Self::Box { lower, upper } if !is_interval(*lower, *upper) => Err(Error::value(
                "box",
                format!("{lower}:{upper} is not an interval"),
                "give LO:HI with LO at most HI",
            )),
            Self::Bounded { lower, upper, .. } => {
                for bounds in [lower, upper] {
                    if bounds.len() != penalized {
                        return Err(Error::shape(
                            "coefficient bounds",
                            format!("{penalized}, one per coordinate"),
                            bounds.len().to_string(),
                            "give a lower and an upper bound for every coefficient",
                        ));
                    }
                }
                let mut pairs = lower.iter().zip(upper);
                match pairs.position(|(lower, upper)| !is_interval(*lower, *upper)) {
                    None => Ok(()),
                    Some(at) => Err(Error::value(
                        "coefficient bounds",
                        format!(
                            "those of coefficient {}, {} and {}, hold no number between them",
                            at + 1,
                            lower[at],
                            upper[at]
                        ),
                        "give a lower bound that is at most the upper one; -inf and inf are no bounds",
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}
