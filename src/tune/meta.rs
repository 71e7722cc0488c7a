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
mod outcome;
mod variable;

use crate::control::Control;
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::model::loss::Loss;
use crate::problem::{Point, Problem, Sign};

use super::guard::Guard;
use baselines::{Applied, Pooled};
use batch::Batch;
use course::{End, Plan};

pub use guard::{MetaGuarded, MetaPrior};
pub use outcome::{MetaErrors, MetaLearned};
pub use variable::MetaVariable;

/// The evaluations that meta-learning takes at most, unless it is told otherwise.
pub const MAX_META_EVALUATIONS: usize = 200;

/// Tasks from which on no prior is learned by chance, where they are as many for each coefficient as below.
const MANY_TASKS: usize = 100;
/// Tasks for each coefficient from which on no prior is learned by chance.
const MANY_FOR_EACH: usize = 10;

/// The learning of a prior mean and strengths over tasks.
///
/// Every task is a problem whose criterion is on rows of its own that its fit has not seen. Tasks have loss,
/// penalty, columns and the scale of the columns in common; each has its own rows, and its own intercept,
/// which no prior pulls.
///
/// | choice | default | meaning |
/// | --- | --- | --- |
/// | [`variables`](Self::variables) | prior and λ₂ | what is learned |
/// | [`at`](Self::at) | l1 = 0 | the strengths that are not learned |
/// | [`test_tasks`](Self::test_tasks) | none | tasks that nothing is learned from, to compare with other ways |
/// | [`pooled`](Self::pooled) | none | one problem of all tasks' rows: a start, and one of the other ways |
/// | [`max_evaluations`](Self::max_evaluations) | 200 | points on all tasks |
/// | [`splits`](Self::splits) | 1 | problems in a row that are one task, whose rows are split anew in each |
/// | [`guard`](Self::guard) | [`Guard::Auto`] | what keeps a prior from fitting few tasks by chance |
///
/// ```
/// use proxdiff::prelude::*;
/// use proxdiff::tune::MetaLearning;
/// # fn main() -> proxdiff::Result<()> {
/// let tasks: Vec<Problem> = (0..12)
///     .map(|t| {
///         let x: Vec<[f64; 2]> = (0..10).map(|i| [((i * 3 + t) % 7) as f64, ((i * 5 + 2 * t) % 11) as f64]).collect();
///         let y: Vec<f64> = x.iter().map(|r| 2.0 * r[0] - r[1] + ((t % 3) as f64 - 1.0) * 0.3 * r[0]).collect();
///         let builder = Problem::elastic_net(&x[..4], &y[..4]).validation(&x[4..], &y[4..]);
///         builder.standardize(false).build()
///     })
///     .collect::<proxdiff::Result<_>>()?;
/// let learned = MetaLearning::new(&tasks[..9]).test_tasks(&tasks[9..]).run()?;
/// let error = learned.error.expect("there are held-out tasks");
/// println!("{:?}: {} around it, {} alone", learned.prior, error.meta, error.alone);
/// assert!(learned.prior.len() == 2 && error.meta >= 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct MetaLearning<'a> {
    tasks: &'a [Problem],
    test_tasks: &'a [Problem],
    pooled: Option<&'a Problem>,
    variables: Vec<MetaVariable>,
    at: Point,
    max_evaluations: usize,
    splits: usize,
    guard: Guard,
    settings: Settings,
    control: Control,
}

impl<'a> MetaLearning<'a> {
    /// That of these tasks.
    pub fn new(tasks: &'a [Problem]) -> Self {
        Self {
            tasks,
            test_tasks: &[],
            pooled: None,
            variables: vec![MetaVariable::Prior, MetaVariable::L2],
            at: Point::new(0.0, 0.0),
            max_evaluations: MAX_META_EVALUATIONS,
            splits: 1,
            guard: Guard::Auto,
            settings: Settings::default(),
            control: Control::new(),
        }
    }

    /// Compares with other ways on these tasks, from which nothing is learned.
    pub fn test_tasks(mut self, tasks: &'a [Problem]) -> Self {
        self.test_tasks = tasks;
        self
    }

