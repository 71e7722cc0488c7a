//! The coefficients of least norm, where those of the minimum are not unique.
//!
//! Without ridge the minimum may be reached by many w: those with the same predictors, on the
//! coordinates E that are free or at the edge of becoming so, within the ends of their faces. The limit of
//! the solutions for a common λ₂ → 0 is the one nearest to the prior mean c in the penalised coordinates P:
//!
//! ```text
//! minimise ½‖(v − c)_P‖²  over  v ∈ w + null(A_EE)   with every coordinate on its face, or at its end
//! ```
//!
//! With a basis N of the null space that is orthonormal on P, v = w + Nt, it is the nearest t to
//! −Nᵀ(w − c)_P for which v keeps within the ends. Where only some coordinates have a ridge, A has it, so that
//! N has no part in them.

use crate::control::Control;
use crate::kinds::Precision;
use crate::linalg::dependent::Dependent;
use crate::linalg::nearest::Bounded;
use crate::linalg::vector::axpy;
use crate::model::loss::Loss;
use crate::model::penalty::{FREE, Face, Row, Term};
use crate::model::regularizer::Regularizer;
use crate::real::{Real, sum_of};

use super::quadratic::LARGEST_CHOLESKY;
use super::restricted::System;
use super::walk::{Regularity, Uniqueness, Walk};

/// Roundings by which a gradient may miss its threshold and yet be at it. Columns that are copies but
/// for single precision differ by more.
const AT_EDGE: f64 = 4.0;
/// Newton steps at most after the move to the least norm; one is enough.
const CORRECTIONS: usize = 3;
/// The share of its largest size that the predictors of a direction have at most where the direction is null. Copies
/// but for single precision have some 1e-8; what double precision has left of sums, and of columns far from zero
/// that were centred, is far less.
const NULL: f64 = 1e-9;
/// The share of its diagonal entry that is left of a pivot whose direction may be null.
const CANDIDATE: f64 = 1e-10;
/// Roundings within which pivots of a system count as zero that another order of them has found singular.
const SINGULAR: f64 = 8.0;
/// The relative decrease of the distance that is none.
const NONE: f64 = 1e-12;
/// The share of a direction that has to be left between the ends of the faces for a way to be there.
const LEAST_WAY: f64 = 1e-6;

/// The coordinates on which a solution may move without leaving the minimum.
struct Edge {
    /// Ascending.
    set: Vec<u32>,
    face: Vec<Face>,
    /// The number that are free now; the others are at the end of a face.
    free: usize,
}

impl<R: Real> Walk<'_, '_, R> {
    /// Moves to the solution of least norm.
    ///
    /// `regularity` is that of the system of the free coordinates.
    pub(super) fn take_least_norm(
        &mut self,
        regularizer: &Regularizer<'_>,
        regularity: Regularity,
    ) -> Uniqueness {
        let may_be_flat = !regularizer.has_full_ridge() && regularizer.blocks.separable;
        if !may_be_flat || R::PRECISION != Precision::F64 {
            return Uniqueness::Unique;
        }
        let roundings = self.roundings(regularizer);
        let edge = self.edge(regularizer, &roundings);
        let size = edge.set.len();
        let is_regular = regularity != Regularity::Singular;
        if (regularity == Regularity::Regular && edge.free == size) || size == 0 {
            return Uniqueness::Unique;
        }
        if size > LARGEST_CHOLESKY {
            let has_more = edge.free > self.smooth.rows() * self.smooth.classes;
            return if has_more || !is_regular {
                Uniqueness::Undetermined
            } else {
                Uniqueness::Unique
            };
        }
        let Some(flat) = self.flat(regularizer, &edge, is_regular) else {
            return if is_regular {
                Uniqueness::Unique
            } else {
                Uniqueness::Undetermined
            };
        };
        if flat.factor.nullity() == 0 {
            return Uniqueness::Unique;
        }
        // Along what has no part in the penalised coordinates no ridge chooses.
        let uniqueness = if flat.basis.len() < flat.factor.nullity() {
            Uniqueness::Undetermined
        } else {
            Uniqueness::LeastNorm
        };
        let Some(nearest) = flat.nearest(self.control) else {
            return match flat.has_way(self.control) {
                Some(true) => Uniqueness::Undetermined,
                _ if is_regular => Uniqueness::Unique,
                _ => Uniqueness::Undetermined,
            };
        };
        let before = flat.distance(&flat.w);
        if before - flat.distance(&nearest) <= NONE * before {
            return match flat.has_way(self.control) {
                Some(false) if uniqueness == Uniqueness::LeastNorm => Uniqueness::Unique,
                _ => uniqueness,
            };
        }
        let excess_before = self.largest_excess(regularizer, &roundings);
        let w_before = self.w.clone();
        for (&j, &w) in flat.set.iter().zip(&nearest) {
            self.w[j as usize] = w;
        }
        self.evaluate();
        let allowed = AT_EDGE.max(2.0 * excess_before);
        for correction in 0..=CORRECTIONS {
            let roundings = self.roundings(regularizer);
            if self.largest_excess(regularizer, &roundings) <= allowed {
                return uniqueness;
            }
            if correction == CORRECTIONS || !self.correct(regularizer, &flat) {
                break;
            }
        }
        self.w = w_before;
        self.evaluate();
        Uniqueness::Undetermined
    }

