//! Checks of a specification: shapes, finiteness, labels, weights.

use std::collections::BTreeSet;

use super::offset::check_offset;
use super::rows::Rows;
use crate::data::design::Scaling;
use crate::data::matrix::Matrix;
use crate::error::{Error, Result};
use crate::model::loss::Loss;

pub(super) fn check_specification(
    loss: Loss,
    criterion: Loss,
    classes: usize,
    scaling: Scaling,
    train: &Rows,
    validation: Option<&Rows>,
) -> Result<Scaling> {
    let multinomial = loss == Loss::Multinomial;
    if multinomial != (criterion == Loss::Multinomial) {
        return Err(Error::unsupported(
            format!("a {} criterion for a {} fit", criterion.name(), loss.name()),
            "multinomial goes with multinomial only",
        ));
    }
    if loss.has_log_link() != criterion.has_log_link() {
        return Err(Error::unsupported(
            format!("a {} criterion for a {} fit", criterion.name(), loss.name()),
            "the losses with a log link, poisson, gamma and tweedie, go with each other only",
        ));
    }
    if loss != criterion && loss.has_log_link() && train.offset.is_some() {
        return Err(Error::unsupported(
            format!(
                "a {} criterion for a {} fit with an offset",
                criterion.name(),
                loss.name()
            ),
            "leave the criterion out: it is the loss of the fit",
        ));
    }
    if let Some(rows) = validation
        && rows.offset.is_some() != train.offset.is_some()
    {
        return Err(Error::shape(
            "offset",
            "one of the training rows and one of the validation rows, or none",
            "that of one of them",
            "give the offsets of all rows",
        ));
    }
    if (multinomial && classes < 2) || (!multinomial && classes != 1) {
        return Err(Error::value(
            "classes",
            format!("{classes} for the {} loss", loss.name()),
            "the multinomial loss needs two classes or more, the others exactly 1",
        ));
    }
    if criterion == Loss::Quadratic {
        if loss != Loss::Quadratic {
            return Err(Error::unsupported(
                format!("a quadratic criterion for a {} fit", loss.name()),
                "a quadratic form goes with a quadratic form only",
            ));
        }
        if let Some(rows) = validation {
            if rows.weights.is_some() {
                return Err(Error::unsupported(
                    "sample weights of a quadratic form",
                    "put them into Q and b",
                ));
            }
            check_symmetric(&rows.matrix)?;
        }
    }
    for loss in [loss, criterion] {
        if let Loss::Huber { delta } = loss
            && !(delta.is_finite() && delta > 0.0)
        {
            return Err(Error::value(
                "Huber delta",
                format!("{delta}"),
                "give a finite number greater than zero",
            ));
        }
        if let Loss::Tweedie { power } = loss
            && !(power > 1.0 && power < 2.0)
        {
            return Err(Error::value(
                "Tweedie power",
                format!("{power}"),
                "give a number between 1 and 2; of power 1 is the poisson loss, of power 2 the gamma loss",
            ));
        }
    }
    if let Some(rows) = validation {
        if rows.matrix.columns() != train.matrix.columns() {
            return Err(Error::shape(
                "validation data",
                format!("{} features as in training", train.matrix.columns()),
                rows.matrix.columns().to_string(),
                "give both the same columns",
            ));
        }
        if rows.targets.len() != train.targets.len() {
            return Err(Error::shape(
                "validation targets",
                format!("{} targets as in training", train.targets.len()),
                rows.targets.len().to_string(),
                "give both the same targets",
            ));
        }
    }
    if loss == Loss::Quadratic {
        if scaling.intercept || scaling.standardize {
            return Err(Error::unsupported(
                "an intercept or standardisation of a quadratic form",
                "switch both off: Q and b are used as they are",
            ));
        }
        if train.weights.is_some() {
            return Err(Error::unsupported(
                "sample weights of a quadratic form",
                "put them into Q and b",
            ));
        }
        check_symmetric(&train.matrix)?;
    } else {
        check_sizes(train, loss, scaling)?;
    }
    Ok(scaling)
}

/// Refuses what has no square: below it a column, or a target, is as good as zero to the arithmetic.
fn check_sizes(train: &Rows, loss: Loss, scaling: Scaling) -> Result<()> {
    let vanishes = |size: f64| size > 0.0 && size * size < f64::MIN_POSITIVE;
    let refuse = |what: String, size: f64, remedy: &str| {
        Err(Error::value(
            what,
            format!("its largest value is {size:e}, whose square is less than any number"),
            remedy,
        ))
    };
    if !scaling.standardize {
        let mut sizes = vec![0.0f64; train.matrix.columns()];
        train
            .matrix
            .for_each_entry(|_, j, x| sizes[j] = sizes[j].max(x.abs()));
        if let Some(j) = sizes.iter().position(|&size| vanishes(size)) {
            return refuse(
                format!("feature {}", j + 1),
                sizes[j],
                "let features be standardised, or give it in another unit",
            );
        }
    }
    if !loss.is_classification() {
        for (number, target) in train.targets.iter().enumerate() {
            let size = target.iter().fold(0.0f64, |size, y| size.max(y.abs()));
            if vanishes(size) {
                let what = format!("target {}", number + 1);
                return refuse(what, size, "give it in another unit");
            }
        }
    }
    Ok(())
}

