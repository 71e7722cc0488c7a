//! Factors: columns of text, which features stand for, one per level.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A column of text that is one feature per level: 1 in the rows of the level, 0 in the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// The name of the column.
    pub name: String,
    /// Its levels, in the order of their features.
    pub levels: Vec<String>,
}

impl Factor {
    /// The name of the feature of a level: `city=Wien`.
    #[must_use]
    pub fn feature(&self, level: &str) -> String {
        format!("{}={level}", self.name)
    }
}

/// The names of the columns that features come from: those of one factor are one column.
pub(super) fn columns_of(features: &[String], factors: &[Factor]) -> Vec<String> {
    let mut columns = Vec::with_capacity(features.len());
    let mut factors = factors.iter().peekable();
    let mut at = 0;
    while at < features.len() || factors.peek().is_some_and(|one| one.levels.is_empty()) {
        let is_next = |factor: &&Factor| match factor.levels.first() {
            Some(level) => features.get(at) == Some(&factor.feature(level)),
            // Where all cells are missing there are no features.
            None => true,
        };
        let (name, width) = match factors.next_if(is_next) {
            Some(factor) => (&factor.name, factor.levels.len()),
            None => (&features[at], 1),
        };
        columns.push(name.clone());
        at += width;
    }
    columns
}

/// The order of levels: as numbers where all are numbers, and else as text.
pub(super) fn in_order(levels: &[String]) -> Vec<usize> {
    let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse().ok()).collect();
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|&a, &b| {
        let by_number = numbers
            .as_ref()
            .map_or(Ordering::Equal, |n| n[a].total_cmp(&n[b]));
        by_number.then_with(|| levels[a].cmp(&levels[b]))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_of_a_factor_are_one_column() {
        let texts = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        let factor = |name: &str, levels: &[&str]| Factor {
            name: name.into(),
            levels: texts(levels),
        };
        let features = texts(&["age", "city=Graz", "city=Wien", "size", "kind=a"]);
        let factors = [factor("city", &["Graz", "Wien"]), factor("kind", &["a"])];
        assert_eq!(
            columns_of(&features, &factors),
            ["age", "city", "size", "kind"]
        );
        assert_eq!(columns_of(&features, &[]), features);
    }
}
