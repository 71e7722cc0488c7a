//! Data poisoning as a measurement: how much worse does a model get when some of its training rows
//! are perturbed within a budget?
//!
//! ```text
//! max_P  E(w(P))      w(P) = the model trained on X + P      P in a ball per row, X + P in a range
//! ```
//!
//! E is the loss on validation rows; the ascent follows the hypergradient dE/dP, projected onto the
//! budget. All starts of an ascent are one batch: members over one design that holds the perturbed rows of each. The
//! reported numbers are those of a model trained again on the perturbed data, beside the same model under as many
//! random perturbations that spend the whole budget, the worst of each. It is meant for measuring models of one's
//! own.
//!
//! A defender may tune the strengths anew, leave out the rows that fit worst, or weight rows by those that he trusts
//! ([`Defences`]): each on clean, random and poisoned data.

use rayon::prelude::*;

use crate::control::Control;
use crate::data::random::Random;
use crate::data::{Dense, Matrix};
use crate::error::{Error, Result};
use crate::kinds::Method;

mod ascent;
mod ball;
mod defence;
#[cfg(feature = "report")]
pub mod figures;
mod measure;
mod subject;
mod trim;

pub use ascent::adjoint;
pub use ball::{Ball, Norm};
pub use defence::{Defended, Discarded, Failed, Retuned, Reweighted};
pub use measure::{Measured, Score};
pub use subject::{Choice, Defences, Settings, Subject, perturbed};
pub use trim::{Trimmed, Trimming};

use ascent::{Ascent, Found, Start, Victim};
use defence::Defender;
use measure::{Judge, Trained};

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
    /// The results of the defences on the worst random perturbation; `None` without any.
    pub defended_random: Option<Defended>,
    /// The same of the worst attack.
    pub defended: Option<Defended>,
}

