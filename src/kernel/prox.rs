//! The outer map G (the prox of γ·penalty) and everything taken from its derivative D at u.
//!
//! All kernels of this family bind the same description of the penalty: `strengths` (one per
//! penalised coordinate or group, shared), `l1` and `gamma` per problem, `bounds` of the box
//! (lower, upper), and the groups as `order` and `starts`. The threshold of entry j is
//! γ·(l1·strength_j).

use super::kernel;
use crate::exec::{Arguments, LANES, Row, View, row, row_mut};
use crate::penalty::{
    self, Penalty, soft_threshold_derivative, soft_threshold_strength_derivative,
};
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
    /// out ← out + (∂G/∂strength)·tangent + (∂G/∂bounds)·bound_tangent.
    PROX_TANGENT = prox_tangent(u, strengths, l1, gamma, bounds, order, starts, tangent, bound_tangent) -> (out) [coordinates, penalized, penalty]
}

kernel! {
    /// out (lower, upper) ← out + factor·(∂G/∂bounds)ᵀ V.
    BOUND_VJP = bound_vjp(u, strengths, l1, gamma, bounds, order, starts, v, factor) -> (out) [coordinates, penalized, penalty]
}

/// The number by which kernels know a penalty.
#[must_use]
pub fn penalty_tag(penalty: &Penalty) -> usize {
    match penalty {
        Penalty::ElasticNet | Penalty::Weighted { .. } => SOFT,
        Penalty::Group { .. } => GROUP,
        Penalty::NonNegative => NON_NEGATIVE,
        Penalty::Box { .. } => BOX,
    }
}

const SOFT: usize = 0;
const GROUP: usize = 1;
const NON_NEGATIVE: usize = 2;
const BOX: usize = 3;

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
    tag: usize,
}

impl<'a, R: Real> Bound<'a, R> {
    fn new(arguments: &Arguments<'a, R>) -> Self {
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
            tag: arguments.parameter(2),
        }
    }

    /// γ·(l1·strength) of entry j.
    #[inline(always)]
    fn threshold(&self, j: usize) -> Row<R> {
        let strength = self.strengths.row(j);
        std::array::from_fn(|lane| self.gamma[lane] * (self.l1[lane] * strength[lane]))
    }

    /// D of a coordinate whose D is a mask (every penalty but groups; free coordinates too).
    #[inline(always)]
    fn mask(&self, j: usize) -> [bool; LANES] {
        if j >= self.penalized {
            return [true; LANES];
        }
        let u = self.u.row(j);
        match self.tag {
            SOFT => {
                let threshold = self.threshold(j);
                std::array::from_fn(|lane| soft_threshold_derivative(u[lane], threshold[lane]))
            }
            NON_NEGATIVE => {
                let threshold = self.threshold(j);
                std::array::from_fn(|lane| u[lane] > threshold[lane])
            }
            _ => std::array::from_fn(|lane| self.bounds[0] < u[lane] && u[lane] < self.bounds[1]),
        }
    }

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn members(&self, g: usize) -> &'a [u32] {
        &self.order[self.starts[g] as usize..self.starts[g + 1] as usize]
    }

    /// Of group g, lane by lane.
    fn group(&self, g: usize) -> [Group<R>; LANES] {
        let mut squares = [R::zero(); LANES];
        for &j in self.members(g) {
            let u = self.u.row(j as usize);
            for lane in 0..LANES {
                squares[lane] += u[lane] * u[lane];
            }
        }
        let threshold = self.threshold(g);
        std::array::from_fn(|lane| {
            let norm = num_traits::Float::sqrt(squares[lane]);
            if threshold[lane] == R::zero() {
                // An unpenalised group: G = id, with the right derivative −γû in the strength.
                Group {
                    active: true,
                    shrink: R::zero(),
                    norm,
                }
            } else {
                Group {
                    active: norm > threshold[lane],
                    shrink: threshold[lane] / norm,
                    norm,
                }
            }
        })
    }

    /// û·V of group g.
    fn along(&self, g: usize, v: View<'_, R>, group: &[Group<R>; LANES]) -> Row<R> {
        let mut sum = [R::zero(); LANES];
        for &j in self.members(g) {
            let (u, v) = (self.u.row(j as usize), v.row(j as usize));
            for lane in 0..LANES {
                sum[lane] += u[lane] * v[lane];
            }
        }
        std::array::from_fn(|lane| group[lane].per_norm(sum[lane]))
    }

    /// Applies, on active groups, `out_j = across·v_j + along·û_j(û·v)`, and `inactive` elsewhere;
    /// both factors are functions of t = γl1_g/‖u_g‖.
    fn map_groups(
        &self,
        v: View<'_, R>,
        out: &mut [R],
        factors: impl Fn(R) -> (R, R),
        combine: impl Fn(R, Option<R>, usize, usize) -> R,
    ) {
        for g in 0..self.groups() {
            let group = self.group(g);
            let along = self.along(g, v, &group);
            for &j in self.members(g) {
                let j = j as usize;
                let (u, v) = (self.u.row(j), v.row(j));
                let out = row_mut(out, j);
                for lane in 0..LANES {
                    let value = group[lane].active.then(|| {
                        let (across, extra) = factors(group[lane].shrink);
                        across * v[lane] + extra * group[lane].per_norm(u[lane]) * along[lane]
                    });
                    out[lane] = combine(out[lane], value, j, lane);
                }
            }
        }
    }
}

