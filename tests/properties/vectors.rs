//! Vectors that points of a random problem bring of their own.

use std::sync::Arc;

use proxdiff::loss::Loss;
use proxdiff::{Point, Problem};

use super::problems::{Kind, Random, Recipe};

/// Vectors of their own that fit a recipe's problem, two of each.
pub struct Vectors {
    strengths: [Arc<[f64]>; 2],
    ridge: Option<[Arc<[f64]>; 2]>,
    prior: [Arc<[f64]>; 2],
    weights: [Arc<[f64]>; 2],
    criterion_weights: [Arc<[f64]>; 2],
}

impl Vectors {
    pub fn of(problem: &Problem, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut two = |size: usize, low: f64| -> [Arc<[f64]>; 2] {
            [0, 1].map(|_| (0..size).map(|_| low + random.unit()).collect())
        };
        let penalized = problem.penalized();
        let strengths = problem.penalty().strengths(penalized).len();
        let [n, m] = [problem.train().rows(), problem.criterion().sample.rows()];
        let mut vectors = Self {
            strengths: two(strengths, 0.4),
            ridge: problem
                .ridge()
                .map(|ridge| two(ridge.strengths().len(), 0.2)),
            prior: two(penalized, -0.5),
            weights: two(n, 0.1),
            criterion_weights: two(m, 0.0),
        };
        // A row that does not train, and a mask.
        let mut dropped = vectors.weights[1].to_vec();
        dropped[2] = 0.0;
        vectors.weights[1] = dropped.into();
        let mask = |i: usize| f64::from(u8::from(i % 3 != 1));
        vectors.criterion_weights[1] = (0..m).map(mask).collect();
        vectors
    }

    /// Point number `at` with its own part of everything that `at` has a bit for.
    pub fn give(&self, recipe: &Recipe, point: Point, at: usize) -> Point {
        let has_rows = recipe.loss != Loss::Quadratic;
        let has_vector = has_strengths(recipe.kind);
        let which = at / 32 % 2;
        let mut point = point;
        if at & 1 != 0 && has_vector {
            point = point.with_strengths(Arc::clone(&self.strengths[which]));
        }
        if let (Some(ridge), true) = (&self.ridge, at & 16 != 0) {
            point = point.with_ridge(Arc::clone(&ridge[which]));
        }
        if at & 2 != 0 {
            point = point.with_prior(Arc::clone(&self.prior[which]));
        }
        if at & 4 != 0 && has_rows {
            point = point.with_weights(Arc::clone(&self.weights[which]));
        }
        if at & 8 != 0 && has_rows {
            point = point.with_criterion_weights(Arc::clone(&self.criterion_weights[which]));
        }
        point
    }
}

fn has_strengths(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Weighted | Kind::GroupStrengths | Kind::SparseGroup | Kind::BoundedWeighted
    )
}