/// A measurement of robustness.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The perturbed rows, from 0, ascending.
    pub rows: Vec<usize>,
    /// The model trained on the data as they are.
    pub clean: Measured,
    /// The results of the defences on the data as they are; `None` without any.
    pub defended: Option<Defended>,
    /// One entry per budget; fewer after an interruption.
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
/// data, a quadratic form or a missing validation part, [`Error::Interrupted`] when `whole` stops
/// before the first budget is measured, after which those that are measured are returned;
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
    check_trim(subject, settings)?;
    let judge = Judge::new(subject)?;
    let train = |perturbation: Option<(&[usize], &[f64])>| -> Result<Trained> {
        judge.train(judge.problem(x, perturbation)?, &subject.point, control)
    };
    let clean = train(None)?;
    let w = &clean.w;
    let (rows, slopes) = choose(subject, settings, w, control)?;
    let features = clean.features();
    let defender = Defender {
        judge: &judge,
        point: &subject.point,
        settings,
        rows: &rows,
        features: &features,
        control,
    };
    let base = &select(x, &rows);
    // Minibatches are drawn from all rows of a design: there every start has one of its own.
    let together = match settings.method {
        Method::Nsid => 1,
        _ => settings.restarts,
    };
    let victim = Victim::new(subject, &rows, together)?;
    let at_budget = |number: usize, budget: f64| -> Result<AtBudget> {
        let ball = Ball {
            norm: settings.norm,
            radius: budget,
            range: settings.range,
        };
        let (mut starts, mut chances) = (Vec::new(), Vec::new());
        for restart in 0..settings.restarts {
            let stream = 100 + (number * settings.restarts + restart) as u64;
            let mut random = Random::new(settings.seed, stream);
            // The first attack starts at the data themselves.
            let perturbation = match restart {
                0 => vec![0.0; base.values.len()],
                _ => ball.draw(base, &mut random),
            };
            starts.push(Start {
                perturbation,
                seed: settings.seed.wrapping_add(stream),
            });
            chances.push(ball.draw_on_boundary(base, &mut random));
        }
        let ascent = Ascent {
            victim: &victim,
            ball,
            base,
            settings,
            control,
        };
        let attack = |starts: &[Start]| -> Result<Vec<Found>> {
            let found = ascent.run(starts, w)?;
            whole.report_finished(starts.len());
            Ok(found)
        };
        let found: Vec<Vec<Found>> = starts
            .par_chunks(together)
            .map(attack)
            .collect::<Result<_>>()?;
        let found: Vec<Found> = found.into_iter().flatten().collect();
        let retrain = |perturbation: &Vec<f64>| train(Some((&rows, perturbation)));
        let under_chance = chances.par_iter().map(retrain);
        let under_chance: Vec<Trained> = under_chance.collect::<Result<_>>()?;
        let attacked = found.par_iter().map(|found| retrain(&found.perturbation));
        let attacked: Vec<Trained> = attacked.collect::<Result<_>>()?;
        let measured = |all: &[Trained]| -> Result<Vec<Measured>> {
            let measured = |one| judge.measured(one, &features);
            all.iter().map(measured).collect()
        };
        let (random, attacks) = (measured(&under_chance)?, measured(&attacked)?);
        let (worst_random, worst) = (worst(&random), worst(&attacks));
        Ok(AtBudget {
            budget,
            worst_random: random[worst_random],
            poisoned: attacks[worst],
            defended_random: defender.defend(&under_chance[worst_random])?,
            defended: defender.defend(&attacked[worst])?,
            random,
            attacks,
            perturbation: Dense::new(rows.len(), x.columns, found[worst].perturbation.clone())?,
            traces: found.into_iter().map(|found| found.trace).collect(),
        })
    };
    let defended = defender.defend(&clean)?;
    let mut budgets = Vec::with_capacity(settings.budgets.len());
    for (number, &budget) in settings.budgets.iter().enumerate() {
        match at_budget(number, budget) {
            Ok(at) => budgets.push(at),
            Err(Error::Interrupted { .. }) if !budgets.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let (row_slopes, feature_slopes) = ranked(&rows, &slopes, x.columns, settings.norm);
    Ok(Measurement {
        clean: judge.measured(&clean, &features)?,
        defended,
        rows,
        budgets,
        row_slopes,
        feature_slopes,
    })
}

/// The place of the first with the largest validation loss.
fn worst(all: &[Measured]) -> usize {
    let mut worst = 0;
    for (at, measured) in all.iter().enumerate() {
        if measured.validation.loss > all[worst].validation.loss {
            worst = at;
        }
    }
    worst
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

/// Refuses to leave out all rows that a model is trained on, before anything is fitted.
fn check_trim(subject: &Subject, settings: &Settings) -> Result<()> {
    if !settings.defences.trim {
        return Ok(());
    }
    let specification = &subject.specification;
    let parts = [&specification.train.weights, &specification.weight_factors];
    let has_weight = |row: usize| {
        let of = |part: &Option<Vec<f64>>| part.as_ref().and_then(|part| part.get(row).copied());
        parts.iter().all(|part| of(part).unwrap_or(1.0) > 0.0)
    };
    let n = specification.train.matrix.rows();
    let trained = (0..n).filter(|&row| has_weight(row)).count();
    let trained_of = |rows: &[usize]| rows.iter().filter(|&&row| has_weight(row)).count();
    let (flag, remedy, moved) = match &settings.choice {
        Choice::Named(rows) => (
            "--rows",
            "name fewer rows, or leave trim out of --defence",
            trained_of(rows),
        ),
        choice => (
            "--share",
            "give a smaller --share, or leave trim out of --defence",
            match choice {
                // Rows without a weight have no slope, and come last.
                Choice::Influence => settings.count(n).min(trained),
                _ => trained_of(&drawn(settings, n)),
            },
        ),
    };
    if moved < trained {
        return Ok(());
    }
    Err(Error::value(
        flag,
        format!("TRIM leaves out as many rows as moved, and {moved} of {trained} do"),
        remedy,
    ))
}

/// The rows of a share that are drawn.
fn drawn(settings: &Settings, rows: usize) -> Vec<usize> {
    Random::new(settings.seed, 1).subset(rows, settings.count(rows))
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
    let slopes_of = |rows: Vec<usize>| -> Result<(Vec<usize>, Vec<f64>)> {
        let victim = Victim::new(subject, &rows, 1)?;
        let slopes = victim.slopes_at(0, w, control)?;
        Ok((rows, slopes))
    };
    match &settings.choice {
        Choice::Named(rows) => {
            let mut rows = rows.clone();
            rows.sort_unstable();
            slopes_of(rows)
        }
        Choice::Random => slopes_of(drawn(settings, n)),
        Choice::Influence => {
            let (_, slopes) = slopes_of((0..n).collect())?;
            let mut order: Vec<(usize, f64)> = slopes
                .chunks_exact(d)
                .map(|slope| settings.norm.dual(slope))
                .enumerate()
                .collect();
            order.sort_by(|a, b| b.1.total_cmp(&a.1));
            let mut rows: Vec<usize> = order[..settings.count(n)].iter().map(|row| row.0).collect();
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
