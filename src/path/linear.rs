//! Linear systems on a support: conjugate gradient, and refinement on the recomputed residual.

use crate::control::Control;
use crate::kinds::{Preconditioner, Status};
use crate::real::Real;

use super::vector::{dot, exceeds, norm, symmetric_product, vectorized};

/// A residual of this many roundings of its terms counts as converged, when it falls no further.
const ROUNDINGS: f64 = 1e3;
/// Cycles of conjugate gradient, or steps of refinement, each on the recomputed residual.
const CYCLES: usize = 3;

/// When a linear solve ends.
pub(super) struct Limits<'a> {
    pub(super) tolerance: Option<f64>,
    pub(super) max_steps: usize,
    pub(super) control: &'a Control,
}

/// What cycles of solving on the recomputed residual came to.
pub(super) struct Refined {
    pub(super) x: Vec<f64>,
    pub(super) steps: usize,
    pub(super) status: Status,
    /// The last product that was formed is that of `x`.
    pub(super) is_last: bool,
}

/// x ← x + solve(b − Ax), until the recomputed residual meets its goal or falls no further.
///
/// `size` bounds ‖A‖; `solve(r, x, budget)` returns its number of products.
pub(super) fn refine(
    rhs: &[f64],
    size: f64,
    epsilon: f64,
    limits: &Limits<'_>,
    mut product: impl FnMut(&[f64], &mut [f64]),
    mut solve: impl FnMut(&[f64], &mut [f64], usize) -> usize,
) -> Refined {
    let m = rhs.len();
    let (mut x, mut step, mut image) = (vec![0.0; m], vec![0.0; m], vec![0.0; m]);
    let mut r = rhs.to_vec();
    let scale = norm(rhs);
    let mut best = (f64::INFINITY, x.clone());
    let mut steps = 0;
    let (mut spent, mut is_last) = (false, false);
    for cycle in 0..=CYCLES {
        steps += solve(&r, &mut step, limits.max_steps - steps);
        for (x, step) in x.iter_mut().zip(&step) {
            *x += step;
        }
        product(&x, &mut image);
        for ((r, b), image) in r.iter_mut().zip(rhs).zip(&image) {
            *r = b - image;
        }
        let residual = norm(&r);
        if !residual.is_finite() {
            return Refined {
                x,
                steps,
                status: Status::NonFinite,
                is_last: true,
            };
        }
        let improved = residual < 0.5 * best.0;
        is_last = residual < best.0;
        if is_last {
            best = (residual, x.clone());
        }
        spent = steps >= limits.max_steps || limits.control.should_stop();
        let done = match limits.tolerance {
            Some(t) => residual <= t * scale,
            None => residual <= 0.25 * epsilon * (size * norm(&x) + scale),
        };
        if done || spent || (cycle > 0 && !improved) {
            break;
        }
    }
    let (residual, x) = best;
    let rounding = ROUNDINGS * epsilon * (size * norm(&x) + scale);
    let goal = limits
        .tolerance
        .map_or(rounding, |t| (t * scale).max(rounding));
    let status = if residual <= goal {
        Status::Converged
    } else if spent {
        Status::BudgetSpent
    } else {
        Status::Stalled
    };
    Refined {
        x,
        steps,
        status,
        is_last,
    }
}

