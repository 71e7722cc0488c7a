//! Krylov methods for one linear system A x = b on the host: GMRES, BiCGSTAB, conjugate gradient.
//!
//! Every method runs inside the same loop of iterative refinement, which is what is reported:
//!
//! ```text
//! r = b − A x          measured, by a product
//! A d ≈ r              a pass of the method, from d = 0
//! x ← x + d
//! ```
//!
//! A recurrence's own residual drifts away from the true one; the measured one cannot. The loop
//! ends at the tolerance, or where a pass no longer helps: at the level of rounding that is
//! convergence, above it the method stalls.

use super::cg::{ConjugateGradient, Stop, diagonal};
use super::vector::{axpy, dot, norm};
use crate::control::{Control, Progress, StopRule};
use crate::error::{Error, Result};
use crate::kinds::{LinearStructure, Status};

/// A square linear operator, known by its products.
pub trait LinearOperator {
    /// Rows and columns.
    fn size(&self) -> usize;

    /// The structure that is declared of it.
    fn structure(&self) -> LinearStructure;

    /// `out = A x`.
    fn apply(&mut self, x: &[f64], out: &mut [f64]);
}

/// Which Krylov method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KrylovMethod {
    /// Generalised minimal residual (Saad and Schultz 1986): any operator; `restart + 1` vectors.
    Gmres {
        /// Products between restarts, at least 1.
        restart: usize,
    },
    /// Stabilised biconjugate gradient (van der Vorst 1992): any operator, six vectors; may break
    /// down.
    Bicgstab,
    /// Conjugate gradient (Hestenes and Stiefel 1952): symmetric positive definite operators.
    ConjugateGradient,
}

/// A pass reduces the residual by this factor, no further: the next one starts from the true one.
const REDUCTION: f64 = 1e-10;
/// A measured residual below this many ε·(‖b‖ + ‖x‖) is at the level of rounding.
const ROUNDING_LEVEL: f64 = 1e3;
/// The factor by which a pass must reduce the residual above the rounding level.
const IMPROVEMENT: f64 = 0.995;
/// The same at the rounding level, where what is left is noise.
const IMPROVEMENT_AT_ROUNDING: f64 = 0.5;

/// Solves A x = b from what `x` holds, which also holds the result: the best x that was found.
///
/// The rule's tolerance is relative to ‖b‖, and its steps are products with A, those that measure
/// included. `None` and 0 both go to rounding.
///
/// # Errors
/// [`Error::Shape`] when b or x does not fit A; [`Error::Unsupported`] for conjugate gradient on
/// an operator that is not declared symmetric positive definite; [`Error::Value`] for a restart of
/// 0.
pub fn solve(
    operator: &mut dyn LinearOperator,
    method: KrylovMethod,
    b: &[f64],
    x: &mut [f64],
    rule: StopRule,
    control: &Control,
) -> Result<Progress> {
    let p = operator.size();
    check(method, operator.structure(), p, [b.len(), x.len()])?;
    let size = norm(b);
    let done = |status: Status, products: &Products| {
        Ok(Progress {
            status,
            steps: products.used,
        })
    };
    let mut products = Products {
        operator,
        used: 0,
        budget: rule.max_steps,
        control,
    };
    if !size.is_finite() {
        x.fill(f64::NAN);
        return done(Status::NonFinite, &products);
    }
    if size == 0.0 {
        x.fill(0.0);
        return done(Status::Converged, &products);
    }
    let target = rule.tolerance.unwrap_or(0.0) * size;
    let mut room = Room::new(method, p);
    let (mut residual, mut correction) = (vec![0.0; p], vec![0.0; p]);
    let (mut best, mut best_residual) = (x.to_vec(), f64::INFINITY);
    loop {
        products.measure(x, &mut residual);
        for (r, &b) in residual.iter_mut().zip(b) {
            *r = b - *r;
        }
        let now = norm(&residual);
        if best_residual.is_infinite() && !now.is_finite() {
            // The start itself: the operator, or a warm start, is not finite.
            x.fill(f64::NAN);
            return done(Status::NonFinite, &products);
        }
        let level = ROUNDING_LEVEL * f64::EPSILON * (size + norm(&best));
        let at_rounding = best_residual <= level;
        let enough = if at_rounding {
            IMPROVEMENT_AT_ROUNDING
        } else {
            IMPROVEMENT
        };
        // A residual that is NaN is no improvement either.
        let improved = now < enough * best_residual;
        if now < best_residual {
            best.copy_from_slice(x);
            best_residual = now;
        }
        if best_residual <= target {
            x.copy_from_slice(&best);
            return done(Status::Converged, &products);
        }
        if !improved {
            x.copy_from_slice(&best);
            let status = if best_residual <= level {
                Status::Converged
            } else if products.spent() {
                // The pass was cut short: it says nothing.
                Status::BudgetSpent
            } else {
                Status::Stalled
            };
            return done(status, &products);
        }
        if products.spent() {
            return done(Status::BudgetSpent, &products);
        }
        let goal = (0.5 * target).max(REDUCTION * now);
        correction.fill(0.0);
        match method {
            KrylovMethod::Gmres { .. } => {
                gmres(&mut products, &residual, goal, &mut correction, &mut room);
            }
            KrylovMethod::Bicgstab => {
                bicgstab(&mut products, &residual, goal, &mut correction, &mut room);
            }
            KrylovMethod::ConjugateGradient => {
                let budget = longest_pass(p);
                let stop = Stop {
                    goal,
                    budget,
                    indefinite: false,
                };
                let mut work = ConjugateGradient::new(p);
                work.run(&residual, diagonal(None), stop, |x, out| {
                    products.take(x, out)
                });
                correction.copy_from_slice(work.solution());
            }
        }
        axpy(1.0, &correction, x);
    }
}

