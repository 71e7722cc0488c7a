//! One step of a path: minimise the model at w on a working set, and move.

use crate::linalg::vector::norm;
use crate::real::Real;

use super::model::quadratic_model;
use super::newton;
use super::quadratic::ModelRows;
use super::rows::{self, FaceHessian};
use super::search::Advance;
use super::smooth::Curvature;
use super::walk::{Form, Step, Walk, fix_gauge};
use crate::model::loss::Loss;
use crate::model::regularizer::Regularizer;

/// Working sets up to which the Hessian is formed: quadratic losses, which keep it, and others.
const LARGEST_KEPT: usize = 2500;
const LARGEST_FORMED: usize = 1200;
/// Blocks that may join a working set at once, however few it has.
const LEAST_ROOM: usize = 50;
/// Epochs on one model, after which the gradient is formed anew and the stop rule is asked.
const MODEL_EPOCHS: usize = 100;

/// The effort of a minimisation on the formed Hessian.
struct Effort<'a> {
    /// The most epochs.
    most: usize,
    /// The rounding of every block's distance to optimality, which is small enough.
    roundings: &'a [f64],
    /// It ends with the factor on the face that coordinate descent has found.
    hasty: bool,
}

impl<R: Real> Walk<'_, '_, R> {
    /// Minimises the model at w on a working set and moves; a `hasty` step ends with the factor on
    /// the face that coordinate descent has found.
    pub(super) fn step(
        &mut self,
        regularizer: &Regularizer<'_>,
        budget: usize,
        roundings: &[f64],
        hasty: bool,
    ) -> Step<R> {
        let blocks = self.working_blocks(regularizer, roundings);
        let set: Vec<u32> = if blocks.len() == self.blocks.len() {
            (0..self.smooth.p as u32).collect()
        } else {
            let of_block = |&b: &u32| self.blocks.members(b as usize).iter().copied();
            let mut set: Vec<u32> = blocks.iter().flat_map(of_block).collect();
            set.sort_unstable();
            set
        };
        let quadratic = self.smooth.loss.is_quadratic();
        let formed = match self.form {
            Form::Auto => set.len() <= self.largest_formed(),
            #[cfg(test)]
            Form::Gram => true,
            Form::Residual => false,
        };
        let curvature = self.smooth.curvature(&self.z, self.target, self.blend);
        let mut new = self.w.clone();
        let mut step = Step {
            steps: 0,
            moved: 0.0,
            gain: 0.0,
            singular: false,
            is_newton: formed,
            factor: None,
        };
        if formed {
            let most = budget.min(MODEL_EPOCHS);
            self.minimize_formed(
                regularizer,
                &set,
                &curvature,
                Effort {
                    most,
                    roundings,
                    hasty,
                },
                &mut new,
                &mut step,
            );
        } else if regularizer.has_slope() {
            step.steps = rows::descend(
                self.smooth,
                regularizer,
                &curvature,
                &blocks,
                &self.residuals,
                &mut new,
                self.control,
            );
        }
        fix_gauge(self.smooth, regularizer, &mut new);
        let mut first = None;
        if formed || regularizer.has_slope() {
            let exact = formed && quadratic;
            first = Some(self.advance(regularizer, &new, exact));
        }
        let second = if formed {
            None
        } else {
            self.newton_by_rows(regularizer, &mut step.steps)
        };
        for way in first.iter().chain(&second) {
            step.moved = step.moved.max(way.moved);
            step.gain = step.gain.max(way.gain);
        }
        if let Some(way) = first.or(second) {
            self.adapt_blend(regularizer, way.share);
        }
        step
    }

    /// Blocks that are free or would become so, the most urgent first where there are too many.
    fn working_blocks(&self, regularizer: &Regularizer<'_>, roundings: &[f64]) -> Vec<u32> {
        let count = self.blocks.len();
        if self.smooth.parts.gram.is_some() {
            return (0..count as u32).collect();
        }
        // Only blocks of one coordinate are ever discarded.
        let candidates: Vec<u32> = match &self.alive {
            None => (0..count as u32).collect(),
            Some(alive) => alive.iter().map(|&j| self.blocks.of[j as usize]).collect(),
        };
        let (mut blocks, mut resting, mut wanting) = (Vec::new(), Vec::new(), Vec::new());
        for b in candidates {
            if regularizer.is_free(b as usize, &self.w) {
                blocks.push(b);
                continue;
            }
            if self.is_kept(b) {
                resting.push(b);
                continue;
            }
            if let Some(excess) = self.excess_of(b, regularizer, roundings) {
                wanting.push((excess, b));
            }
        }
        let mut room = (2 * (blocks.len() + resting.len())).max(LEAST_ROOM);
        if self.smooth.parts.columns.dense().is_some() && self.blocks.separable {
            if !regularizer.has_ridge() {
                // Without ridge no more coordinates than rows are free at once.
                let rows = self.smooth.rows() * self.smooth.classes;
                room = room.min(rows.saturating_sub(blocks.len()).max(LEAST_ROOM));
            }
            // Coordinates that were free once make place for those that the Hessian has to be formed for.
            let largest = self.largest_formed();
            if blocks.len() + resting.len() + room.min(wanting.len()) > largest {
                let of = |b: u32| self.excess_of(b, regularizer, roundings).map(|e| (e, b));
                wanting.extend(resting.drain(..).filter_map(of));
                room = room.min(largest.saturating_sub(blocks.len()).max(LEAST_ROOM));
            }
        }
        if wanting.len() > room {
            // By urgency, then by number: no order depends on the sort's ties.
            wanting.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            wanting.truncate(room);
        }
        blocks.append(&mut resting);
        blocks.extend(wanting.iter().map(|&(_, b)| b));
        blocks.sort_unstable();
        blocks
    }

