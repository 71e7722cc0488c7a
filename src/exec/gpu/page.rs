//! Names of pages of designs, and of the rows of minibatches.

/// The page of a design that a dispatch reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageRef {
    /// It reads none.
    None,
    /// A page that stays on the device.
    Resident {
        /// The design.
        design: usize,
        /// The page.
        page: usize,
    },
    /// These rows of a design, brought from the host for this dispatch.
    Rows {
        /// The design.
        design: usize,
        /// The first row.
        start: usize,
        /// Their number.
        rows: usize,
    },
    /// The rows of the ring's minibatches, brought from the host for this block of steps.
    Ring(usize),
}

/// The buffer of words that holds the rows of minibatches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowsKey {
    /// One row of indices per problem.
    pub own: bool,
    /// The buffer's index in its scope.
    pub index: usize,
}
