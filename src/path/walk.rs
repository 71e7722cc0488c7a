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
use crate::model::loss::Loss;
use crate::real::{Real, sum_of};

use super::PathSettings;
use super::quadratic::{FaceFactor, Factored};
use super::smooth::{KeptHessian, Smooth};
use crate::linalg::cholesky;
use crate::linalg::vector::norm;
use crate::model::penalty::BlockPenalty;
use crate::model::regularizer::{Blocks, Regularizer, group_norm};

/// A residual of this many roundings of its terms counts as converged, when it falls no further: after
/// a while, because the bound may be far above what rounding comes to; at once where it is of few,
/// or of no more than rounding makes of a sum of n terms, √n.
const ROUNDINGS: f64 = 1e3;
const FEW_ROUNDINGS: f64 = 4.0;
/// Steps that do not halve the residual after which it falls no further.
const STUCK: usize = 20;
/// A Newton step that still moves a predictor by this share of the largest is not yet at an end.
const STILL_MOVING: f64 = 1e-4;
/// Steps that move nothing after which a point is given up.
const STALLED: usize = 8;
/// Steps in which the residual does not fall by a tenth after which a point is given up: Newton's, and
/// those of coordinate descent by rows.
const NEWTON_GIVES_UP: usize = 50;
const ROWS_GIVE_UP: usize = 800;
/// The share of the objective whose loss is progress, however the residual jumps.
const LARGE_GAIN: f64 = 1e-3;
/// The share of the tolerance that a model of a step is minimised to.
const MODEL_SHARE: f64 = 0.25;
/// Coordinates up to which memory for a factor is asked for at once: a vector that grows along the path
/// is copied to fresh pages again and again.
const LARGEST_SPARE: usize = 512;
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
    pub(super) blocks: &'s Blocks,
    pub(super) control: &'s Control,
    pub(super) form: Form,
    pub(super) target: usize,
    /// ∇loss(0) and its norm.
    pub(super) origin: Vec<f64>,
    pub(super) origin_norm: f64,
    pub(super) w: Vec<f64>,
    pub(super) z: Vec<f64>,
    pub(super) residuals: Vec<f64>,
    /// ∇loss(w).
    pub(super) gradient: Vec<f64>,
    pub(super) kept: KeptHessian<R>,
    /// How far the curvature is blended towards a majorant.
    pub(super) blend: f64,
    /// w has moved since predictors, residuals and gradient were formed.
    pub(super) stale: bool,
    /// Memory for the next factor.
    pub(super) spare: Vec<R>,
    /// The coordinates that may be free at this point's solution, ascending; the others are zero, and
    /// their gradient is not kept up to date. `None`: all.
    pub(super) alive: Option<Vec<u32>>,
    /// Whether to discard any.
    pub(super) may_screen: bool,
}

/// The effect of one step.
pub(super) struct Step<R> {
    pub(super) steps: usize,
    /// Largest change of a predictor.
    pub(super) moved: f64,
    /// The share of the objective that is gone, where a line was searched for its minimum.
    pub(super) gain: f64,
    /// The system on the face is singular.
    pub(super) singular: bool,
    /// The model was formed, and minimised by Newton's method on its faces.
    pub(super) is_newton: bool,
    pub(super) factor: Option<FaceFactor<R>>,
}

/// How far the system of the free coordinates is from a singular one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regularity {
    /// It is singular to working precision, or was not factored.
    Singular,
    /// A pivot is no larger than the rounding of sums over many rows may have left.
    Doubtful,
    /// All pivots are larger.
    Regular,
}

/// The share of its diagonal entry below which a pivot may be rounding alone.
const DOUBTFUL: f64 = 1e-11;

impl Regularity {
    /// That of a system with this Cholesky factor, of m unknowns.
    pub(super) fn of<R: Real>(factor: &[R], m: usize) -> Self {
        if cholesky::least_share(factor, m) > DOUBTFUL {
            Self::Regular
        } else {
            Self::Doubtful
        }
    }
}

/// How far a solution is determined by its minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// No other coefficients are known to reach the minimum.
    Unique,
    /// Others do; these have the least norm, or are nearest to the prior.
    LeastNorm,
    /// Others do, and those of least norm were not found.
    Undetermined,
}

/// The end of the solve of a point.
pub(super) struct End<R> {
    pub(super) status: Status,
    pub(super) steps: usize,
    pub(super) factor: Option<FaceFactor<R>>,
    /// How far the system on the face is from a singular one.
    pub(super) regularity: Regularity,
    /// How far the minimum determines w.
    pub(super) uniqueness: Uniqueness,
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
            spare: Vec::with_capacity(if smooth.p <= LARGEST_SPARE {
                cholesky::stride(smooth.p) * smooth.p
            } else {
                0
            }),
            alive: None,
            may_screen: form == Form::Auto,
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

