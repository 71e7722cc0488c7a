//! Φ = G∘T of a regularised linear model: T a gradient step of loss and ridge, G the prox.
//!
//! ```text
//! u = w − γ(∇loss(w) + λ₂(w − c)) ,  Φ(w) = G(u) ,  D = ∂G(u) ,  A = ∇²loss(w) + λ₂
//! ∂₁Φ v = D(v − γAv)      ∂₁Φᵀv = (Dv) − γA(Dv)      ∂₂Φᵀv = ∂₂Tᵀ(Dv) + ∂₂Gᵀv
//! ```

mod hyper;

use super::fixed_point::FixedPointMap;
use super::hyper_sums::{HyperSums, Tangents};
use super::loss_rows::{BatchRows, LossRows, gram_form};
use super::operator::{Ridge, RowCurvature, per_point, per_problem, shared, shared_words};
use crate::data::Matrix;
use crate::exec::{Buf, Executor, Recording, Scope, Source, Twinned, WordBuf};
use crate::kernel::curvature::{APPLY_CURVATURE, CURVATURE};
use crate::kernel::{prox, step};
use crate::model::loss::Loss;
use crate::problem::{Members, Point, Problem};
use crate::real::Real;

/// The map of a batch of points of one problem.
#[derive(Debug, Clone)]
pub struct ProxGrad {
    /// The training rows. In Gram form a quadratic form in w.
    pub rows: LossRows,
    /// p.
    pub coordinates: usize,
    /// Coordinates that are penalised; the intercepts follow.
    pub penalized: usize,
    /// Number of strengths: one per penalised coordinate or per group.
    pub strength_count: usize,
    penalty: usize,
    /// Grouped coordinates share a strength of their own.
    has_shared_strength: bool,
    strengths: Buf,
    /// l1 per problem.
    pub l1: Buf,
    /// λ₂ per problem: one, or one for each penalised coordinate.
    pub l2: Buf,
    /// γ per problem.
    pub gamma: Buf,
    prior: Buf,
    bounds: Buf,
    order: WordBuf,
    starts: WordBuf,
    perturbed: WordBuf,
    perturbed_count: usize,
    features: usize,
    /// 1/n for every row: the scale of derivatives in the sample weights.
    unweighted: Buf,
    /// u = T(w).
    pub u: Buf,
    /// ∇loss(w).
    pub gradient: Buf,
    /// Scaled curvature at w; multinomial: probabilities.
    pub h: Buf,
    /// Dv of the last product.
    pub dv: Buf,
    q: Buf,
    pub(super) hessian: Buf,
    zero: Buf,
    one: Buf,
    /// 1 for the penalised coordinates, their λ₂ where each has its own; 0 for the intercepts.
    ridge_mask: Buf,
    has_ridges: bool,
    /// r/n without the weights, which may be zero; only where their derivative is asked for.
    raw: Option<Buf>,
    /// Where ∂₂Φᵀv is summed.
    pub sums: HyperSums,
    /// Directions of [`FixedPointMap::jvp_hyper`].
    pub tangents: Option<Tangents>,
    /// True when u and w determine the whole linearisation: a quadratic loss.
    pub constant_curvature: bool,
}

