//! Offsets of rows: what linear predictors have beside the coefficients, o_i + x_i·w.
//!
//! They go into targets and weights, and nothing else knows of them. A loss of z − y has y − o for its target. With a
//! log link the mean is e^o μ with μ = exp(x·w), and the deviance of a row is homogeneous of degree 2 − p, where
//! the variance is μᵖ (Poisson p = 1, Gamma 2, Tweedie between):
//!
//! ```text
//! s·d(y, e^o μ) = s·e^{(2−p)o}·d(e^{−o}y, μ)
//! ```
//!
//! a row of the rate e^{−o}y with its weight times e^{(2−p)o}. Means and scales of the columns, and the mean
//! to which weights are normalised, are those of the weights before.

use super::rows::Rows;
use crate::error::{Error, Result};
use crate::model::loss::Loss;

/// The largest size of an offset with a log link: the square of a target times its exponential is a number by far.
const LARGEST: f64 = 200.0;

/// The offsets of rows, and what became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Offset {
    /// One per row.
    pub values: Vec<f64>,
    /// The factors by which the weights of rows were multiplied; `None` for 1.
    pub factors: Option<Vec<f64>>,
}

/// Checks the offsets of rows.
///
/// # Errors
/// [`Error::Unsupported`] for a loss that takes none; [`Error::Shape`] and [`Error::Value`] for another number and
/// for what is no offset.
pub(super) fn check_offset(rows: &Rows, loss: Loss, name: &str) -> Result<()> {
    let Some(values) = &rows.offset else {
        return Ok(());
    };
    let name = format!("{name} offset");
    if !loss.predicts_numbers() {
        return Err(Error::unsupported(
            format!("an offset of the {} loss", loss.name()),
            "offsets are for squared, huber, poisson, gamma and tweedie",
        ));
    }
    let n = rows.matrix.rows();
    if values.len() != n {
        return Err(Error::shape(
            name,
            format!("{n}, one per row of the data"),
            values.len().to_string(),
            "give one offset per row",
        ));
    }
    let limit = if loss.has_log_link() {
        LARGEST
    } else {
        f64::MAX
    };
    match values.iter().position(|o| o.is_nan() || o.abs() > limit) {
        None => Ok(()),
        Some(i) => Err(Error::value(
            name,
            format!("row {} is {}", i + 1, values[i]),
            "give finite numbers; with a log link they are logarithms of exposures, between -200 and 200",
        )),
    }
}

impl Offset {
    /// Takes the offsets of rows into their targets; the weights are for [`Self::weighted`].
    pub(super) fn of(rows: &mut Rows, loss: Loss) -> Option<Self> {
        let values = rows.offset.take()?;
        for target in &mut rows.targets {
            let own = target.iter_mut().zip(&values);
            match loss.deviance_degree() {
                None => own.for_each(|(y, o)| *y -= o),
                Some(_) => own.for_each(|(y, o)| *y *= (-o).exp()),
            }
        }
        let factors = loss.deviance_degree();
        let factors = factors.map(|degree| values.iter().map(|o| (degree * o).exp()).collect());
        Some(Self { values, factors })
    }

    /// The targets as they were.
    pub(super) fn restored(&self, target: &[f64]) -> Vec<f64> {
        let own = target.iter().zip(&self.values);
        match &self.factors {
            None => own.map(|(y, o)| y + o).collect(),
            Some(_) => own.map(|(y, o)| y * o.exp()).collect(),
        }
    }

    /// The factors of the weights, where there are some.
    pub(crate) fn factors_of(offset: Option<&Self>) -> Option<&[f64]> {
        offset?.factors.as_deref()
    }

    /// Weights of rows times their factors.
    pub(super) fn weighted(offset: Option<&Self>, mut weights: Vec<f64>) -> Vec<f64> {
        if let Some(factors) = Self::factors_of(offset) {
            let own = weights.iter_mut().zip(factors);
            own.for_each(|(weight, factor)| *weight *= factor);
        }
        weights
    }

    /// The inverse of [`Self::weighted`].
    pub(super) fn unweighted(offset: Option<&Self>, weights: &[f64]) -> Vec<f64> {
        match Self::factors_of(offset) {
            None => weights.to_vec(),
            Some(factors) => weights.iter().zip(factors).map(|(w, f)| w / f).collect(),
        }
    }
}
