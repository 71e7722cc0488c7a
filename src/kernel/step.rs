//! Elementwise steps and reductions of one problem's vectors.

use super::{kernel, vectorized};
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::model::linearization::{inner_derivative, inner_step};
use crate::model::regularizer::ridge_gradient;
use crate::real::Real;

kernel! {
    /// U = W − γ(G + λ₂(W − c)): the inner map T. λ₂ acts on the first `penalized` coordinates; it has
    /// a row for each of them where `ridge_stride` is 1, and one in common where it is 0.
    GRADIENT_STEP = gradient_step(w, g, prior, l2, gamma) -> (u) [coordinates, penalized, ridge_stride]
}

kernel! {
    /// out = Y − γ(G + λ₂Y) + term: ∂₁Tᵀ applied to Y, G being the loss's Hessian times Y.
    HESSIAN_STEP = hessian_step(y, g, term, l2, gamma) -> (out) [coordinates, penalized, ridge_stride]
}

kernel! {
    /// X ← (1 − η)X + η·Y with one η per problem.
    RELAX = relax(y, eta) -> (x) [coordinates]
}

kernel! {
    /// out = A + a·B with one factor per problem.
    COMBINE = combine(a, b, factor) -> (out) [coordinates]
}

kernel! {
    /// value (1) = A·B.
    DOT = dot(a, b) -> (value) [coordinates]
}

kernel! {
    /// value (1) = ‖A − B‖/γ, the scaled residual.
    DISTANCE = distance(a, b, gamma) -> (value) [coordinates]
}

kernel! {
    /// X ← active ? Y : X.
    SELECT = select(y, active) -> (x) [coordinates]
}

kernel! {
    /// out ← out + factor·A, one factor for all.
    ACCUMULATE = accumulate(a, factor) -> (out) [coordinates]
}

/// Twin of [`GRADIENT_STEP`].
fn gradient_step<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, penalized] = arguments.parameters();
    let (w, g, prior) = (arguments.input(0), arguments.input(1), arguments.input(2));
    let (ridges, gamma) = (arguments.input(3), arguments.input(4).row(0));
    let ridge_stride = arguments.parameter(2);
    let u = arguments.output(0);
    let mut l2 = ridges.row(0);
    for j in 0..p {
        let (w, g, prior) = (w.row(j), g.row(j), prior.row(j));
        if ridge_stride > 0 && j < penalized {
            l2 = ridges.row(j);
        }
        let u = row_mut(u, j);
        for lane in 0..LANES {
            let ridge = if j < penalized {
                ridge_gradient(l2[lane], w[lane], prior[lane])
            } else {
                R::zero()
            };
            u[lane] = inner_step(w[lane], gamma[lane], g[lane], ridge);
        }
    }
}

/// Twin of [`HESSIAN_STEP`].
fn hessian_step<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, penalized] = arguments.parameters();
    let (y, g, term) = (
        arguments.input(0).real(),
        arguments.input(1).real(),
        arguments.input(2),
    );
    let (ridges, gamma) = (arguments.input(3), arguments.input(4).row(0));
    let ridge_stride = arguments.parameter(2);
    let out = arguments.output(0);
    let mut l2 = ridges.row(0);
    for j in 0..p {
        let (y, g, term) = (row(y, j), row(g, j), term.row(j));
        if ridge_stride > 0 && j < penalized {
            l2 = ridges.row(j);
        }
        let out = row_mut(out, j);
        for lane in 0..LANES {
            let ridge = if j < penalized {
                l2[lane] * y[lane]
            } else {
                R::zero()
            };
            out[lane] = inner_derivative(y[lane], gamma[lane], g[lane], ridge) + term[lane];
        }
    }
}

/// Twin of [`RELAX`].
fn relax<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (y, eta) = (arguments.input(0).real(), arguments.input(1).row(0));
    let x = arguments.output(0);
    for j in 0..p {
        let y = row(y, j);
        let x = row_mut(x, j);
        for lane in 0..LANES {
            x[lane] = (R::one() - eta[lane]) * x[lane] + eta[lane] * y[lane];
        }
    }
}

