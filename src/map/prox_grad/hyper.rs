//! The derivatives of Φ in its hyperparameters: ∂₂Φ λ̇ for tangents, ∂₂Φᵀv into sums.

use super::ProxGrad;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::curvature::{APPLY_CURVATURE, RESIDUAL};
use crate::kernel::{hyper, prox, step};
use crate::kinds::Wrt;
use crate::map::hyper_sums::{HyperSums, Tangents};
use crate::real::Real;

/// Whether the derivative in the weights of rows is asked for.
fn weighs_rows(wrt: &[Wrt]) -> bool {
    wrt.iter().any(|wrt| wrt.weighs_rows())
}

impl ProxGrad {
    /// Makes room for the derivatives with respect to `wrt`.
    pub fn allocate_sums<R: Twinned>(&mut self, executor: &mut dyn Executor<R>, wrt: &[Wrt]) {
        self.allocate_raw(executor, wrt);
        let mut room = |which: Wrt, rows: usize| {
            wrt.contains(&which)
                .then(|| executor.allocate(Scope::PerProblem, rows))
        };
        self.sums = HyperSums {
            strengths: room(Wrt::L1, self.strength_count),
            ridge: room(Wrt::L2, self.l2.rows()),
            prior: room(Wrt::Prior, self.penalized),
            weights: None,
            perturbation: room(Wrt::Perturbation, self.perturbed_count * self.features),
            bounds: room(Wrt::BoxBounds, self.bounds.rows()),
            delta: room(Wrt::HuberDelta, 1),
        };
        self.sums.weights =
            weighs_rows(wrt).then(|| executor.allocate(Scope::PerProblem, self.rows.operator.rows));
    }

    /// Makes room for one direction per problem.
    pub fn allocate_tangents<R: Twinned>(
        &mut self,
        executor: &mut dyn Executor<R>,
        wrt: &[Wrt],
    ) -> Tangents {
        self.allocate_raw(executor, wrt);
        let mut room = |rows: usize| executor.allocate(Scope::PerProblem, rows);
        let tangents = Tangents {
            strengths: room(self.strength_count),
            ridge: room(self.l2.rows()),
            prior: room(self.coordinates),
            bounds: room(self.bounds.rows()),
            weights: weighs_rows(wrt).then(|| room(self.rows.operator.rows)),
            delta: wrt.contains(&Wrt::HuberDelta).then(|| room(1)),
            perturbation: wrt
                .contains(&Wrt::Perturbation)
                .then(|| room(self.perturbed_count * self.features)),
        };
        self.tangents = Some(tangents);
        tangents
    }

    fn allocate_raw<R: Twinned>(&mut self, executor: &mut dyn Executor<R>, wrt: &[Wrt]) {
        let predictors = self.rows.operator.rows * self.rows.operator.classes;
        self.raw = weighs_rows(wrt).then(|| executor.allocate(Scope::PerProblem, predictors));
    }

    /// Records r/n without weights.
    fn raw_residual<R: Real>(&self, recording: &mut Recording<R>, raw: Buf) {
        let rows = self.rows.rows_of(self.rows.z, self.unweighted);
        recording.dispatch(&RESIDUAL, &rows, &[raw.into()], &self.rows.size());
    }

    /// Records `dv ← dv − γ·d∇loss` for tangents of weights and perturbation:
    /// d∇loss = X̂ᵀ(ṡ∘r/n + δ̇ r where clipped + h∘(Ẋw)) + Ẋᵀr.
    fn loss_tangent<R: Real>(&self, recording: &mut Recording<R>, tangents: &Tangents, w: Buf) {
        let of_rows = [tangents.weights, tangents.perturbation, tangents.delta];
        if of_rows.iter().all(Option::is_none) {
            return;
        }
        let (n, c) = (self.rows.operator.rows, self.rows.operator.classes);
        let size = [self.perturbed_count, self.features, c];
        recording.fill(self.q, R::zero());
        if let Some(tangent) = tangents.perturbation {
            let inputs = [self.perturbed.into(), tangent.into(), w.into()];
            recording.dispatch(&hyper::PERTURBED_PRODUCT, &inputs, &[self.q.into()], &size);
            let inputs = [self.h.into(), self.rows.scale.into()];
            recording.dispatch(
                &APPLY_CURVATURE,
                &inputs,
                &[self.q.into()],
                &self.rows.size(),
            );
        }
        if let (Some(tangent), Some(raw)) = (tangents.weights, self.raw) {
            self.raw_residual(recording, raw);
            let inputs = [raw.into(), tangent.into()];
            recording.dispatch(&hyper::WEIGHT_TANGENT, &inputs, &[self.q.into()], &[n, c]);
        }
        if let Some(tangent) = tangents.delta {
            let inputs = [self.rows.r.into(), self.h.into(), tangent.into()];
            recording.dispatch(&hyper::HUBER_TANGENT, &inputs, &[self.q.into()], &[n]);
        }
        self.rows.operator.adjoint(recording, self.q, self.hessian);
        if let Some(tangent) = tangents.perturbation {
            let inputs = [self.perturbed.into(), tangent.into(), self.rows.r.into()];
            recording.dispatch(
                &hyper::PERTURBED_ADJOINT,
                &inputs,
                &[self.hessian.into()],
                &size,
            );
        }
        let inputs = [self.hessian.into(), self.gamma.into()];
        recording.dispatch(
            &hyper::SUBTRACT_SCALED,
            &inputs,
            &[self.dv.into()],
            &[self.coordinates],
        );
    }

