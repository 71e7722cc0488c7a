//! Rows that a fit has not seen: predictions against what was observed, or ROC curves.

use super::equal::{NamedPoint, Words, against_equal};
use crate::cli::numbers::short;
use crate::cli::output::pages::Chart;
use crate::model::loss::Loss;
use crate::report::{Axis, COLOURS, Plot, Series, Theme};
use crate::sweep::held_out::Predicted;
use crate::sweep::metrics::{RocPoint, class_scores, roc};
use crate::sweep::record::Number;

/// The most points that a chart of predictions shows: more would lie on each other.
const MOST_POINTS: usize = 2000;
/// The most places of a ROC curve.
const MOST_PLACES: usize = 400;

/// Rows that a fit has not seen, part by part.
pub struct HeldOutRows<'a> {
    /// The loss of the fit.
    pub loss: Loss,
    /// The names of the classes; empty for numbers.
    pub classes: &'a [String],
    /// The name of the target.
    pub target: &'a str,
    /// The rows of every fold, or of the only part.
    pub parts: &'a [Predicted],
    /// The noun for the rows: "held-out", "test".
    pub noun: &'static str,
}

impl HeldOutRows<'_> {
    /// The chart of these rows; `None` of a quadratic form, which has none, and where no part has rows of both
    /// kinds.
    pub fn chart(&self, name: String) -> Option<Chart> {
        let plot = match self.loss {
            Loss::Quadratic => return None,
            loss if loss.is_classification() => self.curves()?,
            _ => self.predictions()?,
        };
        Some(Chart {
            name,
            caption: self.caption(),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }

    /// The score of all rows and its name, as the tables of a command say it: the mean over the parts; the name
    /// alone where a part has none.
    pub fn score(&self) -> Result<(&'static str, f64), &'static str> {
        let (number, name) = match self.loss {
            loss if loss.is_classification() => (Number::Auc, "AUC"),
            loss if loss.has_log_link() => (Number::R2, "D²"),
            _ => (Number::R2, "R²"),
        };
        let count = self.classes.len().max(1);
        let of_part = |part: &Predicted| part.numbers(self.loss, count)[number];
        let mean = self.parts.iter().map(of_part).sum::<f64>() / self.parts.len() as f64;
        if mean.is_finite() {
            Ok((name, mean))
        } else {
            Err(name)
        }
    }

    fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.y.len()).sum()
    }

    /// The rows in words.
    fn of_rows(&self) -> String {
        let rows = self.rows();
        match self.parts.len() {
            1 => format!("{rows} {} rows", self.noun),
            parts => format!("{rows} {} rows in {parts} folds", self.noun),
        }
    }

    fn caption(&self) -> String {
        let mut text = if self.loss.is_classification() {
            let mut text = format!("ROC curves of the {}", self.of_rows());
            if self.parts.len() > 1 {
                text += ", their mean over the folds at every share of false positives";
            }
            if self.classes.len() > 2 {
                text += "; each class against the rest";
            }
            text + "."
        } else {
            let shown = if self.rows() > MOST_POINTS {
                format!(", one in {}", self.each())
            } else {
                String::new()
            };
            format!(
                "What the fit predicts of the {}{shown}, against what was observed.",
                self.of_rows()
            )
        };
        let is_mean = self.parts.len() > 1;
        text += &match self.score() {
            Ok((name, score)) if is_mean => {
                format!(" {name} {}, mean over the folds.", short(score))
            }
            Ok((name, score)) => format!(" {name} {}.", short(score)),
            Err(name) => {
                let place = if is_mean {
                    "in every fold"
                } else {
                    "among them"
                };
                let need = match name {
                    "AUC" => "needs rows of every class",
                    _ => "needs rows that differ",
                };
                format!(" {name} is not defined here: it {need} {place}.")
            }
        };
        text
    }

    /// Of so many rows one is shown.
    fn each(&self) -> usize {
        self.rows().div_ceil(MOST_POINTS).max(1)
    }

    fn predictions(&self) -> Option<Plot> {
        let each = self.each();
        let mut points = Vec::new();
        let mut at = 0;
        for part in self.parts {
            for (i, (z, observed)) in part.with_offset().iter().zip(&part.y).enumerate() {
                at += 1;
                if (at - 1) % each > 0 {
                    continue;
                }
                let row = part.rows.as_ref().map_or(i, |rows| rows[i]);
                points.push(NamedPoint {
                    x: *observed,
                    y: self.loss.mean(*z),
                    name: format!("row {row}"),
                });
            }
        }
        let words = Words {
            title: format!("Predictions of {}", self.target),
            subtitle: self.of_rows(),
            x: format!("{}, observed", self.target),
            y: "predicted".into(),
            points: "rows".into(),
            equal: "as observed".into(),
        };
        against_equal(words, points)
    }

    fn curves(&self) -> Option<Plot> {
        let has_many = self.classes.len() > 2;
        // Of two classes the second is the one that is found.
        let shown: Vec<usize> = if has_many {
            (0..self.classes.len()).take(COLOURS).collect()
        } else {
            vec![1]
        };
        let curve = |class: usize| -> Option<Series> {
            let parts: Vec<Vec<RocPoint>> = self
                .parts
                .iter()
                .map(|part| self.roc(part, class))
                .filter(|curve| !curve.is_empty())
                .collect();
            let found_area =
                parts.iter().map(|curve| area(curve)).sum::<f64>() / parts.len() as f64;
            let mean = mean_curve(&parts)?;
            let name = self.classes.get(class).map_or("", String::as_str);
            Some(Series {
                label: if has_many {
                    format!("{name}, AUC {found_area:.3}")
                } else {
                    format!("found: {name}")
                },
                x: mean.iter().map(|p| p.false_positives).collect(),
                y: mean.iter().map(|p| p.true_positives).collect(),
                ..Series::default()
            })
        };
        let mut series: Vec<Series> = shown.into_iter().filter_map(curve).collect();
        if series.is_empty() {
            return None;
        }
        series.push(Series {
            label: "by chance".into(),
            x: vec![0.0, 1.0],
            y: vec![0.0, 1.0],
            dashed: true,
            color: Some(6),
            ..Series::default()
        });
        Some(Plot {
            title: format!("ROC curve of {}", self.target),
            subtitle: self.of_rows(),
            x: Axis::linear("share of false positives").between(0.0, 1.0),
            y: Axis::linear("share found").between(0.0, 1.0),
            series,
            ..Plot::default()
        })
    }

    fn roc(&self, part: &Predicted, class: usize) -> Vec<RocPoint> {
        let z = part.with_offset();
        let weights = part.weights.as_deref();
        if self.loss == Loss::Multinomial {
            let scores = &class_scores(&z, self.classes.len())[class];
            return roc(scores, |i| part.y[i] as usize == class, weights);
        }
        roc(&z, |i| part.y[i] > 0.0, weights)
    }
}