pub(super) fn check_symmetric(q: &Matrix) -> Result<()> {
    let symmetric = match q {
        Matrix::Dense(m) => {
            m.rows == m.columns && {
                let scale = m.values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
                (0..m.rows).all(|i| {
                    (0..i).all(|j| {
                        (m.values[i * m.columns + j] - m.values[j * m.columns + i]).abs()
                            <= 1e-12 * scale
                    })
                })
            }
        }
        Matrix::Sparse(m) => m.rows == m.columns && m.transposed() == *m,
    };
    if symmetric {
        Ok(())
    } else {
        Err(Error::value(
            "Q",
            "is not a symmetric square matrix",
            "give ½(Q + Qᵀ)",
        ))
    }
}

/// Cells of features as a check takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cells {
    /// All are there.
    There,
    /// Some may be missing, NaN.
    MayLack,
}

/// Checks one set of rows and returns the mean of the user's weights.
pub(super) fn check_rows(
    rows: &Rows,
    loss: Loss,
    classes: usize,
    name: &str,
    cells: Cells,
) -> Result<f64> {
    let (n, d) = (rows.matrix.rows(), rows.matrix.columns());
    let fewest = if name == "training" && loss != Loss::Quadratic {
        2
    } else {
        1
    };
    if n < fewest || d == 0 {
        return Err(Error::value(
            format!("{name} data"),
            format!("{n} rows and {d} features"),
            format!("give at least {fewest} row(s) and one feature"),
        ));
    }
    if rows.targets.is_empty() {
        return Err(Error::value(
            format!("{name} targets"),
            "there is none",
            "name at least one target",
        ));
    }
    let data = format!("{name} data");
    match cells {
        Cells::There => rows.matrix.check_finite(&data)?,
        Cells::MayLack => rows.matrix.check_finite_or_missing(&data)?,
    }
    for target in &rows.targets {
        if target.len() != n {
            return Err(Error::shape(
                format!("{name} targets"),
                format!("{n}, one per row of the data"),
                target.len().to_string(),
                "give data and targets the same rows",
            ));
        }
        if let Some(i) = target.iter().position(|y| !y.is_finite()) {
            return Err(Error::value(
                format!("{name} targets"),
                format!("row {} is {}", i + 1, target[i]),
                "replace or drop missing and infinite values",
            ));
        }
        check_labels(target, loss, classes, name)?;
    }
    check_offset(rows, loss, name)?;
    match &rows.weights {
        None => Ok(1.0),
        Some(weights) => check_weights(weights, n, &format!("{name} sample weights")),
    }
}

/// Checks one weight per row and returns their mean.
pub(super) fn check_weights(weights: &[f64], n: usize, name: &str) -> Result<f64> {
    if weights.len() != n {
        return Err(Error::shape(
            name,
            format!("{n}, one per row"),
            weights.len().to_string(),
            "give one weight per row",
        ));
    }
    if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(Error::value(
            name,
            format!("row {} is {}", i + 1, weights[i]),
            "weights must be finite and not negative",
        ));
    }
    let mean = mean(weights);
    if mean > 0.0 && mean.is_finite() {
        Ok(mean)
    } else {
        Err(Error::value(
            name,
            "their sum is zero or overflows",
            "give some row a moderate weight above zero",
        ))
    }
}

/// The mean of weights.
pub(super) fn mean(weights: &[f64]) -> f64 {
    weights.iter().sum::<f64>() / weights.len() as f64
}

/// The training rows' weights times their factors, and the mean of the products.
pub(super) fn check_factors(train: &Rows, factors: Option<&[f64]>) -> Result<(Vec<f64>, f64)> {
    let n = train.matrix.rows();
    let mut weights = train.weights.clone().unwrap_or_else(|| vec![1.0; n]);
    if let Some(factors) = factors {
        check_weights(factors, n, "factors of the training sample weights")?;
        weights.iter_mut().zip(factors).for_each(|(w, f)| *w *= f);
    } else if train.weights.is_none() {
        return Ok((weights, 1.0));
    }
    let mean = check_weights(&weights, n, "training sample weights")?;
    Ok((weights, mean))
}

