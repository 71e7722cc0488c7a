//! The coarse stage: a lattice over one or two variables that is refined where it promises most.
//!
//! Between two places of known value and slope, a distance h apart, the cubic through both has in the middle
//!
//! ```text
//! (φ₀ + φ₁)/2 + h (φ₀' − φ₁')/8
//! ```
//!
//! which predicts what a finer lattice would find there.

use std::collections::BTreeMap;

use super::descent::{Value, Visit};
use super::quasi_newton::Pair;
use crate::linalg::vector::{difference, dot};
use crate::real::largest_of;

/// Halvings of the first spacing.
const LEVELS: u32 = 3;
/// Secant pairs that a start is given.
const PAIRS: usize = 4;
/// The distances of both ends' tangents from the other end, together, below which nothing is between
/// them.
const BENT: f64 = 0.01;

/// A place by its integer coordinates, in units of the finest spacing.
pub(super) type Node = Vec<usize>;

/// A lattice, and the values that are known on it.
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    /// The lower end and the finest spacing of every axis.
    axes: Vec<Axis>,
    /// Known nodes; `None` where there is no value.
    known: BTreeMap<Node, Option<Value>>,
}

#[derive(Debug, Clone)]
struct Axis {
    low: f64,
    step: f64,
    /// The last coordinate.
    last: usize,
}

/// An axis of the first lattice: its ends, and the number of points between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CoarseAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) count: usize,
}

/// A node that is not known, with what its neighbours predict for it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) node: Node,
    pub(super) predicted: f64,
}

impl Lattice {
    /// A lattice of so many first points along each axis, between its ends.
    pub(super) fn new(axes: &[CoarseAxis]) -> Self {
        let axis = |&CoarseAxis { low, high, count }: &CoarseAxis| {
            if count == 1 {
                return Axis {
                    low: 0.5 * (low + high),
                    step: 0.0,
                    last: 0,
                };
            }
            let last = (count - 1) << LEVELS;
            Axis {
                low,
                step: (high - low) / last as f64,
                last,
            }
        };
        Self {
            axes: axes.iter().map(axis).collect(),
            known: BTreeMap::new(),
        }
    }

    /// The nodes of the first lattice, the last axis fastest.
    pub(super) fn first(&self) -> Vec<Node> {
        let mut nodes = vec![Vec::new()];
        for axis in &self.axes {
            let with = |node: &Node| {
                let node = node.clone();
                let along = (0..=axis.last).step_by(1 << LEVELS);
                along.map(move |x| [node.as_slice(), &[x]].concat())
            };
            nodes = nodes.iter().flat_map(with).collect();
        }
        nodes
    }

    /// The place of a node.
    pub(super) fn place(&self, node: &Node) -> Vec<f64> {
        let each = self.axes.iter().zip(node);
        each.map(|(axis, &x)| axis.low + axis.step * x as f64)
            .collect()
    }

    /// Takes the value of a node; `None` where there is none.
    pub(super) fn insert(&mut self, node: Node, value: Option<Value>) {
        self.known.insert(node, value);
    }

    /// The spacing of the lattice on which a node first appears, in finest units.
    fn spacing(node: &Node) -> usize {
        let halvings = node.iter().map(|x| x.trailing_zeros()).min();
        1 << halvings.unwrap_or(0).min(LEVELS)
    }

    /// The largest distance between two places along an axis, in spacings of the node.
    pub(super) fn distance(&self, node: &Node, place: &[f64]) -> f64 {
        let spacing = Self::spacing(node) as f64;
        let own = self.place(node);
        largest_of(own.len().min(place.len()), |at| {
            let unit = match self.axes[at].step {
                step if step > 0.0 => step * spacing,
                _ => 1.0,
            };
            (own[at] - place[at]).abs() / unit
        })
    }

    /// The directions in which neighbours lie: along the axes and both diagonals.
    fn directions(&self) -> Vec<Vec<isize>> {
        match self.axes.len() {
            1 => vec![vec![1]],
            2 => vec![vec![1, 0], vec![0, 1], vec![1, 1], vec![1, -1]],
            _ => Vec::new(),
        }
    }

