//! Symmetric positive semidefinite systems whose unknowns depend on each other: a Cholesky
//! factorisation that pivots on the largest diagonal, and the null space that it leaves.
//!
//! With the permutation P and the leading r pivots above their rounding,
//!
//! ```text
//! PᵀAP = [A₁₁ A₁₂; A₂₁ A₂₂] ,  A₁₁ = L₁₁L₁₁ᵀ ,  null space  P[−A₁₁⁻¹A₁₂; I] , orthonormalised to Q
//! ```
//!
//! A right-hand side b is in the range as far as Qᵀb is nothing, and x − QQᵀx is the solution of least
//! norm, x any other. As in [`cholesky`](super::cholesky), a pivot counts as zero by its own
//! diagonal entry, so that the scale of single coordinates plays no part.

use super::vector::{axpy, dot, norm};
use crate::control::Control;
use crate::real::Real;

/// Times that a null vector is made orthogonal to those before it; twice is enough.
const PASSES: usize = 2;
/// The share of a null vector in the unknowns that count below which it has none there.
const LEAST_SHARE: f64 = 1e-8;

/// The factor of a symmetric positive semidefinite matrix, in `f64`.
#[derive(Debug, Clone)]
pub(crate) struct Dependent {
    /// The unknowns in the order of the pivots.
    order: Vec<usize>,
    /// The columns of L, m entries each, in the order of the pivots; the rank is their number.
    columns: Vec<Vec<f64>>,
    /// An orthonormal basis of the null space, in the order of the unknowns.
    null: Vec<Vec<f64>>,
}

impl Dependent {
    /// Factors an m × m matrix that is stored in full; `epsilon` is the rounding of its entries.
    /// `None` where it is not finite, or `control` ends the work.
    pub(crate) fn new<R: Real>(
        matrix: &[R],
        m: usize,
        epsilon: f64,
        control: &Control,
    ) -> Option<Self> {
        let entry = |i: usize, j: usize| matrix[j * m + i].to_f64();
        let rounding = epsilon * m as f64;
        let least: Vec<f64> = (0..m).map(|j| rounding * entry(j, j)).collect();
        let mut left: Vec<f64> = (0..m).map(|j| entry(j, j)).collect();
        if left.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let mut order: Vec<usize> = (0..m).collect();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for step in 0..m {
            if control.should_stop() {
                return None;
            }
            // The largest share of its own diagonal entry; the first of equals.
            let share = |j: usize| left[j] / entry(j, j);
            let best = (step..m)
                .filter(|&at| left[order[at]] > least[order[at]])
                .fold(None, |best: Option<usize>, at| match best {
                    Some(best) if share(order[best]) >= share(order[at]) => Some(best),
                    _ => Some(at),
                });
            let Some(best) = best else { break };
            order.swap(step, best);
            let pivot = order[step];
            let root = left[pivot].sqrt();
            // Columns are in the order of the unknowns; those that are done have nothing left.
            let mut column: Vec<f64> = (0..m).map(|i| entry(i, pivot)).collect();
            for done in &columns {
                let factor = -done[pivot];
                for (x, &l) in column.iter_mut().zip(done) {
                    *x += factor * l;
                }
            }
            order[..step].iter().for_each(|&i| column[i] = 0.0);
            column.iter_mut().for_each(|x| *x /= root);
            column[pivot] = root;
            for &i in &order[step + 1..] {
                left[i] -= column[i] * column[i];
            }
            if column.iter().any(|x| !x.is_finite()) {
                return None;
            }
            columns.push(column);
        }
        let mut dependent = Self {
            order,
            columns,
            null: Vec::new(),
        };
        dependent.null = dependent.null_space(control)?;
        Some(dependent)
    }

    fn null_space(&self, control: &Control) -> Option<Vec<Vec<f64>>> {
        let rank = self.columns.len();
        let mut null: Vec<Vec<f64>> = Vec::new();
        for &free in &self.order[rank..] {
            if control.should_stop() {
                return None;
            }
            // L₁₁ᵀ y = L₂₁ᵀ e: the pivots' part of a null vector is −y.
            let mut x: Vec<f64> = vec![0.0; self.order.len()];
            for k in (0..rank).rev() {
                let column = &self.columns[k];
                let later: f64 = self.order[k + 1..rank]
                    .iter()
                    .map(|&i| column[i] * x[i])
                    .sum();
                x[self.order[k]] = (-column[free] - later) / column[self.order[k]];
            }
            x[free] = 1.0;
            make_orthonormal(&mut x, &null, dot);
            null.push(x);
        }
        Some(null)
    }

