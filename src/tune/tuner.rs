//! The tuner: a problem, its variables and folds, and the best point.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::criterion::{Criterion, Fold};
use super::guard::{Guard, Nest, nests};
use super::objective::Objective;
use super::outcome::{Guarded, Start, Tuned};
use super::starts::starts;
use super::tuning::{Searched, Tuning, TuningProgress};
use super::variable::Variable;
use super::variables::{Space, with_vectors};
use crate::control::Control;
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::kinds::{Method, Wrt};
use crate::problem::{Point, Problem};
use crate::sweep::compress::{Compression, fold_problem};
use crate::sweep::folds;
use crate::sweep::study::{ClassWeighting, Study};

/// Variables up to which a vector needs no guard.
const FEW_VARIABLES: usize = 5;
/// The ρ that nested folds choose among, times the number of variables.
const RHOS: [f64; 5] = [0.1, 0.3, 1.0, 3.0, 10.0];
/// Evaluations of every tuning within nested folds.
const NESTED_EVALUATIONS: usize = 60;

/// The remark on a vector for which no evaluations are left.
const NO_EVALUATIONS: &str =
    "no evaluations are left for a vector of strengths: raise --max-evaluations";
/// The remark on a vector that was not come to.
const STOPPED: &str = "the tuning was stopped before the strengths of each could be chosen, and the best \
                       common strength is returned: allow more time";
/// The remark on a vector that has no solution where it starts.
const UNSOLVED: &str = "no vector of strengths had a solution with its derivative, and the best common strength is \
                        returned: start elsewhere, raise the lower bounds or --max-steps";
