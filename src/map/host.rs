//! A user's own fixed-point map, as functions over slices, behind the interface of recordings.
//!
//! The user writes a [`HostMap`]; [`HostedMap`] records calls of its functions where other maps
//! record kernels. The iterations and their derivatives are therefore the very same for both.

use std::sync::Arc;

use super::fixed_point::FixedPointMap;
use super::operator::{per_problem, shared};
use crate::exec::{Buf, Executor, Recording, Scope};
use crate::kernel::step::{ACCUMULATE, COMBINE};
use crate::kinds::LinearStructure;

/// A parametric fixed-point map Φ(w, λ), w ∈ Rᵖ, λ ∈ Rᵐ, with the products of its derivatives.
///
/// Φ should contract in w (‖∂₁Φ‖ ≤ q < 1) where it is iterated, and may have kinks: there ∂Φ is
/// any one selection of a conservative derivative, the same in w and in λ and in both products
/// (for relu at 0, say, always the derivative 0).
///
/// `w`, `dw` and `v` have p entries, `hyperparameters`, `direction` and `dhyper_out` m. Outputs
/// come filled with zeros. The functions are called for one problem of the batch at a time, for
/// different problems from several threads. They must not keep a state: the same arguments always
/// give the same result.
pub trait HostMap: Send + Sync {
    /// Coordinates p.
    fn coordinates(&self) -> usize;

    /// Hyperparameters m.
    fn hyperparameters(&self) -> usize;

    /// `out = Φ(w, λ)`.
    fn apply(&self, w: &[f64], hyperparameters: &[f64], out: &mut [f64]);

    /// `out = ∂₁Φ(w, λ)·dw + ∂₂Φ(w, λ)·direction`: the Jacobian-vector product.
    fn jvp(
        &self,
        w: &[f64],
        hyperparameters: &[f64],
        dw: &[f64],
        direction: &[f64],
        out: &mut [f64],
    );

    /// `dw_out = ∂₁Φ(w, λ)ᵀ·v` and `dhyper_out = ∂₂Φ(w, λ)ᵀ·v`: the vector-Jacobian product.
    fn vjp(
        &self,
        w: &[f64],
        hyperparameters: &[f64],
        v: &[f64],
        dw_out: &mut [f64],
        dhyper_out: &mut [f64],
    );

    /// The structure of the operator I − ∂₁Φᵀ of the adjoint system, as far as it is known.
    ///
    /// It is symmetric positive definite where Φ is a step of gradient descent on a smooth,
    /// strongly convex objective (∂₁Φ = I − γ∇²). Conjugate gradient is refused without it.
    fn linear_structure(&self) -> LinearStructure {
        LinearStructure::General
    }
}

/// A [`HostMap`] at the hyperparameters of a batch, as a [`FixedPointMap`].
#[derive(Debug)]
pub struct HostedMap<M: ?Sized> {
    map: Arc<M>,
    /// λ, per problem.
    pub hyperparameters: Buf,
    /// λ̇, per problem: the direction of [`FixedPointMap::jvp_hyper`].
    pub tangents: Buf,
    /// The sums of [`FixedPointMap::vjp_hyper`]: m entries per problem.
    pub sums: Buf,
    /// p zeros, shared.
    pub zero: Buf,
    /// 1, shared.
    pub one: Buf,
    zero_direction: Buf,
    point: Buf,
    product: Buf,
    hyper_product: Buf,
}

impl<M: HostMap + ?Sized> HostedMap<M> {
    /// The map at `hyperparameters`: a row of m for every problem of the executor.
    pub fn new(executor: &mut dyn Executor<f64>, map: Arc<M>, hyperparameters: &[f64]) -> Self {
        let (p, m) = (map.coordinates(), map.hyperparameters());
        let hyperparameters = per_problem(executor, m, hyperparameters);
        let zero = shared(executor, &vec![0.0; p]);
        let zero_direction = shared(executor, &vec![0.0; m]);
        let one = shared(executor, &[1.0]);
        let mut room = |rows: usize| executor.allocate(Scope::PerProblem, rows);
        Self {
            map,
            hyperparameters,
            tangents: room(m),
            sums: room(m),
            zero,
            one,
            zero_direction,
            point: room(p),
            product: room(p),
            hyper_product: room(m),
        }
    }

