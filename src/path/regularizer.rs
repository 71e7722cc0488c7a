//! Penalty, ridge and prior at one point, block by block.
//!
//! A block is a coordinate, or a group of the group lasso. Its *rule* says how a block is updated
//! by coordinate descent, when it is free to move (on the face of the solution) and how far it is
//! from optimal:
//!
//! ```text
//! update    argmin_t  ½a‖t − w‖² + g·(t − w) + penalty(t)  =  prox_{penalty/a}(w − g/a)
//! distance  min ‖g + s‖ over subgradients s of the penalty at w
//! ```
//!
//! The distance bounds the scaled residual ‖Φ(w) − w‖/γ from above for every step γ: for any
//! subgradient s at w, w = prox(w + γs), and with Φ(w) = prox(w − γg) the prox, being
//! nonexpansive, gives ‖Φ(w) − w‖ ≤ γ‖g + s‖.

use crate::penalty::{self, Penalty};
use crate::problem::{Point, Problem};
use crate::real::Real;

/// What the penalty does to one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule<R> {
    /// No penalty: intercepts, and coordinates or groups of zero strength.
    Free,
    /// τ|w|.
    Threshold(R),
    /// τw with w ≥ 0.
    NonNegative(R),
    /// lower ≤ w ≤ upper.
    Box(R, R),
    /// τ‖w‖₂.
    Group(R),
}

/// Where a coordinate of a block is: 0 is held fixed, anything else is free to move.
pub(super) type Face = i8;

impl<R: Real> Rule<R> {
    /// The rule in another precision.
    pub(super) fn to<T: Real>(self) -> Rule<T> {
        let of = |value: R| T::of(value.to_f64());
        match self {
            Self::Free => Rule::Free,
            Self::Threshold(t) => Rule::Threshold(of(t)),
            Self::NonNegative(t) => Rule::NonNegative(of(t)),
            Self::Box(lower, upper) => Rule::Box(of(lower), of(upper)),
            Self::Group(t) => Rule::Group(of(t)),
        }
    }

    /// The minimiser for one coordinate with curvature a > 0 and gradient g at w.
    #[inline(always)]
    pub(super) fn update(self, a: R, w: R, g: R) -> R {
        match self {
            Self::Free => w - g / a,
            Self::Threshold(t) | Self::Group(t) => penalty::soft_threshold(a * w - g, t) / a,
            Self::NonNegative(t) => {
                let u = a * w - g - t;
                // A NaN fails the comparison and survives.
                if u <= R::zero() { R::zero() } else { u / a }
            }
            Self::Box(lower, upper) => penalty::clip(w - g / a, lower, upper),
        }
    }

    /// The minimiser for one coordinate without curvature and gradient g at w, where there is one
    /// other than w: penalty and gradient alone decide.
    pub(super) fn update_flat(self, w: R, g: R) -> R {
        let zero = R::zero();
        match self {
            Self::Box(lower, _) if g > zero && num_traits::Float::is_finite(lower) => lower,
            Self::Box(_, upper) if g < zero && num_traits::Float::is_finite(upper) => upper,
            _ => w,
        }
    }

    /// The face of one coordinate; groups are handled as a whole.
    #[inline(always)]
    pub(super) fn face(self, w: R) -> Face {
        match self {
            Self::Free => 2,
            Self::Threshold(_) | Self::Group(_) => sign(w),
            Self::NonNegative(_) => Face::from(w > R::zero()),
            Self::Box(lower, upper) => {
                if w <= lower || w >= upper {
                    0
                } else {
                    2
                }
            }
        }
    }

    /// The penalty's derivative on a free coordinate with sign `face`.
    #[inline(always)]
    pub(super) fn slope(self, face: Face) -> R {
        match self {
            Self::Threshold(t) => {
                if face > 0 {
                    t
                } else {
                    -t
                }
            }
            Self::NonNegative(t) => t,
            Self::Free | Self::Box(..) | Self::Group(_) => R::zero(),
        }
    }

    /// w brought back to the closure of its face where it left it.
    #[inline(always)]
    pub(super) fn project(self, face: Face, w: R) -> R {
        match self {
            Self::Threshold(_) if sign(w) == -face => R::zero(),
            Self::NonNegative(_) if w < R::zero() => R::zero(),
            Self::Box(lower, upper) => penalty::clip(w, lower, upper),
            _ => w,
        }
    }

    /// The least subgradient of one coordinate, signed.
    #[inline(always)]
    pub(super) fn distance(self, w: R, g: R) -> R {
        let zero = R::zero();
        match self {
            Self::Free => g,
            Self::Threshold(t) | Self::Group(t) => {
                if w > zero {
                    g + t
                } else if w < zero {
                    g - t
                } else {
                    penalty::soft_threshold(g, t)
                }
            }
            Self::NonNegative(t) => {
                // At zero only a descent direction into the positive side counts.
                if w > zero || g + t < zero || g.is_nan() {
                    g + t
                } else {
                    zero
                }
            }
            Self::Box(lower, upper) => {
                if lower >= upper || (w <= lower && g >= zero) || (w >= upper && g <= zero) {
                    zero
                } else {
                    g
                }
            }
        }
    }

