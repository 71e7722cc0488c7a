//! The maps of the tests: linear, a network, a gradient step; and their problems.

use crate::hypergrad::host::{HostCriterion, HostProblem};
use crate::kinds::LinearStructure;
use crate::map::HostMap;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Φ = A w + B λ + c, with A, B row-major.
pub struct Linear {
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub c: Vec<f64>,
    pub structure: LinearStructure,
}

/// out += factor·M x, M row-major of x's length columns.
pub fn add_product(m: &[f64], x: &[f64], out: &mut [f64]) {
    for (row, out) in m.chunks_exact(x.len()).zip(out) {
        *out += row.iter().zip(x).map(|(m, x)| m * x).sum::<f64>();
    }
}

/// out += Mᵀ x, M row-major of out's length columns.
pub fn add_transposed(m: &[f64], x: &[f64], out: &mut [f64]) {
    for (row, x) in m.chunks_exact(out.len()).zip(x) {
        out.iter_mut().zip(row).for_each(|(out, m)| *out += m * x);
    }
}

impl HostMap for Linear {
    fn coordinates(&self) -> usize {
        self.c.len()
    }

    fn hyperparameters(&self) -> usize {
        self.b.len() / self.c.len()
    }

    fn apply(&self, w: &[f64], hyper: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.c);
        add_product(&self.a, w, out);
        add_product(&self.b, hyper, out);
    }

    fn jvp(&self, _: &[f64], _: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
        add_product(&self.a, dw, out);
        add_product(&self.b, direction, out);
    }

    fn vjp(&self, _: &[f64], _: &[f64], v: &[f64], dw: &mut [f64], dhyper: &mut [f64]) {
        add_transposed(&self.a, v, dw);
        add_transposed(&self.b, v, dhyper);
    }

    fn linear_structure(&self) -> LinearStructure {
        self.structure
    }
}

/// w = relu(A w + B x + b) for every row x of a data matrix; λ = (A, B, b), h × (h + d + 1)
/// row-major, w = rows × h.
#[derive(Clone)]
pub struct Network {
    pub units: usize,
    pub inputs: Vec<Vec<f64>>,
}

impl Network {
    fn width(&self) -> usize {
        self.units + self.inputs[0].len() + 1
    }

    /// (w, x, 1) of one row.
    fn augmented(&self, row: usize, w: &[f64]) -> Vec<f64> {
        let h = self.units;
        [&w[row * h..(row + 1) * h], &self.inputs[row], &[1.0]].concat()
    }

    /// relu'(λ (w, x, 1)) of one row, strict.
    fn slopes(&self, row: usize, w: &[f64], hyper: &[f64]) -> Vec<bool> {
        let mut u = vec![0.0; self.units];
        add_product(hyper, &self.augmented(row, w), &mut u);
        u.into_iter().map(|u| u > 0.0).collect()
    }
}

impl HostMap for Network {
    fn coordinates(&self) -> usize {
        self.units * self.inputs.len()
    }

    fn hyperparameters(&self) -> usize {
        self.units * self.width()
    }

    fn apply(&self, w: &[f64], hyper: &[f64], out: &mut [f64]) {
        for (row, out) in out.chunks_exact_mut(self.units).enumerate() {
            add_product(hyper, &self.augmented(row, w), out);
            // Not f64::max, which would turn NaN into 0.
            out.iter_mut().filter(|u| **u < 0.0).for_each(|u| *u = 0.0);
        }
    }

    fn jvp(&self, w: &[f64], hyper: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
        let h = self.units;
        for (row, out) in out.chunks_exact_mut(h).enumerate() {
            let tangent: Vec<f64> =
                [&dw[row * h..(row + 1) * h], &vec![0.0; self.width() - h]].concat();
            add_product(hyper, &tangent, out);
            add_product(direction, &self.augmented(row, w), out);
            for (out, on) in out.iter_mut().zip(self.slopes(row, w, hyper)) {
                *out = if on { *out } else { 0.0 };
            }
        }
    }

    fn vjp(&self, w: &[f64], hyper: &[f64], v: &[f64], dw: &mut [f64], dhyper: &mut [f64]) {
        let (h, width) = (self.units, self.width());
        for (row, dw) in dw.chunks_exact_mut(h).enumerate() {
            let augmented = self.augmented(row, w);
            for (k, on) in self.slopes(row, w, hyper).into_iter().enumerate() {
                let z = if on { v[row * h + k] } else { 0.0 };
                let of_unit = k * width..(k + 1) * width;
                for (dw, m) in dw.iter_mut().zip(&hyper[of_unit.clone()]) {
                    *dw += m * z;
                }
                for (out, x) in dhyper[of_unit].iter_mut().zip(&augmented) {
                    *out += x * z;
                }
            }
        }
    }
}

/// Φ = w − γ(Q w − b + e^λ ∘ w): ridge regression with a strength for each coordinate, m = p.
pub struct Ridge {
    pub q: Vec<f64>,
    pub b: Vec<f64>,
    pub gamma: f64,
}

impl HostMap for Ridge {
    fn coordinates(&self) -> usize {
        self.b.len()
    }

    fn hyperparameters(&self) -> usize {
        self.b.len()
    }

    fn apply(&self, w: &[f64], hyper: &[f64], out: &mut [f64]) {
        add_product(&self.q, w, out);
        for j in 0..w.len() {
            out[j] = w[j] - self.gamma * (out[j] - self.b[j] + hyper[j].exp() * w[j]);
        }
    }

