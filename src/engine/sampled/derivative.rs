//! ∂₂Φ̂ᵀv: from the adjoint of a request to the derivatives in its hyperparameters.
//!
//! Strengths, ridge, prior and bounds are those of [`linearization`](crate::model::linearization). With
//! z = Dv, a row's count in J minibatches and f = γ·count/(J·batch), the rows add
//!
//! ```text
//! s_i   −f r_i·(x_i Z)          δ   −f s_i r_i (x_i z)/δ where clipped          P_i  −f s_i ( Z r_i + W (h q)_i ) ,  q = x̃_i Z
//! ```

use super::request::{Frozen, interrupted};
use super::rows::{Linearization, Rows};
use super::sampler::own_outer;
use crate::control::Control;
use crate::engine::accumulator::Accumulator;
use crate::engine::products::BLOCK;
use crate::error::Result;
use crate::kinds::Wrt;
use crate::linalg::products::{by_rows, multiply};
use crate::map::minibatch::Draws;
use crate::real::{Real, convert};

/// The derivatives at one solution.
pub(super) struct Derivative<'a, 'p, R> {
    pub(super) rows: &'a Rows<'p>,
    pub(super) linearization: &'a Linearization<'p, R>,
    pub(super) wrt: &'a [Wrt],
}

impl<R: Real> Derivative<'_, '_, R> {
    /// NSID: D and ū frozen, ∂₂T̂ averaged over the same J minibatches.
    pub(super) fn averaged(&self, v: &[R], frozen: &Frozen<'_, '_>, sums: &mut Accumulator) {
        let z = frozen.outer.apply(v);
        let parts = sums.outer_parts();
        frozen
            .outer
            .add_outer(&self.linearization.w, v, &z, 1.0, parts);
        let drawn: Vec<(u32, f64)> = frozen
            .counts
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0.0)
            .map(|(i, count)| (i as u32, count / frozen.total))
            .collect();
        self.add_rows(&z, &drawn, sums);
    }

    /// SID: the average of every minibatch's own ∂₂Φ̂ᵀv, for several v and their J.
    pub(super) fn sampled(
        &self,
        v: &[Vec<R>],
        freezes: &[usize],
        mut draws: Draws,
        control: &Control,
    ) -> Result<Vec<Accumulator>> {
        let mut sums = vec![Accumulator::zeros(self.rows.problem, self.wrt); v.len()];
        let last = freezes.iter().copied().max().unwrap_or(0);
        for step in 0..last {
            if control.should_stop() {
                return Err(interrupted());
            }
            let minibatch = draws.rows(step);
            let outer = own_outer(self.rows, self.linearization, minibatch);
            for ((v, &freeze), sums) in v.iter().zip(freezes).zip(&mut sums) {
                if step >= freeze {
                    continue;
                }
                let share = (freeze as f64).recip();
                let z = outer.apply(v);
                outer.add_outer(&self.linearization.w, v, &z, share, sums.outer_parts());
                let each = share / minibatch.len() as f64;
                let drawn: Vec<(u32, f64)> = minibatch.iter().map(|&i| (i, each)).collect();
                self.add_rows(&z, &drawn, sums);
            }
        }
        Ok(sums)
    }

    /// The contributions of rows, each with its share of the average.
    pub(super) fn add_rows(&self, z: &[R], drawn: &[(u32, f64)], sums: &mut Accumulator) {
        if self.wrt.iter().any(|wrt| wrt.weighs_rows()) {
            self.add_weights(z, drawn, sums);
        }
        if self.wrt.contains(&Wrt::HuberDelta) {
            self.add_delta(z, drawn, sums);
        }
        if self.wrt.contains(&Wrt::Perturbation) {
            self.add_perturbation(z, drawn, sums);
        }
    }

    fn add_weights(&self, z: &[R], drawn: &[(u32, f64)], sums: &mut Accumulator) {
        let Some(out) = sums.part_mut(Wrt::SampleWeights) else {
            return;
        };
        let gamma = self.linearization.step.gamma;
        self.for_each_product(z, drawn, |rows, q| {
            for (&(i, share), q) in rows.iter().zip(q.chunks_exact(self.rows.c)) {
                let r = self.residuals(i);
                let inner: f64 = r.iter().zip(q).map(|(r, q)| (*r * *q).to_f64()).sum();
                out[i as usize] -= gamma * share * inner;
            }
        });
    }

    /// Over the rows that the Huber loss clips.
    fn add_delta(&self, z: &[R], drawn: &[(u32, f64)], sums: &mut Accumulator) {
        let Some(out) = sums.part_mut(Wrt::HuberDelta) else {
            return;
        };
        let (gamma, curvatures) = (
            self.linearization.step.gamma,
            &self.linearization.curvatures,
        );
        let is_clipped = |&&(i, _): &&(u32, f64)| curvatures[i as usize] == R::zero();
        let clipped: Vec<(u32, f64)> = drawn.iter().filter(is_clipped).copied().collect();
        self.for_each_product(z, &clipped, |rows, q| {
            for (&(i, share), &mut q) in rows.iter().zip(q) {
                let weight = gamma * share * self.rows.weight(i as usize);
                out[0] -= weight * (self.residuals(i)[0] * q).to_f64();
            }
        });
    }

    fn add_perturbation(&self, z: &[R], drawn: &[(u32, f64)], sums: &mut Accumulator) {
        let problem = self.rows.problem;
        let Some(out) = sums.part_mut(Wrt::Perturbation) else {
            return;
        };
        let (d, c) = (self.rows.d, self.rows.c);
        let features = problem.train.design.features();
        let mut place = vec![usize::MAX; self.rows.n];
        for (at, &i) in problem.perturbed_rows.iter().enumerate() {
            place[i] = at;
        }
        let perturbed: Vec<(u32, f64)> = drawn
            .iter()
            .copied()
            .filter(|&(i, _)| place[i as usize] != usize::MAX)
            .collect();
        // Zᵀ above Wᵀ, so that a block of rows is one product [r, hq]·[Zᵀ; Wᵀ].
        let w: Vec<R> = convert(&self.linearization.w);
        let mut both = vec![R::zero(); 2 * c * d];
        for j in 0..d {
            for k in 0..c {
                both[k * d + j] = z[j * c + k];
                both[(c + k) * d + j] = w[j * c + k];
            }
        }
        let gamma = self.linearization.step.gamma;
        let mut left = Vec::new();
        let mut product = vec![R::zero(); BLOCK * d];
        self.for_each_product(z, &perturbed, |rows, q| {
            left.clear();
            for (&(i, share), q) in rows.iter().zip(q.chunks_exact_mut(c)) {
                let factor = R::of(-gamma * share * self.rows.weight(i as usize));
                left.extend(self.residuals(i).iter().map(|&r| factor * r));
                self.rows.apply_curvature(self.linearization, i as usize, q);
                left.extend(q.iter().map(|&q| factor * q));
            }
            multiply(
                by_rows(&left[..rows.len() * 2 * c], 2 * c),
                by_rows(&both, d),
                &mut product,
            );
            for (&(i, _), row) in rows.iter().zip(product.chunks_exact(d)) {
                let at = place[i as usize];
                let out = &mut out[at * features..(at + 1) * features];
                for (out, p) in out.iter_mut().zip(row) {
                    *out += Real::to_f64(*p);
                }
            }
        });
    }

    fn residuals(&self, i: u32) -> &[R] {
        let c = self.rows.c;
        &self.linearization.residuals[i as usize * c..(i as usize + 1) * c]
    }

    /// Calls `visit` with blocks of rows and their products q = x_i Z.
    fn for_each_product(
        &self,
        z: &[R],
        rows: &[(u32, f64)],
        mut visit: impl FnMut(&[(u32, f64)], &mut [R]),
    ) {
        let (d, c) = (self.rows.d, self.rows.c);
        let mut block = vec![R::zero(); BLOCK.min(rows.len()) * d];
        let mut q = vec![R::zero(); BLOCK * c];
        let mut indices = Vec::with_capacity(BLOCK);
        for rows in rows.chunks(BLOCK) {
            indices.clear();
            indices.extend(rows.iter().map(|row| row.0));
            self.rows.gather(&indices, &mut block);
            multiply(by_rows(&block[..rows.len() * d], d), by_rows(z, c), &mut q);
            visit(rows, &mut q[..rows.len() * c]);
        }
    }
}
