//! The criterion between evaluated places, for the ground of a surface.

use crate::report::Tile;
use crate::tune::EvaluatedPlace;

/// Columns and rows of the values between points of a surface.
const GROUND: (usize, usize) = (52, 46);
/// Points that say what is between them.
const NEAREST: usize = 8;

/// The values in rows and columns between evaluated places, which are strewn: means of what the nearest ones say of a
/// place by value and slope, weighted by the inverse fourth power of the distance, and within their range.
pub(super) fn ground(places: &[EvaluatedPlace]) -> Vec<Tile> {
    let is_positive = places.iter().all(|place| place.criterion > 0.0);
    let scaled = |criterion: f64| {
        if is_positive {
            criterion.ln()
        } else {
            criterion
        }
    };
    struct Known {
        at: [f64; 2],
        value: f64,
        slope: [f64; 2],
    }
    let known: Vec<Known> = places
        .iter()
        .filter_map(|place| {
            let [x, y] = *place.variables.as_slice() else {
                return None;
            };
            let [u, v] = *place.slope.as_slice() else {
                return None;
            };
            let size = if is_positive { place.criterion } else { 1.0 };
            let all = [x.ln(), y.ln(), u / size, v / size];
            all.iter().all(|n| n.is_finite()).then(|| Known {
                at: [all[0], all[1]],
                value: scaled(place.criterion),
                slope: [all[2], all[3]],
            })
        })
        .collect();
    let ends = |axis: usize| {
        let each = known.iter().map(|known| known.at[axis]);
        each.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    };
    let (x, y) = (ends(0), ends(1));
    let (width, height) = (x.1 - x.0, y.1 - y.0);
    if !(width > 0.0 && height > 0.0) {
        return Vec::new();
    }
    let value = |at: [f64; 2]| {
        let distance = |known: &Known| {
            let (a, b) = (
                (known.at[0] - at[0]) / width,
                (known.at[1] - at[1]) / height,
            );
            a * a + b * b
        };
        let mut near: Vec<(f64, &Known)> =
            known.iter().map(|known| (distance(known), known)).collect();
        let count = NEAREST.min(near.len());
        near.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0));
        let near = &near[..count];
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (distance, known) in near {
            (low, high) = (low.min(known.value), high.max(known.value));
            let along = |axis: usize| known.slope[axis] * (at[axis] - known.at[axis]);
            let weight = 1.0 / (distance + 1e-6).powi(2);
            sum += weight * (known.value + along(0) + along(1));
            weights += weight;
        }
        let value = (sum / weights).clamp(low, high);
        if is_positive { value.exp() } else { value }
    };
    let mut tiles = Vec::with_capacity(GROUND.0 * GROUND.1);
    for row in 0..GROUND.1 {
        for column in 0..GROUND.0 {
            let share = |at: usize, count: usize| at as f64 / (count - 1) as f64;
            let at = [
                x.0 + width * share(column, GROUND.0),
                y.0 + height * share(row, GROUND.1),
            ];
            tiles.push(Tile {
                x: at[0].exp(),
                y: at[1].exp(),
                value: value(at),
                arrow: None,
            });
        }
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exponential of a parabola over the logarithms of both variables, and its slope in them.
    fn place(x: f64, y: f64) -> EvaluatedPlace {
        let (u, v) = (x.ln() - 0.3, y.ln() + 0.4);
        let criterion = (u * u + 0.5 * v * v).exp();
        EvaluatedPlace {
            variables: vec![x, y],
            criterion,
            slope: vec![2.0 * u * criterion, v * criterion],
        }
    }

    fn grid() -> Vec<EvaluatedPlace> {
        let at = |k: usize| (0.5 * k as f64 - 1.5).exp();
        let pairs = (0..7).flat_map(|i| (0..7).map(move |j| (at(i), at(j))));
        pairs.map(|(x, y)| place(x, y)).collect()
    }

    #[test]
    fn the_ground_follows_values_and_slopes() {
        let tiles = ground(&grid());
        assert_eq!(tiles.len(), GROUND.0 * GROUND.1);
        for tile in tiles {
            let expected = place(tile.x, tile.y).criterion;
            let error = (tile.value.ln() - expected.ln()).abs();
            // In the middle of four places their tangents are off by 0.094; the other four of the nearest eight by 0.6 at
            // most, with a weight of a twenty-fifth: (4 · 0.094 + 0.16 · 0.6) / 4.16 = 0.114.
            assert!(error < 0.115, "{tile:?} {expected}");
        }
    }

    #[test]
    fn without_a_plane_there_is_no_ground() {
        assert!(ground(&[]).is_empty());
        assert!(ground(&[place(1.0, 1.0)]).is_empty());
        let line: Vec<_> = [0.5, 1.0, 2.0].map(|x| place(x, 1.0)).into();
        assert!(ground(&line).is_empty());
        let mut without_slopes = grid();
        without_slopes
            .iter_mut()
            .for_each(|place| place.slope.clear());
        assert!(ground(&without_slopes).is_empty());
    }
}
