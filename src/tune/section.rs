//! A section of the criterion through a place, along the first variable.
//!
//! Kinks divide the way along l1 into many valleys, some narrower than the coarse stage sees.

use super::box_bounds::BoxBounds;
use super::descent::Value;

/// Places of a section.
pub(super) const PLACES: usize = 32;
/// The reach to both sides, in logarithms of strengths.
const REACH: f64 = std::f64::consts::LN_2;
/// The relative distance below the best criterion that a valley must promise.
const PROMISING: f64 = 1e-5;
/// Valleys that are descended into.
const VALLEYS: usize = 6;

/// Places at equal distances along the first variable.
pub(super) struct Section {
    pub(super) places: Vec<Vec<f64>>,
    spacing: f64,
}

impl Section {
    /// The section through a place, within the bounds.
    pub(super) fn through(place: &[f64], bounds: &BoxBounds) -> Self {
        let low = bounds.lower()[0].max(place[0] - REACH);
        let high = bounds.upper()[0].min(place[0] + REACH);
        let spacing = (high - low) / (PLACES - 1) as f64;
        let at = |k: usize| [&[low + spacing * k as f64], &place[1..]].concat();
        Self {
            places: (0..PLACES).map(at).collect(),
            spacing,
        }
    }

    /// The numbers of the places to descend from: the lowest, if it is lower than the best value, and
    /// before valleys that may be, of which none lies beside a known minimum.
    ///
    /// The lowest need not be in a valley of the section, which may fall towards its end.
    pub(super) fn starts(
        &self,
        values: &[Option<Value>],
        best: f64,
        known: &[&[f64]],
    ) -> Vec<usize> {
        let value = |at: &usize| values[*at].as_ref().map_or(f64::INFINITY, |v| v.value);
        let lowest = (0..values.len()).min_by(|a, b| value(a).total_cmp(&value(b)));
        let mut starts: Vec<usize> = lowest.into_iter().filter(|at| value(at) < best).collect();
        let valleys = self.valleys(values, best - PROMISING).into_iter();
        for at in valleys.take(VALLEYS) {
            let is_known = known.iter().any(|place| self.is_near(at, place));
            if !is_known && !starts.contains(&at) {
                starts.push(at);
            }
        }
        starts
    }

    /// The valleys that may be lower than a limit, the most promising first: the numbers of the places from
    /// which they are to be descended to.
    ///
    /// Between two places with a slope down and a slope up there is a minimum, which is not lower than
    /// where the two tangents meet unless the criterion is concave there.
    fn valleys(&self, values: &[Option<Value>], limit: f64) -> Vec<usize> {
        let between = |at: usize| {
            let (left, right) = (values.get(at)?.as_ref()?, values.get(at + 1)?.as_ref()?);
            let (down, up) = (left.slope[0], right.slope[0]);
            if down >= 0.0 || up <= 0.0 {
                return None;
            }
            let way = (right.value - left.value - up * self.spacing) / (down - up);
            let depth = left.value + down * way.clamp(0.0, self.spacing);
            let nearer = if left.value <= right.value {
                at
            } else {
                at + 1
            };
            (depth < limit).then_some((depth, nearer))
        };
        let mut valleys: Vec<(f64, usize)> = (0..values.len()).filter_map(between).collect();
        valleys.sort_by(|a, b| a.0.total_cmp(&b.0));
        valleys.into_iter().map(|(_, at)| at).collect()
    }

    /// Whether another place is next to that of this number.
    fn is_near(&self, number: usize, other: &[f64]) -> bool {
        let differences = self.places[number].iter().zip(other);
        let mut distances = differences.map(|(a, b)| (a - b).abs());
        distances.next().is_some_and(|along| along < self.spacing)
            && distances.all(|aside| aside < REACH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_stays_within_the_bounds() {
        let bounds = BoxBounds::new(vec![0.0, -9.0], vec![1.0, 9.0]).unwrap();
        let section = Section::through(&[0.9, 3.0], &bounds);
        assert_eq!(section.places.len(), PLACES);
        assert!((section.places[0][0] - (0.9 - REACH)).abs() < 1e-15);
        assert!((section.places[PLACES - 1][0] - 1.0).abs() < 1e-15);
        assert!(section.places.iter().all(|place| place[1] == 3.0));
        assert!(section.is_near(4, &section.places[4]));
        assert!(!section.is_near(4, &section.places[6]));
        assert!(!section.is_near(4, &[section.places[4][0], 4.0]));
    }

    #[test]
    fn valleys_lie_between_a_slope_down_and_a_slope_up() {
        let bounds = BoxBounds::new(vec![-9.0], vec![9.0]).unwrap();
        let section = Section::through(&[0.0], &bounds);
        let h = section.spacing;
        let value = |value: f64, slope: f64| {
            let slope = vec![slope / h];
            Some(Value { value, slope })
        };
        let values = [
            // The tangents meet at 0.5, halfway.
            value(1.0, -1.0),
            value(1.0, 1.0),
            // At 3 − 2·⅔, nearer to the right.
            value(3.0, -2.0),
            value(2.0, 1.0),
            None,
            value(9.0, -1.0),
        ];
        assert_eq!(section.valleys(&values, 2.0), [0, 3]);
        assert_eq!(section.valleys(&values, 1.6), [0]);
        assert!(section.valleys(&values, 0.5).is_empty());
    }

    /// Whatever is lower than the best is descended from: at an end of the section, beside a known
    /// minimum, and beyond the valleys that are looked at.
    #[test]
    fn the_lowest_place_is_never_dropped() {
        let bounds = BoxBounds::new(vec![-9.0], vec![9.0]).unwrap();
        let section = Section::through(&[0.0], &bounds);
        let value = |value: f64, slope: f64| {
            let slope = vec![slope / section.spacing];
            Some(Value { value, slope })
        };
        let known = section.places[1].clone();
        // It falls beyond its end.
        let end = [value(2.0, -1.0), value(1.0, -1.0), value(0.5, -1.0)];
        assert_eq!(section.starts(&end, 0.9, &[]), [2]);
        assert!(section.starts(&end, 0.5, &[]).is_empty());
        // The known minimum is beside it.
        let beside = [value(1.0, -1.0), value(0.5, 1.0)];
        assert_eq!(section.starts(&beside, 0.9, &[&known]), [1]);
        assert!(section.starts(&beside, 0.5, &[&known]).is_empty());
        assert_eq!(section.starts(&beside, 0.5, &[]), [1]);
        // Tangents of seven other valleys promise more.
        let mut many: Vec<Option<Value>> = (0..7)
            .flat_map(|_| [value(2.0, -9.0), value(2.0, 9.0)])
            .collect();
        many.extend([value(1.0, -0.2), value(0.9, 0.2)]);
        let starts = section.starts(&many, 0.95, &[]);
        assert_eq!(starts.len(), 1 + VALLEYS);
        assert_eq!(starts[0], 15);
    }
}
