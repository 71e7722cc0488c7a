//! The outer map G (the prox of γ·penalty) and everything taken from its derivative D at u.
//!
//! All kernels of this family bind the same description of the penalty: `strengths` (one per
//! penalised coordinate or group, shared), `l1` and `gamma` per problem, `bounds` (lower and upper, one
//! pair for all coordinates or one after another), and the groups as `order` and `starts`. The threshold of entry j is
//! γ·(l1·strength_j). The parameter `penalty` is [`Penalty::tag`](crate::model::penalty::Penalty::tag).
//!
//! With groups, s is the prox of what every coordinate pays by itself, ŝ = s/‖s‖, and the strength
//! that the coordinates share, where they pay, comes before the groups'.

use super::kernel;
use crate::exec::{Arguments, LANES, Row, View, row_mut};
use crate::model::penalty::{self, GROUPED, GroupOperator, Shrink, Side, Term, with_row};
use crate::real::Real;

kernel! {
    /// W = G(U).
    PROX = prox(u, strengths, l1, gamma, bounds, order, starts) -> (w) [coordinates, penalized, penalty]
}

kernel! {
    /// out = D·V.
    PROX_DERIVATIVE = prox_derivative(u, strengths, l1, gamma, bounds, order, starts, v) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out = the projection of V to range(D).
    RANGE_PROJECTION = range_projection(u, strengths, l1, gamma, bounds, order, starts, v) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out ← out + (D⁺ − I)Z/γ on range(D): zero for masks, the curvature of the norms for groups.
    PROX_CURVATURE = prox_curvature(u, strengths, l1, gamma, bounds, order, starts, z) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// diagonal ← diagonal + diag((D⁺ − I)/γ) on range(D), and 1 off it.
    PROX_DIAGONAL = prox_diagonal(u, strengths, l1, gamma, bounds, order, starts) -> (diagonal) [coordinates, penalized, penalty]
}

kernel! {
    /// V = D⁺Z on range(D), `rest` elsewhere.
    LIFT = lift(u, strengths, l1, gamma, bounds, order, starts, z, rest) -> (v) [coordinates, penalized, penalty]
}

kernel! {
    /// out (one per strength) ← out + factor·(∂G/∂strength)ᵀ V.
    STRENGTH_VJP = strength_vjp(u, strengths, l1, gamma, bounds, order, starts, v, factor) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out (1) ← out + factor·(∂G/∂strength)ᵀ V for the strength that grouped coordinates share.
    SHARED_STRENGTH_VJP = shared_strength_vjp(u, strengths, l1, gamma, bounds, order, starts, v, factor) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out ← out + (∂G/∂strength)·tangent + (∂G/∂bounds)·bound_tangent.
    PROX_TANGENT = prox_tangent(u, strengths, l1, gamma, bounds, order, starts, tangent, bound_tangent) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out (pairs of lower and upper) ← out + factor·(∂G/∂bounds)ᵀ V.
    BOUND_VJP = bound_vjp(u, strengths, l1, gamma, bounds, order, starts, v, factor) -> (out) [coordinates, penalized, penalty]
}

/// The penalty as the kernels of this family bind it.
struct Bound<'a, R> {
    u: View<'a, R>,
    strengths: View<'a, R>,
    l1: Row<R>,
    gamma: Row<R>,
    bounds: &'a [R],
    order: &'a [u32],
    starts: &'a [u32],
    coordinates: usize,
    penalized: usize,
    row: penalty::Row,
    grouped: bool,
}

impl<'a, R: Real> Bound<'a, R> {
    fn new(arguments: &Arguments<'a, R>) -> Self {
        let tag = arguments.parameter(2) as u32;
        Self {
            u: arguments.input(0),
            strengths: arguments.input(1),
            l1: arguments.input(2).row(0),
            gamma: arguments.input(3).row(0),
            bounds: arguments.input(4).real(),
            order: arguments.input(5).words(),
            starts: arguments.input(6).words(),
            coordinates: arguments.parameter(0),
            penalized: arguments.parameter(1),
            row: penalty::Row::of_tag(tag & !GROUPED),
            grouped: tag & GROUPED != 0,
        }
    }

    /// The number of strengths that come before those of the groups.
    fn own_strengths(&self) -> usize {
        usize::from(self.row != penalty::Row::Free)
    }

