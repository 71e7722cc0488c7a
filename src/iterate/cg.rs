//! The adjoint by conjugate gradient on the range of D, where the system is symmetric.
//!
//! `I − ∂₁Φᵀ` is not symmetric, and conjugate gradient on it stalls. With z = Dv the same system
//! reads, on range(D),
//!
//! ```text
//! B z = P ∂₁E/γ ,   B = P A P + (D⁺ − I)/γ ,   A = ∇²loss + λ₂ ,   P the projection to range(D)
//! ```
//!
//! which is symmetric positive semi-definite (definite where the restricted Hessian is). Then
//! v = D⁺z on range(D) and v = ∂₁E + (I − γA)z elsewhere. The common shift of multinomial intercepts
//! is the one direction without curvature that is no singularity: P leaves it out, or rounding in
//! it would grow without bound.

use super::{Iteration, Stop};
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::cg::{CENTER_CLASSES, CG_ALPHA, CG_BETA, DIVIDE, SQUARE_ROOT};
use crate::kernel::prox::{LIFT, PROX_CURVATURE, PROX_DIAGONAL, RANGE_PROJECTION};
use crate::kernel::step::{ACCUMULATE, ADD_RIDGE, COMBINE, DOT};
use crate::kinds::Preconditioner;
use crate::map::ProxGrad;
use crate::map::operator::shared;

/// Preconditioned conjugate gradient for B z = P ∂₁E/γ at the map's linearisation.
#[derive(Debug)]
pub struct RestrictedCg<'a> {
    map: &'a ProxGrad,
    stop: &'a Stop,
    /// The solution z, zero off range(D).
    pub z: Buf,
    criterion: Buf,
    inverse_gamma: Buf,
    diagonal: Option<Buf>,
    r: Buf,
    s: Buf,
    direction: Buf,
    image: Buf,
    scratch: Buf,
    rho: Buf,
    rho_new: Buf,
    sigma: Buf,
    alpha: Buf,
    minus_alpha: Buf,
    beta: Buf,
    minus_one: Buf,
}

/// The buffers of the adjoint system.
#[derive(Debug, Clone, Copy)]
pub struct AdjointSystem {
    /// ∂₁E.
    pub criterion: Buf,
    /// 1/γ, one per problem.
    pub inverse_gamma: Buf,
}

