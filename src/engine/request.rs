//! A request: points of one problem with everything that an engine needs to know about them.

use std::ops::Range;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kinds::{Method, Solver};
use crate::problem::{Point, Problem};

use super::members::PreparedMembers;
use super::outcome::WarmStart;
use super::settings::Settings;

/// Points to be solved, and differentiated where the settings name a method.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The problems of the points, with their preparations.
    pub members: &'a PreparedMembers<'a>,
    /// The points.
    pub points: &'a [Point],
    /// Lists of points of one target, each started from the last, for the path solver; `None` takes
    /// those of equal λ₂ in decreasing l1. Every point is on one list.
    pub paths: Option<&'a [Vec<usize>]>,
    /// Solver, method, device and precision.
    pub settings: &'a Settings,
    /// The start of every point; `None` leaves it to the solver.
    pub warm: Option<&'a [WarmStart]>,
    /// Derivatives with respect to w in place of those of the criterion, p entries for each point.
    pub cotangents: Option<&'a [Vec<f64>]>,
    /// Cancellation, time budget and progress.
    pub control: &'a Control,
    /// The settings of a solve in f32 on a graphics device, from which the solver is to start.
    pub(super) coarse: Option<&'a Settings>,
    /// Points that the arrays of recordings have room for on the device; `None` without a bound.
    pub(super) room: Option<usize>,
    /// The part of the work that an engine is asked for.
    pub(super) task: Task,
}

/// A part of the work, for which an engine is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// All at once: from points to outcomes.
    Whole,
    /// From points to solutions.
    Solve,
    /// From solutions to adjoints and hypergradients.
    Adjoint,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole => "solving and differentiating at once",
            Self::Solve => "solving",
            Self::Adjoint => "differentiating",
        })
    }
}

/// The reason why an engine does not serve a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    /// Another part of the work.
    #[error("it does another part of the work")]
    Task,
    /// The device.
    #[error("it does not run on this device")]
    Device,
    /// The precision.
    #[error("it does not compute in this precision")]
    Precision,
    /// The loss.
    #[error("it does not serve this loss")]
    Loss,
    /// The loss of the criterion.
    #[error("it serves no criterion of another loss than that of the fit")]
    Criterion,
    /// Ridge strengths or a prior, of the problem or of a point's own.
    #[error("it serves neither priors nor strengths of a point's own nor several ridge strengths")]
    Ridge,
    /// Many coefficients.
    #[error("its teams hold fewer coefficients on this device")]
    Coordinates,
    /// The penalty.
    #[error("it does not serve this penalty")]
    Penalty,
    /// The solver that the settings name.
    #[error("the settings name another solver")]
    Solver,
    /// The method that the settings name.
    #[error("the settings name another method")]
    Method,
    /// Derivatives that were asked for.
    #[error("it has not all derivatives that are wanted")]
    Derivatives,
    /// The estimate of the contraction.
    #[error("it does not estimate the contraction")]
    Contraction,
    /// A large design.
    #[error("the design is too large for products of one point at a time")]
    Size,
    /// Row weights of a point's own.
    #[error("it does not serve row weights of a point's own")]
    Rows,
    /// Sparse rows.
    #[error("it needs dense rows")]
    Sparse,
}

/// `Ok` where a condition of an engine holds, else the reason.
pub(super) fn holds(condition: bool, reason: Reason) -> std::result::Result<(), Reason> {
    if condition { Ok(()) } else { Err(reason) }
}

impl<'a> Request<'a> {
    /// A request for points that `members` was made of, with the default order of the points, without warm starts.
    #[must_use]
    pub fn new(
        members: &'a PreparedMembers<'a>,
        points: &'a [Point],
        settings: &'a Settings,
        control: &'a Control,
    ) -> Self {
        Self {
            problem: members.base(),
            members,
            points,
            paths: None,
            settings,
            warm: None,
            cotangents: None,
            control,
            coarse: None,
            room: None,
            task: Task::Whole,
        }
    }

    /// The same request for one part of the work.
    pub(super) fn of(self, task: Task) -> Self {
        Self { task, ..self }
    }

    /// The same request for some of the points, without paths.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        Self {
            points: &self.points[range.clone()],
            paths: None,
            warm: self.warm.map(|warm| &warm[range.clone()]),
            cotangents: self.cotangents.map(|of_points| &of_points[range]),
            ..self
        }
    }

    /// True for iterative differentiation, where the solver itself is differentiated.
    pub(super) fn is_unrolled(&self) -> bool {
        matches!(
            self.settings.method,
            Some(Method::ItdForward | Method::ItdReverse)
        )
    }

    /// True where points are solved one by one along a path, rather than all together.
    pub(super) fn is_on_a_path(&self) -> bool {
        let may_be = matches!(self.settings.solver, Solver::Auto | Solver::Path);
        may_be && !self.is_unrolled() && self.settings.device.is_cpu()
    }

    /// Checks settings, points and warm starts against the problem.
    ///
    /// # Errors
    /// [`Error::Value`], [`Error::Shape`] and [`Error::Unsupported`] for what does not fit.
    pub(super) fn check(&self) -> Result<()> {
        self.settings.validate()?;
        self.problem.check_points(self.points)?;
        self.settings.check_against(self.problem)?;
        let Some(warm) = self.warm else { return Ok(()) };
        if self.is_unrolled() {
            return Err(Error::unsupported(
                "a warm start of ITD",
                "ITD starts at w = 0: drop the warm start",
            ));
        }
        let p = self.problem.coordinates();
        let fits =
            |start: &WarmStart| start.w.len() == p && (start.v.is_empty() || start.v.len() == p);
        if warm.len() == self.points.len() && warm.iter().all(fits) {
            return Ok(());
        }
        Err(Error::shape(
            "warm starts",
            format!("{} of {p} coordinates", self.points.len()),
            format!("{} of other sizes", warm.len()),
            "give one per point, from outcomes of the same problem",
        ))
    }
}
