//! Targets as the losses take them: numbers, −1 and 1, or class numbers.

use crate::data::dataset::{Dataset, Target};
use crate::data::labels::{self, ClassWeights, Classes};
use crate::error::{Error, Result};

/// Encodings of the targets of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Numbers as they are.
    Numbers,
    /// The first class is −1, the second 1.
    Binary,
    /// Classes are numbered from 0.
    Indices,
}

/// The classes of every target, `None` for numbers.
pub fn of_targets(data: &Dataset, encoding: Encoding) -> Result<Vec<Option<Classes>>> {
    let classes = |target: &Target| match encoding {
        Encoding::Numbers => Ok(None),
        _ => labels::classes_of(&target.values).map(Some),
    };
    data.targets.iter().map(classes).collect()
}

/// The number of predictors per row, the same for every target.
pub fn predictors(classes: &[Option<Classes>], encoding: Encoding) -> Result<usize> {
    if encoding != Encoding::Indices {
        return Ok(1);
    }
    let mut counts = classes.iter().flatten().map(|c| c.names.len());
    let first = counts.next().unwrap_or(0);
    match counts.find(|&count| count != first) {
        None => Ok(first),
        Some(other) => Err(Error::unsupported(
            format!("targets with {first} and {other} classes in one multinomial problem"),
            "fit them one by one with --target",
        )),
    }
}

/// The targets of one table, encoded by the training data's classes.
pub fn encode(
    data: &Dataset,
    classes: &[Option<Classes>],
    encoding: Encoding,
) -> Result<Vec<Vec<f64>>> {
    let encode = |(at, target): (usize, &Target)| match (encoding, classes.get(at)) {
        (Encoding::Binary, Some(Some(classes))) => classes.encode_binary(&target.values),
        (Encoding::Indices, Some(Some(classes))) => classes.encode_indices(&target.values),
        _ => labels::numbers(target),
    };
    data.targets.iter().enumerate().map(encode).collect()
}

/// The weight of every training row's class.
pub fn factors(
    train: &Dataset,
    classes: &[Option<Classes>],
    wanted: &ClassWeights,
) -> Result<Vec<f64>> {
    let ([target], [Some(classes)]) = (train.targets.as_slice(), classes) else {
        return Err(Error::unsupported(
            "class weights without exactly one target of classes",
            "name one target with --target and choose a loss for classes, or use --sample-weights",
        ));
    };
    classes.class_weights(&target.values, wanted)
}
