//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod columns;
mod contract;
mod data;
mod experiments;
mod models;
mod output;
mod readme;
mod remedies;
mod support;
mod usage;
