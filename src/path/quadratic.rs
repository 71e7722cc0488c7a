//! A penalised quadratic with its Hessian at hand (the Gram form):
//!
//! ```text
//! minimise  g·Δ + ½ ΔᵀHΔ + Σ ½λ₂_j (w_j + Δ_j − c_j)² + penalty(w + Δ)
//! ```
//!
//! Coordinate descent keeps `q = g + HΔ` up to date, at m operations per coordinate that moves and
//! none per coordinate that stays. A few epochs find the face of the solution (support and signs,
//! or bounds); there the problem is smooth, and a Newton step by Cholesky solves it. A Newton
//! point outside its face is projected onto it where that decreases the objective most; else the
//! step ends at the first coordinate that leaves, and goes on from there on the smaller face.

use std::borrow::Cow;

use crate::real::Real;

use super::cholesky;
use super::regularizer::{Face, Rule};
use super::vector::{axpy, exceeds, inner, vectorized};

/// Free coordinates up to which Newton steps are by Cholesky inside coordinate descent.
pub(super) const LARGEST_CHOLESKY: usize = 2000;

/// Newton steps in a row that each drop a coordinate from the face.
const LARGEST_DROPS: usize = 32;

/// The state of a penalised quadratic over m coordinates.
pub(super) struct Quadratic<'h, R> {
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
    pub(super) rules: Vec<Rule<R>>,
    /// The block of every position.
    pub(super) rule_of: Cow<'h, [u32]>,
    /// Memory for the next factor.
    pub(super) spare: Vec<R>,
    /// Positions of multinomial intercepts, whose common shift is a gauge.
    pub(super) gauge: std::ops::Range<usize>,
}

/// The Cholesky factor of the restricted system on a face.
#[derive(Debug, Clone)]
pub(super) struct FaceFactor<R> {
    /// The free positions, ascending.
    pub(super) set: Vec<u32>,
    /// Column-major; the lower triangle holds L.
    pub(super) factor: Vec<R>,
    /// The Frobenius norm of the system.
    pub(super) size: f64,
}

/// The Frobenius norm of a symmetric matrix by its lower triangle.
fn lower_norm<R: Real>(lower: &[R], m: usize) -> f64 {
    let square = vectorized(
        #[inline(always)]
        || {
            let mut total = 0.0;
            for j in 0..m {
                let column = &lower[j * m + j..(j + 1) * m];
                let diagonal = column[0].to_f64();
                total += 2.0 * inner(&column[1..], &column[1..]) + diagonal * diagonal;
            }
            total
        },
    );
    square.sqrt()
}

/// Which entries of a symmetric matrix are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Triangle {
    /// Those on and below the diagonal; anything may stand above.
    Lower,
    /// All.
    Both,
}

/// What minimisation came to.
pub(super) struct Minimum<R> {
    pub(super) epochs: usize,
    /// The system on the last face is singular to working precision.
    pub(super) singular: bool,
    /// The factor on the face of the result.
    pub(super) factor: Option<FaceFactor<R>>,
}

/// How a Newton step on the face ended.
enum Newton {
    /// At the minimum on the face.
    Exact,
    /// Left the face; projected, with a decrease.
    Projected,
    /// Left the face; taken up to the first coordinate that leaves, which is dropped from it.
    Shortened,
    /// Left the face, without a decrease.
    Rejected,
    Singular,
}

