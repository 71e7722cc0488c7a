//! The adjoint on the range of D = ∂G(u), u = w − γ∇(loss + ridge)(w): direct and AID-CG.
//!
//! With z = Dv the adjoint equation `(I − ∂₁Φᵀ)v = ∂₁E` restricted to the range of D is symmetric
//! positive definite and, once scaled, free of γ:
//!
//! ```text
//! masks    (∇²loss + λ₂)_RR z_R = (∂₁E)_R/γ ,   z = 0 off R
//! groups   the same with (l1_g/‖w_g‖)(I − ŵŵᵀ) added on every active group
//! ```
//!
//! R is taken at u with the strict comparisons of the penalties. Coordinates whose column is zero
//! and whose λ₂ is zero appear nowhere: they are left out, and z is 0 there. The common shift of
//! multinomial intercepts is fixed by 11ᵀ on their block, which keeps Σ_c z_c = 0. Where the system is
//! singular and ∂₁E is in its range, z is the solution of least norm.

use std::sync::OnceLock;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kinds::{Precision, Preconditioner, Status};
use crate::problem::{Members, Point, Problem};
use crate::real::Real;

use super::inverse::Inverse;
use super::model::quadratic_model;
use super::quadratic::LARGEST_CHOLESKY;
use super::quadratic::{FaceFactor, Factored, Triangle};
use super::rows::FaceHessian;
use super::smooth::{Curvature, Smooth};
use super::walk::Form;
use super::{Prepared, prepare_all};
use crate::linalg::cg::ConjugateGradient;
use crate::linalg::cholesky;
use crate::linalg::dependent::Dependent;
use crate::linalg::dual::{self, DualFactor};
use crate::linalg::products::{add_columns, add_columns_of};
use crate::linalg::refine::{Formed, Limits, Pass, by_products, refine};
use crate::linalg::vector::{axpy, inner, norm, positions, vectorized};
use crate::model::linearization::{OuterDerivative, inner_map};
use crate::model::regularizer::{Regularizer, group_norm};
use crate::model::strengths::Strengths;

/// The part of a right-hand side outside the range of its system that is one of rounding: this many
/// roundings per unknown, and never more than the second number of its norm.
const OUTSIDE: f64 = 1e3;
const LARGEST_OUTSIDE: f64 = 1e-3;

/// The factored system on the support of a point of a quadratic loss.
#[derive(Debug, Clone)]
pub struct RestrictedFactor<R> {
    face: FaceFactor<R>,
    ridges: Strengths,
}

impl<R: Real> RestrictedFactor<R> {
    pub(super) fn new(face: FaceFactor<R>, ridges: Strengths) -> Self {
        Self { face, ridges }
    }

    /// The free coordinates, ascending.
    #[must_use]
    pub fn support(&self) -> &[u32] {
        &self.face.set
    }
}

/// The adjoint of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct RestrictedSolution<R> {
    /// z = Dv: p entries, zero off the range of D.
    pub z: Vec<R>,
    /// Products with the restricted Hessian that conjugate gradient took; 0 for direct solves.
    pub steps: usize,
    /// Whether the linear residual, recomputed, met the tolerance.
    pub status: Status,
    /// The restricted Hessian is singular to working precision and ∂₁E not in its range: there is no
    /// adjoint, z is zero.
    pub singular: bool,
}

/// How the restricted system is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestrictedMethod {
    /// Cholesky.
    Direct,
    /// Conjugate gradient.
    Cg {
        /// Its preconditioner.
        preconditioner: Preconditioner,
    },
}

impl RestrictedMethod {
    /// Conjugate gradient with this preconditioner.
    #[must_use]
    pub fn cg(preconditioner: Preconditioner) -> Self {
        Self::Cg { preconditioner }
    }
}

/// The restricted adjoint systems of some points, and how they are solved.
#[derive(Debug, Clone, Copy)]
pub struct RestrictedRequest<'a, R> {
    /// The points.
    pub points: &'a [Point],
    /// Per point the (approximate) fixed point, p scaled coordinates.
    pub w: &'a [Vec<R>],
    /// Per point the γ of Φ.
    pub step: &'a [f64],
    /// Per point ∂₁E, p entries.
    pub criterion_gradient: &'a [Vec<R>],
    /// Per point the factor that [`solve`](super::solve) returned, where it did.
    pub factors: Option<&'a [Option<&'a RestrictedFactor<R>>]>,
    /// Cholesky or conjugate gradient.
    pub method: RestrictedMethod,
    /// That of ‖A z − ∂₁E_R/γ‖ relative to ‖∂₁E_R‖/γ; `None` goes to rounding.
    pub tolerance: Option<f64>,
    /// The most products of conjugate gradient.
    pub max_steps: usize,
    /// Cancellation.
    pub control: &'a Control,
}

