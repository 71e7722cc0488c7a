//! A Newton step on a face whose Hessian is too large to form.

use crate::control::Control;
use crate::linalg::cg::{ConjugateGradient, Stop};
use crate::linalg::vector::norm;
use crate::real::Real;

use super::inverse::Inverse;
use super::rows::FaceHessian;

/// Conjugate-gradient steps of a Newton step at most.
const LINEAR_STEPS: usize = 300;
/// The smallest and the largest relative residual at which a Newton step is good enough; the next one
/// corrects it.
const LINEAR_TOLERANCE: f64 = 1e-6;
const LOOSEST: f64 = 0.1;

/// A Newton step on the face: x ≈ −A⁻¹ρ by conjugate gradient to the relative residual `forcing`, within
/// bounds; returns the number of products. Where the control stops, x is as far as it was.
///
/// With a forcing that falls as ρ does steps converge quadratically (Dembo, Eisenstat and Steihaug 1982).
pub(super) fn newton_step<R: Real>(
    operator: &FaceHessian<'_, '_, R>,
    rho: &[f64],
    forcing: f64,
    x: &mut [f64],
    control: &Control,
) -> usize {
    let inverse = Inverse::of(operator);
    let own = |j: &u32| -rho[*j as usize];
    let rhs: Vec<f64> = operator.face.iter().map(own).collect();
    let stop = Stop {
        goal: forcing.clamp(LINEAR_TOLERANCE, LOOSEST) * norm(rho),
        budget: LINEAR_STEPS,
        indefinite: false,
    };
    let mut work = ConjugateGradient::new(rhs.len());
    let precondition = |r: &[f64], z: &mut [f64]| inverse.apply(r, z);
    let steps = work.run(&rhs, precondition, stop, |x, image| {
        operator.apply_on_face(x, image);
        !control.should_stop()
    });
    for (&j, &step) in operator.face.iter().zip(work.solution()) {
        x[j as usize] = step;
    }
    steps
}
