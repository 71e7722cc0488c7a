//! Means over folds: one summary a point.
//!
//! ```text
//! mean = 1/(R K) Σ_r Σ_k E_rk
//! standard error = 1/R Σ_r √( Σ_k (E_rk − mean_r)² / (K − 1) ) / √K
//! ```
//!
//! over the K folds of each of R repetitions. Repetitions take the noise of the split out of the mean, not
//! that of the rows, which all of them share: the standard error is that of K folds, averaged. The
//! hypergradient of the mean is the mean of the hypergradients.
//!
//! A cell that failed, whose solver did not converge or whose criterion is not finite, is in none of this.

use std::collections::HashMap;

use super::cells::CellStore;
use super::record::{Cell, Number, Numbers, Study};
use crate::error::Result;
use crate::kinds::Status;
use crate::linalg::statistics;

/// A point over all of its folds.
#[derive(Debug, Clone)]
pub struct PointSummary {
    /// The point within its study.
    pub point: usize,
    /// Folds that the means are over.
    pub folds: usize,
    /// Further folds whose cells failed: they are in no mean.
    pub failed: usize,
    /// Means over the folds that did not fail; NaN where one of these has none, or all failed.
    pub means: Numbers,
    /// The standard error of the mean criterion, or of the number that the summary was asked for by; NaN
    /// for a single fold.
    pub standard_error: f64,
    /// The worst status of all folds, failed ones too.
    pub status: Status,
    /// The derivatives of the mean criterion in a vector of strengths, or empty.
    pub hypergradient_l1_vector: Vec<f64>,
    /// The criterion of every fold, in their order; NaN for one that failed.
    pub criteria: Vec<f64>,
    /// The kinds of warnings of all its cells, each once.
    pub warnings: Vec<String>,
    /// The cell itself, where the study has a single fold.
    pub single: Option<Box<Cell>>,
}

impl PointSummary {
    /// The numbers to show: those of the only cell, even where it failed, else the means.
    #[must_use]
    pub fn numbers(&self) -> &Numbers {
        self.single
            .as_ref()
            .map_or(&self.means, |cell| &cell.numbers)
    }
}

/// Summaries of the points of a study, number `study` of the plan and `described` there, that have a
/// result on every one of its folds, in the order of the plan.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be read.
pub fn summarize(
    store: &dyn CellStore,
    study: usize,
    described: &Study,
) -> Result<Vec<PointSummary>> {
    summarize_by(store, study, described, Number::Criterion)
}

/// The same with the standard errors of another number.
///
/// # Errors
/// Those of [`summarize`].
pub fn summarize_by(
    store: &dyn CellStore,
    study: usize,
    described: &Study,
    by: Number,
) -> Result<Vec<PointSummary>> {
    let folds = described.folds.len();
    let mut summaries = Vec::new();
    let mut cells: Vec<Cell> = Vec::with_capacity(folds);
    let mut close = |cells: &mut Vec<Cell>| {
        if cells.len() == folds && folds > 0 {
            summaries.push(summary(cells, described, by));
        }
        cells.clear();
    };
    store.for_each_cell(study, &mut |cell| {
        if cells.first().is_some_and(|first| first.point != cell.point) {
            close(&mut cells);
        }
        cells.push(cell);
        Ok(())
    })?;
    close(&mut cells);
    Ok(summaries)
}

/// Of an unfinished study: for every target the folds that its means are over (places in
/// `described.folds`, ascending), and the summaries of the points that are done on these.
///
/// The folds are those on which most cells of points that have all of them are done. Means over
/// different folds are not to be compared, so no other point has a summary.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be read.
pub fn summarize_so_far(
    store: &dyn CellStore,
    study: usize,
    described: &Study,
) -> Result<(Vec<Vec<usize>>, Vec<PointSummary>)> {
    let mut done: Vec<Vec<usize>> = vec![Vec::new(); described.points.len()];
    store.for_each_criterion(study, &mut |point, fold, _| {
        if let Some(folds) = done.get_mut(point) {
            folds.push(fold);
        }
    })?;
    let mut chosen = vec![Vec::new(); described.targets.len()];
    for (target, folds) in chosen.iter_mut().enumerate() {
        let of_target = |at: &usize| described.points[*at].target == target;
        *folds = shared_folds((0..done.len()).filter(of_target).map(|at| done[at].clone()));
    }
    let folds_of = |point: usize| &chosen[described.points[point].target];
    let mut summaries = Vec::new();
    let mut cells: Vec<Cell> = Vec::new();
    let mut close = |cells: &mut Vec<Cell>| {
        if let Some(first) = cells.first()
            && cells.len() == folds_of(first.point).len()
        {
            summaries.push(summary(cells, described, Number::Criterion));
        }
        cells.clear();
    };
    store.for_each_cell(study, &mut |cell| {
        if cells.first().is_some_and(|first| first.point != cell.point) {
            close(&mut cells);
        }
        // A point may have got one fold more since the first reading.
        if folds_of(cell.point).contains(&cell.fold) {
            cells.push(cell);
        }
        Ok(())
    })?;
    close(&mut cells);
    Ok((chosen, summaries))
}

