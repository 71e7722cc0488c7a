//! One loop for every iteration, with a stop rule and a status for every problem.

pub mod cg;
pub mod fista;
pub mod neumann;
pub mod picard;
pub mod stochastic;
pub mod tangent;

pub use crate::control::{Progress, StopRule};

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Buf, Executor, LANES, PendingWords, Recording, Scope, Twinned, WordBuf};
use crate::kernel::stop::{STOP, status_of};
use crate::kinds::{Precision, Status};
use crate::map::operator::shared;

/// A step that can be recorded, ending in a residual and the [`Stop`] rule.
pub trait Iteration<R: Twinned> {
    /// Records one step for every problem.
    fn step(&self, recording: &mut Recording<R>);
}

/// Residuals below this many ε of the scale are at the level of rounding: no progress there counts
/// as convergence, and no progress above it as stalling.
const ROUNDING_LEVEL: f64 = 1e4;
/// The same in f32, where ten thousand ε would be a thousandth of the scale: a plateau before the
/// support is identified lies there, and the start of a slow rate. Iterations end at some four ε.
const ROUNDING_LEVEL_SINGLE: f64 = 64.0;
/// Residuals below this many ε of the scale can only rise by multiplied rounding.
const END: f64 = 10.0;
/// Steps without an improvement by [`IMPROVEMENT`] that mean no progress, at the rounding level; a
/// quarter of all steps where that is more.
const WINDOW: usize = 200;
/// The same above the rounding level, where plateaus before the support is identified are real.
const PATIENCE: usize = 20_000;
/// The factor by which a residual must fall to count as progress.
const IMPROVEMENT: f64 = 0.995;
/// Steps that are replayed between two looks at the flags.
const BLOCK: usize = 32;

/// The state of the stop rule: one set of words per problem.
#[derive(Debug, Clone)]
pub struct Stop {
    /// 1 while a problem runs.
    pub active: WordBuf,
    status: WordBuf,
    steps: WordBuf,
    idle: WordBuf,
    history: Buf,
    /// This step's residual, written by the iteration.
    pub residual: Buf,
    /// The number that the residual is relative to.
    pub scale: Buf,
    rule: Buf,
    limit: WordBuf,
    max_steps: usize,
    exact: bool,
    rounding: f64,
}

impl Stop {
    /// A rule for every problem of the executor, with `scale` to be filled by the caller.
    pub fn new<R: Twinned>(executor: &mut dyn Executor<R>, rule: StopRule) -> Self {
        let epsilon = crate::real::Real::to_f64(<R as num_traits::Float>::epsilon());
        let exact = rule.tolerance == Some(0.0);
        // A tolerance below zero is never met: exactly as many steps as asked for.
        let tolerance = if exact {
            -1.0
        } else {
            rule.tolerance.unwrap_or(0.25 * epsilon)
        };
        let level = match R::PRECISION {
            Precision::F32 => ROUNDING_LEVEL_SINGLE,
            Precision::F64 => ROUNDING_LEVEL,
        };
        let rounding = level * epsilon;
        let mut words = || executor.allocate_words(Scope::PerProblem, 1);
        let (active, status, steps, idle, limit) = (words(), words(), words(), words(), words());
        Self {
            active,
            status,
            steps,
            idle,
            history: executor.allocate(Scope::PerProblem, 2),
            residual: executor.allocate(Scope::PerProblem, 1),
            scale: executor.allocate(Scope::PerProblem, 1),
            rule: shared(executor, &[tolerance, rounding, IMPROVEMENT, END * epsilon]),
            limit,
            max_steps: rule.max_steps,
            exact,
            rounding,
        }
    }

    /// Starts again, all problems active.
    pub fn reset<R: Twinned>(&self, executor: &mut dyn Executor<R>) {
        let zeros = vec![0; executor.problems()];
        let limit = u32::try_from(self.max_steps).unwrap_or(u32::MAX);
        executor.upload_words(self.limit, &vec![limit; executor.problems()]);
        executor.upload_words(self.active, &vec![1; executor.problems()]);
        [self.status, self.steps, self.idle]
            .iter()
            .for_each(|&words| executor.upload_words(words, &zeros));
    }

