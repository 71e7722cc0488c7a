//! The engine of the path kernel: squared and quadratic problems with few coefficients on a graphics device,
//! solved, differentiated and diagnosed by coordinate descent on the Gram matrix, one team a point.
//!
//! Every point starts from w = 0, so that it has the same bits in any batch. What the kernel does not
//! bring to rounding, or to the tolerance, is left to the recordings.

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::walks::{Limits, Numbers, Segment, WalkPoint};
use crate::exec::{Device, Gpu, Twinned};
use crate::iterate::Progress;
use crate::kinds::{Method, Precision, Solver, Status, Wrt};
use crate::linalg::cholesky;
use crate::map::spectrum::Step;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::path::Uniqueness;
use crate::problem::{Point, Problem, Strengths};

use super::assembly::{Figures, conclude};
use super::diagnose::DualityGap;
use super::interface::Engine;
use super::kinks::Kinks;
use super::normal::{Intercept, NormalEquations, OfTarget};
use super::outcome::{EngineName, Engines, Hypergradient, Outcome};
use super::request::{Reason, Request, Task, holds};
use super::solved::Differentiated;

/// Points of a call of the device: their numbers and vectors fit any buffer.
pub(super) const TOGETHER: usize = 1 << 16;
/// Numbers of vectors that a call brings back, at most.
const VECTORS: usize = 1 << 24;
/// Points of a segment: each from w = 0, and not from its neighbour in the batch.
const SEGMENT: usize = 1;
/// The distance to optimality that descent goes to without a tolerance, over the root of the curvature and in
/// units of the target.
const DISTANCE: f64 = f32::EPSILON as f64;
/// The same for the adjoint, in units of the largest entry of ∂₁E.
const ADJOINT: f64 = 2.0 * f32::EPSILON as f64;
/// A distance that counts as one of rounding, in units of the target and of the largest coordinate.
const ROUNDING: f64 = 32.0 * f32::EPSILON as f64;
/// Passes over the coordinates of either descent, at most: more are the sign of a condition at which a Gram
/// matrix in f32 loses too many digits of the hypergradient.
const PASSES: usize = 64;
/// The same for few coordinates, in updates.
const UPDATES: usize = 512;
/// The ridge, in units of the mean curvature, up to which the Hessian on the support is factored.
const WEAK_RIDGE: f64 = 1e-4;
/// The share of a curvature that is left of it where columns do not depend on each other.
const LEAST_PIVOT: f32 = 1e-4;
/// A relative residual of the adjoint that counts as one of rounding.
const ADJOINT_ROUNDING: f64 = 1e-5;

/// Coordinate descent on the Gram matrix, on a graphics device in f32.
pub(super) struct PathKernel;

impl<R: Twinned> Engine<R> for PathKernel {
    fn name(&self) -> EngineName {
        EngineName::PathKernel
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        let (problem, settings) = (request.problem, request.settings);
        holds(request.task == Task::Whole, Reason::Task)?;
        let Device::Gpu(gpu) = &settings.device else {
            return Err(Reason::Device);
        };
        holds(R::PRECISION == Precision::F32, Reason::Precision)?;
        holds(problem.loss.is_quadratic(), Reason::Loss)?;
        holds(problem.criterion.loss == problem.loss, Reason::Criterion)?;
        let has_formulas = match &problem.penalty {
            Penalty::ElasticNet | Penalty::NonNegative => true,
            Penalty::Weighted { .. } | Penalty::Box { .. } => true,
            Penalty::Group { .. } | Penalty::SparseGroup { .. } | Penalty::Bounded { .. } => false,
        };
        holds(has_formulas, Reason::Penalty)?;
        let is_plain = problem.ridge.is_none() && problem.prior.is_none();
        let has_own =
            |p: &Point| p.strengths().is_some() || p.ridge().is_some() || p.prior().is_some();
        holds(
            is_plain && !request.points.iter().any(has_own),
            Reason::Ridge,
        )?;
        let is_implicit = matches!(settings.method, None | Some(Method::AidCg | Method::Direct));
        holds(is_implicit, Reason::Method)?;
        holds(settings.solver == Solver::Auto, Reason::Solver)?;
        let of_strengths = |wrt: &Wrt| matches!(wrt, Wrt::L1 | Wrt::L2);
        holds(settings.wrt.iter().all(of_strengths), Reason::Derivatives)?;
        holds(gpu.walks(problem.penalized()), Reason::Coordinates)
    }

