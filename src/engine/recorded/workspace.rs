//! A batch of points on an executor: the map, the criterion, and the solution in between.

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Buf, Device, Executor, Recording, Scope, Twinned};
use crate::iterate::fista::Fista;
use crate::iterate::picard::Picard;
use crate::iterate::stochastic::{Streams, record_proximal_step, run_steps};
use crate::iterate::{Progress, Stop, StopRule, drive};
use crate::kernel::step::DISTANCE;
use crate::kinds::{Solver, Status};
use crate::loss::Loss;
use crate::map::loss_rows::LossRows;
use crate::map::minibatch::Draws;
use crate::map::operator::per_problem;
use crate::map::sampled_rows::SampledRows;
use crate::map::spectrum::Spectrum;
use crate::map::{FixedPointMap, ProxGrad};
use crate::problem::{Point, Problem};
use crate::real::{Real, convert, widen};

use crate::engine::accumulator::RawSums;
use crate::engine::request::Request;
use crate::engine::settings::Settings;
use crate::engine::solved::{Adjoints, Differentiated, Solved};

/// Points of one problem on an executor.
pub struct Stage<'a, R> {
    /// The problem.
    pub problem: &'a Problem,
    /// Its points, one per problem of the batch.
    pub points: &'a [Point],
    /// The spectrum that the steps come from.
    pub spectrum: &'a Spectrum,
    /// The executor.
    pub executor: Box<dyn Executor<R>>,
    /// Φ.
    pub map: ProxGrad,
    /// E and its rows.
    pub criterion: LossRows,
    /// w.
    pub w: Buf,
    /// ∂₁E at w, once linearised.
    pub criterion_gradient: Buf,
    /// The adjoint v.
    pub v: Buf,
    /// Room for one vector.
    pub next: Buf,
    /// 1, shared.
    pub one: Buf,
    /// E of every point, once linearised.
    pub criteria: Vec<f64>,
}

