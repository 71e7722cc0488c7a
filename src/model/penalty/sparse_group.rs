//! l1·(s₀ Σ_j |w_j| + Σ_g s_g ‖w_g‖₂): the sparse group lasso (Simon, Friedman, Hastie and Tibshirani
//! 2013).
//!
//! It is put together from the rows `soft_threshold`, which every coordinate follows, and `group`
//! around it:
//!
//! ```text
//! prox  (1 − t)₊ S(u_g, γl1·s₀) ,  t = γl1·s_g/‖S(u_g, γl1·s₀)‖
//! pull  the factor f with ‖S(a_g, f·s₀)‖ = f·s_g
//! ```
//!
//! The strengths are s₀ and those of the groups, in this order; the derivative in l1 has one entry for
//! each.

use super::{Groups, Penalty};

impl Penalty {
    /// The sparse group lasso; `strengths` are that of the coordinates and those of the groups, 1
    /// each where they are `None`.
    #[must_use]
    pub fn sparse_group(groups: Groups, strengths: Option<Vec<f64>>) -> Self {
        let strengths = strengths.unwrap_or_else(|| vec![1.0; 1 + groups.len()]);
        Self::SparseGroup { groups, strengths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::linearization::{OuterDerivative, OuterParts};
    use crate::model::regularizer::{Blocks, Regularizer};
    use crate::model::strengths::Strengths;

    const GAMMA: f64 = 0.5;

    fn penalty(strengths: [f64; 3]) -> Penalty {
        Penalty::sparse_group(
            Groups::from_labels(&[0, 1, 0, 1, 0]),
            Some(strengths.into()),
        )
    }

    /// The regularizer of five grouped coordinates and a free one.
    fn with<T>(
        strengths: [f64; 3],
        l2: impl Into<Strengths>,
        work: impl FnOnce(&Regularizer<'_>) -> T,
    ) -> T {
        let penalty = penalty(strengths);
        let blocks = Blocks::new(&penalty, 5, 6);
        work(&Regularizer::new(&penalty, &blocks, None, 2.0, l2.into()))
    }

    fn prox(strengths: [f64; 3], u: &[f64]) -> Vec<f64> {
        with(strengths, 0.0, |regularizer| {
            OuterDerivative::at(regularizer, GAMMA, u.to_vec()).image()
        })
    }

    const U: [f64; 6] = [1.5, -2.0, -0.9, 0.2, 0.3, 4.0];
    const STRENGTHS: [f64; 3] = [0.4, 0.6, 0.5];

    #[test]
    fn the_prox_minimises() {
        let w = prox(STRENGTHS, &U);
        assert_eq!((w[3], w[4], w[5]), (0.0, 0.0, 4.0));
        let objective = |w: &[f64]| {
            let square: f64 = w.iter().zip(&U).map(|(w, u)| (w - u).powi(2)).sum();
            0.5 * square + GAMMA * with(STRENGTHS, 0.0, |regularizer| regularizer.value(w))
        };
        let best = objective(&w);
        for j in 0..6 {
            for step in [-1e-3, 1e-3] {
                let mut other = w.clone();
                other[j] += step;
                assert!(objective(&other) > best, "coordinate {j}");
            }
        }
        // And so the least subgradient of value at w, with u − w over γ taken away, is zero.
        let pull: Vec<f64> = w.iter().zip(&U).map(|(w, u)| (w - u) / GAMMA).collect();
        with(STRENGTHS, 0.0, |regularizer| {
            let total: f64 = (0..3)
                .map(|b| regularizer.block_distance(b, &w, &pull))
                .sum();
            assert!(total < 1e-28, "{total}");
        });
    }

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let v = [0.3, -1.0, 0.7, 2.0, -0.4, 1.1];
        let h = 1e-6;
        let along = |a: &[f64], b: &[f64]| -> f64 {
            let difference = a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h));
            difference.zip(&v).map(|(d, v)| d * v).sum()
        };
        let (mut strengths, z) = (
            [0.0; 3],
            with(STRENGTHS, 0.0, |regularizer| {
                OuterDerivative::at(regularizer, GAMMA, U.to_vec()).apply(&v)
            }),
        );
        with(STRENGTHS, 0.0, |regularizer| {
            let outer = OuterDerivative::at(regularizer, GAMMA, U.to_vec());
            let parts = OuterParts {
                strengths: Some(&mut strengths),
                ..OuterParts::default()
            };
            outer.add_outer(&[0.0; 6], &v, &z, 1.0, parts);
        });
        for j in 0..6 {
            let (mut more, mut less) = (U, U);
            more[j] += h;
            less[j] -= h;
            let expected = along(&prox(STRENGTHS, &more), &prox(STRENGTHS, &less));
            assert!((z[j] - expected).abs() < 1e-8, "{j}: {} {expected}", z[j]);
        }
        for s in 0..3 {
            let (mut more, mut less) = (STRENGTHS, STRENGTHS);
            more[s] += h;
            less[s] -= h;
            // l1 = 2 times as much per unit of the own strength.
            let expected = along(&prox(more, &U), &prox(less, &U)) / 2.0;
            let found = strengths[s];
            assert!((found - expected).abs() < 1e-8, "{s}: {found} {expected}");
        }
    }