/// The area below the straight pieces of a curve: its AUC.
fn area(curve: &[RocPoint]) -> f64 {
    let piece = |pair: &[RocPoint]| {
        let width = pair[1].false_positives - pair[0].false_positives;
        0.5 * width * (pair[0].true_positives + pair[1].true_positives)
    };
    curve.windows(2).map(piece).sum()
}

/// The mean of curves at every share of false positives: the area below it is the mean of theirs.
fn mean_curve(curves: &[Vec<RocPoint>]) -> Option<Vec<RocPoint>> {
    let only = match curves {
        [] => return None,
        [only] => Some(only.clone()),
        _ => None,
    };
    let curve = only.unwrap_or_else(|| {
        let mut places: Vec<f64> = curves
            .iter()
            .flatten()
            .map(|point| point.false_positives)
            .collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mean = |place: f64, is_end: bool| {
            let of = |curve: &Vec<RocPoint>| height(curve, place, is_end);
            curves.iter().map(of).sum::<f64>() / curves.len() as f64
        };
        // A curve may rise at a place: its lower and its upper end.
        let ends = places.into_iter().flat_map(|place| {
            [false, true].map(|is_end| RocPoint {
                false_positives: place,
                true_positives: mean(place, is_end),
            })
        });
        let mut curve: Vec<RocPoint> = ends.collect();
        curve.dedup();
        curve
    });
    let each = curve.len().div_ceil(MOST_PLACES).max(1);
    let last = curve.len() - 1;
    let kept = curve.into_iter().enumerate();
    let kept = kept.filter(|(at, _)| at % each == 0 || *at == last);
    Some(kept.map(|(_, point)| point).collect())
}

