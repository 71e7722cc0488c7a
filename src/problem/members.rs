//! Members: the problems that the points of a batch choose by row weights of their own.

use std::collections::HashMap;

use super::{Point, Problem};

/// The problems of a batch: at place 0 the problem itself, then one for every pair of sample weights
/// and criterion weights that points bring. They share designs and targets.
///
/// Strengths and priors of a point's own make no problem: [`Problem::regularizer`] takes them from the
/// point.
#[derive(Debug)]
pub struct Members<'a> {
    problem: &'a Problem,
    own: Vec<Problem>,
    /// The place of every pair, by the addresses of the weights, which the points hold.
    places: HashMap<[usize; 2], usize>,
    points: std::marker::PhantomData<&'a [Point]>,
}

impl<'a> Members<'a> {
    /// Those of points that have been checked against the problem.
    #[must_use]
    pub fn of(problem: &'a Problem, points: &'a [Point]) -> Self {
        let (mut own, mut places) = (Vec::new(), HashMap::new());
        for point in points.iter().filter(|point| point.has_own_rows()) {
            places.entry(point.row_addresses()).or_insert_with(|| {
                own.push(problem.with_rows_of(point));
                own.len()
            });
        }
        Self {
            problem,
            own,
            places,
            points: std::marker::PhantomData,
        }
    }

    /// The number of problems, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.own.len()
    }

    /// The place of a point's problem. The point is one of those of the batch, or a clone.
    #[must_use]
    pub fn place(&self, point: &Point) -> usize {
        if point.has_own_rows() {
            self.places[&point.row_addresses()]
        } else {
            0
        }
    }

    /// The problem at a place.
    #[must_use]
    pub fn at(&self, place: usize) -> &Problem {
        match place {
            0 => self.problem,
            own => &self.own[own - 1],
        }
    }

    /// The problem of a point.
    #[must_use]
    pub fn problem(&self, point: &Point) -> &Problem {
        self.at(self.place(point))
    }
}
