//! ∂₂T: where hyperparameters enter the inner map, backwards (vjp) and forwards (tangent).
//!
//! With Z = D·V, `factor` a common weight (1, or 1/J in an average) and R, hQ already scaled by
//! s/n:
//!
//! ```text
//! λ₂   −γ (w − c)·z             c    γ λ₂ z            s_i   −(γ/n) r_i (x_i·z)
//! P_i  −γ ( z r_i + w (h q)_i ) ,  q = x̃_i·z                  δ     −γ Σ r_i q_i /δ over clipped rows
//! ```

use super::kernel;
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::model::linearization::{
    perturbation_share, prior_derivative, ridge_share, weight_share,
};
use crate::real::Real;

kernel! {
    /// out ← out − factor·γ(W − c)·Z over the penalised coordinates: one sum where `ridge_stride` is 0,
    /// one share for each where it is 1.
    RIDGE_VJP = ridge_vjp(w, z, prior, gamma, factor) -> (out) [penalized, ridge_stride]
}

kernel! {
    /// out (penalized) ← out + factor·γλ₂Z, with λ₂ as [`step`](super::step) takes it.
    PRIOR_VJP = prior_vjp(z, l2, gamma, factor) -> (out) [penalized, ridge_stride]
}

kernel! {
    /// out (rows) ← out − factor·γ Σ_k r_ik q_ik, r the residual over n.
    WEIGHT_VJP = weight_vjp(r, q, gamma, factor) -> (out) [rows, classes]
}

kernel! {
    /// out (1) ← out − factor·γ Σ r_i q_i over the rows without curvature, which the Huber loss clips: δ times
    /// the derivative in δ.
    HUBER_VJP = huber_vjp(r, h, q, gamma, factor) -> (out) [rows]
}

kernel! {
    /// R (rows) ← R + δ̇·r over the rows without curvature, δ̇ in units of δ.
    HUBER_TANGENT = huber_tangent(r, h, tangent) -> (out) [rows]
}

kernel! {
    /// out (perturbed rows × features) ← out − factor·γ Σ_k (z_jk r_ik + w_jk (hq)_ik).
    PERTURBATION_VJP = perturbation_vjp(perturbed, r, hq, z, w, gamma, factor) -> (out) [count, features, classes]
}

kernel! {
    /// out ← out − γ(λ̇₂(W − c) − λ₂ċ) over the penalised coordinates; λ₂ and λ̇₂ have a row for each
    /// where `ridge_stride` is 1.
    RIDGE_TANGENT = ridge_tangent(w, prior, l2, l2_tangent, prior_tangent, gamma) -> (out) [penalized, ridge_stride]
}

kernel! {
    /// out ← out − γG.
    SUBTRACT_SCALED = subtract_scaled(g, gamma) -> (out) [coordinates]
}

kernel! {
    /// R (rows·c) ← R + ṡ∘r, r the residual over n.
    WEIGHT_TANGENT = weight_tangent(r, tangent) -> (out) [rows, classes]
}

kernel! {
    /// `Z[perturbed]` ← `Z[perturbed]` + Ṗ·W.
    PERTURBED_PRODUCT = perturbed_product(perturbed, tangent, w) -> (z) [count, features, classes]
}

kernel! {
    /// G ← G + Ṗᵀ·`R[perturbed]`.
    PERTURBED_ADJOINT = perturbed_adjoint(perturbed, tangent, r) -> (g) [count, features, classes]
}

/// Twin of [`RIDGE_VJP`].
fn ridge_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let penalized = arguments.parameter(0);
    let (w, z, prior) = (
        arguments.input(0).real(),
        arguments.input(1).real(),
        arguments.input(2),
    );
    let (gamma, factor) = (arguments.input(3).row(0), arguments.input(4).row(0));
    let ridge_stride = arguments.parameter(1);
    let mut sum = [R::zero(); LANES];
    let mut add = |at: usize, sum: &mut [R; LANES]| {
        let out = row_mut(arguments.output(0), at);
        for lane in 0..LANES {
            out[lane] += factor[lane] * gamma[lane] * sum[lane];
        }
        *sum = [R::zero(); LANES];
    };
    for j in 0..penalized {
        let (w, z, prior) = (row(w, j), row(z, j), prior.row(j));
        for lane in 0..LANES {
            sum[lane] += ridge_share(w[lane], prior[lane], z[lane]);
        }
        if ridge_stride > 0 {
            add(j, &mut sum);
        }
    }
    if ridge_stride == 0 {
        add(0, &mut sum);
    }
}

/// Twin of [`PRIOR_VJP`].
fn prior_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let penalized = arguments.parameter(0);
    let (z, ridges) = (arguments.input(0).real(), arguments.input(1));
    let (gamma, factor) = (arguments.input(2).row(0), arguments.input(3).row(0));
    let ridge_stride = arguments.parameter(1);
    let out = arguments.output(0);
    for j in 0..penalized {
        let (z, l2) = (row(z, j), ridges.row(j * ridge_stride));
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] += factor[lane] * prior_derivative(gamma[lane], l2[lane], z[lane]);
        }
    }
}

/// Twin of [`WEIGHT_VJP`].
fn weight_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let (r, q) = (arguments.input(0).real(), arguments.input(1).real());
    let (gamma, factor) = (arguments.input(2).row(0), arguments.input(3).row(0));
    let out = arguments.output(0);
    for i in 0..n {
        let out = row_mut(out, i);
        for k in 0..c {
            let (r, q) = (row(r, i * c + k), row(q, i * c + k));
            for lane in 0..LANES {
                out[lane] += factor[lane] * gamma[lane] * weight_share(r[lane], q[lane]);
            }
        }
    }
}

