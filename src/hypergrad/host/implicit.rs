//! Implicit differentiation of a user's map: Picard to w, then the adjoint system
//! (I − ∂₁Φᵀ)v = ∂₁E there, by the Neumann series or a Krylov method.

use rayon::prelude::*;

use super::{Differentiated, HostCriterion, HostMethod, HostProblem, HostSettings, HostStage};
use crate::control::Control;
use crate::engine::recorded::workspace::norms;
use crate::engine::solved::WarmStart;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Scope};
use crate::iterate::krylov::{self, KrylovMethod, LinearOperator};
use crate::iterate::neumann::Neumann;
use crate::iterate::picard::Picard;
use crate::iterate::{Progress, drive};
use crate::kinds::LinearStructure;
use crate::map::FixedPointMap;
use crate::map::host::HostMap;

impl<M: HostMap + ?Sized + 'static, C: HostCriterion> HostProblem<M, C> {
    /// AID of the whole batch.
    pub(super) fn implicit(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<Differentiated>> {
        let starts = warm.map(|warm| warm.iter().collect());
        let mut stage = HostStage::new(&self.map, hyperparameters.iter(), starts);
        let p = stage.coordinates();
        let scales = stage.scales()?;
        let stop = stage.stop(settings.rule(), &scales);
        let picard = Picard::new(&mut stage.executor, &stage.map, &stop, stage.w);
        let progress = drive(&mut stage.executor, &picard, &stop, control)?;
        let residuals = stage.residuals()?;
        let w = stage.executor.download(stage.w)?;

        let gradients = self.criterion_gradients(hyperparameters, &w);
        let mut start = vec![0.0; w.len()];
        for (start, warm) in start.chunks_exact_mut(p).zip(warm.unwrap_or_default()) {
            // An adjoint may be missing from a warm start.
            if warm.v.len() == p {
                start.copy_from_slice(&warm.v);
            }
        }
        let mut adjoint = Adjoint::linearize(&mut stage, &gradients, start)?;
        let linear = match settings.method {
            HostMethod::AidGmres => {
                let restart = settings.restart;
                self.krylov(
                    KrylovMethod::Gmres { restart },
                    (hyperparameters, &w, &gradients),
                    &mut adjoint.start,
                    settings,
                    control,
                )?
            }
            HostMethod::AidBicgstab => self.krylov(
                KrylovMethod::Bicgstab,
                (hyperparameters, &w, &gradients),
                &mut adjoint.start,
                settings,
                control,
            )?,
            HostMethod::AidCg => self.krylov(
                KrylovMethod::ConjugateGradient,
                (hyperparameters, &w, &gradients),
                &mut adjoint.start,
                settings,
                control,
            )?,
            _ => adjoint.neumann(&mut stage, &gradients, settings, control)?,
        };
        let (linear_residuals, through_w, v) = adjoint.finish(&mut stage, &gradients)?;
        let m = self.map.hyperparameters();
        Ok((0..hyperparameters.len())
            .map(|at| Differentiated {
                w: w[at * p..(at + 1) * p].to_vec(),
                v: v[at * p..(at + 1) * p].to_vec(),
                through_w: through_w[at * m..(at + 1) * m].to_vec(),
                progress: progress[at],
                linear: linear[at],
                residual: residuals[at],
                linear_residual: Some(linear_residuals[at]),
            })
            .collect())
    }

    /// v of every problem by a Krylov method, from and into `v`.
    fn krylov(
        &self,
        method: KrylovMethod,
        (hyperparameters, w, gradients): (&[Vec<f64>], &[f64], &[f64]),
        v: &mut [f64],
        settings: &HostSettings,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let p = self.map.coordinates();
        v.par_chunks_exact_mut(p)
            .zip(w.par_chunks_exact(p))
            .zip(gradients.par_chunks_exact(p))
            .zip(hyperparameters)
            .map(|(((v, w), gradient), hyperparameters)| {
                let mut operator = AdjointOperator {
                    map: &*self.map,
                    w,
                    hyperparameters,
                    discarded: vec![0.0; hyperparameters.len()],
                };
                krylov::solve(&mut operator, method, gradient, v, settings.rule(), control)
            })
            .collect()
    }
}

/// I − ∂₁Φᵀ at one w.
struct AdjointOperator<'a, M: ?Sized> {
    map: &'a M,
    w: &'a [f64],
    hyperparameters: &'a [f64],
    discarded: Vec<f64>,
}

impl<M: HostMap + ?Sized> LinearOperator for AdjointOperator<'_, M> {
    fn size(&self) -> usize {
        self.w.len()
    }

    fn structure(&self) -> LinearStructure {
        self.map.linear_structure()
    }

    fn apply(&mut self, x: &[f64], out: &mut [f64]) {
        self.discarded.fill(0.0);
        self.map
            .vjp(self.w, self.hyperparameters, x, out, &mut self.discarded);
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x - *out;
        }
    }
}

/// The adjoint system on the executor, linearised at the stage's w.
struct Adjoint {
    criterion_gradient: Buf,
    v: Buf,
    /// v on the host: where it starts, and where Krylov methods leave it.
    start: Vec<f64>,
    on_host: bool,
}

impl Adjoint {
    fn linearize<M: HostMap + ?Sized + 'static>(
        stage: &mut HostStage<M>,
        gradients: &[f64],
        start: Vec<f64>,
    ) -> Result<Self> {
        let p = stage.coordinates();
        let mut room = || stage.executor.allocate(Scope::PerProblem, p);
        let (criterion_gradient, v) = (room(), room());
        stage.executor.upload(criterion_gradient, gradients);
        let mut recording = Recording::new();
        stage.map.linearize(&mut recording, stage.w);
        stage.executor.run(&recording, 1)?;
        Ok(Self {
            criterion_gradient,
            v,
            start,
            on_host: true,
        })
    }

    /// AID-FP.
    fn neumann<M: HostMap + ?Sized + 'static>(
        &mut self,
        stage: &mut HostStage<M>,
        gradients: &[f64],
        settings: &HostSettings,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        stage.executor.upload(self.v, &self.start);
        self.on_host = false;
        let stop = stage.stop(settings.rule(), &norms(gradients, stage.coordinates()));
        let neumann = Neumann::new(
            &mut stage.executor,
            &stage.map,
            &stop,
            self.criterion_gradient,
            self.v,
        );
        drive(&mut stage.executor, &neumann, &stop, control)
    }

    /// The measured linear residuals, ∂₂Φᵀv, and v.
    fn finish<M: HostMap + ?Sized + 'static>(
        self,
        stage: &mut HostStage<M>,
        gradients: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>, Vec<f64>)> {
        if self.on_host {
            stage.executor.upload(self.v, &self.start);
        }
        let sizes = norms(gradients, stage.coordinates());
        let stop = stage.stop(HostSettings::default().rule(), &sizes);
        let neumann = Neumann::new(
            &mut stage.executor,
            &stage.map,
            &stop,
            self.criterion_gradient,
            self.v,
        );
        let mut recording = Recording::new();
        neumann.measure(&mut recording, stop.residual);
        stage
            .map
            .vjp_hyper(&mut recording, stage.w, self.v, stage.map.one);
        stage.executor.run(&recording, 1)?;
        let residuals = stage.executor.download(stop.residual)?;
        let relative = residuals
            .into_iter()
            .zip(sizes)
            .map(|(residual, size)| {
                if residual == 0.0 {
                    0.0
                } else {
                    residual / size
                }
            })
            .collect();
        Ok((
            relative,
            stage.executor.download(stage.map.sums)?,
            stage.executor.download(self.v)?,
        ))
    }
}
