//! The coefficients of least norm, where those of the minimum are not unique.
//!
//! Without ridge the minimum may be reached by many w: those with the same predictors, on the
//! coordinates E that are free or at the edge of becoming so, with the same signs. They are
//! w + null(A_EE) within the bounds of their faces, and the one of least norm is the limit of the
//! solutions for λ₂ → 0:
//!
//! ```text
//! minimise ½‖w‖²  over  w + null(A_EE)   with every coordinate on its face, or at its end
//! ```
//!
//! by an active set: along the null space of the free coordinates to the least norm; what reaches the
//! end of its face on the way stays there, and goes free again where that lets the norm fall.

use crate::kinds::Precision;
use crate::linalg::dependent::Dependent;
use crate::linalg::vector::dot;
use crate::model::penalty::{Face, Row};
use crate::model::regularizer::Regularizer;
use crate::real::Real;

use super::quadratic::LARGEST_CHOLESKY;
use super::restricted::System;
use super::walk::Walk;

/// Roundings by which a gradient may miss its threshold and yet be at it. Columns that are copies but
/// for single precision differ by more.
const AT_EDGE: f64 = 4.0;
/// The relative decrease of the norm that is none.
const NONE: f64 = 1e-12;

/// The coordinates on which a solution may move without leaving the minimum.
struct Edge {
    /// Ascending.
    set: Vec<u32>,
    face: Vec<Face>,
    /// Some are zero.
    has_zeros: bool,
}

impl<R: Real> Walk<'_, '_, R> {
    /// Moves to the solution of least norm; true where the solution is not unique.
    ///
    /// `is_regular` says that the system of the free coordinates is.
    pub(super) fn take_least_norm(
        &mut self,
        regularizer: &Regularizer<'_>,
        is_regular: bool,
    ) -> bool {
        let may_be_flat = !regularizer.has_ridge() && regularizer.blocks.separable;
        if !may_be_flat || R::PRECISION != Precision::F64 {
            return false;
        }
        let roundings = self.roundings(regularizer);
        let edge = self.edge(regularizer, &roundings);
        let size = edge.set.len();
        if (is_regular && !edge.has_zeros) || size == 0 || size > LARGEST_CHOLESKY {
            return false;
        }
        let curvature = self.smooth.curvature(&self.z, self.target, 0.0);
        let system = System::on(
            self.smooth,
            regularizer,
            self.w.clone(),
            edge.set.clone(),
            curvature,
        );
        // Columns that are zero are not in the system.
        let kept = |at: &usize| system.set.binary_search(&edge.set[*at]).is_ok();
        let face: Vec<Face> = (0..size).filter(kept).map(|at| edge.face[at]).collect();
        let set = system.set.clone();
        let matrix: Vec<f64> = system.form().iter().map(|&a| a.to_f64()).collect();
        let before: Vec<f64> = set.iter().map(|&j| self.w[j as usize]).collect();
        let project = |at: usize, w: f64| {
            let term = &regularizer.of(set[at] as usize).coordinate;
            term.project(face[at], w)
        };
        let mut search = Search {
            matrix: &matrix,
            w: before.clone(),
            free: vec![true; set.len()],
            project,
            face: &face,
        };
        let Some(nullity) = search.run() else {
            return false;
        };
        let change = dot(&before, &before) - dot(&search.w, &search.w);
        let has_moved = change > NONE * dot(&before, &before);
        if !has_moved {
            return nullity > 0;
        }
        let excess_before = self.largest_excess(regularizer, &roundings);
        let old = self.w.clone();
        for (&j, &w) in set.iter().zip(&search.w) {
            self.w[j as usize] = w;
        }
        self.evaluate();
        let roundings = self.roundings(regularizer);
        let allowed = AT_EDGE.max(2.0 * excess_before);
        if self.largest_excess(regularizer, &roundings) <= allowed {
            return true;
        }
        self.w = old;
        self.evaluate();
        nullity > 0
    }

