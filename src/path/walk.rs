//! One path: the points of a target and a λ₂ in the order of decreasing l1, each started from the
//! last. The loop reads
//!
//! ```text
//! repeat   gradient at w from residuals
//!          W  ← free coordinates and those that want to become free
//!          Δ  ← minimiser of the penalised quadratic model on W       (exact for quadratic losses)
//!          w  ← w + αΔ                                                 (α = 1, or by line search)
//! ```
//!
//! so that near the solution every step is a Newton step on its face, and for a quadratic loss a
//! step of iterative refinement: the gradient is always formed anew from the residuals. It ends
//! when the distance to optimality is at the rounding of its terms, and [`super::finish`] then
//! makes the result independent of the way it was reached.

use crate::control::Control;
use crate::kinds::Status;
use crate::loss::Loss;
use crate::real::Real;

use super::PathSettings;
use super::quadratic::{FaceFactor, Quadratic};
use super::regularizer::{Blocks, Regularizer, Rule};
use super::rows::{self, FaceOperator};
use super::smooth::{Curvature, KeptHessian, Smooth};
use super::vector::norm;

/// A residual of this many roundings of its terms counts as converged, when it falls no further.
const ROUNDINGS: f64 = 1e3;
/// Working sets up to which the Hessian is formed: quadratic losses, which keep it, and others.
const LARGEST_KEPT: usize = 2500;
const LARGEST_FORMED: usize = 1200;
/// Epochs on one model of a loss that is not quadratic.
const MODEL_EPOCHS: usize = 200;
/// A Newton step that still moves a predictor by this share of the largest is not yet at an end.
const STILL_MOVING: f64 = 1e-4;
/// Steps that move nothing, and a hundred times as many without a smaller distance, after which a
/// point is given up.
const STALLED: usize = 8;
/// Row curvatures all below this share of their bound: every row is saturated.
const SATURATED: f64 = 1e-6;

/// How the model of a step is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By the size of the working set.
    Auto,
    /// The Hessian is formed.
    #[cfg(test)]
    Gram,
    /// Only row residuals are kept.
    Residual,
}

/// The state of a path.
pub(super) struct Walk<'s, 'p, R> {
    pub(super) smooth: &'s Smooth<'p, R>,
    blocks: &'s Blocks,
    control: &'s Control,
    form: Form,
    pub(super) target: usize,
    /// ∇loss(0) and its norm.
    pub(super) origin: Vec<f64>,
    origin_norm: f64,
    pub(super) w: Vec<f64>,
    pub(super) z: Vec<f64>,
    pub(super) residuals: Vec<f64>,
    /// ∇loss(w).
    pub(super) gradient: Vec<f64>,
    kept: KeptHessian<R>,
    /// How far the curvature is blended towards a majorant.
    blend: f64,
    /// w has moved since predictors, residuals and gradient were formed.
    stale: bool,
}

/// What a point came to.
pub(super) struct Arrival<R> {
    pub(super) status: Status,
    pub(super) steps: usize,
    pub(super) factor: Option<FaceFactor<R>>,
}

/// What one step did.
struct Step<R> {
    steps: usize,
    /// Largest change of a predictor.
    moved: f64,
    /// The system on the face is singular.
    singular: bool,
    factor: Option<FaceFactor<R>>,
}

impl<'s, 'p, R: Real> Walk<'s, 'p, R> {
    pub(super) fn new(
        smooth: &'s Smooth<'p, R>,
        blocks: &'s Blocks,
        target: usize,
        control: &'s Control,
        form: Form,
    ) -> Self {
        let rows = smooth.rows() * smooth.classes;
        let mut walk = Self {
            smooth,
            blocks,
            control,
            form,
            target,
            origin: Vec::new(),
            origin_norm: 0.0,
            w: vec![0.0; smooth.p],
            z: vec![0.0; rows],
            residuals: vec![0.0; rows],
            gradient: vec![0.0; smooth.p],
            kept: KeptHessian::empty(),
            blend: 0.0,
            stale: true,
        };
        walk.evaluate();
        walk.origin = walk.gradient.clone();
        walk.origin_norm = norm(&walk.origin);
        walk
    }

