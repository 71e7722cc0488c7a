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

/// Defines the numbers of a point, in the order in which the kernel writes them.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// The numbers of a point, in the order in which the kernel writes them.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct Numbers<R> {
            $($(#[$doc])* pub $name: R,)+
        }

        /// Numbers of a point.
        pub const NUMBERS: usize = [$(stringify!($name)),+].len();

        impl<R: Copy> Numbers<R> {
            /// Those that the kernel wrote.
            #[must_use]
            pub fn of([$($name),+]: [R; NUMBERS]) -> Self {
                Self { $($name),+ }
            }
        }
    };
}

numbers! {
    /// Loss, ridge and penalty.
    objective,
    /// E.
    criterion,
    /// dE/dl1, of the factor of all strengths that are 1.
    along_l1,
    /// dE/dλ₂.
    along_l2,
    /// ‖Φ(w) − w‖/γ.
    residual,
    /// A bound of objective − minimum.
    gap,
    /// ‖(Q + λ₂)z − ∂₁E‖ on the support.
    linear_residual,
    /// ‖∂₁E‖.
    gradient,
    /// The distance of u to the nearest kink of the prox, over γ.
    kink,
    /// The same less rounding.
    sure_kink,
    /// The distance of w to the nearest kink of a strength that is zero, over γ.
    zero_kink,
    /// The same less rounding.
    sure_zero_kink,
    /// The norm of the terms of u/γ.
    terms,
    /// The largest distance of a coordinate from its optimum, over the root of its curvature.
    distance,
    /// The largest move of a coordinate that a step would make, in units of the predictors.
    moved,
    /// The largest coordinate in these units.
    largest,
    /// Coordinates in the support.
    support,
    /// Updates of w.
    steps,
    /// Updates of the adjoint.
    linear_steps,
    /// 1 where the walk has come to the point.
    reached,
}

/// The results of walks.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<R> {
    /// Of every point its numbers.
    pub numbers: Vec<Numbers<R>>,
    /// Of every point w and the adjoint v of the map, d entries each, where they were asked for.
    pub vectors: Vec<R>,
}
