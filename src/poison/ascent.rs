//! Projected hypergradient ascent.

use std::sync::Arc;

use rayon::prelude::*;

use super::ball::Ball;
use super::subject::{Settings, Subject, adversary};
use crate::control::Control;
use crate::data::{Dense, Matrix};
use crate::engine::products::{criterion_value, predictors};
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::hypergrad::minibatch::{At, Request, Sampling, minibatch, row_derivatives};
use crate::hypergrad::{Evaluator, MinibatchSteps, WarmStart};
use crate::kinds::{Method, Precision, Preconditioner, Status, Wrt};
use crate::map::spectrum::{Spectrum, Step};
use crate::model::criterion::residuals_in_place;
use crate::path::{self, PathSettings, RestrictedMethod, RestrictedRequest};
use crate::problem::{Criterion, Point, Problem};

/// The attacked model: one problem with room for the perturbations of several starts.
///
/// The first start moves the rows themselves, each further one copies of them that stand after all
/// rows; weights of its own keep the copies of the others out of a start's fit. So the starts are
/// members of one batch over one design. Copies share the weight of their row, so that centre and
/// scale are those of the clean data.
#[derive(Debug, Clone)]
pub(super) struct Victim {
    problem: Problem,
    /// The strengths.
    point: Point,
    /// The same once for each start, with its weights.
    members: Vec<Point>,
    /// The rows of each start's copies.
    copies: Vec<Vec<usize>>,
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
    pub(super) fn new(subject: &Subject, rows: &[usize], starts: usize) -> Result<Self> {
        let problem = adversary(subject, rows, starts)?;
        problem.check_points(std::slice::from_ref(&subject.point))?;
        let step = Spectrum::of(&problem).step(problem.ridge_range(&subject.point));
        let clean = match &problem.train.design.matrix {
            Matrix::Dense(m) => rows.iter().flat_map(|&i| m.row(i).to_vec()).collect(),
            Matrix::Sparse(_) => Vec::new(),
        };
        let copies: Vec<Vec<usize>> = problem
            .perturbed_rows
            .chunks(rows.len())
            .map(<[usize]>::to_vec)
            .collect();
        let weights_of = |own: &Vec<usize>| -> Vec<f64> {
            let mut weights = problem.train.weights.clone();
            for &i in &problem.perturbed_rows {
                weights[i] = 0.0;
            }
            for &i in own {
                weights[i] = starts as f64 * problem.train.weights[i];
            }
            weights
        };
        let members = match starts {
            1 => vec![subject.point.clone()],
            _ => copies
                .iter()
                .map(|own| subject.point.clone().with_weights(weights_of(own)))
                .collect(),
        };
        let multipliers = problem.features.multipliers(problem.train.design.intercept);
        Ok(Self {
            point: subject.point.clone(),
            members,
            copies,
            step,
            clean,
            multipliers,
            problem,
        })
    }

    /// Writes the perturbation of a start, in the data's units, into the design.
    pub(super) fn set(&mut self, start: usize, perturbation: &[f64]) {
        let d = self.multipliers.len();
        let design = Arc::make_mut(&mut self.problem.train.design);
        let Matrix::Dense(m) = &mut design.matrix else {
            return;
        };
        let columns = m.columns;
        for (at, &i) in self.copies[start].iter().enumerate() {
            let clean = &self.clean[at * columns..(at + 1) * columns];
            let row = &mut m.values[i * columns..(i + 1) * columns];
            for j in 0..d {
                row[j] = clean[j] + perturbation[at * d + j] * self.multipliers[j];
            }
        }
    }

    /// The problem of one start alone.
    pub(super) fn of_start(&self, start: usize) -> Problem {
        let mut problem = self.problem.with_rows_of(&self.members[start]);
        problem.perturbed_rows.clone_from(&self.copies[start]);
        problem
    }

    /// Trains all starts from warm starts, as one batch; the models and their validation losses.
    ///
    /// A graphics device solves in f32, and what it found is refined in f64.
    pub(super) fn train(
        &self,
        warm: &[Vec<f64>],
        settings: &Settings,
        control: &Control,
    ) -> Result<Vec<(Vec<f64>, f64)>> {
        let models: Vec<Vec<f64>> = if settings.device == Device::Cpu {
            let limits = PathSettings {
                tolerance: Some(settings.tolerance),
                max_steps: MAX_STEPS,
            };
            let solved =
                path::solve::<f64>(&self.problem, &self.members, Some(warm), &limits, control)?;
            solved.into_iter().map(|solved| solved.w).collect()
        } else {
            let warm = warm.iter().map(|w| WarmStart {
                w: w.clone(),
                v: Vec::new(),
            });
            let solve = crate::hypergrad::Settings::default()
                .method(None)
                .tolerance(settings.tolerance)
                .max_steps(MAX_STEPS)
                .device(settings.device.clone())
                .precision(Precision::F64);
            let outcomes = Evaluator::new(&self.problem)
                .settings(&solve)
                .control(control)
                .warm_starts(warm.collect::<Vec<_>>())
                .run(&self.members)?;
            outcomes.into_iter().map(|o| o.solution).collect()
        };
        if control.should_stop() {
            return Err(Error::Interrupted { what: "an attack" });
        }
        let with_loss = |w: Vec<f64>| -> Result<(Vec<f64>, f64)> {
            let (criterion, target) = (&self.problem.criterion, self.point.target);
            let loss = -criterion_value(criterion, &w, self.problem.classes, target);
            check_finite(&w)?;
            Ok((w, loss))
        };
        models.into_iter().map(with_loss).collect()
    }