    /// l1·strength of an entry.
    #[inline(always)]
    fn strength(&self, entry: usize) -> Row<R> {
        let strength = self.strengths.row(entry);
        std::array::from_fn(|lane| self.l1[lane] * strength[lane])
    }

    /// The place of the pair of bounds that coordinate j has.
    #[inline(always)]
    fn bound_place(&self, j: usize) -> usize {
        if self.row == penalty::Row::Bounded {
            2 * j
        } else {
            0
        }
    }

    /// A function of what coordinate j pays by itself, of u_j and of γ, lane by lane.
    #[inline(always)]
    fn own<T>(&self, j: usize, function: impl Fn(&Term<R>, R, R) -> T) -> [T; LANES] {
        let u = self.u.row(j);
        let strength = if !self.grouped {
            self.strength(j)
        } else if self.own_strengths() == 0 {
            [R::zero(); LANES]
        } else {
            self.strength(0)
        };
        let at = self.bound_place(j);
        let (lower, upper) = (self.bounds[at], self.bounds[at + 1]);
        std::array::from_fn(|lane| {
            let term = Term {
                row: self.row,
                strength: strength[lane],
                lower,
                upper,
            };
            function(&term, u[lane], self.gamma[lane])
        })
    }

    /// The prox of what a penalised coordinate pays by itself.
    #[inline(always)]
    fn own_prox(&self, j: usize) -> Row<R> {
        with_row!(self.row, Table => self.own(j, |term, u, gamma| Table::prox(term, u, gamma)))
    }

    /// Its derivative.
    #[inline(always)]
    fn own_keeps(&self, j: usize) -> [bool; LANES] {
        with_row!(self.row, Table => self.own(j, |term, u, gamma| Table::keeps(term, u, gamma)))
    }

    /// ∂prox/∂strength of it.
    #[inline(always)]
    fn own_slope(&self, j: usize) -> Row<R> {
        with_row!(self.row, Table => {
            self.own(j, |term, u, gamma| gamma * Table::strength_slope(term, u, gamma))
        })
    }

    /// The bound that holds a penalised coordinate.
    #[inline(always)]
    fn own_side(&self, j: usize) -> [Side; LANES] {
        with_row!(self.row, Table => self.own(j, |term, u, gamma| Table::side(term, u, gamma)))
    }

    /// D of a coordinate that is in no group.
    #[inline(always)]
    fn mask(&self, j: usize) -> [bool; LANES] {
        if j >= self.penalized {
            return [true; LANES];
        }
        self.own_keeps(j)
    }

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn members(&self, g: usize) -> &'a [u32] {
        &self.order[self.starts[g] as usize..self.starts[g + 1] as usize]
    }

    /// Group g, lane by lane.
    fn group(&self, g: usize) -> [Shrink<R>; LANES] {
        let mut squares = [R::zero(); LANES];
        for &j in self.members(g) {
            let s = self.own_prox(j as usize);
            for lane in 0..LANES {
                squares[lane] += s[lane] * s[lane];
            }
        }
        let strength = self.strength(self.own_strengths() + g);
        std::array::from_fn(|lane| Shrink::new(squares[lane], self.gamma[lane] * strength[lane]))
    }

    /// ŝ_j, zero where D is.
    #[inline(always)]
    fn direction(&self, j: usize, group: &[Shrink<R>; LANES]) -> Row<R> {
        let (s, keeps) = (self.own_prox(j), self.own_keeps(j));
        std::array::from_fn(|lane| {
            if keeps[lane] {
                group[lane].per_norm(s[lane])
            } else {
                R::zero()
            }
        })
    }

    /// Σ over group g of s_j·x_j where D is not zero, over ‖s‖.
    fn along(&self, g: usize, group: &[Shrink<R>; LANES], x: impl Fn(usize) -> Row<R>) -> Row<R> {
        let mut sum = [R::zero(); LANES];
        for &j in self.members(g) {
            let j = j as usize;
            let (s, keeps, x) = (self.own_prox(j), self.own_keeps(j), x(j));
            for lane in 0..LANES {
                if keeps[lane] {
                    sum[lane] += s[lane] * x[lane];
                }
            }
        }
        std::array::from_fn(|lane| group[lane].per_norm(sum[lane]))
    }

    /// Calls `store(j, image, keeps)` for every grouped coordinate, lane by lane, with
    /// image the operator of the group applied to x.
    fn for_each_grouped(
        &self,
        x: impl Fn(usize) -> Row<R>,
        operator: impl Fn(&Shrink<R>) -> GroupOperator<R>,
        mut store: impl FnMut(usize, Row<R>, [bool; LANES]),
    ) {
        for g in 0..self.groups() {
            let group = self.group(g);
            let along = self.along(g, &group, &x);
            let operators: [GroupOperator<R>; LANES] =
                std::array::from_fn(|lane| operator(&group[lane]));
            for &j in self.members(g) {
                let j = j as usize;
                let (own, direction) = (x(j), self.direction(j, &group));
                let own_keeps = self.own_keeps(j);
                let keeps = std::array::from_fn(|lane| group[lane].is_active && own_keeps[lane]);
                let image = std::array::from_fn(|lane| {
                    operators[lane].entry(own[lane], direction[lane], along[lane])
                });
                store(j, image, keeps);
            }
        }
    }
}