    /// Predictors, residuals and gradient at w.
    pub(super) fn evaluate(&mut self) {
        self.smooth.predictors(&self.w, &mut self.z);
        self.evaluate_gradient();
        self.stale = false;
    }

    fn evaluate_gradient(&mut self) {
        self.smooth
            .residuals(&self.z, self.target, &mut self.residuals);
        self.smooth.gradient(&self.residuals, &mut self.gradient);
    }

    /// Starts from `w` instead of the last solution.
    pub(super) fn restart(&mut self, w: &[f64]) {
        self.w.copy_from_slice(w);
        self.evaluate();
    }

    /// Distance to optimality at w, given the gradient.
    pub(super) fn distance(&self, regularizer: &Regularizer<'_>) -> f64 {
        (0..self.blocks.len())
            .map(|b| regularizer.block_distance(b, &self.w, &self.gradient))
            .sum::<f64>()
            .sqrt()
    }

    /// The size of the terms whose rounding the distance carries.
    ///
    /// |x̂_jᵀ(s∘r)|/n is a sum of terms of size at most ‖x̂_j‖_s ‖r‖_s, and r itself one of
    /// Σ|x̂_ij w_j|; with them go ∇loss(0), the ridge and the penalty's slope. Over the free
    /// coordinates, and the largest of the others.
    pub(super) fn scale(&self, regularizer: &Regularizer<'_>) -> f64 {
        let smooth = self.smooth;
        let c = smooth.classes;
        let residual_size = if smooth.loss == Loss::Quadratic {
            0.0
        } else {
            let n = smooth.rows();
            let square: f64 = self
                .residuals
                .iter()
                .enumerate()
                .filter(|(at, _)| smooth.weight[at % n] > 0.0)
                .map(|(at, r)| r * r / smooth.weight[at % n])
                .sum();
            square.sqrt()
        };
        let column = |j: usize| smooth.square[j / c].sqrt();
        let predictor_size: f64 = (0..smooth.p)
            .filter(|&j| self.w[j] != 0.0)
            .map(|j| column(j) * self.w[j].abs())
            .sum();
        let rows = residual_size + smooth.loss.curvature_bound() * predictor_size;
        let (mut free, mut fixed) = (0.0f64, 0.0f64);
        for (b, rule) in regularizer.rules.iter().enumerate() {
            let slope = match *rule {
                Rule::Threshold(t) | Rule::NonNegative(t) | Rule::Group(t) => t,
                Rule::Free | Rule::Box(..) => 0.0,
            };
            let is_free = regularizer.is_free(b, &self.w);
            for &j in self.blocks.members(b) {
                let j = j as usize;
                let term = column(j) * rows
                    + self.origin[j].abs()
                    + regularizer.ridge_gradient(j, self.w[j]).abs()
                    + slope;
                if is_free {
                    free += term * term;
                } else {
                    fixed = fixed.max(term);
                }
            }
        }
        (free + fixed * fixed).sqrt()
    }

