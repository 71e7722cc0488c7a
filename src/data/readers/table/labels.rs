//! A column of labels as it fills.

use crate::data::dataset::Labels;
use crate::data::labels::labels_of;
use crate::real::shortest;

/// Labels of one column: numbers until the first text comes.
#[derive(Debug)]
pub(super) enum Labelling {
    /// Finite numbers that f64 tells apart.
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Labelling {
    pub(super) fn new() -> Self {
        Self::Numbers(Vec::new())
    }

    pub(super) fn push_number(&mut self, value: f64) {
        match self {
            Self::Numbers(values) => values.push(value),
            Self::Texts(texts) => texts.push(shortest(value)),
        }
    }

    pub(super) fn push_text(&mut self, text: String) {
        if let Self::Numbers(values) = self {
            *self = Self::Texts(values.iter().map(|&value| shortest(value)).collect());
        }
        if let Self::Texts(texts) = self {
            texts.push(text);
        }
    }

    /// Those that are numbers, or may be written so.
    pub(super) fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Numbers(values) => values.clone(),
            Self::Texts(texts) => texts.iter().filter_map(|text| text.parse().ok()).collect(),
        }
    }

    /// Those of one file among several: as they are written, because all of them tell whether they are numbers.
    pub(super) fn written(self) -> Labels {
        match self {
            Self::Numbers(values) => Labels::Numbers(values),
            Self::Texts(texts) => Labels::Text(texts),
        }
    }

    pub(super) fn finish(self) -> Labels {
        match self {
            Self::Numbers(values) => Labels::Numbers(values),
            Self::Texts(texts) => labels_of(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_needs_its_digits_makes_text_of_those_before() {
        let mut labels = Labelling::new();
        labels.push_number(5.0);
        labels.push_text("1234567890123456781".into());
        labels.push_number(-2.0);
        let expected = ["5", "1234567890123456781", "-2"].map(String::from);
        assert_eq!(labels.finish(), Labels::Text(expected.to_vec()));
        let mut labels = Labelling::new();
        labels.push_text("1.50".into());
        labels.push_number(2.0);
        assert_eq!(labels.finish(), Labels::Numbers(vec![1.5, 2.0]));
    }
}
