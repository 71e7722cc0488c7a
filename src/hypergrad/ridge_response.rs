//! The criterion as a function of ridge strengths around a solution: exact to second order in them, and for the
//! squared loss altogether.
//!
//! # The response
//!
//! Without a slope of the penalty the solution at ridge strengths Λ is a root of ∇L(w) + Λ(w − c). Around the
//! solution ŵ at Λ̂, with the Hessian A of L there,
//!
//! ```text
//! Δ = −(A + Λ)⁻¹ (Λ − Λ̂)(ŵ − c)        ≈ w(Λ) − ŵ
//! ```
//!
//! The gradient of L is linear in that. What it leaves out is ½ ∇³L[Δ, Δ], which moves the root further by
//! −½ (A + Λ̂)⁻¹ ∇³L[Δ, Δ], and the criterion by −½ Δᵀ T Δ with T = ∇³L[p], p = (A + Λ̂)⁻¹ ∇E, as far as second
//! order goes. So
//!
//! ```text
//! E(w(Λ)) − E(ŵ) ≈ ∇E·Δ + ½ Δᵀ (∇²E − T) Δ        ∂/∂Λ_j = −(ŵ + Δ − c)_j v_j,  (A + Λ) v = ∇E + (∇²E − T) Δ
//! ```
//!
//! has the criterion's own slope and Hessian at Λ̂, and stays bounded as strengths grow or vanish.
//!
//! Intercepts of several classes have a shift in common that changes nothing; A gets the square of their sum.

use faer::Mat;

use super::support::Support;
use crate::engine::products::predictors;
use crate::linalg::cholesky;
use crate::linalg::vector::dot;
use crate::model::criterion::residuals_in_place;
use crate::model::loss::{Loss, RowLoss, multinomial};
use crate::problem::{Point, Problem, Sample, Strengths};

/// The most coordinates: systems of their size are solved for every set of strengths.
const MOST_COORDINATES: usize = 256;
/// The most multiplications of the products of rows.
const MOST_WORK: usize = 4_000_000_000;
/// Passes over the rows that an evaluation takes at least, of losses whose products of rows serve all strengths.
const PASSES_SQUARED: f64 = 2.0;
/// The same of other losses.
const PASSES: f64 = 20.0;

/// The response of a problem's criterion to ridge strengths around a solution.
#[derive(Debug, Clone)]
pub(crate) struct RidgeResponse {
    /// ŵ − c of penalised coordinates.
    from_prior: Vec<f64>,
    /// Λ̂ of penalised coordinates.
    ridges: Vec<f64>,
    /// A, with the gauge of intercepts.
    hessian: Mat<f64>,
    /// ∇E.
    gradient: Vec<f64>,
    /// ∇²E − T.
    curvature: Mat<f64>,
}

impl RidgeResponse {
    /// Whether a problem has one at a point: not where coefficients can be held at zero or at bounds, for losses
    /// whose curvature has no stated derivative or kinks, and for problems that are too large.
    pub(crate) fn serves(problem: &Problem, point: &Point) -> bool {
        let criterion = problem.criterion();
        let is_smooth = |loss: Loss| loss == Loss::Multinomial || has_curvature_slope(loss);
        if !is_smooth(problem.loss()) || !is_smooth(criterion.loss) || point.has_own_rows() {
            return false;
        }
        let (all, classes) = (problem.coordinates(), problem.classes());
        let rows = problem.train().rows() + criterion.sample.rows();
        let columns = all / classes;
        let work = rows.saturating_mul(columns * columns * classes * (classes + 1) / 2);
        let is_small = all <= MOST_COORDINATES && work <= MOST_WORK;
        is_small && !problem.regularizer(point).has_slope()
    }

