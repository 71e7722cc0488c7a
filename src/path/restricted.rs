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
//! multinomial intercepts is fixed by 11ᵀ on their block, which keeps Σ_c z_c = 0.

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kinds::{Preconditioner, Status};
use crate::penalty;
use crate::problem::{Point, Problem};
use crate::real::Real;

use super::cholesky;
use super::linear::{Cycle, Limits, conjugate_gradient, refine};
use super::quadratic::{FaceFactor, LARGEST_CHOLESKY};
use super::regularizer::{Blocks, Regularizer, Rule, group_norm};
use super::rows::FaceOperator;
use super::smooth::{Curvature, Smooth};
use super::vector::vectorized;
use super::walk::quadratic_model;

/// The factored system on the support of a point of a quadratic loss.
#[derive(Debug, Clone)]
pub struct RestrictedFactor<R> {
    /// The free coordinates, ascending.
    set: Vec<u32>,
    /// H_RR + λ₂, full, column-major.
    matrix: Vec<R>,
    /// The lower triangle holds its Cholesky factor.
    factor: Vec<R>,
    l2: f64,
}

impl<R: Real> RestrictedFactor<R> {
    pub(super) fn new(face: FaceFactor<R>, point: Point) -> Self {
        Self {
            set: face.set,
            matrix: face.matrix,
            factor: face.factor,
            l2: point.l2,
        }
    }

