//! Scalars of the conjugate gradient iteration, one per problem.

use super::kernel;
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::real::Real;

kernel! {
    /// α = ρ/σ and −α where active and σ > 0, else 0.
    CG_ALPHA = cg_alpha(rho, sigma, active) -> (alpha, minus_alpha) []
}

kernel! {
    /// β = ρ'/ρ (0 where ρ = 0), then ρ ← ρ'.
    CG_BETA = cg_beta(rho_new) -> (beta, rho) []
}

kernel! {
    /// out = X/diagonal.
    DIVIDE = divide(x, diagonal) -> (out) [coordinates]
}

kernel! {
    /// The last c entries of X lose their mean: the common shift of multinomial intercepts, which
    /// changes nothing, is fixed at zero.
    CENTER_CLASSES = center_classes() -> (x) [coordinates, classes]
}

kernel! {
    /// value = √value.
    SQUARE_ROOT = square_root() -> (value) []
}

kernel! {
    /// diagonal (columns·c) = Σ_i h_i x̂_ij² + λ₂, multinomial with h = scale·p(1 − p); dense.
    HESSIAN_DIAGONAL = hessian_diagonal(design, h, scale, l2) -> (diagonal) [rows, columns, classes, penalized, multinomial, ridge_stride]
}

kernel! {
    /// The same for a sparse design by rows with its centre m and inverse scale.
    SPARSE_HESSIAN_DIAGONAL = sparse_hessian_diagonal(starts, indices, values, center, inverse_scale, h, scale, l2) -> (diagonal) [rows, columns, classes, penalized, multinomial, ridge_stride]
}

/// Twin of [`CG_ALPHA`].
fn cg_alpha<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (rho, sigma, active) = (
        arguments.input(0).row(0),
        arguments.input(1).row(0),
        arguments.input(2),
    );
    let alpha: [R; LANES] = std::array::from_fn(|lane| {
        // A NaN must pass, so that the stop rule sees it: only a true σ ≤ 0 stops.
        if active.word(0, lane) == 0 || sigma[lane] <= R::zero() {
            R::zero()
        } else {
            rho[lane] / sigma[lane]
        }
    });
    *row_mut(arguments.output(0), 0) = alpha;
    *row_mut(arguments.output(1), 0) = alpha.map(|a| -a);
}

/// Twin of [`CG_BETA`].
fn cg_beta<R: Real>(arguments: &mut Arguments<'_, R>) {
    let new = arguments.input(0).row(0);
    let old = row(arguments.output(1), 0);
    *row_mut(arguments.output(0), 0) = std::array::from_fn(|lane| {
        if old[lane] == R::zero() {
            R::zero()
        } else {
            new[lane] / old[lane]
        }
    });
    *row_mut(arguments.output(1), 0) = new;
}

/// Twin of [`DIVIDE`].
fn divide<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (x, diagonal) = (arguments.input(0).real(), arguments.input(1).real());
    let out = arguments.output(0);
    for j in 0..p {
        let (x, diagonal) = (row(x, j), row(diagonal, j));
        // A coordinate without curvature is left as it is: its right-hand side is zero.
        *row_mut(out, j) = std::array::from_fn(|lane| {
            if diagonal[lane] > R::zero() {
                x[lane] / diagonal[lane]
            } else {
                x[lane]
            }
        });
    }
}

/// Twin of [`CENTER_CLASSES`].
fn center_classes<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, c] = arguments.parameters();
    let x = arguments.output(0);
    let mut mean = [R::zero(); LANES];
    for j in p - c..p {
        let x = row(x, j);
        for lane in 0..LANES {
            mean[lane] += x[lane];
        }
    }
    let count = R::of(c as f64);
    for j in p - c..p {
        let x = row_mut(x, j);
        for lane in 0..LANES {
            x[lane] -= mean[lane] / count;
        }
    }
}

/// Twin of [`SQUARE_ROOT`].
fn square_root<R: Real>(arguments: &mut Arguments<'_, R>) {
    row_mut(arguments.output(0), 0)
        .iter_mut()
        .for_each(|value| *value = num_traits::Float::sqrt(*value));
}

/// The curvature of row i and class k as a weight of x²: h, or scale·p(1 − p).
#[inline(always)]
fn weight<R: Real>(h: R, scale: R, multinomial: bool) -> R {
    if multinomial {
        scale * h * (R::one() - h)
    } else {
        h
    }
}

/// Twin of [`HESSIAN_DIAGONAL`].
fn hessian_diagonal<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, d, c] = arguments.parameters();
    let (penalized, multinomial) = (arguments.parameter(3), arguments.parameter(4) != 0);
    let (x, h) = (arguments.input(0).real(), arguments.input(1).real());
    let (scale, ridges) = (arguments.input(2), arguments.input(3));
    let ridge_stride = arguments.parameter(5);
    let diagonal = arguments.output(0);
    diagonal.fill(R::zero());
    for i in 0..n {
        let scale = scale.row(i);
        for k in 0..c {
            let h = row(h, i * c + k);
            let weight: [R; LANES] =
                std::array::from_fn(|lane| weight(h[lane], scale[lane], multinomial));
            for j in 0..d {
                let square = x[i * d + j] * x[i * d + j];
                let diagonal = row_mut(diagonal, j * c + k);
                for lane in 0..LANES {
                    diagonal[lane] += weight[lane] * square;
                }
            }
        }
    }
    for j in 0..penalized {
        let (diagonal, l2) = (row_mut(diagonal, j), ridges.row(j * ridge_stride));
        for lane in 0..LANES {
            diagonal[lane] += l2[lane];
        }
    }
}

/// Twin of [`SPARSE_HESSIAN_DIAGONAL`]: Σ h(x − m)² = Σ h(x² − 2mx) + m²Σh over stored entries.
fn sparse_hessian_diagonal<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, d, c] = arguments.parameters();
    let (penalized, multinomial) = (arguments.parameter(3), arguments.parameter(4) != 0);
    let (starts, indices) = (arguments.input(0).words(), arguments.input(1).words());
    let (values, center) = (arguments.input(2).real(), arguments.input(3).real());
    let (inverse_scale, h) = (arguments.input(4).real(), arguments.input(5).real());
    let (scale, ridges) = (arguments.input(6), arguments.input(7));
    let ridge_stride = arguments.parameter(5);
    let diagonal = arguments.output(0);
    diagonal.fill(R::zero());
    for k in 0..c {
        let mut total = [R::zero(); LANES];
        for i in 0..n {
            let (h, scale) = (row(h, i * c + k), scale.row(i));
            let weight: [R; LANES] =
                std::array::from_fn(|lane| weight(h[lane], scale[lane], multinomial));
            for lane in 0..LANES {
                total[lane] += weight[lane];
            }
            for at in starts[i] as usize..starts[i + 1] as usize {
                let j = indices[at] as usize;
                let term = values[at] * (values[at] - center[j] - center[j]);
                let diagonal = row_mut(diagonal, j * c + k);
                for lane in 0..LANES {
                    diagonal[lane] += weight[lane] * term;
                }
            }
        }
        for j in 0..d {
            let diagonal = row_mut(diagonal, j * c + k);
            for lane in 0..LANES {
                diagonal[lane] = (diagonal[lane] + total[lane] * center[j] * center[j])
                    * inverse_scale[j]
                    * inverse_scale[j];
            }
        }
    }
    for j in 0..penalized {
        let (diagonal, l2) = (row_mut(diagonal, j), ridges.row(j * ridge_stride));
        for lane in 0..LANES {
            diagonal[lane] += l2[lane];
        }
    }
}
