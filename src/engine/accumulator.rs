//! From the kernels' sums to the hypergradient that a user sees.

use crate::error::Result;
use crate::exec::{Buf, Executor, Twinned};
use crate::kinds::Wrt;
use crate::map::hyper_sums::HyperSums;
use crate::model::linearization::OuterParts;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::problem::{Criterion, Offset, Problem, Strengths};
use crate::real::widen;

use super::outcome::Hypergradient;
use super::products::predictors;

/// ∂₂Φᵀv of one point as the kernels leave it: per strength and per λ₂ of a coordinate, in units of the scaled columns and of
/// the normalised weights.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    strengths: Option<Vec<f64>>,
    ridge: Option<Vec<f64>>,
    prior: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    perturbation: Option<Vec<f64>>,
    bounds: Option<Vec<f64>>,
    /// In units of 1/δ.
    delta: Option<Vec<f64>>,
}

/// One direction in the space of hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// All strengths at once.
    Strength,
    /// One strength.
    StrengthOf(usize),
    /// λ₂, of all coordinates.
    Ridge,
    /// One of the λ₂ that coordinates share, by its entry.
    RidgeOf(usize),
    /// One entry of the prior mean.
    Prior(usize),
    /// The weight of one training row.
    Weight(usize),
    /// One entry of the perturbation.
    Perturbation(usize),
    /// The lower (even) or the upper (odd) bound of a pair.
    Bound(usize),
    /// δ of the Huber loss, in units of it.
    Delta,
}

/// The directions that span what `wrt` asks for.
pub fn directions(problem: &Problem, wrt: &[Wrt]) -> Vec<Direction> {
    let perturbed = problem.perturbed_rows.len() * problem.train.design.features();
    let wrt_rows = wrt.contains(&Wrt::SampleWeights);
    let mut all: Vec<Direction> = wrt
        .iter()
        .flat_map(|wrt| -> Vec<Direction> {
            match wrt {
                Wrt::L1 if problem.penalty.has_strength_vector() => {
                    (0..problem.effective_strengths(1.0).len())
                        .map(Direction::StrengthOf)
                        .collect()
                }
                Wrt::L1 => vec![Direction::Strength],
                Wrt::L2 => match &problem.ridge {
                    None => vec![Direction::Ridge],
                    Some(ridge) => (0..ridge.strengths().len())
                        .map(Direction::RidgeOf)
                        .collect(),
                },
                Wrt::Prior => (0..problem.penalized()).map(Direction::Prior).collect(),
                Wrt::ClassWeights if wrt_rows => Vec::new(),
                Wrt::SampleWeights | Wrt::ClassWeights => {
                    (0..problem.train.rows()).map(Direction::Weight).collect()
                }
                Wrt::Perturbation => (0..perturbed).map(Direction::Perturbation).collect(),
                Wrt::BoxBounds => {
                    let count = problem.penalty.bounds().len();
                    (0..count).map(Direction::Bound).collect()
                }
                Wrt::HuberDelta => vec![Direction::Delta],
            }
        })
        .collect();
    // Without any direction the iteration itself is still wanted.
    if all.is_empty() {
        all.push(Direction::Ridge);
    }
    all
}

impl Accumulator {
    /// Zeros for what `wrt` asks for; `strengths` will hold directions of [`directions`].
    pub fn zeros(problem: &Problem, wrt: &[Wrt]) -> Self {
        let room = |which: Wrt, size: usize| wrt.contains(&which).then(|| vec![0.0; size]);
        let vector = problem.penalty.has_strength_vector();
        let strengths = if vector {
            problem.effective_strengths(1.0).len()
        } else {
            1
        };
        Self {
            strengths: room(Wrt::L1, strengths),
            ridge: room(Wrt::L2, problem.ridge_count()),
            prior: room(Wrt::Prior, problem.penalized()),
            weights: wrt
                .iter()
                .any(|wrt| wrt.weighs_rows())
                .then(|| vec![0.0; problem.train.rows()]),
            perturbation: room(
                Wrt::Perturbation,
                problem.perturbed_rows.len() * problem.train.design.features(),
            ),
            bounds: room(Wrt::BoxBounds, problem.penalty.bounds().len()),
            delta: room(Wrt::HuberDelta, 1),
        }
    }

