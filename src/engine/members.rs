//! The problems that the points of a request choose, each with its preparations.

use crate::map::spectrum::{Spectrum, Step};
use crate::path::{self, CriterionColumns};
use crate::problem::{Members, Point, Problem};
use crate::real::Real;

use super::normal::NormalEquations;
use super::prepared::Prepared;
use super::sizes::Sizes;

/// The problems of a batch of points, with what evaluations of each of them share.
///
/// Preparations for the problem itself outlive the batch; preparations for points with row weights of
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
        self.prepared(point)
            .criterion(self.problem(point), self.prepared)
    }

    /// The normal equations of a point's member, where they are formed.
    pub(super) fn normal_equations(&self, point: &Point) -> Option<&NormalEquations> {
        self.prepared(point)
            .normal_equations(self.problem(point), self.prepared)
    }

    /// The rows at a place of [`Self::problems`] as the path solver wants them.
    pub(super) fn path<R: Real>(&self, place: usize) -> &path::Prepared<R> {
        self.prepared_at(place)
            .path(self.members.at(place), self.prepared)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preparations_are_made_once_and_share_their_columns() {
        let x: Vec<Vec<f64>> = (0..9)
            .map(|i| vec![f64::from(i), f64::from(i * i % 5)])
            .collect();
        let y: Vec<f64> = (0..9).map(f64::from).collect();
        let problem = Problem::elastic_net(&x, &y).build().unwrap();
        let own = Point::new(0.1, 0.1).with_weights((0..9).map(f64::from).collect::<Vec<_>>());
        let points = [Point::new(0.1, 0.1), own];
        let prepared = Prepared::default();
        let first = PreparedMembers::of(&problem, &prepared, &points);
        let second = PreparedMembers::of(&problem, &prepared, &points);
        assert!(std::ptr::eq(first.path::<f64>(0), second.path::<f64>(0)));
        assert!(std::ptr::eq(first.path::<f32>(0), second.path::<f32>(0)));
        assert!(first.path::<f64>(0).shares_columns(first.path(1)));
        assert!(first.path::<f32>(1).shares_columns(second.path(1)));
    }
}
