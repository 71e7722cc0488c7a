//! Data poisoning as a measurement: how much worse does a model get when some of its training rows
//! are perturbed within a budget?
//!
//! ```text
//! max_P  E(w(P))      w(P) = the model trained on X + P      P in a ball per row, X + P in a range
//! ```
//!
//! E is the loss on validation rows; the ascent follows the hypergradient dE/dP, projected onto the
//! budget. The reported numbers are those of a model trained again on the perturbed data, beside the same
//! model under as many random perturbations that spend the whole budget, the worst of each. It is meant for measuring models of one's
//! own.

use rayon::prelude::*;

use crate::control::Control;
use crate::data::random::Random;
use crate::data::{Dense, Matrix};
use crate::error::{Error, Result};
use crate::kinds::Method;
use crate::problem::{Perturbation, Point, Problem, Rows, Sign, Specification};

mod ascent;
mod ball;
#[cfg(feature = "report")]
pub mod figures;
mod measure;

pub use ascent::adjoint;
pub use ball::{Ball, Norm};
pub use measure::{Measured, Score};

use ascent::{Ascent, Victim};
use measure::Judge;

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

/// A measurement at one budget.
#[derive(Debug, Clone, PartialEq)]
pub struct AtBudget {
    /// The budget.
    pub budget: f64,
    /// The model trained on every random perturbation of the whole budget.
    pub random: Vec<Measured>,
    /// The worst of these on the validation rows.
    pub worst_random: Measured,
    /// The model trained on the result of every attack.
    pub attacks: Vec<Measured>,
    /// The worst of the attacks on the validation rows.
    pub poisoned: Measured,
    /// Its perturbation: perturbed rows × features, in the data's units.
    pub perturbation: Dense,
    /// The validation loss along every attack's ascent, start first.
    pub traces: Vec<Vec<f64>>,
}

/// A measurement of robustness.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The perturbed rows, from 0, ascending.
    pub rows: Vec<usize>,
    /// The model trained on the data as they are.
    pub clean: Measured,
    /// One entry per budget.
    pub budgets: Vec<AtBudget>,
    /// (row, slope): how fast the clean model's validation loss grows per unit of budget spent on
    /// a row; the largest first.
    pub row_slopes: Vec<(usize, f64)>,
    /// (feature, slope): the mean of |dE/dP_ij| over the perturbed rows; the largest first.
    pub feature_slopes: Vec<(usize, f64)>,
}

impl Settings {
    fn validate(&self) -> Result<()> {
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
        if !matches!(self.method, Method::AidCg | Method::Direct | Method::Nsid) {
            return Err(Error::unsupported(
                "poisoning by this method",
                "use aid-cg, direct or nsid",
            ));
        }
        Ok(())
    }
}