    #[test]
    fn the_dual_gauge_says_where_zero_is_optimal() {
        let a = [1.5, -2.0, -0.9, 0.2, 0.3, 0.0];
        let gradient: Vec<f64> = a.iter().map(|a| -a).collect();
        let factor = with(STRENGTHS, 0.0, |r| r.vanishing_factor(|j| a[j]));
        let at = |share: f64| {
            let scaled = STRENGTHS.map(|s| share * factor * s);
            with(scaled, 0.0, |r| {
                let of_block = |b: usize| r.block_distance(b, &[0.0; 6], &gradient);
                of_block(0) + of_block(1)
            })
        };
        assert!(at(1.0 + 1e-9) == 0.0 && at(1.0 - 1e-6) > 0.0);
    }

    /// Fenchel: conjugate(a) + value(w) + ½λ₂‖w‖² = a·w at the w that attains the supremum.
    #[test]
    fn the_conjugate_is_attained() {
        let a = [1.5, -2.0, -0.9, 0.2, 0.3, 0.0];
        let (l2, gradient) = (0.7, a.map(|a| -a));
        with(STRENGTHS, l2, |r| {
            // w = prox_{1/λ₂}(a/λ₂).
            let u: Vec<f64> = a.iter().map(|a| a / l2).collect();
            let w = OuterDerivative::at(r, 1.0 / l2, u).image();
            let inner: f64 = a.iter().zip(&w).map(|(a, w)| a * w).sum();
            let sum = r.conjugate(&gradient) + r.value(&w);
            assert!((sum - inner).abs() < 1e-12, "{sum} {inner}");
        });
    }

    /// The same where coordinates of a group have different λ₂, also none: w_j = b_j/(t + λ₂_j) for the t
    /// that leaves τ = t‖w‖, b what the coordinate's own strength leaves of a.
    #[test]
    fn the_conjugate_of_different_ridges_is_attained() {
        let a = [1.5, -2.0, -0.9, 1.2, 0.3, 0.0];
        let gradient = a.map(|a| -a);
        for ridges in [
            [0.7, 2.0, 1e-3, 5.0, 0.7, 1.0],
            [0.0, 1e3, 0.4, 1.0, 0.0, 2.0],
            [9.0, 0.0, 8.0, 0.0, 3.0, 4.0],
        ] {
            // Beyond this strength of the norm w = 0 is optimal, and below that of coordinates without
            // ridge nothing is.
            for share in [0.5, 0.9, 0.99] {
                let strengths = [0.3, share * 1.9, share * 1.2];
                with(strengths, Strengths::Each(ridges.to_vec()), |r| {
                    let conjugate = r.conjugate(&gradient);
                    let mut is_infinite = false;
                    let mut w = vec![0.0; 6];
                    for b in 0..2 {
                        let penalty = &r.penalties[b];
                        let members: Vec<usize> =
                            r.blocks.members(b).iter().map(|&j| j as usize).collect();
                        let at = |t: f64| -> Vec<f64> {
                            let of = |&j: &usize| {
                                let left = (a[j].abs() - penalty.coordinate.strength).max(0.0);
                                left.copysign(a[j]) / (t + ridges[j])
                            };
                            members.iter().map(of).collect()
                        };
                        let norm = |t: f64| t * at(t).iter().map(|w| w * w).sum::<f64>().sqrt();
                        let (mut low, mut high) = (1e-12, 1e12);
                        // Nothing holds coordinates without ridge.
                        is_infinite |= norm(low) > penalty.norm;
                        for _ in 0..300 {
                            let middle = f64::sqrt(low * high);
                            if norm(middle) > penalty.norm {
                                high = middle;
                            } else {
                                low = middle;
                            }
                        }
                        if high < 1e11 {
                            members.iter().zip(at(low)).for_each(|(&j, x)| w[j] = x);
                        }
                    }
                    assert_eq!(conjugate == f64::INFINITY, is_infinite);
                    if is_infinite {
                        return;
                    }
                    let inner: f64 = a.iter().zip(&w).map(|(a, w)| a * w).sum();
                    let sum = conjugate + r.value(&w);
                    assert!(
                        (sum - inner).abs() < 1e-9 * inner.abs().max(1.0),
                        "{ridges:?} {share}: {sum} {inner}"
                    );
                });
            }
        }
    }

    /// A coordinate without ridge that exhausts the norm by itself leaves nothing to the others, however
    /// large their λ₂ is.
    #[test]
    fn a_coordinate_without_ridge_may_take_all_of_the_norm() {
        let ridges = [0.0, 8.0, 8.0, 8.0, 8.0, 8.0];
        // Both are of the first group, whatever its members are.
        with([0.0, 2.0, 2.0], Strengths::Each(ridges.to_vec()), |r| {
            let members = r.blocks.members(r.blocks.of[0] as usize);
            let other = members
                .iter()
                .map(|&j| j as usize)
                .find(|&j| j != 0)
                .unwrap();
            let mut gradient = [0.0; 6];
            gradient[0] = -r.penalties[r.blocks.of[0] as usize].norm;
            gradient[other] = -5.0;
            let found = r.conjugate(&gradient);
            assert!((found - 25.0 / 16.0).abs() < 1e-9, "{found}");
        });
    }
}
