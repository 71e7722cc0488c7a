//! The evaluator: from points to outcomes.

use std::ops::Deref;
use std::sync::Arc;

use crate::control::Control;
use crate::engine::members::PreparedMembers;
use crate::engine::outcome::Outcome;
use crate::engine::outcome::WarmStart;
use crate::engine::prepared::Prepared;
use crate::engine::settings::Settings;
use crate::engine::{self, Request};
use crate::error::Result;
use crate::exec::Device;
use crate::kinds::{Method, Precision};
use crate::problem::{Point, Problem};

/// An evaluator of one problem: it solves points and, where a method is named, differentiates them.
///
/// Preparations for the problem (its spectrum, its rows by columns) are made once and shared by
/// all runs and clones.
///
/// | choice | default | meaning |
/// | --- | --- | --- |
/// | [`settings`](Self::settings) | [`Settings::default`] | solver, method, tolerance, … |
/// | [`precision`](Self::precision) | f64 | arithmetic of the results |
/// | [`device`](Self::device) | the CPU | where recordings run |
/// | [`control`](Self::control) | none | cancellation, time budget, progress |
/// | [`warm_starts`](Self::warm_starts) | none | where every point starts |
/// | [`paths`](Self::paths) | by λ₂, l1 falling | the order of points for the path solver |
#[derive(Debug, Clone)]
pub struct Evaluator<'a> {
    pub(super) problem: Subject<'a>,
    pub(super) prepared: Arc<Prepared>,
    pub(super) settings: Settings,
    pub(super) control: Control,
    warm: Option<Vec<WarmStart>>,
    paths: Option<Vec<Vec<usize>>>,
}

/// The problem of an evaluator: the caller's, or one that it shares.
#[derive(Debug, Clone)]
pub(super) enum Subject<'a> {
    Borrowed(&'a Problem),
    Shared(Arc<Problem>),
}

impl Deref for Subject<'_> {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        match self {
            Self::Borrowed(problem) => problem,
            Self::Shared(problem) => problem,
        }
    }
}

impl Evaluator<'static> {
    /// An evaluator that keeps its problem alive, for objects that outlive the place where it was stated.
    #[must_use]
    pub fn shared(problem: Arc<Problem>) -> Self {
        Self::of(Subject::Shared(problem))
    }
}

impl<'a> Evaluator<'a> {
    /// An evaluator with default settings.
    #[must_use]
    pub fn new(problem: &'a Problem) -> Self {
        Self::of(Subject::Borrowed(problem))
    }

    fn of(problem: Subject<'a>) -> Self {
        Self {
            problem,
            prepared: Arc::default(),
            settings: Settings::default(),
            control: Control::new(),
            warm: None,
            paths: None,
        }
    }

    /// The same with what was prepared for this same problem before.
    pub(crate) fn sharing(self, prepared: &Arc<Prepared>) -> Self {
        let prepared = Arc::clone(prepared);
        Self { prepared, ..self }
    }

    /// Chooses all settings.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.settings.clone_from(settings);
        self
    }

    /// Chooses how fixed points are differentiated; `None` only solves.
    #[must_use]
    pub fn method(mut self, method: impl Into<Option<Method>>) -> Self {
        self.settings.method = method.into();
        self
    }

    /// Chooses the precision of the results.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.settings.precision = precision;
        self
    }

    /// Chooses the device.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.settings.device = device;
        self
    }

    /// Shares a control with the caller.
    #[must_use]
    pub fn control(mut self, control: &Control) -> Self {
        self.control = control.clone();
        self
    }

    /// Starts the points of the next runs from these, one per point, instead of where the solver
    /// would start. ITD starts at w = 0 and takes none.
    #[must_use]
    pub fn warm_starts(mut self, starts: impl Into<Option<Vec<WarmStart>>>) -> Self {
        self.warm = starts.into();
        self
    }

    /// Solves the points of the next runs along these paths: lists of positions of points of one
    /// target, each started from the last, every point on one list. The results of a path do not
    /// depend on the other paths; solvers other than the path solver do not use them.
    #[must_use]
    pub fn paths(mut self, paths: impl Into<Vec<Vec<usize>>>) -> Self {
        self.paths = Some(paths.into());
        self
    }

    /// Solves every point and, where a method is named, differentiates it.
    ///
    /// Outcomes are in the order of `points`; what ran out of its budget or is not finite is
    /// returned with that status. The same bits come out for any number of threads.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value), [`Error::Shape`](crate::Error::Shape) and
    /// [`Error::Unsupported`](crate::Error::Unsupported) for settings, points, warm starts or paths
    /// that do not fit the problem.
    pub fn run(&self, points: &[Point]) -> Result<Vec<Outcome>> {
        self.problem.check_points(points)?;
        let members = PreparedMembers::of(&self.problem, &self.prepared, points);
        let mut request = Request::new(&members, points, &self.settings, &self.control);
        request.paths = self.paths.as_deref();
        request.warm = self.warm.as_deref();
        engine::evaluate(&request)
    }
}
