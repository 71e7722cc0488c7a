//! Projected hypergradient ascent.

use super::ball::Ball;
use super::subject::{Settings, Subject, adversary};
use std::sync::Arc;

use crate::control::Control;
use crate::data::{Dense, Matrix};
use crate::engine::products::{criterion_value, predictors};
use crate::error::{Error, Result};
use crate::hypergrad::MinibatchSteps;
use crate::hypergrad::minibatch::{At, Request, Sampling, minibatch, row_derivatives};
use crate::kinds::{Method, Preconditioner, Status, Wrt};
use crate::map::spectrum::{Spectrum, Step};
use crate::model::criterion::residuals_in_place;
use crate::path::{self, PathSettings, RestrictedMethod, RestrictedRequest};
use crate::problem::{Criterion, Point, Problem};

/// The attacked model: its problem with room for a perturbation.
#[derive(Debug, Clone)]
pub(super) struct Victim {
    problem: Problem,
    point: Point,
    /// γ and q at the clean data: they only decide how a support is read off.
    step: Step,
    /// The perturbed rows of the design without perturbation.
    clean: Vec<f64>,
    /// The factors of a perturbation in the data's units.
    multipliers: Vec<f64>,
}

/// The steps of NSID where it is asked for: the rate 1/k from a first step of ½.
const SCHEDULE: MinibatchSteps = MinibatchSteps::Decreasing {
    multiplier: 1.0,
    shift: 2.0,
};

impl Victim {
    pub(super) fn new(subject: &Subject, rows: Vec<usize>, d: usize) -> Result<Self> {
        let problem = adversary(subject, rows, d)?;
        problem.check_points(std::slice::from_ref(&subject.point))?;
        let step = Spectrum::of(&problem).step(problem.ridge_range(&subject.point));
        let clean = problem
            .perturbed_rows
            .iter()
            .flat_map(|&i| match &problem.train.design.matrix {
                Matrix::Dense(m) => m.row(i).to_vec(),
                Matrix::Sparse(_) => Vec::new(),
            })
            .collect();
        let multipliers = problem.features.multipliers(problem.train.design.intercept);
        Ok(Self {
            point: subject.point.clone(),
            step,
            clean,
            multipliers,
            problem,
        })
    }

    /// Writes a perturbation in the data's units into the design.
    fn set(&mut self, perturbation: &[f64]) {
        let d = self.multipliers.len();
        let design = Arc::make_mut(&mut self.problem.train.design);
        let Matrix::Dense(m) = &mut design.matrix else {
            return;
        };
        let columns = m.columns;
        for (at, &i) in self.problem.perturbed_rows.iter().enumerate() {
            let clean = &self.clean[at * columns..(at + 1) * columns];
            let row = &mut m.values[i * columns..(i + 1) * columns];
            for j in 0..d {
                row[j] = clean[j] + perturbation[at * d + j] * self.multipliers[j];
            }
        }
    }

    /// Trains from a warm start; the model and its validation loss.
    fn train(&self, warm: &[f64], tolerance: f64, control: &Control) -> Result<(Vec<f64>, f64)> {
        let settings = PathSettings {
            tolerance: Some(tolerance),
            max_steps: 100_000,
        };
        let warm = [warm.to_vec()];
        let point = std::slice::from_ref(&self.point);
        let solved = path::solve::<f64>(&self.problem, point, Some(&warm), &settings, control)?;
        let w = solved.into_iter().flat_map(|s| s.w).collect::<Vec<f64>>();
        if control.should_stop() {
            return Err(Error::Interrupted { what: "an attack" });
        }
        let loss = -criterion_value(
            &self.problem.criterion,
            &w,
            self.problem.classes,
            self.point.target,
        );
        Ok((w, loss))
    }

    /// d(validation loss)/dP at a model, by an exact adjoint.
    pub(super) fn slopes_at(&self, w: &[f64], control: &Control) -> Result<Vec<f64>> {
        let at = At {
            point: &self.point,
            w,
            step: self.step,
        };
        let z = adjoint(&self.problem, at, control)?;
        let found = row_derivatives(&self.problem, at, &z, &[Wrt::Perturbation])?;
        // The criterion is minus the loss.
        let slopes = found.perturbation.unwrap_or_default();
        Ok(slopes.into_iter().map(|s| -s).collect())
    }