    /// The free coordinates, ascending.
    #[must_use]
    pub fn support(&self) -> &[u32] {
        &self.set
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
    /// The restricted Hessian is singular to working precision: there is no adjoint, z is zero.
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

/// Solves the restricted adjoint system of every point, in the order of `points`.
///
/// Per point: `w` is the (approximate) fixed point, p scaled coordinates; `step` the γ of Φ;
/// `criterion_gradient` is ∂₁E, p entries; `factors`, where given, the factors that
/// [`solve`](super::solve) returned. `tolerance` is on ‖A z − ∂₁E_R/γ‖ relative to ‖∂₁E_R‖/γ;
/// `None` goes to rounding. `max_steps` limits the products of conjugate gradient.
///
/// # Errors
/// [`Error::Value`] for strengths that are negative or not finite, [`Error::Shape`] where lengths
/// do not match.
#[allow(clippy::too_many_arguments)] // the parts of one linear system, each named at the call
pub fn solve_restricted<R: Real>(
    problem: &Problem,
    points: &[Point],
    w: &[Vec<R>],
    step: &[f64],
    criterion_gradient: &[Vec<R>],
    factors: Option<&[Option<&RestrictedFactor<R>>]>,
    method: RestrictedMethod,
    tolerance: Option<f64>,
    max_steps: usize,
    control: &Control,
) -> Result<Vec<RestrictedSolution<R>>> {
    problem.check_points(points)?;
    let p = problem.coordinates();
    check_count("solutions", points.len(), w.len())?;
    check_count("steps", points.len(), step.len())?;
    check_count(
        "criterion gradients",
        points.len(),
        criterion_gradient.len(),
    )?;
    if let Some(factors) = factors {
        check_count("factors", points.len(), factors.len())?;
    }
    for v in w.iter().chain(criterion_gradient) {
        if v.len() != p {
            return Err(Error::shape(
                "solution or criterion gradient",
                format!("{p} coordinates"),
                v.len().to_string(),
                "give one value per scaled coefficient, intercepts last",
            ));
        }
    }
    let smooth = Smooth::<R>::new(problem, true);
    let blocks = Blocks::new(problem);
    let origins: Vec<Vec<f64>> = (0..problem.train.targets.len())
        .map(|target| {
            let wanted = smooth.gram.is_some() && points.iter().any(|p| p.target == target);
            if wanted {
                gradient_by_rows(&smooth, &vec![0.0; p], target).1
            } else {
                Vec::new()
            }
        })
        .collect();
    let solve_point = |at: usize| {
        let system = System::new(
            &smooth,
            Regularizer::new(problem, &blocks, points[at]),
            &w[at],
            step[at],
            points[at],
            &origins[points[at].target],
        );
        let rhs: Vec<f64> = system
            .set
            .iter()
            .map(|&j| criterion_gradient[at][j as usize].to_f64() / step[at])
            .collect();
        let factor = factors.and_then(|f| f[at]);
        let limits = Limits {
            tolerance,
            max_steps,
            control,
        };
        system.solve(&rhs, factor, method, &limits)
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
struct System<'a, 'p, R> {
    smooth: &'a Smooth<'p, R>,
    regularizer: Regularizer<'a>,
    /// w, with a direction in groups that are active without one.
    w: Vec<f64>,
    curvature: Curvature,
    /// R, ascending.
    set: Vec<u32>,
    point: Point,
}

impl<'a, 'p, R: Real> System<'a, 'p, R> {
    fn new(
        smooth: &'a Smooth<'p, R>,
        regularizer: Regularizer<'a>,
        w: &[R],
        step: f64,
        point: Point,
        origin: &[f64],
    ) -> Self {
        let mut w: Vec<f64> = w.iter().map(|&w| w.to_f64()).collect();
        // In f32 the Gram matrix has lost the digits that decide which side of a kink u is on.
        let gram = smooth.gram.as_ref().filter(|_| R::NAME == "f64");
        let (z, gradient) = match gram {
            Some(gram) => (Vec::new(), gradient_by_gram(gram, origin, &w)),
            None => gradient_by_rows(smooth, &w, point.target),
        };
        let u: Vec<f64> = (0..smooth.p)
            .map(|j| w[j] - step * (gradient[j] + regularizer.ridge_gradient(j, w[j])))
            .collect();
        let mut set = Vec::new();
        for (b, rule) in regularizer.rules.iter().enumerate() {
            let members = regularizer.blocks.members(b);
            match *rule {
                Rule::Group(t) => {
                    let pull = group_norm(members, &u);
                    if pull > step * t {
                        set.extend_from_slice(members);
                        if group_norm(members, &w) == 0.0 {
                            // ‖w_g‖ = ‖u_g‖ − γ l1_g at a fixed point.
                            let factor = 1.0 - step * t / pull;
                            for &j in members {
                                w[j as usize] = factor * u[j as usize];
                            }
                        }
                    }
                }
                rule => set.extend(members.iter().filter(|&&j| {
                    let u = u[j as usize];
                    match rule {
                        Rule::Threshold(t) => penalty::soft_threshold_derivative(u, step * t),
                        Rule::NonNegative(t) => u > step * t,
                        Rule::Box(lower, upper) => lower < u && u < upper,
                        Rule::Free | Rule::Group(_) => true,
                    }
                })),
            }
        }
        set.retain(|&j| regularizer.ridge(j as usize) > 0.0 || !smooth.is_zero_column(j as usize));
        set.sort_unstable();
        let curvature = smooth.curvature(&z, point.target, 0.0);
        Self {
            smooth,
            regularizer,
            w,
            curvature,
            set,
            point,
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

    fn solve(
        &self,
        rhs: &[f64],
        factor: Option<&RestrictedFactor<R>>,
        method: RestrictedMethod,
        limits: &Limits<'_>,
    ) -> RestrictedSolution<R> {
        let m = self.set.len();
        if rhs.iter().chain(&self.w).any(|v| !v.is_finite()) {
            return self.outcome(&vec![f64::NAN; m], 0, Status::NonFinite, false);
        }
        if m == 0 || rhs.iter().all(|&r| r == 0.0) {
            return self.outcome(&vec![0.0; m], 0, Status::Converged, false);
        }
        if m > LARGEST_CHOLESKY && method != RestrictedMethod::Direct {
            return self.by_rows(rhs, method, limits);
        }
        let known = factor.filter(|f| {
            self.smooth.loss.is_quadratic() && f.set == self.set && f.l2 == self.point.l2
        });
        let (formed, own);
        let (matrix, factor): (&[R], &[R]) = match known {
            Some(f) => (&f.matrix, &f.factor),
            None => {
                formed = self.form();
                let mut lower = formed.clone();
                if !cholesky::factor(&mut lower, m) {
                    return self.outcome(&vec![0.0; m], 0, Status::Converged, true);
                }
                own = lower;
                (&formed, &own)
            }
        };
        let product = |x: &[f64], y: &mut [f64]| self.product(matrix, x, y);
        let size = matrix
            .iter()
            .map(|&a| a.to_f64().powi(2))
            .sum::<f64>()
            .sqrt();
        let mut work = Cycle::new(matrix, m);
        let refined = refine(
            rhs,
            size,
            <R as num_traits::Float>::epsilon().to_f64(),
            limits,
            product,
            |r, x, budget| match method {
                RestrictedMethod::Direct => {
                    let mut step: Vec<R> = r.iter().map(|&r| R::of(r)).collect();
                    cholesky::solve(factor, &mut step);
                    for (x, &step) in x.iter_mut().zip(&step) {
                        *x = step.to_f64();
                    }
                    0
                }
                RestrictedMethod::Cg { preconditioner } => {
                    work.run(r, preconditioner, limits, budget, x)
                }
            },
        );
        self.outcome(&refined.x, refined.steps, refined.status, false)
    }

    /// y ← A x in `f64`: by the formed matrix where it has that precision, else by the rows.
    fn product(&self, matrix: &[R], x: &[f64], y: &mut [f64]) {
        let m = x.len();
        if R::NAME != "f64" {
            return self.product_by_rows(x, y);
        }
        vectorized(
            #[inline(always)]
            || {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = super::vector::inner(&matrix[i * m..(i + 1) * m], x);
                }
            },
        );
    }

    fn product_by_rows(&self, x: &[f64], y: &mut [f64]) {
        let operator = FaceOperator::new(
            self.smooth,
            &self.regularizer,
            &self.curvature,
            &self.set,
            &self.w,
        );
        let mut full = vec![0.0; self.smooth.p];
        for (&j, &x) in self.set.iter().zip(x) {
            full[j as usize] = x;
        }
        let mut out = vec![0.0; self.smooth.p];
        operator.apply(&full, &mut out);
        for (&j, y) in self.set.iter().zip(y.iter_mut()) {
            *y = out[j as usize];
        }
        let c = self.smooth.classes;
        if c > 1 && self.smooth.problem.train.design.intercept {
            // Intercepts are always free and always last.
            let first = x.len() - c;
            let shift: f64 = x[first..].iter().sum();
            y[first..].iter_mut().for_each(|y| *y += shift);
        }
    }

    fn form(&self) -> Vec<R> {
        let hessian = self.smooth.hessian(&self.set, &self.curvature);
        let model = quadratic_model(
            self.smooth,
            &self.regularizer,
            &self.set,
            &hessian,
            &self.w,
            &vec![0.0; self.smooth.p],
        );
        let all: Vec<u32> = (0..self.set.len() as u32).collect();
        model.face_matrix(&vec![2; self.set.len()], &all)
    }

    /// Conjugate gradient without forming the system.
    fn by_rows(
        &self,
        rhs: &[f64],
        method: RestrictedMethod,
        limits: &Limits<'_>,
    ) -> RestrictedSolution<R> {
        let operator = FaceOperator::new(
            self.smooth,
            &self.regularizer,
            &self.curvature,
            &self.set,
            &self.w,
        );
        let full = operator.diagonal();
        let diagonal: Vec<f64> = match method {
            RestrictedMethod::Cg {
                preconditioner: Preconditioner::Diagonal,
            } => self.set.iter().map(|&j| full[j as usize]).collect(),
            _ => vec![1.0; self.set.len()],
        };
        let size: f64 = self.set.iter().map(|&j| full[j as usize]).sum();
        let product = |x: &[f64], y: &mut [f64]| self.product_by_rows(x, y);
        let refined = refine(rhs, size, f64::EPSILON, limits, product, |r, x, budget| {
            conjugate_gradient(r, &diagonal, product, limits, f64::EPSILON, budget, x)
        });
        self.outcome(&refined.x, refined.steps, refined.status, false)
    }
}

fn gradient_by_gram<R: Real>(gram: &[R], origin: &[f64], w: &[f64]) -> Vec<f64> {
    let p = w.len();
    let mut gradient = origin.to_vec();
    vectorized(
        #[inline(always)]
        || {
            for (j, &w) in w.iter().enumerate() {
                if w != 0.0 {
                    super::vector::axpy_wide(w, &gram[j * p..(j + 1) * p], &mut gradient);
                }
            }
        },
    );
    gradient
}
