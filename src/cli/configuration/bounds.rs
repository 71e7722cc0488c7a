//! Bounds and signs of coefficients: from a file, and from names.

use std::collections::HashMap;

use super::Study;
use crate::data::readers;
use crate::error::{Error, Result};
use crate::model::penalty::Penalty;

impl Study<'_> {
    /// The penalty with the bounds of coefficients that the flags give, in the data's units.
    ///
    /// # Errors
    /// [`Error::Value`] and [`Error::Shape`] for names and numbers that do not fit the features; those of
    /// reading the file.
    pub(super) fn bounded(&self, penalty: Penalty, coordinates: usize) -> Result<Penalty> {
        let arguments = self.arguments;
        if arguments.coefficient_bounds.is_none() && arguments.positive.is_empty() {
            return Ok(penalty);
        }
        let mut lower = vec![f64::NEG_INFINITY; coordinates];
        let mut upper = vec![f64::INFINITY; coordinates];
        if arguments.coefficient_bounds.is_some() {
            self.read_bounds(&mut lower, &mut upper)?;
        }
        for name in &arguments.positive {
            for feature in self.features_of(name, "--positive")? {
                for j in self.coefficients_of(feature) {
                    if upper[j] < 0.0 {
                        return Err(Error::value(
                            "--positive",
                            format!("\"{name}\" has the upper bound {}", upper[j]),
                            "leave it out, or change its bound",
                        ));
                    }
                    lower[j] = lower[j].max(0.0);
                }
            }
        }
        penalty.within(lower, upper)
    }

    /// The coefficients of a feature: one for each class.
    fn coefficients_of(&self, feature: usize) -> std::ops::Range<usize> {
        let classes = self.predictors;
        feature * classes..(feature + 1) * classes
    }

    /// The feature of a name, or those of a factor's levels.
    fn features_of(&self, name: &str, flag: &str) -> Result<Vec<usize>> {
        let names = self.feature_names();
        let level = format!("{name}=");
        let found = match names.iter().position(|other| other == name) {
            Some(at) => vec![at],
            None => (0..names.len())
                .filter(|&at| names[at].starts_with(&level))
                .collect(),
        };
        if found.is_empty() {
            let known: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
            let more = if names.len() > known.len() {
                ", …"
            } else {
                ""
            };
            return Err(Error::value(
                flag,
                format!("there is no feature \"{name}\""),
                format!("name one of the features: {}{more}", known.join(", ")),
            ));
        }
        Ok(found)
    }

    fn read_bounds(&self, lower: &mut [f64], upper: &mut [f64]) -> Result<()> {
        let Some(file) = &self.arguments.coefficient_bounds else {
            return Ok(());
        };
        let source = format!("coefficient bounds in {}", file.display());
        let intervals = readers::read_intervals(file)?;
        let (features, coordinates) = (self.feature_names().len(), lower.len());
        if intervals[0].name.is_none() {
            // In order: one per feature, or one per coefficient.
            let each = match intervals.len() {
                count if count == features => self.predictors,
                count if count == coordinates => 1,
                count => {
                    return Err(Error::shape(
                        source,
                        format!("{features}, one line per feature"),
                        count.to_string(),
                        "give a line for every feature in their order, or name the features: \
                         NAME,LOWER,UPPER",
                    ));
                }
            };
            for (at, interval) in intervals.iter().enumerate() {
                lower[at * each..(at + 1) * each].fill(interval.lower);
                upper[at * each..(at + 1) * each].fill(interval.upper);
            }
            return Ok(());
        }
        let mut bounded_by: HashMap<usize, &str> = HashMap::new();
        for interval in &intervals {
            let name = interval.name.as_deref().unwrap_or_default();
            for feature in self.features_of(name, &source)? {
                if let Some(other) = bounded_by.insert(feature, name) {
                    return Err(Error::value(
                        source,
                        format!(
                            "\"{}\" has bounds twice, by {other} and by {name}",
                            self.feature_names()[feature]
                        ),
                        "give every feature one line",
                    ));
                }
                for j in self.coefficients_of(feature) {
                    (lower[j], upper[j]) = (interval.lower, interval.upper);
                }
            }
        }
        Ok(())
    }
}
