//! The guard of few tasks: whether a prior that was learned is better than others on tasks that it was not
//! learned from.
//!
//! A prior has an entry for each coefficient, and with few tasks it fits them by chance. Parts of the tasks are
//! left out in turn; from the others everything is learned anew, and the tasks left out are fitted.

use rayon::prelude::*;

use crate::error::Result;
use crate::linalg::statistics::{mean, standard_error};
use crate::linalg::vector::{difference, exceeds};
use crate::sweep::folds::{Dealing, k_folds};

use super::batch::Batch;
use super::course::{Course, Plan};
use super::learning::MetaLearning;
use super::variable::MetaPrior;

/// Parts of the tasks, each of which is left out once.
const PARTS: usize = 5;
/// Most evaluations of what is learned without a part.
const NESTED_EVALUATIONS: usize = 60;

/// The choice of a guard: mean criteria of tasks that nothing was learned from, fitted around priors that were
/// learned from others.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetaGuarded {
    /// Around the learned prior.
    pub learned: f64,
    /// Around the mean of the tasks' own solutions, with strengths of its own.
    pub around_mean: f64,
    /// Around none, with strengths of its own.
    pub alone: f64,
    /// The standard error over tasks of the difference between the learned prior and the better of the others.
    pub standard_error: f64,
    /// The prior that is returned.
    pub returns: MetaPrior,
}

/// The criteria of a task around the priors.
#[derive(Debug, Clone, Copy)]
struct Criteria {
    learned: f64,
    around_mean: f64,
    alone: f64,
}

/// The choice between the ends of a course, by tasks that parts of it have not seen.
///
/// # Errors
/// Those of evaluations.
pub(super) fn nested(
    learning: &MetaLearning<'_>,
    batch: &Batch<'_>,
    course: &Course,
) -> Result<MetaGuarded> {
    let splits = learning.splits;
    let count = batch.problems().len() / splits;
    let mut all = vec![Criteria::NONE; count];
    // Of two tasks one alone would be left to learn from.
    if count > 2 && course.is_comparable() {
        // The rows of all tasks together have those of the tasks left out: no start from them.
        let most = learning.resources.max_evaluations;
        let learning = MetaLearning {
            pooled: None,
            ..learning
                .clone()
                .max_evaluations(most.min(NESTED_EVALUATIONS))
        };
        let parts = k_folds(count, PARTS.min(count), 1, Dealing::Plain, 0)?;
        let parts: Vec<Vec<usize>> = parts.into_iter().filter_map(|part| part.held_out).collect();
        let found: Vec<Vec<Criteria>> = parts
            .par_iter()
            .enumerate()
            .map(|(number, left_out)| without(&learning, batch, number, left_out))
            .collect::<Result<_>>()?;
        for (tasks, criteria) in parts.iter().zip(found) {
            tasks
                .iter()
                .zip(criteria)
                .for_each(|(&task, own)| all[task] = own);
        }
    }
    Ok(MetaGuarded::of(&all, course))
}

/// The criteria of the tasks of a part around what is learned from the others.
fn without(
    learning: &MetaLearning<'_>,
    batch: &Batch<'_>,
    number: usize,
    tasks: &[usize],
) -> Result<Vec<Criteria>> {
    let splits = learning.splits;
    let problems = |task: usize| task * splits..(task + 1) * splits;
    let count = batch.problems().len() / splits;
    let others = (0..count).filter(|task| tasks.binary_search(task).is_err());
    let mut inner = batch.part(others.flat_map(problems));
    inner.kept = batch.kept.as_ref().map(|kept| kept.of_outer_fold(number));
    let outer = batch.part(tasks.iter().flat_map(|&task| problems(task)));
    let none = || Ok(vec![Criteria::NONE; tasks.len()]);
    if batch.control.should_stop() {
        return none();
    }
    // Grid and bounds are of the other tasks too.
    let plan = Plan::of(learning, &inner.problems(), &mut Vec::new())?;
    let course = plan.course(&mut inner, None)?;
    let Some(course) = course.filter(Course::is_comparable) else {
        return none();
    };
    if batch.control.should_stop() {
        return none();
    }
    let means = |prior: MetaPrior| -> Result<Vec<f64>> {
        let criteria = outer.criteria(&course.of(prior).best.point)?;
        Ok(criteria.chunks(splits).map(mean).collect())
    };
    let learned = means(MetaPrior::Learned)?;
    let around = means(MetaPrior::MeanOfSolutions)?;
    let alone = means(MetaPrior::Zero)?;
    let own = (0..tasks.len()).map(|at| Criteria {
        learned: learned[at],
        around_mean: around[at],
        alone: alone[at],
    });
    Ok(own.collect())
}

impl Criteria {
    /// Those of a task that was not fitted.
    const NONE: Self = Self {
        learned: f64::NAN,
        around_mean: f64::NAN,
        alone: f64::NAN,
    };
}

impl MetaGuarded {
    /// The choice from the criteria of all tasks.
    fn of(all: &[Criteria], course: &Course) -> Self {
        let column = |of: fn(&Criteria) -> f64| -> Vec<f64> { all.iter().map(of).collect() };
        let learned = column(|one| one.learned);
        let around = column(|one| one.around_mean);
        let alone = column(|one| one.alone);
        let (of_mean, of_none) = (mean(&around), mean(&alone));
        let (simpler, other, estimate) = if of_mean <= of_none {
            (MetaPrior::MeanOfSolutions, &around, of_mean)
        } else {
            (MetaPrior::Zero, &alone, of_none)
        };
        let standard_error = standard_error(&difference(other, &learned));
        let is_better = exceeds(estimate - mean(&learned), standard_error);
        Self {
            learned: mean(&learned),
            around_mean: of_mean,
            alone: of_none,
            standard_error,
            returns: match is_better {
                true => MetaPrior::Learned,
                false if estimate.is_finite() => simpler,
                false => course.simpler(),
            },
        }
    }

    /// The choice and its reason.
    pub(super) fn remark(&self) -> String {
        let returned = match self.returns {
            MetaPrior::Learned => "the learned prior is returned",
            MetaPrior::MeanOfSolutions => "the mean of the solutions is returned as the prior",
            MetaPrior::Zero => "no prior is returned",
        };
        let all = [self.learned, self.around_mean, self.alone];
        if !all.iter().all(|estimate| estimate.is_finite()) {
            return format!(
                "the tasks, the evaluations or the time are too few to compare priors on tasks that nothing was learned \
                 from: {returned}; give more, or --guard none"
            );
        }
        format!(
            "on tasks that nothing was learned from, {:.6} around the learned prior, {:.6} around the mean of the \
             solutions and {:.6} without a prior, standard error of the difference {:.2e}: {returned}",
            self.learned, self.around_mean, self.alone, self.standard_error
        )
    }
}