impl<R: Real> RestrictedRequest<'_, R> {
    /// Checks lengths against the problem.
    fn check(&self, problem: &Problem) -> Result<()> {
        let (count, p) = (self.points.len(), problem.coordinates());
        check_count("solutions", count, self.w.len())?;
        check_count("steps", count, self.step.len())?;
        check_count("criterion gradients", count, self.criterion_gradient.len())?;
        if let Some(factors) = self.factors {
            check_count("factors", count, factors.len())?;
        }
        let mut vectors = self.w.iter().chain(self.criterion_gradient);
        match vectors.find(|v| v.len() != p) {
            None => Ok(()),
            Some(v) => Err(Error::shape(
                "solution or criterion gradient",
                format!("{p} coordinates"),
                v.len().to_string(),
                "give one value per scaled coefficient, intercepts last",
            )),
        }
    }
}

/// Solves the restricted adjoint system of every point, in the order of the points.
///
/// # Errors
/// [`Error::Value`] for strengths that are negative or not finite, [`Error::Shape`] where lengths
/// do not match.
pub fn solve_restricted<R: Real>(
    problem: &Problem,
    request: &RestrictedRequest<'_, R>,
) -> Result<Vec<RestrictedSolution<R>>> {
    let (members, prepared) = prepare_all(problem, request.points, Form::Auto)?;
    solve_restricted_at(&members, |place| &prepared[place], request)
}

/// Solves the restricted systems of points that have been checked, which choose among `members`;
/// `prepared` gives the preparations of the one at a place.
///
/// # Errors
/// [`Error::Shape`] where lengths do not match.
pub fn solve_restricted_at<'p, R: Real>(
    members: &Members<'_>,
    prepared: impl Fn(usize) -> &'p Prepared<R> + Sync,
    request: &RestrictedRequest<'_, R>,
) -> Result<Vec<RestrictedSolution<R>>> {
    let problem = members.at(0);
    request.check(problem)?;
    let RestrictedRequest {
        points,
        w,
        step,
        criterion_gradient,
        factors,
        method,
        tolerance,
        max_steps,
        control,
    } = *request;
    let p = problem.coordinates();
    let of_place = |place: usize| Smooth::of(members.at(place), &prepared(place).parts);
    let smooths: Vec<Smooth<'_, R>> = (0..members.count()).map(of_place).collect();
    let origins: Vec<OnceLock<Vec<f64>>> = (0..smooths.len() * problem.train.targets.len())
        .map(|_| OnceLock::new())
        .collect();
    let solve_point = |at: usize| {
        let point = &points[at];
        let regularizer = problem.regularizer(point);
        let w: Vec<f64> = w[at].iter().map(|&w| w.to_f64()).collect();
        let target = point.target;
        let place = members.place(point);
        let smooth = &smooths[place];
        let origin = || {
            origins[place * problem.train.targets.len() + target]
                .get_or_init(|| gradient_by_rows(smooth, &vec![0.0; p], target).1)
        };
        // In f32 the Gram matrix has lost the digits that decide which side of a kink u is on.
        let (z, gradient) = match smooth.hessian_in_full() {
            Some(gram) => (Vec::new(), gradient_by_gram(gram, origin(), &w)),
            None => gradient_by_rows(smooth, &w, target),
        };
        let curvature = smooth.curvature(&z, target, 0.0);
        let system = System::new(smooth, &regularizer, w, &gradient, curvature, step[at]);
        let rhs: Vec<f64> = system
            .set
            .iter()
            .map(|&j| criterion_gradient[at][j as usize].to_f64() / step[at])
            .collect();
        let known = factors.and_then(|f| f[at]);
        let factor = known
            .filter(|f| f.ridges == regularizer.ridges)
            .map(|f| &f.face);
        let mut image = Vec::new();
        let limits = Limits {
            tolerance,
            max_steps,
            control,
        };
        system.solve(&rhs, factor, method, &limits, &mut image)
    };
    Ok((0..points.len()).into_par_iter().map(solve_point).collect())
}

fn check_count(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::shape(
        what,
        format!("{expected}, one per point"),
        found.to_string(),
        "give one per point",
    ))
}

