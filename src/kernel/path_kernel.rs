//! The twin of the path kernel: coordinate descent along segments of l1 paths of a quadratic, and at every
//! point the adjoint on the support and the diagnostics.
//!
//! ```text
//! g = Qw − b      p = g + λ₂w      d_j = distance of p_j from −∂penalty at w_j      u = w − γp      D = ∂G(u)
//! descent   j = argmax |d_j|/√a_j ,  a_j = Q_jj + λ₂ ,  w_j ← argmin over coordinate j
//! adjoint   (Q + λ₂)z = ∂₁E on the range of D, by the same descent on |r_j|/√a_j, r = ∂₁E − (Q + λ₂)z
//! along l1  Σ slope_j z_j      along λ₂  −w·z      v  z/γ on the range of D, r off it
//! gap       Σ d_j²/(2λ₂), which bounds objective − minimum, the objective being λ₂-strongly convex
//! ```
//!
//! Without ridge the dual point is (1 − e) times the gradient, e the least that brings it into the ball of the
//! penalty, and the gap is that of Fenchel and Young: with w g = w(d ∓ τ) for a coordinate at ±,
//!
//! ```text
//! gap = Σ_j [(1 − e) w_j d_j + e τ_j|w_j|] + e²·loss      box: Σ_j g_j(w_j − bound that g_j pulls to)
//! ```
//!
//! No term of either is a difference of large numbers. `z` here is γ times that of
//! [`linearization`](crate::model::linearization).

use num_traits::Float;

use crate::exec::walks::{
    Limits, Numbers, Quadratic, ROUNDS, Reference, Segment, WalkPoint, Walked,
};
use crate::model::linearization::{inner_step, ridge_share};
use crate::model::penalty::{Row, Term};
use crate::real::Real;

/// The largest of what was seen, and where.
#[derive(Debug, Clone, Copy)]
struct Top<R> {
    value: R,
    at: usize,
}

/// Walks the segments, which hold every point once.
#[must_use]
pub fn walk<R: Real>(
    problem: &Quadratic<R>,
    points: &[WalkPoint<R>],
    segments: &[Segment],
    limits: &Limits<R>,
) -> Walked<R> {
    let d = problem.features;
    let zero = Numbers::of([R::zero(); crate::exec::walks::NUMBERS]);
    let mut walked = Walked {
        numbers: vec![zero; points.len()],
        vectors: vec![R::zero(); 2 * d * points.len()],
    };
    for segment in segments {
        let mut team = Team::new(problem, limits);
        for at in segment.first as usize..(segment.first + segment.count) as usize {
            let here = team.solve(&points[at]);
            let v = team.differentiate(&here);
            walked.numbers[at] = team.numbers(&here);
            let room = &mut walked.vectors[2 * d * at..2 * d * (at + 1)];
            room[..d].copy_from_slice(&team.w);
            room[d..].copy_from_slice(&v);
        }
    }
    walked
}

/// The team of a segment.
struct Team<'a, R> {
    problem: &'a Quadratic<R>,
    limits: &'a Limits<R>,
    w: Vec<R>,
    z: Vec<R>,
    /// Qw − b.
    g: Vec<R>,
    /// The magnitudes of the terms of g.
    m: Vec<R>,
    /// ∂₁E.
    v: Vec<R>,
    /// ∂₁E − (Q + λ₂)z.
    r: Vec<R>,
    steps: usize,
    linear_steps: usize,
}

/// A solved point.
struct Here<R> {
    point: WalkPoint<R>,
    terms: Vec<Term<R>>,
    u: Vec<R>,
    moves: Vec<bool>,
}

impl<'a, R: Real> Team<'a, R> {
    fn new(problem: &'a Quadratic<R>, limits: &'a Limits<R>) -> Self {
        let zeros = vec![R::zero(); problem.features];
        let term = Self::term(problem, 0, R::zero());
        Self {
            problem,
            limits,
            w: vec![term.feasible(R::zero()); problem.features],
            z: zeros.clone(),
            g: zeros.clone(),
            m: zeros.clone(),
            v: zeros.clone(),
            r: zeros,
            steps: 0,
            linear_steps: 0,
        }
    }

    /// The penalty of coordinate j at l1.
    fn term(problem: &Quadratic<R>, j: usize, l1: R) -> Term<R> {
        let [lower, upper] = problem.bounds;
        match problem.row {
            Row::Interval => Term::interval(lower, upper),
            row => {
                let own = problem.strengths.as_ref();
                Term::with_strength(row, own.map_or(l1, |own| l1 * own[j]))
            }
        }
    }

    fn curvature(&self, j: usize, l2: R) -> R {
        self.problem.gram[j * self.problem.features + j] + l2
    }

    /// A distance in units of the root of the curvature.
    fn scaled(&self, j: usize, l2: R, distance: R) -> R {
        let least = R::of(1e-30);
        Float::abs(distance) / Float::sqrt(Float::max(self.curvature(j, l2), least))
    }