impl ProxGrad {
    /// Uploads the problems of a batch of points, `gamma` being the step of each. With `gram` a squared loss on dense data becomes the
    /// quadratic form of its Gram matrix: fewer operations where n > p, and no rows to
    /// differentiate with respect to; not for points with row weights of their own.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn new<R: Twinned>(
        executor: &mut dyn Executor<R>,
        members: &Members<'_>,
        points: &[Point],
        gamma: &[f64],
        gram: bool,
    ) -> crate::error::Result<Self> {
        let problem = members.at(0);
        let p = problem.coordinates();
        let penalized = problem.penalized();
        let rows = match &problem.train.design.matrix {
            Matrix::Dense(matrix) if gram && problem.loss == Loss::Squared => {
                gram_form(executor, problem, matrix, points)
            }
            _ => {
                let rows = BatchRows {
                    loss: problem.loss,
                    classes: problem.classes,
                    sign: 1.0,
                    points,
                    sample: &|point| &members.problem(point).train,
                };
                LossRows::upload(executor, &problem.train, &rows, None)
            }
        };
        let n = rows.operator.rows;
        let (strengths, prior) = upload_own(executor, problem, points);
        let l2 = upload_ridges(executor, problem, points);
        // Without groups a table of none.
        let (order, starts) = match problem.penalty.groups() {
            Some(groups) => groups.tables(),
            None => (&[0][..], &[0][..]),
        };
        let mut bounds = problem.penalty.bounds();
        bounds.resize(bounds.len().max(2), 0.0);
        let of_points = |f: &dyn Fn(&Point) -> f64| -> Vec<f64> { points.iter().map(f).collect() };
        let perturbed: Vec<u32> = problem.perturbed_rows.iter().map(|&i| i as u32).collect();
        let constant_curvature = problem.loss.is_quadratic();
        let predictors = n * problem.classes;
        let ridge_mask = upload_ridge_mask(executor, problem, points);
        let map = Self {
            coordinates: p,
            penalized,
            strength_count: strengths.rows(),
            penalty: problem.penalty.tag() as usize,
            has_shared_strength: problem.penalty.shared_strengths() > 0,
            strengths,
            l1: per_problem(executor, 1, &of_points(&|point| point.l1)),
            l2,
            gamma: per_problem(executor, 1, gamma),
            prior,
            bounds: shared(executor, &bounds),
            order: shared_words(executor, order),
            starts: shared_words(executor, starts),
            perturbed: shared_words(executor, &perturbed),
            perturbed_count: perturbed.len(),
            features: problem.train.design.features(),
            unweighted: shared(executor, &vec![1.0 / problem.train.rows() as f64; n]),
            u: executor.allocate(Scope::PerProblem, p),
            gradient: executor.allocate(Scope::PerProblem, p),
            h: executor.allocate(Scope::PerProblem, predictors),
            dv: executor.allocate(Scope::PerProblem, p),
            q: executor.allocate(Scope::PerProblem, predictors),
            hessian: executor.allocate(Scope::PerProblem, p),
            zero: executor.allocate(Scope::PerProblem, p),
            one: shared(executor, &[1.0]),
            ridge_mask,
            has_ridges: problem.ridge.is_some(),
            raw: None,
            sums: HyperSums::default(),
            tangents: None,
            constant_curvature,
            rows,
        };
        if constant_curvature {
            let mut recording = Recording::new();
            map.record_curvature(&mut recording, map.rows.scale);
            executor.run(&recording, 1)?;
        }
        Ok(map)
    }

    /// The same map with other row weights in place of s/n (and of 1/n, for the derivative in the
    /// weights); it shares every buffer with this one.
    #[must_use]
    pub fn with_row_scale(&self, scale: Buf, unweighted: Buf) -> Self {
        let mut map = self.clone();
        map.rows.scale = scale;
        map.unweighted = unweighted;
        map
    }

    /// Records residuals and curvatures at w and leaves u as it is.
    pub fn refresh<R: Real>(&self, recording: &mut Recording<R>, w: Buf) {
        self.rows
            .gradient(recording, w, self.rows.scale, self.gradient);
        self.record_curvature(recording, self.rows.scale);
    }

    /// The bindings that describe the penalty at u; see [`crate::kernel::prox`].
    #[must_use]
    pub fn penalty_bindings(&self, u: Buf, gamma: Buf) -> [Source; 7] {
        [
            u.into(),
            self.strengths.into(),
            self.l1.into(),
            gamma.into(),
            self.bounds.into(),
            self.order.into(),
            self.starts.into(),
        ]
    }

    /// Coordinates, penalised coordinates and the penalty's tag: parameters of the prox kernels.
    #[must_use]
    pub fn penalty_size(&self) -> [usize; 3] {
        [self.coordinates, self.penalized, self.penalty]
    }

    /// The bindings of the prox, then further ones.
    fn prox_inputs<const N: usize>(&self, more: [Buf; N]) -> Vec<Source> {
        self.penalty_bindings(self.u, self.gamma)
            .into_iter()
            .chain(more.into_iter().map(Source::from))
            .collect()
    }

    /// Records `out = G(u)` with a step γ of the caller's.
    pub fn prox<R: Real>(&self, recording: &mut Recording<R>, u: Buf, gamma: Buf, out: Buf) {
        recording.dispatch(
            &prox::PROX,
            &self.penalty_bindings(u, gamma),
            &[out.into()],
            &self.penalty_size(),
        );
    }

    /// Records `u = w − γ(∇loss(w) + λ₂(w − c))` with a gradient and a γ of the caller's.
    pub fn gradient_step<R: Real>(
        &self,
        recording: &mut Recording<R>,
        w: Buf,
        gradient: Buf,
        gamma: Buf,
        u: Buf,
    ) {
        recording.dispatch(
            &step::GRADIENT_STEP,
            &[
                w.into(),
                gradient.into(),
                self.prior.into(),
                self.l2.into(),
                gamma.into(),
            ],
            &[u.into()],
            &self.ridge_size(),
        );
    }

    fn record_curvature<R: Real>(&self, recording: &mut Recording<R>, scale: Buf) {
        if self.rows.loss != Loss::Quadratic {
            let rows = self.rows.rows_of(self.rows.z, scale);
            recording.dispatch(&CURVATURE, &rows, &[self.h.into()], &self.rows.size());
        }
    }

    /// Records `out = ∇²loss·y` at the linearisation, and leaves q = h∘(X̂y) behind.
    pub fn hessian_product<R: Real>(&self, recording: &mut Recording<R>, y: Buf, out: Buf) {
        if self.rows.loss == Loss::Quadratic {
            self.rows.operator.product(recording, y, out);
            return;
        }
        self.rows.operator.product(recording, y, self.q);
        recording.dispatch(
            &APPLY_CURVATURE,
            &[self.h.into(), self.rows.scale.into()],
            &[self.q.into()],
            &self.rows.size(),
        );
        self.rows.operator.adjoint(recording, self.q, out);
    }

    /// Records `out = D·v`.
    pub fn prox_derivative<R: Real>(&self, recording: &mut Recording<R>, v: Buf, out: Buf) {
        let inputs = self.prox_inputs([v]);
        recording.dispatch(
            &prox::PROX_DERIVATIVE,
            &inputs,
            &[out.into()],
            &self.penalty_size(),
        );
    }

    /// Records `out = y − γ(hessian + λ₂y) + term`.
    pub fn hessian_step<R: Real>(
        &self,
        recording: &mut Recording<R>,
        y: Buf,
        hessian: Buf,
        term: Buf,
        out: Buf,
    ) {
        recording.dispatch(
            &step::HESSIAN_STEP,
            &[
                y.into(),
                hessian.into(),
                term.into(),
                self.l2.into(),
                self.gamma.into(),
            ],
            &[out.into()],
            &self.ridge_size(),
        );
    }

    /// Records the diagonal of A = ∇²loss + λ₂ at the linearisation.
    pub fn hessian_diagonal<R: Twinned>(
        &self,
        executor: &mut dyn Executor<R>,
        recording: &mut Recording<R>,
        diagonal: Buf,
    ) {
        let rows = &self.rows;
        if rows.loss == Loss::Quadratic {
            if let Some(entries) = rows.diagonal {
                // λ₂ on the penalised coordinates: the factor of the mask, or the mask itself.
                let factor = if self.ridge_stride() > 0 {
                    self.one
                } else {
                    self.l2
                };
                let inputs = [entries.into(), self.ridge_mask.into(), factor.into()];
                recording.dispatch(
                    &step::COMBINE,
                    &inputs,
                    &[diagonal.into()],
                    &[self.coordinates],
                );
            }
            return;
        }
        let curvature = RowCurvature {
            h: self.h,
            scale: rows.scale,
            multinomial: rows.loss == Loss::Multinomial,
        };
        rows.operator.hessian_diagonal(
            executor,
            recording,
            curvature,
            Ridge {
                l2: self.l2,
                penalized: self.penalized,
                stride: self.ridge_stride(),
            },
            diagonal,
        );
    }

    /// 1 where every penalised coordinate has a λ₂ of its own, and 0 where it is one in common.
    #[must_use]
    pub fn ridge_stride(&self) -> usize {
        usize::from(self.has_ridges)
    }

    /// Coordinates, penalised coordinates and the stride of λ₂: parameters of the steps.
    #[must_use]
    pub fn ridge_size(&self) -> [usize; 3] {
        [self.coordinates, self.penalized, self.ridge_stride()]
    }

    /// A buffer of p zeros.
    #[must_use]
    pub fn zero(&self) -> Buf {
        self.zero
    }
}

