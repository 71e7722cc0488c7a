//! The guard of many variables: nested folds, on whose outer rows nothing is tuned.
//!
//! A vector of strengths fits the rows of the criterion by chance, the more the longer it is. It is kept
//! together by a penalty ½ρ‖θ − θ̄‖², where ρ is chosen on outer rows; and it is returned only where it is
//! better there than the best common strength, by more than the standard error of the difference.

use super::outcome::Guarded;
use crate::data::dataset::Labels;
use crate::error::{Error, Result};
use crate::linalg::statistics::{mean, standard_error};
use crate::linalg::vector::{difference, exceeds};
use crate::problem::Problem;
use crate::sweep::folds::{Dealing, Fold, k_folds};
use crate::sweep::study::Study;

/// Outer folds where the criterion has one split.
const OUTER: usize = 5;

/// A guard against many strengths that fit the criterion's rows by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Guard {
    /// A penalty whose strength nested folds choose, and the best common strength where the vector is
    /// not better on their outer rows; for more than five strengths.
    #[default]
    Auto,
    /// No guard: the criterion is then no estimate of anything.
    None,
    /// A penalty of this ρ, zero or more, for any number of strengths; the choice is that of `Auto`.
    Rho(f64),
}

impl Guard {
    /// Refuses a ρ that is no strength.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Rho(rho) if !(rho >= 0.0 && rho.is_finite()) => Err(Error::value(
                "guard",
                format!("rho is {rho}"),
                "give a finite number of zero or more",
            )),
            _ => Ok(()),
        }
    }
}

/// An outer fold: the problems that are tuned, and the one whose criterion is on rows that these have not
/// seen, while it learns from the rows that they have.
pub(super) struct Nest {
    pub(super) inner: Vec<Problem>,
    pub(super) outer: Problem,
}

/// The nested folds of a study: those of its first repetition are the outer ones.
pub(super) fn nests(study: &Study) -> Result<Vec<Nest>> {
    let first = study.folds[0].repeat;
    let is_first = |at: &usize| study.folds[*at].repeat == first;
    let folds: Vec<usize> = (0..study.folds.len()).filter(is_first).collect();
    if let [single] = folds.as_slice() {
        return nests_of_split(study, &study.folds[*single]);
    }
    if study.folds.iter().any(|fold| fold.training.is_some()) {
        return nests_in_time(study, &folds);
    }
    let nest = |&outer: &usize| {
        let rows = study.folds[outer].training_rows(study.rows());
        let others = folds.iter().filter(|at| **at != outer);
        let others: Vec<&Fold> = others.map(|&at| &study.folds[at]).collect();
        let inner = match others.as_slice() {
            // One fold alone may leave no rows to learn from.
            [single] => halves(study, single)?,
            several => several.iter().map(|fold| (*fold).clone()).collect(),
        };
        let inner = inner.iter().map(|fold| within(fold, &rows)).collect();
        Ok(Nest {
            inner: problems(&study.part(&rows, inner))?,
            outer: study.fold_problem(outer)?.problem,
        })
    };
    folds.iter().map(nest).collect()
}

