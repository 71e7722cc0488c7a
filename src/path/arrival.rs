//! The knowledge at hand where a path arrives at a point: the solution with its predictors and gradient, the
//! factored system on its support. The adjoint is solved there and then, so that no factor has to
//! be kept.

use crate::kinds::Status;
use crate::problem::{Point, Problem};
use crate::real::{Real, widen};

use super::columns::DesignColumns;
use super::quadratic::Factored;
use super::restricted::{RestrictedFactor, RestrictedMethod, RestrictedSolution, System};
use super::smooth::{Parts, Smooth};
use super::walk::{End, Uniqueness, Walk};
use super::{LARGEST_RETAINED_SUPPORT, PathSolution};
use crate::linalg::products::add_columns;
use crate::linalg::refine::Limits;
use crate::linalg::vector::positions;
use crate::model::regularizer::Regularizer;

/// A solved point, while the path stands there.
pub struct Arrival<'w, R> {
    /// The place of the point among those of the call.
    pub at: usize,
    /// The point.
    pub point: &'w Point,
    pub(super) walk: &'w Walk<'w, 'w, R>,
    pub(super) regularizer: &'w Regularizer<'w>,
    pub(super) end: End<R>,
}

impl<R: Real> Arrival<'_, R> {
    /// Penalty, ridge and prior of the point.
    #[must_use]
    pub fn regularizer(&self) -> &Regularizer<'_> {
        self.regularizer
    }

    /// The status of the solve.
    #[must_use]
    pub fn status(&self) -> Status {
        self.end.status
    }

    /// Epochs of coordinate descent and linear steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.end.steps
    }

    /// How far the minimum determines the solution.
    #[must_use]
    pub fn uniqueness(&self) -> Uniqueness {
        self.end.uniqueness
    }

    /// The solution: p scaled coefficients, intercepts last.
    #[must_use]
    pub fn solution(&self) -> &[f64] {
        &self.walk.w
    }

    /// Linear predictors X̂w, class-major: `[k·n + i]`.
    #[must_use]
    pub fn predictors(&self) -> &[f64] {
        &self.walk.z
    }

    /// ∇loss at the solution, p entries, formed from the rows.
    #[must_use]
    pub fn gradient(&self) -> &[f64] {
        &self.walk.gradient
    }

    /// The loss at the solution, without ridge and penalty.
    #[must_use]
    pub fn loss(&self) -> f64 {
        let walk = self.walk;
        walk.smooth.value(&walk.w, &walk.z, walk.target)
    }

    /// z of the adjoint, as [`solve_restricted`](super::solve_restricted) has it, for a criterion with
    /// this gradient, the step γ and the range of D, one flag a coordinate; and (∇²loss + λ₂)z.
    ///
    /// Not for groups, whose system is not one of flags.
    #[must_use]
    pub fn adjoint(
        &self,
        mask: &[bool],
        criterion_gradient: &[f64],
        step: f64,
        method: RestrictedMethod,
        limits: &Limits<'_>,
    ) -> (RestrictedSolution<R>, Vec<f64>) {
        let walk = self.walk;
        let curvature = walk.smooth.curvature(&walk.z, walk.target, 0.0);
        let mut range = Vec::new();
        positions(mask.len(), |j| mask[j], &mut range);
        let system = System::on(
            walk.smooth,
            self.regularizer,
            walk.w.clone(),
            range,
            curvature,
        );
        let rhs: Vec<f64> = system
            .set
            .iter()
            .map(|&j| criterion_gradient[j as usize] / step)
            .collect();
        let mut image = Vec::new();
        let factor = self.end.factor.as_ref();
        let solved = system.solve(&rhs, factor, method, limits, &mut image);
        if image.is_empty() {
            image = self.hessian_product(&solved.z);
        }
        (solved, image)
    }

    /// (∇²loss + λ₂)x at the solution, p entries.
    fn hessian_product(&self, x: &[R]) -> Vec<f64> {
        let x = &widen(x);
        let walk = self.walk;
        let smooth = walk.smooth;
        let mut product = vec![0.0; smooth.p];
        if let Some(hessian) = smooth.hessian_in_full() {
            add_columns(hessian, x, &mut product);
        } else {
            let mut rows = vec![0.0; walk.z.len()];
            smooth.predictors(x, &mut rows);
            let curvature = smooth.curvature(&walk.z, walk.target, 0.0);
            smooth.apply_curvature(&curvature, &mut rows);
            smooth.gradient(&rows, &mut product);
        }
        for (j, product) in product.iter_mut().enumerate() {
            *product += self.regularizer.ridge(j) * x[j];
        }
        product
    }

    /// The solution by itself; it takes the factor on its support along where that has at most
    /// `largest` entries.
    pub(super) fn take_solution(&mut self, largest: usize) -> PathSolution<R> {
        let w = &self.walk.w;
        let mut factor = self.end.factor.take_if(|k| {
            let support = k.set.len();
            support <= LARGEST_RETAINED_SUPPORT && support * support <= largest
        });
        if let Some(k) = &mut factor
            && let Factored::Cholesky(lower) = &mut k.factor
        {
            lower.shrink_to_fit();
        }
        PathSolution {
            w: w.iter().map(|&w| R::of(w)).collect(),
            status: self.end.status,
            steps: self.end.steps,
            factor: factor.map(|k| RestrictedFactor::new(k, self.regularizer.ridges.clone())),
            uniqueness: self.end.uniqueness,
        }
    }
}

