//! The iteration: columns v that share their minibatches, step by step.

use faer::{Accum, MatRef};
use rayon::prelude::*;

use super::rows::{Linearization, Rows};
use crate::control::Control;
use crate::engine::products::BLOCK;
use crate::engine::settings::MinibatchSteps;
use crate::linalg::products::{by_rows, multiply, multiply_into};
use crate::map::minibatch::Draws;
use crate::model::linearization::OuterDerivative;
use crate::real::Real;

/// Requests with the same course.
pub(super) struct Column {
    /// The solution.
    pub(super) at: usize,
    pub(super) schedule: MinibatchSteps,
    /// The frozen D; `None` takes every minibatch's own.
    pub(super) mask: Option<Vec<bool>>,
    /// (steps, request, frozen outer derivative), by steps.
    pub(super) stops: Vec<(usize, usize, Option<usize>)>,
}

impl Column {
    /// Its last step.
    pub(super) fn last(&self) -> usize {
        self.stops.last().map_or(0, |stop| stop.0)
    }
}

/// A minibatch is divided into parts of about this many rows, which threads may share; their sums
/// are added in a fixed order.
const PART: usize = 150;
/// Parts at most: each has a sum of its own.
const PARTS: usize = 16;

/// Columns of the sampler: d × m arrays, m = columns·c, the longest columns first.
pub(super) struct Sampler<'a, 'p, R> {
    rows: &'a Rows<'p>,
    linearizations: &'a [Linearization<'p, R>],
    columns: &'a [Column],
    frozen: bool,
    v: Vec<R>,
    mask: Vec<R>,
    criterion: Vec<R>,
    /// 1 − γλ₂ where coordinates have a λ₂ of their own, else empty.
    inner: Vec<R>,
    /// D v.
    y: Vec<R>,
}

/// One part's memory.
struct Part<R> {
    block: Vec<R>,
    q: Vec<R>,
    g: Vec<R>,
}

