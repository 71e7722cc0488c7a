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

mod ascent;
mod ball;
#[cfg(feature = "report")]
pub mod figures;
mod measure;
mod subject;

pub use ascent::adjoint;
pub use ball::{Ball, Norm};
pub use measure::{Measured, Score};
pub use subject::{Choice, Settings, Subject, perturbed};

use ascent::{Ascent, Victim};
use measure::Judge;

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

/// Measures a model's robustness, in the caller's thread pool. `control` counts finished attacks:
/// budgets × restarts.
///
/// # Errors
/// [`Error::Value`] for settings outside their domain, [`Error::Unsupported`] for sparse training
/// data, a quadratic form or a missing validation part, [`Error::Interrupted`] when `whole` stops;
/// those of [`Problem::new`](crate::Problem::new).
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
