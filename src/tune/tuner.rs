//! The tuner: a problem, its variables and folds, and the best point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::criterion::{Criterion, Evaluated, Fold};
use super::descent::Value;
use super::lattice::{Candidate, Lattice, Node};
use super::outcome::{Start, Tuned, TuningStatus, Visited};
use super::search::Search;
use super::variables::{Space, Variable};
use crate::control::{Control, lock};
use crate::engine::in_threads;
use crate::error::{Error, Result};
use crate::hypergrad::{Settings, WarmStart};
use crate::kinds::Method;
use crate::model::loss::Loss;
use crate::problem::{Point, Problem};
use crate::sweep::compress::{Compression, fold_problem};
use crate::sweep::folds;
use crate::sweep::study::{ClassWeighting, FoldProblem, Study};

/// The evaluations that a tuning takes at most, unless it is told otherwise.
pub const MAX_EVALUATIONS: usize = 400;

/// Starts of one tuning.
const MOST_STARTS: usize = 24;
/// The relative decrease that a descent must promise to go on before everything has been looked at.
const FALLS_FAST: f64 = 1e-3;
/// How much larger than the best criterion, relatively, a predicted one may be that is looked at.
const MARGIN: f64 = 0.03;
/// The distance from a known minimum, in spacings of the lattice, within which nothing is looked at.
const TAKEN: f64 = 0.75;
/// The distance from a known minimum, in spacings of the lattice, within which a node is no new start.
const SAME: f64 = 0.3;
/// Places of a refinement that are looked at together.
const REFINED: usize = 16;
/// Evaluations that are kept for the last steps.
const LAST_STEPS: usize = 20;

/// The solutions near every start, on all folds.
type Warm = Vec<Vec<WarmStart>>;

/// A tuner of one problem: it minimises the criterion over hyperparameters.
///
/// | choice | default | meaning |
/// | --- | --- | --- |
/// | [`variables`](Self::variables) | l1 and λ₂ | what is tuned, with bounds and starts |
/// | [`at`](Self::at) | l1 = λ₂ = 0 | the strengths that are not tuned, and the target |
/// | [`folds`](Self::folds) | the problem's criterion | the mean over folds of the training rows instead |
/// | [`max_evaluations`](Self::max_evaluations) | 400 | points on all folds |
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
    folds: Option<Vec<folds::Fold>>,
    max_evaluations: usize,
    settings: Settings,
    control: Control,
    progress: Arc<TuningProgress>,
}

/// The problem that is tuned, or those of its folds.
#[derive(Debug, Clone)]
enum Subject<'a> {
    Problem(&'a Problem),
    Folds(Vec<Arc<FoldProblem>>),
}

/// The progress of a tuning, for a display.
#[derive(Debug, Default)]
pub struct TuningProgress(Mutex<(usize, Option<(f64, Point)>)>);

impl TuningProgress {
    /// Evaluations so far.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        lock(&self.0).0
    }

    /// The best criterion so far and its point.
    #[must_use]
    pub fn best(&self) -> Option<(f64, Point)> {
        lock(&self.0).1.clone()
    }

    fn note(&self, points: &[Point], evaluated: &[Evaluated]) {
        let mut state = lock(&self.0);
        state.0 += points.len();
        for (point, evaluated) in points.iter().zip(evaluated) {
            let value = evaluated.criterion;
            if value.is_finite() && state.1.as_ref().is_none_or(|(best, _)| value < *best) {
                state.1 = Some((value, point.clone()));
            }
        }
    }
}

impl<'a> Tuner<'a> {
    /// A tuner of the problem's criterion.
    pub fn new(problem: &'a Problem) -> Self {
        Self::of(Subject::Problem(problem))
    }