    /// Solves one point from where the path stands.
    pub(super) fn solve(
        &mut self,
        regularizer: &Regularizer<'_>,
        settings: &PathSettings,
    ) -> Arrival<R> {
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let mut steps = 0;
        let mut best = (f64::INFINITY, self.w.clone());
        let (mut since_halved, mut since_better, mut unmoved) = (0, 0, 0);
        let mut step: Option<Step<R>> = None;
        self.stale |= regularizer.make_feasible(&mut self.w);
        let status = loop {
            if self.stale {
                self.evaluate();
            }
            let distance = self.distance(regularizer);
            if !distance.is_finite() {
                break Status::NonFinite;
            }
            since_halved = if distance < 0.5 * best.0 {
                0
            } else {
                since_halved + 1
            };
            since_better += 1;
            if distance < best.0 {
                since_better = 0;
                best.0 = distance;
                best.1.copy_from_slice(&self.w);
            }
            let scale = self.scale(regularizer);
            let rounding = epsilon * scale;
            let stopped = match settings.tolerance {
                Some(t) if distance <= t * self.origin_norm => true,
                _ => {
                    distance <= 0.25 * rounding
                        || (since_halved > 2 && best.0 <= ROUNDINGS * rounding)
                }
            };
            // A quadratic always takes a step, whose factor ends it the same from every start.
            let finishes = settings.tolerance.is_none() && self.smooth.loss.is_quadratic();
            if stopped && (step.is_some() || !finishes) {
                let moving = self.may_run_away(regularizer)
                    && step.as_ref().is_none_or(|s| {
                        let largest = self.z.iter().fold(0.0f64, |a, z| a.max(z.abs()));
                        s.moved > STILL_MOVING * (1.0 + largest)
                    });
                if !moving {
                    break Status::Converged;
                }
                if step.is_some() && self.is_saturated() {
                    break Status::Diverged;
                }
            }
            if steps >= settings.max_steps || (steps > 0 && self.control.should_stop()) {
                break Status::BudgetSpent;
            }
            if unmoved > STALLED || since_better > 100 * STALLED {
                break Status::Stalled;
            }
            let next = self.step(regularizer, settings.max_steps - steps, epsilon * scale);
            steps += next.steps.max(1);
            unmoved = if next.moved == 0.0 { unmoved + 1 } else { 0 };
            let mut factor = next.factor;
            let singular = next.singular;
            step = Some(Step {
                factor: None,
                ..next
            });
            if finishes
                && !singular
                && let Some(k) = factor.take()
                && self.finish_quadratic(regularizer, &k)
            {
                return Arrival {
                    status: Status::Converged,
                    steps,
                    factor: Some(k),
                };
            }
        };
        if status != Status::NonFinite && self.w != best.1 {
            self.w.copy_from_slice(&best.1);
            self.evaluate();
        }
        if status == Status::Converged && settings.tolerance.is_none() {
            self.finish_smooth(regularizer, ROUNDINGS * epsilon);
        }
        if status == Status::NonFinite {
            // The next point starts afresh; this one is returned as it is.
            best.1.fill(f64::NAN);
        }
        Arrival {
            status,
            steps,
            factor: None,
        }
    }

    /// Approaches a point from far away by way of larger strengths; returns the steps.
    ///
    /// Coordinate descent from w = 0 at a small l1 first frees most coordinates; from the solution
    /// of a larger l1 it frees few.
    pub(super) fn approach(
        &mut self,
        regularizer: &Regularizer<'_>,
        at: impl Fn(f64) -> Regularizer<'s>,
        settings: &PathSettings,
    ) -> usize {
        let ratio = regularizer.largest_ratio(&self.w, &self.gradient);
        let stages = (ratio.log2().ceil() - 1.0).clamp(0.0, 30.0) as i32;
        let mut steps = 0;
        for stage in (1..=stages).rev() {
            let rough = PathSettings {
                tolerance: Some(1e-2 * 2f64.powi(stage) / ratio),
                max_steps: settings.max_steps.saturating_sub(steps).min(200),
            };
            steps += self.solve(&at(2f64.powi(stage)), &rough).steps;
        }
        steps
    }

    /// True when the minimum may be at infinity, so that a vanishing gradient proves nothing.
    fn may_run_away(&self, regularizer: &Regularizer<'_>) -> bool {
        matches!(self.smooth.loss, Loss::Logistic | Loss::Multinomial)
            && (regularizer.l2 == 0.0 || self.smooth.problem.train.design.intercept)
    }