/// Predictors and ∇loss at w, from the rows.
fn gradient_by_rows<R: Real>(
    smooth: &Smooth<'_, R>,
    w: &[f64],
    target: usize,
) -> (Vec<f64>, Vec<f64>) {
    let rows = smooth.rows() * smooth.classes;
    let (mut z, mut residuals) = (vec![0.0; rows], vec![0.0; rows]);
    let mut gradient = vec![0.0; smooth.p];
    smooth.predictors(w, &mut z);
    smooth.residuals(&z, target, &mut residuals);
    smooth.gradient(&residuals, &mut gradient);
    (z, gradient)
}

/// The restricted system of one point.
pub(super) struct System<'a, 'p, R> {
    pub(super) smooth: &'a Smooth<'p, R>,
    pub(super) regularizer: &'a Regularizer<'a>,
    /// w, with a direction in groups that are active without one.
    w: Vec<f64>,
    pub(super) curvature: Curvature,
    /// R, ascending.
    pub(super) set: Vec<u32>,
}

impl<'a, 'p, R: Real> System<'a, 'p, R> {
    /// The system at w, where `gradient` is ∇loss and `curvature` that of the rows.
    pub(super) fn new(
        smooth: &'a Smooth<'p, R>,
        regularizer: &'a Regularizer<'a>,
        mut w: Vec<f64>,
        gradient: &[f64],
        curvature: Curvature,
        step: f64,
    ) -> Self {
        let u = inner_map(regularizer, step, &w, |j| gradient[j]);
        let outer = OuterDerivative::at(regularizer, step, u);
        // A group that is active at w = 0 gets the direction that it would have.
        for (g, group) in outer.groups.iter().enumerate() {
            let members = regularizer.blocks.members(g);
            if group.is_active && group.t > 0.0 && group_norm(members, &w) == 0.0 {
                let image = outer.image();
                for &j in members {
                    w[j as usize] = image[j as usize];
                }
            }
        }
        let mut set = Vec::new();
        positions(smooth.p, |j| outer.keeps[j], &mut set);
        Self::on(smooth, regularizer, w, set, curvature)
    }

    /// The system at w on the coordinates `set`, ascending, less those that appear nowhere.
    pub(super) fn on(
        smooth: &'a Smooth<'p, R>,
        regularizer: &'a Regularizer<'a>,
        w: Vec<f64>,
        mut set: Vec<u32>,
        curvature: Curvature,
    ) -> Self {
        set.retain(|&j| regularizer.ridge(j as usize) > 0.0 || !smooth.is_zero_column(j as usize));
        Self {
            smooth,
            regularizer,
            w,
            curvature,
            set,
        }
    }

    fn outcome(
        &self,
        z: &[f64],
        steps: usize,
        status: Status,
        singular: bool,
    ) -> RestrictedSolution<R> {
        let mut full = vec![R::zero(); self.smooth.p];
        for (&j, &z) in self.set.iter().zip(z) {
            full[j as usize] = R::of(z);
        }
        RestrictedSolution {
            z: full,
            steps,
            status,
            singular,
        }
    }

