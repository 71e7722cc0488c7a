//! Studies and points as the plan of a store says them.

use crate::error::Result;
use crate::hypergrad::Settings;
use crate::problem::{Point, Problem};
use crate::sweep::folds::Fold;
use crate::sweep::study::{ClassWeighting, Study};

/// The study that a problem states: its own criterion, or folds.
///
/// # Errors
/// Those of [`Problem::specification`].
pub(super) fn restated(
    problem: &Problem,
    folds: Option<Vec<Fold>>,
    settings: &Settings,
) -> Result<Study> {
    let mut specification = problem.specification()?;
    let factors = specification.weight_factors.take();
    let targets = (0..specification.train.targets.len()).map(|at| at.to_string());
    Ok(Study {
        targets: targets.collect(),
        class_weights: factors.map(ClassWeighting::Given),
        settings: settings.clone(),
        precision: settings.precision,
        ..Study::new(
            specification,
            folds.unwrap_or_else(|| vec![Fold::of_all_rows()]),
        )
    })
}

/// A point in words; a hash stands for what it has of its own.
pub(super) fn in_words(point: &Point) -> String {
    let (l1, l2, target) = (point.l1, point.l2, point.target);
    let mut text = format!("l1 {l1}, l2 {l2}, target {target}");
    if point.has_own() {
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{point:?}").as_bytes());
        text.push_str(&format!(", its own ({hash:016x})"));
    }
    text
}
