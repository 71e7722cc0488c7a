//! A variable of a tuning: a hyperparameter with its bounds, its start and what shares its entries.

use std::sync::Arc;

use super::hyperparameter::Hyperparameter;

/// A hyperparameter to be tuned, with its bounds and its start where these are given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variable {
    /// The hyperparameter.
    pub hyperparameter: Hyperparameter,
    /// The lower and the upper bound in the units of `Point` [default: l1 from 1e-4 to 0.999 of
    /// l1_max; λ₂ from 1e-6 to 1e3 of the loss's mean curvature along a coordinate, which is 1 for the
    /// squared loss of standardised columns, divided by the mean of the problem's own ridge strengths where
    /// λ₂ multiplies these; a prior ±10 times the largest coefficient that a feature has alone: the loss's
    /// slope at zero divided by that curvature; the Huber loss's δ from 0.01 to 10 of the spread of the
    /// targets, which is 1.4826 times their median distance from the median; weights of
    /// classes from 1e-3 to 1e3].
    pub bounds: Option<(f64, f64)>,
    /// The only start, in place of a coarse stage; of a vector that of every entry. A prior starts at that of
    /// the problem, or at zero, unless it is told otherwise, and δ beside other variables at the problem's.
    pub start: Option<f64>,
    /// The number of its strength for each coordinate, from 0, where coordinates of `l1[]` or `l2[]` share
    /// one [default: each has its own].
    pub ties: Option<Arc<[u32]>>,
    /// The hyperparameter that the user has named, which remedies name too.
    pub(super) named: Hyperparameter,
}

impl Variable {
    /// A hyperparameter with default bounds, its start to be found.
    #[must_use]
    pub fn new(hyperparameter: Hyperparameter) -> Self {
        Self {
            hyperparameter,
            bounds: None,
            start: None,
            ties: None,
            named: hyperparameter,
        }
    }

    /// The common l1 strength.
    #[must_use]
    pub fn l1() -> Self {
        Self::new(Hyperparameter::L1)
    }

    /// The ridge strength λ₂.
    #[must_use]
    pub fn l2() -> Self {
        Self::new(Hyperparameter::L2)
    }

    /// One l1 strength for each coordinate.
    #[must_use]
    pub fn l1_each() -> Self {
        Self::new(Hyperparameter::L1Each)
    }

    /// One l1 strength for each group.
    #[must_use]
    pub fn l1_group() -> Self {
        Self::new(Hyperparameter::L1Group)
    }

    /// One ridge strength for each coordinate.
    #[must_use]
    pub fn l2_each() -> Self {
        Self::new(Hyperparameter::L2Each)
    }

    /// One ridge strength for each group of the penalty.
    #[must_use]
    pub fn l2_group() -> Self {
        Self::new(Hyperparameter::L2Group)
    }

    /// One ridge strength for each class of the multinomial loss.
    #[must_use]
    pub fn l2_class() -> Self {
        Self::new(Hyperparameter::L2Class)
    }

    /// The place δ from which on the Huber loss of the fit is linear; that of the criterion stays.
    #[must_use]
    pub fn huber_delta() -> Self {
        Self::new(Hyperparameter::HuberDelta)
    }

    /// The weights of the classes, which multiply those of the rows. Their common scale changes nothing: that
    /// of the first class is 1.
    #[must_use]
    pub fn class_weights() -> Self {
        Self::new(Hyperparameter::ClassWeights)
    }

    /// The prior mean, one entry for each coordinate.
    #[must_use]
    pub fn prior() -> Self {
        Self::new(Hyperparameter::Prior)
    }

    /// The same with strengths that coordinates share: the number of its strength, from 0, for each.
    #[must_use]
    pub fn tied(mut self, ties: impl Into<Arc<[u32]>>) -> Self {
        self.ties = Some(ties.into());
        self
    }

    /// The variable that all strengths of a vector have in common, within the vector's bounds; a given
    /// start is that of the vector's descent. `None` for a vector of something else.
    pub(super) fn in_common(&self) -> Option<Self> {
        let start = self.start.filter(|_| !self.hyperparameter.is_vector());
        let common = Self {
            hyperparameter: self.hyperparameter.in_common(),
            start,
            ties: None,
            ..self.clone()
        };
        (!common.hyperparameter.is_vector()).then_some(common)
    }

    /// The same within bounds; of strengths both are greater than zero.
    #[must_use]
    pub fn within(mut self, lower: f64, upper: f64) -> Self {
        self.bounds = Some((lower, upper));
        self
    }

    /// The same from a start, with no coarse stage.
    #[must_use]
    pub fn from(mut self, start: f64) -> Self {
        self.start = Some(start);
        self
    }
}

/// The scale on which a variable is searched: its places, from its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Logarithms.
    Logarithm,
    /// Multiples of a unit.
    Linear(f64),
}

impl Scale {
    /// The place of a value.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.ln(),
            Self::Linear(unit) => value / unit,
        }
    }

    /// The value at a place.
    pub(super) fn value(self, place: f64) -> f64 {
        match self {
            Self::Logarithm => place.exp(),
            Self::Linear(unit) => place * unit,
        }
    }
}

/// A variable with everything decided, in the hyperparameter's own units.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) hyperparameter: Hyperparameter,
    /// The hyperparameter that the user has named.
    pub(super) named: Hyperparameter,
    pub(super) bounds: (f64, f64),
    /// The part of the bounds that a coarse stage covers.
    pub(super) coarse: (f64, f64),
    /// The part that few points cover.
    pub(super) few: (f64, f64),
    pub(super) start: Option<f64>,
    pub(super) scale: Scale,
    /// The values where it is not tuned; `None` of strengths, which are found.
    pub(super) own: Option<Arc<[f64]>>,
    /// Its entries: 1, or those of a vector; of the classes' weights all but the first.
    pub(super) count: usize,
    /// The entry of each coordinate, where they share them.
    pub(super) ties: Option<Arc<[u32]>>,
}

impl Resolved {
    /// Whether its first value is 1 and has no place.
    fn has_unit(&self) -> bool {
        self.hyperparameter == Hyperparameter::ClassWeights
    }

    /// The number of its values: its entries, and a first one that has no place.
    pub(super) fn values(&self) -> usize {
        self.count + usize::from(self.has_unit())
    }

    /// All values, from those of its entries.
    pub(super) fn with_unit(&self, entries: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let unit = self.has_unit().then_some(1.0);
        unit.into_iter().chain(entries).collect()
    }

    /// The slopes of all values, from those of its entries: where a common factor changes nothing, they add
    /// up to zero.
    pub(super) fn slopes(&self, entries: &[f64]) -> Vec<f64> {
        let first = self.has_unit().then(|| -entries.iter().sum::<f64>());
        first.into_iter().chain(entries.iter().copied()).collect()
    }

    /// The strength of each coordinate, from those of the entries.
    pub(super) fn expanded(&self, entries: &[f64]) -> Vec<f64> {
        match &self.ties {
            None => entries.to_vec(),
            Some(ties) => ties.iter().map(|&entry| entries[entry as usize]).collect(),
        }
    }

    /// The sums over the coordinates of every entry.
    pub(super) fn gathered(&self, of_coordinates: impl Iterator<Item = f64>) -> Vec<f64> {
        let Some(ties) = &self.ties else {
            return of_coordinates.collect();
        };
        let mut sums = vec![0.0; self.count];
        for (&entry, value) in ties.iter().zip(of_coordinates) {
            sums[entry as usize] += value;
        }
        sums
    }
}