    /// The adjoint for the right-hand side ∂₁E/γ on R; `factor` is that of a quadratic loss at this
    /// point's λ₂, if known. Where the product with the full Hessian was formed for it, `image` is
    /// (∇²loss + λ₂)z, p entries, afterwards; else it is empty.
    pub(super) fn solve(
        &self,
        rhs: &[f64],
        factor: Option<&FaceFactor<R>>,
        method: RestrictedMethod,
        limits: &Limits<'_>,
        image: &mut Vec<f64>,
    ) -> RestrictedSolution<R> {
        let m = self.set.len();
        image.clear();
        if rhs.iter().chain(&self.w).any(|v| !v.is_finite()) {
            return self.outcome(&vec![f64::NAN; m], 0, Status::NonFinite, false);
        }
        if m == 0 || rhs.iter().all(|&r| r == 0.0) {
            return self.outcome(&vec![0.0; m], 0, Status::Converged, false);
        }
        let by_factor = method != RestrictedMethod::cg(Preconditioner::None)
            && method != RestrictedMethod::cg(Preconditioner::Diagonal);
        let known =
            factor.filter(|f| by_factor && self.smooth.loss.is_quadratic() && f.set == self.set);
        let through_rows = match known {
            None if by_factor => self.through_rows(),
            _ => None,
        };
        let has_factor = known.is_some() || through_rows.is_some();
        if let RestrictedMethod::Cg { preconditioner } = method
            && m > LARGEST_CHOLESKY
            && !has_factor
        {
            return self.by_rows(rhs, preconditioner, limits);
        }
        let (formed, own);
        let (matrix, factor, size): (Option<&[R]>, &Factored<R>, f64) = match (known, through_rows)
        {
            (Some(f), _) => (None, &f.factor, f.size),
            (None, Some(dual)) => {
                let size = dual.size;
                own = Factored::Rows(dual);
                (None, &own, size)
            }
            (None, None) => {
                formed = self.form();
                let size = vectorized(
                    #[inline(always)]
                    || inner(&formed, &formed),
                );
                let mut lower = Vec::with_capacity(cholesky::stride(m) * m);
                for column in formed.chunks_exact(m) {
                    lower.extend_from_slice(column);
                    lower.resize(lower.len() + cholesky::stride(m) - m, R::zero());
                }
                if !cholesky::factor(&mut lower, m) {
                    return self.of_least_norm(&formed, rhs, size.sqrt(), limits);
                }
                own = Factored::Cholesky(lower);
                (Some(&formed), &own, size.sqrt())
            }
        };
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let product = |x: &[f64], y: &mut [f64]| self.product(matrix, x, y, image);
        let refined = match (method, matrix) {
            (RestrictedMethod::Cg { preconditioner }, Some(matrix)) if !by_factor => {
                let mut work = Formed::new(matrix, m, preconditioner);
                refine(rhs, size, epsilon, limits, product, |pass| {
                    work.run(limits, pass)
                })
            }
            _ => {
                // With the factor as preconditioner, a step of conjugate gradient is this one: its
                // step length is 1 but for rounding, which refinement corrects.
                let counts = usize::from(method != RestrictedMethod::Direct);
                let mut step: Vec<R> = vec![R::zero(); m];
                refine(
                    rhs,
                    size,
                    epsilon,
                    limits,
                    product,
                    |Pass { rhs, x, .. }| {
                        for (step, &r) in step.iter_mut().zip(rhs) {
                            *step = R::of(r);
                        }
                        factor.solve(&mut step);
                        for (x, &step) in x.iter_mut().zip(&step) {
                            *x = step.to_f64();
                        }
                        counts
                    },
                )
            }
        };
        if !refined.is_last {
            image.clear();
        }
        self.outcome(&refined.x, refined.steps, refined.status, false)
    }

    /// The factor through the rows, where that is cheaper.
    fn through_rows(&self) -> Option<DualFactor<R>> {
        let (smooth, rows) = (self.smooth, self.smooth.rows());
        let has_rows = smooth.classes == 1 && self.regularizer.blocks.separable;
        if !has_rows
            || !self.regularizer.has_full_ridge()
            || !dual::is_cheaper(rows, self.set.len())
        {
            return None;
        }
        let columns = smooth.columns_of_hessian(&self.set, &self.curvature)?;
        let ridge = |&j: &u32| R::of(self.regularizer.ridge(j as usize));
        let ridges: Vec<R> = self.set.iter().map(ridge).collect();
        DualFactor::new(|at| &columns[at * rows..(at + 1) * rows], rows, &ridges)
    }

    /// The solution of least norm of a singular system, where its right-hand side is in the range.
    ///
    /// The criterion's derivative then exists: along the null space nothing changes but the
    /// coefficients themselves, and the ridge's limit is theirs of least norm, in which the coordinates
    /// without ridge play no part.
    fn of_least_norm(
        &self,
        formed: &[R],
        rhs: &[f64],
        size: f64,
        limits: &Limits<'_>,
    ) -> RestrictedSolution<R> {
        let m = rhs.len();
        let epsilon = <R as num_traits::Float>::epsilon().to_f64();
        let control = limits.control;
        let penalized = |at: usize| (self.set[at] as usize) < self.regularizer.penalized();
        let found = Dependent::new(formed, m, epsilon, control)
            .and_then(|factor| Some((factor.basis(penalized, control)?, factor)));
        let none = || self.outcome(&vec![0.0; m], 0, Status::Converged, true);
        let Some((basis, factor)) = found else {
            if control.should_stop() {
                return self.outcome(&vec![0.0; m], 0, Status::BudgetSpent, false);
            }
            return none();
        };
        let mut inside = rhs.to_vec();
        let outside = factor.remove_null(&mut inside);
        let rounding = (OUTSIDE * epsilon * m as f64).min(LARGEST_OUTSIDE);
        if outside > rounding * norm(rhs) {
            return none();
        }
        let refined = refine(
            &inside,
            size,
            epsilon,
            limits,
            |x, y| self.product_by_rows(x, y),
            |Pass { rhs, x, .. }| {
                x.copy_from_slice(&factor.solve(rhs));
                for q in &basis {
                    let both = x.iter().zip(q).enumerate();
                    let counted = both.filter(|&(at, _)| penalized(at));
                    let along: f64 = counted.map(|(_, (x, q))| x * q).sum();
                    axpy(-along, q, x);
                }
                0
            },
        );
        self.outcome(&refined.x, refined.steps, refined.status, false)
    }