    /// The coordinate that is farthest from optimal.
    fn farthest(&self, l2: R, distance: impl Fn(usize) -> R) -> Top<R> {
        let mut top = Top {
            value: R::zero(),
            at: 0,
        };
        for at in 0..self.w.len() {
            let value = self.scaled(at, l2, distance(at));
            if value > top.value {
                top = Top { value, at };
            }
        }
        top
    }

    /// out ← out + factor·(column j of a matrix).
    fn add_row(matrix: &[R], j: usize, factor: R, out: &mut [R]) {
        let row = &matrix[j * out.len()..(j + 1) * out.len()];
        out.iter_mut()
            .zip(row)
            .for_each(|(out, &q)| *out += factor * q);
    }

    /// Rounds of a descent: `renew` forms the gradient anew, `top` says what is farthest, `update` moves
    /// that coordinate.
    fn descend(
        &mut self,
        limit: R,
        taken: impl Fn(&mut Self) -> &mut usize,
        renew: impl Fn(&mut Self),
        top: impl Fn(&Self) -> Top<R>,
        update: impl Fn(&mut Self, usize),
    ) {
        let most = self.limits.most as usize;
        let patience = 2 * self.problem.features + 64;
        for round in 0..ROUNDS {
            renew(self);
            let mut farthest = top(self);
            // The rounding of a gradient that is formed anew may be above the limit.
            let enough = limit * R::of(f64::from((round + 1) * (round + 1)));
            if farthest.value <= enough || *taken(self) >= most || round + 1 == ROUNDS {
                break;
            }
            let (mut best, mut idle) = (farthest.value, 0);
            loop {
                update(self, farthest.at);
                farthest = top(self);
                *taken(self) += 1;
                idle += 1;
                if farthest.value < best {
                    best = farthest.value;
                    idle = 0;
                }
                if farthest.value <= limit || *taken(self) >= most || idle > patience {
                    break;
                }
            }
        }
    }

    fn solve(&mut self, point: &WalkPoint<R>) -> Here<R> {
        let problem = self.problem;
        let WalkPoint { l1, l2, gamma } = *point;
        let terms: Vec<Term<R>> = (0..problem.features)
            .map(|j| Self::term(problem, j, l1))
            .collect();
        self.steps = 0;
        self.descend(
            self.limits.distance,
            |team| &mut team.steps,
            |team| {
                let negated = |of: &[R]| -> Vec<R> { of.iter().map(|&x| -x).collect() };
                team.g = negated(&problem.linear);
                team.m = team.g.iter().map(|&g| Float::abs(g)).collect();
                team.v = negated(&problem.held_out_linear);
                for j in 0..problem.features {
                    if team.w[j] != R::zero() {
                        Self::add_row(&problem.gram, j, team.w[j], &mut team.g);
                        let row = &problem.gram[j * problem.features..][..problem.features];
                        for (m, &q) in team.m.iter_mut().zip(row) {
                            *m += Float::abs(team.w[j] * q);
                        }
                        Self::add_row(&problem.held_out, j, team.w[j], &mut team.v);
                    }
                }
            },
            |team| {
                team.farthest(l2, |j| {
                    let w = team.w[j];
                    terms[j].distance(w, team.g[j] + l2 * w)
                })
            },
            |team, j| {
                let (w, a) = (team.w[j], team.curvature(j, l2));
                let next = terms[j].prox(w - (team.g[j] + l2 * w) / a, a.recip());
                team.w[j] = next;
                Self::add_row(&problem.gram, j, next - w, &mut team.g);
            },
        );
        let u: Vec<R> = (0..problem.features)
            .map(|j| inner_step(self.w[j], gamma, self.g[j], l2 * self.w[j]))
            .collect();
        let moves = terms
            .iter()
            .zip(&u)
            .map(|(t, &u)| t.keeps(u, gamma))
            .collect();
        Here {
            point: *point,
            terms,
            u,
            moves,
        }
    }

    /// The adjoint of the map at the point.
    fn differentiate(&mut self, here: &Here<R>) -> Vec<R> {
        self.linear_steps = 0;
        let problem = self.problem;
        let WalkPoint { l2, gamma, .. } = here.point;
        if let Some(relative) = self.limits.adjoint {
            let of = |j: usize| self.scaled(j, l2, self.v[j]);
            let scale = (0..problem.features).map(of).fold(R::zero(), Float::max);
            self.descend(
                relative * scale,
                |team| &mut team.linear_steps,
                |team| {
                    for (z, &moves) in team.z.iter_mut().zip(&here.moves) {
                        *z = if moves { *z } else { R::zero() };
                    }
                    team.r = team
                        .v
                        .iter()
                        .zip(&team.z)
                        .map(|(&v, &z)| v - l2 * z)
                        .collect();
                    for j in 0..problem.features {
                        if team.z[j] != R::zero() {
                            Self::add_row(&problem.gram, j, -team.z[j], &mut team.r);
                        }
                    }
                },
                |team| team.farthest(l2, |j| if here.moves[j] { team.r[j] } else { R::zero() }),
                |team, j| {
                    let step = team.r[j] / team.curvature(j, l2);
                    team.z[j] += step;
                    team.r[j] -= l2 * step;
                    Self::add_row(&problem.gram, j, -step, &mut team.r);
                },
            );
        }
        let lifted = |j: usize| {
            if here.moves[j] {
                self.z[j] / gamma
            } else {
                self.r[j]
            }
        };
        (0..problem.features).map(lifted).collect()
    }