    /// Records `out ← out + ∂₂Φ λ̇` at w for the tangents.
    pub(super) fn record_jvp_hyper<R: Real>(&self, recording: &mut Recording<R>, w: Buf, out: Buf) {
        let Some(tangents) = self.tangents else {
            return;
        };
        // u̇ = −γ(λ̇₂(w − c) − λ₂ċ + d∇loss), then out += D u̇ + ∂₂G λ̇.
        recording.fill(self.dv, R::zero());
        recording.dispatch(
            &hyper::RIDGE_TANGENT,
            &[
                w.into(),
                self.prior.into(),
                self.l2.into(),
                tangents.ridge.into(),
                tangents.prior.into(),
                self.gamma.into(),
            ],
            &[self.dv.into()],
            &[self.penalized, self.ridge_stride()],
        );
        self.loss_tangent(recording, &tangents, w);
        self.prox_derivative(recording, self.dv, self.hessian);
        let inputs = [self.hessian.into(), self.one.into()];
        recording.dispatch(
            &step::ACCUMULATE,
            &inputs,
            &[out.into()],
            &[self.coordinates],
        );
        let inputs = self.prox_inputs([tangents.strengths, tangents.bounds]);
        recording.dispatch(
            &prox::PROX_TANGENT,
            &inputs,
            &[out.into()],
            &self.penalty_size(),
        );
    }

    /// Records that `factor · ∂₂Φᵀv` at w is added to the sums.
    pub(super) fn record_vjp_hyper<R: Real>(
        &self,
        recording: &mut Recording<R>,
        w: Buf,
        v: Buf,
        factor: Buf,
    ) {
        let sums = &self.sums;
        self.prox_derivative(recording, v, self.dv);
        if let Some(out) = sums.strengths {
            let inputs = self.prox_inputs([v, factor]);
            recording.dispatch(
                &prox::STRENGTH_VJP,
                &inputs,
                &[out.into()],
                &self.penalty_size(),
            );
        }
        if let (Some(out), true) = (sums.strengths, self.has_shared_strength) {
            let inputs = self.prox_inputs([v, factor]);
            recording.dispatch(
                &prox::SHARED_STRENGTH_VJP,
                &inputs,
                &[out.into()],
                &self.penalty_size(),
            );
        }
        if let Some(out) = sums.bounds {
            let inputs = self.prox_inputs([v, factor]);
            recording.dispatch(
                &prox::BOUND_VJP,
                &inputs,
                &[out.into()],
                &self.penalty_size(),
            );
        }
        if let Some(out) = sums.ridge {
            let inputs = [
                w.into(),
                self.dv.into(),
                self.prior.into(),
                self.gamma.into(),
                factor.into(),
            ];
            let size = [self.penalized, self.ridge_stride()];
            recording.dispatch(&hyper::RIDGE_VJP, &inputs, &[out.into()], &size);
        }
        if let Some(out) = sums.prior {
            let inputs = [
                self.dv.into(),
                self.l2.into(),
                self.gamma.into(),
                factor.into(),
            ];
            let size = [self.penalized, self.ridge_stride()];
            recording.dispatch(&hyper::PRIOR_VJP, &inputs, &[out.into()], &size);
        }
        if let Some(out) = sums.perturbation {
            self.hessian_product(recording, self.dv, self.hessian);
            recording.dispatch(
                &hyper::PERTURBATION_VJP,
                &[
                    self.perturbed.into(),
                    self.rows.r.into(),
                    self.q.into(),
                    self.dv.into(),
                    w.into(),
                    self.gamma.into(),
                    factor.into(),
                ],
                &[out.into()],
                &[
                    self.perturbed_count,
                    self.features,
                    self.rows.operator.classes,
                ],
            );
        }
        if let (Some(out), Some(raw)) = (sums.weights, self.raw) {
            let (n, c) = (self.rows.operator.rows, self.rows.operator.classes);
            self.rows.operator.product(recording, self.dv, self.q);
            self.raw_residual(recording, raw);
            let inputs = [raw.into(), self.q.into(), self.gamma.into(), factor.into()];
            recording.dispatch(&hyper::WEIGHT_VJP, &inputs, &[out.into()], &[n, c]);
        }
        if let Some(out) = sums.delta {
            self.rows.operator.product(recording, self.dv, self.q);
            let inputs = [
                self.rows.r.into(),
                self.h.into(),
                self.q.into(),
                self.gamma.into(),
                factor.into(),
            ];
            let rows = self.rows.operator.rows;
            recording.dispatch(&hyper::HUBER_VJP, &inputs, &[out.into()], &[rows]);
        }
    }
}
