//! The design operator X̂ = [(X − 1mᵀ)·diag(1/σ), 1]: centred, scaled, with an intercept column.
//!
//! A dense design is materialised; a sparse one keeps its sparsity and carries the centre as a
//! rank-one term, so that
//!
//! ```text
//! X̂·w  = X(w/σ) − 1·(m·(w/σ)) + 1·b          X̂ᵀ·r = (Xᵀr − m·Σr)/σ ,  Σr for the intercept
//! ```
//!
//! Columns are centred by weighted means only where there is an intercept, and divided by the
//! weighted standard deviation (divisor n; 1 for a column without variance).

use super::matrix::{Dense, Matrix, Sparse};

/// How a raw matrix becomes a design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// Append a column of ones, unpenalised, and centre the others.
    pub intercept: bool,
    /// Divide every column by its standard deviation.
    pub standardize: bool,
}

/// Centre and scale of every feature: constants of a problem, taken from its training rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureScale {
    /// What is subtracted from each column; all zero without an intercept.
    pub center: Vec<f64>,
    /// What each column is then divided by.
    pub scale: Vec<f64>,
    /// Columns that do not vary. Where columns are centred these are dropped from every design (a
    /// zero column), so that their coefficient is zero; without an intercept they are ordinary.
    pub constant: Vec<usize>,
}

impl FeatureScale {
    /// No centre and no scale for `features` columns.
    #[must_use]
    pub fn identity(features: usize) -> Self {
        Self {
            center: vec![0.0; features],
            scale: vec![1.0; features],
            constant: Vec::new(),
        }
    }

    /// 1/σ_j, and 0 for a dropped column.
    #[must_use]
    pub fn multipliers(&self, intercept: bool) -> Vec<f64> {
        let mut multipliers: Vec<f64> = self.scale.iter().map(|s| s.recip()).collect();
        if intercept {
            self.constant.iter().for_each(|&j| multipliers[j] = 0.0);
        }
        multipliers
    }
}

/// Weighted means and standard deviations of the columns.
///
/// `weights` has one entry per row, with mean 1.
#[must_use]
pub fn measure(matrix: &Matrix, weights: &[f64], scaling: Scaling) -> FeatureScale {
    let (n, d) = (matrix.rows() as f64, matrix.columns());
    let mut mean = vec![0.0; d];
    matrix.for_each_entry(|i, j, value| mean[j] += weights[i] * value);
    mean.iter_mut().for_each(|m| *m /= n);

    let mut stored_weight = vec![0.0; d];
    let (mut smallest, mut largest) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
    let mut stored = vec![0usize; d];
    matrix.for_each_entry(|i, j, value| {
        stored_weight[j] += weights[i];
        if weights[i] > 0.0 {
            stored[j] += 1;
            smallest[j] = smallest[j].min(value);
            largest[j] = largest[j].max(value);
        }
    });
    let weighted_rows = weights.iter().filter(|&&w| w > 0.0).count();
    let mut constant = Vec::new();
    for j in 0..d {
        // Entries that a sparse matrix does not store are zeros.
        if stored[j] < weighted_rows {
            smallest[j] = smallest[j].min(0.0);
            largest[j] = largest[j].max(0.0);
        }
        if smallest[j] >= largest[j] {
            constant.push(j);
            // Exactly, so that the centred column is exactly zero.
            if smallest[j].is_finite() {
                mean[j] = smallest[j];
            }
        }
    }

    let unit: Vec<f64> = smallest
        .iter()
        .zip(&largest)
        .map(|(low, high)| power_of_two_below(low.abs().max(high.abs())))
        .collect();
    let mut variance = vec![0.0; d];
    matrix.for_each_entry(|i, j, value| {
        variance[j] += weights[i] * ((value - mean[j]) / unit[j]).powi(2);
    });
    for j in 0..d {
        variance[j] += (n - stored_weight[j]).max(0.0) * (mean[j] / unit[j]).powi(2);
        variance[j] /= n;
    }
    constant.iter().for_each(|&j| variance[j] = 0.0);
    let center = if scaling.intercept {
        mean
    } else {
        vec![0.0; d]
    };
    let scale = variance
        .iter()
        .zip(&unit)
        .map(|(&v, unit)| {
            if scaling.standardize && v > 0.0 {
                v.sqrt() * unit
            } else {
                1.0
            }
        })
        .collect();
    FeatureScale {
        center,
        scale,
        constant,
    }
}

/// A power of two near a column's largest entry, in whose units its squares neither overflow nor
/// underflow; dividing by it is exact.
fn power_of_two_below(largest: f64) -> f64 {
    if largest > 0.0 && largest.is_finite() {
        2f64.powi(largest.log2().floor().clamp(-1000.0, 1000.0) as i32)
    } else {
        1.0
    }
}

/// The design operator of a problem or of its validation rows: n × (d + intercept).
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Dense: X̂ itself. Sparse: the raw entries with the column of ones appended.
    pub matrix: Matrix,
    /// Sparse designs that are centred or scaled: (m, 1/σ) per column, ones column (0, 1).
    pub rank_one: Option<RankOne>,
    /// True when the last column is the intercept's.
    pub intercept: bool,
}

/// The centre and inverse scale of every column of a sparse design.
#[derive(Debug, Clone, PartialEq)]
pub struct RankOne {
    /// m_j.
    pub center: Vec<f64>,
    /// 1/σ_j.
    pub inverse_scale: Vec<f64>,
}

