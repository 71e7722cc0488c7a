//! The nearest point whose affine image lies between bounds, by the dual active-set method of Goldfarb and
//! Idnani for a strictly convex quadratic:
//!
//! ```text
//! minimise  ½‖t − goal‖²   over t   with   lower ≤ x + N t ≤ upper
//! ```
//!
//! It starts at the goal, with no constraint. The one that is missed by most is taken in; those whose
//! multiplier falls to zero on the way are dropped. With the normals n_i of the constraints held,
//! t = goal + Σ u_i n_i, u ≥ 0, all the time.

use super::vector::{axpy, inner, norm, vectorized};
use crate::control::Control;

/// Roundings by which a bound may be missed.
const MISSED: f64 = 16.0;
/// The share of a normal outside those held below which it depends on them.
const DEPENDENT: f64 = 1e-10;

/// An affine image between bounds: x + N t.
pub(crate) struct Bounded<'a> {
    /// x.
    pub(crate) origin: &'a [f64],
    /// The columns of N.
    pub(crate) columns: &'a [Vec<f64>],
    /// The lower bounds, −∞ for none.
    pub(crate) lower: &'a [f64],
    /// The upper bounds, ∞ for none.
    pub(crate) upper: &'a [f64],
}

/// A bound of one entry of the image: the lower one (`side` 1) or the upper one (−1).
#[derive(Debug, Clone, Copy)]
struct Bound {
    at: usize,
    side: f64,
}

/// The bounds that are held, with their multipliers and a QR factor of their normals.
#[derive(Default)]
struct Held {
    bounds: Vec<Bound>,
    multipliers: Vec<f64>,
    /// Orthonormal columns.
    q: Vec<Vec<f64>>,
    /// The columns of the triangle.
    r: Vec<Vec<f64>>,
}

/// A normal in terms of those held.
struct Split {
    /// Its coefficients in the columns of Q.
    inside: Vec<f64>,
    /// The part outside their span, and its norm.
    outside: Vec<f64>,
    length: f64,
}

impl Held {
    fn split(&self, normal: &[f64]) -> Split {
        let (mut inside, mut outside) = (vec![0.0; self.q.len()], normal.to_vec());
        // Once more for the rounding of the first time.
        for _ in 0..2 {
            for (total, q) in inside.iter_mut().zip(&self.q) {
                let along = inner(q, &outside);
                *total += along;
                axpy(-along, q, &mut outside);
            }
        }
        let length = norm(&outside);
        Split {
            inside,
            outside,
            length,
        }
    }

    /// R⁻¹x: how fast the multipliers fall while the new one grows.
    fn rates(&self, mut x: Vec<f64>) -> Vec<f64> {
        for k in (0..x.len()).rev() {
            x[k] /= self.r[k][k];
            let value = x[k];
            for (x, r) in x[..k].iter_mut().zip(&self.r[k]) {
                *x -= value * r;
            }
        }
        x
    }

    fn push(&mut self, bound: Bound, multiplier: f64, split: Split) {
        self.bounds.push(bound);
        self.multipliers.push(multiplier);
        self.factor(split);
    }

    fn factor(&mut self, split: Split) {
        let Split {
            inside: mut column,
            mut outside,
            length,
        } = split;
        outside.iter_mut().for_each(|x| *x /= length);
        column.push(length);
        self.q.push(outside);
        self.r.push(column);
    }

    /// Drops a bound; the factor behind it is made anew.
    fn drop(&mut self, at: usize, normal: impl Fn(Bound) -> Vec<f64>) {
        self.bounds.remove(at);
        self.multipliers.remove(at);
        self.q.truncate(at);
        self.r.truncate(at);
        for later in at..self.bounds.len() {
            let split = self.split(&normal(self.bounds[later]));
            self.factor(split);
        }
    }
}

