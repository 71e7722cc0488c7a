//! Vector-Jacobian products of solutions: ∂⟨g, w(λ)⟩/∂λ for a cotangent g of the caller's own, with the targets
//! and the design among the inputs.
//!
//! ```text
//! (I − ∂₁Φᵀ) v = g        ∂⟨g, w⟩/∂λ = ∂₂Φᵀv        z = Dv,  q = X̂z
//! y_i  γ (s_i/n) h_i q_i        X̂_i  −γ (s_i/n) (z r_i + w (h q)_i)        b of a quadratic form  γz
//! ```
//!
//! It is the adjoint of the criterion with g in place of ∂₁E; the formulas of single entries are in
//! [`linearization`](crate::model::linearization).

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::exec::Device;
use crate::kinds::{Method, Precision, Status, Wrt};
use crate::model::linearization::{OuterDerivative, perturbation_share, target_share};
use crate::model::loss::{Loss, RowLoss, multinomial};
use crate::path::Uniqueness;
use crate::problem::{Offset, Point, Problem};

use super::list::choose;
use super::outcome::{Hypergradient, Outcome};
use super::products::predictors;
use super::request::{Request, Task};
use super::solved::{Differentiated, NOTHING, Solved};
use super::staged::{linearized, together};

/// An input of a problem to differentiate a solution with respect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// A hyperparameter.
    Hyperparameter(Wrt),
    /// The targets of the training rows, of losses of z − y; b of a quadratic form.
    Targets,
    /// All entries of the training rows.
    Design,
}

impl From<Wrt> for Input {
    fn from(wrt: Wrt) -> Self {
        Self::Hyperparameter(wrt)
    }
}

/// The product of a cotangent with the derivative of one solution. What was not asked for is `None`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Vjp {
    /// The status of the solution and of the linear solver: the worse of the two.
    pub status: Status,
    /// With respect to hyperparameters, in the units of [`Hypergradient`]; the criterion plays no part.
    pub hypergradient: Hypergradient,
    /// With respect to the targets: n entries.
    pub targets: Option<Vec<f64>>,
    /// With respect to the training rows: n × d, row-major, in the data's units.
    pub design: Option<Vec<f64>>,
    /// ‖(I − ∂₁Φᵀ)v − g‖/‖g‖, recomputed.
    pub linear_residual: f64,
    /// The adjoint v: p entries.
    pub adjoint: Vec<f64>,
}

/// The products of the cotangents of a request with the derivatives of outcomes at its points.
///
/// # Errors
/// [`Error::Unsupported`] for inputs that a solution is not differentiable in, and methods without an
/// adjoint; [`Error::Shape`] for cotangents of another length; [`Error::Value`] where there is no
/// derivative.
pub fn vjp(request: &Request<'_>, outcomes: &[Outcome], wrt: &[Input]) -> Result<Vec<Vjp>> {
    check(request, outcomes, wrt)?;
    let solved: Vec<Solved<f64>> = outcomes.iter().map(solved).collect();
    let engine = choose::<f64>(&request.of(Task::Adjoint)).ok_or_else(no_method)?;
    let mut products = Vec::with_capacity(outcomes.len());
    let together = together(request.problem);
    for (at, solved) in solved.chunks(together).enumerate() {
        let range = at * together..at * together + solved.len();
        let part = request.part(range.clone());
        let w = solved.iter().map(|solved| solved.w.as_slice());
        let mut batch = linearized::<f64>(&part, &Device::Cpu, w)?;
        let differentiated = engine.adjoint(&part, &mut batch, solved)?;
        let (map, members) = (&batch.workspace.map, batch.members);
        let u = batch.workspace.vectors(map.u)?;
        let z = batch.workspace.vectors(map.rows.z)?;
        let found: Result<Vec<Vjp>> = (0..solved.len())
            .into_par_iter()
            .map(|at| {
                let point = &part.points[at];
                At {
                    problem: members.problem(point),
                    point,
                    gamma: members.step(point).gamma,
                    w: &solved[at].w,
                    u: &u[at],
                    predictors: &z[at],
                }
                .product(
                    &differentiated[at],
                    wrt,
                    outcomes[range.start + at].status,
                )
            })
            .collect();
        products.extend(found?);
    }
    Ok(products)
}