    pub(super) fn evaluate_gradient(&mut self) {
        self.smooth
            .residuals(&self.z, self.target, &mut self.residuals);
        match &self.alive {
            None => self.smooth.gradient(&self.residuals, &mut self.gradient),
            Some(alive) => self
                .smooth
                .gradient_of(alive, &self.residuals, &mut self.gradient),
        }
    }

    /// Starts from `w` instead of the last solution.
    pub(super) fn restart(&mut self, w: &[f64]) {
        self.w.copy_from_slice(w);
        self.evaluate();
    }

    /// Distance to optimality at w, given the gradient.
    pub(super) fn distance(&self, regularizer: &Regularizer<'_>) -> f64 {
        let square = |b: usize| regularizer.block_distance(b, &self.w, &self.gradient);
        let total: f64 = match &self.alive {
            None if self.blocks.separable => sum_of(self.w.len(), |j| {
                let penalty = &regularizer.penalties[j];
                regularizer.coordinate_distance(penalty, j, &self.w, &self.gradient)
            }),
            None => (0..self.blocks.len()).map(square).sum(),
            // Only blocks of one coordinate are ever discarded.
            Some(alive) => alive.iter().map(|&j| square(j as usize)).sum(),
        };
        total.sqrt()
    }

    /// The rounding of every block's distance: ε times the size of the terms that it is a sum of.
    ///
    /// |x̂_jᵀ(s∘r)|/n is a sum of terms of size at most ‖x̂_j‖_s ‖r‖_s, and r itself one of
    /// Σ|x̂_ij w_j|; with them go ∇loss(0), the ridge and the penalty's slope. Columns of other
    /// units have other roundings: one size for all would hide the smaller ones.
    pub(super) fn roundings(&self, regularizer: &Regularizer<'_>) -> Vec<f64> {
        let smooth = self.smooth;
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let residual_size = if smooth.loss == Loss::Quadratic {
            0.0
        } else {
            let mut square = 0.0;
            for residuals in self.residuals.chunks_exact(smooth.rows().max(1)) {
                for (r, inverse) in residuals.iter().zip(&smooth.parts.inverse_weight) {
                    square += r * r * inverse;
                }
            }
            square.sqrt()
        };
        let (norm, w) = (&smooth.parts.norm, &self.w);
        let predictor_size = sum_of(smooth.p, |j| norm[j] * w[j].abs());
        let curvature = smooth.loss.curvature_bound();
        let curvature = curvature.unwrap_or_else(|| smooth.typical_curvature(&self.z, self.target));
        let rows = residual_size + curvature * predictor_size;
        let term =
            |j: usize| norm[j] * rows + self.origin[j].abs() + regularizer.ridge_size(j, w[j]);
        let of_block = |(b, penalty): (usize, &BlockPenalty<f64>)| -> f64 {
            let slope = penalty.slope();
            let size = match self.blocks.members(b) {
                _ if self.blocks.separable => term(b),
                [j] => term(*j as usize),
                members => {
                    let square = |&j: &u32| term(j as usize).powi(2);
                    members.iter().map(square).sum::<f64>().sqrt()
                }
            };
            epsilon * (size + slope)
        };
        regularizer
            .penalties
            .iter()
            .enumerate()
            .map(of_block)
            .collect()
    }

    /// The largest distance of a block to optimality, in units of its rounding; NaN where one is.
    pub(super) fn largest_excess(&self, regularizer: &Regularizer<'_>, roundings: &[f64]) -> f64 {
        let mut largest = 0.0;
        let mut visit = |b: usize, square: f64| {
            // An exact value is at its rounding, also where that is zero.
            if square != 0.0 {
                let excess = square / (roundings[b] * roundings[b]);
                // A NaN stays.
                if excess > largest || excess.is_nan() {
                    largest = excess;
                }
            }
        };
        let of_block = |b: usize| regularizer.block_distance(b, &self.w, &self.gradient);
        match &self.alive {
            None if self.blocks.separable => {
                for (j, penalty) in regularizer.penalties.iter().enumerate() {
                    visit(
                        j,
                        regularizer.coordinate_distance(penalty, j, &self.w, &self.gradient),
                    );
                }
            }
            None => (0..self.blocks.len()).for_each(|b| visit(b, of_block(b))),
            // Only blocks of one coordinate are ever discarded.
            Some(alive) => alive
                .iter()
                .for_each(|&j| visit(j as usize, of_block(j as usize))),
        }
        largest.sqrt()
    }

