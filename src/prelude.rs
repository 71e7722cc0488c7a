//! The names that most programs need: `use proxdiff::prelude::*;`.

pub use crate::control::Control;
pub use crate::data::{RowMajor, ToMatrix, ToTargets, Triplets};
pub use crate::error::{Error, Result};
pub use crate::exec::Device;
pub use crate::hypergrad::{Evaluator, Hypergradient, Outcome, Settings, Strengths, WarmStart};
pub use crate::kinds::{Method, Precision, Solver, Status, Wrt};
pub use crate::model::loss::Loss;
pub use crate::model::penalty::{Groups, Penalty};
pub use crate::problem::{Point, Problem, ProblemBuilder, Sign, Specification};