impl<'a, R: Twinned> Stage<'a, R> {
    /// Uploads a problem and its points.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn new(
        problem: &'a Problem,
        points: &'a [Point],
        spectrum: &'a Spectrum,
        gram: bool,
        device: &Device,
    ) -> Result<Self> {
        let mut executor = device.executor::<R>(points.len())?;
        let map = ProxGrad::new(&mut executor, problem, points, spectrum, gram)?;
        let criterion = &problem.criterion;
        let sign_and_classes = (problem.classes, criterion.sign);
        let criterion = LossRows::upload(
            &mut executor,
            &criterion.sample,
            criterion.loss,
            sign_and_classes,
            points,
        );
        let p = map.coordinates;
        let mut room = || executor.allocate(Scope::PerProblem, p);
        let (w, criterion_gradient, v, next) = (room(), room(), room(), room());
        let one = crate::map::operator::shared(&mut executor, &[1.0]);
        Ok(Self {
            problem,
            points,
            spectrum,
            executor,
            map,
            criterion,
            w,
            criterion_gradient,
            v,
            next,
            one,
            criteria: Vec::new(),
        })
    }

    /// Sets w from problem-major f64 values.
    pub fn set_solution(&mut self, w: &[f64]) {
        self.executor.upload(self.w, &convert::<R>(w));
    }

    /// ‖∇loss(0)‖ of every point: what tolerances are relative to. Where it is zero, the pull of
    /// the prior takes its place.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn scales(&mut self) -> Result<Vec<R>> {
        let mut recording = Recording::new();
        let rows = &self.map.rows;
        rows.gradient(
            &mut recording,
            self.map.zero(),
            rows.scale,
            self.map.gradient,
        );
        self.executor.run(&recording, 1)?;
        let gradients = self.executor.download(self.map.gradient)?;
        let pull = self
            .problem
            .prior
            .as_ref()
            .map_or(0.0, |prior| prior.iter().map(|c| c * c).sum::<f64>().sqrt());
        Ok(norms(&gradients, self.map.coordinates)
            .into_iter()
            .zip(self.points)
            .map(|(norm, point)| {
                if norm == R::zero() {
                    R::of(point.l2 * pull)
                } else {
                    norm
                }
            })
            .collect())
    }

    /// Linearises Φ at w and evaluates E there.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn linearize(&mut self) -> Result<()> {
        let value = self.executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        self.map.linearize(&mut recording, self.w);
        self.criterion.gradient(
            &mut recording,
            self.w,
            self.criterion.scale,
            self.criterion_gradient,
        );
        self.criterion.value(&mut recording, self.w, value);
        self.executor.run(&recording, 1)?;
        let sign = if self.criterion_is_quadratic() {
            self.problem.criterion.sign
        } else {
            1.0
        };
        let values = self.executor.download(value)?.into_iter();
        self.criteria = values.map(|value| sign * Real::to_f64(value)).collect();
        Ok(())
    }

    /// The quadratic form's value does not carry the sign that other criteria have in their scale.
    fn criterion_is_quadratic(&self) -> bool {
        self.problem.criterion.loss == Loss::Quadratic
    }

    /// Allocates the sums that derivatives are added to.
    pub fn allocate_sums(&mut self, settings: &Settings) {
        self.map.allocate_sums(&mut self.executor, &settings.wrt);
    }

    /// The adjoints that v holds, p entries each.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn adjoints(&self) -> Result<Vec<Vec<f64>>> {
        let v = widen(&self.executor.download(self.v)?);
        let rows = v.chunks_exact(self.map.coordinates);
        Ok(rows.map(<[f64]>::to_vec).collect())
    }

    /// Residuals and hypergradients of the adjoints that v holds.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn differentiated<S>(
        &mut self,
        request: &Request<'_>,
        solved: &[Solved<S>],
        progress: Vec<Progress>,
        singular: Vec<bool>,
    ) -> Result<Vec<Differentiated>> {
        self.allocate_sums(request.settings);
        let mut recording = Recording::new();
        self.map.vjp_hyper(&mut recording, self.w, self.v, self.one);
        self.executor.run(&recording, 1)?;
        let sums = RawSums::download(&self.executor, &self.map.sums, solved.len())?;
        let adjoints = Adjoints {
            progress,
            singular,
            residuals: self.linear_residuals()?,
            v: self.adjoints()?,
        };
        let problem = request.problem;
        let hypergradients = sums
            .into_iter()
            .zip(request.points)
            .zip(solved)
            .map(|((sums, point), solved)| sums.finish(problem, point.target, &solved.w));
        Ok(adjoints.differentiated(hypergradients))
    }

    /// Solves by a recorded iteration from what w holds, and leaves the solution there.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve(&mut self, settings: &Settings, control: &Control) -> Result<Vec<Progress>> {
        let scales = self.scales()?;
        let rule = StopRule {
            tolerance: settings.tolerance,
            max_steps: settings.max_steps,
        };
        let stop = Stop::new(&mut self.executor, rule);
        stop.reset(&mut self.executor);
        self.executor.upload(stop.scale, &scales);
        match settings.solver {
            Solver::Fista => {
                let steps: Vec<f64> = self
                    .points
                    .iter()
                    .map(|point| self.spectrum.step(point.l2).largest.recip())
                    .collect();
                let gamma = per_problem(&mut self.executor, 1, &steps);
                let fista = Fista::new(&mut self.executor, &self.map, &stop, gamma, self.w)?;
                let progress = drive(&mut self.executor, &fista, &stop, control)?;
                let mut recording = Recording::new();
                recording.copy(fista.result(), self.w);
                self.executor.run(&recording, 1)?;
                Ok(progress)
            }
            Solver::Stochastic => self.solve_stochastic(settings, &scales, control),
            _ => {
                let picard = Picard::new(&mut self.executor, &self.map, &stop, self.w);
                drive(&mut self.executor, &picard, &stop, control)
            }
        }
    }

    /// Stochastic proximal gradient, γ_t = β/(κ + t): with strong convexity m = μ + λ₂ the step
    /// falls as 2/(m t), from γ₀ = 1/(2(L_b + λ₂)), L_b the expected smoothness of a minibatch.
    fn solve_stochastic(
        &mut self,
        settings: &Settings,
        scales: &[R],
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let chosen = &settings.stochastic;
        let n = self.problem.train.rows();
        let batch = chosen.batch.min(n);
        let epoch = n / batch;
        let smoothness = minibatch_smoothness(self.problem, self.spectrum, batch);
        let schedule = |point: &Point| {
            let first = 0.5 / (smoothness + point.l2);
            let convexity = self.spectrum.smallest + point.l2;
            let delay = if convexity > 0.0 {
                2.0 / (convexity * first)
            } else {
                10.0 * epoch as f64
            };
            (first * delay, delay)
        };
        let (beta, kappa): (Vec<f64>, Vec<f64>) = self.points.iter().map(schedule).unzip();
        let beta = per_problem(&mut self.executor, 1, &beta);
        let kappa = per_problem(&mut self.executor, 1, &kappa);
        let gamma = self.executor.allocate(Scope::PerProblem, 1);
        let mut streams = Streams::new(vec![Draws::new(
            chosen.seed,
            0,
            n,
            batch,
            chosen.independent,
        )]);
        let block = epoch.clamp(1, 256);
        let sample = SampledRows::new(
            &mut self.executor,
            &self.map,
            (batch, block),
            streams.scope(),
        );
        let mut step = Recording::new();
        record_proximal_step(&mut step, &self.map, &sample, self.w, (beta, kappa, gamma));

        let residual = self.executor.allocate(Scope::PerProblem, 1);
        let mut check = Recording::new();
        self.map.apply(&mut check, self.w, self.next);
        let inputs = [self.next.into(), self.w.into(), self.map.gamma.into()];
        check.dispatch(
            &DISTANCE,
            &inputs,
            &[residual.into()],
            &[self.map.coordinates],
        );

        let tolerance = settings.tolerance.unwrap_or(0.0);
        let mut taken = 0;
        let p = self.map.coordinates;
        // What a problem had when it first met its tolerance: it must not depend on how long its
        // neighbours still run.
        let mut met: Vec<Option<(Vec<R>, usize)>> = vec![None; self.points.len()];
        loop {
            let count = (settings.max_steps - taken).min(epoch.max(1));
            let done = run_steps(
                &mut self.executor,
                &step,
                (&sample, &mut streams),
                (taken, count),
                control,
            )?;
            taken += done;
            self.executor.run(&check, 1)?;
            let residuals = self.executor.download(residual)?;
            let status: Vec<Status> = residuals
                .iter()
                .zip(scales)
                .map(|(&residual, &scale)| {
                    if !num_traits::Float::is_finite(residual) {
                        Status::NonFinite
                    } else if residual <= R::of(tolerance) * scale {
                        Status::Converged
                    } else {
                        Status::BudgetSpent
                    }
                })
                .collect();
            let mut w = self.executor.download(self.w)?;
            for (at, met) in met.iter_mut().enumerate() {
                if met.is_none() && status[at] == Status::Converged {
                    *met = Some((w[at * p..(at + 1) * p].to_vec(), taken));
                }
            }
            let open = |at: usize| met[at].is_none() && status[at] == Status::BudgetSpent;
            let finished = !(0..status.len()).any(open);
            if finished || taken >= settings.max_steps || done < count {
                let mut progress = Vec::with_capacity(status.len());
                for (at, status) in status.into_iter().enumerate() {
                    let (status, steps) = match &met[at] {
                        Some((kept, steps)) => {
                            w[at * p..(at + 1) * p].copy_from_slice(kept);
                            (Status::Converged, *steps)
                        }
                        None => (status, taken),
                    };
                    progress.push(Progress { status, steps });
                }
                self.executor.upload(self.w, &w);
                return Ok(progress);
            }
        }
    }
}

/// Expected smoothness of a minibatch drawn without replacement (Gower et al. 2019), from L of all
/// rows and the largest of a single row.
fn minibatch_smoothness(problem: &Problem, spectrum: &Spectrum, batch: usize) -> f64 {
    let n = problem.train.rows() as f64;
    let bound = problem.loss.curvature_bound();
    let largest_row = problem
        .train
        .design
        .row_squares()
        .iter()
        .zip(&problem.train.weights)
        .map(|(square, s)| bound * square * s)
        .fold(0.0, f64::max);
    let batch = batch as f64;
    if n <= 1.0 {
        return largest_row;
    }
    n * (batch - 1.0) / (batch * (n - 1.0)) * spectrum.largest
        + (n - batch) / (batch * (n - 1.0)) * largest_row
}

/// Euclidean norms of the rows of a problem-major array.
pub fn norms<R: Real>(values: &[R], rows: usize) -> Vec<R> {
    values
        .chunks_exact(rows)
        .map(|row| num_traits::Float::sqrt(row.iter().map(|&value| value * value).sum::<R>()))
        .collect()
}