/// The nested folds of folds in time: an outer fold is tuned on the folds before it, as far as these hold out
/// rows that it may learn from, or rows before them. The first has none, and is no outer fold.
fn nests_in_time(study: &Study, folds: &[usize]) -> Result<Vec<Nest>> {
    let mut nests = Vec::new();
    for &outer in folds {
        let own = &study.folds[outer];
        let own_held_out = own.held_out.as_deref().unwrap_or_default();
        let last = own.training_rows(study.rows()).last().copied();
        let rows: Vec<usize> = (0..last.map_or(0, |last| last + 1))
            .filter(|row| own_held_out.binary_search(row).is_err())
            .collect();
        let inner: Vec<Fold> = folds
            .iter()
            .filter(|at| **at != outer)
            .map(|&at| within(&study.folds[at], &rows))
            .filter(|fold| {
                let is_there =
                    |rows: &Option<Vec<usize>>| rows.as_ref().is_some_and(|r| !r.is_empty());
                is_there(&fold.held_out) && fold.training.as_ref().is_none_or(|r| r.len() > 1)
            })
            .collect();
        if inner.is_empty() {
            continue;
        }
        nests.push(Nest {
            inner: problems(&study.part(&rows, inner))?,
            outer: study.fold_problem(outer)?.problem,
        });
    }
    if nests.len() < 2 {
        return Err(Error::value(
            "guard",
            format!(
                "{} of {} folds in time have folds before them to tune on, and a comparison needs two",
                nests.len(),
                folds.len()
            ),
            "give more folds, a smaller gap, or --guard none",
        ));
    }
    Ok(nests)
}

/// The nested folds of one split: the rows that it learns from are dealt to outer folds, the rows of its
/// criterion stay.
fn nests_of_split(study: &Study, split: &Fold) -> Result<Vec<Nest>> {
    let all = study.rows();
    let training = split.training_rows(all);
    let nest = |held: Vec<usize>| {
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
        let outer = study.part(&without, vec![measured]);
        Ok(Nest {
            inner: problems(&study.part(&rows, vec![own]))?,
            outer: outer.fold_problem(0)?.problem,
        })
    };
    dealt(study, &training, OUTER)?
        .into_iter()
        .map(nest)
        .collect()
}

/// Two folds that hold out the halves of what one holds out.
fn halves(study: &Study, fold: &Fold) -> Result<Vec<Fold>> {
    let held_out = fold.held_out.as_deref().unwrap_or_default();
    let half = |rows: Vec<usize>| Fold {
        held_out: Some(rows),
        ..fold.clone()
    };
    Ok(dealt(study, held_out, 2)?.into_iter().map(half).collect())
}

/// Rows that are dealt to parts, those of every class evenly; each part is ascending.
fn dealt(study: &Study, rows: &[usize], parts: usize) -> Result<Vec<Vec<usize>>> {
    let target = study.specification.train.targets[0].as_slice();
    let labels = Labels::Numbers(rows.iter().map(|&row| target[row]).collect());
    let is_classified = study.specification.loss.is_classification();
    let dealing = if is_classified {
        Dealing::Stratified(&labels)
    } else {
        Dealing::Plain
    };
    let folds = k_folds(rows.len(), parts.min(rows.len()), 1, dealing, 0)?;
    let part = |fold: Fold| {
        let places = fold.held_out.unwrap_or_default();
        places.into_iter().map(|at| rows[at]).collect()
    };
    Ok(folds.into_iter().map(part).collect())
}

