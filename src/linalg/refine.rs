//! Refinement of a linear solve on the recomputed residual, and the solves that it takes.

use crate::control::Control;
use crate::kinds::{Preconditioner, Status};
use crate::real::Real;

use super::cg::{ConjugateGradient, Stop, diagonal};
use super::vector::{norm, symmetric_product, vectorized};

/// A residual of this many roundings of its terms counts as converged, when it falls no further.
const ROUNDINGS: f64 = 1e3;
/// Cycles of conjugate gradient, or steps of refinement, each on the recomputed residual.
const CYCLES: usize = 3;

/// Limits of a linear solve.
pub struct Limits<'a> {
    /// The relative residual that is small enough; `None` goes to rounding.
    pub tolerance: Option<f64>,
    /// The most products.
    pub max_steps: usize,
    /// Cancellation.
    pub control: &'a Control,
}

/// One solve of a refinement: x ≈ A⁻¹ rhs in at most `budget` products.
pub(crate) struct Pass<'a> {
    pub(crate) rhs: &'a [f64],
    pub(crate) x: &'a mut [f64],
    pub(crate) budget: usize,
}

/// The result of cycles of solving on the recomputed residual.
pub(crate) struct Refined {
    pub(crate) x: Vec<f64>,
    pub(crate) steps: usize,
    pub(crate) status: Status,
    /// The last product that was formed is that of `x`.
    pub(crate) is_last: bool,
}

/// x ← x + solve(b − Ax), until the recomputed residual meets its goal or falls no further.
///
/// `size` bounds ‖A‖; `solve` returns its number of products.
pub(crate) fn refine(
    rhs: &[f64],
    size: f64,
    epsilon: f64,
    limits: &Limits<'_>,
    mut product: impl FnMut(&[f64], &mut [f64]),
    mut solve: impl FnMut(Pass<'_>) -> usize,
) -> Refined {
    let m = rhs.len();
    let (mut x, mut step, mut image) = (vec![0.0; m], vec![0.0; m], vec![0.0; m]);
    let mut r = rhs.to_vec();
    let scale = norm(rhs);
    let mut best = (f64::INFINITY, x.clone());
    let mut steps = 0;
    let (mut spent, mut is_last) = (false, false);
    for cycle in 0..=CYCLES {
        steps += solve(Pass {
            rhs: &r,
            x: &mut step,
            budget: limits.max_steps - steps,
        });
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

/// Conjugate gradient as [`refine`] takes its steps, by products in `f64`; returns their number.
pub(crate) fn by_products(
    work: &mut ConjugateGradient<f64>,
    precondition: impl Fn(&[f64], &mut [f64]),
    product: impl Fn(&[f64], &mut [f64]),
    limits: &Limits<'_>,
    pass: Pass<'_>,
) -> usize {
    let stop = Stop {
        goal: limits.tolerance.unwrap_or(0.0).mul_add(0.5, f64::EPSILON) * norm(pass.rhs),
        budget: pass.budget,
        indefinite: false,
    };
    let mut taken = 0;
    let steps = work.run(pass.rhs, precondition, stop, |x, out| {
        let goes_on = taken == 0 || !limits.control.should_stop();
        taken += 1;
        if goes_on {
            product(x, out);
        }
        goes_on
    });
    pass.x.copy_from_slice(work.solution());
    steps
}

/// The same on a formed matrix in its own precision.
pub(crate) struct Formed<'m, R> {
    matrix: &'m [R],
    inverse: Option<Vec<R>>,
    rhs: Vec<R>,
    work: ConjugateGradient<R>,
}

impl<'m, R: Real> Formed<'m, R> {
    pub(crate) fn new(matrix: &'m [R], m: usize, preconditioner: Preconditioner) -> Self {
        let entries = || (0..m).map(|j| R::one() / matrix[j * m + j]).collect();
        Self {
            matrix,
            inverse: (preconditioner != Preconditioner::None).then(entries),
            rhs: vec![R::zero(); m],
            work: ConjugateGradient::new(m),
        }
    }

    /// One run; returns the number of products.
    pub(crate) fn run(&mut self, limits: &Limits<'_>, pass: Pass<'_>) -> usize {
        // Scaled to norm 1, so that f32 neither overflows nor loses small right-hand sides.
        let scale = norm(pass.rhs);
        if scale == 0.0 {
            pass.x.fill(0.0);
            return 0;
        }
        for (own, &rhs) in self.rhs.iter_mut().zip(pass.rhs) {
            *own = R::of(rhs / scale);
        }
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let stop = Stop {
            goal: R::of(limits.tolerance.unwrap_or(0.0) * 0.5 + epsilon),
            budget: pass.budget,
            indefinite: false,
        };
        let (matrix, rhs, inverse) = (self.matrix, &self.rhs, self.inverse.as_deref());
        let (work, mut taken) = (&mut self.work, 0);
        let steps = vectorized(
            #[inline(always)]
            || {
                work.run(
                    rhs,
                    diagonal(inverse),
                    stop,
                    #[inline(always)]
                    |x, out| {
                        let asks = taken > 0 && taken % 64 == 0;
                        let goes_on = !asks || !limits.control.should_stop();
                        taken += 1;
                        if goes_on {
                            symmetric_product(matrix, x, out);
                        }
                        goes_on
                    },
                )
            },
        );
        for (x, &own) in pass.x.iter_mut().zip(work.solution()) {
            *x = own.to_f64() * scale;
        }
        steps
    }
}