    /// The coordinates up to which the Hessian of a working set is formed.
    fn largest_formed(&self) -> usize {
        if self.smooth.loss.is_quadratic() {
            LARGEST_KEPT
        } else {
            LARGEST_FORMED
        }
    }

    /// True where the Hessian is kept for a block.
    fn is_kept(&self, b: u32) -> bool {
        let members = self.blocks.members(b as usize);
        self.smooth.loss.is_quadratic()
            && members
                .iter()
                .any(|j| self.kept.set.binary_search(j).is_ok())
    }

    /// How far a block at rest is from optimality, in roundings, where that is more than rounding.
    fn excess_of(&self, b: u32, regularizer: &Regularizer<'_>, roundings: &[f64]) -> Option<f64> {
        let b = b as usize;
        let distance = regularizer.block_distance(b, &self.w, &self.gradient);
        let excess = distance.sqrt() / roundings[b];
        (excess > 0.25).then_some(excess)
    }

    /// Coordinate descent and Newton on the formed Hessian.
    fn minimize_formed(
        &mut self,
        regularizer: &Regularizer<'_>,
        set: &[u32],
        curvature: &Curvature,
        effort: Effort<'_>,
        new: &mut [f64],
        step: &mut Step<R>,
    ) {
        let formed;
        let hessian: &[R] = if let Some(gram) = &self.smooth.parts.gram {
            gram
        } else if self.smooth.loss.is_quadratic() {
            if self.kept.set != set {
                self.kept = self.smooth.extend_hessian(&self.kept, set);
            }
            &self.kept.hessian
        } else {
            formed = self.smooth.hessian(set, curvature);
            &formed
        };
        let mut model = quadratic_model(
            self.smooth,
            regularizer,
            set,
            hessian,
            &self.w,
            &self.gradient,
        );
        // Every block of the model has a member in the set.
        let block_of = |b: usize| {
            let coordinate = set[model.members[model.starts[b] as usize] as usize];
            self.blocks.of[coordinate as usize] as usize
        };
        model.inverse_rounding = (0..model.penalties.len())
            .map(|b| R::of(effort.roundings[block_of(b)].recip()))
            .collect();
        if self.smooth.parts.gram.is_none() && !self.kept.scaled.is_empty() {
            model.rows = Some(ModelRows {
                values: &self.kept.scaled,
                count: self.smooth.rows(),
            });
        }
        let before = model.w.clone();
        let control = self.control;
        model.spare = std::mem::take(&mut self.spare);
        let minimum = model.minimize(effort.most, effort.hasty, || control.should_stop());
        self.spare = std::mem::take(&mut model.spare);
        for ((&j, &after), &before) in set.iter().zip(&model.w).zip(&before) {
            // Where the step is zero the f64 value stays, with more digits than this precision has.
            if after != before {
                new[j as usize] = after.to_f64();
                let term = &regularizer.of(j as usize).coordinate;
                new[j as usize] = term.snapped::<R>(new[j as usize]);
            }
        }
        step.steps = minimum.epochs;
        step.singular = minimum.singular;
        step.factor = minimum.factor.map(|mut k| {
            k.set.iter_mut().for_each(|at| *at = set[*at as usize]);
            k
        });
    }

    /// A Newton step on the face by conjugate gradient, projected onto the face; adds the products to `steps`.
    fn newton_by_rows(
        &mut self,
        regularizer: &Regularizer<'_>,
        steps: &mut usize,
    ) -> Option<Advance> {
        let face = regularizer.face(&self.w);
        // With more free coordinates than rows the system is singular: coordinate descent first
        // has to leave fewer.
        let rows = self.smooth.rows() * self.smooth.classes;
        let unregularized = !regularizer.has_ridge() && self.smooth.loss != Loss::Quadratic;
        if face.is_empty() || (unregularized && face.len() > rows && regularizer.has_slope()) {
            return None;
        }
        let curvature = self.smooth.curvature(&self.z, self.target, self.blend);
        let operator = FaceHessian::new(self.smooth, regularizer, &curvature, &face, &self.w);
        let rho = self.face_residual(regularizer);
        let mut delta = vec![0.0; self.smooth.p];
        let forcing = norm(&rho) / self.origin_norm;
        *steps += newton::newton_step(&operator, &rho, forcing, &mut delta, self.control);
        let mut new = self.w.clone();
        for (j, new) in new.iter_mut().enumerate() {
            if delta[j] != 0.0 {
                let term = &regularizer.of(j).coordinate;
                *new = term.project(term.face(self.w[j]), self.w[j] + delta[j]);
            }
        }
        fix_gauge(self.smooth, regularizer, &mut new);
        Some(self.advance(regularizer, &new, false))
    }
}
