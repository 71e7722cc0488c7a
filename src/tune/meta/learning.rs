//! The learning of a prior over tasks, as it is stated and checked.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::model::loss::Loss;
use crate::problem::{Point, Problem, Sign};
use crate::tune::guard::Guard;
use crate::tune::kept::{EvaluationStore, WHOLE};
use crate::tune::resources::{Resources, resource_choices};

use super::variable::MetaVariable;

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
/// which no prior pulls. State tasks with a prior, if only of zero: then rows of the criterion count columns that do not
/// vary in a task's training rows, whose coefficients the prior alone holds.
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
/// | [`store`](Self::store) | none | keeps evaluations: what was ended goes on where it stopped |
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
    pub(super) tasks: &'a [Problem],
    pub(super) test_tasks: &'a [Problem],
    pub(super) pooled: Option<&'a Problem>,
    pub(super) variables: Vec<MetaVariable>,
    pub(super) at: Point,
    pub(super) splits: usize,
    pub(super) guard: Guard,
    pub(in crate::tune) resources: Resources,
    pub(super) store: Option<&'a dyn EvaluationStore>,
    pub(super) part: String,
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
            splits: 1,
            guard: Guard::Auto,
            resources: Resources::new(MAX_META_EVALUATIONS),
            store: None,
            part: WHOLE.into(),
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

    resource_choices! {
        "Chooses the most evaluations, each a point on all tasks.",
        "Chooses solver, tolerance and threads.",
        "Shares a control with the caller, which counts the evaluations."
    }

    /// Says how many problems in a row are one task, whose rows are split anew in each.
    pub fn splits(mut self, count: usize) -> Self {
        self.splits = count;
        self
    }

    /// Chooses what is done against a prior that fits few tasks by chance.
    ///
    /// With [`Guard::Auto`] and fewer than a hundred tasks, or ten for each coefficient, everything is learned again
    /// without a part of the tasks, part by part, which are then fitted: the learned prior is returned where it is better
    /// there than the mean of the tasks' own solutions and than none by more than the standard error of the
    /// difference over tasks, and else the better one of these with strengths of its own. These evaluations, up to
    /// 60 a part and none of them from the solution of all rows, are extra.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Keeps every evaluation in a store, and takes from it what is known: what was ended goes on where it stopped,
    /// and several processes share the groups of tasks. The outcome has the same bits with it and without.
    /// Evaluations are known again by [`plan`](Self::plan); the fits of tasks that nothing is learned from are made
    /// each time.
    pub fn store(mut self, store: &'a dyn EvaluationStore) -> Self {
        self.store = Some(store);
        self
    }

    /// Names the part of the store's evaluations that is its own, `whole` unless it is told otherwise: a store may
    /// hold those of a learning from fewer tasks too.
    pub fn store_part(mut self, name: impl Into<String>) -> Self {
        self.part = name.into();
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let [first, ..] = self.tasks else {
            return Err(too_few(0));
        };
        self.resources.check("learned", MAX_META_EVALUATIONS)?;
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

    /// Whether the prior that is learned must be better than others on tasks that it was not learned from.
    pub(super) fn is_guarded(&self) -> bool {
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

pub(super) fn too_few(count: usize) -> Error {
    Error::value(
        "tasks",
        format!("{count} is too few to learn what they have in common"),
        "give two tasks or more",
    )
}