    /// Solves one point from where the path stands.
    pub(super) fn solve(
        &mut self,
        regularizer: &Regularizer<'_>,
        settings: &PathSettings,
    ) -> End<R> {
        let mut end = self.solve_in_full(regularizer, settings);
        let is_at_rounding = settings.tolerance.is_none() && end.status == Status::Converged;
        if is_at_rounding {
            end.uniqueness = self.take_least_norm(regularizer, end.regularity);
            if end.uniqueness != Uniqueness::Unique {
                end.factor = None;
            }
        }
        end
    }

    /// The same, whichever of the solutions it is where there are many.
    fn solve_in_full(&mut self, regularizer: &Regularizer<'_>, settings: &PathSettings) -> End<R> {
        let end = self.solve_alive(regularizer, settings);
        if self.alive.is_none() {
            return end;
        }
        let reached = self.distance(regularizer);
        self.alive = None;
        self.evaluate_gradient();
        if self.distance(regularizer) <= 2.0 * reached || end.status != Status::Converged {
            return end;
        }
        // Rounding has discarded what is not zero after all.
        let may_screen = std::mem::replace(&mut self.may_screen, false);
        let rest = PathSettings {
            max_steps: settings.max_steps.saturating_sub(end.steps),
            ..*settings
        };
        let mut again = self.solve_alive(regularizer, &rest);
        again.steps += end.steps;
        self.may_screen = may_screen;
        again
    }

    /// The same among the coordinates that are not discarded.
    fn solve_alive(&mut self, regularizer: &Regularizer<'_>, settings: &PathSettings) -> End<R> {
        let mut steps = 0;
        // The smallest excess over rounding so far, and where.
        let mut best = (f64::INFINITY, self.w.clone());
        let (mut since_halved, mut unmoved) = (0, 0);
        // The excess when it last fell by a tenth, and the steps since.
        let (mut mark, mut since_mark) = (f64::INFINITY, 0);
        let few_roundings = FEW_ROUNDINGS.max((self.smooth.rows() as f64).sqrt());
        let mut step: Option<Step<R>> = None;
        // The first attempt leaves the last step to the finish, which repeats it anyway.
        let mut hasty = self.blocks.separable;
        self.stale |= regularizer.make_feasible(&mut self.w);
        let status = loop {
            if self.stale {
                self.evaluate();
            }
            self.screen(regularizer);
            let distance = self.distance(regularizer);
            if !distance.is_finite() {
                break Status::NonFinite;
            }
            let roundings = self.roundings(regularizer);
            let excess = self.largest_excess(regularizer, &roundings);
            since_halved = if excess < 0.5 * best.0 {
                0
            } else {
                since_halved + 1
            };
            since_mark += 1;
            if excess < 0.9 * mark {
                (mark, since_mark) = (excess, 0);
            } else if step.as_ref().is_some_and(|s| s.gain > LARGE_GAIN) {
                since_mark = 0;
            }
            if excess < best.0 {
                best.0 = excess;
                best.1.copy_from_slice(&self.w);
            }
            let within_tolerance = settings
                .tolerance
                .is_some_and(|t| distance <= t * self.origin_norm);
            if within_tolerance {
                best.1.copy_from_slice(&self.w);
            }
            let stopped = within_tolerance
                || excess <= 0.25
                || (since_halved > 2 && best.0 <= few_roundings)
                || (since_halved > STUCK && best.0 <= ROUNDINGS);
            // A quadratic always takes a step, whose factor ends it the same from every start.
            let finishes = settings.tolerance.is_none() && self.smooth.loss.is_quadratic();
            if stopped && (step.is_some() || !finishes) {
                let moving = self.may_run_away(regularizer)
                    && step.as_ref().is_none_or(|s| {
                        let largest = self.z.iter().fold(0.0f64, |a, z| a.max(z.abs()));
                        s.moved > STILL_MOVING * (1.0 + largest)
                    });
                if !moving && !self.is_unbounded(regularizer) {
                    break Status::Converged;
                }
                if step.is_some() && self.is_saturated() {
                    break Status::Diverged;
                }
            }
            if steps >= settings.max_steps || (steps > 0 && self.control.should_stop()) {
                break Status::BudgetSpent;
            }
            let gives_up = if step.as_ref().is_some_and(|s| s.is_newton) {
                NEWTON_GIVES_UP
            } else {
                ROWS_GIVE_UP
            };
            if unmoved > STALLED || since_mark > gives_up {
                break Status::Stalled;
            }
            let most = settings.max_steps - steps;
            let goals = self.model_goals(roundings, settings);
            let next = self.step(regularizer, most, &goals, hasty && finishes);
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
            {
                if self.finish_quadratic(regularizer, &k) {
                    let regularity = match &k.factor {
                        Factored::Cholesky(lower) if !regularizer.has_full_ridge() => {
                            Regularity::of(lower, k.set.len())
                        }
                        // A ridge makes it regular.
                        _ => Regularity::Regular,
                    };
                    return End {
                        status: Status::Converged,
                        steps,
                        factor: Some(k),
                        regularity,
                        uniqueness: Uniqueness::Unique,
                    };
                }
                self.spare = k.factor.into_memory();
            }
            hasty = false;
        };
        if status != Status::NonFinite && self.w != best.1 {
            self.w.copy_from_slice(&best.1);
            self.evaluate();
        }
        let mut regularity = Regularity::Singular;
        if status == Status::Converged && settings.tolerance.is_none() {
            regularity = self.finish_smooth(regularizer, ROUNDINGS);
        }
        if status == Status::NonFinite {
            // The next point starts afresh; this one is returned as it is.
            best.1.fill(f64::NAN);
        }
        End {
            status,
            steps,
            factor: None,
            regularity,
            uniqueness: Uniqueness::Unique,
        }
    }