    /// A tuner of the mean criterion over a study's folds, with its settings.
    ///
    /// # Errors
    /// Those of the folds' problems.
    pub fn of_study(study: &Study) -> Result<Tuner<'static>> {
        study.check()?;
        study.check_cells()?;
        let compression = Compression::of(study, MAX_EVALUATIONS);
        let fold = |fold: usize| fold_problem(study, compression.as_ref(), fold).map(Arc::new);
        let problems = (0..study.folds.len()).map(fold).collect::<Result<_>>()?;
        let mut settings = study.settings.clone();
        settings.precision = study.precision;
        Ok(Tuner::of(Subject::Folds(problems)).settings(&settings))
    }

    fn of(subject: Subject<'a>) -> Self {
        Self {
            subject,
            variables: vec![Variable::l1(), Variable::l2()],
            rest: Point::default(),
            folds: None,
            max_evaluations: MAX_EVALUATIONS,
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
    /// [`Error::Value`] for variables, bounds, starts and budgets that do not fit, for folds that cannot
    /// be learned from, and where no point has a criterion with its derivative.
    pub fn run(&self) -> Result<Tuned> {
        if self.max_evaluations == 0 {
            return Err(Error::value(
                "max-evaluations",
                "with 0 nothing can be tuned",
                "allow 1 evaluation or more; 400 is the default",
            ));
        }
        in_threads(self.settings.threads, || self.run_here())
    }

    fn run_here(&self) -> Result<Tuned> {
        let made = match (&self.subject, &self.folds) {
            (Subject::Folds(problems), None) => problems.clone(),
            (Subject::Problem(problem), Some(folds)) => self.fold_problems(problem, folds)?,
            _ => Vec::new(),
        };
        let folds = match &self.subject {
            Subject::Problem(problem) if made.is_empty() => vec![Fold {
                problem,
                prepared: Arc::default(),
            }],
            _ => made
                .iter()
                .map(|made| Fold {
                    problem: &made.problem,
                    prepared: Arc::clone(&made.prepared),
                })
                .collect(),
        };
        let problems: Vec<&Problem> = folds.iter().map(|fold| fold.problem).collect();
        let space = Space::new(&self.variables, self.rest.clone(), &problems)?;
        let settings = Settings {
            method: Some(self.settings.method.unwrap_or(Method::AidCg)),
            wrt: space.wrt(),
            threads: 0,
            ..self.settings.clone()
        };
        let criterion = Criterion {
            folds,
            settings,
            control: self.control.clone(),
        };
        Tuning {
            tuner: self,
            space: &space,
            objective: Objective::of(problems[0]),
            criterion: &criterion,
        }
        .run()
    }

    /// The problems of folds of a problem's training rows.
    fn fold_problems(
        &self,
        problem: &Problem,
        folds: &[folds::Fold],
    ) -> Result<Vec<Arc<FoldProblem>>> {
        let mut specification = problem.training_specification()?;
        let factors = specification.weight_factors.take();
        let targets = (0..specification.train.targets.len()).map(|at| at.to_string());
        let study = Study {
            name: String::new(),
            source: String::new(),
            targets: targets.collect(),
            specification,
            class_weights: factors.map(ClassWeighting::Given),
            folds: folds.to_vec(),
            settings: self.settings.clone(),
            precision: self.settings.precision,
            keep_solutions: false,
        };
        if study.folds.is_empty() {
            return Err(Error::value("folds", "there are none", "give two or more"));
        }
        match Tuner::of_study(&study)?.subject {
            Subject::Folds(problems) => Ok(problems),
            Subject::Problem(_) => Ok(Vec::new()),
        }
    }
}

/// The function that is minimised: log Ē where Ē is positive, −log(−Ē) where it is to be large, and Ē
/// itself of a quadratic form, which has any sign.
#[derive(Debug, Clone, Copy)]
enum Objective {
    Logarithm(f64),
    Plain,
}

impl Objective {
    fn of(problem: &Problem) -> Self {
        if problem.criterion().loss == Loss::Quadratic {
            Self::Plain
        } else {
            Self::Logarithm(problem.criterion().sign.factor())
        }
    }

    /// φ and its slope, of a criterion and its slope; `None` where one of these is missing.
    fn value(self, evaluated: &Evaluated) -> Option<Value> {
        let slope = evaluated.slope.as_ref()?;
        let criterion = evaluated.criterion;
        let value = match self {
            Self::Plain => Value {
                value: criterion,
                slope: slope.clone(),
            },
            // A criterion of zero cannot be improved.
            Self::Logarithm(_) if criterion == 0.0 => Value {
                value: f64::MIN_POSITIVE.ln(),
                slope: vec![0.0; slope.len()],
            },
            Self::Logarithm(sign) => Value {
                value: sign * (sign * criterion).ln(),
                slope: slope.iter().map(|s| s / (sign * criterion)).collect(),
            },
        };
        let is_finite = value.value.is_finite() && value.slope.iter().all(|s| s.is_finite());
        is_finite.then_some(value)
    }

    /// Ē of a value φ.
    fn criterion(self, value: f64) -> f64 {
        match self {
            Self::Plain => value,
            Self::Logarithm(sign) => sign * (sign * value).exp(),
        }
    }
}

/// A tuning that runs.
struct Tuning<'a> {
    tuner: &'a Tuner<'a>,
    space: &'a Space,
    criterion: &'a Criterion<'a>,
    objective: Objective,
}

