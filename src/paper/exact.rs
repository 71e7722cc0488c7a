//! The solution and its exact hypergradient in the strengths, which the errors of curves are relative to.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Hypergradient, Outcome, Settings};
use crate::kinds::{Method, Status};
use crate::problem::{Point, Problem};

/// The exact result at a point.
pub(super) struct Exact {
    /// The solution with its support.
    pub outcome: Outcome,
    /// (d/dl1, d/dλ₂), by Cholesky on the support.
    pub strengths: Vec<f64>,
}

/// Computes the exact result at a point.
///
/// # Errors
/// [`Error::Interrupted`] when `control` stops, [`Error::Unsupported`] where there is no exact hypergradient.
pub(super) fn exact(problem: &Problem, point: &Point, control: &Control) -> Result<Exact> {
    let settings = Settings {
        method: Some(Method::Direct),
        ..Settings::default()
    };
    let outcome = Evaluator::new(problem)
        .settings(&settings)
        .control(control)
        .run(std::slice::from_ref(point))?
        .remove(0);
    if control.should_stop() {
        return Err(Error::Interrupted {
            what: "an experiment",
        });
    }
    let strengths = outcome
        .hypergradient
        .as_ref()
        .filter(|_| outcome.status == Status::Converged)
        .map(strengths);
    match strengths {
        Some(strengths) => Ok(Exact { outcome, strengths }),
        None => Err(Error::unsupported(
            format!(
                "an experiment at l1 = {}, l2 = {}: no exact hypergradient",
                point.l1, point.l2
            ),
            "choose l2 > 0",
        )),
    }
}

/// (d/dl1, d/dλ₂).
pub(super) fn strengths(hypergradient: &Hypergradient) -> Vec<f64> {
    let l1 = hypergradient.l1.iter().flatten().copied();
    l1.chain(hypergradient.l2.iter().flatten().copied())
        .collect()
}