    /// How near to optimality every block of a step's model has to come: to its rounding, or to a share
    /// of the tolerance.
    fn model_goals(&self, mut roundings: Vec<f64>, settings: &PathSettings) -> Vec<f64> {
        if let Some(tolerance) = settings.tolerance {
            let blocks = roundings.len().max(1) as f64;
            let goal = MODEL_SHARE * tolerance * self.origin_norm / blocks.sqrt();
            roundings.iter_mut().for_each(|r| *r = r.max(goal));
        }
        roundings
    }

    /// True when the minimum may be at infinity, so that a vanishing gradient proves nothing.
    fn may_run_away(&self, regularizer: &Regularizer<'_>) -> bool {
        self.smooth.loss.may_fall_without_end()
            && (!regularizer.has_full_ridge() || self.smooth.sample.design.intercept)
    }

    /// True where nothing keeps w from growing, and all rows are saturated: there is no minimum.
    fn is_unbounded(&self, regularizer: &Regularizer<'_>) -> bool {
        let is_held = regularizer.has_full_ridge() || regularizer.has_threshold();
        !is_held && self.may_run_away(regularizer) && self.is_saturated()
    }

    fn is_saturated(&self) -> bool {
        let curvature = self.smooth.curvature(&self.z, self.target, 0.0);
        self.smooth.saturation(&curvature, self.target) < SATURATED
    }

    /// Keeps Σ_c w_c = 0 where nothing else fixes the sum over classes.
    pub(super) fn fix_gauge(&mut self, regularizer: &Regularizer<'_>) {
        fix_gauge(self.smooth, regularizer, &mut self.w);
    }

    /// Gradient of everything on the face, zero off it.
    pub(super) fn face_residual(&self, regularizer: &Regularizer<'_>) -> Vec<f64> {
        let mut rho = vec![0.0; self.smooth.p];
        for (b, penalty) in regularizer.penalties.iter().enumerate() {
            let members = self.blocks.members(b);
            if !regularizer.is_free(b, &self.w) {
                continue;
            }
            let pull = penalty.norm_pull(group_norm(members, &self.w));
            for &j in members {
                let j = j as usize;
                let face = penalty.coordinate.face(self.w[j]);
                if face != 0 {
                    rho[j] = self.gradient[j]
                        + regularizer.ridge_gradient(j, self.w[j])
                        + penalty.coordinate.face_slope(face)
                        + pull * self.w[j];
                }
            }
        }
        rho
    }
}

/// Keeps Σ_c w_c = 0 over the classes of multinomial intercepts, and of columns that nothing penalises: probabilities
/// do not change with the sum, so that roundings of singular steps would let it grow until they are all that
/// predictors hold.
pub(super) fn fix_gauge<R: Real>(
    smooth: &Smooth<'_, R>,
    regularizer: &Regularizer<'_>,
    w: &mut [f64],
) {
    let c = smooth.classes;
    if c == 1 {
        return;
    }
    for (column, w) in w.chunks_exact_mut(c).enumerate() {
        if (column * c..(column + 1) * c).all(|j| regularizer.is_unpenalized(j)) {
            let mean = w.iter().sum::<f64>() / c as f64;
            w.iter_mut().for_each(|w| *w -= mean);
        }
    }
}
