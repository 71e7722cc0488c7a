//! Class labels: from a target's numbers or text to the codes that the losses take.

use std::collections::HashMap;
use std::str::FromStr;

use super::dataset::{Labels, Target};
use crate::error::{Error, Result};

/// The classes of a classification target, in their order: numeric labels ascend as numbers, text
/// labels as text. The order fixes the codes, so a model keeps the classes it was trained with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// The labels as text; a whole number is written without a fraction.
    pub names: Vec<String>,
}

/// Weights of classes.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// n/(c·n_k) for each of the n_k rows of class k: every class has the same total.
    Balanced,
    /// The weight of the named classes, 1 for the others.
    Given(Vec<(String, f64)>),
}

impl FromStr for ClassWeights {
    type Err = Error;

    /// `balanced`, or `NAME=WEIGHT,NAME=WEIGHT`.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "balanced" {
            return Ok(Self::Balanced);
        }
        let malformed = |part: &str| {
            Error::value(
                "class weights",
                format!("\"{part}\" is not NAME=WEIGHT"),
                "write balanced, or a list such as spam=2,ham=0.5",
            )
        };
        text.split(',')
            .map(|part| {
                // A name may contain an equals sign; a weight cannot.
                let (name, weight) = part.rsplit_once('=').ok_or_else(|| malformed(part))?;
                let weight = weight.trim().parse().map_err(|_| malformed(part))?;
                Ok((name.trim().to_string(), weight))
            })
            .collect::<Result<_>>()
            .map(Self::Given)
    }
}

/// A numeric label as a class name; −0 is 0.
fn name_of(value: f64) -> String {
    (value + 0.0).to_string()
}

/// The class names of labels, row by row.
pub(crate) fn names_of(labels: &Labels) -> Vec<String> {
    match labels {
        Labels::Numbers(values) => values.iter().map(|&value| name_of(value)).collect(),
        Labels::Text(values) => values.clone(),
    }
}

/// The classes that occur in `labels`.
///
/// # Errors
/// [`Error::Value`] when fewer than two occur, or a numeric label is not finite.
pub fn classes_of(labels: &Labels) -> Result<Classes> {
    let names: Vec<String> = match labels {
        Labels::Numbers(values) => {
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::value(
                    "class labels",
                    format!("row {} is {}", i + 1, values[i]),
                    "replace or drop missing and infinite labels",
                ));
            }
            let mut values = values.clone();
            values.sort_unstable_by(f64::total_cmp);
            // −0 and 0 are neighbours, and equal.
            values.dedup();
            values.into_iter().map(name_of).collect()
        }
        Labels::Text(values) => {
            let mut values: Vec<&String> = values.iter().collect();
            values.sort_unstable();
            values.dedup();
            values.into_iter().cloned().collect()
        }
    };
    if names.len() < 2 {
        let found = names.first().map_or_else(
            || "there is no label".to_string(),
            |name| format!("{} is the only class", quote(name)),
        );
        return Err(Error::value(
            "class labels",
            found,
            "give rows of two classes or more, or choose another target",
        ));
    }
    Ok(Classes { names })
}

/// Labels from their text: numbers where f64 tells all of them from each other, or text.
///
/// `1`, `1.0` and `1.000e+00` are one number. `01`, `1e3` and whole numbers from 2⁵³ on are names.
#[must_use]
pub fn labels_of(texts: Vec<String>) -> Labels {
    let numbers: Option<Vec<f64>> = texts.iter().map(|text| number_of(text)).collect();
    numbers.map_or(Labels::Text(texts), Labels::Numbers)
}

