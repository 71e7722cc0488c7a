//! Solutions and hypergradients of a user's own fixed-point map.
//!
//! ```text
//! w(λ) = Φ(w(λ), λ)        f(λ) = E(w(λ), λ)        ∇f = ∂₂E + ∂₂Φᵀv ,   (I − ∂₁Φᵀ) v = ∂₁E
//! ```
//!
//! Φ is a [`HostMap`], E a [`HostCriterion`]; together they are a
//! [`HostProblem`], which is solved and differentiated for a batch of λ at once:
//!
//! ```
//! use proxdiff::Control;
//! use proxdiff::hypergrad::host::{HostCriterion, HostProblem, HostSettings};
//! use proxdiff::map::HostMap;
//!
//! /// Heron: w = (w + λ/w)/2, whose fixed point is √λ.
//! struct Heron;
//!
//! impl HostMap for Heron {
//!     fn coordinates(&self) -> usize { 1 }
//!     fn hyperparameters(&self) -> usize { 1 }
//!     fn apply(&self, w: &[f64], lambda: &[f64], out: &mut [f64]) {
//!         out[0] = 0.5 * (w[0] + lambda[0] / w[0]);
//!     }
//!     fn jvp(&self, w: &[f64], lambda: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
//!         out[0] = 0.5 * (1.0 - lambda[0] / w[0].powi(2)) * dw[0] + 0.5 / w[0] * direction[0];
//!     }
//!     fn vjp(&self, w: &[f64], lambda: &[f64], v: &[f64], dw: &mut [f64], dlambda: &mut [f64]) {
//!         dw[0] = 0.5 * (1.0 - lambda[0] / w[0].powi(2)) * v[0];
//!         dlambda[0] = 0.5 / w[0] * v[0];
//!     }
//! }
//!
//! /// E(w) = w³.
//! struct Cube;
//!
//! impl HostCriterion for Cube {
//!     fn value(&self, w: &[f64], _: &[f64]) -> f64 { w[0].powi(3) }
//!     fn gradient(&self, w: &[f64], _: &[f64], out: &mut [f64]) { out[0] = 3.0 * w[0].powi(2); }
//! }
//!
//! # fn main() -> proxdiff::Result<()> {
//! use proxdiff::hypergrad::WarmStart;
//! let problem = HostProblem::new(Heron, Cube)?;
//! let start = vec![WarmStart { w: vec![1.0], v: vec![] }; 2];
//! let outcomes = problem.solve_and_differentiate(
//!     &[vec![4.0], vec![9.0]],
//!     &HostSettings::default(),
//!     Some(&start),
//!     &Control::new(),
//! )?;
//! // d(√λ)³/dλ = 3/2 √λ
//! assert!((outcomes[0].hypergradient[0] - 3.0).abs() < 1e-12);
//! assert!((outcomes[1].hypergradient[0] - 4.5).abs() < 1e-12);
//! # Ok(())
//! # }
//! ```

mod adapter;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::control::Control;
use crate::engine::in_threads;
use crate::engine::outcome::WarmStart;
use crate::engine::recorded::unrolled::Unrollable;
use crate::engine::solved::NOTHING;
use crate::error::{Error, Result};
use crate::exec::Executor;
use crate::kinds::{LinearStructure, Status};
use crate::map::host::HostMap;

use adapter::Family;

pub use settings::{HostMethod, HostSettings};

/// A user's criterion E(w, λ): `w` has p entries, `hyperparameters` m; outputs come filled with
/// zeros.
pub trait HostCriterion: Send + Sync {
    /// E(w, λ).
    fn value(&self, w: &[f64], hyperparameters: &[f64]) -> f64;

    /// `out = ∂₁E(w, λ)`, p entries.
    fn gradient(&self, w: &[f64], hyperparameters: &[f64], out: &mut [f64]);

    /// `out = ∂₂E(w, λ)`, m entries: E's own dependence on λ. Zero unless implemented.
    fn hyper_gradient(&self, w: &[f64], hyperparameters: &[f64], out: &mut [f64]) {
        let _ = (w, hyperparameters);
        out.fill(0.0);
    }
}

/// A user's map with a criterion of its fixed point.
#[derive(Debug)]
pub struct HostProblem<M: ?Sized, C> {
    map: Arc<M>,
    criterion: Arc<C>,
}

