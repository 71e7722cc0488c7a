//! Φ = G∘T linearised at w: the text of every formula of the map on the host. math.md §4–6.
//!
//! ```text
//! u = T(w) = w − γ(∇loss + λ₂(w − c))      Φ(w) = G(u)      D = ∂G(u)      A = ∇²loss + λ₂
//! z = Dv      v = D⁺z on the range of D,  ∂₁E + (I − γA)z off it      ρ = v − (I − γA)z − ∂₁E
//! ∂₂Φᵀv:  l1_j  γ slope_j z_j      τ_g  −γ ŝ_g·v      bounds  Σ v_j where u_j is at the bound
//!         λ₂  −γ(w − c)·z         c    γλ₂z
//! rows:   s_i  −(γ/n) r_i (x_i·z)        P_i  −γ(z r_i + w (h q)_i) ,  q = x_i·z        y_i  γ(h q)_i
//! ```
//!
//! `slope` is ∂prox/∂strength over γ of the penalty's row, ŝ the direction of a group. The scalar
//! forms are inlined into the loops of kernels and solvers.

use super::penalty::{GroupOperator, Shrink, Side, with_row};
use super::regularizer::Regularizer;
use crate::real::{Real, sum_of};

/// u_j of T, from ∇_j and λ₂(w − c)_j.
#[inline(always)]
pub fn inner_step<R: Real>(w: R, gamma: R, gradient: R, ridge: R) -> R {
    w - gamma * (gradient + ridge)
}

/// ((I − γA)z)_j, from (∇²loss z)_j and λ₂z_j.
#[inline(always)]
pub fn inner_derivative<R: Real>(z: R, gamma: R, hessian: R, ridge: R) -> R {
    z - gamma * (hessian + ridge)
}

/// The share of coordinate j in ∂₂Φᵀv along λ₂, over γ.
#[inline(always)]
pub fn ridge_share<R: Real>(w: R, center: R, z: R) -> R {
    -((w - center) * z)
}

/// ∂₂Φᵀv along c_j.
#[inline(always)]
pub fn prior_derivative<R: Real>(gamma: R, l2: R, z: R) -> R {
    gamma * l2 * z
}

/// The share of one predictor of row i in ∂₂Φᵀv along s_i, over γ: r over n, q = x_i·z.
#[inline(always)]
pub fn weight_share<R: Real>(residual: R, q: R) -> R {
    -(residual * q)
}

/// The share of one predictor of row i in ∂₂Φᵀv along P_ij, over γ: r and hq scaled by s/n.
#[inline(always)]
pub fn perturbation_share<R: Real>(z: R, residual: R, w: R, curved: R) -> R {
    -(z * residual + w * curved)
}

/// The share of row i in ∂₂Φᵀv along y_i, over γ: −∂r/∂y q, scaled by s/n.
#[inline(always)]
pub fn target_share<R: Real>(pull: R, q: R, weight: R) -> R {
    pull * q * weight
}

/// u = T(w), from ∇loss at w.
#[must_use]
pub fn inner_map(
    regularizer: &Regularizer<'_>,
    gamma: f64,
    w: &[f64],
    gradient: impl Fn(usize) -> f64,
) -> Vec<f64> {
    (0..w.len())
        .map(|j| {
            inner_step(
                w[j],
                gamma,
                gradient(j),
                regularizer.ridge_gradient(j, w[j]),
            )
        })
        .collect()
}

/// D at u.
#[derive(Debug, Clone)]
pub struct OuterDerivative<'r, 'p> {
    regularizer: &'r Regularizer<'p>,
    gamma: f64,
    /// u = T(w), p entries.
    pub u: Vec<f64>,
    /// True for the coordinates that the range of D holds.
    pub keeps: Vec<bool>,
    /// The groups, in their order; none where every coordinate is by itself.
    pub groups: Vec<Shrink<f64>>,
}