/// Twin of [`PROX`].
fn prox<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let w = arguments.output(0);
    if bound.grouped {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            for &j in bound.members(g) {
                let s = bound.own_prox(j as usize);
                *row_mut(w, j as usize) = std::array::from_fn(|lane| group[lane].prox(s[lane]));
            }
        }
    } else {
        for j in 0..bound.penalized {
            *row_mut(w, j) = bound.own_prox(j);
        }
    }
    for j in bound.penalized..bound.coordinates {
        *row_mut(w, j) = bound.u.row(j);
    }
}

/// Calls `apply(out, keeps, j, lane)` for every coordinate that is in no group.
fn map_mask<R: Real>(
    bound: &Bound<'_, R>,
    out: &mut [R],
    apply: impl Fn(R, bool, usize, usize) -> R,
) {
    let first = if bound.grouped { bound.penalized } else { 0 };
    for j in first..bound.coordinates {
        let mask = bound.mask(j);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] = apply(out[lane], mask[lane], j, lane);
        }
    }
}

/// out = the image of V by an operator on groups, the mask elsewhere, `rest` off the range of D.
fn map_range<R: Real>(
    bound: &Bound<'_, R>,
    v: View<'_, R>,
    operator: impl Fn(&Shrink<R>) -> GroupOperator<R>,
    rest: impl Fn(usize, usize) -> R,
    out: &mut [R],
) {
    if bound.grouped {
        bound.for_each_grouped(
            |j| v.row(j),
            operator,
            |j, image, keeps| {
                *row_mut(out, j) = std::array::from_fn(|lane| {
                    if keeps[lane] {
                        image[lane]
                    } else {
                        rest(j, lane)
                    }
                });
            },
        );
    }
    map_mask(bound, out, |_, inside, j, lane| {
        if inside {
            v.row(j)[lane]
        } else {
            rest(j, lane)
        }
    });
}

/// Twin of [`PROX_DERIVATIVE`].
fn prox_derivative<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (bound, v) = (Bound::new(arguments), arguments.input(7));
    let out = arguments.output(0);
    map_range(&bound, v, Shrink::derivative, |_, _| R::zero(), out);
}

/// Twin of [`RANGE_PROJECTION`].
fn range_projection<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (bound, v) = (Bound::new(arguments), arguments.input(7));
    let out = arguments.output(0);
    let identity = |_: &Shrink<R>| GroupOperator {
        across: R::one(),
        along: R::zero(),
    };
    map_range(&bound, v, identity, |_, _| R::zero(), out);
}

/// Twin of [`LIFT`].
fn lift<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (z, rest) = (arguments.input(7), arguments.input(8));
    let v = arguments.output(0);
    map_range(&bound, z, Shrink::inverse, |j, lane| rest.row(j)[lane], v);
}

/// Twin of [`PROX_CURVATURE`].
fn prox_curvature<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    if !bound.grouped {
        return;
    }
    let z = arguments.input(7);
    let out = arguments.output(0);
    // D⁺ − I = t/(1 − t)·(I − ŝŝᵀ) on an active group.
    let factors = |group: &Shrink<R>| {
        let curvature = group.curvature(R::one());
        GroupOperator {
            across: curvature,
            along: -curvature,
        }
    };
    bound.for_each_grouped(
        |j| z.row(j),
        factors,
        |j, image, keeps| {
            let out = row_mut(out, j);
            for lane in 0..LANES {
                if keeps[lane] {
                    out[lane] += image[lane] / bound.gamma[lane];
                }
            }
        },
    );
}

