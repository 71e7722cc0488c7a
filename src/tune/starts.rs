//! The starts of vectors: of strengths the best common one, and adaptive ones.

use super::chosen::Chosen;
use super::hyperparameter::Hyperparameter;
use super::tuning::Tuning;
use super::variables::{Space, entries_of};
use crate::error::Result;
use crate::linalg::statistics::mean;
use crate::problem::{Problem, RidgeStrengths};
use crate::real::largest_of;

/// Exponents γ of adaptive strengths λ_j ∝ (|w_j| + ε)^−γ.
const EXPONENTS: [f64; 2] = [0.5, 1.0];
/// ε relative to the largest |w_j|.
const SMALL: f64 = 0.03;
/// The share of the common strength at which the coefficients for adaptive strengths are taken: most are
/// not zero there.
const WEAK: f64 = 0.1;

/// The places from which a vector starts: that of its given start alone, or its best common strength, which
/// is that of `scalar`, a point of the space of common strengths, and adaptive ones.
pub(super) fn starts(
    tuning: &Tuning<'_>,
    common: &Space,
    scalar: &Chosen,
) -> Result<Vec<Vec<f64>>> {
    let space = tuning.space;
    let of_scalar = space.with_given_starts(space.place_of(scalar));
    let mut places = vec![of_scalar.clone()];
    if !space.has_vector_start() && space.strength_vectors().next().is_some() {
        places.extend(adaptive(tuning, common, scalar, &of_scalar)?);
    }
    if common.free_delta().is_none() {
        places.extend(at_other_deltas(tuning, scalar, &of_scalar)?);
    }
    places.extend(balanced(tuning, scalar.point.target, &of_scalar));
    Ok(places)
}

/// Places of adaptive strengths.
fn adaptive(
    tuning: &Tuning<'_>,
    common: &Space,
    scalar: &Chosen,
    of_scalar: &[f64],
) -> Result<Vec<Vec<f64>>> {
    let space = tuning.space;
    let mut weak = scalar.clone();
    weak.point.l1 *= WEAK;
    let evaluated = tuning
        .criterion
        .evaluate(common, std::slice::from_ref(&weak), None)?;
    // Coefficients of all folds, which have seen no row of their own criterion.
    let solutions: Vec<&[f64]> = evaluated
        .iter()
        .flat_map(|e| e.warm.iter().map(|start| start.w.as_slice()))
        .collect();
    let problem = tuning.criterion.folds[0].problem;
    let coefficients = coefficients(problem, &solutions);
    let mut places = Vec::new();
    for exponent in EXPONENTS {
        let mut place = of_scalar.to_vec();
        for (hyperparameter, range, ties) in space.strength_vectors() {
            let sizes = sizes(problem, &coefficients, hyperparameter, ties);
            let largest = largest_of(sizes.len(), |at| sizes[at]);
            if !(largest > 0.0 && sizes.len() == range.len()) {
                continue;
            }
            // A ridge that suits a coefficient goes with the inverse of its square.
            let power = match hyperparameter.in_common() {
                Hyperparameter::L2 => 2.0,
                _ => 1.0,
            };
            let log = |size: &f64| -power * exponent * (size / largest + SMALL).ln();
            let logs: Vec<f64> = sizes.iter().map(log).collect();
            let mean = mean(&logs);
            for (x, log) in place[range].iter_mut().zip(&logs) {
                *x += log - mean;
            }
        }
        if place != of_scalar {
            places.push(space.box_bounds().clamp(&place));
        }
    }
    Ok(places)
}

/// Places with other δ of the Huber loss and l1 strengths that are as large a share of l1_max there.
fn at_other_deltas(
    tuning: &Tuning<'_>,
    scalar: &Chosen,
    of_scalar: &[f64],
) -> Result<Vec<Vec<f64>>> {
    let space = tuning.space;
    let Some((at, (low, high))) = space.free_delta() else {
        return Ok(Vec::new());
    };
    let (problem, target) = (tuning.criterion.folds[0].problem, scalar.point.target);
    let l1_max = |delta: f64| -> Result<f64> {
        let problem = problem.clone().with_huber_delta(delta)?;
        Ok(problem.l1_max(target, 0.0))
    };
    let own = l1_max(of_scalar[at].exp())?;
    let mut places = Vec::new();
    for delta in [high, (low * high).sqrt(), low] {
        let mut place = of_scalar.to_vec();
        place[at] = delta.ln();
        let share = l1_max(delta)? / own;
        if share > 0.0 && share.is_finite() {
            place[space.l1_range()]
                .iter_mut()
                .for_each(|x| *x += share.ln());
        }
        places.push(space.box_bounds().clamp(&place));
    }
    Ok(places)
}

/// The place with weights that give all classes the same weight in all; `None` where they have it.
fn balanced(tuning: &Tuning<'_>, target: usize, of_scalar: &[f64]) -> Option<Vec<f64>> {
    let range = tuning.space.free_class_weights()?;
    let problem = tuning.criterion.folds[0].problem;
    let mut sums = vec![0.0; problem.class_count()];
    for (i, weight) in problem.train().weights.iter().enumerate() {
        sums[problem.class_of(i, target)] += weight;
    }
    let mut place = of_scalar.to_vec();
    for (x, sum) in place[range].iter_mut().zip(&sums[1..]) {
        let ratio = sums[0] / sum;
        if ratio > 0.0 && ratio.is_finite() {
            *x += ratio.ln();
        }
    }
    let place = tuning.space.box_bounds().clamp(&place);
    (place != of_scalar).then_some(place)
}

/// The mean size of every penalised coefficient.
fn coefficients(problem: &Problem, solutions: &[&[f64]]) -> Vec<f64> {
    let count = solutions.len().max(1) as f64;
    let size = |j: usize| solutions.iter().map(|w| w[j].abs()).sum::<f64>() / count;
    (0..problem.penalized()).map(size).collect()
}

/// The root of the mean square of the coefficients of every entry.
fn of_entries(entries: &[u32], each: &[f64]) -> Vec<f64> {
    let count = entries_of(entries);
    let (mut squares, mut counts) = (vec![0.0; count], vec![0.0; count]);
    for (&entry, size) in entries.iter().zip(each) {
        squares[entry as usize] += size * size;
        counts[entry as usize] += 1.0;
    }
    let entries = squares.iter().zip(counts);
    entries
        .map(|(square, count)| (square / count).sqrt())
        .collect()
}

/// The size of what each strength acts on: of a coefficient, of those that share it, or of a group.
fn sizes(
    problem: &Problem,
    each: &[f64],
    hyperparameter: Hyperparameter,
    ties: Option<&[u32]>,
) -> Vec<f64> {
    let ridge = problem.ridge().map(RidgeStrengths::entries);
    let is_ridge = hyperparameter.in_common() == Hyperparameter::L2;
    if let Some(entries) = ridge.filter(|_| is_ridge).or(ties) {
        return of_entries(entries, each);
    }
    let Some(groups) = problem.penalty().groups() else {
        return each.to_vec();
    };
    let norm = |g: usize| {
        let members = groups.members(g).iter();
        let square: f64 = members.map(|&j| each[j as usize].powi(2)).sum();
        (square / groups.members(g).len() as f64).sqrt()
    };
    let all = (each.iter().map(|size| size * size).sum::<f64>() / each.len() as f64).sqrt();
    let shared = problem.penalty().shared_strengths();
    std::iter::repeat_n(all, shared)
        .chain((0..groups.len()).map(norm))
        .collect()
}