    /// Gives every problem a limit of steps of its own.
    pub fn limit_each<R: Twinned>(&self, executor: &mut dyn Executor<R>, limits: &[usize]) {
        let limits: Vec<u32> = limits
            .iter()
            .map(|&limit| u32::try_from(limit).unwrap_or(u32::MAX))
            .collect();
        executor.upload_words(self.limit, &limits);
        let active: Vec<u32> = limits.iter().map(|&limit| u32::from(limit > 0)).collect();
        executor.upload_words(self.active, &active);
    }

    /// Records the check at the end of a step.
    pub fn record<R: Twinned>(&self, recording: &mut Recording<R>) {
        let (window, patience) = if self.exact {
            (u32::MAX as usize, u32::MAX as usize)
        } else {
            (WINDOW, PATIENCE)
        };
        recording.dispatch(
            &STOP,
            &[
                self.residual.into(),
                self.scale.into(),
                self.rule.into(),
                self.limit.into(),
            ],
            &[
                self.active.into(),
                self.status.into(),
                self.steps.into(),
                self.idle.into(),
                self.history.into(),
            ],
            &[window, patience],
        );
    }

    /// Status and steps of every problem.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn progress<R: Twinned>(&self, executor: &dyn Executor<R>) -> Result<Vec<Progress>> {
        let (status, steps) = (
            executor.download_words(self.status)?,
            executor.download_words(self.steps)?,
        );
        let residual = executor.download(self.residual)?;
        let scale = executor.download(self.scale)?;
        Ok((0..status.len())
            .map(|problem| {
                let at_rounding = crate::real::Real::to_f64(residual[problem])
                    <= self.rounding * crate::real::Real::to_f64(scale[problem]);
                let status = match status_of(status[problem]) {
                    // Exactly as many steps as asked for, and they were enough.
                    Status::BudgetSpent if self.exact && at_rounding => Status::Converged,
                    // Interrupted: what is known is returned.
                    Status::Running => Status::BudgetSpent,
                    status => status,
                };
                Progress {
                    status,
                    steps: steps[problem] as usize,
                }
            })
            .collect())
    }
}

/// Runs an iteration until every problem has a status, or the control says stop.
///
/// Between blocks of steps the batch is narrowed to the problems that still run, once these are at
/// most half of it.
///
/// # Errors
/// When the executor fails.
pub fn drive<R: Twinned>(
    executor: &mut dyn Executor<R>,
    iteration: &impl Iteration<R>,
    stop: &Stop,
    control: &Control,
) -> Result<Vec<Progress>> {
    let mut recording = Recording {
        active: Some(stop.active),
        ..Recording::new()
    };
    iteration.step(&mut recording);
    let all = executor.problems();
    let mut focus: Vec<usize> = (0..all).collect();
    // A device is given the next block before the flags of the last are waited for, so that it never
    // waits for the host: the host checks late, and one extra block runs for finished problems. The first block is
    // waited for.
    let mut earlier: Option<PendingWords> = None;
    let mut ahead = false;
    while !control.should_stop() {
        executor.run(&recording, BLOCK)?;
        let flags = executor.request_words(stop.active)?;
        let flags = if ahead {
            earlier.replace(flags)
        } else {
            Some(flags)
        };
        ahead = executor.runs_ahead();
        let Some(flags) = flags else { continue };
        let active = flags()?;
        let running: Vec<usize> = focus
            .iter()
            .zip(&active)
            .filter(|(_, flag)| **flag != 0)
            .map(|(&problem, _)| problem)
            .collect();
        if running.is_empty() {
            break;
        }
        if focus.len() > LANES && 2 * running.len() <= focus.len() {
            executor.focus(&running);
            focus = running;
            // Stale: these flags were taken before the batch was narrowed.
            earlier = None;
        }
    }
    executor.unfocus();
    stop.progress(executor)
}
