//! A penalised quadratic with its Hessian at hand (the Gram form):
//!
//! ```text
//! minimise  g·Δ + ½ ΔᵀHΔ + Σ ½λ₂_j (w_j + Δ_j − c_j)² + penalty(w + Δ)
//! ```
//!
//! Coordinate descent keeps `q = g + HΔ` up to date, at m operations per coordinate that moves and
//! none per coordinate that stays. A few epochs find the face of the solution (support and signs,
//! or bounds); there the problem is smooth, and a Newton step by Cholesky solves it. Where the
//! Newton point lies outside the face, the way there is followed to its first minimum: coordinates
//! that reach the end of their face stay there, and the next step is on the smaller face. With a
//! factor this is the exact change of the active set, as in homotopy and active-set methods; a
//! singular system gets the smallest shift that lets it be factored.

use std::borrow::Cow;

use crate::real::Real;

use crate::linalg::vector::{axpy, exceeds, positions, vectorized};
use crate::model::penalty::{BlockPenalty, Face, Row, Shrink};

use super::group::GroupSpectrum;
use crate::linalg::cholesky;
use crate::linalg::dual::{self, DualFactor};

/// Free coordinates up to which Newton steps are by Cholesky inside coordinate descent.
pub(super) const LARGEST_CHOLESKY: usize = 2000;

/// Epochs over the free blocks alone at most before a Newton step on their face.
const LARGEST_PATIENCE: usize = 8;
/// Newton steps in a row that each drop coordinates from the face.
const LARGEST_DROPS: usize = 32;
/// Newton steps in a row on the face of a singular system.
const LARGEST_APPROACHES: usize = 8;

/// The state of a penalised quadratic over m coordinates.
pub(super) struct Quadratic<'h, R: Real> {
    /// m × m, symmetric, stored in full.
    pub(super) hessian: &'h [R],
    pub(super) w: Vec<R>,
    /// Gradient of the quadratic without ridge at w.
    pub(super) q: Vec<R>,
    pub(super) ridge: Vec<R>,
    pub(super) center: Vec<R>,
    /// Positions, block after block, and where each block starts.
    pub(super) members: Cow<'h, [u32]>,
    pub(super) starts: Cow<'h, [u32]>,
    pub(super) penalties: Cow<'h, [BlockPenalty<R>]>,
    /// Per block 1 over the rounding of its distance to optimality, which minimisation needs.
    pub(super) inverse_rounding: Vec<R>,
    /// Every position is a block of its own, in their order, and none is a group.
    pub(super) separable: bool,
    /// The block of every position.
    pub(super) block_of: Cow<'h, [u32]>,
    /// A bound on the norm of the Hessian and of all its restrictions, where one is known.
    pub(super) hessian_bound: Option<f64>,
    /// The rows behind the Hessian, where they are at hand and all curvature is theirs.
    pub(super) rows: Option<ModelRows<'h, R>>,
    /// Memory for the next factor.
    pub(super) spare: Vec<R>,
    /// Positions of multinomial intercepts, whose common shift is a gauge.
    pub(super) gauge: std::ops::Range<usize>,
}

/// The result of a minimisation.
pub(super) struct Minimum<R> {
    pub(super) epochs: usize,
    /// The system on the last face is singular to working precision.
    pub(super) singular: bool,
    /// The factor on the face of the result.
    pub(super) factor: Option<FaceFactor<R>>,
}

/// A factored system: what solves it.
#[derive(Debug, Clone)]
pub(super) enum Factored<R> {
    /// Its Cholesky factor, as [`cholesky::factor`] leaves it.
    Cholesky(Vec<R>),
    /// Through the rows, of which there are fewer than unknowns.
    Rows(DualFactor<R>),
}

impl<R: Real> Factored<R> {
    /// x ← A⁻¹x.
    pub(super) fn solve(&self, x: &mut [R]) {
        match self {
            Self::Cholesky(lower) => cholesky::solve(lower, x),
            Self::Rows(dual) => dual.solve(x),
        }
    }

