//! The guard of many variables: nested folds, on whose outer rows nothing is tuned.
//!
//! A vector of strengths fits the rows of the criterion by chance, the more the longer it is. It is kept
//! together by a penalty ½ρ‖θ − θ̄‖², where ρ is chosen on outer rows; and it is returned only where it is
//! better there than the best common strength, by more than the standard error of the difference.

use super::outcome::Guarded;
use crate::data::dataset::Labels;
use crate::error::Result;
use crate::linalg::vector::exceeds;
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::sweep::folds::{Dealing, Fold, k_folds};
use crate::sweep::study::Study;

/// Outer folds where the criterion has one split.
const OUTER: usize = 5;

/// What keeps many variables from fitting the criterion's rows by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Guard {
    /// A penalty whose strength nested folds choose, and the best common strength where the vector is
    /// not better on their outer rows; for more than five variables.
    #[default]
    Auto,
    /// None: the criterion is then no estimate of anything.
    None,
    /// The same with this ρ.
    Rho(f64),
}

/// An outer fold: the problems that are tuned, and the one whose criterion is on rows that these have not
/// seen, while it learns from the rows that they have.
pub(super) struct Nest {
    pub(super) inner: Vec<Problem>,
    pub(super) outer: Problem,
}

/// The nested folds of a study.
pub(super) fn nests(study: &Study) -> Result<Vec<Nest>> {
    let first = study.folds[0].repeat;
    let folds: Vec<&Fold> = study
        .folds
        .iter()
        .filter(|fold| fold.repeat == first)
        .collect();
    if let [single] = folds.as_slice() {
        return nests_of_split(study, single);
    }
    (0..folds.len())
        .map(|outer| {
            let rows = folds[outer].training_rows(study.rows());
            let others = folds.iter().enumerate().filter(|(at, _)| *at != outer);
            let others = others.map(|(_, fold)| within(fold, &rows)).collect();
            Ok(Nest {
                inner: problems(&study.part(&rows, others))?,
                outer: study.fold_problem(outer)?.problem,
            })
        })
        .collect()
}

/// Those of one split: the rows that it learns from are dealt to outer folds, the rows of its criterion
/// stay.
fn nests_of_split(study: &Study, split: &Fold) -> Result<Vec<Nest>> {
    let all = study.rows();
    let training = split.training_rows(all);
    let target = study.specification.train.targets[0].as_slice();
    let labels = Labels::Numbers(training.iter().map(|&row| target[row]).collect());
    let is_classified = !matches!(
        study.specification.loss,
        Loss::Squared | Loss::Huber { .. } | Loss::Quadratic
    );
    let dealing = if is_classified {
        Dealing::Stratified(&labels)
    } else {
        Dealing::Plain
    };
    let outer = k_folds(training.len(), OUTER.min(training.len()), 1, dealing, 0)?;
    outer
        .iter()
        .map(|fold| {
            let of_fold = fold.held_out.as_deref().unwrap_or_default();
            let held: Vec<usize> = of_fold.iter().map(|&at| training[at]).collect();
            let rows: Vec<usize> = (0..all)
                .filter(|row| held.binary_search(row).is_err())
                .collect();
            let own = within(split, &rows);
            // The outer rows alone are measured, the rows of the inner criterion are not learned from.
            let without: Vec<usize> = match &split.held_out {
                None => (0..all).collect(),
                Some(_) => training.clone(),
            };
            let measured = Fold {
                held_out: Some(held),
                ..split.clone()
            };
            let measured = within(&measured, &without);
            Ok(Nest {
                inner: problems(&study.part(&rows, vec![own]))?,
                outer: study
                    .part(&without, vec![measured])
                    .fold_problem(0)?
                    .problem,
            })
        })
        .collect()
}

/// A fold among some of the rows: its held-out rows by their places there.
fn within(fold: &Fold, rows: &[usize]) -> Fold {
    let place = |row: &usize| rows.binary_search(row).ok();
    Fold {
        held_out: fold
            .held_out
            .as_ref()
            .map(|held_out| held_out.iter().filter_map(place).collect()),
        ..fold.clone()
    }
}

fn problems(study: &Study) -> Result<Vec<Problem>> {
    study.check()?;
    let one = |fold: usize| study.fold_problem(fold).map(|made| made.problem);
    (0..study.folds.len()).map(one).collect()
}

impl Guarded {
    /// The choice from the criteria on outer rows: one line for each outer fold, the scalar first and then
    /// the vector for every ρ.
    pub(super) fn of(table: &[Vec<f64>], rhos: &[f64]) -> Self {
        let count = table.len() as f64;
        let mean = |column: usize| table.iter().map(|row| row[column]).sum::<f64>() / count;
        let best = (0..rhos.len())
            .min_by(|&a, &b| mean(a + 1).total_cmp(&mean(b + 1)))
            .unwrap_or(0);
        let (nested, nested_scalar) = (mean(best + 1), mean(0));
        let gain = nested_scalar - nested;
        let squares = table
            .iter()
            .map(|row| (row[0] - row[best + 1] - gain).powi(2));
        let error = (squares.sum::<f64>() / (count - 1.0).max(1.0)).sqrt() / count.sqrt();
        Self {
            rho: rhos[best],
            nested,
            nested_scalar,
            standard_error: error,
            // Also where one of them is NaN.
            returns_scalar: !exceeds(gain, error),
        }
    }

    /// What was chosen, and why.
    pub(super) fn remark(&self) -> String {
        let chosen = if self.returns_scalar {
            "the best common strength is returned"
        } else {
            "the vector is returned"
        };
        format!(
            "on rows that nothing was tuned on, {:.6} with a strength for each (rho {:.2e}) and {:.6} with \
             one in common, standard error of the difference {:.2e}: {chosen}",
            self.nested, self.rho, self.nested_scalar, self.standard_error
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_must_be_better_by_more_than_the_error() {
        // Gains 1, 1, 1 with ρ = 2: no error at all.
        let table = [
            vec![3.0, 3.5, 2.0],
            vec![4.0, 4.0, 3.0],
            vec![5.0, 5.5, 4.0],
        ];
        let found = Guarded::of(&table, &[1.0, 2.0]);
        assert_eq!((found.rho, found.returns_scalar), (2.0, false));
        assert_eq!(
            (found.nested, found.nested_scalar, found.standard_error),
            (3.0, 4.0, 0.0)
        );
        // Gains 3, −1, −1: their mean is a third, its error 4/3.
        let table = [vec![3.0, 0.0], vec![4.0, 5.0], vec![5.0, 6.0]];
        let found = Guarded::of(&table, &[1.0]);
        assert!(found.returns_scalar && (found.standard_error - 4.0 / 3.0).abs() < 1e-12);
        assert!(Guarded::of(&[vec![1.0, f64::NAN]], &[1.0]).returns_scalar);
    }
}