/// Of the sets of folds the one on which most cells are done, points that have still more folds counted
/// with it; among equals the larger, then the first. When a sweep begins with another fold, its few points
/// there do not push the others aside.
fn shared_folds(of_points: impl Iterator<Item = Vec<usize>>) -> Vec<usize> {
    let mut counts: HashMap<Vec<usize>, usize> = HashMap::new();
    for mut folds in of_points {
        folds.sort_unstable();
        *counts.entry(folds).or_default() += 1;
    }
    let cells_on = |folds: &Vec<usize>| {
        let has_all = |own: &Vec<usize>| folds.iter().all(|fold| own.contains(fold));
        let points = counts.iter().filter(|(own, _)| has_all(own));
        folds.len() * points.map(|(_, count)| count).sum::<usize>()
    };
    let best = counts.keys().max_by_key(|folds| {
        let folds = *folds;
        (cells_on(folds), folds.len(), std::cmp::Reverse(folds))
    });
    best.cloned().unwrap_or_default()
}

fn summary(cells: &[Cell], described: &Study, by: Number) -> PointSummary {
    let good: Vec<&Cell> = cells.iter().filter(|cell| !cell.has_failed()).collect();
    let count = good.len() as f64;
    let mut means = Numbers::default();
    for number in Number::ALL {
        means[number] = good.iter().map(|cell| cell.numbers[number]).sum::<f64>() / count;
    }
    let length = good.first().map_or(0, |c| c.hypergradient_l1_vector.len());
    let complete = good
        .iter()
        .all(|cell| cell.hypergradient_l1_vector.len() == length);
    let vector = if complete {
        (0..length)
            .map(|j| {
                let entries = good.iter().map(|cell| cell.hypergradient_l1_vector[j]);
                entries.sum::<f64>() / count
            })
            .collect()
    } else {
        Vec::new()
    };
    let criterion = |cell: &Cell| {
        if cell.has_failed() {
            f64::NAN
        } else {
            cell.numbers[Number::Criterion]
        }
    };
    let kinds: std::collections::BTreeSet<&str> = cells
        .iter()
        .flat_map(|cell| cell.warnings.split_whitespace())
        .collect();
    PointSummary {
        point: cells[0].point,
        folds: good.len(),
        failed: cells.len() - good.len(),
        means,
        standard_error: standard_error(&good, described, by),
        status: cells
            .iter()
            .fold(cells[0].status, |worst, cell| worst.worse(cell.status)),
        hypergradient_l1_vector: vector,
        criteria: cells.iter().map(criterion).collect(),
        warnings: kinds.into_iter().map(str::to_string).collect(),
        single: match cells {
            [only] if described.folds.len() == 1 => Some(Box::new(only.clone())),
            _ => None,
        },
    }
}

