//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod certificates;
mod contract;
mod data;
mod experiments;
mod files;
mod models;
mod output;
mod splits;
mod strengths;
mod support;
mod usage;
mod weights;
