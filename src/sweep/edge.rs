//! The edges of a sweep: a best point that lies on one while its hypergradient points beyond it.

use super::record::{Number, Numbers, PlanPoint, Study};

/// An edge that a best point lies on, while the criterion falls beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The strength along which it is one: "l1" or "l2".
    pub strength: &'static str,
    /// The end of the strength's values in the sweep.
    pub end: End,
}

/// An end of the values of a strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The smallest value.
    Smallest,
    /// The largest value.
    Largest,
}

/// The edges of a study that the point of this number lies on, by the numbers found there.
#[must_use]
pub fn edges(study: &Study, best: usize, numbers: &Numbers) -> Vec<Edge> {
    let chosen = &study.points[best];
    if chosen.ratio.is_some() {
        // α and the ratio move both strengths.
        return Vec::new();
    }
    let edge = |strength, slope: f64, of: fn(&PlanPoint) -> f64| {
        let of_target = study.points.iter().filter(|p| p.target == chosen.target);
        let own = of(chosen);
        let is_smallest = of_target.clone().all(|point| own <= of(point));
        let is_largest = of_target.clone().all(|point| own >= of(point));
        // Nothing is smaller than zero, and one value has no end.
        let end = match (is_smallest, is_largest) {
            (true, false) if slope > 0.0 && own > 0.0 => End::Smallest,
            (false, true) if slope < 0.0 => End::Largest,
            _ => return None,
        };
        Some(Edge { strength, end })
    };
    let l1 = edge("l1", numbers[Number::HypergradientL1], |p| p.l1);
    let l2 = edge("l2", numbers[Number::HypergradientL2], |p| p.l2);
    l1.into_iter().chain(l2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let of_l1 = |best: usize, slope: f64| {
            let mut numbers = Numbers::default();
            numbers[Number::HypergradientL1] = slope;
            numbers[Number::HypergradientL2] = -1.0;
            edges(&study, best, &numbers)
        };
        // l2 is one number: no axis.
        for (best, slope) in [(1, 5.0), (0, -5.0), (0, f64::NAN), (2, 5.0)] {
            assert!(of_l1(best, slope).is_empty());
        }
        for (best, slope, end) in [(0, 5.0, End::Smallest), (2, -5.0, End::Largest)] {
            let strength = "l1";
            assert_eq!(of_l1(best, slope), [Edge { strength, end }]);
        }
        let zero = Study {
            points: vec![point(0.0, 0.5), point(0.2, 0.5)],
            ..Study::default()
        };
        let mut numbers = Numbers::default();
        numbers[Number::HypergradientL1] = 1.0;
        assert!(edges(&zero, 0, &numbers).is_empty());
    }
}
