//! The design operator X̂ = [(X − 1mᵀ)·diag(1/σ), 1]: centred, scaled, with an intercept column.
//!
//! A dense design is materialised; a sparse one keeps its sparsity and carries the centre as a
//! rank-one term (but for columns far from zero that are stored in most rows: these are centred in
//! place), so that
//!
//! ```text
//! X̂·w  = X(w/σ) − 1·(m·(w/σ)) + 1·b          X̂ᵀ·r = (Xᵀr − m·Σr)/σ ,  Σr for the intercept
//! ```
//!
//! Columns are centred by weighted means only where there is an intercept, and divided by the
//! weighted standard deviation (divisor n; 1 for a column without variance).

use super::matrix::{Dense, Matrix, Sparse};

/// The way from a raw matrix to a design.
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
    /// The centre that is subtracted from each column; all zero without an intercept.
    pub center: Vec<f64>,
    /// The scale that each column is then divided by.
    pub scale: Vec<f64>,
    /// Columns that do not vary. Where columns are centred these are dropped from every design (a
    /// zero column), so that their coefficient is zero, or what a prior says; without an intercept they are
    /// ordinary.
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

    /// The same for rows where a column that does not vary in training counts, since a prior holds its coefficient.
    #[must_use]
    pub fn with_constant_columns(&self) -> Self {
        Self {
            constant: Vec::new(),
            ..self.clone()
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
/// `weights` has one entry per row, with mean 1; what is computed does not depend on their scale
/// beyond rounding.
#[must_use]
pub fn measure(matrix: &Matrix, weights: &[f64], scaling: Scaling) -> FeatureScale {
    let d = matrix.columns();
    let mut columns = vec![Column::default(); d];
    matrix.for_each_entry(|i, j, value| columns[j].see(value, weights[i]));
    let mut total = Sum::default();
    weights.iter().for_each(|&weight| total.add(weight));
    let weighted_rows = weights.iter().filter(|&&w| w > 0.0).count();
    for column in &mut columns {
        column.finish(weighted_rows, total);
    }
    // The second pass corrects the first one's mean, whose rounding may exceed the deviation.
    matrix.for_each_entry(|i, j, value| columns[j].deviate(value, weights[i]));

    let total = total.value();
    let mut features = FeatureScale::identity(d);
    for (j, column) in columns.iter().enumerate() {
        let is_constant = column.smallest >= column.largest;
        let (mean, deviation) = column.moments(total);
        if is_constant {
            features.constant.push(j);
        } else if scaling.standardize && deviation > 0.0 {
            features.scale[j] = deviation;
        }
        if scaling.intercept {
            features.center[j] = mean;
        }
    }
    features
}

/// The measures of one column.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// The stored entries, and their extremes, in rows whose weight is not zero.
    weighted: usize,
    smallest: f64,
    largest: f64,
    /// Σ of the weights of the stored entries; later of those that are not stored.
    weight: Sum,
    /// A power of two near the largest entry: in its units squares neither overflow nor underflow.
    unit: f64,
    /// Σ weight · entry, and then the mean as the first pass knows it.
    mean: f64,
    /// Σ weight · (entry − mean), and of its square, in the unit.
    deviation: f64,
    square: f64,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            weighted: 0,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            weight: Sum::default(),
            unit: 1.0,
            mean: 0.0,
            deviation: 0.0,
            square: 0.0,
        }
    }
}

impl Column {
    fn see(&mut self, value: f64, weight: f64) {
        self.weight.add(weight);
        self.mean += weight * value;
        if weight > 0.0 {
            self.weighted += 1;
            self.smallest = self.smallest.min(value);
            self.largest = self.largest.max(value);
        }
    }

    /// Ends the first pass: over `weighted_rows` rows with a weight, all weights together `total`.
    fn finish(&mut self, weighted_rows: usize, total: Sum) {
        // Entries that a sparse matrix does not store are zeros.
        if self.weighted < weighted_rows {
            self.smallest = self.smallest.min(0.0);
            self.largest = self.largest.max(0.0);
        }
        // Where all are stored the difference of the sums would be rounding, and times mean² more
        // than the variance.
        self.weight = if self.weighted < weighted_rows {
            total.minus(self.weight)
        } else {
            Sum::default()
        };
        self.unit = power_of_two_below(self.smallest.abs().max(self.largest.abs()));
        self.mean /= total.value();
        if self.smallest >= self.largest && self.smallest.is_finite() {
            // Exactly, so that the centred column is exactly zero.
            self.mean = self.smallest;
        }
    }

    fn deviate(&mut self, value: f64, weight: f64) {
        let deviation = (value - self.mean) / self.unit;
        self.deviation += weight * deviation;
        self.square += weight * deviation * deviation;
    }

