//! Flags → checked problem, points and settings.

mod classes;
mod data;
mod described;
mod file;
mod origin;
mod plan;
mod points;
mod precedence;
mod settings;
mod study;

pub use data::{read_options, read_test, side_options};
pub use file::studies;
pub use plan::{Planned, planned};
pub use points::{Defaults, points};
pub use settings::settings;
pub use study::{Prepared, Rows, Study};
