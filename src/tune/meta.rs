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
mod outcome;
mod variable;

use crate::control::Control;
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::model::loss::Loss;
use crate::problem::{Point, Problem, Sign};

use super::descent::Visit;
use super::objective::Objective;
use super::outcome::TuningStatus;
use super::search::Search;
use super::variable::Variable;
use super::variables::{resolve_l1, resolve_l2};
use baselines::{Applied, Pooled};
use batch::{Batch, Evaluated, Space};

pub use outcome::{MetaErrors, MetaLearned};
pub use variable::MetaVariable;

/// The evaluations that meta-learning takes at most, unless it is told otherwise.
pub const MAX_META_EVALUATIONS: usize = 200;

/// Values of λ₂ on the coarse grid.
const RIDGES: usize = 7;
/// Values of l1 on it, where it is learned.
const STRENGTHS: usize = 5;
/// Evaluations of the strengths of each task alone, from the best of the grid.
const ALONE: usize = 15;

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
    /// [`Error::Value`] for fewer than two tasks, variables that are not there or named twice, a budget of 0,
    /// criteria on training rows, and where no point has a criterion with its derivative;
    /// [`Error::Shape`] for tasks of different columns or classes; [`Error::Unsupported`] for tasks of
    /// different losses, penalties or scales, quadratic forms and several targets.
    pub fn run(&self) -> Result<MetaLearned> {
        self.check()?;
        in_threads(self.settings.threads, || self.run_here())
    }

    fn check(&self) -> Result<()> {
        let [first, others @ ..] = self.tasks else {
            return Err(too_few(0));
        };
        if others.is_empty() {
            return Err(too_few(1));
        }
        if self.max_evaluations == 0 {
            return Err(Error::value(
                "max-evaluations",
                "with 0 nothing can be learned",
                format!("allow 1 evaluation or more; {MAX_META_EVALUATIONS} is the default"),
            ));
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
        let learns = |name| self.variables.contains(&name);
        let problems: Vec<&Problem> = self.tasks.iter().collect();
        let mut remarks = Vec::new();
        let ridge = learns(MetaVariable::L2)
            .then(|| resolve_l2(&Variable::l2(), &problems))
            .transpose()?;
        let l1 = learns(MetaVariable::L1)
            .then(|| resolve_l1(&Variable::l1(), &self.at, &problems, &mut remarks))
            .transpose()?;
        let mut batch = Batch::new(self.tasks, &self.settings, &self.control);
        let coordinates = self.tasks[0].penalized();
        let priors = match (learns(MetaVariable::Prior), self.pooled) {
            (false, _) => 1,
            (true, None) => 2,
            (true, Some(_)) => 3,
        };
        let lattice = lattice(
            &self.at,
            l1.as_ref().map(|one| one.coarse),
            ridge.as_ref().map(|one| one.coarse),
            2 * self.max_evaluations / (3 * priors),
        );

        // Each task alone, around the prior that the tasks have, or zero.
        let given = self.at.prior().or(self.tasks[0].prior());
        let own = given.map_or(vec![0.0; coordinates], <[f64]>::to_vec);
        let alone = batch.best_of(&lattice, &own)?.ok_or_else(unsolved)?;
        let strengths = Space {
            coordinates: 0,
            unit: 1.0,
            l1: l1.map(|one| one.bounds),
            l2: ridge.map(|one| one.bounds),
            at: self.at.clone(),
            own,
            objective: Objective::of(&self.tasks[0]),
        };
        let is_more = learns(MetaVariable::Prior) && strengths.l1.or(strengths.l2).is_some();
        let alone = if is_more {
            let left = self.max_evaluations.saturating_sub(batch.evaluations);
            descend(&mut batch, &strengths, &[alone], left.min(ALONE))?.1
        } else {
            alone
        };
        let mean = Applied::mean(self.tasks, &alone.solutions);
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
        // The scale of the columns is common: what a prior is for one task it is for all.
        let as_prior = |applied: &Applied| -> Vec<f64> {
            let Applied {
                coefficients,
                intercepts,
            } = applied;
            let mut own = self.tasks[0].in_own_units(coefficients, intercepts, 0);
            own.truncate(coordinates);
            own
        };
        let mut places = vec![alone.clone()];
        let mut around_mean = None;
        let goes_on = |batch: &Batch<'_>| {
            learns(MetaVariable::Prior) && batch.evaluations < self.max_evaluations
        };
        if goes_on(&batch) {
            around_mean = batch.best_of(&lattice, &as_prior(&mean))?;
            places.extend(around_mean.clone());
        }
        if let Some(pooled) = pooled.as_ref().filter(|_| goes_on(&batch)) {
            places.extend(batch.best_of(&lattice, &as_prior(&pooled.applied))?);
        }

        let largest = |values: &[f64]| values.iter().fold(0.0f64, |most, w| most.max(w.abs()));
        let solutions = alone.solutions.iter().map(|w| largest(w));
        let unit = places
            .iter()
            .map(|place| largest(&place.prior))
            .chain(solutions);
        let unit = unit.fold(0.0, f64::max);
        let space = Space {
            coordinates: if learns(MetaVariable::Prior) {
                coordinates
            } else {
                0
            },
            unit: if unit > 0.0 { unit } else { 1.0 },
            ..strengths
        };
        let left = self.max_evaluations.saturating_sub(batch.evaluations);
        let (status, best, projected_slope) = descend(&mut batch, &space, &places, left)?;
        let mut learned = MetaLearned {
            status,
            prior: best.prior.clone(),
            l1: best.point.l1,
            l2: best.point.l2,
            criterion: best.criterion,
            projected_slope,
            evaluations: batch.evaluations,
            alone: alone.point.clone(),
            mean_of_solutions: as_prior(&mean),
            intercept: Applied::mean(self.tasks, &best.solutions).intercepts,
            error: None,
            test: Vec::new(),
            remarks,
        };
        learned.remarks.extend(space.remarks(&best));
        if !self.test_tasks.is_empty() {
            let test = Batch::new(self.test_tasks, &self.settings, &self.control);
            let fitted = |place: &Evaluated| test.errors(&place.point);
            let (meta, alone) = (fitted(&best)?, fitted(&alone)?);
            let around = around_mean.as_ref().map(fitted).transpose()?;
            let applied = |applied: &Applied| applied.errors(self.test_tasks);
            let pooled = pooled.as_ref().map(|pooled| applied(&pooled.applied));
            learned.compare(
                &meta,
                &alone,
                pooled.as_deref(),
                &applied(&mean),
                around.as_deref(),
            );
        }
        Ok(learned)
    }
}