    fn numbers(&self, here: &Here<R>) -> Numbers<R> {
        let (problem, w, g, z) = (self.problem, &self.w, &self.g, &self.z);
        let WalkPoint { l2, gamma, .. } = here.point;
        let d = problem.features;
        let (zero, half) = (R::zero(), R::of(0.5));
        let sum = |of: &dyn Fn(usize) -> R| (0..d).map(of).fold(zero, |sum, x| sum + x);
        let most = |of: &dyn Fn(usize) -> R| (0..d).map(of).fold(zero, Float::max);
        let least = |of: &dyn Fn(usize) -> R| (0..d).map(of).fold(R::infinity(), Float::min);
        let size = |j: usize| Float::sqrt(self.curvature(j, zero));
        let pull = |j: usize| g[j] + l2 * w[j];
        let distance = |j: usize| here.terms[j].distance(w[j], pull(j));
        let term = |j: usize| Float::abs(w[j]) / gamma + l2 * Float::abs(w[j]) + self.m[j];
        let hidden = |j: usize| R::of(8.0) * R::epsilon() * term(j);
        let is_box = problem.row == Row::Interval;
        let excess = most(&|j| {
            let beyond = here.terms[j].pull(-g[j]) - here.terms[j].strength;
            if is_box || l2 > zero || beyond <= zero {
                zero
            } else {
                beyond / Float::abs(g[j])
            }
        });
        let value = |reference: &Reference<R>, gradient: &[R]| {
            let part =
                |j: usize| half * (w[j] - reference.at[j]) * (gradient[j] + reference.gradient[j]);
            reference.value + sum(&part)
        };
        let loss = value(&problem.loss, g);
        let gap = sum(&|j| {
            let (at, d) = (w[j], distance(j));
            if l2 > zero {
                return d * d / (R::of(2.0) * l2);
            }
            if !is_box {
                let shrunk = (R::one() - excess) * at * d;
                return shrunk + excess * here.terms[j].strength * Float::abs(at);
            }
            let [lower, upper] = problem.bounds;
            if g[j] > zero {
                g[j] * (at - lower)
            } else if g[j] < zero {
                g[j] * (at - upper)
            } else {
                zero
            }
        });
        let moved = |j: usize| {
            let a = self.curvature(j, l2);
            if a > zero {
                size(j) * Float::abs(here.terms[j].prox(w[j] - pull(j) / a, a.recip()) - w[j])
            } else {
                zero
            }
        };
        // A strength that is zero has a kink at w = 0.
        let is_free =
            |j: usize| problem.row == Row::SoftThreshold && here.terms[j].strength == zero;
        let kink = |j: usize| {
            if is_free(j) {
                R::infinity()
            } else {
                here.terms[j].kink_distance(here.u[j], gamma) / gamma
            }
        };
        let zero_kink = |j: usize| {
            if is_free(j) && size(j) > zero {
                Float::abs(w[j]) / gamma
            } else {
                R::infinity()
            }
        };
        let root = Float::sqrt;
        let count = |n: usize| R::of(n as f64);
        let support = (0..d)
            .filter(|&j| here.terms[j].is_in_support(w[j]))
            .count();
        Numbers {
            objective: loss + sum(&|j| here.terms[j].value(w[j]) + half * l2 * w[j] * w[j]),
            criterion: value(&problem.criterion, &self.v),
            along_l1: sum(&|j| here.terms[j].strength_slope(here.u[j], gamma) * z[j]),
            along_l2: sum(&|j| ridge_share(w[j], zero, z[j])),
            residual: root(sum(&|j| {
                let moved = here.terms[j].prox(here.u[j], gamma) - w[j];
                moved * moved
            })) / gamma,
            gap: gap + excess * excess * loss,
            linear_residual: root(sum(&|j| {
                if here.moves[j] {
                    self.r[j] * self.r[j]
                } else {
                    zero
                }
            })),
            gradient: root(sum(&|j| self.v[j] * self.v[j])),
            kink: least(&kink),
            sure_kink: least(&|j| kink(j) - hidden(j)),
            zero_kink: least(&zero_kink),
            sure_zero_kink: least(&|j| zero_kink(j) - hidden(j)),
            terms: root(sum(&|j| term(j) * term(j))),
            distance: most(&|j| self.scaled(j, l2, distance(j))),
            moved: most(&moved),
            largest: most(&|j| size(j) * Float::abs(w[j])),
            support: count(support),
            steps: count(self.steps),
            linear_steps: count(self.linear_steps),
            reached: R::one(),
        }
    }
}