    /// The node some steps away, if it is on the lattice.
    fn moved(&self, node: &Node, direction: &[isize], steps: usize) -> Option<Node> {
        let each = node.iter().zip(direction).zip(&self.axes);
        each.map(|((&x, &d), axis)| {
            let moved = x.checked_add_signed(d * steps as isize)?;
            (moved <= axis.last).then_some(moved)
        })
        .collect()
    }

    /// Unknown nodes between two known ones with the values that these predict, the smallest first.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut found: BTreeMap<Node, f64> = BTreeMap::new();
        for node in self.known.keys() {
            for unit in (0..LEVELS).map(|level| 1usize << level) {
                if !node.iter().all(|x| x.is_multiple_of(2 * unit)) {
                    continue;
                }
                for direction in self.directions() {
                    if let Some(Candidate { node, predicted }) =
                        self.between(node, &direction, unit)
                    {
                        let least = found.entry(node).or_insert(f64::INFINITY);
                        *least = least.min(predicted);
                    }
                }
            }
        }
        let mut candidates: Vec<Candidate> = found
            .into_iter()
            .map(|(node, predicted)| Candidate { node, predicted })
            .collect();
        candidates.sort_by(|a, b| {
            let by_value = a.predicted.total_cmp(&b.predicted);
            by_value.then_with(|| a.node.cmp(&b.node))
        });
        candidates
    }

    /// The unknown node that is `unit` steps from a known one and from another beyond it, unless both
    /// ends say that nothing is between them: each lies on the other's tangent.
    fn between(&self, node: &Node, direction: &[isize], unit: usize) -> Option<Candidate> {
        let here = self.known.get(node)?.as_ref()?;
        let middle = self.moved(node, direction, unit)?;
        let end = self.moved(node, direction, 2 * unit)?;
        let there = self.known.get(&end)?.as_ref()?;
        if self.known.contains_key(&middle) {
            return None;
        }
        let step = difference(&self.place(&end), &self.place(node));
        let (first, last) = (dot(&step, &here.slope), dot(&step, &there.slope));
        let rise = there.value - here.value;
        let is_bent = (first - rise).abs() + (last - rise).abs() >= BENT;
        is_bent.then_some(Candidate {
            node: middle,
            predicted: 0.5 * (here.value + there.value) + (first - last) / 8.0,
        })
    }

    /// The known nodes around one, nearest last.
    fn around(&self, node: &Node) -> Vec<(&Node, &Option<Value>)> {
        let spacing = Self::spacing(node);
        let distance = |other: &Node| {
            let each = node.iter().zip(other);
            each.map(|(&a, &b)| a.abs_diff(b)).max().unwrap_or(0)
        };
        let mut near: Vec<(&Node, &Option<Value>)> = self
            .known
            .iter()
            .filter(|(other, _)| (1..=spacing).contains(&distance(other)))
            .collect();
        near.sort_by_key(|(other, _)| std::cmp::Reverse(distance(other)));
        near
    }

    /// The local minima among known nodes, the best first.
    pub(super) fn minima(&self) -> Vec<Node> {
        let mut minima: Vec<(f64, &Node)> = Vec::new();
        for (node, value) in &self.known {
            let Some(value) = value else { continue };
            // Of equal ones the first.
            let is_lower = |(other, theirs): (&Node, &Option<Value>)| {
                theirs.as_ref().is_some_and(|theirs| {
                    theirs.value < value.value || (theirs.value == value.value && other < node)
                })
            };
            if !self.around(node).into_iter().any(is_lower) {
                minima.push((value.value, node));
            }
        }
        minima.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        minima.into_iter().map(|(_, node)| node.clone()).collect()
    }

    /// A known node as the beginning of a descent.
    pub(super) fn visit(&self, node: &Node) -> Option<Visit> {
        let value = self.known.get(node)?.as_ref()?;
        Some(Visit {
            place: self.place(node),
            value: value.value,
            slope: value.slope.clone(),
            towards: None,
        })
    }

    /// The value that a descent from a node may reach within its spacing, if the slope stayed for so large
    /// a share of it.
    pub(super) fn hope(&self, node: &Node, share: f64) -> f64 {
        let Some(Some(value)) = self.known.get(node) else {
            return f64::INFINITY;
        };
        let spacing = Self::spacing(node) as f64;
        let each = self.axes.iter().zip(&value.slope);
        let fall: f64 = each
            .map(|(axis, slope)| slope.abs() * axis.step * spacing)
            .sum();
        value.value - share * fall
    }

    /// Steps from the neighbours to a node with the changes of the slope along them: what is known of the
    /// curvature.
    pub(super) fn pairs(&self, node: &Node) -> Vec<Pair> {
        let Some(Some(here)) = self.known.get(node) else {
            return Vec::new();
        };
        let place = self.place(node);
        let pair = |(other, value): (&Node, &Option<Value>)| {
            let there = value.as_ref()?;
            Some(Pair {
                step: difference(&place, &self.place(other)),
                change: difference(&here.slope, &there.slope),
            })
        };
        let mut pairs: Vec<Pair> = self.around(node).into_iter().filter_map(pair).collect();
        pairs.split_off(pairs.len().saturating_sub(PAIRS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(high: f64, count: usize) -> CoarseAxis {
        CoarseAxis {
            low: 0.0,
            high,
            count,
        }
    }

    fn filled(f: impl Fn(&[f64]) -> Option<(f64, Vec<f64>)>) -> Lattice {
        let mut lattice = Lattice::new(&[axis(2.0, 3), axis(3.0, 4)]);
        for node in lattice.first() {
            let value = f(&lattice.place(&node));
            lattice.insert(node, value.map(|(value, slope)| Value { value, slope }));
        }
        lattice
    }

    /// The squared distance from (0.5, 1.5), a place that halving finds.
    fn bowl(p: &[f64]) -> Option<(f64, Vec<f64>)> {
        let (a, b) = (p[0] - 0.5, p[1] - 1.5);
        Some((a * a + b * b, vec![2.0 * a, 2.0 * b]))
    }

    #[test]
    fn the_first_lattice_reaches_from_end_to_end() {
        let lattice = filled(bowl);
        let places: Vec<Vec<f64>> = lattice.first().iter().map(|n| lattice.place(n)).collect();
        assert_eq!(places.len(), 12);
        assert_eq!(
            (&places[0][..], &places[5][..]),
            (&[0.0, 0.0][..], &[1.0, 1.0][..])
        );
        assert_eq!(places[11], [2.0, 3.0]);
        let single = Lattice::new(&[axis(4.0, 1)]);
        assert_eq!(single.place(&single.first()[0]), [2.0]);
    }

    #[test]
    fn the_middle_of_a_parabola_is_predicted_exactly() {
        let mut lattice = filled(bowl);
        let first = lattice.candidates().remove(0);
        assert!(first.predicted.abs() < 1e-15);
        assert_eq!(lattice.place(&first.node), [0.5, 1.5]);
        let (value, slope) = bowl(&[0.5, 1.5]).unwrap();
        lattice.insert(first.node.clone(), Some(Value { value, slope }));
        assert_eq!(lattice.minima()[0], first.node);
        assert!(lattice.candidates().iter().all(|c| c.node != first.node));
        // Finer levels follow, between the new node and the old ones.
        assert!(
            lattice
                .candidates()
                .iter()
                .any(|c| Lattice::spacing(&c.node) == 2)
        );
    }

    #[test]
    fn minima_pairs_and_hopes() {
        let lattice = filled(bowl);
        // Four corners are equal: the first is the minimum.
        let minima = lattice.minima();
        assert_eq!(minima.len(), 1);
        assert_eq!(lattice.place(&minima[0]), [0.0, 1.0]);
        assert!((lattice.hope(&minima[0], 0.5) - (0.5 - 1.0)).abs() < 1e-12);
        assert!((lattice.distance(&minima[0], &[0.5, 1.0]) - 0.5).abs() < 1e-12);
        for pair in lattice.pairs(&minima[0]) {
            assert_eq!(pair.change, [2.0 * pair.step[0], 2.0 * pair.step[1]]);
        }
        let none = filled(|_| None);
        assert!(none.minima().is_empty() && none.candidates().is_empty());
        let plain = filled(|_| Some((1.0, vec![0.0, 0.0])));
        assert_eq!(plain.minima().len(), 1);
    }
}