    /// Keeps of the null space the directions x whose image Bx, A = BᵀB, is at most the share `most` of
    /// their `size`, the norm that it has at most.
    ///
    /// A pivot tells how far a column is from others only down to the root of the rounding of A; an image does
    /// so down to the rounding itself. [`Self::solve`] stays as it was.
    pub(crate) fn confirm(
        &mut self,
        image: impl Fn(&[f64]) -> Vec<f64>,
        size: impl Fn(&[f64]) -> f64,
        most: f64,
    ) {
        let share = |x: &[f64], image: &[f64]| norm(image) / size(x);
        let mut images: Vec<Vec<f64>> = self.null.iter().map(|x| image(x)).collect();
        loop {
            let shares = self.null.iter().zip(&images).map(|(x, b)| share(x, b));
            let Some((at, largest)) = shares.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) else {
                return;
            };
            if largest <= most {
                break;
            }
            let (x, b) = (self.null.swap_remove(at), images.swap_remove(at));
            let square = dot(&b, &b);
            for (other, own) in self.null.iter_mut().zip(&mut images) {
                axpy(-dot(&b, own) / square, &x, other);
                *own = image(other);
            }
        }
        let mut null: Vec<Vec<f64>> = Vec::new();
        for mut x in std::mem::take(&mut self.null) {
            make_orthonormal(&mut x, &null, dot);
            null.push(x);
        }
        self.null = null;
    }

    /// A basis of the null space that is orthonormal on the unknowns that count; null vectors without a part
    /// in them are left out. `None` where `control` ends the work.
    pub(crate) fn basis(
        &self,
        counts: impl Fn(usize) -> bool,
        control: &Control,
    ) -> Option<Vec<Vec<f64>>> {
        let others: Vec<usize> = (0..self.order.len()).filter(|&at| !counts(at)).collect();
        let is_within = |q: &Vec<f64>| others.iter().all(|&at| q[at].abs() <= f64::EPSILON);
        if self.null.iter().all(is_within) {
            return Some(self.null.clone());
        }
        let product = |a: &[f64], b: &[f64]| -> f64 {
            let both = a.iter().zip(b).enumerate();
            both.filter(|&(at, _)| counts(at))
                .map(|(_, (a, b))| a * b)
                .sum()
        };
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for q in &self.null {
            if control.should_stop() {
                return None;
            }
            let mut x = q.clone();
            if make_orthonormal(&mut x, &basis, product) > LEAST_SHARE {
                basis.push(x);
            }
        }
        Some(basis)
    }

    /// The dimension of the null space.
    pub(crate) fn nullity(&self) -> usize {
        self.null.len()
    }

    /// A solution of Ax = b, as far as b is in the range: zero but for the pivots.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let rank = self.columns.len();
        let mut x = b.to_vec();
        self.order[rank..].iter().for_each(|&i| x[i] = 0.0);
        for (k, column) in self.columns.iter().enumerate() {
            let value = x[self.order[k]] / column[self.order[k]];
            x[self.order[k]] = value;
            for &i in &self.order[k + 1..rank] {
                x[i] -= value * column[i];
            }
        }
        for (k, column) in self.columns.iter().enumerate().rev() {
            let later: f64 = self.order[k + 1..rank]
                .iter()
                .map(|&i| column[i] * x[i])
                .sum();
            let value = (x[self.order[k]] - later) / column[self.order[k]];
            x[self.order[k]] = value;
        }
        x
    }

    /// Removes from x its part in the null space; returns the norm of that part.
    pub(crate) fn remove_null(&self, x: &mut [f64]) -> f64 {
        let mut square = 0.0;
        for q in &self.null {
            let along = dot(q, x);
            square += along * along;
            x.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
        }
        f64::sqrt(square)
    }
}