/// Measures a model's robustness, in the caller's thread pool. `control` counts finished attacks:
/// budgets × restarts.
///
/// # Errors
/// [`Error::Value`] for settings outside their domain, [`Error::Unsupported`] for sparse training
/// data, a quadratic form or a missing validation part, [`Error::Interrupted`] when `whole` stops;
/// those of [`Problem::new`].
pub fn measure(subject: &Subject, settings: &Settings, whole: &Control) -> Result<Measurement> {
    settings.validate()?;
    // Attacks are counted, not what they consist of.
    let control = &whole.of_a_part();
    let Matrix::Dense(x) = &subject.specification.train.matrix else {
        return Err(Error::unsupported(
            "poisoning of sparse data",
            "give dense data: a perturbation fills its rows",
        ));
    };
    if subject.specification.validation.is_none() {
        return Err(Error::unsupported(
            "poisoning without validation rows",
            "hold some rows out: the attack raises the loss there",
        ));
    }
    check_range(x, settings.range)?;
    let judge = Judge::new(subject)?;
    let (clean, w) = judge.train(x, None, control)?;
    let (rows, slopes) = choose(subject, settings, &w, control)?;
    let ball = |radius: f64| Ball {
        norm: settings.norm,
        radius,
        range: settings.range,
    };
    let base = &select(x, &rows);
    let victim = Victim::new(subject, rows.clone(), x.columns)?;
    let mut budgets = Vec::with_capacity(settings.budgets.len());
    for (number, &budget) in settings.budgets.iter().enumerate() {
        let stream = |restart: usize| 100 + (number * settings.restarts + restart) as u64;
        let attack = |restart: usize| -> Result<(Measured, Measured, Vec<f64>, Vec<f64>)> {
            let mut random = Random::new(settings.seed, stream(restart));
            // The first attack starts at the data themselves.
            let start = match restart {
                0 => vec![0.0; base.values.len()],
                _ => ball(budget).draw(base, &mut random),
            };
            let chance = ball(budget).draw_on_boundary(base, &mut random);
            let (under_chance, _) = judge.train(x, Some((&rows, &chance)), control)?;
            let ascent = Ascent {
                victim: &victim,
                ball: ball(budget),
                base,
                settings,
                control,
                seed: settings.seed.wrapping_add(stream(restart)),
            };
            let (found, trace) = ascent.run(start, &w)?;
            let (attacked, _) = judge.train(x, Some((&rows, &found)), control)?;
            whole.report_finished(1);
            Ok((under_chance, attacked, found, trace))
        };
        let results = (0..settings.restarts)
            .into_par_iter()
            .map(attack)
            .collect::<Result<Vec<_>>>()?;
        let mut at = AtBudget {
            budget,
            random: Vec::new(),
            worst_random: clean,
            attacks: Vec::new(),
            poisoned: clean,
            perturbation: Dense::new(rows.len(), x.columns, vec![0.0; rows.len() * x.columns])?,
            traces: Vec::new(),
        };
        let (mut worst, mut worst_random) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (under_chance, attacked, found, trace) in results {
            if attacked.validation.loss > worst {
                worst = attacked.validation.loss;
                at.poisoned = attacked;
                at.perturbation.values = found;
            }
            if under_chance.validation.loss > worst_random {
                worst_random = under_chance.validation.loss;
                at.worst_random = under_chance;
            }
            at.random.push(under_chance);
            at.attacks.push(attacked);
            at.traces.push(trace);
        }
        budgets.push(at);
    }
    let (row_slopes, feature_slopes) = ranked(&rows, &slopes, x.columns, settings.norm);
    Ok(Measurement {
        rows,
        clean,
        budgets,
        row_slopes,
        feature_slopes,
    })
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

fn select(x: &Dense, rows: &[usize]) -> Dense {
    Dense {
        rows: rows.len(),
        columns: x.columns,
        values: rows
            .iter()
            .flat_map(|&i| x.row(i).iter().copied())
            .collect(),
    }
}

fn check_range(x: &Dense, range: Option<(f64, f64)>) -> Result<()> {
    let Some((low, high)) = range else {
        return Ok(());
    };
    match x.values.iter().find(|x| !(low..=high).contains(*x)) {
        None => Ok(()),
        Some(x) => Err(Error::value(
            "range of values",
            format!("the data hold {x}, outside {low}:{high}"),
            "give a range that holds the data",
        )),
    }
}

/// The perturbed rows, and dE/dP for them at the clean model.
fn choose(
    subject: &Subject,
    settings: &Settings,
    w: &[f64],
    control: &Control,
) -> Result<(Vec<usize>, Vec<f64>)> {
    let n = subject.specification.train.matrix.rows();
    let d = subject.specification.train.matrix.columns();
    let count = ((settings.share * n as f64).round() as usize).clamp(1, n);
    let slopes_of = |rows: Vec<usize>| -> Result<(Vec<usize>, Vec<f64>)> {
        let victim = Victim::new(subject, rows.clone(), d)?;
        let slopes = victim.slopes_at(w, control)?;
        Ok((rows, slopes))
    };
    match &settings.choice {
        Choice::Named(rows) => {
            let mut rows = rows.clone();
            rows.sort_unstable();
            slopes_of(rows)
        }
        Choice::Random => slopes_of(Random::new(settings.seed, 1).subset(n, count)),
        Choice::Influence => {
            let (_, slopes) = slopes_of((0..n).collect())?;
            let mut order: Vec<(usize, f64)> = slopes
                .chunks_exact(d)
                .map(|slope| settings.norm.dual(slope))
                .enumerate()
                .collect();
            order.sort_by(|a, b| b.1.total_cmp(&a.1));
            let mut rows: Vec<usize> = order[..count].iter().map(|row| row.0).collect();
            rows.sort_unstable();
            let slopes = rows
                .iter()
                .flat_map(|&i| slopes[i * d..(i + 1) * d].iter().copied())
                .collect();
            Ok((rows, slopes))
        }
    }
}

/// Places with their slopes, the largest first.
type Ranking = Vec<(usize, f64)>;

fn ranked(rows: &[usize], slopes: &[f64], d: usize, norm: Norm) -> (Ranking, Ranking) {
    let descending = |mut ranking: Ranking| {
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranking
    };
    let of_rows = rows
        .iter()
        .zip(slopes.chunks_exact(d))
        .map(|(&i, slope)| (i, norm.dual(slope)))
        .collect();
    let mut of_features = vec![0.0; d];
    for slope in slopes.chunks_exact(d) {
        for (sum, s) in of_features.iter_mut().zip(slope) {
            *sum += s.abs() / rows.len() as f64;
        }
    }
    (
        descending(of_rows),
        descending(of_features.into_iter().enumerate().collect()),
    )
}

/// A problem whose criterion is minus the validation loss, with room for a perturbation.
fn adversary(subject: &Subject, rows: Vec<usize>, d: usize) -> Result<Problem> {
    let values = Dense::new(rows.len(), d, vec![0.0; rows.len() * d])?;
    let mut specification = subject.specification.clone();
    specification.sign = Sign::Maximize;
    specification.perturbation = Some(Perturbation { rows, values });
    Problem::new(specification)
}