impl<'a, 'p, R: Real> Sampler<'a, 'p, R> {
    pub(super) fn new(
        rows: &'a Rows<'p>,
        linearizations: &'a [Linearization<'p, R>],
        columns: &'a [Column],
        frozen: bool,
    ) -> Self {
        let (d, c) = (rows.d, rows.c);
        let m = columns.len() * c;
        let array = |value: &dyn Fn(usize, usize) -> R| -> Vec<R> {
            (0..d * m)
                .map(|at| {
                    let (j, column, k) = (at / m, at % m / c, at % c);
                    value(column, j * c + k)
                })
                .collect()
        };
        let mask = array(&|column, at| match &columns[column].mask {
            Some(mask) if !mask[at] => R::zero(),
            _ => R::one(),
        });
        let criterion = array(&|column, at| linearizations[columns[column].at].criterion[at]);
        let inner = match rows.problem.ridge {
            None => Vec::new(),
            Some(_) => array(&|column, at| {
                let linearization = &linearizations[columns[column].at];
                R::of(1.0 - linearization.step.gamma * linearization.regularizer.ridge(at))
            }),
        };
        Self {
            rows,
            linearizations,
            columns,
            frozen,
            v: vec![R::zero(); d * m],
            y: vec![R::zero(); d * m],
            mask,
            criterion,
            inner,
        }
    }

    /// v of every column at each of its stops, and the steps taken: where the control stops before a
    /// column's stop, v is there as it is.
    pub(super) fn run(mut self, mut draws: Draws, control: &Control) -> (Vec<Vec<Vec<R>>>, usize) {
        let mut snapshots: Vec<Vec<Vec<R>>> = vec![Vec::new(); self.columns.len()];
        let last = self.columns.first().map_or(0, Column::last);
        let (batch, m) = (draws.batch(), self.columns.len() * self.rows.c);
        let parts = batch.div_ceil(PART).clamp(1, PARTS);
        let each = batch.div_ceil(parts);
        let mut parts: Vec<Part<R>> = (0..parts)
            .map(|_| Part {
                block: vec![R::zero(); each.min(BLOCK) * self.rows.d],
                q: vec![R::zero(); each.min(BLOCK) * m],
                g: vec![R::zero(); self.rows.d * m],
            })
            .collect();
        let mut active = self.columns.len();
        for step in 0..=last {
            for column in 0..active {
                let here = |stop: &&(usize, usize, Option<usize>)| stop.0 == step;
                let arrived = self.columns[column].stops.iter().filter(here).count();
                for _ in 0..arrived {
                    snapshots[column].push(self.column(column));
                }
            }
            while active > 0 && self.columns[active - 1].last() == step {
                active -= 1;
            }
            if active == 0 {
                break;
            }
            if control.should_stop() {
                for column in 0..active {
                    while snapshots[column].len() < self.columns[column].stops.len() {
                        snapshots[column].push(self.column(column));
                    }
                }
                return (snapshots, step);
            }
            let rows = draws.rows(step);
            if !self.frozen {
                self.refresh_masks(rows, active);
            }
            self.step(step, rows, active, each, &mut parts);
        }
        (snapshots, last)
    }

    /// One column's v as p coordinates.
    fn column(&self, column: usize) -> Vec<R> {
        let c = self.rows.c;
        self.v
            .chunks_exact(self.columns.len() * c)
            .flat_map(|row| row[column * c..(column + 1) * c].iter().copied())
            .collect()
    }

    /// v ← (1 − η)v + η(y − γ(X̂_bᵀ H X̂_b y / b + λ₂y) + ∂₁E), y = Dv.
    fn step(
        &mut self,
        step: usize,
        rows: &[u32],
        active: usize,
        each: usize,
        parts: &mut [Part<R>],
    ) {
        let (d, c) = (self.rows.d, self.rows.c);
        let (stride, m) = (self.columns.len() * c, active * c);
        let batch = R::of((rows.len() as f64).recip());
        let (y, columns) = (&self.y, self.columns);
        let work = |part: &mut Part<R>, rows: &[u32]| {
            for (at, rows) in rows.chunks(BLOCK).enumerate() {
                self.rows.gather(rows, &mut part.block);
                let block = by_rows(&part.block[..rows.len() * d], d);
                let y = MatRef::from_row_major_slice_with_stride(y, d, m, stride);
                multiply(block, y, &mut part.q);
                for (&i, q) in rows.iter().zip(part.q.chunks_exact_mut(m)) {
                    let i = i as usize;
                    let scale = R::of(self.rows.weight(i)) * batch;
                    for (column, q) in columns.iter().zip(q.chunks_exact_mut(c)) {
                        self.rows
                            .apply_curvature(&self.linearizations[column.at], i, q);
                        q.iter_mut().for_each(|q| *q *= scale);
                    }
                }
                let accum = if at == 0 { Accum::Replace } else { Accum::Add };
                let q = by_rows(&part.q[..rows.len() * m], m);
                multiply_into(block.transpose(), q, &mut part.g, accum);
            }
        };
        if parts.len() == 1 {
            work(&mut parts[0], rows);
        } else {
            parts
                .par_iter_mut()
                .zip(rows.par_chunks(each))
                .for_each(|(part, rows)| work(part, rows));
            let (first, others) = parts.split_at_mut(1);
            for part in others.iter().take(rows.len().div_ceil(each) - 1) {
                let sums = first[0].g[..d * m].iter_mut().zip(&part.g);
                sums.for_each(|(sum, &g)| *sum += g);
            }
        }
        self.relax(step, active, &parts[0].g);
    }

    /// The update of v from the sampled Hessian product g (d × active), and y = Dv for the next step.
    fn relax(&mut self, step: usize, active: usize, g: &[R]) {
        let c = self.rows.c;
        let (stride, m) = (self.columns.len() * c, active * c);
        let features = self.rows.problem.train.design.features();
        // Per column: 1 − η, η(1 − γλ₂) with a λ₂ in common, ηγ, η.
        let mut factors = vec![[R::zero(); 4]; m];
        for (at, column) in self.columns[..active].iter().enumerate() {
            let linearization = &self.linearizations[column.at];
            let eta = eta(column.schedule, linearization.step.contraction, step);
            let gamma = linearization.step.gamma;
            let l2 = linearization.regularizer.ridges.value().unwrap_or_default();
            let of = [1.0 - eta, eta * (1.0 - gamma * l2), eta * gamma, eta].map(R::of);
            factors[at * c..(at + 1) * c].fill(of);
        }
        let rows = self
            .v
            .chunks_exact_mut(stride)
            .zip(self.y.chunks_exact_mut(stride))
            .zip(self.mask.chunks_exact(stride))
            .zip(self.criterion.chunks_exact(stride))
            .zip(g.chunks_exact(m));
        for (j, ((((v, y), mask), criterion), g)) in rows.enumerate() {
            let free = j >= features;
            let inner = self.inner.chunks_exact(stride).nth(j);
            for at in 0..m {
                let [keep, ridge, gradient, eta] = factors[at];
                // The intercept's row takes no ridge.
                let ridge = match inner {
                    _ if free => eta,
                    Some(inner) => eta * inner[at],
                    None => ridge,
                };
                v[at] = keep * v[at] + ridge * y[at] - gradient * g[at] + eta * criterion[at];
                y[at] = mask[at] * v[at];
            }
        }
    }

    /// SID: D at the minibatch's own u, for every column.
    fn refresh_masks(&mut self, rows: &[u32], active: usize) {
        let c = self.rows.c;
        let stride = self.columns.len() * c;
        let mut last: Option<(usize, Vec<bool>)> = None;
        for column in 0..active {
            let at = self.columns[column].at;
            if last.as_ref().is_none_or(|last| last.0 != at) {
                let mask = own_outer(self.rows, &self.linearizations[at], rows).keeps;
                last = Some((at, mask));
            }
            let Some((_, mask)) = &last else { continue };
            for (j, on) in mask.chunks_exact(c).enumerate() {
                let place = j * stride + column * c;
                for (k, &on) in on.iter().enumerate() {
                    let on = if on { R::one() } else { R::zero() };
                    self.mask[place + k] = on;
                    self.y[place + k] = on * self.v[place + k];
                }
            }
        }
    }
}

/// D at the u of one minibatch.
pub(super) fn own_outer<'r, 'p, R: Real>(
    rows: &Rows<'p>,
    linearization: &'r Linearization<'p, R>,
    minibatch: &[u32],
) -> OuterDerivative<'r, 'p> {
    let batch = (minibatch.len() as f64).recip();
    let gradient = rows.gradient(linearization, minibatch, |i| R::of(rows.weight(i) * batch));
    Rows::outer(linearization, &gradient)
}

/// η of a step: η, or β/(κ + i) with β = m·2/(1 − q²), κ = shift·2/(1 − q²).
fn eta(schedule: MinibatchSteps, contraction: f64, step: usize) -> f64 {
    match schedule {
        MinibatchSteps::Constant { eta } => eta,
        MinibatchSteps::Decreasing { multiplier, shift } => {
            let unit = 2.0 / (1.0 - contraction * contraction);
            multiplier * unit / (shift * unit + step as f64)
        }
    }
}