/// A solution as the solvers leave it.
fn solved(outcome: &Outcome) -> Solved<f64> {
    Solved {
        w: outcome.solution.clone(),
        progress: NOTHING,
        factor: None,
        uniqueness: Uniqueness::Unique,
        sums: None,
    }
}

fn no_method() -> Error {
    Error::unsupported(
        "a vector-Jacobian product by a method without an adjoint",
        "use direct, aid-cg or aid-fp",
    )
}

fn check(request: &Request<'_>, outcomes: &[Outcome], wrt: &[Input]) -> Result<()> {
    let (problem, settings) = (request.problem, request.settings);
    request.check()?;
    let has_adjoint = matches!(
        settings.method,
        Some(Method::Direct | Method::AidCg | Method::AidFp)
    );
    if !has_adjoint || !settings.device.is_cpu() || settings.precision != Precision::F64 {
        return Err(no_method());
    }
    let p = problem.coordinates();
    let cotangents = request.cotangents.unwrap_or_default();
    let fits = |vector: &Vec<f64>| vector.len() == p;
    let is_of_outcomes = cotangents.len() == outcomes.len() && cotangents.iter().all(fits);
    if !is_of_outcomes || !outcomes.iter().all(|outcome| fits(&outcome.solution)) {
        return Err(Error::shape(
            "cotangents",
            format!("{} of {p} coordinates, as the outcomes", outcomes.len()),
            format!("{} of other sizes", cotangents.len()),
            "give one per outcome of this same problem",
        ));
    }
    if !cotangents.iter().flatten().all(|g| g.is_finite()) {
        return Err(Error::value(
            "cotangents",
            "an entry is not finite",
            "give finite numbers",
        ));
    }
    if wrt.contains(&Input::Targets) {
        check_targets(problem)?;
    }
    if wrt.contains(&Input::Design) {
        check_design(problem, request.points)?;
    }
    Ok(())
}

fn check_targets(problem: &Problem) -> Result<()> {
    if Offset::factors_of(problem.train.offset.as_deref()).is_some() {
        return Err(Error::unsupported(
            "the derivative in targets beside offsets with a log link",
            "state the problem with rates as targets and exposures as sample weights",
        ));
    }
    if !problem.loss.is_classification() {
        return Ok(());
    }
    Err(Error::unsupported(
        format!(
            "the derivative in targets of the {} loss, which are classes",
            problem.loss.name()
        ),
        "differentiate with respect to sample-weights, or use a loss of numbers",
    ))
}

fn check_design(problem: &Problem, points: &[Point]) -> Result<()> {
    let refuse = |what: &str, remedy: &str| Err(Error::unsupported(what, remedy));
    if problem.loss == Loss::Quadratic {
        return refuse(
            "the derivative in Q of a quadratic form",
            "differentiate with respect to its targets b",
        );
    }
    if problem.scaling.standardize {
        return refuse(
            "the derivative in the design of standardised columns, whose scale depends on it",
            "switch standardisation off, and scale the columns before where that is wanted",
        );
    }
    let is_free = |point: &&Point| {
        let strengths = match point.strengths() {
            Some(own) => own.iter().map(|s| s * point.l1).collect(),
            None => problem.effective_strengths(point.l1),
        };
        strengths.contains(&0.0)
    };
    let has_constant = problem.train.design.intercept && !problem.features.constant.is_empty();
    if has_constant && points.iter().find(is_free).is_some() {
        return refuse(
            "the derivative in the design where a column does not vary and l1 is zero",
            "drop the column, or choose l1 > 0",
        );
    }
    Ok(())
}

/// A solution that is differentiated.
struct At<'a> {
    problem: &'a Problem,
    point: &'a Point,
    gamma: f64,
    w: &'a [f64],
    u: &'a [f64],
    predictors: &'a [f64],
}