    /// y ← A x in `f64`: by the formed matrices where they have that precision, else by the rows; the
    /// product with the full Hessian, λ₂ included, is left in `image`.
    fn product(&self, matrix: Option<&[R]>, x: &[f64], y: &mut [f64], image: &mut Vec<f64>) {
        let m = x.len();
        match (matrix, self.smooth.hessian_in_full()) {
            (Some(matrix), _) if R::PRECISION == Precision::F64 => vectorized(
                #[inline(always)]
                || {
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = inner(&matrix[i * m..(i + 1) * m], x);
                    }
                },
            ),
            (None, Some(gram)) => {
                image.clear();
                image.resize(self.smooth.p, 0.0);
                add_columns_of(gram, &self.set, x, image);
                for ((y, &j), &x) in y.iter_mut().zip(&self.set).zip(x) {
                    let j = j as usize;
                    image[j] += self.regularizer.ridge(j) * x;
                    *y = image[j];
                }
            }
            _ => self.product_by_rows(x, y),
        }
    }

    fn product_by_rows(&self, x: &[f64], y: &mut [f64]) {
        self.product_on_face(&self.operator(), x, y);
    }

    /// The system by products with the rows.
    fn operator(&self) -> FaceHessian<'_, '_, R> {
        FaceHessian::new(
            self.smooth,
            self.regularizer,
            &self.curvature,
            &self.set,
            &self.w,
        )
    }

    /// The same by an operator that is there, with what keeps the gauge of the intercepts.
    fn product_on_face(&self, operator: &FaceHessian<'_, '_, R>, x: &[f64], y: &mut [f64]) {
        operator.apply_on_face(x, y);
        let c = self.smooth.classes;
        if c > 1 && self.smooth.sample.design.intercept {
            // Intercepts are always free and always last.
            let first = x.len() - c;
            let shift: f64 = x[first..].iter().sum();
            y[first..].iter_mut().for_each(|y| *y += shift);
        }
    }

    /// The system in full.
    pub(super) fn form(&self) -> Vec<R> {
        let hessian = self.smooth.hessian(&self.set, &self.curvature);
        let model = quadratic_model(
            self.smooth,
            self.regularizer,
            &self.set,
            &hessian,
            &self.w,
            &vec![0.0; self.smooth.p],
        );
        let all: Vec<u32> = (0..self.set.len() as u32).collect();
        let face = vec![2; self.set.len()];
        model.face_matrix(&face, &all, Triangle::Both, self.set.len(), Vec::new())
    }

    /// Conjugate gradient without forming the system.
    fn by_rows(
        &self,
        rhs: &[f64],
        preconditioner: Preconditioner,
        limits: &Limits<'_>,
    ) -> RestrictedSolution<R> {
        let operator = self.operator();
        let diagonal = operator.diagonal();
        let inverse = Inverse::by(preconditioner, &operator, &diagonal);
        let size: f64 = self.set.iter().map(|&j| diagonal[j as usize]).sum();
        let product = |x: &[f64], y: &mut [f64]| self.product_on_face(&operator, x, y);
        let precondition = |r: &[f64], z: &mut [f64]| inverse.apply(r, z);
        let mut work = ConjugateGradient::new(rhs.len());
        let refined = refine(rhs, size, f64::EPSILON, limits, product, |pass| {
            by_products(&mut work, precondition, product, limits, pass)
        });
        self.outcome(&refined.x, refined.steps, refined.status, false)
    }
}

fn gradient_by_gram(gram: &[f64], origin: &[f64], w: &[f64]) -> Vec<f64> {
    let mut gradient = origin.to_vec();
    add_columns(gram, w, &mut gradient);
    gradient
}
