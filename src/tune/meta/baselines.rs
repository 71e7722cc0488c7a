//! Other ways to serve many tasks: one model for all.

use rayon::prelude::*;

use super::learning::MetaLearning;
use super::variable::MetaVariable;
use crate::error::{Error, Result};
use crate::hypergrad::Evaluator;
use crate::problem::Problem;
use crate::tune::held_out::held_out_error;
use crate::tune::kept::Kept;
use crate::tune::resources::Resources;
use crate::tune::{Tuner, Variable};

/// One model for every task, in the data's units.
pub(super) struct Applied {
    pub(super) coefficients: Vec<f64>,
    pub(super) intercepts: Vec<f64>,
}

impl Applied {
    /// The mean of the tasks' solutions.
    pub(super) fn mean(tasks: &[&Problem], solutions: &[Vec<f64>]) -> Self {
        let each = tasks.iter().zip(solutions);
        let mut models = each.map(|(task, solution)| task.in_data_units(solution, 0));
        // infallible: there are two tasks or more
        let (mut coefficients, mut intercepts) = models.next().expect("a task");
        for (w, b) in models {
            coefficients
                .iter_mut()
                .zip(w)
                .for_each(|(sum, w)| *sum += w);
            intercepts.iter_mut().zip(b).for_each(|(sum, b)| *sum += b);
        }
        let count = tasks.len() as f64;
        let all = coefficients.iter_mut().chain(&mut intercepts);
        all.for_each(|sum| *sum /= count);
        Self {
            coefficients,
            intercepts,
        }
    }

    /// Its coefficients as a prior of tasks, the scale of whose columns is common: what it is for one it is for all.
    pub(super) fn as_prior(&self, task: &Problem) -> Vec<f64> {
        let mut own = task.in_own_units(&self.coefficients, &self.intercepts, 0);
        own.truncate(task.penalized());
        own
    }

    /// Its errors on the held-out rows of tasks.
    pub(super) fn errors(&self, tasks: &[Problem]) -> Vec<f64> {
        let of_task = |task: &Problem| {
            let solution = task.in_own_units(&self.coefficients, &self.intercepts, 0);
            held_out_error(task, &solution, 0, &task.criterion().sample.weights)
        };
        tasks.par_iter().map(of_task).collect()
    }
}

/// The problem of all rows together, solved at strengths of its own.
pub(super) struct Pooled {
    pub(super) applied: Applied,
}

impl Pooled {
    /// Its strengths are tuned where those of the tasks are.
    pub(super) fn of<'a>(
        problem: &'a Problem,
        learning: &MetaLearning<'_>,
        kept: Option<&Kept<'a>>,
    ) -> Result<Self> {
        let Resources {
            settings, control, ..
        } = &learning.resources;
        let variable = |name: &MetaVariable| match name {
            MetaVariable::L1 => Some(Variable::l1()),
            MetaVariable::L2 => Some(Variable::l2()),
            MetaVariable::Prior => None,
        };
        let variables: Vec<Variable> = learning.variables.iter().filter_map(variable).collect();
        let control = control.of_a_part();
        let mut point = learning.at.clone();
        if !variables.is_empty() {
            let tuner = Tuner::new(problem).variables(variables).at(point);
            let tuner = tuner.settings(settings).control(&control);
            point = tuner.within(kept, "pooled").run()?.point;
        }
        let evaluator = Evaluator::new(problem).settings(settings).method(None);
        let outcomes = evaluator.control(&control).run(&[point])?;
        if !outcomes[0].is_solved() {
            return Err(Error::value(
                "pooled tasks",
                format!("their fit ended {}", outcomes[0].status.name()),
                "raise the most steps, or allow more time",
            ));
        }
        let (coefficients, intercepts) = problem.in_data_units(&outcomes[0].solution, 0);
        Ok(Self {
            applied: Applied {
                coefficients,
                intercepts,
            },
        })
    }
}