fn check(
    method: KrylovMethod,
    structure: LinearStructure,
    p: usize,
    lengths: [usize; 2],
) -> Result<()> {
    if lengths.iter().any(|&length| length != p) {
        return Err(Error::shape(
            "right-hand side and solution",
            format!("{p} entries each"),
            format!("{} and {}", lengths[0], lengths[1]),
            "give vectors of the operator's size",
        ));
    }
    if method == (KrylovMethod::Gmres { restart: 0 }) {
        return Err(Error::value("restart", "0 products", "give at least 1"));
    }
    if method == KrylovMethod::ConjugateGradient
        && structure != LinearStructure::SymmetricPositiveDefinite
    {
        return Err(Error::unsupported(
            "conjugate gradient on an operator that is not symmetric positive definite",
            "use GMRES or BiCGSTAB, or declare the structure if the operator has it",
        ));
    }
    Ok(())
}

/// The operator with its budget.
struct Products<'a> {
    operator: &'a mut dyn LinearOperator,
    used: usize,
    budget: usize,
    control: &'a Control,
}

impl Products<'_> {
    /// True when no pass can begin: its result is still to be measured, by one product more.
    fn spent(&self) -> bool {
        self.used + 1 >= self.budget || self.control.should_stop()
    }

    /// `out = A x` in a pass, or false where the budget is spent.
    fn take(&mut self, x: &[f64], out: &mut [f64]) -> bool {
        if self.spent() {
            return false;
        }
        self.measure(x, out);
        true
    }

    /// `out = A x` in any case.
    fn measure(&mut self, x: &[f64], out: &mut [f64]) {
        self.used += 1;
        out.fill(0.0);
        self.operator.apply(x, out);
    }
}

/// The vectors of a method, allocated once.
struct Room {
    vectors: Vec<Vec<f64>>,
    /// GMRES: the columns of R, and the rotations.
    columns: Vec<Vec<f64>>,
    rotations: Vec<(f64, f64)>,
}

impl Room {
    fn new(method: KrylovMethod, p: usize) -> Self {
        let (vectors, columns) = match method {
            KrylovMethod::Gmres { restart } => (restart.min(p) + 1, restart.min(p)),
            KrylovMethod::Bicgstab => (6, 0),
            KrylovMethod::ConjugateGradient => (0, 0),
        };
        Self {
            vectors: vec![vec![0.0; p]; vectors],
            columns: (0..columns).map(|j| vec![0.0; j + 1]).collect(),
            rotations: vec![(1.0, 0.0); columns],
        }
    }
}