    /// Starts from the solution of one problem with the rows of all tasks too, and compares with it.
    pub fn pooled(mut self, problem: impl Into<Option<&'a Problem>>) -> Self {
        self.pooled = problem.into();
        self
    }

    /// Chooses what is learned.
    pub fn variables(mut self, variables: impl Into<Vec<MetaVariable>>) -> Self {
        self.variables = variables.into();
        self
    }

    /// Chooses the strengths that are not learned.
    pub fn at(mut self, point: Point) -> Self {
        self.at = point;
        self
    }

    /// Chooses the most evaluations, each a point on all tasks.
    pub fn max_evaluations(mut self, count: usize) -> Self {
        self.max_evaluations = count;
        self
    }

    /// Says how many problems in a row are one task, whose rows are split anew in each.
    pub fn splits(mut self, count: usize) -> Self {
        self.splits = count;
        self
    }

    /// Chooses what is done against a prior that fits few tasks by chance.
    ///
    /// With [`Guard::Auto`] and fewer than a hundred tasks, or ten for each coefficient, everything is learned again without a
    /// part of the tasks, part by part, which are then fitted: the learned prior is returned where it is better
    /// there than the mean of the tasks' own solutions and than none by more than the standard error of the
    /// difference over tasks, and else the better one of these with strengths of its own. These evaluations, up to 60 a
    /// part and none of them from the solution of all rows, are extra.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Chooses solver, tolerance and threads.
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings.clone_from(settings);
        self
    }

    /// Shares a control with the caller, which counts the evaluations.
    pub fn control(mut self, control: &Control) -> Self {
        self.control = control.clone();
        self
    }

    /// Learns.
    ///
    /// The same bits come out for any number of threads.
    ///
    /// # Errors
    /// [`Error::Value`] for fewer than two tasks, splits that make no tasks, variables that are not there or named twice, a budget of 0,
    /// criteria on training rows, and where no point has a criterion with its derivative;
    /// [`Error::Shape`] for tasks of different columns or classes; [`Error::Unsupported`] for tasks of
    /// different losses, penalties or scales, quadratic forms, several targets and a guard with a ρ.
    pub fn run(&self) -> Result<MetaLearned> {
        self.check()?;
        in_threads(self.settings.threads, || self.run_here())
    }

    fn check(&self) -> Result<()> {
        let [first, ..] = self.tasks else {
            return Err(too_few(0));
        };
        if self.max_evaluations == 0 {
            return Err(Error::value(
                "max-evaluations",
                "with 0 nothing can be learned",
                format!("allow 1 evaluation or more; {MAX_META_EVALUATIONS} is the default"),
            ));
        }
        if let Guard::Rho(_) = self.guard {
            return Err(Error::unsupported(
                "a guard of meta-learning with a rho: nothing draws a prior together",
                "choose Guard::Auto or Guard::None",
            ));
        }
        if self.splits == 0 || !self.tasks.len().is_multiple_of(self.splits) {
            return Err(Error::value(
                "splits",
                format!(
                    "{} problems are no tasks of {} each",
                    self.tasks.len(),
                    self.splits
                ),
                "give every task the same number of problems, one after the other",
            ));
        }
        let count = self.tasks.len() / self.splits;
        if count < 2 {
            return Err(too_few(count));
        }
        let twice =
            |name: &&MetaVariable| self.variables.iter().filter(|other| other == name).count() > 1;
        if self.variables.is_empty() {
            return Err(Error::value(
                "variables",
                "nothing is to be learned",
                "name prior, l1 or l2",
            ));
        }
        if let Some(name) = self.variables.iter().find(twice) {
            return Err(Error::value(
                "variables",
                format!("{} is named twice", name.name()),
                "name it once",
            ));
        }
        let learns = |name| self.variables.contains(&name);
        if learns(MetaVariable::L1) && !first.penalty().has_strength() {
            return Err(Error::value(
                "variables",
                "the criterion does not depend on l1: the penalty has none",
                "learn prior and l2, or choose another penalty",
            ));
        }
        if learns(MetaVariable::Prior) && !learns(MetaVariable::L2) && self.at.l2 == 0.0 {
            return Err(Error::value(
                "prior",
                "the criterion does not depend on it at l2 = 0",
                "give l2, or learn it too",
            ));
        }
        let all = self.tasks.iter().chain(self.test_tasks);
        for (number, task) in all.enumerate() {
            let name = format!("task {number}");
            check_task(first, task, &name)?;
            check_scale(first, task, &name)?;
            task.check_points(std::slice::from_ref(&self.at))?;
        }
        match self.pooled {
            Some(pooled) => check_task(first, pooled, "the problem of all rows"),
            None => Ok(()),
        }
    }

    fn run_here(&self) -> Result<MetaLearned> {
        let mut remarks = Vec::new();
        let tasks: Vec<&Problem> = self.tasks.iter().collect();
        let plan = Plan::of(self, &tasks, &mut remarks)?;
        let mut batch = Batch::new(&tasks, &self.settings, &self.control);
        let pooled = self
            .pooled
            .map(|problem| {
                Pooled::of(
                    problem,
                    &self.variables,
                    &self.at,
                    &self.settings,
                    &self.control,
                )
            })
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
            let test = Batch::new(&test, &self.settings, &self.control);
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

    /// Whether the prior that is learned must be better than others on tasks that it was not learned from.
    fn is_guarded(&self) -> bool {
        let count = self.tasks.len() / self.splits;
        self.guard == Guard::Auto
            && self.variables.contains(&MetaVariable::Prior)
            && count < MANY_TASKS.max(MANY_FOR_EACH * self.tasks[0].penalized())
    }
}