impl At<'_> {
    fn product(&self, d: &Differentiated, wrt: &[Input], solution: Status) -> Result<Vjp> {
        let Some(hypergradient) = d.hypergradient.clone() else {
            let what = if d.singular {
                "the Hessian restricted to the support is singular"
            } else {
                "the computation was stopped before it began"
            };
            return Err(Error::value(
                "vector-Jacobian product",
                format!("there is none: {what}"),
                "choose l2 > 0, or drop duplicate columns; allow more time where it was limited",
            ));
        };
        let regularizer = self.problem.regularizer(self.point);
        let outer = OuterDerivative::at(&regularizer, self.gamma, self.u.to_vec());
        let z = outer.apply(&d.v);
        let asks = |input: Input| wrt.contains(&input);
        let is_form = self.problem.loss == Loss::Quadratic;
        let rows = (asks(Input::Design) || asks(Input::Targets) && !is_form).then(|| self.rows(&z));
        let targets = asks(Input::Targets).then(|| match &rows {
            Some(rows) if !is_form => rows.pulled.iter().map(|p| self.gamma * p).collect(),
            _ => z.iter().map(|z| self.gamma * z).collect(),
        });
        let design = rows
            .filter(|_| asks(Input::Design))
            .map(|rows| self.design(&z, &rows));
        let is_finite = |part: &Option<Vec<f64>>| part.iter().flatten().all(|x| x.is_finite());
        let all_finite = hypergradient.is_finite() && is_finite(&targets) && is_finite(&design);
        let status = solution.worse(d.progress.status);
        Ok(Vjp {
            status: if all_finite {
                status
            } else {
                Status::NonFinite
            },
            hypergradient,
            targets,
            design,
            linear_residual: d.linear_residual.unwrap_or(0.0),
            adjoint: d.v.clone(),
        })
    }

    /// r and hq of all rows, scaled by s/n.
    fn rows(&self, z: &[f64]) -> RowParts {
        let (c, sample) = (self.problem.classes, &self.problem.train);
        let targets = &sample.targets[self.point.target];
        let n = sample.rows() as f64;
        let mut residuals = self.predictors.to_vec();
        let mut curved = predictors(&sample.design, z, c);
        let rows = residuals
            .chunks_exact_mut(c)
            .zip(curved.chunks_exact_mut(c));
        let mut pulled = Vec::new();
        for (i, (residual, curved)) in rows.enumerate() {
            let share = sample.weights[i] / n;
            let y = targets[i];
            match self.problem.loss.residual_row() {
                Some(row) => {
                    let pull = row.target_pull(residual[0], y);
                    pulled.push(target_share(pull, curved[0], share));
                    curved[0] *= row.curvature(residual[0], y);
                }
                None => {
                    let mut probabilities = residual.to_vec();
                    multinomial::softmax_in_place(&mut probabilities);
                    multinomial::apply_curvature(&probabilities, curved);
                }
            }
            self.problem.loss.residual_in_place(residual, y);
            residual.iter_mut().for_each(|r| *r *= share);
            curved.iter_mut().for_each(|q| *q *= share);
        }
        RowParts {
            residuals,
            curved,
            pulled,
        }
    }

    /// n × d entries in the data's units: columns have no scale of their own ([`check_design`]), and the rows of one that
    /// does not vary move its centred entries like any other's.
    fn design(&self, z: &[f64], rows: &RowParts) -> Vec<f64> {
        let (c, design) = (self.problem.classes, &self.problem.train.design);
        let d = design.features();
        let mut out = vec![0.0; design.rows() * d];
        let of_rows = rows
            .residuals
            .chunks_exact(c)
            .zip(rows.curved.chunks_exact(c));
        for (out, (residual, curved)) in out.chunks_exact_mut(d.max(1)).zip(of_rows) {
            for (j, out) in out.iter_mut().enumerate() {
                let of_class = |k: usize| {
                    let at = j * c + k;
                    perturbation_share(z[at], residual[k], self.w[at], curved[k])
                };
                let sum: f64 = (0..c).map(of_class).sum();
                *out = self.gamma * sum;
            }
        }
        out
    }
}

/// Sums over predictors of rows, scaled by s/n.
struct RowParts {
    /// r.
    residuals: Vec<f64>,
    /// hq.
    curved: Vec<f64>,
    /// −∂r/∂y q; empty for multinomial rows.
    pulled: Vec<f64>,
}
