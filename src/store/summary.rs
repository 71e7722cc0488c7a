//! Means over folds: one summary a point.
//!
//! ```text
//! mean = 1/K Σ E_k        standard error = √( Σ (E_k − mean)² / (K − 1) ) / √K
//! ```
//!
//! over the K folds of all repetitions, each counting the same. The hypergradient of the mean is the
//! mean of the hypergradients.

use std::collections::HashMap;

use super::record::{Cell, Number, Numbers, Study};
use super::{Result, Store};
use crate::kinds::Status;

/// A point over all of its folds.
#[derive(Debug, Clone)]
pub struct PointSummary {
    /// The point within its study.
    pub point: usize,
    /// Folds that are done.
    pub folds: usize,
    /// Means over these folds; NaN where a fold has none.
    pub means: Numbers,
    /// The standard error of the mean criterion; NaN for a single fold.
    pub standard_error: f64,
    /// The worst status of the folds.
    pub status: Status,
    /// The derivatives of the mean criterion in a vector of strengths, or empty.
    pub hypergradient_l1_vector: Vec<f64>,
    /// The criterion of every fold, in their order.
    pub criteria: Vec<f64>,
}

/// Summaries of the points of a study that have a result on every one of `folds` folds, in the
/// order of the plan.
///
/// # Errors
/// [`crate::Error::Store`] when the store cannot be read.
pub fn summarize(store: &Store, study: usize, folds: usize) -> Result<Vec<PointSummary>> {
    let mut summaries = Vec::new();
    let mut cells: Vec<Cell> = Vec::with_capacity(folds);
    let mut close = |cells: &mut Vec<Cell>| {
        if cells.len() == folds && folds > 0 {
            summaries.push(summary(cells));
        }
        cells.clear();
    };
    store.for_each_cell(study, |cell| {
        if cells.first().is_some_and(|first| first.point != cell.point) {
            close(&mut cells);
        }
        cells.push(cell);
        Ok(())
    })?;
    close(&mut cells);
    Ok(summaries)
}

impl Store {
    /// Of an unfinished study: for every target the folds that its means are over (places in
    /// `described.folds`, ascending), and the summaries of the points that are done on these.
    ///
    /// The folds are those on which most cells of points that have all of them are done. Means over
    /// different folds are not to be compared, so no other point has a summary.
    ///
    /// # Errors
    /// [`crate::Error::Store`] when the store cannot be read.
    pub fn summarize_so_far(
        &self,
        study: usize,
        described: &Study,
    ) -> Result<(Vec<Vec<usize>>, Vec<PointSummary>)> {
        let mut done: Vec<Vec<usize>> = vec![Vec::new(); described.points.len()];
        self.for_each_criterion(study, |point, fold, _| {
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
                summaries.push(summary(cells));
            }
            cells.clear();
        };
        self.for_each_cell(study, |cell| {
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

fn summary(cells: &[Cell]) -> PointSummary {
    let count = cells.len() as f64;
    let mut means = Numbers::default();
    for number in Number::ALL {
        means[number] = cells.iter().map(|cell| cell.numbers[number]).sum::<f64>() / count;
    }
    let criteria: Vec<f64> = cells
        .iter()
        .map(|cell| cell.numbers[Number::Criterion])
        .collect();
    let mean = means[Number::Criterion];
    let squares: f64 = criteria.iter().map(|c| (c - mean).powi(2)).sum();
    let standard_error = if cells.len() > 1 {
        (squares / (count - 1.0)).sqrt() / count.sqrt()
    } else {
        f64::NAN
    };
    let length = cells[0].hypergradient_l1_vector.len();
    let complete = cells
        .iter()
        .all(|cell| cell.hypergradient_l1_vector.len() == length);
    let vector = if complete {
        (0..length)
            .map(|j| {
                let entries = cells.iter().map(|cell| cell.hypergradient_l1_vector[j]);
                entries.sum::<f64>() / count
            })
            .collect()
    } else {
        Vec::new()
    };
    PointSummary {
        point: cells[0].point,
        folds: cells.len(),
        means,
        standard_error,
        status: cells
            .iter()
            .fold(cells[0].status, |worst, cell| worst.worse(cell.status)),
        hypergradient_l1_vector: vector,
        criteria,
    }
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

    #[test]
    fn means_and_standard_error_by_hand() {
        let cells: Vec<Cell> = [1.0, 2.0, 6.0]
            .into_iter()
            .enumerate()
            .map(|(fold, criterion)| {
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
            })
            .collect();
        let found = summary(&cells);
        assert_eq!((found.point, found.folds), (4, 3));
        assert_eq!(found.means[Number::Criterion], 3.0);
        assert_eq!(found.means[Number::Support], 1.0);
        assert!(found.means[Number::Mse].is_nan());
        // Σ (E − 3)² = 4 + 1 + 9 = 14; √(14/2)/√3.
        assert!((found.standard_error - (7.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(found.hypergradient_l1_vector, [3.0, 1.0]);
        assert!(summary(&cells[..1]).standard_error.is_nan());
    }
}