/// A fold among some of the rows: its held-out rows by their places there.
fn within(fold: &Fold, rows: &[usize]) -> Fold {
    let place = |row: &usize| rows.binary_search(row).ok();
    Fold {
        held_out: fold
            .held_out
            .as_ref()
            .map(|held_out| held_out.iter().filter_map(place).collect()),
        training: fold
            .training
            .as_ref()
            .map(|training| training.iter().filter_map(place).collect()),
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
        let column = |at: usize| -> Vec<f64> { table.iter().map(|row| row[at]).collect() };
        let of_rho = |at: usize| mean(&column(at + 1));
        let best = (0..rhos.len())
            .min_by(|&a, &b| of_rho(a).total_cmp(&of_rho(b)))
            .unwrap_or(0);
        let (nested, nested_scalar) = (of_rho(best), mean(&column(0)));
        let standard_error = standard_error(&difference(&column(0), &column(best + 1)));
        Self {
            rho: rhos[best],
            nested,
            nested_scalar,
            standard_error,
            // Also where one of them is NaN.
            returns_scalar: !exceeds(nested_scalar - nested, standard_error),
        }
    }

    /// The same where the common strength is returned after all, or not.
    pub(super) fn with_scalar(self, returns_scalar: bool) -> Self {
        Self {
            returns_scalar,
            ..self
        }
    }

    /// The criterion of what is returned.
    pub(super) fn estimate(&self) -> f64 {
        if self.returns_scalar {
            self.nested_scalar
        } else {
            self.nested
        }
    }

    /// The choice and its reason; `names` are those of variables that are no strengths.
    pub(super) fn remark(&self, names: Option<&str>) -> String {
        let (with, without) = match names {
            None => ("with a strength for each".to_string(), "with one in common"),
            Some(names) => (format!("with {names}"), "without"),
        };
        let chosen = match (self.returns_scalar, names) {
            (true, None) => "the best common strength is returned".to_string(),
            (true, Some(_)) => "the best point without is returned".to_string(),
            (false, None) => "the vector is returned".to_string(),
            (false, Some(names)) => format!("the point with {names} is returned"),
        };
        if !(self.nested.is_finite() && self.nested_scalar.is_finite()) {
            let compared = names.map_or("a strength for each with one in common".into(), |names| {
                format!("points with {names} and without")
            });
            return format!(
                "nested folds could not compare {compared}, as some have no solution: {chosen}; raise the \
                 lower --bounds or l2"
            );
        }
        format!(
            "on rows that nothing was tuned on, {:.6} {with} (rho {:.2e}) and {:.6} {without}, standard error \
             of the difference {:.2e}: {chosen}",
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
        // A fold without a solution compares nothing.
        let found = Guarded::of(&[vec![1.0, f64::NAN], vec![1.0, 0.5]], &[1.0]);
        assert!(found.returns_scalar && found.remark(None).contains("could not compare"));
    }

    fn study(rows: usize, folds: Vec<Fold>) -> Study {
        let x: Vec<Vec<f64>> = (0..rows)
            .map(|i| vec![(i * i % 7) as f64, i as f64])
            .collect();
        let y: Vec<f64> = (0..rows).map(|i| (i % 5) as f64).collect();
        let problem = Problem::elastic_net(&x, &y).build().unwrap();
        Study::new(problem.specification().unwrap(), folds)
    }

    /// Every outer fold leaves rows to learn from and to tune on, which the outer rows are not among.
    #[test]
    fn two_folds_are_nested_too() {
        for count in [2, 3, 4] {
            let folds = k_folds(12, count, 1, Dealing::Plain, 0).unwrap();
            let nests = nests(&study(12, folds)).unwrap();
            assert_eq!(nests.len(), count);
            for nest in nests {
                let outer = 12 / count;
                assert_eq!(nest.outer.criterion().sample.rows(), outer);
                assert_eq!(nest.inner.len(), (count - 1).max(2));
                for inner in nest.inner {
                    let (own, tuned) = (inner.train().rows(), inner.criterion().sample.rows());
                    assert_eq!(own + tuned, 12 - outer);
                    assert!(own >= 3 && tuned >= 3, "{own} {tuned}");
                }
            }
        }
    }

    /// Folds are those of the first repetition by their places, wherever these are.
    #[test]
    fn repetitions_may_be_in_any_order() {
        let mut folds = k_folds(12, 3, 2, Dealing::Plain, 0).unwrap();
        folds.swap(1, 3);
        let first = folds[0].repeat;
        let expected: Vec<Vec<usize>> = folds
            .iter()
            .filter(|fold| fold.repeat == first)
            .map(|fold| fold.held_out.clone().unwrap())
            .collect();
        let study = study(12, folds);
        let nests = nests(&study).unwrap();
        assert_eq!(nests.len(), 3);
        for (nest, rows) in nests.iter().zip(expected) {
            let targets = &nest.outer.criterion().sample.targets[0];
            let own: Vec<f64> = rows
                .iter()
                .map(|&i| study.specification.train.targets[0][i])
                .collect();
            assert_eq!(targets, &own);
        }
    }
}