    fn is_saturated(&self) -> bool {
        let curvature = self.smooth.curvature(&self.z, self.target, 0.0);
        self.smooth.saturation(&curvature) < SATURATED
    }

    /// Minimises the model at w on a working set and moves.
    fn step(&mut self, regularizer: &Regularizer<'_>, budget: usize, rounding: f64) -> Step<R> {
        let blocks = self.working_blocks(regularizer, rounding);
        let mut set: Vec<u32> = blocks
            .iter()
            .flat_map(|&b| self.blocks.members(b as usize).iter().copied())
            .collect();
        set.sort_unstable();
        let quadratic = self.smooth.loss.is_quadratic();
        let largest = if quadratic {
            LARGEST_KEPT
        } else {
            LARGEST_FORMED
        };
        let formed = match self.form {
            Form::Auto => set.len() <= largest,
            #[cfg(test)]
            Form::Gram => true,
            Form::Residual => false,
        };
        let before = if quadratic {
            0.0
        } else {
            self.distance(regularizer)
        };
        let curvature = self.smooth.curvature(&self.z, self.target, self.blend);
        let mut new = self.w.clone();
        let mut step = Step {
            steps: 0,
            moved: 0.0,
            singular: false,
            factor: None,
        };
        if formed {
            let most = if quadratic {
                budget
            } else {
                budget.min(MODEL_EPOCHS)
            };
            self.minimize_formed(
                regularizer,
                &set,
                &curvature,
                most,
                rounding,
                &mut new,
                &mut step,
            );
        } else {
            step.steps = rows::descend(
                self.smooth,
                regularizer,
                &curvature,
                &blocks,
                &self.residuals,
                &mut new,
            );
        }
        fix_gauge(self.smooth, &mut new);
        let alpha = self.advance(regularizer, &new, formed && quadratic, &mut step.moved);
        if !formed {
            self.newton_by_rows(regularizer, &mut step);
        }
        self.adapt_blend(regularizer, alpha, before, step.singular);
        step
    }

    /// Keeps Σ_c b_c = 0 for multinomial intercepts.
    pub(super) fn fix_gauge(&mut self) {
        fix_gauge(self.smooth, &mut self.w);
    }

    /// Blocks that are free or would become so, the most urgent first where there are too many.
    fn working_blocks(&self, regularizer: &Regularizer<'_>, rounding: f64) -> Vec<u32> {
        let count = self.blocks.len();
        if self.smooth.gram.is_some() {
            return (0..count as u32).collect();
        }
        let (mut blocks, mut wanting) = (Vec::new(), Vec::new());
        for b in 0..count {
            let free = regularizer.is_free(b, &self.w)
                || (self.smooth.loss.is_quadratic()
                    && self
                        .blocks
                        .members(b)
                        .iter()
                        .any(|j| self.kept.set.binary_search(j).is_ok()));
            if free {
                blocks.push(b as u32);
                continue;
            }
            let distance = regularizer.block_distance(b, &self.w, &self.gradient);
            if distance > (0.25 * rounding).powi(2) {
                wanting.push((distance, b as u32));
            }
        }
        let room = (2 * blocks.len()).max(50);
        if wanting.len() > room {
            // By urgency, then by number: no order depends on the sort's ties.
            wanting.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            wanting.truncate(room);
        }
        blocks.extend(wanting.iter().map(|&(_, b)| b));
        blocks.sort_unstable();
        blocks
    }

