//! Implicit differentiation on the support: the adjoint system (I − ∂₁Φᵀ)v = ∂₁E restricted to the
//! range of D, at the final w.

use crate::control::Control;
use crate::engine::settings::Settings;
use crate::error::Result;
use crate::exec::{Executor, Recording, Twinned};
use crate::iterate::cg::{AdjointSystem, RestrictedCg};
use crate::iterate::{Progress, Stop, StopRule, drive};
use crate::kinds::{Preconditioner, Status};
use crate::map::operator::per_problem;

use super::batch::Batch;

/// Restarts of conjugate gradient from its true residual, when it is to go to rounding: the
/// recurrence's residual keeps falling where the true one no longer does.
const RESTARTS: usize = 3;

impl<R: Twinned> Batch<'_, R> {
    /// AID-CG: v by conjugate gradient on range(D); with `limits` exactly as many products for each
    /// problem.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_cg(
        &mut self,
        settings: &Settings,
        limits: Option<&[usize]>,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let rule = settings.rule().with_limits(limits);
        let inverse: Vec<f64> = self
            .points
            .iter()
            .map(|point| self.members.step(point).gamma.recip())
            .collect();
        let scales: Vec<R> = self
            .workspace
            .criterion_norms()?
            .into_iter()
            .zip(&inverse)
            .map(|(norm, &inverse)| norm * R::of(inverse))
            .collect();
        let stop = self.workspace.stop(rule, &scales);
        let criterion = self.workspace.criterion_gradient;
        let (executor, map) = (&mut self.workspace.executor, &self.workspace.map);
        let inverse_gamma = per_problem(executor, 1, &inverse);
        let cg = RestrictedCg::new(
            executor,
            map,
            &stop,
            AdjointSystem {
                criterion,
                inverse_gamma,
            },
            settings.preconditioner,
        )?;
        let mut start = Recording::new();
        cg.start(&mut start);
        let rounds = if rule.tolerance.is_none() {
            RESTARTS
        } else {
            1
        };
        let mut total: Vec<Progress> = Vec::new();
        for _ in 0..rounds {
            executor.run(&start, 1)?;
            stop.reset(executor);
            if let Some(limits) = limits {
                stop.limit_each(executor, limits);
            }
            if !total.is_empty() {
                // A problem whose budget is spent rests; its neighbours go on as they would alone.
                let goes_on = |progress: &Progress| progress.status != Status::BudgetSpent;
                let active: Vec<u32> = total.iter().map(|p| u32::from(goes_on(p))).collect();
                executor.upload_words(stop.active, &active);
            }
            let round = drive(executor, &cg, &stop, control)?;
            total = if total.is_empty() {
                round
            } else {
                let sum = |(old, new): (&Progress, &Progress)| Progress {
                    status: new.status,
                    steps: old.steps + new.steps,
                };
                total.iter().zip(&round).map(sum).collect()
            };
        }
        let mut recording = Recording::new();
        cg.lift(&mut recording, self.workspace.v);
        executor.run(&recording, 1)?;
        Ok(total)
    }

    /// The whole v from a restricted solution z (problem-major): D⁺z on range(D), and
    /// ∂₁E + (I − γA)z elsewhere.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn lift(&mut self, z: &[R]) -> Result<()> {
        let stop = Stop::new(&mut self.workspace.executor, StopRule::exactly(1));
        let none = Preconditioner::None;
        let system = AdjointSystem {
            criterion: self.workspace.criterion_gradient,
            inverse_gamma: self.workspace.map.gamma,
        };
        let cg = RestrictedCg::new(
            &mut self.workspace.executor,
            &self.workspace.map,
            &stop,
            system,
            none,
        )?;
        self.workspace.executor.upload(cg.z, z);
        let mut recording = Recording::new();
        cg.lift(&mut recording, self.workspace.v);
        self.workspace.executor.run(&recording, 1)
    }
}
