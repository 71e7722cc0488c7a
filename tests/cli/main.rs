//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod contract;
mod data;
mod experiments;
mod files;
mod models;
mod output;
mod support;
mod usage;
