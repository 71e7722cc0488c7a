//! The face of a penalised quadratic, on which it is smooth: its system, the factor, a Newton step.

use crate::real::Real;

use super::quadratic::{FaceFactor, Newton, Quadratic, Triangle};
use crate::linalg::cholesky;
use crate::linalg::vector::{axpy, inner, vectorized};
use crate::model::penalty::{BlockPenalty, Face};

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

    /// The factored system on a face, in the memory of the last; `None` where it is singular.
    pub(super) fn factored(
        &mut self,
        face: &[Face],
        set: &[u32],
        last: Option<FaceFactor<R>>,
    ) -> Option<FaceFactor<R>> {
        let memory = last.map_or_else(|| std::mem::take(&mut self.spare), |last| last.factor);
        let stride = cholesky::stride(set.len());
        let mut factor = self.face_matrix(face, set, Triangle::Lower, stride, memory);
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
            factor,
            size,
        })
    }

    /// A Newton step on the face, by Cholesky.
    pub(super) fn newton(
        &mut self,
        face: &[Face],
        set: &[u32],
        kept: &mut Option<FaceFactor<R>>,
        reusable: bool,
    ) -> Newton {
        if !(reusable && kept.as_ref().is_some_and(|k| k.set == set)) {
            *kept = self.factored(face, set, kept.take());
            if kept.is_none() {
                return Newton::Singular;
            }
        }
        let rho = self.face_gradient(face, set);
        let mut step = rho.clone();
        if let Some(k) = kept {
            cholesky::solve(&k.factor, &mut step);
        }
        let has_groups = self.penalties.iter().any(BlockPenalty::is_group);
        let before = self.penalty(face);
        let old = self.w.clone();
        // The share of the step up to the first coordinate that leaves its face, and where.
        let mut first: Option<(R, u32, R)> = None;
        for (&i, &step) in set.iter().zip(&step) {
            let j = i as usize;
            let term = &self.penalties[self.block_of[j] as usize].coordinate;
            let target = self.w[j] - step;
            let inside = term.project(face[j], target);
            if inside != target || term.face(inside) != face[j] {
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
                    let term = &self.penalties[self.block_of[j] as usize].coordinate;
                    self.w[j] = if i == leaving {
                        bound
                    } else {
                        term.project(face[j], old[j] - share * step)
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
}
