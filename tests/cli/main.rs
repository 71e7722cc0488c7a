//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod certificates;
mod columns;
mod contract;
mod data;
mod experiments;
mod files;
mod influence;
mod models;
mod output;
mod readme;
mod remedies;
mod splits;
mod strengths;
mod support;
mod tune;
mod usage;
mod weights;