/// Makes x orthogonal to a basis, and its length 1, by a product of vectors; returns the length that was left.
fn make_orthonormal(
    x: &mut [f64],
    basis: &[Vec<f64>],
    product: impl Fn(&[f64], &[f64]) -> f64,
) -> f64 {
    for _ in 0..PASSES {
        for q in basis {
            let along = product(q, x);
            x.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
        }
    }
    let length = product(x, x).sqrt();
    x.iter_mut().for_each(|x| *x /= length);
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BᵀB of a matrix with given columns.
    fn gram(columns: &[Vec<f64>]) -> Vec<f64> {
        let products = columns.iter().map(|a| columns.iter().map(|b| dot(a, b)));
        products.flatten().collect()
    }

    fn columns(rows: usize, count: usize) -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| ((i * 37 + j * 11) as f64 * 0.618_034).sin();
        (0..count)
            .map(|j| {
                (0..rows)
                    .map(|i| entry(i, j) + f64::from(u8::from(i == j)))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_regular_system_is_solved_and_has_no_null_space() {
        let a = gram(&columns(9, 6));
        let factor = Dependent::new(&a, 6, f64::EPSILON, &Control::new()).unwrap();
        assert_eq!(factor.nullity(), 0);
        let x: Vec<f64> = (0..6).map(|j| f64::from(j) - 2.0).collect();
        let b: Vec<f64> = (0..6).map(|i| dot(&a[i * 6..(i + 1) * 6], &x)).collect();
        let found = factor.solve(&b);
        assert!(found.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-11));
    }

    #[test]
    fn copies_and_sums_leave_a_null_space_and_the_least_norm_shares_evenly() {
        let mut b = columns(9, 3);
        b.push(b[0].clone());
        b.push(b[1].iter().map(|x| -2.0 * x).collect());
        let sum = (0..9).map(|i| b[0][i] + b[2][i]).collect();
        b.push(sum);
        let a = gram(&b);
        let factor = Dependent::new(&a, 6, f64::EPSILON, &Control::new()).unwrap();
        assert_eq!(factor.nullity(), 3);
        // In the range: the products with a vector of rows.
        let target: Vec<f64> = (0..9).map(|i| f64::from(i % 4)).collect();
        let mut rhs: Vec<f64> = b.iter().map(|b| dot(b, &target)).collect();
        let mut x = factor.solve(&rhs);
        factor.remove_null(&mut x);
        for i in 0..6 {
            let image = dot(&a[i * 6..(i + 1) * 6], &x);
            assert!((image - rhs[i]).abs() < 1e-11, "{i}");
        }
        assert!((x[4] + 2.0 * x[1]).abs() < 1e-12);
        assert!((x[5] - x[0] - x[2]).abs() < 1e-12);
        let size = norm(&rhs);
        assert!(factor.remove_null(&mut rhs) < 1e-13 * size);
        assert!(factor.remove_null(&mut [1.0, 0.0, 0.0, -1.0, 0.0, 0.0]) > 0.5);
    }

    #[test]
    fn images_keep_of_the_null_space_what_is_null() {
        // A copy, and near copies that pivots of A cannot tell from it.
        let mut b = columns(9, 3);
        b.push(b[0].clone());
        b.push(b[1].iter().zip(&b[2]).map(|(x, y)| x + y).collect());
        let near = |c: &[f64], size: f64| -> Vec<f64> {
            let noise = |i: usize| size * ((i * i) as f64 * 0.37 + 1e7 * size).sin();
            c.iter().enumerate().map(|(i, x)| x + noise(i)).collect()
        };
        b.push(near(&b[0], 1e-7));
        b.push(near(&b[4], 3e-8));
        let a = gram(&b);
        let mut factor = Dependent::new(&a, 7, 1e-11, &Control::new()).unwrap();
        assert_eq!(factor.nullity(), 4);
        let image = |x: &[f64]| -> Vec<f64> {
            let mut image = vec![0.0; 9];
            b.iter().zip(x).for_each(|(b, &x)| axpy(x, b, &mut image));
            image
        };
        let size = |x: &[f64]| b.iter().zip(x).map(|(b, x)| x.abs() * norm(b)).sum();
        factor.confirm(image, size, 1e-9);
        assert_eq!(factor.nullity(), 2);
        for (at, x) in factor.null.iter().enumerate() {
            assert!(norm(&image(x)) < 1e-9, "{at}: {x:?}");
            assert!((norm(x) - 1.0).abs() < 1e-14);
            // Near copies have no part in it.
            assert!(x[5].abs() < 1e-6 && x[6].abs() < 1e-6, "{x:?}");
        }
        assert!(dot(&factor.null[0], &factor.null[1]).abs() < 1e-14);
    }

    #[test]
    fn a_basis_may_leave_unknowns_out_of_its_norm() {
        let mut b = columns(9, 3);
        b.push(b[0].iter().map(|x| 2.0 * x).collect());
        b.push(b[1].iter().zip(&b[2]).map(|(x, y)| x - y).collect());
        b.push(b[2].clone());
        let a = gram(&b);
        let factor = Dependent::new(&a, 6, f64::EPSILON, &Control::new()).unwrap();
        let counts = |at: usize| at < 4;
        let basis = factor.basis(counts, &Control::new()).unwrap();
        assert_eq!((factor.nullity(), basis.len()), (3, 3));
        for (x, of_x) in basis.iter().enumerate() {
            let image = |i: usize| dot(&a[i * 6..(i + 1) * 6], of_x);
            assert!((0..6).all(|i| image(i).abs() < 1e-12));
            for (y, of_y) in basis.iter().enumerate() {
                let product = dot(&of_x[..4], &of_y[..4]);
                assert!((product - f64::from(u8::from(x == y))).abs() < 1e-13);
            }
        }
        // Of the two copies at the end of these, nothing counts.
        let ends = [b[0].clone(), b[1].clone(), b[1].clone()];
        let factor = Dependent::new(&gram(&ends), 3, f64::EPSILON, &Control::new()).unwrap();
        let basis = factor.basis(|at| at == 0, &Control::new()).unwrap();
        assert_eq!((factor.nullity(), basis.len()), (1, 0));
        let cancelled = Control::new();
        cancelled.cancel();
        assert!(Dependent::new(&a, 6, f64::EPSILON, &cancelled).is_none());
    }

    #[test]
    fn nothing_and_what_is_not_finite() {
        let zero = Dependent::new(&[0.0; 4], 2, f64::EPSILON, &Control::new()).unwrap();
        assert_eq!((zero.nullity(), zero.solve(&[1.0, 2.0])), (2, vec![0.0; 2]));
        assert!(Dependent::new(&[f64::NAN], 1, f64::EPSILON, &Control::new()).is_none());
    }
}
