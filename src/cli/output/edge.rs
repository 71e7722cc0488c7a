//! Remarks on the best point of a sweep, and on cells that failed.

use crate::hypergrad::WarningKind;
use crate::kinds::Status;
use crate::sweep::edge::{Edge, End, edges};
use crate::sweep::record::Study;
use crate::sweep::summary::PointSummary;

/// The remarks on a best point of a sweep over folds or a hold-out, a line each: the edges that it lies
/// on, and over folds, where no solution is shown by itself, that its coefficients are not unique.
pub(super) fn remarks(study: &Study, best: &PointSummary) -> Vec<String> {
    let edges = edges(study, best.point, best.numbers());
    let can_tune = !study.is_adaptive();
    let mut lines: Vec<String> = edges.into_iter().map(|edge| line(edge, can_tune)).collect();
    let is_not_unique = |kind: &String| kind == WarningKind::NotUnique.name();
    if study.folds.len() > 1 && best.warnings.iter().any(is_not_unique) {
        lines.push(
            "the best point's coefficients are not unique, because columns depend on each other: choose \
             l2 > 0, or drop dependent columns"
                .into(),
        );
    }
    lines
}

fn line(edge: Edge, can_tune: bool) -> String {
    let name = edge.strength;
    let (end, beyond) = match edge.end {
        End::Smallest => ("smallest", "smaller"),
        End::Largest => ("largest", "larger"),
    };
    format!(
        "the best {name} is the {end} of the sweep, and its hypergradient says that {beyond} ones would do \
         better: extend --{name}{}",
        if can_tune {
            ", or let 'proxdiff tune' find it"
        } else {
            ""
        }
    )
}

/// Remedies for cells that failed in these ways.
pub(super) fn remedies(statuses: impl Iterator<Item = Status>) -> String {
    let mut remedies: Vec<&str> = statuses
        .map(|status| match status {
            Status::Running | Status::BudgetSpent => "raise --max-steps",
            Status::Stalled => "use --precision f64 if it is f32, raise --l2, or give --tol",
            Status::Diverged => "raise --l2",
            Status::NonFinite | Status::Converged => "bring the data to a smaller scale",
        })
        .collect();
    remedies.sort_unstable();
    remedies.dedup();
    remedies.join("; ")
}
