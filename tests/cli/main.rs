//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod certificates;
mod clean;
mod columns;
mod contract;
mod data;
mod experiments;
mod factors;
mod files;
mod influence;
mod meta;
mod models;
mod output;
mod readme;
mod remedies;
mod scores;
mod splits;
mod strengths;
mod support;
mod tune;
mod usage;
mod weights;