/// The outcome of one λ of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct HostOutcome {
    /// w(λ): p entries. The warm start of a later call.
    pub solution: Vec<f64>,
    /// The adjoint v: p entries; empty with ITD, which has none. The warm start of a later call.
    pub adjoint: Vec<f64>,
    /// The criterion E.
    pub criterion: f64,
    /// dE/dλ: m entries; NaN where ITD was interrupted.
    pub hypergradient: Vec<f64>,
    /// The end of the iteration and of the linear solver: the worse of the two. Anything in
    /// this outcome that is NaN or infinite, but for an interrupted hypergradient, makes it
    /// [`Status::NonFinite`].
    pub status: Status,
    /// Steps of the Picard iteration.
    pub steps: usize,
    /// Steps of the adjoint system's solver, each a vector-Jacobian product; 0 with ITD.
    pub linear_steps: usize,
    /// ‖Φ(w) − w‖₂, measured at the solution.
    pub residual: f64,
    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖, measured; `None` with ITD.
    pub linear_residual: Option<f64>,
}

impl HostOutcome {
    /// This outcome's w and v, to start a later call from.
    #[must_use]
    pub fn warm_start(&self) -> WarmStart {
        WarmStart {
            w: self.solution.clone(),
            v: self.adjoint.clone(),
        }
    }
}

impl<M: HostMap + 'static, C: HostCriterion + 'static> HostProblem<M, C> {
    /// A map with a criterion.
    ///
    /// # Errors
    /// [`Error::Value`] when the map has no coordinates or no hyperparameters.
    pub fn new(map: M, criterion: C) -> Result<Self> {
        Self::shared(Arc::new(map), criterion)
    }
}