    fn evaluate(&self, request: &Request<'_>) -> Result<Vec<Option<Outcome>>> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(request.points.len(), || None);
        let Device::Gpu(gpu) = &request.settings.device else {
            return Ok(outcomes);
        };
        // The Gram matrices are those of a member, the linear parts those of a target.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let targets = request.problem.train.targets.len();
        groups.resize_with(request.members.problems().count() * targets, Vec::new);
        for (at, point) in request.points.iter().enumerate() {
            let place = request.members.problems().place(point);
            groups[place * targets + point.target].push(at);
        }
        for group in groups.iter().filter(|group| !group.is_empty()) {
            let first = &request.points[group[0]];
            let Some(equations) = request.members.normal_equations(first) else {
                continue;
            };
            let of_group = Group {
                request,
                problem: request.members.problem(first),
                equations,
                target: &equations.targets[first.target],
            };
            let vectors = 2 * request.problem.penalized();
            for members in group.chunks(TOGETHER.min(VECTORS / vectors)) {
                if request.control.should_stop() {
                    return Ok(outcomes);
                }
                let made = of_group.walk(gpu, members)?;
                request
                    .control
                    .report_finished(made.iter().flatten().count());
                for (&at, outcome) in members.iter().zip(made) {
                    outcomes[at] = outcome;
                }
            }
        }
        Ok(outcomes)
    }
}

/// Points of one member and target.
struct Group<'a> {
    request: &'a Request<'a>,
    problem: &'a Problem,
    equations: &'a NormalEquations,
    target: &'a OfTarget,
}

impl Group<'_> {
    /// The outcomes of some of the points.
    fn walk(&self, gpu: &Gpu, members: &[usize]) -> Result<Vec<Option<Outcome>>> {
        let settings = self.request.settings;
        let unit = self.target.unit;
        let points = members.iter().map(|&at| &self.request.points[at]);
        let steps: Vec<Step> = points
            .clone()
            .map(|point| self.request.members.step(point))
            .collect();
        let walked = points.clone().zip(&steps).map(|(point, step)| WalkPoint {
            l1: (point.l1 / unit) as f32,
            l2: point.l2 as f32,
            gamma: step.gamma as f32,
        });
        let walked: Vec<WalkPoint<f32>> = walked.collect();
        let segments: Vec<Segment> = (0..walked.len())
            .step_by(SEGMENT)
            .map(|first| Segment {
                first: first as u32,
                count: SEGMENT.min(walked.len() - first) as u32,
            })
            .collect();
        let has_weak = points.clone().any(|point| self.has_weak_ridge(point));
        let of_each = self.problem.penalty.has_strength_vector();
        let keep = self.keeps_solutions()
            || has_weak
            || settings.method.is_some() && of_each && settings.differentiates(Wrt::L1);
        let quadratic = &self.target.quadratic;
        let found = gpu.walk(quadratic, &walked, &segments, &self.limits(), keep)?;
        let d = self.problem.penalized();
        let made = found.numbers.par_iter().enumerate().map(|(at, numbers)| {
            let vectors = found.vectors.get(2 * d * at..2 * d * (at + 1));
            let here = Here {
                group: self,
                point: &self.request.points[members[at]],
                step: steps[at],
                numbers,
                vectors: vectors.map(|both| both.split_at(d)),
            };
            here.outcome()
        });
        Ok(made.collect())
    }

    /// True where outcomes come with their vectors: the contraction is estimated at them.
    fn keeps_solutions(&self) -> bool {
        let settings = self.request.settings;
        settings.solutions || settings.contraction
    }

    /// True where the ridge may not tell apart columns that depend on each other.
    fn has_weak_ridge(&self, point: &Point) -> bool {
        point.l2 <= WEAK_RIDGE * self.trace() / self.problem.penalized() as f64
    }

    /// The sum of the curvatures.
    fn trace(&self) -> f64 {
        let (d, gram) = (self.problem.penalized(), &self.target.quadratic.gram);
        (0..d).map(|j| f64::from(gram[j * d + j])).sum()
    }

    /// Where descent ends, in units of the target.
    fn limits(&self) -> Limits<f32> {
        let settings = self.request.settings;
        let mut distance = DISTANCE;
        if let Some(tolerance) = settings.tolerance {
            // ‖distances‖ ≤ limit·√Σa_j is half of what is asked for.
            let asked = 0.5 * tolerance * self.scale();
            distance = distance.max(asked / self.trace().max(f64::MIN_POSITIVE).sqrt());
        }
        Limits {
            distance: distance as f32,
            adjoint: settings.method.map(|_| ADJOINT as f32),
            most: self.most() as u32,
        }
    }

    /// The most updates of either descent.
    fn most(&self) -> usize {
        let d = self.problem.penalized();
        let asked = self.request.settings.max_steps.saturating_mul(d);
        asked.min((PASSES * d).max(UPDATES))
    }

    /// ‖∇loss(0)‖, in units of the target.
    fn scale(&self) -> f64 {
        let squares = self.target.quadratic.linear.iter();
        let squares = squares.map(|&b| f64::from(b).powi(2));
        squares.sum::<f64>().sqrt()
    }
}