    fn record_apply(&self, recording: &mut Recording<f64>, w: Buf, out: Buf)
    where
        M: 'static,
    {
        let map = Arc::clone(&self.map);
        recording.host(
            Arc::new(move |read: &[&[f64]], written: &mut [&mut [f64]]| {
                if let ([w, hyper], [out]) = (read, written) {
                    map.apply(w, hyper, out);
                }
            }),
            &[w, self.hyperparameters],
            &[out],
        );
    }

    fn record_jvp(&self, recording: &mut Recording<f64>, dw: Buf, direction: Buf, out: Buf)
    where
        M: 'static,
    {
        let map = Arc::clone(&self.map);
        recording.host(
            Arc::new(move |read: &[&[f64]], written: &mut [&mut [f64]]| {
                if let ([w, hyper, dw, direction], [out]) = (read, written) {
                    map.jvp(w, hyper, dw, direction, out);
                }
            }),
            &[self.point, self.hyperparameters, dw, direction],
            &[out],
        );
    }

    /// Into `product` and `hyper_product`.
    fn record_vjp(&self, recording: &mut Recording<f64>, v: Buf)
    where
        M: 'static,
    {
        let map = Arc::clone(&self.map);
        recording.host(
            Arc::new(move |read: &[&[f64]], written: &mut [&mut [f64]]| {
                if let ([w, hyper, v], [dw, dhyper]) = (read, written) {
                    map.vjp(w, hyper, v, dw, dhyper);
                }
            }),
            &[self.point, self.hyperparameters, v],
            &[self.product, self.hyper_product],
        );
    }
}

impl<M: HostMap + ?Sized + 'static> FixedPointMap<f64> for HostedMap<M> {
    fn coordinates(&self) -> usize {
        self.map.coordinates()
    }

    /// 1: residuals of a user's map are differences of iterates.
    fn gamma(&self) -> Buf {
        self.one
    }

    fn apply(&self, recording: &mut Recording<f64>, w: Buf, out: Buf) {
        self.record_apply(recording, w, out);
    }

    fn linearize(&self, recording: &mut Recording<f64>, w: Buf) {
        recording.copy(w, self.point);
    }

    fn value(&self, recording: &mut Recording<f64>, out: Buf) {
        self.record_apply(recording, self.point, out);
    }

    fn jvp_w(&self, recording: &mut Recording<f64>, v: Buf, out: Buf) {
        self.record_jvp(recording, v, self.zero_direction, out);
    }

    fn vjp_w(&self, recording: &mut Recording<f64>, v: Buf, term: Buf, out: Buf) {
        self.record_vjp(recording, v);
        recording.dispatch(
            &COMBINE,
            &[term.into(), self.product.into(), self.one.into()],
            &[out.into()],
            &[self.coordinates()],
        );
    }

    fn jvp_hyper(&self, recording: &mut Recording<f64>, _w: Buf, out: Buf) {
        self.record_jvp(recording, self.zero, self.tangents, self.product);
        recording.dispatch(
            &ACCUMULATE,
            &[self.product.into(), self.one.into()],
            &[out.into()],
            &[self.coordinates()],
        );
    }

    fn vjp_hyper(&self, recording: &mut Recording<f64>, _w: Buf, v: Buf, factor: Buf) {
        self.record_vjp(recording, v);
        recording.dispatch(
            &ACCUMULATE,
            &[self.hyper_product.into(), factor.into()],
            &[self.sums.into()],
            &[self.map.hyperparameters()],
        );
    }
}