    /// d(validation loss)/dP of a start at its model, by an exact adjoint in f64.
    pub(super) fn slopes_at(&self, start: usize, w: &[f64], control: &Control) -> Result<Vec<f64>> {
        slopes(&self.of_start(start), &self.point, self.step, w, control)
    }

    fn sampled_slopes_at(
        &self,
        start: usize,
        w: &[f64],
        settings: &Settings,
        seed: u64,
        control: &Control,
    ) -> Result<Vec<f64>> {
        let (steps, batch) = settings.stochastic;
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
        let problem = self.of_start(start);
        let request = Request {
            at: 0,
            seed,
            steps,
            freeze: problem.train.rows().div_ceil(batch),
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
            &problem,
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

/// The most steps of a fit.
pub(super) const MAX_STEPS: usize = 100_000;

/// Refuses a fit that has no value.
pub(super) fn check_finite(w: &[f64]) -> Result<()> {
    if w.iter().all(|w| w.is_finite()) {
        return Ok(());
    }
    Err(Error::value(
        "poisoning",
        "a fit to perturbed data diverged",
        "choose l2 > 0, a smaller budget, or a range of values",
    ))
}

/// d(validation loss)/dP of a problem's perturbed rows at a model, by an exact adjoint; its criterion is minus
/// the loss.
pub(super) fn slopes(
    problem: &Problem,
    point: &Point,
    step: Step,
    w: &[f64],
    control: &Control,
) -> Result<Vec<f64>> {
    let at = At { point, w, step };
    let z = adjoint(problem, at, control)?;
    let found = row_derivatives(problem, at, &z, &[Wrt::Perturbation])?;
    let slopes = found.perturbation.unwrap_or_default();
    Ok(slopes.into_iter().map(|s| -s).collect())
}

/// Attacks from several starts.
pub(super) struct Ascent<'a> {
    /// The model with room for as many starts.
    pub(super) victim: &'a Victim,
    pub(super) ball: Ball,
    /// The perturbed rows as they are.
    pub(super) base: &'a Dense,
    pub(super) settings: &'a Settings,
    pub(super) control: &'a Control,
}

/// A start of an ascent.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) perturbation: Vec<f64>,
    /// The seed of what is drawn on the way.
    pub(super) seed: u64,
}

/// The end of an ascent.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The best perturbation met.
    pub(super) perturbation: Vec<f64>,
    /// The validation loss at every one, start first.
    pub(super) trace: Vec<f64>,
}

