//! Points of a problem of data as a batch on an executor, with the solvers that need to know the
//! problem.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::control::Control;
use crate::engine::accumulator::Accumulator;
use crate::engine::members::PreparedMembers;
use crate::engine::request::Request;
use crate::engine::settings::Settings;
use crate::engine::solved::{Adjoints, Differentiated, Solved};
use crate::error::Result;
use crate::exec::{Device, Executor, Recording, Scope, Twinned};
use crate::iterate::fista::Fista;
use crate::iterate::stochastic::{Schedule, Streams, record_proximal_step, run_steps};
use crate::iterate::{Progress, drive};
use crate::kernel::step::DISTANCE;
use crate::kinds::{Solver, Status};
use crate::map::loss_rows::{BatchRows, LossRows};
use crate::map::minibatch::Draws;
use crate::map::operator::per_problem;
use crate::map::sampled_rows::SampledRows;
use crate::map::spectrum::Spectrum;
use crate::map::{FixedPointMap, ProxGrad};
use crate::model::loss::Loss;
use crate::problem::{Point, Problem};
use crate::real::{sum_of, widen};

use super::workspace::{DataCriterion, DataWorkspace, Workspace, norms};

/// Points of one problem on an executor.
pub struct Batch<'a, R> {
    /// The problem.
    pub problem: &'a Problem,
    /// The problems of its points, whose spectra the steps come from.
    pub members: &'a PreparedMembers<'a>,
    /// Its points, one per problem of the workspace.
    pub points: &'a [Point],
    /// The points on the executor.
    pub workspace: DataWorkspace<R>,
}

/// Uploads points of a batch; with `gram` in the Gram form of [`ProxGrad::new`].
///
/// # Errors
/// When the executor fails.
pub fn workspace<R: Twinned>(
    members: &PreparedMembers<'_>,
    points: &[Point],
    gram: bool,
    device: &Device,
) -> Result<DataWorkspace<R>> {
    let mut executor = device.executor::<R>(points.len())?;
    let gamma: Vec<f64> = points.iter().map(|p| members.step(p).gamma).collect();
    let map = ProxGrad::new(&mut executor, members.problems(), points, &gamma, gram)?;
    let criterion = &members.base().criterion;
    let sign = criterion.sign.factor();
    let is_quadratic = criterion.loss == Loss::Quadratic;
    let rows = BatchRows {
        loss: criterion.loss,
        classes: members.base().classes,
        sign,
        points,
        sample: &|point| &members.problem(point).criterion.sample,
    };
    let train = &members.base().train.design;
    let is_same = !gram && Arc::ptr_eq(train, &criterion.sample.design);
    let operator = map.rows.operator.shared().filter(|_| is_same);
    let rows = LossRows::upload(&mut executor, &criterion.sample, &rows, operator);
    let factor = if is_quadratic { sign } else { 1.0 };
    let criterion = DataCriterion { rows, factor };
    Ok(Workspace::new(executor, map, criterion))
}

/// ‖∇loss(0)‖ of every point: what tolerances are relative to. Where it is zero, the pull of the
/// prior takes its place.
///
/// # Errors
/// When the executor fails.
pub fn scales<R: Twinned>(
    workspace: &mut DataWorkspace<R>,
    problem: &Problem,
    points: &[Point],
) -> Result<Vec<R>> {
    let map = &workspace.map;
    let mut recording = Recording::new();
    map.rows
        .gradient(&mut recording, map.zero(), map.rows.scale, map.gradient);
    workspace.executor.run(&recording, 1)?;
    let gradients = workspace.executor.download(map.gradient)?;
    let scale = |(size, point): (R, &Point)| {
        if size == R::zero() {
            let regularizer = problem.regularizer(point);
            let pull = |j: usize| regularizer.ridge_gradient(j, 0.0);
            R::of(sum_of(problem.penalized(), |j| pull(j).powi(2)).sqrt())
        } else {
            size
        }
    };
    let norms = norms(&gradients, map.coordinates);
    Ok(norms.into_iter().zip(points).map(scale).collect())
}