/// One group of one problem: t = γl1_g/‖u_g‖ and ‖u_g‖.
#[derive(Debug, Clone, Copy)]
struct Group<R> {
    active: bool,
    shrink: R,
    norm: R,
}

impl<R: Real> Group<R> {
    /// x/‖u_g‖, zero for a group that is zero.
    #[inline(always)]
    fn per_norm(&self, x: R) -> R {
        if self.norm == R::zero() {
            R::zero()
        } else {
            x / self.norm
        }
    }
}

/// Twin of [`PROX`].
fn prox<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let w = arguments.output(0);
    if bound.tag == GROUP {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            for &j in bound.members(g) {
                let u = bound.u.row(j as usize);
                // NaN: the group is not active, but u is no zero either.
                *row_mut(w, j as usize) = std::array::from_fn(|lane| {
                    if group[lane].active {
                        (R::one() - group[lane].shrink) * u[lane]
                    } else {
                        u[lane] - penalty::clip(u[lane], -group[lane].norm, group[lane].norm)
                    }
                });
            }
        }
    } else {
        for j in 0..bound.penalized {
            let u = bound.u.row(j);
            let w = row_mut(w, j);
            match bound.tag {
                SOFT => {
                    let threshold = bound.threshold(j);
                    for lane in 0..LANES {
                        w[lane] = penalty::soft_threshold(u[lane], threshold[lane]);
                    }
                }
                NON_NEGATIVE => {
                    let threshold = bound.threshold(j);
                    for lane in 0..LANES {
                        w[lane] = penalty::positive_threshold(u[lane], threshold[lane]);
                    }
                }
                _ => {
                    for lane in 0..LANES {
                        w[lane] = penalty::clip(u[lane], bound.bounds[0], bound.bounds[1]);
                    }
                }
            }
        }
    }
    for j in bound.penalized..bound.coordinates {
        *row_mut(w, j) = bound.u.row(j);
    }
}

/// Masks and free coordinates: `keep` where D = 1, `drop` where D = 0.
fn map_mask<R: Real>(
    bound: &Bound<'_, R>,
    out: &mut [R],
    apply: impl Fn(R, bool, usize, usize) -> R,
) {
    let first = if bound.tag == GROUP {
        bound.penalized
    } else {
        0
    };
    for j in first..bound.coordinates {
        let mask = bound.mask(j);
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] = apply(out[lane], mask[lane], j, lane);
        }
    }
}

/// Twin of [`PROX_DERIVATIVE`].
fn prox_derivative<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let v = arguments.input(7);
    let out = arguments.output(0);
    if bound.tag == GROUP {
        bound.map_groups(
            v,
            out,
            |t| (R::one() - t, t),
            |_, value, _, _| value.unwrap_or(R::zero()),
        );
    }
    map_mask(
        &bound,
        out,
        |_, inside, j, lane| if inside { v.row(j)[lane] } else { R::zero() },
    );
}

/// Twin of [`RANGE_PROJECTION`].
fn range_projection<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let v = arguments.input(7);
    let out = arguments.output(0);
    if bound.tag == GROUP {
        bound.map_groups(
            v,
            out,
            |_| (R::one(), R::zero()),
            |_, value, _, _| value.unwrap_or(R::zero()),
        );
    }
    map_mask(
        &bound,
        out,
        |_, inside, j, lane| if inside { v.row(j)[lane] } else { R::zero() },
    );
}

/// Twin of [`PROX_CURVATURE`].
fn prox_curvature<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let z = arguments.input(7);
    let out = arguments.output(0);
    if bound.tag == GROUP {
        // D⁺ − I = t/(1 − t)·(I − ûûᵀ) on an active group.
        let factors = |t: R| {
            let curvature = t / (R::one() - t);
            (curvature, -curvature)
        };
        bound.map_groups(z, out, factors, |out, value, _, lane| {
            out + value.unwrap_or(R::zero()) / bound.gamma[lane]
        });
    }
}