/// Preconditioned conjugate gradient in `f64`; returns the number of products.
pub(super) fn conjugate_gradient(
    rhs: &[f64],
    diagonal: &[f64],
    product: impl Fn(&[f64], &mut [f64]),
    limits: &Limits<'_>,
    epsilon: f64,
    budget: usize,
    x: &mut [f64],
) -> usize {
    let m = rhs.len();
    x.fill(0.0);
    let mut r = rhs.to_vec();
    let mut z: Vec<f64> = r.iter().zip(diagonal).map(|(r, d)| r / d).collect();
    let mut direction = z.clone();
    let mut image = vec![0.0; m];
    let goal = limits.tolerance.unwrap_or(0.0).mul_add(0.5, epsilon) * norm(rhs);
    let mut rz = dot(&r, &z);
    for step in 0..budget {
        if step > 0 && limits.control.should_stop() {
            return step;
        }
        product(&direction, &mut image);
        let curvature = dot(&direction, &image);
        if !exceeds(curvature, 0.0) {
            return step + 1;
        }
        let alpha = rz / curvature;
        for j in 0..m {
            x[j] += alpha * direction[j];
            r[j] -= alpha * image[j];
            z[j] = r[j] / diagonal[j];
        }
        if norm(&r) <= goal {
            return step + 1;
        }
        let next = dot(&r, &z);
        let beta = next / rz;
        rz = next;
        for j in 0..m {
            direction[j] = z[j] + beta * direction[j];
        }
    }
    budget
}

/// Conjugate gradient on a formed matrix, its vectors kept between cycles.
pub(super) struct Cycle<'m, R> {
    matrix: &'m [R],
    inverse: Vec<R>,
    x: Vec<R>,
    r: Vec<R>,
    z: Vec<R>,
    direction: Vec<R>,
    image: Vec<R>,
}

impl<'m, R: Real> Cycle<'m, R> {
    pub(super) fn new(matrix: &'m [R], m: usize) -> Self {
        let zero = || vec![R::zero(); m];
        Self {
            matrix,
            inverse: zero(),
            x: zero(),
            r: zero(),
            z: zero(),
            direction: zero(),
            image: zero(),
        }
    }

    /// One run on `rhs`; returns the number of products.
    pub(super) fn run(
        &mut self,
        rhs: &[f64],
        preconditioner: Preconditioner,
        limits: &Limits<'_>,
        budget: usize,
        x: &mut [f64],
    ) -> usize {
        let m = rhs.len();
        // Scaled to norm 1, so that f32 neither overflows nor loses small right-hand sides.
        let scale = norm(rhs);
        if scale == 0.0 {
            x.fill(0.0);
            return 0;
        }
        for j in 0..m {
            self.r[j] = R::of(rhs[j] / scale);
            self.inverse[j] = match preconditioner {
                Preconditioner::None => R::one(),
                _ => R::one() / self.matrix[j * m + j],
            };
        }
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let goal = R::of(limits.tolerance.unwrap_or(0.0) * 0.5 + epsilon);
        let steps = vectorized(
            #[inline(always)]
            || self.iterate(goal * goal, budget, limits.control),
        );
        for (x, &own) in x.iter_mut().zip(&self.x) {
            *x = own.to_f64() * scale;
        }
        steps
    }

    #[inline(always)]
    fn iterate(&mut self, goal: R, budget: usize, control: &Control) -> usize {
        let m = self.r.len();
        let (x, r, z) = (&mut self.x[..m], &mut self.r[..m], &mut self.z[..m]);
        let (direction, image) = (&mut self.direction[..m], &mut self.image[..m]);
        let inverse = &self.inverse[..m];
        x.fill(R::zero());
        for j in 0..m {
            z[j] = r[j] * inverse[j];
            direction[j] = z[j];
        }
        let mut rz = dot(r, z);
        for step in 0..budget {
            if step > 0 && step % 64 == 0 && control.should_stop() {
                return step;
            }
            symmetric_product(self.matrix, direction, image);
            let curvature = dot(direction, image);
            if !exceeds(curvature, R::zero()) {
                return step + 1;
            }
            let alpha = rz / curvature;
            for j in 0..m {
                x[j] += alpha * direction[j];
                r[j] -= alpha * image[j];
                z[j] = r[j] * inverse[j];
            }
            if dot(r, r) <= goal {
                return step + 1;
            }
            let next = dot(r, z);
            let beta = next / rz;
            rz = next;
            for j in 0..m {
                direction[j] = z[j] + beta * direction[j];
            }
        }
        budget
    }
}