    fn edge(&self, regularizer: &Regularizer<'_>, roundings: &[f64]) -> Edge {
        let mut edge = Edge {
            set: Vec::new(),
            face: Vec::new(),
            has_zeros: false,
        };
        for (j, penalty) in regularizer.penalties.iter().enumerate() {
            let term = &penalty.coordinate;
            let mut face = term.face(self.w[j]);
            if face == 0 && matches!(term.row, Row::SoftThreshold | Row::NonNegative) {
                let pull = term.pull(-self.gradient[j]);
                if pull >= term.strength - AT_EDGE * roundings[j] {
                    face = if self.gradient[j] > 0.0 { -1 } else { 1 };
                    edge.has_zeros = true;
                }
            }
            if face != 0 {
                edge.set.push(j as u32);
                edge.face.push(face);
            }
        }
        edge
    }
}

/// The search for the least norm.
struct Search<'a, P> {
    /// A_EE, symmetric, in full.
    matrix: &'a [f64],
    w: Vec<f64>,
    /// The coordinates that are not held at the end of their face.
    free: Vec<bool>,
    /// w of a coordinate, brought back to its face.
    project: P,
    face: &'a [Face],
}

impl<P: Fn(usize, f64) -> f64> Search<'_, P> {
    /// Runs to the end; the dimension of the free coordinates' null space there, `None` where numbers
    /// are not finite or there is no end.
    fn run(&mut self) -> Option<usize> {
        let m = self.w.len();
        for _ in 0..2 * m + 8 {
            let set: Vec<usize> = (0..m).filter(|&at| self.free[at]).collect();
            let factor = self.factor(&set)?;
            if factor.nullity() == 0 && set.len() == m {
                return Some(0);
            }
            let mut goal: Vec<f64> = set.iter().map(|&at| self.w[at]).collect();
            factor.remove_null(&mut goal);
            // The first to reach the end of its face, and where it then is.
            let mut first: Option<(f64, usize, f64)> = None;
            for (&at, &goal) in set.iter().zip(&goal) {
                let inside = (self.project)(at, goal);
                if inside != goal {
                    let share = (inside - self.w[at]) / (goal - self.w[at]);
                    if first.is_none_or(|(least, ..)| share < least) {
                        first = Some((share, at, inside));
                    }
                }
            }
            let share = first.map_or(1.0, |(share, ..)| share);
            for (&at, &goal) in set.iter().zip(&goal) {
                let moved = self.w[at] + share * (goal - self.w[at]);
                self.w[at] = if share == 1.0 {
                    goal
                } else {
                    (self.project)(at, moved)
                };
            }
            if let Some((_, at, end)) = first {
                self.w[at] = end;
                self.free[at] = false;
            } else if !self.release(&set, &factor)? {
                return Some(factor.nullity());
            }
        }
        None
    }

    fn factor(&self, set: &[usize]) -> Option<Dependent> {
        let m = self.w.len();
        let entries = set
            .iter()
            .flat_map(|&j| set.iter().map(move |&i| self.matrix[j * m + i]));
        let matrix: Vec<f64> = entries.collect();
        Dependent::new(&matrix, set.len(), f64::EPSILON)
    }

    /// Frees the coordinate that lets the norm fall fastest; false where none does.
    fn release(&mut self, set: &[usize], factor: &Dependent) -> Option<bool> {
        let m = self.w.len();
        let w: Vec<f64> = set.iter().map(|&at| self.w[at]).collect();
        let mu = factor.solve(&w);
        let size = dot(&w, &w).sqrt();
        let mut wanting: Vec<(f64, usize)> = Vec::new();
        for at in (0..m).filter(|&at| !self.free[at]) {
            let row = set.iter().zip(&mu);
            let rate: f64 = row.map(|(&i, mu)| self.matrix[at * m + i] * mu).sum();
            let rate = rate * f64::from(self.face[at].signum());
            if rate > 1e-9 * size {
                wanting.push((rate, at));
            }
        }
        wanting.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for &(_, at) in &wanting {
            self.free[at] = true;
            let wider: Vec<usize> = (0..m).filter(|&at| self.free[at]).collect();
            if self.factor(&wider)?.nullity() > factor.nullity() {
                return Some(true);
            }
            self.free[at] = false;
        }
        Some(false)
    }
}
