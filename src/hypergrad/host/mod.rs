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

mod implicit;
mod settings;
#[cfg(test)]
mod tests;
mod unrolled;

use std::sync::Arc;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::{Buf, CpuExecutor, Executor, Recording, Scope};
use crate::iterate::{Progress, Stop, StopRule};
use crate::kernel::step::DISTANCE;
use crate::kinds::{LinearStructure, Status};
use crate::map::FixedPointMap;
use crate::map::host::{HostMap, HostedMap};

use crate::engine::in_threads;
use crate::engine::recorded::workspace::norms;
use crate::engine::solved::WarmStart;

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
    criterion: C,
}

/// What becomes of one λ of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct HostOutcome {
    /// w(λ): p entries. The warm start of a later call.
    pub solution: Vec<f64>,
    /// The adjoint v: p entries; empty with ITD, which has none. The warm start of a later call.
    pub adjoint: Vec<f64>,
    /// The criterion E.
    pub criterion: f64,
    /// dE/dλ: m entries.
    pub hypergradient: Vec<f64>,
    /// What became of the iteration and of the linear solver: the worse of the two. Anything in
    /// this outcome that is NaN or infinite makes it [`Status::NonFinite`].
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

impl<M: HostMap + 'static, C: HostCriterion> HostProblem<M, C> {
    /// A map with a criterion.
    ///
    /// # Errors
    /// [`Error::Value`] when the map has no coordinates or no hyperparameters.
    pub fn new(map: M, criterion: C) -> Result<Self> {
        Self::shared(Arc::new(map), criterion)
    }
}

impl<M: HostMap + ?Sized + 'static, C: HostCriterion> HostProblem<M, C> {
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
        Ok(Self { map, criterion })
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
        let solved = match settings.method {
            HostMethod::ItdForward => self.forward(hyperparameters, settings, warm, control)?,
            HostMethod::ItdReverse => self.reverse(hyperparameters, settings, warm, control)?,
            _ => self.implicit(hyperparameters, settings, warm, control)?,
        };
        let finish = |(lambda, solved): (&Vec<f64>, Differentiated)| {
            let criterion = self.criterion.value(&solved.w, lambda);
            let mut hypergradient = vec![0.0; lambda.len()];
            self.criterion
                .hyper_gradient(&solved.w, lambda, &mut hypergradient);
            for (total, through_w) in hypergradient.iter_mut().zip(&solved.through_w) {
                *total += through_w;
            }
            let finite = criterion.is_finite()
                && solved.residual.is_finite()
                && hypergradient.iter().all(|entry| entry.is_finite());
            let status = solved.progress.status.worse(solved.linear.status);
            HostOutcome {
                solution: solved.w,
                adjoint: solved.v,
                criterion,
                hypergradient,
                status: if finite { status } else { Status::NonFinite },
                steps: solved.progress.steps,
                linear_steps: solved.linear.steps,
                residual: solved.residual,
                linear_residual: solved.linear_residual,
            }
        };
        control.report_finished(hyperparameters.len());
        Ok(hyperparameters.par_iter().zip(solved).map(finish).collect())
    }

    /// ∂₁E of every problem, problem-major.
    fn criterion_gradients(&self, hyperparameters: &[Vec<f64>], w: &[f64]) -> Vec<f64> {
        let p = self.map.coordinates();
        let mut gradients = vec![0.0; w.len()];
        gradients
            .par_chunks_exact_mut(p)
            .zip(w.par_chunks_exact(p))
            .zip(hyperparameters)
            .for_each(|((out, w), lambda)| self.criterion.gradient(w, lambda, out));
        gradients
    }
}

/// A fixed point with ∂₂Φᵀv (or what ITD has for it).
struct Differentiated {
    w: Vec<f64>,
    v: Vec<f64>,
    through_w: Vec<f64>,
    progress: Progress,
    linear: Progress,
    residual: f64,
    linear_residual: Option<f64>,
}

/// No linear system was solved.
const NOT_SOLVED: Progress = Progress {
    status: Status::Converged,
    steps: 0,
};

/// The map on an executor, at the hyperparameters of some problems.
struct HostStage<M: ?Sized> {
    executor: CpuExecutor<f64>,
    map: HostedMap<M>,
    w: Buf,
    next: Buf,
}

impl<M: HostMap + ?Sized + 'static> HostStage<M> {
    /// Uploads one λ per problem, and where w starts.
    fn new<'a>(
        map: &Arc<M>,
        hyperparameters: impl Iterator<Item = &'a Vec<f64>>,
        warm: Option<Vec<&WarmStart>>,
    ) -> Self {
        let lambdas: Vec<&Vec<f64>> = hyperparameters.collect();
        let mut executor = CpuExecutor::new(lambdas.len());
        let flat: Vec<f64> = lambdas.into_iter().flatten().copied().collect();
        let hosted = HostedMap::new(&mut executor, Arc::clone(map), &flat);
        let p = map.coordinates();
        let mut room = || executor.allocate(Scope::PerProblem, p);
        let (w, next) = (room(), room());
        if let Some(warm) = warm {
            let start: Vec<f64> = warm
                .iter()
                .flat_map(|start| start.w.iter().copied())
                .collect();
            executor.upload(w, &start);
        }
        Self {
            executor,
            map: hosted,
            w,
            next,
        }
    }

    fn coordinates(&self) -> usize {
        self.w.rows()
    }

    /// A stop rule; tolerances are relative to `scale`, one number per problem.
    fn stop(&mut self, rule: StopRule, scale: &[f64]) -> Stop {
        let stop = Stop::new(&mut self.executor, rule);
        stop.reset(&mut self.executor);
        self.executor.upload(stop.scale, scale);
        stop
    }

    /// What a change of w is relative to: ‖Φ(0)‖, which is between (1 − q)‖w*‖ and (1 + q)‖w*‖.
    /// Where 0 is outside the map's domain, or is the fixed point, ‖Φ(w₀)‖ or else ‖w₀‖.
    fn scales(&mut self) -> Result<Vec<f64>> {
        let p = self.coordinates();
        let start = self.executor.download(self.w)?;
        let zero = self.executor.allocate(Scope::PerProblem, p);
        let mut image = |from: Buf| -> Result<Vec<f64>> {
            let mut recording = Recording::new();
            self.map.apply(&mut recording, from, self.next);
            self.executor.run(&recording, 1)?;
            Ok(norms(&self.executor.download(self.next)?, p))
        };
        let (at_zero, at_start) = (image(zero)?, image(self.w)?);
        let usable = |&scale: &f64| scale.is_finite() && scale > 0.0;
        Ok(norms(&start, p)
            .into_iter()
            .zip(at_zero.into_iter().zip(at_start))
            .map(|(start, (at_zero, at_start))| {
                [at_zero, at_start, start]
                    .into_iter()
                    .find(usable)
                    .unwrap_or(1.0)
            })
            .collect())
    }

    /// ‖Φ(w) − w‖ of every problem.
    fn residuals(&mut self) -> Result<Vec<f64>> {
        let residual = self.executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        self.map.apply(&mut recording, self.w, self.next);
        let inputs = [self.next.into(), self.w.into(), self.map.one.into()];
        recording.dispatch(
            &DISTANCE,
            &inputs,
            &[residual.into()],
            &[self.coordinates()],
        );
        self.executor.run(&recording, 1)?;
        self.executor.download(residual)
    }
}
