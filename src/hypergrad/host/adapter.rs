//! A user's map and criterion as a batch like every other: what the iterations, ITD and the adjoint
//! solvers run on.

use std::sync::Arc;

use rayon::prelude::*;

use super::{HostCriterion, HostMethod, HostSettings};
use crate::control::Control;
use crate::engine::outcome::WarmStart;
use crate::engine::recorded::unrolled::{Unrollable, Unrolled, Unrolling, adjoint_floor};
use crate::engine::recorded::unrolled::{forward, reverse};
use crate::engine::recorded::workspace::{Criterion, Workspace, norms};
use crate::error::Result;
use crate::exec::{Buf, CpuExecutor, Executor, Recording, Scope};
use crate::iterate::Progress;
use crate::kinds::LinearStructure;
use crate::linalg::krylov::{self, KrylovMethod, LinearOperator};
use crate::map::FixedPointMap;
use crate::map::host::{HostMap, HostedMap};

/// Numbers that the problems of a run of ITD may hold together.
const ROOM: usize = 1 << 25;

/// A user's criterion at the hyperparameters of a batch, as one that is recorded.
pub(super) struct HostedCriterion<C> {
    criterion: Arc<C>,
    hyperparameters: Buf,
}

impl<C: HostCriterion + 'static> Criterion<f64> for HostedCriterion<C> {
    fn gradient(&self, recording: &mut Recording<f64>, w: Buf, gradient: Buf) {
        let criterion = Arc::clone(&self.criterion);
        recording.host(
            Arc::new(move |read: &[&[f64]], written: &mut [&mut [f64]]| {
                if let ([w, lambda], [out]) = (read, written) {
                    criterion.gradient(w, lambda, out);
                }
            }),
            &[w, self.hyperparameters],
            &[gradient],
        );
    }

    fn value(&self, recording: &mut Recording<f64>, w: Buf, value: Buf) {
        let criterion = Arc::clone(&self.criterion);
        recording.host(
            Arc::new(move |read: &[&[f64]], written: &mut [&mut [f64]]| {
                if let ([w, lambda], [out]) = (read, written) {
                    out[0] = criterion.value(w, lambda);
                }
            }),
            &[w, self.hyperparameters],
            &[value],
        );
    }
}

/// The workspace of a user's map.
pub(super) type HostWorkspace<M, C> = Workspace<f64, HostedMap<M>, HostedCriterion<C>>;

/// Hyperparameters of a user's map: a family for ITD, and a batch for everything else.
pub(super) struct Family<'a, M: ?Sized, C> {
    pub(super) map: &'a Arc<M>,
    pub(super) criterion: &'a Arc<C>,
    pub(super) hyperparameters: &'a [Vec<f64>],
    pub(super) warm: Option<&'a [WarmStart]>,
}