/// Where ∂₂Φᵀv is added up, for the hyperparameters of the outer map and of the ridge; `None` for those
/// that are not asked for.
#[derive(Debug, Default)]
pub struct OuterParts<'a> {
    /// One entry per strength, or a single one for their common factor l1 (at strengths of 1).
    pub strengths: Option<&'a mut [f64]>,
    /// One entry for a λ₂ in common, or one per penalised coordinate.
    pub ridge: Option<&'a mut [f64]>,
    /// One entry per penalised coordinate.
    pub prior: Option<&'a mut [f64]>,
    /// The lower and the upper bound, or one pair after another.
    pub bounds: Option<&'a mut [f64]>,
}

impl<'r, 'p> OuterDerivative<'r, 'p> {
    /// D at u with the step γ.
    #[must_use]
    pub fn at(regularizer: &'r Regularizer<'p>, gamma: f64, u: Vec<f64>) -> Self {
        let penalties = &regularizer.penalties;
        let penalized = regularizer.penalized();
        let mut keeps = vec![true; u.len()];
        let mut groups = Vec::new();
        if regularizer.blocks.separable {
            with_row!(regularizer.row, Table => for j in 0..penalized {
                keeps[j] = Table::keeps(&penalties[j].coordinate, u[j], gamma);
            });
        } else {
            let group_count = penalties.len() - (u.len() - penalized);
            for (g, penalty) in penalties.iter().enumerate().take(group_count) {
                let members = regularizer.blocks.members(g);
                let group = penalty.shrink(members.iter().map(|&j| u[j as usize]), gamma);
                for &j in members {
                    let own = penalty.coordinate.keeps(u[j as usize], gamma);
                    keeps[j as usize] = group.is_active && own;
                }
                groups.push(group);
            }
        }
        Self {
            regularizer,
            gamma,
            u,
            keeps,
            groups,
        }
    }

    /// s_j: the prox of what coordinate j pays by itself.
    fn own_prox(&self, j: usize) -> f64 {
        self.regularizer
            .of(j)
            .coordinate
            .prox(self.u[j], self.gamma)
    }

    /// ŝ of group g, over its members, zero off the range.
    fn direction(&self, g: usize, j: usize) -> f64 {
        if self.keeps[j] {
            self.groups[g].per_norm(self.own_prox(j))
        } else {
            0.0
        }
    }

    /// ŝ·x of group g.
    fn along<R: Real>(&self, g: usize, x: &[R]) -> f64 {
        let members = self.regularizer.blocks.members(g).iter();
        members
            .map(|&j| self.direction(g, j as usize) * x[j as usize].to_f64())
            .sum()
    }

    /// Φ(w) = G(u).
    #[must_use]
    pub fn image(&self) -> Vec<f64> {
        let Self {
            regularizer, gamma, ..
        } = *self;
        let mut image = self.u.clone();
        if regularizer.blocks.separable {
            with_row!(regularizer.row, Table => for j in 0..regularizer.penalized() {
                image[j] = Table::prox(&regularizer.penalties[j].coordinate, self.u[j], gamma);
            });
        }
        for (g, group) in self.groups.iter().enumerate() {
            for &j in regularizer.blocks.members(g) {
                image[j as usize] = group.prox(self.own_prox(j as usize));
            }
        }
        image
    }

    /// z = Dv.
    #[must_use]
    pub fn apply<R: Real>(&self, v: &[R]) -> Vec<R> {
        let kept = |(&v, &keeps): (&R, &bool)| if keeps { v } else { R::zero() };
        let mut z: Vec<R> = v.iter().zip(&self.keeps).map(kept).collect();
        for (g, group) in self.groups.iter().enumerate().filter(|(_, g)| g.t > 0.0) {
            self.map_group(g, group.derivative(), &mut z);
        }
        z
    }

    /// x ← across·x + along·ŝ(ŝ·x) on the range within an active group.
    fn map_group<R: Real>(&self, g: usize, operator: GroupOperator<f64>, x: &mut [R]) {
        let along = self.along(g, x);
        for &j in self.regularizer.blocks.members(g) {
            let j = j as usize;
            if self.keeps[j] {
                x[j] = R::of(operator.entry(x[j].to_f64(), self.direction(g, j), along));
            }
        }
    }

