//! Names of the entries of vectors: coefficients, strengths, classes; and any name as a terminal may
//! be shown it.

use std::borrow::Cow;

use super::Report;
use crate::hypergrad::{Warning, WarningKind, constant_columns};
use crate::model::penalty::Penalty;

/// Text of one line that a terminal shows and does not obey: control characters and those that turn
/// the direction of writing are escaped, as `\u{1b}`.
///
/// Names of columns, classes, files and studies come from others' data.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// The same for text of several lines: line breaks stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unprintable(c))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Coefficient names in C order: the feature, with `: class` where there are several predictors.
pub fn coefficient_names(features: &[String], classes: Option<&[String]>) -> Vec<String> {
    match classes {
        None => features.to_vec(),
        Some(classes) => features
            .iter()
            .flat_map(|feature| {
                classes
                    .iter()
                    .map(move |class| format!("{feature}: {class}"))
            })
            .collect(),
    }
}

impl Report<'_> {
    /// The class of every predictor, where there is more than one predictor.
    pub(super) fn predictor_classes(&self, target: usize) -> Option<&[String]> {
        if self.study.predictors == 1 {
            return None;
        }
        let classes = self.study.classes.get(target)?.as_ref()?;
        Some(&classes.names)
    }

    /// A warning's message, with the names of the columns that it counts.
    pub(super) fn message<'w>(&self, warning: &'w Warning) -> Cow<'w, str> {
        let constant = &self.prepared.problem.features.constant;
        if warning.kind != WarningKind::ConstantColumn || constant.is_empty() {
            return Cow::Borrowed(&warning.message);
        }
        let names = self.study.feature_names();
        let name = |column: usize| {
            names
                .get(column)
                .map_or_else(String::new, |n| format!("'{n}'"))
        };
        Cow::Owned(constant_columns(constant, name))
    }

    /// The names of the coefficients of one target.
    pub(super) fn coefficient_names(&self, target: usize) -> Vec<String> {
        coefficient_names(self.study.feature_names(), self.predictor_classes(target))
    }

    /// The names of the intercepts of one target; none without an intercept.
    pub(super) fn intercept_names(&self, target: usize) -> Vec<String> {
        if !self.study.scaling().intercept {
            return Vec::new();
        }
        match self.predictor_classes(target) {
            None => vec!["intercept".into()],
            Some(classes) => classes
                .iter()
                .map(|class| format!("intercept: {class}"))
                .collect(),
        }
    }

    /// The names of the entries of a vector of strengths.
    pub(super) fn strength_names(&self, target: usize) -> Vec<String> {
        match &self.prepared.problem.penalty {
            Penalty::Group { groups, .. } => {
                (0..groups.len()).map(|g| format!("group {g}")).collect()
            }
            _ => self.coefficient_names(target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_rest_is_kept() {
        assert!(matches!(printable("höhe, \"cm\" ²"), Cow::Borrowed(_)));
        for (raw, shown) in [
            ("\x1b[2Ja", "\\u{1b}[2Ja"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{9b}31m\u{7f}\u{7}", "\\u{9b}31m\\u{7f}\\u{7}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
        ] {
            assert_eq!(printable(raw), shown);
        }
        assert_eq!(printable_lines("a\n\x1bb\n"), "a\n\\u{1b}b\n");
    }
}