impl<M: HostMap + ?Sized + 'static, C: HostCriterion + 'static> Unrollable<f64>
    for Family<'_, M, C>
{
    type Map = HostedMap<M>;
    type Criterion = HostedCriterion<C>;
    type Sums = Vec<f64>;

    fn directions(&self) -> usize {
        self.map.hyperparameters()
    }

    fn workspace(&self, members: &[usize]) -> Result<HostWorkspace<M, C>> {
        let mut executor: Box<dyn Executor<f64>> = Box::new(CpuExecutor::new(members.len()));
        let of_members = members.iter().flat_map(|&at| &self.hyperparameters[at]);
        let flat: Vec<f64> = of_members.copied().collect();
        let map = HostedMap::new(&mut executor, Arc::clone(self.map), &flat);
        let criterion = HostedCriterion {
            criterion: Arc::clone(self.criterion),
            hyperparameters: map.hyperparameters,
        };
        let mut workspace = Workspace::new(executor, map, criterion);
        if let Some(warm) = self.warm {
            let start: Vec<f64> = members
                .iter()
                .flat_map(|&at| warm[at].w.iter().copied())
                .collect();
            workspace.set_solution(&start);
        }
        Ok(workspace)
    }

    /// ‖Φ(0)‖, which is between (1 − q)‖w*‖ and (1 + q)‖w*‖. Where 0 is outside the map's domain, or
    /// is the fixed point, ‖Φ(w₀)‖ or else ‖w₀‖.
    fn scales(&self, workspace: &mut HostWorkspace<M, C>, _: &[usize]) -> Result<Vec<f64>> {
        let p = workspace.coordinates();
        let start = workspace.executor.download(workspace.w)?;
        let zero = workspace.executor.allocate(Scope::PerProblem, p);
        let mut image = |from: Buf| -> Result<Vec<f64>> {
            let mut recording = Recording::new();
            workspace.map.apply(&mut recording, from, workspace.next);
            workspace.executor.run(&recording, 1)?;
            Ok(norms(&workspace.executor.download(workspace.next)?, p))
        };
        let (at_zero, at_start) = (image(zero)?, image(workspace.w)?);
        let start = norms(&start, p);
        let usable = |&scale: &f64| scale.is_finite() && scale > 0.0;
        let scale = |at: usize| {
            let candidates = [at_zero[at], at_start[at], start[at]];
            candidates.into_iter().find(usable).unwrap_or(1.0)
        };
        Ok((0..start.len()).map(scale).collect())
    }

    fn set_tangents(&self, workspace: &mut HostWorkspace<M, C>, directions: &[usize]) {
        let m = self.directions();
        let mut tangents = vec![0.0; directions.len() * m];
        for (row, &direction) in tangents.chunks_exact_mut(m).zip(directions) {
            row[direction] = 1.0;
        }
        let buf = workspace.map.tangents;
        workspace.executor.upload(buf, &tangents);
    }

    fn of_directions(&self, derivatives: &[f64]) -> Vec<f64> {
        derivatives.to_vec()
    }

    fn sums(&self, workspace: &HostWorkspace<M, C>) -> Result<Vec<Vec<f64>>> {
        workspace.vectors(workspace.map.sums)
    }
}

impl<M: HostMap + ?Sized + 'static, C: HostCriterion + 'static> Family<'_, M, C> {
    /// All members at once.
    pub(super) fn all(&self) -> Result<HostWorkspace<M, C>> {
        let members: Vec<usize> = (0..self.hyperparameters.len()).collect();
        self.workspace(&members)
    }

    /// ITD of all members.
    pub(super) fn unroll(
        &self,
        settings: &HostSettings,
        control: &Control,
    ) -> Result<Vec<Unrolled<Vec<f64>>>> {
        let (p, m) = (self.map.coordinates(), self.map.hyperparameters());
        let exactly = settings.tolerance == Some(0.0);
        let floor = settings
            .tolerance
            .unwrap_or(0.0)
            .max(adjoint_floor::<f64>());
        let unrolling = Unrolling {
            rule: settings.rule(),
            truncate: None,
            floor: (!exactly).then_some(floor),
            pairs: (ROOM / (8 * (p + m))).max(1),
            members: (ROOM / (crate::engine::recorded::backwards::SEGMENT * p)).max(1),
            control,
        };
        let members = self.hyperparameters.len();
        if settings.method == HostMethod::ItdForward {
            forward(self, members, &unrolling)
        } else {
            reverse(self, members, &unrolling)
        }
    }

    /// The adjoint system of a linearised workspace, into its v, which may hold where to start.
    pub(super) fn solve_adjoint(
        &self,
        workspace: &mut HostWorkspace<M, C>,
        settings: &HostSettings,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let rule = settings.rule();
        let method = match settings.method {
            HostMethod::AidGmres => KrylovMethod::Gmres {
                restart: settings.restart,
            },
            HostMethod::AidBicgstab => KrylovMethod::Bicgstab,
            HostMethod::AidCg => KrylovMethod::ConjugateGradient,
            _ => return workspace.solve_neumann(rule, None, control),
        };
        let p = workspace.coordinates();
        let w = workspace.executor.download(workspace.w)?;
        let gradients = workspace.executor.download(workspace.criterion_gradient)?;
        let mut v = workspace.executor.download(workspace.v)?;
        let progress = v
            .par_chunks_exact_mut(p)
            .zip(w.par_chunks_exact(p))
            .zip(gradients.par_chunks_exact(p))
            .zip(self.hyperparameters)
            .map(|(((v, w), gradient), hyperparameters)| {
                let mut operator = AdjointOperator {
                    map: &**self.map,
                    w,
                    hyperparameters,
                    discarded: vec![0.0; hyperparameters.len()],
                };
                krylov::solve(&mut operator, method, gradient, v, rule, control)
            })
            .collect();
        workspace.executor.upload(workspace.v, &v);
        progress
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