impl<M: HostMap + ?Sized + 'static, C: HostCriterion + 'static> HostProblem<M, C> {
    /// The same for a map that others hold too, or whose type is not known (`Arc<dyn HostMap>`).
    ///
    /// # Errors
    /// [`Error::Value`] when the map has no coordinates or no hyperparameters.
    pub fn shared(map: Arc<M>, criterion: C) -> Result<Self> {
        for (name, count) in [
            ("coordinates of the map", map.coordinates()),
            ("hyperparameters of the map", map.hyperparameters()),
        ] {
            if count == 0 {
                return Err(Error::value(name, "0", "a map has at least one"));
            }
        }
        Ok(Self {
            map,
            criterion: Arc::new(criterion),
        })
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &M {
        &self.map
    }

    /// The criterion.
    #[must_use]
    pub fn criterion(&self) -> &C {
        &self.criterion
    }

    /// Iterates w ← Φ(w, λ) for every λ of the batch (m entries each), from zero or from the warm
    /// starts, and differentiates E(w(λ), λ) by the method of the settings.
    ///
    /// Outcomes are in the order of the batch, and one does not depend on the others: what is not
    /// finite, or ran out of its budget, is returned with that status. The adjoint's warm start
    /// may be empty. ITD differentiates the steps from the warm start, which it holds constant.
    ///
    /// # Errors
    /// [`Error::Value`] for settings outside their domain; [`Error::Shape`] for a λ or a warm start
    /// of the wrong length; [`Error::Unsupported`] for AID-CG where the map does not declare the
    /// operator I − ∂₁Φᵀ symmetric positive definite.
    pub fn solve_and_differentiate(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<HostOutcome>> {
        settings.validate()?;
        self.check(hyperparameters, settings, warm)?;
        if hyperparameters.is_empty() {
            return Ok(Vec::new());
        }
        let work = || self.evaluate(hyperparameters, settings, warm, control);
        in_threads(settings.threads, work)
    }

    fn check(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
    ) -> Result<()> {
        let (p, m) = (self.map.coordinates(), self.map.hyperparameters());
        if let Some((at, lambda)) = hyperparameters
            .iter()
            .enumerate()
            .find(|(_, lambda)| lambda.len() != m)
        {
            return Err(Error::shape(
                format!("hyperparameters of problem {at}"),
                format!("{m} entries"),
                format!("{}", lambda.len()),
                "give every problem as many as the map declares",
            ));
        }
        if let Some(warm) = warm {
            let fits = |start: &WarmStart| {
                start.w.len() == p && (start.v.is_empty() || start.v.len() == p)
            };
            if warm.len() != hyperparameters.len() || !warm.iter().all(fits) {
                return Err(Error::shape(
                    "warm starts",
                    format!("{} of {p} coordinates", hyperparameters.len()),
                    format!("{}, not all of that size", warm.len()),
                    "give one per problem, from outcomes of the same map",
                ));
            }
        }
        let declared = self.map.linear_structure();
        if settings.method == HostMethod::AidCg
            && declared != LinearStructure::SymmetricPositiveDefinite
        {
            return Err(Error::unsupported(
                "AID with conjugate gradient on an operator I − ∂₁Φᵀ that is not declared \
                 symmetric positive definite",
                "use AID with GMRES or BiCGSTAB, or declare the structure if the map has it",
            ));
        }
        Ok(())
    }

    fn evaluate(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<HostOutcome>> {
        let family = Family {
            map: &self.map,
            criterion: &self.criterion,
            hyperparameters,
            warm,
        };
        let mut workspace = family.all()?;
        let is_unrolled = matches!(
            settings.method,
            HostMethod::ItdForward | HostMethod::ItdReverse
        );
        let (progress, linear);
        let through_w: Vec<Option<Vec<f64>>>;
        let mut linear_residuals = None;
        if is_unrolled {
            let unrolled = family.unroll(settings, control)?;
            let w: Vec<f64> = unrolled.iter().flat_map(|u| u.w.iter().copied()).collect();
            workspace.set_solution(&w);
            workspace.linearize()?;
            progress = unrolled.iter().map(|u| u.progress).collect::<Vec<_>>();
            linear = vec![NOTHING; progress.len()];
            through_w = unrolled.into_iter().map(|u| u.sums).collect();
        } else {
            let all: Vec<usize> = (0..hyperparameters.len()).collect();
            let scales = family.scales(&mut workspace, &all)?;
            let stop = workspace.stop(settings.rule(), &scales);
            progress = workspace.solve_picard(&stop, control)?;
            workspace.linearize()?;
            if let Some(warm) = warm {
                let zero = vec![0.0; workspace.coordinates()];
                // An adjoint may be missing from a warm start.
                let starts = warm
                    .iter()
                    .flat_map(|start| if start.v.is_empty() { &zero } else { &start.v });
                let v: Vec<f64> = starts.copied().collect();
                workspace.executor.upload(workspace.v, &v);
            }
            linear = family.solve_adjoint(&mut workspace, settings, control)?;
            linear_residuals = Some(workspace.linear_residuals()?);
            workspace.add_hyper_products()?;
            through_w = family.sums(&workspace)?.into_iter().map(Some).collect();
        }
        let residuals = workspace.residuals()?;
        let solutions = workspace.vectors(workspace.w)?;
        let adjoints = workspace.vectors(workspace.v)?;
        let finish = |at: usize| {
            let (lambda, w) = (&hyperparameters[at], &solutions[at]);
            let mut hypergradient = vec![0.0; lambda.len()];
            self.criterion.hyper_gradient(w, lambda, &mut hypergradient);
            match &through_w[at] {
                Some(parts) => hypergradient
                    .iter_mut()
                    .zip(parts)
                    .for_each(|(h, p)| *h += p),
                None => hypergradient.fill(f64::NAN),
            }
            let (criterion, residual) = (workspace.criteria[at], residuals[at]);
            let is_whole = through_w[at].is_none() || hypergradient.iter().all(|h| h.is_finite());
            let finite = criterion.is_finite() && residual.is_finite() && is_whole;
            let status = progress[at].status.worse(linear[at].status);
            HostOutcome {
                solution: w.clone(),
                adjoint: if is_unrolled {
                    Vec::new()
                } else {
                    adjoints[at].clone()
                },
                criterion,
                hypergradient,
                status: if finite { status } else { Status::NonFinite },
                steps: progress[at].steps,
                linear_steps: linear[at].steps,
                residual,
                linear_residual: linear_residuals.as_ref().map(|residuals| residuals[at]),
            }
        };
        control.report_finished(hyperparameters.len());
        Ok((0..hyperparameters.len()).map(finish).collect())
    }
}