    /// One Newton step within the flat's system: of large coefficients, predictors have kept a rounding that is
    /// none for small ones. False, and nothing done, where a coordinate is at the end of its face.
    fn correct(&mut self, regularizer: &Regularizer<'_>, flat: &Flat) -> bool {
        let is_free = |&j: &u32| {
            regularizer
                .of(j as usize)
                .coordinate
                .face(self.w[j as usize])
                != 0
        };
        if !flat.set.iter().all(is_free) {
            return false;
        }
        let rho = self.face_residual(regularizer);
        let rhs: Vec<f64> = flat.set.iter().map(|&j| rho[j as usize]).collect();
        let mut step = flat.factor.solve(&rhs);
        flat.factor.remove_null(&mut step);
        for (&j, step) in flat.set.iter().zip(&step) {
            self.w[j as usize] -= step;
        }
        self.evaluate();
        true
    }

    fn edge(&self, regularizer: &Regularizer<'_>, roundings: &[f64]) -> Edge {
        let mut edge = Edge {
            set: Vec::new(),
            face: Vec::new(),
            free: 0,
        };
        for (j, penalty) in regularizer.penalties.iter().enumerate() {
            let term = &penalty.coordinate;
            let mut face = term.face(self.w[j]);
            if face != 0 {
                edge.free += 1;
            } else {
                // Gradients that hold a coordinate where it is by no more than their rounding.
                let rounding = AT_EDGE * roundings[j];
                let gradient = self.gradient[j] + regularizer.ridge_gradient(j, self.w[j]);
                let slack = term.strength - term.pull(-gradient);
                face = match term.row {
                    Row::SoftThreshold if slack <= rounding && gradient > 0.0 => -1,
                    Row::SoftThreshold | Row::NonNegative if slack <= rounding => 1,
                    Row::Interval if term.lower < term.upper && gradient.abs() <= rounding => FREE,
                    Row::Bounded => edge_of(term, self.w[j], gradient, rounding),
                    _ => 0,
                };
            }
            if face != 0 {
                edge.set.push(j as u32);
                edge.face.push(face);
            }
        }
        edge
    }

    /// The flat of the minimum through w on the coordinates of an edge; `is_regular` says that the free ones have a
    /// system that could be solved. `None` where numbers are not finite, or the work is ended.
    fn flat(&self, regularizer: &Regularizer<'_>, edge: &Edge, is_regular: bool) -> Option<Flat> {
        let curvature = self.smooth.curvature(&self.z, self.target, 0.0);
        let w = self.w.clone();
        let system = System::on(self.smooth, regularizer, w, edge.set.clone(), curvature);
        // Columns that are zero are not in the system.
        let set = system.set.clone();
        let matrix = system.form();
        let m = set.len();
        let has_rows = self.smooth.loss != Loss::Quadratic;
        let rounding = match (is_regular, has_rows) {
            (true, true) => CANDIDATE / m as f64,
            (true, false) => f64::EPSILON,
            (false, _) => SINGULAR * f64::EPSILON,
        };
        let mut factor = Dependent::new(&matrix, m, rounding, self.control)?;
        if is_regular && has_rows {
            let size =
                |x: &[f64]| sum_of(m, |at| x[at].abs() * matrix[at * m + at].to_f64().sqrt());
            factor.confirm(|x| system.image(x), size, NULL);
        }
        let is_penalized = |at: usize| (set[at] as usize) < regularizer.penalized();
        let basis = factor.basis(is_penalized, self.control)?;
        let at = |j: &u32| edge.set.binary_search(j).map_or(FREE, |at| edge.face[at]);
        let end = |far: f64| {
            let of = |j: &u32| regularizer.of(*j as usize).coordinate.project(at(j), far);
            set.iter().map(of).collect()
        };
        Some(Flat {
            w: set.iter().map(|&j| self.w[j as usize]).collect(),
            center: set
                .iter()
                .map(|&j| regularizer.center(j as usize))
                .collect(),
            penalized: (0..set.len()).filter(|&at| is_penalized(at)).collect(),
            lower: end(f64::NEG_INFINITY),
            upper: end(f64::INFINITY),
            factor,
            basis,
            set,
        })
    }
}

