//! The influence of training rows: what the criterion changes by when rows are left out of the fit.
//!
//! The influence of a row is E(fitted without it) − E(fitted with all rows): positive where the row helps. The
//! loss of the fit is a mean over the rows that remain, in their weights; strengths, and centre and scale of
//! the columns, stay. A criterion on the training rows is that of all of them in both terms.
//!
//! The estimate costs one fit and one adjoint; refits, a batch that differs in row weights alone, are the truth.

mod estimate;
mod rank;
mod refits;
mod shared;

use std::collections::HashSet;

use super::support::FittedRows;
use super::{Outcome, Settings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::Evaluator;
use crate::kinds::{Method, Precision, Solver, Wrt};
use crate::model::loss::Loss;
use crate::problem::{Offset, Point, Problem};

use estimate::Estimates;

pub use estimate::EstimateKind;
pub use refits::Refits;

/// The influence of training rows, or of groups of them, to be computed at a point.
///
/// ```
/// use proxdiff::hypergrad::Influence;
/// use proxdiff::prelude::*;
/// let x = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.5, 3.0]];
/// let problem = Problem::elastic_net(&x, &[1.0, 2.0, 2.9, 4.1, 6.4]).build()?;
/// let found = Influence::new(&problem, Point::new(0.01, 0.1)).exact(true).run()?;
/// assert_eq!(found.influence.len(), 5);
/// assert!(found.rank_correlation().unwrap() > 0.8);
/// # Ok::<(), proxdiff::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Influence<'a> {
    problem: &'a Problem,
    point: Point,
    settings: Settings,
    control: Control,
    groups: Option<Vec<Vec<usize>>>,
    exact: bool,
}

impl<'a> Influence<'a> {
    /// That of every row at a point, estimated.
    #[must_use]
    pub fn new(problem: &'a Problem, point: Point) -> Self {
        Self {
            problem,
            point,
            settings: Settings::default(),
            control: Control::new(),
            groups: None,
            exact: false,
        }
    }

    /// Chooses the settings of the solver; without a method the adjoint is AID-CG's.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings.clone_from(settings);
        self
    }

    /// Shares a control with the caller, which counts the refits.
    #[must_use]
    pub fn control(mut self, control: &Control) -> Self {
        self.control = control.clone();
        self
    }

    /// Leaves groups of rows out, each as a whole: rows by their numbers from 0.
    #[must_use]
    pub fn groups(mut self, groups: impl Into<Option<Vec<Vec<usize>>>>) -> Self {
        self.groups = groups.into();
        self
    }

    /// Chooses whether the problem is also fitted anew without each row or group.
    #[must_use]
    pub fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    /// Computes it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for the quadratic form, which has no rows, and for points with row weights of
    /// their own; [`Error::Value`] for groups that are empty or name a row twice or one that is not there;
    /// those of [`Evaluator::run`].
    pub fn run(&self) -> Result<Influences> {
        let problem = self.stated()?;
        let groups = self.checked_groups()?;
        let settings = Settings {
            method: self.settings.method.or(Some(Method::AidCg)),
            wrt: vec![Wrt::SampleWeights],
            ..self.settings.clone()
        };
        let evaluator = Evaluator::new(&problem).settings(&settings);
        let point = std::slice::from_ref(&self.point);
        let outcomes = evaluator.clone().control(&self.control).run(point)?;
        // infallible: one point has one outcome
        let outcome = outcomes.into_iter().next().expect("an outcome");
        let solved = outcome.is_solved();
        let rows = solved.then(|| FittedRows::of(&problem, &outcome)).flatten();
        let steps = rows.as_ref().and_then(FittedRows::left_out);
        let Estimates {
            kind,
            influence,
            own,
            leverage,
            residuals,
        } = Estimates::of(&problem, &outcome, &groups, steps.as_ref());
        // Another solver or device that was asked for does all of them.
        let shares = settings.solver == Solver::Auto
            && settings.device.is_cpu()
            && settings.precision == Precision::F64;
        let shared = steps.as_ref().filter(|_| shares);
        let control = &self.control;
        let exact = (self.exact && solved)
            .then(|| Refits::of(&problem, &outcome, &groups, &evaluator, shared, control))
            .transpose()?;
        Ok(Influences {
            outcome,
            kind,
            influence,
            own,
            leverage,
            residuals,
            exact,
        })
    }

    /// The problem with a criterion whose weights stay where those of the fit change.
    fn stated(&self) -> Result<Problem> {
        if self.problem.loss() == Loss::Quadratic {
            return Err(Error::unsupported(
                "the influence of rows on a quadratic form, which has none",
                "choose a loss of rows, such as the squared loss",
            ));
        }
        // The size of a row's weight in the loss would not be that in the mean which divides it.
        if Offset::factors_of(self.problem.train().offset.as_deref()).is_some() {
            return Err(Error::unsupported(
                "the influence of rows beside offsets with a log link",
                "state the problem with rates as targets and exposures as sample weights",
            ));
        }
        if self.point.has_own_rows() {
            return Err(Error::unsupported(
                "the influence of rows at a point with row weights of its own",
                "give the weights to the problem",
            ));
        }
        let mut problem = self.problem.clone();
        problem.criterion.on_training_rows = false;
        Ok(problem)
    }

    fn checked_groups(&self) -> Result<Vec<Vec<usize>>> {
        let rows = self.problem.train().rows();
        let Some(groups) = &self.groups else {
            return Ok((0..rows).map(|row| vec![row]).collect());
        };
        let fault = |at: usize, what: String| {
            let remedy = "give the rows of every group once, counted from 0";
            Err(Error::value(format!("group {at} of rows"), what, remedy))
        };
        for (at, group) in groups.iter().enumerate() {
            let mut seen = HashSet::new();
            if group.is_empty() {
                return fault(at, "it is empty".into());
            }
            for &row in group {
                if row >= rows {
                    return fault(at, format!("it names row {row} of {rows}"));
                }
                if !seen.insert(row) {
                    return fault(at, format!("it names row {row} twice"));
                }
            }
        }
        Ok(groups.clone())
    }
}

/// The influences of rows or groups of rows; NaN where there is none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Influences {
    /// The fit with all rows, and the derivative in their weights.
    pub outcome: Outcome,
    /// The way in which they were estimated.
    pub kind: EstimateKind,
    /// The estimated change of the criterion when a row, or group, is left out.
    pub influence: Vec<f64>,
    /// The estimated change of the loss on what is left out itself, the weighted mean over a group; `None`
    /// where the adjoint alone is known.
    pub own: Option<Vec<f64>>,
    /// The leverages of all rows: the diagonal of the hat matrix, which adds up to the degrees of freedom.
    pub leverage: Option<Vec<f64>>,
    /// The residuals of all rows without themselves, y − ŷ; of the logistic loss 1 or 0 minus the probability,
    /// and in general minus the slope of the row's loss in its predictor.
    pub residuals: Option<Vec<f64>>,
    /// The same by refits, where they were asked for and the fit with all rows has converged.
    pub exact: Option<Refits>,
}

impl Influences {
    /// Spearman's rank correlation of the estimates and the refits, over what has both; `None` without
    /// refits, and where either does not vary.
    #[must_use]
    pub fn rank_correlation(&self) -> Option<f64> {
        let exact = self.exact.as_ref()?;
        rank::correlation(&self.influence, &exact.influence)
    }

    /// The same of the changes of the own loss.
    #[must_use]
    pub fn own_rank_correlation(&self) -> Option<f64> {
        let exact = self.exact.as_ref()?;
        rank::correlation(self.own.as_ref()?, &exact.own)
    }
}