    fn sampled_slopes_at(
        &self,
        w: &[f64],
        steps: usize,
        batch: usize,
        seed: u64,
        control: &Control,
    ) -> Result<Vec<f64>> {
        // A free intercept leaves no global contraction; for the schedule λ₂ says how fast v settles.
        let lo = self.problem.ridge_range(&self.point).least;
        let hi = self.step.largest;
        let at = At {
            point: &self.point,
            w,
            step: Step {
                contraction: self.step.contraction.min((hi - lo) / (hi + lo)),
                ..self.step
            },
        };
        let request = Request {
            at: 0,
            seed,
            steps,
            freeze: self.problem.train.rows().div_ceil(batch),
            schedule: SCHEDULE,
        };
        let sampling = Sampling {
            batch,
            independent: false,
            frozen: true,
            wrt: vec![Wrt::Perturbation],
        };
        let uncounted = Control::new();
        let found = minibatch::<f64, _>(
            &self.problem,
            &[at],
            &[request],
            &sampling,
            &uncounted,
            |_, h| h.perturbation.unwrap_or_default(),
        )?;
        if control.should_stop() {
            return Err(Error::Interrupted { what: "an attack" });
        }
        Ok(found.into_iter().flatten().map(|s| -s).collect())
    }
}

/// One attack.
pub(super) struct Ascent<'a> {
    pub(super) victim: &'a Victim,
    pub(super) ball: Ball,
    /// The perturbed rows as they are.
    pub(super) base: &'a Dense,
    pub(super) settings: &'a Settings,
    pub(super) control: &'a Control,
    pub(super) seed: u64,
}

impl Ascent<'_> {
    /// The best perturbation met, and the validation loss at every one, start first.
    ///
    /// The step t has length radius/√(t + 1): the first reaches across the ball, and the
    /// projection does the rest.
    pub(super) fn run(&self, start: Vec<f64>, clean: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut victim = self.victim.clone();
        let mut perturbation = start;
        let mut w = clean.to_vec();
        let (mut best, mut best_loss) = (perturbation.clone(), f64::NEG_INFINITY);
        let mut trace = Vec::with_capacity(self.settings.steps + 1);
        for step in 0..=self.settings.steps {
            victim.set(&perturbation);
            let (model, loss) = victim.train(&w, self.settings.tolerance, self.control)?;
            w = model;
            trace.push(loss);
            if loss > best_loss {
                best_loss = loss;
                best.copy_from_slice(&perturbation);
            }
            if step == self.settings.steps {
                break;
            }
            let slopes = match self.settings.method {
                Method::Nsid => {
                    let seed = self.seed.wrapping_add(step as u64);
                    let (steps, batch) = self.settings.stochastic;
                    victim.sampled_slopes_at(&w, steps, batch, seed, self.control)?
                }
                _ => victim.slopes_at(&w, self.control)?,
            };
            let length = self.ball.radius / ((step + 1) as f64).sqrt();
            self.ball
                .ascend(&slopes, length, self.base.columns, &mut perturbation);
            self.ball.project(self.base, &mut perturbation);
        }
        Ok((best, trace))
    }
}

/// z = Dv of the exact adjoint at w: the restricted system by Cholesky, on large supports by
/// conjugate gradient.
///
/// # Errors
/// [`Error::Unsupported`] where the restricted Hessian is singular, so that there is no
/// hypergradient.
pub fn adjoint(problem: &Problem, at: At<'_>, control: &Control) -> Result<Vec<f64>> {
    /// Supports up to this size are factored.
    const LARGEST_FACTORED: usize = 2000;
    let gradient = criterion_gradient(problem, at.w, at.point.target);
    let support = at.w.iter().filter(|w| **w != 0.0).count();
    let method = if support <= LARGEST_FACTORED {
        RestrictedMethod::Direct
    } else {
        RestrictedMethod::Cg {
            preconditioner: Preconditioner::default(),
        }
    };
    let request = RestrictedRequest {
        points: std::slice::from_ref(at.point),
        w: &[at.w.to_vec()],
        step: &[at.step.gamma],
        criterion_gradient: &[gradient],
        factors: None,
        method,
        tolerance: None,
        max_steps: 10_000,
        control,
    };
    let solution = path::solve_restricted::<f64>(problem, &request)?.remove(0);
    if solution.singular || solution.status == Status::NonFinite {
        return Err(Error::unsupported(
            "a hypergradient at a singular Hessian",
            "choose l2 > 0, or drop duplicate columns",
        ));
    }
    Ok(solution.z)
}

/// ∂₁E: p scaled coordinates.
fn criterion_gradient(problem: &Problem, w: &[f64], target: usize) -> Vec<f64> {
    let Criterion {
        loss, sign, sample, ..
    } = &problem.criterion;
    let c = problem.classes;
    let mut z = predictors(&sample.design, w, c);
    let y = &sample.targets[target];
    let scale = sign.factor() / y.len() as f64;
    residuals_in_place(*loss, &mut z, y, |i| scale * sample.weights[i]);
    sample.design_adjoint(&z, c)
}