    /// The mean and the standard deviation, 0 of a column that does not vary; `total` is the sum of
    /// all weights.
    fn moments(&self, total: f64) -> (f64, f64) {
        if self.smallest >= self.largest {
            return (self.mean, 0.0);
        }
        let (missing, zero) = (self.weight.value().max(0.0), self.mean / self.unit);
        let shift = (self.deviation - missing * zero) / total;
        let square = (self.square + missing * zero * zero) / total;
        let variance = (square - shift * shift).max(0.0);
        (self.mean + shift * self.unit, variance.sqrt() * self.unit)
    }
}

/// A sum with its rounding error: as exact as twice the precision.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    error: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let part = sum - self.sum;
        self.error += (self.sum - (sum - part)) + (value - part);
        self.sum = sum;
    }

    fn minus(mut self, other: Self) -> Self {
        self.add(-other.sum);
        self.error -= other.error;
        self
    }

    fn value(self) -> f64 {
        self.sum + self.error
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

    /// `matrix` with centre and scale applied and, with `intercept`, a last column of ones; a dense one in
    /// its own memory.
    #[must_use]
    pub fn scaled(matrix: Matrix, features: &FeatureScale, intercept: bool) -> Self {
        let d = matrix.columns();
        let multipliers = features.multipliers(intercept);
        match matrix {
            Matrix::Dense(Dense {
                rows, mut values, ..
            }) => {
                let columns = d + usize::from(intercept);
                values.reserve_exact(rows * columns - values.len());
                values.resize(rows * columns, 0.0);
                // From the last row on, since rows move towards the end.
                for i in (0..rows).rev() {
                    values.copy_within(i * d..(i + 1) * d, i * columns);
                    let row = &mut values[i * columns..(i + 1) * columns];
                    let scales = features.center.iter().zip(&multipliers);
                    for (x, (center, multiplier)) in row.iter_mut().zip(scales) {
                        *x = (*x - center) * multiplier;
                    }
                    if intercept {
                        row[d] = 1.0;
                    }
                }
                let matrix = Matrix::Dense(Dense {
                    rows,
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
                let mut center = features.center.clone();
                let in_place = centred_in_place(&m, &mut center, &multipliers);
                let m = in_place.unwrap_or(m);
                let identity =
                    center.iter().all(|&c| c == 0.0) && multipliers.iter().all(|&s| s == 1.0);
                let matrix = if intercept { append_ones(&m) } else { m };
                let rank_one = (!identity).then(|| {
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

    /// True where its rows are stored in full.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        matches!(self.matrix, Matrix::Dense(_))
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

/// Deviations from which on a mean is subtracted from the entries themselves: the rank-one term would
/// lose as many digits as the mean has before those of the deviation.
const FAR: f64 = 64.0;

/// The matrix with every column far from zero that is stored in most rows centred, its zeros stored
/// too, and its entry of `center` set to 0; `None` where there is no such column.
///
/// With weights that are alike a column with many zeros is not far from zero, so that hardly any
/// entry is added.
fn centred_in_place(m: &Sparse, center: &mut [f64], multipliers: &[f64]) -> Option<Sparse> {
    let is_far = |j: usize| (center[j] * multipliers[j]).abs() > FAR;
    let mut stored = vec![0usize; m.columns];
    for &j in &m.column_indices {
        stored[j as usize] += 1;
    }
    let far: Vec<usize> = (0..m.columns)
        .filter(|&j| 2 * stored[j] > m.rows && is_far(j))
        .collect();
    if far.is_empty() {
        return None;
    }
    let added: usize = far.iter().map(|&j| m.rows - stored[j]).sum();
    let mut row_starts = vec![0];
    let mut column_indices = Vec::with_capacity(m.values.len() + added);
    let mut values = Vec::with_capacity(m.values.len() + added);
    for i in 0..m.rows {
        let mut entries = m.row(i).peekable();
        let mut push = |j: usize, value: f64| {
            column_indices.push(j as u32);
            values.push(value);
        };
        for &j in &far {
            while let Some((k, value)) = entries.next_if(|&(k, _)| k < j) {
                push(k, value);
            }
            let value = entries
                .next_if(|&(k, _)| k == j)
                .map_or(0.0, |(_, value)| value);
            push(j, value - center[j]);
        }
        for (k, value) in entries {
            push(k, value);
        }
        row_starts.push(values.len());
    }
    far.iter().for_each(|&j| center[j] = 0.0);
    Some(Sparse {
        rows: m.rows,
        columns: m.columns,
        row_starts,
        column_indices,
        values,
    })
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
