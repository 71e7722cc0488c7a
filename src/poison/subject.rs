//! The subject of an attack: a model, the rows that may move, and the settings.

use super::ball::Norm;
use crate::data::Dense;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::kinds::Method;
use crate::problem::{Perturbation, Point, Problem, Rows, Sign, Specification};

/// A choice of the training rows that are perturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Drawn at random.
    Random,
    /// Those whose perturbation changes the validation loss fastest, at the clean model.
    Influence,
    /// These, from 0.
    Named(Vec<usize>),
}

/// The defences that are tried on the data, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defences {
    /// Tunes the strengths that are not zero, or λ₂ where both are, on the validation rows, by a
    /// [`Tuner`](crate::tune::Tuner).
    pub tune: bool,
    /// Leaves as many rows out as may move: those that fit worst, by a [`Trimming`](super::Trimming).
    pub trim: bool,
    /// Weights rows by the validation rows, which he trusts, by a [`Cleaning`](crate::tune::Cleaning); with
    /// `tune` together with λ₂.
    pub clean: bool,
}

/// Settings of the attack.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Budgets: how far a row may move, in the data's units. Each gives one measurement.
    pub budgets: Vec<f64>,
    /// In which norm, per row.
    pub norm: Norm,
    /// Values that rows may take (default: any).
    pub range: Option<(f64, f64)>,
    /// The rows.
    pub choice: Choice,
    /// The share of the training rows that is moved; not used where rows are named.
    pub share: f64,
    /// Steps of the ascent.
    pub steps: usize,
    /// Attacks from different starts; the worst of them counts. Also the number of random
    /// perturbations that spend the whole budget, of which the worst counts too.
    pub restarts: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The method of the hypergradient: `AidCg`, `Direct`, or `Nsid` with the settings below.
    pub method: Method,
    /// Steps and rows of a minibatch of NSID.
    pub stochastic: (usize, usize),
    /// Tolerance of the models along the ascent, relative to ‖∇loss(0)‖.
    pub tolerance: f64,
    /// The device that trains the models along the ascent. A graphics device solves in f32 and is refined in
    /// f64; slopes, and the models that are reported, are computed in f64 on the CPU.
    pub device: Device,
    /// The defences that are tried on clean data, the worst random perturbation and the worst attack.
    pub defences: Defences,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budgets: vec![0.1],
            norm: Norm::LInf,
            range: None,
            choice: Choice::Random,
            share: 0.1,
            steps: 10,
            restarts: 2,
            seed: 0,
            method: Method::AidCg,
            stochastic: (2000, 100),
            tolerance: 1e-6,
            device: Device::Cpu,
            defences: Defences::default(),
        }
    }
}

/// A model and the rows that it is judged by.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The model, its training rows and its validation rows. Its perturbation and the sign of its
    /// criterion are not used.
    pub specification: Specification,
    /// The strengths.
    pub point: Point,
    /// Rows that neither the model nor the attack sees.
    pub test: Option<Rows>,
}

impl Settings {
    /// The number of rows of a share of all.
    pub(super) fn count(&self, rows: usize) -> usize {
        ((self.share * rows as f64).round() as usize).clamp(1, rows)
    }

    pub(super) fn validate(&self) -> Result<()> {
        let bad = |what: &str, remedy: &str| Err(Error::value("poisoning", what, remedy));
        if self.budgets.is_empty() || !self.budgets.iter().all(|b| b.is_finite() && *b > 0.0) {
            return bad(
                "budgets must be there and positive",
                "give finite numbers greater than zero",
            );
        }
        if matches!(&self.choice, Choice::Named(rows) if rows.is_empty()) {
            return bad("no row is named", "name at least one training row, from 0");
        }
        if self.restarts == 0 || self.steps == 0 {
            return bad("no restarts or no steps", "give at least 1 of each");
        }
        if !(self.share > 0.0 && self.share <= 1.0) {
            return bad(
                "the share of perturbed rows is not between 0 and 1",
                "give a number greater than 0 and at most 1",
            );
        }
        if let Some((low, high)) = self.range
            && (low >= high || low.is_nan() || high.is_nan())
        {
            return bad(
                "the range of values is empty",
                "give LO:HI with LO below HI",
            );
        }
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            return bad(
                "the tolerance is not greater than zero",
                "give a small number, such as 1e-6",
            );
        }
        if self.method == Method::Nsid && self.device != Device::Cpu {
            return Err(Error::unsupported(
                "poisoning by nsid on a graphics device",
                "use aid-cg there, or the CPU",
            ));
        }
        if !matches!(self.method, Method::AidCg | Method::Direct | Method::Nsid) {
            return Err(Error::unsupported(
                "poisoning by this method",
                "use aid-cg, direct or nsid",
            ));
        }
        Ok(())
    }
}

/// The training data with a perturbation added.
#[must_use]
pub fn perturbed(x: &Dense, rows: &[usize], perturbation: &[f64]) -> Dense {
    let mut out = x.clone();
    let d = x.columns;
    for (&i, p) in rows.iter().zip(perturbation.chunks_exact(d)) {
        for (x, p) in out.values[i * d..(i + 1) * d].iter_mut().zip(p) {
            *x += p;
        }
    }
    out
}

/// A problem whose criterion is minus the validation loss, with room for a perturbation of each of
/// several starts: beside the rows themselves, copies of them after all rows. A row and its copies share
/// its weight.
pub(super) fn adversary(subject: &Subject, rows: &[usize], starts: usize) -> Result<Problem> {
    let mut specification = subject.specification.clone();
    let n = specification.train.matrix.rows();
    // What cannot be moved is an error before it is copied.
    if let Some(row) = rows.iter().find(|row| **row >= n) {
        return Err(Error::value(
            "perturbed rows",
            format!("row {row} of {n}"),
            "count training rows from 0",
        ));
    }
    let copies = || (1..starts).flat_map(|_| rows.iter().copied());
    let order: Vec<usize> = (0..n).chain(copies()).collect();
    let mut moved = rows.to_vec();
    moved.extend(n..order.len());
    if starts > 1 {
        let train = &mut specification.train;
        let of = |values: &[f64]| order.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let mut weights = of(train.weights.as_deref().unwrap_or(&vec![1.0; n]));
        moved.iter().for_each(|&i| weights[i] /= starts as f64);
        train.weights = Some(weights);
        train.targets.iter_mut().for_each(|y| *y = of(y));
        train.matrix = train.matrix.select_rows(&order);
        specification.weight_factors = specification.weight_factors.as_deref().map(of);
    }
    let d = specification.train.matrix.columns();
    let values = Dense::new(moved.len(), d, vec![0.0; moved.len() * d])?;
    specification.sign = Sign::Maximize;
    specification.perturbation = Some(Perturbation {
        rows: moved,
        values,
    });
    Problem::new(specification)
}
