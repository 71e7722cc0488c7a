//! Flags → checked problem, points and settings.

mod basis;
mod bounds;
mod classes;
mod data;
mod dealing;
mod defaults;
mod file;
mod flags;
mod offset;
mod plan;
mod points;
mod precedence;
mod prepared;
mod prior;
mod provenance;
mod settings;
mod study;
mod tasks;

pub use data::{Taken, read_labels, read_options, read_tables, read_test, side_options};
pub use dealing::{check_dealing, dealt};
pub use defaults::{SINGLE_SHARE, in_ratio, single_ridge};
pub use file::Described;
#[cfg(feature = "store")]
pub use file::{GivenBeside, stored};
pub use offset::read_offset;
pub use plan::{
    Parts, Planned, SpaceFlags, check_adaptive, fit_space, planned, planned_fit, study_of,
};
pub use points::{points, points_of, single};
pub use prepared::Prepared;
pub use settings::settings;
pub use study::{Rows, Study};
pub use tasks::{TaskChoice, Tasks, column_of};
