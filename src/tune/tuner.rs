//! The tuner: a problem, its variables and folds, and the best point.

use std::borrow::Cow;
use std::sync::Arc;

use super::chosen::Fold;
use super::criterion::Criterion;
use super::guard::Guard;
use super::hyperparameter::Hyperparameter;
use super::kept::{EvaluationStore, Kept, WHOLE};
use super::objective::Objective;
use super::outcome::Tuned;
use super::progress::TuningProgress;
use super::resources::{Resources, resource_choices};
use super::restated::restated;
use super::sure::{Combination, Estimate, Sure};
use super::tuning::Tuning;
use super::variable::Variable;
use super::variables::{Space, with_vectors};
use crate::control::Control;
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::kinds::{Method, Wrt};
use crate::problem::{Point, Problem};
use crate::sweep::compress::{Compression, fold_problem};
use crate::sweep::folds;
use crate::sweep::study::Study;

mod plan;
mod stages;

/// Variables up to which a vector needs no guard.
const FEW_VARIABLES: usize = 5;
/// Variables of a coarse stage.
const MOST_IN_COMMON: usize = 2;

/// The evaluations that a tuning takes at most, unless it is told otherwise.
pub const MAX_EVALUATIONS: usize = 400;

/// A tuner of one problem: it minimises the criterion over hyperparameters.
///
/// | choice | default | meaning |
/// | --- | --- | --- |
/// | [`variables`](Self::variables) | l1 and λ₂ | what is tuned, with bounds and starts |
/// | [`at`](Self::at) | l1 = λ₂ = 0 | the strengths that are not tuned, and the target |
/// | [`starts`](Self::starts) | those of a coarse stage | points to descend from, such as the best ones of a sweep |
/// | [`folds`](Self::folds) | the problem's criterion | the mean over folds of the training rows instead |
/// | [`sure`](Self::sure) | the problem's criterion | Stein's unbiased risk estimate of all training rows instead |
/// | [`max_evaluations`](Self::max_evaluations) | 400 | points on all folds |
/// | [`guard`](Self::guard) | [`Guard::Auto`] | what keeps many variables from fitting the criterion's rows by chance |
/// | [`settings`](Self::settings) | [`Settings::default`] | solver, tolerance, device, threads |
/// | [`store`](Self::store) | none | keeps evaluations: a tuning that was ended goes on where it stopped |
/// | [`control`](Self::control) | none | cancellation and time budget: the best so far is returned |
///
/// ```
/// use proxdiff::prelude::*;
/// use proxdiff::tune::{Tuner, Variable};
///
/// # fn main() -> proxdiff::Result<()> {
/// # let x: Vec<Vec<f64>> = (0..40).map(|i| (0..4).map(|j| ((i * 7 + j * 13) % 17) as f64 / 17.0 - 0.4 * ((i * j) % 3) as f64).collect()).collect();
/// # let y: Vec<f64> = x.iter().enumerate().map(|(i, r)| 2.0 * r[0] - r[1] + 0.3 * ((i * 5) % 7) as f64).collect();
/// let problem = Problem::elastic_net(&x[..30], &y[..30]).validation(&x[30..], &y[30..]).build()?;
/// let tuned = Tuner::new(&problem).variables([Variable::l1(), Variable::l2()]).run()?;
/// println!("{}: {} at l1 = {}, l2 = {}", tuned.status.name(), tuned.criterion, tuned.point.l1, tuned.point.l2);
/// # assert!(tuned.evaluations <= 400);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Tuner<'a> {
    subject: Subject<'a>,
    variables: Vec<Variable>,
    rest: Point,
    starts: Vec<Point>,
    folds: Option<Vec<folds::Fold>>,
    sure: Option<Sure>,
    guard: Guard,
    resources: Resources,
    store: Option<&'a dyn EvaluationStore>,
    /// The part of the store's evaluations that is its own.
    part: String,
    progress: Arc<TuningProgress>,
}

