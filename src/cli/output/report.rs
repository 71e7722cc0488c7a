//! Outcomes with what names and explains them.

use serde_json::{Map, Value};

use crate::cli::configuration::{Prepared, Study};
use crate::cli::runtime::Runtime;
use crate::hypergrad::{Outcome, Settings};

/// Outcomes with what is needed to name and explain them.
pub struct Report<'a> {
    /// Data, names and classes.
    pub study: &'a Study<'a>,
    /// The problem that was solved.
    pub prepared: &'a Prepared,
    /// The solver and the derivative.
    pub settings: &'a Settings,
    /// The threads and the device.
    pub runtime: &'a Runtime,
    /// One outcome per point, in the order of the points.
    pub outcomes: &'a [&'a Outcome],
    /// The best points first: tables show only these.
    pub best: Option<&'a [usize]>,
    /// Show coefficients.
    pub coefficients: bool,
    /// Show every diagnostic in tables.
    pub diagnostics: bool,
    /// The part that the command shows beside them, if any.
    pub beside: Option<&'a Beside>,
}

/// The part that a command shows beside its outcomes.
#[derive(Debug, Default)]
pub struct Beside {
    /// Text above the tables.
    pub above: String,
    /// Text below them.
    pub below: String,
    /// Further fields of the JSON.
    pub fields: Map<String, Value>,
}

impl Report<'_> {
    /// The target's name where there are several.
    pub(super) fn target(&self, outcome: &Outcome) -> Option<&str> {
        let targets = &self.study.tables().all.targets;
        (targets.len() > 1).then(|| targets[outcome.point.target].name.as_str())
    }
}

/// The numbers of the points by increasing criterion; those that did not converge come after all that did,
/// and last those without a finite criterion.
pub fn by_criterion(outcomes: &[&Outcome]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    let rank = |at: usize| match outcomes[at] {
        outcome if !outcome.criterion.is_finite() => 2,
        outcome if !outcome.is_solved() => 1,
        _ => 0,
    };
    order.sort_by(|&a, &b| {
        let criteria = outcomes[a].criterion.total_cmp(&outcomes[b].criterion);
        rank(a).cmp(&rank(b)).then(criteria)
    });
    order
}
