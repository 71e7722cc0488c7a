//! Residuals of many linear models on the same rows, measured as they are formed.
//!
//! Rows lie in panels of 16, every panel feature after feature, so that the predictions of 16 rows by
//! several models are sums in registers:
//!
//! ```text
//! e = X_panel w + b − y       Σ s e² ,  Σ s |e|
//! ```
//!
//! Features that none of the models uses are passed over. A prediction is a sum over the features in
//! their order, whichever models it is formed beside.

use pulp::{Arch, Simd, WithSimd};

use crate::data::matrix::Dense;

/// Rows of a panel: two of the widest registers.
const PANEL: usize = 16;
/// Bytes of panels that all models go over before the next.
const BLOCK: usize = 1 << 18;

/// One linear model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    /// One coefficient per feature, in the data's units.
    pub(super) coefficients: &'a [f64],
    pub(super) intercept: f64,
    /// The target that it predicts.
    pub(super) target: usize,
}

/// Weighted sums over the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Residuals {
    /// Σ s e².
    pub(super) squares: f64,
    /// Σ s |e|.
    pub(super) sizes: f64,
}

/// Rows with targets and weights.
pub(super) struct Panels {
    columns: usize,
    /// Per panel and feature 16 entries; rows past the last repeat it.
    values: Vec<f64>,
    /// Per target one number per row, filled up.
    targets: Vec<Vec<f64>>,
    /// One weight per row, filled up with zeros, which take the filling out of every sum.
    weights: Vec<f64>,
}

impl Panels {
    /// The named rows of a matrix, or all; targets and weights are those of these rows.
    pub(super) fn new(
        matrix: &Dense,
        chosen: Option<&[usize]>,
        targets: &[Vec<f64>],
        weights: Option<&[f64]>,
    ) -> Self {
        let rows = chosen.map_or(matrix.rows, <[usize]>::len);
        let columns = matrix.columns;
        let padded = rows.next_multiple_of(PANEL);
        let mut values = vec![0.0; padded * columns];
        let row = |at: usize| matrix.row(chosen.map_or(at, |chosen| chosen[at]));
        for (panel, values) in values
            .chunks_exact_mut((PANEL * columns).max(1))
            .enumerate()
        {
            let first = panel * PANEL;
            let count = PANEL.min(rows - first);
            // The last panel repeats a row in the place of those it lacks.
            let of_panel: [&[f64]; PANEL] = std::array::from_fn(|r| row(first + r.min(count - 1)));
            for (j, place) in values.chunks_exact_mut(PANEL).enumerate() {
                for (x, row) in place.iter_mut().zip(of_panel) {
                    *x = row[j];
                }
            }
        }
        let filled = |values: &[f64]| {
            let mut all = values.to_vec();
            all.resize(padded, 0.0);
            all
        };
        Self {
            columns,
            values,
            targets: targets.iter().map(|target| filled(target)).collect(),
            weights: weights.map_or_else(|| filled(&vec![1.0; rows]), filled),
        }
    }

    /// The residuals of every model, in their order.
    pub(super) fn residuals(&self, models: &[Model<'_>]) -> Vec<Residuals> {
        Arch::new().dispatch(Work {
            panels: self,
            models,
        })
    }
}

/// All models on all panels.
struct Work<'a> {
    panels: &'a Panels,
    models: &'a [Model<'a>],
}

impl WithSimd for Work<'_> {
    type Output = Vec<Residuals>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Residuals> {
        // As many sums at once as there are registers for.
        if S::F64_LANES >= 8 {
            self.by::<S, 8>(simd)
        } else {
            self.by::<S, 4>(simd)
        }
    }
}

/// Some models side by side.
struct Group<'a, S: Simd, const COUNT: usize> {
    /// The features that one of them uses, and all their coefficients.
    used: Vec<usize>,
    packed: Vec<[f64; COUNT]>,
    intercepts: [f64; COUNT],
    targets: [&'a [f64]; COUNT],
    squares: [S::f64s; COUNT],
    sizes: [S::f64s; COUNT],
}

impl Work<'_> {
    /// `COUNT` models at a time; the last ones are filled up with a model's double.
    #[inline(always)]
    fn by<S: Simd, const COUNT: usize>(&self, simd: S) -> Vec<Residuals> {
        let panels = self.panels;
        let mut groups: Vec<Group<'_, S, COUNT>> = self
            .models
            .chunks(COUNT)
            .map(|models| {
                let model = |k: usize| &models[k.min(models.len() - 1)];
                let (mut used, mut packed) = (Vec::new(), Vec::new());
                for j in 0..panels.columns {
                    let of_all: [f64; COUNT] = std::array::from_fn(|k| model(k).coefficients[j]);
                    if of_all.iter().any(|&w| w != 0.0) {
                        used.push(j);
                        packed.push(of_all);
                    }
                }
                let zero = simd.splat_f64s(0.0);
                Group {
                    used,
                    packed,
                    intercepts: std::array::from_fn(|k| model(k).intercept),
                    targets: std::array::from_fn(|k| &panels.targets[model(k).target][..]),
                    squares: [zero; COUNT],
                    sizes: [zero; COUNT],
                }
            })
            .collect();
        // Panels that stay in the second cache while the models go over them, whose coefficients stay in
        // the first.
        let size = (PANEL * panels.columns).max(1);
        let together = (BLOCK / (8 * size)).max(1);
        for (block, values) in panels.values.chunks(together * size).enumerate() {
            for group in &mut groups {
                for (panel, values) in values.chunks_exact(size).enumerate() {
                    let row = (block * together + panel) * PANEL;
                    let mut first = 0;
                    while first < PANEL {
                        group.measure(simd, values, first, &panels.weights, row + first);
                        first += 2 * S::F64_LANES;
                    }
                }
            }
        }
        let of_group = |group: &Group<'_, S, COUNT>| -> [Residuals; COUNT] {
            std::array::from_fn(|k| Residuals {
                squares: simd.reduce_sum_f64s(group.squares[k]),
                sizes: simd.reduce_sum_f64s(group.sizes[k]),
            })
        };
        let mut all: Vec<Residuals> = groups.iter().flat_map(of_group).collect();
        all.truncate(self.models.len());
        all
    }
}

