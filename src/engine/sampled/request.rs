//! Requests to the sampler and their estimates.

use crate::engine::outcome::Hypergradient;
use crate::engine::settings::MinibatchSteps;
use crate::error::Error;
use crate::kinds::Wrt;
use crate::map::spectrum::Step;
use crate::model::linearization::OuterDerivative;
use crate::problem::{Point, Problem};

/// A solution to differentiate at.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Its strengths.
    pub point: &'a Point,
    /// p scaled coordinates.
    pub w: &'a [f64],
    /// γ and q of the map: `Spectrum::step`, or a choice
    /// of the caller's.
    pub step: Step,
}

/// A stochastic hypergradient that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// The solution, by its position.
    pub at: usize,
    /// The seed of the minibatches.
    pub seed: u64,
    /// Steps k.
    pub steps: usize,
    /// Minibatches J of the frozen outer derivative and of ∂₂T̂.
    pub freeze: usize,
    /// The steps η_i; unlike the settings' they may exceed 1.
    pub schedule: MinibatchSteps,
}

/// The drawing of minibatches, and the derivatives that are computed from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Rows in a minibatch.
    pub batch: usize,
    /// Draw every minibatch independently instead of without replacement within an epoch.
    pub independent: bool,
    /// Freeze D at ū: NSID. Otherwise SID.
    pub frozen: bool,
    /// With respect to what.
    pub wrt: Vec<Wrt>,
}

impl Sampling {
    pub(super) fn of_rows(batch: usize) -> Self {
        Self {
            batch,
            independent: false,
            frozen: true,
            wrt: Vec::new(),
        }
    }
}

/// A stochastic hypergradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub hypergradient: Hypergradient,
    /// The adjoint v, p entries.
    pub v: Vec<f64>,
    /// Steps taken: fewer than were asked for after an interruption.
    pub steps: usize,
}

impl Estimate {
    /// The estimate before the first step.
    pub(super) fn none(problem: &Problem) -> Self {
        Self {
            hypergradient: Hypergradient::default(),
            v: vec![0.0; problem.coordinates()],
            steps: 0,
        }
    }
}

/// The outer derivative frozen at the average of J minibatches.
pub(super) struct Frozen<'r, 'p> {
    pub(super) at: usize,
    pub(super) freeze: usize,
    /// The number of times that every row was drawn.
    pub(super) counts: Vec<f64>,
    /// J · batch.
    pub(super) total: f64,
    pub(super) outer: OuterDerivative<'r, 'p>,
}

pub(super) fn interrupted() -> Error {
    Error::Interrupted {
        what: "a stochastic hypergradient",
    }
}