/// Twin of [`COMBINE`].
fn combine<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (a, b, factor) = (
        arguments.input(0),
        arguments.input(1),
        arguments.input(2).row(0),
    );
    let out = arguments.output(0);
    for j in 0..p {
        let (a, b) = (a.row(j), b.row(j));
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] = a[lane] + factor[lane] * b[lane];
        }
    }
}

/// Twin of [`DOT`].
fn dot<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (a, b) = (arguments.input(0), arguments.input(1));
    let mut sum = [R::zero(); LANES];
    vectorized!(|FUSED, BLOCK| {
        for j in 0..p {
            let (a, b) = (a.row(j), b.row(j));
            for lane in 0..LANES {
                sum[lane] = a[lane].multiply_add::<FUSED>(b[lane], sum[lane]);
            }
        }
    });
    *row_mut(arguments.output(0), 0) = sum;
}

/// Twin of [`DISTANCE`].
fn distance<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (a, b, gamma) = (
        arguments.input(0),
        arguments.input(1),
        arguments.input(2).row(0),
    );
    let mut sum = [R::zero(); LANES];
    for j in 0..p {
        let (a, b) = (a.row(j), b.row(j));
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sum[lane] += difference * difference;
        }
    }
    for lane in 0..LANES {
        sum[lane] = num_traits::Float::sqrt(sum[lane]) / gamma[lane];
    }
    *row_mut(arguments.output(0), 0) = sum;
}

/// Twin of [`SELECT`].
fn select<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (y, active) = (arguments.input(0).real(), arguments.input(1).words());
    if active.iter().take(LANES).all(|&flag| flag != 0) {
        arguments.output(0)[..p * LANES].copy_from_slice(&y[..p * LANES]);
        return;
    }
    let x = arguments.output(0);
    for j in 0..p {
        for lane in 0..LANES {
            if active[lane] != 0 {
                x[j * LANES + lane] = y[j * LANES + lane];
            }
        }
    }
}

/// Twin of [`ACCUMULATE`].
fn accumulate<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (a, factor) = (arguments.input(0).real(), arguments.input(1).row(0));
    let out = arguments.output(0);
    for j in 0..p {
        let a = row(a, j);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] += factor[lane] * a[lane];
        }
    }
}

kernel! {
    /// out = G + λ₂Y over the penalised coordinates, G elsewhere.
    ADD_RIDGE = add_ridge(y, g, l2) -> (out) [coordinates, penalized, ridge_stride]
}

kernel! {
    /// value = max(a/scale_a, b/scale_b), 0/0 being 0.
    WORSE_RATIO = worse_ratio(a, scale_a, b, scale_b) -> (value) []
}

/// Twin of [`ADD_RIDGE`].
fn add_ridge<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, penalized] = arguments.parameters();
    let (y, g, ridges) = (
        arguments.input(0).real(),
        arguments.input(1).real(),
        arguments.input(2),
    );
    let ridge_stride = arguments.parameter(2);
    let out = arguments.output(0);
    let mut l2 = ridges.row(0);
    for j in 0..p {
        let (y, g) = (row(y, j), row(g, j));
        if ridge_stride > 0 && j < penalized {
            l2 = ridges.row(j);
        }
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] = if j < penalized {
                g[lane] + l2[lane] * y[lane]
            } else {
                g[lane]
            };
        }
    }
}

/// Twin of [`WORSE_RATIO`].
fn worse_ratio<R: Real>(arguments: &mut Arguments<'_, R>) {
    let ratio = |a: R, scale: R| if a == R::zero() { R::zero() } else { a / scale };
    let (a, scale_a) = (arguments.input(0).row(0), arguments.input(1).row(0));
    let (b, scale_b) = (arguments.input(2).row(0), arguments.input(3).row(0));
    *row_mut(arguments.output(0), 0) = std::array::from_fn(|lane| {
        let (a, b) = (ratio(a[lane], scale_a[lane]), ratio(b[lane], scale_b[lane]));
        // A NaN on either side must come out.
        if a > b || a.is_nan() { a } else { b }
    });
}
