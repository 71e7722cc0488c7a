//! Quasi-Newton directions on the variables that no bound holds.
//!
//! BFGS on the inverse Hessian H, from steps s and changes of the slope y with y·s > 0,
//!
//! ```text
//! H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ     ρ = 1/(y·s)     H₀ = (y·s/y·y) I
//! ```
//!
//! as a matrix for few variables, and by its last pairs for many. The direction is −H_FF g_F on the free
//! variables F: a submatrix of a positive definite matrix is one.

use std::collections::VecDeque;

use crate::linalg::vector::{axpy, dot, exceeds, norm};

/// Variables up to which the matrix is kept.
const DENSE: usize = 50;
/// Pairs that are kept for more variables.
const MEMORY: usize = 10;
/// The smallest y·s relative to ‖y‖‖s‖ that makes a pair.
const CURVED: f64 = 1e-8;

/// An approximation of the inverse Hessian.
#[derive(Debug, Clone)]
pub(super) enum QuasiNewton {
    /// The matrix, row by row; empty before the first pair.
    Dense(Vec<f64>),
    /// The last pairs, the oldest first.
    Limited(VecDeque<Pair>),
}

/// A step and the change of the slope along it.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) step: Vec<f64>,
    pub(super) change: Vec<f64>,
}

impl QuasiNewton {
    /// Without any pair.
    pub(super) fn new(dimensions: usize) -> Self {
        if dimensions <= DENSE {
            Self::Dense(Vec::new())
        } else {
            Self::Limited(VecDeque::new())
        }
    }

    /// Forgets all pairs.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Dense(inverse) => inverse.clear(),
            Self::Limited(pairs) => pairs.clear(),
        }
    }

    /// Takes a pair, unless it shows no curvature.
    pub(super) fn update(&mut self, pair: Pair) {
        let Pair { step: s, change: y } = &pair;
        let curvature = dot(s, y);
        if !exceeds(curvature, CURVED * norm(s) * norm(y)) {
            return;
        }
        match self {
            Self::Limited(pairs) => {
                if pairs.len() == MEMORY {
                    pairs.pop_front();
                }
                pairs.push_back(pair);
            }
            Self::Dense(inverse) => {
                let n = s.len();
                if inverse.is_empty() {
                    inverse.resize(n * n, 0.0);
                    (0..n).for_each(|i| inverse[i * n + i] = curvature / dot(y, y));
                }
                let hy: Vec<f64> = (0..n)
                    .map(|i| dot(&inverse[i * n..(i + 1) * n], y))
                    .collect();
                let scale = (1.0 + dot(y, &hy) / curvature) / curvature;
                for i in 0..n {
                    for j in 0..n {
                        inverse[i * n + j] +=
                            scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / curvature;
                    }
                }
            }
        }
    }

    /// −H_FF g_F; without any pair −g_F/‖g_F‖.
    pub(super) fn direction(&self, slope: &[f64], free: &[bool]) -> Vec<f64> {
        let mut g = masked(slope, free);
        match self {
            Self::Dense(inverse) if !inverse.is_empty() => {
                let n = g.len();
                let product = |i: usize| -dot(&inverse[i * n..(i + 1) * n], &g);
                let all: Vec<f64> = (0..n).map(product).collect();
                masked(&all, free)
            }
            Self::Limited(pairs) if !pairs.is_empty() => {
                two_loops(pairs, &mut g, free);
                g.iter_mut().for_each(|g| *g = -*g);
                g
            }
            _ => {
                let size = norm(&g).max(f64::MIN_POSITIVE);
                g.iter_mut().for_each(|g| *g /= -size);
                g
            }
        }
    }
}

/// The entries of the free variables, zero elsewhere.
fn masked(values: &[f64], free: &[bool]) -> Vec<f64> {
    let each = values.iter().zip(free);
    each.map(|(&value, &free)| if free { value } else { 0.0 })
        .collect()
}

/// H g by the two loops over the pairs, restricted to the free variables.
fn two_loops(pairs: &VecDeque<Pair>, g: &mut [f64], free: &[bool]) {
    let own: Vec<Pair> = pairs
        .iter()
        .map(|pair| Pair {
            step: masked(&pair.step, free),
            change: masked(&pair.change, free),
        })
        .filter(|pair| {
            dot(&pair.step, &pair.change) > CURVED * norm(&pair.step) * norm(&pair.change)
        })
        .collect();
    let Some(last) = own.last() else { return };
    let mut weights = Vec::with_capacity(own.len());
    for pair in own.iter().rev() {
        let weight = dot(&pair.step, g) / dot(&pair.step, &pair.change);
        axpy(-weight, &pair.change, g);
        weights.push(weight);
    }
    let scale = dot(&last.step, &last.change) / dot(&last.change, &last.change);
    g.iter_mut().for_each(|g| *g *= scale);
    for (pair, weight) in own.iter().zip(weights.iter().rev()) {
        let other = dot(&pair.change, g) / dot(&pair.step, &pair.change);
        axpy(weight - other, &pair.step, g);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A positive definite matrix, and pairs along the axes: the direction is Newton's.
    #[test]
    fn pairs_of_a_quadratic_give_its_newton_step() {
        let a = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]];
        let times = |v: &[f64]| -> Vec<f64> { a.iter().map(|row| dot(row, v)).collect() };
        for limited in [false, true] {
            let mut model = QuasiNewton::new(if limited { 51 } else { 3 });
            // A-conjugate steps, so that the updates are exact.
            let mut steps: Vec<Vec<f64>> = Vec::new();
            for axis in 0..3 {
                let mut s = vec![0.0; 3];
                s[axis] = 1.0;
                for other in &steps {
                    let image = times(other);
                    let share = dot(&s, &image) / dot(other, &image);
                    axpy(-share, other, &mut s);
                }
                model.update(Pair {
                    change: times(&s),
                    step: s.clone(),
                });
                steps.push(s);
            }
            let x = [0.3, -1.0, 2.0];
            let d = model.direction(&times(&x), &[true; 3]);
            for (d, x) in d.iter().zip(&x) {
                assert!((d + x).abs() < 1e-12, "{d} {x}");
            }
        }
    }

    #[test]
    fn what_a_bound_holds_does_not_move_and_what_does_not_curve_is_left_out() {
        for dimensions in [2, 60] {
            let mut model = QuasiNewton::new(dimensions);
            let ones = vec![1.0; dimensions];
            model.update(Pair {
                step: ones.clone(),
                change: vec![-1.0; dimensions],
            });
            let d = model.direction(&ones, &vec![true; dimensions]);
            assert!((norm(&d) - 1.0).abs() < 1e-12, "steepest descent");
            model.update(Pair {
                step: ones.clone(),
                change: vec![2.0; dimensions],
            });
            let mut free = vec![true; dimensions];
            free[1] = false;
            let d = model.direction(&ones, &free);
            assert!(d[1] == 0.0 && dot(&d, &ones) < 0.0);
            model.reset();
            let d = model.direction(&ones, &free);
            assert!((norm(&d) - 1.0).abs() < 1e-12 && d[1] == 0.0);
        }
    }
}
