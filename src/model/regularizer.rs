//! Penalty, ridge and prior at one point, block by block.
//!
//! A block is a coordinate, or a group whose norm is penalised. How far a block is from optimal is
//!
//! ```text
//! distance  min ‖g + s‖ over subgradients s of the penalty at w
//! ```
//!
//! It bounds the scaled residual ‖Φ(w) − w‖/γ from above for every step γ: for any subgradient s at
//! w, w = prox(w + γs), and with Φ(w) = prox(w − γg) the prox, being nonexpansive, gives
//! ‖Φ(w) − w‖ ≤ γ‖g + s‖.

use std::borrow::Cow;

use super::penalty::{BlockPenalty, Penalty, Row, larger, with_row};
use super::strengths::Strengths;
use crate::real::{Real, largest_of, sum_of};

/// The blocks of a problem: its groups, or its coordinates; intercepts are blocks of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The coordinates, block after block.
    pub order: Vec<u32>,
    /// `order[starts[b]..starts[b + 1]]` are the coordinates of block b.
    pub starts: Vec<u32>,
    /// The block of every coordinate.
    pub of: Vec<u32>,
    /// Every coordinate is a block of its own, in their order, and none is a group.
    pub separable: bool,
    /// Coordinates that are penalised; the free ones follow.
    pub penalized: usize,
}

impl Blocks {
    /// The blocks of a penalty on the first `penalized` of p coordinates.
    #[must_use]
    pub fn new(penalty: &Penalty, penalized: usize, coordinates: usize) -> Self {
        let p = coordinates as u32;
        let Some(groups) = penalty.groups() else {
            return Self {
                order: (0..p).collect(),
                starts: (0..=p).collect(),
                of: (0..p).collect(),
                separable: true,
                penalized,
            };
        };
        let (order, starts) = groups.tables();
        let (mut order, mut starts) = (order.to_vec(), starts.to_vec());
        for j in penalized as u32..p {
            order.push(j);
            starts.push(j + 1);
        }
        let mut of = vec![0; order.len()];
        for (block, range) in starts.windows(2).enumerate() {
            for &j in &order[range[0] as usize..range[1] as usize] {
                of[j as usize] = block as u32;
            }
        }
        Self {
            order,
            starts,
            of,
            separable: false,
            penalized,
        }
    }

    /// The number of blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// True without any block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The coordinates of a block.
    #[must_use]
    pub fn members(&self, block: usize) -> &[u32] {
        &self.order[self.starts[block] as usize..self.starts[block + 1] as usize]
    }
}

/// λ₂(w − c).
#[inline(always)]
pub fn ridge_gradient<R: Real>(l2: R, w: R, center: R) -> R {
    l2 * (w - center)
}

impl From<f64> for RidgeRange {
    fn from(common: f64) -> Self {
        Self {
            least: common,
            largest: common,
            at_zero: 0.0,
        }
    }
}

impl RidgeRange {
    /// That of strengths.
    #[must_use]
    pub fn of(ridges: &Strengths) -> Self {
        let all = ridges.as_slice();
        let first = all.first().copied().unwrap_or_default();
        Self {
            least: all.iter().copied().fold(first, f64::min),
            largest: all.iter().copied().fold(first, f64::max),
            at_zero: 0.0,
        }
    }

    /// The same with the ridge term at w = 0.
    #[must_use]
    pub fn with_value_at_zero(self, at_zero: f64) -> Self {
        Self { at_zero, ..self }
    }
}

/// Penalty, ridge and prior at one point.
#[derive(Debug, Clone)]
pub struct Regularizer<'p> {
    /// The blocks.
    pub blocks: &'p Blocks,
    /// The penalty of every block.
    pub penalties: Vec<BlockPenalty<f64>>,
    /// The row that penalised coordinates follow, whatever their strengths.
    pub row: Row,
    /// The number of strengths that grouped coordinates share, which come before those of the groups.
    pub shared_strengths: usize,
    /// λ₂: of all penalised coordinates, or of each.
    pub ridges: Strengths,
    prior: Option<&'p [f64]>,
}

