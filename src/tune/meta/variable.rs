//! The variables that are learned from many tasks.

use crate::kinds::tag;

tag! {
    /// A hyperparameter that tasks have in common.
    pub enum MetaVariable {
        /// The prior mean c.
        Prior = "prior";
        /// The factor l1.
        L1 = "l1";
        /// The ridge strength λ₂.
        L2 = "l2";
    }
}
