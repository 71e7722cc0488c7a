//! The variables that are learned from many tasks, and the priors that they may have.

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

tag! {
    /// A prior of tasks.
    pub enum MetaPrior {
        /// That which was learned.
        Learned = "meta";
        /// The mean of the tasks' own solutions.
        MeanOfSolutions = "around_mean";
        /// None: zero, or the prior that the tasks have.
        Zero = "alone";
    }
}