    /// The part of one kind of hyperparameter, where it was asked for.
    pub fn part_mut(&mut self, wrt: Wrt) -> Option<&mut Vec<f64>> {
        match wrt {
            Wrt::L1 => self.strengths.as_mut(),
            Wrt::L2 => self.ridge.as_mut(),
            Wrt::Prior => self.prior.as_mut(),
            Wrt::SampleWeights | Wrt::ClassWeights => self.weights.as_mut(),
            Wrt::Perturbation => self.perturbation.as_mut(),
            Wrt::BoxBounds => self.bounds.as_mut(),
            Wrt::HuberDelta => self.delta.as_mut(),
        }
    }

    /// The parts of the outer map and the ridge.
    pub fn outer_parts(&mut self) -> OuterParts<'_> {
        OuterParts {
            strengths: self.strengths.as_deref_mut(),
            ridge: self.ridge.as_deref_mut(),
            prior: self.prior.as_deref_mut(),
            bounds: self.bounds.as_deref_mut(),
        }
    }

    /// Sets the derivative along one direction of a problem.
    pub fn set(&mut self, problem: &Problem, direction: Direction, value: f64) {
        let (part, at) = match direction {
            Direction::Strength => (&mut self.strengths, 0),
            Direction::StrengthOf(at) => (&mut self.strengths, at),
            Direction::Ridge => (&mut self.ridge, 0),
            // That of all coordinates of the entry, which are summed.
            Direction::RidgeOf(entry) => {
                let entries = problem.ridge.as_ref().map_or(&[][..], |r| r.entries());
                let first = entries.iter().position(|&e| e as usize == entry);
                (&mut self.ridge, first.unwrap_or_default())
            }
            Direction::Prior(at) => (&mut self.prior, at),
            Direction::Weight(at) => (&mut self.weights, at),
            Direction::Perturbation(at) => (&mut self.perturbation, at),
            Direction::Bound(at) => (&mut self.bounds, at),
            Direction::Delta => (&mut self.delta, 0),
        };
        if let Some(part) = part {
            part[at] = value;
        }
    }

    /// The sums of every problem on the executor.
    ///
    /// # Errors
    /// When the executor fails.
    pub fn download<R: Twinned>(
        executor: &dyn Executor<R>,
        sums: &HyperSums,
        problems: usize,
    ) -> Result<Vec<Self>> {
        let part = |buf: Option<Buf>| -> Result<Option<Vec<f64>>> {
            buf.map(|buf| executor.download(buf).map(|values| widen(&values)))
                .transpose()
        };
        let parts = [
            part(sums.strengths)?,
            part(sums.ridge)?,
            part(sums.prior)?,
            part(sums.weights)?,
            part(sums.perturbation)?,
            part(sums.bounds)?,
            part(sums.delta)?,
        ];
        Ok((0..problems)
            .map(|problem| {
                let row = |part: &Option<Vec<f64>>| {
                    part.as_ref().map(|values| {
                        let rows = values.len() / problems;
                        values[problem * rows..(problem + 1) * rows].to_vec()
                    })
                };
                Self {
                    strengths: row(&parts[0]),
                    ridge: row(&parts[1]),
                    prior: row(&parts[2]),
                    weights: row(&parts[3]),
                    perturbation: row(&parts[4]),
                    bounds: row(&parts[5]),
                    delta: row(&parts[6]),
                }
            })
            .collect())
    }

    /// The hypergradient in the user's units, ∂₂E included, of the parts that `wrt` asks for: `target` and w, p scaled coefficients,
    /// say where E is taken. Without w there is no E, and no ∂₂E.
    ///
    /// Weights: with s_i = f_i u_i/m, m the mean of f_k u_k, f the factors,
    /// d/du_i = (f_i/m)(g_i − (1/n)Σ_k g_k s_k), g the derivative in s; a criterion on the training
    /// rows adds ℓ_i/n to it. The weight of a class is the factor of its rows: Σ u_i/m (g_i − …) over them.
    /// Perturbation: a column of scale σ passes 1/σ of it, a dropped column
    /// nothing.
    #[must_use]
    pub fn finish(
        self,
        problem: &Problem,
        wrt: &[Wrt],
        target: usize,
        w: Option<&[f64]>,
    ) -> Hypergradient {
        let vector = problem.penalty.has_strength_vector();
        let l1 = self.strengths.map(|strengths| {
            if !problem.penalty.has_strength() {
                // l1 plays no part.
                Strengths::Common(0.0)
            } else if vector {
                Strengths::Each(strengths)
            } else {
                Strengths::Common(strengths.iter().sum())
            }
        });
        let weights = self.weights.map(|mut g| {
            let s = &problem.train.weights;
            let n = s.len() as f64;
            if let Some(w) = w.filter(|_| problem.criterion.on_training_rows) {
                let Criterion {
                    loss, sign, sample, ..
                } = &problem.criterion;
                let z = predictors(&sample.design, w, problem.classes);
                let rows = z.chunks_exact(problem.classes).zip(&sample.targets[target]);
                for (g, (z, &y)) in g.iter_mut().zip(rows) {
                    // The quadratic form has no rows, and so no weights.
                    *g += loss
                        .row_value(z, y)
                        .map_or(0.0, |value| sign.factor() * value / n);
                }
            }
            let mean = g.iter().zip(s).map(|(g, s)| g * s).sum::<f64>() / n;
            let factors = Offset::factors_of(problem.train.offset.as_deref());
            for (i, g) in g.iter_mut().enumerate() {
                *g = factors.map_or(1.0, |factors| factors[i]) * *g - mean;
            }
            g
        });
        let factor = |i: usize| problem.weight_factors.as_ref().map_or(1.0, |f| f[i]);
        let class_weights = wrt.contains(&Wrt::ClassWeights).then(|| {
            let mut sums = vec![0.0; problem.class_count()];
            let rows = weights.iter().flatten().zip(&problem.train.weights);
            for (i, (g, s)) in rows.enumerate() {
                sums[problem.class_of(i, target)] += g * s / factor(i);
            }
            sums
        });
        let sample_weights = weights.filter(|_| wrt.contains(&Wrt::SampleWeights));
        let sample_weights = sample_weights.map(|mut g| {
            let rows = g.iter_mut().enumerate();
            rows.for_each(|(i, g)| *g *= factor(i) / problem.weight_unit);
            g
        });
        let perturbation = self.perturbation.map(|mut g| {
            let inverse = problem.features.multipliers(problem.train.design.intercept);
            g.iter_mut()
                .enumerate()
                .for_each(|(at, g)| *g *= inverse[at % inverse.len()]);
            g
        });
        Hypergradient {
            l1,
            l2: self.ridge.map(|shares| match &problem.ridge {
                None => Strengths::Common(shares[0]),
                Some(ridge) => Strengths::Each(ridge.gathered(&shares)),
            }),
            prior: self.prior,
            sample_weights,
            class_weights,
            perturbation,
            box_bounds: self.bounds.map(|bounds| of_bounds(problem, &bounds)),
            huber_delta: match problem.loss {
                Loss::Huber { delta } => self.delta.map(|sums| sums[0] / delta),
                _ => None,
            },
        }
    }
}

/// The derivatives in the lower and in the upper bounds from pairs of them: those of a box for the scaled
/// columns, those of coefficients in the data's units.
fn of_bounds(problem: &Problem, pairs: &[f64]) -> (Strengths, Strengths) {
    if let [lower, upper] = *pairs
        && matches!(problem.penalty, Penalty::Box { .. })
    {
        return (lower.into(), upper.into());
    }
    let scale = |j: usize| problem.features.scale[j / problem.classes];
    let each = |first: usize| {
        let own = pairs.iter().skip(first).step_by(2).enumerate();
        Strengths::Each(own.map(|(j, g)| g * scale(j)).collect())
    };
    (each(0), each(1))
}