/// The least and the largest λ₂ of the penalised coordinates, and what their term is at w = 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeRange {
    /// The least.
    pub least: f64,
    /// The largest.
    pub largest: f64,
    /// ½ Σ λ₂_j c_j²; 0 without a prior.
    pub at_zero: f64,
}

impl<'p> Regularizer<'p> {
    /// That of a penalty at l1 and λ₂, common or one per penalised coordinate, with the prior mean
    /// `prior`, one entry per penalised coordinate.
    #[must_use]
    pub fn new(
        penalty: &Penalty,
        blocks: &'p Blocks,
        prior: Option<&'p [f64]>,
        l1: f64,
        ridges: Strengths,
    ) -> Self {
        let mut penalties = penalty.block_penalties(blocks.penalized, l1);
        penalties.resize(blocks.len(), super::penalty::Term::free().into());
        Self {
            blocks,
            penalties,
            row: penalty.row(),
            shared_strengths: penalty.shared_strengths(),
            ridges,
            prior,
        }
    }

    /// The same without the bounds that no coordinate of `w` rests at, where a slope holds the coordinate: its
    /// minimum is no larger. A multiplier of a bound that is far away is rounding, and the bound times it no gap.
    #[must_use]
    pub fn without_distant_bounds(&self, w: &[f64]) -> Cow<'_, Self> {
        if self.row != Row::Bounded {
            return Cow::Borrowed(self);
        }
        let mut relaxed = self.clone();
        for (penalty, &w) in relaxed.penalties.iter_mut().zip(w) {
            let term = &mut penalty.coordinate;
            if term.row == Row::Bounded && term.strength > 0.0 {
                if w > term.lower {
                    term.lower = f64::NEG_INFINITY;
                }
                if w < term.upper {
                    term.upper = f64::INFINITY;
                }
            }
        }
        Cow::Owned(relaxed)
    }

    /// Number of penalised coordinates.
    #[must_use]
    pub fn penalized(&self) -> usize {
        self.blocks.penalized
    }

    /// The penalty of the block that a coordinate belongs to.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, coordinate: usize) -> &BlockPenalty<f64> {
        let block = if self.blocks.separable {
            coordinate
        } else {
            self.blocks.of[coordinate] as usize
        };
        &self.penalties[block]
    }

    /// True where some coordinate pays a slope, so that it may be held at zero.
    #[must_use]
    pub fn has_slope(&self) -> bool {
        self.penalties.iter().any(|penalty| !penalty.is_free())
    }

    /// True where some strength can be made larger, so that there is a path of them.
    #[must_use]
    pub fn has_threshold(&self) -> bool {
        self.penalties.iter().any(|penalty| penalty.slope() > 0.0)
    }

    /// The factor on all strengths from which on w = 0 would be optimal on every block at zero, at
    /// least 1.
    #[must_use]
    pub fn largest_ratio(&self, w: &[f64], gradient: &[f64]) -> f64 {
        let ratio = self.vanishing_factor(|j| -(gradient[j] + self.ridge_gradient(j, w[j])));
        larger(1.0, ratio)
    }

    /// The factor on all strengths from which on w = 0 is optimal against a = −gradient; blocks
    /// without a strength are left out.
    #[must_use]
    pub fn vanishing_factor(&self, a: impl Fn(usize) -> f64) -> f64 {
        let (mut largest, mut pull) = (0.0f64, Vec::new());
        for (b, penalty) in self.penalties.iter().enumerate() {
            if penalty.slope() > 0.0 {
                pull.clear();
                pull.extend(self.blocks.members(b).iter().map(|&j| a(j as usize)));
                largest = larger(largest, penalty.vanishing_factor(&pull));
            }
        }
        largest
    }

    /// λ₂ of a coordinate.
    #[inline(always)]
    #[must_use]
    pub fn ridge(&self, coordinate: usize) -> f64 {
        if coordinate < self.penalized() {
            self.ridges.at(coordinate)
        } else {
            0.0
        }
    }

    /// The least and the largest λ₂; zeros without penalised coordinates.
    #[must_use]
    pub fn ridge_range(&self) -> RidgeRange {
        RidgeRange::of(&self.ridges)
    }

    /// True where every penalised coordinate has a ridge.
    #[must_use]
    pub fn has_full_ridge(&self) -> bool {
        self.ridge_range().least > 0.0
    }

    /// True where some penalised coordinate has a ridge.
    #[must_use]
    pub fn has_ridge(&self) -> bool {
        self.ridge_range().largest > 0.0
    }

    /// True where the ridge does not pull towards zero.
    #[must_use]
    pub fn has_prior(&self) -> bool {
        self.prior.is_some()
    }

    /// c of a coordinate.
    #[inline(always)]
    #[must_use]
    pub fn center(&self, coordinate: usize) -> f64 {
        match self.prior {
            Some(prior) if coordinate < self.penalized() => prior[coordinate],
            _ => 0.0,
        }
    }

    /// True where a coordinate pays no slope and no ridge, and has no bounds.
    #[must_use]
    pub fn is_unpenalized(&self, coordinate: usize) -> bool {
        let penalty = self.of(coordinate);
        let term = &penalty.coordinate;
        let has_bounds = term.lower.is_finite() || term.upper.is_finite();
        !penalty.is_group() && term.strength == 0.0 && !has_bounds && self.ridge(coordinate) == 0.0
    }

    /// λ₂(w − c) of a coordinate; 0 for one that is not penalized.
    #[inline(always)]
    #[must_use]
    pub fn ridge_gradient(&self, coordinate: usize, w: f64) -> f64 {
        let l2 = self.ridge(coordinate);
        if l2 > 0.0 {
            ridge_gradient(l2, w, self.center(coordinate))
        } else {
            0.0
        }
    }

    /// The size of the terms of λ₂(w − c).
    #[must_use]
    pub fn ridge_size(&self, coordinate: usize, w: f64) -> f64 {
        self.ridge(coordinate) * (w.abs() + self.center(coordinate).abs())
    }

    /// Moves w to the nearest feasible point; true when it was not one.
    pub fn make_feasible(&self, w: &mut [f64]) -> bool {
        let mut moved = false;
        for (j, w) in w.iter_mut().enumerate() {
            let inside = self.of(j).coordinate.feasible(*w);
            moved |= inside != *w;
            *w = inside;
        }
        moved
    }

    /// Ridge and penalty.
    #[must_use]
    pub fn value(&self, w: &[f64]) -> f64 {
        let penalty = if self.blocks.separable {
            sum_of(w.len(), |j| self.penalties[j].coordinate.value(w[j]))
        } else {
            sum_of(self.penalties.len(), |b| {
                let members = self.blocks.members(b);
                let penalty = &self.penalties[b];
                let own = members
                    .iter()
                    .map(|&j| penalty.coordinate.value(w[j as usize]));
                penalty.norm * group_norm(members, w) + own.sum::<f64>()
            })
        };
        0.5 * self.ridge_sum(|j| w[j] - self.center(j)) + penalty
    }

    /// Σ λ₂_j x_j² over the penalised coordinates.
    fn ridge_sum(&self, x: impl Fn(usize) -> f64) -> f64 {
        match &self.ridges {
            Strengths::Common(l2) => l2 * sum_of(self.penalized(), |j| x(j).powi(2)),
            Strengths::Each(all) => sum_of(self.penalized(), |j| all[j] * x(j).powi(2)),
        }
    }

    /// The ridge at w = 0.
    #[must_use]
    pub fn ridge_at_zero(&self) -> f64 {
        0.5 * self.ridge_sum(|j| self.center(j))
    }

    /// Σ over blocks of sup over w of a·w − ½λ₂‖w − c‖² − penalty(w), with a = −`gradient`: the
    /// conjugate of ridge and penalty.
    #[must_use]
    pub fn conjugate(&self, gradient: &[f64]) -> f64 {
        let a = |j: usize| self.ridge(j) * self.center(j) - gradient[j];
        // Rounding of a value that is exactly on the dual ball.
        let largest = largest_of(self.penalized(), |j| a(j).abs());
        let slack = 1e-12 * largest.max(f64::MIN_POSITIVE);
        if self.blocks.separable {
            let term = |j: usize| &self.penalties[j].coordinate;
            return with_row!(self.row, Table => sum_of(self.penalized(), |j| {
                Table::conjugate(term(j), a(j), self.ridge(j), slack)
            })) - self.ridge_at_zero();
        }
        let of_block = |b: usize| {
            let members = self.blocks.members(b).iter().map(|&j| j as usize);
            let members = members.map(|j| (a(j), self.ridge(j)));
            self.penalties[b].conjugate(members, slack)
        };
        // Intercepts demand that the gradient be zero, which the dual point sees to.
        let penalized = self.blocks.len() - (self.blocks.of.len() - self.penalized());
        sum_of(penalized, of_block) - self.ridge_at_zero()
    }

    /// The factor ≤ 1 that brings the dual point with this gradient into the ball of the penalty,
    /// which only coordinates with λ₂ = 0 demand. A free coordinate demands that its gradient be zero, which no
    /// factor brings about.
    #[must_use]
    pub fn feasible_factor(&self, gradient: &[f64]) -> f64 {
        if self.has_full_ridge() {
            return 1.0;
        }
        let demands = |j: usize| {
            if self.ridge(j) > 0.0 {
                0.0
            } else {
                self.of(j).coordinate.unbounded(-gradient[j])
            }
        };
        let ratio = self.vanishing_factor(demands);
        if ratio > 1.0 { ratio.recip() } else { 1.0 }
    }

    /// Penalised coordinates in the support: not zero, or strictly between their bounds.
    #[must_use]
    pub fn support(&self, w: &[f64]) -> usize {
        let of_row = |&(j, &w): &(usize, &f64)| self.of(j).coordinate.is_in_support(w);
        w.iter()
            .enumerate()
            .take(self.penalized())
            .filter(of_row)
            .count()
    }

    /// ‖least subgradient‖² of a block, given ∇loss.
    #[must_use]
    pub fn block_distance(&self, block: usize, w: &[f64], gradient: &[f64]) -> f64 {
        let penalty = &self.penalties[block];
        let members = self.blocks.members(block);
        if !penalty.is_group() {
            let squares = members
                .iter()
                .map(|&j| self.coordinate_distance(penalty, j as usize, w, gradient));
            return squares.sum();
        }
        let norm = group_norm(members, w);
        let pull = penalty.norm_pull(norm);
        let square: f64 = members
            .iter()
            .map(|&j| {
                let j = j as usize;
                let g = gradient[j] + self.ridge_gradient(j, w[j]) + pull * w[j];
                penalty.coordinate.distance(w[j], g).powi(2)
            })
            .sum();
        if norm > 0.0 {
            square
        } else {
            super::penalty::soft_threshold(square.sqrt(), penalty.norm).powi(2)
        }
    }

    /// The least subgradient of one coordinate of a block that is no group, squared, given ∇loss.
    #[inline(always)]
    #[must_use]
    pub fn coordinate_distance(
        &self,
        penalty: &BlockPenalty<f64>,
        j: usize,
        w: &[f64],
        gradient: &[f64],
    ) -> f64 {
        let pull = gradient[j] + self.ridge_gradient(j, w[j]);
        penalty.coordinate.distance(w[j], pull).powi(2)
    }

    /// True when some coordinate of the block is free to move.
    #[must_use]
    pub fn is_free(&self, block: usize, w: &[f64]) -> bool {
        let penalty = &self.penalties[block];
        let mut members = self.blocks.members(block).iter();
        if penalty.is_group() {
            return members.any(|&j| w[j as usize] != 0.0);
        }
        members.any(|&j| penalty.coordinate.face(w[j as usize]) != 0)
    }

    /// The free coordinates at w, ascending.
    #[must_use]
    pub fn face(&self, w: &[f64]) -> Vec<u32> {
        let mut face = Vec::new();
        for (b, penalty) in self.penalties.iter().enumerate() {
            if self.is_free(b, w) {
                let members = self.blocks.members(b).iter().copied();
                face.extend(members.filter(|&j| penalty.coordinate.face(w[j as usize]) != 0));
            }
        }
        face.sort_unstable();
        face
    }
}

/// ‖x_g‖₂.
#[must_use]
pub fn group_norm(members: &[u32], x: &[f64]) -> f64 {
    members
        .iter()
        .map(|&j| x[j as usize].powi(2))
        .sum::<f64>()
        .sqrt()
}