impl Bounded<'_> {
    /// The nearest t to `goal`; `None` where there is none to rounding, or `control` ends the search.
    pub(crate) fn nearest(&self, goal: &[f64], control: &Control) -> Option<Vec<f64>> {
        let (m, k) = (self.origin.len(), goal.len());
        let rows: Vec<f64> = (0..m)
            .flat_map(|j| self.columns.iter().map(move |column| column[j]))
            .collect();
        let row = |j: usize| &rows[j * k..(j + 1) * k];
        let lengths: Vec<f64> = (0..m).map(|j| norm(row(j))).collect();
        let normal = |bound: Bound| row(bound.at).iter().map(|x| bound.side * x).collect();
        let mut t = goal.to_vec();
        let mut held = Held::default();
        let mut rounds = 10 * (m + k) + 100;
        while let Some(bound) = self.most_missed(&rows, &lengths, &t, &held) {
            let normal_of_bound: Vec<f64> = normal(bound);
            let length = lengths[bound.at];
            let mut own = 0.0;
            loop {
                rounds -= 1;
                if rounds == 0 || control.should_stop() {
                    return None;
                }
                let split = held.split(&normal_of_bound);
                let rates = held.rates(split.inside.clone());
                let falling = rates.iter().zip(&held.multipliers).enumerate();
                let first = falling
                    .filter(|(_, (rate, _))| **rate > 0.0)
                    .map(|(at, (rate, multiplier))| (multiplier / rate, at))
                    .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let to_drop = first.map_or(f64::INFINITY, |(way, _)| way);
                let to_bound = if split.length > DEPENDENT * length {
                    self.missed(bound, row(bound.at), &t) / (split.length * split.length)
                } else {
                    f64::INFINITY
                };
                let way = to_drop.min(to_bound);
                if !way.is_finite() {
                    return None;
                }
                own += way;
                for (multiplier, rate) in held.multipliers.iter_mut().zip(&rates) {
                    *multiplier -= way * rate;
                }
                if to_bound.is_finite() {
                    axpy(way, &split.outside, &mut t);
                }
                match first {
                    Some((_, at)) if to_drop < to_bound => held.drop(at, normal),
                    _ => {
                        held.push(bound, own, split);
                        break;
                    }
                }
            }
        }
        t.iter().all(|t| t.is_finite()).then_some(t)
    }

    /// The distance of an entry of the image to its bound, positive outside.
    fn missed(&self, bound: Bound, row: &[f64], t: &[f64]) -> f64 {
        let image = self.origin[bound.at] + inner(row, t);
        if bound.side > 0.0 {
            self.lower[bound.at] - image
        } else {
            image - self.upper[bound.at]
        }
    }

    /// The bound that t misses by most, in units of its normal; the first of equals, `None` without one.
    fn most_missed(&self, rows: &[f64], lengths: &[f64], t: &[f64], held: &Held) -> Option<Bound> {
        let (k, size) = (t.len(), norm(t));
        let mut is_held = vec![false; lengths.len()];
        held.bounds.iter().for_each(|b| is_held[b.at] = true);
        let mut most: Option<Bound> = None;
        let mut largest = 0.0;
        vectorized(
            #[inline(always)]
            || {
                for (j, &length) in lengths.iter().enumerate() {
                    if is_held[j] || length == 0.0 {
                        continue;
                    }
                    let image = self.origin[j] + inner(&rows[j * k..(j + 1) * k], t);
                    let rounding = f64::EPSILON * (self.origin[j].abs() + length * size);
                    let (below, above) = (self.lower[j] - image, image - self.upper[j]);
                    let (missed, side) = if below > above {
                        (below, 1.0)
                    } else {
                        (above, -1.0)
                    };
                    if missed > MISSED * rounding && missed / length > largest {
                        largest = missed / length;
                        most = Some(Bound { at: j, side });
                    }
                }
            },
        );
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: usize) -> f64 {
        (at as f64 * 0.618_034 * 37.0 + 0.3).sin()
    }

    /// Optimality: t is feasible, and goal − t lies in the cone of the normals at bounds, by a projection
    /// that is slow and sure.
    #[test]
    fn it_is_the_projection_that_alternating_ones_approach() {
        for seed in 0..40 {
            let (m, k) = (3 + seed % 9, 1 + seed % 4);
            let columns: Vec<Vec<f64>> = (0..k)
                .map(|i| (0..m).map(|j| entry(1000 * seed + 31 * i + j)).collect())
                .collect();
            let origin: Vec<f64> = (0..m).map(|j| 0.2 * entry(77 * seed + j)).collect();
            let lower: Vec<f64> = (0..m)
                .map(|j| match j % 3 {
                    0 => f64::NEG_INFINITY,
                    1 => origin[j],
                    _ => origin[j] - 0.3,
                })
                .collect();
            let upper: Vec<f64> = origin.iter().map(|x| x + 0.5).collect();
            let goal: Vec<f64> = (0..k).map(|i| 2.0 * entry(5 * seed + i + 9)).collect();
            let bounded = Bounded {
                origin: &origin,
                columns: &columns,
                lower: &lower,
                upper: &upper,
            };
            let t = bounded.nearest(&goal, &Control::new()).unwrap();
            // Dykstra's projections onto one slab after the other.
            let mut x = goal.clone();
            let mut corrections = vec![vec![0.0; k]; m];
            for _ in 0..20_000 {
                for j in 0..m {
                    let row: Vec<f64> = columns.iter().map(|c| c[j]).collect();
                    let y: Vec<f64> = x.iter().zip(&corrections[j]).map(|(a, b)| a + b).collect();
                    let image = origin[j] + inner(&row, &y);
                    let off = image.clamp(lower[j], upper[j]) - image;
                    let square = inner(&row, &row);
                    x = y
                        .iter()
                        .zip(&row)
                        .map(|(y, r)| y + off / square * r)
                        .collect();
                    for (c, (y, x)) in corrections[j].iter_mut().zip(y.iter().zip(&x)) {
                        *c = y - x;
                    }
                }
            }
            for (found, expected) in t.iter().zip(&x) {
                assert!((found - expected).abs() < 1e-6, "{seed}: {t:?} {x:?}");
            }
        }
    }

    #[test]
    fn bounds_that_meet_in_one_point_and_a_search_that_is_ended() {
        // t ≥ 0 and −t ≥ 0, thrice.
        let columns = [vec![1.0, -1.0, 2.0, -2.0, 1.0, -1.0]];
        let (zero, infinite) = ([0.0; 6], [f64::INFINITY; 6]);
        let bounded = Bounded {
            origin: &zero,
            columns: &columns,
            lower: &zero,
            upper: &infinite,
        };
        let t = bounded.nearest(&[3.0], &Control::new()).unwrap();
        assert!(t[0].abs() < 1e-14);
        let cancelled = Control::new();
        cancelled.cancel();
        assert!(bounded.nearest(&[3.0], &cancelled).is_none());
    }
}
