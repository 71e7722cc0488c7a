//! The middle that a penalty keeps the entries of a vector near.

use std::ops::Range;

use crate::linalg::statistics::mean;
use crate::linalg::vector::difference;

/// A vector whose entries a penalty keeps near θ̄.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    /// The places of its entries.
    pub(super) entries: Range<usize>,
    /// θ̄.
    pub(super) about: About,
}

/// The place θ̄ that a penalty keeps a vector near.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum About {
    /// The mean of its entries.
    Mean,
    /// The mean of its entries and of one more, which is zero and has no place.
    MeanWithZero,
    /// A place for each entry.
    Place(Vec<f64>),
}

impl Spread {
    /// θ_j − θ̄ of every entry, and last that of one more without a place.
    pub(super) fn differences(&self, place: &[f64]) -> Vec<f64> {
        let own = &place[self.entries.clone()];
        let from = |mean: f64, others: &[f64]| own.iter().chain(others).map(|x| x - mean).collect();
        match &self.about {
            About::Mean => from(mean(own), &[]),
            About::MeanWithZero => from(own.iter().sum::<f64>() / (own.len() + 1) as f64, &[0.0]),
            About::Place(centre) => difference(own, centre),
        }
    }
}
