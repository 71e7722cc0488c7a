//! The face of a penalised quadratic, on which it is smooth: its system, the factor, a Newton step.

use crate::real::Real;

use super::quadratic::{FaceFactor, Factored, Newton, Quadratic, Reach, Triangle};
use crate::linalg::cholesky;
use crate::linalg::dual::DualFactor;
use crate::linalg::vector::{axpy, exceeds, inner, vectorized};
use crate::model::penalty::{BlockPenalty, Face};

/// The first shift of a singular system, in roundings of its diagonal per unknown.
const SHIFT: f64 = 8.0;
/// Halvings of a Newton step on faces of groups at most.
const HALVINGS: usize = 12;

/// The Frobenius norm of a symmetric matrix by its lower triangle.
fn lower_norm<R: Real>(lower: &[R], m: usize) -> f64 {
    let stride = cholesky::stride(m);
    let square = vectorized(
        #[inline(always)]
        || {
            let mut total = 0.0;
            for j in 0..m {
                let column = &lower[j * stride + j..j * stride + m];
                let diagonal = column[0].to_f64();
                total += 2.0 * inner(&column[1..], &column[1..]) + diagonal * diagonal;
            }
            total
        },
    );
    square.sqrt()
}

impl<R: Real> Quadratic<'_, R> {
    /// The Hessian of everything on the face: H + λ₂, the curvature of group norms, and 11ᵀ on the
    /// gauge; columns a `stride` apart, in the memory of `a`, whatever it holds.
    pub(super) fn face_matrix(
        &self,
        face: &[Face],
        set: &[u32],
        triangle: Triangle,
        stride: usize,
        mut a: Vec<R>,
    ) -> Vec<R> {
        let (m, s) = (self.m(), set.len());
        assert!(set.iter().all(|&j| (j as usize) < m));
        a.resize(stride * s, R::zero());
        for (at, &j) in set.iter().enumerate() {
            let column = &self.hessian[j as usize * m..(j as usize + 1) * m];
            let first = match triangle {
                Triangle::Both => 0,
                Triangle::Lower => at,
            };
            let (own, rest) = a[at * stride + first..(at + 1) * stride].split_at_mut(s - first);
            rest.fill(R::zero());
            for (entry, &i) in own.iter_mut().zip(&set[first..]) {
                // SAFETY: the column has m entries, and all of the set are below m. A check for every
                // entry would cost as much as the entry.
                *entry = unsafe { *column.get_unchecked(i as usize) };
            }
            a[at * stride + at] += self.ridge[j as usize];
        }
        let is_wanted = |x: usize, y: usize| triangle == Triangle::Both || y >= x;
        if self.gauge.len() > 1 {
            for (x, &i) in set.iter().enumerate() {
                for (y, &j) in set.iter().enumerate().filter(|&(y, _)| is_wanted(x, y)) {
                    if self.gauge.contains(&(i as usize)) && self.gauge.contains(&(j as usize)) {
                        a[x * stride + y] += R::one();
                    }
                }
            }
        }
        let mut place = Vec::new();
        for (b, penalty) in self.penalties.iter().enumerate() {
            if !penalty.is_group() {
                continue;
            }
            let free = self.members[self.block(b)].iter();
            let free = free.filter(|&&j| face[j as usize] != 0);
            place.clear();
            place.extend(free.map(|&j| (set.binary_search(&j).unwrap_or(0), j)));
            if place.is_empty() {
                continue;
            }
            let norm = self.norm(b);
            let scale = penalty.norm_pull(norm);
            for &(x, i) in &place {
                let unit = self.w[i as usize] / norm;
                for &(y, j) in place.iter().filter(|&&(y, _)| is_wanted(x, y)) {
                    a[x * stride + y] -= scale * unit * (self.w[j as usize] / norm);
                }
                a[x * stride + x] += scale;
            }
        }
        a
    }

    /// Gradient of everything on the face.
    fn face_gradient(&self, face: &[Face], set: &[u32]) -> Vec<R> {
        let mut full = vec![R::zero(); self.m()];
        for (b, penalty) in self.penalties.iter().enumerate() {
            let members = &self.members[self.block(b)];
            if members.iter().all(|&j| face[j as usize] == 0) {
                continue;
            }
            let scale = penalty.norm_pull(self.norm(b));
            for &j in members {
                let j = j as usize;
                full[j] =
                    self.gradient(j) + penalty.coordinate.face_slope(face[j]) + scale * self.w[j];
            }
        }
        set.iter().map(|&j| full[j as usize]).collect()
    }

    /// The penalty and ridge of all positions in `set`'s blocks that are on the face.
    fn penalty(&self, face: &[Face]) -> R {
        let mut total = R::zero();
        for (b, penalty) in self.penalties.iter().enumerate() {
            let members = &self.members[self.block(b)];
            if members.iter().all(|&j| face[j as usize] == 0) {
                continue;
            }
            if penalty.is_group() {
                total += penalty.norm * self.norm(b);
            }
            for &j in members {
                let j = j as usize;
                total += penalty.coordinate.value(self.w[j]);
                let off = self.w[j] - self.center[j];
                total += R::of(0.5) * self.ridge[j] * off * off;
            }
        }
        total
    }

    /// The factored system on a face with `shift` times its diagonal added, in the memory of the last;
    /// `None` where it is singular.
    fn factored_with(
        &mut self,
        face: &[Face],
        set: &[u32],
        shift: f64,
        last: Option<FaceFactor<R>>,
    ) -> Option<FaceFactor<R>> {
        if shift == 0.0
            && let Some(factor) = self.factored_by_rows(set)
        {
            return Some(factor);
        }
        let memory = match last.map(|last| last.factor.into_memory()) {
            Some(memory) => memory,
            None => std::mem::take(&mut self.spare),
        };
        let stride = cholesky::stride(set.len());
        let mut factor = self.face_matrix(face, set, Triangle::Lower, stride, memory);
        if shift > 0.0 {
            let grown = R::of(1.0 + shift);
            for at in 0..set.len() {
                factor[at * stride + at] *= grown;
            }
        }
        let size = match self.hessian_bound {
            Some(bound) if self.separable => {
                let ridge = set.iter().map(|&j| self.ridge[j as usize].to_f64());
                bound + ridge.fold(0.0, f64::max) * (set.len() as f64).sqrt()
            }
            _ => lower_norm(&factor, set.len()),
        };
        if !cholesky::factor(&mut factor, set.len()) {
            self.spare = factor;
            return None;
        }
        Some(FaceFactor {
            set: set.to_vec(),
            factor: Factored::Cholesky(factor),
            size,
            shift,
        })
    }

    /// The factored system through the rows, where that is cheaper.
    fn factored_by_rows(&self, set: &[u32]) -> Option<FaceFactor<R>> {
        let rows = self.rows.filter(|_| self.goes_through_rows(set.len()))?;
        let ridges: Vec<R> = set.iter().map(|&j| self.ridge[j as usize]).collect();
        let column = |at: usize| {
            let first = set[at] as usize * rows.count;
            &rows.values[first..first + rows.count]
        };
        let dual = DualFactor::new(column, rows.count, &ridges)?;
        Some(FaceFactor {
            set: set.to_vec(),
            size: dual.size,
            factor: Factored::Rows(dual),
            shift: 0.0,
        })
    }

    /// The factored system on a face, in the memory of the last; `None` where it is singular.
    pub(super) fn factored(
        &mut self,
        face: &[Face],
        set: &[u32],
        last: Option<FaceFactor<R>>,
    ) -> Option<FaceFactor<R>> {
        self.factored_with(face, set, 0.0, last)
    }

    /// The factored system on a face with the smallest shift of its diagonal that makes it regular, as
    /// far as powers of 16 go; `None` where it is not finite.
    fn factored_by_shift(&mut self, face: &[Face], set: &[u32]) -> Option<FaceFactor<R>> {
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let mut shift = SHIFT * epsilon * set.len() as f64;
        while shift < 1.0 {
            let factor = self.factored_with(face, set, shift, None);
            if factor.is_some() {
                return factor;
            }
            shift *= 16.0;
        }
        None
    }

    /// A Newton step on the face, by Cholesky; a singular system is made regular by a small shift.
    ///
    /// Along the null space of a singular system the objective is linear: with the shift the step is
    /// so long there that some coordinate leaves its face.
    pub(super) fn newton(
        &mut self,
        face: &[Face],
        set: &[u32],
        kept: &mut Option<FaceFactor<R>>,
        reusable: bool,
        reach: Reach,
    ) -> Newton {
        if !(reusable && kept.as_ref().is_some_and(|k| k.set == set)) {
            *kept = self.factored(face, set, kept.take());
            if kept.is_none() {
                *kept = self.factored_by_shift(face, set);
            }
        }
        let Some(k) = kept else {
            return Newton::Singular;
        };
        let rho = self.face_gradient(face, set);
        let mut step = rho.clone();
        k.factor.solve(&mut step);
        let is_exact = k.shift == 0.0;
        if !self.separable && self.penalties.iter().any(BlockPenalty::is_group) {
            return self.search(face, set, &rho, &step);
        }
        let inside = set.iter().zip(&step).all(|(&j, &step)| {
            let j = j as usize;
            let term = &self.penalties[self.block_of[j] as usize].coordinate;
            let target = self.w[j] - step;
            term.project(face[j], target) == target && term.face(target) == face[j]
        });
        if inside && is_exact {
            let start = self.w.clone();
            for (&j, &step) in set.iter().zip(&step) {
                self.w[j as usize] -= step;
            }
            let change = self.image_of_change(&start, set);
            for (q, change) in self.q.iter_mut().zip(&change) {
                *q += *change;
            }
            return Newton::Exact;
        }
        self.follow(face, set, &rho, step, reach)
    }

    /// Goes from w along −`step` to the first minimum; a coordinate that reaches the end of its face
    /// stays there, and the others go on.
    ///
    /// On every piece of the way the objective is a quadratic. Nothing is a trial: it never rises.
    fn follow(
        &mut self,
        face: &[Face],
        set: &[u32],
        rho: &[R],
        step: Vec<R>,
        reach: Reach,
    ) -> Newton {
        let m = self.m();
        let zero = R::zero();
        let mut direction = step;
        direction.iter_mut().for_each(|d| *d = -*d);
        let far = num_traits::Float::sqrt(<R as num_traits::Float>::max_value());
        // Where along the way each coordinate leaves, its place in the set, and where it then is.
        let mut leaving: Vec<(R, usize, R)> = Vec::new();
        for (at, &j) in set.iter().enumerate() {
            let (j, d) = (j as usize, direction[at]);
            if d == zero {
                continue;
            }
            let term = &self.penalties[self.block_of[j] as usize].coordinate;
            let target = self.w[j] + far * d;
            let inside = term.project(face[j], target);
            if inside != target {
                let share = num_traits::Float::max((inside - self.w[j]) / d, zero);
                leaving.push((share, at, inside));
            }
        }
        let order = |a: R, b: R| a.to_f64().total_cmp(&b.to_f64());
        leaving.sort_by(|a, b| order(a.0, b.0).then(a.1.cmp(&b.1)));
        let hessian = self.hessian;
        let column = |j: u32| &hessian[j as usize * m..(j as usize + 1) * m];
        // H times the direction, and H times the way so far.
        let (mut image, mut change) = (vec![zero; m], vec![zero; m]);
        vectorized(
            #[inline(always)]
            || {
                for (&j, &d) in set.iter().zip(&direction) {
                    axpy(d, column(j), &mut image);
                }
            },
        );
        let mut gone: Vec<(usize, R)> = Vec::new();
        let mut share = zero;
        let mut next = leaving.into_iter().peekable();
        let mut outcome = Newton::Rejected;
        loop {
            let (mut slope, mut curvature) = (0.0f64, 0.0f64);
            for (at, &j) in set.iter().enumerate() {
                let (j, d) = (j as usize, direction[at].to_f64());
                if d != 0.0 {
                    let ridge = self.ridge[j].to_f64() * d;
                    let gradient = (rho[at] + change[j]).to_f64() + share.to_f64() * ridge;
                    slope += d * gradient;
                    curvature += d * (image[j].to_f64() + ridge);
                }
            }
            if !exceeds(-slope, 0.0) {
                break;
            }
            let mut to_minimum = if curvature > 0.0 {
                R::of(-slope / curvature)
            } else {
                R::infinity()
            };
            if reach == Reach::Step {
                to_minimum = num_traits::Float::min(to_minimum, R::one() - share);
            }
            let to_next = next
                .peek()
                .map_or(R::infinity(), |&(reached, ..)| reached - share);
            let way = num_traits::Float::min(to_minimum, to_next);
            if !num_traits::Float::is_finite(way) {
                break;
            }
            vectorized(
                #[inline(always)]
                || axpy(way, &image, &mut change),
            );
            share += way;
            if way > zero {
                outcome = Newton::Shortened;
            }
            if to_minimum <= to_next {
                break;
            }
            if let Some((_, at, bound)) = next.next() {
                gone.push((at, bound));
                let d = direction[at];
                direction[at] = zero;
                vectorized(
                    #[inline(always)]
                    || axpy(-d, column(set[at]), &mut image),
                );
                let j = set[at] as usize;
                outcome = Newton::Shortened;
                self.w[j] = bound;
            }
        }
        for (at, &j) in set.iter().enumerate() {
            let j = j as usize;
            if direction[at] != zero {
                let term = &self.penalties[self.block_of[j] as usize].coordinate;
                self.w[j] = term.project(face[j], self.w[j] + share * direction[at]);
            }
        }
        for (q, change) in self.q.iter_mut().zip(&change) {
            *q += *change;
        }
        if matches!(outcome, Newton::Shortened) && gone.is_empty() {
            outcome = Newton::Approached;
        }
        outcome
    }

    /// Goes from w along −`step` on faces of groups as far as the objective falls: the whole way, up to the
    /// first coordinate or group that leaves its face, or a part of that.
    fn search(&mut self, face: &[Face], set: &[u32], rho: &[R], step: &[R]) -> Newton {
        let before = self.penalty(face);
        let start = self.w.clone();
        let slope: R = rho.iter().zip(step).map(|(&r, &s)| r * s).sum();
        let first = self.first_leaving(face, set, step);
        let mut share = R::one();
        for _ in 0..HALVINGS {
            let leaves = self.place(&start, face, set, step, share);
            let (decrease, size, change) = self.change_from(&start, face, set, before);
            let noise = size * <R as num_traits::Float>::epsilon() * R::of(16.0);
            if decrease <= noise - R::of(1e-4) * share * slope {
                for (q, change) in self.q.iter_mut().zip(&change) {
                    *q += *change;
                }
                return match (share == R::one(), leaves) {
                    (_, true) => Newton::Shortened,
                    (true, false) => Newton::Exact,
                    (false, false) => Newton::Approached,
                };
            }
            share = if first < share {
                first
            } else {
                share * R::of(0.5)
            };
        }
        self.w = start;
        Newton::Rejected
    }

    /// The share of the way along −`step` at which the first coordinate leaves its face, or the first
    /// group has no part left along its direction.
    fn first_leaving(&self, face: &[Face], set: &[u32], step: &[R]) -> R {
        let mut first = R::infinity();
        let mut along = vec![R::zero(); self.penalties.len()];
        for (&j, &step) in set.iter().zip(step) {
            let j = j as usize;
            let b = self.block_of[j] as usize;
            let term = &self.penalties[b].coordinate;
            let target = self.w[j] - step;
            let inside = term.project(face[j], target);
            if inside != target || term.face(inside) != face[j] {
                first = num_traits::Float::min(first, (self.w[j] - inside) / step);
            }
            along[b] += self.w[j] * step;
        }
        for (b, &along) in along.iter().enumerate() {
            if self.penalties[b].is_group() && along > R::zero() {
                let norm = self.norm(b);
                first = num_traits::Float::min(first, norm * norm / along);
            }
        }
        first
    }

    /// Sets w to `start` less a share of the step, on its faces; a group that has no part left along its
    /// direction is zero. True where a coordinate leaves its face.
    fn place(&mut self, start: &[R], face: &[Face], set: &[u32], step: &[R], share: R) -> bool {
        let mut along = vec![R::zero(); self.penalties.len()];
        for (&j, &step) in set.iter().zip(step) {
            let j = j as usize;
            let b = self.block_of[j] as usize;
            let target = start[j] - share * step;
            self.w[j] = self.penalties[b].coordinate.project(face[j], target);
            along[b] += self.w[j] * start[j];
        }
        let mut leaves = false;
        for &j in set {
            let j = j as usize;
            let b = self.block_of[j] as usize;
            let penalty = &self.penalties[b];
            if penalty.is_group() && along[b] <= R::zero() {
                self.w[j] = R::zero();
                leaves = true;
            }
            leaves |= penalty.coordinate.face(self.w[j]) != face[j];
        }
        leaves
    }

    /// H(w − start), which differ on `set`.
    fn image_of_change(&self, start: &[R], set: &[u32]) -> Vec<R> {
        let m = self.m();
        let mut change = vec![R::zero(); m];
        vectorized(
            #[inline(always)]
            || {
                for &j in set {
                    let j = j as usize;
                    let delta = self.w[j] - start[j];
                    if delta != R::zero() {
                        axpy(delta, &self.hessian[j * m..(j + 1) * m], &mut change);
                    }
                }
            },
        );
        change
    }

    /// Change of the objective from `start` to w, which differ on `set`; the size of its terms; and
    /// H(w − start). `before` is the penalty at `start`.
    fn change_from(&self, start: &[R], face: &[Face], set: &[u32], before: R) -> (R, R, Vec<R>) {
        let change = self.image_of_change(start, set);
        let half = R::of(0.5);
        let mut total = self.penalty(face) - before;
        let mut size = num_traits::Float::abs(before);
        for &j in set {
            let j = j as usize;
            let term = (self.w[j] - start[j]) * (self.q[j] + half * change[j]);
            total += term;
            size += num_traits::Float::abs(term);
        }
        (total, size, change)
    }
}
