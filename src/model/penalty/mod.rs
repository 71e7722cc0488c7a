//! Penalties: the outer map G (the prox of γ·penalty), its derivative D = ∂G and ∂₂G. math.md §3.
//!
//! A penalty is put together from two tables: what every coordinate pays by itself (a [`Row`], one
//! file each), and the norm of a block of coordinates (`group`). Everything is taken at
//! `u = T(w)`, with strict comparisons, so that the selection at a kink is the same in w and in λ.
//! The ridge term ½λ₂‖w − c‖² sits in the inner map T, not here. Coordinates past the penalised
//! ones (intercepts) are free: G = id there.
//!
//! A new penalty of known rows is one variant of [`Penalty`]; a new row is one file here and one in
//! `shaders/penalty`.

use crate::error::{Error, Result};
use crate::real::Real;

mod bounded;
mod coefficients;
mod free;
mod group;
mod interval;
mod non_negative;
mod soft_threshold;
mod sparse_group;
mod term;

pub use bounded::Bounded;
pub use free::Free;
pub use group::{GroupOperator, Groups, Shrink};
pub use interval::Interval;
pub use non_negative::NonNegative;
pub use soft_threshold::{SoftThreshold, soft_threshold};
pub use term::{BlockPenalty, CoordinatePenalty, FREE, Face, Row, Side, Term};
pub(crate) use term::{larger, with_row};

/// The bit of a penalty's tag that says that norms of groups are penalised.
pub const GROUPED: u32 = 16;

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
    /// Σ_j l1·s₀|w_j| + Σ_g l1·s_g·‖w_g‖₂.
    SparseGroup {
        /// The partition of the penalised coordinates.
        groups: Groups,
        /// That of the coordinates, s₀, and one per group.
        strengths: Vec<f64>,
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
    /// Σ_j l1·strength_j·|w_j| with lower_j ≤ w_j ≤ upper_j. A specification has the bounds in the data's
    /// units, a problem in those of the scaled columns.
    Bounded {
        /// One per penalised coordinate; `None` is 1 for every one, and one common derivative.
        strengths: Option<Vec<f64>>,
        /// The lower bound of every penalised coordinate, −∞ allowed.
        lower: Vec<f64>,
        /// The upper bound of every penalised coordinate, ∞ allowed.
        upper: Vec<f64>,
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
            Self::SparseGroup { .. } => "sparse-group",
            Self::NonNegative => "nonneg",
            Self::Box { .. } => "box",
            Self::Bounded { .. } => "bounded",
        }
    }

    /// True where the derivative with respect to l1 has one entry per coordinate or group.
    #[must_use]
    pub fn has_strength_vector(&self) -> bool {
        matches!(
            self,
            Self::Weighted { .. }
                | Self::SparseGroup { .. }
                | Self::Group {
                    strengths: Some(_),
                    ..
                }
                | Self::Bounded {
                    strengths: Some(_),
                    ..
                }
        )
    }

    /// The row of the table that every penalised coordinate follows.
    #[must_use]
    pub fn row(&self) -> Row {
        match self {
            Self::ElasticNet | Self::Weighted { .. } | Self::SparseGroup { .. } => {
                Row::SoftThreshold
            }
            Self::Group { .. } => Row::Free,
            Self::NonNegative => Row::NonNegative,
            Self::Box { .. } => Row::Interval,
            Self::Bounded { .. } => Row::Bounded,
        }
    }

    /// The partition into groups whose norms are penalised.
    #[must_use]
    pub fn groups(&self) -> Option<&Groups> {
        match self {
            Self::Group { groups, .. } | Self::SparseGroup { groups, .. } => Some(groups),
            _ => None,
        }
    }

    /// The number by which kernels know the penalty: its row, and [`GROUPED`].
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.row() as u32 | self.groups().map_or(0, |_| GROUPED)
    }

    /// True where l1 plays a part.
    #[must_use]
    pub fn has_strength(&self) -> bool {
        self.row() != Row::Interval
    }

    /// The number of strengths that grouped coordinates share for what each pays by itself; they
    /// come before those of the groups.
    #[must_use]
    pub fn shared_strengths(&self) -> usize {
        usize::from(self.groups().is_some() && self.row() != Row::Free)
    }

    /// The strengths at l1 = 1: those of `penalized` coordinates, or of the groups.
    #[must_use]
    pub fn strengths(&self, penalized: usize) -> Vec<f64> {
        match self {
            Self::Weighted { strengths }
            | Self::SparseGroup { strengths, .. }
            | Self::Group {
                strengths: Some(strengths),
                ..
            }
            | Self::Bounded {
                strengths: Some(strengths),
                ..
            } => strengths.clone(),
            Self::Group { groups, .. } => vec![1.0; groups.len()],
            _ => vec![1.0; penalized],
        }
    }

    /// The same penalty with other strengths at l1 = 1, in the order of [`Self::strengths`]; one
    /// without strengths of its own stays as it is.
    #[must_use]
    pub fn with_strengths(mut self, new: Vec<f64>) -> Self {
        if let Self::Weighted { strengths }
        | Self::SparseGroup { strengths, .. }
        | Self::Group {
            strengths: Some(strengths),
            ..
        }
        | Self::Bounded {
            strengths: Some(strengths),
            ..
        } = &mut self
        {
            *strengths = new;
        }
        self
    }

    /// The penalty of every coordinate or group at l1, in their order.
    #[must_use]
    pub fn block_penalties(&self, penalized: usize, l1: f64) -> Vec<BlockPenalty<f64>> {
        let row = self.row();
        // Free of any strength, and of all that goes with a kink.
        let of_coordinate = |j: usize, strength: f64| match self {
            Self::Box { lower, upper } => Term::interval(*lower, *upper),
            Self::Bounded { lower, upper, .. } => Term {
                lower: lower[j],
                upper: upper[j],
                ..Term::with_strength(row, strength)
            },
            _ if strength == 0.0 && row == Row::SoftThreshold => Term::free(),
            _ => Term::with_strength(row, strength),
        };
        let strengths = self.strengths(penalized);
        let (shared, each) = strengths.split_at(self.shared_strengths());
        if self.groups().is_none() {
            let of = |(j, s): (usize, &f64)| of_coordinate(j, l1 * s).into();
            return each.iter().enumerate().map(of).collect();
        }
        let coordinate = shared
            .first()
            .map_or_else(Term::free, |s| of_coordinate(0, l1 * s));
        let of_group = |s: &f64| BlockPenalty {
            coordinate,
            norm: l1 * s,
        };
        each.iter().map(of_group).collect()
    }

    /// Checks lengths and domains for `penalized` coordinates.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Value`] when strengths, groups or bounds do not fit.
    pub fn validate(&self, penalized: usize) -> Result<()> {
        self.check_bounds(penalized)?;
        let (expected, unit) = match self.groups() {
            None => (penalized, "one per coordinate"),
            Some(groups) if groups.coordinates() != penalized => {
                return Err(Error::shape(
                    "groups",
                    format!("a partition of {penalized} coordinates"),
                    groups.coordinates().to_string(),
                    "give one group number per coordinate",
                ));
            }
            Some(groups) if self.shared_strengths() == 0 => (groups.len(), "one per group"),
            Some(groups) => (
                self.shared_strengths() + groups.len(),
                "one for the coordinates and one per group",
            ),
        };
        let strengths = self.strengths(penalized);
        if strengths.len() != expected {
            return Err(Error::shape(
                "l1 strengths",
                format!("{expected}, {unit}"),
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
    }
}