/// The number that a label is, unless another text could be the same one by rounding or by its form.
fn number_of(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    // printf's %e writes a number in this form.
    if let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) {
        let (whole, fraction) = mantissa.split_once('.')?;
        let signed = exponent.strip_prefix(['-', '+'])?;
        let is_printed = whole.len() == 1 && !fraction.is_empty() && signed.len() >= 2;
        return is_printed.then_some(value);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    let fraction = fraction.trim_end_matches('0');
    let shortest = value.abs().to_string();
    let (own_whole, own_fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let whole = if whole.is_empty() { "0" } else { whole };
    let is_same = whole == own_whole && fraction == own_fraction;
    (is_same && !is_padded).then_some(value)
}

/// The numbers that texts are, or the index of the first text that is not a number.
pub(crate) fn parsed(texts: &[String]) -> std::result::Result<Vec<f64>, usize> {
    texts
        .iter()
        .enumerate()
        .map(|(i, text)| text.parse().ok().filter(|v: &f64| v.is_finite()).ok_or(i))
        .collect()
}

/// The values of a regression target.
///
/// # Errors
/// [`Error::Value`] naming the target and the first label that is not a number.
pub fn numbers(target: &Target) -> Result<Vec<f64>> {
    match &target.values {
        Labels::Numbers(values) => Ok(values.clone()),
        Labels::Text(values) => parsed(values).map_err(|i| {
            Error::value(
                format!("target {}", quote(&target.name)),
                format!("row {} is {}, not a number", i + 1, quote(&values[i])),
                "choose a numeric target, or a loss for classes: logistic, squared-hinge, multinomial",
            )
        }),
    }
}

impl Classes {
    /// Number of classes c.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there is no class.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every label's index into [`Classes::names`].
    fn indices(&self, labels: &Labels) -> Result<Vec<usize>> {
        let codes: HashMap<&str, usize> = self
            .names
            .iter()
            .enumerate()
            .map(|(code, name)| (name.as_str(), code))
            .collect();
        names_of(labels)
            .iter()
            .enumerate()
            .map(|(row, name)| {
                codes.get(name.as_str()).copied().ok_or_else(|| {
                    Error::value(
                        "class labels",
                        format!(
                            "row {} has class {}, which training has not seen; it has {}",
                            row + 1,
                            quote(name),
                            list(&self.names)
                        ),
                        "drop the rows of that class, or train with some of them",
                    )
                })
            })
            .collect()
    }

    /// Labels of two classes as −1 (the first) and 1 (the second).
    ///
    /// # Errors
    /// [`Error::Value`] when there are not two classes, or a label is of neither.
    pub fn encode_binary(&self, labels: &Labels) -> Result<Vec<f64>> {
        if self.names.len() != 2 {
            return Err(Error::value(
                "class labels",
                format!(
                    "there are {} classes, {}, where the loss takes two",
                    self.names.len(),
                    list(&self.names)
                ),
                "use the multinomial loss, or keep the rows of two classes",
            ));
        }
        let indices = self.indices(labels)?;
        Ok(indices.into_iter().map(|k| [-1.0, 1.0][k]).collect())
    }

    /// Labels as class indices 0, 1, …, c − 1.
    ///
    /// # Errors
    /// [`Error::Value`] when a label is of none of the classes.
    pub fn encode_indices(&self, labels: &Labels) -> Result<Vec<f64>> {
        let indices = self.indices(labels)?;
        Ok(indices.into_iter().map(|k| k as f64).collect())
    }

    /// One weight per row from the weight of its class; multiply it with the row's own weight.
    ///
    /// # Errors
    /// [`Error::Value`] when a label or a named class is unknown, a class is named twice, or a
    /// weight is negative or not finite.
    pub fn class_weights(&self, labels: &Labels, weights: &ClassWeights) -> Result<Vec<f64>> {
        let indices = self.indices(labels)?;
        let per_class = match weights {
            ClassWeights::Balanced => {
                let mut counts = vec![0usize; self.names.len()];
                indices.iter().for_each(|&k| counts[k] += 1);
                let total = (indices.len() as f64) / self.names.len() as f64;
                // A class without rows divides by zero, but then no row takes its weight.
                counts.iter().map(|&count| total / count as f64).collect()
            }
            ClassWeights::Given(given) => self.given_weights(given)?,
        };
        Ok(indices.into_iter().map(|k| per_class[k]).collect())
    }

    fn given_weights(&self, given: &[(String, f64)]) -> Result<Vec<f64>> {
        let mut per_class = vec![None; self.names.len()];
        for (name, weight) in given {
            // A number may be written in another way than the class is called, as +1 is 1.
            let is_meant = |known: &String| {
                known == name || number_of(known).is_some_and(|of| number_of(name) == Some(of))
            };
            let Some(k) = self.names.iter().position(is_meant) else {
                return Err(Error::value(
                    "class weights",
                    format!("there is no class {}", quote(name)),
                    format!("the classes are {}", list(&self.names)),
                ));
            };
            if !(weight.is_finite() && *weight >= 0.0) {
                return Err(Error::value(
                    "class weights",
                    format!("class {} has weight {weight}", quote(name)),
                    "give a finite number, zero or more",
                ));
            }
            if per_class[k].replace(*weight).is_some() {
                return Err(Error::value(
                    "class weights",
                    format!("class {} is named twice", quote(name)),
                    "give each class one weight",
                ));
            }
        }
        Ok(per_class.into_iter().map(|w| w.unwrap_or(1.0)).collect())
    }
}

/// A name or a field for a message: in quotes, on one line; a long one, such as all that follows a
/// quote without an end, is cut.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// Names for a message; a long list is cut.
pub(super) fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| quote(name))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[&str]) -> Labels {
        Labels::Text(values.iter().map(ToString::to_string).collect())
    }

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn numeric_classes_are_sorted_as_numbers_and_text_as_text() {
        let numeric = classes_of(&Labels::Numbers(vec![10.0, 9.0, -1.0, 10.0, 0.5])).unwrap();
        assert_eq!(numeric.names, ["-1", "0.5", "9", "10"]);
        let textual = classes_of(&text(&["9", "b", "10", "b"])).unwrap();
        assert_eq!(textual.names, ["10", "9", "b"]);
        let zeros = classes_of(&Labels::Numbers(vec![-0.0, 0.0, 1.0])).unwrap();
        assert_eq!(zeros.names, ["0", "1"]);
    }

    #[test]
    fn labels_that_a_number_would_merge_are_text() {
        let of = |texts: &[&str]| labels_of(texts.iter().map(ToString::to_string).collect());
        for texts in [
            ["9007199254740993", "5"],
            ["1234567890123456781", "1234567890123456782"],
            ["-9007199254740993", "1"],
            ["01", "1"],
            ["-007", "7"],
            ["1e3", "1000"],
            ["1E5", "2"],
            ["0.1000000000000000001", "0.1"],
            ["a", "1"],
        ] {
            assert_eq!(of(&texts), text(&texts), "{texts:?}");
        }
        for (texts, values) in [
            (["1", "1.0"], [1.0, 1.0]),
            (["+1", "-1"], [1.0, -1.0]),
            (["0", "-0.0"], [0.0, 0.0]),
            (["0.10", ".5"], [0.1, 0.5]),
            (["9007199254740992", "1."], [9_007_199_254_740_992.0, 1.0]),
            (["1.000000000000000000e+00", "-2.5e-01"], [1.0, -0.25]),
            (
                ["0.30000000000000004", "100000000000000000000"],
                [0.1 + 0.2, 1e20],
            ),
        ] {
            assert_eq!(of(&texts), Labels::Numbers(values.to_vec()), "{texts:?}");
        }
        // As a target of a regression all of them are numbers.
        let target = Target {
            name: "y".into(),
            values: of(&["01", "1e3"]),
        };
        assert_eq!(numbers(&target).unwrap(), [1.0, 1000.0]);
    }

    #[test]
    fn codes_follow_the_order_of_the_classes() {
        let labels = text(&["yes", "no", "yes"]);
        let classes = classes_of(&labels).unwrap();
        assert_eq!(classes.encode_binary(&labels).unwrap(), [1.0, -1.0, 1.0]);
        let digits = Labels::Numbers(vec![7.0, 3.0, 5.0]);
        let classes = classes_of(&digits).unwrap();
        assert_eq!(classes.encode_indices(&digits).unwrap(), [2.0, 0.0, 1.0]);
        let minus_zero = Labels::Numbers(vec![-0.0]);
        let binary = classes_of(&Labels::Numbers(vec![0.0, 1.0])).unwrap();
        assert_eq!(binary.encode_binary(&minus_zero).unwrap(), [-1.0]);
    }

    #[test]
    fn labels_that_do_not_fit_are_named() {
        let classes = classes_of(&text(&["a", "b"])).unwrap();
        let unseen = message(classes.encode_binary(&text(&["a", "c"])));
        assert!(
            unseen.contains("row 2 has class \"c\"") && unseen.contains("\"a\", \"b\""),
            "{unseen}"
        );
        let three = classes_of(&text(&["a", "b", "c"])).unwrap();
        let many = message(three.encode_binary(&text(&["a"])));
        assert!(
            many.contains("3 classes") && many.contains("multinomial"),
            "{many}"
        );
        assert!(message(classes_of(&text(&["a", "a"]))).contains("\"a\" is the only class"));
        assert!(message(classes_of(&text(&[]))).contains("no label"));
        assert!(
            message(classes_of(&Labels::Numbers(vec![1.0, f64::NAN]))).contains("row 2 is NaN")
        );
    }

    #[test]
    fn class_weights_balance_or_are_given() {
        let labels = text(&["a", "b", "b", "b"]);
        let classes = classes_of(&labels).unwrap();
        let balanced = classes
            .class_weights(&labels, &ClassWeights::Balanced)
            .unwrap();
        assert_eq!(balanced, [2.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]);
        let given: ClassWeights = "b = 0.5".parse().unwrap();
        let weights = classes.class_weights(&labels, &given).unwrap();
        assert_eq!(weights, [1.0, 0.5, 0.5, 0.5]);

        for (spec, expected) in [
            ("c=1", "no class \"c\""),
            ("a=-1", "weight -1"),
            ("a=inf", "weight inf"),
            ("a=1,a=2", "named twice"),
        ] {
            let spec: ClassWeights = spec.parse().unwrap();
            let message = message(classes.class_weights(&labels, &spec));
            assert!(message.contains(expected), "{message}");
        }
        for spec in ["", "a", "a=", "a=x", "a=1,,b=2"] {
            let message = message(spec.parse::<ClassWeights>());
            assert!(message.contains("NAME=WEIGHT"), "{message}");
        }
    }

    #[test]
    fn a_text_target_is_no_regression_target() {
        let target = Target {
            name: "species".into(),
            values: text(&["1", "setosa"]),
        };
        let message = message(numbers(&target));
        for part in ["target \"species\"", "row 2 is \"setosa\"", "logistic"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
