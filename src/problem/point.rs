//! The point: the hyperparameters of one member of a batch, and what it has of its own.

use std::sync::Arc;

use super::Strengths;

/// A point of hyperparameters: one member of a batch over one problem.
///
/// Beside λ it may have strengths, ridge strengths, a prior, weights of the training rows and weights of the
/// criterion's rows of its own, each in place of the problem's. So folds, bootstrap repetitions,
/// candidates of weighted penalties and cleaned rows are members of one batch over one design.
/// Clones share them.
///
/// ```
/// use proxdiff::problem::Point;
/// let fold = Point::new(0.1, 0.01)
///     .with_weights(vec![1.0, 1.0, 1.0, 0.0])
///     .with_criterion_weights(vec![0.0, 0.0, 0.0, 1.0]);
/// let candidate = Point::new(vec![0.1, 0.3, 0.0], 0.01);
/// # assert!(fold.weights().is_some() && candidate.strengths().is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// The factor of all l1 strengths, not negative; 1 beside strengths of its own.
    pub l1: f64,
    /// The ridge strength λ₂, not negative; the factor of all where there are several, and 1 beside
    /// ridge strengths of its own.
    pub l2: f64,
    /// The target, by its position.
    pub target: usize,
    own: Option<Arc<Own>>,
}

/// The parts of a problem that a point brings itself.
#[derive(Debug, Clone, PartialEq, Default)]
struct Own {
    strengths: Option<Arc<[f64]>>,
    ridge: Option<Arc<[f64]>>,
    prior: Option<Arc<[f64]>>,
    weights: Option<Arc<[f64]>>,
    criterion_weights: Option<Arc<[f64]>>,
}

impl Point {
    /// A point of the first target: `l1` is one number for the problem's strengths, or a vector of
    /// strengths of the point's own as [`Self::with_strengths`] takes it, with the factor 1. So is
    /// `l2` one number, or a vector as [`Self::with_ridge`] takes it.
    #[must_use]
    pub fn new(l1: impl Into<Strengths>, l2: impl Into<Strengths>) -> Self {
        let (l1, l2) = (l1.into(), l2.into());
        let factor = |strengths: &Strengths| match strengths {
            Strengths::Common(value) => *value,
            Strengths::Each(_) => 1.0,
        };
        let mut point = Self {
            l1: factor(&l1),
            l2: factor(&l2),
            ..Self::default()
        };
        if let Strengths::Each(strengths) = l1 {
            point = point.with_strengths(strengths);
        }
        if let Strengths::Each(strengths) = l2 {
            point = point.with_ridge(strengths);
        }
        point
    }

    /// The same for another target, from 0.
    #[must_use]
    pub fn of_target(self, target: usize) -> Self {
        Self { target, ..self }
    }

    /// The same with strengths at l1 = 1 of its own, in place of those of the penalty: one a
    /// penalised coordinate (weighted), one a group (group with strengths), or that of the
    /// coordinates and one a group (sparse group).
    #[must_use]
    pub fn with_strengths(mut self, strengths: impl Into<Arc<[f64]>>) -> Self {
        self.own_mut().strengths = Some(strengths.into());
        self
    }

    /// The same with ridge strengths at l2 = 1 of its own, in place of those of the problem, which
    /// say what coordinates each is for.
    #[must_use]
    pub fn with_ridge(mut self, strengths: impl Into<Arc<[f64]>>) -> Self {
        self.own_mut().ridge = Some(strengths.into());
        self
    }

    /// The same with a prior mean c of its own, one entry a penalised coordinate, in units of the
    /// scaled columns.
    #[must_use]
    pub fn with_prior(mut self, prior: impl Into<Arc<[f64]>>) -> Self {
        self.own_mut().prior = Some(prior.into());
        self
    }

    /// The same with sample weights of its own, one a training row. They are divided by their mean,
    /// as the problem's are; centre and scale of the columns stay the problem's.
    #[must_use]
    pub fn with_weights(mut self, weights: impl Into<Arc<[f64]>>) -> Self {
        self.own_mut().weights = Some(weights.into());
        self
    }

    /// The same with weights of the criterion's rows of its own, for example a mask of zeros and
    /// ones. They are divided by their mean.
    #[must_use]
    pub fn with_criterion_weights(mut self, weights: impl Into<Arc<[f64]>>) -> Self {
        self.own_mut().criterion_weights = Some(weights.into());
        self
    }

    /// Strengths at l1 = 1 of its own.
    #[must_use]
    pub fn strengths(&self) -> Option<&[f64]> {
        self.own.as_ref()?.strengths.as_deref()
    }

    /// Ridge strengths at l2 = 1 of its own.
    #[must_use]
    pub fn ridge(&self) -> Option<&[f64]> {
        self.own.as_ref()?.ridge.as_deref()
    }

    /// A prior mean of its own.
    #[must_use]
    pub fn prior(&self) -> Option<&[f64]> {
        self.own.as_ref()?.prior.as_deref()
    }

    /// Sample weights of its own.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.own.as_ref()?.weights.as_deref()
    }

    /// Weights of the criterion's rows of its own.
    #[must_use]
    pub fn criterion_weights(&self) -> Option<&[f64]> {
        self.own.as_ref()?.criterion_weights.as_deref()
    }

    /// True where the point has anything in place of the problem's.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.own.is_some()
    }

    /// True where it weights rows by itself.
    pub(crate) fn has_own_rows(&self) -> bool {
        self.weights().is_some() || self.criterion_weights().is_some()
    }

    /// The addresses of its weights and criterion weights, 0 for none: equal for clones.
    pub(crate) fn row_addresses(&self) -> [usize; 2] {
        [self.weights(), self.criterion_weights()].map(address)
    }

    /// The addresses of all that it has of its own, 0 for none: equal for clones.
    pub(crate) fn addresses(&self) -> [usize; 5] {
        let [weights, criterion_weights] = self.row_addresses();
        let own = [self.strengths(), self.ridge(), self.prior()];
        let [strengths, ridge, prior] = own.map(address);
        [weights, criterion_weights, strengths, ridge, prior]
    }

    fn own_mut(&mut self) -> &mut Own {
        Arc::make_mut(self.own.get_or_insert_default())
    }
}

fn address(part: Option<&[f64]>) -> usize {
    part.map_or(0, |part| part.as_ptr() as usize)
}
