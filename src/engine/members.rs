//! The problems that the points of a request choose, each with its preparations.

use crate::map::spectrum::{Spectrum, Step};
use crate::path::{self, CriterionColumns};
use crate::problem::{Members, Point, Problem};

use super::prepared::Prepared;
use super::sizes::Sizes;

/// The problems of a batch of points, with what evaluations of each of them share.
///
/// What belongs to the problem itself outlives the batch; preparations for points with row weights of
/// their own are made for this batch.
#[derive(Debug)]
pub struct PreparedMembers<'a> {
    members: Members<'a>,
    prepared: &'a Prepared,
    own: Vec<Prepared>,
}

impl<'a> PreparedMembers<'a> {
    /// Those of points that have been checked, with preparations for this same problem.
    #[must_use]
    pub fn of(problem: &'a Problem, prepared: &'a Prepared, points: &'a [Point]) -> Self {
        let members = Members::of(problem, points);
        let own = (1..members.count()).map(|_| Prepared::default()).collect();
        Self {
            members,
            prepared,
            own,
        }
    }

    /// The problems by themselves.
    #[must_use]
    pub fn problems(&self) -> &Members<'a> {
        &self.members
    }

    /// The problem that all points have in common.
    #[must_use]
    pub fn base(&self) -> &Problem {
        self.members.at(0)
    }

    /// The problem of a point.
    #[must_use]
    pub fn problem(&self, point: &Point) -> &Problem {
        self.members.problem(point)
    }

    /// The spectrum of a point's Hessian.
    pub(crate) fn spectrum(&self, point: &Point) -> &Spectrum {
        self.prepared(point).spectrum(self.problem(point))
    }

    /// Step and contraction of a point's map.
    pub(super) fn step(&self, point: &Point) -> Step {
        self.spectrum(point)
            .step(self.problem(point).ridge_range(point))
    }

    /// The sizes of a point's rows and columns.
    pub(super) fn sizes(&self, point: &Point) -> &Sizes {
        self.prepared(point).sizes(self.problem(point))
    }

    /// A point's criterion by columns.
    pub(super) fn criterion(&self, point: &Point) -> &CriterionColumns {
        self.prepared(point).criterion(self.problem(point))
    }

    /// The rows at a place of [`Self::problems`] as the path solver wants them.
    pub(super) fn path(&self, place: usize) -> &path::Prepared<f64> {
        self.prepared_at(place).path(self.members.at(place))
    }

    fn prepared(&self, point: &Point) -> &Prepared {
        self.prepared_at(self.members.place(point))
    }

    fn prepared_at(&self, place: usize) -> &Prepared {
        match place {
            0 => self.prepared,
            own => &self.own[own - 1],
        }
    }
}