    /// Its memory, for the next factor.
    pub(super) fn into_memory(self) -> Vec<R> {
        match self {
            Self::Cholesky(lower) => lower,
            Self::Rows(_) => Vec::new(),
        }
    }
}

/// The rows behind a quadratic's Hessian XᵀX: X by columns, one of every position.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelRows<'h, R> {
    pub(super) values: &'h [R],
    pub(super) count: usize,
}

/// The factored restricted system on a face.
#[derive(Debug, Clone)]
pub(super) struct FaceFactor<R> {
    /// The free positions, ascending.
    pub(super) set: Vec<u32>,
    pub(super) factor: Factored<R>,
    /// A bound on the norm of the system: its Frobenius norm, or that of all coordinates' system.
    pub(super) size: f64,
    /// The share of its diagonal that was added to the system; 0 for one that is regular.
    pub(super) shift: f64,
}

/// The entries of a symmetric matrix that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Triangle {
    /// Those on and below the diagonal; anything may stand above.
    Lower,
    /// All.
    Both,
}

/// How one group is minimised.
enum GroupModel<R> {
    /// Not yet needed.
    Unknown,
    /// By the spectrum of its block.
    Exact(GroupSpectrum<R>),
    /// By a majorant, whose curvature is this bound on the largest eigenvalue.
    Bounded(R),
}

/// How far a Newton step on a face may go.
///
/// The step of a shifted system is exact but near its null space, where it is too short: a step
/// settles the others, and a longer one in the same direction then moves along the null space alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the minimum along it, or to its end.
    Step,
    /// To the minimum along it.
    Beyond,
}

/// The end of a Newton step on a face.
pub(super) enum Newton {
    /// At the minimum on the face.
    Exact,
    /// On the face, at a minimum along the step.
    Approached,
    /// At a minimum along the step, or where it left the face.
    Shortened,
    /// No move: the objective does not fall.
    Rejected,
    /// The system is not finite.
    Singular,
}