impl<S: Simd, const COUNT: usize> Group<'_, S, COUNT> {
    /// Two registers of rows of a panel, from its row `first`, which is `row` of all.
    #[inline(always)]
    fn measure(&mut self, simd: S, panel: &[f64], first: usize, weights: &[f64], row: usize) {
        let step = 2 * S::F64_LANES;
        // All bits but the sign.
        let magnitude = simd.splat_f64s(f64::from_bits(u64::MAX >> 1));
        let mut sums = [[simd.splat_f64s(0.0); 2]; COUNT];
        for k in 0..COUNT {
            sums[k] = [simd.splat_f64s(self.intercepts[k]); 2];
        }
        for (&j, w) in self.used.iter().zip(&self.packed) {
            let at = j * PANEL + first;
            let (x, _) = S::as_simd_f64s(&panel[at..at + step]);
            let (low, high) = (x[0], x[1]);
            for k in 0..COUNT {
                let w = simd.splat_f64s(w[k]);
                sums[k][0] = simd.mul_add_e_f64s(low, w, sums[k][0]);
                sums[k][1] = simd.mul_add_e_f64s(high, w, sums[k][1]);
            }
        }
        let (s, _) = S::as_simd_f64s(&weights[row..row + step]);
        for k in 0..COUNT {
            let (y, _) = S::as_simd_f64s(&self.targets[k][row..row + step]);
            for half in 0..2 {
                let e = simd.sub_f64s(sums[k][half], y[half]);
                let se = simd.mul_f64s(s[half], e);
                self.squares[k] = simd.mul_add_e_f64s(se, e, self.squares[k]);
                self.sizes[k] = simd.add_f64s(self.sizes[k], simd.and_f64s(magnitude, se));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_are_those_of_plain_sums_whatever_the_neighbours() {
        let number = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
        for (rows, columns, count) in [(1, 1, 1), (16, 3, 4), (37, 5, 9), (50, 7, 17)] {
            let matrix = Dense {
                rows: rows + 3,
                columns,
                values: (0..(rows + 3) * columns).map(number).collect(),
            };
            let chosen: Vec<usize> = (0..rows).map(|i| (i * 5) % (rows + 3)).collect();
            let targets: Vec<Vec<f64>> = (0..2)
                .map(|t| (0..rows).map(|i| number(i + 100 * t)).collect())
                .collect();
            let weights: Vec<f64> = (0..rows).map(|i| 0.5 + (i % 3) as f64).collect();
            let coefficients: Vec<Vec<f64>> = (0..count)
                .map(|k| {
                    let w = |j: usize| {
                        if (j + k).is_multiple_of(3) {
                            0.0
                        } else {
                            number(k * 31 + j)
                        }
                    };
                    (0..columns).map(w).collect()
                })
                .collect();
            let models: Vec<Model<'_>> = coefficients
                .iter()
                .enumerate()
                .map(|(k, coefficients)| Model {
                    coefficients,
                    intercept: number(k + 900),
                    target: k % 2,
                })
                .collect();
            let panels = Panels::new(&matrix, Some(&chosen), &targets, Some(&weights));
            let found = panels.residuals(&models);
            assert_eq!(found.len(), count);
            for (model, found) in models.iter().zip(&found) {
                let mut expected = Residuals::default();
                for (at, &i) in chosen.iter().enumerate() {
                    let z: f64 = matrix
                        .row(i)
                        .iter()
                        .zip(model.coefficients)
                        .map(|(x, w)| x * w)
                        .sum();
                    let e = z + model.intercept - targets[model.target][at];
                    expected.squares += weights[at] * e * e;
                    expected.sizes += weights[at] * e.abs();
                }
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs().max(1.0);
                assert!(
                    near(found.squares, expected.squares),
                    "{found:?} {expected:?}"
                );
                assert!(near(found.sizes, expected.sizes), "{found:?} {expected:?}");
                // Alone, the same bits.
                assert_eq!(panels.residuals(&[*model])[0], *found);
            }
        }
    }

    #[test]
    fn a_nan_is_no_small_residual() {
        let matrix = Dense {
            rows: 2,
            columns: 1,
            values: vec![1.0, 2.0],
        };
        let panels = Panels::new(&matrix, None, &[vec![0.0, 0.0]], None);
        let model = Model {
            coefficients: &[f64::NAN],
            intercept: 0.0,
            target: 0,
        };
        assert!(panels.residuals(&[model])[0].squares.is_nan());
    }
}