impl<R: Real> System<'_, '_, R> {
    /// Bx with BᵀB = A: what the rows make of x, and its ridge, each entry to its rounding.
    fn image(&self, x: &[f64]) -> Vec<f64> {
        let mut full = vec![0.0; self.smooth.p];
        let mut image = Vec::with_capacity(x.len());
        for (&j, &x) in self.set.iter().zip(x) {
            full[j as usize] = x;
            image.push(x * self.regularizer.ridge(j as usize).sqrt());
        }
        let mut z = vec![0.0; self.smooth.rows() * self.smooth.classes];
        self.smooth.predictors(&full, &mut z);
        self.smooth.take_root_of_curvature(&self.curvature, &mut z);
        image.append(&mut z);
        image
    }
}

/// The face that a coordinate between bounds, which is at the end of one, may move onto: that along which its
/// slope is no more than rounding; 0 without one.
fn edge_of(term: &Term<f64>, w: f64, gradient: f64, rounding: f64) -> Face {
    let is_flat = |face: Face| (gradient + term.face_slope(face)).abs() <= rounding;
    let upwards = w < term.upper;
    let downwards = w > term.lower;
    if term.strength == 0.0 {
        return if term.lower < term.upper && is_flat(FREE) {
            FREE
        } else {
            0
        };
    }
    // The sign on either side of w.
    let (above, below) = (if w < 0.0 { -1 } else { 1 }, if w > 0.0 { 1 } else { -1 });
    if upwards && is_flat(above) {
        above
    } else if downwards && is_flat(below) {
        below
    } else {
        0
    }
}

/// The solutions that have the predictors of one: w + null(A), within the ends of the faces.
struct Flat {
    /// The coordinates, ascending.
    set: Vec<u32>,
    w: Vec<f64>,
    /// c.
    center: Vec<f64>,
    /// The places of penalised coordinates.
    penalized: Vec<usize>,
    /// The ends of the faces.
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// That of the system, with its null space.
    factor: Dependent,
    /// A basis of the null space as far as it has a part in penalised coordinates.
    basis: Vec<Vec<f64>>,
}

impl Flat {
    /// The squared distance to c in the penalised coordinates.
    fn distance(&self, w: &[f64]) -> f64 {
        sum_of(self.penalized.len(), |k| {
            let at = self.penalized[k];
            (w[at] - self.center[at]).powi(2)
        })
    }

    /// The solution nearest to c; `None` where the search fails.
    fn nearest(&self, control: &Control) -> Option<Vec<f64>> {
        let off = |q: &Vec<f64>| {
            sum_of(self.penalized.len(), |k| {
                let at = self.penalized[k];
                q[at] * (self.center[at] - self.w[at])
            })
        };
        let goal: Vec<f64> = self.basis.iter().map(off).collect();
        let bounded = Bounded {
            origin: &self.w,
            columns: &self.basis,
            lower: &self.lower,
            upper: &self.upper,
        };
        let t = bounded.nearest(&goal, control)?;
        let mut w = self.w.clone();
        for (t, q) in t.iter().zip(&self.basis) {
            axpy(*t, q, &mut w);
        }
        for (w, (&lower, &upper)) in w.iter_mut().zip(self.lower.iter().zip(&self.upper)) {
            *w = w.clamp(lower, upper);
        }
        Some(w)
    }

    /// True where some way leads from w to other solutions; `None` where the search fails.
    ///
    /// The directions that the ends let pass are a cone. Of two opposite directions that are orthogonal to
    /// none of its own, one has a nearest direction in the cone that is not zero.
    fn has_way(&self, control: &Control) -> Option<bool> {
        let is_at = |end: &[f64], at: usize| end[at] == self.w[at];
        let of = |end: &[f64], none: f64| -> Vec<f64> {
            let held = |at| if is_at(end, at) { 0.0 } else { none };
            (0..self.w.len()).map(held).collect()
        };
        let cone = Bounded {
            origin: &vec![0.0; self.w.len()],
            columns: &self.basis,
            lower: &of(&self.lower, f64::NEG_INFINITY),
            upper: &of(&self.upper, f64::INFINITY),
        };
        for sign in [1.0, -1.0] {
            let any = |i: usize| sign * ((i as f64 * 0.754_877_666).fract() - 0.4);
            let direction: Vec<f64> = (0..self.basis.len()).map(any).collect();
            let length = |x: &[f64]| sum_of(x.len(), |i| x[i] * x[i]).sqrt();
            let passed = cone.nearest(&direction, control)?;
            if length(&passed) > LEAST_WAY * length(&direction) {
                return Some(true);
            }
        }
        Some(false)
    }
}
