//! The edges of a sweep: a best point that lies on one, and the way that its hypergradient points.

use super::record::{Number, Numbers, Study};
use super::summary::PointSummary;
use crate::hypergrad::WarningKind;

/// An axis along which points differ.
struct Axis {
    name: &'static str,
    slope: f64,
    best: f64,
    smallest: f64,
    largest: f64,
}

/// What is to be said of a best point of a sweep over folds or a hold-out, a line each: the edges that it
/// lies on, and over folds, where no solution is shown by itself, that its coefficients are not unique.
#[must_use]
pub fn remarks(study: &Study, best: &PointSummary) -> Vec<String> {
    let mut lines = edges(study, best.point, best.numbers());
    let is_not_unique = |kind: &String| kind == WarningKind::NotUnique.name();
    if study.folds.len() > 1 && best.warnings.iter().any(is_not_unique) {
        lines.push(
            "the best point's coefficients are not unique, because columns depend on each other: choose \
             l2 > 0, or drop dependent columns"
                .into(),
        );
    }
    lines
}

/// One line for each axis along which the best point, by its number, is the last one of its target while
/// the criterion falls beyond it.
#[must_use]
fn edges(study: &Study, best: usize, numbers: &Numbers) -> Vec<String> {
    let chosen = &study.points[best];
    let of_target = || study.points.iter().filter(|p| p.target == chosen.target);
    if chosen.ratio.is_some() {
        // α and the ratio move both strengths.
        return Vec::new();
    }
    let axis = |name, slope, of: fn(&super::record::PlanPoint) -> f64| Axis {
        name,
        slope,
        best: of(chosen),
        smallest: of_target().map(of).fold(f64::INFINITY, f64::min),
        largest: of_target().map(of).fold(f64::NEG_INFINITY, f64::max),
    };
    let axes = [
        axis("l1", numbers[Number::HypergradientL1], |p| p.l1),
        axis("l2", numbers[Number::HypergradientL2], |p| p.l2),
    ];
    axes.into_iter().filter_map(|axis| axis.line()).collect()
}

impl Axis {
    fn line(&self) -> Option<String> {
        let is_axis = self.smallest < self.largest;
        let (end, beyond) = if is_axis && self.best <= self.smallest && self.slope > 0.0 {
            ("smallest", "smaller")
        } else if is_axis && self.best >= self.largest && self.slope < 0.0 {
            ("largest", "larger")
        } else {
            return None;
        };
        // Nothing is smaller than zero.
        (self.best > 0.0).then(|| {
            let name = self.name;
            format!(
                "the best {name} is the {end} of the sweep, and its hypergradient says that {beyond} ones \
                 would do better: extend --{name}, or let 'proxdiff tune' find it"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::record::PlanPoint;

    #[test]
    fn an_edge_is_said_where_the_criterion_falls_beyond_it() {
        let point = |l1: f64, l2: f64| PlanPoint {
            l1,
            l2,
            ratio: None,
            target: 0,
        };
        let study = Study {
            points: vec![point(0.1, 0.5), point(0.2, 0.5), point(0.3, 0.5)],
            ..Study::default()
        };
        let lines = |best: usize, slope: f64| {
            let mut numbers = Numbers::default();
            numbers[Number::HypergradientL1] = slope;
            numbers[Number::HypergradientL2] = -1.0;
            edges(&study, best, &numbers)
        };
        // l2 is one number: no axis.
        assert!(
            lines(1, 5.0).is_empty() && lines(0, -5.0).is_empty() && lines(0, f64::NAN).is_empty()
        );
        assert!(lines(0, 5.0)[0].contains("the best l1 is the smallest"));
        assert!(lines(2, -5.0)[0].contains("larger ones would do better"));
        let zero = Study {
            points: vec![point(0.0, 0.5), point(0.2, 0.5)],
            ..Study::default()
        };
        let mut numbers = Numbers::default();
        numbers[Number::HypergradientL1] = 1.0;
        assert!(edges(&zero, 0, &numbers).is_empty());
    }
}
