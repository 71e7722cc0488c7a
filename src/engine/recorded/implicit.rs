//! Implicit differentiation: the adjoint system (I − ∂₁Φᵀ)v = ∂₁E at the final w.

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Executor, Recording, Twinned};
use crate::iterate::cg::RestrictedCg;
use crate::iterate::neumann::Neumann;
use crate::iterate::{Progress, Stop, StopRule, drive};
use crate::kinds::Status;
use crate::map::operator::per_problem;
use crate::real::Real;

use super::workspace::{Stage, norms};
use crate::engine::settings::Settings;

/// Restarts of conjugate gradient from its true residual, when it is to go to rounding: the
/// recurrence's residual keeps falling where the true one no longer does.
const RESTARTS: usize = 3;

impl<R: Twinned> Stage<'_, R> {
    /// AID-FP: v by fixed-point iteration from what v holds.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_neumann(
        &mut self,
        settings: &Settings,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        self.solve_neumann_limited(settings, None, control)
    }

    /// AID-FP with exactly as many products for each problem as `limits` says.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_neumann_limited(
        &mut self,
        settings: &Settings,
        limits: Option<&[usize]>,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let tolerance = if limits.is_some() {
            Some(0.0)
        } else {
            settings.tolerance
        };
        let rule = StopRule {
            tolerance,
            max_steps: settings.max_steps,
        };
        let stop = Stop::new(&mut self.executor, rule);
        stop.reset(&mut self.executor);
        if let Some(limits) = limits {
            stop.limit_each(&mut self.executor, limits);
        }
        let gradients = self.executor.download(self.criterion_gradient)?;
        self.executor
            .upload(stop.scale, &norms(&gradients, self.map.coordinates));
        let neumann = Neumann::new(
            &mut self.executor,
            &self.map,
            &stop,
            self.criterion_gradient,
            self.v,
        );
        drive(&mut self.executor, &neumann, &stop, control)
    }

    /// AID-CG: v by conjugate gradient on range(D).
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_cg(&mut self, settings: &Settings, control: &Control) -> Result<Vec<Progress>> {
        self.solve_cg_limited(settings, None, control)
    }

    /// AID-CG with exactly as many products for each problem as `limits` says.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_cg_limited(
        &mut self,
        settings: &Settings,
        limits: Option<&[usize]>,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let tolerance = if limits.is_some() {
            Some(0.0)
        } else {
            settings.tolerance
        };
        let rule = StopRule {
            tolerance,
            max_steps: settings.max_steps,
        };
        let stop = Stop::new(&mut self.executor, rule);
        let gradients = self.executor.download(self.criterion_gradient)?;
        let inverse: Vec<f64> = self
            .points
            .iter()
            .map(|point| self.spectrum.step(point.l2).gamma.recip())
            .collect();
        let scales: Vec<R> = norms(&gradients, self.map.coordinates)
            .into_iter()
            .zip(&inverse)
            .map(|(norm, &inverse)| norm * R::of(inverse))
            .collect();
        self.executor.upload(stop.scale, &scales);
        let inverse_gamma = per_problem(&mut self.executor, 1, &inverse);
        let system = (self.criterion_gradient, inverse_gamma);
        let cg = RestrictedCg::new(
            &mut self.executor,
            &self.map,
            &stop,
            system,
            settings.preconditioner,
        )?;
        let mut start = Recording::new();
        cg.start(&mut start);
        let rounds = if tolerance.is_none() { RESTARTS } else { 1 };
        let mut total: Vec<Progress> = Vec::new();
        for _ in 0..rounds {
            self.executor.run(&start, 1)?;
            stop.reset(&mut self.executor);
            if let Some(limits) = limits {
                stop.limit_each(&mut self.executor, limits);
            }
            if !total.is_empty() {
                // A problem whose budget is spent rests; its neighbours go on as they would alone.
                let goes_on = |progress: &Progress| progress.status != Status::BudgetSpent;
                let active: Vec<u32> = total.iter().map(|p| u32::from(goes_on(p))).collect();
                self.executor.upload_words(stop.active, &active);
            }
            let round = drive(&mut self.executor, &cg, &stop, control)?;
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
        cg.lift(&mut recording, self.v);
        self.executor.run(&recording, 1)?;
        Ok(total)
    }

    /// The whole v from a restricted solution z (problem-major): D⁺z on range(D), and
    /// ∂₁E + (I − γA)z elsewhere.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn lift(&mut self, z: &[R]) -> Result<()> {
        let rule = StopRule {
            tolerance: Some(0.0),
            max_steps: 1,
        };
        let stop = Stop::new(&mut self.executor, rule);
        let none = crate::kinds::Preconditioner::None;
        let inverse_gamma = self.map.gamma;
        let system = (self.criterion_gradient, inverse_gamma);
        let cg = RestrictedCg::new(&mut self.executor, &self.map, &stop, system, none)?;
        self.executor.upload(cg.z, z);
        let mut recording = Recording::new();
        cg.lift(&mut recording, self.v);
        self.executor.run(&recording, 1)
    }

    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖ of every point, measured; 0 where both vanish.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn linear_residuals(&mut self) -> Result<Vec<f64>> {
        let rule = StopRule {
            tolerance: Some(0.0),
            max_steps: 1,
        };
        let stop = Stop::new(&mut self.executor, rule);
        let neumann = Neumann::new(
            &mut self.executor,
            &self.map,
            &stop,
            self.criterion_gradient,
            self.v,
        );
        let mut recording = Recording::new();
        neumann.measure(&mut recording, stop.residual);
        self.executor.run(&recording, 1)?;
        let residuals = self.executor.download(stop.residual)?;
        let gradients = self.executor.download(self.criterion_gradient)?;
        Ok(norms(&gradients, self.map.coordinates)
            .into_iter()
            .zip(residuals)
            .map(|(norm, residual)| {
                let (norm, residual) = (Real::to_f64(norm), Real::to_f64(residual));
                if residual == 0.0 {
                    0.0
                } else {
                    residual / norm
                }
            })
            .collect())
    }
}
