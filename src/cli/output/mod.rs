//! The output of a command: a report of outcomes as a table, JSON or CSV, to a file or to standard
//! output.

mod charts;
mod chosen;
mod cleaned;
mod csv;
mod edge;
mod influence;
mod information;
mod json;
mod meta;
mod names;
mod npy;
mod pages;
mod polished;
mod records;
mod report;
mod scores;
mod stability;
#[cfg(feature = "store")]
mod stored;
#[cfg(not(feature = "store"))]
#[path = "no_store.rs"]
mod stored;
mod subject;
mod summary;
mod table;
mod tuned;
mod write;

pub use charts::{Coefficients, FitPage, FittedTarget, write_report};
pub use chosen::{Chosen, choices_table};
pub use cleaned::CleanedReport;
pub use csv::{number, write as csv_text};
pub use influence::{InfluenceReport, RowGroups};
pub use json::{SCHEMA, one_line};
pub use meta::{CurvePoint, MetaReport};
pub use names::coefficient_names;
pub use npy::write_npy;
pub use pages::{ReportFolder, is_of_report};
pub use polished::Polished;
pub use report::{Beside, Report, by_criterion};
pub use scores::{Known, RowParts, Scores, Tested, linear_predictors};
pub use stored::{open_store, open_tuning, report_so_far};
pub use summary::Summary;
pub use table::{plain, titled};
pub use tuned::{TunedReport, range_text};
pub use write::{Rendered, write, write_or_show, write_text};
#[cfg(feature = "store")]
pub use {records::shard_record, stored::ON_A_PAGE, stored::checked, stored::swept};