/// Twin of [`PROX_DIAGONAL`].
fn prox_diagonal<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let diagonal = arguments.output(0);
    if bound.grouped {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            for &j in bound.members(g) {
                let j = j as usize;
                let (direction, keeps) = (bound.direction(j, &group), bound.own_keeps(j));
                let diagonal = row_mut(diagonal, j);
                for lane in 0..LANES {
                    let across = R::one() - direction[lane] * direction[lane];
                    diagonal[lane] = if group[lane].is_active && keeps[lane] {
                        diagonal[lane] + group[lane].curvature(bound.gamma[lane]) * across
                    } else {
                        R::one()
                    };
                }
            }
        }
    }
    map_mask(
        &bound,
        diagonal,
        |diagonal, inside, _, _| if inside { diagonal } else { R::one() },
    );
}

/// Twin of [`STRENGTH_VJP`].
fn strength_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (v, factor) = (arguments.input(7), arguments.input(8).row(0));
    let out = arguments.output(0);
    if bound.grouped {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            let along = bound.along(g, &group, |j| v.row(j));
            let out = row_mut(out, bound.own_strengths() + g);
            for lane in 0..LANES {
                if group[lane].is_active {
                    out[lane] -= factor[lane] * bound.gamma[lane] * along[lane];
                }
            }
        }
        return;
    }
    for j in 0..bound.penalized {
        let (derivative, v) = (bound.own_slope(j), v.row(j));
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] += factor[lane] * derivative[lane] * v[lane];
        }
    }
}

/// Twin of [`SHARED_STRENGTH_VJP`].
fn shared_strength_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    if !bound.grouped || bound.own_strengths() == 0 {
        return;
    }
    let (v, factor) = (arguments.input(7), arguments.input(8).row(0));
    let mut sum = [R::zero(); LANES];
    bound.for_each_grouped(
        |j| v.row(j),
        Shrink::derivative,
        |j, image, keeps| {
            let slope = bound.own_slope(j);
            for lane in 0..LANES {
                if keeps[lane] {
                    sum[lane] += slope[lane] * image[lane];
                }
            }
        },
    );
    let out = row_mut(arguments.output(0), 0);
    for lane in 0..LANES {
        out[lane] += factor[lane] * sum[lane];
    }
}

/// Twin of [`PROX_TANGENT`].
fn prox_tangent<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (tangent, bound_tangent) = (arguments.input(7), arguments.input(8));
    let out = arguments.output(0);
    if bound.grouped {
        let first = bound.own_strengths();
        for g in 0..bound.groups() {
            let group = bound.group(g);
            let tangent = tangent.row(first + g);
            for &j in bound.members(g) {
                let direction = bound.direction(j as usize, &group);
                let out = row_mut(out, j as usize);
                for lane in 0..LANES {
                    if group[lane].is_active {
                        out[lane] -= bound.gamma[lane] * direction[lane] * tangent[lane];
                    }
                }
            }
        }
        if first > 0 {
            let own_tangent = tangent.row(0);
            let moved = |j: usize| {
                let slope = bound.own_slope(j);
                std::array::from_fn(|lane| slope[lane] * own_tangent[lane])
            };
            bound.for_each_grouped(moved, Shrink::derivative, |j, image, keeps| {
                let out = row_mut(out, j);
                for lane in 0..LANES {
                    if keeps[lane] {
                        out[lane] += image[lane];
                    }
                }
            });
        }
        return;
    }
    for j in 0..bound.penalized {
        let at = bound.bound_place(j);
        let (lower, upper) = (bound_tangent.row(at), bound_tangent.row(at + 1));
        let (derivative, tangent) = (bound.own_slope(j), tangent.row(j));
        let side = bound.own_side(j);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] += match side[lane] {
                Side::Inside => derivative[lane] * tangent[lane],
                Side::Upper => upper[lane],
                Side::Lower => lower[lane],
            };
        }
    }
}

/// Twin of [`BOUND_VJP`].
fn bound_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (v, factor) = (arguments.input(7), arguments.input(8).row(0));
    let out = arguments.output(0);
    for j in 0..bound.penalized {
        let (side, v) = (bound.own_side(j), v.row(j));
        let at = bound.bound_place(j);
        for lane in 0..LANES {
            let place = match side[lane] {
                Side::Inside => continue,
                Side::Upper => at + 1,
                Side::Lower => at,
            };
            row_mut(out, place)[lane] += factor[lane] * v[lane];
        }
    }
}