/// The points of the coarse grid, about `most`: λ₂ fastest, l1 falling, so that they are warm paths.
fn lattice(at: &Point, l1: Option<(f64, f64)>, l2: Option<(f64, f64)>, most: usize) -> Vec<Point> {
    let values = |range: Option<(f64, f64)>, fixed: f64, count: usize| match (range, count) {
        (None, _) => vec![fixed],
        (Some((low, high)), 1) => vec![(low * high).sqrt()],
        (Some((low, high)), count) => {
            let step = (low / high).ln() / (count - 1) as f64;
            let at = |at: usize| high * (step * at as f64).exp();
            (0..count).map(at).collect::<Vec<f64>>()
        }
    };
    let (mut ridges, mut strengths) = (l2.map_or(1, |_| RIDGES), l1.map_or(1, |_| STRENGTHS));
    while ridges * strengths > most.max(1) {
        let larger = if ridges >= strengths {
            &mut ridges
        } else {
            &mut strengths
        };
        *larger -= 1;
    }
    let ridges = values(l2, at.l2, ridges);
    let strengths = values(l1, at.l1, strengths);
    let pairs = strengths
        .iter()
        .flat_map(|&l1| ridges.iter().map(move |&l2| (l1, l2)));
    pairs
        .map(|(l1, l2)| {
            let mut point = at.clone();
            (point.l1, point.l2) = (l1, l2);
            point
        })
        .collect()
}

/// Descents from known places.
fn descend(
    batch: &mut Batch<'_>,
    space: &Space,
    places: &[Evaluated],
    left: usize,
) -> Result<(TuningStatus, Evaluated, f64)> {
    let bounds = space.bounds()?;
    let mut search = Search::new(bounds, left);
    for place in places {
        match space.value(place) {
            Some(value) => search.start_at(
                Visit {
                    place: space.place(place),
                    value: value.value,
                    slope: value.slope,
                    towards: None,
                },
                Vec::new(),
            ),
            None => search.add(&space.place(place)),
        }
    }
    let mut last: Vec<Evaluated> = places.to_vec();
    let best_of = |places: &[Evaluated]| {
        let best = places
            .iter()
            .min_by(|a, b| a.criterion.total_cmp(&b.criterion));
        // infallible: there is the place of each task alone
        best.expect("a place").clone()
    };
    let mut best = best_of(places);
    while !batch.control.should_stop() {
        let asked = search.ask();
        if asked.is_empty() {
            break;
        }
        let mut values = Vec::with_capacity(asked.len());
        for one in asked {
            let (point, prior) = space.point(&one.place);
            let found = batch.evaluate(&point, &prior, &last[one.start].warm)?;
            values.push(found.as_ref().and_then(|found| space.value(found)));
            if let Some(found) = found {
                if found.criterion < best.criterion {
                    best = found.clone();
                }
                last[one.start] = found;
            }
        }
        search.tell(values)?;
    }
    let (status, slope) = match search.outcome() {
        Some(outcome) => (outcome.status, outcome.projected_slope),
        None => (TuningStatus::BudgetSpent, f64::NAN),
    };
    Ok((status, best, slope))
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
