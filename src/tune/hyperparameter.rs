//! The hyperparameters that can be tuned, by their names.

use crate::kinds::{Wrt, tag};

tag! {
    /// A hyperparameter that can be tuned.
    #[non_exhaustive]
    pub enum Hyperparameter {
        /// The common l1 strength.
        L1 = "l1", "the common l1 strength";
        /// The ridge strength λ₂.
        L2 = "l2", "the ridge strength";
        /// One l1 strength for each coordinate.
        L1Each = "l1[]", "one l1 strength for each coefficient";
        /// One l1 strength for each group; of a sparse group penalty also that of the coordinates.
        L1Group = "l1[group]", "one l1 strength for each group";
        /// One ridge strength for each coordinate.
        L2Each = "l2[]", "one ridge strength for each coefficient";
        /// One ridge strength for each group of the penalty.
        L2Group = "l2[group]", "one ridge strength for each group";
        /// One ridge strength for each class of the multinomial loss.
        L2Class = "l2[class]", "one ridge strength for each class";
        /// The place δ from which on the Huber loss of the fit is linear.
        HuberDelta = "huber-delta", "the place where the Huber loss turns linear";
        /// The weights of the classes, of which the first one stays.
        ClassWeights = "class-weights", "the weights of the classes";
        /// The prior mean, one entry for each coordinate.
        Prior = "prior", "one prior mean for each coefficient";
    }
}

impl Hyperparameter {
    /// The part of a hypergradient that it needs.
    pub(super) fn wrt(self) -> Wrt {
        match self {
            Self::L2 | Self::L2Each | Self::L2Group | Self::L2Class => Wrt::L2,
            Self::L1 | Self::L1Each | Self::L1Group => Wrt::L1,
            Self::HuberDelta => Wrt::HuberDelta,
            Self::ClassWeights => Wrt::ClassWeights,
            Self::Prior => Wrt::Prior,
        }
    }

    /// Its place in the order of the variables: l1 first, along which kinks lie close.
    pub(super) fn order(self) -> usize {
        match self.wrt() {
            Wrt::L1 => 0,
            Wrt::L2 => 1,
            Wrt::HuberDelta => 2,
            Wrt::ClassWeights => 3,
            _ => 4,
        }
    }

    /// Whether it is an l1 strength or a ridge strength, or a vector of them.
    #[must_use]
    pub fn is_strength(self) -> bool {
        matches!(self.wrt(), Wrt::L1 | Wrt::L2)
    }

    /// Whether it is greater than zero, and tuned on a logarithmic scale.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self != Self::Prior
    }

    /// Whether it is a vector.
    #[must_use]
    pub fn is_vector(self) -> bool {
        !matches!(self, Self::L1 | Self::L2 | Self::HuberDelta)
    }

    /// The strength that all entries of a vector of strengths have in common; itself, if it is none.
    #[must_use]
    pub fn in_common(self) -> Self {
        match self.wrt() {
            Wrt::L1 => Self::L1,
            Wrt::L2 => Self::L2,
            _ => self,
        }
    }
}
