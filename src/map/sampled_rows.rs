//! The map seen through minibatches: T̂ in place of T.

use super::operator::{Minibatch, shared};
use super::prox_grad::ProxGrad;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::kernel::curvature::{APPLY_CURVATURE, RESIDUAL};
use crate::kernel::sampled;
use crate::model::loss::Loss;
use crate::real::Real;

/// Room for a minibatch's rows.
#[derive(Debug, Clone, Copy)]
pub struct SampledRows {
    /// The rows.
    pub minibatch: Minibatch,
    /// batch·c numbers: h∘(X̂v) or residuals.
    pub q: Buf,
    /// batch·c curvatures or predictors.
    pub h: Buf,
    /// batch weights.
    pub scale: Buf,
    /// batch targets.
    pub targets: Buf,
    /// n/batch.
    pub factor: Buf,
    /// 1.
    pub one: Buf,
}

impl SampledRows {
    /// Minibatches of `batch` of `map`'s rows, `ring` of them at once; row indices shared, or one
    /// stream per problem.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        map: &ProxGrad,
        batch: usize,
        ring: usize,
        scope: Scope,
    ) -> Self {
        let (n, c) = (map.rows.operator.rows, map.rows.operator.classes);
        let minibatch = Minibatch {
            rows: executor.allocate_words(scope, batch * ring),
            counter: executor.allocate_words(Scope::PerProblem, 1),
            batch,
            ring,
        };
        Self {
            minibatch,
            q: executor.allocate(Scope::PerProblem, batch * c),
            h: executor.allocate(Scope::PerProblem, batch * c),
            scale: executor.allocate(Scope::PerProblem, batch),
            targets: executor.allocate(Scope::PerProblem, batch),
            factor: shared(executor, &[n as f64 / batch as f64]),
            one: shared(executor, &[1.0]),
        }
    }

    /// Records `out = full[rows]`, times n/batch unless `plain`.
    fn gather<R: Real>(
        &self,
        recording: &mut Recording<R>,
        full: Buf,
        out: Buf,
        plain: bool,
        classes: usize,
    ) {
        let Minibatch {
            rows,
            counter,
            batch,
            ring,
        } = self.minibatch;
        let factor = if plain { self.one } else { self.factor };
        recording.dispatch(
            &sampled::GATHER_ROWS,
            &[full.into(), rows.into(), counter.into(), factor.into()],
            &[out.into()],
            &[batch, ring, classes],
        );
    }
}

impl ProxGrad {
    /// Records `out = ∂₁T̂ᵀy + term` with the curvature of a minibatch's rows: `h`, `scale` (of
    /// the whole training set) are gathered into `h_rows`, `scale_rows`; `q` has batch·c rows.
    pub fn sampled_adjoint_step<R: Real>(
        &self,
        recording: &mut Recording<R>,
        sample: &SampledRows,
        y: Buf,
        term: Buf,
        out: Buf,
    ) {
        let minibatch = sample.minibatch;
        self.rows
            .operator
            .sampled_product(recording, minibatch, y, sample.q);
        sample.gather(
            recording,
            self.h,
            sample.h,
            self.gathers_probabilities(),
            self.rows.operator.classes,
        );
        sample.gather(recording, self.rows.scale, sample.scale, false, 1);
        recording.dispatch(
            &APPLY_CURVATURE,
            &[sample.h.into(), sample.scale.into()],
            &[sample.q.into()],
            &[
                minibatch.batch,
                self.rows.operator.classes,
                self.rows.loss.tag() as usize,
            ],
        );
        self.rows
            .operator
            .sampled_adjoint(recording, minibatch, sample.q, self.hessian);
        self.hessian_step(recording, y, self.hessian, term, out);
    }

    /// Multinomial curvatures are probabilities, which the minibatch's factor must not scale.
    fn gathers_probabilities(&self) -> bool {
        self.rows.loss == Loss::Multinomial
    }

    /// Records a minibatch's u = w − γ(ĝ + λ₂(w − c)) from the residuals at hand.
    pub fn sampled_inner_step<R: Real>(
        &self,
        recording: &mut Recording<R>,
        sample: &SampledRows,
        w: Buf,
        u: Buf,
    ) {
        sample.gather(
            recording,
            self.rows.r,
            sample.q,
            false,
            self.rows.operator.classes,
        );
        self.rows
            .operator
            .sampled_adjoint(recording, sample.minibatch, sample.q, self.hessian);
        self.gradient_step(recording, w, self.hessian, self.gamma, u);
    }

    /// Records `gradient` of a minibatch at w, residuals computed from its rows alone.
    pub fn sampled_gradient<R: Real>(
        &self,
        recording: &mut Recording<R>,
        sample: &SampledRows,
        w: Buf,
        gradient: Buf,
    ) {
        let minibatch = sample.minibatch;
        self.rows
            .operator
            .sampled_product(recording, minibatch, w, sample.h);
        sample.gather(recording, self.rows.scale, sample.scale, false, 1);
        sample.gather(recording, self.rows.targets, sample.targets, true, 1);
        recording.dispatch(
            &RESIDUAL,
            &[
                sample.h.into(),
                sample.targets.into(),
                sample.scale.into(),
                self.rows.shape.into(),
            ],
            &[sample.q.into()],
            &[
                minibatch.batch,
                self.rows.operator.classes,
                self.rows.loss.tag() as usize,
            ],
        );
        self.rows
            .operator
            .sampled_adjoint(recording, minibatch, sample.q, gradient);
    }
}