/// GMRES from x = 0: Arnoldi's basis V of the Krylov space by modified Gram–Schmidt, A V = V H̄,
/// and y = argmin ‖βe₁ − H̄y‖ by Givens rotations, whose last entry is the residual; x = V y.
fn gmres(products: &mut Products<'_>, b: &[f64], goal: f64, x: &mut [f64], room: &mut Room) {
    let Room {
        vectors,
        columns,
        rotations,
    } = room;
    let most = columns.len();
    let beta = norm(b);
    scaled_copy(1.0 / beta, b, &mut vectors[0]);
    let mut rhs = vec![0.0; most + 1];
    rhs[0] = beta;
    let mut size = 0;
    for j in 0..most {
        let (basis, rest) = vectors.split_at_mut(j + 1);
        let next = &mut rest[0];
        if !products.take(&basis[j], next) {
            break;
        }
        let column = &mut columns[j];
        for (i, v) in basis.iter().enumerate() {
            column[i] = dot(v, next);
            axpy(-column[i], v, next);
        }
        let below = norm(next);
        for i in 0..j {
            let (c, s) = rotations[i];
            (column[i], column[i + 1]) = (
                c * column[i] + s * column[i + 1],
                c * column[i + 1] - s * column[i],
            );
        }
        let pivot = column[j].hypot(below);
        if !pivot.is_finite() || pivot == 0.0 {
            break;
        }
        let (c, s) = (column[j] / pivot, below / pivot);
        rotations[j] = (c, s);
        column[j] = pivot;
        (rhs[j], rhs[j + 1]) = (c * rhs[j], -s * rhs[j]);
        size = j + 1;
        if rhs[size].abs() <= goal || below == 0.0 {
            break;
        }
        next.iter_mut().for_each(|entry| *entry /= below);
    }
    for j in (0..size).rev() {
        rhs[j] /= columns[j][j];
        let y = rhs[j];
        for i in 0..j {
            rhs[i] -= columns[j][i] * y;
        }
        axpy(y, &vectors[j], x);
    }
}

/// Steps of a pass of a method with short recurrences, whose rounding errors add up.
fn longest_pass(p: usize) -> usize {
    4 * p + 50
}

/// BiCGSTAB from x = 0; a breakdown (a product that should divide is 0) ends the pass.
fn bicgstab(products: &mut Products<'_>, b: &[f64], goal: f64, x: &mut [f64], room: &mut Room) {
    let [r, direction, a_direction, a_s, shadow, best] = room.vectors.as_mut_slice() else {
        return;
    };
    r.copy_from_slice(b);
    shadow.copy_from_slice(b);
    direction.copy_from_slice(b);
    best.fill(0.0);
    let (mut rho, mut least) = (dot(shadow, r), norm(b));
    for _ in 0..longest_pass(b.len()) {
        if !products.take(direction, a_direction) {
            break;
        }
        let alpha = rho / dot(shadow, a_direction);
        if !alpha.is_finite() {
            break;
        }
        // r becomes s = r − α A p.
        axpy(alpha, direction, x);
        axpy(-alpha, a_direction, r);
        if norm(r) <= goal {
            best.copy_from_slice(x);
            break;
        }
        if !products.take(r, a_s) {
            break;
        }
        let omega = dot(a_s, r) / dot(a_s, a_s);
        if !omega.is_finite() {
            break;
        }
        axpy(omega, r, x);
        axpy(-omega, a_s, r);
        let now = norm(r);
        // The residual is not monotone: a pass returns its best iterate.
        if now < least {
            least = now;
            best.copy_from_slice(x);
        }
        let rho_next = dot(shadow, r);
        let beta = rho_next / rho * (alpha / omega);
        if now <= goal || !beta.is_finite() {
            break;
        }
        rho = rho_next;
        for ((p, &r), &ap) in direction.iter_mut().zip(&*r).zip(&*a_direction) {
            *p = r + beta * (*p - omega * ap);
        }
    }
    x.copy_from_slice(best);
}

/// y = factor·x.
fn scaled_copy(factor: f64, x: &[f64], y: &mut [f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = factor * x;
    }
}

#[cfg(test)]
mod tests;
