//! Penalties: the outer map G (the prox of γ·penalty), its derivative D = ∂G and ∂₂G.
//!
//! The ridge term ½λ₂‖w − c‖² sits in the inner map T, not here. Everything is taken at
//! `u = T(w)`, with the strict comparison |u| > τ, so that the selection at a kink is the same in w
//! and in λ. The functions of this module are the scalar table; kernels and the coordinate-descent
//! path share it. Coordinates past the penalised ones (intercepts) are free: G = id there.

use crate::error::{Error, Result};
use crate::real::Real;

/// The penalty of the inner problem, in terms of a common factor l1 that every point brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Penalty {
    /// l1·‖w‖₁.
    ElasticNet,
    /// Σ_j l1·strength_j·|w_j|; a zero strength leaves the coordinate unpenalised.
    Weighted {
        /// One per penalised coordinate.
        strengths: Vec<f64>,
    },
    /// Σ_g l1·strength_g·‖w_g‖₂.
    Group {
        /// The partition of the penalised coordinates.
        groups: Groups,
        /// One per group; `None` is 1 for every group, and one common derivative.
        strengths: Option<Vec<f64>>,
    },
    /// l1·Σ w_j with w ≥ 0.
    NonNegative,
    /// lower ≤ w ≤ upper; l1 plays no part.
    Box {
        /// The lower bound of every penalised coordinate, −∞ allowed.
        lower: f64,
        /// The upper bound of every penalised coordinate, ∞ allowed.
        upper: f64,
    },
}

impl Penalty {
    /// The name that flags, tables and JSON use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ElasticNet => "elastic-net",
            Self::Weighted { .. } => "weighted",
            Self::Group { .. } => "group",
            Self::NonNegative => "nonneg",
            Self::Box { .. } => "box",
        }
    }

    /// True where the derivative with respect to l1 has one entry per coordinate or group.
    #[must_use]
    pub fn has_strength_vector(&self) -> bool {
        matches!(
            self,
            Self::Weighted { .. }
                | Self::Group {
                    strengths: Some(_),
                    ..
                }
        )
    }

    /// Checks lengths and domains for `penalized` coordinates.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Value`] when strengths, groups or bounds do not fit.
    pub fn validate(&self, penalized: usize) -> Result<()> {
        let check = |strengths: &[f64], expected: usize, unit: &str| {
            if strengths.len() != expected {
                return Err(Error::shape(
                    "l1 strengths",
                    format!("{expected}, one per {unit}"),
                    strengths.len().to_string(),
                    "give a vector of that length",
                ));
            }
            match strengths.iter().position(|s| !(s.is_finite() && *s >= 0.0)) {
                Some(at) => Err(Error::value(
                    "l1 strengths",
                    format!("entry {at} is {}", strengths[at]),
                    "strengths must be finite and not negative",
                )),
                None => Ok(()),
            }
        };
        match self {
            Self::Weighted { strengths } => check(strengths, penalized, "coordinate"),
            Self::Group { groups, strengths } => {
                if groups.coordinates() != penalized {
                    return Err(Error::shape(
                        "groups",
                        format!("a partition of {penalized} coordinates"),
                        groups.coordinates().to_string(),
                        "give one group number per coordinate",
                    ));
                }
                strengths
                    .as_ref()
                    .map_or(Ok(()), |s| check(s, groups.len(), "group"))
            }
            Self::Box { lower, upper } if lower.is_nan() || upper.is_nan() || lower > upper => {
                Err(Error::value(
                    "box",
                    format!("{lower}:{upper} is not an interval"),
                    "give LO:HI with LO at most HI",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// A partition of the coordinates 0..p into groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The coordinates, group after group.
    order: Vec<u32>,
    /// `order[starts[g]..starts[g + 1]]` are the coordinates of group g.
    starts: Vec<u32>,
}

impl Groups {
    /// Consecutive groups of `size` among `coordinates`.
    ///
    /// # Errors
    /// [`Error::Value`] when `size` is zero or does not divide `coordinates`.
    pub fn consecutive(coordinates: usize, size: usize) -> Result<Self> {
        if size == 0 || !coordinates.is_multiple_of(size) {
            return Err(Error::value(
                "group size",
                format!("{size} does not divide the {coordinates} coordinates"),
                "choose a divisor, or name the groups one by one with a groups file",
            ));
        }
        let labels: Vec<u32> = (0..coordinates).map(|j| (j / size) as u32).collect();
        Ok(Self::from_labels(&labels))
    }

    /// Coordinates with equal labels form a group; groups are in the order of their labels.
    #[must_use]
    pub fn from_labels(labels: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        order.sort_by_key(|&j| (labels[j as usize], j));
        let mut starts = vec![0];
        for at in 1..order.len() {
            if labels[order[at] as usize] != labels[order[at - 1] as usize] {
                starts.push(at as u32);
            }
        }
        if !order.is_empty() {
            starts.push(order.len() as u32);
        }
        Self { order, starts }
    }

    /// The number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// True without any group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of coordinates that the groups partition.
    #[must_use]
    pub fn coordinates(&self) -> usize {
        self.order.len()
    }

    /// The coordinates of group g.
    #[must_use]
    pub fn members(&self, g: usize) -> &[u32] {
        &self.order[self.starts[g] as usize..self.starts[g + 1] as usize]
    }

    /// All groups' coordinates, group after group, and where each group starts.
    #[must_use]
    pub fn tables(&self) -> (&[u32], &[u32]) {
        (&self.order, &self.starts)
    }
}

/// S(u, τ) = sign(u)·max(|u| − τ, 0), written so that a NaN survives.
#[inline(always)]
pub fn soft_threshold<R: Real>(u: R, threshold: R) -> R {
    u - clip(u, -threshold, threshold)
}

/// max(u − τ, 0), the prox of τw on w ≥ 0; a NaN survives.
#[inline(always)]
pub fn positive_threshold<R: Real>(u: R, threshold: R) -> R {
    let shifted = u - threshold;
    shifted - clip(shifted, R::neg_infinity(), R::zero())
}

/// u limited to [lower, upper]; a NaN survives.
#[inline(always)]
pub fn clip<R: Real>(u: R, lower: R, upper: R) -> R {
    if u < lower {
        lower
    } else if u > upper {
        upper
    } else {
        u
    }
}

/// ∂S(u, τ): 1 where |u| > τ or τ = 0 (an unpenalised coordinate), else 0.
#[inline(always)]
pub fn soft_threshold_derivative<R: Real>(u: R, threshold: R) -> bool {
    num_traits::Float::abs(u) > threshold || threshold == R::zero()
}

/// ∂S/∂τ: −sign(u) where |u| > τ, else 0. At τ = 0 this is the right derivative.
#[inline(always)]
pub fn soft_threshold_strength_derivative<R: Real>(u: R, threshold: R) -> R {
    if u > threshold {
        -R::one()
    } else if u < -threshold {
        R::one()
    } else {
        R::zero()
    }
}
