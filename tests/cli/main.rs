//! The command line from outside: the contract of its JSON, usage errors, models, interruptions.

mod certificates;
mod choices;
mod clean;
mod columns;
mod contract;
mod data;
mod experiments;
mod factors;
mod files;
mod folds;
mod influence;
mod meta;
mod missing;
mod models;
mod output;
mod readme;
mod remedies;
mod scores;
mod splits;
mod stages;
mod stored;
mod strengths;
mod support;
mod tune;
mod usage;
mod weights;