/// Refuses a task that is not of the first one's kind.
fn check_task(first: &Problem, task: &Problem, name: &str) -> Result<()> {
    if task.loss() == Loss::Quadratic {
        return Err(Error::unsupported(
            "meta-learning over quadratic forms, which have no rows",
            "state every task by its rows",
        ));
    }
    if task.criterion().sign == Sign::Maximize {
        return Err(Error::value(
            name,
            "its criterion is to be maximised, and meta-learning minimises it",
            "leave the sign out",
        ));
    }
    if task.criterion().on_training_rows {
        return Err(Error::value(
            name,
            "its criterion is on its training rows, which its fit has seen",
            "give every task rows for its criterion",
        ));
    }
    let shape = |problem: &Problem| (problem.coordinates(), problem.classes());
    if shape(task) != shape(first) {
        let text =
            |(coefficients, classes)| format!("{coefficients} coefficients, {classes} classes");
        return Err(Error::shape(
            name,
            text(shape(first)),
            text(shape(task)),
            "give tasks the same columns and classes",
        ));
    }
    let losses = |problem: &Problem| (problem.loss(), problem.criterion().loss);
    if losses(task) != losses(first) || task.penalty() != first.penalty() {
        return Err(Error::unsupported(
            format!("{name} with another loss or penalty than the first task"),
            "state all tasks alike",
        ));
    }
    if task.prior() != first.prior() {
        return Err(Error::unsupported(
            format!("{name} with another prior than the first task"),
            "leave priors out: one is learned",
        ));
    }
    if task.train().targets.len() != 1 {
        return Err(Error::unsupported(
            format!("{name} with several targets"),
            "state one target a task",
        ));
    }
    Ok(())
}

/// Refuses a task whose coefficients are in other units than the first one's.
fn check_scale(first: &Problem, task: &Problem, name: &str) -> Result<()> {
    if task.features().scale != first.features().scale {
        return Err(Error::unsupported(
            format!(
                "{name} with another scale of its columns than the first: a prior would mean something else"
            ),
            "scale all rows alike, and leave the standardisation of each task out",
        ));
    }
    Ok(())
}

fn too_few(count: usize) -> Error {
    Error::value(
        "tasks",
        format!("{count} is too few to learn what they have in common"),
        "give two tasks or more",
    )
}

fn unsolved() -> Error {
    Error::value(
        "tasks",
        "no strengths give every task a solution with its derivative",
        "raise the most steps, or allow more time",
    )
}