/// The criterion of a problem by columns: value and gradient for one point at a time.
#[derive(Debug, Clone)]
pub struct CriterionColumns {
    parts: Parts<f64>,
    /// Per target the gradient at w = 0, where the Hessian is formed.
    origins: Vec<Vec<f64>>,
}

impl CriterionColumns {
    /// Prepares the criterion of a problem; `columns` are those of its design, or of another one.
    #[must_use]
    pub fn new(problem: &Problem, columns: &DesignColumns<f64>) -> Self {
        let criterion = &problem.criterion;
        let (sample, loss) = (&criterion.sample, criterion.loss);
        let columns = columns.for_sample(sample);
        let parts = Parts::new(sample, columns, loss, problem.classes, true);
        let smooth = Smooth::new(sample, loss, problem.classes, &parts);
        let rows = smooth.rows() * smooth.classes;
        let origin = |target: usize| {
            let (mut residuals, mut gradient) = (vec![0.0; rows], vec![0.0; smooth.p]);
            smooth.residuals(&vec![0.0; rows], target, &mut residuals);
            smooth.gradient(&residuals, &mut gradient);
            gradient
        };
        let targets = smooth.hessian_in_full().map_or(0, |_| sample.targets.len());
        let origins = (0..targets).map(origin).collect();
        Self { parts, origins }
    }

    pub(super) fn smooth<'a>(&'a self, problem: &'a Problem) -> Smooth<'a, f64> {
        let criterion = &problem.criterion;
        Smooth::new(
            &criterion.sample,
            criterion.loss,
            problem.classes,
            &self.parts,
        )
    }

    /// E(w) and ∂₁E, p entries, at scaled coefficients w.
    #[must_use]
    pub fn evaluate(&self, problem: &Problem, w: &[f64], target: usize) -> (f64, Vec<f64>) {
        let criterion = &problem.criterion;
        let smooth = self.smooth(problem);
        let rows = smooth.rows() * smooth.classes;
        let mut z = vec![0.0; rows];
        smooth.predictors(w, &mut z);
        let mut gradient;
        if let Some(hessian) = smooth.hessian_in_full() {
            gradient = self.origins[target].clone();
            add_columns(hessian, w, &mut gradient);
        } else {
            gradient = vec![0.0; smooth.p];
            let mut residuals = vec![0.0; rows];
            smooth.residuals(&z, target, &mut residuals);
            smooth.gradient(&residuals, &mut gradient);
        }
        let sign = criterion.sign.factor();
        gradient.iter_mut().for_each(|g| *g *= sign);
        let value = smooth.value(w, &z, target);
        (sign * value, gradient)
    }
}