    /// The penalty of one coordinate.
    #[inline(always)]
    pub(super) fn value(self, w: R) -> R {
        match self {
            Self::Threshold(t) | Self::Group(t) => t * num_traits::Float::abs(w),
            Self::NonNegative(t) => t * w,
            Self::Free | Self::Box(..) => R::zero(),
        }
    }
}

fn sign<R: Real>(w: R) -> Face {
    if w > R::zero() {
        1
    } else if w < R::zero() {
        -1
    } else {
        0
    }
}

/// The blocks of a problem: its groups, or its coordinates; intercepts are blocks of their own.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    pub(super) order: Vec<u32>,
    pub(super) starts: Vec<u32>,
    /// The block of every coordinate.
    pub(super) of: Vec<u32>,
    /// Every coordinate is a block of its own, in their order, and none has a group's rule.
    pub(super) separable: bool,
}

impl Blocks {
    pub(super) fn new(problem: &Problem) -> Self {
        let p = problem.coordinates() as u32;
        if let Penalty::Group { groups, .. } = &problem.penalty {
            let (order, starts) = groups.tables();
            let (mut order, mut starts) = (order.to_vec(), starts.to_vec());
            for j in problem.penalized() as u32..p {
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
            }
        } else {
            Self {
                order: (0..p).collect(),
                starts: (0..=p).collect(),
                of: (0..p).collect(),
                separable: true,
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn members(&self, block: usize) -> &[u32] {
        &self.order[self.starts[block] as usize..self.starts[block + 1] as usize]
    }
}

/// Penalty, ridge and prior at one point.
pub(super) struct Regularizer<'p> {
    pub(super) blocks: &'p Blocks,
    /// One rule per block.
    pub(super) rules: Vec<Rule<f64>>,
    pub(super) l2: f64,
    prior: Option<&'p [f64]>,
    penalized: usize,
}

impl<'p> Regularizer<'p> {
    pub(super) fn new(problem: &'p Problem, blocks: &'p Blocks, point: Point) -> Self {
        let penalized = problem.penalized();
        let l1 = point.l1;
        let threshold = |strength: f64, rule: fn(f64) -> Rule<f64>| {
            if strength == 0.0 {
                Rule::Free
            } else {
                rule(strength)
            }
        };
        let mut rules: Vec<Rule<f64>> = match &problem.penalty {
            Penalty::ElasticNet => vec![threshold(l1, Rule::Threshold); penalized],
            Penalty::Weighted { strengths } => strengths
                .iter()
                .map(|s| threshold(l1 * s, Rule::Threshold))
                .collect(),
            Penalty::Group { groups, strengths } => (0..groups.len())
                .map(|g| {
                    let strength = l1 * strengths.as_ref().map_or(1.0, |s| s[g]);
                    threshold(strength, Rule::Group)
                })
                .collect(),
            Penalty::NonNegative => vec![Rule::NonNegative(l1); penalized],
            Penalty::Box { lower, upper } => vec![Rule::Box(*lower, *upper); penalized],
        };
        rules.resize(blocks.len(), Rule::Free);
        Self {
            blocks,
            rules,
            l2: point.l2,
            prior: problem.prior.as_deref(),
            penalized,
        }
    }

    /// True where some coordinate pays a slope, so that it may be held at zero.
    pub(super) fn has_slope(&self) -> bool {
        self.rules.iter().any(|r| !matches!(r, Rule::Free))
    }

    /// True where some strength can be made larger, so that there is a path of them.
    pub(super) fn has_threshold(&self) -> bool {
        let is_threshold = |rule: &Rule<f64>| match *rule {
            Rule::Threshold(t) | Rule::NonNegative(t) | Rule::Group(t) => t > 0.0,
            Rule::Free | Rule::Box(..) => false,
        };
        self.rules.iter().any(is_threshold)
    }

    /// How many times larger the strengths had to be for no block at zero to become free.
    pub(super) fn largest_ratio(&self, w: &[f64], gradient: &[f64]) -> f64 {
        let mut largest = 1.0f64;
        for (b, rule) in self.rules.iter().enumerate() {
            if let Rule::Threshold(t) | Rule::NonNegative(t) | Rule::Group(t) = *rule
                && t > 0.0
            {
                let pull: f64 = self
                    .blocks
                    .members(b)
                    .iter()
                    .map(|&j| {
                        let j = j as usize;
                        (gradient[j] + self.ridge_gradient(j, w[j])).powi(2)
                    })
                    .sum();
                largest = largest.max(pull.sqrt() / t);
            }
        }
        largest
    }

    /// λ₂ of a coordinate.
    pub(super) fn ridge(&self, coordinate: usize) -> f64 {
        if coordinate < self.penalized {
            self.l2
        } else {
            0.0
        }
    }

    /// True where the ridge does not pull towards zero.
    pub(super) fn has_prior(&self) -> bool {
        self.prior.is_some()
    }

    /// c of a coordinate.
    pub(super) fn center(&self, coordinate: usize) -> f64 {
        match self.prior {
            Some(prior) if coordinate < self.penalized => prior[coordinate],
            _ => 0.0,
        }
    }

    /// λ₂(w − c) of a coordinate.
    pub(super) fn ridge_gradient(&self, coordinate: usize, w: f64) -> f64 {
        if coordinate < self.penalized && self.l2 > 0.0 {
            self.l2 * (w - self.center(coordinate))
        } else {
            0.0
        }
    }

    /// The size of the terms of λ₂(w − c).
    pub(super) fn ridge_size(&self, coordinate: usize, w: f64) -> f64 {
        self.ridge(coordinate) * (w.abs() + self.center(coordinate).abs())
    }

    /// Moves w to the nearest feasible point; true when it was not one.
    pub(super) fn make_feasible(&self, w: &mut [f64]) -> bool {
        let mut moved = false;
        for (b, rule) in self.rules.iter().enumerate() {
            for &j in self.blocks.members(b) {
                let w = &mut w[j as usize];
                let inside = match *rule {
                    Rule::NonNegative(_) if *w < 0.0 => 0.0,
                    Rule::Box(lower, upper) => penalty::clip(*w, lower, upper),
                    _ => continue,
                };
                moved |= inside != *w;
                *w = inside;
            }
        }
        moved
    }

    /// Ridge and penalty.
    pub(super) fn value(&self, w: &[f64]) -> f64 {
        let mut total = 0.0;
        for (b, rule) in self.rules.iter().enumerate() {
            let members = self.blocks.members(b);
            if let Rule::Group(t) = rule {
                total += t * group_norm(members, w);
            } else {
                total += members
                    .iter()
                    .map(|&j| rule.value(w[j as usize]))
                    .sum::<f64>();
            }
        }
        if self.l2 > 0.0 {
            let ridge: f64 = (0..self.penalized)
                .map(|j| (w[j] - self.center(j)).powi(2))
                .sum();
            total += 0.5 * self.l2 * ridge;
        }
        total
    }

    /// ‖least subgradient‖² of a block, given ∇loss.
    pub(super) fn block_distance(&self, block: usize, w: &[f64], gradient: &[f64]) -> f64 {
        let rule = self.rules[block];
        let members = self.blocks.members(block);
        let total = |j: u32| {
            let j = j as usize;
            gradient[j] + self.ridge_gradient(j, w[j])
        };
        if let Rule::Group(t) = rule {
            let norm = group_norm(members, w);
            if norm > 0.0 {
                return members
                    .iter()
                    .map(|&j| (total(j) + t * w[j as usize] / norm).powi(2))
                    .sum();
            }
            let pull = members
                .iter()
                .map(|&j| total(j).powi(2))
                .sum::<f64>()
                .sqrt();
            return penalty::soft_threshold(pull, t).powi(2);
        }
        members
            .iter()
            .map(|&j| self.coordinate_distance(rule, j as usize, w, gradient))
            .sum()
    }

    /// The least subgradient of one coordinate under a rule that is no group's, squared, given ∇loss.
    #[inline(always)]
    pub(super) fn coordinate_distance(
        &self,
        rule: Rule<f64>,
        j: usize,
        w: &[f64],
        gradient: &[f64],
    ) -> f64 {
        let pull = gradient[j] + self.ridge_gradient(j, w[j]);
        rule.distance(w[j], pull).powi(2)
    }

    /// True when some coordinate of the block is free to move.
    pub(super) fn is_free(&self, block: usize, w: &[f64]) -> bool {
        let rule = self.rules[block];
        self.blocks
            .members(block)
            .iter()
            .any(|&j| rule.face(w[j as usize]) != 0)
    }

    /// The free coordinates at w, ascending.
    pub(super) fn face(&self, w: &[f64]) -> Vec<u32> {
        let mut face = Vec::new();
        for (b, rule) in self.rules.iter().enumerate() {
            let members = self.blocks.members(b);
            match rule {
                Rule::Group(_) => {
                    if self.is_free(b, w) {
                        face.extend_from_slice(members);
                    }
                }
                _ => face.extend(members.iter().filter(|&&j| rule.face(w[j as usize]) != 0)),
            }
        }
        face.sort_unstable();
        face
    }
}

/// ‖w_g‖₂.
pub(super) fn group_norm(members: &[u32], w: &[f64]) -> f64 {
    members
        .iter()
        .map(|&j| w[j as usize].powi(2))
        .sum::<f64>()
        .sqrt()
}