    /// v from z = Dv on the range of D: D⁺z there, ∂₁E + (I − γA)z elsewhere; `inner` is (I − γA)z.
    #[must_use]
    pub fn lift(&self, z: &[f64], criterion: &[f64], inner: &[f64]) -> Vec<f64> {
        let mut v: Vec<f64> = (0..z.len())
            .map(|j| {
                if self.keeps[j] {
                    z[j]
                } else {
                    criterion[j] + inner[j]
                }
            })
            .collect();
        for (g, group) in self.groups.iter().enumerate() {
            if group.is_active && group.t > 0.0 {
                self.map_group(g, group.inverse(), &mut v);
            }
        }
        v
    }

    /// The norm of ρ = v − (I − γA)Dv − ∂₁E, relative to ∂₁E; `inner` is (I − γA)Dv.
    #[must_use]
    pub fn relative_residual(v: &[f64], criterion: &[f64], inner: &[f64]) -> f64 {
        let rho = sum_of(v.len(), |j| (v[j] - inner[j] - criterion[j]).powi(2)).sqrt();
        let scale = sum_of(v.len(), |j| criterion[j].powi(2)).sqrt();
        if rho == 0.0 { 0.0 } else { rho / scale }
    }

    /// Adds `share` times ∂₂Φᵀv of the strengths, the ridge, the prior and the bounds; z = Dv.
    pub fn add_outer<R: Real>(&self, w: &[f64], v: &[R], z: &[R], share: f64, out: OuterParts<'_>) {
        let regularizer = self.regularizer;
        let penalized = regularizer.penalized();
        let gamma = share * self.gamma;
        if let Some(out) = out.strengths {
            self.add_strengths(v, z, gamma, out);
        }
        if let Some(out) = out.ridge {
            let of = |j: usize| ridge_share(w[j], regularizer.center(j), z[j].to_f64());
            match out {
                [common] => *common += gamma * sum_of(penalized, of),
                each => {
                    let shares = each.iter_mut().enumerate();
                    shares.for_each(|(j, out)| *out += gamma * of(j));
                }
            }
        }
        if let Some(out) = out.prior {
            for (j, (out, z)) in out.iter_mut().zip(z).enumerate() {
                *out += prior_derivative(gamma, regularizer.ridge(j), Real::to_f64(*z));
            }
        }
        if let Some(out) = out.bounds {
            let is_common = out.len() == 2;
            for j in 0..penalized {
                let at = if is_common { 0 } else { 2 * j };
                match regularizer.of(j).coordinate.side(self.u[j], self.gamma) {
                    Side::Inside => {}
                    Side::Lower => out[at] += share * v[j].to_f64(),
                    Side::Upper => out[at + 1] += share * v[j].to_f64(),
                }
            }
        }
    }

    fn add_strengths<R: Real>(&self, v: &[R], z: &[R], gamma: f64, out: &mut [f64]) {
        let regularizer = self.regularizer;
        let common = out.len() == 1;
        // The strength that grouped coordinates share comes before those of the groups.
        let first = regularizer.shared_strengths;
        for (g, group) in self.groups.iter().enumerate() {
            if group.is_active {
                out[if common { 0 } else { first + g }] -= gamma * self.along(g, v);
            }
        }
        if !regularizer.blocks.separable && first == 0 {
            return;
        }
        with_row!(regularizer.row, Table => {
            let part = |j: usize| {
                let term = &regularizer.of(j).coordinate;
                gamma * Table::strength_slope(term, self.u[j], self.gamma) * z[j].to_f64()
            };
            if common || first > 0 {
                out[0] += sum_of(regularizer.penalized(), part);
            } else {
                out.iter_mut().enumerate().for_each(|(j, out)| *out += part(j));
            }
        });
    }
}
