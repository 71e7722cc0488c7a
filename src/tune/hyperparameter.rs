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
    }
}

impl Hyperparameter {
    /// The part of a hypergradient that it needs.
    pub(super) fn wrt(self) -> Wrt {
        match self {
            Self::L2 | Self::L2Each | Self::L2Group | Self::L2Class => Wrt::L2,
            Self::L1 | Self::L1Each | Self::L1Group => Wrt::L1,
        }
    }

    /// Whether it is a vector.
    #[must_use]
    pub fn is_vector(self) -> bool {
        !matches!(self, Self::L1 | Self::L2)
    }

    /// The hyperparameter that all entries of a vector have in common; itself, if it is none.
    #[must_use]
    pub fn in_common(self) -> Self {
        match self.wrt() {
            Wrt::L2 => Self::L2,
            _ => Self::L1,
        }
    }
}
