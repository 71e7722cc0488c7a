//! The training rows, linearised at solutions: blocks of rows, products with them, residuals.
//!
//! Arrays of m columns per design column are d × m, row-major; a multinomial vector of p = d·c
//! coordinates in C order is such an array with m = c.

use faer::Accum;
use rayon::prelude::*;

use super::request::At;
use crate::data::{Dense, Matrix};
use crate::engine::products::{BLOCK, of_dense};
use crate::error::{Error, Result};
use crate::linalg::products::{by_rows, multiply_into};
use crate::map::spectrum::Step;
use crate::model::criterion::{curvatures_in_place, residuals_in_place};
use crate::model::linearization::{OuterDerivative, inner_map};
use crate::model::loss::{Loss, multinomial};
use crate::model::regularizer::Regularizer;
use crate::problem::{Point, Problem, Sample};
use crate::real::{Real, convert};

/// The dense training rows of a problem.
pub(super) struct Rows<'p> {
    pub(super) problem: &'p Problem,
    x: &'p Dense,
    /// Number of rows.
    pub(super) n: usize,
    /// Number of columns of the design.
    pub(super) d: usize,
    /// Number of predictors.
    pub(super) c: usize,
}

/// A solution with the residuals and curvatures of every row there.
pub(super) struct Linearization<'p, R> {
    pub(super) point: &'p Point,
    pub(super) step: Step,
    pub(super) regularizer: Regularizer<'p>,
    pub(super) w: Vec<f64>,
    /// r without weights: n·c.
    pub(super) residuals: Vec<R>,
    /// Row curvatures without weights, n; multinomial: probabilities, n·c.
    pub(super) curvatures: Vec<R>,
    /// ∂₁E: p.
    pub(super) criterion: Vec<R>,
}

fn dense(sample: &Sample) -> Result<&Dense> {
    match &sample.design.matrix {
        Matrix::Dense(m) => Ok(m),
        Matrix::Sparse(_) => Err(Error::unsupported(
            "fast minibatches of sparse data",
            "use evaluate with the method nsid or sid",
        )),
    }
}

impl<'p> Rows<'p> {
    pub(super) fn new(problem: &'p Problem) -> Result<Self> {
        let x = dense(&problem.train)?;
        dense(&problem.criterion.sample)?;
        let unsupported = |what: &str| {
            Err(Error::unsupported(
                format!("fast minibatches of {what}"),
                "use evaluate with the method nsid or sid",
            ))
        };
        if problem.loss == Loss::Quadratic || problem.criterion.loss == Loss::Quadratic {
            return unsupported("a quadratic form");
        }
        Ok(Self {
            problem,
            x,
            n: x.rows,
            d: x.columns,
            c: problem.classes,
        })
    }

