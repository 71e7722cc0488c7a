//! Flags → checked problem, points and settings.

mod classes;
mod data;
mod defaults;
mod file;
mod plan;
mod points;
mod precedence;
mod provenance;
mod settings;
mod study;
mod tasks;

pub use data::{read_labels, read_options, read_test, side_options};
pub use defaults::{SINGLE_SHARE, single_ridge};
pub use file::Described;
pub use plan::{Parts, Planned, planned, study_of};
pub use points::{are_several, points};
pub use settings::settings;
pub use study::{Prepared, Rows, Study};
pub use tasks::{TaskChoice, Tasks, column_of};