/// The problem that is tuned, or those of its folds.
#[derive(Debug, Clone, Copy)]
enum Subject<'a> {
    Problem(&'a Problem),
    Study(&'a Study),
}

impl<'a> Tuner<'a> {
    /// A tuner of the problem's criterion.
    pub fn new(problem: &'a Problem) -> Self {
        Self::of(Subject::Problem(problem))
    }

    /// A tuner of the mean criterion over a study's folds, with its settings.
    pub fn of_study(study: &'a Study) -> Self {
        let mut settings = study.settings.clone();
        settings.precision = study.precision;
        Self::of(Subject::Study(study)).settings(&settings)
    }

    fn of(subject: Subject<'a>) -> Self {
        Self {
            subject,
            variables: vec![Variable::l1(), Variable::l2()],
            rest: Point::default(),
            starts: Vec::new(),
            folds: None,
            sure: None,
            guard: Guard::Auto,
            resources: Resources::new(MAX_EVALUATIONS),
            store: None,
            part: WHOLE.into(),
            progress: Arc::default(),
        }
    }

    /// Chooses what is tuned.
    pub fn variables(mut self, variables: impl Into<Vec<Variable>>) -> Self {
        self.variables = variables.into();
        self
    }

    /// Chooses the strengths that are not tuned, and the target.
    pub fn at(mut self, point: Point) -> Self {
        self.rest = point;
        self
    }

    /// Descends from these points alone, in place of a coarse stage; for strengths in common, of the target
    /// that is tuned. What lies outside the bounds starts at them.
    pub fn starts(mut self, points: impl Into<Vec<Point>>) -> Self {
        self.starts = points.into();
        self
    }

    /// Tunes the mean over folds of the training rows, such as
    /// [`k_folds`](crate::sweep::folds::k_folds) deals, in place of the problem's own criterion: every
    /// fold is centred and scaled by the rows that it learns from.
    pub fn folds(mut self, folds: impl Into<Vec<folds::Fold>>) -> Self {
        self.folds = Some(folds.into());
        self
    }

    /// Tunes Stein's unbiased risk estimate of the squared loss on the training rows, with no row held out: for
    /// normal noise of one deviation. Its estimate is ½(risk + σ²), the squared loss on new targets of the
    /// same rows.
    pub fn sure(mut self, sure: Sure) -> Self {
        self.sure = Some(sure);
        self
    }

    resource_choices! {
        "Chooses the most evaluations, each a point on all folds.",
        "Chooses solver, tolerance, device and threads. What is differentiated is the tuner's choice.",
        "Shares a control with the caller."
    }

    /// Chooses how many variables are kept from fitting the criterion's rows by chance.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Keeps every evaluation in a store, and takes from it what is known: a tuning that was ended goes on where it
    /// stopped, and several processes share the folds of its evaluations. The outcome has the same bits with it
    /// and without. Evaluations are known again by [`plan`](Self::plan); the best point's last evaluation, and the
    /// outer rows of a guard, are computed each time.
    pub fn store(mut self, store: &'a dyn EvaluationStore) -> Self {
        self.store = Some(store);
        self
    }

    /// Keeps evaluations where `kept` does, as a part of it with a name of its own.
    pub(super) fn within(mut self, kept: Option<&Kept<'a>>, part: &str) -> Self {
        if let Some(kept) = kept {
            self.store = Some(kept.store);
            self.part = kept.part_within(part);
        }
        self
    }

    /// The progress of the run, which other threads may look at.
    #[must_use]
    pub fn progress(&self) -> Arc<TuningProgress> {
        Arc::clone(&self.progress)
    }

    /// Tunes.
    ///
    /// The same bits come out for any number of threads. What stops early returns the best so far.
    ///
    /// # Errors
    /// [`Error::Value`] for variables, bounds and budgets that do not fit; for starts that are no strengths,
    /// have parts of their own, are of another target, or stand beside that of a variable; for folds that
    /// cannot be learned from, and where no point has a criterion with its derivative.
    /// [`Error::Unsupported`] for points that a vector starts from.
    pub fn run(&self) -> Result<Tuned> {
        self.guard.check()?;
        self.starts.iter().try_for_each(|p| self.check_start(p))?;
        self.resources.check("tuned", MAX_EVALUATIONS)?;
        if self.variables.is_empty() {
            return Err(Error::value(
                "variables",
                "there is nothing to tune",
                "name l1, l2, or both",
            ));
        }
        in_threads(self.resources.settings.threads, || self.run_here())
    }

    /// Refuses a point that no descent starts from as it is.
    fn check_start(&self, point: &Point) -> Result<()> {
        if self.variables.iter().any(|v| v.hyperparameter.is_vector()) {
            return Err(Error::unsupported(
                "points that a vector of strengths starts from",
                "give one start for all its entries (Variable::from)",
            ));
        }
        let refuse = |problem: String, remedy: &str| Err(Error::value("starts", problem, remedy));
        if let Some(variable) = self.variables.iter().find(|v| v.start.is_some()) {
            let name = variable.hyperparameter.name();
            return refuse(
                format!("{name} has a start of its own beside them"),
                "give points to start from, or a start of each variable (Variable::from)",
            );
        }
        for (name, strength) in [("l1", point.l1), ("l2", point.l2)] {
            if !(strength >= 0.0 && strength.is_finite()) {
                return refuse(
                    format!("{name} of a point is {strength}"),
                    "give finite strengths of zero or more",
                );
            }
        }
        if point.has_own() {
            return refuse(
                "a point has strengths, a prior or weights of its own".into(),
                "give the parts that all points share with Tuner::at",
            );
        }
        if point.target != self.rest.target {
            return refuse(
                format!(
                    "a point is of target {}, and target {} is tuned",
                    point.target, self.rest.target
                ),
                "tune one target at a time, and name it with Tuner::at",
            );
        }
        Ok(())
    }

    /// Refuses row weights of the point beside what they would replace, or which has none.
    fn check_rows(&self) -> Result<()> {
        let tunes_classes = |v: &Variable| v.hyperparameter == Hyperparameter::ClassWeights;
        let beside = match self.sure {
            Some(_) => "Stein's estimate",
            None if self.variables.iter().any(tunes_classes) => "weights of the classes",
            None => return Ok(()),
        };
        if self.rest.has_own_rows() {
            return Err(Error::unsupported(
                format!("row weights of a point's own beside {beside}"),
                "state the problem with these weights",
            ));
        }
        Ok(())
    }

    fn run_here(&self) -> Result<Tuned> {
        self.check_rows()?;
        let study = self.study()?;
        let study = study.as_deref();
        let kept = self.kept(study)?;
        let estimate = self.sure.map(|sure| self.estimate(sure)).transpose()?;
        let (problems, combination, noise) = match estimate {
            None => (self.problems(study)?, None, None),
            Some(estimate) => {
                let problems = self.with_strengths(estimate.problems)?;
                (problems, Some(estimate.combination), Some(estimate.noise))
            }
        };
        let criterion = self.criterion(&problems, combination, kept.as_ref());
        let space = self.space(&self.variables, &problems)?;
        let tuning = Tuning {
            space: &space,
            criterion: &criterion,
            objective: Objective::of(&problems[0]),
            budget: self.resources.max_evaluations,
            looks_around: true,
            progress: Some(&*self.progress),
        };
        let tuned = if !self.starts.is_empty() {
            let place = |point: &Point| space.place_of(&point.clone().into());
            let places: Vec<Vec<f64>> = self.starts.iter().map(place).collect();
            tuning.finish(&tuning.run_from(&places)?)?
        } else if self.has_stages() {
            let common = self.common_space(&space, &problems)?;
            self.run_stages(&tuning, &common, study)?
        } else {
            tuning.finish(&tuning.run()?)?
        };
        Ok(Tuned { noise, ..tuned })
    }

    /// The study whose folds are tuned, or parted by a guard, or known by a store; `None` where none of them is.
    fn study(&self) -> Result<Option<Cow<'a, Study>>> {
        Ok(match (&self.subject, &self.folds) {
            (Subject::Study(study), None) => Some(Cow::Borrowed(*study)),
            (Subject::Study(study), Some(folds)) => Some(Cow::Owned(Study {
                folds: folds.clone(),
                ..Study::clone(study)
            })),
            (Subject::Problem(problem), folds)
                if folds.is_some() || self.is_guarded() || self.store.is_some() =>
            {
                Some(Cow::Owned(self.restated(problem)?))
            }
            _ => None,
        })
    }

    /// Stein's estimate of the training rows.
    fn estimate(&self, sure: Sure) -> Result<Estimate> {
        let holds_out = match &self.subject {
            Subject::Study(study) => study.folds.iter().any(|fold| fold.held_out.is_some()),
            Subject::Problem(_) => false,
        };
        if self.folds.is_some() || holds_out {
            return Err(Error::value(
                "sure",
                "there are folds beside Stein's estimate, which holds no rows out",
                "leave the folds out, or the estimate",
            ));
        }
        if self.is_guarded() {
            return Err(Error::value(
                "guard",
                "its nested folds hold rows out, and Stein's estimate holds out none",
                "use --guard none (Guard::None), or tune on held-out rows",
            ));
        }
        match &self.subject {
            Subject::Problem(problem) => sure.of(problem, self.rest.target),
            Subject::Study(study) => {
                study.check()?;
                sure.of(&study.whole()?, self.rest.target)
            }
        }
    }

    /// The variables of the first stage: what the entries of vectors have in common, at most two.
    fn in_common(&self) -> Vec<Variable> {
        let each = self.variables.iter();
        let mut common: Vec<Variable> = each.filter_map(Variable::in_common).collect();
        if common.len() > MOST_IN_COMMON {
            common.retain(|v| v.hyperparameter.is_strength());
        }
        common
    }

    /// Whether there is a second stage, of more than the first one.
    fn has_stages(&self) -> bool {
        let is_vector = |v: &Variable| v.hyperparameter.is_vector();
        self.variables.iter().any(is_vector) || self.in_common().len() < self.variables.len()
    }

    fn space(&self, variables: &[Variable], problems: &[Problem]) -> Result<Space> {
        let problems: Vec<&Problem> = problems.iter().collect();
        Space::new(variables, self.rest.clone(), &problems)
    }

    /// The variables of the first stage, beside what is not tuned in it.
    fn common_space(&self, whole: &Space, problems: &[Problem]) -> Result<Space> {
        let problems: Vec<&Problem> = problems.iter().collect();
        Space::new(&self.in_common(), whole.untuned(), &problems)
    }

    /// The criterion over the problems of folds with the tuner's settings.
    fn criterion<'f>(
        &self,
        problems: &'f [Problem],
        combination: Option<Combination>,
        kept: Option<&Kept<'f>>,
    ) -> Criterion<'f> {
        let mut wrt: Vec<Wrt> = self
            .variables
            .iter()
            .map(|v| v.hyperparameter.wrt())
            .collect();
        wrt.dedup();
        Criterion {
            folds: problems.iter().map(Fold::new).collect(),
            combination,
            settings: Settings {
                method: Some(self.resources.settings.method.unwrap_or(Method::AidCg)),
                wrt,
                threads: 0,
                ..self.resources.settings.clone()
            },
            control: self.resources.control.clone(),
            kept: kept.cloned(),
        }
    }

    /// The problems of all folds, with a penalty that takes the strengths of each.
    fn problems(&self, study: Option<&Study>) -> Result<Vec<Problem>> {
        let problems = match (study, &self.subject) {
            (Some(study), _)
                if self.folds.is_some() || matches!(self.subject, Subject::Study(_)) =>
            {
                study.check()?;
                study.check_cells()?;
                let compression = Compression::of(study, self.resources.max_evaluations);
                let fold = |fold: usize| {
                    fold_problem(study, compression.as_ref(), fold).map(|made| made.problem)
                };
                (0..study.folds.len())
                    .map(fold)
                    .collect::<Result<Vec<_>>>()?
            }
            (_, Subject::Problem(problem)) => vec![Problem::clone(problem)],
            (_, Subject::Study(_)) => Vec::new(),
        };
        if problems.is_empty() {
            return Err(Error::value("folds", "there are none", "give two or more"));
        }
        self.with_strengths(problems)
    }

    /// Problems with the penalty and the ridge that have the strengths of vectors, if any are tuned.
    fn with_strengths(&self, problems: Vec<Problem>) -> Result<Vec<Problem>> {
        let with = |problem: Problem| with_vectors(problem, &self.variables);
        problems.into_iter().map(with).collect()
    }

    /// The study that a problem states: its own criterion, or its folds.
    fn restated(&self, problem: &Problem) -> Result<Study> {
        restated(problem, self.folds.clone(), &self.resources.settings)
    }

    /// Whether there is a vector that is guarded.
    fn is_guarded(&self) -> bool {
        let is_vector = |v: &Variable| v.hyperparameter.is_vector();
        self.guard != Guard::None && self.variables.iter().any(is_vector)
    }

    /// Whether a vector of so many entries is guarded.
    fn guards(&self, count: usize) -> bool {
        match self.guard {
            Guard::None => false,
            Guard::Auto => count > FEW_VARIABLES,
            Guard::Rho(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
