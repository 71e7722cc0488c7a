//! The error of a solution on the criterion's rows.

use crate::engine::products::predictors;
use crate::problem::Problem;
use crate::sweep::metrics::measure;
use crate::sweep::record::{Number, Numbers};

/// With weights of the rows, the share of them that is labelled wrongly, or the mean squared error where targets are numbers.
pub(super) fn held_out_error(
    problem: &Problem,
    solution: &[f64],
    target: usize,
    weights: &[f64],
) -> f64 {
    let sample = &problem.criterion().sample;
    let z = predictors(&sample.design, solution, problem.classes());
    let mut numbers = Numbers::default();
    measure(
        problem.loss(),
        problem.classes(),
        &z,
        &sample.targets[target],
        Some(weights),
        &mut numbers,
    );
    match numbers.finite(Number::Accuracy) {
        Some(accuracy) => 1.0 - accuracy,
        None => numbers[Number::Mse],
    }
}