/// The remark on a vector that is no better than its best common strength.
const NO_BETTER: &str = "no vector of strengths was found that is better than the best common strength, which \
                         is returned: raise --max-evaluations, or leave out --start";

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
/// | [`max_evaluations`](Self::max_evaluations) | 400 | points on all folds |
/// | [`guard`](Self::guard) | [`Guard::Auto`] | what keeps many variables from fitting the criterion's rows by chance |
/// | [`settings`](Self::settings) | [`Settings::default`] | solver, tolerance, device, threads |
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
    max_evaluations: usize,
    guard: Guard,
    settings: Settings,
    control: Control,
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
            max_evaluations: MAX_EVALUATIONS,
            guard: Guard::Auto,
            settings: Settings::default(),
            control: Control::new(),
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

    /// Chooses the most evaluations, each a point on all folds.
    pub fn max_evaluations(mut self, count: usize) -> Self {
        self.max_evaluations = count;
        self
    }

    /// Chooses how many variables are kept from fitting the criterion's rows by chance.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Chooses solver, tolerance, device and threads. What is differentiated is the tuner's choice.
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings.clone_from(settings);
        self
    }

    /// Shares a control with the caller.
    pub fn control(mut self, control: &Control) -> Self {
        self.control = control.clone();
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
        if self.max_evaluations == 0 {
            return Err(Error::value(
                "max-evaluations",
                "with 0 nothing can be tuned",
                "allow 1 evaluation or more; 400 is the default",
            ));
        }
        in_threads(self.settings.threads, || self.run_here())
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

    fn run_here(&self) -> Result<Tuned> {
        let study = match (&self.subject, &self.folds) {
            (Subject::Study(study), None) => Some(Cow::Borrowed(*study)),
            (Subject::Study(study), Some(folds)) => Some(Cow::Owned(Study {
                folds: folds.clone(),
                ..Study::clone(study)
            })),
            (Subject::Problem(problem), Some(_)) => Some(Cow::Owned(self.restated(problem)?)),
            (Subject::Problem(problem), None) if self.is_guarded() => {
                Some(Cow::Owned(self.restated(problem)?))
            }
            _ => None,
        };
        let study = study.as_deref();
        let problems = self.problems(study)?;
        let criterion = self.criterion(&problems);
        let space = self.space(&self.variables, &problems)?;
        let tuning = Tuning {
            space: &space,
            criterion: &criterion,
            objective: Objective::of(&problems[0]),
            budget: self.max_evaluations,
            progress: Some(&*self.progress),
        };
        if !self.starts.is_empty() {
            let places: Vec<Vec<f64>> = self.starts.iter().map(|p| space.place_of(p)).collect();
            return tuning.finish(&tuning.run_from(&places)?);
        }
        if !space.vectors().is_empty() {
            let scalars: Vec<Variable> = self.variables.iter().map(Variable::in_common).collect();
            let common = self.space(&scalars, &problems)?;
            return self.run_vector(&tuning, &common, study);
        }
        tuning.finish(&tuning.run()?)
    }

    fn space(&self, variables: &[Variable], problems: &[Problem]) -> Result<Space> {
        let problems: Vec<&Problem> = problems.iter().collect();
        Space::new(variables, self.rest.clone(), &problems)
    }

    /// The criterion over the problems of folds with the tuner's settings.
    fn criterion<'f>(&self, problems: &'f [Problem]) -> Criterion<'f> {
        let folds = problems.iter().map(|problem| Fold {
            problem,
            prepared: Arc::default(),
        });
        let mut wrt: Vec<Wrt> = self
            .variables
            .iter()
            .map(|v| v.hyperparameter.wrt())
            .collect();
        wrt.dedup();
        Criterion {
            folds: folds.collect(),
            settings: Settings {
                method: Some(self.settings.method.unwrap_or(Method::AidCg)),
                wrt,
                threads: 0,
                ..self.settings.clone()
            },
            control: self.control.clone(),
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
                let compression = Compression::of(study, self.max_evaluations);
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
        let mut specification = problem.specification()?;
        let factors = specification.weight_factors.take();
        let targets = (0..specification.train.targets.len()).map(|at| at.to_string());
        let all = || vec![folds::Fold::of_all_rows()];
        Ok(Study {
            name: String::new(),
            source: String::new(),
            targets: targets.collect(),
            specification,
            class_weights: factors.map(ClassWeighting::Given),
            folds: self.folds.clone().unwrap_or_else(all),
            settings: self.settings.clone(),
            precision: self.settings.precision,
            keep_solutions: false,
            filling: None,
        })
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

    /// Tunes the strength that all have in common with half of the evaluations, then those of each from
    /// there. The vector is returned where it is better: with a guard, also on rows that nothing was tuned
    /// on.
    fn run_vector(
        &self,
        tuning: &Tuning<'_>,
        common: &Space,
        study: Option<&Study>,
    ) -> Result<Tuned> {
        let scalar = Tuning {
            space: common,
            objective: tuning.objective.clone(),
            budget: (self.max_evaluations / 2).max(1),
            ..*tuning
        };
        let mut searched = scalar.run()?;
        let left = self.max_evaluations - searched.search.spent();
        let of_common = |searched: &Searched, remark: Option<&str>| -> Result<Tuned> {
            let mut tuned = scalar.finish(searched)?;
            tuned.scalar_criterion = Some(tuned.criterion);
            tuned.remarks.extend(remark.map(str::to_string));
            Ok(tuned)
        };
        if left == 0 {
            return of_common(&searched, Some(NO_EVALUATIONS));
        }
        let vectors = tuning.space.vectors();
        let count = vectors.iter().map(Range::len).sum();
        let guarded = match study {
            Some(study) if self.guards(count) && !self.control.should_stop() => {
                Some(self.nested(study, count)?)
            }
            _ => None,
        };
        // What was stopped has compared nothing.
        if self.control.should_stop() {
            return of_common(&searched, Some(STOPPED));
        }
        if let Some(guarded) = &guarded
            && guarded.returns_scalar
        {
            scalar.go_on(&mut searched, left)?;
            let mut tuned = of_common(&searched, None)?;
            tuned.keep(guarded.clone());
            return Ok(tuned);
        }
        let rho = guarded.as_ref().map_or(0.0, |guarded| guarded.rho);
        let vector = Tuning {
            objective: tuning.objective.penalized(vectors, rho),
            budget: left,
            ..*tuning
        };
        let best = searched.search.outcome();
        let Some(best) = best.map(|best| (common.point(&best.place), best.value)) else {
            return scalar.finish(&searched);
        };
        let (point, best) = best;
        let each = vector.run_from(&starts(&vector, common, &point)?)?;
        let Some(found) = each.search.outcome() else {
            let why = if self.control.should_stop() {
                STOPPED
            } else {
                UNSOLVED
            };
            let mut tuned = of_common(&searched, Some(why))?;
            if let Some(guarded) = guarded {
                tuned.keep(guarded.with_scalar(true));
            }
            return Ok(tuned);
        };
        let is_better = found.value <= best;
        let of_scalar = scalar.finish(&searched)?;
        let of_each = vector.finish(&each)?;
        let evaluations = of_scalar.evaluations + of_each.evaluations;
        let starts = ranked(
            [&each, &searched],
            [of_each.starts.clone(), of_scalar.starts.clone()],
        );
        let (criterion, coarse) = (of_scalar.criterion, of_scalar.coarse_evaluations);
        let mut tuned = if is_better { of_each } else { of_scalar };
        tuned.evaluations = evaluations;
        tuned.coarse_evaluations = coarse;
        tuned.starts = starts;
        tuned.scalar_criterion = Some(criterion);
        if let Some(guarded) = guarded {
            tuned.keep(guarded.with_scalar(!is_better));
        } else if self.guard == Guard::None && is_better {
            tuned.remarks.push(format!(
                "{count} variables are tuned without a guard: the criterion is no estimate of the error on other rows"
            ));
        }
        if !is_better {
            tuned.remarks.push(NO_BETTER.into());
        }
        Ok(tuned)
    }

    /// The choice of ρ, and between vector and scalar, by nested folds.
    fn nested(&self, study: &Study, count: usize) -> Result<Guarded> {
        let rhos: Vec<f64> = match self.guard {
            Guard::Rho(rho) => vec![rho],
            _ => RHOS.iter().map(|rho| rho / count as f64).collect(),
        };
        let nests = nests(study)?;
        let of_nest = |nest: &Nest| self.outer_criteria(nest, &rhos);
        let table: Vec<Vec<f64>> = nests.par_iter().map(of_nest).collect::<Result<_>>()?;
        Ok(Guarded::of(&table, &rhos))
    }

    /// On the outer rows of a nest: the criterion of the scalar that was tuned on the inner ones, and that
    /// of the vector for every ρ; NaN where there is no solution.
    fn outer_criteria(&self, nest: &Nest, rhos: &[f64]) -> Result<Vec<f64>> {
        let problems = self.with_strengths(nest.inner.clone())?;
        let outer = self.with_strengths(vec![nest.outer.clone()])?.remove(0);
        let criterion = self.criterion(&problems);
        let scalars: Vec<Variable> = self.variables.iter().map(Variable::in_common).collect();
        let common = self.space(&scalars, &problems)?;
        let scalar = Tuning {
            space: &common,
            criterion: &criterion,
            objective: Objective::of(&problems[0]),
            budget: NESTED_EVALUATIONS,
            progress: None,
        };
        let Some(found) = scalar.run()?.search.outcome() else {
            return Ok(vec![f64::NAN; rhos.len() + 1]);
        };
        let mut points = vec![common.point(&found.place)];
        let space = self.space(&self.variables, &problems)?;
        let base = Tuning {
            space: &space,
            ..scalar
        };
        let places = starts(&base, &common, &points[0])?;
        for &rho in rhos {
            let vector = Tuning {
                objective: base.objective.penalized(space.vectors(), rho),
                ..base
            };
            let found = vector.run_from(&places)?.search.outcome();
            points.push(found.map_or_else(|| points[0].clone(), |found| space.point(&found.place)));
        }
        let outcomes = Evaluator::new(&outer)
            .settings(&criterion.settings)
            .method(None)
            .control(&self.control.of_a_part())
            .run(&points)?;
        let solved = |outcome: &Outcome| {
            if outcome.is_solved() {
                outcome.criterion
            } else {
                f64::NAN
            }
        };
        Ok(outcomes.iter().map(solved).collect())
    }
}

/// The starts of two searches, the best first.
fn ranked(searched: [&Searched; 2], starts: [Vec<Start>; 2]) -> Vec<Start> {
    let values = searched.into_iter().flat_map(Searched::values);
    let mut all: Vec<(f64, Start)> = values.zip(starts.into_iter().flatten()).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, start)| start).collect()
}

impl Tuned {
    /// Keeps the choice of a guard, and says what it was.
    fn keep(&mut self, guarded: Guarded) {
        let estimate = guarded.estimate();
        self.nested_criterion = estimate.is_finite().then_some(estimate);
        self.remarks.push(guarded.remark());
        self.guarded = Some(guarded);
    }
}