/// The standard error of the mean of a number of cells in the order of their folds: that of one repetition,
/// averaged over those with the most folds. NaN where none has two.
fn standard_error(cells: &[&Cell], described: &Study, by: Number) -> f64 {
    let repeat = |cell: &&Cell| described.folds.get(cell.fold).map_or(0, |f| f.repeat);
    let repeats = || cells.chunk_by(|a, b| repeat(a) == repeat(b));
    let most = repeats().map(<[&Cell]>::len).max().unwrap_or(0);
    if most < 2 {
        return f64::NAN;
    }
    let (mut sum, mut full) = (0.0, 0.0);
    // One that lacks folds, in a sweep that still runs, has another standard error.
    for cells in repeats().filter(|cells| cells.len() == most) {
        let value = |cell: &&Cell| cell.numbers[by];
        sum += statistics::standard_error(&cells.iter().map(value).collect::<Vec<f64>>());
        full += 1.0;
    }
    sum / full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_folds_then_the_most_points_are_shared() {
        let shared = |sets: &[&[usize]]| shared_folds(sets.iter().map(|set| set.to_vec()));
        assert_eq!(shared(&[&[0], &[0], &[2, 1], &[]]), [1, 2]);
        assert_eq!(shared(&[&[0, 1], &[1, 2], &[2, 1]]), [1, 2]);
        assert_eq!(shared(&[&[3], &[1]]), [1]);
        // Another fold has been begun: what is done on the first counts for more.
        assert_eq!(shared(&[&[0], &[0], &[0], &[0, 1]]), [0]);
        assert_eq!(shared(&[&[0], &[0, 1], &[0, 1], &[0, 1]]), [0, 1]);
        assert!(shared(&[]).is_empty());
    }

    fn cells(criteria: &[f64]) -> Vec<Cell> {
        let cell = |(fold, &criterion): (usize, &f64)| {
            let mut cell = Cell {
                point: 4,
                fold,
                status: Status::Converged,
                hypergradient_l1_vector: vec![criterion, 1.0],
                ..Cell::default()
            };
            cell.numbers[Number::Criterion] = criterion;
            cell.numbers[Number::Support] = fold as f64;
            cell
        };
        criteria.iter().enumerate().map(cell).collect()
    }

    /// A study whose folds have these repetitions.
    fn study(repeats: &[usize]) -> Study {
        let fold = |(number, &repeat): (usize, &usize)| crate::sweep::record::PlanFold {
            number: number as i64,
            repeat,
            training_rows: 4,
            held_out_rows: 2,
        };
        Study {
            folds: repeats.iter().enumerate().map(fold).collect(),
            ..Study::default()
        }
    }

    #[test]
    fn means_and_standard_error_by_hand() {
        let (cells, study) = (cells(&[1.0, 2.0, 6.0]), study(&[0, 0, 0]));
        let found = summary(&cells, &study, Number::Criterion);
        assert_eq!((found.point, found.folds, found.failed), (4, 3, 0));
        assert_eq!(found.means[Number::Criterion], 3.0);
        assert_eq!(found.means[Number::Support], 1.0);
        assert!(found.means[Number::Mse].is_nan());
        // Σ (E − 3)² = 4 + 1 + 9 = 14; √(14/2)/√3.
        assert!((found.standard_error - (7.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(found.hypergradient_l1_vector, [3.0, 1.0]);
        assert!(
            summary(&cells[..1], &study, Number::Criterion)
                .standard_error
                .is_nan()
        );
    }

    #[test]
    fn repetitions_do_not_make_folds_independent() {
        // √(1/1·½) and √(18/1·½) about 1.5 ± 0.5 and 6 ± 3: ½·1/√2·√2 and 3.
        let repeated = cells(&[1.0, 2.0, 3.0, 9.0, 7.0]);
        let found = summary(&repeated[..4], &study(&[0, 0, 1, 1]), Number::Criterion);
        assert!((found.standard_error - (0.5 + 3.0) / 2.0).abs() < 1e-15);
        assert_eq!(found.means[Number::Criterion], 3.75);
        // The same folds again and again: the error stays.
        let often = cells(&[1.0, 2.0].repeat(50));
        let repeats: Vec<usize> = (0..100).map(|fold| fold / 2).collect();
        let found = summary(&often, &study(&repeats), Number::Criterion);
        assert!((found.standard_error - 0.5).abs() < 1e-15);
        // A repetition that has only begun has another error.
        let begun = summary(&repeated, &study(&[0, 0, 1, 1, 2]), Number::Criterion);
        assert!((begun.standard_error - 1.75).abs() < 1e-15);
    }

    #[test]
    fn cells_that_failed_are_in_no_mean() {
        let study = study(&[0; 5]);
        for (status, criterion) in [
            (Status::BudgetSpent, 50.0),
            (Status::Stalled, 50.0),
            (Status::Diverged, 50.0),
            (Status::NonFinite, f64::NAN),
            (Status::Converged, f64::INFINITY),
        ] {
            let mut cells = cells(&[1.0, 2.0, 6.0, 7.0]);
            cells[1].numbers[Number::Criterion] = criterion;
            cells[1].status = status;
            let found = summary(&cells, &study, Number::Criterion);
            assert_eq!((found.folds, found.failed), (3, 1), "{status:?}");
            assert_eq!(found.status, status);
            assert!((found.means[Number::Criterion] - 14.0 / 3.0).abs() < 1e-15);
            assert_eq!(found.means[Number::Support], 5.0 / 3.0);
            assert_eq!(found.hypergradient_l1_vector, [14.0 / 3.0, 1.0]);
            // Σ (E − 14/3)² = 62/3, halved, over 3.
            assert!((found.standard_error - (31.0f64 / 9.0).sqrt()).abs() < 1e-14);
            assert!(found.criteria[1].is_nan() && found.criteria[2] == 6.0);
        }
        let mut cells = cells(&[1.0, 2.0]);
        cells.iter_mut().for_each(|c| c.status = Status::Stalled);
        let found = summary(&cells, &study, Number::Criterion);
        assert_eq!((found.folds, found.failed), (0, 2));
        assert!(found.means[Number::Criterion].is_nan() && found.standard_error.is_nan());
    }
}