    fn jvp(&self, w: &[f64], hyper: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
        add_product(&self.q, dw, out);
        for j in 0..w.len() {
            let strength = hyper[j].exp();
            let change = out[j] + strength * dw[j] + strength * direction[j] * w[j];
            out[j] = dw[j] - self.gamma * change;
        }
    }

    fn vjp(&self, w: &[f64], hyper: &[f64], v: &[f64], dw: &mut [f64], dhyper: &mut [f64]) {
        add_transposed(&self.q, v, dw);
        for j in 0..w.len() {
            let strength = hyper[j].exp();
            dw[j] = v[j] - self.gamma * (dw[j] + strength * v[j]);
            dhyper[j] = -self.gamma * strength * w[j] * v[j];
        }
    }

    fn linear_structure(&self) -> LinearStructure {
        LinearStructure::SymmetricPositiveDefinite
    }
}

/// E = ½‖w − t‖² + ½ρ‖λ‖².
pub struct Distance {
    pub target: Vec<f64>,
    pub rho: f64,
}

impl HostCriterion for Distance {
    fn value(&self, w: &[f64], hyper: &[f64]) -> f64 {
        let square = |x: f64| 0.5 * x * x;
        let fit: f64 = w.iter().zip(&self.target).map(|(w, t)| square(w - t)).sum();
        fit + self.rho * hyper.iter().copied().map(square).sum::<f64>()
    }

    fn gradient(&self, w: &[f64], _: &[f64], out: &mut [f64]) {
        for ((out, w), t) in out.iter_mut().zip(w).zip(&self.target) {
            *out = w - t;
        }
    }

    fn hyper_gradient(&self, _: &[f64], hyper: &[f64], out: &mut [f64]) {
        for (out, lambda) in out.iter_mut().zip(hyper) {
            *out = self.rho * lambda;
        }
    }
}

pub fn random(rng: &mut ChaCha8Rng, count: usize, scale: f64) -> Vec<f64> {
    (0..count)
        .map(|_| scale * rng.random_range(-1.0..1.0))
        .collect()
}

/// The solution of M x = b, by elimination with pivoting.
pub fn solve(m: &[f64], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| [&m[i * n..(i + 1) * n], &b[i..=i]].concat())
        .collect();
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|&i, &j| rows[i][k].abs().total_cmp(&rows[j][k].abs()))
            .unwrap();
        rows.swap(k, pivot);
        let top = rows[k].clone();
        for row in &mut rows[k + 1..] {
            let factor = row[k] / top[k];
            row.iter_mut()
                .zip(&top)
                .for_each(|(entry, top)| *entry -= factor * top);
        }
    }
    let mut x = vec![0.0; n];
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| rows[k][j] * x[j]).sum();
        x[k] = (rows[k][n] - known) / rows[k][k];
    }
    x
}

/// A contraction far from normal: 0.5 on the diagonal, 0.45 above it, and λ entering through B.
pub fn nonnormal(structure: LinearStructure) -> (HostProblem<Linear, Distance>, Vec<Vec<f64>>) {
    let (p, m) = (24, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut a = vec![0.0; p * p];
    for j in 0..p {
        a[j * p + j] = 0.5;
        if j + 1 < p {
            a[j * p + j + 1] = 0.45;
        }
    }
    let map = Linear {
        a,
        b: random(&mut rng, p * m, 1.0),
        c: random(&mut rng, p, 1.0),
        structure,
    };
    let criterion = Distance {
        target: random(&mut rng, p, 1.0),
        rho: 0.3,
    };
    let batch = (0..5).map(|_| random(&mut rng, m, 1.0)).collect();
    (HostProblem::new(map, criterion).unwrap(), batch)
}

/// A network of 5 units on 7 rows of 3 inputs, with ‖A‖ below 1, and a batch of 18 of them: more
/// than one tile.
pub fn network() -> (HostProblem<Network, Distance>, Vec<Vec<f64>>) {
    let (units, features, rows) = (5, 3, 7);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let map = Network {
        units,
        inputs: (0..rows).map(|_| random(&mut rng, features, 1.0)).collect(),
    };
    let batch = (0..18)
        .map(|_| {
            let mut lambda = random(&mut rng, units * map.width(), 1.0);
            // The Frobenius norm bounds the spectral one.
            let frobenius = (0..units * units)
                .map(|at| lambda[at / units * map.width() + at % units].powi(2))
                .sum::<f64>()
                .sqrt();
            for row in lambda.chunks_exact_mut(units + features + 1) {
                row[..units].iter_mut().for_each(|a| *a *= 0.9 / frobenius);
            }
            lambda
        })
        .collect();
    let criterion = Distance {
        target: random(&mut rng, units * rows, 1.0),
        rho: 0.05,
    };
    (HostProblem::new(map, criterion).unwrap(), batch)
}

pub fn ridge() -> (HostProblem<Ridge, Distance>, Vec<Vec<f64>>) {
    let p = 12;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let x = random(&mut rng, 20 * p, 1.0);
    let mut q = vec![0.0; p * p];
    for row in x.chunks_exact(p) {
        for i in 0..p {
            for j in 0..p {
                q[i * p + j] += row[i] * row[j] / 20.0;
            }
        }
    }
    let trace: f64 = (0..p).map(|j| q[j * p + j]).sum();
    let batch = (0..4)
        .map(|_| (0..p).map(|_| rng.random_range(-4.0..-2.0)).collect())
        .collect();
    let map = Ridge {
        q,
        b: random(&mut rng, p, 1.0),
        gamma: 1.0 / (trace + 0.2),
    };
    let criterion = Distance {
        target: random(&mut rng, p, 1.0),
        rho: 0.0,
    };
    (HostProblem::new(map, criterion).unwrap(), batch)
}