    /// The evaluations of a response that take as long as one of the problem, by their multiplications.
    pub(crate) fn worth(problem: &Problem) -> f64 {
        let all = problem.coordinates() as f64;
        let rows = (problem.train().rows() + problem.criterion().sample.rows()) as f64;
        let passes = if Self::is_exact(problem) {
            PASSES_SQUARED
        } else {
            PASSES
        };
        let factor = all.powi(3) / 3.0;
        (passes * rows * all + 2.0 * factor) / (factor + 4.0 * all.powi(2)).max(1.0)
    }

    /// Whether responses are exact: of the squared loss and criterion.
    pub(crate) fn is_exact(problem: &Problem) -> bool {
        problem.loss() == Loss::Squared && problem.criterion().loss == Loss::Squared
    }

    /// That at the solution of a point; `None` where there is none, and where the system is singular.
    pub(crate) fn of(problem: &Problem, point: &Point, w: &[f64]) -> Option<Self> {
        if !Self::serves(problem, point) {
            return None;
        }
        let criterion = problem.criterion();
        let regularizer = problem.regularizer(point);
        let (penalized, all) = (problem.penalized(), problem.coordinates());
        let classes = problem.classes();
        let ridges: Vec<f64> = (0..penalized).map(|j| regularizer.ridge(j)).collect();
        let prior = point.prior().or(problem.prior());
        let from_prior = |j: usize| w[j] - prior.map_or(0.0, |prior| prior[j]);
        let train = Rows::of(problem.loss(), problem.train(), point.target, w, 1.0);
        let mut hessian = train.gram(classes, None)?;
        if classes > 1 && problem.train().design.intercept {
            for k in penalized..all {
                for l in penalized..all {
                    hessian[(k, l)] += 1.0;
                }
            }
        }
        let sign = criterion.sign.factor();
        let held = Rows::of(criterion.loss, &criterion.sample, point.target, w, sign);
        let gradient = held.gradient();
        let mut response = Self {
            from_prior: (0..penalized).map(from_prior).collect(),
            ridges,
            hessian,
            gradient,
            curvature: held.gram(classes, None)?,
        };
        let mut adjoint = response.gradient.clone();
        let factor = response.factor(&response.ridges)?;
        cholesky::solve(&factor, &mut adjoint);
        let along = predictors(&train.sample.design, &adjoint, classes);
        response.curvature -= train.gram(classes, Some(&along))?;
        Some(response)
    }

    /// The change of the criterion at ridge strengths, and its derivative in each of them; `None` where the
    /// system is singular.
    pub(crate) fn at(&self, ridges: &Strengths) -> Option<(f64, Vec<f64>)> {
        let all = self.gradient.len();
        let own: Vec<f64> = (0..self.ridges.len()).map(|j| ridges.at(j)).collect();
        let factor = self.factor(&own)?;
        let mut moved = vec![0.0; all];
        for (j, moved) in moved.iter_mut().enumerate().take(own.len()) {
            *moved = -(own[j] - self.ridges[j]) * self.from_prior[j];
        }
        cholesky::solve(&factor, &mut moved);
        // Columns are the rows of what is symmetric.
        let bent: Vec<f64> = (0..all)
            .map(|i| dot(self.curvature.col_as_slice(i), &moved))
            .collect();
        let change = dot(&self.gradient, &moved) + 0.5 * dot(&bent, &moved);
        let mut adjoint: Vec<f64> = self
            .gradient
            .iter()
            .zip(&bent)
            .map(|(g, b)| g + b)
            .collect();
        cholesky::solve(&factor, &mut adjoint);
        let slope = |j: usize| -(self.from_prior[j] + moved[j]) * adjoint[j];
        change
            .is_finite()
            .then(|| (change, (0..own.len()).map(slope).collect()))
    }

    /// The factor of A + Λ.
    fn factor(&self, ridges: &[f64]) -> Option<Vec<f64>> {
        let m = self.gradient.len();
        let stride = cholesky::stride(m);
        let mut matrix = vec![0.0; stride * m];
        for j in 0..m {
            let column = &self.hessian.col_as_slice(j)[j..];
            matrix[j * stride + j..j * stride + m].copy_from_slice(column);
            matrix[j * stride + j] += ridges.get(j).copied().unwrap_or(0.0);
        }
        cholesky::factor(&mut matrix, m).then_some(matrix)
    }
}

