//! The end of a path's point: rounding accuracy, and the same bits however it was reached.
//!
//! *Quadratic losses.* On the face F with signs σ the solution is that of
//! `A_FF w_F = −(∇loss(w⁰) + penalty slope σ − λ₂c)_F`, w⁰ the fixed coordinates alone; solved by
//! the Cholesky factor and refined with the gradient formed from residuals. Nothing but F and σ
//! enters.
//!
//! *Other losses, and groups.* w is rounded to half of its digits, which forgets the way it was
//! reached (solutions agree to far more digits than that), and then
//!
//! ```text
//! w ← w − A(w_rounded)⁻¹ ρ(w)      ρ the gradient of everything on the face
//! ```
//!
//! three times: the first step is Newton's, which squares the error, the others finish with the
//! same factor.

use crate::kinds::Precision;
use crate::real::Real;

use super::model::quadratic_model;
use super::quadratic::LARGEST_CHOLESKY;
use super::quadratic::{FaceFactor, Triangle};
use super::walk::{Regularity, Walk};
use crate::linalg::cholesky;
use crate::linalg::products::add_columns;
use crate::model::penalty::{BlockPenalty, Face};
use crate::model::regularizer::Regularizer;

/// Steps of iterative refinement at most; f64 needs one.
const REFINEMENTS: usize = 4;
/// The root of the mean square of residuals, each in roundings of its terms, that refinement leaves
/// as they are.
const EXACT: f64 = 0.25;

impl<R: Real> Walk<'_, '_, R> {
    /// Ends at the solution that face and signs determine. False (and w as before) when that
    /// solution does not have them, or violates optimality elsewhere.
    pub(super) fn finish_quadratic(
        &mut self,
        regularizer: &Regularizer<'_>,
        factor: &FaceFactor<R>,
    ) -> bool {
        if regularizer.penalties.iter().any(BlockPenalty::is_group) {
            return false;
        }
        let before = self.w.clone();
        let faces: Vec<Face> = self.faces(regularizer);
        if faces.iter().filter(|&&f| f != 0).count() != factor.set.len() {
            return false;
        }
        let mut fixed_is_zero = true;
        for (w, &face) in self.w.iter_mut().zip(&faces) {
            if face == 0 {
                fixed_is_zero &= *w == 0.0;
            } else {
                *w = 0.0;
            }
        }
        if fixed_is_zero {
            self.gradient.copy_from_slice(&self.origin);
        } else {
            self.evaluate();
        }
        let (mut last, mut roundings) = (f64::INFINITY, Vec::<f64>::new());
        let mut delta = vec![0.0; self.w.len()];
        for refinement in 0..=REFINEMENTS {
            let mut rho: Vec<R> = Vec::with_capacity(factor.set.len());
            let (mut size, mut excess) = (0.0f64, 0.0f64);
            for &j in &factor.set {
                let j = j as usize;
                let value = self.gradient[j]
                    + regularizer.ridge_gradient(j, self.w[j])
                    + regularizer.penalties[j].coordinate.face_slope(faces[j]);
                size += value * value;
                if refinement > 0 {
                    excess += (value / roundings[j]).powi(2);
                }
                rho.push(R::of(value));
            }
            let size: f64 = f64::sqrt(size);
            let is_exact = excess <= EXACT * EXACT * rho.len() as f64;
            if refinement > 0 && (is_exact || size > 0.5 * last) {
                break;
            }
            last = size;
            factor.factor.solve(&mut rho);
            delta.fill(0.0);
            let mut largest = 0.0f64;
            for (&j, &step) in factor.set.iter().zip(&rho) {
                let (step, j) = (step.to_f64(), j as usize);
                delta[j] = -step;
                self.w[j] -= step;
                if self.w[j] != 0.0 {
                    largest = largest.max((step / self.w[j]).abs());
                }
            }
            if refinement == 0 && !self.has_faces(regularizer, factor, &faces) {
                break;
            }
            match self.smooth.hessian_in_full() {
                // For a correction this small, the Hessian updates the gradient as accurately as the rows do.
                Some(hessian) if refinement > 0 && largest < 1e-7 => self.carry(hessian, &delta),
                _ => self.evaluate(),
            }
            if refinement == 0 {
                // Measured here, so that no number depends on where w came from.
                roundings = self.roundings(regularizer);
            }
        }
        let same = self.has_faces(regularizer, factor, &faces);
        // Coordinates that are fixed may carry the rounding of their own gradient.
        if same && self.largest_excess(regularizer, &roundings) <= 4.0 {
            return true;
        }
        self.w = before;
        self.evaluate();
        false
    }

