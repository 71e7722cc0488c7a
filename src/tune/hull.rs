//! The smallest vector in the convex hull of gradients.
//!
//! At a local minimum of a piecewise smooth function zero is a convex combination of the gradients of the
//! pieces that meet there. Elsewhere minus the smallest vector of the hull descends on all of them.
//!
//! Mitchell, Demyanov and Malozemov's iteration: with x = Σ μ_i g_i, weight goes from the g_j of positive
//! weight that is farthest along x to the g_i that is least, as far as ‖x‖ falls:
//!
//! ```text
//! t = min(μ_j, x·(g_j − g_i)/‖g_j − g_i‖²)     μ_j ← μ_j − t     μ_i ← μ_i + t
//! ```

use crate::linalg::vector::{axpy, difference, dot};

/// Steps after which the vector is as good as it gets.
const MOST_STEPS: usize = 2000;
/// The relative distance from the optimality of x, at which the steps end.
const ENOUGH: f64 = 1e-13;

/// The smallest vector; empty of no gradients.
pub(super) fn smallest_vector(gradients: &[Vec<f64>]) -> Vec<f64> {
    let square = |g: &Vec<f64>| dot(g, g);
    let Some(first) = (0..gradients.len())
        .min_by(|&a, &b| square(&gradients[a]).total_cmp(&square(&gradients[b])))
    else {
        return Vec::new();
    };
    let largest = gradients.iter().map(square).fold(0.0, f64::max);
    let mut weights = vec![0.0; gradients.len()];
    weights[first] = 1.0;
    let mut x = gradients[first].clone();
    for _ in 0..MOST_STEPS {
        let along: Vec<f64> = gradients.iter().map(|g| dot(g, &x)).collect();
        let (mut least, mut most) = (first, None::<usize>);
        for i in 0..gradients.len() {
            if along[i] < along[least] {
                least = i;
            }
            if weights[i] > 0.0 && most.is_none_or(|most| along[i] > along[most]) {
                most = Some(i);
            }
        }
        let Some(most) = most else { break };
        let gain = along[most] - along[least];
        let edge = difference(&gradients[most], &gradients[least]);
        let length = dot(&edge, &edge);
        // A NaN ends it too.
        if !(gain > ENOUGH * largest && length > 0.0) {
            break;
        }
        let step = (gain / length).min(weights[most]);
        if step == weights[most] {
            weights[most] = 0.0;
        } else {
            weights[most] -= step;
        }
        weights[least] += step;
        axpy(-step, &edge, &mut x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-9, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn hulls_by_hand() {
        close(&smallest_vector(&[vec![3.0, 4.0]]), &[3.0, 4.0]);
        // Of a segment the foot of the perpendicular, or an end.
        close(
            &smallest_vector(&[vec![1.0, 1.0], vec![1.0, -3.0]]),
            &[1.0, 0.0],
        );
        close(
            &smallest_vector(&[vec![1.0, 1.0], vec![2.0, 3.0]]),
            &[1.0, 1.0],
        );
        // Zero inside a triangle.
        let triangle = [vec![1.0, 0.0], vec![-1.0, 2.0], vec![-1.0, -1.0]];
        close(&smallest_vector(&triangle), &[0.0, 0.0]);
        assert!(smallest_vector(&[]).is_empty());
    }

    #[test]
    fn no_vector_of_the_hull_is_smaller() {
        let mut state = 7u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / (1u64 << 30) as f64 - 1.0
        };
        for dimensions in [2, 5, 30] {
            let shift: Vec<f64> = (0..dimensions).map(|_| next()).collect();
            let gradients: Vec<Vec<f64>> = (0..8)
                .map(|_| shift.iter().map(|s| s + 0.5 * next()).collect())
                .collect();
            let x = smallest_vector(&gradients);
            // The optimality of the projection of zero: x·g ≥ x·x for all g.
            let square = dot(&x, &x);
            for g in &gradients {
                assert!(dot(g, &x) >= square - 1e-9 * (1.0 + square));
            }
        }
    }
}