impl<R: Real> Quadratic<'_, R> {
    pub(super) fn m(&self) -> usize {
        self.w.len()
    }

    pub(super) fn block(&self, b: usize) -> std::ops::Range<usize> {
        self.starts[b] as usize..self.starts[b + 1] as usize
    }

    /// True where the system of this many free positions is solved through the rows.
    pub(super) fn goes_through_rows(&self, free: usize) -> bool {
        self.separable
            && self
                .rows
                .is_some_and(|rows| dual::is_cheaper(rows.count, free))
    }

    #[inline(always)]
    pub(super) fn gradient(&self, j: usize) -> R {
        self.q[j] + self.ridge[j] * (self.w[j] - self.center[j])
    }

    #[inline(always)]
    fn shift(&mut self, j: usize, delta: R) {
        let m = self.m();
        self.w[j] += delta;
        axpy(delta, &self.hessian[j * m..(j + 1) * m], &mut self.q);
    }

    /// How the blocks that are groups are minimised; empty without any.
    fn group_models(&self) -> Vec<GroupModel<R>> {
        if self.separable || !self.penalties.iter().any(BlockPenalty::is_group) {
            return Vec::new();
        }
        let unknown = || GroupModel::Unknown;
        std::iter::repeat_with(unknown)
            .take(self.penalties.len())
            .collect()
    }

    /// The least λ₂ of a block.
    fn least_ridge(&self, b: usize) -> R {
        let ridges = self.members[self.block(b)].iter();
        ridges
            .map(|&j| self.ridge[j as usize])
            .fold(R::infinity(), num_traits::Float::min)
    }

    /// The model of a group's block, with what λ₂ has beyond the least of the group.
    fn group_model(&self, b: usize) -> GroupModel<R> {
        let least = self.least_ridge(b);
        let (m, penalty) = (self.m(), &self.penalties[b]);
        let members = &self.members[self.block(b)];
        let entry = |x: usize, y: usize| {
            let (i, j) = (members[x] as usize, members[y] as usize);
            let ridge = if x == y {
                self.ridge[i] - least
            } else {
                R::zero()
            };
            self.hessian[i * m + j] + ridge
        };
        if penalty.coordinate.row == Row::Free
            && let Some(spectrum) = GroupSpectrum::new(members.len(), entry)
        {
            return GroupModel::Exact(spectrum);
        }
        let row = |x: usize| -> R {
            let entries = (0..members.len()).map(|y| num_traits::Float::abs(entry(x, y)));
            entries.sum()
        };
        GroupModel::Bounded(
            (0..members.len())
                .map(row)
                .fold(R::zero(), num_traits::Float::max),
        )
    }

    /// One pass over the given blocks; the largest change of a gradient in units of its rounding.
    fn epoch(&mut self, blocks: &[u32], groups: &mut [GroupModel<R>], old: &mut Vec<R>) -> R {
        vectorized(
            #[inline(always)]
            || {
                let m = self.m();
                let mut largest = R::zero();
                for &b in blocks {
                    let b = b as usize;
                    let penalty = self.penalties[b];
                    if penalty.is_group() {
                        let change =
                            self.update_group(b, &mut groups[b], old) * self.inverse_rounding[b];
                        largest = num_traits::Float::max(largest, change);
                        continue;
                    }
                    for at in self.block(b) {
                        let j = self.members[at] as usize;
                        let a = self.hessian[j * m + j] + self.ridge[j];
                        let (w, gradient) = (self.w[j], self.gradient(j));
                        let new = penalty.coordinate.minimizer(a, w, gradient);
                        let delta = new - w;
                        if delta != R::zero() {
                            self.shift(j, delta);
                            self.w[j] = new;
                            let change =
                                num_traits::Float::abs(delta) * a * self.inverse_rounding[b];
                            largest = num_traits::Float::max(largest, change);
                        }
                    }
                }
                largest
            },
        )
    }

    /// True where a group is zero and its minimiser is, too.
    fn stays_zero(&self, b: usize) -> bool {
        let penalty = &self.penalties[b];
        let mut square = R::zero();
        for &j in &self.members[self.block(b)] {
            let j = j as usize;
            if self.w[j] != R::zero() {
                return false;
            }
            let s = penalty.coordinate.prox(-self.gradient(j), R::one());
            square += s * s;
        }
        num_traits::Float::sqrt(square) <= penalty.norm
    }

    /// Block update: exact by the spectrum of the block, or by the majorant with curvature
    /// a = bound + λ₂.
    #[inline(always)]
    fn update_group(&mut self, b: usize, model: &mut GroupModel<R>, new: &mut Vec<R>) -> R {
        let (range, penalty) = (self.block(b), self.penalties[b]);
        let ridge = self.least_ridge(b);
        if matches!(model, GroupModel::Unknown) {
            if self.stays_zero(b) {
                return R::zero();
            }
            *model = self.group_model(b);
        }
        let a = match model {
            GroupModel::Unknown => return R::zero(),
            GroupModel::Exact(spectrum) => {
                let members = &self.members[range.clone()];
                let w: Vec<R> = members.iter().map(|&j| self.w[j as usize]).collect();
                let gradient = members.iter().map(|&j| self.gradient(j as usize));
                let gradient: Vec<R> = gradient.collect();
                spectrum.minimizer(ridge, penalty.norm, &w, &gradient, new);
                spectrum.largest() + ridge
            }
            GroupModel::Bounded(bound) => {
                let a = *bound + ridge;
                if !exceeds(a, R::zero()) {
                    return R::zero();
                }
                new.clear();
                let mut square = R::zero();
                for at in range.clone() {
                    let j = self.members[at] as usize;
                    let s = penalty
                        .coordinate
                        .prox(a * self.w[j] - self.gradient(j), R::one());
                    square += s * s;
                    new.push(s);
                }
                let factor = Shrink::new(square, penalty.norm).factor() / a;
                new.iter_mut().for_each(|s| *s *= factor);
                a
            }
        };
        let mut largest = R::zero();
        for (k, at) in range.enumerate() {
            let j = self.members[at] as usize;
            let delta = new[k] - self.w[j];
            if delta != R::zero() {
                self.shift(j, delta);
                self.w[j] = new[k];
                largest = num_traits::Float::max(largest, num_traits::Float::abs(delta) * a);
            }
        }
        largest
    }

    /// The face of every position: 0 where it is held fixed.
    fn face(&self, out: &mut Vec<Face>) {
        out.clear();
        out.resize(self.m(), 0);
        if self.separable {
            let one = |(penalty, w): (&BlockPenalty<R>, &R)| penalty.coordinate.face(*w);
            out.clear();
            out.extend(self.penalties.iter().zip(&self.w).map(one));
            return;
        }
        for (b, penalty) in self.penalties.iter().enumerate() {
            let members = &self.members[self.starts[b] as usize..self.starts[b + 1] as usize];
            if penalty.is_group() && members.iter().all(|&j| self.w[j as usize] == R::zero()) {
                continue;
            }
            for &j in members {
                out[j as usize] = penalty.coordinate.face(self.w[j as usize]);
            }
        }
    }

    pub(super) fn norm(&self, b: usize) -> R {
        let square: R = self.members[self.block(b)]
            .iter()
            .map(|&j| self.w[j as usize] * self.w[j as usize])
            .sum();
        num_traits::Float::sqrt(square)
    }

    /// The largest distance to optimality, over the blocks and in units of their roundings, of
    /// coordinates that are not free (`on_face` false) or that are.
    fn largest_distance(&self, face: &[Face], on_face: bool) -> R {
        let mut largest = R::zero();
        if self.separable {
            for (j, penalty) in self.penalties.iter().enumerate() {
                if (face[j] != 0) == on_face {
                    let distance = penalty.coordinate.distance(self.w[j], self.gradient(j));
                    let distance = num_traits::Float::abs(distance) * self.inverse_rounding[j];
                    largest = num_traits::Float::max(largest, distance);
                }
            }
            return largest;
        }
        for (b, penalty) in self.penalties.iter().enumerate() {
            let members = &self.members[self.block(b)];
            let norm = if penalty.is_group() {
                self.norm(b)
            } else {
                R::zero()
            };
            let pull = penalty.norm_pull(norm);
            let mut square = R::zero();
            for &j in members {
                let j = j as usize;
                if (face[j] != 0) != on_face {
                    continue;
                }
                let gradient = self.gradient(j) + pull * self.w[j];
                let distance = penalty.coordinate.distance(self.w[j], gradient);
                if penalty.is_group() {
                    square += distance * distance;
                } else {
                    let distance = num_traits::Float::abs(distance) * self.inverse_rounding[b];
                    largest = num_traits::Float::max(largest, distance);
                }
            }
            if penalty.is_group() {
                let mut distance = num_traits::Float::sqrt(square);
                if norm == R::zero() {
                    distance = num_traits::Float::max(distance - penalty.norm, R::zero());
                }
                largest = num_traits::Float::max(largest, distance * self.inverse_rounding[b]);
            }
        }
        largest
    }

    /// Minimises until every coordinate is within its rounding of optimality, or `most` epochs.
    ///
    /// A `hasty` caller solves on the face itself: it is given the factor as soon as the face has
    /// settled.
    pub(super) fn minimize(
        &mut self,
        most: usize,
        hasty: bool,
        mut stop: impl FnMut() -> bool,
    ) -> Minimum<R> {
        let mut groups = self.group_models();
        // In units of rounding.
        let tolerance = R::one();
        let all: Vec<u32> = (0..self.penalties.len() as u32).collect();
        let has_groups = !self.separable && self.penalties.iter().any(BlockPenalty::is_group);
        let (mut face, mut previous) = (Vec::new(), Vec::new());
        let (mut free, mut set): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut scratch = Vec::new();
        let mut minimum = Minimum {
            epochs: 0,
            singular: false,
            factor: None,
        };
        let mut patience = 2;
        while minimum.epochs < most && !(minimum.epochs > 0 && stop()) {
            let mut change = self.epoch(&all, &mut groups, &mut scratch);
            minimum.epochs += 1;
            self.face(&mut face);
            // Epochs over the free blocks alone until their face settles.
            for _ in 0..patience {
                if change <= tolerance || minimum.epochs >= most {
                    break;
                }
                if self.separable {
                    positions(self.m(), |j| face[j] != 0, &mut free);
                } else {
                    let is_free = |&j: &u32| face[j as usize] != 0;
                    let is_wanted = |b| self.members[self.block(b)].iter().any(is_free);
                    positions(all.len(), is_wanted, &mut free);
                }
                std::mem::swap(&mut previous, &mut face);
                change = self.epoch(&free, &mut groups, &mut scratch);
                minimum.epochs += 1;
                self.face(&mut face);
                if face == previous && patience < 8 {
                    break;
                }
            }
            patience = (patience * 2).min(LARGEST_PATIENCE);
            positions(self.m(), |j| face[j] != 0, &mut set);
            let is_too_large = set.len() > LARGEST_CHOLESKY && !self.goes_through_rows(set.len());
            if hasty && face == previous && !set.is_empty() && !is_too_large {
                minimum.factor = self.factored(&face, &set, minimum.factor);
                minimum.singular = minimum.factor.is_none();
                return minimum;
            }
            if set.is_empty() || is_too_large {
                minimum.factor = None;
                if change <= tolerance {
                    let off = self.largest_distance(&face, false);
                    let on = self.largest_distance(&face, true);
                    if num_traits::Float::max(off, on) <= tolerance {
                        break;
                    }
                }
                continue;
            }
            let mut exact = false;
            let (mut rounds, mut drops) = (if has_groups { 8 } else { 1 }, LARGEST_DROPS);
            let (mut approaches, mut reach) = (LARGEST_APPROACHES, Reach::Step);
            while rounds > 0 && !set.is_empty() {
                rounds -= 1;
                exact = false;
                match self.newton(&face, &set, &mut minimum.factor, !has_groups, reach) {
                    Newton::Exact => exact = true,
                    Newton::Approached => {
                        let is_near = self.largest_distance(&face, true) <= tolerance;
                        exact = is_near;
                        reach = match reach {
                            Reach::Step => Reach::Beyond,
                            Reach::Beyond => Reach::Step,
                        };
                        if !is_near && approaches > 0 {
                            approaches -= 1;
                            rounds += 1;
                        }
                    }
                    Newton::Shortened => {
                        reach = Reach::Step;
                        self.face(&mut face);
                        positions(self.m(), |j| face[j] != 0, &mut set);
                        if drops > 0 {
                            drops -= 1;
                            rounds += 1;
                        }
                    }
                    Newton::Rejected => break,
                    Newton::Singular => {
                        minimum.singular = true;
                        break;
                    }
                }
                if has_groups && self.largest_distance(&face, true) <= tolerance {
                    break;
                }
            }
            let shifted = |k: &FaceFactor<R>| k.shift > 0.0;
            minimum.singular = minimum.factor.as_ref().is_none_or(shifted);
            if exact {
                let off = self.largest_distance(&face, false);
                let on = self.largest_distance(&face, true);
                if off <= tolerance && (on <= tolerance || (!has_groups && !minimum.singular)) {
                    break;
                }
            } else if minimum.singular && change <= tolerance {
                break;
            }
            if self.w.iter().any(|w| w.is_nan()) {
                break;
            }
        }
        // The factor belongs to the result only where the face is still the factor's.
        self.face(&mut face);
        if let Some(k) = &minimum.factor {
            let same = k.shift == 0.0
                && k.set.iter().all(|&j| face[j as usize] != 0)
                && face.iter().filter(|&&f| f != 0).count() == k.set.len();
            if !same {
                minimum.factor = None;
            }
        }
        minimum
    }
}