impl<'a, R: Twinned> Batch<'a, R> {
    /// Uploads the points of a request.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn new(request: &Request<'a>, gram: bool, device: &Device) -> Result<Self> {
        Self::of(request.members, request.points, gram, device)
    }

    /// Uploads points of a batch.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn of(
        members: &'a PreparedMembers<'a>,
        points: &'a [Point],
        gram: bool,
        device: &Device,
    ) -> Result<Self> {
        Ok(Self {
            problem: members.base(),
            members,
            points,
            workspace: workspace(members, points, gram, device)?,
        })
    }

    /// Allocates the sums that derivatives are added to.
    pub fn allocate_sums(&mut self, settings: &Settings) {
        let workspace = &mut self.workspace;
        workspace
            .map
            .allocate_sums(&mut workspace.executor, &settings.wrt);
    }

    /// The sums of every point.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn sums(&self) -> Result<Vec<Accumulator>> {
        let workspace = &self.workspace;
        Accumulator::download(&workspace.executor, &workspace.map.sums, self.points.len())
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
        self.workspace.add_hyper_products()?;
        let sums = self.sums()?;
        let adjoints = Adjoints {
            progress,
            singular,
            residuals: self.workspace.linear_residuals()?,
            v: self.workspace.vectors(self.workspace.v)?,
        };
        let hypergradients =
            sums.into_iter()
                .zip(self.points)
                .zip(solved)
                .map(|((sums, point), solved)| {
                    sums.finish(
                        self.members.problem(point),
                        &request.settings.wrt,
                        point.target,
                        request.cotangents.is_none().then_some(&solved.w),
                    )
                });
        Ok(adjoints.differentiated(hypergradients))
    }

    /// The training loss of every point, where the map is linearised.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn losses(&mut self) -> Result<Vec<f64>> {
        let workspace = &mut self.workspace;
        let value = workspace.executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        let rows = &workspace.map.rows;
        rows.value(&mut recording, workspace.w, value);
        workspace.executor.run(&recording, 1)?;
        Ok(widen(&workspace.executor.download(value)?))
    }

    /// Solves by a recorded iteration from what w holds, and leaves the solution there.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve(&mut self, settings: &Settings, control: &Control) -> Result<Vec<Progress>> {
        let scales = scales(&mut self.workspace, self.problem, self.points)?;
        if settings.solver == Solver::Stochastic {
            return self.solve_stochastic(settings, &scales, control);
        }
        let stop = self.workspace.stop(settings.rule(), &scales);
        if settings.solver != Solver::Fista {
            return self.workspace.solve_picard(&stop, control);
        }
        let steps: Vec<f64> = self
            .points
            .iter()
            .map(|point| self.members.step(point).largest.recip())
            .collect();
        let Workspace {
            executor, map, w, ..
        } = &mut self.workspace;
        let gamma = per_problem(executor, 1, &steps);
        let fista = Fista::new(executor, map, &stop, gamma, *w)?;
        let progress = drive(executor, &fista, &stop, control)?;
        let mut recording = Recording::new();
        recording.copy(fista.result(), *w);
        executor.run(&recording, 1)?;
        Ok(progress)
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
        let problems = self.members.problems();
        let smoothness: Vec<OnceCell<f64>> = vec![OnceCell::new(); problems.count()];
        let schedule = |point: &Point| {
            let (place, spectrum) = (problems.place(point), self.members.spectrum(point));
            let smoothness = smoothness[place]
                .get_or_init(|| minibatch_smoothness(problems.at(place), spectrum, batch));
            let ridge = problems.problem(point).ridge_range(point);
            let first = 0.5 / (smoothness + ridge.largest);
            let convexity = spectrum.smallest + ridge.least;
            let delay = if convexity > 0.0 {
                2.0 / (convexity * first)
            } else {
                10.0 * epoch as f64
            };
            (first * delay, delay)
        };
        let (beta, kappa): (Vec<f64>, Vec<f64>) = self.points.iter().map(schedule).unzip();
        let Workspace {
            executor,
            map,
            w,
            next,
            ..
        } = &mut self.workspace;
        let (w, next) = (*w, *next);
        let beta = per_problem(executor, 1, &beta);
        let kappa = per_problem(executor, 1, &kappa);
        let gamma = executor.allocate(Scope::PerProblem, 1);
        let mut streams = Streams::new(vec![Draws::new(
            chosen.seed,
            0,
            n,
            batch,
            chosen.independent,
        )]);
        let block = epoch.clamp(1, 256);
        let sample = SampledRows::new(executor, map, batch, block, streams.scope());
        let mut step = Recording::new();
        let schedule = Schedule {
            beta,
            kappa,
            step: gamma,
        };
        record_proximal_step(&mut step, map, &sample, w, &schedule);

        let residual = executor.allocate(Scope::PerProblem, 1);
        let mut check = Recording::new();
        map.apply(&mut check, w, next);
        let inputs = [next.into(), w.into(), map.gamma.into()];
        check.dispatch(&DISTANCE, &inputs, &[residual.into()], &[map.coordinates]);

        let tolerance = settings.tolerance.unwrap_or(0.0);
        let mut taken = 0;
        let p = map.coordinates;
        // The state of a problem when it first met its tolerance: it must not depend on how long its
        // neighbours still run.
        let mut met: Vec<Option<(Vec<R>, usize)>> = vec![None; self.points.len()];
        loop {
            let count = (settings.max_steps - taken).min(epoch.max(1));
            let done = run_steps(
                executor,
                &step,
                &sample,
                &mut streams,
                taken..taken + count,
                control,
            )?;
            taken += done;
            executor.run(&check, 1)?;
            let residuals = executor.download(residual)?;
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
            let mut reached = executor.download(w)?;
            for (at, met) in met.iter_mut().enumerate() {
                if met.is_none() && status[at] == Status::Converged {
                    *met = Some((reached[at * p..(at + 1) * p].to_vec(), taken));
                }
            }
            let open = |at: usize| met[at].is_none() && status[at] == Status::BudgetSpent;
            let finished = !(0..status.len()).any(open);
            if finished || taken >= settings.max_steps || done < count {
                let mut progress = Vec::with_capacity(status.len());
                for (at, status) in status.into_iter().enumerate() {
                    let (status, steps) = match &met[at] {
                        Some((kept, steps)) => {
                            reached[at * p..(at + 1) * p].copy_from_slice(kept);
                            (Status::Converged, *steps)
                        }
                        None => (status, taken),
                    };
                    progress.push(Progress { status, steps });
                }
                executor.upload(w, &reached);
                return Ok(progress);
            }
        }
    }
}

/// Expected smoothness of a minibatch drawn without replacement (Gower et al. 2019), from L of all
/// rows and the largest of a single row.
fn minibatch_smoothness(problem: &Problem, spectrum: &Spectrum, batch: usize) -> f64 {
    let n = problem.train.rows() as f64;
    // infallible: settings are refused for a loss without a bound
    let bound = problem.loss.curvature_bound().unwrap_or(f64::INFINITY);
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