impl Design {
    /// A matrix used as it is: no centre, no scale, no intercept.
    #[must_use]
    pub fn plain(matrix: Matrix) -> Self {
        Self {
            matrix,
            rank_one: None,
            intercept: false,
        }
    }

    /// `matrix` with centre and scale applied and, with `intercept`, a last column of ones.
    #[must_use]
    pub fn scaled(matrix: &Matrix, features: &FeatureScale, intercept: bool) -> Self {
        let d = matrix.columns();
        let multipliers = features.multipliers(intercept);
        match matrix {
            Matrix::Dense(m) => {
                let columns = d + usize::from(intercept);
                let mut values = Vec::with_capacity(m.rows * columns);
                for i in 0..m.rows {
                    values.extend(
                        m.row(i)
                            .iter()
                            .zip(&features.center)
                            .zip(&multipliers)
                            .map(|((&x, &center), &multiplier)| (x - center) * multiplier),
                    );
                    if intercept {
                        values.push(1.0);
                    }
                }
                let matrix = Matrix::Dense(Dense {
                    rows: m.rows,
                    columns,
                    values,
                });
                Self {
                    matrix,
                    rank_one: None,
                    intercept,
                }
            }
            Matrix::Sparse(m) => {
                let identity = features.center.iter().all(|&c| c == 0.0)
                    && multipliers.iter().all(|&s| s == 1.0);
                let matrix = if intercept { append_ones(m) } else { m.clone() };
                let rank_one = (!identity).then(|| {
                    let mut center = features.center.clone();
                    let mut inverse_scale = multipliers;
                    if intercept {
                        center.push(0.0);
                        inverse_scale.push(1.0);
                    }
                    RankOne {
                        center,
                        inverse_scale,
                    }
                });
                Self {
                    matrix: Matrix::Sparse(matrix),
                    rank_one,
                    intercept,
                }
            }
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Number of columns, the intercept's included.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.matrix.columns()
    }

    /// Number of features: the columns without the intercept's.
    #[must_use]
    pub fn features(&self) -> usize {
        self.columns() - usize::from(self.intercept)
    }

    /// ‖x̂_i‖² of every row.
    #[must_use]
    pub fn row_squares(&self) -> Vec<f64> {
        let mut squares = vec![0.0; self.rows()];
        if let Some(r) = &self.rank_one {
            // Stored entries replace what the centre alone gives: ((x − m)/σ)² for (m/σ)².
            let of = |j: usize, x: f64| ((x - r.center[j]) * r.inverse_scale[j]).powi(2);
            squares.fill((0..self.columns()).map(|j| of(j, 0.0)).sum());
            self.matrix
                .for_each_entry(|i, j, x| squares[i] += of(j, x) - of(j, 0.0));
            // Rounding of a row that is the centre.
            squares.iter_mut().for_each(|s| *s = s.max(0.0));
        } else {
            self.matrix.for_each_entry(|i, _, x| squares[i] += x * x);
        }
        squares
    }

    /// X̂·w for one vector, in f64.
    #[must_use]
    pub fn apply(&self, w: &[f64]) -> Vec<f64> {
        match &self.matrix {
            Matrix::Dense(m) => (0..m.rows)
                .map(|i| m.row(i).iter().zip(w).map(|(x, w)| x * w).sum())
                .collect(),
            Matrix::Sparse(m) => {
                let (scaled, offset) = match &self.rank_one {
                    None => (w.to_vec(), 0.0),
                    Some(r) => {
                        let scaled: Vec<f64> =
                            w.iter().zip(&r.inverse_scale).map(|(w, s)| w * s).collect();
                        let offset = scaled.iter().zip(&r.center).map(|(w, c)| w * c).sum();
                        (scaled, offset)
                    }
                };
                (0..m.rows)
                    .map(|i| m.row(i).map(|(j, x)| x * scaled[j]).sum::<f64>() - offset)
                    .collect()
            }
        }
    }

    /// X̂ᵀ·r for one vector, in f64.
    #[must_use]
    pub fn apply_transposed(&self, r: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns()];
        match &self.matrix {
            Matrix::Dense(m) => {
                for (i, &r) in r.iter().enumerate() {
                    out.iter_mut()
                        .zip(m.row(i))
                        .for_each(|(out, x)| *out += x * r);
                }
            }
            Matrix::Sparse(m) => {
                for (i, &r) in r.iter().enumerate() {
                    m.row(i).for_each(|(j, x)| out[j] += x * r);
                }
                if let Some(rank_one) = &self.rank_one {
                    let total: f64 = r.iter().sum();
                    for ((out, center), inverse) in out
                        .iter_mut()
                        .zip(&rank_one.center)
                        .zip(&rank_one.inverse_scale)
                    {
                        *out = (*out - center * total) * inverse;
                    }
                }
            }
        }
        out
    }
}

/// The sparse matrix with a last column of ones.
fn append_ones(m: &Sparse) -> Sparse {
    let mut row_starts = vec![0];
    let mut column_indices = Vec::with_capacity(m.values.len() + m.rows);
    let mut values = Vec::with_capacity(m.values.len() + m.rows);
    for i in 0..m.rows {
        for (j, value) in m.row(i) {
            column_indices.push(j as u32);
            values.push(value);
        }
        column_indices.push(m.columns as u32);
        values.push(1.0);
        row_starts.push(values.len());
    }
    Sparse {
        rows: m.rows,
        columns: m.columns + 1,
        row_starts,
        column_indices,
        values,
    }
}

#[cfg(test)]
mod tests;