/// The height of a curve at a place: the lower or the upper end where it rises there.
fn height(curve: &[RocPoint], place: f64, is_end: bool) -> f64 {
    let first = curve.partition_point(|point| point.false_positives < place);
    let after = curve.partition_point(|point| point.false_positives <= place);
    if first < after {
        let at = if is_end { after - 1 } else { first };
        return curve[at].true_positives;
    }
    // Every curve goes from 0 to 1, so that both are there; beside its ends it stays as it is.
    let Some(&b) = curve.get(first) else {
        return curve.last().map_or(f64::NAN, |last| last.true_positives);
    };
    let Some(&a) = first.checked_sub(1).and_then(|at| curve.get(at)) else {
        return b.true_positives;
    };
    let share = (place - a.false_positives) / (b.false_positives - a.false_positives);
    a.true_positives + share * (b.true_positives - a.true_positives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(z: &[f64], y: &[f64]) -> Predicted {
        Predicted {
            z: z.to_vec(),
            y: y.to_vec(),
            ..Predicted::default()
        }
    }

    #[test]
    fn the_mean_curve_has_the_mean_of_the_areas() {
        let first = rows(
            &[0.3, -0.2, 0.9, -1.0, 0.3, 0.1],
            &[1.0, -1.0, 1.0, -1.0, -1.0, 1.0],
        );
        let second = rows(&[0.5, 0.6, -0.7, 0.2, 0.2], &[1.0, -1.0, -1.0, 1.0, -1.0]);
        let parts = [first, second];
        let held_out = HeldOutRows {
            loss: Loss::Logistic,
            classes: &["no".into(), "yes".into()],
            target: "answer",
            parts: &parts,
            noun: "held-out",
        };
        let curves: Vec<Vec<RocPoint>> = parts.iter().map(|p| held_out.roc(p, 1)).collect();
        let mean = mean_curve(&curves).unwrap();
        let (name, score) = held_out.score().unwrap();
        assert_eq!(name, "AUC");
        assert!(
            (area(&mean) - score).abs() < 1e-12,
            "{} {score}",
            area(&mean)
        );
        assert!(
            held_out
                .caption()
                .contains(&format!("AUC {}", short(score)))
        );
    }

    #[test]
    fn curves_of_weighted_folds_end_at_one_whatever_the_order_of_the_sums() {
        // Weights that no order sums alike.
        let part = |fold: usize| {
            let at = |i: usize| (i * 7 + fold * 13) as f64;
            let all = 0..40;
            Predicted {
                z: all.clone().map(|i| (at(i) * 1.7).sin()).collect(),
                y: all
                    .clone()
                    .map(|i| if i % 3 == 0 { 1.0 } else { -1.0 })
                    .collect(),
                weights: Some(all.map(|i| 0.1 + (at(i) * 0.37).cos().abs()).collect()),
                ..Predicted::default()
            }
        };
        let parts: Vec<Predicted> = (0..7).map(part).collect();
        let held_out = HeldOutRows {
            loss: Loss::Logistic,
            classes: &["no".into(), "yes".into()],
            target: "answer",
            parts: &parts,
            noun: "held-out",
        };
        let curves: Vec<Vec<RocPoint>> = parts.iter().map(|p| held_out.roc(p, 1)).collect();
        let end = RocPoint {
            false_positives: 1.0,
            true_positives: 1.0,
        };
        assert!(curves.iter().all(|curve| curve.last() == Some(&end)));
        let mean = mean_curve(&curves).unwrap();
        assert_eq!(mean.last().unwrap().false_positives, 1.0);
        let (_, score) = held_out.score().unwrap();
        assert!((area(&mean) - score).abs() < 1e-12);
        // Past its ends a curve has their heights.
        assert_eq!(height(&curves[0], 1.0 + 1e-15, true), 1.0);
        assert_eq!(height(&curves[0], -1e-15, true), 0.0);
    }

    #[test]
    fn every_class_has_its_auc_and_a_caption_says_where_there_is_none() {
        let parts = [Predicted {
            z: vec![2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 1.0, -2.0, 0.0],
            y: vec![0.0, 1.0, 2.0, 1.0],
            ..Predicted::default()
        }];
        let classes = ["a", "b", "c"].map(String::from);
        let mut held_out = HeldOutRows {
            loss: Loss::Multinomial,
            classes: &classes,
            target: "answer",
            parts: &parts,
            noun: "test",
        };
        let plot = held_out.curves().unwrap();
        let labels: Vec<&str> = plot.series.iter().map(|s| s.label.as_str()).collect();
        // The last row of b looks like a: b has two of its four pairs.
        assert_eq!(
            labels[..3],
            ["a, AUC 1.000", "b, AUC 0.500", "c, AUC 1.000"]
        );
        let lacking = [
            parts[0].clone(),
            Predicted {
                z: vec![2.0, 0.0, 0.0, 0.0, 2.0, 0.0],
                y: vec![0.0, 1.0],
                ..Predicted::default()
            },
        ];
        held_out.parts = &lacking;
        let caption = held_out.caption();
        assert!(
            caption
                .ends_with("AUC is not defined here: it needs rows of every class in every fold."),
            "{caption}"
        );
    }

    #[test]
    fn predictions_of_a_log_link_are_means() {
        let parts = [rows(&[0.0, 2f64.ln()], &[1.0, 3.0])];
        let held_out = HeldOutRows {
            loss: Loss::Poisson,
            classes: &[],
            target: "claims",
            parts: &parts,
            noun: "test",
        };
        let plot = held_out.predictions().unwrap();
        assert_eq!(plot.series[0].x[0], 1.0);
        assert!((plot.series[0].y[2] - 2.0).abs() < 1e-15);
        assert_eq!(held_out.score().unwrap().0, "D²");
    }
}
