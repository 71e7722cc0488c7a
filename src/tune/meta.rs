//! Meta-learning: a prior mean, and strengths, that serve many tasks, each with rows of its own.
//!
//! ```text
//! min over c, l1, λ₂ of  (1/T) Σ_t E_t(w_t)      w_t = argmin loss_t(w) + l1 ‖w‖₁ + (λ₂/2) ‖w − c‖²
//! ```
//!
//! where E_t is the loss on rows of task t that w_t has not seen. The derivative in c is that of every task
//! by implicit differentiation. Descents start from the mean of the tasks' own solutions and from the
//! solution of all their rows together; with strengths alone, from a coarse grid.

mod baselines;
mod batch;
mod course;
mod guard;
mod learning;
mod outcome;
mod stored;
mod variable;

use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::problem::Problem;

use baselines::{Applied, Pooled};
use batch::Batch;
use course::{End, Plan};

pub use guard::MetaGuarded;
pub use learning::{MAX_META_EVALUATIONS, MetaLearning};
pub use outcome::{MetaErrors, MetaLearned};
pub use variable::{MetaPrior, MetaVariable};

impl MetaLearning<'_> {
    /// Learns.
    ///
    /// The same bits come out for any number of threads.
    ///
    /// # Errors
    /// [`Error::Value`] for fewer than two tasks, splits that make no tasks, variables that are not there or named
    /// twice, a budget of 0, criteria on training rows, and where no point has a criterion with its derivative;
    /// [`Error::Shape`] for tasks of different columns or classes; [`Error::Unsupported`] for tasks of
    /// different losses, penalties or scales, quadratic forms, several targets and a guard with a ρ; those of the
    /// store.
    pub fn run(&self) -> Result<MetaLearned> {
        self.check()?;
        in_threads(self.resources.settings.threads, || self.run_here())
    }

    fn run_here(&self) -> Result<MetaLearned> {
        let mut remarks = Vec::new();
        let tasks: Vec<&Problem> = self.tasks.iter().collect();
        let (settings, control) = (&self.resources.settings, &self.resources.control);
        let plan = Plan::of(self, &tasks, &mut remarks)?;
        let mut batch = Batch::new(&tasks, settings, control);
        batch.kept = self.kept()?;
        let pooled = self
            .pooled
            .map(|problem| Pooled::of(problem, self, batch.kept.as_ref()))
            .transpose()?;
        let course = plan.course(&mut batch, pooled.as_ref())?;
        let course = course.ok_or_else(unsolved)?;
        let mut kept = &course.learned;
        let mut nested = None;
        if self.is_guarded() {
            let guarded = guard::nested(self, &batch, &course)?;
            remarks.push(guarded.remark());
            kept = course.of(guarded.returns);
            nested = Some(guarded);
        }
        let best = &kept.best;
        remarks.extend(plan.remarks(best));
        let mut learned = MetaLearned {
            status: kept.status,
            prior: best.prior.clone(),
            l1: best.point.l1,
            l2: best.point.l2,
            criterion: best.criterion,
            projected_slope: kept.projected_slope,
            evaluations: batch.evaluations,
            alone: course.alone.best.point.clone(),
            mean_of_solutions: course.mean.as_prior(tasks[0]),
            intercept: Applied::mean(&tasks, &best.solutions).intercepts,
            nested,
            error: None,
            test: Vec::new(),
            remarks,
        };
        if !self.test_tasks.is_empty() {
            let test: Vec<&Problem> = self.test_tasks.iter().collect();
            let test = Batch::new(&test, settings, control);
            let fitted = |end: &End| test.errors(&end.best.point);
            let (meta, alone) = (fitted(kept)?, fitted(&course.alone)?);
            let around = course.around_mean.as_ref().map(fitted).transpose()?;
            let applied = |applied: &Applied| applied.errors(self.test_tasks);
            let pooled = pooled.as_ref().map(|pooled| applied(&pooled.applied));
            learned.compare(
                &meta,
                &alone,
                pooled.as_deref(),
                &applied(&course.mean),
                around.as_deref(),
            );
        }
        Ok(learned)
    }
}

fn unsolved() -> Error {
    Error::value(
        "tasks",
        "no strengths give every task a solution with its derivative",
        "raise the most steps, or allow more time",
    )
}