/// One point that a walk has come to.
struct Here<'a> {
    group: &'a Group<'a>,
    point: &'a Point,
    step: Step,
    numbers: &'a Numbers<f32>,
    /// w and v in units of the target, where they came back.
    vectors: Option<(&'a [f32], &'a [f32])>,
}

impl Here<'_> {
    /// The outcome; `None` where the point is to be solved otherwise.
    fn outcome(&self) -> Option<Outcome> {
        let Group {
            request,
            problem,
            target,
            ..
        } = *self.group;
        let settings = request.settings;
        let (n, unit) = (self.numbers, target.unit);
        if !(self.is_solved() && self.is_differentiated()) {
            return None;
        }
        let square = unit * unit;
        let objective = f64::from(n.objective) * square;
        let is_bounded = problem.loss == Loss::Squared || self.point.l2 > 0.0;
        let gap = DualityGap::new(f64::from(n.gap) * square, objective, target.at_zero)
            .filter(|_| is_bounded);
        if settings.tolerance.is_none() && self.is_contradicted(gap, objective) {
            return None;
        }
        // A bound beyond the objective at zero says nothing.
        let gap = gap.filter(|_| f64::from(n.gap) * square <= target.at_zero.abs());
        let (margin, prox, solution) = (n.kink, n.sure_kink, n.sure_zero_kink);
        let in_strengths = settings.differentiates(Wrt::L1);
        let of = |x: f32| f64::from(x) * unit;
        let (margin, solution) = if in_strengths {
            (of(margin).min(of(n.zero_kink)), of(solution))
        } else {
            (of(margin), f64::INFINITY)
        };
        let rounding = Kinks::rounding(f64::from(f32::EPSILON), of(n.terms));
        let epochs = |updates: f32| (updates as usize).div_ceil(problem.penalized());
        let progress = Progress {
            status: Status::Converged,
            steps: epochs(n.steps),
        };
        let (solution_vector, adjoint) = match self.vectors {
            Some((w, v)) if self.group.keeps_solutions() => self.whole(w, v),
            _ => (Vec::new(), Vec::new()),
        };
        let mut differentiated = Differentiated::without_adjoint();
        if settings.method.is_some() {
            differentiated.hypergradient = Some(self.hypergradient());
            differentiated.progress.steps = epochs(n.linear_steps);
            differentiated.linear_residual = Some(self.linear_residual());
            differentiated.v = adjoint;
        }
        let name = EngineName::PathKernel;
        let figures = Figures {
            problem,
            point: self.point,
            engines: Engines {
                solve: name,
                adjoint: settings.method.map(|_| name),
            },
            step: self.step,
            objective,
            criterion: f64::from(n.criterion) * square,
            residual: of(n.residual),
            gap,
            kinks: Kinks::measured(margin, of(prox), solution, rounding),
            support: n.support as usize,
            uniqueness: Uniqueness::Unique,
            has_prior: false,
            solution: solution_vector,
        };
        Some(conclude(
            figures,
            progress,
            &differentiated,
            settings,
            || None,
        ))
    }

    /// True where the walk came here and ended at the tolerance, or at rounding.
    fn is_solved(&self) -> bool {
        let n = self.numbers;
        let is_finite = [n.objective, n.criterion, n.residual, n.distance, n.along_l2]
            .iter()
            .all(|x| x.is_finite());
        let enough = match self.group.request.settings.tolerance {
            Some(tolerance) => f64::from(n.residual) <= tolerance * self.group.scale(),
            None => f64::from(n.distance) <= ROUNDING * (1.0 + f64::from(n.largest)),
        };
        n.reached != 0.0
            && is_finite
            && enough
            && (n.steps as usize) < self.group.most()
            && self.is_unique()
    }

    /// True where the coefficients are told apart: those that may be free do not depend on each other, as far as f32
    /// says. With little ridge descent is at rounding wherever it shares a coefficient among equal columns.
    fn is_unique(&self) -> bool {
        if !self.group.has_weak_ridge(self.point) {
            return true;
        }
        let is_tied = self.numbers.sure_kink.min(self.numbers.sure_zero_kink) <= 0.0;
        !is_tied && self.is_regular()
    }

    fn linear_residual(&self) -> f64 {
        let residual = f64::from(self.numbers.linear_residual);
        if residual == 0.0 {
            0.0
        } else {
            residual / f64::from(self.numbers.gradient)
        }
    }

    /// True where the adjoint ended likewise, and the Hessian on the support is not singular.
    fn is_differentiated(&self) -> bool {
        let settings = self.group.request.settings;
        if settings.method.is_none() {
            return true;
        }
        let enough = settings.tolerance.unwrap_or(0.0).max(ADJOINT_ROUNDING);
        let is_quick = (self.numbers.linear_steps as usize) < self.group.most();
        is_quick && self.linear_residual() <= enough
    }

    /// True where a coordinate with this value moves with the strengths.
    fn is_free(&self, w: f32) -> bool {
        let [lower, upper] = self.group.target.quadratic.bounds;
        match self.group.problem.penalty {
            Penalty::Box { .. } => lower < w && w < upper,
            Penalty::NonNegative => w > 0.0,
            _ => w != 0.0 || self.point.l1 == 0.0,
        }
    }

    /// True where the Hessian on the support has a Cholesky factor.
    fn is_regular(&self) -> bool {
        let Some((w, _)) = self.vectors else {
            return false;
        };
        let d = w.len();
        let set: Vec<usize> = (0..d).filter(|&j| self.is_free(w[j])).collect();
        if set.is_empty() {
            return true;
        }
        let stride = cholesky::stride(set.len());
        let mut factor = vec![0.0f32; stride * set.len()];
        let gram = &self.group.target.quadratic.gram;
        for (column, &j) in factor.chunks_exact_mut(stride).zip(&set) {
            for (entry, &i) in column.iter_mut().zip(&set) {
                *entry = gram[j * d + i];
            }
        }
        for (at, column) in factor.chunks_exact_mut(stride).enumerate() {
            column[at] += self.point.l2 as f32;
        }
        // On the diagonal of a factor stand the roots of the inverse pivots.
        cholesky::factor(&mut factor, set.len())
            && set.iter().enumerate().all(|(at, &j)| {
                let inverse = factor[at * stride + at];
                inverse * inverse * gram[j * d + j] * LEAST_PIVOT < 1.0
            })
    }

    /// Evidence against convergence to rounding, as [`super::assembly`] asks for it.
    fn is_contradicted(&self, gap: Option<DualityGap>, objective: f64) -> bool {
        let n = self.numbers;
        let at_zero = self.group.target.at_zero;
        let is_above = self.group.problem.penalty.allows_zero()
            && self.group.problem.loss != Loss::Quadratic
            && objective - at_zero > 1e-6 * at_zero.abs();
        gap.is_some_and(|gap| gap.is_open)
            || is_above
            || n.moved > 1e-3 * n.largest
                && f64::from(n.moved) * self.group.target.unit > 1e-9 * at_zero.abs().sqrt()
    }

    fn hypergradient(&self) -> Hypergradient {
        let settings = self.group.request.settings;
        let problem = self.group.problem;
        let (n, unit) = (self.numbers, self.group.target.unit);
        let mut found = Hypergradient::default();
        if settings.wrt.contains(&Wrt::L1) {
            found.l1 = Some(match self.vectors {
                Some((w, v)) if problem.penalty.has_strength_vector() => {
                    // The slope of the prox in the strength is −γ sign(w), and z = v where w is not zero.
                    let gamma = self.step.gamma * unit;
                    let along = |(&w, &v): (&f32, &f32)| {
                        let sign = if w == 0.0 { 0.0 } else { f64::from(w).signum() };
                        -sign * gamma * f64::from(v)
                    };
                    Strengths::Each(w.iter().zip(v).map(along).collect())
                }
                _ => Strengths::Common(f64::from(n.along_l1) * unit),
            });
        }
        if settings.wrt.contains(&Wrt::L2) {
            found.l2 = Some((f64::from(n.along_l2) * unit * unit).into());
        }
        found
    }

    /// w and v with the entries of the intercept, in the units of the problem.
    fn whole(&self, w: &[f32], v: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let OfTarget {
            unit,
            base,
            held_out_linear,
            ..
        } = *self.group.target;
        let widened = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x) * unit).collect() };
        let (mut solution, mut adjoint) = (widened(w), widened(v));
        if self.group.request.settings.method.is_none() {
            adjoint.clear();
        }
        let Some(Intercept {
            slopes,
            curvature,
            held_out,
        }) = &self.group.equations.intercept
        else {
            return (solution, adjoint);
        };
        let along = |x: &dyn Fn(usize) -> f64, of: &[f64]| -> f64 {
            (0..w.len()).map(|j| of[j] * x(j)).sum()
        };
        let intercept = base - along(&|j| solution[j], slopes);
        if !adjoint.is_empty() {
            // z_o = (∂₁E_o − G_o z)/G_oo, z without what is off the support.
            let pull = along(&|j| solution[j], held_out);
            let pull = pull + held_out[w.len()] * intercept - held_out_linear;
            let z = |j: usize| if self.is_free(w[j]) { adjoint[j] } else { 0.0 };
            let own = pull / (curvature * self.step.gamma) - along(&z, slopes);
            adjoint.push(own);
        }
        solution.push(intercept);
        (solution, adjoint)
    }
}