impl<R: Real> Quadratic<'_, R> {
    fn m(&self) -> usize {
        self.w.len()
    }

    fn block(&self, b: usize) -> std::ops::Range<usize> {
        self.starts[b] as usize..self.starts[b + 1] as usize
    }

    #[inline(always)]
    fn gradient(&self, j: usize) -> R {
        self.q[j] + self.ridge[j] * (self.w[j] - self.center[j])
    }

    #[inline(always)]
    fn shift(&mut self, j: usize, delta: R) {
        let m = self.m();
        self.w[j] += delta;
        axpy(delta, &self.hessian[j * m..(j + 1) * m], &mut self.q);
    }

    /// Bounds on the largest eigenvalue of the blocks that are groups: the largest row sum.
    fn group_bounds(&self) -> Vec<R> {
        let m = self.m();
        let mut bounds = vec![R::zero(); self.rules.len()];
        for (b, bound) in bounds.iter_mut().enumerate() {
            if !matches!(self.rules[b], Rule::Group(_)) {
                continue;
            }
            let members = &self.members[self.block(b)];
            for &i in members {
                let sum: R = members
                    .iter()
                    .map(|&j| num_traits::Float::abs(self.hessian[i as usize * m + j as usize]))
                    .sum();
                *bound = num_traits::Float::max(*bound, sum);
            }
        }
        bounds
    }

    /// One pass over the given blocks; the largest change in units of the gradient.
    fn epoch(&mut self, blocks: &[u32], bounds: &[R], old: &mut Vec<R>) -> R {
        vectorized(
            #[inline(always)]
            || {
                let m = self.m();
                let mut largest = R::zero();
                for &b in blocks {
                    let b = b as usize;
                    let rule = self.rules[b];
                    if let Rule::Group(t) = rule {
                        let change = self.update_group(b, t, bounds[b], old);
                        largest = num_traits::Float::max(largest, change);
                        continue;
                    }
                    for at in self.block(b) {
                        let j = self.members[at] as usize;
                        let a = self.hessian[j * m + j] + self.ridge[j];
                        let (w, gradient) = (self.w[j], self.gradient(j));
                        let new = if exceeds(a, R::zero()) {
                            rule.update(a, w, gradient)
                        } else {
                            rule.update_flat(w, gradient)
                        };
                        let delta = new - w;
                        if delta != R::zero() {
                            self.shift(j, delta);
                            self.w[j] = new;
                            let change = num_traits::Float::abs(delta) * a;
                            largest = num_traits::Float::max(largest, change);
                        }
                    }
                }
                largest
            },
        )
    }

    /// Block update by the majorant with curvature a = bound + λ₂.
    #[inline(always)]
    fn update_group(&mut self, b: usize, threshold: R, bound: R, old: &mut Vec<R>) -> R {
        let range = self.block(b);
        let a = bound + self.ridge[self.members[range.start] as usize];
        if !exceeds(a, R::zero()) {
            return R::zero();
        }
        old.clear();
        let mut square = R::zero();
        for at in range.clone() {
            let j = self.members[at] as usize;
            let u = a * self.w[j] - self.gradient(j);
            square += u * u;
            old.push(u);
        }
        let norm = num_traits::Float::sqrt(square);
        let factor = if norm <= threshold {
            R::zero()
        } else {
            (R::one() - threshold / norm) / a
        };
        let mut largest = R::zero();
        for (k, at) in range.enumerate() {
            let j = self.members[at] as usize;
            let new = factor * old[k];
            let delta = new - self.w[j];
            if delta != R::zero() {
                self.shift(j, delta);
                self.w[j] = new;
                largest = num_traits::Float::max(largest, num_traits::Float::abs(delta) * a);
            }
        }
        largest
    }

    /// The face of every position: 0 where it is held fixed.
    fn face(&self, out: &mut Vec<Face>) {
        out.clear();
        out.resize(self.m(), 0);
        for (b, &rule) in self.rules.iter().enumerate() {
            let members = &self.members[self.starts[b] as usize..self.starts[b + 1] as usize];
            if matches!(rule, Rule::Group(_)) {
                let free = members.iter().any(|&j| self.w[j as usize] != R::zero());
                members
                    .iter()
                    .for_each(|&j| out[j as usize] = if free { 2 } else { 0 });
            } else {
                for &j in members {
                    out[j as usize] = rule.face(self.w[j as usize]);
                }
            }
        }
    }

    fn norm(&self, b: usize) -> R {
        let square: R = self.members[self.block(b)]
            .iter()
            .map(|&j| self.w[j as usize] * self.w[j as usize])
            .sum();
        num_traits::Float::sqrt(square)
    }

    /// The Hessian of everything on the face: H + λ₂, the curvature of group norms, and 11ᵀ on the
    /// gauge; in the memory of `a`, whatever it holds.
    pub(super) fn face_matrix(
        &self,
        face: &[Face],
        set: &[u32],
        triangle: Triangle,
        mut a: Vec<R>,
    ) -> Vec<R> {
        let (m, s) = (self.m(), set.len());
        a.resize(s * s, R::zero());
        for (at, &j) in set.iter().enumerate() {
            let column = &self.hessian[j as usize * m..(j as usize + 1) * m];
            let first = match triangle {
                Triangle::Both => 0,
                Triangle::Lower => at,
            };
            let own = &mut a[at * s + first..(at + 1) * s];
            for (entry, &i) in own.iter_mut().zip(&set[first..]) {
                *entry = column[i as usize];
            }
            a[at * s + at] += self.ridge[j as usize];
        }
        let is_wanted = |x: usize, y: usize| triangle == Triangle::Both || y >= x;
        if self.gauge.len() > 1 {
            for (x, &i) in set.iter().enumerate() {
                for (y, &j) in set.iter().enumerate().filter(|&(y, _)| is_wanted(x, y)) {
                    if self.gauge.contains(&(i as usize)) && self.gauge.contains(&(j as usize)) {
                        a[x * s + y] += R::one();
                    }
                }
            }
        }
        let mut place = Vec::new();
        for (b, &rule) in self.rules.iter().enumerate() {
            let Rule::Group(t) = rule else { continue };
            let members = &self.members[self.block(b)];
            if face[members[0] as usize] == 0 {
                continue;
            }
            place.clear();
            place.extend(members.iter().map(|j| set.binary_search(j).unwrap_or(0)));
            let norm = self.norm(b);
            let scale = t / norm;
            for (&x, &i) in place.iter().zip(members) {
                let unit = self.w[i as usize] / norm;
                for (&y, &j) in place.iter().zip(members).filter(|&(&y, _)| is_wanted(x, y)) {
                    a[x * s + y] -= scale * unit * (self.w[j as usize] / norm);
                }
                a[x * s + x] += scale;
            }
        }
        a
    }

    /// Gradient of everything on the face.
    fn face_gradient(&self, face: &[Face], set: &[u32]) -> Vec<R> {
        let mut full = vec![R::zero(); self.m()];
        for (b, &rule) in self.rules.iter().enumerate() {
            let members = &self.members[self.block(b)];
            if face[members[0] as usize] == 0 {
                continue;
            }
            let scale = match rule {
                Rule::Group(t) => t / self.norm(b),
                _ => R::zero(),
            };
            for &j in members {
                let j = j as usize;
                full[j] = self.gradient(j) + rule.slope(face[j]) + scale * self.w[j];
            }
        }
        set.iter().map(|&j| full[j as usize]).collect()
    }

    /// The penalty and ridge of all positions in `set`'s blocks that are on the face.
    fn penalty(&self, face: &[Face]) -> R {
        let mut total = R::zero();
        for (b, &rule) in self.rules.iter().enumerate() {
            let members = &self.members[self.block(b)];
            if face[members[0] as usize] == 0 {
                continue;
            }
            if let Rule::Group(t) = rule {
                total += t * self.norm(b);
            }
            for &j in members {
                let j = j as usize;
                if !matches!(rule, Rule::Group(_)) {
                    total += rule.value(self.w[j]);
                }
                let off = self.w[j] - self.center[j];
                total += R::of(0.5) * self.ridge[j] * off * off;
            }
        }
        total
    }

    /// A Newton step on the face, by Cholesky.
    fn newton(
        &mut self,
        face: &[Face],
        set: &[u32],
        kept: &mut Option<FaceFactor<R>>,
        reusable: bool,
    ) -> Newton {
        if !(reusable && kept.as_ref().is_some_and(|k| k.set == set)) {
            let memory = kept
                .take()
                .map_or_else(|| std::mem::take(&mut self.spare), |old| old.factor);
            let mut factor = self.face_matrix(face, set, Triangle::Lower, memory);
            let size = lower_norm(&factor, set.len());
            if !cholesky::factor(&mut factor, set.len()) {
                self.spare = factor;
                return Newton::Singular;
            }
            *kept = Some(FaceFactor {
                set: set.to_vec(),
                factor,
                size,
            });
        }
        let rho = self.face_gradient(face, set);
        let mut step = rho.clone();
        if let Some(k) = kept {
            cholesky::solve(&k.factor, &mut step);
        }
        let has_groups = self.rules.iter().any(|r| matches!(r, Rule::Group(_)));
        let before = self.penalty(face);
        let old = self.w.clone();
        // The share of the step up to the first coordinate that leaves its face, and where.
        let mut first: Option<(R, u32, R)> = None;
        for (&i, &step) in set.iter().zip(&step) {
            let j = i as usize;
            let rule = self.rules[self.rule_of[j] as usize];
            let target = self.w[j] - step;
            if matches!(rule, Rule::Group(_)) {
                self.w[j] = target;
                continue;
            }
            let inside = rule.project(face[j], target);
            if inside != target || rule.face(inside) != face[j] {
                let share = (self.w[j] - inside) / step;
                if first.is_none_or(|(least, ..)| share < least) {
                    first = Some((share, i, inside));
                }
            }
            self.w[j] = inside;
        }
        let (decrease, size, mut change) = self.change_from(&old, face, set, before);
        let mut outcome = Newton::Exact;
        if let Some((share, leaving, bound)) = first {
            // On the face the objective is a quadratic: φ(α) − φ(0) = −(α − ½α²) ρᵀA⁻¹ρ.
            let slope: R = rho.iter().zip(&step).map(|(&r, &s)| r * s).sum();
            let shortened = -share * (R::one() - R::of(0.5) * share) * slope;
            outcome = Newton::Projected;
            if !(decrease <= R::zero() && decrease <= shortened) {
                for (&i, &step) in set.iter().zip(&step) {
                    let j = i as usize;
                    let rule = self.rules[self.rule_of[j] as usize];
                    self.w[j] = if i == leaving {
                        bound
                    } else {
                        rule.project(face[j], old[j] - share * step)
                    };
                }
                let (decrease, size, image) = self.change_from(&old, face, set, before);
                let noise = size * <R as num_traits::Float>::epsilon() * R::of(16.0);
                if decrease > noise || decrease.is_nan() {
                    self.w = old;
                    return Newton::Rejected;
                }
                change = image;
                outcome = Newton::Shortened;
            }
        } else if has_groups {
            let noise = size * <R as num_traits::Float>::epsilon() * R::of(16.0);
            if decrease > noise || decrease.is_nan() {
                self.w = old;
                return Newton::Rejected;
            }
        }
        for (q, change) in self.q.iter_mut().zip(&change) {
            *q += *change;
        }
        outcome
    }

    /// Change of the objective from `old` to w, which differ on `set`; the size of its terms; and
    /// H(w − old). `before` is the penalty at `old`.
    fn change_from(&self, old: &[R], face: &[Face], set: &[u32], before: R) -> (R, R, Vec<R>) {
        let m = self.m();
        let mut change = vec![R::zero(); m];
        vectorized(
            #[inline(always)]
            || {
                for &j in set {
                    let j = j as usize;
                    let delta = self.w[j] - old[j];
                    if delta != R::zero() {
                        axpy(delta, &self.hessian[j * m..(j + 1) * m], &mut change);
                    }
                }
            },
        );
        let half = R::of(0.5);
        let mut total = self.penalty(face) - before;
        let mut size = num_traits::Float::abs(before);
        for &j in set {
            let j = j as usize;
            let term = (self.w[j] - old[j]) * (self.q[j] + half * change[j]);
            total += term;
            size += num_traits::Float::abs(term);
        }
        (total, size, change)
    }

    /// The largest distance to optimality, over the blocks, of coordinates that are not free
    /// (`on_face` false) or that are.
    fn largest_distance(&self, face: &[Face], on_face: bool) -> R {
        let mut largest = R::zero();
        for (b, &rule) in self.rules.iter().enumerate() {
            let members = &self.members[self.block(b)];
            if let Rule::Group(t) = rule {
                if (face[members[0] as usize] != 0) != on_face {
                    continue;
                }
                let norm = self.norm(b);
                let square: R = members
                    .iter()
                    .map(|&j| {
                        let j = j as usize;
                        let pull = if norm > R::zero() {
                            t * self.w[j] / norm
                        } else {
                            R::zero()
                        };
                        let g = self.gradient(j) + pull;
                        g * g
                    })
                    .sum();
                let mut distance = num_traits::Float::sqrt(square);
                if norm == R::zero() {
                    distance = num_traits::Float::max(distance - t, R::zero());
                }
                largest = num_traits::Float::max(largest, distance);
                continue;
            }
            for &j in members {
                let j = j as usize;
                if (face[j] != 0) == on_face {
                    let distance =
                        num_traits::Float::abs(rule.distance(self.w[j], self.gradient(j)));
                    largest = num_traits::Float::max(largest, distance);
                }
            }
        }
        largest
    }

    /// Minimises until every coordinate is within `tolerance` of optimality, or `most` epochs.
    pub(super) fn minimize(
        &mut self,
        tolerance: R,
        most: usize,
        mut stop: impl FnMut() -> bool,
    ) -> Minimum<R> {
        let bounds = self.group_bounds();
        let all: Vec<u32> = (0..self.rules.len() as u32).collect();
        let has_groups = self.rules.iter().any(|r| matches!(r, Rule::Group(_)));
        let (mut face, mut previous) = (Vec::new(), Vec::new());
        let (mut free, mut set): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut scratch = Vec::new();
        let mut minimum = Minimum {
            epochs: 0,
            singular: false,
            factor: None,
        };
        let mut singular_set: Option<Vec<u32>> = None;
        let mut patience = 2;
        while minimum.epochs < most && !(minimum.epochs > 0 && stop()) {
            let mut change = self.epoch(&all, &bounds, &mut scratch);
            minimum.epochs += 1;
            self.face(&mut face);
            // Epochs over the free blocks alone until their face settles.
            for _ in 0..patience {
                if change <= tolerance || minimum.epochs >= most {
                    break;
                }
                free.clear();
                free.extend(all.iter().filter(|&&b| {
                    self.members[self.block(b as usize)]
                        .iter()
                        .any(|&j| face[j as usize] != 0)
                }));
                std::mem::swap(&mut previous, &mut face);
                change = self.epoch(&free, &bounds, &mut scratch);
                minimum.epochs += 1;
                self.face(&mut face);
                if face == previous && patience < 8 {
                    break;
                }
            }
            patience = (patience * 2).min(64);
            set.clear();
            set.extend((0..self.m() as u32).filter(|&j| face[j as usize] != 0));
            let known_singular = singular_set.as_ref() == Some(&set);
            if set.is_empty() || set.len() > LARGEST_CHOLESKY || known_singular {
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
            while rounds > 0 && !set.is_empty() {
                rounds -= 1;
                match self.newton(&face, &set, &mut minimum.factor, !has_groups) {
                    Newton::Exact => exact = true,
                    Newton::Shortened => {
                        exact = false;
                        self.face(&mut face);
                        set.clear();
                        set.extend((0..self.m() as u32).filter(|&j| face[j as usize] != 0));
                        if drops > 0 {
                            drops -= 1;
                            rounds += 1;
                        }
                    }
                    Newton::Projected | Newton::Rejected => {
                        exact = false;
                        break;
                    }
                    Newton::Singular => {
                        exact = false;
                        minimum.singular = true;
                        singular_set = Some(set.clone());
                        break;
                    }
                }
                if has_groups && self.largest_distance(&face, true) <= tolerance {
                    break;
                }
            }
            if exact {
                minimum.singular = false;
                let off = self.largest_distance(&face, false);
                let on = self.largest_distance(&face, true);
                if off <= tolerance && (on <= tolerance || !has_groups) {
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
            let same = k.set.iter().all(|&j| face[j as usize] != 0)
                && face.iter().filter(|&&f| f != 0).count() == k.set.len();
            if !same {
                minimum.factor = None;
            }
        }
        minimum
    }
}
