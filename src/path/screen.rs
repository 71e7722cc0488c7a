//! Safe screening for the lasso and the elastic net: features that are zero at the solution, known
//! from the duality gap, take no part in a point's solve (O. Fercoq, A. Gramfort, J. Salmon, *Mind the
//! duality gap: safer rules for the lasso*, ICML 2015; E. Ndiaye and others, *Gap safe screening rules
//! for sparsity enforcing penalties*, JMLR 2017).
//!
//! With ω = s/n the elastic net is a lasso on the rows √ω∘[X̂ y] and [√λ₂I 0] below them, whose
//! residual is ρ and whose correlations are −g_j = −(∇loss + λ₂w)_j. For any α with α|g_j| ≤ t_j the
//! scaled residual αρ is dual feasible, the dual objective there is D, and the dual solution lies
//! within R of αρ:
//!
//! ```text
//! D = α⟨ỹ, ρ⟩ − ½α²‖ρ‖² ,   R = √(2(P − D)) ,   w_j = 0  where  α|g_j| + R √(‖x̂_j‖² + λ₂) < t_j
//! ```
//!
//! It pays where a gradient costs much, with many more columns than rows: of the gradients that a
//! point needs, one is of all columns.

use crate::model::loss::Loss;
use crate::real::Real;

use super::walk::Walk;
use crate::model::penalty::{Row, Term};
use crate::model::regularizer::Regularizer;

/// A gradient of unpenalised coordinates, relative to that at w = 0, that counts as none.
const STATIONARY: f64 = 1e-10;
/// The share of the gap's terms that rounding may take from it.
const ROUNDING: f64 = 1e-13;

impl<R: Real> Walk<'_, '_, R> {
    /// Discards what is known to be zero at the solution, given the gradient of the rest at w.
    pub(super) fn screen(&mut self, regularizer: &Regularizer<'_>) {
        if self.smooth.loss != Loss::Squared
            || self.smooth.parts.gram.is_some()
            || regularizer.has_prior()
            || !self.may_screen
            || !regularizer.blocks.separable
        {
            return;
        }
        let Some((alpha, radius)) = self.safe_sphere(regularizer) else {
            return;
        };
        let parts = self.smooth.parts;
        let survives = |&j: &u32| {
            let at = j as usize;
            let Term { row, strength, .. } = regularizer.penalties[at].coordinate;
            if row != Row::SoftThreshold {
                return true;
            }
            let g = self.gradient[at] + regularizer.ridge_gradient(at, self.w[at]);
            let size = (parts.square[at] + regularizer.ridge(at)).sqrt();
            // Written so that a NaN survives.
            let is_zero = alpha * g.abs() + radius * size < strength;
            !is_zero || self.w[at] != 0.0 || self.kept.set.binary_search(&j).is_ok()
        };
        let alive: Vec<u32> = match &self.alive {
            None => (0..self.smooth.p as u32).filter(survives).collect(),
            Some(alive) => alive.iter().copied().filter(survives).collect(),
        };
        self.alive = Some(alive);
    }

    /// α and R; `None` where the penalty is not an l1 norm, or unpenalised coordinates are not at
    /// their optimum.
    fn safe_sphere(&self, regularizer: &Regularizer<'_>) -> Option<(f64, f64)> {
        let smooth = self.smooth;
        let mut alpha = f64::INFINITY;
        let (mut penalty, mut square) = (0.0, 0.0);
        let mut visit = |j: usize| -> Option<()> {
            let g = self.gradient[j] + regularizer.ridge_gradient(j, self.w[j]);
            let term = &regularizer.penalties[j].coordinate;
            match term.row {
                Row::SoftThreshold => {
                    alpha = alpha.min(term.strength / g.abs());
                    penalty += term.value(self.w[j]);
                }
                Row::Free if g.abs() <= STATIONARY * self.origin_norm => {}
                _ => return None,
            }
            square += regularizer.ridge(j) * self.w[j] * self.w[j];
            Some(())
        };
        match &self.alive {
            None => (0..smooth.p).try_for_each(&mut visit)?,
            Some(alive) => alive.iter().try_for_each(|&j| visit(j as usize))?,
        }
        let y = &smooth.sample.targets[self.target];
        let (mut correlation, mut size) = (0.0, 0.0);
        for i in 0..smooth.rows() {
            let r = self.residuals[i];
            correlation -= y[i] * r;
            square += r * r * smooth.parts.inverse_weight[i];
            size += y[i] * y[i] * smooth.parts.weight[i];
        }
        let alpha = alpha.min(correlation / square).max(0.0);
        let gap = 0.5 * square + penalty - alpha * (correlation - 0.5 * alpha * square);
        let gap = gap.max(0.0) + ROUNDING * (size + penalty);
        let radius = (2.0 * gap).sqrt();
        (alpha.is_finite() && radius.is_finite()).then_some((alpha, radius))
    }
}
