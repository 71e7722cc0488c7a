//! The name of what a choice of a sweep is of, for people.

use crate::sweep::record::Study;

/// The name of a study, and of its target where it has several.
pub fn subject(study: &Study, target: usize) -> String {
    if study.targets.len() > 1 {
        format!("{}, target {}", study.name, study.targets[target])
    } else {
        study.name.clone()
    }
}