/// Whether the derivative of a loss's curvature is stated.
fn has_curvature_slope(loss: Loss) -> bool {
    let row = loss.scalar();
    row.is_some_and(|row| row.curvature_slope(0.0, 1.0).is_some())
}

/// Rows with their predictors and the weights of their mean.
struct Rows<'a> {
    loss: Loss,
    sample: &'a Sample,
    y: &'a [f64],
    z: Vec<f64>,
    /// The weight of each row in the mean, times the sign.
    weights: Vec<f64>,
}

impl<'a> Rows<'a> {
    fn of(loss: Loss, sample: &'a Sample, target: usize, w: &[f64], sign: f64) -> Self {
        let y = &sample.targets[target];
        let classes = w.len() / sample.design.columns();
        let count = y.len() as f64;
        Self {
            loss,
            sample,
            y,
            z: predictors(&sample.design, w, classes),
            weights: sample.weights.iter().map(|s| sign * s / count).collect(),
        }
    }

    /// The gradient of the weighted sum.
    fn gradient(&self) -> Vec<f64> {
        let mut residuals = self.z.clone();
        residuals_in_place(self.loss, &mut residuals, self.y, |i| self.weights[i]);
        let classes = self.z.len() / self.y.len().max(1);
        let design = &self.sample.design;
        let mut gradient = vec![0.0; design.columns() * classes];
        for k in 0..classes {
            let column: Vec<f64> = residuals.iter().skip(k).step_by(classes).copied().collect();
            for (j, value) in design.apply_transposed(&column).into_iter().enumerate() {
                gradient[j * classes + k] = value;
            }
        }
        gradient
    }

