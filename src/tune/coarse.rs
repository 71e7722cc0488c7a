//! The coarse stage: a grid, the local minima of its values, and what neighbours show of the curvature.

use super::quasi_newton::Pair;

/// Starts that a grid gives at most.
const MOST_STARTS: usize = 8;

/// A grid of one or two variables.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    axes: Vec<Vec<f64>>,
}

/// Numbers of points along the axes, for so many variables and evaluations in all: enough of these are
/// left for descents.
pub(super) fn shape(variables: usize, budget: usize) -> Vec<usize> {
    let one = |most: usize| most.min(budget.div_ceil(3)).max(1);
    match variables {
        1 => vec![one(12)],
        2 if budget >= 200 => vec![12, 8],
        2 if budget >= 50 => vec![6, 4],
        2 => {
            let side = ((budget / 2) as f64).sqrt() as usize;
            vec![side.max(1), side.max(1)]
        }
        _ => vec![1; variables],
    }
}

impl Grid {
    /// A grid of so many points along each axis, between its ends.
    pub(super) fn new(ends: &[(f64, f64)], counts: &[usize]) -> Self {
        let axis = |(&(low, high), &count): (&(f64, f64), &usize)| -> Vec<f64> {
            if count == 1 {
                return vec![0.5 * (low + high)];
            }
            let step = (high - low) / (count - 1) as f64;
            (0..count).map(|at| low + step * at as f64).collect()
        };
        Self {
            axes: ends.iter().zip(counts).map(axis).collect(),
        }
    }

    /// All places, the last axis fastest.
    pub(super) fn places(&self) -> Vec<Vec<f64>> {
        let mut places = vec![Vec::new()];
        for axis in &self.axes {
            let with = |place: &Vec<f64>| {
                let place = place.clone();
                axis.iter().map(move |&x| [place.as_slice(), &[x]].concat())
            };
            places = places.iter().flat_map(with).collect();
        }
        places
    }

    /// The positions along the axes of a place by its number.
    fn positions(&self, mut number: usize) -> Vec<usize> {
        let mut positions = vec![0; self.axes.len()];
        for (position, axis) in positions.iter_mut().zip(&self.axes).rev() {
            *position = number % axis.len();
            number /= axis.len();
        }
        positions
    }

    /// The places around one, diagonal ones too.
    fn around(&self, number: usize) -> Vec<usize> {
        let own = self.positions(number);
        let mut found = vec![0];
        for (axis, &position) in self.axes.iter().zip(&own) {
            let last = (position + 1).min(axis.len() - 1);
            let range = position.saturating_sub(1)..=last;
            let with = |&base: &usize| range.clone().map(move |at| base * axis.len() + at);
            found = found.iter().flat_map(with).collect();
        }
        found.retain(|&other| other != number);
        found
    }

    /// The numbers of the local minima, the best first. A value is NaN where there is none.
    pub(super) fn minima(&self, values: &[f64]) -> Vec<usize> {
        let is_minimum = |&at: &usize| {
            let value = values[at];
            // Of equal ones the first.
            let is_above = |other: &usize| {
                !(values[*other] < value || (values[*other] == value && *other < at))
            };
            value.is_finite() && self.around(at).iter().all(is_above)
        };
        let mut minima: Vec<usize> = (0..values.len()).filter(is_minimum).collect();
        minima.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
        minima.truncate(MOST_STARTS);
        minima
    }

    /// Steps from the direct neighbours to a place with the changes of the slope along them: what is
    /// known of the curvature.
    pub(super) fn pairs(&self, at: usize, slopes: &[Option<Vec<f64>>]) -> Vec<Pair> {
        let own = self.positions(at);
        let places = self.places();
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let is_direct = |other: &usize| {
            let steps = self.positions(*other);
            let moved = steps.iter().zip(&own).filter(|(a, b)| a != b);
            moved.count() == 1
        };
        self.around(at)
            .into_iter()
            .filter(is_direct)
            .filter_map(|other| {
                let (here, there) = (slopes[at].as_ref()?, slopes[other].as_ref()?);
                Some(Pair {
                    step: difference(&places[at], &places[other]),
                    change: difference(here, there),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_minima_of_a_grid() {
        let grid = Grid::new(&[(0.0, 2.0), (0.0, 3.0)], &[3, 4]);
        let places = grid.places();
        assert_eq!((places.len(), &places[5][..]), (12, &[1.0, 1.0][..]));
        assert_eq!(grid.around(0), [1, 4, 5]);
        assert_eq!(grid.around(5), [0, 1, 2, 4, 6, 8, 9, 10]);
        let mut values = vec![5.0; 12];
        (values[5], values[11], values[10]) = (1.0, 0.5, f64::NAN);
        assert_eq!(grid.minima(&values), [11, 5, 3]);
        // A plain has one minimum, not one at every place.
        assert_eq!(grid.minima(&[2.0; 12]), [0]);
        assert!(grid.minima(&[f64::NAN; 12]).is_empty());
        let line = Grid::new(&[(0.0, 1.0)], &[1]);
        assert_eq!(
            (line.places(), line.minima(&[1.0])),
            (vec![vec![0.5]], vec![0])
        );
    }

    #[test]
    fn a_shape_leaves_evaluations_for_descents() {
        for variables in [1, 2] {
            for budget in 1..500 {
                let points: usize = shape(variables, budget).iter().product();
                assert!(
                    points >= 1 && 2 * points <= budget.max(2) + 1,
                    "{variables} {budget}"
                );
            }
        }
    }

    #[test]
    fn neighbours_show_the_curvature() {
        let grid = Grid::new(&[(0.0, 2.0), (0.0, 2.0)], &[3, 3]);
        let slope = |p: &Vec<f64>| Some(vec![2.0 * p[0], 6.0 * p[1]]);
        let mut slopes: Vec<_> = grid.places().iter().map(slope).collect();
        slopes[1] = None;
        let pairs = grid.pairs(4, &slopes);
        assert_eq!(pairs.len(), 3);
        for pair in pairs {
            assert_eq!(pair.change, [2.0 * pair.step[0], 6.0 * pair.step[1]]);
        }
    }
}
