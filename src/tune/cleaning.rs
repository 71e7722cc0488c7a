//! Cleaning: weights of the training rows under which a fit does best on rows that are trusted.
//!
//! ```text
//! min over s ∈ [0, 1]ⁿ and λ₂ of  E(w(s, λ₂))      w(s, λ₂) = argmin Σ s_i ℓ_i(w) / Σ s_i + l1 ‖w‖₁ + (λ₂/2) ‖w‖²
//! ```
//!
//! As many weights as rows would soon fit the trusted rows by chance: measured on digits with half of the
//! labels wrong, the third step does. So the weights are a logistic function of what speaks against a row,
//!
//! ```text
//! s_i = σ(a − b u_i − b' u'_i)/σ(a)      u_i = rank of ∂E/∂s_i     u'_i = rank of the row's own loss
//! ```
//!
//! of few variables, which hypergradients tune together with λ₂. The slopes that rank are those of the
//! criterion on one part of the trusted rows, the leading ones; a, b, b' and λ₂ are tuned on the others,
//! which judge. Rounds follow, each with the evidence of the last one's fit. The weights are returned where
//! they do better on the judging rows than no weights by more than two standard errors.

mod descent;
mod outcome;
mod roles;

use crate::control::Control;
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::kinds::{Method, Precision, Wrt};
use crate::model::loss::Loss;
use crate::problem::{Offset, Point, Problem, Sign};
use crate::tune::resources::{Resources, resource_choices};
use crate::tune::{Tuner, Variable};

use descent::Descent;
use roles::Roles;

pub use outcome::{Cleaned, CleaningStep, Detection};

/// The evaluations that a cleaning takes at most, unless it is told otherwise.
pub const MAX_CLEANING_EVALUATIONS: usize = 60;

/// Evaluations of the ridge alone before the weights move.
const RIDGE_EVALUATIONS: usize = 20;
/// The tolerance of fits on the way.
const ROUGH: f64 = 1e-5;

/// A cleaning of the training rows of a problem whose criterion is on rows that are trusted.
///
/// | choice | default | meaning |
/// | --- | --- | --- |
/// | [`tune_ridge`](Self::tune_ridge) | on | λ₂ is tuned together with the weights |
/// | [`judging`](Self::judging) | ½, seed 0 | the share of the trusted rows that judge |
/// | [`max_evaluations`](Self::max_evaluations) | 60 | fits with their derivatives |
/// | [`settings`](Self::settings) | [`Settings::default`] | solver, threads; the tolerance is that of the last fit, those on the way take 1e-5 where it is smaller |
/// | [`control`](Self::control) | none | cancellation and time budget: the best so far is returned |
///
/// ```
/// use proxdiff::prelude::*;
/// use proxdiff::tune::Cleaning;
/// # fn main() -> proxdiff::Result<()> {
/// let x: Vec<[f64; 2]> = (0..60).map(|i| [(i % 7) as f64 - 3.0, (i % 5) as f64 - 2.0]).collect();
/// let mut y: Vec<f64> = x.iter().map(|r| r[0] + 2.0 * r[1]).collect();
/// (0..10).for_each(|i| y[3 * i] = -y[3 * i]);
/// let problem = Problem::elastic_net(&x[..40], &y[..40]).validation(&x[40..], &y[40..]).build()?;
/// let cleaned = Cleaning::new(&problem, Point::new(0.0, 0.1)).run()?;
/// assert!(cleaned.error < cleaned.first.error && cleaned.weights.len() == 40);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Cleaning<'a> {
    problem: &'a Problem,
    point: Point,
    tunes_ridge: bool,
    judging_share: f64,
    judging_seed: u64,
    resources: Resources,
}

impl<'a> Cleaning<'a> {
    /// A cleaning that starts at a point with all rows in full weight.
    pub fn new(problem: &'a Problem, point: Point) -> Self {
        Self {
            problem,
            point,
            tunes_ridge: true,
            judging_share: 0.5,
            judging_seed: 0,
            resources: Resources::new(MAX_CLEANING_EVALUATIONS),
        }
    }

    /// Chooses whether λ₂ is tuned, at first alone and then together with the weights.
    pub fn tune_ridge(mut self, tunes: bool) -> Self {
        self.tunes_ridge = tunes;
        self
    }

