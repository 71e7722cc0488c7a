//! Vectors among the variables: the problem that has their strengths, and what fits it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kinds::Wrt;
use crate::model::penalty::Penalty;
use crate::problem::{Problem, RidgeStrengths};
use crate::tune::hyperparameter::Hyperparameter;
use crate::tune::variable::Variable;

/// The problem with the penalty and the ridge that have the strengths of the vectors among the variables.
///
/// # Errors
/// [`Error::Value`] where penalty, groups or classes have no such strengths, and for ties that do not fit.
pub fn with_vectors(problem: Problem, variables: &[Variable]) -> Result<Problem> {
    let penalized = problem.penalized();
    variables
        .iter()
        .try_for_each(|v| check_ties(v, penalized))?;
    let penalty = vector_penalty(&problem, variables)?;
    let ridge = vector_ridge(&problem, variables)?;
    let mut problem = problem;
    if let Some(penalty) = penalty {
        problem = problem.with_penalty(penalty)?;
    }
    if let Some(ridge) = ridge {
        problem = problem.with_ridge(ridge)?;
    }
    Ok(problem)
}

/// The penalty that takes a strength for each of what a vector of l1 is to be tuned for; `None` without
/// one.
///
/// # Errors
/// [`Error::Value`] where the penalty has no such strengths.
fn vector_penalty(problem: &Problem, variables: &[Variable]) -> Result<Option<Penalty>> {
    let is_own = |v: &&Variable| v.hyperparameter.is_vector() && v.hyperparameter.wrt() == Wrt::L1;
    let Some(vector) = variables.iter().find(is_own) else {
        return Ok(None);
    };
    let ones = |count: usize| vec![1.0; count];
    Ok(Some(match (vector.hyperparameter, problem.penalty()) {
        (Hyperparameter::L1Each, penalty)
            if let Some(weighted) = penalty.weighted_by(ones(problem.penalized())) =>
        {
            weighted
        }
        (Hyperparameter::L1Group, Penalty::Group { groups, .. }) => Penalty::Group {
            strengths: Some(ones(groups.len())),
            groups: groups.clone(),
        },
        (Hyperparameter::L1Group, Penalty::SparseGroup { groups, .. }) => Penalty::SparseGroup {
            strengths: ones(1 + groups.len()),
            groups: groups.clone(),
        },
        (hyperparameter, penalty) => {
            return Err(Error::value(
                hyperparameter.name(),
                format!("the penalty {} has no such strengths", penalty.name()),
                "tune l1[] of elastic-net and weighted, l1[group] of group and sparse-group",
            ));
        }
    }))
}

/// The ridge strengths, all 1, that take one for each of what a vector of λ₂ is to be tuned for; `None`
/// without one.
///
/// # Errors
/// [`Error::Value`] for groups and classes that the problem does not have, and for ties that do not fit.
fn vector_ridge(problem: &Problem, variables: &[Variable]) -> Result<Option<RidgeStrengths>> {
    let is_own = |v: &&Variable| v.hyperparameter.is_vector() && v.hyperparameter.wrt() == Wrt::L2;
    let Some(vector) = variables.iter().find(is_own) else {
        return Ok(None);
    };
    let (penalized, classes) = (problem.penalized() as u32, problem.classes() as u32);
    let entries: Vec<u32> = match (vector.hyperparameter, problem.penalty().groups()) {
        (Hyperparameter::L2Each, _) => match &vector.ties {
            Some(ties) => ties.to_vec(),
            None => (0..penalized).collect(),
        },
        (Hyperparameter::L2Class, _) if classes > 1 => {
            (0..penalized).map(|j| j % classes).collect()
        }
        (Hyperparameter::L2Group, Some(groups)) => groups.labels(),
        (hyperparameter, _) => {
            return Err(Error::value(
                hyperparameter.name(),
                format!(
                    "the {} loss with the penalty {} has no such strengths",
                    problem.loss().name(),
                    problem.penalty().name()
                ),
                "tune l2[group] of group and sparse-group, l2[class] of the multinomial loss, or l2[]",
            ));
        }
    };
    let count = entries_of(&entries);
    RidgeStrengths::shared(vec![1.0; count], entries).map(Some)
}

/// Checks the ties of a variable.
fn check_ties(variable: &Variable, penalized: usize) -> Result<()> {
    let Some(ties) = &variable.ties else {
        return Ok(());
    };
    let is_each = matches!(
        variable.hyperparameter,
        Hyperparameter::L1Each | Hyperparameter::L2Each
    );
    if !is_each {
        return Err(Error::value(
            "ties",
            format!("{} has no ties", variable.hyperparameter.name()),
            "tune l1[] or l2[]",
        ));
    }
    if ties.len() != penalized {
        return Err(Error::shape(
            "ties",
            format!("{penalized}, one number per coefficient"),
            ties.len().to_string(),
            "give the number of its strength for each coefficient",
        ));
    }
    // Before anything of that length is made.
    if let Some(at) = ties.iter().position(|&tie| tie as usize >= penalized) {
        return Err(Error::value(
            "ties",
            format!(
                "coefficient {} has number {}, and {penalized} coefficients have no more than {penalized} strengths",
                at + 1,
                ties[at]
            ),
            "count strengths from 0, and leave none out",
        ));
    }
    // All entries are there.
    RidgeStrengths::shared(vec![1.0; entries_of(ties)], Arc::clone(ties)).map(|_| ())
}

/// The number of entries of ties.
pub(in crate::tune) fn entries_of(ties: &[u32]) -> usize {
    ties.iter().max().map_or(0, |&last| last as usize + 1)
}
