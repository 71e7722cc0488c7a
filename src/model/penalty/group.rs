//! τ‖w_g‖₂: the norm of a block of coordinates. It composes with what each coordinate pays by itself:
//! with s = prox of the coordinates at u, P its derivative (a mask), and t = γτ/‖s‖,
//!
//! ```text
//! prox  (1 − t)s on an active group (‖s‖ > γτ), 0 elsewhere           ŝ = s/‖s‖
//! D     P((1 − t)I + tŝŝᵀ)P ,   D⁺ = (I − tŝŝᵀ)/(1 − t) on the range, both on active groups
//! ∂prox/∂τ   −γŝ on an active group      pull  ‖S(a)‖      kink of the prox  ‖s‖ = γτ
//! (D⁺ − I)/γ  t/((1 − t)γ)·(I − ŝŝᵀ): the curvature of the norm
//! ```
//!
//! For τ = 0 the group is active wherever it is: the right derivative. (Simon, Friedman, Hastie and
//! Tibshirani 2013, for the composition.)

use crate::error::{Error, Result};
use crate::real::Real;

/// One group at u: t = γτ/‖s‖ and ‖s‖.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrink<R> {
    /// D is not zero.
    pub is_active: bool,
    /// t.
    pub t: R,
    /// ‖s‖.
    pub norm: R,
}

/// The operator across·I + along·ŝŝᵀ on a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupOperator<R> {
    /// The factor of the identity.
    pub across: R,
    /// The factor of the direction.
    pub along: R,
}

impl<R: Real> GroupOperator<R> {
    /// Entry j of the image of x, from x_j, ŝ_j and ŝ·x.
    #[inline(always)]
    pub fn entry(&self, x: R, direction: R, inner: R) -> R {
        self.across * x + self.along * direction * inner
    }
}

impl<R: Real> Shrink<R> {
    /// The group with ‖s‖² = `squares` at the threshold γτ.
    #[inline(always)]
    pub fn new(squares: R, threshold: R) -> Self {
        let norm = num_traits::Float::sqrt(squares);
        if threshold == R::zero() {
            // No norm: the prox is s, with the right derivative −γŝ in the strength.
            return Self {
                is_active: true,
                t: R::zero(),
                norm,
            };
        }
        Self {
            is_active: norm > threshold,
            t: threshold / norm,
            norm,
        }
    }

    /// x/‖s‖, zero for a group that is zero: with x = s_j the direction ŝ_j.
    #[inline(always)]
    pub fn per_norm(&self, x: R) -> R {
        if self.norm == R::zero() {
            R::zero()
        } else {
            x / self.norm
        }
    }

    /// (1 − t) of an active group, 0 of one at rest: the prox is this times s. A NaN survives.
    #[inline(always)]
    pub fn factor(&self) -> R {
        if self.is_active || self.norm.is_nan() {
            R::one() - self.t
        } else {
            R::zero()
        }
    }

    /// The prox of a coordinate with s_j; a NaN stays where it is.
    #[inline(always)]
    pub fn prox(&self, s: R) -> R {
        if self.is_active {
            (R::one() - self.t) * s
        } else {
            s - super::clip(s, -self.norm, self.norm)
        }
    }

    /// D on the range.
    #[inline(always)]
    pub fn derivative(&self) -> GroupOperator<R> {
        GroupOperator {
            across: R::one() - self.t,
            along: self.t,
        }
    }

    /// D⁺ on the range.
    #[inline(always)]
    pub fn inverse(&self) -> GroupOperator<R> {
        let left = R::one() - self.t;
        GroupOperator {
            across: left.recip(),
            along: -self.t / left,
        }
    }

    /// c of the curvature c·(I − ŝŝᵀ) of the norm at the prox, (D⁺ − I)/γ.
    #[inline(always)]
    pub fn curvature(&self, gamma: R) -> R {
        self.t / (R::one() - self.t) / gamma
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

    /// The number of its group for every coordinate.
    #[must_use]
    pub fn labels(&self) -> Vec<u32> {
        let mut labels = vec![0; self.order.len()];
        for (group, range) in self.starts.windows(2).enumerate() {
            let members = &self.order[range[0] as usize..range[1] as usize];
            members
                .iter()
                .for_each(|&j| labels[j as usize] = group as u32);
        }
        labels
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

    /// The square root of the number of coordinates of every group.
    #[must_use]
    pub fn root_sizes(&self) -> Vec<f64> {
        let root = |g| (self.members(g).len() as f64).sqrt();
        (0..self.len()).map(root).collect()
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