/// λ₂ of every point: one, or one for each penalised coordinate where the problem has several.
fn upload_ridges<R: Twinned>(
    executor: &mut dyn Executor<R>,
    problem: &Problem,
    points: &[Point],
) -> Buf {
    let of_point = |point: &Point| problem.ridges(point).as_slice().to_vec();
    per_point(executor, problem.ridge_count(), points, of_point)
}

/// 1 for the penalised coordinates, or λ₂ of every point where each has its own; 0 for the intercepts.
fn upload_ridge_mask<R: Twinned>(
    executor: &mut dyn Executor<R>,
    problem: &Problem,
    points: &[Point],
) -> Buf {
    let (p, penalized) = (problem.coordinates(), problem.penalized());
    if problem.ridge.is_none() {
        let mask: Vec<f64> = (0..p).map(|j| f64::from(u8::from(j < penalized))).collect();
        return shared(executor, &mask);
    }
    per_point(executor, p, points, |point| {
        let mut ridges = problem.ridges(point).as_slice().to_vec();
        ridges.resize(p, 0.0);
        ridges
    })
}

/// The strengths at l1 = 1 and the prior, padded to all coordinates: shared, or a row per point where
/// some point has its own.
fn upload_own<R: Twinned>(
    executor: &mut dyn Executor<R>,
    problem: &Problem,
    points: &[Point],
) -> (Buf, Buf) {
    let (p, penalized) = (problem.coordinates(), problem.penalized());
    let common = problem.penalty.strengths(penalized);
    let strengths = if points.iter().any(|point| point.strengths().is_some()) {
        let of_point = |point: &Point| point.strengths().unwrap_or(&common).to_vec();
        per_point(executor, common.len(), points, of_point)
    } else {
        shared(executor, &common)
    };
    let padded = |prior: Option<&[f64]>| {
        let mut padded = prior.unwrap_or_default().to_vec();
        padded.resize(p, 0.0);
        padded
    };
    let common = problem.prior.as_deref();
    let prior = if points.iter().any(|point| point.prior().is_some()) {
        per_point(executor, p, points, |point| {
            padded(point.prior().or(common))
        })
    } else {
        shared(executor, &padded(common))
    };
    (strengths, prior)
}

