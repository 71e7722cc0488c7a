//! Conjugate gradient (Hestenes and Stiefel 1952) for A x = b from x = 0, the only one on the host; the
//! recorded one for a batch on a device is [`iterate::cg`](crate::iterate::cg).
//!
//! It differs from the textbook in four things:
//!
//! 1. A direction of curvature that is not positive ends it: A is singular to rounding, or not
//!    definite. [`Stop::indefinite`] goes on, as long as steps are finite.
//! 2. The goal is on the recurrence's own residual, which drifts away from the true one; callers
//!    measure that and start again from there ([`refine`](super::refine)).
//! 3. A product may decline, which ends it: a budget is spent, or a user has interrupted.
//! 4. Its vectors stay between runs, and sums run over a fixed number of lanes, so that the bits do
//!    not depend on the caller.

use super::vector::{axpy, dot, exceeds};
use crate::real::Real;

/// When conjugate gradient ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop<R> {
    /// The norm of the residual that is small enough.
    pub(crate) goal: R,
    /// The most products.
    pub(crate) budget: usize,
    /// Directions of negative curvature are followed.
    pub(crate) indefinite: bool,
}

/// The preconditioner of an inverse diagonal; none without one.
#[inline(always)]
pub(crate) fn diagonal<R: Real>(inverse: Option<&[R]>) -> impl Fn(&[R], &mut [R]) {
    #[inline(always)]
    move |r, z| match inverse {
        Some(inverse) => {
            for j in 0..r.len() {
                z[j] = r[j] * inverse[j];
            }
        }
        None => z.copy_from_slice(r),
    }
}

/// The vectors of conjugate gradient for one size.
#[derive(Debug, Clone)]
pub(crate) struct ConjugateGradient<R> {
    x: Vec<R>,
    r: Vec<R>,
    z: Vec<R>,
    direction: Vec<R>,
    image: Vec<R>,
}

impl<R: Real> ConjugateGradient<R> {
    /// For systems of m unknowns.
    pub(crate) fn new(m: usize) -> Self {
        let zero = || vec![R::zero(); m];
        Self {
            x: zero(),
            r: zero(),
            z: zero(),
            direction: zero(),
            image: zero(),
        }
    }

    /// The solution of the last run.
    pub(crate) fn solution(&self) -> &[R] {
        &self.x
    }

    /// Solves A x = b; `precondition(r, z)` sets z to an approximate inverse of A times r.
    /// `product(x, out)` sets out = A x, or declines. Returns the number of products.
    ///
    /// For inlining into vectorised code.
    #[inline(always)]
    pub(crate) fn run(
        &mut self,
        b: &[R],
        precondition: impl Fn(&[R], &mut [R]),
        stop: Stop<R>,
        mut product: impl FnMut(&[R], &mut [R]) -> bool,
    ) -> usize {
        let m = b.len();
        let (x, r, z) = (&mut self.x[..m], &mut self.r[..m], &mut self.z[..m]);
        let (direction, image) = (&mut self.direction[..m], &mut self.image[..m]);
        x.fill(R::zero());
        r.copy_from_slice(b);
        precondition(r, z);
        direction.copy_from_slice(z);
        let mut rz = dot(r, z);
        for step in 0..stop.budget {
            if !product(direction, image) {
                return step;
            }
            let curvature = dot(direction, image);
            let alpha = rz / curvature;
            let goes_on = if stop.indefinite {
                num_traits::Float::is_finite(alpha)
            } else {
                exceeds(curvature, R::zero())
            };
            if !goes_on {
                return step + 1;
            }
            axpy(alpha, direction, x);
            axpy(-alpha, image, r);
            precondition(r, z);
            if num_traits::Float::sqrt(dot(r, r)) <= stop.goal {
                return step + 1;
            }
            let next = dot(r, z);
            let beta = next / rz;
            rz = next;
            for j in 0..m {
                direction[j] = z[j] + beta * direction[j];
            }
        }
        stop.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product of a dense matrix.
    fn by<const N: usize>(a: [[f64; N]; N]) -> impl Fn(&[f64], &mut [f64]) -> bool {
        move |x, out| {
            for i in 0..N {
                out[i] = (0..N).map(|j| a[i][j] * x[j]).sum();
            }
            true
        }
    }

    fn stop(budget: usize) -> Stop<f64> {
        Stop {
            goal: 0.0,
            budget,
            indefinite: false,
        }
    }

    #[test]
    fn on_a_definite_operator_it_is_exact_after_as_many_products_as_unknowns() {
        let a = [[4.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 5.0]];
        let b = [1.0, -2.0, 0.5];
        let mut cg = ConjugateGradient::new(3);
        for inverse in [None, Some(&[0.25, 1.0 / 3.0, 0.2][..])] {
            assert_eq!(cg.run(&b, diagonal(inverse), stop(3), by(a)), 3);
            let x = cg.solution().to_vec();
            let mut back = [0.0; 3];
            by(a)(&x, &mut back);
            assert!(back.iter().zip(&b).all(|(b, r)| (b - r).abs() < 1e-13));
            // More products than a solved system can use do no harm.
            cg.run(&b, diagonal(inverse), stop(50), by(a));
            let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(cg.solution().iter().zip(&x).all(same));
        }
        cg.run(&b, diagonal(None), stop(0), by(a));
        assert_eq!(cg.solution(), [0.0; 3]);
    }

    #[test]
    fn a_direction_without_curvature_ends_it_unless_it_may_go_on() {
        let a = [[1.0, 0.0], [0.0, -2.0]];
        let b = [0.0, 1.0];
        let mut cg = ConjugateGradient::new(2);
        assert_eq!(cg.run(&b, diagonal(None), stop(9), by(a)), 1);
        assert_eq!(cg.solution(), [0.0; 2]);
        let indefinite = Stop {
            indefinite: true,
            goal: 1e-12,
            ..stop(9)
        };
        assert_eq!(cg.run(&b, diagonal(None), indefinite, by(a)), 1);
        assert_eq!(cg.solution(), [0.0, -0.5]);
    }

    #[test]
    fn a_product_that_declines_ends_it() {
        let mut left = 2;
        let mut cg = ConjugateGradient::new(3);
        let taken = cg.run(&[1.0, 2.0, 3.0], diagonal(None), stop(9), |x, out| {
            left -= 1;
            out.iter_mut()
                .zip(x)
                .zip([1.0, 2.0, 5.0])
                .for_each(|((out, x), a)| *out = a * x);
            left > 0
        });
        assert_eq!(taken, 1);
    }
}
