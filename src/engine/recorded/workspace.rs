//! The workspace of a batch: a map, a criterion, and the vectors between them on an executor.

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned};
use crate::iterate::neumann::Neumann;
use crate::iterate::picard::Picard;
use crate::iterate::{Progress, Stop, StopRule, drive};
use crate::kernel::step::DISTANCE;
use crate::map::loss_rows::LossRows;
use crate::map::operator::shared;
use crate::map::{FixedPointMap, ProxGrad};
use crate::real::{Real, convert, widen};

/// A criterion E of a batch, evaluated by recording.
pub trait Criterion<R: Twinned> {
    /// Records `gradient = ∂₁E(w)`.
    fn gradient(&self, recording: &mut Recording<R>, w: Buf, gradient: Buf);

    /// Records `value = E(w)` up to [`Criterion::factor`], after the gradient at the same w.
    fn value(&self, recording: &mut Recording<R>, w: Buf, value: Buf);

    /// The factor of values that recordings leave out.
    fn factor(&self) -> f64 {
        1.0
    }
}

/// The criterion of a problem of data.
#[derive(Debug)]
pub struct DataCriterion {
    /// Its rows.
    pub rows: LossRows,
    /// The sign, where the rows' scale does not carry it: a quadratic form.
    pub factor: f64,
}

impl<R: Twinned> Criterion<R> for DataCriterion {
    fn gradient(&self, recording: &mut Recording<R>, w: Buf, gradient: Buf) {
        self.rows.gradient(recording, w, self.rows.scale, gradient);
    }

    fn value(&self, recording: &mut Recording<R>, w: Buf, value: Buf) {
        self.rows.value(recording, w, value);
    }

    fn factor(&self) -> f64 {
        self.factor
    }
}

/// A batch of problems of one map and one criterion on an executor.
pub struct Workspace<R, M, C> {
    /// The executor.
    pub executor: Box<dyn Executor<R>>,
    /// Φ.
    pub map: M,
    /// E.
    pub criterion: C,
    /// w: p entries per problem, zero at first.
    pub w: Buf,
    /// ∂₁E at w, once linearised.
    pub criterion_gradient: Buf,
    /// The adjoint v, zero at first.
    pub v: Buf,
    /// Scratch for one vector.
    pub next: Buf,
    /// 1, shared.
    pub one: Buf,
    /// p zeros, shared.
    pub zero: Buf,
    /// E of every problem, once linearised.
    pub criteria: Vec<f64>,
}

/// The workspace of points of a problem of data.
pub type DataWorkspace<R> = Workspace<R, ProxGrad, DataCriterion>;

impl<R: Twinned, M: FixedPointMap<R>, C: Criterion<R>> Workspace<R, M, C> {
    /// The vectors beside a map and a criterion that are on the executor already.
    pub fn new(mut executor: Box<dyn Executor<R>>, map: M, criterion: C) -> Self {
        let p = map.coordinates();
        let mut vector = || executor.allocate(Scope::PerProblem, p);
        let (w, criterion_gradient, v, next) = (vector(), vector(), vector(), vector());
        let one = shared(&mut executor, &[1.0]);
        let zero = shared(&mut executor, &vec![0.0; p]);
        Self {
            executor,
            map,
            criterion,
            w,
            criterion_gradient,
            v,
            next,
            one,
            zero,
            criteria: Vec::new(),
        }
    }

    /// Number of coordinates p.
    pub fn coordinates(&self) -> usize {
        self.map.coordinates()
    }

    /// Sets w from problem-major f64 values.
    pub fn set_solution(&mut self, w: &[f64]) {
        self.executor.upload(self.w, &convert::<R>(w));
    }