    /// Coordinate descent and Newton on the formed Hessian.
    #[allow(clippy::too_many_arguments)] // one call site; the parts of a step
    fn minimize_formed(
        &mut self,
        regularizer: &Regularizer<'_>,
        set: &[u32],
        curvature: &Curvature,
        most: usize,
        rounding: f64,
        new: &mut [f64],
        step: &mut Step<R>,
    ) {
        let formed;
        let hessian: &[R] = if let Some(gram) = &self.smooth.gram {
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
        let before = model.w.clone();
        let control = self.control;
        let minimum = model.minimize(R::of(rounding), most, || control.should_stop());
        for ((&j, &after), &before) in set.iter().zip(&model.w).zip(&before) {
            // An unchanged coordinate keeps the digits that this precision has not.
            if after != before {
                new[j as usize] = after.to_f64();
            }
        }
        step.steps = minimum.epochs;
        step.singular = minimum.singular;
        step.factor = minimum.factor.map(|mut k| {
            k.set.iter_mut().for_each(|at| *at = set[*at as usize]);
            k
        });
    }

    /// A Newton step on the face by conjugate gradient, projected onto the face.
    fn newton_by_rows(&mut self, regularizer: &Regularizer<'_>, step: &mut Step<R>) {
        let face = regularizer.face(&self.w);
        // With more free coordinates than rows the system is singular: coordinate descent first
        // has to leave fewer.
        let rows = self.smooth.rows() * self.smooth.classes;
        let unregularized = regularizer.l2 == 0.0 && self.smooth.loss != Loss::Quadratic;
        if face.is_empty() || (unregularized && face.len() > rows && regularizer.has_slope()) {
            return;
        }
        let curvature = self.smooth.curvature(&self.z, self.target, self.blend);
        let operator = FaceOperator::new(self.smooth, regularizer, &curvature, &face, &self.w);
        let rho = self.face_residual(regularizer);
        let mut delta = vec![0.0; self.smooth.p];
        step.steps += rows::newton_step(&operator, &rho, &mut delta);
        let mut new = self.w.clone();
        for (b, rule) in regularizer.rules.iter().enumerate() {
            for &j in self.blocks.members(b) {
                let j = j as usize;
                if delta[j] != 0.0 {
                    new[j] = rule.project(rule.face(self.w[j]), self.w[j] + delta[j]);
                }
            }
        }
        fix_gauge(self.smooth, &mut new);
        let mut moved = 0.0;
        self.advance(regularizer, &new, false, &mut moved);
        step.moved = step.moved.max(moved);
    }

    /// Gradient of everything on the face, zero off it.
    pub(super) fn face_residual(&self, regularizer: &Regularizer<'_>) -> Vec<f64> {
        let mut rho = vec![0.0; self.smooth.p];
        for (b, rule) in regularizer.rules.iter().enumerate() {
            let members = self.blocks.members(b);
            if !regularizer.is_free(b, &self.w) {
                continue;
            }
            let pull = match rule {
                Rule::Group(t) => t / super::regularizer::group_norm(members, &self.w),
                _ => 0.0,
            };
            for &j in members {
                let j = j as usize;
                rho[j] = self.gradient[j]
                    + regularizer.ridge_gradient(j, self.w[j])
                    + rule.slope(rule.face(self.w[j]))
                    + pull * self.w[j];
            }
        }
        rho
    }

    /// Moves towards `new` as far as the objective falls enough (all of it where
    /// the model is `exact`); returns the share α of the way.
    fn advance(
        &mut self,
        regularizer: &Regularizer<'_>,
        new: &[f64],
        exact: bool,
        moved: &mut f64,
    ) -> f64 {
        let delta: Vec<f64> = new.iter().zip(&self.w).map(|(n, w)| n - w).collect();
        if delta.iter().all(|&d| d == 0.0) {
            return 0.0;
        }
        if exact {
            // The model is the objective.
            self.w.copy_from_slice(new);
            self.stale = true;
            *moved = f64::INFINITY;
            return 1.0;
        }
        let mut change = vec![0.0; self.z.len()];
        self.smooth.predictors(&delta, &mut change);
        *moved = change.iter().fold(0.0, |a, d| a.max(d.abs()));
        let (w, z) = (self.w.clone(), self.z.clone());
        let penalty = regularizer.value(&w);
        let start = self.smooth.value(&w, &z, self.target) + penalty;
        let slope: f64 = self
            .gradient
            .iter()
            .zip(&delta)
            .map(|(g, d)| g * d)
            .sum::<f64>()
            + regularizer.value(new)
            - penalty;
        let noise = 64.0 * f64::EPSILON * (start.abs() + penalty.abs());
        let mut alpha = 1.0;
        for _ in 0..40 {
            if alpha == 1.0 {
                self.w.copy_from_slice(new);
                // Not z + Xδ, whose rounding would add up along the path.
                self.smooth.predictors(&self.w, &mut self.z);
            } else {
                for j in 0..w.len() {
                    self.w[j] = w[j] + alpha * delta[j];
                }
                for i in 0..z.len() {
                    self.z[i] = z[i] + alpha * change[i];
                }
            }
            let value =
                self.smooth.value(&self.w, &self.z, self.target) + regularizer.value(&self.w);
            if value <= start + 1e-4 * alpha * slope.min(0.0) + noise {
                self.evaluate_gradient();
                return alpha;
            }
            alpha *= 0.5;
        }
        self.w = w;
        self.z = z;
        self.evaluate_gradient();
        0.0
    }

    /// More of the majorant after a step that failed, less after one that went well.
    fn adapt_blend(
        &mut self,
        regularizer: &Regularizer<'_>,
        alpha: f64,
        before: f64,
        singular: bool,
    ) {
        if self.smooth.loss.is_quadratic() {
            return;
        }
        let slow = self.distance(regularizer) > 0.5 * before;
        if alpha < 0.3 || (singular && slow) {
            self.blend = (4.0 * self.blend).clamp(0.05, 1.0);
        } else if alpha == 1.0 {
            self.blend = if self.blend < 1e-3 {
                0.0
            } else {
                self.blend / 8.0
            };
        }
    }
}

fn fix_gauge<R: Real>(smooth: &Smooth<'_, R>, w: &mut [f64]) {
    let c = smooth.classes;
    if c > 1 && smooth.problem.train.design.intercept {
        let intercepts = &mut w[smooth.p - c..];
        let mean = intercepts.iter().sum::<f64>() / c as f64;
        intercepts.iter_mut().for_each(|b| *b -= mean);
    }
}

/// The penalised quadratic model of the objective around w on a set of coordinates.
pub(super) fn quadratic_model<'h, R: Real>(
    smooth: &Smooth<'_, R>,
    regularizer: &Regularizer<'_>,
    set: &[u32],
    hessian: &'h [R],
    w: &[f64],
    gradient: &[f64],
) -> Quadratic<'h, R> {
    let position = |j: u32| set.binary_search(&j);
    let (mut members, mut starts, mut rules) = (Vec::new(), vec![0], Vec::new());
    let mut rule_of = vec![0; set.len()];
    for (b, rule) in regularizer.rules.iter().enumerate() {
        let before = members.len();
        members.extend(
            regularizer
                .blocks
                .members(b)
                .iter()
                .filter_map(|&j| position(j).ok().map(|at| at as u32)),
        );
        if members.len() > before {
            members[before..]
                .iter()
                .for_each(|&at| rule_of[at as usize] = rules.len() as u32);
            rules.push(rule.to::<R>());
            starts.push(members.len() as u32);
        }
    }
    let of = |value: &dyn Fn(usize) -> f64| -> Vec<R> {
        set.iter().map(|&j| R::of(value(j as usize))).collect()
    };
    let c = smooth.classes;
    let first = (smooth.p - c) as u32;
    let gauge = match (
        c > 1 && smooth.problem.train.design.intercept,
        position(first),
    ) {
        (true, Ok(at)) => at..at + c,
        _ => 0..0,
    };
    Quadratic {
        hessian,
        w: of(&|j| w[j]),
        q: of(&|j| gradient[j]),
        ridge: of(&|j| regularizer.ridge(j)),
        center: of(&|j| regularizer.center(j)),
        members,
        starts,
        rules,
        rule_of,
        gauge,
    }
}
