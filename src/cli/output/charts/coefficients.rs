//! The coefficients of a fit by name, the largest first.

use crate::cli::numbers::significant;
use crate::cli::output::pages::Chart;
use crate::hypergrad::Outcome;
use crate::model::loss::Loss;
use crate::report::{Bar, Section, SignedBars, Theme};
use crate::sweep::study::FoldProblem;

/// The most coefficients of a chart, and of a table.
const MOST_BARS: usize = 20;
const MOST_ROWS: usize = 200;

/// A coefficient of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// The feature, with `: class` where there are several predictors.
    pub name: String,
    /// Its value in the data's units.
    pub value: f64,
    /// The same of the feature divided by its standard deviation, if fits are standardised.
    pub standardized: Option<f64>,
}

/// The coefficients of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// All of them, those that are zero too.
    pub all: Vec<Coefficient>,
    /// The title, which says what they are.
    pub title: &'static str,
    /// The loss of the fit.
    pub loss: Loss,
    /// The name of the target, or of what is found of two classes.
    pub target: String,
}

impl Coefficients {
    /// Those of a fit; `names` has one for each, `target` is what they predict.
    pub fn of(
        problem: &FoldProblem,
        outcome: &Outcome,
        names: Vec<String>,
        target: String,
    ) -> Self {
        let own = &problem.problem;
        let (values, _) = problem.in_data_units(&outcome.solution, outcome.point.target);
        let is_standardized = own.features.scale.iter().any(|scale| *scale != 1.0);
        let pairs = values.into_iter().zip(&outcome.solution);
        let one = |(name, (value, &own)): (String, (f64, &f64))| Coefficient {
            name,
            value,
            standardized: is_standardized.then_some(own),
        };
        Self {
            all: names.into_iter().zip(pairs).map(one).collect(),
            title: "Coefficients",
            loss: own.loss,
            target,
        }
    }

    /// Those that are not zero, the largest first: by their values per standard deviation where fits have them.
    fn largest(&self) -> Vec<&Coefficient> {
        let size = |one: &&Coefficient| one.standardized.unwrap_or(one.value).abs();
        let mut all: Vec<&Coefficient> = self.all.iter().filter(|c| c.value != 0.0).collect();
        all.sort_by(|a, b| size(b).total_cmp(&size(a)));
        all
    }

    /// The unit of a coefficient.
    fn unit(&self) -> String {
        let target = &self.target;
        match self.loss {
            Loss::Multinomial => "score of the class".into(),
            Loss::Logistic => format!("log odds of {target}"),
            Loss::SquaredHinge => format!("score of {target}"),
            loss if loss.has_log_link() => format!("logarithm of the mean of {target}"),
            _ => target.clone(),
        }
    }

    fn is_standardized(&self) -> bool {
        self.all.iter().any(|one| one.standardized.is_some())
    }

    /// Bars of the largest; `None` where all are zero.
    pub fn chart(&self, name: String) -> Option<Chart> {
        let largest = self.largest();
        if largest.is_empty() {
            return None;
        }
        let per = if self.is_standardized() {
            "standard deviation of the feature"
        } else {
            "unit of the feature"
        };
        let bar = |one: &&Coefficient| {
            let value = one.standardized.unwrap_or(one.value);
            Bar {
                label: one.name.clone(),
                value,
                text: significant(value),
            }
        };
        let bars = SignedBars {
            title: self.title.into(),
            subtitle: format!("{} per {per}", self.unit()),
            bars: largest.iter().take(MOST_BARS).map(bar).collect(),
        };
        let (shown, all) = (bars.bars.len(), self.all.len());
        Some(Chart {
            name,
            caption: match largest.len() {
                count if count > shown => format!(
                    "The {shown} largest of {count} coefficients that are not zero, of {all}."
                ),
                count => format!("The {count} coefficients that are not zero, of {all}."),
            },
            svg: Box::new(move |theme: Theme| bars.svg(theme)),
        })
    }

    /// All that are not zero, in numbers.
    pub fn table(&self) -> Vec<Section> {
        let largest = self.largest();
        if largest.is_empty() {
            return vec![Section::Text("All coefficients are zero.".into())];
        }
        let is_standardized = self.is_standardized();
        let row = |one: &&Coefficient| {
            let mut row = vec![one.name.clone(), significant(one.value)];
            row.extend(one.standardized.map(significant));
            row
        };
        let mut head = vec!["feature".to_string(), "coefficient".into()];
        if is_standardized {
            head.push("per standard deviation".into());
        }
        let mut sections = vec![Section::Table {
            head,
            rows: largest.iter().take(MOST_ROWS).map(row).collect(),
        }];
        if largest.len() > MOST_ROWS {
            sections.push(Section::Text(format!(
                "The table has the {MOST_ROWS} largest of {} coefficients that are not zero.",
                largest.len()
            )));
        }
        sections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_by_their_values_per_standard_deviation() {
        let one = |name: &str, value: f64, standardized: f64| Coefficient {
            name: name.into(),
            value,
            standardized: Some(standardized),
        };
        let fit = Coefficients {
            all: vec![
                one("dummy", 100.0, 1.0),
                one("area", -0.5, -40.0),
                one("none", 0.0, 0.0),
            ],
            title: "Coefficients",
            loss: Loss::Squared,
            target: "price".into(),
        };
        let names: Vec<&str> = fit.largest().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["area", "dummy"]);
        let svg = (fit.chart("1".into()).unwrap().svg)(Theme::Light);
        assert!(svg.contains("price per standard deviation of the feature"));
        assert!(svg.find("area").unwrap() < svg.find("dummy").unwrap());
        let Section::Table { head, rows } = &fit.table()[0] else {
            panic!("no table");
        };
        assert_eq!(head[2], "per standard deviation");
        assert_eq!(rows[0], ["area", "-0.500000", "-40.0000"]);
    }
}
