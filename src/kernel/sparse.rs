//! Products with a sparse design, and the rank-one term of its centre and scale.
//!
//! ```text
//! X̂·W = X(W∘σ⁻¹) − 1·(m·(W∘σ⁻¹))            X̂ᵀ·R = σ⁻¹∘(XᵀR − m·(1ᵀR))
//! ```

use super::kernel;
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::real::Real;

kernel! {
    /// Z (rows·c) = X·W with X by rows. The adjoint is the same kernel on X by columns.
    SPARSE_PRODUCT = sparse_product(starts, indices, values, w) -> (z) [rows, classes]
}

kernel! {
    /// W' = W∘σ⁻¹ and the offset m·W' (c).
    SCALE_AND_OFFSET = scale_and_offset(center, inverse_scale, w) -> (scaled, offset) [columns, classes]
}

kernel! {
    /// Z ← Z − 1·offset.
    SUBTRACT_OFFSET = subtract_offset(offset) -> (z) [rows, classes]
}

kernel! {
    /// G ← σ⁻¹∘(G − m·(1ᵀR)).
    CENTER_ADJOINT = center_adjoint(center, inverse_scale, r) -> (g) [rows, columns, classes]
}

/// Twin of [`SPARSE_PRODUCT`].
fn sparse_product<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [rows, c] = arguments.parameters();
    let (starts, indices) = (arguments.input(0).words(), arguments.input(1).words());
    let (values, w) = (arguments.input(2).real(), arguments.input(3).real());
    let z = arguments.output(0);
    for i in 0..rows {
        let range = starts[i] as usize..starts[i + 1] as usize;
        for k in 0..c {
            let mut sum = [R::zero(); LANES];
            for at in range.clone() {
                let (x, w) = (values[at], row(w, indices[at] as usize * c + k));
                for lane in 0..LANES {
                    sum[lane] += x * w[lane];
                }
            }
            *row_mut(z, i * c + k) = sum;
        }
    }
}

/// Twin of [`SCALE_AND_OFFSET`].
fn scale_and_offset<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [d, c] = arguments.parameters();
    let (center, inverse_scale) = (arguments.input(0).real(), arguments.input(1).real());
    let w = arguments.input(2).real();
    let scaled = arguments.output(0);
    for j in 0..d {
        for k in 0..c {
            *row_mut(scaled, j * c + k) = row(w, j * c + k).map(|w| w * inverse_scale[j]);
        }
    }
    let offset = arguments.output(1);
    offset.fill(R::zero());
    for j in 0..d {
        for k in 0..c {
            let w = row(w, j * c + k);
            let sum = row_mut(offset, k);
            for lane in 0..LANES {
                sum[lane] += center[j] * (w[lane] * inverse_scale[j]);
            }
        }
    }
}

/// Twin of [`SUBTRACT_OFFSET`].
fn subtract_offset<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, c] = arguments.parameters();
    let offset = arguments.input(0).real();
    let z = arguments.output(0);
    for i in 0..n {
        for k in 0..c {
            let offset = row(offset, k);
            let z = row_mut(z, i * c + k);
            for lane in 0..LANES {
                z[lane] -= offset[lane];
            }
        }
    }
}

/// Twin of [`CENTER_ADJOINT`].
fn center_adjoint<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [n, d, c] = arguments.parameters();
    let (center, inverse_scale) = (arguments.input(0).real(), arguments.input(1).real());
    let r = arguments.input(2).real();
    let g = arguments.output(0);
    for k in 0..c {
        let mut total = [R::zero(); LANES];
        for i in 0..n {
            let r = row(r, i * c + k);
            for lane in 0..LANES {
                total[lane] += r[lane];
            }
        }
        for j in 0..d {
            let g = row_mut(g, j * c + k);
            for lane in 0..LANES {
                g[lane] = (g[lane] - center[j] * total[lane]) * inverse_scale[j];
            }
        }
    }
}
