//! The error of a solution on the criterion's rows.

use crate::engine::products::predictors;
use crate::problem::Problem;
use crate::sweep::metrics::{MeasuredRows, measure};
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
    let (loss, classes) = (problem.loss(), problem.classes());
    match sample.before_offset(target, weights) {
        Some([y, weights, offset]) => MeasuredRows {
            y: &y,
            weights: Some(&weights),
            offset: Some(&offset),
        }
        .measure(loss, classes, &z, &mut numbers),
        None => {
            let y = &sample.targets[target];
            measure(loss, classes, &z, y, Some(weights), &mut numbers);
        }
    }
    match numbers.finite(Number::Accuracy) {
        Some(accuracy) => 1.0 - accuracy,
        None => numbers[Number::Mse],
    }
}
