//! Sweeps through the command line: against scikit-learn, interrupted, shared, damaged.

#[path = "../cli/support.rs"]
#[allow(dead_code)] // each test program uses its own part
mod support;

mod agreement;
mod alterations;
mod choices;
mod clocks;
mod comparisons;
mod configuration;
mod destruction;
mod golden;
mod limits;
mod mending;
mod plans;
mod races;
mod reports;
mod scale;
mod shards;
mod signals;
mod stability;
mod stores;
mod table;
