//! Segments of l1 paths of one quadratic problem, as the path kernel takes them and what it gives back.
//!
//! ```text
//! minimise ½wᵀQw − bᵀw + ½λ₂‖w‖² + Σ penalty(w_j; l1·strength_j)      criterion ½wᵀHw − eᵀw + constant
//! ```
//!
//! The values of both are formed from a reference r with its gradient, f(w) = f(r) + ½(w − r)·(∇f(w) + ∇f(r)), so
//! that those of good fits are not differences of large numbers.

use std::sync::Arc;

use crate::model::penalty::Row;

/// Coordinates that the kernel can hold.
pub const LARGEST: usize = 256;

/// A quadratic problem without an intercept.
#[derive(Debug, Clone)]
pub struct Quadratic<R> {
    /// Number of coordinates d.
    pub features: usize,
    /// The row of the penalty that all coordinates follow.
    pub row: Row,
    /// The lower and the upper bound.
    pub bounds: [R; 2],
    /// Q, d × d.
    pub gram: Arc<[R]>,
    /// b.
    pub linear: Vec<R>,
    /// Strengths at l1 = 1, where they differ.
    pub strengths: Option<Vec<R>>,
    /// The reference of the loss.
    pub loss: Reference<R>,
    /// H, d × d.
    pub held_out: Arc<[R]>,
    /// e.
    pub held_out_linear: Vec<R>,
    /// The reference of the criterion.
    pub criterion: Reference<R>,
}

/// A point at which a quadratic is known.
#[derive(Debug, Clone)]
pub struct Reference<R> {
    /// The point r.
    pub at: Vec<R>,
    /// ∇f(r).
    pub gradient: Vec<R>,
    /// f(r).
    pub value: R,
}

/// A point of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalkPoint<R> {
    /// l1.
    pub l1: R,
    /// λ₂.
    pub l2: R,
    /// γ of the map, by which distances are measured.
    pub gamma: R,
}

/// Points that are solved one after the other, each from the last; the first from w = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The first point.
    pub first: u32,
    /// Their number.
    pub count: u32,
}

/// When a walk goes on to the next point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits<R> {
    /// The largest distance of a coordinate from its optimum, over the root of its curvature.
    pub distance: R,
    /// The largest entry of the adjoint's residual, measured likewise and relative to the largest of ∂₁E; `None`
    /// solves only.
    pub adjoint: Option<R>,
    /// The most updates of coordinates, of either system.
    pub most: u32,
}

/// Rounds of descent, each with a gradient formed anew.
pub const ROUNDS: u32 = 4;

/// The numbers of a point, in the order in which the kernel writes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers<R> {
    /// Loss, ridge and penalty.
    pub objective: R,
    /// E.
    pub criterion: R,
    /// dE/dl1, of the factor of all strengths that are 1.
    pub along_l1: R,
    /// dE/dλ₂.
    pub along_l2: R,
    /// ‖Φ(w) − w‖/γ.
    pub residual: R,
    /// A bound of objective − minimum.
    pub gap: R,
    /// ‖(Q + λ₂)z − ∂₁E‖ on the support.
    pub linear_residual: R,
    /// ‖∂₁E‖.
    pub gradient: R,
    /// The distance of u to the nearest kink of the prox, over γ.
    pub kink: R,
    /// The same less rounding.
    pub sure_kink: R,
    /// The distance of w to the nearest kink of a strength that is zero, over γ.
    pub zero_kink: R,
    /// The same less rounding.
    pub sure_zero_kink: R,
    /// The norm of the terms of u/γ.
    pub terms: R,
    /// The largest distance of a coordinate from its optimum, over the root of its curvature.
    pub distance: R,
    /// The largest move of a coordinate that a step would make, in units of the predictors.
    pub moved: R,
    /// The largest coordinate in these units.
    pub largest: R,
    /// Coordinates in the support.
    pub support: R,
    /// Updates of w.
    pub steps: R,
    /// Updates of the adjoint.
    pub linear_steps: R,
    /// 1 where the walk has come to the point.
    pub reached: R,
}

/// Numbers of a point.
pub const NUMBERS: usize = 20;

impl<R: Copy> Numbers<R> {
    /// Those that the kernel wrote.
    #[must_use]
    pub fn of(written: [R; NUMBERS]) -> Self {
        let [
            objective,
            criterion,
            along_l1,
            along_l2,
            residual,
            gap,
            linear_residual,
            gradient,
            kink,
            sure_kink,
            zero_kink,
            sure_zero_kink,
            terms,
            distance,
            moved,
            largest,
            support,
            steps,
            linear_steps,
            reached,
        ] = written;
        Self {
            objective,
            criterion,
            along_l1,
            along_l2,
            residual,
            gap,
            linear_residual,
            gradient,
            kink,
            sure_kink,
            zero_kink,
            sure_zero_kink,
            terms,
            distance,
            moved,
            largest,
            support,
            steps,
            linear_steps,
            reached,
        }
    }
}

/// The results of walks.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<R> {
    /// Of every point its numbers.
    pub numbers: Vec<Numbers<R>>,
    /// Of every point w and the adjoint v of the map, d entries each, where they were asked for.
    pub vectors: Vec<R>,
}