    /// The Hessian of the weighted sum, or its derivative along a change of the predictors.
    fn gram(&self, classes: usize, along: Option<&[f64]>) -> Option<Mat<f64>> {
        let n = self.y.len();
        // The entries of every row's curvature, entry by entry.
        let mut blocks = vec![vec![0.0; n]; classes * classes];
        let (mut block, mut p) = (vec![0.0; classes * classes], vec![0.0; classes]);
        for i in 0..n {
            let own = i * classes..(i + 1) * classes;
            match (self.loss.scalar(), along) {
                (Some(row), None) => block[0] = row.curvature(self.z[i], self.y[i]),
                (Some(row), Some(q)) => {
                    block[0] = q[i] * row.curvature_slope(self.z[i], self.y[i])?;
                }
                (None, q) => {
                    p.copy_from_slice(&self.z[own.clone()]);
                    multinomial::softmax_in_place(&mut p);
                    match q {
                        None => multinomial::curvature(&p, &mut block),
                        Some(q) => multinomial::curvature_along(&p, &q[own], &mut block),
                    }
                }
            }
            for (entries, value) in blocks.iter_mut().zip(&block) {
                entries[i] = self.weights[i] * value;
            }
        }
        let support = Support::whole(&self.sample.design);
        let columns = support.len();
        let mut gram = Mat::zeros(columns * classes, columns * classes);
        for k in 0..classes {
            for l in 0..=k {
                let part = support.signed_gram(&blocks[k * classes + l]);
                for i in 0..columns {
                    for j in 0..columns {
                        gram[(i * classes + k, j * classes + l)] = part[(i, j)];
                        gram[(i * classes + l, j * classes + k)] = part[(i, j)];
                    }
                }
            }
        }
        Some(gram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypergrad::Evaluator;
    use crate::kinds::{Method, Wrt};
    use crate::problem::{ProblemBuilder, RidgeStrengths};

    fn rows(count: usize, seed: usize) -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| ((i * 31 + j * 17 + i * j * 7 + seed) % 23) as f64 / 11.0;
        (0..count)
            .map(|i| (0..3).map(|j| entry(i, j) - 1.0).collect())
            .collect()
    }

    /// A problem with a ridge strength for each coefficient, its rows held out.
    fn problem(
        state: impl Fn(&[Vec<f64>], &[f64]) -> ProblemBuilder,
        y: &dyn Fn(usize) -> f64,
    ) -> Problem {
        let (x, held) = (rows(40, 0), rows(17, 5));
        let (own, others): (Vec<f64>, Vec<f64>) =
            ((0..40).map(y).collect(), (3..20).map(y).collect());
        let problem = state(&x, &own).validation(&held, &others).build().unwrap();
        let entries = problem.penalized();
        problem
            .with_ridge(RidgeStrengths::each(vec![1.0; entries]))
            .unwrap()
    }

    fn point(problem: &Problem, shift: f64) -> Point {
        let strength =
            |j: usize| 0.2 * (1.0 + 0.3 * j as f64) * (shift * (1.0 - 0.4 * j as f64)).exp();
        Point::new(0.0, 1.0).with_ridge((0..problem.penalized()).map(strength).collect::<Vec<_>>())
    }

    /// The criterion's own slope at the solution, and errors of third order around it; none for the squared loss.
    #[test]
    fn responses_are_those_of_refits() {
        let class = |i: usize| ((i * 7 + i / 5) % 3) as f64;
        let sign = |i: usize| if (i * 5) % 7 < 3 { 1.0 } else { -1.0 };
        let count = |i: usize| ((i * 5) % 4) as f64;
        let all = [
            (problem(Problem::elastic_net, &count), true),
            (problem(Problem::logistic, &sign), false),
            (problem(Problem::multinomial, &class), false),
            (problem(Problem::poisson, &count), false),
        ];
        for (problem, is_exact) in all {
            let name = problem.loss().name();
            let evaluator = Evaluator::new(&problem).method(Method::AidCg);
            let settings = crate::hypergrad::Settings {
                method: Some(Method::AidCg),
                wrt: vec![Wrt::L2],
                ..Default::default()
            };
            let evaluator = evaluator.settings(&settings);
            let at = |shift: f64| evaluator.run(&[point(&problem, shift)]).unwrap().remove(0);
            let here = at(0.0);
            let response = RidgeResponse::of(&problem, &here.point, &here.solution).unwrap();
            let (change, slopes) = response.at(&problem.ridges(&here.point)).unwrap();
            assert_eq!(change, 0.0);
            let gradient = here.hypergradient.as_ref().unwrap().l2.as_ref().unwrap();
            for (found, expected) in slopes.iter().zip(gradient.iter()) {
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{name}: {found} {expected}"
                );
            }
            let error = |shift: f64| {
                let there = at(shift);
                let (change, _) = response.at(&problem.ridges(&there.point)).unwrap();
                change - (there.criterion - here.criterion)
            };
            let (far, near) = (error(0.4), error(0.2));
            if is_exact {
                assert!(far.abs() < 1e-10, "{name}: {far}");
            } else {
                // A third of an order to spare: of second order the ratio would be 4.
                assert!(
                    near.abs() < 1e-12 || (far / near).abs() > 6.0,
                    "{name}: {far} {near}"
                );
            }
        }
    }

    #[test]
    fn kinks_have_no_response() {
        let y = |i: usize| (i % 5) as f64;
        let lasso = problem(Problem::elastic_net, &y);
        let mut strong = point(&lasso, 0.0);
        strong.l1 = 0.1;
        let w = vec![0.5; lasso.coordinates()];
        assert!(RidgeResponse::of(&lasso, &strong, &w).is_none());
        let huber = problem(|x, y| Problem::huber(x, y, 1.0), &y);
        let w = vec![0.5; huber.coordinates()];
        assert!(RidgeResponse::of(&huber, &point(&huber, 0.0), &w).is_none());
    }
}
