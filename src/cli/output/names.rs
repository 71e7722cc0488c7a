//! Names of the entries of vectors: coefficients, strengths, classes.

use std::borrow::Cow;

use super::report::Report;
use crate::hypergrad::{Warning, WarningKind, constant_columns};
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::sweep::record::Study;

/// Coefficient names in C order: the feature, with `: class` where there are several predictors.
pub fn coefficient_names(features: &[String], classes: Option<&[String]>) -> Vec<String> {
    match classes {
        None => features.to_vec(),
        Some(classes) => features
            .iter()
            .flat_map(|feature| {
                classes
                    .iter()
                    .map(move |class| format!("{feature}: {class}"))
            })
            .collect(),
    }
}

/// The names of the coefficients of a target of a sweep, whose solutions have this length with their intercepts.
/// A store of before knows no names: its features are counted from 0, as those of arrays are.
pub fn coefficients_of_stored(study: &Study, target: usize, length: usize) -> Vec<String> {
    let classes = study.classes.get(target).map(Vec::as_slice);
    let has_many = study.loss_setting() == Some(Loss::Multinomial.name());
    let classes = classes.unwrap_or_default();
    let names = coefficient_names(&study.features, has_many.then_some(classes));
    if !names.is_empty() && names.len() <= length {
        return names;
    }
    let intercepts = usize::from(study.has_intercept());
    let count = length.saturating_sub(intercepts);
    (0..count).map(|j| format!("x{j}")).collect()
}

/// The criterion of a loss in words: the mean that it is.
pub fn criterion_in_words(loss: Loss) -> &'static str {
    match loss {
        Loss::Squared => "half the mean square",
        Loss::Logistic | Loss::Multinomial => "the mean log loss",
        Loss::Huber { .. } => "the mean Huber loss",
        Loss::SquaredHinge => "half the mean squared hinge",
        Loss::Quadratic => "the quadratic form",
        Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => "half the mean deviance",
    }
}

/// The names of a problem's ridge strengths, given those of its coefficients: the coefficient, or the entry that
/// several share.
pub fn ridge_names(problem: &Problem, coefficients: Vec<String>) -> Vec<String> {
    let Some(ridge) = problem.ridge() else {
        return coefficients;
    };
    let name = |entry: usize| {
        let mut of_entry = ridge.entries().iter().zip(&coefficients);
        let mut of_entry = of_entry.by_ref().filter(|(e, _)| **e as usize == entry);
        match (of_entry.next(), of_entry.next()) {
            (Some((_, only)), None) => only.clone(),
            _ => format!("entry {entry}"),
        }
    };
    (0..ridge.strengths().len()).map(name).collect()
}

/// The names of the entries of a problem's vector of strengths, given those of its coefficients.
pub fn strength_names(problem: &Problem, coefficients: Vec<String>) -> Vec<String> {
    let penalty = &problem.penalty;
    let Some(groups) = penalty.groups() else {
        return coefficients;
    };
    let shared = (0..penalty.shared_strengths()).map(|_| "coefficients".into());
    let of_groups = (0..groups.len()).map(|g| format!("group {g}"));
    shared.chain(of_groups).collect()
}

impl Report<'_> {
    /// The class of every predictor, where there is more than one predictor.
    pub(super) fn predictor_classes(&self, target: usize) -> Option<&[String]> {
        if self.study.predictors == 1 {
            return None;
        }
        let classes = self.study.classes.get(target)?.as_ref()?;
        Some(&classes.names)
    }

    /// A warning's message, with the names of the columns that it counts.
    pub(super) fn message<'w>(&self, warning: &'w Warning) -> Cow<'w, str> {
        let problem = &self.prepared.problem.problem;
        if warning.kind != WarningKind::ConstantColumn || problem.features.constant.is_empty() {
            return Cow::Borrowed(&warning.message);
        }
        let names = self.study.feature_names();
        let name = |column: usize| {
            names
                .get(column)
                .map_or_else(String::new, |n| format!("'{n}'"))
        };
        Cow::Owned(constant_columns(problem, name))
    }

    /// The names of the coefficients of one target.
    pub(super) fn coefficient_names(&self, target: usize) -> Vec<String> {
        coefficient_names(self.study.feature_names(), self.predictor_classes(target))
    }

    /// The names of the intercepts of one target; none without an intercept.
    pub(super) fn intercept_names(&self, target: usize) -> Vec<String> {
        if !self.study.scaling().intercept {
            return Vec::new();
        }
        match self.predictor_classes(target) {
            None => vec!["intercept".into()],
            Some(classes) => classes
                .iter()
                .map(|class| format!("intercept: {class}"))
                .collect(),
        }
    }

    /// The names of the ridge strengths of a file: the coefficient, or the entry that several share.
    pub(super) fn ridge_names(&self, target: usize) -> Vec<String> {
        ridge_names(
            &self.prepared.problem.problem,
            self.coefficient_names(target),
        )
    }

    /// The names of the entries of a vector of strengths.
    pub(super) fn strength_names(&self, target: usize) -> Vec<String> {
        strength_names(
            &self.prepared.problem.problem,
            self.coefficient_names(target),
        )
    }
}