impl Ascent<'_> {
    /// The ends of all starts, in their order.
    ///
    /// The step t has length radius/√(t + 1): the first reaches across the ball, and the
    /// projection does the rest.
    pub(super) fn run(&self, starts: &[Start], clean: &[f64]) -> Result<Vec<Found>> {
        let mut victim = self.victim.clone();
        let mut places: Vec<Vec<f64>> = starts.iter().map(|s| s.perturbation.clone()).collect();
        let mut models = vec![clean.to_vec(); starts.len()];
        let mut found: Vec<Found> = starts
            .iter()
            .map(|start| Found {
                perturbation: start.perturbation.clone(),
                trace: Vec::with_capacity(self.settings.steps + 1),
            })
            .collect();
        let mut best = vec![f64::NEG_INFINITY; starts.len()];
        for step in 0..=self.settings.steps {
            for (start, place) in places.iter().enumerate() {
                victim.set(start, place);
            }
            let trained = victim.train(&models, self.settings, self.control)?;
            for (start, (model, loss)) in trained.into_iter().enumerate() {
                models[start] = model;
                found[start].trace.push(loss);
                if loss > best[start] {
                    best[start] = loss;
                    found[start].perturbation.copy_from_slice(&places[start]);
                }
            }
            if step == self.settings.steps {
                break;
            }
            let length = self.ball.radius / ((step + 1) as f64).sqrt();
            let ascend = |start: usize, place: &mut Vec<f64>| -> Result<()> {
                let slopes = match self.settings.method {
                    Method::Nsid => {
                        let seed = starts[start].seed.wrapping_add(step as u64);
                        let (w, settings) = (&models[start], self.settings);
                        victim.sampled_slopes_at(start, w, settings, seed, self.control)?
                    }
                    _ => victim.slopes_at(start, &models[start], self.control)?,
                };
                self.ball.ascend(&slopes, length, self.base.columns, place);
                self.ball.project(self.base, place);
                Ok(())
            };
            places
                .par_iter_mut()
                .enumerate()
                .try_for_each(|(start, place)| ascend(start, place))?;
        }
        Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Scaling;
    use crate::model::loss::Loss;
    use crate::problem::{Rows, Specification};

    fn rows(n: usize, shift: f64, weights: bool) -> Rows {
        let entry = |at: usize| (at as f64 * 0.7 + shift).sin() * (1.0 + (at % 3) as f64);
        let values: Vec<f64> = (0..4 * n).map(entry).collect();
        let z = |i: usize| values[4 * i] - 0.5 * values[4 * i + 1] + 0.4 * entry(31 * i + 5);
        let y = (0..n)
            .map(|i| if z(i) > 0.0 { 1.0 } else { -1.0 })
            .collect();
        Rows {
            targets: vec![y],
            weights: weights.then(|| (0..n).map(|i| 0.5 + (i % 4) as f64).collect()),
            offset: None,
            matrix: Matrix::Dense(Dense::new(n, 4, values).unwrap()),
        }
    }

    fn subject() -> Subject {
        let train = rows(30, 0.1, true);
        let mut specification = Specification::new(Loss::Logistic, train.matrix, train.targets);
        specification.train.weights = train.weights;
        specification.weight_factors = Some((0..30).map(|i| 1.0 + (i % 2) as f64).collect());
        specification.validation = Some(rows(25, 2.0, true));
        specification.scaling = Scaling {
            intercept: true,
            standardize: true,
        };
        Subject {
            specification,
            point: Point::new(0.01, 0.05),
            test: None,
        }
    }

    fn exactly() -> Settings {
        Settings {
            tolerance: 1e-13,
            ..Settings::default()
        }
    }

    fn places(victim: &mut Victim, starts: usize) -> Vec<Vec<f64>> {
        let place = |start: usize| (0..12).map(move |at| 0.1 * ((at + 5 * start) as f64).cos());
        let places: Vec<Vec<f64>> = (0..starts).map(|start| place(start).collect()).collect();
        for (start, place) in places.iter().enumerate() {
            victim.set(start, place);
        }
        places
    }

    /// A start of a batch is the start alone: model, loss and slopes.
    #[test]
    fn starts_do_not_see_each_other() {
        let (subject, rows, control) = (subject(), [2, 7, 19], Control::new());
        let zeros = vec![vec![0.0; 5]; 3];
        let mut together = Victim::new(&subject, &rows, 3).unwrap();
        let places = places(&mut together, 3);
        let of_batch = together.train(&zeros, &exactly(), &control).unwrap();
        for (start, place) in places.iter().enumerate() {
            let mut alone = Victim::new(&subject, &rows, 1).unwrap();
            alone.set(0, place);
            let of_one = alone.train(&zeros[..1], &exactly(), &control).unwrap();
            let slopes = [
                together
                    .slopes_at(start, &of_batch[start].0, &control)
                    .unwrap(),
                alone.slopes_at(0, &of_one[0].0, &control).unwrap(),
            ];
            let pairs = of_batch[start].0.iter().zip(&of_one[0].0);
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-9), "{start}");
            assert!((of_batch[start].1 - of_one[0].1).abs() < 1e-10);
            assert_eq!(slopes[0].len(), 12);
            assert!(
                slopes[0]
                    .iter()
                    .zip(&slopes[1])
                    .all(|(a, b)| (a - b).abs() < 1e-9)
            );
            assert!(slopes[0].iter().any(|s| s.abs() > 1e-4));
        }
        // They differ: none is a copy of another.
        assert!((of_batch[0].1 - of_batch[1].1).abs() > 1e-6);
    }

    /// Central differences of a start's validation loss in its own copies.
    #[test]
    fn slopes_of_a_start_are_finite_differences() {
        let (subject, rows, control) = (subject(), [2, 7, 19], Control::new());
        let zeros = vec![vec![0.0; 5]; 2];
        let mut victim = Victim::new(&subject, &rows, 2).unwrap();
        let places = places(&mut victim, 2);
        let models = victim.train(&zeros, &exactly(), &control).unwrap();
        let found = victim.slopes_at(1, &models[1].0, &control).unwrap();
        let largest = found.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        for at in [0, 3, 5, 10] {
            let mut loss = |by: f64| {
                let mut moved = places[1].clone();
                moved[at] += by;
                victim.set(1, &moved);
                let trained = victim.train(&zeros, &exactly(), &control).unwrap();
                trained[1].1
            };
            let difference = (loss(1e-4) - loss(-1e-4)) / 2e-4;
            let error = (found[at] - difference).abs();
            assert!(error < 1e-6 * largest, "{at}: {} {difference}", found[at]);
        }
    }
}