impl<R: Twinned> FixedPointMap<R> for ProxGrad {
    fn coordinates(&self) -> usize {
        self.coordinates
    }

    fn gamma(&self) -> Buf {
        self.gamma
    }

    fn apply(&self, recording: &mut Recording<R>, w: Buf, out: Buf) {
        self.rows
            .gradient(recording, w, self.rows.scale, self.gradient);
        self.gradient_step(recording, w, self.gradient, self.gamma, self.u);
        self.prox(recording, self.u, self.gamma, out);
    }

    fn linearize(&self, recording: &mut Recording<R>, w: Buf) {
        self.rows
            .gradient(recording, w, self.rows.scale, self.gradient);
        self.gradient_step(recording, w, self.gradient, self.gamma, self.u);
        if !self.constant_curvature {
            self.record_curvature(recording, self.rows.scale);
        }
    }

    fn value(&self, recording: &mut Recording<R>, out: Buf) {
        self.prox(recording, self.u, self.gamma, out);
    }

    fn jvp_w(&self, recording: &mut Recording<R>, v: Buf, out: Buf) {
        self.hessian_product(recording, v, self.hessian);
        self.hessian_step(recording, v, self.hessian, self.zero, self.dv);
        self.prox_derivative(recording, self.dv, out);
    }

    fn vjp_w(&self, recording: &mut Recording<R>, v: Buf, term: Buf, out: Buf) {
        self.prox_derivative(recording, v, self.dv);
        self.hessian_product(recording, self.dv, self.hessian);
        self.hessian_step(recording, self.dv, self.hessian, term, out);
    }

    fn jvp_hyper(&self, recording: &mut Recording<R>, w: Buf, out: Buf) {
        self.record_jvp_hyper(recording, w, out);
    }

    fn vjp_hyper(&self, recording: &mut Recording<R>, w: Buf, v: Buf, factor: Buf) {
        self.record_vjp_hyper(recording, w, v, factor);
    }
}