    /// True where the free coordinates are on these faces.
    fn has_faces(
        &self,
        regularizer: &Regularizer<'_>,
        factor: &FaceFactor<R>,
        faces: &[Face],
    ) -> bool {
        let mut free = factor.set.iter().map(|&j| j as usize);
        free.all(|j| regularizer.penalties[j].coordinate.face(self.w[j]) == faces[j])
    }

    /// Predictors, residuals and gradient after w has moved by `delta`, for a quadratic loss.
    fn carry(&mut self, hessian: &[f64], delta: &[f64]) {
        let mut change = vec![0.0; self.z.len()];
        self.smooth.predictors(delta, &mut change);
        for (z, change) in self.z.iter_mut().zip(&change) {
            *z += change;
        }
        self.smooth
            .residuals(&self.z, self.target, &mut self.residuals);
        add_columns(hessian, delta, &mut self.gradient);
        self.stale = false;
    }

    /// The face of every coordinate, blocks of one coordinate only.
    fn faces(&self, regularizer: &Regularizer<'_>) -> Vec<Face> {
        regularizer
            .penalties
            .iter()
            .zip(&self.w)
            .map(|(penalty, &w)| penalty.coordinate.face(w))
            .collect()
    }

    /// Newton on the face from the rounded w; keeps w when that is no solution within
    /// `most_roundings` of its terms, or as good as w. How far the system is from a singular one.
    pub(super) fn finish_smooth(
        &mut self,
        regularizer: &Regularizer<'_>,
        most_roundings: f64,
    ) -> Regularity {
        let face = regularizer.face(&self.w);
        if face.is_empty() {
            return Regularity::Regular;
        }
        if face.len() > LARGEST_CHOLESKY {
            return Regularity::Singular;
        }
        let before = self.w.clone();
        let roundings_before = self.roundings(regularizer);
        let excess_before = self.largest_excess(regularizer, &roundings_before);
        let signs: Vec<bool> = face.iter().map(|&j| self.w[j as usize] > 0.0).collect();
        for &j in &face {
            let w = &mut self.w[j as usize];
            *w = half_digits::<R>(*w);
        }
        self.fix_gauge(regularizer);
        self.evaluate();
        let curvature = self.smooth.curvature(&self.z, self.target, 0.0);
        let hessian = self.smooth.hessian(&face, &curvature);
        let model = quadratic_model(
            self.smooth,
            regularizer,
            &face,
            &hessian,
            &self.w,
            &self.gradient,
        );
        let all: Vec<u32> = (0..face.len() as u32).collect();
        let stride = cholesky::stride(face.len());
        let mut factor = model.face_matrix(
            &vec![2; face.len()],
            &all,
            Triangle::Lower,
            stride,
            Vec::new(),
        );
        let is_regular = cholesky::factor(&mut factor, face.len());
        let mut regularity = Regularity::Singular;
        if is_regular {
            regularity = Regularity::of(&factor, face.len());
            for _ in 0..3 {
                let rho = self.face_residual(regularizer);
                let mut step: Vec<R> = face.iter().map(|&j| R::of(rho[j as usize])).collect();
                cholesky::solve(&factor, &mut step);
                for (&j, &step) in face.iter().zip(&step) {
                    self.w[j as usize] -= step.to_f64();
                }
                self.evaluate();
            }
            let is_group = |j: u32| {
                regularizer.penalties.len() != self.w.len()
                    || regularizer.penalties[j as usize].is_group()
            };
            let same = regularizer.face(&self.w) == face
                && face
                    .iter()
                    .zip(&signs)
                    .all(|(&j, &sign)| is_group(j) || (self.w[j as usize] > 0.0) == sign);
            let reached = self.roundings(regularizer);
            let excess = self.largest_excess(regularizer, &reached);
            if same && excess <= most_roundings.max(2.0 * excess_before) {
                return regularity;
            }
        }
        self.w = before;
        self.evaluate();
        regularity
    }
}

/// w rounded to half of the digits of R, by Dekker's splitting.
fn half_digits<R: Real>(w: f64) -> f64 {
    // 2^27 + 1 leaves 26 of 53 digits, 2^40 + 1 leaves 13.
    let digits = match R::PRECISION {
        Precision::F32 => 40,
        Precision::F64 => 27,
    };
    let splitter = (1u64 << digits) as f64 + 1.0;
    let scaled = splitter * w;
    scaled - (scaled - w)
}