/// Twin of [`HUBER_VJP`].
fn huber_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let n = arguments.parameter(0);
    let (r, h) = (arguments.input(0).real(), arguments.input(1).real());
    let q = arguments.input(2).real();
    let (gamma, factor) = (arguments.input(3).row(0), arguments.input(4).row(0));
    let mut sum = [R::zero(); LANES];
    for i in 0..n {
        let (r, h, q) = (row(r, i), row(h, i), row(q, i));
        for lane in 0..LANES {
            if h[lane] == R::zero() {
                sum[lane] += weight_share(r[lane], q[lane]);
            }
        }
    }
    let out = row_mut(arguments.output(0), 0);
    for lane in 0..LANES {
        out[lane] += factor[lane] * gamma[lane] * sum[lane];
    }
}

/// Twin of [`HUBER_TANGENT`].
fn huber_tangent<R: Real>(arguments: &mut Arguments<'_, R>) {
    let n = arguments.parameter(0);
    let (r, h) = (arguments.input(0).real(), arguments.input(1).real());
    let tangent = arguments.input(2).row(0);
    let out = arguments.output(0);
    for i in 0..n {
        let (r, h) = (row(r, i), row(h, i));
        let out = row_mut(out, i);
        for lane in 0..LANES {
            if h[lane] == R::zero() {
                out[lane] += tangent[lane] * r[lane];
            }
        }
    }
}

/// Twin of [`PERTURBATION_VJP`].
fn perturbation_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [count, d, c] = arguments.parameters();
    let perturbed = arguments.input(0).words();
    let (r, hq) = (arguments.input(1).real(), arguments.input(2).real());
    let (z, w) = (arguments.input(3).real(), arguments.input(4).real());
    let (gamma, factor) = (arguments.input(5).row(0), arguments.input(6).row(0));
    let out = arguments.output(0);
    for (at, &i) in perturbed.iter().enumerate().take(count) {
        for k in 0..c {
            let (r, hq) = (row(r, i as usize * c + k), row(hq, i as usize * c + k));
            for j in 0..d {
                let (z, w) = (row(z, j * c + k), row(w, j * c + k));
                let out = row_mut(out, at * d + j);
                for lane in 0..LANES {
                    let share = perturbation_share(z[lane], r[lane], w[lane], hq[lane]);
                    out[lane] += factor[lane] * gamma[lane] * share;
                }
            }
        }
    }
}

/// Twin of [`RIDGE_TANGENT`].
fn ridge_tangent<R: Real>(arguments: &mut Arguments<'_, R>) {
    let penalized = arguments.parameter(0);
    let (w, prior) = (arguments.input(0).real(), arguments.input(1));
    let (ridges, ridge_tangents) = (arguments.input(2), arguments.input(3));
    let ridge_stride = arguments.parameter(1);
    let (prior_tangent, gamma) = (arguments.input(4), arguments.input(5).row(0));
    let out = arguments.output(0);
    for j in 0..penalized {
        let (w, prior, tangent) = (row(w, j), prior.row(j), prior_tangent.row(j));
        let l2 = ridges.row(j * ridge_stride);
        let l2_tangent = ridge_tangents.row(j * ridge_stride);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] -= gamma[lane]
                * (l2_tangent[lane] * (w[lane] - prior[lane]) - l2[lane] * tangent[lane]);
        }
    }
}

/// Twin of [`SUBTRACT_SCALED`].
fn subtract_scaled<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (g, gamma) = (arguments.input(0).real(), arguments.input(1).row(0));
    let out = arguments.output(0);
    for j in 0..p {
        let g = row(g, j);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] -= gamma[lane] * g[lane];
        }
    }
}

/// Twin of [`WEIGHT_TANGENT`].
fn weight_tangent<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let (r, tangent) = (arguments.input(0).real(), arguments.input(1));
    let out = arguments.output(0);
    for i in 0..n {
        let tangent = tangent.row(i);
        for k in 0..c {
            let r = row(r, i * c + k);
            let out = row_mut(out, i * c + k);
            for lane in 0..LANES {
                out[lane] += tangent[lane] * r[lane];
            }
        }
    }
}

/// Twin of [`PERTURBED_PRODUCT`].
fn perturbed_product<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [count, d, c] = arguments.parameters();
    let (perturbed, tangent, w) = (
        arguments.input(0).words(),
        arguments.input(1),
        arguments.input(2).real(),
    );
    let z = arguments.output(0);
    for (at, &i) in perturbed.iter().enumerate().take(count) {
        for k in 0..c {
            let z = row_mut(z, i as usize * c + k);
            for j in 0..d {
                let (tangent, w) = (tangent.row(at * d + j), row(w, j * c + k));
                for lane in 0..LANES {
                    z[lane] += tangent[lane] * w[lane];
                }
            }
        }
    }
}

/// Twin of [`PERTURBED_ADJOINT`].
fn perturbed_adjoint<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [count, d, c] = arguments.parameters();
    let (perturbed, tangent, r) = (
        arguments.input(0).words(),
        arguments.input(1),
        arguments.input(2).real(),
    );
    let g = arguments.output(0);
    for (at, &i) in perturbed.iter().enumerate().take(count) {
        for k in 0..c {
            let r = row(r, i as usize * c + k);
            for j in 0..d {
                let tangent = tangent.row(at * d + j);
                let g = row_mut(g, j * c + k);
                for lane in 0..LANES {
                    g[lane] += tangent[lane] * r[lane];
                }
            }
        }
    }
}