    /// Residuals, curvatures and ∂₁E at every solution: the only pass over all rows.
    pub(super) fn linearize<R: Real>(&self, solutions: &[At<'p>]) -> Vec<Linearization<'p, R>> {
        let problem = self.problem;
        solutions
            .iter()
            .map(|at| {
                let w: Vec<R> = convert(at.w);
                let target = at.point.target;
                let z = of_dense(self.x, &w, self.c);
                let y = &problem.train.targets[target];
                let (mut residuals, mut curvatures) = (z.clone(), z);
                residuals_in_place(problem.loss, &mut residuals, y, |_| R::one());
                curvatures_in_place(problem.loss, &mut curvatures, y);
                let criterion = &problem.criterion;
                // infallible: checked in `new`.
                let criterion = match &criterion.sample.design.matrix {
                    Matrix::Dense(x) => {
                        let mut r = of_dense(x, &w, self.c);
                        let scale = criterion.sign.factor() / x.rows as f64;
                        let weights = &criterion.sample.weights;
                        let y = &criterion.sample.targets[target];
                        residuals_in_place(criterion.loss, &mut r, y, |i| {
                            R::of(scale * weights[i])
                        });
                        adjoint(x, &r, self.c)
                    }
                    Matrix::Sparse(_) => Vec::new(),
                };
                Linearization {
                    point: at.point,
                    step: at.step,
                    regularizer: problem.regularizer(at.point),
                    w: at.w.to_vec(),
                    residuals,
                    curvatures,
                    criterion,
                }
            })
            .collect()
    }

    /// The weight s_i of a row.
    pub(super) fn weight(&self, i: usize) -> f64 {
        self.problem.train.weights[i]
    }

    /// Copies rows into a block.
    pub(super) fn gather<R: Real>(&self, rows: &[u32], block: &mut [R]) {
        for (&i, to) in rows.iter().zip(block.chunks_exact_mut(self.d)) {
            for (to, &x) in to.iter_mut().zip(self.x.row(i as usize)) {
                *to = R::of(x);
            }
        }
    }

    /// q ← (row Hessian without weights)·q for c numbers of row i.
    #[inline(always)]
    pub(super) fn apply_curvature<R: Real>(
        &self,
        linearization: &Linearization<'p, R>,
        i: usize,
        q: &mut [R],
    ) {
        if self.problem.loss == Loss::Multinomial {
            let p = &linearization.curvatures[i * self.c..(i + 1) * self.c];
            multinomial::apply_curvature(p, q);
        } else {
            q[0] *= linearization.curvatures[i];
        }
    }

    /// Xᵀ(count∘s∘r)/total, from the rows that were drawn.
    pub(super) fn averaged_gradient<R: Real>(
        &self,
        linearization: &Linearization<'p, R>,
        counts: &[f64],
        total: f64,
    ) -> Vec<R> {
        let drawn: Vec<u32> = (0..self.n as u32)
            .filter(|&i| counts[i as usize] > 0.0)
            .collect();
        let weight = |i: usize| R::of(counts[i] * self.weight(i) / total);
        self.gradient(linearization, &drawn, weight)
    }

    /// Σ weight_i x_i r_iᵀ over some rows.
    pub(super) fn gradient<R: Real>(
        &self,
        linearization: &Linearization<'p, R>,
        rows: &[u32],
        weight: impl Fn(usize) -> R,
    ) -> Vec<R> {
        let (d, c) = (self.d, self.c);
        let mut gradient = vec![R::zero(); d * c];
        let mut block = vec![R::zero(); BLOCK.min(rows.len()) * d];
        let mut r = Vec::with_capacity(BLOCK * c);
        for rows in rows.chunks(BLOCK) {
            self.gather(rows, &mut block);
            r.clear();
            for &i in rows {
                let i = i as usize;
                let weight = weight(i);
                let of_row = &linearization.residuals[i * c..(i + 1) * c];
                r.extend(of_row.iter().map(|&r| r * weight));
            }
            let block = by_rows(&block[..rows.len() * d], d).transpose();
            multiply_into(block, by_rows(&r, c), &mut gradient, Accum::Add);
        }
        gradient
    }

    /// D at u = w − γ(g + λ₂(w − c)).
    pub(super) fn outer<'r, R: Real>(
        linearization: &'r Linearization<'p, R>,
        gradient: &[R],
    ) -> OuterDerivative<'r, 'p> {
        let Linearization {
            regularizer,
            step,
            w,
            ..
        } = linearization;
        let u = inner_map(regularizer, step.gamma, w, |j| gradient[j].to_f64());
        OuterDerivative::at(regularizer, step.gamma, u)
    }
}

/// Xᵀ·R, d·c: a fixed number of partial sums, added in their order.
fn adjoint<R: Real>(x: &Dense, r: &[R], c: usize) -> Vec<R> {
    const PARTS: usize = 16;
    let d = x.columns;
    let each = x.rows.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<R>> = x
        .values
        .par_chunks(each * d)
        .zip(r.par_chunks(each * c))
        .map(|(x, r)| {
            let mut sum = vec![R::zero(); d * c];
            for (x, r) in x.chunks(BLOCK * d).zip(r.chunks(BLOCK * c)) {
                let x: Vec<R> = convert(x);
                multiply_into(
                    by_rows(&x, d).transpose(),
                    by_rows(r, c),
                    &mut sum,
                    Accum::Add,
                );
            }
            sum
        })
        .collect();
    let mut total = vec![R::zero(); d * c];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    total
}