/// Twin of [`PROX_DIAGONAL`].
fn prox_diagonal<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let diagonal = arguments.output(0);
    if bound.tag == GROUP {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            for &j in bound.members(g) {
                let u = bound.u.row(j as usize);
                let diagonal = row_mut(diagonal, j as usize);
                for lane in 0..LANES {
                    let direction = group[lane].per_norm(u[lane]);
                    let curvature =
                        group[lane].shrink / (R::one() - group[lane].shrink) / bound.gamma[lane];
                    diagonal[lane] = if group[lane].active {
                        diagonal[lane] + curvature * (R::one() - direction * direction)
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

/// Twin of [`LIFT`].
fn lift<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (z, rest) = (arguments.input(7), arguments.input(8));
    let v = arguments.output(0);
    if bound.tag == GROUP {
        // D⁺ = (I − tûûᵀ)/(1 − t).
        let factors = |t: R| ((R::one() - t).recip(), -t / (R::one() - t));
        bound.map_groups(z, v, factors, |_, value, j, lane| {
            value.unwrap_or_else(|| rest.row(j)[lane])
        });
    }
    map_mask(&bound, v, |_, inside, j, lane| {
        if inside {
            z.row(j)[lane]
        } else {
            rest.row(j)[lane]
        }
    });
}

/// ∂G_j/∂strength of a coordinate: −γ sign(u) where the strength acts, else 0.
#[inline(always)]
fn strength_derivative<R: Real>(bound: &Bound<'_, R>, j: usize) -> Row<R> {
    let (u, threshold) = (bound.u.row(j), bound.threshold(j));
    std::array::from_fn(|lane| match bound.tag {
        SOFT => bound.gamma[lane] * soft_threshold_strength_derivative(u[lane], threshold[lane]),
        NON_NEGATIVE if u[lane] > threshold[lane] => -bound.gamma[lane],
        _ => R::zero(),
    })
}

/// Twin of [`STRENGTH_VJP`].
fn strength_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (v, factor) = (arguments.input(7), arguments.input(8).row(0));
    let out = arguments.output(0);
    if bound.tag == GROUP {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            let along = bound.along(g, v, &group);
            let out = row_mut(out, g);
            for lane in 0..LANES {
                if group[lane].active {
                    out[lane] -= factor[lane] * bound.gamma[lane] * along[lane];
                }
            }
        }
        return;
    }
    for j in 0..bound.penalized {
        let (derivative, v) = (strength_derivative(&bound, j), v.row(j));
        let out = row_mut(out, j);
        for lane in 0..LANES {
            out[lane] += factor[lane] * derivative[lane] * v[lane];
        }
    }
}

/// Twin of [`PROX_TANGENT`].
fn prox_tangent<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (tangent, bound_tangent) = (arguments.input(7), arguments.input(8));
    let out = arguments.output(0);
    if bound.tag == GROUP {
        for g in 0..bound.groups() {
            let group = bound.group(g);
            let tangent = tangent.row(g);
            for &j in bound.members(g) {
                let u = bound.u.row(j as usize);
                let out = row_mut(out, j as usize);
                for lane in 0..LANES {
                    if group[lane].active {
                        out[lane] -=
                            bound.gamma[lane] * group[lane].per_norm(u[lane]) * tangent[lane];
                    }
                }
            }
        }
        return;
    }
    let (lower, upper) = (bound_tangent.row(0), bound_tangent.row(1));
    for j in 0..bound.penalized {
        let u = bound.u.row(j);
        if bound.tag == BOX {
            let out = row_mut(out, j);
            for lane in 0..LANES {
                if u[lane] >= bound.bounds[1] {
                    out[lane] += upper[lane];
                } else if u[lane] <= bound.bounds[0] {
                    out[lane] += lower[lane];
                }
            }
        } else {
            let (derivative, tangent) = (strength_derivative(&bound, j), tangent.row(j));
            let out = row_mut(out, j);
            for lane in 0..LANES {
                out[lane] += derivative[lane] * tangent[lane];
            }
        }
    }
}

/// Twin of [`BOUND_VJP`].
fn bound_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let bound = Bound::new(arguments);
    let (v, factor) = (arguments.input(7), arguments.input(8).row(0));
    let out = arguments.output(0);
    if bound.tag != BOX {
        return;
    }
    let (mut lower, mut upper) = (row(out, 0), row(out, 1));
    for j in 0..bound.penalized {
        let (u, v) = (bound.u.row(j), v.row(j));
        for lane in 0..LANES {
            if u[lane] >= bound.bounds[1] {
                upper[lane] += factor[lane] * v[lane];
            } else if u[lane] <= bound.bounds[0] {
                lower[lane] += factor[lane] * v[lane];
            }
        }
    }
    *row_mut(out, 0) = lower;
    *row_mut(out, 1) = upper;
}