impl Tuning<'_> {
    fn run(&self) -> Result<Tuned> {
        let space = self.space;
        let budget = self.tuner.max_evaluations;
        let mut search = Search::new(space.box_bounds().clone(), budget);
        let mut warm = Warm::new();
        let mut coarse_evaluations = 0;
        if let Some(place) = space.start() {
            search = search.from(&place);
        } else {
            self.explore(&mut search, &mut warm, &mut coarse_evaluations)?;
        }
        self.descend(&mut search, &mut warm, 0.0, 0)?;
        self.finish(&search, coarse_evaluations)
    }

    /// A coarse lattice, descents from its minima as long as they fall fast, and refinements of the
    /// lattice where it promises a better minimum; `spent` counts the evaluations on the lattice.
    fn explore(&self, search: &mut Search, warm: &mut Warm, spent: &mut usize) -> Result<()> {
        let mut lattice = Lattice::new(&self.space.coarse(search.left()));
        // What the last steps of the best descent take.
        let reserve = (search.left() / 5).min(LAST_STEPS);
        let mut nodes = lattice.first();
        while !nodes.is_empty() && !self.tuner.control.should_stop() {
            let points: Vec<Point> = nodes
                .iter()
                .map(|n| self.space.point(&lattice.place(n)))
                .collect();
            *spent += points.len();
            search.spend(points.len());
            let evaluated = self.evaluate(&points, None)?;
            let mut solutions = BTreeMap::new();
            for (node, evaluated) in nodes.iter().zip(evaluated) {
                lattice.insert(node.clone(), self.objective.value(&evaluated));
                solutions.insert(node.clone(), evaluated.warm);
            }
            self.add_starts(&lattice, &mut solutions, search, warm);
            self.descend(search, warm, FALLS_FAST, reserve)?;
            let limit = search.best_value() + MARGIN;
            let is_new = |candidate: &Candidate| {
                let is_near = |place: &[f64]| lattice.distance(&candidate.node, place) < TAKEN;
                candidate.predicted <= limit && !search.best_places().any(is_near)
            };
            let most = search.left().saturating_sub(reserve).min(REFINED);
            let candidates = lattice.candidates().into_iter().filter(is_new);
            nodes = candidates
                .take(most)
                .map(|candidate| candidate.node)
                .collect();
        }
        Ok(())
    }

    /// Starts descents from the minima of the lattice that were found last.
    fn add_starts(
        &self,
        lattice: &Lattice,
        solutions: &mut BTreeMap<Node, Vec<WarmStart>>,
        search: &mut Search,
        warm: &mut Warm,
    ) {
        for node in lattice.minima() {
            let is_near = |place: &[f64]| lattice.distance(&node, place) < SAME;
            if warm.len() >= MOST_STARTS || search.best_places().any(is_near) {
                continue;
            }
            if lattice.hope(&node) > search.best_value() {
                continue;
            }
            if let (Some(visit), Some(start)) = (lattice.visit(&node), solutions.remove(&node)) {
                search.start_at(visit, lattice.pairs(&node));
                warm.push(start);
            }
        }
    }

    /// Descends from the starts near the leader that promise to fall by more than `least`, until so many
    /// evaluations are left.
    fn descend(
        &self,
        search: &mut Search,
        warm: &mut Warm,
        least: f64,
        reserve: usize,
    ) -> Result<()> {
        while !self.tuner.control.should_stop() {
            let most = search.left().saturating_sub(reserve);
            let asked = search.ask_promising(least, most);
            if asked.is_empty() {
                break;
            }
            let points: Vec<Point> = asked.iter().map(|a| self.space.point(&a.place)).collect();
            let starts: Option<Vec<&[WarmStart]>> = asked
                .iter()
                .map(|a| warm.get(a.start).map(Vec::as_slice))
                .collect();
            let evaluated = self.evaluate(&points, starts.as_deref())?;
            if warm.is_empty() {
                warm.resize(asked.len(), Vec::new());
            }
            let mut values = Vec::with_capacity(evaluated.len());
            for (asked, evaluated) in asked.iter().zip(evaluated) {
                values.push(self.objective.value(&evaluated));
                if evaluated.criterion.is_finite() || warm[asked.start].is_empty() {
                    warm[asked.start] = evaluated.warm;
                }
            }
            search.tell(values);
        }
        Ok(())
    }

    fn evaluate(&self, points: &[Point], warm: Option<&[&[WarmStart]]>) -> Result<Vec<Evaluated>> {
        let evaluated = self.criterion.evaluate(self.space, points, warm)?;
        self.tuner.progress.note(points, &evaluated);
        Ok(evaluated)
    }

    /// The outcome, with the best point solved once more as if nothing had been known.
    fn finish(&self, search: &Search, coarse_evaluations: usize) -> Result<Tuned> {
        let space = self.space;
        let Some(found) = search.outcome() else {
            let stopped = self.tuner.control.should_stop();
            return Err(Error::value(
                "tuning",
                if stopped {
                    "it was stopped before any point had a criterion with its derivative"
                } else {
                    "no point has a criterion with its derivative"
                },
                if stopped {
                    "allow more time"
                } else {
                    "raise the lower bounds: without any ridge or l1 the solutions may not be unique"
                },
            ));
        };
        let point = space.point(&found.place);
        let control = self.criterion.control.of_a_part();
        let again = Criterion {
            folds: self
                .criterion
                .folds
                .iter()
                .map(|fold| Fold {
                    problem: fold.problem,
                    prepared: Arc::clone(&fold.prepared),
                })
                .collect(),
            settings: self.criterion.settings.clone(),
            control: if control.should_stop() {
                Control::new()
            } else {
                control
            },
        };
        let evaluated = again
            .evaluate(space, std::slice::from_ref(&point), None)?
            .remove(0);
        let mut remarks = space.remarks.clone();
        let has_value = self.objective.value(&evaluated);
        let (criterion, slope) = match &has_value {
            Some(value) => (evaluated.criterion, value.slope.clone()),
            None => (self.objective.criterion(found.value), found.slope.clone()),
        };
        if found.status == TuningStatus::AtBound || found.status == TuningStatus::BudgetSpent {
            remarks.extend(space.held(&found.place, &slope));
        }
        if found.status == TuningStatus::Flat {
            remarks.push(format!(
                "the criterion does not change with {} here; give other --bounds, or a --start elsewhere",
                space.names().join(", ")
            ));
        }
        let in_strengths = |visited: &Visited| Visited {
            evaluation: visited.evaluation,
            variables: space.strengths(&visited.variables),
            criterion: self.objective.criterion(visited.criterion),
        };
        let starts: Vec<Start> = found
            .starts
            .iter()
            .map(|start| Start {
                status: start.status,
                evaluations: start.evaluations,
                criterion: self.objective.criterion(start.criterion),
                trajectory: start.trajectory.iter().map(in_strengths).collect(),
            })
            .collect();
        let projected = space.box_bounds().projected_slope(&found.place, &slope);
        Ok(Tuned {
            status: found.status,
            evaluations: self.tuner.max_evaluations - search.left(),
            coarse_evaluations,
            criterion,
            fold_criteria: evaluated.by_fold,
            projected_slope: match found.status {
                TuningStatus::StationaryKink => found.projected_slope.min(projected),
                _ => projected,
            },
            slope,
            kink_margin: evaluated.kink_margin,
            bounds: space.bounds(),
            point,
            starts,
            remarks,
        })
    }
}
