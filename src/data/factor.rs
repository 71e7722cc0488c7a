//! Factors: columns of text, which features stand for, one per level.

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
    while at < features.len() {
        let first = factors.peek().and_then(|factor| {
            let level = factor.levels.first()?;
            (factor.feature(level) == features[at]).then_some(factor)
        });
        if let Some(factor) = first {
            columns.push(factor.name.clone());
            at += factor.levels.len();
            factors.next();
        } else {
            columns.push(features[at].clone());
            at += 1;
        }
    }
    columns
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