    /// Chooses the share of the trusted rows that judge, drawn by a seed; the others lead.
    pub fn judging(mut self, share: f64, seed: u64) -> Self {
        (self.judging_share, self.judging_seed) = (share, seed);
        self
    }

    resource_choices! {
        "Chooses the most evaluations: fits with their derivatives, those of the ridge alone and the last one not among them.",
        "Chooses solver, tolerance, device and threads; without a method the adjoint is AID-CG's.",
        "Shares a control with the caller, which counts the evaluations."
    }

    /// Cleans.
    ///
    /// # Errors
    /// [`Error::Value`] for a criterion on the training rows or one that is maximised, for a budget of 0,
    /// and where the first fit has no criterion with its derivative; [`Error::Unsupported`] for a quadratic
    /// form, which has no rows, for f32, and for points with weights of their own; those of
    /// [`Evaluator::run`](crate::hypergrad::Evaluator::run).
    pub fn run(&self) -> Result<Cleaned> {
        self.check()?;
        in_threads(self.resources.settings.threads, || self.run_here())
    }

    fn check(&self) -> Result<()> {
        let criterion = self.problem.criterion();
        if self.problem.loss() == Loss::Quadratic {
            return Err(Error::unsupported(
                "cleaning a quadratic form, which has no rows",
                "state the problem by its rows",
            ));
        }
        if criterion.on_training_rows {
            return Err(Error::value(
                "criterion",
                "it is on the training rows, which are what is to be judged",
                "give rows that are trusted (--x-val, --y-val), or hold some out",
            ));
        }
        if criterion.sign == Sign::Maximize {
            return Err(Error::value(
                "criterion",
                "it is to be maximised, and cleaning minimises it",
                "leave the sign out",
            ));
        }
        self.resources.check("cleaned", MAX_CLEANING_EVALUATIONS)?;
        // Weights of roles are those of the user, and rows would be weighed by their exposures once more.
        if Offset::factors_of(self.problem.train().offset.as_deref()).is_some() {
            return Err(Error::unsupported(
                "cleaning beside offsets with a log link",
                "state the problem with rates as targets and exposures as sample weights",
            ));
        }
        if self.resources.settings.precision != Precision::F64 {
            return Err(Error::unsupported(
                "cleaning in f32",
                "leave the precision at f64",
            ));
        }
        if self.point.has_own_rows() {
            return Err(Error::unsupported(
                "cleaning at a point with row weights of its own",
                "state the problem with these weights",
            ));
        }
        self.problem.check_points(std::slice::from_ref(&self.point))
    }

    fn run_here(&self) -> Result<Cleaned> {
        let Resources {
            max_evaluations,
            settings,
            control,
        } = &self.resources;
        let roles = Roles::of(self.problem, self.judging_share, self.judging_seed)?;
        let mut point = self
            .point
            .clone()
            .with_criterion_weights(roles.judging.clone());
        // Wherever the search goes next, a hypergradient of five digits leads there.
        let rough = Settings {
            // This runs in the pool already.
            threads: 0,
            tolerance: Some(settings.tolerance.map_or(ROUGH, |own| own.max(ROUGH))),
            ..settings.clone()
        };
        let (mut alone, mut bounds) = (0, None);
        if self.tunes_ridge {
            let tuned = Tuner::new(self.problem)
                .variables([Variable::l2()])
                .at(point.clone())
                .max_evaluations(RIDGE_EVALUATIONS)
                .settings(&rough)
                .control(&control.of_a_part())
                .run()?;
            let ridge = &tuned.variables[0];
            bounds = Some((ridge.lower, ridge.upper));
            alone = tuned.evaluations;
            point.l2 = tuned.point.l2;
        }
        let of = |settings: Settings| Settings {
            threads: 0,
            method: settings.method.or(Some(Method::AidCg)),
            wrt: vec![Wrt::SampleWeights, Wrt::L2],
            ..settings
        };
        let descent = Descent::new(self.problem, point, bounds, &roles, &of(rough), control);
        let mut cleaned = descent.run(*max_evaluations, &of(settings.clone()))?;
        cleaned.evaluations += alone;
        Ok(cleaned)
    }
}