    /// The vectors that a buffer of p entries per problem holds.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn vectors(&self, buf: Buf) -> Result<Vec<Vec<f64>>> {
        let values = widen(&self.executor.download(buf)?);
        let rows = values.chunks_exact(buf.rows());
        Ok(rows.map(<[f64]>::to_vec).collect())
    }

    /// Linearises Φ at w and evaluates E there.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn linearize(&mut self) -> Result<()> {
        let value = self.executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        self.map.linearize(&mut recording, self.w);
        self.criterion
            .gradient(&mut recording, self.w, self.criterion_gradient);
        self.criterion.value(&mut recording, self.w, value);
        self.executor.run(&recording, 1)?;
        let factor = self.criterion.factor();
        let values = self.executor.download(value)?.into_iter();
        self.criteria = values.map(|value| factor * Real::to_f64(value)).collect();
        Ok(())
    }

    /// ‖Φ(w) − w‖/γ of every problem, where the map is linearised.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn residuals(&mut self) -> Result<Vec<f64>> {
        let residual = self.executor.allocate(Scope::PerProblem, 1);
        let mut recording = Recording::new();
        self.map.value(&mut recording, self.next);
        let inputs = [self.next.into(), self.w.into(), self.map.gamma().into()];
        let p = self.map.coordinates();
        recording.dispatch(&DISTANCE, &inputs, &[residual.into()], &[p]);
        self.executor.run(&recording, 1)?;
        Ok(widen(&self.executor.download(residual)?))
    }

    /// A stop rule; tolerances are relative to `scale`, one number per problem.
    pub fn stop(&mut self, rule: StopRule, scale: &[R]) -> Stop {
        let stop = Stop::new(&mut self.executor, rule);
        stop.reset(&mut self.executor);
        self.executor.upload(stop.scale, scale);
        stop
    }

    /// Iterates w ← Φ(w) from what w holds, and leaves the solution there.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_picard(&mut self, stop: &Stop, control: &Control) -> Result<Vec<Progress>> {
        let picard = Picard::new(&mut self.executor, &self.map, stop, self.w);
        drive(&mut self.executor, &picard, stop, control)
    }

    /// ‖∂₁E‖ of every problem, once linearised.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn criterion_norms(&self) -> Result<Vec<R>> {
        let gradients = self.executor.download(self.criterion_gradient)?;
        Ok(norms(&gradients, self.map.coordinates()))
    }

    /// AID-FP: v by fixed-point iteration from what v holds; with `limits` exactly as many products
    /// for each problem.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn solve_neumann(
        &mut self,
        rule: StopRule,
        limits: Option<&[usize]>,
        control: &Control,
    ) -> Result<Vec<Progress>> {
        let scale = self.criterion_norms()?;
        let stop = self.stop(rule.with_limits(limits), &scale);
        if let Some(limits) = limits {
            stop.limit_each(&mut self.executor, limits);
        }
        let criterion = self.criterion_gradient;
        let neumann = Neumann::new(&mut self.executor, &self.map, &stop, criterion, self.v);
        drive(&mut self.executor, &neumann, &stop, control)
    }

    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖ of every problem, measured; 0 where both vanish.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn linear_residuals(&mut self) -> Result<Vec<f64>> {
        let stop = Stop::new(&mut self.executor, StopRule::exactly(1));
        let criterion = self.criterion_gradient;
        let neumann = Neumann::new(&mut self.executor, &self.map, &stop, criterion, self.v);
        let mut recording = Recording::new();
        neumann.measure(&mut recording, stop.residual);
        self.executor.run(&recording, 1)?;
        let residuals = self.executor.download(stop.residual)?;
        let relative = |(norm, residual): (R, R)| {
            let (norm, residual) = (Real::to_f64(norm), Real::to_f64(residual));
            if residual == 0.0 {
                0.0
            } else {
                residual / norm
            }
        };
        let norms = self.criterion_norms()?;
        Ok(norms.into_iter().zip(residuals).map(relative).collect())
    }

    /// Adds ∂₂Φᵀv to the map's own sums.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn add_hyper_products(&mut self) -> Result<()> {
        let mut recording = Recording::new();
        self.map.vjp_hyper(&mut recording, self.w, self.v, self.one);
        self.executor.run(&recording, 1)
    }
}

/// Euclidean norms of the rows of a problem-major array.
pub fn norms<R: Real>(values: &[R], rows: usize) -> Vec<R> {
    values
        .chunks_exact(rows)
        .map(|row| num_traits::Float::sqrt(row.iter().map(|&value| value * value).sum::<R>()))
        .collect()
}