/// Checks that every class trains with some weight, and some count that is not zero: the free intercept of a
/// class without rows, or of zeros alone, falls without end.
pub(super) fn check_trained(
    targets: &[Vec<f64>],
    weights: &[f64],
    loss: Loss,
    classes: usize,
) -> Result<()> {
    if loss.has_log_link() {
        return check_positive(targets, weights);
    }
    let expected = if loss.is_binary() {
        2
    } else if loss == Loss::Multinomial {
        classes
    } else {
        return Ok(());
    };
    for (number, target) in targets.iter().enumerate() {
        let rows = target.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let found: BTreeSet<i64> = rows.map(|(&y, _)| y as i64).collect();
        if found.len() < expected {
            let of_target = if targets.len() > 1 {
                format!(" of target {}", number + 1)
            } else {
                String::new()
            };
            return Err(Error::value(
                "training rows",
                format!(
                    "those with a weight above zero have {} of {expected} classes{of_target}, and the intercept of a \
                     class without rows has no best value",
                    found.len(),
                ),
                "give every class a training row with a weight (hold out other rows with --seed or --val-fraction), \
                 drop the class from all rows, or fit without intercepts (--no-intercept)",
            ));
        }
    }
    Ok(())
}

/// Checks that a target has a positive value in a row that trains with a weight.
fn check_positive(targets: &[Vec<f64>], weights: &[f64]) -> Result<()> {
    let trains = |target: &Vec<f64>| {
        target
            .iter()
            .zip(weights)
            .any(|(&y, &w)| y > 0.0 && w > 0.0)
    };
    let Some(number) = targets.iter().position(|target| !trains(target)) else {
        return Ok(());
    };
    let of_target = if targets.len() > 1 {
        format!(" of target {}", number + 1)
    } else {
        String::new()
    };
    Err(Error::value(
        "training rows",
        format!(
            "the values{of_target} of those with a weight above zero are all zero, and the intercept has no best value"
        ),
        "give a positive value a training row with a weight (hold out other rows with --seed or --val-fraction), or \
         fit without an intercept (--no-intercept)",
    ))
}

/// The largest target of a loss with a log link, and one over the smallest that is not zero: beyond, its
/// exponentials overflow.
const LARGEST_MEAN: f64 = 1e100;

/// Checks that targets are such as a loss with a log link has them.
fn check_means(target: &[f64], loss: Loss, name: &str) -> Result<()> {
    let allows_zero = loss != Loss::Gamma;
    let refuse = |i: usize, found: String, domain: &str, remedy: &str| {
        let loss = loss.name();
        Err(Error::value(
            format!("{name} targets"),
            format!(
                "row {} is {found}, and the {loss} loss is for {domain}",
                i + 1
            ),
            remedy,
        ))
    };
    let is_outside = |&y: &f64| y < 0.0 || (y == 0.0 && !allows_zero);
    if let Some(i) = target.iter().position(is_outside) {
        let (domain, remedy) = if allows_zero {
            (
                "values that are zero or more",
                "drop or correct the row, or choose a loss for numbers of any sign (squared or huber)",
            )
        } else {
            (
                "values greater than zero",
                "drop or correct the row, or choose the tweedie loss, which takes zeros",
            )
        };
        return refuse(i, target[i].to_string(), domain, remedy);
    }
    let is_far = |&y: &f64| y > LARGEST_MEAN || (y > 0.0 && y < LARGEST_MEAN.recip());
    match target.iter().position(is_far) {
        Some(i) => refuse(
            i,
            format!("{:e}", target[i]),
            "values from 1e-100 to 1e100",
            "give it in another unit",
        ),
        None => Ok(()),
    }
}

/// Checks that targets are such as the loss has them.
pub(crate) fn check_labels(target: &[f64], loss: Loss, classes: usize, name: &str) -> Result<()> {
    if loss.has_log_link() {
        return check_means(target, loss, name);
    }
    let bad = if loss.is_binary() {
        target.iter().position(|&y| y != 1.0 && y != -1.0)
    } else if loss == Loss::Multinomial {
        target
            .iter()
            .position(|&y| y < 0.0 || y >= classes as f64 || y.fract() != 0.0)
    } else {
        None
    };
    let Some(i) = bad else { return Ok(()) };
    let domain = if loss.is_binary() {
        "-1 and 1".to_string()
    } else {
        format!("0 to {}", classes - 1)
    };
    Err(Error::value(
        format!("{name} targets"),
        format!(
            "row {} has label {}, which does not fit the {} loss",
            i + 1,
            target[i],
            loss.name()
        ),
        format!("encode the classes as {domain}"),
    ))
}

pub(super) fn check_prior(prior: &[f64], penalized: usize) -> Result<()> {
    if prior.len() != penalized {
        return Err(Error::shape(
            "prior mean",
            format!("{penalized}, one per penalised coordinate"),
            prior.len().to_string(),
            "give a vector of that length",
        ));
    }
    match prior.iter().position(|c| !c.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::value(
            "prior mean",
            format!("entry {} is {}", at + 1, prior[at]),
            "give finite numbers",
        )),
    }
}