impl<'a> RestrictedCg<'a> {
    /// Room for the iteration with right-hand side ∂₁E; z starts at what `z` holds.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &'a ProxGrad,
        stop: &'a Stop,
        system: AdjointSystem,
        preconditioner: Preconditioner,
    ) -> crate::error::Result<Self> {
        let AdjointSystem {
            criterion,
            inverse_gamma,
        } = system;
        let p = map.coordinates;
        let diagonal = match preconditioner {
            Preconditioner::None => None,
            Preconditioner::Diagonal | Preconditioner::Cholesky => {
                let diagonal = executor.allocate(Scope::PerProblem, p);
                let mut recording = Recording::new();
                map.hessian_diagonal(executor, &mut recording, diagonal);
                let inputs = map.penalty_bindings(map.u, map.gamma);
                recording.dispatch(
                    &PROX_DIAGONAL,
                    &inputs,
                    &[diagonal.into()],
                    &map.penalty_size(),
                );
                executor.run(&recording, 1)?;
                Some(diagonal)
            }
        };
        let mut room = |rows: usize| executor.allocate(Scope::PerProblem, rows);
        Ok(Self {
            map,
            stop,
            z: room(p),
            criterion,
            inverse_gamma,
            diagonal,
            r: room(p),
            s: room(p),
            direction: room(p),
            image: room(p),
            scratch: room(p),
            rho: room(1),
            rho_new: room(1),
            sigma: room(1),
            alpha: room(1),
            minus_alpha: room(1),
            beta: room(1),
            minus_one: shared(executor, &[-1.0]),
        })
    }

    /// Records `out = P x`.
    fn project<R: Twinned>(&self, recording: &mut Recording<R>, x: Buf, out: Buf) {
        let mut inputs = self
            .map
            .penalty_bindings(self.map.u, self.map.gamma)
            .to_vec();
        inputs.push(x.into());
        recording.dispatch(
            &RANGE_PROJECTION,
            &inputs,
            &[out.into()],
            &self.map.penalty_size(),
        );
        self.fix_shift(recording, out);
    }

    /// Records that the common shift of multinomial intercepts is taken out of x.
    fn fix_shift<R: Twinned>(&self, recording: &mut Recording<R>, x: Buf) {
        let classes = self.map.rows.operator.classes;
        if classes > 1 && self.map.coordinates > self.map.penalized {
            let size = [self.map.coordinates, classes];
            recording.dispatch(&CENTER_CLASSES, &[], &[x.into()], &size);
        }
    }

    /// Records `out = B x` for x on range(D).
    fn operator<R: Twinned>(&self, recording: &mut Recording<R>, x: Buf, out: Buf) {
        let map = self.map;
        map.hessian_product(recording, x, self.scratch);
        recording.dispatch(
            &ADD_RIDGE,
            &[x.into(), self.scratch.into(), map.l2.into()],
            &[self.s.into()],
            &map.ridge_size(),
        );
        self.project(recording, self.s, out);
        let mut inputs = map.penalty_bindings(map.u, map.gamma).to_vec();
        inputs.push(x.into());
        recording.dispatch(&PROX_CURVATURE, &inputs, &[out.into()], &map.penalty_size());
    }

    /// Records s = M⁻¹r and the dot product r·s.
    fn precondition<R: Twinned>(&self, recording: &mut Recording<R>, dot: Buf) {
        let p = self.map.coordinates;
        match self.diagonal {
            Some(diagonal) => {
                recording.dispatch(
                    &DIVIDE,
                    &[self.r.into(), diagonal.into()],
                    &[self.s.into()],
                    &[p],
                );
                self.fix_shift(recording, self.s);
            }
            None => recording.copy(self.r, self.s),
        }
        recording.dispatch(&DOT, &[self.r.into(), self.s.into()], &[dot.into()], &[p]);
    }

    /// Records the start: r = P ∂₁E/γ − B z, s = M⁻¹r, direction s.
    pub fn start<R: Twinned>(&self, recording: &mut Recording<R>) {
        let p = self.map.coordinates;
        self.operator(recording, self.z, self.image);
        self.project(recording, self.criterion, self.scratch);
        // r = (1/γ)·P∂₁E − Bz: first −Bz, then the other term added.
        let inputs = [
            self.map.zero().into(),
            self.image.into(),
            self.minus_one.into(),
        ];
        recording.dispatch(&COMBINE, &inputs, &[self.r.into()], &[p]);
        let inputs = [self.scratch.into(), self.inverse_gamma.into()];
        recording.dispatch(&ACCUMULATE, &inputs, &[self.r.into()], &[p]);
        self.precondition(recording, self.rho);
        recording.copy(self.s, self.direction);
    }

    /// Records v from z.
    pub fn lift<R: Twinned>(&self, recording: &mut Recording<R>, v: Buf) {
        let map = self.map;
        map.hessian_product(recording, self.z, self.scratch);
        map.hessian_step(recording, self.z, self.scratch, self.criterion, self.image);
        let mut inputs = map.penalty_bindings(map.u, map.gamma).to_vec();
        inputs.extend::<[crate::exec::Source; 2]>([self.z.into(), self.image.into()]);
        recording.dispatch(&LIFT, &inputs, &[v.into()], &map.penalty_size());
    }
}

impl<R: Twinned> Iteration<R> for RestrictedCg<'_> {
    fn step(&self, recording: &mut Recording<R>) {
        let p = self.map.coordinates;
        self.operator(recording, self.direction, self.image);
        let inputs = [self.direction.into(), self.image.into()];
        recording.dispatch(&DOT, &inputs, &[self.sigma.into()], &[p]);
        recording.dispatch(
            &CG_ALPHA,
            &[self.rho.into(), self.sigma.into(), self.stop.active.into()],
            &[self.alpha.into(), self.minus_alpha.into()],
            &[],
        );
        let inputs = [self.direction.into(), self.alpha.into()];
        recording.dispatch(&ACCUMULATE, &inputs, &[self.z.into()], &[p]);
        let inputs = [self.image.into(), self.minus_alpha.into()];
        recording.dispatch(&ACCUMULATE, &inputs, &[self.r.into()], &[p]);
        self.precondition(recording, self.rho_new);
        recording.dispatch(
            &CG_BETA,
            &[self.rho_new.into()],
            &[self.beta.into(), self.rho.into()],
            &[],
        );
        // direction ← s + β·direction, through the scratch.
        let inputs = [self.s.into(), self.direction.into(), self.beta.into()];
        recording.dispatch(&COMBINE, &inputs, &[self.scratch.into()], &[p]);
        recording.copy(self.scratch, self.direction);
        recording.dispatch(
            &DOT,
            &[self.r.into(), self.r.into()],
            &[self.stop.residual.into()],
            &[p],
        );
        recording.dispatch(&SQUARE_ROOT, &[], &[self.stop.residual.into()], &[]);
        self.stop.record(recording);
    }
}
